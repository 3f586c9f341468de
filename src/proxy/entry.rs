//! A client's way in: greeting, TLS, login, a backend of its own. DESIGN: credentials, in this order:
//! `[[user]]`; what was learned or what the account tables say; the account's own method, mirrored or relayed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::login::greet::{Face, agreed, offered};
use crate::login::methods::Method;
use crate::login::methods::secret::Secret;
use crate::net::buffer::Buffer;
use crate::net::channel::{Channel, ChannelError, silent};
use crate::net::compression::{Algorithm, Compressed};
use crate::net::settings::{ListenTls, Peer, SendProxyProtocol};
use crate::net::stream::Stream;
use crate::proxy::backend::{Params, Password};
use crate::proxy::clients::Admission;
use crate::proxy::dialed::{self, Asked};
use crate::proxy::error::{Fault, bad_handshake, too_many_of};
use crate::proxy::lease::{self, Lease};
use crate::proxy::proof::{Proof, announced};
use crate::proxy::relayed::{Relayed, ask_in_full, cannot_switch};
use crate::proxy::server::{ProofOf, Proxy};
use crate::proxy::settings::Mode;
use crate::proxy::share::{Joining, shared_capabilities};
use crate::proxy::shared::Shared;
use crate::wire::capabilities::*;
use crate::wire::fault::{self, ACCESS_DENIED, ErrPacket, MUST_CHANGE_PASSWORD};
use crate::wire::handshake::{Greeting, Login, Salt};
use crate::wire::ok;

/// A client that is in, with its backend.
pub struct Entered {
    /// Towards the client, compressed if that was agreed; bytes read ahead are kept.
    pub client: Channel,
    /// What both sides agreed on.
    pub capabilities: Capabilities,
    /// What the client said of the login's form: COM_CHANGE_USER has the same.
    pub login_form: Capabilities,
    /// The login's words.
    pub params: Params,
    /// The challenge that the client was shown last: its answer in COM_CHANGE_USER is to this one.
    pub salt: Salt,
    /// Its backend.
    pub lease: Lease,
    /// Mode `transaction`, where the client shares its backends.
    pub shared: Option<Box<Shared>>,
}

/// Brings a client in. Not cancel safe: the client's patience bounds it, each wait for others has a bound of its own.
pub async fn enter(proxy: &Arc<Proxy>, client: &mut Channel, peer: Peer, id: u32) -> Result<Found, Fault> {
    if proxy.settings.mode == Mode::Observe {
        return observe(proxy, client, peer).await;
    }
    let known_face = proxy.face().filter(|face| !relays_native(proxy, face));
    let (face, greeted) = match known_face {
        Some(face) => (face, None),
        None => {
            let greeted = Box::pin(dialed::dial_for_stranger(proxy, None, client, peer, id)).await?;
            (Arc::new(greeted.face()), Some(greeted))
        }
    };
    // A dialed backend's own challenge: the client's first answer is then good there, whatever the client is able to.
    let salt = match &greeted {
        Some(greeted) => greeted.salt(),
        None => proxy.new_salt()?,
    };
    let greeting = face.greeting(id, salt, proxy.tls.is_some());
    let login = match hello(proxy, client, &greeting).await {
        Ok(login) => login,
        Err(fault) => {
            if let Some(greeted) = greeted {
                Box::pin(greeted.leave(proxy)).await;
            }
            return Err(fault);
        }
    };
    let capabilities = agreed(login.capabilities, greeting.capabilities);
    let mut params = Params::new(&login, capabilities);
    // A server reads the name by the character set of the login: by its bytes alone it may be another account's.
    let shares = shares(proxy) && params.user.is_ascii();
    if shares {
        params.capabilities = shared_capabilities(capabilities, face.greeting.capabilities);
    }
    let greeting_method = Method::from_name(&greeting.method);
    let mut entry = Entry {
        proxy,
        client,
        peer,
        id,
        params,
        agreed: capabilities,
        shares,
        salt,
        greeting_method,
        greeted,
        checked_by: None,
    };
    let (lease, shared) = entry.admit(&login).await?;
    let (params, salt, checked_by) = (entry.params, entry.salt, entry.checked_by);
    Ok(Found { login, capabilities, params, salt, checked_by, lease, shared })
}

/// Whether clients share backends: where a connection is opened in one client's name, it is that client's alone.
fn shares(proxy: &Proxy) -> bool {
    let in_names = proxy.settings.backend.send_proxy_protocol != SendProxyProtocol::Off;
    proxy.settings.mode == Mode::Transaction && !in_names
}

