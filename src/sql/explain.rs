//! Whether a statement may be explained by somebody who does not know its session.

use super::effects::summary;
use super::flags::Flags;
use super::lexer::{Dialect, Kind, Lexer};
use super::verb::Verb;

/// A longer statement is not explained, in bytes.
const MAX_BYTES: usize = 64 << 10;

/// Built-in functions that change no session, and yet do something: they wait, read a file, count.
const DOES_SOMETHING: [&[u8]; 5] = [b"sleep", b"benchmark", b"load_file", b"uuid_short", b"sys_guid"];
/// What locks rows: FOR UPDATE, FOR SHARE, LOCK IN SHARE MODE.
const LOCKS: [&[u8]; 3] = [b"update", b"share", b"lock"];

/// The text without a `;` at its end, if it is one SELECT (WITH before it or not) whose EXPLAIN reads only, does nothing else, and needs nothing of the session but its schema:
/// proved under every SQL mode and for every kind of server, since the session that explains it has its own. No variables,
/// no parameters, no function that is not built in, no lock on rows.
pub fn explainable(sql: &[u8]) -> Option<&str> {
    let sql = sql.trim_ascii_end();
    let sql = sql.strip_suffix(b";").unwrap_or(sql);
    let is_proved = sql.len() <= MAX_BYTES && dialects().all(|dialect| is_plain_select(sql, dialect));
    // In UTF-8 no part of a character looks like ASCII.
    std::str::from_utf8(sql).ok().filter(|_| is_proved)
}

fn dialects() -> impl Iterator<Item = Dialect> {
    (0..8).map(|bits| Dialect {
        ansi_quotes: bits & 1 != 0,
        no_backslash_escapes: bits & 2 != 0,
        mariadb: bits & 4 != 0,
        // Every executable comment is code, and code in comments is refused.
        ..Dialect::default()
    })
}

fn is_plain_select(sql: &[u8], dialect: Dialect) -> bool {
    let summary = summary(sql, dialect);
    let reads_only = summary.is_read_only() && summary.flags == Flags::READ_ONLY;
    let is_one = summary.statements == 1 && summary.verb == Verb::Select;
    let mut tokens = Lexer::new(sql, dialect);
    let begins = tokens.clone().next().is_some_and(|token| {
        let word = &sql[token.start..token.end];
        is(word, b"select") || is(word, b"with")
    });
    is_one && reads_only && begins && tokens.all(|token| is_harmless(token.kind, &sql[token.start..token.end]))
}

fn is_harmless(kind: Kind, text: &[u8]) -> bool {
    match kind {
        Kind::Word => !DOES_SOMETHING.iter().chain(&LOCKS).any(|word| is(text, word)),
        Kind::UserVariable | Kind::Assign | Kind::Placeholder | Kind::Broken | Kind::Semicolon => false,
        Kind::CodeOpen | Kind::CodeClose | Kind::Host | Kind::SystemVariable => false,
        Kind::QuotedIdentifier | Kind::String | Kind::Number | Kind::Punct => true,
    }
}

