//! A fault says whose it is and what follows; here it becomes an ERR packet and a log line.

use std::io;
use std::time::Duration;

use crate::login::dial::DialError;
use crate::net::channel::ChannelError;
use crate::net::settings::Peer;
use crate::wire::fault::{self, ErrPacket, is_of_connection};

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
    /// It happens all the time and harms nobody: not worth a line at the usual level.
    pub quiet: bool,
    /// The server itself refused, and its side of the exchange is over.
    pub refusal: bool,
}

impl Fault {
    /// The client broke the protocol or its connection; `answer` is what a server would say.
    pub fn client(why: impl Into<String>, answer: Option<ErrPacket>) -> Fault {
        Fault { whose: Whose::Client, why: why.into(), answer, quiet: false, refusal: false }
    }

    /// The backend cannot be reached. Not a client library's code (2003): MariaDB's takes such a code from a server for a
    /// malformed packet.
    pub fn unreachable(backend: &str, why: impl std::fmt::Display) -> Fault {
        let text = format!("Can't connect to MySQL server on '{backend}' ({why})");
        Fault {
            whose: Whose::Backend,
            answer: Some(ErrPacket::new(fault::UNREACHABLE, b"HY000", text.clone())),
            why: text,
            quiet: false,
            refusal: false,
        }
    }

    /// The backend went, or sent what no server sends. The client is told as a server's death tells it: its connection
    /// is closed, and its library says "Lost connection" (2013) in the words that applications know.
    pub fn backend(why: impl Into<String>) -> Fault {
        Fault { whose: Whose::Backend, why: why.into(), answer: None, quiet: false, refusal: false }
    }

    /// A refusal in the server's own words: nobody broke anything.
    pub fn refused(answer: ErrPacket) -> Fault {
        Fault {
            whose: Whose::Client,
            why: format!("refused: ERR {} {}", answer.code, answer.text()),
            answer: Some(answer),
            quiet: false,
            refusal: true,
        }
    }

    /// The server's error to a statement of tidegate's own: a refusal, unless a KILL or the like has hit it.
    pub fn of_question(answer: ErrPacket) -> Fault {
        match is_of_connection(answer.code) {
            true => {
                Fault::backend(format!("a statement of tidegate's was ended: ERR {} {}", answer.code, answer.text()))
            }
            false => Fault::refused(answer),
        }
    }

    /// Whether the peer was refused in a server's words, rather than having failed.
    pub fn is_refusal(&self) -> bool {
        self.whose == Whose::Client && self.refusal
    }

    /// Whether the peer was refused with this code.
    pub fn is_refusal_of(&self, code: u16) -> bool {
        self.whose == Whose::Client && self.answer.as_ref().is_some_and(|answer| answer.code == code)
    }

    /// Something of tidegate's own.
    pub fn own(why: impl Into<String>, answer: ErrPacket) -> Fault {
        Fault { whose: Whose::Tidegate, why: why.into(), answer: Some(answer), quiet: false, refusal: false }
    }

    /// A failure on the client's link.
    pub fn of_client(error: ChannelError) -> Fault {
        let answer = match &error {
            ChannelError::OutOfOrder { .. } => Some(out_of_order()),
            ChannelError::TooLong(_) => Some(too_long()),
            ChannelError::TimedOut => return Fault::too_slow(),
            ChannelError::Closed | ChannelError::Silent | ChannelError::Silence(_) | ChannelError::Io(_) => None,
        };
        let quiet = matches!(error, ChannelError::Silent);
        Fault { quiet, ..Fault::client(error.to_string(), answer) }
    }

    /// The client's time for its login is over.
    pub fn too_slow() -> Fault {
        let text = "Got timeout reading communication packets";
        Fault::client(
            "no login within listen.login_timeout",
            Some(ErrPacket::new(fault::READ_INTERRUPTED, b"08S01", text)),
        )
    }

    /// A failure on the backend's link.
    pub fn of_backend(error: ChannelError) -> Fault {
        match error {
            ChannelError::Silence(limit) => Fault::silent_backend(limit, "backend.read_timeout"),
            other => Fault::backend(other.to_string()),
        }
    }

    /// The server did nothing for as long as it may, by this key.
    pub fn silent_backend(limit: Duration, key: &str) -> Fault {
        Fault::backend(format!("the server was silent for {limit:?} ({key})"))
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

/// ERR 1047, as servers say it.
pub fn unknown_command() -> ErrPacket {
    ErrPacket::new(fault::UNKNOWN_COMMAND, b"08S01", "Unknown command")
}

/// ERR 1043, as servers say it.
pub fn bad_handshake() -> ErrPacket {
    ErrPacket::new(fault::BAD_HANDSHAKE, b"08S01", "Bad handshake")
}

/// ERR 1226, as servers say it to one client too many of an account.
pub fn too_many_of(user: &[u8], count: usize) -> Fault {
    let user = String::from_utf8_lossy(user);
    let text = format!("User '{user}' has exceeded the 'max_user_connections' resource (current value: {count})");
    Fault::refused(ErrPacket::new(fault::USER_LIMIT_REACHED, b"42000", text))
}

/// ERR 1045, as servers say it to a client at `peer`.
pub fn access_denied(user: &[u8], peer: &Peer, with_password: bool) -> ErrPacket {
    let user = String::from_utf8_lossy(user);
    let answer = if with_password { "YES" } else { "NO" };
    let text = format!("Access denied for user '{user}'@'{}' (using password: {answer})", host(peer));
    ErrPacket::new(fault::ACCESS_DENIED, b"28000", text).cut()
}

/// Words of a peer, fit for one line of a log: a client's name must not forge another line, nor flood the log.
pub fn printable(text: &str) -> String {
    const MAX_CHARS: usize = 512;
    let mut out = String::with_capacity(text.len().min(MAX_CHARS));
    for character in text.chars().take(MAX_CHARS) {
        match character {
            c if c.is_control() || is_invisible(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    if text.chars().nth(MAX_CHARS).is_some() {
        out.push_str("..");
    }
    out
}

/// Line and paragraph separators, and what changes the direction of writing.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A client's address as servers name it: no port, `localhost` for a Unix socket.
pub fn host(peer: &Peer) -> String {
    match peer {
        Peer::Tcp(address) => address.ip().to_canonical().to_string(),
        Peer::Unix => "localhost".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_forges_no_line_and_is_cut() {
        assert_eq!(printable("a\nWARN x\u{1b}[31m\u{2028}"), "a\\nWARN x\\u{1b}[31m\\u{2028}");
        assert_eq!(printable("Zoë"), "Zoë");
        assert_eq!(printable(&"x".repeat(513)), "x".repeat(512) + "..");
    }

    #[test]
    fn a_kill_refuses_nothing() {
        let hit = |code| Fault::of_question(ErrPacket::new(code, b"70100", "said"));
        for code in [1317, 1927, 3169, 1053, 4031] {
            assert!(hit(code).whose == Whose::Backend && hit(code).answer.is_none(), "{code}");
        }
        assert!(hit(1227).is_refusal_of(1227) && hit(1193).is_refusal());
    }

    #[test]
    fn a_refusal_is_no_longer_than_a_servers() {
        let refusal = access_denied(&vec![b'x'; 1 << 20], &Peer::Unix, true);
        assert_eq!(refusal.message.len(), 511);
    }
}
