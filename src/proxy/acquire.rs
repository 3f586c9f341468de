//! Mode `transaction`: a client comes by a backend, and the backend to the client's state.
//!
//! ```text
//! lies ready, or a wait in the queue -> alive? -> on this worker -> the client's state -> the command
//!        ^                               | no                        | broke
//!        +------------- closed ----------+---------------------------+
//! ```

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tracing::debug;

use crate::login::methods::secret::Secret;
use crate::net::buffer::Buffer;
use crate::net::channel::Channel;
use crate::net::stream::Socket;
use crate::pool::fate::RetireReason;
use crate::pool::handle::CheckoutError;
use crate::proxy::backend::{Backend, BackendFacts, Params};
use crate::proxy::client::Session;
use crate::proxy::error::{Fault, Whose};
use crate::proxy::exchange::Exchange;
use crate::proxy::lease::{as_a_login, close, exhausted};
use crate::proxy::server::Proxy;
use crate::proxy::shared::{Lacking, Shared};
use crate::proxy::{setup, statement};
use crate::session::baseline::Baseline;
use crate::session::restore::{Standing, Step, needs_login, one_by_one, steps};
use crate::session::state::{ROLE, State};
use crate::stats::timer::QueryTimer;
use crate::wire::command;
use crate::wire::fault::{self, ErrPacket};

/// A connection that was silent for longer is looked at before it is used: its server may have closed it.
const LOOK_AFTER: Duration = Duration::from_millis(10);

/// How many dead connections one command may meet, one after the other, before its client hears of it.
const MAX_DEAD: usize = 1000;

/// Why a command does not run: the client is told, and goes on.
pub(super) type Refused = Box<ErrPacket>;

/// How a restore ended otherwise than well.
pub(super) enum Trouble {
    /// The connection is of no use any more.
    Broken,
    /// The server's own refusal.
    Refused(Refused),
}

impl Trouble {
    /// The server's error to a statement that brings the state.
    fn of(error: ErrPacket) -> Trouble {
        match fault::is_of_connection(error.code) {
            true => Trouble::Broken,
            false => Trouble::Refused(Box::new(error)),
        }
    }
}

impl Session {
    /// Whether the session shares its backends with others.
    #[inline]
    pub(super) fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Sees to it that there is a backend in this client's state. `Err` inside: the command cannot run, the session goes on.
    pub(super) async fn acquire(
        &mut self,
        exchange: &mut Exchange,
        commands: &mut Buffer,
    ) -> Result<Result<(), Refused>, Fault> {
        if self.lease.is_held() {
            return Ok(Ok(()));
        }
        if let Some(shared) = &mut self.shared {
            shared.lacks_schema = None;
        }
        for _ in 0..MAX_DEAD {
            if let Err(refused) = self.take_up(&mut exchange.timer, commands).await? {
                return Ok(Err(refused));
            }
            let is_old = self.has_older_rights();
            self.note_schema_to_come();
            if !is_old && self.schema_is_as_it_was() && (self.restores_on_the_way(exchange) || self.state_is_there()) {
                return Ok(Ok(()));
            }
            let began = Instant::now();
            match Box::pin(self.make_own(is_old)).await {
                Ok(()) => {
                    exchange.timer.restored(began, Instant::now());
                    return Ok(Ok(()));
                }
                Err(Trouble::Refused(refused)) => {
                    Box::pin(self.forget_refused()).await;
                    self.drop_backend(RetireReason::Unclean);
                    return Ok(Err(refused));
                }
                Err(Trouble::Broken) => self.drop_backend(RetireReason::ResetFailed),
            }
        }
        Err(Fault::backend("one connection after the other was dead"))
    }

