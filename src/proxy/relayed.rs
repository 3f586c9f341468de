//! A login that the client and the server settle between themselves: challenge and answer pass through tidegate.
//!
//! tidegate steps in only where the two links differ. A password sent in full is taken from the client (TLS, or RSA by
//! tidegate's key) and handed on in the way that the backend's link asks for; having been seen, it is learned.

use crate::login::dial::{Dial, Step};
use crate::login::methods::secret::Secret;
use crate::login::methods::{Method, Scramble, caching_sha2, scramble_from};
use crate::net::channel::Channel;
use crate::proxy::backend::{BackendFacts, Password, finish_with};
use crate::proxy::error::{Fault, bad_handshake};
use crate::proxy::place::{self, refuse_if_by_place};
use crate::proxy::server::Proxy;
use crate::wire::fault::{self, ErrPacket};
use crate::wire::handshake::AuthSwitch;

/// The request for the RSA public key in sha256_password.
const SHA256_REQUEST_PUBLIC_KEY: u8 = 1;

/// How a relayed login ended well.
pub struct Accepted {
    /// The server's OK payload.
    pub ok: Vec<u8>,
    /// The password, where it went through tidegate and the server took it.
    pub learned: Option<Secret>,
    /// The challenge that the client answered last.
    pub scramble: Option<Scramble>,
}

/// One relayed login; the backend has been told who logs in, and its next packet is awaited.
pub struct Relayed<'a> {
    /// The proxy, for its RSA key and its settings.
    pub proxy: &'a Proxy,
    /// Towards the client.
    pub client: &'a mut Channel,
    /// Towards the backend.
    pub backend: &'a mut Channel,
    /// What is known of the backend.
    pub facts: BackendFacts,
    /// The method by which the client has already answered the backend's own challenge; `None`: it was asked nothing.
    pub answered: Option<(Method, Scramble)>,
    /// The client understands an AuthSwitch (`PLUGIN_AUTH`).
    pub can_switch: bool,
    /// The client's answer by mysql_native_password to this challenge, which it was shown before the backend asked.
    pub held: Option<(Scramble, Vec<u8>)>,
    /// The password, where the client has already given it away (caching_sha2_password over a safe link).
    pub in_hand: Option<Password>,
    /// The client's last answer was that it has no password.
    pub by_nothing: bool,
}

impl<'a> Relayed<'a> {
    /// A login of which the client has said nothing but its name.
    pub fn new(
        proxy: &'a Proxy,
        client: &'a mut Channel,
        backend: &'a mut Channel,
        facts: BackendFacts,
    ) -> Relayed<'a> {
        Relayed {
            proxy,
            client,
            backend,
            facts,
            answered: None,
            can_switch: true,
            held: None,
            in_hand: None,
            by_nothing: false,
        }
    }
}

