//! A client of packets. It reads replies by rules of its own: it must not believe what it is to test.

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::action::Value;

pub const FOUND_ROWS: u32 = 1 << 1;
const CONNECT_WITH_DB: u32 = 1 << 3;
pub const LOCAL_FILES: u32 = 1 << 7;
pub const IGNORE_SPACE: u32 = 1 << 8;
pub const INTERACTIVE: u32 = 1 << 10;
pub const MULTI_STATEMENTS: u32 = 1 << 16;
pub const CAN_HANDLE_EXPIRED_PASSWORDS: u32 = 1 << 22;
pub const SESSION_TRACK: u32 = 1 << 23;
pub const DEPRECATE_EOF: u32 = 1 << 24;
pub const QUERY_ATTRIBUTES: u32 = 1 << 27;
/// LONG_PASSWORD, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, MULTI_RESULTS, PS_MULTI_RESULTS, PLUGIN_AUTH.
pub const BASE: u32 = 1 | 1 << 9 | 1 << 13 | 1 << 15 | 1 << 17 | 1 << 18 | 1 << 19;

/// A login's OK up to its warnings: nothing was inserted.
const OK_WITHOUT_INFO: usize = 7;
/// In the second byte of the status.
const SESSION_STATE_CHANGED: u8 = 0x40;
const STATUS_MORE_RESULTS: u16 = 0x0008;
const STATUS_CURSOR_EXISTS: u16 = 0x0040;
/// Longer than a client waits for a backend: then it is told so.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long a killed connection may stay open.
const CLOSING: Duration = Duration::from_secs(4);

/// One packet's payload, with its sequence id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub seq: u8,
    pub payload: Vec<u8>,
}

/// How a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As the protocol has it.
    Whole,
    /// The connection closed.
    Closed,
    /// Nothing came for too long.
    Silent,
}

/// All that came after one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub packets: Vec<Packet>,
    pub end: End,
}

/// A prepared statement of this connection.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    pub id: u32,
    pub parameters: u16,
    /// Its rows may hold connection ids.
    pub shows_ids: bool,
    /// It was executed with a cursor.
    pub had_cursor: bool,
}

/// A connection.
pub struct Wire {
    stream: BufReader<TcpStream>,
    /// The greeting's connection id.
    pub id: u32,
    /// What both sides agreed on.
    pub capabilities: u32,
    /// The server can announce what changes in a session.
    pub announces: bool,
    pub statements: HashMap<usize, Statement>,
    /// What came since the last command.
    packets: Vec<Packet>,
}

type Ended = Result<(), io::Error>;

impl Wire {
    /// Logs in without a password. The reply is the login's last packet.
    pub fn login(to: SocketAddr, user: &str, schema: &str, wanted: u32, charset: u8) -> (Option<Wire>, Reply) {
        let stream = TcpStream::connect(to).expect("a listener");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        let stream = BufReader::new(stream);
        let mut wire =
            Wire { stream, id: 0, capabilities: 0, announces: false, statements: HashMap::new(), packets: Vec::new() };
        let ended = wire.log_in(user, schema, wanted, charset);
        let mut reply = wire.take(ended);
        // How a login was negotiated is the hop's own affair; how it ended is not.
        reply.packets = reply.packets.pop().into_iter().collect();
        for packet in &mut reply.packets {
            packet.seq = 0;
            // MariaDB 11 tells a new connection of its variables, and one that changed its user of the schema alone.
            if packet.payload.first() == Some(&0) {
                packet.payload.truncate(OK_WITHOUT_INFO);
                packet.payload[4] &= !SESSION_STATE_CHANGED;
            }
        }
        let is_in = reply.packets.first().is_some_and(|packet| packet.payload.first() == Some(&0));
        (is_in.then_some(wire), reply)
    }

