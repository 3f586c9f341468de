//! A small client that speaks MySQL packets and nothing else: any command with any capabilities, replies as they came.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tidegate::wire::capabilities::{
    CONNECT_WITH_DB, Capabilities, LOCAL_FILES, LONG_PASSWORD, MULTI_RESULTS, MULTI_STATEMENTS, PLUGIN_AUTH,
    PROTOCOL_41, PS_MULTI_RESULTS, QUERY_ATTRIBUTES, SECURE_CONNECTION, TRANSACTIONS,
};
use tidegate::wire::command::{self, Shape};
use tidegate::wire::execute::FLAGS;
use tidegate::wire::frame::{HEADER, Header, put_packet};
use tidegate::wire::reply::{Reply, Verdict};

/// How long a peer may be silent before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// What every client of these tests asks for.
pub const BASE: Capabilities = Capabilities(
    LONG_PASSWORD.0
        | PROTOCOL_41.0
        | SECURE_CONNECTION.0
        | PLUGIN_AUTH.0
        | TRANSACTIONS.0
        | MULTI_STATEMENTS.0
        | MULTI_RESULTS.0
        | PS_MULTI_RESULTS.0
        | LOCAL_FILES.0,
);

/// A connection of root, who has no password.
pub struct Raw {
    stream: TcpStream,
    /// The connection id in the greeting.
    pub id: u32,
    /// What both sides agreed on.
    pub capabilities: Capabilities,
    /// Read and not taken yet.
    ahead: Vec<u8>,
    /// The beginning of what was sent last, for messages.
    last_sent: Vec<u8>,
}

impl Raw {
    /// Logs in, asking for `more` beside [`BASE`].
    pub fn root(address: SocketAddr, more: Capabilities) -> Raw {
        Raw::login(connect(address), "root", "", BASE | more)
    }

    /// Logs in over a connection that may have sent something before. Panics where the server refuses.
    pub fn login(stream: TcpStream, user: &str, schema: &str, wanted: Capabilities) -> Raw {
        Raw::try_login(stream, user, schema, wanted).unwrap_or_else(|refused| panic!("refused: {}", text(&refused)))
    }

    /// The same; a refusal is the server's packet.
    pub fn try_login(stream: TcpStream, user: &str, schema: &str, wanted: Capabilities) -> Result<Raw, Vec<u8>> {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        let mut raw = Raw { stream, id: 0, capabilities: Capabilities::NONE, ahead: Vec::new(), last_sent: Vec::new() };
        let greeting = raw.packet();
        if greeting[HEADER] != 10 {
            return Err(greeting);
        }
        let after_version = HEADER + 1 + greeting[HEADER + 1..].iter().position(|&b| b == 0).expect("a version") + 1;
        let fixed = &greeting[after_version..];
        raw.id = u32::from_le_bytes(fixed[..4].try_into().expect("an id"));
        let low = u32::from(u16::from_le_bytes([fixed[13], fixed[14]]))
            | u32::from(u16::from_le_bytes([fixed[18], fixed[19]])) << 16;
        let extended = if low & 1 == 0 { u32::from_le_bytes(fixed[27..31].try_into().expect("4 bytes")) } else { 0 };
        let offered = Capabilities::from_halves(low, extended);
        // MariaDB's own capabilities are sent by clearing bit 0.
        let wanted = if extended != 0 && wanted.extended() != 0 { wanted.without(LONG_PASSWORD) } else { wanted };
        raw.capabilities = wanted & (offered | LONG_PASSWORD);
        raw.send_login(user, schema);
        loop {
            let packet = raw.packet();
            match packet[HEADER..] {
                [0, ..] => return Ok(raw),
                // Whatever the method, no password is an empty answer.
                [0xFE, ..] => raw.send_packet(packet[3].wrapping_add(1), b""),
                [1, 3] => {}
                _ => return Err(packet),
            }
        }
    }

    fn send_login(&mut self, user: &str, schema: &str) {
        let schema_flag = if schema.is_empty() { Capabilities::NONE } else { CONNECT_WITH_DB };
        let capabilities = self.capabilities | schema_flag;
        let mut payload = capabilities.low().to_le_bytes().to_vec();
        payload.extend_from_slice(&(1u32 << 30).to_le_bytes());
        payload.push(45);
        payload.extend_from_slice(&[0; 19]);
        payload.extend_from_slice(&capabilities.extended().to_le_bytes());
        payload.extend_from_slice(user.as_bytes());
        payload.extend_from_slice(&[0, 0]);
        if !schema.is_empty() {
            payload.extend_from_slice(schema.as_bytes());
            payload.push(0);
        }
        payload.extend_from_slice(b"mysql_native_password\0");
        self.send_packet(1, &payload);
    }

