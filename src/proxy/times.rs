//! What a client may be late with: its own `wait_timeout`, its transaction's limits, its statement's; and when its backend
//! must hear of it to stay. One task tells the time to all clients ([`Clients::note_time`]) and wakes who is due.
//!
//! [`Clients::note_time`]: crate::proxy::clients::Clients::note_time

use std::time::Duration;

use tracing::{info, warn};

use crate::proxy::client::{End, Session};
use crate::proxy::clients::millis;
use crate::proxy::error::{host, printable};
use crate::proxy::exchange::Exchange;
use crate::proxy::settings::{Limits, Mode};
use crate::proxy::statement;
use crate::session::reason::Pin;
use crate::sql::digest::fingerprint;
use crate::sql::flags::Flags;
use crate::stats::slow_log::NEVER_NAMED_BEFORE;
use crate::wire::command;
use crate::wire::status::IN_TRANS;

/// A transaction that is idle for longer is named in the log.
const NAMED_AFTER: Duration = Duration::from_secs(10);

/// The most of a statement that the log shows.
const MAX_SHOWN: usize = 200;

/// How long a server may take to answer a ping.
const PATIENCE: Duration = Duration::from_secs(5);

/// Never.
const NEVER: u64 = u64::MAX;

/// One client's times, in milliseconds as [`crate::proxy::clients::Clients`] counts them; 0: none.
#[derive(Default)]
pub(super) struct Times {
    /// Since when the client is idle.
    idle_since: u64,
    /// When its backend heard of it last while it was idle.
    asked: u64,
    /// When its transaction began.
    began: u64,
    /// This idleness in a transaction stands in the log.
    is_named: bool,
    /// Its transaction has lasted too long.
    pub is_over: bool,
    /// When its statement is to be ended.
    ends: u64,
    /// Its transaction's last statement, or the beginning of it.
    last: Vec<u8>,
}

impl Times {
    /// The client has spoken.
    pub fn client_spoke(&mut self) {
        (self.idle_since, self.is_named) = (0, false);
    }

    /// A transaction is open, as far as the last reply told.
    pub fn is_in_transaction(&self) -> bool {
        self.began != 0
    }
}

/// When an idle client is due, and for what.
struct Due {
    name: u64,
    end_of_idleness: u64,
    end_of_transaction: u64,
    own_timeout: u64,
    ping: u64,
}

impl Due {
    fn first(&self) -> u64 {
        let Due { name, end_of_idleness, end_of_transaction, own_timeout, ping } = *self;
        [name, end_of_idleness, end_of_transaction, own_timeout, ping].into_iter().min().unwrap_or(NEVER)
    }
}

impl Session {
    /// The client is idle from now on, if it was not already: it is to be woken when it is due, or after `at_most` so many
    /// milliseconds.
    pub(super) fn await_times(&mut self, at_most: Option<u64>) {
        if self.times.idle_since == 0 {
            let now = if self.times.is_in_transaction() { self.admission.exact() } else { self.admission.now() };
            (self.times.idle_since, self.times.asked) = (now, now);
        }
        let pause = at_most.map_or(NEVER, |at_most| self.times.idle_since.saturating_add(at_most));
        self.admission.ring_by(self.due().first().min(pause));
    }

    fn due(&self) -> Due {
        let Times { idle_since, asked, began, is_named, .. } = self.times;
        let mut due =
            Due { name: NEVER, end_of_idleness: NEVER, end_of_transaction: NEVER, own_timeout: NEVER, ping: NEVER };
        if self.times.is_in_transaction() {
            let limits = &self.proxy.live.limits();
            due.name = if is_named { NEVER } else { after(idle_since, Some(self.named_after(limits))) };
            due.end_of_idleness = after(idle_since, limits.idle_transaction_timeout);
            due.end_of_transaction = after(began, limits.transaction_timeout);
        } else if let Some(shared) = &self.shared {
            due.own_timeout = after(idle_since, shared.state.wait_timeout().map(Duration::from_secs));
            if self.lease.is_held() {
                // Half of it: not even a late ping comes too late.
                due.ping = after(asked, self.patience_of_server().map(|patience| patience / 2));
            }
        }
        due
    }

