//! Tables as result sets, in the text and the binary protocol. Pure.

use crate::admin::table::{Cell, Column, Kind, Table};
use crate::wire::capabilities::{Capabilities, DEPRECATE_EOF};
use crate::wire::frame::{put_lenenc, put_lenenc_bytes, put_packet};
use crate::wire::ok::Ok as OkPacket;
use crate::wire::status::AUTOCOMMIT;

/// utf8mb4_general_ci
const TEXT: u16 = 45;
/// The charset of numbers.
const BINARY: u16 = 63;
/// Column flags: BINARY, NUM.
const NUMBER: u16 = 128 | 32768;
/// Column flag: UNSIGNED.
const UNSIGNED: u16 = 32;

const LONGLONG: u8 = 8;
const DOUBLE: u8 = 5;
const VAR_STRING: u8 = 253;

/// A reply in the making: packets with their sequence ids.
pub struct Reply {
    out: Vec<u8>,
    seq: u8,
    capabilities: Capabilities,
}

impl Reply {
    /// The reply to a command.
    pub fn new(capabilities: Capabilities) -> Reply {
        Reply { out: Vec::new(), seq: 1, capabilities }
    }

    /// One packet.
    pub fn packet(mut self, payload: &[u8]) -> Reply {
        self.put(payload);
        self
    }

    /// OK, with a word about it.
    pub fn ok(self, info: &str) -> Reply {
        let mut payload = OkPacket { status: AUTOCOMMIT, ..OkPacket::default() }.payload();
        if !info.is_empty() {
            put_lenenc_bytes(&mut payload, info.as_bytes());
        }
        self.packet(&payload)
    }

    /// A result set of the text protocol.
    pub fn text(self, table: &Table) -> Reply {
        self.rows(table, text_row)
    }

    /// A result set of the binary protocol.
    pub fn binary(self, table: &Table) -> Reply {
        self.rows(table, binary_row)
    }

    /// What COM_STMT_PREPARE is answered with: no parameters, and the columns of the result (`None`: it has none).
    pub fn prepared(mut self, id: u32, table: Option<&Table>) -> Reply {
        let columns = table.map_or(&[][..], |table| &table.columns);
        let mut head = vec![0];
        head.extend_from_slice(&id.to_le_bytes());
        head.extend_from_slice(&u16::try_from(columns.len()).unwrap_or(u16::MAX).to_le_bytes());
        // No parameters, a filler, no warnings.
        head.extend_from_slice(&[0; 5]);
        self.put(&head);
        if !columns.is_empty() {
            self.definitions(columns);
        }
        self
    }

    /// The end of a list without rows (COM_FIELD_LIST), or of what is only acknowledged (COM_SET_OPTION).
    pub fn end(mut self) -> Reply {
        self.put_end();
        self
    }

    /// The bytes.
    pub fn bytes(self) -> Vec<u8> {
        self.out
    }

    fn rows(mut self, table: &Table, row_of: fn(&[Cell], &[Column]) -> Vec<u8>) -> Reply {
        let mut head = Vec::new();
        put_lenenc(&mut head, table.columns.len() as u64);
        self.put(&head);
        self.definitions(&table.columns);
        for row in &table.rows {
            self.put(&row_of(row, &table.columns));
        }
        self.put_end();
        self
    }

    fn definitions(&mut self, columns: &[Column]) {
        columns.iter().for_each(|column| self.put(&definition(column)));
        if !self.capabilities.has(DEPRECATE_EOF) {
            self.put_end();
        }
    }

    fn put_end(&mut self) {
        let payload = match self.capabilities.has(DEPRECATE_EOF) {
            true => {
                let mut payload = OkPacket { status: AUTOCOMMIT, ..OkPacket::default() }.payload();
                payload[0] = 0xFE;
                payload
            }
            false => [&[0xFE, 0, 0][..], &AUTOCOMMIT.to_le_bytes()].concat(),
        };
        self.put(&payload);
    }

    fn put(&mut self, payload: &[u8]) {
        self.seq = put_packet(&mut self.out, self.seq, payload);
    }
}

