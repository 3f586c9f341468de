//! A client's hold on its backend, and how it is come by and given back.
//!
//! ```text
//!  observe            dial_uncounted -> Own                                 -> closed
//!  relayed login      permit -> dial -> Relayed                             -> closed, then the permit is free
//!  known secret       idle one -> COM_CHANGE_USER -> Pooled                 -> reset -> idle again
//!                     permit -> dial -> Pooled
//!   in its own name   permit -> dial -> Relayed                            -> closed, then the permit is free
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tracing::debug;

use crate::login::methods::secret::Secret;
use crate::net::channel::Channel;
use crate::net::settings::{Peer, SendProxyProtocol};
use crate::pool;
use crate::pool::core::Facts;
use crate::pool::fate::{Condition, Fate, RetireReason};
use crate::pool::handle::CheckoutError;
use crate::proxy::backend::{self, Backend, BackendFacts, Params};
use crate::proxy::connect::Connector;
use crate::proxy::dialed::dial;
use crate::proxy::error::Fault;
use crate::proxy::pool_key::Key;
use crate::proxy::reset::{patience, reset};
use crate::proxy::server::Proxy;
use crate::proxy::settings::Mode;
use crate::proxy::trace::LoginWaits;
use crate::proxy::workers::home;
use crate::session::baseline::Baseline;
use crate::wire::command;
use crate::wire::fault::{self, ErrPacket};

/// How long a server may take to close after QUIT, or to reset.
pub(super) const GOODBYE: Duration = Duration::from_secs(5);

/// The proxy's pool.
pub type Pool = pool::handle::Pool<Key, Box<Backend>>;
pub(super) type Permit = pool::lease::Permit<Key, Box<Backend>>;
pub(super) type Member = pool::member::Member<Key, Box<Backend>>;
type PoolLease = pool::lease::Lease<Key, Box<Backend>>;

/// A backend that serves one client.
pub struct Lease {
    /// None: mode `transaction`, between two transactions.
    hold: Option<Hold>,
    /// The pool's client, where the backend is, or will be, the pool's. It stays where it is: backends come and go.
    member: Option<Box<Member>>,
    /// The server's OK payload at this login.
    pub login_ok: Vec<u8>,
    /// What the client's password is known to be.
    pub secret: Option<Secret>,
    /// The connection was made another's login by its client: it fits no key of the pool any more.
    pub foreign: bool,
    /// What the login waited for.
    pub waits: LoginWaits,
    shows_own_id: bool,
}

enum Hold {
    Own(Box<Backend>),
    Relayed(Box<Backend>, Permit),
    Pooled(PoolLease),
}

impl Lease {
    fn new(hold: Option<Hold>, member: Option<Box<Member>>, login_ok: Vec<u8>, secret: Option<Secret>) -> Lease {
        Lease { hold, member, login_ok, secret, foreign: false, shows_own_id: false, waits: LoginWaits::default() }
    }

    /// `observe`: the client's own, outside any bound but the server's.
    pub fn own(backend: Backend, login_ok: Vec<u8>) -> Lease {
        let hold = Some(Hold::Own(Box::new(backend)));
        Lease { shows_own_id: true, ..Lease::new(hold, None, login_ok, None) }
    }

    pub(super) fn relayed(backend: Backend, login_ok: Vec<u8>, permit: Permit) -> Lease {
        let hold = Some(Hold::Relayed(Box::new(backend), permit));
        Lease::new(hold, None, login_ok, None)
    }

    /// A new connection for the pool, unless it was opened in this client's name (`backend.send_proxy_protocol`): for
    /// another client the server would take it for this one.
    pub(super) fn of_pool(
        proxy: &Proxy,
        params: &Params,
        begun: (Backend, Vec<u8>),
        mine: (Permit, u32),
        secret: Secret,
    ) -> Lease {
        let ((backend, ok), (permit, id)) = (begun, mine);
        if proxy.settings.backend.send_proxy_protocol != SendProxyProtocol::Off {
            return Lease { secret: Some(secret), ..Lease::relayed(backend, ok, permit) };
        }
        let mut member = member(proxy, Some(params), id, Some(&secret));
        let lease = member.adopt(permit, Box::new(backend), facts());
        Lease::pooled(member, lease, ok, secret)
    }

    fn pooled(member: Member, lease: PoolLease, ok: Vec<u8>, secret: Secret) -> Lease {
        Lease::new(Some(Hold::Pooled(lease)), Some(Box::new(member)), ok, Some(secret))
    }

    /// The backend.
    #[inline]
    pub fn backend(&self) -> &Backend {
        match &self.hold {
            Some(Hold::Own(backend) | Hold::Relayed(backend, _)) => backend,
            Some(Hold::Pooled(lease)) => lease,
            None => unreachable!("whoever asks for the backend has seen that there is one"),
        }
    }

    /// The backend.
    #[inline]
    pub fn backend_mut(&mut self) -> &mut Backend {
        match &mut self.hold {
            Some(Hold::Own(backend) | Hold::Relayed(backend, _)) => backend,
            Some(Hold::Pooled(lease)) => lease,
            None => unreachable!("whoever asks for the backend has seen that there is one"),
        }
    }

