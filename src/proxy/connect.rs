//! How the pool dials, pings, watches and closes.

use std::os::fd::AsFd;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tracing::debug;

use crate::net::stream::Socket;
use crate::pool::core::Facts;
use crate::pool::fate::RetireReason;
use crate::pool::handle::{Connect, DialError, Watch};
use crate::proxy::backend::{self, Backend, Params};
use crate::proxy::dialed;
use crate::proxy::error::{Fault, Whose};
use crate::proxy::lease::close;
use crate::proxy::pool_key::Key;
use crate::proxy::server::Proxy;
use crate::proxy::settings::Mode;
use crate::proxy::workers::home;
use crate::proxy::{setup, statement};
use crate::wire::command;
use crate::wire::fault::{
    ACCESS_DENIED, ErrPacket, TOO_MANY_CONNECTIONS, TOO_MANY_USER_CONNECTIONS, USER_LIMIT_REACHED,
};

/// How long a server may take to answer a ping.
const PING: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Clone)]
pub struct Connector(Weak<Proxy>);

impl Connector {
    /// Of this proxy.
    pub fn new(proxy: &Arc<Proxy>) -> Connector {
        Connector(Arc::downgrade(proxy))
    }
}

impl Connect<Key, Box<Backend>> for Connector {
    type Error = Fault;

    /// By what is known of the account. In mode `session` every connection begins as some client's login.
    async fn dial(&self, key: &Key) -> Result<(Box<Backend>, Facts), DialError<Fault>> {
        let proxy = self.0.upgrade().filter(|proxy| proxy.settings.mode == Mode::Transaction);
        let Some(proxy) = proxy else {
            return Err(DialError::Refused(Fault::backend("connections begin with a client's login")));
        };
        let began = Instant::now();
        let logged_in = match login(&proxy, key).await {
            // Somebody may have killed just this one.
            Err(Failure::Ended) => login(&proxy, key).await,
            done => done,
        };
        match logged_in {
            Ok((backend, wait_timeout)) => {
                proxy.trace_dialed(began.elapsed(), Some(wait_timeout));
                let facts =
                    Facts { wait_timeout: Some(wait_timeout), state: backend.kept.state.fingerprint(), home: home() };
                Ok((Box::new(backend), facts))
            }
            Err(Failure::Dial(failed)) => Err(failed),
            Err(Failure::Ended) => {
                let why = "the server ends each connection of this account behind its login: see its init_connect";
                Err(DialError::Refused(Fault::backend(why)))
            }
        }
    }

    async fn ping(&self, backend: &mut Box<Backend>) -> bool {
        let (mut channel, _) = backend.borrow();
        // Whoever waits for it waits no longer than for any connection.
        let checkout = self.0.upgrade().map(|proxy| proxy.pool.settings().checkout_timeout);
        let limit = checkout.map_or(PING, |checkout| checkout.min(PING));
        let alive = tokio::time::timeout(limit, statement::simple(&mut channel, &[command::PING])).await;
        backend.restore(channel);
        matches!(alive, Ok(Ok(Ok(_))))
    }

    async fn close(&self, backend: Box<Backend>, reason: RetireReason) {
        debug!(backend = backend.id, reason = reason.as_str(), "idle backend connection closed");
        let began = Instant::now();
        close(*backend, true).await;
        if let Some(proxy) = self.0.upgrade() {
            proxy.trace_closed(began);
        }
    }

    /// The socket is watched by a descriptor of its own: the connection may be taken meanwhile.
    fn watch(&self, backend: &Box<Backend>) -> Option<Watch> {
        let descriptor = match backend.stream.socket()? {
            Socket::Tcp(tcp) => tcp.as_fd().try_clone_to_owned(),
            Socket::Unix(unix) => unix.as_fd().try_clone_to_owned(),
            Socket::Closed => return None,
        };
        let twin = std::os::unix::net::UnixStream::from(descriptor.ok()?);
        Some(Box::pin(async move {
            // Of the socket's kind only its readiness is asked.
            if let Ok(twin) = tokio::net::UnixStream::from_std(twin) {
                let _ = twin.readable().await;
            }
        }))
    }
}

/// Why there is no connection.
enum Failure {
    Dial(DialError<Fault>),
    /// The server is there, and has ended the connection behind its login.
    Ended,
}

impl From<DialError<Fault>> for Failure {
    fn from(failed: DialError<Fault>) -> Failure {
        Failure::Dial(failed)
    }
}

async fn login(proxy: &Arc<Proxy>, key: &Key) -> Result<(Backend, Duration), Failure> {
    let user = key.user();
    let credentials = &proxy.credentials;
    let secret = credentials.configured(user).or_else(|| key.secret().cloned()).or_else(|| credentials.learned(user));
    let secret =
        secret.ok_or_else(|| DialError::Refused(Fault::backend("the account's password is not known any more")))?;
    let (params, age) = (Params::bare(user, key.capabilities()), proxy.logins.age());
    let logged_in = async { backend::greet(proxy, None).await?.login(proxy, &params, &secret).await };
    let (mut backend, ok) = match logged_in.await {
        Ok(logged_in) => logged_in,
        // A refuted secret is never tried again.
        Err(fault) if fault.is_refusal_of(ACCESS_DENIED) => {
            if credentials.learned(user).is_some_and(|learned| learned.is_like(&secret)) {
                credentials.forget(user);
            }
            return Err(DialError::Refused(fault).into());
        }
        // The last of the server's places is kept for its administrators, which is said behind the login.
        Err(fault) if fault.is_refusal_of(TOO_MANY_CONNECTIONS) => return Err(DialError::Unreachable(fault).into()),
        Err(fault) if has_its_most(&fault) => return Err(DialError::Full(fault).into()),
        // By a method that tidegate has no answer for, nobody gets in for this account; others do.
        Err(fault) if fault.is_refusal() || fault.whose == Whose::Tidegate => {
            return Err(DialError::Refused(fault).into());
        }
        Err(fault) => return Err(DialError::Unreachable(fault).into()),
    };
    let (mut channel, facts) = backend.borrow();
    let fresh = setup::fresh(proxy, &mut channel, facts, None).await;
    backend.restore(channel);
    let fresh = match fresh {
        Ok(fresh) => fresh,
        Err(fault) if fault.is_refusal() => return Err(DialError::Refused(fault).into()),
        // The server may have gone, which is everybody's trouble; or it has ended this account's connection alone, by what its
        // init_connect does. If it still answers, it is the latter.
        Err(fault) => {
            let Ok(greeted) = backend::greet(proxy, None).await else {
                return Err(DialError::Unreachable(fault).into());
            };
            // A server blocks a host whose logins end half-way.
            Box::pin(dialed::leave(proxy, greeted)).await;
            return Err(Failure::Ended);
        }
    };
    credentials.learn(user, secret, Instant::now());
    proxy.logins.note(age, &params, &fresh, &ok);
    backend.kept.settle(&fresh);
    Ok((backend, fresh.wait_timeout))
}

/// Whether the account has as many connections at the server as it may have; not, as many as it may make within an hour.
fn has_its_most(fault: &Fault) -> bool {
    let names_it = |answer: &ErrPacket| answer.text().contains("'max_user_connections'");
    fault.is_refusal_of(TOO_MANY_USER_CONNECTIONS)
        || fault.is_refusal_of(USER_LIMIT_REACHED) && fault.answer.as_ref().is_some_and(names_it)
}