fn definition(column: &Column) -> Vec<u8> {
    let (kind, charset, length, flags, decimals) = match column.kind {
        Kind::Text => (VAR_STRING, TEXT, 4 * 1024_u32, 0, 0),
        Kind::Count => (LONGLONG, BINARY, 20, NUMBER | UNSIGNED, 0),
        Kind::Real => (DOUBLE, BINARY, 22, NUMBER, 6),
    };
    let mut out = Vec::new();
    for text in ["def", "tidegate", "", ""] {
        put_lenenc_bytes(&mut out, text.as_bytes());
    }
    put_lenenc_bytes(&mut out, column.name.as_bytes());
    put_lenenc_bytes(&mut out, column.name.as_bytes());
    // The length of what follows.
    out.push(12);
    out.extend_from_slice(&charset.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.push(kind);
    out.extend_from_slice(&flags.to_le_bytes());
    out.extend_from_slice(&[decimals, 0, 0]);
    out
}

fn text_row(row: &[Cell], _: &[Column]) -> Vec<u8> {
    let mut out = Vec::new();
    for cell in row {
        match cell.shown() {
            Some(text) => put_lenenc_bytes(&mut out, text.as_bytes()),
            None => out.push(0xFB),
        }
    }
    out
}

/// Each value in the form of its column's type, whatever the cell holds.
fn binary_row(row: &[Cell], columns: &[Column]) -> Vec<u8> {
    // The first two bits of the bitmap are nobody's.
    let mut nulls = vec![0_u8; (row.len() + 9) / 8];
    let mut values = Vec::new();
    for (at, (cell, column)) in row.iter().zip(columns).enumerate() {
        match (column.kind, cell) {
            (_, Cell::Null) => nulls[(at + 2) / 8] |= 1 << ((at + 2) % 8),
            (Kind::Count, Cell::Count(count)) => values.extend_from_slice(&count.to_le_bytes()),
            (Kind::Count, Cell::Real(real)) => values.extend_from_slice(&(*real as u64).to_le_bytes()),
            (Kind::Real, Cell::Real(real)) => values.extend_from_slice(&real.to_le_bytes()),
            (Kind::Real, Cell::Count(count)) => values.extend_from_slice(&(*count as f64).to_le_bytes()),
            (Kind::Count | Kind::Real, Cell::Text(_)) => nulls[(at + 2) / 8] |= 1 << ((at + 2) % 8),
            (Kind::Text, cell) => put_lenenc_bytes(&mut values, cell.shown().unwrap_or_default().as_bytes()),
        }
    }
    [&[0][..], &nulls, &values].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::command::Shape;
    use crate::wire::reply::{Reply as Seen, Verdict};

    fn table() -> Table {
        let mut table = Table::new(&[("a", Kind::Text), ("b", Kind::Count), ("c", Kind::Real)]);
        table.push(vec!["x".into(), Cell::Count(7), Cell::Real(0.5)]);
        table.push(vec![Cell::Null, Cell::Null, Cell::Null]);
        table
    }

    #[test]
    fn a_client_finds_the_end_of_each_reply_and_counts_the_rows() {
        for capabilities in [Capabilities::NONE, DEPRECATE_EOF] {
            for bytes in
                [Reply::new(capabilities).text(&table()).bytes(), Reply::new(capabilities).binary(&table()).bytes()]
            {
                let mut seen = Seen::new(Shape::Results, capabilities, 1);
                assert!(matches!(seen.scan(&bytes), (n, Verdict::Done) if n == bytes.len()));
                assert_eq!(seen.facts.rows, 2);
            }
            let bytes = Reply::new(capabilities).prepared(5, Some(&table())).bytes();
            let mut seen = Seen::new(Shape::Prepare, capabilities, 1);
            assert!(matches!(seen.scan(&bytes), (n, Verdict::Done) if n == bytes.len()));
            assert_eq!((seen.facts.prepared, seen.facts.prepared_columns), (Some((5, 0)), 3));
        }
    }

    #[test]
    fn binary_rows_say_what_is_null() {
        let table = table();
        let rows: Vec<_> = table.rows.iter().map(|row| binary_row(row, &table.columns)).collect();
        assert_eq!(rows[0], [&[0, 0, 1, b'x'][..], &7_u64.to_le_bytes(), &0.5_f64.to_le_bytes()].concat());
        assert_eq!(rows[1], [0, 0b0001_1100]);
    }
}
