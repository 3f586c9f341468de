//! Mode `transaction`: a client that has proved its secret comes in. Where the server has lately said that the secret is
//! right and what such logins begin with, it need not be asked again; else it judges the login itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::login::methods::secret::Secret;
use crate::net::channel::Channel;
use crate::pool::fate::RetireReason;
use crate::proxy::acquire::{Restore, Trouble};
use crate::proxy::backend::Params;
use crate::proxy::connect::Connector;
use crate::proxy::dialed::Dialed;
use crate::proxy::error::Fault;
use crate::proxy::lease::{Lease, as_a_login, close, exhausted};
use crate::proxy::logins::{Age, Seen};
use crate::proxy::server::Proxy;
use crate::proxy::setup::{self, Fresh};
use crate::proxy::shared::Shared;
use crate::proxy::statement;
use crate::proxy::trace::LoginWaits;
use crate::sql::dialect::Dialect;
use crate::wire::capabilities::{Capabilities, MULTI_RESULTS, MULTI_STATEMENTS, SESSION_TRACK};
use crate::wire::command;
use crate::wire::ok::{self, Ok as OkPacket};
use crate::wire::status;

/// How many dead connections one login may meet.
const MAX_DEAD: usize = 1000;

/// What the connections of a client have that agreed on `agreed`: what can be changed later is the same for all.
pub fn shared_capabilities(agreed: Capabilities, backend: Capabilities) -> Capabilities {
    let several = if agreed.has(MULTI_RESULTS) { MULTI_STATEMENTS } else { Capabilities::NONE };
    agreed | ((SESSION_TRACK | several) & backend)
}

/// One client on its way in.
pub struct Joining<'a> {
    /// The proxy.
    pub proxy: &'a Arc<Proxy>,
    /// The login's words, with the capabilities of the pool's connections.
    pub params: &'a Params,
    /// What the client itself agreed on.
    pub agreed: Capabilities,
    /// Its id.
    pub id: u32,
    /// What it has proved.
    pub secret: Secret,
}

