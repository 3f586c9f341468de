//! A blocking client that sends exactly what it is told, reads each reply to its end, and never panics for a peer's sake.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::packets::{self, Payload};

/// LONG_PASSWORD, LOCAL_FILES, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, MULTI_STATEMENTS, MULTI_RESULTS,
/// PS_MULTI_RESULTS, PLUGIN_AUTH.
const CAPABILITIES: u32 = 1 | 1 << 7 | 1 << 9 | 1 << 13 | 1 << 15 | 1 << 16 | 1 << 17 | 1 << 18 | 1 << 19;
const CONNECT_WITH_DB: u32 = 1 << 3;
const COMPRESS: u32 = 1 << 5;
const MORE_RESULTS: u16 = 0x0008;
const CURSOR_EXISTS: u16 = 0x0040;
const UTF8MB4: u8 = 45;
/// Longer silence is a failure.
const PATIENCE: Duration = Duration::from_secs(90);

/// A connection.
pub struct Client {
    stream: BufReader<TcpStream>,
    /// The greeting's connection id.
    pub id: u32,
    /// Each row of the command under way is read as binary.
    binary: bool,
    /// What was read of frames and is yet to be taken, where the compressed protocol is spoken.
    frames: Option<VecDeque<u8>>,
    /// The last frame's id.
    frame: u8,
    /// Rows are read and thrown away: they may hold other things than texts.
    pub skips_rows: bool,
}

/// The server's refusal of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: u16,
    pub state: String,
    pub text: String,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Trouble {
    /// An ERR packet; the connection goes on.
    Refused(Refusal),
    /// The connection is at its end, or silent.
    Gone(io::Error),
}

/// One result of a command.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub rows: Vec<Vec<String>>,
    pub affected: u64,
    pub insert_id: u64,
    pub warnings: u16,
    pub status: u16,
}

/// A prepared statement.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    pub id: u32,
}

pub type Answered<T> = Result<T, Trouble>;

impl Client {
    /// Logs in without a password.
    pub fn login(address: SocketAddr, user: &str, schema: &str) -> Answered<Client> {
        Client::enter(address, user, schema, 0)
    }

    /// The same, and speaks the compressed protocol from then on.
    pub fn login_compressed(address: SocketAddr, user: &str) -> Answered<Client> {
        let client = Client::enter(address, user, "", COMPRESS)?;
        Ok(Client { frames: Some(VecDeque::new()), ..client })
    }

    /// Logs in with more capabilities than usual.
    pub fn login_with(address: SocketAddr, user: &str, schema: &str, more: u32) -> Answered<Client> {
        Client::enter(address, user, schema, more)
    }