    /// Whether there is a backend now: always but in mode `transaction`.
    #[inline]
    pub fn is_held(&self) -> bool {
        self.hold.is_some()
    }

    /// The pool's lease, where the backend is the pool's.
    pub(super) fn pooled_lease(&mut self) -> Option<&mut PoolLease> {
        match &mut self.hold {
            Some(Hold::Pooled(lease)) => Some(lease),
            _ => None,
        }
    }

    fn take_pooled(&mut self) -> Option<PoolLease> {
        match self.hold.take_if(|hold| matches!(hold, Hold::Pooled(_))) {
            Some(Hold::Pooled(lease)) => Some(lease),
            _ => None,
        }
    }

    /// The backend of a client of mode `transaction` goes to whoever needs it. `used_at`: when its server answered last.
    pub(super) fn park(&mut self, used_at: Instant) {
        if let Some(mut lease) = self.take_pooled() {
            tell_patience(&mut lease);
            let state = lease.kept.state.fingerprint();
            lease.release(state, used_at, used_at);
        }
    }

    /// The backend, and the client, are this user's from now on.
    pub(super) fn change_key(&mut self, proxy: &Proxy, params: &Params, client: u32, secret: Secret) {
        if let Some(Hold::Pooled(lease)) = &mut self.hold {
            let after = member(proxy, Some(params), client, Some(&secret));
            lease.change_key(&after);
            self.member = Some(Box::new(after));
            self.secret = Some(secret);
        }
    }

    /// The client, and with it a backend that it has, is this worker's from now on.
    pub(super) fn rehome(&mut self) -> std::io::Result<()> {
        if let Some(member) = &mut self.member {
            member.move_to(home());
        }
        if self.is_held() { self.backend_mut().stream.rehome().map(drop) } else { Ok(()) }
    }

    /// The backend goes back as it came.
    pub(super) fn park_untouched(&mut self) {
        if let Some(lease) = self.take_pooled() {
            lease.give_back();
        }
    }

    /// The backend is not fit for anybody; the client may take another. Returns what is to be closed, with its permit.
    pub(super) fn drop_backend(&mut self, reason: RetireReason) -> Option<(Box<Backend>, Permit)> {
        self.take_pooled().map(|lease| lease.retire(reason))
    }

    /// The pool's client, where it has no backend.
    fn waiting_member(&mut self) -> Option<&mut Member> {
        self.member.as_deref_mut().filter(|_| self.hold.is_none())
    }

    /// A connection that lies ready, without waiting. Whether there is one.
    pub(super) fn try_take_up(&mut self, state: u64, now: Instant) -> bool {
        if let Some(lease) = self.waiting_member().and_then(|member| member.try_checkout(state, now)) {
            self.hold = Some(Hold::Pooled(lease));
        }
        self.is_held()
    }

    /// A connection, if need be after a wait in the queue. `tried`: [`Lease::try_take_up`] has just found none, at this time.
    /// Cancel safe.
    pub(super) async fn take_up(
        &mut self,
        state: u64,
        tried: Option<Instant>,
        connector: &Connector,
    ) -> Result<(), CheckoutError<Fault>> {
        if let Some(member) = self.waiting_member() {
            let lease = match tried {
                Some(now) => member.queue_up(state, now, connector).await?,
                None => member.checkout(state, connector).await?,
            };
            self.hold = Some(Hold::Pooled(lease));
        }
        Ok(())
    }

    /// A client of mode `transaction`, which has no backend yet.
    pub(super) fn parked(proxy: &Proxy, params: &Params, client: u32, secret: Secret) -> Lease {
        let member = Some(Box::new(member(proxy, Some(params), client, Some(&secret))));
        Lease::new(None, member, Vec::new(), Some(secret))
    }

    /// The id that the client was shown: tidegate's, or in `observe` the server's.
    pub fn shown_id(&self, client: u32) -> u32 {
        if self.shows_own_id { self.backend().id } else { client }
    }

    /// Gives the backend back. `in_step`: it is between two commands. Returns when the server has closed or reset it.
    pub async fn end(mut self, proxy: &Proxy, in_step: bool) {
        match self.hold.take() {
            Some(Hold::Own(backend)) => close(*backend, in_step).await,
            Some(Hold::Relayed(backend, permit)) => {
                close(*backend, in_step).await;
                drop(permit);
            }
            Some(Hold::Pooled(lease)) => {
                let condition = match (in_step, self.foreign) {
                    (true, false) => Condition::Dirty,
                    (true, true) => Condition::Unfit(RetireReason::AccountChanged),
                    (false, _) => Condition::Unfit(RetireReason::Broken),
                };
                let user = self.member.as_deref().map(|member| member.key().user());
                give_back(proxy, lease, condition, user.zip(self.secret.as_ref())).await;
            }
            None => {}
        }
    }
}