impl Joining<'_> {
    /// A backend that was dialed for the greeting becomes the pool's, by this client's login.
    pub async fn on(self, dialed: Dialed) -> Result<(Lease, Box<Shared>), Fault> {
        let age = self.proxy.logins.age();
        let mut lease = dialed.login(self.proxy, self.params, &self.secret).await?;
        let ok = std::mem::take(&mut lease.login_ok);
        let fresh = self.set_up(&mut lease).await?;
        self.enter(lease, age, fresh, &ok)
    }

    /// A backend of the pool, made this client's.
    pub async fn share(self, client: &mut Channel) -> Result<(Lease, Box<Shared>), Fault> {
        let user = &self.params.user;
        if self.proxy.credentials.configured(user).is_none() {
            self.proxy.credentials.suppose(user, &self.secret);
        }
        let connector = Connector::new(self.proxy);
        let mut lease = Lease::parked(self.proxy, self.params, self.id, self.secret.clone());
        let began = Instant::now();
        for _ in 0..MAX_DEAD {
            let state = self.seen().map_or(0, |seen| self.begun(&seen).state.fingerprint());
            tokio::select! {
                biased;
                taken = lease.take_up(state, None, &connector) => taken.map_err(exhausted)?,
                gone = client.gone() => return Err(Fault::of_client(gone)),
            }
            let queue = began.elapsed();
            if lease.backend_mut().stream.rehome().is_ok() {
                let is_old = lease.backend_mut().kept.rights_since < rights_from(self.proxy);
                match self.seen().filter(|_| !is_old) {
                    Some(seen) => match self.as_seen(&mut lease, &seen).await {
                        Ok(shared) => {
                            lease.waits = waits(began, queue);
                            return Ok((self.parked(lease, &shared, seen.status), shared));
                        }
                        Err(Trouble::Refused(refused)) => return Err(Fault::refused(*refused)),
                        Err(Trouble::Broken) => {}
                    },
                    None => match self.as_login(&mut lease).await {
                        Ok((age, fresh, ok)) => {
                            lease.waits = waits(began, queue);
                            return self.enter(lease, age, fresh, &ok);
                        }
                        // A refusal is the server's answer to this login; a dead connection says nothing of it.
                        Err(fault) if fault.is_refusal() => {
                            retire(&mut lease, RetireReason::ResetFailed);
                            return Err(fault);
                        }
                        Err(_) => {}
                    },
                }
            }
            retire(&mut lease, RetireReason::ServerClosed);
        }
        Err(Fault::backend("one connection after the other was dead"))
    }

    fn seen(&self) -> Option<Seen> {
        let user = &self.params.user;
        let fresh = self.proxy.credentials.is_fresh(user, Instant::now());
        self.proxy.logins.seen(self.params).filter(|_| fresh)
    }

    /// What such a login gives with this client's words.
    fn begun(&self, seen: &Seen) -> Fresh {
        let mut fresh = seen.fresh.clone();
        fresh.state.set_schema(self.params.schema.as_deref());
        fresh.state.set_multi_statements(self.agreed.has(MULTI_STATEMENTS));
        fresh
    }

    async fn as_seen(&self, lease: &mut Lease, seen: &Seen) -> Result<Box<Shared>, Trouble> {
        let shared = self.shared(&self.begun(seen)).map_err(|_| Trouble::Broken)?;
        let restore = Restore { proxy: self.proxy, params: self.params, secret: Some(&self.secret) };
        let backend = lease.backend_mut();
        let was_there = backend.kept.state.schema() == shared.state.schema();
        restore.run(backend, &shared.state, &shared.baseline).await?;
        // Whether the client may use the schema, and whether it is still there, the server says.
        if let Some(schema) = shared.state.schema().filter(|_| was_there) {
            let (mut channel, _) = backend.borrow();
            let answer = statement::simple(&mut channel, &[&[command::INIT_DB], schema].concat()).await;
            backend.restore(channel);
            answer.map_err(|_| Trouble::Broken)?.map_err(|refused| Trouble::Refused(Box::new(refused)))?;
        }
        Ok(shared)
    }

    async fn as_login(&self, lease: &mut Lease) -> Result<(Age, Fresh, Vec<u8>), Fault> {
        let age = self.proxy.logins.age();
        let backend = lease.backend_mut();
        let (mut channel, facts) = backend.borrow();
        let ok = as_a_login(self.proxy, &mut channel, facts, self.params, &self.secret).await;
        backend.restore(channel);
        let ok = ok?;
        backend.kept.rights_since = Some(Instant::now());
        Ok((age, self.set_up(lease).await?, ok))
    }

    async fn set_up(&self, lease: &mut Lease) -> Result<Fresh, Fault> {
        let backend = lease.backend_mut();
        let (mut channel, facts) = backend.borrow();
        let fresh = setup::fresh(self.proxy, &mut channel, facts, self.params.schema.as_deref()).await;
        backend.restore(channel);
        let fresh = fresh?;
        backend.kept.settle(&fresh);
        if let Some(lease) = lease.pooled_lease() {
            lease.set_wait_timeout(fresh.wait_timeout);
        }
        Ok(fresh)
    }

    fn enter(self, lease: Lease, age: Age, fresh: Fresh, ok: &[u8]) -> Result<(Lease, Box<Shared>), Fault> {
        self.proxy.credentials.learn(&self.params.user, self.secret.clone(), Instant::now());
        self.proxy.logins.note(age, self.params, &fresh, ok);
        let mut fresh = fresh;
        fresh.state.set_multi_statements(self.agreed.has(MULTI_STATEMENTS));
        let mut shared = self.shared(&fresh)?;
        let mut lease = self.parked(lease, &shared, 0);
        let ok = &ok::of_login(ok, status::OF_SESSION).unwrap_or_default()[..];
        let mut told = Vec::new();
        shared.put_ok(&mut told, ok).ok_or_else(|| Fault::backend("the server sent a malformed OK at login"))?;
        lease.login_ok = told;
        Ok((lease, shared))
    }

    fn parked(&self, mut lease: Lease, shared: &Shared, status: u16) -> Lease {
        lease.login_ok = OkPacket { status, ..OkPacket::default() }.payload();
        let kept = &mut lease.backend_mut().kept;
        // A login sets what the login's words say of several statements; the connection has them all.
        let multi = kept.state.multi_statements();
        if kept.state != shared.state {
            kept.state = shared.state.clone();
            kept.state.set_multi_statements(multi);
        }
        kept.baseline = Arc::clone(&shared.baseline);
        lease.park(Instant::now());
        lease
    }

    fn shared(&self, fresh: &Fresh) -> Result<Box<Shared>, Fault> {
        let questions = self.proxy.questions.load_full();
        let questions = questions.ok_or_else(|| Fault::backend("the server changed in the middle of a login"))?;
        let version = self.proxy.face().map(|face| String::from_utf8_lossy(&face.greeting.version).into_owned());
        let server = Dialect::of_server(&version.unwrap_or_default());
        let connector = Connector::new(self.proxy);
        let mut shared = Shared::new(fresh, questions, server, self.agreed, connector);
        shared.rights_from = rights_from(self.proxy);
        Ok(Box::new(shared))
    }
}

/// When an account must have logged in on a connection that serves a session which begins now.
pub(super) fn rights_from(proxy: &Proxy) -> Option<Instant> {
    Instant::now().checked_sub(proxy.credentials.recheck())
}

fn waits(began: Instant, queue: Duration) -> LoginWaits {
    LoginWaits { queue, backend: began.elapsed().saturating_sub(queue) }
}

fn retire(lease: &mut Lease, reason: RetireReason) {
    if let Some((backend, permit)) = lease.drop_backend(reason) {
        tokio::spawn(async move {
            close(*backend, false).await;
            drop(permit);
        });
    }
}
