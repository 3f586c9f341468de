//! KILL by a client's id reaches the backend that serves that client now. Ids that are no client's pass untouched:
//! they are the server's own.

use std::ops::Range;

use crate::proxy::clients::{Clients, Victim};
use crate::sql::kill::{Target, kill, may_be_kill};
use crate::sql::lexer::Dialect;
use crate::wire::command::PROCESS_KILL;
use crate::wire::fault::ErrPacket;
use crate::wire::frame::{HEADER, put_packet};

/// A KILL that goes to the backend of the client that is killed, by the id that the server knows.
#[derive(Debug)]
pub struct Mapped {
    /// The backend's id.
    pub there: u32,
    /// Until it is dropped, that backend serves nobody else. `None`: oneself.
    pub victim: Option<Victim>,
    /// The client's id.
    pub id: u32,
}

impl Mapped {
    /// The client of this id, with its backend; `None`: it has none just now, or is no client.
    pub fn of(clients: &Clients, id: u32) -> Option<Mapped> {
        let victim = clients.victim(id)?;
        let there = victim.backend();
        (there != 0).then_some(Mapped { there, victim: Some(victim), id })
    }

    /// The server's refusal by the client's id.
    pub fn in_client_ids(&self, refused: ErrPacket) -> ErrPacket {
        let message = refused.text().replace(&self.there.to_string(), &self.id.to_string()).into_bytes();
        ErrPacket { message, ..refused }
    }
}

/// The packet with the client's id replaced, if it is a KILL of one; `text`: where the statement stands in it.
pub fn mapped_query(clients: &Clients, packet: &[u8], text: Range<usize>, mariadb: bool) -> Option<(Vec<u8>, Mapped)> {
    let sql = packet.get(text.clone())?;
    if !may_be_kill(sql) {
        return None;
    }
    let found = kill(sql, Dialect { mariadb, ..Dialect::default() }).filter(|kill| kill.target != Target::QueryId)?;
    let mapped = Mapped::of(clients, u32::try_from(found.id).ok()?)?;
    let at = text.start + found.number.start..text.start + found.number.end;
    let payload = [&packet[HEADER..at.start], mapped.there.to_string().as_bytes(), &packet[at.end..]].concat();
    let mut out = Vec::new();
    put_packet(&mut out, 0, &payload);
    Some((out, mapped))
}

/// The same for COM_PROCESS_KILL.
pub fn mapped_command(clients: &Clients, packet: &[u8]) -> Option<(Vec<u8>, Mapped)> {
    let id = packet.get(HEADER + 1..HEADER + 5)?.try_into().ok().map(u32::from_le_bytes)?;
    let mapped = Mapped::of(clients, id)?;
    let mut out = Vec::new();
    put_packet(&mut out, 0, &[&[PROCESS_KILL][..], &mapped.there.to_le_bytes()].concat());
    Some((out, mapped))
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
            mapped_query(&clients, &packet, 5..packet.len(), true).map(|(packet, _)| packet)
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
        let (mapped, kill) = mapped_command(&clients, &packet(one.id)).expect("a client's");
        assert_eq!(mapped, packet(0x0102));
        assert!(one.is_being_killed());
        let refused = kill.in_client_ids(ErrPacket::new(1094, b"HY000", "Unknown thread id: 258"));
        assert_eq!(refused.text(), format!("Unknown thread id: {}", one.id));
        drop(kill);
        assert!(!one.is_being_killed());
        assert!(mapped_command(&clients, &packet(5)).is_none());
    }
}
