//! Makes a connection as after a fresh login, for the next client.

use std::time::Duration;

use crate::login::methods::secret::Secret;
use crate::net::channel::Channel;
use crate::proxy::backend::{self, Backend, BackendFacts, Params};
use crate::proxy::error::Fault;
use crate::proxy::lease::GOODBYE;
use crate::proxy::server::Proxy;
use crate::proxy::settings::Mode;
use crate::proxy::statement::Rows;
use crate::proxy::{setup, statement};
use crate::wire::command;
use crate::wire::fault::{self, ErrPacket};

/// A server that is silent in a reset is not waited for longer than in a reply: its permit may be wanted.
pub(super) fn patience(proxy: &Proxy) -> Duration {
    proxy.settings.backend.read_timeout.map_or(GOODBYE, |limit| limit.min(GOODBYE))
}

/// Makes a connection as after a fresh login; its `@@wait_timeout`, or `None` where that failed.
pub(super) async fn reset(proxy: &Proxy, backend: &mut Backend, account: Option<(&[u8], &Secret)>) -> Option<Duration> {
    let (mut channel, facts) = backend.borrow();
    let mut clean = clean(proxy, &mut channel, facts, account).await;
    if clean.is_some() && proxy.settings.mode == Mode::Transaction {
        // A reset keeps the schema, whichever the client chose.
        clean = match setup::schema_and_fresh(proxy, &mut channel, facts).await {
            Ok(fresh) => {
                // And makes character_set_database the server's; to enter the schema makes it the schema's again. One that was
                // dropped meanwhile is nobody's concern.
                if let Some(schema) = fresh.state.schema() {
                    let _ = statement::simple(&mut channel, &[&[command::INIT_DB], schema].concat()).await;
                }
                backend.kept.settle(&fresh);
                Some(fresh.wait_timeout)
            }
            Err(_) => None,
        };
    }
    backend.restore(channel);
    clean
}

/// What servers keep of a session over its reset that anybody could read: the texts of statements that were profiled (MariaDB,
/// MySQL 5.6) or traced (MySQL). A server that refuses a question has no such thing.
/// They count: an empty result would be one of the next session's `Empty_queries`.
const TEXTS: [&str; 2] = [
    "SELECT COUNT(*) FROM information_schema.profiling LIMIT 1",
    "SELECT COUNT(*) FROM information_schema.optimizer_trace LIMIT 1",
];

/// Whether the session's statements can be read behind its reset.
pub(super) async fn left_texts(channel: &mut Channel, facts: BackendFacts) -> Result<bool, Fault> {
    Ok(has_texts(&statement::several(channel, facts.capabilities, &TEXTS).await?))
}

fn has_texts(answers: &[Result<Rows, ErrPacket>]) -> bool {
    let none = vec![vec![Some(b"0".to_vec())]];
    answers.iter().flatten().any(|rows| *rows != none)
}

/// Where COM_CHANGE_USER is all there is (MySQL 5.6), it keeps more: the insert id and the next one, the time that was set,
/// RAND()'s seeds, the number of rows found, and warnings until a statement reads a table. Whether the connection can be given to
/// another client now: the next insert id cannot be taken back.
async fn forget_more(channel: &mut Channel, facts: BackendFacts) -> Result<bool, Fault> {
    const SEEDS: std::ops::Range<u32> = 0..0x3FFF_FFFF;
    let seeds = [(); 2].map(|()| fastrand::u32(SEEDS));
    let statements = [
        "SET last_insert_id=0,timestamp=DEFAULT".to_owned(),
        format!("SET rand_seed1={},rand_seed2={}", seeds[0], seeds[1]),
        "SELECT 1 FROM (SELECT 1) AS one WHERE FALSE".to_owned(),
        "SELECT @@insert_id=0 LIMIT 1".to_owned(),
    ];
    let answers = statement::several(channel, facts.capabilities, &statements).await?;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>().map_err(Fault::of_question)?;
    Ok(answers.last() == Some(&vec![vec![Some(b"1".to_vec())]]))
}

async fn clean(
    proxy: &Proxy,
    channel: &mut Channel,
    facts: BackendFacts,
    account: Option<(&[u8], &Secret)>,
) -> Option<Duration> {
    match statement::simple(channel, &[command::RESET_CONNECTION]).await.ok()? {
        Ok(_) => {}
        // MySQL 5.6 has no such command; to become the same user again does almost the same.
        Err(refused) if refused.code == fault::UNKNOWN_COMMAND => {
            let (user, secret) = account?;
            let params = Params::bare(user, facts.capabilities);
            backend::change_user(proxy, channel, facts, &params, secret).await.ok()?;
            forget_more(channel, facts).await.ok().filter(|is_clean| *is_clean)?;
        }
        Err(_) => return None,
    }
    let questions = ["SELECT @@wait_timeout, @@init_connect LIMIT 1", TEXTS[0], TEXTS[1]];
    let mut answers = statement::several(channel, facts.capabilities, &questions).await.ok()?;
    let texts = answers.split_off(1);
    let rows = answers.pop().filter(|_| !has_texts(&texts))?.ok()?;
    let [Some(wait_timeout), init_connect] = rows.first()?.as_slice() else { return None };
    // What init_connect did at login is undone by a reset, and is not done again by the server.
    let untouched = init_connect.as_ref().is_none_or(Vec::is_empty);
    let seconds = std::str::from_utf8(wait_timeout).ok()?.parse().ok()?;
    untouched.then_some(Duration::from_secs(seconds))
}
