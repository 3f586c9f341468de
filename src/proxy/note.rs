//! Mode `transaction`: what a command did to its session, by its reply and its text.

use crate::proxy::client::Session;
use crate::proxy::error::Fault;
use crate::proxy::exchange::Exchange;
use crate::proxy::kill_client::only;
use crate::session::last::found_rows::Found;
use crate::session::last::{Diagnostics, Ran, added, planted};
use crate::session::outcome::Outcome;
use crate::session::reason::Pin;
use crate::sql::dialect::Dialect;
use crate::sql::flags::Flags;
use crate::sql::verb::Verb;
use crate::wire::command;

/// What a text was read with.
pub(super) struct Before {
    pub dialect: Dialect,
    pub schema: Option<Box<[u8]>>,
}

/// Whether there may be more errors or warnings behind the command than before it, see `added`.
fn may_add(exchange: &Exchange) -> bool {
    exchange.code != command::QUERY && (exchange.reply.facts.error.is_some() || exchange.code == command::FIELD_LIST)
}

/// Whether the command's reply has status flags, unless it is an error.
fn has_status(code: u8) -> bool {
    !matches!(code, command::STMT_PREPARE | command::STATISTICS | command::STMT_SEND_LONG_DATA)
}

/// Whether ROW_COUNT() behind the command, where that succeeds, is what it was before, on the backend that it ran on.
fn leaves_row_count(code: u8) -> bool {
    matches!(code, command::STMT_PREPARE | command::STATISTICS | command::STMT_SEND_LONG_DATA | command::STMT_FETCH)
}

/// Whether what is behind the statement of errors and warnings is all its own. Where nothing stood and it leaves nothing, nothing
/// stands, and its text need not be asked.
fn may_replace(ran: &Ran<'_>, is_clear: bool) -> bool {
    let leaves = ran.facts.error.is_some() || ran.facts.warnings > 0 || planted::may_keep(&ran.summary, ran.dialect);
    (leaves || !is_clear) && planted::replaces(ran)
}

/// What triggers follow.
const WRITES: [Verb; 6] = [Verb::Insert, Verb::Replace, Verb::Update, Verb::Delete, Verb::With, Verb::LoadData];

