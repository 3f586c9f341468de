//! Mode `transaction`: errors and warnings that a command has added to those of the client's statement before, on a backend
//! that may know nothing of that one.

use crate::proxy::client::Session;
use crate::proxy::error::Fault;
use crate::proxy::exchange::Exchange;
use crate::proxy::shared::Shared;
use crate::session::last::{Diagnostics, Ran, added};
use crate::wire::command;
use crate::wire::fault::ErrPacket;

/// What is to be read at once.
#[derive(Debug)]
pub(super) struct Added {
    before: Diagnostics,
    count: usize,
    /// The newest one in the client's words.
    told: Option<ErrPacket>,
}

impl Shared {
    /// A text has run; `before`: what there was.
    pub(super) fn note_added_by(&mut self, ran: &Ran<'_>, before: Diagnostics) {
        self.note_added(added::by_text(ran), before, None);
    }

    /// A command has run that is no statement.
    pub(super) fn note_added_in(&mut self, exchange: &Exchange, before: Diagnostics) {
        let of_statement = matches!(exchange.code, command::STMT_EXECUTE | command::STMT_BULK_EXECUTE);
        let is_known = exchange.statement.is_some_and(|id| self.statements.get(self.statements.resolve(id)).is_some());
        if exchange.code == command::QUERY || of_statement && is_known {
            return;
        }
        let count = added::by_command(exchange.code, &exchange.reply.facts, self.dialect);
        self.note_added(count, before, exchange.own_words.clone());
    }

    fn note_added(&mut self, count: usize, before: Diagnostics, told: Option<ErrPacket>) {
        let is_elsewhere = matches!(before, Diagnostics::None | Diagnostics::Saved(_));
        if count == 0 {
            return;
        }
        self.last.diagnostics = Diagnostics::Unread { warnings: None };
        if is_elsewhere || told.is_some() {
            self.added = Some(Box::new(Added { before, count, told }));
        }
    }

    /// As many conditions as the client's session keeps.
    fn max_error_count(&self) -> u64 {
        let name = &b"max_error_count"[..];
        let value = self.state.variable(name).or_else(|| self.baseline.get(name));
        value.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok()).unwrap_or(u64::MAX)
    }
}

impl Session {
    /// Whether there is something for [`Session::read_added`].
    pub(super) fn has_added(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.added.is_some())
    }

    /// Reads what the command has added, before the backend does anything else. Not cancel safe.
    pub(super) async fn read_added(&mut self) -> Result<(), Fault> {
        let Some(added) = self.shared.as_mut().and_then(|shared| shared.added.take()) else { return Ok(()) };
        if let Err(fault) = self.before_own().await {
            return self.lost_behind(fault);
        }
        if let Some(shared) = &mut self.shared {
            let kept = shared.max_error_count();
            let Added { before, count, told } = *added;
            shared.last.put_behind(before, count, kept);
            if let Some(told) = told {
                shared.last.reword(told.code, &told.message);
            }
        }
        Ok(())
    }
}
