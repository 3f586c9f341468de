//! tidegate's own login at the backend: which packet answers which. Pure.
//!
//! ```text
//!  greeting -> response -> [AuthSwitch -> answer] -> [more data: fast OK | full auth | public key] -> OK / ERR
//! ```

use secrecy::zeroize::Zeroizing;
use thiserror::Error;

use crate::login::methods::rsa_key::{RsaError, encrypt_password};
use crate::login::methods::secret::Secret;
use crate::login::methods::{Method, Scramble, caching_sha2, scramble_from};
use crate::wire::fault::ErrPacket;
use crate::wire::handshake::AuthSwitch;

/// A method that no server has: named in a login without any answer, it makes the server ask by the account's own
/// method, and so tells which one that is, without a credential having been sent.
pub const ASK: &[u8] = b"tidegate_ask";

/// The server's request for the RSA public key in sha256_password.
const SHA256_REQUEST_PUBLIC_KEY: u8 = 1;

/// Why a login cannot go on; nothing was refused by the server.
#[derive(Debug, Error)]
pub enum DialError {
    /// The server sent what no server sends here.
    #[error("the server sent a malformed packet during login")]
    Malformed,
    /// The account's method cannot be answered with what is known of its password.
    #[error("the account logs in by {0}, which tidegate cannot answer with what it knows")]
    Unanswerable(String),
    /// The method wants the password itself, and somebody could read along.
    #[error("the account logs in by {0}, which sends the password in clear: use backend.tls")]
    Insecure(String),
    /// RSA failed.
    #[error(transparent)]
    Rsa(#[from] RsaError),
}

/// What to do next.
#[derive(Debug)]
pub enum Step {
    /// Send this payload.
    Send(Zeroizing<Vec<u8>>),
    /// Nothing; another packet follows.
    Wait,
    /// The login succeeded.
    Accepted,
    /// The server refused.
    Refused(ErrPacket),
}

/// One login with a known secret.
#[derive(Debug)]
pub struct Dial<'a> {
    secret: &'a Secret,
    method: Method,
    scramble: Scramble,
    /// Nobody between tidegate and the server can read along.
    secure: bool,
    /// The server has asked for an answer.
    asked: bool,
}

impl<'a> Dial<'a> {
    /// Begins with the greeting's method and challenge.
    pub fn new(secret: &'a Secret, method: Method, scramble: Scramble, secure: bool) -> Dial<'a> {
        Dial { secret, method, scramble, secure, asked: false }
    }

    /// The method and the answer for the login's first packet: the greeting's method where it can be answered, else
    /// mysql_native_password where that can be, else [`ASK`], so that the server names the account's own.
    pub fn first(&mut self) -> (Vec<u8>, Vec<u8>) {
        for method in [self.method.clone(), Method::Native] {
            if let Some(answer) = self.secret.answer(&method, &self.scramble) {
                self.method = method;
                return (self.method.name().as_bytes().to_vec(), answer);
            }
        }
        (ASK.to_vec(), Vec::new())
    }

    /// Whether the server has asked for an answer: an OK without that rests on something else than a secret.
    pub fn was_asked(&self) -> bool {
        self.asked
    }

    /// Takes the server's next packet.
    pub fn packet(&mut self, payload: &[u8]) -> Result<Step, DialError> {
        match payload.first() {
            Some(0x00) => Ok(Step::Accepted),
            Some(0xFF) => ErrPacket::parse(payload).map(Step::Refused).ok_or(DialError::Malformed),
            Some(0xFE) => self.switch(&AuthSwitch::parse(payload).ok_or(DialError::Malformed)?),
            Some(0x01) => self.more(&payload[1..]),
            _ => Err(DialError::Malformed),
        }
    }

    fn switch(&mut self, switch: &AuthSwitch) -> Result<Step, DialError> {
        self.asked = true;
        self.method = Method::from_name(&switch.method);
        if let Some(scramble) = scramble_from(&switch.data) {
            self.scramble = scramble;
        }
        match &self.method {
            Method::ClearPassword => self.in_clear(),
            Method::Sha256 if self.secure => self.in_clear(),
            Method::Sha256 => Ok(send(vec![SHA256_REQUEST_PUBLIC_KEY])),
            method => match self.secret.answer(method, &switch.data) {
                Some(answer) => Ok(send(answer)),
                // MariaDB goes through an account's methods in turn: nothing said to this one brings the next.
                None if matches!(self.secret, Secret::NativeStage1(_)) => Ok(send(Vec::new())),
                None => Err(self.unanswerable()),
            },
        }
    }

    fn more(&mut self, data: &[u8]) -> Result<Step, DialError> {
        match (&self.method, data) {
            (Method::CachingSha2, [caching_sha2::FAST_AUTH_OK]) => Ok(Step::Wait),
            (Method::CachingSha2, [caching_sha2::FULL_AUTH_NEEDED]) => self.full(),
            (Method::CachingSha2 | Method::Sha256, key) => self.encrypted(key),
            _ => Err(self.unanswerable()),
        }
    }

    /// caching_sha2_password's full authentication: the password itself, or the server's key first.
    pub fn full(&self) -> Result<Step, DialError> {
        if self.secure { self.in_clear() } else { Ok(send(vec![caching_sha2::REQUEST_PUBLIC_KEY])) }
    }

    fn in_clear(&self) -> Result<Step, DialError> {
        if !self.secure {
            return Err(DialError::Insecure(self.method.name().to_owned()));
        }
        self.secret.cleartext_answer().map(Step::Send).ok_or_else(|| self.unanswerable())
    }

    fn encrypted(&self, key: &[u8]) -> Result<Step, DialError> {
        let password = self.secret.expose_password().ok_or_else(|| self.unanswerable())?;
        Ok(send(encrypt_password(password, &self.scramble, key)?))
    }

    fn unanswerable(&self) -> DialError {
        DialError::Unanswerable(self.method.name().to_owned())
    }
}

fn send(payload: Vec<u8>) -> Step {
    Step::Send(Zeroizing::new(payload))
}
