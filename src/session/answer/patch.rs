//! A whole reply with some of its cells or rows replaced; its definitions and its end stay the server's own.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use crate::wire::capabilities::{
    Capabilities, DEPRECATE_EOF, MARIADB_CACHE_METADATA, MARIADB_EXTENDED_METADATA, OPTIONAL_RESULTSET_METADATA,
};
use crate::wire::frame::{Fields, Header, put_lenenc_bytes, put_packet};
use crate::wire::ok::Ok;
use crate::wire::status::CURSOR_EXISTS;
use crate::wire::whole_packets::WholePackets;

/// What stands in a cell instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    Number(i128),
    /// The id of the client that the backend with the id in the cell serves.
    Client,
}

/// A field of a row that the server did not send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    Number(u64),
    Text(Box<[u8]>),
}

/// A row that the server did not send.
pub(super) type Row = Vec<Field>;

/// What is replaced in a reply. The results that it is about are counted from 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Patch {
    /// By the result, and the place in each of its rows.
    cells: BTreeMap<(usize, usize), Value>,
    rows: BTreeMap<usize, Vec<Row>>,
    /// Columns of connection ids, by their definitions.
    ids: BTreeSet<usize>,
}

impl Patch {
    pub(super) fn is_empty(&self) -> bool {
        self.cells.is_empty() && self.rows.is_empty() && self.ids.is_empty()
    }

    pub(super) fn cell(&mut self, result: usize, place: usize, value: Value) {
        self.cells.entry((result, place)).or_insert(value);
    }

    pub(super) fn rows(&mut self, result: usize, rows: Vec<Row>) {
        self.rows.entry(result).or_insert(rows);
    }

    pub(super) fn ids(&mut self, result: usize, countable: bool) {
        if countable {
            self.ids.insert(result);
        }
    }

    /// The client's reply from the backend's whole reply; `binary`: to COM_STMT_EXECUTE. `clients`: the clients' ids by
    /// their backends' ids. `None`: the reply is not what it should be, or definitions that are needed were left out.
    pub fn apply(
        &self,
        reply: &[u8],
        caps: Capabilities,
        binary: bool,
        clients: &FxHashMap<u32, u32>,
    ) -> Option<Vec<u8>> {
        self.apply_from(0, reply, caps, binary, clients)
    }

    /// The same of the rest of a reply, which begins with the result `first`.
    pub fn apply_from(
        &self,
        first: usize,
        reply: &[u8],
        caps: Capabilities,
        binary: bool,
        clients: &FxHashMap<u32, u32>,
    ) -> Option<Vec<u8>> {
        let mut out = Out { bytes: Vec::with_capacity(reply.len() + 64), seq: None };
        let mut packets = WholePackets::new(reply);
        let mut result = first;
        while !packets.is_at_end() {
            Scan { caps, binary, clients, patch: self, result }.result(&mut packets, &mut out)?;
            result += 1;
        }
        Some(out.bytes)
    }
}

struct Out {
    bytes: Vec<u8>,
    seq: Option<u8>,
}

impl Out {
    fn put(&mut self, header: Header, payload: &[u8]) {
        let seq = self.seq.unwrap_or(header.seq);
        self.seq = Some(put_packet(&mut self.bytes, seq, payload));
    }
}

#[derive(Debug, Clone, Copy)]
struct Column {
    kind: u8,
    change: Option<Value>,
}

struct Scan<'a> {
    caps: Capabilities,
    binary: bool,
    clients: &'a FxHashMap<u32, u32>,
    patch: &'a Patch,
    result: usize,
}