    fn log_in(&mut self, user: &str, schema: &str, wanted: u32, charset: u8) -> Ended {
        self.read()?;
        let greeting = self.packets[0].payload.clone();
        if greeting[0] == 0xFF {
            return Ok(());
        }
        let fixed = 1 + greeting[1..].iter().position(|&byte| byte == 0).expect("a version") + 1;
        self.id = u32::from_le_bytes(greeting[fixed..fixed + 4].try_into().expect("four bytes"));
        let low = u16::from_le_bytes([greeting[fixed + 13], greeting[fixed + 14]]);
        let high = u16::from_le_bytes([greeting[fixed + 18], greeting[fixed + 19]]);
        let offered = u32::from(low) | u32::from(high) << 16;
        let schema_flag = if schema.is_empty() { 0 } else { CONNECT_WITH_DB };
        self.announces = offered & SESSION_TRACK != 0;
        self.capabilities = (wanted | schema_flag) & (offered | 1);
        let mut login = self.capabilities.to_le_bytes().to_vec();
        login.extend((1u32 << 30).to_le_bytes());
        login.push(charset);
        login.extend([0; 23]);
        login.extend(user.as_bytes());
        login.extend([0, 0]);
        if !schema.is_empty() {
            login.extend(schema.as_bytes());
            login.push(0);
        }
        login.extend(b"mysql_native_password\0");
        self.send(1, &login)?;
        self.authenticate(&[])
    }

    /// Answers the server's questions until it is decided.
    fn authenticate(&mut self, answer: &[u8]) -> Ended {
        loop {
            let first = self.read()?;
            let seq = self.packets.last().expect("a packet").seq.wrapping_add(1);
            match first {
                0xFE => self.send(seq, answer)?,
                // "Prove it in full": to ask for the server's key, which ends as a refusal, too.
                0x01 if self.last().get(1) == Some(&4) => self.send(seq, &[0])?,
                0x01 => {}
                _ => return Ok(()),
            }
        }
    }

    /// COM_QUERY.
    pub fn query(&mut self, sql: &str) -> Reply {
        let ended = self.start(sql).and_then(|()| self.results());
        self.take(ended)
    }

    /// COM_QUERY, its reply not waited for.
    pub fn start(&mut self, sql: &str) -> Ended {
        let mut command = vec![3];
        if self.capabilities & QUERY_ATTRIBUTES != 0 {
            command.extend([0, 1]);
        }
        command.extend(sql.as_bytes());
        self.send(0, &command)
    }

    /// The reply to what was started.
    pub fn finish(&mut self) -> Reply {
        let ended = self.results();
        self.take(ended)
    }

    /// All that comes until the server closes.
    pub fn until_closed(&mut self) -> Reply {
        let _ = self.stream.get_ref().set_read_timeout(Some(CLOSING));
        let ended = (|| loop {
            self.read()?;
        })();
        self.take(ended)
    }

    /// A command that is answered by one packet.
    pub fn single(&mut self, command: &[u8]) -> Reply {
        let ended = self.send(0, command).and_then(|()| self.read().map(|_| ()));
        self.take(ended)
    }

    /// COM_FIELD_LIST: definitions, then an end.
    pub fn field_list(&mut self, table: &str, wild: &str) -> Reply {
        let command = [&[4], table.as_bytes(), &[0], wild.as_bytes()].concat();
        let ended = self.send(0, &command).and_then(|()| self.rows().map(|_| ()));
        self.take(ended)
    }

    /// COM_CHANGE_USER.
    pub fn change_user(&mut self, user: &str, schema: &str, right: bool, charset: u8) -> Reply {
        let mut command = vec![0x11];
        command.extend(user.as_bytes());
        command.extend([0, 0]);
        command.extend(schema.as_bytes());
        command.push(0);
        command.extend(u16::from(charset).to_le_bytes());
        command.extend(b"mysql_native_password\0");
        let answer: &[u8] = if right { &[] } else { &[7; 20] };
        let ended = self.send(0, &command).and_then(|()| self.authenticate(answer));
        self.statements.clear();
        let mut reply = self.take(ended);
        // Salts, and a method's own talk, are the hop's affair.
        reply.packets = reply.packets.pop().into_iter().collect();
        reply
    }

    /// COM_STMT_PREPARE.
    pub fn prepare(&mut self, slot: usize, sql: &str, shows_ids: bool) -> Reply {
        let ended = self.send(0, &[&[0x16], sql.as_bytes()].concat()).and_then(|()| self.prepared(slot, shows_ids));
        self.take(ended)
    }

    fn prepared(&mut self, slot: usize, shows_ids: bool) -> Ended {
        if self.read()? != 0 {
            return Ok(());
        }
        let ok = self.last();
        let number = |at: usize| u16::from_le_bytes([ok[at], ok[at + 1]]);
        let id = u32::from_le_bytes(ok[1..5].try_into().expect("four bytes"));
        let (columns, parameters) = (number(5), number(7));
        self.statements.insert(slot, Statement { id, parameters, shows_ids, had_cursor: false });
        for count in [parameters, columns] {
            self.definitions(u64::from(count))?;
        }
        Ok(())
    }

