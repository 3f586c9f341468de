//! What a SHOW or an EXPLAIN looks at, and with it what becomes of FOUND_ROWS() and of older warnings: as a server that looks
//! at its tables for it, or at none. Seen on MariaDB 10.11 and 11, and on MySQL 5.6; what MySQL 9 counts is the same.

use super::{Ran, rules};
use crate::sql::flags::Flags;
use crate::sql::lexer::{Kind, Lexer};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// A table of the server's own: a SELECT within the server counts its rows.
    Rows,
    /// How a table was made: it is opened, and no row counted.
    Opened,
    /// No table.
    NoTable,
    /// Not known.
    Unknown,
}

const ROWS: [&str; 19] = [
    "character",
    "charset",
    "collation",
    "columns",
    "databases",
    "engines",
    "events",
    "fields",
    "index",
    "indexes",
    "keys",
    "open",
    "plugins",
    "profile",
    "schemas",
    "status",
    "tables",
    "triggers",
    "variables",
];
const HAVE_STATUS: [&str; 4] = ["function", "package", "procedure", "table"];
const NO_TABLE: [&str; 7] = ["binary", "binlog", "engine", "grants", "privileges", "processlist", "profiles"];
/// MySQL 8 and later were not asked.
const NO_TABLE_BEFORE: [&str; 4] = ["authors", "contributors", "master", "relaylog"];
const BEFORE_THE_WORD: [&str; 6] = ["extended", "full", "global", "local", "session", "storage"];

/// Of a SHOW or a HELP.
pub(super) fn shown(ran: &Ran<'_>) -> Shown {
    if ran.has(Flags::EXECUTABLE_COMMENT) {
        return Shown::Unknown;
    }
    let mut words = only_words(ran);
    let is_old = rules::keeps(ran.dialect);
    if words.next().is_some_and(|word| is(word, "help")) {
        return if is_old { Shown::NoTable } else { Shown::Unknown };
    }
    let Some(word) = words.find(|word| !is_one_of(&BEFORE_THE_WORD, word)) else { return Shown::Unknown };
    match word {
        word if is_one_of(&ROWS, word) => Shown::Rows,
        word if is_one_of(&HAVE_STATUS, word) && words.next().is_some_and(|next| is(next, "status")) => Shown::Rows,
        word if is(word, "create") => match words.next() {
            Some(next) if is_one_of(&["table", "view", "sequence"], next) => Shown::Opened,
            Some(_) => Shown::NoTable,
            None => Shown::Unknown,
        },
        // MariaDB 11.6 made a table of it (MDEV-33856).
        word if is_old && is_one_of(&["slave", "replica"], word) => {
            let is_status = words.next().is_some_and(|next| is(next, "status"));
            if is_status && ran.dialect.version >= 110_600 { Shown::Rows } else { Shown::NoTable }
        }
        word if is_one_of(&NO_TABLE, word) || is_old && is_one_of(&NO_TABLE_BEFORE, word) => Shown::NoTable,
        _ => Shown::Unknown,
    }
}

/// Whether it is a query that an EXPLAIN explains, and not a write or a table, which is looked at in any case.
pub(super) fn explains_a_query(ran: &Ran<'_>) -> bool {
    only_words(ran).skip(1).find_map(|word| {
        let reads = is_one_of(&["select", "values", "with"], word);
        let writes = is_one_of(&["delete", "insert", "replace", "update"], word);
        (reads || writes).then_some(reads)
    }) == Some(true)
}

/// The statement's words, and nothing else of it.
pub(super) fn only_words<'a>(ran: &Ran<'a>) -> impl Iterator<Item = &'a [u8]> {
    let sql = ran.sql;
    Lexer::new(sql, ran.dialect)
        .filter(|token| token.kind == Kind::Word)
        .map(move |token| sql.get(token.start..token.end).unwrap_or_default())
}

pub(super) fn is(word: &[u8], own: &str) -> bool {
    word.eq_ignore_ascii_case(own.as_bytes())
}

pub(super) fn is_one_of(list: &[&str], word: &[u8]) -> bool {
    list.iter().any(|own| is(word, own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::last::tests::{MARIADB, MYSQL};
    use crate::wire::reply::Facts;

    #[test]
    fn a_show_is_known_by_its_first_words() {
        let facts = Facts::default();
        let of = |sql: &str, dialect| shown(&Ran::new(sql.as_bytes(), dialect, &facts));
        for (sql, expected) in [
            ("SHOW FULL COLUMNS FROM create_time", Shown::Rows),
            ("SHOW SESSION STATUS LIKE 'x'", Shown::Rows),
            ("SHOW TABLE STATUS", Shown::Rows),
            ("SHOW /* all */ STORAGE ENGINES", Shown::Rows),
            ("SHOW CREATE TABLE t", Shown::Opened),
            ("show create view v", Shown::Opened),
            ("SHOW CREATE DATABASE columns", Shown::NoTable),
            ("SHOW ENGINE INNODB STATUS", Shown::NoTable),
            ("SHOW FULL PROCESSLIST", Shown::NoTable),
            ("SHOW /*!50000 FULL */ TABLES", Shown::Unknown),
            ("SHOW EXPLAIN FOR 1", Shown::Unknown),
            ("SHOW", Shown::Unknown),
        ] {
            assert_eq!(of(sql, MARIADB), expected, "{sql}");
            assert_eq!(of(sql, MYSQL), expected, "{sql}");
        }
        for sql in ["HELP 'select'", "SHOW MASTER STATUS"] {
            assert_eq!((of(sql, MARIADB), of(sql, MYSQL)), (Shown::NoTable, Shown::Unknown), "{sql}");
        }
    }

    #[test]
    fn a_table_is_described_and_a_query_explained() {
        let facts = Facts::default();
        let explains = |sql: &str| explains_a_query(&Ran::new(sql.as_bytes(), MARIADB, &facts));
        for sql in ["EXPLAIN SELECT 1", "explain format=json select 1", "EXPLAIN (SELECT 1)", "DESC VALUES (1)"] {
            assert!(explains(sql), "{sql}");
        }
        for sql in ["DESCRIBE t", "DESC `select` 'i%'", "EXPLAIN UPDATE t SET a = (SELECT 1)", "EXPLAIN t"] {
            assert!(!explains(sql), "{sql}");
        }
    }
}
