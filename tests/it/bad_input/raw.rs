//! A client made of bare packets, that does whatever it is told.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use ::tidegate::login::methods::native;
use ::tidegate::wire::capabilities::{Capabilities, PLUGIN_AUTH, PROTOCOL_41, SECURE_CONNECTION};
use ::tidegate::wire::handshake::{Greeting, Login};

/// CLIENT_LONG_PASSWORD and CLIENT_LOCAL_FILES.
const OTHER_CAPABILITIES: u32 = 0x81;
/// No answer within this time is none.
const PATIENCE: Duration = Duration::from_secs(15);

/// A bare connection, on either side.
pub struct Raw {
    /// The socket.
    pub stream: TcpStream,
}

impl Raw {
    /// A connection on which nothing was said.
    pub fn connect(address: SocketAddr) -> Raw {
        Raw::over(TcpStream::connect(address).expect("a connection"))
    }

    /// Over this socket.
    pub fn over(stream: TcpStream) -> Raw {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time limit");
        stream.set_nodelay(true).expect("nodelay");
        Raw { stream }
    }

    /// A client that is in; the refusal's payload, or nothing if it was just closed.
    pub fn try_enter(address: SocketAddr, name: &str, password: &str) -> Result<Raw, Vec<u8>> {
        let mut raw = Raw::connect(address);
        let (_, greeting) = raw.packet().ok_or_else(Vec::new)?;
        if greeting.first() == Some(&0xFF) {
            return Err(greeting);
        }
        let greeting = Greeting::parse(&greeting).expect("a greeting");
        raw.send(1, &login(name, native::answer(password.as_bytes(), &greeting.salt)));
        loop {
            match raw.packet() {
                Some((_, ok)) if ok.first() == Some(&0) => return Ok(raw),
                Some((seq, switch)) if switch.first() == Some(&0xFE) => {
                    let salt = switch[switch.len() - 21..switch.len() - 1].try_into().expect("a challenge");
                    raw.send(seq + 1, &native::answer(password.as_bytes(), &salt));
                }
                Some((_, refused)) => return Err(refused),
                None => return Err(Vec::new()),
            }
        }
    }

    /// A client that is in.
    pub fn enter(address: SocketAddr, name: &str) -> Raw {
        Raw::try_enter(address, name, name).unwrap_or_else(|e| panic!("{name}: {}", String::from_utf8_lossy(&e)))
    }

    /// The next packet; `None`: the connection ended. Panics if neither comes.
    pub fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 4];
        self.exactly(&mut head)?;
        let len = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
        let mut payload = vec![0; len];
        self.exactly(&mut payload)?;
        Some((head[3], payload))
    }

    fn exactly(&mut self, into: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(into) {
            Ok(()) => Some(()),
            Err(error) => {
                let kind = error.kind();
                assert!(kind != std::io::ErrorKind::WouldBlock, "neither an answer nor an end");
                None
            }
        }
    }

    /// One packet. Whether it arrives is not its affair.
    pub fn send(&mut self, seq: u8, payload: &[u8]) {
        let [a, b, c, _] = (payload.len() as u32).to_le_bytes();
        self.bytes(&[&[a, b, c, seq], payload].concat());
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// A statement's whole reply, packet by packet. Understands one result of old form.
    pub fn query(&mut self, sql: &str) -> Option<Vec<Vec<u8>>> {
        self.send(0, &[b"\x03", sql.as_bytes()].concat());
        self.reply()
    }

    /// The rest of such a reply.
    pub fn reply(&mut self) -> Option<Vec<Vec<u8>>> {
        let mut packets = vec![self.packet()?.1];
        if matches!(packets[0].first(), Some(0x00 | 0xFF | 0xFB)) {
            return Some(packets);
        }
        let mut ends = 0;
        while ends < 2 {
            let (_, payload) = self.packet()?;
            ends += usize::from(payload.first() == Some(&0xFE) && payload.len() < 9);
            packets.push(payload);
        }
        Some(packets)
    }

    /// The next packet is this error (with this sequence id), and then the connection ends.
    pub fn assert_refused(&mut self, seq: u8, code: u16) {
        let (found, payload) = self.packet().unwrap_or_else(|| panic!("closed without ERR {code}"));
        let text = String::from_utf8_lossy(&payload).into_owned();
        assert_eq!((payload[0], u16::from_le_bytes([payload[1], payload[2]]), found), (0xFF, code, seq), "{text}");
        assert!(self.packet().is_none(), "not closed after ERR {code}");
    }

    /// Nothing but the end comes.
    pub fn assert_closed(&mut self) {
        let found = self.packet();
        assert!(found.is_none(), "{found:?}");
    }

    /// Says that it will not speak any more.
    pub fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).expect("a connection");
    }

    /// Goes with a reset.
    pub fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).expect("linger");
    }
}

/// A HandshakeResponse41.
pub fn login(name: &str, answer: Vec<u8>) -> Vec<u8> {
    let capabilities = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH | Capabilities::from_halves(OTHER_CAPABILITIES, 0);
    Login {
        capabilities,
        max_packet: 1 << 24,
        charset: 45,
        user: name.into(),
        answer,
        method: Some(b"mysql_native_password".to_vec()),
        ..Login::default()
    }
    .payload()
}