    /// Whether the backend's rights may be those of before the client's session: a login has them read anew.
    fn has_older_rights(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| self.lease.backend().kept.rights_since < shared.rights_from)
    }

    /// Another schema will be entered, which has `character_set_database` be that one's.
    fn note_schema_to_come(&mut self) {
        let Session { lease, shared, .. } = self;
        let kept = &mut lease.backend_mut().kept;
        kept.has_reset_schema &= shared.as_ref().is_none_or(|shared| shared.state.schema() == kept.state.schema());
    }

    /// Whether `character_set_database` there is the schema's, as for this client, or is the server's for both behind a reset.
    fn schema_is_as_it_was(&self) -> bool {
        let shared = self.shared.as_ref().filter(|shared| shared.state.schema().is_some());
        shared.is_none_or(|shared| shared.has_reset_schema == self.lease.backend().kept.has_reset_schema)
    }

    /// Makes it so. A schema that was dropped stays as it is.
    async fn make_schema_as_it_was(&mut self) -> Result<(), Trouble> {
        let Session { lease, shared, .. } = self;
        let Some(shared) = shared else { return Ok(()) };
        let Some(schema) = shared.state.schema() else { return Ok(()) };
        let backend = lease.backend_mut();
        let command = match shared.has_reset_schema {
            // All servers let everybody say so.
            true => statement::payload(backend.capabilities, "SET collation_database=@@global.collation_database"),
            false => [&[command::INIT_DB], schema].concat(),
        };
        let (mut channel, _) = backend.borrow();
        let answer = statement::simple(&mut channel, &command).await;
        backend.restore(channel);
        backend.kept.has_reset_schema = shared.has_reset_schema;
        backend.kept.spoiled = true;
        answer.map(drop).map_err(|_| Trouble::Broken)
    }

    async fn make_own(&mut self, is_old: bool) -> Result<(), Trouble> {
        if is_old {
            self.log_in_anew().await?;
        }
        self.reset_again().await?;
        self.bring_state().await?;
        if self.schema_is_as_it_was() { Ok(()) } else { self.make_schema_as_it_was().await }
    }

    /// Before what provably reads only, the restore goes to the server in one write with it.
    fn restores_on_the_way(&mut self, exchange: &mut Exchange) -> bool {
        let Session { lease, shared, .. } = self;
        let may_follow = |shared: &&mut Box<Shared>| exchange.may_follow_a_restore() && !shared.is_to_be_reset;
        let Some(shared) = shared.as_mut().filter(may_follow) else { return false };
        let backend = lease.backend_mut();
        if backend.kept.state.is_equal(&mut shared.state) {
            return true;
        }
        let from = Standing { state: &backend.kept.state, baseline: &backend.kept.baseline };
        if needs_login(&backend.kept.state, shared.standing()) {
            return false;
        }
        let Ok(found) = steps(from, shared.standing()) else { return false };
        backend.kept.had_variables |= loses_variables(from.state, &shared.state);
        exchange.prelude.payloads = found.iter().map(|step| payload(backend, step)).collect();
        exchange.prelude.matters = true;
        backend.kept.state = shared.state.clone();
        backend.kept.baseline = Arc::clone(&shared.baseline);
        backend.kept.spoiled = true;
        true
    }

    /// A live backend of the pool on this worker, in whatever state.
    async fn take_up(&mut self, timer: &mut QueryTimer, commands: &mut Buffer) -> Result<Result<(), Refused>, Fault> {
        loop {
            let now = Instant::now();
            let state = self.shared.as_ref().map_or(0, |shared| shared.state.fingerprint());
            let is_there = self.lease.try_take_up(state, now);
            if !is_there || !self.is_proved() {
                self.drop_unproved();
                let waited = Box::pin(self.wait_for_backend(state, (!is_there).then_some(now), commands)).await;
                timer.queued(now, self.lease.pooled_lease().map_or_else(Instant::now, |lease| lease.taken_at()));
                match waited {
                    Ok(()) => {}
                    Err(CheckoutError::Refused(fault)) if fault.answer.is_some() => return self.refused(fault),
                    Err(CheckoutError::Refused(fault)) if fault.whose == Whose::Client => return Err(fault),
                    Err(error) => return Ok(Err(Box::new(told(error)))),
                }
            }
            if self.is_alive(now) && self.come_home().is_ok() {
                let is_own = self.lease.pooled_lease().is_some_and(|lease| lease.is_own());
                if let Some(shared) = &mut self.shared {
                    shared.is_here &= is_own;
                }
                self.admission.set_backend(self.lease.backend().id);
                return Ok(Ok(()));
            }
            self.drop_backend(RetireReason::ServerClosed);
        }
    }

    /// The pool's dial was refused by the server in this account's name.
    fn refused(&mut self, fault: Fault) -> Result<Result<(), Refused>, Fault> {
        match fault {
            Fault { answer: Some(answer), whose: Whose::Client, .. } => Ok(Err(Box::new(answer))),
            other => Err(other),
        }
    }

    /// `tried`: none lay ready at this time.
    async fn wait_for_backend(
        &mut self,
        state: u64,
        tried: Option<Instant>,
        commands: &mut Buffer,
    ) -> Result<(), CheckoutError<Fault>> {
        let Session { lease, shared, client, admission, .. } = self;
        let Some(shared) = shared else { return Ok(()) };
        admission.is_interrupted();
        let mut waiting = pin!(lease.take_up(state, tried, &shared.connector));
        let mut ended = false;
        std::future::poll_fn(|cx| {
            if let Poll::Ready(done) = waiting.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            if admission.is_killed() {
                return Poll::Ready(Err(CheckoutError::Refused(Fault::client("killed by another client", None))));
            }
            if admission.is_interrupted() {
                return Poll::Ready(Err(CheckoutError::Refused(Fault::refused(interrupted()))));
            }
            // Who sends ahead or closes its half meanwhile waits all the same; who is gone does not.
            while !ended && !commands.is_full() {
                match client.poll_fill_ahead(cx, commands) {
                    Poll::Pending => break,
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(Ok(0)) => ended = true,
                    Poll::Ready(Err(error)) => {
                        return Poll::Ready(Err(CheckoutError::Refused(Fault::client_io(error))));
                    }
                }
            }
            Poll::Pending
        })
        .await
    }

    /// A connection that is due for a ping is left to the slower way, which pings.
    fn is_proved(&mut self) -> bool {
        self.lease.pooled_lease().is_none_or(|lease| !lease.ping_due())
    }

    fn drop_unproved(&mut self) {
        if self.lease.is_held() {
            self.lease.park_untouched();
        }
    }

    /// Asks the kernel, where the connection was silent for a while: a server's goodbye may lie there unread.
    fn is_alive(&mut self, now: Instant) -> bool {
        let Some(lease) = self.lease.pooled_lease() else { return true };
        lease.silent(now) < LOOK_AFTER || is_silent(lease)
    }

    /// The socket wakes the worker that it is registered with: that must be this one.
    fn come_home(&mut self) -> std::io::Result<()> {
        self.lease.backend_mut().stream.rehome().map(drop)
    }

    /// Closes the backend in the background; the client may take another.
    pub(super) fn drop_backend(&mut self, reason: RetireReason) {
        self.admission.set_backend(0);
        if let Some((backend, permit)) = self.lease.drop_backend(reason) {
            debug!(backend = backend.id, reason = reason.as_str(), "backend connection retired");
            tokio::spawn(async move {
                close(*backend, false).await;
                drop(permit);
            });
        }
    }

    /// What the server refuses of the state is not carried any further: the client is told once.
    async fn forget_refused(&mut self) {
        let Session { lease, shared, .. } = self;
        let Some(shared) = shared else { return };
        let backend = lease.backend_mut();
        let nothing = State::default();
        let from = Standing { state: &nothing, baseline: &shared.baseline };
        let (mut channel, facts) = backend.borrow();
        // A role that was revoked is not in force any more.
        let role = shared.state.variable(ROLE).map(|role| format!("SET ROLE {}", String::from_utf8_lossy(role)));
        let role = role.map(|sql| (ROLE.to_vec(), sql));
        for (name, sql) in one_by_one(from, shared.standing()).into_iter().chain(role) {
            match statement::query(&mut channel, facts.capabilities, &sql).await {
                Ok(Ok(_)) => {}
                Ok(Err(refused)) if !fault::is_of_connection(refused.code) => drop(shared.state.unset(&name)),
                // Of the rest nothing is known: the next backend will tell.
                _ => break,
            }
        }
        backend.restore(channel);
    }

    /// Whether the backend is in the client's state.
    fn state_is_there(&mut self) -> bool {
        let Session { lease, shared, .. } = self;
        shared
            .as_mut()
            .is_none_or(|shared| !shared.is_to_be_reset && lease.backend_mut().kept.state.is_equal(&mut shared.state))
    }

    /// Brings the client's state to the backend.
    pub(super) async fn bring_state(&mut self) -> Result<(), Trouble> {
        let Session { lease, shared, params, proxy, .. } = self;
        let Some(shared) = shared else { return Ok(()) };
        let secret = lease.secret.clone();
        let backend = lease.backend_mut();
        if backend.kept.state.is_equal(&mut shared.state) {
            return Ok(());
        }
        let restore = Restore { proxy, params, secret: secret.as_ref() };
        let mut wanted = shared.state.clone();
        match restore.run(backend, &wanted, &shared.baseline).await {
            // A schema that is no more, or the client's no more: the statement runs without one, and hears of it if it needs one.
            Err(Trouble::Refused(refused)) if is_about_schema(&refused) => {
                wanted.set_schema(None);
                restore.run(backend, &wanted, &shared.baseline).await?;
                shared.lacks_schema = Some(Box::new(Lacking::new(*refused)));
            }
            // What its login gave, and logins give no more, it may not set back itself (SET GLOBAL of what needs a right): it goes
            // on by what logins give now. What it has set itself is another matter.
            Err(Trouble::Refused(refused)) if refused.code == fault::SPECIFIC_ACCESS_DENIED => {
                restore.log_in(backend, wanted.schema()).await?;
                let now = Arc::clone(&backend.kept.baseline);
                restore.run(backend, &wanted, &now).await?;
                shared.adopt(now);
            }
            done => done?,
        }
        Ok(())
    }

    /// The same as after a login of the client's own, on a backend that it can do without.
    pub(super) async fn begin_anew(&mut self) -> Result<(), Trouble> {
        self.log_in_anew().await?;
        self.bring_state().await
    }

    async fn log_in_anew(&mut self) -> Result<(), Trouble> {
        let Session { lease, shared, params, proxy, .. } = self;
        let Some(shared) = shared else { return Ok(()) };
        let secret = lease.secret.clone();
        let restore = Restore { proxy, params, secret: secret.as_ref() };
        restore.log_in(lease.backend_mut(), shared.state.schema()).await
    }
}