    /// Sends these bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.last_sent = cut(bytes).to_vec();
        self.stream.write_all(bytes).expect("a peer that reads");
    }

    /// Sends these bytes one by one.
    pub fn drip(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.send(std::slice::from_ref(byte));
        }
    }

    /// Sends a payload as one packet, or as many as it takes.
    pub fn send_packet(&mut self, seq: u8, payload: &[u8]) {
        let mut bytes = Vec::new();
        put_packet(&mut bytes, seq, payload);
        self.send(&bytes);
    }

    /// The next packet, header and all. Panics where the connection ends.
    pub fn packet(&mut self) -> Vec<u8> {
        loop {
            if let Some(header) = Header::read(&self.ahead)
                && self.ahead.len() >= header.packet_len()
            {
                return self.ahead.drain(..header.packet_len()).collect();
            }
            assert!(self.more() > 0, "the connection ended after {:?}", self.ahead);
        }
    }

    /// Everything up to the connection's end.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.more() > 0 {}
        std::mem::take(&mut self.ahead)
    }

    /// Sends a command and returns the whole reply.
    pub fn ask(&mut self, payload: &[u8]) -> Vec<u8> {
        self.send_packet(0, payload);
        self.reply(payload, packets_of(payload))
    }

    /// The whole reply to this command, whose first packet has this sequence id.
    pub fn reply(&mut self, command: &[u8], seq: u8) -> Vec<u8> {
        let mut all = Vec::new();
        self.reply_into(command, seq, &mut |bytes| all.extend_from_slice(bytes));
        all
    }

    /// The same, piece by piece.
    pub fn reply_into(&mut self, command: &[u8], seq: u8, sink: &mut dyn FnMut(&[u8])) {
        let shape = command.first().map_or(Shape::Single, |&code| command::shape(code));
        let cursor =
            command.first() == Some(&command::STMT_EXECUTE) && command.get(FLAGS).is_some_and(|&flags| flags != 0);
        let mut reply = Reply::new(shape, self.capabilities, seq).with_cursor(cursor);
        if shape == Shape::None {
            return;
        }
        loop {
            let (passed, verdict) = reply.scan(&self.ahead);
            sink(&self.ahead[..passed]);
            self.ahead.drain(..passed);
            match verdict {
                Verdict::Done | Verdict::LocalInfile => return,
                Verdict::More => assert!(self.more() > 0, "the connection ended in the middle of a reply"),
                Verdict::NeedWhole(_) => panic!("nobody watches"),
                Verdict::Broken(why) => {
                    panic!("{why} in the reply to {}: {}", text(cut(command)), text(cut(&self.ahead)))
                }
            }
        }
    }

    /// COM_QUERY, with no attributes where those were agreed on.
    pub fn query(&mut self, sql: &str) -> Vec<u8> {
        self.ask(&self.query_payload(sql))
    }

    /// The payload of [`Raw::query`].
    pub fn query_payload(&self, sql: &str) -> Vec<u8> {
        let attributes: &[u8] = if self.capabilities.has(QUERY_ATTRIBUTES) { &[0, 1] } else { &[] };
        [&[command::QUERY], attributes, sql.as_bytes()].concat()
    }

    /// The payloads of the reply's packets after the definitions, each row's first column.
    pub fn values(&mut self, sql: &str) -> Vec<String> {
        assert!(!self.capabilities.has(tidegate::wire::capabilities::DEPRECATE_EOF));
        let reply = self.query(sql);
        let packets = packets(&reply);
        let ends = |packet: &&[u8]| packet.first() == Some(&0xFE) && packet.len() < 9;
        let rows = packets.iter().copied().skip_while(|packet| !ends(packet)).skip(1);
        rows.take_while(|packet| !ends(packet)).map(first_column).collect()
    }

    /// The first of [`Raw::values`].
    pub fn value(&mut self, sql: &str) -> String {
        let values = self.values(sql);
        values.into_iter().next().unwrap_or_else(|| panic!("no row: {sql}"))
    }

    /// Proves that nothing was left over: a ping is answered by an OK at once.
    pub fn in_step(&mut self) {
        assert_eq!(self.ahead, b"", "bytes behind the reply");
        let pong = self.ask(&[command::PING]);
        assert_eq!((pong[3], pong[HEADER]), (1, 0), "{pong:?}");
        assert_eq!(self.ahead, b"", "bytes behind the ping's reply");
    }

    /// Sends no more; the peer sees the end.
    pub fn shut(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    fn more(&mut self) -> usize {
        let mut block = vec![0; 64 * 1024];
        match self.stream.read(&mut block) {
            Ok(n) => {
                self.ahead.extend_from_slice(&block[..n]);
                n
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => panic!(
                "nothing came from {:?} with {:?} after {} but {}: {error}",
                self.stream.peer_addr(),
                self.capabilities,
                text(&self.last_sent),
                text(cut(&self.ahead))
            ),
        }
    }
}

/// A TCP connection.
pub fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).expect("a listener")
}

/// How many packets a payload takes.
pub fn packets_of(payload: &[u8]) -> u8 {
    u8::try_from(payload.len() / tidegate::wire::frame::MAX_PAYLOAD + 1).expect("a payload of the tests")
}

/// The payloads in these bytes.
pub fn packets(bytes: &[u8]) -> Vec<&[u8]> {
    let mut rest = bytes;
    let mut packets = Vec::new();
    while let Some(header) = Header::read(rest) {
        let (packet, later) = rest.split_at(header.packet_len());
        packets.push(&packet[HEADER..]);
        rest = later;
    }
    packets
}

/// The code of a packet that is an ERR.
pub fn error_code(packet: &[u8]) -> Option<u16> {
    match packet.get(HEADER..HEADER + 3)? {
        &[0xFF, low, high] => Some(u16::from_le_bytes([low, high])),
        _ => None,
    }
}

fn cut(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(100)]
}

/// For messages: what is printable.
pub fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn first_column(row: &[u8]) -> String {
    match row {
        [0xFB, ..] => "NULL".into(),
        &[len @ 0..=0xFA, ref rest @ ..] => String::from_utf8_lossy(&rest[..usize::from(len)]).into_owned(),
        _ => String::from_utf8_lossy(row).into_owned(),
    }
}