impl Session {
    /// What the command did to the session, by its reply and its text.
    pub(super) async fn note(&mut self, exchange: &Exchange, commands: &[u8], before: &Before) -> Result<(), Fault> {
        let is_clear = self.lease.backend().kept.conditions_of.is_none();
        let Some(shared) = &mut self.shared else { return Ok(()) };
        let (insert_id, found_rows) = (shared.last.last_insert_id, shared.last.found_rows);
        let mut found = Found::Kept;
        let diagnostics = may_add(exchange).then(|| shared.last.diagnostics.clone());
        let facts = &exchange.reply.facts;
        let outcome = Outcome::new(&exchange.reply.facts, exchange.announced, exchange.changed_at_eof);
        let text = commands.get(exchange.text.clone()).unwrap_or_default();
        let id = shared.statements.resolve(exchange.statement.unwrap_or_default());
        let schema = before.schema.as_deref();
        // What OKs count behind an error; `None`: all that there is.
        let mut counted = added::counted(exchange.code, before.dialect, shared.warnings);
        // What is behind it of errors and warnings is all its own.
        let mut replaces = facts.error.is_some() || facts.warnings > 0 && exchange.code == command::STMT_PREPARE;
        match exchange.code {
            command::QUERY => {
                let ran = Ran { sql: text, dialect: before.dialect, summary: exchange.summary, facts };
                (replaces, counted) = (may_replace(&ran, is_clear), added::counted_by_text(&ran));
                found = shared.ran(&ran, schema, &outcome);
                if !exchange.is_whole {
                    shared.ledger.pin(Pin::UnexplainedState);
                }
            }
            command::STMT_EXECUTE | command::STMT_BULK_EXECUTE => match shared.statements.get(id).cloned() {
                Some(prepared) => {
                    let sql = &prepared.template.key.text;
                    let ran = Ran { sql, dialect: prepared.dialect, summary: prepared.summary, facts };
                    (replaces, counted) = (may_replace(&ran, is_clear), None);
                    found = shared.ran(&ran, schema, &outcome);
                    shared.ledger.executed(id, &outcome);
                }
                None => {
                    shared.last.after_command(exchange.code, facts, before.dialect);
                    shared.ledger.command(&outcome);
                }
            },
            command::STMT_FETCH => shared.ledger.fetched(id, &outcome),
            command::STMT_RESET => {
                if !outcome.failed {
                    shared.ledger.closed(id);
                }
                shared.ledger.command(&outcome);
            }
            command::STMT_SEND_LONG_DATA => {
                if shared.statements.get(id).is_some() {
                    shared.ledger.long_data(id);
                }
            }
            command::INIT_DB => {
                if !outcome.failed && !shared.announcing.trackers {
                    shared.has_schema(Some(text));
                }
                shared.ledger.command(&outcome);
            }
            command::SET_OPTION => {
                let on = commands.get(crate::wire::frame::HEADER + 1) == Some(&0);
                if !outcome.failed {
                    shared.state.set_multi_statements(on);
                }
                shared.ledger.command(&outcome);
            }
            command::RESET_CONNECTION if !outcome.failed => return Box::pin(self.was_reset()).await,
            command::REGISTER_SLAVE => shared.ledger.pin(Pin::Replication),
            command::STMT_PREPARE | command::STATISTICS if !outcome.failed => {}
            _ => shared.ledger.command(&outcome),
        }
        if !matches!(exchange.code, command::QUERY | command::STMT_EXECUTE | command::STMT_BULK_EXECUTE) {
            shared.last.after_command(exchange.code, facts, before.dialect);
        }
        let is_write = exchange.summary.statements > 1 || WRITES.contains(&exchange.summary.verb);
        let is_program = exchange.summary.flags.has(Flags::STORED_PROGRAM);
        let mut by_trigger = false;
        if !self.shared.as_ref().is_some_and(|shared| shared.announcing.trackers) && (is_write || is_program) {
            let sql = self.text_of(exchange, commands);
            by_trigger = is_write && self.proxy.unseen_triggers.concern(&sql, before.dialect);
            if is_program {
                self.proxy.unseen_triggers.note_program(&sql, before.dialect);
            }
        }
        let Some(shared) = &mut self.shared else { return Ok(()) };
        if by_trigger {
            shared.ledger.pin(Pin::UnexplainedState);
        }
        // The backend keeps it with another id.
        if let Some(told) = &exchange.own_words {
            shared.last.diagnostics = Diagnostics::Saved(Box::new(only(told)));
        }
        if let Some(before) = diagnostics {
            shared.note_added_in(exchange, before);
        }
        if has_status(exchange.code) {
            shared.note_status(outcome.status);
        }
        // These leave warnings as they are, and count those of the backend at hand.
        let keeps_warnings =
            matches!(exchange.code, command::PING | command::STATISTICS | command::SET_OPTION | command::INIT_DB);
        if !keeps_warnings || exchange.reply.facts.error.is_some() {
            shared.warnings = exchange.reply.facts.error.map_or(Some(exchange.reply.facts.warnings), |_| counted);
        }
        let kept = &mut self.lease.backend_mut().kept;
        if exchange.reply.facts.error.is_some() || !leaves_row_count(exchange.code) {
            shared.is_here = true;
            kept.spoiled = false;
        }
        if shared.last.last_insert_id != insert_id {
            shared.note_insert_id(insert_id, kept.last_insert_id);
            kept.last_insert_id = shared.last.last_insert_id;
        }
        shared.note_found_rows(kept.found_rows, found_rows, &exchange.reply.facts);
        kept.found_rows = found.after(kept.found_rows);
        if replaces {
            let stand = shared.last.diagnostics != Diagnostics::None;
            self.note_conditions(stand);
        }
        Ok(())
    }

    /// The statement's text, of a query or an execution.
    pub(super) fn text_of(&self, exchange: &Exchange, commands: &[u8]) -> Vec<u8> {
        let prepared = exchange.statement.and_then(|id| self.shared.as_ref()?.statements.get(id));
        match prepared {
            Some(prepared) => prepared.template.key.text.to_vec(),
            None => commands.get(exchange.text.clone()).unwrap_or_default().to_vec(),
        }
    }

    /// The server closes behind its answer: COMMIT RELEASE.
    pub(super) fn has_left(&self, exchange: &Exchange) -> bool {
        let flags = exchange.summary.flags;
        let by_itself = flags.has(Flags::ENDS)
            && self.shared.as_ref().is_some_and(|shared| {
                shared.state.variable(b"completion_type").is_some_and(|kind| matches!(kind, b"RELEASE" | b"2"))
            });
        exchange.reply.facts.error.is_none() && (flags.has(Flags::DISCONNECTS) || by_itself)
    }
}
