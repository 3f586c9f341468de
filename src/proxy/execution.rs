//! Mode `transaction`: the commands about a prepared statement, as the backend must have them.

use std::sync::Arc;

use crate::proxy::acquire::Refused;
use crate::proxy::client::Session;
use crate::proxy::error::Fault;
use crate::proxy::exchange::Exchange;
use crate::proxy::preparation::NOBODYS;
use crate::proxy::prepared::close_all;
use crate::proxy::setup::lock;
use crate::session::answer::Plan;
use crate::session::pins;
use crate::session::statements::{Key, Prepared, Told};
use crate::sql::verb::Verb;
use crate::wire::command;
use crate::wire::execute::{ID, Types};
use crate::wire::frame::{HEADER, put_packet};

impl Session {
    /// The packet of a command about a prepared statement as the backend must have it, which has it prepared then.
    pub(super) async fn for_backend(
        &mut self,
        exchange: &mut Exchange,
        packet: &[u8],
    ) -> Result<Result<Vec<u8>, Refused>, Fault> {
        let id = exchange.statement.unwrap_or_default();
        let mut found = self.shared.as_ref().and_then(|shared| shared.statements.get(id)).cloned();
        if let Some(prepared) = &mut found {
            self.plan_execution(exchange, id, prepared);
        }
        let mut payload = packet.get(HEADER..).unwrap_or_default().to_vec();
        if let Some(prepared) = &found {
            self.forget_cursor(exchange, id, prepared).await?;
            self.forget_types(exchange, id, prepared, &payload).await?;
        }
        let backend_id = match &found {
            None => NOBODYS,
            Some(prepared) => match self.id_on_backend(prepared).await? {
                Ok(backend_id) => backend_id,
                Err(refused) => return Ok(Err(refused)),
            },
        };
        if let Some(prepared) = &found
            && matches!(exchange.code, command::STMT_EXECUTE | command::STMT_BULK_EXECUTE)
        {
            if exchange.reply.asks_for_cursor() {
                self.lease.backend_mut().kept.statements.note_cursor(&prepared.template);
            }
            payload = self.with_types(id, prepared, payload);
            let there = self.lease.backend().kept.statements.shape(&prepared.template);
            exchange.has_new_columns =
                exchange.is_whole && there.is_some_and(|there| Told::of(prepared.shape, there) == Told::Columns);
            exchange.holds_reply |= exchange.has_new_columns;
        }
        if let Some(place) = payload.get_mut(ID) {
            place.copy_from_slice(&backend_id.to_le_bytes());
        }
        exchange.mapped = Some((backend_id, id));
        let mut out = Vec::with_capacity(payload.len() + HEADER);
        put_packet(&mut out, 0, &payload);
        Ok(Ok(out))
    }

    /// Another text is prepared in the statement's place where the backend would answer for another client. It stays there for
    /// what a cursor has still to give, and for what was sent ahead of the execution.
    fn plan_execution(&mut self, exchange: &mut Exchange, id: u32, prepared: &mut Prepared) {
        let Some(shared) = &self.shared else { return };
        let is_ahead = shared.ledger.has_long_data(shared.statements.resolve(id));
        let runs = matches!(exchange.code, command::STMT_EXECUTE | command::STMT_BULK_EXECUTE);
        let there = prepared.lies_with.take();
        if runs || exchange.code == command::STMT_SEND_LONG_DATA && !is_ahead {
            // Cells can be replaced in a reply that holds them.
            let has_rows = runs && !is_ahead && !exchange.reply.asks_for_cursor();
            self.plan_text(exchange, prepared, has_rows);
        }
        let goes_there = is_ahead || matches!(exchange.code, command::STMT_FETCH | command::STMT_RESET);
        if let Some(there) = there.clone().filter(|_| goes_there) {
            prepared.template = there;
        }
        let lies = match exchange.code {
            command::STMT_EXECUTE => exchange.reply.asks_for_cursor(),
            command::STMT_SEND_LONG_DATA => true,
            _ => return,
        };
        let now = lies.then(|| Arc::clone(&prepared.template));
        if let Some(shared) = self.shared.as_mut().filter(|_| now.is_some() || there.is_some()) {
            shared.statements.set_lies_with(id, now);
        }
    }

