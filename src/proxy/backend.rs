//! One backend connection: dialed, greeted, logged in, taken over by another login.

use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::zeroize::Zeroizing;

use crate::login::dial::{ASK, Dial, Step};
use crate::login::greet::{Face, asked};
use crate::login::methods::Method;
use crate::login::methods::secret::Secret;
use crate::net::channel::Channel;
use crate::net::settings::{Peer, SendProxyProtocol};
use crate::net::stream::Stream;
use crate::net::{dial, proxy_protocol};
use crate::proxy::error::Fault;
use crate::proxy::place::refuse_if_by_place;
use crate::proxy::server::Proxy;
use crate::proxy::settings::Mode;
use crate::proxy::setup::{Fresh, Room};
use crate::proxy::statement;
use crate::session::baseline::Baseline;
use crate::session::state::State;
use crate::session::statements::BackendStatements;
use crate::wire::capabilities::*;
use crate::wire::fault::{self, ErrPacket};
use crate::wire::handshake::{ChangeUser, Greeting, Login, Salt};

/// What a login says beside its proof. The same words go to the backend that the client said to tidegate.
#[derive(Debug, Clone)]
pub struct Params {
    /// Account name.
    pub user: Vec<u8>,
    /// Schema, if any.
    pub schema: Option<Vec<u8>>,
    /// Collation id.
    pub charset: u16,
    /// Connect attributes as they stand in the packet.
    pub attributes: Vec<u8>,
    /// The largest packet that the client takes.
    pub max_packet: u32,
    /// What the client and tidegate agreed on ([`crate::login::greet::agreed`]).
    pub capabilities: Capabilities,
}

impl Params {
    /// A client's words, with what was agreed.
    pub fn new(login: &Login, agreed: Capabilities) -> Params {
        Params {
            user: login.user.clone(),
            schema: login.schema.clone(),
            charset: u16::from(login.charset),
            attributes: login.attributes.clone().unwrap_or_default(),
            max_packet: login.max_packet,
            capabilities: agreed,
        }
    }

    /// An account, and nothing that a client chose.
    pub fn bare(user: &[u8], capabilities: Capabilities) -> Params {
        // utf8mb4_general_ci: every server from 5.6 on has it.
        let charset = 45;
        Params { user: user.to_vec(), schema: None, charset, attributes: Vec::new(), max_packet: 1 << 24, capabilities }
    }

    /// The words of a COM_CHANGE_USER on this connection.
    pub fn changed(&self, change: &ChangeUser) -> Params {
        Params {
            user: change.user.clone(),
            schema: Some(change.schema.clone()).filter(|schema| !schema.is_empty()),
            charset: change.charset.unwrap_or(self.charset),
            attributes: change.attributes.clone().unwrap_or_default(),
            ..self.clone()
        }
    }
}

/// A backend connection that has greeted and waits for a login.
pub struct Greeted {
    channel: Channel,
    /// What it said.
    pub greeting: Greeting,
}

/// A backend connection that was logged in.
pub struct Backend {
    /// The bytes' way.
    pub stream: Stream,
    /// The server's own id of this connection.
    pub id: u32,
    /// The server is MariaDB.
    pub mariadb: bool,
    /// What its replies are shaped by.
    pub capabilities: Capabilities,
    /// How long it may be silent in the middle of a reply (`backend.read_timeout`).
    pub silence: Option<Duration>,
    /// What tidegate knows of its session, in mode `transaction`.
    pub kept: Kept,
}

/// No client has this id: errors and warnings that are nobody's any more.
pub(super) const OF_NOBODY: (u32, u32) = (0, 0);

