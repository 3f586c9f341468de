//! What cannot be equal in two runs: the schema's name, connection ids, statement ids, the server's uptime.

use super::action::Action;
use super::wire::{Packet, Reply, lenenc};
use tidegate::wire::trackers::Tracked;

/// What a run knows of itself.
pub struct Known<'a> {
    pub schema: &'a str,
    /// Each session's ids: the greeting's, and where it is another the server's.
    pub ids: &'a [Vec<u32>],
    /// The ids of this connection's prepared statements.
    pub statements: &'a [u32],
    /// The reply may hold connection ids.
    pub shows_ids: bool,
}

/// The reply as it can be compared.
pub fn mask(mut reply: Reply, action: &Action, known: &Known<'_>) -> Reply {
    for (number, packet) in reply.packets.iter_mut().enumerate() {
        let payload = &mut packet.payload;
        match action {
            Action::Prepare(..) if number == 0 && payload.first() == Some(&0) => payload[1..5].fill(0),
            Action::Statistics => *payload = without_numbers(payload),
            _ => {}
        }
        if payload.first() == Some(&0xFF) {
            statement_ids(payload, known.statements);
            host_of_account(payload);
        }
        if known.shows_ids {
            connection_ids(payload, known.ids, matches!(action, Action::Execute { .. } | Action::Fetch(..)));
        }
        schema(payload, known.schema);
        user_variable(payload);
        legacy_eof(payload);
        trackers_in_order(payload);
    }
    reply
}

/// A refusal names the client's host: the server may know a name of it, tidegate knows its address.
fn host_of_account(payload: &mut [u8]) {
    const ADDRESS: &[u8; 13] = b"'@'127.0.0.1'";
    const NAME: &[u8; 13] = b"'@'localhost'";
    if let Some(at) = payload.windows(ADDRESS.len()).position(|bytes| bytes == ADDRESS) {
        payload[at..at + NAME.len()].copy_from_slice(NAME);
    }
}

/// MariaDB's legacy EOF says that the session has changed where a statement ran in the schema of its birth, and cannot
/// say what: tidegate says nothing.
fn legacy_eof(payload: &mut [u8]) {
    if let [0xFE, _, _, _, high] = payload {
        *high &= !0x40;
    }
}

/// A user variable that is NULL is described as it was before, or as one that never was: length, type and decimals.
fn user_variable(payload: &mut [u8]) {
    const DEFINITION: &[u8] = b"\x03def\x00\x00\x00";
    let name = payload.strip_prefix(DEFINITION).map(|rest| (usize::from(rest[0]), rest.get(1..3).unwrap_or_default()));
    if let Some((length, [b'@', second])) = name.filter(|(_, start)| start.len() == 2)
        && *second != b'@'
    {
        // Behind the name: the original name, the fixed part's length, the character set.
        let at = DEFINITION.len() + 1 + length + 1 + 1 + 2;
        if let Some(described) = payload.get_mut(at..at + 8) {
            described[..5].fill(0);
            described[7] = 0;
        }
    }
}

/// MariaDB announces the variables of one statement in the order of a hash of the list that the connection asked for.
fn trackers_in_order(payload: &mut Vec<u8>) {
    let Some(tracked) = Tracked::parse(payload).filter(|_| matches!(payload[0], 0 | 0xFE)) else { return };
    let mut variables: Vec<_> = tracked.trackers.map(|tracker| format!("{tracker:?}")).collect();
    if variables.len() > 1 {
        variables.sort();
        *payload = [tracked.head, tracked.info, variables.concat().as_bytes()].concat();
    }
}

/// All names of schemas are of one length, so this changes nothing else.
fn schema(payload: &mut [u8], name: &str) {
    let name = name.as_bytes();
    let mut at = 0;
    while at + name.len() <= payload.len() {
        if payload[at..].starts_with(name) {
            payload[at..at + name.len()].fill(b'~');
            at += name.len();
        } else {
            at += 1;
        }
    }
}

