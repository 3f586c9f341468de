//! A client that goes while its statement runs: what nobody needs any more is killed, what must be whole runs to its end.
//!
//! A client whose side is merely closed may still listen; but no client of MySQL works like that, so that it is given a
//! moment's time for its reply, and no more.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Sleep;
use tracing::{debug, warn};

use crate::login::methods::secret::Secret;
use crate::proxy::backend::{self, Params};
use crate::proxy::client::Session;
use crate::proxy::error::{Fault, printable};
use crate::proxy::exchange::Exchange;
use crate::proxy::lease::close;
use crate::proxy::server::Proxy;
use crate::proxy::settings::Mode;
use crate::proxy::statement;
use crate::session::reason::Pin as Pinned;
use crate::sql::dialect::Dialect;
use crate::sql::effects::{Summary, summary};
use crate::sql::flags::Flags;
use crate::sql::interruptible::is_interruptible;
use crate::wire::capabilities::PROTOCOL_41;
use crate::wire::status::IN_TRANS;
use crate::wire::{command, fault};

/// How long a client that has closed its side may wait for its reply.
const GRACE: Duration = Duration::from_millis(500);

/// How long the server may take to answer a KILL.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a statement may go on after its KILL where nobody is there for it any more: then its connection is killed. MySQL 9
/// knows of replies that it believes to have ended, though they have not.
const LONG_ENOUGH: Duration = Duration::from_secs(5);

/// Before the KILL is said once more, and the most.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const MOST_PAUSE: Duration = Duration::from_secs(5);

/// What ends a transaction itself, or runs outside of it: to kill it would leave open what became of it.
const ENDS_IT: Flags = Flags::ENDS.with(Flags::IMPLICIT_COMMIT).with(Flags::XA_PREPARE).with(Flags::XA_FINISH);

/// COM_QUIT.
const QUIT: &[u8] = &[1, 0, 0, 0, command::QUIT];

/// A running statement's end before its time.
#[derive(Default)]
pub(super) struct Leaving {
    grace: Option<Pin<Box<Sleep>>>,
    killing: Option<Box<Killing>>,
    /// It was looked into whether the statement is to be killed.
    is_decided: bool,
}

struct Killing {
    task: JoinHandle<()>,
    /// The client has gone: the connection may go, too.
    client_gone: Arc<AtomicBool>,
    /// Dropped, the KILL is not said again.
    goes_on: oneshot::Sender<()>,
}

impl Leaving {
    /// Whether the time has come to look into it. `ahead`: what the client sent behind its command.
    pub fn is_due(&mut self, cx: &mut Context<'_>, ended: bool, gone: bool, ahead: &[u8]) -> bool {
        if self.is_decided || !(ended || gone) {
            return false;
        }
        if gone || ahead == QUIT {
            return true;
        }
        let grace = self.grace.get_or_insert_with(|| Box::pin(tokio::time::sleep(GRACE)));
        grace.as_mut().poll(cx).is_ready()
    }

    /// The reply is whole. Until the server has answered the KILL, it might hit what runs next.
    pub async fn finish(&mut self) {
        if let Some(killing) = self.killing.take() {
            drop(killing.goes_on);
            let _ = killing.task.await;
        }
    }
}

