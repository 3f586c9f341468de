//! KILLs of clients among several statements in one text: the server runs them by the ids that it knows.
//!
//! Until the text is answered, a victim's backend serves nobody else. For a victim that has none just now the server judges
//! beforehand: in the KILL's place then stands a statement that does nothing, or one that refuses in the server's words.

use crate::proxy::client::Session;
use crate::proxy::clients::Victim;
use crate::proxy::error::Fault;
use crate::proxy::exchange::Exchange;
use crate::proxy::kill_client::Order;
use crate::session::quote::put_string;
use crate::sql::dialect::Dialect;
use crate::sql::flags::Flags;
use crate::sql::kill::{Target, number_in};
use crate::sql::kills::{Among, kills, kills_in_any_mode, may_hold_kills};
use crate::wire::command;
use crate::wire::fault::{CONNECTION_KILLED, ErrPacket, INTERRUPTED, KILL_DENIED, NO_SUCH_THREAD};
use crate::wire::frame::{HEADER, put_packet};
use crate::wire::whole_packets::WholePackets;

/// One KILL of the text that is under way.
pub(super) struct Killing {
    found: Among,
    /// The client's id.
    id: u32,
    /// The backend's id; 0: it has none.
    there: u32,
    /// `None`: oneself.
    victim: Option<Victim>,
}

impl Session {
    fn kills_among(&self, exchange: &Exchange, sql: &[u8]) -> Vec<Among> {
        match &self.shared {
            Some(shared) if exchange.summary.statements > 1 && exchange.summary.flags.has(Flags::KILLS) => {
                kills(sql, shared.dialect)
            }
            None if may_hold_kills(sql) => {
                let mariadb = self.lease.backend().mariadb;
                kills_in_any_mode(sql, Dialect { mariadb, ..Dialect::default() })
            }
            _ => Vec::new(),
        }
    }

    /// Whether the text may hold KILLs that [`Session::plan_kills`] finds.
    pub(super) fn may_hold_kills(&self, exchange: &Exchange, commands: &[u8]) -> bool {
        exchange.code == command::QUERY
            && match &self.shared {
                Some(_) => exchange.summary.statements > 1 && exchange.summary.flags.has(Flags::KILLS),
                None => may_hold_kills(commands.get(exchange.text.clone()).unwrap_or_default()),
            }
    }

    /// Puts the ids of backends for those of clients in the text. `packet`: the command as it came.
    pub(super) async fn plan_kills(&mut self, exchange: &mut Exchange, packet: &[u8]) -> Result<(), Fault> {
        // What stands before the text is the same in both.
        let packet = exchange.instead.as_deref().unwrap_or(packet).to_vec();
        let (head, sql) = packet.split_at(exchange.text.start.min(packet.len()));
        let mut killing = Vec::new();
        let mut text = Vec::with_capacity(sql.len());
        let mut at = 0;
        for found in self.kills_among(exchange, sql) {
            let Some(one) = self.killing(found) else { continue };
            let (range, words) = match (one.there, &one.victim) {
                (0, Some(victim)) => (one.found.span.clone(), in_place(self.may_kill(victim).await?)),
                _ => (one.found.kill.number.clone(), one.there.to_string()),
            };
            text.extend_from_slice(&sql[at..range.start]);
            text.extend_from_slice(words.as_bytes());
            at = range.end;
            killing.push(one);
        }
        if killing.is_empty() {
            return Ok(());
        }
        text.extend_from_slice(&sql[at..]);
        let payload = [&head[HEADER..], &text].concat();
        let mut instead = Vec::with_capacity(payload.len() + HEADER);
        put_packet(&mut instead, 0, &payload);
        exchange.instead = Some(instead);
        exchange.holds_reply = true;
        exchange.among = Some(killing.into());
        Ok(())
    }

    /// `None`: it means no client, or one that only its own connection knows.
    fn killing(&self, found: Among) -> Option<Killing> {
        let id = u32::try_from(found.kill.id).ok()?;
        if id == self.admission.id {
            return Some(Killing { found, id, there: self.lease.backend().id, victim: None });
        }
        let victim = self.proxy.clients.victim(id)?;
        let there = victim.backend();
        (there != 0 || self.is_shared()).then_some(Killing { found, id, there, victim: Some(victim) })
    }

    /// The text was answered: the clients whose KILLs it has reached are killed.
    pub(super) async fn carry_out_kills(&mut self, exchange: &mut Exchange) {
        let (error, results) = (exchange.reply.facts.error, exchange.reply.facts.results);
        for one in exchange.among.take().into_iter().flatten() {
            let passed = usize::try_from(results).is_ok_and(|results| results > one.found.place);
            let query_only = one.found.kill.target == Target::Query;
            let Some(victim) = one.victim else {
                // Its own connection closes behind the error.
                if !query_only && matches!(error, Some(INTERRUPTED | CONNECTION_KILLED)) {
                    self.admission.set_killed();
                }
                continue;
            };
            if error.is_some() && !(one.found.countable && passed) {
                continue;
            }
            let order = Order { id: one.id, victim, query_only, by_command: false };
            // It had none when the text began.
            if one.there == 0 && order.victim.backend() != 0 {
                let _ = self.judge(&order).await;
            }
            order.carry_out();
        }
    }
}

/// What is run for the KILL of a client that has no backend.
fn in_place(judged: Result<(), ErrPacket>) -> String {
    judged.map_or_else(|refused| refusing(&refused), |()| "DO 0".to_owned())
}

/// A statement that is refused so.
fn refusing(refused: &ErrPacket) -> String {
    let state = String::from_utf8_lossy(&refused.state).into_owned();
    let mut message = String::new();
    put_string(&mut message, refused.message.as_slice());
    // A message in another language may be no plain string: its number tells as much.
    let message = Some(message).filter(|message| message.starts_with('\'')).unwrap_or_else(|| "''".into());
    format!("SIGNAL SQLSTATE '{state}' SET MYSQL_ERRNO={}, MESSAGE_TEXT={message}", refused.code)
}

/// The whole reply, its error in the clients' ids; and that error, if it has one.
pub(super) fn in_client_ids(reply: &[u8], killing: &[Killing]) -> Option<(Vec<u8>, ErrPacket)> {
    let (header, last) = WholePackets::new(reply).last()?;
    let refused = ErrPacket::parse(last).filter(|refused| matches!(refused.code, NO_SUCH_THREAD | KILL_DENIED))?;
    let named = number_in(&refused.message)?;
    let one = killing.iter().find(|one| one.there == named)?;
    let message = refused.text().replace(&one.there.to_string(), &one.id.to_string()).into_bytes();
    let told = ErrPacket { message, ..refused };
    let mut out = reply[..reply.len() - HEADER - last.len()].to_vec();
    put_packet(&mut out, header.seq, &told.payload());
    Some((out, told))
}