impl Scan<'_> {
    fn result(&self, packets: &mut WholePackets<'_>, out: &mut Out) -> Option<()> {
        let (header, head) = packets.next()?;
        out.put(header, head);
        if matches!(head.first(), Some(0 | 0xFB..) | None) {
            return Some(());
        }
        let columns = self.columns(head, packets, out)?;
        let rows = self.patch.rows.get(&self.result);
        if !self.caps.has(DEPRECATE_EOF) {
            let (header, eof) = packets.next()?;
            out.put(header, eof);
            if Ok::parse_eof(eof).is_some_and(|eof| eof.status & CURSOR_EXISTS != 0) {
                return Some(());
            }
        }
        loop {
            let (header, packet) = packets.next()?;
            if self.is_end(packet) {
                for row in rows.into_iter().flatten() {
                    out.put(header, &self.made(row, &columns)?);
                }
                out.put(header, packet);
                return Some(());
            }
            if rows.is_none() {
                let changed = if self.binary { self.binary(packet, &columns) } else { self.text(packet, &columns) };
                out.put(header, &changed?);
            }
        }
    }

    fn is_end(&self, packet: &[u8]) -> bool {
        match packet.first() {
            Some(0xFF) => true,
            Some(0xFE) => self.caps.has(DEPRECATE_EOF) || packet.len() < 9,
            _ => false,
        }
    }

    fn columns(&self, head: &[u8], packets: &mut WholePackets<'_>, out: &mut Out) -> Option<Vec<Column>> {
        let mut fields = Fields::new(head);
        let count = fields.lenenc()?;
        let may_leave_out = self.caps.has(OPTIONAL_RESULTSET_METADATA) || self.caps.has(MARIADB_CACHE_METADATA);
        if may_leave_out && fields.u8() == Some(0) {
            // What is asked for are integers, and the text protocol needs no more.
            let column = |place| Column { kind: LONGLONG, change: self.cell(place) };
            return (!self.binary).then(|| (0..count as usize).map(column).collect());
        }
        let mut columns = Vec::new();
        for at in 0..count {
            let (header, definition) = packets.next()?;
            columns.push(self.column(definition, at as usize)?);
            out.put(header, definition);
        }
        Some(columns)
    }

    fn column(&self, definition: &[u8], at: usize) -> Option<Column> {
        let mut fields = Fields::new(definition);
        let mut texts = [&b""[..]; 6];
        for text in &mut texts {
            *text = fields.lenenc_bytes()?;
        }
        if self.caps.has(MARIADB_EXTENDED_METADATA) {
            fields.lenenc_bytes()?;
        }
        fields.bytes(7)?;
        let [_, _, _, table, name, original] = texts;
        let is = |text: &[u8], word: &str| text.eq_ignore_ascii_case(word.as_bytes());
        let of_table = (is(table, "processlist") && is(original, "id"))
            || (is(table, "metadata_lock_info") && is(original, "thread_id"))
            || is(original, "processlist_id")
            || is(original, "trx_mysql_thread_id");
        let of_show = at == 0 && is(name, "id") && (table.is_empty() || is(table, "processlist"));
        let is_id = (of_table || of_show) && self.patch.ids.contains(&self.result);
        Some(Column { kind: fields.u8()?, change: self.cell(at).or(is_id.then_some(Value::Client)) })
    }

    fn cell(&self, place: usize) -> Option<Value> {
        self.patch.cells.get(&(self.result, place)).copied()
    }

    fn text(&self, row: &[u8], columns: &[Column]) -> Option<Vec<u8>> {
        let mut fields = Fields::new(row);
        let mut out = Vec::with_capacity(row.len() + 16);
        for column in columns {
            if fields.rest().first() == Some(&0xFB) {
                fields.u8();
                out.push(0xFB);
                continue;
            }
            let value = fields.lenenc_bytes()?;
            let old = || std::str::from_utf8(value).ok()?.parse().ok();
            match column.change.and_then(|change| self.number(change, old())) {
                Some(number) => put_lenenc_bytes(&mut out, number.to_string().as_bytes()),
                None => put_lenenc_bytes(&mut out, value),
            }
        }
        Some(out)
    }

    fn number(&self, change: Value, old: Option<i128>) -> Option<i128> {
        match change {
            Value::Number(number) => Some(number),
            Value::Client => {
                let backend = u32::try_from(old?).ok()?;
                self.clients.get(&backend).map(|&client| client.into())
            }
        }
    }

    fn binary(&self, row: &[u8], columns: &[Column]) -> Option<Vec<u8>> {
        let mut fields = Fields::new(row);
        let head = fields.bytes(1 + (columns.len() + 9) / 8)?;
        let mut out = head.to_vec();
        for (place, column) in columns.iter().enumerate() {
            let bit = place + 2;
            if head.get(1 + bit / 8)? & (1 << (bit % 8)) != 0 {
                continue;
            }
            let Some(width) = width(column.kind) else {
                let bytes = fields.lenenc_bytes()?;
                match column.change {
                    // An integer of a width that is not known stands in no such column.
                    Some(_) => return None,
                    None => put_lenenc_bytes(&mut out, bytes),
                }
                continue;
            };
            let bytes = fields.bytes(width)?;
            let mut wide = [0; 8];
            wide[..width].copy_from_slice(bytes);
            let old = Some(i128::from(u64::from_le_bytes(wide)));
            match column.change.and_then(|change| self.number(change, old)) {
                Some(number) => out.extend_from_slice(number.to_le_bytes().get(..width)?),
                None => out.extend_from_slice(bytes),
            }
        }
        Some(out)
    }

    fn made(&self, row: &[Field], columns: &[Column]) -> Option<Vec<u8>> {
        let mut out = if self.binary { vec![0; 1 + (columns.len() + 9) / 8] } else { Vec::new() };
        for (field, column) in row.iter().zip(columns) {
            match field {
                Field::Number(number) if self.binary => {
                    out.extend_from_slice(number.to_le_bytes().get(..width(column.kind)?)?);
                }
                Field::Number(number) => put_lenenc_bytes(&mut out, number.to_string().as_bytes()),
                Field::Text(text) => put_lenenc_bytes(&mut out, text),
            }
        }
        (row.len() == columns.len()).then_some(out)
    }
}

const LONGLONG: u8 = 8;

/// Bytes of a value in a binary row; `None`: its length stands before it (dates and times, too: a byte is enough).
fn width(kind: u8) -> Option<usize> {
    match kind {
        1 => Some(1),
        2 | 13 => Some(2),
        3 | 4 | 9 => Some(4),
        5 | LONGLONG => Some(8),
        _ => None,
    }
}
