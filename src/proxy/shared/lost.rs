//! What only a backend knew that is no more. A client that asks for it must not be answered by what another connection has.

use super::Shared;
use crate::proxy::ask::LOOKS_AT_INSERT_ID;
use crate::session::last::{Diagnostics, Last};
use crate::session::reason::{Hold, Holds};
use crate::sql::effects::Summary;
use crate::sql::flags::Flags;
use crate::sql::verb::Verb;

impl Shared {
    /// The backend is gone, and with it what it protected. What is known stays.
    pub fn forget(&mut self) {
        let unread = self.last.unread().iter().chain(self.ledger.holds().iter());
        self.lost = self.lost.iter().chain(unread).collect();
        self.lost
            .set(Hold::Diagnostics, self.lost.has(Hold::Diagnostics) || self.last.diagnostics == Diagnostics::TooMuch);
        self.ledger.reset();
        let last = std::mem::replace(&mut self.last, Last::fresh());
        self.last = last.as_far_as_known();
        self.unread = false;
        self.doubted.clear();
        self.offered = false;
    }

    /// Whether the backend can go without its client's hearing of it: what is lost is asked for by few. A variable that nobody has
    /// read may be used by anything, and so may settings.
    pub fn outlives_backend(&self) -> bool {
        let holds = self.ledger.holds();
        !holds.has_any(Holds::BEYOND_LAST) && self.settings_are_known()
    }

    /// Whether the statement looks at what was lost.
    pub fn asks_for_lost(&self, summary: &Summary) -> bool {
        let is_asked = |hold| match hold {
            Hold::UserVariables | Hold::Role | Hold::Routines => true,
            Hold::LastInsertId => {
                summary.flags.any(LOOKS_AT_INSERT_ID) || self.state.variable(b"sql_auto_is_null").is_some()
            }
            Hold::RowCount => summary.flags.has(Flags::READS_ROW_COUNT),
            Hold::FoundRows => summary.flags.has(Flags::READS_FOUND_ROWS),
            Hold::Diagnostics => summary.flags.has(Flags::READS_DIAGNOSTICS),
        };
        self.lost.iter().any(is_asked)
    }

    /// A statement has run, which has left something of its own.
    pub fn renew_lost(&mut self, summary: &Summary) {
        self.lost.set(Hold::RowCount, false);
        self.lost.set(Hold::Diagnostics, false);
        if summary.verb == Verb::Select {
            self.lost.set(Hold::FoundRows, false);
        }
        if self.last.last_insert_id != Some(0) {
            self.lost.set(Hold::LastInsertId, false);
        }
    }

    /// Nothing is, where a session begins anew.
    pub(super) fn forget_lost(&mut self) {
        self.lost = Holds::NONE;
    }
}
