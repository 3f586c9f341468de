//! What a text has set, and the server has not announced by its name: it is read, or stays where it is.

use super::Shared;
use super::by_text::SETS_SETTINGS;
use crate::session::carried::{Variable, rule};
use crate::session::reason::Pin;
use crate::sql::assign::{Assignment, Scope, Target};
use crate::sql::details::{Detail, details, unquoted, variable_name};
use crate::sql::dialect::Dialect;
use crate::sql::effects::statements;
use crate::sql::flags::Flags;
use crate::sql::verb::{Verb, says_set_statement};
use crate::wire::announce::is_on;
use crate::wire::variable_names::{announced_as, is_flag};

impl Shared {
    /// A text has run. Where the server has one name for all flags, one that it names stands for any of them.
    pub(super) fn note_unannounced(&mut self, sql: &[u8], dialect: Dialect, flags: Flags, failed: bool) {
        let heard = std::mem::take(&mut self.heard);
        if self.server.mariadb && !heard.is_empty() && may_set_for_itself(sql, dialect, flags) {
            let others = heard.iter().filter(|name| !self.doubted.contains(name)).cloned();
            let others: Vec<_> = others.collect();
            self.doubted.extend(others);
        }
        // Whether a SET NAMES was it that another text has run, which would have chosen its collation, too.
        let runs_unseen = flags.any(RUNS_UNSEEN) && heard.iter().any(|name| **name == *b"character_set_client");
        if runs_unseen && !failed {
            self.ledger.pin(Pin::UnexplainedState);
        }
        let names_a_flag = self.questions.has_one_name_for_flags() && heard.iter().any(|name| is_flag(name));
        if !flags.any(SETS_SETTINGS) {
            self.unread |= names_a_flag;
            return;
        }
        let is_announced = |name: &[u8]| heard.iter().any(|own| **own == *name || **own == *announced_as(name));
        // A SET of nothing else than the flag that is named has changed no other.
        let mut is_told = true;
        for statement in statements(sql, dialect) {
            is_told &= statement.verb == Verb::Set;
            for detail in details(sql, dialect, &statement) {
                let Detail::Assigned(Assignment { target: Target::System(scope, name), value, literal }) = detail
                else {
                    continue;
                };
                let (name, value) = (variable_name(name.of(sql)), unquoted(value.of(sql)));
                // Of the client's own trackers, tidegate does not bring this one to another backend.
                let wants_gtids = name == b"session_track_gtids" && is_on(&value) != Some(false);
                if wants_gtids && scope != Scope::Global && !failed {
                    self.ledger.pin(Pin::UnexplainedState);
                }
                is_told &= literal && is_announced(&name);
                let is_carried = scope != Scope::Global && rule(&name) == Variable::Carried;
                match is_carried && !is_announced(&name) {
                    true if self.questions.reads(&name) => self.unread = true,
                    true if !failed => self.ledger.pin(Pin::UnexplainedState),
                    _ => {}
                }
            }
        }
        self.unread |= names_a_flag && !is_told;
    }
}

/// What runs statements that do not stand in the text.
const RUNS_UNSEEN: Flags = Flags::CALLS.with(Flags::EXECUTES).with(Flags::EXECUTE_IMMEDIATE);

/// Whether it may be, or may run, a `SET STATEMENT .. FOR ..`, of whose values MariaDB tells where the statement changes the session.
fn may_set_for_itself(sql: &[u8], dialect: Dialect, flags: Flags) -> bool {
    flags.any(RUNS_UNSEEN.with(Flags::COMPOUND)) || flags.has(Flags::NOT_PLAIN) && says_set_statement(sql, dialect)
}