/// Whether every login will be relayed to a server whose usual method tidegate cannot learn from. Then the backend is
/// dialed first: clients that know no AuthSwitch have no other way in.
fn relays_native(proxy: &Proxy, face: &Face) -> bool {
    let auth = &proxy.settings.auth;
    let knows_nobody = auth.users.is_empty() && auth.service.is_none();
    knows_nobody && Method::from_name(&face.greeting.method) == Method::Native
}

/// What a login found; the client is not told yet.
pub struct Found {
    login: Login,
    /// What both sides agreed on.
    capabilities: Capabilities,
    params: Params,
    salt: Salt,
    /// The method by which tidegate itself checked the client.
    checked_by: Option<Method>,
    lease: Lease,
    shared: Option<Box<Shared>>,
}

impl Found {
    /// Tells the client that it is in, and puts compression over its stream where that was agreed.
    pub async fn welcome(self, proxy: &Proxy, mut client: Channel) -> Result<Entered, Fault> {
        let proof = self.proof_of().and_then(|proof| proxy.certificate_proof(&client, &proof));
        let info = proof.as_ref().map_or(&[][..], |proof| &proof[..]);
        let session_track = self.capabilities.has(SESSION_TRACK);
        let told = ok::with_info(&self.lease.login_ok, session_track, info);
        let told = told.ok_or_else(|| Fault::backend("the server sent a malformed OK at login"))?;
        client.write(&told).await.map_err(Fault::of_client)?;
        let client = compressed(&self.login, self.capabilities_offered(proxy), client);
        let Found { login, capabilities, params, salt, lease, shared, .. } = self;
        Ok(Entered { client, capabilities, login_form: login.capabilities, params, salt, lease, shared })
    }

    /// The client counts as one more of its user's, if there is room for it.
    pub fn take_place(&self, proxy: &Proxy, admission: &Admission) -> Result<(), Fault> {
        let user = &self.params.user;
        admission.become_user(user, proxy.live.max_clients_of(user)).map_err(|count| too_many_of(user, count))
    }

    /// The client is refused after all: its backend goes back.
    pub async fn leave(self, proxy: &Proxy) {
        self.lease.end(proxy, true).await;
    }

    /// The server's own id of the connection that will serve the client; 0: none yet.
    pub fn backend_id(&self) -> u32 {
        if self.lease.is_held() { self.lease.backend().id } else { 0 }
    }

    fn proof_of(&self) -> Option<ProofOf<'_>> {
        let (secret, method) = (self.lease.secret.as_ref()?, self.checked_by.as_ref()?);
        Some(ProofOf { secret, method, salt: &self.salt })
    }

    fn capabilities_offered(&self, proxy: &Proxy) -> Capabilities {
        proxy.face().map_or(Capabilities::NONE, |face| offered(face.greeting.capabilities, proxy.tls.is_some()))
    }
}

/// zlib goes before zstd where a client asks for both, as servers decide it.
fn compressed(login: &Login, offered: Capabilities, client: Channel) -> Channel {
    let both = login.capabilities & offered;
    let algorithm = if both.has(COMPRESS) {
        Algorithm::Zlib
    } else if both.has(ZSTD_COMPRESSION) {
        Algorithm::Zstd { level: login.zstd_level.unwrap_or(3) }
    } else {
        return client;
    };
    let Channel { stream, buffer, seq, patience, silence } = client;
    // What was read ahead behind the login is frames already.
    let compressed = Compressed::with_buffered(stream, algorithm, buffer.filled());
    Channel { stream: Stream::compressed(compressed), buffer: Buffer::take(), seq, patience, silence }
}

/// Sends the greeting, puts TLS over the stream where the client asks for it, reads the login.
async fn hello(proxy: &Proxy, client: &mut Channel, greeting: &Greeting) -> Result<Login, Fault> {
    client.write(&greeting.payload()).await.map_err(|error| Fault::of_client(silent(error)))?;
    let mut payload = client.read_exactly_one().await.map_err(Fault::of_client)?;
    if Login::is_ssl_request(&payload) {
        over_tls(proxy, client).await?;
        payload = client.read().await.map_err(Fault::of_client)?;
    } else if proxy.settings.listen.tls == ListenTls::Required && !client.stream.is_secure() {
        let text = "Connections using insecure transport are prohibited while --require_secure_transport=ON.";
        return Err(Fault::client("no TLS", Some(ErrPacket::new(fault::TLS_REQUIRED, b"HY000", text))));
    }
    let login = Login::parse(&payload).ok_or_else(|| Fault::client("malformed login", Some(bad_handshake())))?;
    if proxy.settings.listen.tls_client_ca.is_some()
        && !client.stream.tls_info().is_some_and(|tls| tls.has_peer_certificate)
    {
        return Err(Fault::client(
            "no client certificate",
            Some(ErrPacket::new(fault::ACCESS_DENIED, b"28000", "Access denied: a client certificate is required")),
        ));
    }
    Ok(login)
}

