//! A client that shows every packet of its login: who asks what, by which method, and how it ends.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use tidegate::login::methods::Method;
use tidegate::login::methods::rsa_key::encrypt_password;
use tidegate::login::methods::secret::Secret;
use tidegate::wire::capabilities::{
    CONNECT_WITH_DB, Capabilities, LONG_PASSWORD, PLUGIN_AUTH, PLUGIN_AUTH_LENENC, PROTOCOL_41, SECURE_CONNECTION,
};
use tidegate::wire::fault::ErrPacket;
use tidegate::wire::handshake::{AuthSwitch, ChangeUser, Greeting, Login};

const LIMIT: Duration = Duration::from_secs(30);

/// A login's words.
#[derive(Clone)]
pub struct As<'a> {
    pub user: &'a str,
    pub password: &'a str,
    pub schema: Option<&'a str>,
    /// The method that the client announces; `None`: the greeting's.
    pub method: Option<&'a str>,
    /// Whether it understands AuthSwitch at all.
    pub plugin_auth: bool,
    /// The server's public key, had beforehand.
    pub key: Option<&'a str>,
}

impl<'a> As<'a> {
    pub fn new(user: &'a str, password: &'a str) -> As<'a> {
        As { user, password, schema: None, method: None, plugin_auth: true, key: None }
    }
}

/// What a login or a change of user came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// `None`: it is in.
    pub error: Option<ErrPacket>,
    /// The methods of the AuthSwitches, in turn.
    pub switches: Vec<String>,
    /// The server's further packets by their first bytes: `3` fast, `4` full, `k` a public key.
    pub more: String,
}

impl Ended {
    pub fn is_in(&self) -> bool {
        self.error.is_none()
    }

    /// The error's number; 0: none.
    pub fn code(&self) -> u16 {
        self.error.as_ref().map_or(0, |error| error.code)
    }

    /// Number, SQLSTATE and words, with the client's host left out.
    pub fn words(&self) -> String {
        let Some(error) = &self.error else { return "OK".into() };
        let text = String::from_utf8_lossy(&error.message).into_owned();
        let text = ["'127.0.0.1'", "'localhost'", "'tidegate-test'"]
            .iter()
            .fold(text, |text, host| text.replace(host, "HOST"));
        format!("{} {} {text}", error.code, String::from_utf8_lossy(&error.state))
    }
}

trait Link: Read + Write + Send {}
impl<T: Read + Write + Send> Link for T {}

/// A connection that was greeted, or refused before.
pub struct Raw {
    link: Box<dyn Link>,
    seq: u8,
    pub greeting: Result<Greeting, ErrPacket>,
    caps: Capabilities,
    /// Nobody reads along: full authentication sends the password itself.
    secure: bool,
}

impl Raw {
    pub fn tcp(address: SocketAddr) -> Raw {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
        stream.set_nodelay(true).expect("nodelay");
        Raw::greeted(Box::new(stream))
    }

    pub fn unix(path: &Path) -> Raw {
        let stream = UnixStream::connect(path).expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
        Raw { secure: true, ..Raw::greeted(Box::new(stream)) }
    }

    /// With a PROXY header that names this client.
    pub fn proxied(address: SocketAddr, client: &str) -> Raw {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
        write!(stream, "PROXY TCP4 {client} 127.0.0.1 40000 3306\r\n").expect("a header");
        Raw::greeted(Box::new(stream))
    }

    fn greeted(link: Box<dyn Link>) -> Raw {
        let mut raw = Raw {
            link,
            seq: 0,
            greeting: Err(ErrPacket::new(0, b"00000", "")),
            caps: Capabilities::NONE,
            secure: false,
        };
        let payload = raw.read();
        raw.greeting = Greeting::parse(&payload).ok_or_else(|| ErrPacket::parse(&payload).expect("greeting or ERR"));
        raw
    }

    pub fn read(&mut self) -> Vec<u8> {
        self.try_read().expect("a packet")
    }

    pub fn try_read(&mut self) -> Option<Vec<u8>> {
        let mut head = [0; 4];
        self.link.read_exact(&mut head).ok()?;
        assert_eq!(head[3], self.seq, "the sequence number");
        self.seq = head[3].wrapping_add(1);
        let mut payload = vec![0; usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16];
        self.link.read_exact(&mut payload).ok()?;
        Some(payload)
    }