impl Relayed<'_> {
    /// Runs it to the end. A refusal is a [`Fault`] whose answer is the server's own. Not cancel safe.
    pub async fn run(mut self) -> Result<Accepted, Fault> {
        loop {
            let packet = self.hear_backend().await?;
            let ended = match packet.first() {
                Some(0x00) => {
                    let learned = self.by_nothing.then(|| Secret::password(b""));
                    return self.accepted(packet, learned).await;
                }
                Some(0xFF) => return Err(Fault::refused(ErrPacket::parse(&packet).ok_or_else(malformed)?)),
                Some(0xFE) => self.switch(&packet).await?,
                Some(0x01) => self.more(&packet).await?,
                _ => return Err(malformed()),
            };
            if let Some((ok, secret)) = ended {
                return self.accepted(ok, Some(secret)).await;
            }
        }
    }

    /// The server's OK counts only if it rests on what the client knows, not on where tidegate stands.
    async fn accepted(self, ok: Vec<u8>, learned: Option<Secret>) -> Result<Accepted, Fault> {
        let asked = self.answered.is_some();
        refuse_if_by_place(self.proxy, self.backend, self.facts, asked).await?;
        // An OK without a question can be but for a place; over TCP the server has no other reason either.
        if !asked {
            return Err(place::refused());
        }
        let scramble = self.answered.map(|(_, scramble)| scramble);
        Ok(Accepted { ok, learned, scramble })
    }

    /// The server asks (again) by a method of its choice.
    async fn switch(&mut self, packet: &[u8]) -> Result<Option<(Vec<u8>, Secret)>, Fault> {
        let switch = AuthSwitch::parse(packet).ok_or_else(malformed)?;
        let method = Method::from_name(&switch.method);
        if let Some(password) = self.in_hand.take_if(|_| is_answered_by_password(&method)) {
            self.answered = Some((method, scramble_from(&switch.data).unwrap_or_default()));
            return self.log_in(Secret::password(&password), &switch).await.map(Some);
        }
        if method.reveals_password() && self.client.stream.is_secure() && !self.backend.stream.is_secure() {
            let text = "tidegate does not send a password in clear that came over TLS: use backend.tls";
            return Err(Fault::own(text, ErrPacket::new(fault::UNSUPPORTED_AUTH, b"08004", text)));
        }
        let scramble = scramble_from(&switch.data).unwrap_or_default();
        if let Some((_, answer)) = self.held.take_if(|(asked, _)| method == Method::Native && *asked == scramble) {
            self.answered = Some((method, scramble));
            self.by_nothing = is_no_password(&answer);
            return self.tell_backend(&answer).await.map(|()| None);
        }
        if !self.can_switch {
            return Err(cannot_switch());
        }
        self.client.write(packet).await.map_err(Fault::of_client)?;
        let answer = self.hear_client().await?;
        self.answered = Some((method.clone(), scramble));
        self.by_nothing = is_no_password(&answer) && is_answered_by_password(&method);
        match method {
            Method::Sha256 if !is_no_password(&answer) => self.full_sha256(&switch, answer).await.map(Some),
            Method::CachingSha2 if self.client.stream.is_secure() && !is_no_password(&answer) => {
                self.full_caching_sha2_over_tls(&switch).await.map(Some)
            }
            _ => {
                self.tell_backend(&answer).await?;
                Ok(None)
            }
        }
    }

    /// A method's further packet.
    async fn more(&mut self, packet: &[u8]) -> Result<Option<(Vec<u8>, Secret)>, Fault> {
        match (&self.answered, packet) {
            (Some((Method::CachingSha2, _)), [1, caching_sha2::FAST_AUTH_OK]) => {
                self.client.write(packet).await.map_err(Fault::of_client)?;
                Ok(None)
            }
            (&Some((Method::CachingSha2, scramble)), [1, caching_sha2::FULL_AUTH_NEEDED]) => {
                self.full_caching_sha2(packet, scramble).await.map(Some)
            }
            _ => {
                // The method goes on: its first answer, though empty, was not its last.
                self.by_nothing = false;
                self.client.write(packet).await.map_err(Fault::of_client)?;
                let answer = self.hear_client().await?;
                self.tell_backend(&answer).await?;
                Ok(None)
            }
        }
    }

    /// A client whose link nobody reads is asked for the password at once, so that the account can be pooled.
    async fn full_caching_sha2_over_tls(&mut self, switch: &AuthSwitch) -> Result<(Vec<u8>, Secret), Fault> {
        let scramble = scramble_from(&switch.data).unwrap_or_default();
        let password = ask_in_full(self.proxy, self.client, scramble).await?;
        self.log_in(Secret::password(&password), switch).await
    }

    /// The backend wants the password itself: taken from the client in its link's way, handed on in the backend's.
    async fn full_caching_sha2(&mut self, packet: &[u8], scramble: Scramble) -> Result<(Vec<u8>, Secret), Fault> {
        self.client.write(packet).await.map_err(Fault::of_client)?;
        let answer = self.hear_client().await?;
        let password = self.password(answer, scramble, caching_sha2::REQUEST_PUBLIC_KEY).await?;
        let secret = Secret::password(&password);
        let ok = {
            let dial = Dial::new(&secret, Method::CachingSha2, scramble, self.backend.stream.is_secure());
            let begin = dial.full()?;
            finish_with(self.backend, dial, begin).await?
        };
        Ok((ok, secret))
    }

    async fn full_sha256(&mut self, switch: &AuthSwitch, answer: Vec<u8>) -> Result<(Vec<u8>, Secret), Fault> {
        let scramble = scramble_from(&switch.data).ok_or_else(malformed)?;
        let password = self.password(answer, scramble, SHA256_REQUEST_PUBLIC_KEY).await?;
        self.log_in(Secret::password(&password), switch).await
    }

    /// Answers the backend's question with a password that the client has just given.
    async fn log_in(&mut self, secret: Secret, switch: &AuthSwitch) -> Result<(Vec<u8>, Secret), Fault> {
        let ok = {
            let mut dial = Dial::new(&secret, Method::Other("none".into()), [0; 20], self.backend.stream.is_secure());
            let begin: Step = dial.packet(&switch.payload())?;
            finish_with(self.backend, dial, begin).await?
        };
        Ok((ok, secret))
    }

    /// The password in a client's packet.
    async fn password(&mut self, answer: Vec<u8>, scramble: Scramble, request: u8) -> Result<Password, Fault> {
        read_password(self.proxy, self.client, answer, scramble, request).await
    }

    async fn hear_client(&mut self) -> Result<Vec<u8>, Fault> {
        self.client.read().await.map_err(Fault::of_client)
    }

    async fn hear_backend(&mut self) -> Result<Vec<u8>, Fault> {
        let limit = self.proxy.settings.backend.connect_timeout;
        tokio::time::timeout(limit, self.backend.read_answer())
            .await
            .map_err(|_| Fault::backend("the server was silent in the middle of a login"))?
            .map_err(Fault::of_backend)
    }

    async fn tell_backend(&mut self, payload: &[u8]) -> Result<(), Fault> {
        self.backend.write(payload).await.map_err(Fault::of_backend)
    }
}