    /// COM_STMT_EXECUTE, with these values in turn for as many parameters as there are.
    pub fn execute(&mut self, slot: usize, cursor: bool, values: &[Option<Value>]) -> Reply {
        let statement = self.statement(slot);
        if let Some(statement) = self.statements.get_mut(&slot) {
            statement.had_cursor |= cursor;
        }
        let mut command = vec![0x17];
        command.extend(statement.id.to_le_bytes());
        command.push(u8::from(cursor));
        command.extend(1u32.to_le_bytes());
        let count = usize::from(statement.parameters);
        if count > 0 {
            let value = |at: usize| values.get(at % values.len().max(1)).unwrap_or(&Some(Value::Null));
            let attributes = self.capabilities & QUERY_ATTRIBUTES != 0;
            if attributes {
                command.push(u8::try_from(count).expect("few parameters"));
            }
            put_values(&mut command, count, attributes, value);
        }
        let ended = self.send(0, &command).and_then(|()| self.results());
        self.take(ended)
    }

    /// COM_STMT_FETCH.
    pub fn fetch(&mut self, slot: usize, rows: u32) -> Reply {
        let command = [&[0x1C], &self.statement(slot).id.to_le_bytes()[..], &rows.to_le_bytes()].concat();
        let ended = self.send(0, &command).and_then(|()| self.rows().map(|_| ()));
        self.take(ended)
    }

    /// COM_STMT_RESET.
    pub fn reset_statement(&mut self, slot: usize) -> Reply {
        let id = self.statement(slot).id.to_le_bytes();
        self.single(&[&[0x1A], &id[..]].concat())
    }

    /// COM_STMT_SEND_LONG_DATA, which has no reply.
    pub fn long_data(&mut self, slot: usize, parameter: u16, text: &str) -> Reply {
        let id = self.statement(slot).id.to_le_bytes();
        let command = [&[0x18], &id[..], &parameter.to_le_bytes(), text.as_bytes()].concat();
        let ended = self.send(0, &command);
        self.take(ended)
    }

    /// COM_STMT_CLOSE, which has no reply.
    pub fn close_statement(&mut self, slot: usize) -> Reply {
        let id = self.statement(slot).id.to_le_bytes();
        let ended = self.send(0, &[&[0x19], &id[..]].concat());
        self.take(ended)
    }

    /// COM_QUIT, and waits for the server to close.
    pub fn quit(mut self) {
        if self.send(0, &[1]).is_ok() {
            while self.read().is_ok() {}
        }
    }

    /// What is in the slot, or an id that no server gave.
    pub fn statement(&self, slot: usize) -> Statement {
        let id = 0x00FF_FFF0 + u32::try_from(slot).expect("a small slot");
        let unknown = Statement { id, parameters: 0, shows_ids: false, had_cursor: false };
        self.statements.get(&slot).copied().unwrap_or(unknown)
    }

    /// One result after the other.
    fn results(&mut self) -> Ended {
        loop {
            let status = match self.read()? {
                0x00 => self.status_of_ok(),
                0xFF => return Ok(()),
                0xFB => {
                    self.send_file()?;
                    continue;
                }
                _ => self.result_set()?,
            };
            if status & STATUS_MORE_RESULTS == 0 {
                return Ok(());
            }
        }
    }

    fn result_set(&mut self) -> io::Result<u16> {
        let (count, _) = lenenc(self.last());
        let status = self.definitions(count)?;
        if status & STATUS_CURSOR_EXISTS != 0 { Ok(status) } else { self.rows() }
    }

    /// Definitions, and the EOF behind them where there is one: its status.
    fn definitions(&mut self, count: u64) -> io::Result<u16> {
        for _ in 0..count {
            self.read()?;
        }
        if count == 0 || self.capabilities & DEPRECATE_EOF != 0 {
            return Ok(0);
        }
        self.read()?;
        Ok(status_of_eof(self.last()))
    }

