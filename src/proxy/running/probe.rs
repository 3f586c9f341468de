//! Whether the server can be reached, for readiness checks: by what the pool has heard of it lately, else by a connection of
//! its own, at most one in some seconds however many ask.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use tokio::sync::Mutex;

use crate::login::methods::secret::Secret;
use crate::proxy::backend::{self, Params};
use crate::proxy::dialed::leave;
use crate::proxy::error::Fault;
use crate::proxy::lease::close;
use crate::proxy::server::Proxy;
use crate::wire::capabilities::PROTOCOL_41;
use crate::wire::fault::TOO_MANY_CONNECTIONS;

/// What is no older than this counts.
const FRESH: Duration = Duration::from_secs(5);

/// A probe that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the last probe found, and when.
#[derive(Default)]
pub(super) struct Probe(Mutex<Option<(Instant, Result<(), String>)>>);

impl Probe {
    /// Whether the server answers; why not.
    pub async fn look(&self, proxy: &Proxy) -> Result<(), String> {
        let pool = proxy.pool.snapshot();
        if pool.failed_rounds == 0 && pool.last_heard.is_some_and(|silent| silent < FRESH) {
            return Ok(());
        }
        let mut last = self.0.lock().await;
        if let Some((at, found)) = &*last
            && at.elapsed() < FRESH
        {
            return found.clone();
        }
        let found = match tokio::time::timeout(PATIENCE, probe(proxy)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(fault)) if says_it_is_full(&fault) => Ok(()),
            Ok(Err(fault)) => Err(fault.why),
            Err(_) => Err(format!("the server was silent for {PATIENCE:?}")),
        };
        *last = Some((Instant::now(), found.clone()));
        found
    }
}

/// As an account that is known, so that the server sees a whole login; else nothing but the greeting.
async fn probe(proxy: &Proxy) -> Result<(), Fault> {
    let _one_at_a_time = proxy.control.lock().await;
    let greeted = backend::greet(proxy, None).await?;
    let Some((user, secret)) = account(proxy) else {
        leave(proxy, greeted).await;
        return Ok(());
    };
    match greeted.login(proxy, &Params::bare(&user, PROTOCOL_41), &secret).await {
        Ok((connection, _)) => {
            tokio::spawn(close(connection, true));
            Ok(())
        }
        // Who refuses is there.
        Err(fault) if fault.is_refusal() => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// Who has logged in is known to be let in; a configured account may be wrong, and is not tried for this.
fn account(proxy: &Proxy) -> Option<(Vec<u8>, Secret)> {
    let learned = proxy.credentials.any_learned();
    let service = proxy.settings.auth.service.as_ref();
    let service = || {
        service.map(|account| {
            let secret = Secret::password(account.password.expose_secret().as_bytes());
            (account.name.as_bytes().to_vec(), secret)
        })
    };
    learned.or_else(service)
}

/// It answers, and has no room for one more: those that are connected go on.
fn says_it_is_full(fault: &Fault) -> bool {
    fault.answer.as_ref().is_some_and(|answer| answer.code == TOO_MANY_CONNECTIONS)
}