async fn over_tls(proxy: &Proxy, client: &mut Channel) -> Result<(), Fault> {
    let Some(tls) = &proxy.tls else { return Err(Fault::client("TLS was not offered", Some(bad_handshake()))) };
    if !client.buffer.is_empty() {
        return Err(Fault::client("bytes before the TLS handshake", Some(bad_handshake())));
    }
    let stream = std::mem::replace(&mut client.stream, Stream::closed());
    let socket = stream.into_socket().map_err(|_| Fault::client("TLS over TLS", Some(bad_handshake())))?;
    let began = Instant::now();
    let accepted = tokio::time::timeout(client.patience.unwrap_or(Duration::MAX), tls.accept(socket)).await;
    client.waited(began);
    let tls = accepted
        .map_err(|_| Fault::of_client(ChannelError::TimedOut))?
        .map_err(|error| Fault::client(format!("TLS: {error}"), None))?;
    client.stream = Stream::tls(tls.into());
    Ok(())
}

/// `observe`: the backend's own greeting and id; nothing but TLS and timing is tidegate's.
async fn observe(proxy: &Proxy, client: &mut Channel, peer: Peer) -> Result<Found, Fault> {
    let greeted = Box::pin(dialed::dial_uncounted(proxy, peer)).await?;
    let face = Face { greeting: greeted.greeting.clone() };
    let greeting = face.greeting(greeted.greeting.connection_id, greeted.salt(), proxy.tls.is_some());
    let login = match hello(proxy, client, &greeting).await {
        Ok(login) => login,
        Err(fault) => {
            Box::pin(dialed::leave(proxy, greeted)).await;
            return Err(fault);
        }
    };
    let capabilities = agreed(login.capabilities, greeting.capabilities);
    let params = Params::new(&login, capabilities);
    let method = login.method.clone().unwrap_or_else(|| Method::Native.name().as_bytes().to_vec());
    let named = Method::from_name(&method);
    // On a Unix socket an account may be let in by place: there the server must be made to ask. So it must where the
    // first answer may be the password itself.
    let passes = matches!(named, Method::Native | Method::CachingSha2) && !proxy.backend_is_unix();
    let first = passes.then_some((named, greeting.salt));
    let (backend, facts) = match &first {
        Some(_) => greeted.forward(proxy, &params, method, login.answer.clone()).await?,
        None => greeted.ask(proxy, &params).await?,
    };
    let mut asked = Asked::own(backend, facts);
    let relayed = Relayed {
        answered: first,
        can_switch: login.capabilities.has(PLUGIN_AUTH),
        ..Relayed::new(proxy, client, asked.channel(), facts)
    };
    let accepted = relayed.run().await?;
    let salt = accepted.scramble.unwrap_or(greeting.salt);
    let lease = asked.accepted(proxy, &params, accepted.ok, None);
    Ok(Found { login, capabilities, params, salt, checked_by: None, lease, shared: None })
}

/// One login in mode `session`.
pub(super) struct Entry<'a> {
    pub(super) proxy: &'a Arc<Proxy>,
    pub(super) client: &'a mut Channel,
    pub(super) peer: Peer,
    pub(super) id: u32,
    pub(super) params: Params,
    /// What the client itself agreed on; where backends are shared, theirs agree on more.
    pub(super) agreed: Capabilities,
    pub(super) shares: bool,
    pub(super) salt: Salt,
    /// The method that the challenge was named for.
    pub(super) greeting_method: Method,
    pub(super) checked_by: Option<Method>,
    /// The connection that was dialed to learn the greeting: it goes on as this login.
    pub(super) greeted: Option<dialed::Dialed>,
}

