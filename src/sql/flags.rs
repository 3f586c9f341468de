//! The set of things that a statement may do to its session.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// A set of effects. `Copy`, one machine word.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Flags(u64);

impl Flags {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// Whether it holds all of `other`.
    #[inline]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it holds any of `other`.
    #[inline]
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both together.
    #[inline]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Without `other`.
    #[inline]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether it is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of what it holds, for logs and pin reasons.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.iter().filter(move |(flag, _)| self.has(*flag)).map(|(_, name)| *name)
    }
}

impl BitOr for Flags {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        self.with(other)
    }
}

impl BitOrAssign for Flags {
    #[inline]
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.names()).finish()
    }
}

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $text:literal;)*) => {
        impl Flags {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*
        }
        const NAMES: &[(Flags, &str)] = &[$((Flags::$name, $text)),*];
    };
}

flags! {
    /// Something is not understood: anything may have happened to the session.
    UNEXPLAINED = 0, "unexplained";
    /// Code stands in an executable comment (`/*! .. */`); it is taken into account as code.
    EXECUTABLE_COMMENT = 1, "executable_comment";
    /// Begins a transaction (BEGIN, START TRANSACTION).
    BEGINS = 2, "begin";
    /// Ends a transaction (COMMIT, ROLLBACK).
    ENDS = 3, "end";
    /// .. AND CHAIN: the next transaction begins at once.
    CHAINS = 4, "chain";
    /// .. RELEASE: the server closes the connection.
    DISCONNECTS = 5, "release";
    /// Commits what is open before it runs (DDL, LOCK TABLES, account statements ..), as far as the kind of statement tells.
    IMPLICIT_COMMIT = 6, "implicit_commit";
    /// SAVEPOINT, RELEASE SAVEPOINT, ROLLBACK TO.
    SAVEPOINT = 7, "savepoint";
    /// Sets a system variable of the session.
    SETS_SYSTEM = 8, "set_system";
    /// .. to something that is not a literal.
    SETS_SYSTEM_EXPRESSION = 9, "set_system_expression";
    /// SET of a user variable to a literal.
    SETS_USER_LITERAL = 10, "set_user_literal";
    /// Any other assignment to a user variable: SET to an expression, `:=`, INTO, LOAD DATA, GET DIAGNOSTICS.
    SETS_USER_OTHER = 11, "set_user_other";
    /// SET NAMES, SET CHARACTER SET.
    SETS_NAMES = 12, "set_names";
    /// SET ROLE.
    SETS_ROLE = 13, "set_role";
    /// The characteristics of the next transaction only.
    SETS_NEXT_TRANSACTION = 14, "set_next_transaction";
    /// Changes the server's variables (GLOBAL, PERSIST).
    SETS_GLOBAL = 15, "set_global";
    /// Sets a one-shot or frozen value: timestamp, insert_id, last_insert_id, rand_seed1/2, gtid_next, gtid_seq_no.
    SETS_FROZEN = 16, "set_frozen";
    /// Sets session_track_*.
    SETS_TRACKERS = 17, "set_trackers";
    /// Sets wait_timeout or interactive_timeout.
    SETS_WAIT_TIMEOUT = 18, "set_wait_timeout";
    /// Sets autocommit.
    SETS_AUTOCOMMIT = 19, "set_autocommit";
    /// Sets sql_mode, or a character set where ASCII bytes stand inside of characters: what follows in the same text
    /// is lexed by the old rules here, by the new ones on the server.
    SETS_LEXING = 20, "set_lexing";
    /// USE.
    USES_SCHEMA = 21, "use";
    /// GET_LOCK().
    USER_LOCK = 22, "get_lock";
    /// RELEASE_LOCK(), RELEASE_ALL_LOCKS().
    USER_UNLOCK = 23, "release_lock";
    /// CREATE TEMPORARY TABLE (or SEQUENCE).
    CREATES_TEMPORARY = 24, "create_temporary";
    /// DROP TABLE, with or without TEMPORARY: temporary ones of those names go.
    DROPS_TABLE = 25, "drop_table";
    /// RENAME TABLE, ALTER TABLE .. RENAME: a temporary table may bear another name now.
    RENAMES_TABLE = 26, "rename_table";
    /// PREPARE (in SQL).
    PREPARES = 27, "prepare";
    /// EXECUTE of a name: its effects are those of the prepared text.
    EXECUTES = 28, "execute";
    /// DEALLOCATE PREPARE, DROP PREPARE.
    DEALLOCATES = 29, "deallocate";
    /// HANDLER .. OPEN.
    HANDLER_OPEN = 30, "handler_open";
    /// HANDLER .. READ.
    HANDLER_READ = 31, "handler_read";
    /// HANDLER .. CLOSE.
    HANDLER_CLOSE = 32, "handler_close";
    /// LOCK TABLES.
    LOCKS_TABLES = 33, "lock_tables";
    /// UNLOCK TABLES; ends FLUSH TABLES .. WITH READ LOCK too.
    UNLOCKS_TABLES = 34, "unlock_tables";
    /// FLUSH TABLES .. WITH READ LOCK or FOR EXPORT, LOCK INSTANCE, LOCK BINLOG, BACKUP STAGE, BACKUP LOCK.
    GLOBAL_LOCK = 35, "global_lock";
    /// UNLOCK INSTANCE, UNLOCK BINLOG, BACKUP STAGE END, BACKUP UNLOCK.
    GLOBAL_UNLOCK = 36, "global_unlock";
    /// XA START, XA BEGIN.
    XA_START = 37, "xa_start";
    /// XA END.
    XA_END = 38, "xa_end";
    /// XA PREPARE.
    XA_PREPARE = 39, "xa_prepare";
    /// XA COMMIT, XA ROLLBACK.
    XA_FINISH = 40, "xa_finish";
    /// LOAD DATA LOCAL: the server will ask for a file.
    LOCAL_INFILE = 41, "local_infile";
    /// CALL: the procedure may do anything.
    CALLS = 42, "call";
    /// A function that is not one of the server's own harmless ones.
    UNKNOWN_FUNCTION = 43, "unknown_function";
    /// SQL_CALC_FOUND_ROWS.
    CALC_FOUND_ROWS = 44, "calc_found_rows";
    /// LAST_INSERT_ID() without argument, `@@last_insert_id`, `@@identity`.
    READS_LAST_INSERT_ID = 45, "last_insert_id";
    /// ROW_COUNT().
    READS_ROW_COUNT = 46, "row_count";
    /// FOUND_ROWS().
    READS_FOUND_ROWS = 47, "found_rows";
    /// SHOW WARNINGS, SHOW ERRORS, GET DIAGNOSTICS, `@@warning_count`, `@@error_count`.
    READS_DIAGNOSTICS = 48, "diagnostics";
    /// LAST_INSERT_ID(expr).
    SETS_LAST_INSERT_ID = 49, "set_last_insert_id";
    /// CONNECTION_ID(), `@@pseudo_thread_id`.
    READS_CONNECTION_ID = 50, "connection_id";
    /// KILL.
    KILLS = 51, "kill";
    /// Accounts or privileges change: CREATE/ALTER/DROP/RENAME USER or ROLE, GRANT, REVOKE, SET PASSWORD, SET DEFAULT ROLE, FLUSH PRIVILEGES.
    CREDENTIALS = 52, "credentials";
    /// A compound statement (BEGIN NOT ATOMIC, IF .., LOOP ..) outside of a stored program.
    COMPOUND = 53, "compound";
    /// EXECUTE IMMEDIATE.
    EXECUTE_IMMEDIATE = 54, "execute_immediate";
    /// Names a user variable.
    USES_USER_VARIABLE = 55, "user_variable";
    /// Names a system variable (`@@x`), or SHOW VARIABLES.
    USES_SYSTEM_VARIABLE = 56, "system_variable";
    /// Shows or names connections by id: processlist, SHOW EXPLAIN FOR, EXPLAIN FOR CONNECTION, IS_USED_LOCK().
    SHOWS_CONNECTIONS = 57, "connections";
    /// NEXTVAL, SETVAL, LASTVAL, NEXT/PREVIOUS VALUE FOR: a sequence, and the session's last value of it.
    SEQUENCE = 58, "sequence";
    /// SHOW STATUS, FLUSH STATUS: counters of the session.
    SESSION_COUNTERS = 59, "session_counters";
    /// SELECT with FOR UPDATE, FOR SHARE, LOCK IN SHARE MODE, INTO or PROCEDURE (or those words elsewhere).
    NOT_PLAIN = 60, "not_plain";
    /// The body of a stored program may contain `;`: the rest of the text is taken for it.
    STORED_PROGRAM = 61, "stored_program";
    /// DROP DATABASE.
    DROPS_SCHEMA = 62, "drop_schema";
    /// Proved: reads only, leaves nothing behind in the session but the facts about the last statement, and so may be sent twice.
    /// A view, though, can hide a stored function: that no lexer sees.
    READ_ONLY = 63, "read_only";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_a_set() {
        let both = Flags::BEGINS | Flags::READ_ONLY;
        assert!(
            both.has(Flags::BEGINS) && !both.has(Flags::BEGINS | Flags::ENDS) && both.any(Flags::BEGINS | Flags::ENDS)
        );
        assert_eq!(both.without(Flags::BEGINS), Flags::READ_ONLY);
        assert_eq!(format!("{both:?}"), r#"{"begin", "read_only"}"#);
        assert!(Flags::NONE.is_empty());
        assert_eq!(NAMES.iter().map(|(flag, _)| flag.0.count_ones()).sum::<u32>(), 64);
        assert_eq!(NAMES.iter().fold(0, |all, (flag, _)| all | flag.0), u64::MAX);
    }
}