/// What a connection's session is, for the next client that needs it.
#[derive(Debug, Default)]
pub struct Kept {
    /// The state that its last client left.
    pub state: State,
    /// What that client's login had.
    pub baseline: Arc<Baseline>,
    /// What is prepared there.
    pub statements: BackendStatements,
    /// Statements of tidegate's own ran since its last client's: what the last statement left is not the client's any more.
    pub spoiled: bool,
    /// LAST_INSERT_ID() there; `None`: not known.
    pub last_insert_id: Option<u64>,
    /// FOUND_ROWS() there; `None`: not known.
    pub found_rows: Option<u64>,
    /// Whose errors and warnings stand there, and which of that client's; `None`: there are none.
    pub conditions_of: Option<(u32, u32)>,
    /// User variables of other clients are NULL there: only a login takes them away.
    pub had_variables: bool,
    /// It has refused a change of user, and takes only a few of those, or something was done to it that no reset undoes: nobody
    /// else gets it.
    pub tired: bool,
    /// `init_connect` is empty.
    pub resets_whole: bool,
    /// When its account last logged in there: what that may do everywhere was read then.
    pub rights_since: Option<Instant>,
    /// COM_RESET_CONNECTION has made `character_set_database` the server's, whatever the schema has.
    pub has_reset_schema: bool,
    /// How long the statements are that it takes.
    pub room: Room,
    /// By what the pool knows the session's `wait_timeout`: the client's `SET` of it, or else what the login had.
    pub told_patience: Option<(Option<u64>, Arc<Baseline>)>,
}

impl Kept {
    /// A login, a reset or a change of user made the session this.
    pub fn settle(&mut self, fresh: &Fresh) {
        *self = Kept {
            state: fresh.state.clone(),
            baseline: Arc::clone(&fresh.baseline),
            statements: BackendStatements::default(),
            spoiled: true,
            last_insert_id: (!fresh.keeps_last).then_some(0),
            // What the login gave was read last, and is one row.
            found_rows: Some(1),
            conditions_of: fresh.keeps_last.then_some(OF_NOBODY),
            had_variables: false,
            tired: self.tired,
            resets_whole: fresh.resets_whole,
            rights_since: self.rights_since,
            has_reset_schema: false,
            room: fresh.room,
            told_patience: self.told_patience.take(),
        };
    }
}

impl Backend {
    /// Takes the stream for whole packets; give it back by [`Backend::restore`].
    pub fn borrow(&mut self) -> (Channel, BackendFacts) {
        let room = self.kept.room;
        let Backend { id, mariadb, capabilities, silence, .. } = *self;
        let facts = BackendFacts { id, mariadb, capabilities, room, silence };
        let stream = std::mem::replace(&mut self.stream, Stream::closed());
        (Channel { silence, ..Channel::new(stream) }, facts)
    }

    /// The stream again. What was read ahead is lost, so nothing may have been.
    pub fn restore(&mut self, channel: Channel) {
        self.stream = channel.stream;
    }

    /// Of a login that has ended well.
    pub fn from_channel(channel: Channel, facts: BackendFacts) -> Backend {
        let BackendFacts { id, mariadb, capabilities, silence, .. } = facts;
        Backend {
            stream: channel.stream,
            id,
            mariadb,
            capabilities,
            silence,
            kept: Kept { rights_since: Some(Instant::now()), ..Kept::default() },
        }
    }
}

/// A backend's facts while its stream is elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct BackendFacts {
    /// The server's own id of this connection.
    pub id: u32,
    /// The server is MariaDB.
    pub mariadb: bool,
    /// What its replies are shaped by.
    pub capabilities: Capabilities,
    /// How long statements it takes at most: a server goes by what `max_allowed_packet` was when it was connected, whatever the
    /// variable is behind a change of user.
    pub room: Room,
    /// How long it may be silent in the middle of a reply (`backend.read_timeout`).
    pub silence: Option<Duration>,
}

/// What goes by what a connection's one client has been told: MariaDB leaves out the columns of a prepared statement that it has
/// sent there before, to whomever.
const NOT_SHARED: Capabilities = MARIADB_CACHE_METADATA;

