//! No one gets in by tidegate's own place: methods that judge where a process runs and as whom (`unix_socket`,
//! `auth_socket`, GSSAPI) would judge tidegate's, not the client's.
//!
//! Only a Unix socket tells the server of tidegate's place. There tidegate sends no answer before it was asked: an OK
//! without a question is one for its place. Where an account has several methods (`VIA mysql_native_password OR
//! unix_socket`) even a question says nothing: then the account itself is looked at.

use crate::net::channel::Channel;
use crate::proxy::backend::BackendFacts;
use crate::proxy::error::Fault;
use crate::proxy::server::Proxy;
use crate::proxy::statement;
use crate::wire::fault::{self, ErrPacket};

/// Refuses a login that the server has just accepted if it may rest on tidegate's place. `asked`: the server asked for
/// an answer in the course of it. The connection must not be used after an error. Not cancel safe.
pub async fn refuse_if_by_place(
    proxy: &Proxy,
    backend: &mut Channel,
    facts: BackendFacts,
    asked: bool,
) -> Result<(), Fault> {
    if !proxy.backend_is_unix() {
        return Ok(());
    }
    if !asked || facts.mariadb && has_method_by_place(backend, facts).await? {
        return Err(refused());
    }
    Ok(())
}

async fn has_method_by_place(backend: &mut Channel, facts: BackendFacts) -> Result<bool, Fault> {
    let shown = statement::query(backend, facts.capabilities, "SHOW CREATE USER CURRENT_USER()").await?;
    let text = match shown {
        Ok(rows) => rows.into_iter().flatten().flatten().flatten().collect::<Vec<u8>>(),
        // What cannot be ruled out is refused.
        Err(_) => return Ok(true),
    };
    Ok(["unix_socket", "auth_socket", "gssapi"]
        .iter()
        .any(|name| memchr::memmem::find(&text, name.as_bytes()).is_some()))
}

/// What a client hears that would have got in by tidegate's own place.
pub fn refused() -> Fault {
    let text = "Access denied: this account logs in by the place of its process (unix_socket), \
                which a client of tidegate does not have; give it a password";
    Fault::own(text, ErrPacket::new(fault::ACCESS_DENIED, b"28000", text))
}