/// What a restore may need.
pub(super) struct Restore<'a> {
    pub proxy: &'a Proxy,
    pub params: &'a Params,
    /// By which the account logs in, for what only a login brings back.
    pub secret: Option<&'a Secret>,
}

impl Restore<'_> {
    /// Brings the backend to this state, and notes that it is there.
    pub async fn run(&self, backend: &mut Backend, wanted: &State, baseline: &Arc<Baseline>) -> Result<(), Trouble> {
        self.bring(backend, Standing { state: wanted, baseline }).await?;
        backend.kept.state = wanted.clone();
        backend.kept.baseline = Arc::clone(baseline);
        backend.kept.spoiled = true;
        Ok(())
    }

    async fn bring(&self, backend: &mut Backend, to: Standing<'_>) -> Result<(), Trouble> {
        if needs_login(&backend.kept.state, to) {
            self.log_in(backend, to.state.schema()).await?;
        }
        let from = Standing { state: &backend.kept.state, baseline: &backend.kept.baseline };
        let Ok(found) = steps(from, to) else { return Err(Trouble::Broken) };
        let loses = loses_variables(from.state, to.state);
        let payloads: Vec<Vec<u8>> = found.iter().map(|step| payload(backend, step)).collect();
        backend.kept.had_variables |= loses;
        if payloads.is_empty() {
            return Ok(());
        }
        let (mut channel, _) = backend.borrow();
        let answers = statement::commands(&mut channel, &payloads).await;
        backend.restore(channel);
        let answers = answers.map_err(|_| Trouble::Broken)?;
        match answers.into_iter().find_map(Result::err) {
            None => Ok(()),
            // What was done and what was not is not known of one half-way.
            Some(refused) => {
                backend.kept.state = State::unknown();
                Err(Trouble::of(refused))
            }
        }
    }

    /// Only a login brings back that there is no schema.
    async fn log_in(&self, backend: &mut Backend, schema: Option<&[u8]>) -> Result<(), Trouble> {
        let Some(secret) = self.secret else { return Err(Trouble::Broken) };
        let params = Params { schema: schema.map(<[u8]>::to_vec), ..self.params.clone() };
        let (mut channel, facts) = backend.borrow();
        let done = self.as_new(&mut channel, facts, &params, secret).await;
        backend.restore(channel);
        match done {
            Ok(fresh) => {
                backend.kept.settle(&fresh);
                backend.kept.rights_since = Some(Instant::now());
                Ok(())
            }
            Err(Fault { answer: Some(answer), refusal: true, .. }) => Err(Trouble::of(answer)),
            Err(_) => Err(Trouble::Broken),
        }
    }

    async fn as_new(
        &self,
        channel: &mut Channel,
        facts: BackendFacts,
        params: &Params,
        secret: &Secret,
    ) -> Result<setup::Fresh, Fault> {
        as_a_login(self.proxy, channel, facts, params, secret).await?;
        let fresh = setup::fresh(self.proxy, channel, facts, params.schema.as_deref()).await?;
        if fresh.keeps_last {
            // The time that was set, too.
            statement::query(channel, facts.capabilities, "SET timestamp=DEFAULT")
                .await?
                .map_err(Fault::of_question)?;
        }
        Ok(fresh)
    }
}