    pub fn write(&mut self, payload: &[u8]) {
        let n = payload.len() as u32;
        let mut packet = n.to_le_bytes();
        packet[3] = self.seq;
        self.seq = self.seq.wrapping_add(1);
        self.link.write_all(&[&packet, payload].concat()).expect("a sent packet");
    }

    fn begin(&mut self, payload: &[u8]) {
        self.seq = 0;
        self.write(payload);
    }

    pub fn login(&mut self, to: &As<'_>) -> Ended {
        let greeting = match self.greeting.clone() {
            Ok(greeting) => greeting,
            Err(error) => return Ended { error: Some(error), switches: Vec::new(), more: String::new() },
        };
        let mut caps = LONG_PASSWORD | PROTOCOL_41 | SECURE_CONNECTION;
        if to.plugin_auth {
            caps = caps | PLUGIN_AUTH | PLUGIN_AUTH_LENENC & greeting.capabilities;
        }
        if to.schema.is_some() {
            caps = caps | CONNECT_WITH_DB;
        }
        self.caps = caps;
        let named = Method::from_name(&greeting.method);
        let method = to.method.map_or(named.clone(), |name| Method::from_name(name.as_bytes()));
        let method = if to.plugin_auth { method } else { Method::Native };
        let secret = Secret::password(to.password.as_bytes());
        // Real clients answer only the method that the challenge was made for.
        let fits = method == named || !to.plugin_auth;
        let answer = if fits { secret.answer(&method, &greeting.salt).unwrap_or_default() } else { Vec::new() };
        let login = Login {
            capabilities: caps,
            max_packet: 1 << 24,
            charset: 33,
            user: to.user.into(),
            answer,
            schema: to.schema.map(Into::into),
            method: Some(method.name().into()),
            attributes: None,
            zstd_level: None,
        };
        self.write(&login.payload());
        self.follow(to, method, greeting.salt.to_vec())
    }

    /// Names an account by a method that no server has, and leaves the question that follows unanswered.
    pub fn begin_login(&mut self, user: &str) {
        let login = Login {
            capabilities: LONG_PASSWORD | PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH,
            max_packet: 1 << 24,
            charset: 33,
            user: user.into(),
            method: Some(b"none_such".to_vec()),
            ..Login::default()
        };
        self.write(&login.payload());
        self.read();
    }

    /// COM_CHANGE_USER.
    pub fn change_user(&mut self, to: &As<'_>) -> Ended {
        let change = ChangeUser {
            user: to.user.into(),
            answer: self.answer_unasked(to),
            schema: to.schema.unwrap_or_default().into(),
            charset: Some(33),
            method: Some(to.method.unwrap_or("mysql_native_password").into()),
            attributes: None,
        };
        let caps = self.caps;
        self.begin(&change.payload(caps));
        self.follow(to, Method::Other(String::new()), Vec::new())
    }

    /// Servers ask whoever can be asked; an old client's answer is to the greeting's challenge.
    fn answer_unasked(&self, to: &As<'_>) -> Vec<u8> {
        let salt = self.greeting.as_ref().expect("a greeting").salt;
        let secret = Secret::password(to.password.as_bytes());
        if to.plugin_auth { Vec::new() } else { secret.answer(&Method::Native, &salt).expect("an answer") }
    }

