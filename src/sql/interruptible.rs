//! Statements that may be ended in the middle: nothing is left of them outside of their session, and that ends too.

use super::effects::Summary;
use super::flags::Flags;
use super::verb::Verb;

/// What a SELECT, DO or SET may do besides reading. Anything else, such as a stored function, may write.
const STAYS_INSIDE: Flags = Flags::USER_LOCK
    .with(Flags::USER_UNLOCK)
    .with(Flags::SETS_USER_LITERAL)
    .with(Flags::SETS_USER_OTHER)
    .with(Flags::USES_USER_VARIABLE)
    .with(Flags::USES_SYSTEM_VARIABLE)
    .with(Flags::CALC_FOUND_ROWS)
    .with(Flags::READS_LAST_INSERT_ID)
    .with(Flags::READS_ROW_COUNT)
    .with(Flags::READS_FOUND_ROWS)
    .with(Flags::READS_DIAGNOSTICS)
    .with(Flags::READS_CONNECTION_ID)
    .with(Flags::SETS_LAST_INSERT_ID)
    .with(Flags::SHOWS_CONNECTIONS);

/// Locks that end with their session; to take them may take long, and meanwhile everybody else may be waiting too.
const LOCKS: Flags = Flags::LOCKS_TABLES.with(Flags::GLOBAL_LOCK);

/// Whether the text may be ended in the middle, outside of a transaction.
pub fn is_interruptible(summary: Summary) -> bool {
    if summary.is_read_only() {
        return true;
    }
    // Of several statements only the first one's kind is known.
    summary.statements == 1
        && match summary.verb {
            Verb::Select | Verb::Do | Verb::Set => STAYS_INSIDE.has(summary.flags),
            Verb::Lock | Verb::Flush => {
                summary.flags.any(LOCKS) && LOCKS.with(Flags::IMPLICIT_COMMIT).with(Flags::NOT_PLAIN).has(summary.flags)
            }
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::super::effects::summary;
    use super::super::lexer::Dialect;
    use super::*;

    #[test]
    fn what_may_write_runs_to_its_end() {
        let is = |sql: &str| is_interruptible(summary(sql.as_bytes(), Dialect { mariadb: true, ..Dialect::default() }));
        for sql in [
            "SELECT SLEEP(5)",
            "SELECT GET_LOCK('a', 100)",
            "select sql_calc_found_rows get_lock('a', 100), @a := 1, release_lock('b') from t",
            "DO GET_LOCK('a', 100)",
            "DO SLEEP(10)",
            "SET @a = GET_LOCK('a', 100)",
            "LOCK TABLES t WRITE",
            "FLUSH TABLES WITH READ LOCK",
            "SELECT 1; SELECT 2",
        ] {
            assert!(is(sql), "{sql}");
        }
        for sql in [
            "SELECT my_function(1)",
            "DO my_function(1)",
            "SELECT GET_LOCK('a', 1); INSERT INTO t VALUES (1)",
            "SELECT a FROM t INTO OUTFILE 'x'",
            "SELECT NEXTVAL(s)",
            "SET GLOBAL max_connections = GET_LOCK('a', 1)",
            "INSERT INTO t SELECT GET_LOCK('a', 1)",
            "CALL p(GET_LOCK('a', 1))",
            "UNLOCK TABLES",
            "FLUSH PRIVILEGES",
            "OPTIMIZE TABLE t",
            "COMMIT",
            "",
        ] {
            assert!(!is(sql), "{sql}");
        }
    }
}