pub(super) fn payload(backend: &Backend, step: &Step) -> Vec<u8> {
    match step {
        Step::MultiStatements(on) => vec![command::SET_OPTION, u8::from(!on), 0],
        Step::InitDb(schema) => [&[command::INIT_DB], &schema[..]].concat(),
        Step::Set(sql) => statement::payload(backend.capabilities, sql),
        // It comes alone and is not sent as a mere command.
        Step::ChangeUser(_) => vec![command::PING],
    }
}

fn loses_variables(from: &State, to: &State) -> bool {
    from.user_variables().any(|(name, _)| to.user_variables().all(|(own, _)| own != name))
}

/// Nothing lies unread on the socket, and it is not closed.
fn is_silent(backend: &Backend) -> bool {
    let mut byte = [std::mem::MaybeUninit::uninit()];
    let peeked = match backend.stream.socket() {
        Some(Socket::Tcp(tcp)) => socket2::SockRef::from(tcp).peek(&mut byte),
        Some(Socket::Unix(unix)) => socket2::SockRef::from(unix).peek(&mut byte),
        Some(Socket::Closed) | None => return false,
    };
    peeked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

pub(super) fn is_about_schema(refused: &ErrPacket) -> bool {
    matches!(refused.code, fault::UNKNOWN_DATABASE | fault::DB_ACCESS_DENIED)
}

/// ERR 1317, as servers say it.
pub(super) fn interrupted() -> ErrPacket {
    ErrPacket::new(fault::INTERRUPTED, b"70100", "Query execution was interrupted")
}

/// What a client hears that got no connection; it goes on. A class of 08 would make Java's pools throw the client's
/// connection away, and storm the server with new ones.
fn told(error: CheckoutError<Fault>) -> ErrPacket {
    let last = match &error {
        CheckoutError::Timeout(_, Some(fault)) if fault.is_refusal() => fault.answer.clone(),
        CheckoutError::Timeout(_, Some(fault)) => Some(ErrPacket::new(fault::UNREACHABLE, b"HY000", fault.why.clone())),
        _ => None,
    };
    let fault = exhausted(error);
    let answer = fault.answer.unwrap_or_else(|| ErrPacket::new(fault::UNREACHABLE, b"HY000", fault.why));
    match last {
        Some(last) => ErrPacket::new(last.code, b"HY000", format!("{} ({})", last.text(), answer.text())),
        None => ErrPacket { state: *b"HY000", ..answer },
    }
}
