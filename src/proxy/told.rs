//! Mode `transaction`: what replies about prepared statements say of columns and ids, in the client's terms.

use std::sync::Arc;

use crate::proxy::client::Session;
use crate::proxy::exchange::Exchange;
use crate::session::statements::Shape;
use crate::wire::frame::{Fields, HEADER, Header, put_packet};
use crate::wire::status::METADATA_CHANGED;

impl Session {
    /// An execution has told the client of the statement's columns, as they are now.
    pub(super) fn note_columns(&mut self, exchange: &Exchange) {
        let facts = &exchange.reply.facts;
        let is_told = exchange.has_new_columns || facts.status_seen & METADATA_CHANGED != 0;
        let Session { lease, shared, .. } = self;
        let (Some(shared), Some(id)) = (shared.as_mut().filter(|_| is_told), exchange.statement) else { return };
        let Some(prepared) = shared.statements.get(id) else { return };
        let (template, shape) = (Arc::clone(&prepared.template), Shape { columns: facts.columns, ..prepared.shape });
        shared.statements.set_shape(id, shape);
        lease.backend_mut().kept.statements.set_shape(&template, shape);
    }
}

/// What a server says with the result of a statement that has other columns than when it was prepared.
pub(super) fn say_new_columns(reply: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = reply.get(at..).and_then(Header::read) {
        let end = at + header.packet_len();
        let Some(payload) = reply.get_mut(at + HEADER..end) else { return };
        // No column's definition begins so, nor a row.
        if let Some(status) = (payload.first() == Some(&0xFE)).then(|| status_place(payload)).flatten() {
            payload[status + 1] |= (METADATA_CHANGED >> 8) as u8;
        }
        at = end;
    }
}

/// Where the status flags of a legacy EOF or of an OK in its place are.
fn status_place(payload: &[u8]) -> Option<usize> {
    if payload.len() == 5 {
        return Some(3);
    }
    let mut fields = Fields::new(&payload[1..]);
    fields.lenenc()?;
    fields.lenenc()?;
    let place = payload.len() - fields.rest().len();
    (place + 2 <= payload.len()).then_some(place)
}

/// An error about a statement by the backend's id, in the client's words.
pub(super) fn with_own_id(reply: &mut Vec<u8>, (backend_id, id): (u32, u32)) {
    if reply.get(HEADER) != Some(&0xFF) {
        return;
    }
    let (theirs, own) = (format!("({backend_id})"), format!("({id})"));
    let Some(at) = memchr::memmem::find(&reply[HEADER..], theirs.as_bytes()) else { return };
    let (at, seq) = (HEADER + at, reply[HEADER - 1]);
    let payload = [&reply[HEADER..at], own.as_bytes(), &reply[at + theirs.len()..]].concat();
    reply.clear();
    put_packet(reply, seq, &payload);
}