    fn plan_text(&self, exchange: &mut Exchange, prepared: &mut Prepared, has_rows: bool) {
        let (text, flags) = (&prepared.template.key.text, prepared.summary.flags);
        let Some(Plan::Run { text, patch }) = self.plan(text, prepared.dialect, flags, has_rows) else { return };
        if let Some(text) = text {
            exchange.sets_instead = prepared.summary.verb == Verb::Diagnostics;
            let key = Key { text: text.into(), ..prepared.template.key.clone() };
            prepared.template = lock(&self.proxy.registry).intern(key);
        }
        // Long data has no reply.
        exchange.patch = patch.filter(|_| exchange.code != command::STMT_SEND_LONG_DATA).map(Box::new);
    }

    /// Where a statement had a cursor, anybody's, MySQL sends no rows any more without one: it is prepared anew.
    async fn forget_cursor(&mut self, exchange: &Exchange, id: u32, prepared: &Prepared) -> Result<(), Fault> {
        let Session { lease, shared, .. } = self;
        let Some(shared) = shared.as_ref().filter(|shared| pins::keeps_cursors(shared.dialect)) else { return Ok(()) };
        let backend = lease.backend_mut();
        let (ledger, id) = (&shared.ledger, shared.statements.resolve(id));
        let ends = match exchange.code {
            command::STMT_EXECUTE => !exchange.reply.asks_for_cursor() && !ledger.has_long_data(id),
            // The execution will find it there.
            command::STMT_SEND_LONG_DATA => !ledger.uses(id),
            _ => false,
        };
        if ends && backend.kept.statements.had_cursor(&prepared.template) {
            let gone: Vec<u32> = backend.kept.statements.forget(&prepared.template).into_iter().collect();
            close_all(backend, &gone).await?;
        }
        Ok(())
    }

    /// A statement is prepared anew where the server would read it by the types of another client's executions: MySQL where they
    /// differ, and each server where the client has never sent any. What a client has sent of its parameters ahead must not be lost.
    async fn forget_types(
        &mut self,
        exchange: &Exchange,
        id: u32,
        prepared: &Prepared,
        payload: &[u8],
    ) -> Result<(), Fault> {
        let Session { lease, shared, .. } = self;
        let Some(shared) = shared.as_ref().filter(|_| prepared.shape.params > 0) else { return Ok(()) };
        let (ledger, id) = (&shared.ledger, shared.statements.resolve(id));
        let sent = match exchange.code {
            command::STMT_EXECUTE | command::STMT_BULK_EXECUTE if !ledger.has_long_data(id) => {
                Types::of(payload, prepared.shape.params, self.capabilities).filter(Types::are_there)
            }
            command::STMT_SEND_LONG_DATA if !ledger.uses(id) => None,
            _ => return Ok(()),
        };
        let sent = sent.map(|types| types.sent(payload));
        let now = sent.as_deref().or(prepared.types.as_deref());
        let backend = lease.backend_mut();
        if backend.kept.statements.has_others_types(prepared, now) {
            let gone: Vec<u32> = backend.kept.statements.forget(&prepared.template).into_iter().collect();
            close_all(backend, &gone).await?;
        }
        Ok(())
    }

    /// Types that the client has left out, since it has sent them before, and that this backend does not know.
    fn with_types(&mut self, id: u32, prepared: &Prepared, payload: Vec<u8>) -> Vec<u8> {
        let Some(types) = Types::of(&payload, prepared.shape.params, self.capabilities) else { return payload };
        let Some(shared) = &mut self.shared else { return payload };
        let statements = &mut self.lease.backend_mut().kept.statements;
        if types.are_there() {
            let sent = types.sent(&payload);
            let history = shared.statements.set_types(id, &sent, pins::keeps_types(shared.dialect));
            statements.must_send_types(&prepared.template, Some(&sent));
            statements.set_history(&prepared.template, history);
            return payload;
        }
        statements.set_history(&prepared.template, prepared.history.clone());
        match &prepared.types {
            Some(known) if statements.must_send_types(&prepared.template, Some(known)) => types.put(&payload, known),
            _ => payload,
        }
    }
}
