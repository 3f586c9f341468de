//! One client's connection, to the server or to tidegate: a login and text statements, by the proxy's own code for dialing.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::time::timeout;

use super::account::Account;
use crate::login::dial::{Dial, DialError, Step};
use crate::login::greet::asked;
use crate::login::methods::Method;
use crate::login::methods::secret::Secret;
use crate::net::channel::{Channel, ChannelError};
use crate::net::stream::Stream;
use crate::net::tls::BackendTlsConfig;
use crate::net::{dial, tls};
use crate::proxy::statement::{self, Rows};
use crate::wire::capabilities::*;
use crate::wire::command;
use crate::wire::fault::ErrPacket;
use crate::wire::frame::{HEADER, Header, put_packet};
use crate::wire::handshake::{Greeting, Login};
use crate::wire::reply::{Reply, Verdict};

/// What a usual driver asks for.
const CAPABILITIES: Capabilities = LONG_PASSWORD
    .with(LONG_FLAG)
    .with(PROTOCOL_41)
    .with(TRANSACTIONS)
    .with(MULTI_RESULTS)
    .with(PS_MULTI_RESULTS)
    .with(DEPRECATE_EOF);
/// utf8mb4_general_ci: every server from 5.6 on has it.
const CHARSET: u8 = 45;
const MAX_PACKET: u32 = 1 << 24;