/// The pool knows how long the server waits for an idle connection; a client's `SET wait_timeout` changes that.
fn tell_patience(lease: &mut PoolLease) {
    let own = lease.kept.state.wait_timeout();
    let baseline = &lease.kept.baseline;
    let is_told = |(told, by): &(Option<u64>, Arc<Baseline>)| *told == own && Arc::ptr_eq(by, baseline);
    if lease.kept.told_patience.as_ref().is_some_and(is_told) {
        return;
    }
    lease.kept.told_patience = Some((own, Arc::clone(baseline)));
    let of_login = || std::str::from_utf8(lease.kept.baseline.get(b"wait_timeout")?).ok()?.parse().ok();
    if let Some(seconds) = own.or_else(of_login) {
        lease.set_wait_timeout(Duration::from_secs(seconds));
    }
}

async fn give_back(proxy: &Proxy, mut lease: PoolLease, condition: Condition, account: Option<(&[u8], &Secret)>) {
    let began = Instant::now();
    let reason = match lease.fate(condition, began) {
        Fate::Retire(reason) => reason,
        _ => match tokio::time::timeout(patience(proxy), reset(proxy, &mut lease, account)).await {
            Ok(Some(wait_timeout)) => {
                lease.set_wait_timeout(wait_timeout);
                lease.kept.told_patience = None;
                let now = Instant::now();
                proxy.trace_cleaned(began);
                let state = lease.kept.state.fingerprint();
                return lease.release(state, now, now);
            }
            Ok(None) | Err(_) => RetireReason::ResetFailed,
        },
    };
    let (backend, permit) = lease.retire(reason);
    debug!(backend = backend.id, reason = reason.as_str(), "backend connection retired");
    close(*backend, reason != RetireReason::Broken && reason != RetireReason::ResetFailed).await;
    drop(permit);
}

/// Says QUIT where that is in step, and waits until the server has closed.
pub async fn close(backend: Backend, in_step: bool) {
    let mut stream = backend.stream;
    let goodbye = async {
        if in_step {
            stream.send(&[1, 0, 0, 0, command::QUIT]).await?;
        }
        stream.shutdown().await?;
        let mut buffer = crate::net::buffer::Buffer::take();
        while stream.fill(&mut buffer).await? > 0 {
            let n = buffer.filled().len();
            buffer.consume(n);
        }
        Ok::<(), std::io::Error>(())
    };
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
}

/// A backend for a client that has proved its secret: an idle one, made this client's by COM_CHANGE_USER, or a new one.
/// Either way the server itself judges the login.
pub async fn checkout(
    proxy: &Arc<Proxy>,
    params: &Params,
    secret: &Secret,
    client: &mut Channel,
    peer: Peer,
    id: u32,
) -> Result<Lease, Fault> {
    let began = Instant::now();
    let mut member = member(proxy, Some(params), id, Some(secret));
    while let Some(mut lease) = member.try_checkout(0, Instant::now()) {
        let (mut channel, facts) = lease.borrow();
        let changed = as_a_login(proxy, &mut channel, facts, params, secret).await;
        lease.restore(channel);
        match changed {
            Ok(ok) => {
                let waits = LoginWaits { backend: began.elapsed(), ..LoginWaits::default() };
                return Ok(Lease { waits, ..Lease::pooled(member, lease, ok, secret.clone()) });
            }
            Err(failed) => {
                let (backend, permit) = lease.retire(RetireReason::ResetFailed);
                tokio::spawn(async move {
                    close(*backend, false).await;
                    drop(permit);
                });
                // A refusal is the server's answer to this login; a dead connection says nothing of it.
                if failed.is_refusal() {
                    return Err(failed);
                }
            }
        }
    }
    drop(member);
    dial(proxy, Some(params), client, peer, id).await?.login(proxy, params, secret).await
}

pub(super) async fn as_a_login(
    proxy: &Proxy,
    channel: &mut Channel,
    facts: BackendFacts,
    params: &Params,
    secret: &Secret,
) -> Result<Vec<u8>, Fault> {
    let ok = backend::change_user(proxy, channel, facts, params, secret).await?;
    backend::set_by_capabilities(channel, facts).await?;
    Ok(ok)
}

pub(super) fn facts() -> Facts {
    Facts { wait_timeout: None, state: 0, home: 0 }
}

/// One of the pool's clients. In mode `session` each connection is made the client's by a login: whatever it was made by.
pub(super) fn member(proxy: &Proxy, params: Option<&Params>, client: u32, secret: Option<&Secret>) -> Member {
    let secret = secret.filter(|_| proxy.settings.mode == Mode::Transaction);
    let key = params.map_or_else(Key::of_nobody, |params| Key::of(params, secret));
    let cap = params.and_then(|params| proxy.pool_size_of(&params.user));
    proxy.pool.member(key, u64::from(client), cap, home())
}

pub(super) fn exhausted(error: CheckoutError<Fault>) -> Fault {
    match error {
        CheckoutError::Timeout(facts, _) => {
            let text = format!("Too many connections (tidegate: {facts})");
            Fault::own(text.clone(), ErrPacket::new(fault::TOO_MANY_CONNECTIONS, b"08004", text))
        }
        CheckoutError::Refused(fault) => fault,
        CheckoutError::Closed => {
            Fault::own("shutting down", ErrPacket::new(fault::SERVER_SHUTDOWN, b"08S01", "Server shutdown in progress"))
        }
    }
}