    fn enter(address: SocketAddr, user: &str, schema: &str, more: u32) -> Answered<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut client =
            Client { stream: BufReader::new(stream), id: 0, binary: false, frames: None, frame: 0, skips_rows: false };
        let (_, greeting) = client.packet()?;
        if greeting.first() == Some(&0xFF) {
            return Err(refusal(&greeting));
        }
        let version = greeting[1..].iter().position(|&byte| byte == 0).expect("a version");
        client.id = Payload(&greeting[version + 2..]).u32();
        client.send(1, &login(user, schema, more))?;
        loop {
            let (seq, packet) = client.packet()?;
            match packet[..] {
                [0, ..] => return Ok(client),
                [0xFF, ..] => return Err(refusal(&packet)),
                // Whatever the method, no password is an empty answer.
                [0xFE, ..] => client.send(seq + 1, b"")?,
                _ => {}
            }
        }
    }

    /// A statement's first result; the others are read too.
    pub fn ask(&mut self, sql: &str) -> Answered<Answer> {
        self.ask_bytes(sql.as_bytes())
    }

    /// The same for a text in any character set.
    pub fn ask_bytes(&mut self, sql: &[u8]) -> Answered<Answer> {
        self.binary = false;
        self.send(0, &[b"\x03", sql].concat())?;
        self.finish()
    }

    /// Sends a statement and waits for nothing.
    pub fn start(&mut self, sql: &str) -> io::Result<()> {
        self.binary = false;
        self.send(0, &[b"\x03", sql.as_bytes()].concat())
    }

    /// Sends several statements in one write, and waits for nothing.
    pub fn send_together(&mut self, statements: &[&str]) -> io::Result<()> {
        let packet = |sql: &&str| {
            let len = (sql.len() as u32 + 1).to_le_bytes();
            [&len[..3], &[0, 3], sql.as_bytes()].concat()
        };
        self.send_raw(&statements.iter().flat_map(packet).collect::<Vec<_>>())
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// The reply to [`Client::start`].
    pub fn finish(&mut self) -> Answered<Answer> {
        let first = self.result()?;
        let mut more = first.status & MORE_RESULTS != 0;
        while more {
            more = self.result()?.status & MORE_RESULTS != 0;
        }
        Ok(first)
    }

    /// The rows; panics where there is trouble.
    pub fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        self.ask(sql).unwrap_or_else(|trouble| panic!("client {}: {sql}: {trouble}", self.id)).rows
    }

    /// The same for a statement without rows.
    pub fn run(&mut self, sql: &str) -> Answer {
        self.ask(sql).unwrap_or_else(|trouble| panic!("client {}: {sql}: {trouble}", self.id))
    }

    /// The first row's first column.
    pub fn value(&mut self, sql: &str) -> String {
        let rows = self.rows(sql);
        let row = rows.into_iter().next().unwrap_or_else(|| panic!("no row: {sql}"));
        row.into_iter().next().expect("a column")
    }

    /// The refusal of a statement; panics where it is not refused.
    pub fn refused(&mut self, sql: &str) -> Refusal {
        match self.ask(sql) {
            Err(Trouble::Refused(refusal)) => refusal,
            other => panic!("client {}: {sql} is not refused: {other:?}", self.id),
        }
    }

    /// A command other than a statement whose reply is one packet or a result.
    pub fn command(&mut self, payload: &[u8]) -> Answered<Answer> {
        self.send_command(payload)?;
        self.finish()
    }

    /// A command that has no reply, or whose reply is read later.
    pub fn send_command(&mut self, payload: &[u8]) -> io::Result<()> {
        self.binary = false;
        self.send(0, payload)
    }

    /// COM_STMT_PREPARE
    pub fn prepare(&mut self, sql: &str) -> Answered<Statement> {
        self.send(0, &[b"\x16", sql.as_bytes()].concat())?;
        let (_, packet) = self.packet()?;
        if packet[0] == 0xFF {
            return Err(refusal(&packet));
        }
        let mut payload = Payload(&packet[1..]);
        let (id, columns, parameters) = (payload.u32(), payload.u16(), payload.u16());
        for count in [parameters, columns] {
            // The definitions, and the packet that ends them.
            for _ in 0..count + u16::from(count > 0) {
                self.packet()?;
            }
        }
        Ok(Statement { id })
    }

    /// COM_STMT_EXECUTE with texts for its parameters, of a statement whose columns are all texts.
    pub fn execute(&mut self, statement: Statement, parameters: &[&str]) -> Answered<Answer> {
        self.execute_as(statement, false, parameters)
    }

    /// The same; a cursor keeps the rows at the server.
    pub fn execute_as(&mut self, statement: Statement, cursor: bool, parameters: &[&str]) -> Answered<Answer> {
        self.binary = true;
        self.send(0, &packets::execute(statement.id, cursor, parameters))?;
        self.finish()
    }

    /// One packet, whatever it is.
    pub fn packet(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 4];
        self.read_exact(&mut head)?;
        let len = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
        let mut payload = vec![0; len];
        self.read_exact(&mut payload)?;
        Ok((head[3], payload))
    }

    fn read_exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        let Some(plain) = &mut self.frames else { return self.stream.read_exact(bytes) };
        while plain.len() < bytes.len() {
            plain.extend(packets::frame(&mut self.stream, &mut self.frame)?);
        }
        plain.read_exact(bytes)
    }

    /// One packet.
    pub fn send(&mut self, seq: u8, payload: &[u8]) -> io::Result<()> {
        let [a, b, c, _] = u32::try_from(payload.len()).expect("a short payload").to_le_bytes();
        let mut bytes = [&[a, b, c, seq], payload].concat();
        if self.frames.is_some() {
            let [a, b, c, _] = u32::try_from(bytes.len()).expect("a short packet").to_le_bytes();
            bytes = [&[a, b, c, 0, 0, 0, 0], &bytes[..]].concat();
        }
        self.stream.get_mut().write_all(&bytes)
    }

    /// How long it waits for each piece of a reply.
    pub fn set_patience(&self, patience: Duration) {
        self.stream.get_ref().set_read_timeout(Some(patience)).expect("a time limit");
    }

    /// The port it came from.
    pub fn local_port(&self) -> u16 {
        self.stream.get_ref().local_addr().expect("a connection").port()
    }

    /// Whether the other side has closed, without asking it anything. What it said before is skipped.
    pub fn is_closed(&mut self) -> bool {
        let usual = self.stream.get_ref().read_timeout().expect("a time limit");
        self.set_patience(Duration::from_millis(1));
        let mut rest = [0; 4096];
        let closed = loop {
            match self.stream.read(&mut rest) {
                Ok(0) => break true,
                Ok(_) => {}
                Err(error) => break error.kind() != io::ErrorKind::WouldBlock,
            }
        };
        self.set_patience(usual.unwrap_or(PATIENCE));
        closed
    }

    /// Says good-bye as the protocol has it.
    pub fn quit(mut self) {
        let _ = self.send(0, b"\x01");
    }

    /// Goes without a word, by a TCP reset.
    pub fn vanish(self) {
        let socket = socket2::SockRef::from(self.stream.get_ref());
        socket.set_linger(Some(Duration::ZERO)).expect("linger");
    }

    fn result(&mut self) -> Answered<Answer> {
        let (_, first) = self.packet()?;
        match first[0] {
            0xFF => return Err(refusal(&first)),
            0x00 => return Ok(ok(&first)),
            _ => {}
        }
        let columns = Payload(&first).number().and_then(|count| usize::try_from(count).ok()).expect("a count");
        let mut answer = Answer::default();
        while self.definition(&mut answer)? {}
        if answer.status & CURSOR_EXISTS != 0 {
            return Ok(answer);
        }
        while self.row(columns, &mut answer)? {}
        Ok(answer)
    }

    fn definition(&mut self, answer: &mut Answer) -> Answered<bool> {
        let (_, packet) = self.packet()?;
        Ok(!self.is_end(&packet, answer))
    }

    fn row(&mut self, columns: usize, answer: &mut Answer) -> Answered<bool> {
        let (_, packet) = self.packet()?;
        if self.is_end(&packet, answer) {
            return Ok(false);
        }
        if packet.first() == Some(&0xFF) {
            return Err(refusal(&packet));
        }
        if self.skips_rows {
            return Ok(true);
        }
        let row = if self.binary { packets::binary_row } else { packets::text_row };
        answer.rows.push(row(&packet, columns));
        Ok(true)
    }

    fn is_end(&self, packet: &[u8], answer: &mut Answer) -> bool {
        let is_end = packet.first() == Some(&0xFE) && packet.len() < 9;
        if is_end {
            let mut payload = Payload(&packet[1..]);
            (answer.warnings, answer.status) = (payload.u16(), payload.u16());
        }
        is_end
    }
}

