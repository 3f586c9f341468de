//! Mode `transaction`: what a command did to its session, by its reply and its text.

use crate::proxy::backend::OF_NOBODY;
use crate::proxy::client::Session;
use crate::proxy::error::Fault;
use crate::proxy::exchange::Exchange;
use crate::proxy::kill_client::only;
use crate::proxy::shared::Shared;
use crate::proxy::unseen::Effect;
use crate::session::last::found_rows::Found;
use crate::session::last::{Diagnostics, Ran, added, planted};
use crate::session::outcome::Outcome;
use crate::session::reason::Pin;
use crate::sql::dialect::Dialect;
use crate::sql::flags::Flags;
use crate::sql::own_account::may_concern;
use crate::sql::verb::{Verb, says_no_release};
use crate::wire::command;
use crate::wire::frame::HEADER;

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

/// Whether the command runs a statement, which has errors and warnings of its own.
fn is_statement(code: u8) -> bool {
    matches!(code, command::QUERY | command::STMT_EXECUTE | command::STMT_BULK_EXECUTE)
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

/// What a command left of what only its own backend can tell.
struct Left {
    found_rows: Found,
    /// What is behind it of errors and warnings is all its own.
    replaces: bool,
    /// What OKs count behind an error; `None`: all that there is.
    counted: Option<u16>,
}

impl Session {
    /// What the command did to the session, by its reply and its text.
    pub(super) async fn note(&mut self, exchange: &Exchange, commands: &[u8], before: &Before) -> Result<(), Fault> {
        let is_clear = self.lease.backend().kept.conditions_of.is_none();
        let Some(shared) = &mut self.shared else { return Ok(()) };
        let (insert_id, found_rows) = (shared.last.last_insert_id, shared.last.found_rows);
        let may_add = may_add(exchange) || shared.marked && exchange.code == command::STMT_PREPARE;
        let diagnostics = may_add.then(|| shared.last.diagnostics.clone());
        let facts = &exchange.reply.facts;
        let outcome = Outcome::new(facts, exchange.announced, exchange.changed_at_eof);
        let text = commands.get(exchange.text.clone()).unwrap_or_default();
        let left = shared.ran_command(exchange, text, before, &outcome, is_clear);
        shared.note_calls(exchange.timer.started_at());
        if exchange.code == command::SET_OPTION && !outcome.failed {
            shared.state.set_multi_statements(commands.get(HEADER + 1) == Some(&0));
        }
        if exchange.code == command::RESET_CONNECTION && !outcome.failed {
            return Box::pin(self.was_reset()).await;
        }
        if exchange.code == command::STMT_EXECUTE && !outcome.failed {
            self.note_columns(exchange);
        }
        self.note_triggers(exchange, commands, before.dialect);
        self.note_own_account(exchange, commands, before.dialect);
        let Some(shared) = &mut self.shared else { return Ok(()) };
        // The backend keeps it with another id.
        if let Some(told) = &exchange.own_words {
            let mut saved = only(told);
            saved.conditions.truncate(usize::try_from(shared.max_error_count()).unwrap_or(usize::MAX));
            shared.last.diagnostics = Diagnostics::Saved(Box::new(saved));
        }
        if let Some(before) = diagnostics {
            shared.note_added_in(exchange, before);
        }
        shared.note_flags(exchange, &outcome, left.counted);
        let kept = &mut self.lease.backend_mut().kept;
        if exchange.sets_instead {
            shared.is_here = false;
            kept.spoiled = true;
        } else if outcome.failed || !leaves_row_count(exchange.code) {
            shared.is_here = true;
            // A command that is no statement leaves what tidegate's own statements left of warnings.
            if std::mem::take(&mut kept.spoiled) && !is_statement(exchange.code) {
                kept.conditions_of = Some(OF_NOBODY);
            }
        }
        if shared.last.last_insert_id != insert_id {
            shared.note_insert_id(insert_id, kept.last_insert_id);
            kept.last_insert_id = shared.last.last_insert_id;
        }
        shared.note_found_rows(left.found_rows, kept.found_rows, found_rows, facts);
        kept.found_rows = left.found_rows.after(kept.found_rows);
        if left.replaces {
            let stand = shared.last.diagnostics != Diagnostics::None;
            self.note_conditions(stand);
        }
        // What stands there is not in the client's words.
        if let Some(shared) = self.shared.as_mut().filter(|_| exchange.own_words.is_some()) {
            shared.conditions = shared.conditions.wrapping_add(1);
        }
        Ok(())
    }

    /// Who has changed its own password, or name, is let in nowhere else: it keeps its backend, as it would its own connection.
    fn note_own_account(&mut self, exchange: &Exchange, commands: &[u8], dialect: Dialect) {
        let summary = &exchange.summary;
        let Some(shared) = self.shared.as_mut().filter(|_| summary.flags.has(Flags::CREDENTIALS)) else { return };
        let has_run = exchange.reply.facts.error.is_none() || summary.statements > 1;
        if has_run && may_concern(&text_of(shared, exchange, commands), dialect, &self.params.user) {
            shared.ledger.pin(Pin::OwnLogin);
        }
    }

    /// What triggers have done that the server does not tell.
    fn note_triggers(&mut self, exchange: &Exchange, commands: &[u8], dialect: Dialect) {
        let Some(shared) = &self.shared else { return };
        let announces = shared.announcing.trackers;
        let is_write = exchange.summary.statements > 1 || WRITES.contains(&exchange.summary.verb);
        let is_program = exchange.summary.flags.has(Flags::STORED_PROGRAM);
        let may_matter = is_program || is_write && self.proxy.unseen_triggers.has_any();
        if !may_matter {
            return;
        }
        let sql = text_of(shared, exchange, commands);
        let effect = self.proxy.unseen_triggers.of(&sql, dialect).filter(|_| is_write);
        if is_program {
            self.proxy.unseen_triggers.note_program(&sql, announces, dialect);
        }
        let Some(shared) = &mut self.shared else { return };
        match effect {
            Some(Effect::Variables(names)) => names.iter().for_each(|name| shared.read_later(name)),
            Some(Effect::Anything) => shared.ledger.pin(Pin::UnexplainedState),
            None => {}
        }
    }

    /// The statement's text, of a query or an execution.
    pub(super) fn text_of(&self, exchange: &Exchange, commands: &[u8]) -> Vec<u8> {
        match &self.shared {
            Some(shared) => text_of(shared, exchange, commands),
            None => commands.get(exchange.text.clone()).unwrap_or_default().to_vec(),
        }
    }

    /// The server closes behind its answer: COMMIT RELEASE.
    pub(super) fn has_left(&self, exchange: &Exchange, commands: &[u8]) -> bool {
        let flags = exchange.summary.flags;
        let by_itself = |shared: &Shared| {
            let kind = shared.state.variable(b"completion_type").or_else(|| shared.baseline.get(b"completion_type"));
            kind.is_some_and(|kind| matches!(kind, b"RELEASE" | b"2"))
                && !says_no_release(&text_of(shared, exchange, commands), shared.dialect)
        };
        exchange.reply.facts.error.is_none()
            && (flags.has(Flags::DISCONNECTS)
                || flags.has(Flags::ENDS) && self.shared.as_deref().is_some_and(by_itself))
    }
}

fn text_of(shared: &Shared, exchange: &Exchange, commands: &[u8]) -> Vec<u8> {
    match exchange.statement.and_then(|id| shared.statements.get(id)) {
        Some(prepared) => prepared.template.key.text.to_vec(),
        None => commands.get(exchange.text.clone()).unwrap_or_default().to_vec(),
    }
}

impl Shared {
    /// The command by its kind. `is_clear`: no errors or warnings stood on the backend.
    fn ran_command(
        &mut self,
        exchange: &Exchange,
        text: &[u8],
        before: &Before,
        outcome: &Outcome,
        is_clear: bool,
    ) -> Left {
        let facts = &exchange.reply.facts;
        let schema = before.schema.as_deref();
        let id = self.statements.resolve(exchange.statement.unwrap_or_default());
        let is_read = facts.warnings > 0 || planted::prepare_may_keep(&self.last.diagnostics, before.dialect);
        let mut left = Left {
            found_rows: Found::Kept,
            // Before a COM_STMT_PREPARE only the client's own stood there.
            replaces: outcome.failed || exchange.code == command::STMT_PREPARE && is_read,
            counted: added::counted(exchange.code, before.dialect, self.warnings),
        };
        match exchange.code {
            command::QUERY => {
                let ran = Ran { sql: text, dialect: before.dialect, summary: exchange.summary, facts };
                (left.replaces, left.counted) = (may_replace(&ran, is_clear), added::counted_by_text(&ran));
                left.found_rows = self.ran(&ran, schema, outcome);
                if !exchange.is_whole {
                    self.ledger.pin(Pin::UnexplainedState);
                }
                return left;
            }
            command::STMT_EXECUTE | command::STMT_BULK_EXECUTE => {
                let Some(prepared) = self.statements.get(id).cloned() else {
                    self.last.after_command(exchange.code, facts, before.dialect);
                    self.ledger.command(outcome);
                    return left;
                };
                let sql = &prepared.template.key.text;
                let ran = Ran { sql, dialect: prepared.dialect, summary: prepared.summary, facts };
                (left.replaces, left.counted) = (may_replace(&ran, is_clear), None);
                // Servers do not agree on the schema that its names are looked for in.
                let schema = schema.filter(|schema| prepared.template.key.schema.as_deref() == Some(*schema));
                left.found_rows = self.ran(&ran, schema, outcome);
                self.ledger.executed(id, outcome);
                return left;
            }
            command::RESET_CONNECTION if !outcome.failed => return left,
            _ => self.ran_other(exchange.code, id, text, outcome),
        }
        self.last.after_command(exchange.code, facts, before.dialect);
        left
    }

    /// A command that is no statement. `id`: of the statement that it is about.
    fn ran_other(&mut self, code: u8, id: u32, text: &[u8], outcome: &Outcome) {
        match code {
            command::STMT_FETCH => self.ledger.fetched(id, outcome),
            command::STMT_SEND_LONG_DATA if self.statements.get(id).is_some() => self.ledger.long_data(id),
            command::STMT_SEND_LONG_DATA => {}
            command::REGISTER_SLAVE => self.ledger.pin(Pin::Replication),
            command::STMT_PREPARE | command::STATISTICS if !outcome.failed => {}
            _ => {
                match code {
                    command::STMT_RESET if !outcome.failed => self.ledger.closed(id),
                    command::INIT_DB if !outcome.failed && !self.announcing.trackers => self.has_schema(Some(text)),
                    _ => {}
                }
                self.ledger.command(outcome);
            }
        }
    }

    /// The reply's status flags and warning count, as later OKs repeat them. `counted`: behind an error.
    fn note_flags(&mut self, exchange: &Exchange, outcome: &Outcome, counted: Option<u16>) {
        let facts = &exchange.reply.facts;
        if has_status(exchange.code) {
            self.note_status(outcome.status);
        }
        // These leave warnings as they are, and count those of the backend at hand.
        let keeps_warnings =
            matches!(exchange.code, command::PING | command::STATISTICS | command::SET_OPTION | command::INIT_DB);
        if !keeps_warnings || outcome.failed {
            self.warnings = facts.error.map_or(Some(facts.warnings), |_| counted);
        }
    }
}