impl Session {
    /// The client has gone: its statement is killed, unless it must run to its end.
    pub(super) fn abandon(&self, exchange: &mut Exchange, commands: &[u8]) {
        exchange.leaving.is_decided = true;
        if self.may_be_cut_short(exchange, commands) {
            let user = printable(&self.identity.user);
            debug!(client = self.admission.id, user, "the client is gone: its statement is killed");
            self.kill_statement(exchange);
            if let Some(killing) = &exchange.leaving.killing {
                killing.client_gone.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Kills the statement under way, by a connection of the client's own account. Whether that can be done.
    pub(super) fn kill_statement(&self, exchange: &mut Exchange) -> bool {
        let Some(secret) = self.lease.secret.clone() else { return false };
        if exchange.leaving.killing.is_none() {
            let (id, there) = (self.admission.id, self.lease.backend().id);
            let (proxy, client_gone) = (Arc::clone(&self.proxy), Arc::<AtomicBool>::default());
            let user = self.params.user.clone();
            let order = Order { proxy, user, secret, id, there, client_gone: Arc::clone(&client_gone) };
            let (goes_on, over) = oneshot::channel();
            let task = tokio::spawn(order.until(over));
            exchange.leaving.killing = Some(Box::new(Killing { task, client_gone, goes_on }));
        }
        true
    }

    /// What leaves nothing behind, or a part of a transaction that nobody will commit. A client's own backend (`observe`) ends
    /// as it does without tidegate.
    fn may_be_cut_short(&self, exchange: &Exchange, commands: &[u8]) -> bool {
        if self.proxy.settings.mode == Mode::Observe {
            return false;
        }
        let summary = match &self.shared {
            Some(_) => exchange.summary,
            None => self.summary_of_own(exchange, commands),
        };
        match self.is_in_transaction(exchange, summary.flags) {
            true => summary.is_read_only() || !summary.flags.any(ENDS_IT),
            false => is_interruptible(summary),
        }
    }

    /// Where backends are not shared, nobody has read the text yet.
    fn summary_of_own(&self, exchange: &Exchange, commands: &[u8]) -> Summary {
        let dialect = Dialect { mariadb: self.lease.backend().mariadb, ..Dialect::default() };
        let prepared = exchange.statement.and_then(|id| self.statements.get(id));
        match (exchange.code, prepared) {
            (command::QUERY, _) => summary(commands.get(exchange.text.clone()).unwrap_or_default(), dialect),
            // A text that was cut may go on with anything.
            (command::STMT_EXECUTE, Some(prepared)) if prepared.len == prepared.text.len() as u64 => {
                summary(&prepared.text, dialect)
            }
            _ => exchange.summary,
        }
    }

    fn is_in_transaction(&self, exchange: &Exchange, flags: Flags) -> bool {
        if exchange.reply.facts.status_seen & IN_TRANS != 0 {
            return true;
        }
        let Some(shared) = &self.shared else { return self.times.is_in_transaction() };
        let pins = shared.ledger.pins();
        // A procedure may commit on its own.
        pins.has(Pinned::Transaction) || pins.has(Pinned::Xa) || !shared.autocommits() && !flags.has(Flags::CALLS)
    }
}

/// Whose statement is to be killed, and where it runs.
struct Order {
    proxy: Arc<Proxy>,
    user: Vec<u8>,
    secret: Secret,
    id: u32,
    there: u32,
    client_gone: Arc<AtomicBool>,
}

impl Order {
    /// Again and again: a server that has not begun with the statement ignores the KILL.
    async fn until(self, mut over: oneshot::Receiver<()>) {
        let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            let is_late = began.elapsed() >= LONG_ENOUGH && self.client_gone.load(Ordering::Relaxed);
            let what = if is_late { "CONNECTION" } else { "QUERY" };
            let why = match tokio::time::timeout(PATIENCE, self.kill(what)).await {
                Ok(Ok(())) => None,
                Ok(Err(fault)) => Some(printable(&fault.why)),
                Err(_) => Some("no answer".to_owned()),
            };
            if let Some(why) = why {
                let user = printable(&String::from_utf8_lossy(&self.user));
                warn!(client = self.id, user, backend = self.there, "a statement cannot be killed: {why}");
            }
            tokio::select! {
                _ = &mut over => return,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(MOST_PAUSE),
            }
        }
    }

    /// `what`: the QUERY or the CONNECTION.
    async fn kill(&self, what: &str) -> Result<(), Fault> {
        let proxy = &self.proxy;
        let _one_at_a_time = proxy.control.lock().await;
        let params = Params::bare(&self.user, PROTOCOL_41);
        let greeted = backend::greet(proxy, None).await?;
        let (mut connection, _) = greeted.login(proxy, &params, &self.secret).await?;
        let (mut channel, facts) = connection.borrow();
        let answer = statement::query(&mut channel, facts.capabilities, &format!("KILL {what} {}", self.there)).await;
        connection.restore(channel);
        tokio::spawn(close(connection, true));
        match answer? {
            Err(refused) if refused.code != fault::NO_SUCH_THREAD => Err(Fault::refused(refused)),
            _ => Ok(()),
        }
    }
}

/// What stands in the client's buffer behind the command of this length.
pub(super) fn ahead(commands: &[u8], kept: usize) -> &[u8] {
    commands.get(kept..).unwrap_or_default()
}
