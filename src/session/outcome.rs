//! What a reply says about the session: its status flags, its trackers, its error.

use crate::session::carried::{Variable, rule};
use crate::wire::reply::Facts;
use crate::wire::status::{AUTOCOMMIT, CURSOR_EXISTS, IN_TRANS, LAST_ROW_SENT, SESSION_STATE_CHANGED};
use crate::wire::trackers::Tracker;

/// What a server can say of its own accord.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcing {
    /// `SESSION_TRACK` was agreed on, and tidegate's settings are in force. MySQL 5.6 has none of it.
    pub trackers: bool,
    /// `session_track_transaction_info` is CHARACTERISTICS.
    pub transactions: bool,
    /// What becomes of trackers where a result ends in a legacy EOF, which has no room for them.
    pub at_eof: AtEof,
}

/// See [`Announcing::at_eof`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtEof {
    /// There is none: `DEPRECATE_EOF` was agreed on.
    Sent,
    /// MySQL: no flag, and they come in the next OK, that of a COM_PING too.
    Later,
    /// MariaDB: the flag is set, and they are lost.
    Lost,
}

/// What the OK packets of one reply announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Announced {
    /// Something of the session has changed.
    pub state_change: bool,
    /// The transaction's state came: whether tables are locked.
    pub table_locks: Option<bool>,
    /// The next or present transaction's characteristics came: whether it has any.
    pub characteristics: Option<bool>,
    /// A variable that [`rule`] calls frozen.
    pub frozen: bool,
    /// A variable that [`rule`] calls unexplained, or a tracker of an unknown kind.
    pub unexplained: bool,
}

impl Announced {
    /// Takes one tracker into account.
    pub fn take(&mut self, tracker: Tracker<'_>) {
        match tracker {
            Tracker::Variable { name, .. } => match rule(name) {
                Variable::Frozen => self.frozen = true,
                Variable::Unexplained => self.unexplained = true,
                Variable::Carried | Variable::Own | Variable::Nothing => {}
            },
            Tracker::StateChange => self.state_change = true,
            Tracker::Characteristics(text) => self.characteristics = Some(!text.is_empty()),
            Tracker::Transaction(state) => self.table_locks = Some(state.locks_tables()),
            Tracker::Unknown(_) => self.unexplained = true,
            Tracker::Schema(_) | Tracker::Gtids(_) => {}
        }
    }
}

/// ER_PARSE_ERROR
const PARSE_ERROR: u16 = 1064;

/// How a command ended, as far as its session goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The last status flags; `None` where there were none (an ERR alone).
    pub status: Option<u16>,
    /// All status flags of the reply, or-ed.
    pub seen: u16,
    /// It ended with an ERR packet.
    pub failed: bool,
    /// The server could not parse it.
    pub syntax_error: bool,
    /// Warnings, as the last OK counts them.
    pub warnings: u16,
    /// Some OK reported an insert id.
    pub insert_id: bool,
    /// What its OK packets announced.
    pub announced: Announced,
    /// A legacy EOF had `SESSION_STATE_CHANGED`.
    pub changed_at_eof: bool,
}

impl Outcome {
    /// From a reply's facts and what its OK packets announced.
    pub fn new(facts: &Facts, announced: Announced, changed_at_eof: bool) -> Outcome {
        Outcome {
            status: facts.error.is_none().then_some(facts.status),
            seen: facts.status_seen,
            failed: facts.error.is_some(),
            syntax_error: facts.error == Some(PARSE_ERROR),
            warnings: facts.warnings,
            insert_id: facts.insert_id != 0,
            announced,
            changed_at_eof,
        }
    }

    /// A transaction is open; `None` where nothing says so.
    pub fn in_transaction(&self) -> Option<bool> {
        self.status.filter(|_| !self.failed).map(|status| status & IN_TRANS != 0)
    }

    /// Each statement is a transaction of its own, as far as the last flags say.
    pub fn autocommits(&self) -> bool {
        self.status.is_none_or(|status| status & AUTOCOMMIT != 0)
    }

    /// A transaction was open at some point of the reply.
    pub fn saw_transaction(&self) -> bool {
        self.seen & IN_TRANS != 0
    }

    /// A cursor was opened.
    pub fn opened_cursor(&self) -> bool {
        self.seen & CURSOR_EXISTS != 0
    }

    /// A cursor gave its last row.
    pub fn sent_last_row(&self) -> bool {
        self.seen & LAST_ROW_SENT != 0
    }

    /// Some OK or EOF said that the session has changed.
    pub fn changed(&self) -> bool {
        self.seen & SESSION_STATE_CHANGED != 0
    }
}