    /// Before anybody ends it.
    fn named_after(&self, limits: &Limits) -> Duration {
        let ends = [limits.idle_transaction_timeout, self.patience_of_server()];
        ends.into_iter().flatten().map(|end| end / 2).fold(NAMED_AFTER, Duration::min)
    }

    /// The `wait_timeout` of the session.
    fn patience_of_server(&self) -> Option<Duration> {
        let shared = self.shared.as_ref()?;
        let of_login = || std::str::from_utf8(shared.baseline.get(b"wait_timeout")?).ok()?.parse().ok();
        shared.state.wait_timeout().or_else(of_login).map(Duration::from_secs)
    }

    /// An idle client is due. `Some`: that was its end.
    pub(super) async fn time_has_come(&mut self) -> Option<End> {
        let (now, due) = (self.admission.now(), self.due());
        if now >= due.end_of_idleness {
            return Some(End::Transaction("pool.idle_transaction_timeout"));
        }
        if now >= due.end_of_transaction {
            return Some(End::Transaction("pool.transaction_timeout"));
        }
        if now >= due.own_timeout {
            return Some(End::Idle("its own wait_timeout"));
        }
        if now >= due.name {
            self.name_idle_transaction(now);
        }
        if now >= due.ping { self.keep_alive(now).await } else { None }
    }

    fn name_idle_transaction(&mut self, now: u64) {
        self.times.is_named = true;
        let idle = Duration::from_millis(now.saturating_sub(self.times.idle_since));
        let text = match self.proxy.settings.slow_log.redact {
            true => fingerprint(&self.times.last),
            false => String::from_utf8_lossy(&self.times.last).into_owned(),
        };
        warn!(
            client = self.admission.id,
            user = printable(&self.identity.user),
            backend = self.record_backend(),
            peer = host(&self.peer),
            "idle in transaction for {:.1} s, after: {}",
            idle.as_secs_f64(),
            printable(&text)
        );
    }

    /// A backend that only the last statement's traces hold is given up; a pinned one hears of its client.
    async fn keep_alive(&mut self, now: u64) -> Option<End> {
        self.times.asked = now;
        self.give_up().await;
        if !self.lease.is_held() {
            return None;
        }
        let (mut channel, _) = self.lease.backend_mut().borrow();
        let pinged = tokio::time::timeout(PATIENCE, statement::simple(&mut channel, &[command::PING])).await;
        self.lease.backend_mut().restore(channel);
        match pinged {
            Ok(Ok(_)) => None,
            Ok(Err(_)) | Err(_) => {
                self.in_step = false;
                Some(End::BackendClosed)
            }
        }
    }

    /// A command goes to its backend: it is named where it takes long, and may not take for ever where the configuration
    /// says so.
    pub(super) fn limit_statement(&mut self) {
        let Limits { query_timeout, transaction_timeout, .. } = self.proxy.live.limits();
        self.times.ends = NEVER;
        if query_timeout.is_some() || transaction_timeout.is_some() {
            let of_transaction = if self.times.is_in_transaction() { transaction_timeout } else { None };
            self.times.ends = after(self.admission.exact(), query_timeout).min(after(self.times.began, of_transaction));
        }
        self.admission.ring_by(self.times.ends);
        let now = self.admission.now();
        // Woken before any statement is named, it will see when this one is.
        if !self.admission.rings_by(after(now, Some(NEVER_NAMED_BEFORE))) {
            let named = self.proxy.slow_log.as_ref().map(|slow_log| slow_log.named_after(&self.identity.user));
            self.admission.ring_by(after(now, named));
        }
    }