    fn follow(&mut self, to: &As<'_>, mut method: Method, mut salt: Vec<u8>) -> Ended {
        let secret = Secret::password(to.password.as_bytes());
        let mut ended = Ended { error: None, switches: Vec::new(), more: String::new() };
        loop {
            let packet = self.read();
            match packet.first() {
                Some(0x00) => return ended,
                Some(0xFF) => {
                    ended.error = ErrPacket::parse(&packet);
                    return ended;
                }
                Some(0xFE) => {
                    let switch = AuthSwitch::parse(&packet).expect("an AuthSwitch");
                    method = Method::from_name(&switch.method);
                    ended.switches.push(method.name().to_owned());
                    let answer = match method {
                        Method::Sha256 if to.password.is_empty() => vec![0],
                        Method::Sha256 if self.secure => [to.password.as_bytes(), &[0]].concat(),
                        Method::Sha256 => vec![1],
                        _ => secret.answer(&method, &switch.data).unwrap_or_default(),
                    };
                    salt = switch.data;
                    self.write(&answer);
                }
                Some(0x01) => match &packet[1..] {
                    [3] => ended.more.push('3'),
                    [4] => {
                        ended.more.push('4');
                        match to.key {
                            _ if self.secure => self.write(&[to.password.as_bytes(), &[0]].concat()),
                            Some(key) => self.encrypted(to, &salt, key.as_bytes()),
                            None => self.write(&[2]),
                        }
                    }
                    salted if method == Method::Other("parsec".into()) => {
                        self.write(&parsec(to.password, salted, &salt))
                    }
                    key => {
                        ended.more.push('k');
                        self.encrypted(to, &salt, key);
                    }
                },
                _ => panic!("{method}: {packet:?}"),
            }
        }
    }

    fn encrypted(&mut self, to: &As<'_>, salt: &[u8], key: &[u8]) {
        let scramble = salt[..20].try_into().expect("a challenge of 20 bytes");
        let cipher = encrypt_password(to.password.as_bytes(), &scramble, key).expect("a public key");
        self.write(&cipher);
    }

    /// Rows of text, columns separated by tabs.
    pub fn query(&mut self, sql: &str) -> Result<String, String> {
        self.begin(&[b"\x03", sql.as_bytes()].concat());
        let head = self.try_read().ok_or("closed")?;
        match head[0] {
            0 => return Ok(String::new()),
            0xFF => return Err(Ended { error: ErrPacket::parse(&head), switches: vec![], more: String::new() }.words()),
            columns => (0..=columns).for_each(|_| drop(self.read())),
        }
        let mut rows = Vec::new();
        loop {
            let packet = self.read();
            if packet[0] == 0xFE && packet.len() < 9 {
                return Ok(rows.join("\n"));
            }
            rows.push(row(&packet));
        }
    }

    /// The server's own id of the connection that serves this client.
    pub fn id(&mut self) -> u64 {
        self.query("SELECT CONNECTION_ID()").expect("an answer").parse().expect("an id")
    }

    pub fn user(&mut self) -> String {
        let user = self.query("SELECT CURRENT_USER()").expect("an answer");
        user.split('@').next().unwrap_or_default().to_owned()
    }

    /// COM_RESET_CONNECTION.
    pub fn reset(&mut self) {
        self.begin(&[0x1f]);
        assert_eq!(self.read().first(), Some(&0), "it is reset");
    }

    /// Says QUIT and waits for the other side's end.
    pub fn quit(mut self) {
        self.begin(&[1]);
        let _ = self.link.read(&mut [0]);
    }
}

/// `P`, the factor of the rounds, the salt; the answer is an own nonce, and both nonces signed by the derived key.
fn parsec(password: &str, salted: &[u8], nonce: &[u8]) -> Vec<u8> {
    use aws_lc_rs::{pbkdf2, signature::Ed25519KeyPair};
    let rounds = std::num::NonZeroU32::new(1024 << salted[1]).expect("rounds");
    let mut seed = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA512, rounds, &salted[2..], password.as_bytes(), &mut seed);
    let key = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a key");
    let own = [7; 32];
    let signature = key.sign(&[nonce, &own].concat());
    [&own[..], signature.as_ref()].concat()
}

fn row(packet: &[u8]) -> String {
    let (mut at, mut fields) = (0, Vec::new());
    while at < packet.len() {
        if packet[at] == 0xFB {
            fields.push("NULL".to_owned());
            at += 1;
            continue;
        }
        // A value of the tests' own statements is short, or of two bytes' length.
        let (n, from) = match packet[at] {
            0xFC => (usize::from(packet[at + 1]) | usize::from(packet[at + 2]) << 8, at + 3),
            n => (usize::from(n), at + 1),
        };
        fields.push(String::from_utf8_lossy(&packet[from..from + n]).into_owned());
        at = from + n;
    }
    fields.join("\t")
}