    /// Rows and their end, whose status is returned; an error has none.
    fn rows(&mut self) -> io::Result<u16> {
        loop {
            let first = self.read()?;
            let (deprecated, payload) = (self.capabilities & DEPRECATE_EOF != 0, self.last());
            match first {
                0xFF => return Ok(0),
                0xFE if deprecated && payload.len() < 0xFF_FFFF => return Ok(self.status_of_ok()),
                0xFE if !deprecated && payload.len() < 9 => return Ok(status_of_eof(payload)),
                _ => {}
            }
        }
    }

    /// The file that the server asks for: its name says what is in it.
    fn send_file(&mut self) -> Ended {
        let content: &[u8] = match &self.last()[1..] {
            b"three_rows" => b"1\tone\n2\ttwo\n3\t\\N\n",
            b"odd_rows" => b"1,2\nx,y\n7\n8,9,10\n",
            _ => b"",
        };
        let mut seq = self.packets.last().expect("a packet").seq.wrapping_add(1);
        if !content.is_empty() {
            self.send(seq, content)?;
            seq = seq.wrapping_add(1);
        }
        self.send(seq, b"")
    }

    fn status_of_ok(&self) -> u16 {
        let payload = self.last();
        let (_, affected) = lenenc(&payload[1..]);
        let (_, id) = lenenc(&payload[1 + affected..]);
        let at = 1 + affected + id;
        u16::from_le_bytes([payload[at], payload[at + 1]])
    }

    fn last(&self) -> &[u8] {
        &self.packets.last().expect("a packet").payload
    }

    fn take(&mut self, ended: Ended) -> Reply {
        let end = match ended {
            Ok(()) => End::Whole,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => End::Silent,
            Err(_) => End::Closed,
        };
        Reply { packets: std::mem::take(&mut self.packets), end }
    }

    pub fn send(&mut self, seq: u8, payload: &[u8]) -> Ended {
        let length = u32::try_from(payload.len()).expect("a small payload").to_le_bytes();
        let packet = [&[length[0], length[1], length[2], seq], payload].concat();
        self.stream.get_mut().write_all(&packet)
    }

    /// Reads a packet, joined where it comes in parts; its first byte.
    fn read(&mut self) -> io::Result<u8> {
        let mut payload = Vec::new();
        loop {
            let mut header = [0; 4];
            self.stream.read_exact(&mut header)?;
            let length = u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize;
            let from = payload.len();
            payload.resize(from + length, 0);
            self.stream.read_exact(&mut payload[from..])?;
            if length < 0xFF_FFFF {
                // An empty packet is as good as one that begins with nothing known.
                let first = payload.first().copied().unwrap_or(0x02);
                self.packets.push(Packet { seq: header[3], payload });
                return Ok(first);
            }
        }
    }
}

fn put_values<'a>(command: &mut Vec<u8>, count: usize, named: bool, value: impl Fn(usize) -> &'a Option<Value>) {
    let mut nulls = vec![0; count.div_ceil(8)];
    let (mut types, mut bytes) = (Vec::new(), Vec::new());
    for at in 0..count {
        let code = match value(at) {
            Some(Value::Null) => {
                nulls[at / 8] |= 1 << (at % 8);
                6
            }
            Some(Value::Int(number)) => {
                bytes.extend(number.to_le_bytes());
                8
            }
            Some(Value::Double(number)) => {
                bytes.extend(number.to_le_bytes());
                5
            }
            Some(Value::Text(text)) => {
                bytes.push(u8::try_from(text.len()).expect("a short text"));
                bytes.extend(text.as_bytes());
                253
            }
            // What was sent as long data has a type and no value.
            None => 252,
        };
        types.extend([code, 0]);
        if named {
            types.push(0);
        }
    }
    command.extend(nulls);
    command.push(1);
    command.extend(types);
    command.extend(bytes);
}

fn status_of_eof(payload: &[u8]) -> u16 {
    u16::from_le_bytes([payload[3], payload[4]])
}

/// A length-encoded number and how many bytes it took.
pub fn lenenc(bytes: &[u8]) -> (u64, usize) {
    let wide = |width: usize| {
        let mut number = [0; 8];
        number[..width].copy_from_slice(&bytes[1..=width]);
        (u64::from_le_bytes(number), width + 1)
    };
    match bytes[0] {
        0xFC => wide(2),
        0xFD => wide(3),
        0xFE => wide(8),
        small => (u64::from(small), 1),
    }
}