impl Entry<'_> {
    async fn admit(&mut self, login: &Login) -> Result<Admitted, Fault> {
        let announced = announced(login);
        match self.prove(login, &announced).await? {
            Proof::Known(secret) => self.lease_for(secret).await,
            Proof::Other(password) => self.relay(login, Some(password)).await,
            Proof::Unknown if self.asks_in_full(login, &announced) => {
                let password = ask_in_full(self.proxy, self.client, self.salt).await?;
                self.relay(login, Some(password)).await
            }
            Proof::Unknown if !login.capabilities.has(PLUGIN_AUTH) && self.greeted.is_none() => Err(cannot_switch()),
            Proof::Unknown => self.relay(login, None).await,
        }
    }

    /// The client proved itself; the backend judges once more, by a login or a change of user.
    async fn lease_for(&mut self, secret: Secret) -> Result<Admitted, Fault> {
        let result = match (self.greeted.take(), self.shares) {
            (dialed, true) => return self.share(dialed, secret).await,
            (Some(dialed), false) => dialed.login(self.proxy, &self.params, &secret).await,
            (None, false) => lease::checkout(self.proxy, &self.params, &secret, self.client, self.peer, self.id).await,
        };
        match &result {
            Ok(_) => self.proxy.credentials.learn(&self.params.user, secret, now()),
            // A refuted secret is never tried again; a refused schema says nothing of it.
            Err(fault) if fault.is_refusal_of(ACCESS_DENIED) => self.proxy.credentials.forget(&self.params.user),
            Err(_) => {}
        }
        result.map(|lease| (lease, None))
    }

    async fn share(&mut self, dialed: Option<dialed::Dialed>, secret: Secret) -> Result<Admitted, Fault> {
        // Its connections do not understand tidegate's own questions.
        if self.agreed.has(NO_SCHEMA) {
            self.greeted = dialed;
            return self.on_its_own(secret).await;
        }
        let Entry { proxy, client, params, agreed, id, .. } = self;
        let joining = Joining { proxy, params, agreed: *agreed, id: *id, secret: secret.clone() };
        let joined = match dialed {
            Some(dialed) => joining.on(dialed).await,
            None => joining.share(client).await,
        };
        match joined {
            // All that it may do is to change its password, which is an affair of its own connection.
            Err(fault) if fault.is_refusal_of(MUST_CHANGE_PASSWORD) => self.on_its_own(secret).await,
            Err(fault) if fault.is_refusal_of(ACCESS_DENIED) => {
                self.proxy.credentials.forget(&self.params.user);
                Err(fault)
            }
            joined => joined.map(|(lease, shared)| (lease, Some(shared))),
        }
    }

    /// A connection that is the client's alone, for as long as it stays.
    async fn on_its_own(&mut self, secret: Secret) -> Result<Admitted, Fault> {
        let params = Params { capabilities: self.agreed, ..self.params.clone() };
        let lease = self.dialed().await?.login(self.proxy, &params, &secret).await?;
        Ok((lease, None))
    }

    /// Challenge and answer pass between the two; a password seen on the way is learned, or was given `in_hand` before.
    async fn relay(&mut self, login: &Login, in_hand: Option<Password>) -> Result<Admitted, Fault> {
        // A connection of the client's own replies as the client agreed.
        let params = Params { capabilities: self.agreed, ..self.params.clone() };
        // An empty answer of a client that can be asked may only mean that it waits to be asked.
        let can_switch = login.capabilities.has(PLUGIN_AUTH);
        let is_answer = announced(login) == Method::Native && !(can_switch && login.answer.is_empty());
        let held = is_answer.then(|| (self.salt, login.answer.clone()));
        let mut asked = self.dialed().await?.ask(self.proxy, &params).await?;
        let facts = asked.facts;
        let relayed =
            Relayed { can_switch, held, in_hand, ..Relayed::new(self.proxy, self.client, asked.channel(), facts) };
        let accepted = relayed.run().await?;
        self.salt = accepted.scramble.unwrap_or(self.salt);
        if let Some(secret) = &accepted.learned {
            self.proxy.credentials.learn(&self.params.user, secret.clone(), now());
        }
        match accepted.learned {
            Some(secret) if self.shares => {
                asked.leave().await;
                self.share(None, secret).await
            }
            learned => Ok((asked.accepted(self.proxy, &params, accepted.ok, learned), None)),
        }
    }

    async fn dialed(&mut self) -> Result<dialed::Dialed, Fault> {
        match self.greeted.take() {
            Some(dialed) => Ok(dialed),
            None => dialed::dial_for_stranger(self.proxy, Some(&self.params), self.client, self.peer, self.id).await,
        }
    }
}

/// A client's hold on a backend, and what it shares.
type Admitted = (Lease, Option<Box<Shared>>);

/// The secrets' ages are told by the system's clock, the waits for a client by the runtime's.
pub(super) fn now() -> std::time::Instant {
    std::time::Instant::now()
}
