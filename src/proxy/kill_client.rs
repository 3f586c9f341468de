//! Mode `transaction`: KILL of a client. The server judges the killer's right on a connection of the killer's own, beside the
//! pool's bound, so that a full pool cannot keep anybody from killing; and until the server has answered, the victim's
//! backend serves nobody else.

use crate::proxy::backend::{self, Params};
use crate::proxy::client::Session;
use crate::proxy::clients::Victim;
use crate::proxy::error::Fault;
use crate::proxy::exchange::Exchange;
use crate::proxy::lease::close;
use crate::proxy::statement;
use crate::session::last::{Condition, Diagnostics, Level, Saved};
use crate::sql::kill::{Target, kill, may_be_kill};
use crate::wire::capabilities::PROTOCOL_41;
use crate::wire::command;
use crate::wire::fault::{ErrPacket, INTERRUPTED};
use crate::wire::frame::HEADER;
use crate::wire::ok::Ok as OkPacket;
use crate::wire::status::AUTOCOMMIT;

/// Who is to be killed, and how far.
pub(super) struct Order {
    id: u32,
    victim: Victim,
    /// The statement alone.
    query_only: bool,
}

impl Session {
    /// Whose connection or statement the command kills, by the id in it, and whether the statement alone.
    fn target(&self, exchange: &Exchange, commands: &[u8]) -> Option<(u32, bool)> {
        match exchange.code {
            command::PROCESS_KILL => {
                let id = commands.get(HEADER + 1..HEADER + 5)?.try_into().ok().map(u32::from_le_bytes)?;
                Some((id, false))
            }
            command::QUERY => {
                let sql = commands.get(exchange.text.clone()).filter(|sql| may_be_kill(sql))?;
                let dialect = self.shared.as_ref()?.dialect;
                let found = kill(sql, dialect).filter(|kill| kill.target != Target::QueryId)?;
                Some((u32::try_from(found.id).ok()?, found.target == Target::Query))
            }
            _ => None,
        }
    }

    /// Whether the client has just ended its own connection.
    pub(super) fn killed_itself(&self, exchange: &Exchange, commands: &[u8]) -> bool {
        exchange.reply.facts.error == Some(INTERRUPTED)
            && self.target(exchange, commands) == Some((self.admission.id, false))
    }

    /// The KILL of another client that the command is.
    pub(super) fn kill_order(&self, exchange: &Exchange, commands: &[u8]) -> Option<Order> {
        let (id, query_only) = self.target(exchange, commands)?;
        // Oneself is killed on one's own backend.
        if id == self.admission.id {
            return None;
        }
        let victim = self.proxy.clients.victim(id)?;
        Some(Order { id, victim, query_only })
    }

    /// Carries it out, and tells this client the server's answer.
    pub(super) async fn kill_client(&mut self, exchange: &mut Exchange, order: Order) -> Result<(), Fault> {
        exchange.timer.sent(std::time::Instant::now());
        let judged = self.judge(&order).await;
        exchange.timer.first_byte(std::time::Instant::now());
        let answer = judged?;
        if answer.is_ok() {
            match order.query_only {
                true => order.victim.interrupt(),
                false => order.victim.kill(),
            }
        }
        drop(order);
        let Some(shared) = &mut self.shared else { return Ok(()) };
        shared.is_here = false;
        match answer {
            Ok(()) => {
                shared.last.row_count = Some(0);
                shared.last.diagnostics = Diagnostics::None;
                let on = shared.state.variable(b"autocommit").is_none_or(|value| value != b"OFF" && value != b"0");
                let status = if on { AUTOCOMMIT } else { 0 };
                let ok = OkPacket { status, ..OkPacket::default() };
                self.client.send(&ok.packet(1)).await.map_err(Fault::client_io)
            }
            Err(refused) => {
                shared.last.row_count = Some(-1);
                shared.last.diagnostics = Diagnostics::Saved(Box::new(only(&refused)));
                exchange.reply.facts.error = Some(refused.code);
                self.say(1, &refused).await;
                Ok(())
            }
        }
    }

    /// The server's judgement, in the clients' ids.
    async fn judge(&self, order: &Order) -> Result<Result<(), ErrPacket>, Fault> {
        let Some(secret) = &self.lease.secret else { return Ok(Ok(())) };
        let _one_at_a_time = self.proxy.control.lock().await;
        let params = Params::bare(&self.params.user, PROTOCOL_41);
        let (mut connection, _) = backend::greet(&self.proxy, None).await?.login(&self.proxy, &params, secret).await?;
        let decoy = match order.victim.backend() {
            0 => self.decoy(&order.victim).await?,
            _ => None,
        };
        let there = decoy.as_ref().map_or(order.victim.backend(), |decoy| decoy.id);
        let word = if order.query_only || decoy.is_some() { "QUERY " } else { "" };
        let (mut channel, facts) = connection.borrow();
        let answer = match there {
            0 => Ok(Ok(Vec::new())),
            there => statement::query(&mut channel, facts.capabilities, &format!("KILL {word}{there}")).await,
        };
        connection.restore(channel);
        for connection in [Some(connection), decoy].into_iter().flatten() {
            tokio::spawn(close(connection, true));
        }
        Ok(answer?.map(drop).map_err(|refused| in_client_ids(refused, there, order.id)))
    }

    /// A victim that has no backend just now: whether it may be killed is judged by another connection of its account.
    async fn decoy(&self, victim: &Victim) -> Result<Option<backend::Backend>, Fault> {
        let user = victim.user();
        if user == self.params.user {
            return Ok(None);
        }
        let credentials = &self.proxy.credentials;
        let secret = credentials.configured(&user).or_else(|| credentials.learned(&user));
        let Some(secret) = secret else { return Ok(None) };
        let params = Params::bare(&user, PROTOCOL_41);
        let (decoy, _) = backend::greet(&self.proxy, None).await?.login(&self.proxy, &params, &secret).await?;
        Ok(Some(decoy))
    }
}

fn in_client_ids(refused: ErrPacket, backend: u32, client: u32) -> ErrPacket {
    let message = refused.text().replace(&backend.to_string(), &client.to_string()).into_bytes();
    ErrPacket { message, ..refused }
}

/// The diagnostics of a statement that ended with this error.
pub(super) fn only(refused: &ErrPacket) -> Saved {
    let condition =
        Condition { level: Level::Error, code: u32::from(refused.code), message: refused.message.as_slice().into() };
    Saved { conditions: vec![condition], warnings: 1, errors: 1, charset: b"utf8mb4".to_vec() }
}