fn connection_ids(payload: &mut Vec<u8>, ids: &[Vec<u32>], binary: bool) {
    match payload.first() {
        Some(0xFF) => *payload = numbers_replaced(payload, ids),
        Some(0) if binary => binary_row(payload, ids),
        _ => {
            if let Some(row) = text_row(payload, ids) {
                *payload = row;
            }
        }
    }
}

/// A row of texts, if it is one: each cell that is a known id replaced by whose it is.
fn text_row(payload: &[u8], ids: &[Vec<u32>]) -> Option<Vec<u8>> {
    let mut masked = Vec::new();
    let mut rest = payload;
    while let Some(&first) = rest.first() {
        if first == 0xFB {
            masked.push(first);
            rest = &rest[1..];
            continue;
        }
        if first > 0xFA {
            return None;
        }
        let (length, width) = lenenc(rest);
        let cell = rest.get(width..width + usize::try_from(length).ok()?)?;
        match whose(cell, ids) {
            Some(session) => masked.extend(format!("<id of s{session}>").bytes()),
            None => masked.extend(&rest[..width + cell.len()]),
        }
        rest = &rest[width + cell.len()..];
    }
    Some(masked)
}

fn whose(cell: &[u8], ids: &[Vec<u32>]) -> Option<usize> {
    let number = std::str::from_utf8(cell).ok()?.parse::<u32>().ok()?;
    ids.iter().position(|ids| ids.contains(&number))
}

fn binary_row(payload: &mut [u8], ids: &[Vec<u32>]) {
    for (session, ids) in ids.iter().enumerate() {
        for id in ids {
            let number = id.to_le_bytes();
            while let Some(at) = payload.windows(4).skip(2).position(|window| window == number) {
                payload[at + 2..at + 6].copy_from_slice(&[b'i', b'd', b's', b'0' + session as u8]);
            }
        }
    }
}

fn numbers_replaced(payload: &[u8], ids: &[Vec<u32>]) -> Vec<u8> {
    let mut masked = Vec::new();
    let mut rest = payload;
    while let Some(&byte) = rest.first() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        match (digits > 0).then(|| whose(&rest[..digits], ids)).flatten() {
            Some(session) => masked.extend(format!("<id of s{session}>").bytes()),
            None if digits > 0 => masked.extend(&rest[..digits]),
            None => masked.push(byte),
        }
        rest = &rest[digits.max(1)..];
    }
    masked
}

/// "Unknown prepared statement handler (7) given to ..", "The statement (7) has no open cursor".
fn statement_ids(payload: &mut Vec<u8>, ids: &[u32]) {
    let text = String::from_utf8_lossy(payload);
    let known = ids.iter().map(|id| format!("({id})")).find(|id| text.contains(id));
    if let Some(id) = known.filter(|_| text.contains("statement")) {
        *payload = text.replace(&id, "(id)").into_bytes();
    }
}

fn without_numbers(payload: &[u8]) -> Vec<u8> {
    let text = payload.iter().copied().filter(|byte| !byte.is_ascii_digit() && *byte != b'.');
    text.collect()
}

#[test]
fn ids_are_masked_where_they_are_whole_values() {
    let ids = [vec![12], vec![1_073_741_824, 7]];
    let mut row = b"\x0212\x01x\xFB\x0212\x03123".to_vec();
    connection_ids(&mut row, &ids, false);
    assert_eq!(row, b"<id of s0>\x01x\xFB<id of s0>\x03123");
    let mut error = b"\xFF\x46\x04#HY000Unknown thread id: 7".to_vec();
    connection_ids(&mut error, &ids, false);
    assert!(error.ends_with(b"id: <id of s1>"));
    let mut binary = b"\0\0\x0C\0\0\0\x0C\0\0\0\0\0\0\0".to_vec();
    connection_ids(&mut binary, &ids, true);
    assert_eq!(binary, b"\0\0ids0ids0\0\0\0\0");
    let packet = Packet { seq: 1, payload: b"\x09tg_00000a!".to_vec() };
    let reply = Reply { packets: vec![packet], end: super::wire::End::Whole };
    let known = Known { schema: "tg_00000a", ids: &[], statements: &[], shows_ids: false };
    assert_eq!(mask(reply, &Action::Ping, &known).packets[0].payload, b"\x09~~~~~~~~~!");
}