/// Why a connection or a statement failed.
#[derive(Debug, Error)]
pub(super) enum ClientError {
    /// Nobody answers there.
    #[error(transparent)]
    Dial(#[from] dial::DialError),
    /// The server's own error.
    #[error("ERROR {} ({}): {}", .0.code, String::from_utf8_lossy(&.0.state), .0.text())]
    Refused(ErrPacket),
    /// The account's method is beyond what can be answered.
    #[error(transparent)]
    Login(#[from] DialError),
    /// The connection broke.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// TLS failed.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// The peer does not keep to the protocol.
    #[error("{0}")]
    Protocol(String),
    /// No answer to a login in time.
    #[error("no login within {0:?}")]
    TimedOut(Duration),
    /// No answer to a statement in time.
    #[error("no answer within {0:?}")]
    Silent(Duration),
}

impl ClientError {
    /// What all errors of its kind have in common.
    pub fn kind(&self) -> String {
        match self {
            ClientError::Refused(error) => format!("ERROR {}", error.code),
            ClientError::Dial(_) | ClientError::TimedOut(_) => "no connection".to_owned(),
            ClientError::Channel(_) | ClientError::Silent(_) => "connection lost".to_owned(),
            ClientError::Login(_) | ClientError::Tls(_) | ClientError::Protocol(_) => self.to_string(),
        }
    }

    /// Whether the connection can be used on.
    pub fn is_refusal(&self) -> bool {
        matches!(self, ClientError::Refused(_))
    }
}

impl From<std::io::Error> for ClientError {
    fn from(error: std::io::Error) -> Self {
        ChannelError::from(error).into()
    }
}

/// Where clients connect.
#[derive(Clone)]
pub(super) struct Door {
    /// The address and the account.
    pub account: Arc<Account>,
    /// TLS, where the peer offers it.
    pub tls: Option<BackendTlsConfig>,
}

/// A connection that is logged in.
pub(super) struct Client {
    channel: Channel,
    capabilities: Capabilities,
    /// The command under way, packet header included.
    command: Vec<u8>,
    /// What the server calls itself.
    pub version: String,
}

impl Client {
    /// Connects and logs in within `limit`. Not cancel safe: the server counts a login that was begun and left.
    pub async fn connect(door: &Door, limit: Duration) -> Result<Client, ClientError> {
        let connecting = async {
            let socket = dial::dial(&door.account.address, limit).await?;
            log_in(Channel::new(Stream::plain(socket)), door).await
        };
        timeout(limit, connecting).await.map_err(|_| ClientError::TimedOut(limit))?
    }

    /// Runs one statement and reads all its results, keeping none. Not cancel safe.
    pub async fn run(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), ClientError> {
        let mut payload = vec![command::QUERY];
        write(&mut payload);
        self.command.clear();
        put_packet(&mut self.command, 0, &payload);
        self.channel.stream.send(&self.command).await?;
        let mut reply = Reply::new(command::Shape::Results, self.capabilities, 1);
        let mut refused = Vec::new();
        loop {
            let buffer = &mut self.channel.buffer;
            if self.channel.stream.fill(buffer).await? == 0 {
                return Err(ChannelError::Closed.into());
            }
            let (passed, verdict) = reply.scan(buffer.filled());
            if reply.facts.error.is_some() {
                refused.extend_from_slice(&buffer.filled()[..passed]);
            }
            buffer.consume(passed);
            match verdict {
                Verdict::Done => break,
                Verdict::More if buffer.is_full() => buffer.grow(2 * buffer.capacity()),
                Verdict::More => {}
                other => return Err(ClientError::Protocol(format!("no reply to a statement: {other:?}"))),
            }
        }
        reply.facts.error.map_or(Ok(()), |code| Err(ClientError::Refused(error_in(&refused, code))))
    }

    /// Runs one statement and keeps its rows. Not cancel safe.
    pub async fn rows(&mut self, sql: &str) -> Result<Rows, ClientError> {
        let rows = statement::query(&mut self.channel, self.capabilities, sql).await;
        rows.map_err(|fault| ClientError::Protocol(fault.why))?.map_err(ClientError::Refused)
    }

    /// The first value of the first row, as text.
    pub async fn value(&mut self, sql: &str) -> Result<Option<String>, ClientError> {
        let first = self.rows(sql).await?.into_iter().next().and_then(|row| row.into_iter().next().flatten());
        Ok(first.map(|value| String::from_utf8_lossy(&value).into_owned()))
    }

    /// Says goodbye.
    pub async fn quit(mut self) {
        let _ = self.channel.command(&[command::QUIT]).await;
    }
}

/// The ERR packet that ends these bytes of a reply; of one whose beginning is not there (behind rows) its code alone.
fn error_in(reply: &[u8], code: u16) -> ErrPacket {
    let mut rest = reply;
    let mut last = None;
    while let Some(header) = Header::read(rest) {
        let Some((packet, behind)) = rest.split_at_checked(header.packet_len()) else { break };
        (last, rest) = (packet.get(HEADER..), behind);
    }
    let parsed = last.and_then(ErrPacket::parse).filter(|error| error.code == code);
    parsed.unwrap_or_else(|| ErrPacket::new(code, b"HY000", "in the middle of a result"))
}

async fn log_in(mut channel: Channel, door: &Door) -> Result<Client, ClientError> {
    let payload = channel.read().await?;
    if let Some(refused) = ErrPacket::parse(&payload) {
        return Err(ClientError::Refused(refused));
    }
    let greeting = Greeting::parse(&payload);
    let greeting = greeting.ok_or_else(|| ClientError::Protocol("what answers there is no MySQL server".to_owned()))?;
    let mut login = login(&door.account, &greeting);
    if let Some(tls) = door.tls.as_ref().filter(|_| greeting.capabilities.has(SSL)) {
        login.capabilities = login.capabilities | SSL;
        channel.write(&login.head()).await?;
        let seq = channel.seq;
        let socket = channel.stream.into_socket().map_err(|_| ClientError::Protocol("TLS over TLS".to_owned()))?;
        channel = Channel::new(Stream::tls(tls.connect(socket).await?.into()));
        channel.seq = seq;
    }
    let secret = Secret::password(door.account.password());
    let is_secure = channel.stream.is_secure();
    let mut dial = Dial::new(&secret, Method::from_name(&greeting.method), greeting.salt, is_secure);
    let (method, answer) = dial.first();
    (login.method, login.answer) = (Some(method), answer);
    channel.write(&login.payload()).await?;
    finish(&mut channel, &mut dial).await?;
    let version = String::from_utf8_lossy(&greeting.version).into_owned();
    Ok(Client { channel, capabilities: login.capabilities, command: Vec::new(), version })
}

fn login(account: &Account, greeting: &Greeting) -> Login {
    Login {
        capabilities: asked(CAPABILITIES, greeting.capabilities, true).without(CONNECT_ATTRS),
        max_packet: MAX_PACKET,
        charset: CHARSET,
        user: account.user.as_bytes().to_vec(),
        answer: Vec::new(),
        schema: Some(account.schema.as_bytes().to_vec()),
        method: None,
        attributes: None,
        zstd_level: None,
    }
}

async fn finish(channel: &mut Channel, dial: &mut Dial<'_>) -> Result<(), ClientError> {
    loop {
        let packet = channel.read_answer().await?;
        match dial.packet(&packet)? {
            Step::Send(payload) => channel.write(&payload).await?,
            Step::Wait => {}
            Step::Accepted => return Ok(()),
            Step::Refused(refused) => return Err(ClientError::Refused(refused)),
        }
    }
}
