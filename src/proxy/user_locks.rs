//! Mode `transaction`: whether a client still has the locks that it took with GET_LOCK(). The server is asked rather than
//! guessed at: it may have refused one, or given one back by itself.

use crate::proxy::client::Session;
use crate::proxy::error::Fault;
use crate::session::reason::Pin;
use crate::session::wide::narrow;
use crate::sql::dialect::Dialect;
use crate::sql::flags::Flags;
use crate::sql::locks::{lock_names, releases_all};

/// The most names that are asked for.
const MAX_NAMES: usize = 64;

/// The locks that a client may have.
#[derive(Debug, Default)]
pub struct UserLocks {
    /// As they stood in its statements, quotes included.
    names: Vec<Box<[u8]>>,
    /// There may be others: only the session's end is theirs.
    unknown: bool,
}

impl UserLocks {
    fn take(&mut self, sql: &[u8], dialect: Dialect) {
        match lock_names(sql, dialect) {
            Some(spans) => {
                for name in spans.into_iter().map(|span| span.of(sql)) {
                    if !self.names.iter().any(|own| **own == *name) {
                        self.names.push(name.into());
                    }
                }
                self.unknown |= self.names.len() > MAX_NAMES;
            }
            None => self.unknown = true,
        }
    }

    /// Which of them are this connection's: 1 for each that is. `None`: nobody can ask.
    fn question(&self) -> Option<String> {
        if self.unknown || self.names.is_empty() {
            return None;
        }
        let one = |name: &[u8]| Some(format!("IS_USED_LOCK({})<=>CONNECTION_ID()", std::str::from_utf8(name).ok()?));
        let all = self.names.iter().map(|name| one(name)).collect::<Option<Vec<_>>>()?;
        Some(format!("SELECT {} LIMIT 1", all.join(",")))
    }
}

impl Session {
    /// A statement has taken or given back locks: the pin ends where none is left.
    pub(super) async fn ask_for_locks(&mut self, sql: &[u8], dialect: Dialect, flags: Flags) -> Result<(), Fault> {
        let Some(shared) = &mut self.shared else { return Ok(()) };
        if !flags.any(Flags::USER_LOCK.with(Flags::USER_UNLOCK)) || !shared.ledger.pins().has(Pin::UserLock) {
            return Ok(());
        }
        if flags.has(Flags::USER_LOCK) {
            shared.locks.take(sql, dialect);
        } else if releases_all(sql, dialect) {
            shared.locks = UserLocks::default();
            shared.ledger.user_locks_are_gone();
            return Ok(());
        }
        let Some(question) = shared.locks.question() else { return Ok(()) };
        let rows = self.run_own(&question).await?;
        let Some(shared) = &mut self.shared else { return Ok(()) };
        let is_owned = |value: &Option<Vec<u8>>| value.as_deref().is_none_or(|value| *narrow(value) != *b"0");
        if rows.is_ok_and(|rows| !rows.iter().flatten().any(is_owned)) {
            shared.locks = UserLocks::default();
            shared.ledger.user_locks_are_gone();
        }
        Ok(())
    }
}
