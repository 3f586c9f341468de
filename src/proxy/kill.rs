//! KILL by a client's id reaches the backend that serves that client now. Ids that are no client's pass untouched:
//! they are the server's own.

use std::ops::Range;

use crate::proxy::clients::Clients;
use crate::sql::kill::{Target, kill, may_be_kill};
use crate::sql::lexer::Dialect;
use crate::wire::command::PROCESS_KILL;
use crate::wire::frame::{HEADER, put_packet};

/// The packet with the client's id replaced, if it is a KILL of one; `text`: where the statement stands in it.
pub fn mapped_query(clients: &Clients, packet: &[u8], text: Range<usize>, mariadb: bool) -> Option<Vec<u8>> {
    let sql = packet.get(text.clone())?;
    if !may_be_kill(sql) {
        return None;
    }
    let found = kill(sql, Dialect { mariadb, ..Dialect::default() }).filter(|kill| kill.target != Target::QueryId)?;
    let backend = clients.backend_of(u32::try_from(found.id).ok()?)?;
    let at = text.start + found.number.start..text.start + found.number.end;
    let payload = [&packet[HEADER..at.start], backend.to_string().as_bytes(), &packet[at.end..]].concat();
    let mut out = Vec::new();
    put_packet(&mut out, 0, &payload);
    Some(out)
}

/// The same for COM_PROCESS_KILL.
pub fn mapped_command(clients: &Clients, packet: &[u8]) -> Option<Vec<u8>> {
    let id = packet.get(HEADER + 1..HEADER + 5)?.try_into().ok().map(u32::from_le_bytes)?;
    let backend = clients.backend_of(id)?;
    let mut out = Vec::new();
    put_packet(&mut out, 0, &[&[PROCESS_KILL][..], &backend.to_le_bytes()].concat());
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn query(sql: &str) -> Vec<u8> {
        let mut out = Vec::new();
        put_packet(&mut out, 0, &[b"\x03", sql.as_bytes()].concat());
        out
    }

    #[test]
    fn a_clients_id_becomes_its_backends() {
        let clients = Arc::new(Clients::default());
        let one = clients.admit(10).expect("room");
        one.set_backend(77);
        let mapped = |sql: &str| {
            let packet = query(sql);
            mapped_query(&clients, &packet, 5..packet.len(), true)
        };
        assert_eq!(mapped(&format!("KILL QUERY {} ;", one.id)), Some(query("KILL QUERY 77 ;")));
        assert_eq!(mapped(&format!("/* x */ kill {}", one.id)), Some(query("/* x */ kill 77")));
        assert_eq!(mapped("KILL 12"), None);
        assert_eq!(mapped(&format!("KILL QUERY ID {}", one.id)), None);
        assert_eq!(mapped(&format!("SELECT {}", one.id)), None);
    }

    #[test]
    fn the_old_command_is_mapped_too() {
        let clients = Arc::new(Clients::default());
        let one = clients.admit(10).expect("room");
        one.set_backend(0x0102);
        let packet = |id: u32| {
            let mut out = Vec::new();
            put_packet(&mut out, 0, &[&[PROCESS_KILL][..], &id.to_le_bytes()].concat());
            out
        };
        assert_eq!(mapped_command(&clients, &packet(one.id)), Some(packet(0x0102)));
        assert_eq!(mapped_command(&clients, &packet(5)), None);
    }
}