/// Connects and reads the greeting. `client`: whose address a PROXY header names (1:1 modes).
/// Not cancel safe: the server counts a login that was begun and left.
pub async fn greet(proxy: &Proxy, client: Option<Peer>) -> Result<Greeted, Fault> {
    let settings = &proxy.settings.backend;
    let name = settings.address.to_string();
    let socket = dial::dial(&settings.address, settings.connect_timeout)
        .await
        .map_err(|error| Fault::unreachable(&name, error))?;
    let mut channel = Channel::new(Stream::plain(socket));
    let form = if client.is_some() { settings.send_proxy_protocol } else { SendProxyProtocol::Off };
    if let Some(header) = proxy_protocol::header(form, client.unwrap_or(Peer::Unix), None) {
        channel.stream.send(&header).await.map_err(Fault::backend_io)?;
    }
    let payload = within(proxy, channel.read()).await?.map_err(|error| Fault::unreachable(&name, error))?;
    if let Some(refused) = ErrPacket::parse(&payload) {
        let answer = with_state(refused);
        return Err(Fault { whose: crate::proxy::error::Whose::Backend, ..Fault::refused(answer) });
    }
    let mut greeting =
        Greeting::parse(&payload).ok_or_else(|| Fault::unreachable(&name, "no MySQL greeting came from there"))?;
    if proxy.settings.mode == Mode::Transaction {
        greeting.capabilities = greeting.capabilities.without(NOT_SHARED);
    }
    proxy.meet(Face { greeting: greeting.clone() });
    Ok(Greeted { channel, greeting })
}

/// Before its greeting a server leaves the SQLSTATE out; a client that has been greeted expects one.
fn with_state(refused: ErrPacket) -> ErrPacket {
    let state = match refused.code {
        _ if refused.state != [0; 5] => refused.state,
        fault::TOO_MANY_CONNECTIONS => *b"08004",
        _ => *b"HY000",
    };
    ErrPacket { state, ..refused }
}

impl Greeted {
    /// The greeting's challenge.
    pub fn salt(&self) -> Salt {
        self.greeting.salt
    }

    /// Logs in for a client with the account's secret. Returns the server's OK payload beside the connection.
    pub async fn login(self, proxy: &Proxy, params: &Params, secret: &Secret) -> Result<(Backend, Vec<u8>), Fault> {
        within(proxy, async {
            let (mut channel, facts, ok, asked) = self.logged_in(proxy, params, secret).await?;
            refuse_if_by_place(proxy, &mut channel, facts, asked).await?;
            Ok((Backend::from_channel(channel, facts), ok))
        })
        .await?
    }

    /// Logs in for tidegate itself, whose own place may count.
    pub async fn login_as_tidegate(
        self,
        proxy: &Proxy,
        params: &Params,
        secret: &Secret,
    ) -> Result<(Channel, BackendFacts), Fault> {
        let (channel, facts, _, _) = within(proxy, self.logged_in(proxy, params, secret)).await??;
        Ok((channel, facts))
    }

    async fn logged_in(
        self,
        proxy: &Proxy,
        params: &Params,
        secret: &Secret,
    ) -> Result<(Channel, BackendFacts, Vec<u8>, bool), Fault> {
        let (method, salt) = (Method::from_name(&self.greeting.method), self.greeting.salt);
        let (mut channel, facts) = self.secured(proxy, params).await?;
        let mut dial = Dial::new(secret, method, salt, channel.stream.is_secure());
        // See `place`: on a Unix socket nothing is answered before it was asked.
        let (method, answer) = if proxy.backend_is_unix() { (ASK.to_vec(), Vec::new()) } else { dial.first() };
        respond(&mut channel, facts, params, method, answer).await?;
        let ok = finish(&mut channel, &mut dial).await?;
        Ok((channel, facts, ok, dial.was_asked()))
    }

    /// Sends the client's own answer to this greeting's challenge, as it came.
    pub async fn forward(
        self,
        proxy: &Proxy,
        params: &Params,
        method: Vec<u8>,
        answer: Vec<u8>,
    ) -> Result<(Channel, BackendFacts), Fault> {
        let (mut channel, facts) = self.secured(proxy, params).await?;
        respond(&mut channel, facts, params, method, answer).await?;
        Ok((channel, facts))
    }