fn login(user: &str, schema: &str, more: u32) -> Vec<u8> {
    let with_schema = if schema.is_empty() { 0 } else { CONNECT_WITH_DB };
    let mut payload = (CAPABILITIES | with_schema | more).to_le_bytes().to_vec();
    payload.extend((1u32 << 30).to_le_bytes());
    payload.push(UTF8MB4);
    payload.extend([0; 23]);
    payload.extend(user.as_bytes());
    // The name's end, and an empty answer.
    payload.extend([0, 0]);
    if !schema.is_empty() {
        payload.extend(schema.as_bytes());
        payload.push(0);
    }
    payload.extend(b"mysql_native_password\0");
    payload
}

fn ok(packet: &[u8]) -> Answer {
    let mut payload = Payload(&packet[1..]);
    let (affected, insert_id) = (payload.number().unwrap_or(0), payload.number().unwrap_or(0));
    let (status, warnings) = (payload.u16(), payload.u16());
    Answer { affected, insert_id, status, warnings, rows: Vec::new() }
}

fn refusal(packet: &[u8]) -> Trouble {
    let code = u16::from_le_bytes([packet[1], packet[2]]);
    let (state, text) = match packet[3..] {
        [b'#', ref rest @ ..] => rest.split_at(5),
        ref rest => rest.split_at(0),
    };
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Trouble::Refused(Refusal { code, state: words(state), text: words(text) })
}

impl Trouble {
    /// The code of a refusal.
    pub fn code(&self) -> Option<u16> {
        match self {
            Trouble::Refused(refusal) => Some(refusal.code),
            Trouble::Gone(_) => None,
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Gone(error)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Refused(Refusal { code, state, text }) => write!(f, "ERROR {code} ({state}): {text}"),
            Trouble::Gone(error) => write!(f, "the connection is gone: {error}"),
        }
    }
}
