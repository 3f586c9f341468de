//! What a client's last statement left behind: ROW_COUNT(), FOUND_ROWS(), LAST_INSERT_ID(), warnings and errors.
//!
//! Each of them is either known, or it stands on the backend alone and is read from there before that goes to another
//! client: [`Last::unread`], [`questions`], [`Last::take`]. [`Last::after`] keeps it true from one reply to the next; the
//! rules were found by experiment on MariaDB 10.11 and 11, MySQL 5.6 and 9, and the tests ask these servers again.
//!
//! tidegate's own statements and pings on a backend change what stands there: read first. COM_PING makes ROW_COUNT() 0.

pub mod added;
pub mod found_rows;
pub mod planted;
mod questions;
mod rules;
mod shown;
mod uses_tables;

use self::found_rows::Found;
use crate::session::reason::{Hold, Holds};
use crate::sql::dialect::Dialect;
use crate::sql::effects::{Summary, summary};
use crate::sql::flags::Flags;
use crate::sql::verb::Verb;
use crate::wire::command;
use crate::wire::reply::Facts;
use crate::wire::status::CURSOR_EXISTS;

pub use questions::{Malformed, questions};
pub(in crate::session) use rules::keeps as keeps_diagnostics;

/// The most bytes that are kept of one statement's conditions: all that a server keeps unless its `max_error_count` was raised
/// (MySQL 1,024, MariaDB 64), with messages of any length (512 bytes).
pub const MAX_BYTES: usize = 1 << 20;

/// What kind of condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// An error.
    Error,
    /// A warning.
    Warning,
    /// A note.
    Note,
}

impl Level {
    /// The word in SHOW WARNINGS.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Error => "Error",
            Level::Warning => "Warning",
            Level::Note => "Note",
        }
    }

    fn of(name: &[u8]) -> Option<Level> {
        [Level::Error, Level::Warning, Level::Note].into_iter().find(|level| level.name().as_bytes() == name)
    }
}

/// What they take.
fn bytes(conditions: &[Condition]) -> usize {
    conditions.iter().map(|condition| size_of::<Condition>() + condition.message.len()).sum()
}

/// A row of SHOW WARNINGS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// What kind.
    pub level: Level,
    /// The server's number for it.
    pub code: u32,
    /// In the character set of results that was in force when it was read.
    pub message: Box<[u8]>,
}

/// All that SHOW WARNINGS said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Saved {
    /// In the server's order.
    pub conditions: Vec<Condition>,
    /// `@@warning_count`: more than there are conditions where the server did not keep them all.
    pub warnings: u64,
    /// `@@error_count`
    pub errors: u64,
    /// The messages' character set: `@@character_set_results` when they were read.
    pub charset: Vec<u8>,
}

/// Warnings and errors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Diagnostics {
    /// There are none.
    #[default]
    None,
    /// They stand on the backend alone.
    Unread {
        /// How many there are, where the reply told it.
        warnings: Option<u16>,
    },
    /// They were read.
    Saved(Box<Saved>),
    /// They were read, and are more than is kept: the backend must be kept instead.
    TooMuch,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Last {
    /// ROW_COUNT(); `None`: read it.
    pub row_count: Option<i64>,
    /// FOUND_ROWS(); `None`: read it.
    pub found_rows: Option<u64>,
    /// LAST_INSERT_ID(); `None`: read it.
    pub last_insert_id: Option<u64>,
    /// Warnings and errors.
    pub diagnostics: Diagnostics,
}

/// A query's text, or a prepared statement's, and how it ended.
#[derive(Debug, Clone, Copy)]
pub struct Ran<'a> {
    /// The client's text, whatever was sent instead of it.
    pub sql: &'a [u8],
    /// How it was read, and by which server.
    pub dialect: Dialect,
    /// Its summary.
    pub summary: Summary,
    /// What the reply said.
    pub facts: &'a Facts,
}

const OPAQUE: Flags =
    Flags::CALLS.with(Flags::EXECUTES).with(Flags::EXECUTE_IMMEDIATE).with(Flags::COMPOUND).with(Flags::UNEXPLAINED);

impl<'a> Ran<'a> {
    /// With a summary made here.
    pub fn new(sql: &'a [u8], dialect: Dialect, facts: &'a Facts) -> Ran<'a> {
        Ran { sql, dialect, summary: summary(sql, dialect), facts }
    }

    fn has(&self, flags: Flags) -> bool {
        self.summary.flags.any(flags)
    }

    fn is_one(&self) -> bool {
        self.summary.statements <= 1
    }

    fn verb(&self) -> Verb {
        self.summary.verb
    }

    fn failed(&self) -> bool {
        self.facts.error.is_some()
    }

    /// What a procedure, a prepared text or an unknown statement did, nobody sees.
    fn is_opaque(&self) -> bool {
        self.has(OPAQUE)
    }

    fn opened_cursor(&self) -> bool {
        self.facts.status_seen & CURSOR_EXISTS != 0
    }
}

