//! KILL of what only the server can tell: a `?`, a variable, an expression, a text that was prepared or is run at once.
//!
//! The server is let say whom it means. A client's id is none of its own, so that it hits nobody, and names the id in its
//! error (1094). Then the KILL that was meant is carried out in the error's place. Whether a connection or its
//! statement is meant stands in the text, which is remembered where it was prepared in SQL.

use crate::net::buffer::Buffer;
use crate::proxy::client::Session;
use crate::proxy::clients::Victim;
use crate::proxy::error::Fault;
use crate::proxy::exchange::Exchange;
use crate::proxy::kill::Mapped;
use crate::proxy::kill_client;
use crate::proxy::{statement, variable_text};
use crate::sql::dialect::Dialect;
use crate::sql::dynamic::{Dynamic, Text, dynamic, may_be_dynamic};
use crate::sql::flags::Flags;
use crate::sql::kill::{Order, Target, Whom, may_be_kill, number_in, order};
use crate::wire::command;
use crate::wire::fault::{ErrPacket, NO_SUCH_THREAD};
use crate::wire::frame::{HEADER, Header, put_packet};
use crate::wire::reply::Reply;

/// A client that the server was asked to kill by an id that only tidegate knows.
pub(super) struct Meant {
    id: u32,
    whom: By,
    /// What the server said.
    refusal: Vec<u8>,
}

/// How it is killed.
enum By {
    /// By a connection of its own (mode `transaction`).
    Order(Victim),
    /// By one's own backend.
    Backend(Mapped),
}

/// What may hide a KILL.
const MAY_KILL: Flags = Flags::KILLS.with(Flags::EXECUTES).with(Flags::EXECUTE_IMMEDIATE);

impl Session {
    fn dialect(&self) -> Dialect {
        match &self.shared {
            Some(shared) => shared.dialect,
            None => Dialect { mariadb: self.lease.backend().mariadb, ..Dialect::default() },
        }
    }

    /// The text that the command runs, if it may be, or hide, a KILL.
    fn killing_text<'a>(&'a self, exchange: &Exchange, commands: &'a [u8]) -> Option<&'a [u8]> {
        if self.is_shared() && !exchange.summary.flags.any(MAY_KILL) {
            return None;
        }
        let text = match exchange.code {
            command::QUERY => commands.get(exchange.text.clone())?,
            command::STMT_EXECUTE => &self.statements.get(exchange.statement?)?.text,
            _ => return None,
        };
        (may_be_kill(text) || may_be_dynamic(text)).then_some(text)
    }

    /// The KILL that the command is, as far as its text tells.
    pub(super) fn kill_of(&self, exchange: &Exchange, commands: &[u8]) -> Option<Order> {
        let (text, dialect) = (self.killing_text(exchange, commands)?, self.dialect());
        if let Some(found) = order(text, dialect) {
            return Some(found);
        }
        match dynamic(text, dialect)? {
            Dynamic::Executes(name) => self.prepared_kills.get(&name).cloned(),
            Dynamic::Immediate(Text::Literal(text)) => order(&text, dialect),
            _ => None,
        }
    }

    /// Whether the server may answer that it does not know a client's id.
    pub(super) fn may_mean_a_client(&self, exchange: &Exchange, commands: &[u8]) -> bool {
        match self.kill_of(exchange, commands) {
            Some(found) => !matches!(found.whom, Whom::User(_)) && found.target != Target::QueryId,
            None => self.immediate_expression(exchange, commands).is_some(),
        }
    }

    /// What EXECUTE IMMEDIATE runs, where that is to be asked for. Only who shares its backend is asked behind its back.
    fn immediate_expression(&self, exchange: &Exchange, commands: &[u8]) -> Option<String> {
        self.shared.as_ref().filter(|_| exchange.summary.flags.has(Flags::EXECUTE_IMMEDIATE))?;
        let text = self.killing_text(exchange, commands)?;
        match dynamic(text, self.dialect())? {
            Dynamic::Immediate(Text::Expression(span)) => question(span.of(text), exchange.summary.flags),
            _ => None,
        }
    }

    /// The client that the server's refusal names: then the client does not hear of the refusal.
    pub(super) fn meant_by(&self, exchange: &Exchange, reply: &[u8], commands: &[u8]) -> Option<Box<Meant>> {
        if exchange.reply.facts.error != Some(NO_SUCH_THREAD) || !self.may_mean_a_client(exchange, commands) {
            return None;
        }
        let id = number_in(&ErrPacket::parse(reply.get(HEADER..)?)?.message)?;
        let refusal = reply.to_vec();
        let whom = match self.is_shared() {
            _ if id == self.admission.id => By::Backend(Mapped { there: self.lease.backend().id, victim: None, id }),
            true => By::Order(self.proxy.clients.victim(id)?),
            false => By::Backend(Mapped::of(&self.proxy.clients, id)?),
        };
        Some(Box::new(Meant { id, whom, refusal }))
    }

