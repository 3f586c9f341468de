//! KILL from outside: the victim's own account kills it, on a connection beside the pool's bound. Where its password is not
//! known, a client that is idle is ended by its own task.

use thiserror::Error;

use crate::proxy::backend::{self, Params};
use crate::proxy::clients::Victim;
use crate::proxy::lease::close;
use crate::proxy::server::Proxy;
use crate::proxy::statement;
use crate::wire::capabilities::PROTOCOL_41;
use crate::wire::fault::NO_SUCH_THREAD;

/// What became of the victim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Killed {
    /// Its connection, or its statement, is ended.
    Now,
    /// Its connection ends when the statement under way has ended: its password is not known, so that nobody can kill that.
    AfterItsStatement,
}

/// Why nobody was killed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KillError {
    /// There is no such client.
    #[error("Unknown thread id: {0}")]
    Unknown(u32),
    /// Its statement runs on a connection that nobody but the client itself can log in like.
    #[error("its statement cannot be killed: tidegate does not know the client's password")]
    NoPassword,
    /// The server could not be asked, or refused.
    #[error("{0}")]
    Failed(String),
}

pub(super) async fn kill(proxy: &Proxy, id: u32, query_only: bool) -> Result<Killed, KillError> {
    let victim = proxy.clients.victim(id).ok_or(KillError::Unknown(id))?;
    let has_backend = victim.backend() != 0;
    let known = has_backend.then(|| secret_of(proxy, &victim)).flatten();
    let (killed, there) = match (has_backend, known) {
        (false, _) => (Killed::Now, None),
        (true, Some(secret)) => (Killed::Now, Some(secret)),
        (true, None) if query_only => return Err(KillError::NoPassword),
        (true, None) => (Killed::AfterItsStatement, None),
    };
    // Before the server does: the client's task must know why its backend goes.
    match query_only {
        true => victim.interrupt(),
        false => victim.kill(),
    }
    if let Some(secret) = there {
        at_the_server(proxy, &victim, &secret, query_only).await?;
    }
    Ok(killed)
}

fn secret_of(proxy: &Proxy, victim: &Victim) -> Option<crate::login::methods::secret::Secret> {
    let user = victim.user();
    proxy.credentials.configured(&user).or_else(|| proxy.credentials.learned(&user))
}

async fn at_the_server(
    proxy: &Proxy,
    victim: &Victim,
    secret: &crate::login::methods::secret::Secret,
    query_only: bool,
) -> Result<(), KillError> {
    let _one_at_a_time = proxy.control.lock().await;
    let failed = |why: String| KillError::Failed(why);
    let params = Params::bare(&victim.user(), PROTOCOL_41);
    let greeted = backend::greet(proxy, None).await.map_err(|fault| failed(fault.why))?;
    let (mut connection, _) = greeted.login(proxy, &params, secret).await.map_err(|fault| failed(fault.why))?;
    let word = if query_only { "QUERY " } else { "" };
    let (mut channel, facts) = connection.borrow();
    let sql = format!("KILL {word}{}", victim.backend());
    let answer = statement::query(&mut channel, facts.capabilities, &sql).await;
    connection.restore(channel);
    tokio::spawn(close(connection, true));
    match answer.map_err(|fault| failed(fault.why))? {
        Err(refused) if refused.code != NO_SUCH_THREAD => Err(failed(refused.text().into_owned())),
        _ => Ok(()),
    }
}
