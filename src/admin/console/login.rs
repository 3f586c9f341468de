//! A client's way into the console: greeting, TLS where the proxy has it, the password where one is configured.

use std::time::Duration;

use secrecy::ExposeSecret;
use tracing::warn;

use crate::admin::Admin;
use crate::login::credentials::method_to_check;
use crate::login::methods::caching_sha2::FAST_AUTH_OK;
use crate::login::methods::secret::{Secret, Verdict};
use crate::login::methods::{Method, is_empty_password_answer};
use crate::net::channel::{Channel, ChannelError};
use crate::net::settings::Peer;
use crate::net::stream::Stream;
use crate::net::tls::ServerTls;
use crate::proxy::running::access_denied;
use crate::wire::capabilities::*;
use crate::wire::fault::{BAD_HANDSHAKE, ErrPacket};
use crate::wire::handshake::{AuthSwitch, Greeting, Login, Salt};
use crate::wire::ok::{self, Ok as OkPacket};
use crate::wire::status::AUTOCOMMIT;

/// Drivers decide by the version what they ask first, and what they send: this is one that all of them know.
pub const VERSION: &str = concat!("8.0.36-tidegate-", env!("CARGO_PKG_VERSION"));

/// utf8mb4_general_ci
const CHARSET: u8 = 45;

/// What the console can do.
const OFFERED: Capabilities = LONG_PASSWORD
    .with(LONG_FLAG)
    .with(CONNECT_WITH_DB)
    .with(PROTOCOL_41)
    .with(TRANSACTIONS)
    .with(SECURE_CONNECTION)
    .with(MULTI_RESULTS)
    .with(PS_MULTI_RESULTS)
    .with(PLUGIN_AUTH)
    .with(CONNECT_ATTRS)
    .with(PLUGIN_AUTH_LENENC)
    .with(DEPRECATE_EOF);

/// Who was refused waits for so long, so that nobody can guess fast.
const AFTER_REFUSAL: Duration = Duration::from_secs(1);

/// A client that is in.
pub struct Entered {
    /// Its connection.
    pub channel: Channel,
    /// What both sides can do.
    pub capabilities: Capabilities,
    /// The name it gave.
    pub user: String,
    /// Where it comes from.
    pub peer: Peer,
    /// Its connection id.
    pub id: u32,
}

/// Brings a client in, or tells it why not. Not cancel safe.
///
/// # Errors
/// It was refused, or broke the protocol: for the log.
pub async fn enter(admin: &Admin, mut channel: Channel, peer: Peer, id: u32) -> Result<Entered, String> {
    let failed = |error: ChannelError| error.to_string();
    let salt = admin.running.new_salt().ok_or("no random numbers")?;
    let tls = admin.running.tls();
    channel.write(&greeting(id, salt, tls.is_some()).payload()).await.map_err(failed)?;
    let mut payload = channel.read_exactly_one().await.map_err(failed)?;
    if Login::is_ssl_request(&payload) {
        channel = over_tls(tls.as_ref(), channel).await?;
        payload = channel.read().await.map_err(failed)?;
    }
    let Some(login) = Login::parse(&payload) else {
        let bad = ErrPacket::new(BAD_HANDSHAKE, b"08S01", "Bad handshake");
        channel.write(&bad.payload()).await.map_err(failed)?;
        return Err("malformed login".into());
    };
    let user = String::from_utf8_lossy(&login.user).into_owned();
    let Some(proof) = prove(admin, &mut channel, &login, &salt, tls.as_ref()).await.map_err(failed)? else {
        warn!(peer = %crate::proxy::running::host(&peer), "admin.sql: a login was refused");
        tokio::time::sleep(AFTER_REFUSAL).await;
        let denied = access_denied(&login.user, &peer, !is_empty_password_answer(&login.answer));
        channel.write(&denied.payload()).await.map_err(failed)?;
        return Err("refused".into());
    };
    let welcome = OkPacket { status: AUTOCOMMIT, ..OkPacket::default() }.payload();
    let welcome = ok::with_info(&welcome, false, &proof).unwrap_or(welcome);
    channel.write(&welcome).await.map_err(failed)?;
    Ok(Entered { channel, capabilities: login.capabilities & OFFERED, user, peer, id })
}

fn greeting(id: u32, salt: Salt, tls: bool) -> Greeting {
    Greeting {
        version: VERSION.as_bytes().to_vec(),
        connection_id: id,
        salt,
        capabilities: if tls { OFFERED | SSL } else { OFFERED },
        charset: CHARSET,
        status: AUTOCOMMIT,
        method: Method::Native.name().as_bytes().to_vec(),
    }
}

async fn over_tls(tls: Option<&ServerTls>, mut channel: Channel) -> Result<Channel, String> {
    let tls = tls.ok_or("TLS was not offered")?;
    let stream = std::mem::replace(&mut channel.stream, Stream::closed());
    let socket = stream.into_socket().map_err(|_| "TLS over TLS")?;
    let patience = channel.patience.unwrap_or(Duration::MAX);
    let accepted = tokio::time::timeout(patience, tls.accept(socket)).await.map_err(|_| "TLS: too slow")?;
    let stream = accepted.map_err(|error| format!("TLS: {error}"))?;
    channel.stream = Stream::tls(stream.into());
    Ok(channel)
}

/// Whether the client knows the configured password; what goes into the OK (the proof of tidegate's own certificate, for
/// MariaDB's newer clients). Where none is configured, everybody on this machine does.
async fn prove(
    admin: &Admin,
    channel: &mut Channel,
    login: &Login,
    salt: &Salt,
    tls: Option<&ServerTls>,
) -> Result<Option<Vec<u8>>, ChannelError> {
    let announced = login.method.as_deref().map_or(Method::Native, Method::from_name);
    let Some(configured) = &admin.settings.login else {
        acknowledge(channel, &announced, &login.answer).await?;
        return Ok(Some(Vec::new()));
    };
    let secret = Secret::password(configured.password.expose_secret().as_bytes());
    let Some(method) = method_to_check(std::slice::from_ref(&secret), &announced, &Method::Native) else {
        return Ok(None);
    };
    // A client whose method is not the greeting's has seen no challenge for it.
    let holds_back = login.answer.is_empty() && announced != Method::Native && !secret.is_empty_password();
    let answer = match method == announced && !holds_back {
        true => login.answer.clone(),
        false if login.capabilities.has(PLUGIN_AUTH) => switch(channel, &method, salt).await?,
        false => return Ok(None),
    };
    let is_right = matches!(secret.check(&method, salt, &answer), Verdict::Right(_));
    if !is_right || login.user != configured.user.as_bytes() {
        return Ok(None);
    }
    acknowledge(channel, &method, &answer).await?;
    let own = tls.filter(|_| channel.stream.is_secure());
    let proof = own.and_then(|tls| secret.fingerprint_proof(&method, salt, tls.fingerprint()));
    Ok(Some(proof.map_or_else(Vec::new, |proof| proof.to_vec())))
}

async fn switch(channel: &mut Channel, method: &Method, salt: &Salt) -> Result<Vec<u8>, ChannelError> {
    let switch = AuthSwitch { method: method.name().as_bytes().to_vec(), data: [&salt[..], &[0]].concat() };
    channel.write(&switch.payload()).await?;
    channel.read().await
}

/// caching_sha2_password says "fast authentication worked" before the OK.
async fn acknowledge(channel: &mut Channel, method: &Method, answer: &[u8]) -> Result<(), ChannelError> {
    if *method != Method::CachingSha2 || is_empty_password_answer(answer) {
        return Ok(());
    }
    channel.write(&[1, FAST_AUTH_OK]).await
}