fn is(text: &[u8], word: &[u8]) -> bool {
    text.eq_ignore_ascii_case(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_selects_may_be() {
        for sql in [
            "SELECT c FROM sbtest1 WHERE id = 5",
            " /* why */ select a.b, COUNT(*) FROM a JOIN `b` USING (id) WHERE a.c IN (1, 'x') GROUP BY 1 HAVING MAX(d) > 2",
            "SELECT (SELECT MAX(n) FROM t) AS m;",
            "SELECT 1 UNION ALL SELECT 2",
            "SELECT 'it''s \u{fc}'",
            "WITH a AS (SELECT 1), b (c) AS (SELECT MAX(d) FROM t) SELECT * FROM a JOIN b",
            "with recursive n (i) as (select 1 union all select i + 1 from n where i < 9) select sum(i) from n",
        ] {
            assert!(explainable(sql.as_bytes()).is_some(), "{sql}");
        }
    }

    #[test]
    fn whatever_could_do_something_may_not() {
        for sql in [
            "",
            "UPDATE t SET a = 1",
            "DELETE FROM t",
            "SHOW TABLES",
            "EXPLAIN SELECT 1",
            "WITH a AS (SELECT 1) DELETE FROM t",
            "WITH a AS (SELECT 1) UPDATE t SET b = 1",
            "WITH a AS (SELECT my_function(1)) SELECT * FROM a",
            "WITH a (b) AS (SELECT SLEEP(5)) SELECT * FROM a",
            "WITH a AS (SELECT 1) SELECT * INTO @b FROM a",
            "WITH a AS (SELECT 1) SELECT * FROM t FOR UPDATE",
            "WITH a AS (SELECT 1)",
            "SELECT 1; SELECT 2",
            "SELECT 1; DROP TABLE t",
            "SELECT 1;;",
            "SELECT @@version",
            "SELECT CONNECTION_ID()",
            "SELECT my_function(1)",
            "SELECT db.abs(1)",
            "SELECT `f`(1)",
            "SELECT GET_LOCK('a', 1)",
            "SELECT RELEASE_ALL_LOCKS()",
            "SELECT SLEEP(5)",
            "SELECT BENCHMARK(1000000, SHA1('a'))",
            "SELECT LOAD_FILE('/etc/passwd')",
            "SELECT NEXTVAL(s)",
            "SELECT NEXT VALUE FOR s",
            "SELECT LAST_INSERT_ID(5)",
            "SELECT @a := 1",
            "SELECT @a",
            "SELECT * FROM t WHERE a = ?",
            "SELECT 1 INTO OUTFILE '/tmp/x'",
            "SELECT 1 INTO @a",
            "SELECT * FROM t FOR UPDATE",
            "SELECT * FROM t FOR SHARE",
            "SELECT * FROM t LOCK IN SHARE MODE",
            "SELECT * FROM t PROCEDURE ANALYSE()",
            "SELECT SQL_CALC_FOUND_ROWS * FROM t",
            "SELECT /*! SLEEP(5) */",
            "SELECT /*M!100000 SLEEP(5) */",
            "SELECT 1 /*!; DROP TABLE t */",
            // What is a string depends on the SQL mode.
            "SELECT '\\', SLEEP(5), '\\''",
            "SELECT \"\\\", SLEEP(5), \"\\\"\"",
            "SELECT 'open",
            "SELECT 1 /* open",
        ] {
            assert!(explainable(sql.as_bytes()).is_none(), "{sql}");
        }
        assert!(explainable(b"SELECT '\xE9'").is_none(), "no UTF-8");
        assert!(explainable(format!("SELECT '{}'", "x".repeat(MAX_BYTES)).as_bytes()).is_none(), "too long");
    }

    fn piece() -> impl Strategy<Value = String> {
        "(SELECT|FROM|t|WHERE|a|=|1|'|\"|`|\\\\|;|/\\*|\\*/|!|--|#| |\n|SLEEP\\(9\\)|f\\(|\\)|UPDATE|@a|,){1,16}"
    }

    proptest! {
        // Whatever stands around it: where a call of SLEEP is code in any reading, it is refused.
        #[test]
        fn no_reading_lets_a_function_through(begin in "SELECT|WITH a AS \\(SELECT", before in piece(), after in piece()) {
            let sql = format!("{begin} {before} SLEEP(9) {after}");
            let is_code = dialects().any(|dialect| {
                let words = Lexer::new(sql.as_bytes(), dialect).filter(|token| token.kind == Kind::Word);
                words.into_iter().any(|token| &sql[token.start..token.end] == "SLEEP")
            });
            prop_assert!(!(is_code && explainable(sql.as_bytes()).is_some()), "{}", sql);
        }
    }
}