/// Asks a client for its whole caching_sha2_password password; `scramble`: the challenge that it answered last.
pub async fn ask_in_full(proxy: &Proxy, client: &mut Channel, scramble: Scramble) -> Result<Password, Fault> {
    client.write(&[1, caching_sha2::FULL_AUTH_NEEDED]).await.map_err(Fault::of_client)?;
    let answer = client.read().await.map_err(Fault::of_client)?;
    read_password(proxy, client, answer, scramble, caching_sha2::REQUEST_PUBLIC_KEY).await
}

/// The password in a client's packet: in clear over TLS or a Unix socket, by tidegate's RSA key otherwise.
async fn read_password(
    proxy: &Proxy,
    client: &mut Channel,
    answer: Vec<u8>,
    scramble: Scramble,
    request: u8,
) -> Result<Password, Fault> {
    if client.stream.is_secure() {
        return Ok(in_clear(answer));
    }
    let key = proxy.rsa_key().await?;
    let cipher = if answer == [request] {
        let answer = [&[1], key.public_pem().as_bytes()].concat();
        client.write(&answer).await.map_err(Fault::of_client)?;
        client.read().await.map_err(Fault::of_client)?
    } else {
        answer
    };
    key.decrypt_password(&cipher, &scramble)
        .map_err(|error| Fault::client(format!("password not readable: {error}"), Some(bad_handshake())))
}

fn in_clear(mut answer: Vec<u8>) -> Password {
    if answer.last() == Some(&0) {
        answer.pop();
    }
    Password::new(answer)
}

fn is_answered_by_password(method: &Method) -> bool {
    matches!(method, Method::Native | Method::CachingSha2 | Method::Sha256 | Method::Ed25519)
}

/// What servers say to a client that is too old for the account's method.
pub fn cannot_switch() -> Fault {
    let text = "Client does not support authentication protocol requested by server; consider upgrading MySQL client";
    Fault::refused(ErrPacket::new(fault::UNSUPPORTED_AUTH, b"08004", text))
}

/// An account without a password is answered by nothing, or by a lone NUL.
fn is_no_password(answer: &[u8]) -> bool {
    matches!(answer, [] | [0])
}

fn malformed() -> Fault {
    Fault::backend("the server sent a malformed packet during login")
}
