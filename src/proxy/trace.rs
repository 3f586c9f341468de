//! What of a client's life and of the pool's work goes into a trace, while one is recorded. Without one each of these is one branch.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::pool::policy::{IdleTimeout, PingAfter, ResetOnReturn};
use crate::proxy::client::Session;
use crate::proxy::exchange::Exchange;
use crate::proxy::server::Proxy;
use crate::proxy::settings::Mode;
use crate::stats::trace::{Behind, Came, Event, Held, Login, Origin, PoolFacts, Recording};
use crate::wire::command;
use crate::wire::status::IN_TRANS;

/// What a session remembers for traces.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Traced {
    /// The recording that knows this client, by its number.
    by: u32,
    /// A backend of its own was left in a transaction.
    in_transaction: bool,
}

/// Where the time of a login went that took up a backend.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoginWaits {
    /// Waiting for the backend, or for the right to dial one.
    pub queue: Duration,
    /// Using it, its dial included.
    pub backend: Duration,
}

impl Session {
    /// A login went well.
    pub(super) fn trace_login(&mut self, began: Instant) {
        let Some(recording) = self.proxy.traces.current() else { return };
        let LoginWaits { queue, backend } = self.lease.waits;
        let login = Some(Login { took: began.elapsed(), queue, backend });
        self.traced.by = recording.number();
        recording.offer(Event::Came(Came { login, ..self.came(recording.time(began)) }));
    }

    /// The client is somebody else from here on.
    pub(super) fn trace_anew(&mut self) {
        self.traced.by = 0;
    }

    /// What a command leaves behind; to be asked for before its record is made, while a trace is recorded.
    pub(super) fn left_behind(&mut self, exchange: &Exchange) -> Behind {
        let facts = &exchange.reply.facts;
        // Of a reply without flags nothing is known.
        if facts.error.is_none() && matches!(exchange.code, command::QUERY | command::STMT_EXECUTE) {
            self.traced.in_transaction = facts.status & IN_TRANS != 0;
        }
        let held = match &self.shared {
            None if self.traced.in_transaction => Held::Pinned("transaction".into()),
            None => Held::Free,
            Some(shared) if !self.lease.is_held() || shared.is_free() => Held::Free,
            Some(shared) if shared.ledger.pins().is_empty() => Held::UntilWanted(shared.reason().into()),
            Some(shared) => Held::Pinned(shared.reason().into()),
        };
        Behind { held, state: self.shared.as_ref().map_or(0, |shared| shared.state.fingerprint()) }
    }

    /// Who it is, for a recording that does not know it yet.
    pub(super) fn introduce(&mut self, recording: &Recording, at: Instant) {
        if self.traced.by != recording.number() {
            self.traced.by = recording.number();
            recording.offer(Event::Came(self.came(recording.time(at))));
        }
    }

    fn came(&self, at: Duration) -> Came {
        Came {
            at,
            client: self.identity.client_id,
            user: self.identity.user.clone(),
            capabilities: self.params.capabilities.0,
            schema: self.schema.clone(),
            is_own: self.lease.secret.is_none() && self.proxy.settings.mode != Mode::Observe,
            login: None,
        }
    }

    /// The client goes.
    pub(super) fn trace_end(&self) {
        if let Some(recording) = self.proxy.traces.current()
            && self.traced.by == recording.number()
        {
            recording.offer(Event::Left { at: recording.time(Instant::now()), client: self.identity.client_id });
        }
    }
}

impl Proxy {
    /// A connection for the pool was dialed.
    pub(super) fn trace_dialed(&self, took: Duration, wait_timeout: Option<Duration>) {
        if let Some(recording) = self.traces.current() {
            recording.offer(Event::Dialed { at: recording.time(Instant::now()), took, wait_timeout });
        }
    }

    /// A connection that came back was made clean.
    pub(super) fn trace_cleaned(&self, began: Instant) {
        if let Some(recording) = self.traces.current() {
            recording.offer(Event::Cleaned { at: recording.time(Instant::now()), took: began.elapsed() });
        }
    }

    /// The pool has closed a connection.
    pub(super) fn trace_closed(&self, began: Instant) {
        if let Some(recording) = self.traces.current() {
            recording.offer(Event::Closed { at: recording.time(Instant::now()), took: began.elapsed() });
        }
    }

    /// The server has said its version.
    pub(super) fn trace_server(&self, version: &[u8]) {
        if let Some(recording) = self.traces.current() {
            recording.offer(Event::Server { version: String::from_utf8_lossy(version).into_owned() });
        }
    }

    /// What is in force now, for the head of a trace.
    pub(super) fn origin(&self, literals: bool) -> Origin {
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Origin {
            version: env!("CARGO_PKG_VERSION").into(),
            recording: u64::try_from(began.as_nanos()).unwrap_or_default(),
            part: 1,
            began,
            mode: self.settings.mode.name().into(),
            pool: self.pool_facts(),
            server: self.face().map(|face| String::from_utf8_lossy(&face.greeting.version).into_owned()),
            literals,
        }
    }

    fn pool_facts(&self) -> PoolFacts {
        let pool = self.pool.settings();
        PoolFacts {
            size: pool.size,
            max_overflow: pool.max_overflow,
            min_idle: pool.min_idle,
            checkout_timeout: pool.checkout_timeout,
            max_lifetime: pool.max_lifetime,
            idle_timeout: match pool.idle_timeout {
                IdleTimeout::Auto => None,
                IdleTimeout::After(limit) => Some(limit),
            },
            ping_after: match pool.ping_after {
                PingAfter::Idle(limit) => Some(limit),
                PingAfter::Off => None,
            },
            reset_on_return: match pool.reset_on_return {
                ResetOnReturn::Auto => "auto",
                ResetOnReturn::Reset => "reset",
                ResetOnReturn::Rollback => "rollback",
            }
            .into(),
            caps: self.live.caps(),
        }
    }
}
