//! ERR packets: the error codes that tidegate itself says, in the servers' own words.

use crate::wire::frame::{Fields, put_packet};

/// ER_CON_COUNT_ERROR
pub const TOO_MANY_CONNECTIONS: u16 = 1040;
/// ER_HANDSHAKE_ERROR
pub const BAD_HANDSHAKE: u16 = 1043;
/// ER_DBACCESS_DENIED_ERROR
pub const DB_ACCESS_DENIED: u16 = 1044;
/// ER_ACCESS_DENIED_ERROR
pub const ACCESS_DENIED: u16 = 1045;
/// ER_MUST_CHANGE_PASSWORD
pub const MUST_CHANGE_PASSWORD: u16 = 1820;
/// ER_UNKNOWN_COM_ERROR
pub const UNKNOWN_COMMAND: u16 = 1047;
/// A KILL ended the statement.
pub const INTERRUPTED: u16 = 1317;
/// No schema was chosen.
pub const NO_DATABASE: u16 = 1046;
/// The schema does not exist.
pub const UNKNOWN_DATABASE: u16 = 1049;
/// ER_SERVER_SHUTDOWN
pub const SERVER_SHUTDOWN: u16 = 1053;
/// ER_NO_SUCH_THREAD
pub const NO_SUCH_THREAD: u16 = 1094;
/// ER_KILL_DENIED_ERROR
pub const KILL_DENIED: u16 = 1095;
/// ER_HOST_NOT_PRIVILEGED
pub const HOST_NOT_PRIVILEGED: u16 = 1130;
/// ER_NET_PACKET_TOO_LARGE
pub const PACKET_TOO_LARGE: u16 = 1153;
/// ER_NET_PACKETS_OUT_OF_ORDER
pub const PACKETS_OUT_OF_ORDER: u16 = 1156;
/// ER_NET_READ_INTERRUPTED
pub const READ_INTERRUPTED: u16 = 1159;
/// ER_TOO_MANY_USER_CONNECTIONS
pub const TOO_MANY_USER_CONNECTIONS: u16 = 1203;
/// ER_SPECIFIC_ACCESS_DENIED_ERROR
pub const SPECIFIC_ACCESS_DENIED: u16 = 1227;
/// ER_USER_LIMIT_REACHED
pub const USER_LIMIT_REACHED: u16 = 1226;
/// ER_NOT_SUPPORTED_AUTH_MODE
pub const UNSUPPORTED_AUTH: u16 = 1251;
/// ER_CONNECT_TO_FOREIGN_DATA_SOURCE
pub const UNREACHABLE: u16 = 1429;
/// ER_SECURE_TRANSPORT_REQUIRED
pub const TLS_REQUIRED: u16 = 3159;
/// ER_CONNECTION_KILLED, MariaDB's
pub const CONNECTION_KILLED: u16 = 1927;
/// ER_CLIENT_INTERACTION_TIMEOUT
pub const CLIENT_IDLE: u16 = 4031;

/// ER_SESSION_WAS_KILLED, MySQL's
pub const SESSION_WAS_KILLED: u16 = 3169;

/// Whether an error hits whichever statement is under way, for its connection's sake: a KILL, a shutdown, a timeout. It says nothing
/// about what the statement asks for.
pub fn is_of_connection(code: u16) -> bool {
    matches!(code, INTERRUPTED | SERVER_SHUTDOWN | CONNECTION_KILLED | SESSION_WAS_KILLED | CLIENT_IDLE)
}

/// An ERR packet's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrPacket {
    /// The error's number.
    pub code: u16,
    /// Five characters; all zero where the packet has none (before the login the servers leave it out).
    pub state: [u8; 5],
    /// The message, in the bytes it came in.
    pub message: Vec<u8>,
}

impl ErrPacket {
    /// One of tidegate's own.
    pub fn new(code: u16, state: &[u8; 5], message: impl Into<String>) -> Self {
        ErrPacket { code, state: *state, message: message.into().into_bytes() }
    }

    /// Reads a payload that begins with 0xFF.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(payload);
        (fields.u8()? == 0xFF).then_some(())?;
        let code = fields.u16()?;
        let mut state = [0; 5];
        if fields.rest().first() == Some(&b'#') && fields.rest().len() >= 6 {
            state.copy_from_slice(&fields.bytes(6)?[1..]);
        }
        Some(ErrPacket { code, state, message: fields.rest().to_vec() })
    }

    /// The payload on the wire.
    pub fn payload(&self) -> Vec<u8> {
        let mut out = vec![0xFF];
        out.extend_from_slice(&self.code.to_le_bytes());
        if self.state != [0; 5] {
            out.push(b'#');
            out.extend_from_slice(&self.state);
        }
        out.extend_from_slice(&self.message);
        out
    }

    /// As servers send it before their greeting: the client's capabilities are not known, so it has no state.
    pub fn before_greeting(&self) -> ErrPacket {
        ErrPacket { state: [0; 5], ..self.clone() }
    }

    /// With a message of at most 511 bytes, as servers cut their own.
    pub fn cut(mut self) -> ErrPacket {
        self.message.truncate(511);
        self
    }

    /// The whole packet with this sequence id.
    pub fn packet(&self, seq: u8) -> Vec<u8> {
        let mut out = Vec::new();
        put_packet(&mut out, seq, &self.payload());
        out
    }

    /// The message as text, for logs.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_with_and_without_a_state() {
        let with = ErrPacket::new(ACCESS_DENIED, b"28000", "Access denied");
        assert_eq!(ErrPacket::parse(&with.payload()), Some(with));
        let without = ErrPacket::new(TOO_MANY_CONNECTIONS, &[0; 5], "Too many connections");
        assert_eq!(without.payload()[3], b'T');
        assert_eq!(ErrPacket::parse(&without.payload()), Some(without));
        assert_eq!(ErrPacket::parse(&[0xFF, 1]), None);
    }
}
