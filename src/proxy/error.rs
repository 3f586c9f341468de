//! A fault says whose it is and what follows; here it becomes an ERR packet and a log line.

use std::io;

use crate::login::dial::DialError;
use crate::net::channel::ChannelError;
use crate::net::settings::Peer;
use crate::wire::fault::{self, ErrPacket};

/// Whose fault it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The client's.
    Client,
    /// The backend's.
    Backend,
    /// tidegate's own, or its configuration's.
    Tidegate,
}

/// Why a client's login or session ended otherwise than by its own wish.
#[derive(Debug)]
pub struct Fault {
    /// Who is to blame.
    pub whose: Whose,
    /// For the log; holds no secret.
    pub why: String,
    /// For the client, where it can still be told.
    pub answer: Option<ErrPacket>,
}

impl Fault {
    /// The client broke the protocol or its connection; `answer` is what a server would say.
    pub fn client(why: impl Into<String>, answer: Option<ErrPacket>) -> Fault {
        Fault { whose: Whose::Client, why: why.into(), answer }
    }

    /// The backend cannot be reached. Not a client library's code (2003): MariaDB's takes such a code from a server for a
    /// malformed packet.
    pub fn unreachable(backend: &str, why: impl std::fmt::Display) -> Fault {
        let text = format!("Can't connect to MySQL server on '{backend}' ({why})");
        Fault {
            whose: Whose::Backend,
            answer: Some(ErrPacket::new(fault::UNREACHABLE, b"HY000", text.clone())),
            why: text,
        }
    }

    /// The backend went, or sent what no server sends. The client is told as a server's death tells it: its connection
    /// is closed, and its library says "Lost connection" (2013) in the words that applications know.
    pub fn backend(why: impl Into<String>) -> Fault {
        Fault { whose: Whose::Backend, why: why.into(), answer: None }
    }

    /// A refusal in the server's own words: nobody broke anything.
    pub fn refused(answer: ErrPacket) -> Fault {
        Fault {
            whose: Whose::Client,
            why: format!("refused: ERR {} {}", answer.code, answer.text()),
            answer: Some(answer),
        }
    }

    /// Whether the peer was refused in a server's words, rather than having failed.
    pub fn is_refusal(&self) -> bool {
        self.whose == Whose::Client && self.answer.is_some()
    }

    /// Whether the peer was refused with this code.
    pub fn is_refusal_of(&self, code: u16) -> bool {
        self.whose == Whose::Client && self.answer.as_ref().is_some_and(|answer| answer.code == code)
    }

    /// Something of tidegate's own.
    pub fn own(why: impl Into<String>, answer: ErrPacket) -> Fault {
        Fault { whose: Whose::Tidegate, why: why.into(), answer: Some(answer) }
    }

    /// A failure on the client's link.
    pub fn of_client(error: ChannelError) -> Fault {
        let answer = match &error {
            ChannelError::OutOfOrder { .. } => Some(out_of_order()),
            ChannelError::TooLong(_) => Some(too_long()),
            ChannelError::Closed | ChannelError::Io(_) => None,
        };
        Fault::client(error.to_string(), answer)
    }

    /// A failure on the backend's link.
    pub fn of_backend(error: ChannelError) -> Fault {
        Fault::backend(error.to_string())
    }

    /// The client's socket failed.
    pub fn client_io(error: io::Error) -> Fault {
        Fault::client(error.to_string(), None)
    }

    /// The backend's socket failed.
    pub fn backend_io(error: io::Error) -> Fault {
        Fault::backend(error.to_string())
    }
}

impl From<DialError> for Fault {
    fn from(error: DialError) -> Fault {
        match error {
            DialError::Malformed => Fault::backend(error.to_string()),
            _ => {
                let text = format!("tidegate cannot log in for this account: {error}");
                Fault::own(text.clone(), ErrPacket::new(fault::UNSUPPORTED_AUTH, b"08004", text))
            }
        }
    }
}

/// ERR 1156, as servers say it.
pub fn out_of_order() -> ErrPacket {
    ErrPacket::new(fault::PACKETS_OUT_OF_ORDER, b"08S01", "Got packets out of order")
}

/// ERR 1153, as servers say it.
pub fn too_long() -> ErrPacket {
    ErrPacket::new(fault::PACKET_TOO_LARGE, b"08S01", "Got a packet bigger than 'max_allowed_packet' bytes")
}

/// ERR 1043, as servers say it.
pub fn bad_handshake() -> ErrPacket {
    ErrPacket::new(fault::BAD_HANDSHAKE, b"08S01", "Bad handshake")
}

/// ERR 1045, as servers say it to a client at `peer`.
pub fn access_denied(user: &[u8], peer: &Peer, with_password: bool) -> ErrPacket {
    let user = String::from_utf8_lossy(user);
    let answer = if with_password { "YES" } else { "NO" };
    let text = format!("Access denied for user '{user}'@'{}' (using password: {answer})", host(peer));
    ErrPacket::new(fault::ACCESS_DENIED, b"28000", text)
}

/// A client's address as servers name it: no port, `localhost` for a Unix socket.
pub fn host(peer: &Peer) -> String {
    match peer {
        Peer::Tcp(address) => address.ip().to_canonical().to_string(),
        Peer::Unix => "localhost".to_owned(),
    }
}