    /// Names the account without any answer: the server's next packet says by which method it logs in.
    pub async fn ask(self, proxy: &Proxy, params: &Params) -> Result<(Channel, BackendFacts), Fault> {
        self.forward(proxy, params, ASK.to_vec(), Vec::new()).await
    }

    /// TLS, where it is offered and wanted; what both sides will have agreed on.
    async fn secured(self, proxy: &Proxy, params: &Params) -> Result<(Channel, BackendFacts), Fault> {
        let Greeted { mut channel, greeting } = self;
        let capabilities = asked(params.capabilities, greeting.capabilities, params.schema.is_some());
        if params.capabilities.without(LONG_PASSWORD | capabilities) != Capabilities::NONE {
            let text = "The backend no longer offers what this client was promised: connect again";
            return Err(Fault::own(text, ErrPacket::new(fault::BAD_HANDSHAKE, b"08S01", text)));
        }
        let capabilities = capabilities.without(mistaken(&greeting));
        let facts = BackendFacts {
            id: greeting.connection_id,
            mariadb: greeting.is_mariadb(),
            capabilities,
            room: Room::Ample,
            silence: proxy.settings.backend.read_timeout,
        };
        if let Some(tls) = &proxy.backend_tls {
            if greeting.capabilities.has(SSL) {
                let head = login_packet(facts, params, Vec::new(), Vec::new(), SSL);
                channel.write(&head.head()).await.map_err(Fault::of_backend)?;
                channel = over_tls(proxy, tls, channel).await?;
            } else if tls.is_required() {
                return Err(Fault::unreachable(&name(proxy), "the server offers no TLS and backend.tls requires it"));
            }
        }
        Ok((channel, facts))
    }
}

/// MySQL 5.6 looks for the connect attributes of a COM_CHANGE_USER in the wrong place, and refuses the login for it.
fn mistaken(greeting: &Greeting) -> Capabilities {
    if greeting.version.starts_with(b"5.6.") { CONNECT_ATTRS } else { Capabilities::NONE }
}

async fn over_tls(proxy: &Proxy, tls: &crate::net::tls::BackendTlsConfig, channel: Channel) -> Result<Channel, Fault> {
    let Channel { stream, buffer, seq, patience, silence } = channel;
    let socket = stream.into_socket().map_err(|_| Fault::backend("TLS over TLS"))?;
    let stream = tls.connect(socket).await.map_err(|error| Fault::unreachable(&name(proxy), error))?;
    Ok(Channel { stream: Stream::tls(stream.into()), buffer, seq, patience, silence })
}

fn name(proxy: &Proxy) -> String {
    proxy.settings.backend.address.to_string()
}

async fn respond(
    channel: &mut Channel,
    facts: BackendFacts,
    params: &Params,
    method: Vec<u8>,
    answer: Vec<u8>,
) -> Result<(), Fault> {
    let tls = if channel.stream.tls_info().is_some() { SSL } else { Capabilities::NONE };
    let login = login_packet(facts, params, method, answer, tls);
    channel.write(&login.payload()).await.map_err(Fault::of_backend)
}

fn login_packet(facts: BackendFacts, params: &Params, method: Vec<u8>, answer: Vec<u8>, tls: Capabilities) -> Login {
    Login {
        capabilities: facts.capabilities | tls,
        max_packet: params.max_packet,
        charset: params.charset as u8,
        user: params.user.clone(),
        answer,
        schema: params.schema.clone(),
        method: Some(method),
        attributes: Some(params.attributes.clone()),
        zstd_level: None,
    }
}

/// Goes through the server's questions to its OK payload.
async fn finish(channel: &mut Channel, dial: &mut Dial<'_>) -> Result<Vec<u8>, Fault> {
    loop {
        let packet = channel.read_answer().await.map_err(Fault::of_backend)?;
        match dial.packet(&packet)? {
            Step::Send(payload) => channel.write(&payload).await.map_err(Fault::of_backend)?,
            Step::Wait => {}
            Step::Accepted => return Ok(packet),
            Step::Refused(answer) => return Err(Fault::refused(answer)),
        }
    }
}

