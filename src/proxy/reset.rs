//! Makes a connection as after a fresh login, for the next client.

use std::time::Duration;

use crate::login::methods::secret::Secret;
use crate::net::channel::Channel;
use crate::proxy::backend::{self, Backend, BackendFacts, Params};
use crate::proxy::lease::GOODBYE;
use crate::proxy::server::Proxy;
use crate::proxy::settings::Mode;
use crate::proxy::{setup, statement};
use crate::wire::command;
use crate::wire::fault;

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
                backend.kept.settle(&fresh);
                Some(fresh.wait_timeout)
            }
            Err(_) => None,
        };
    }
    backend.restore(channel);
    clean
}

/// What MySQL 5.6 keeps over COM_CHANGE_USER: the insert id; the number of rows found; warnings, until a statement
/// reads a table.
const FORGET_LAST_STATEMENT: [&str; 2] = ["SET last_insert_id = 0", "SELECT 1 FROM (SELECT 1) AS one WHERE FALSE"];

async fn clean(
    proxy: &Proxy,
    channel: &mut Channel,
    facts: BackendFacts,
    account: Option<(&[u8], &Secret)>,
) -> Option<Duration> {
    let mut changed_user = false;
    match statement::simple(channel, &[command::RESET_CONNECTION]).await.ok()? {
        Ok(_) => {}
        // MySQL 5.6 has no such command; to become the same user again does the same.
        Err(refused) if refused.code == fault::UNKNOWN_COMMAND => {
            let (user, secret) = account?;
            let params = Params::bare(user, facts.capabilities);
            backend::change_user(proxy, channel, facts, &params, secret).await.ok()?;
            changed_user = true;
        }
        Err(_) => return None,
    }
    let rows = statement::query(channel, facts.capabilities, "SELECT @@wait_timeout, @@init_connect LIMIT 1")
        .await
        .ok()?
        .ok()?;
    let [Some(wait_timeout), init_connect] = rows.first()?.as_slice() else { return None };
    if changed_user {
        for sql in FORGET_LAST_STATEMENT {
            statement::query(channel, facts.capabilities, sql).await.ok()?.ok()?;
        }
    }
    // What init_connect did at login is undone by a reset, and is not done again by the server.
    let untouched = init_connect.as_ref().is_none_or(Vec::is_empty);
    let seconds = std::str::from_utf8(wait_timeout).ok()?.parse().ok()?;
    untouched.then_some(Duration::from_secs(seconds))
}
