//! The session begins anew: a reset, a change of user.

use std::sync::Arc;

use super::Shared;
use crate::proxy::setup::Fresh;
use crate::proxy::user_locks::UserLocks;
use crate::session::last::Last;
use crate::session::reason::Pin;
use crate::session::state::{CLIENT_COLLATION, State};
use crate::wire::announce::Told;

/// What a login says of character sets; collations behind their character sets, which take them away.
const OF_CHARSETS: [&[u8]; 5] = [
    b"character_set_client",
    CLIENT_COLLATION,
    b"character_set_results",
    b"character_set_connection",
    b"collation_connection",
];

impl Shared {
    /// The session is as after a login.
    pub fn restart(&mut self, fresh: &Fresh) {
        self.state = fresh.state.clone();
        self.baseline = Arc::clone(&fresh.baseline);
        self.asked = fresh.asked.clone();
        self.forget_all_but_state();
        self.note_baseline();
        self.is_to_be_reset = false;
        self.has_reset_schema = false;
    }

    /// The same behind a change of user, of which MySQL 5.6 makes less of a new session: what its last statement left, the time that
    /// was set, and the next insert id and seeds stay.
    pub fn restart_for(&mut self, fresh: &Fresh) {
        let last = self.last.clone();
        let time = self.state.variable(b"timestamp").map(<[u8]>::to_vec);
        let (is_frozen, waits) = (self.ledger.pins().has(Pin::Frozen), self.ledger.waits_for_insert());
        self.restart(fresh);
        if !fresh.keeps_last {
            return;
        }
        self.last = Last { row_count: Some(0), ..last };
        let noted = self.state.set_timestamp(time.as_deref());
        self.keep(noted);
        match (is_frozen, waits) {
            (true, true) => self.ledger.pin(Pin::Frozen),
            (true, false) => self.ledger.freeze_for_good(),
            (false, _) => {}
        }
    }

    fn forget_all_but_state(&mut self) {
        self.told = Told::default();
        self.statements.clear();
        // Nothing of this kind makes a server forget FOUND_ROWS().
        self.last = Last { found_rows: self.last.found_rows, ..Last::fresh() };
        self.locks = UserLocks::default();
        self.ledger.reset();
        self.forget_lost();
        self.unread = false;
        self.doubted.clear();
        self.note_dialect();
    }

    /// A reset has left nothing of the session but its schema, and what it made of it was not read.
    pub fn reset_unread(&mut self) {
        let before = self.state.clone();
        self.state = State::fresh(before.generation(), before.schema(), before.multi_statements());
        for name in OF_CHARSETS {
            // A few short values fit into an empty state.
            if let Some(value) = before.variable(name) {
                let _ = self.state.set(name, value);
            }
        }
        self.forget_all_but_state();
        // Where it was not read, it is lost.
        self.last.found_rows = self.last.found_rows.or(Some(0));
        self.is_to_be_reset = true;
    }

    /// MariaDB's resets go back to the character sets of the last change of user that named one, or else to the login's.
    pub fn note_login_charsets(&mut self, fresh: &Fresh) {
        self.of_login = fresh.state.clone();
    }

    /// The login's own character sets again.
    pub fn put_login_charsets(&mut self) {
        let of_login = self.of_login.clone();
        for name in OF_CHARSETS {
            if let Some(value) = of_login.variable(name) {
                let noted = self.set(name, value);
                self.keep(noted);
            }
        }
    }
}