    /// The alarm of a statement: it is to be named, or ended.
    pub(super) fn statement_is_late(&mut self, exchange: &mut Exchange, commands: &[u8]) {
        if self.admission.now() >= self.times.ends {
            return self.end_statement(exchange);
        }
        let named = self.proxy.slow_log.as_ref().map(|slow_log| slow_log.named_after(&self.identity.user));
        // The time that was told last may have been an old one.
        let left = named.unwrap_or_default().saturating_sub(exchange.timer.started_at().elapsed());
        if !left.is_zero() {
            return self.admission.set_alarm(self.times.ends.min(after(self.admission.now(), Some(left))));
        }
        self.admission.set_alarm(self.times.ends);
        self.name_running(exchange, commands);
    }

    /// The statement, or its transaction, has taken too long. What ends a transaction is let end it.
    fn end_statement(&mut self, exchange: &mut Exchange) {
        self.admission.stop_alarm();
        if self.proxy.settings.mode == Mode::Observe || exchange.summary.flags.has(Flags::ENDS) {
            return;
        }
        let limit = self.proxy.live.limits().transaction_timeout;
        self.times.is_over = self.times.is_in_transaction() && self.admission.now() >= after(self.times.began, limit);
        let key = if self.times.is_over { "pool.transaction_timeout" } else { "pool.query_timeout" };
        let (client, user, backend) = (self.admission.id, printable(&self.identity.user), self.ran_on);
        match self.kill_statement(exchange) {
            true => info!(client, user, backend, "its statement is killed: {key}"),
            false => warn!(client, user, backend, "its statement goes on beyond {key}: its password is not known"),
        }
    }

    /// A command has ended: what it says of the transaction. `commands` begins with it.
    pub(super) fn note_transaction(&mut self, exchange: &Exchange, commands: &[u8]) {
        self.note_for_others(exchange, commands);
        let facts = &exchange.reply.facts;
        let is_open = match &self.shared {
            Some(shared) => shared.ledger.pins().has(Pin::Transaction) || shared.ledger.pins().has(Pin::Xa),
            None if facts.error.is_some() || !matches!(exchange.code, command::QUERY | command::STMT_EXECUTE) => return,
            None => self.proxy.settings.mode != Mode::Observe && facts.status & IN_TRANS != 0,
        };
        self.times.last.clear();
        if !is_open {
            (self.times.began, self.times.is_over) = (0, false);
            return;
        }
        if self.times.began == 0 || exchange.summary.flags.any(Flags::BEGINS.with(Flags::CHAINS)) {
            self.times.began = self.admission.exact();
        }
        let prepared = exchange.statement.and_then(|id| self.statements.get(id));
        let text = match prepared {
            Some(prepared) => &prepared.text[..],
            None => commands.get(exchange.text.clone()).unwrap_or_default(),
        };
        self.times.last.extend_from_slice(&text[..text.len().min(MAX_SHOWN)]);
    }

    /// What those see who ask who is here: only what changes seldom, or keeps a backend.
    fn note_for_others(&self, exchange: &Exchange, commands: &[u8]) {
        if exchange.code == command::INIT_DB || exchange.summary.flags.has(Flags::USES_SCHEMA) {
            self.admission.note_schema(&self.schema);
        }
        let is_pinned = self.shared.as_ref().is_some_and(|shared| !shared.ledger.pins().is_empty());
        if !is_pinned {
            return;
        }
        match exchange.statement.and_then(|id| self.statements.get(id)) {
            Some(prepared) => self.admission.note_statement(&prepared.text, prepared.digest),
            None if matches!(exchange.code, command::QUERY | command::STMT_PREPARE) => {
                let text = commands.get(exchange.text.clone()).unwrap_or_default();
                self.admission.note_statement(text, exchange.digest);
            }
            None => {}
        }
    }
}

fn after(since: u64, limit: Option<Duration>) -> u64 {
    limit.map_or(NEVER, |limit| since.saturating_add(millis(limit)))
}
