//! Whether a statement uses tables. MariaDB and MySQL 5.6 forget older warnings and errors with one that does, and keep them over
//! any other, whatever it does. Seen on MariaDB 10.11 and 11, and on MySQL 5.6.

use super::Ran;
use super::found_rows::words;
use super::shown::{self, Shown, is, is_one_of, only_words};
use crate::sql::flags::Flags;
use crate::sql::lexer::Lexer;
use crate::sql::verb::Verb;

/// `None`: not known.
pub(super) fn uses_tables(ran: &Ran<'_>) -> Option<bool> {
    match ran.verb() {
        Verb::Explain if ran.has(Flags::SHOWS_CONNECTIONS) => None,
        Verb::Explain if !shown::explains_a_query(ran) => Some(true),
        Verb::Set | Verb::Do | Verb::Select | Verb::Explain => Some(words(ran).table),
        Verb::Empty | Verb::Use | Verb::Begin | Verb::Commit | Verb::Rollback | Verb::Savepoint => Some(false),
        Verb::Deallocate | Verb::Xa => Some(false),
        Verb::Lock if ran.has(Flags::UNLOCKS_TABLES) => Some(false),
        Verb::Insert | Verb::Replace | Verb::Update | Verb::Delete | Verb::LoadData | Verb::Handler => Some(true),
        Verb::Account => Some(is_about_one_object(ran)),
        Verb::Flush => Some(flushes_a_table(ran)),
        Verb::Ddl => makes_a_table(ran),
        Verb::Show => match shown::shown(ran) {
            Shown::Rows | Shown::Opened => Some(true),
            Shown::NoTable => Some(false),
            Shown::Unknown => None,
        },
        _ => None,
    }
}

/// The first of these words says what the statement makes.
fn makes_a_table(ran: &Ran<'_>) -> Option<bool> {
    let mut words = only_words(ran);
    let verb = words.next()?;
    if is_one_of(&["truncate", "rename"], verb) {
        return Some(true);
    }
    words.find_map(|word| match word {
        word if is_one_of(&["table", "tables", "view", "index", "sequence"], word) => Some(true),
        // It is made on a table, and dropped by its own name.
        word if is(word, "trigger") => Some(!is(verb, "drop")),
        word if is_one_of(&["database", "event", "function", "procedure", "schema", "server"], word) => Some(false),
        _ => None,
    })
}

/// GRANT and REVOKE look for the table or the routine that they name, and for no schema or account (PROXY).
fn is_about_one_object(ran: &Ran<'_>) -> bool {
    if only_words(ran).nth(1).is_some_and(|word| is(word, "proxy")) {
        return false;
    }
    let object =
        texts(ran).skip_while(|text| !is(text, "on")).skip(1).take_while(|text| !is_one_of(&["to", "from"], text));
    object.last().is_some_and(|last| last != b"*")
}

/// FLUSH TABLES of some, not of all.
fn flushes_a_table(ran: &Ran<'_>) -> bool {
    let mut behind = texts(ran).skip_while(|text| !is_one_of(&["table", "tables"], text)).skip(1);
    behind.next().is_some_and(|text| !is(text, "with") && text != b";")
}

fn texts<'a>(ran: &Ran<'a>) -> impl Iterator<Item = &'a [u8]> {
    let sql = ran.sql;
    Lexer::new(sql, ran.dialect).map(move |token| sql.get(token.start..token.end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::last::tests::MARIADB;
    use crate::wire::reply::Facts;

    #[test]
    fn what_uses_tables_is_told_by_the_text() {
        let facts = Facts::default();
        let uses = |sql: &str| uses_tables(&Ran::new(sql.as_bytes(), MARIADB, &facts));
        for sql in [
            "DESCRIBE t",
            "EXPLAIN DELETE FROM t",
            "SELECT a FROM t",
            "FLUSH TABLES t WITH READ LOCK",
            "FLUSH LOCAL TABLE `with`",
            "GRANT SELECT (a) ON s.t TO u@h",
            "REVOKE EXECUTE ON PROCEDURE p FROM u@h",
            "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET @a = 1",
            "CREATE DEFINER = u@h VIEW v AS SELECT 1",
            "TRUNCATE t",
            "RENAME TABLE t TO u",
            "SHOW CREATE VIEW v",
        ] {
            assert_eq!(uses(sql), Some(true), "{sql}");
        }
        for sql in [
            "EXPLAIN SELECT 1",
            "SELECT 1 FROM DUAL",
            "FLUSH TABLES WITH READ LOCK",
            "FLUSH TABLES",
            "FLUSH STATUS",
            "GRANT SELECT ON s.* TO u@h",
            "GRANT ALL ON *.* TO u@h",
            "GRANT r TO u@h",
            "GRANT PROXY ON u TO v",
            "CREATE USER u@h",
            "DROP TRIGGER tr",
            "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM t",
            "CREATE DEFINER=CURRENT_USER PROCEDURE p() SELECT a FROM t",
            "SHOW CREATE DATABASE s",
            "HELP 'x'",
            "",
        ] {
            assert_eq!(uses(sql), Some(false), "{sql}");
        }
        for sql in ["LOCK TABLES t READ", "SHOW EXPLAIN FOR 1", "CREATE TABLESPACE s", "ANALYZE TABLE t"] {
            assert_eq!(uses(sql), None, "{sql}");
        }
    }
}
