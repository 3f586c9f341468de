//! SHOW PROCESSLIST and COM_PROCESS_INFO name clients by the ids that tidegate gave them: the ids that drivers have from
//! their greeting and look for in the list. Connections that serve no client keep the server's ids.

use rustc_hash::FxHashMap;

use crate::sql::lexer::{Dialect, Kind, Lexer};
use crate::wire::capabilities::{Capabilities, DEPRECATE_EOF};
use crate::wire::frame::{Fields, put_lenenc_bytes, put_packet};
use crate::wire::whole_packets::WholePackets;

/// A longer list goes through with the server's ids.
pub const MAX_LIST: usize = 4 << 20;

/// Whether `sql` is SHOW [FULL] PROCESSLIST. Nearly every other statement is told by its first two bytes.
pub fn is_processlist(sql: &[u8]) -> bool {
    if !matches!(sql, [b's' | b'S', b'h' | b'H', ..] | [b' ' | b'\t' | b'\n' | b'\r' | b'/' | b'-' | b'#', ..]) {
        return false;
    }
    let mut words = Lexer::new(sql, Dialect::default())
        .filter(|token| token.kind != Kind::Semicolon)
        .map(|token| (token.kind, &sql[token.start..token.end]));
    let mut next_is =
        |word: &[u8]| words.next().is_some_and(|(kind, text)| kind == Kind::Word && text.eq_ignore_ascii_case(word));
    if !next_is(b"show") {
        return false;
    }
    match words.next() {
        Some((_, word)) if word.eq_ignore_ascii_case(b"processlist") => words.next().is_none(),
        Some((_, word)) if word.eq_ignore_ascii_case(b"full") => {
            words.next().is_some_and(|(_, word)| word.eq_ignore_ascii_case(b"processlist")) && words.next().is_none()
        }
        _ => false,
    }
}

/// The whole reply with the ids of backends (the keys) replaced by those of their clients. `None`: it is no list.
pub fn mapped(reply: &[u8], caps: Capabilities, clients: &FxHashMap<u32, u32>) -> Option<Vec<u8>> {
    let mut packets = WholePackets::new(reply);
    let mut out = Vec::with_capacity(reply.len() + 64);
    let (header, head) = packets.next()?;
    let definitions = Fields::new(head).lenenc().filter(|_| !matches!(head.first(), Some(0 | 0xFB..)))?;
    put_packet(&mut out, header.seq, head);
    for _ in 0..definitions + u64::from(!caps.has(DEPRECATE_EOF)) {
        let (header, definition) = packets.next()?;
        put_packet(&mut out, header.seq, definition);
    }
    for (header, row) in packets.by_ref() {
        match mapped_row(row, clients) {
            Some(row) => put_packet(&mut out, header.seq, &row),
            None => put_packet(&mut out, header.seq, row),
        };
    }
    packets.is_at_end().then_some(out)
}

/// A row of the text protocol begins with its first column, the id in digits.
fn mapped_row(row: &[u8], clients: &FxHashMap<u32, u32>) -> Option<Vec<u8>> {
    let mut fields = Fields::new(row);
    let id: u32 = std::str::from_utf8(fields.lenenc_bytes()?).ok()?.parse().ok()?;
    let client = clients.get(&id)?;
    let mut out = Vec::with_capacity(row.len() + 10);
    put_lenenc_bytes(&mut out, client.to_string().as_bytes());
    out.extend_from_slice(fields.rest());
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_is_told_from_others() {
        for sql in ["show processlist", "SHOW FULL PROCESSLIST;", "/* x */ show\nprocesslist"] {
            assert!(is_processlist(sql.as_bytes()), "{sql}");
        }
        for sql in ["show processlist where id = 1", "show full tables", "select 1", "show", "shutdown"] {
            assert!(!is_processlist(sql.as_bytes()), "{sql}");
        }
    }

    fn list(first: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let eof = [0xFE, 0, 0, 2, 0];
        let rows = [first, b"\x0212\x03bob"];
        let payloads = [&[2][..], b"def", b"def", &eof, rows[0], rows[1], &eof];
        payloads.iter().fold(1, |seq, payload| put_packet(&mut out, seq, payload));
        out
    }

    #[test]
    fn a_clients_backend_gets_its_clients_id() {
        let clients = FxHashMap::from_iter([(7, 0x4000_0001)]);
        let told = mapped(&list(b"\x017\x03eve"), Capabilities::NONE, &clients);
        assert_eq!(told, Some(list(b"\x0a1073741825\x03eve")));
    }

    #[test]
    fn what_is_no_list_is_left_alone() {
        let clients = FxHashMap::default();
        let mut refused = Vec::new();
        put_packet(&mut refused, 1, b"\xFF\x01\x02no");
        assert_eq!(mapped(&refused, Capabilities::NONE, &clients), None);
        let whole = list(b"\x017\x03eve");
        assert_eq!(mapped(&whole[..whole.len() - 3], Capabilities::NONE, &clients), None);
    }
}