    /// Carries out what was meant, and answers the client in the refusal's place.
    pub(super) async fn kill_meant(
        &mut self,
        exchange: &mut Exchange,
        meant: Meant,
        buffer: &mut Buffer,
    ) -> Result<(), Fault> {
        let mut found = self.kill_of(exchange, buffer.filled());
        if let Some(question) = self.immediate_expression(exchange, buffer.filled()).filter(|_| found.is_none()) {
            found = self.ask_for_text(&question).await?.and_then(|text| order(&text, self.dialect()));
        }
        let Some(found) = found else {
            return self.client.send(&meant.refusal).await.map_err(Fault::client_io);
        };
        let query_only = found.target == Target::Query;
        match meant.whom {
            By::Order(victim) => {
                let order = kill_client::Order { id: meant.id, victim, query_only, by_command: false };
                self.kill_client(exchange, order).await.map(drop)
            }
            By::Backend(mapped) => self.kill_there(exchange, mapped, query_only, buffer).await,
        }
    }

    /// On one's own backend, whose answer the client gets.
    async fn kill_there(
        &mut self,
        exchange: &mut Exchange,
        mapped: Mapped,
        query_only: bool,
        buffer: &mut Buffer,
    ) -> Result<(), Fault> {
        let there = mapped.there;
        let what = if query_only { "QUERY " } else { "" };
        let payload = statement::payload(self.capabilities, &format!("KILL {what}{there}"));
        let mut packet = Vec::with_capacity(payload.len() + HEADER);
        put_packet(&mut packet, 0, &payload);
        exchange.start_again(self.capabilities);
        exchange.reply = Reply::new(command::shape(command::QUERY), self.capabilities, 1);
        (exchange.instead, exchange.is_whole) = (Some(packet), true);
        exchange.killing = Some(Box::new(mapped));
        self.run_exchange(exchange, buffer).await
    }

    /// Before a PREPARE of something other than a plain string: what it is.
    pub(super) async fn read_prepared_text(&mut self, exchange: &mut Exchange, commands: &[u8]) -> Result<(), Fault> {
        if exchange.code != command::QUERY || self.is_shared() && !exchange.summary.flags.has(Flags::PREPARES) {
            return Ok(());
        }
        let sql = commands.get(exchange.text.clone()).unwrap_or_default();
        if !may_be_dynamic(sql) {
            return Ok(());
        }
        let Some(Dynamic::Prepares(_, Text::Expression(span))) = dynamic(sql, self.dialect()) else { return Ok(()) };
        let found = match self.is_shared() {
            true => match question(span.of(sql), exchange.summary.flags) {
                Some(question) => Box::pin(self.ask_for_text(&question)).await?,
                None => None,
            },
            false => Box::pin(self.ask_unseen(span.of(sql))).await?,
        };
        exchange.prepares = found;
        Ok(())
    }

    /// The same where the backend is the client's own.
    async fn ask_unseen(&mut self, expression: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let Some(question) = variable_text::question(expression) else { return Ok(None) };
        let backend = self.lease.backend_mut();
        let (mut channel, facts) = backend.borrow();
        let told = variable_text::ask(&mut channel, facts.capabilities, &question).await;
        backend.restore(channel);
        told
    }

    async fn ask_for_text(&mut self, question: &str) -> Result<Option<Vec<u8>>, Fault> {
        // What is no value is refused: so will the client's own statement be.
        let rows = self.run_own(question).await?.unwrap_or_default();
        Ok(rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten())
    }

    /// A command has ended: the KILLs that were prepared or ended by it.
    pub(super) fn note_prepared_kills(&mut self, exchange: &mut Exchange, commands: &[u8]) {
        match exchange.code {
            command::RESET_CONNECTION if exchange.reply.facts.error.is_none() => return self.prepared_kills.clear(),
            command::QUERY => {}
            _ => return,
        }
        let sql = commands.get(exchange.text.clone()).unwrap_or_default();
        if !may_be_dynamic(sql) {
            return;
        }
        let (dialect, failed) = (self.dialect(), exchange.reply.facts.error.is_some());
        match dynamic(sql, dialect) {
            Some(Dynamic::Prepares(name, text)) => {
                let text = match text {
                    Text::Literal(text) => Some(text),
                    Text::Expression(_) => exchange.prepares.take(),
                };
                let order = text.filter(|_| !failed).and_then(|text| order(&text, dialect));
                self.prepared_kills.set(&name, order);
            }
            Some(Dynamic::Ends(name)) => self.prepared_kills.set(&name, None),
            _ => {}
        }
    }
}

/// A refusal by the backend's id, in the clients' words.
pub(super) fn with_client_id(reply: &mut Vec<u8>, killing: &Mapped) {
    let Some(refused) = reply.get(HEADER..).filter(|payload| payload.first() == Some(&0xFF)) else { return };
    let (Some(refused), Some(header)) = (ErrPacket::parse(refused), Header::read(reply)) else { return };
    reply.clear();
    put_packet(reply, header.seq, &killing.in_client_ids(refused).payload());
}

/// Asks for an expression's value, which is a text. `None`: to ask would do something.
fn question(expression: &[u8], flags: Flags) -> Option<String> {
    let text = std::str::from_utf8(expression).ok().filter(|_| !flags.any(Flags::SETS_USER_OTHER))?;
    Some(format!("SELECT {text}"))
}