impl Last {
    /// After a login, or a change of user.
    pub fn fresh() -> Last {
        Last { row_count: Some(0), found_rows: Some(0), last_insert_id: Some(0), diagnostics: Diagnostics::None }
    }

    /// The same without what was still to be read, which nobody knows any more.
    pub fn as_far_as_known(self) -> Last {
        let is_read = matches!(self.diagnostics, Diagnostics::None | Diagnostics::Saved(_));
        Last {
            row_count: self.row_count.or(Some(0)),
            found_rows: self.found_rows.or(Some(0)),
            last_insert_id: self.last_insert_id.or(Some(0)),
            diagnostics: if is_read { self.diagnostics } else { Diagnostics::None },
        }
    }

    /// What is to be read from the backend before it goes to another client.
    pub fn unread(&self) -> Holds {
        let unread = [
            (Hold::RowCount, self.row_count.is_none()),
            (Hold::FoundRows, self.found_rows.is_none()),
            (Hold::LastInsertId, self.last_insert_id.is_none()),
            (Hold::Diagnostics, matches!(self.diagnostics, Diagnostics::Unread { .. })),
        ];
        unread.into_iter().filter(|(_, on)| *on).map(|(hold, _)| hold).collect()
    }

    /// The warnings and errors that there are, as they are shown; `None` where nobody has read them.
    pub fn saved(&self) -> Option<&Saved> {
        static NOTHING: Saved = Saved { conditions: Vec::new(), warnings: 0, errors: 0, charset: Vec::new() };
        match &self.diagnostics {
            Diagnostics::None => Some(&NOTHING),
            Diagnostics::Saved(saved) => Some(saved),
            Diagnostics::Unread { .. } | Diagnostics::TooMuch => None,
        }
    }

    /// A query or an execution ended. Returns what it has made of FOUND_ROWS(), for the backend's own.
    pub fn after(&mut self, ran: &Ran<'_>) -> Found {
        self.row_count = rules::row_count(self.row_count, ran);
        let found = found_rows::found_rows(ran);
        self.found_rows = found.after(self.found_rows);
        self.last_insert_id = rules::last_insert_id(self.last_insert_id, ran);
        let before = std::mem::take(&mut self.diagnostics);
        self.diagnostics = rules::diagnostics(before, ran);
        found
    }

    /// GET DIAGNOSTICS of a condition that is not there adds its own error to those that it asked for: also where these
    /// were read before, and do not stand on the backend.
    pub fn diagnostics_failed(&mut self, before: Diagnostics, ran: &Ran<'_>) {
        const INVALID_CONDITION: u16 = 1758;
        let asked = ran.is_one() && ran.verb() == Verb::Diagnostics && ran.facts.error == Some(INVALID_CONDITION);
        if let Diagnostics::Saved(mut saved) = before
            && asked
        {
            let message = Box::from(&b"Invalid condition number"[..]);
            saved.conditions.push(Condition { level: Level::Error, code: u32::from(INVALID_CONDITION), message });
            saved.warnings += 1;
            saved.errors += 1;
            self.diagnostics = Diagnostics::Saved(saved);
        }
    }

    /// Any other command ended: its first byte, and what its reply said. Not for COM_STMT_EXECUTE. None of them finds rows.
    pub fn after_command(&mut self, code: u8, facts: &Facts, dialect: Dialect) {
        if facts.error.is_some() {
            self.row_count = Some(-1);
            self.diagnostics = Diagnostics::Unread { warnings: None };
            return;
        }
        match code {
            command::STATISTICS | command::STMT_CLOSE | command::STMT_SEND_LONG_DATA | command::STMT_FETCH => {}
            command::STMT_PREPARE => self.after_prepare(facts, dialect),
            command::RESET_CONNECTION => *self = Last { found_rows: self.found_rows, ..Last::fresh() },
            command::CHANGE_USER => *self = Last::fresh(),
            command::PING | command::INIT_DB | command::STMT_RESET => self.row_count = Some(0),
            // Ends in EOF, which counts as a result set.
            command::SET_OPTION => self.row_count = Some(-1),
            _ => self.row_count = None,
        }
    }

    /// A KILL that succeeded, wherever it ran.
    pub fn after_kill(&mut self, dialect: Dialect) {
        self.row_count = Some(0);
        if !keeps_diagnostics(dialect) {
            self.diagnostics = Diagnostics::None;
        }
    }

    fn after_prepare(&mut self, facts: &Facts, dialect: Dialect) {
        self.diagnostics = match std::mem::take(&mut self.diagnostics) {
            before if facts.warnings == 0 && keeps_diagnostics(dialect) => match before {
                // With tables, these servers clear them here too.
                Diagnostics::Saved(_) => Diagnostics::Unread { warnings: None },
                other => other,
            },
            _ => rules::of_count(facts.warnings),
        }
    }
}

#[cfg(test)]
mod tests;
