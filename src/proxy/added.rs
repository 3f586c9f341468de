//! Mode `transaction`: errors and warnings of the client's statement before that are still there behind another command, on a
//! backend that may know nothing of that statement: the command adds its own to them, or keeps them.

use crate::proxy::client::Session;
use crate::proxy::error::Fault;
use crate::proxy::exchange::Exchange;
use crate::proxy::shared::Shared;
use crate::session::last::{Diagnostics, Ran, added, planted};
use crate::sql::flags::Flags;
use crate::wire::command;
use crate::wire::fault::ErrPacket;

/// What is to be read at once.
#[derive(Debug)]
pub(super) struct Added {
    before: Diagnostics,
    what: What,
    /// The newest one in the client's words.
    told: Option<ErrPacket>,
}

#[derive(Debug, Clone, Copy)]
enum What {
    /// So many came on top of those of before.
    Newest(usize),
    /// A mark stood for those of before.
    Mark,
}

impl Shared {
    /// A text has run; `before`: what there was.
    pub(super) fn note_added_by(&mut self, ran: &Ran<'_>, before: Diagnostics) {
        match std::mem::take(&mut self.marked) {
            true => self.added = Some(Box::new(Added { before, what: What::Mark, told: None })),
            false => self.note_added(added::by_text(ran), before, None),
        }
    }

    /// A command has run that is no statement.
    pub(super) fn note_added_in(&mut self, exchange: &Exchange, before: Diagnostics) {
        let of_statement = matches!(exchange.code, command::STMT_EXECUTE | command::STMT_BULK_EXECUTE);
        let is_known = exchange.statement.is_some_and(|id| self.statements.get(self.statements.resolve(id)).is_some());
        if exchange.code == command::QUERY || of_statement && is_known {
            return;
        }
        if std::mem::take(&mut self.marked) {
            self.added = Some(Box::new(Added { before, what: What::Mark, told: None }));
            return;
        }
        let count = added::by_command(exchange.code, &exchange.reply.facts, self.dialect);
        self.note_added(count, before, exchange.own_words.as_deref().cloned());
    }

    fn note_added(&mut self, count: usize, before: Diagnostics, told: Option<ErrPacket>) {
        let is_elsewhere = matches!(before, Diagnostics::None | Diagnostics::Saved(_));
        if count == 0 {
            return;
        }
        self.last.diagnostics = Diagnostics::Unread { warnings: None };
        if is_elsewhere || told.is_some() {
            self.added = Some(Box::new(Added { before, what: What::Newest(count), told }));
        }
    }

    /// How many warnings MySQL counts in the OK of a command that leaves those of the statement before: that one's own.
    /// `None`: its own backend knows.
    pub(super) fn counted(&self) -> Option<u16> {
        match self.warnings {
            _ if self.is_mariadb() => Some(0),
            Some(warnings) => Some(warnings),
            None => self.last.saved().map(|saved| u16::try_from(saved.warnings).unwrap_or(u16::MAX)),
        }
    }
}

impl Session {
    /// Whether the statement may keep errors and warnings on the backend that are not this client's.
    pub(super) fn may_keep_others(&self, exchange: &Exchange) -> bool {
        let Some(shared) = &self.shared else { return false };
        let may_keep = match exchange.code {
            command::STMT_PREPARE => planted::prepare_may_keep(&shared.last.diagnostics, shared.dialect),
            _ => planted::may_keep(&exchange.summary, shared.dialect),
        };
        may_keep && self.others_stand()
    }

    /// Whether the errors and warnings that stand on the backend are not this client's.
    pub(super) fn others_stand(&self) -> bool {
        let Some(shared) = &self.shared else { return false };
        let there = self.lease.backend().kept.conditions_of;
        match shared.last.diagnostics {
            Diagnostics::None => there.is_some(),
            Diagnostics::Saved(_) => there != Some((self.admission.id, shared.conditions)),
            Diagnostics::Unread { .. } | Diagnostics::TooMuch => false,
        }
    }

    /// Puts the client's own there instead.
    pub(super) async fn plant_conditions(&mut self, exchange: &Exchange) -> Result<(), Fault> {
        let reads = exchange.summary.flags.has(Flags::READS_DIAGNOSTICS);
        let Some(shared) = &mut self.shared else { return Ok(()) };
        let plan = planted::plan(&shared.last.diagnostics, reads);
        shared.marked = plan.marks;
        // Refused, where it is to leave an error.
        let _ = self.run_own(&plan.sql).await?;
        self.note_conditions(plan.stands);
        Ok(())
    }

    /// Only this client's errors and warnings stand on its backend, if any.
    pub(super) fn note_conditions(&mut self, stand: bool) {
        let Some(shared) = &mut self.shared else { return };
        shared.conditions = shared.conditions.wrapping_add(1);
        self.lease.backend_mut().kept.conditions_of = stand.then_some((self.admission.id, shared.conditions));
    }

    /// The server has refused a command that tidegate does not know: its error is there to be asked for.
    pub(super) async fn note_refused(&mut self, exchange: &Exchange) -> Result<(), Fault> {
        let facts = &exchange.reply.facts;
        let is_login = command::shape(exchange.code) == command::Shape::Login;
        let Some(shared) = self.shared.as_mut().filter(|_| facts.error.is_some() && !is_login) else { return Ok(()) };
        let before = shared.last.diagnostics.clone();
        shared.last.after_command(exchange.code, facts, shared.dialect);
        shared.note_added_in(exchange, before);
        shared.warnings = added::counted(exchange.code, shared.dialect, shared.warnings);
        shared.is_here = true;
        self.lease.backend_mut().kept.spoiled = false;
        self.note_conditions(true);
        self.read_added().await
    }

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
            let Added { before, what, told } = *added;
            match what {
                What::Newest(count) => shared.last.put_behind(before, count, kept),
                What::Mark => {
                    shared.last.put_for_mark(before);
                    // The mark may stand there still: what the client has is somewhere else.
                    shared.conditions = shared.conditions.wrapping_add(1);
                }
            }
            if let Some(told) = told {
                shared.last.reword(told.code, &told.message);
            }
        }
        Ok(())
    }
}