/// Goes on with a login whose password has become known in the middle: `begin` is what to do first.
pub async fn finish_with(channel: &mut Channel, mut dial: Dial<'_>, begin: Step) -> Result<Vec<u8>, Fault> {
    if let Step::Send(payload) = begin {
        channel.write(&payload).await.map_err(Fault::of_backend)?;
    }
    finish(channel, &mut dial).await
}

/// COM_CHANGE_USER with a known secret: the connection becomes a fresh login with these words, judged by the server.
/// The server always asks; tidegate answers. After an error the connection must be closed. Not cancel safe.
pub async fn change_user(
    proxy: &Proxy,
    channel: &mut Channel,
    facts: BackendFacts,
    params: &Params,
    secret: &Secret,
) -> Result<Vec<u8>, Fault> {
    within(proxy, async {
        if facts.mariadb {
            put_role_off(channel, facts).await?;
        }
        channel.command(&change_user_packet(facts, params)).await.map_err(Fault::of_backend)?;
        let secure = channel.stream.is_secure();
        let mut dial = Dial::new(secret, Method::Other("none".into()), [0; 20], secure);
        let ok = finish(channel, &mut dial).await?;
        refuse_if_by_place(proxy, channel, facts, dial.was_asked()).await?;
        Ok(ok)
    })
    .await?
}

/// MariaDB keeps the role over a change of user, whoever may have it. A server that refuses this has none. Not cancel safe.
pub async fn put_role_off(channel: &mut Channel, facts: BackendFacts) -> Result<(), Fault> {
    statement::query(channel, facts.capabilities, "SET ROLE NONE").await.map(drop)
}

/// Two capabilities are settings that servers make at a login, and not again at a change of user: for a change that stands
/// for a login.
pub async fn set_by_capabilities(channel: &mut Channel, facts: BackendFacts) -> Result<(), Fault> {
    let caps = facts.capabilities;
    let mode = "SESSION sql_mode = CONCAT_WS(',', NULLIF(@@SESSION.sql_mode, ''), 'IGNORE_SPACE')";
    let timeout = "SESSION wait_timeout = @@SESSION.interactive_timeout";
    let settings = match (caps.has(IGNORE_SPACE), caps.has(INTERACTIVE)) {
        (false, false) => return Ok(()),
        (true, false) => mode.to_owned(),
        (false, true) => timeout.to_owned(),
        (true, true) => format!("{mode}, {timeout}"),
    };
    statement::query(channel, caps, &format!("SET {settings}")).await?.map(drop).map_err(Fault::refused)
}

/// COM_CHANGE_USER without an answer: the server's next packet asks by the account's own method.
pub fn change_user_packet(facts: BackendFacts, params: &Params) -> Vec<u8> {
    let change = ChangeUser {
        user: params.user.clone(),
        answer: Vec::new(),
        schema: params.schema.clone().unwrap_or_default(),
        charset: Some(params.charset),
        method: Some(ASK.to_vec()),
        attributes: Some(params.attributes.clone()),
    };
    let mut payload = change.payload(facts.capabilities);
    if facts.capabilities.has(CONNECT_ATTRS) {
        payload.resize(payload.len() + padding(params), 0);
    }
    payload
}

/// MySQL 5.6 looks for the attributes' length where the charset stands, and refuses a packet that has not so many
/// bytes left. Other servers do not look behind the attributes.
fn padding(params: &Params) -> usize {
    let taken_for_length = usize::from(params.charset & 0xFF) + 1;
    taken_for_length.saturating_sub(params.attributes.len())
}

/// Within `backend.connect_timeout`, else the backend is at fault.
async fn within<T>(proxy: &Proxy, work: impl Future<Output = T>) -> Result<T, Fault> {
    let limit = proxy.settings.backend.connect_timeout;
    tokio::time::timeout(limit, work)
        .await
        .map_err(|_| Fault::unreachable(&name(proxy), format!("no answer within {limit:?} (backend.connect_timeout)")))
}

/// A password that a client typed, wiped when dropped.
pub type Password = Zeroizing<Vec<u8>>;
