//! KILL statements: whom they name, and where the number stands, so that it can be replaced.

use std::ops::Range;

use super::lexer::{Dialect, Kind, Lexer, Token};
use super::word::{key, pack};

/// What a KILL's number counts, and so what the server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// `KILL [CONNECTION] n`: n is a connection id; that connection ends.
    Connection,
    /// `KILL QUERY n`: n is a connection id; its running statement ends.
    Query,
    /// MariaDB's `KILL QUERY ID n`: n is a *query* id (as in `information_schema.PROCESSLIST.QUERY_ID`),
    /// never a connection id, and must not be mapped.
    QueryId,
}

/// A KILL of one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kill {
    /// What the number counts.
    pub target: Target,
    /// MariaDB's `SOFT`: critical operations of the killed one are not interrupted.
    pub soft: bool,
    /// The number.
    pub id: u64,
    /// Where the number's digits stand in the text.
    pub number: Range<usize>,
}

/// The KILL that `sql` is, if it is exactly one and names a decimal number; `KILL USER`, expressions and
/// multi-statements are `None`. Reads a few tokens only.
pub fn kill(sql: &[u8], dialect: Dialect) -> Option<Kill> {
    let mut words = Words(Lexer::new(sql, dialect), sql);
    words.next_is("kill").then_some(())?;
    let hard = words.next_is("hard");
    let soft = !hard && words.next_is("soft");
    let connection = words.next_is("connection");
    let query = !connection && words.next_is("query");
    let by_query_id = query && words.next_is("id");
    let token = words.code().filter(|token| token.kind == Kind::Number)?;
    let id = std::str::from_utf8(&sql[token.start..token.end]).ok()?.parse().ok()?;
    words.ends().then_some(())?;
    let target = match (query, by_query_id) {
        (_, true) => Target::QueryId,
        (true, _) => Target::Query,
        _ => Target::Connection,
    };
    Some(Kill { target, soft, id, number: token.start..token.end })
}

struct Words<'a>(Lexer<'a>, &'a [u8]);

impl Words<'_> {
    // The next token that is not the mark of an executable comment.
    fn code(&mut self) -> Option<Token> {
        self.0.find(|token| !matches!(token.kind, Kind::CodeOpen | Kind::CodeClose))
    }

    // Takes the next word if it is `word`.
    fn next_is(&mut self, word: &str) -> bool {
        let before = self.0.clone();
        let found = self.code().is_some_and(|token| self.is(token, word));
        if !found {
            self.0 = before;
        }
        found
    }

    fn is(&self, token: Token, word: &str) -> bool {
        let text = &self.1[token.start..token.end];
        token.kind == Kind::Word && text.eq_ignore_ascii_case(word.as_bytes())
    }

    fn ends(&mut self) -> bool {
        self.code().is_none_or(|token| token.kind == Kind::Semicolon)
            && self.0.all(|token| token.kind == Kind::Semicolon)
    }
}

/// Whether the first word of `sql` may be KILL: a cheap test before [`kill`].
#[inline]
pub fn may_be_kill(sql: &[u8]) -> bool {
    const KILL: u64 = pack("kill");
    sql.len() >= 4 && (key(sql, 0, 4) == KILL || !sql[0].is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MARIADB: Dialect = Dialect {
        mariadb: true,
        version: 101_119,
        ansi_quotes: false,
        no_backslash_escapes: false,
        ascii_in_wide: false,
    };

    fn parse(sql: &str) -> Option<(Target, bool, u64, &str)> {
        kill(sql.as_bytes(), MARIADB).map(|kill| (kill.target, kill.soft, kill.id, &sql[kill.number]))
    }

    #[test]
    fn kills_of_a_number_are_recognised() {
        let cases = [
            ("KILL 5", Target::Connection, false, 5),
            ("kill 5;", Target::Connection, false, 5),
            ("  Kill\n\t5 ; ; ", Target::Connection, false, 5),
            ("kill connection 18446744073709551615", Target::Connection, false, u64::MAX),
            ("KILL CONNECTION 1073741824 -- bye", Target::Connection, false, 1 << 30),
            ("KILL QUERY 7", Target::Query, false, 7),
            ("kill hard query 7", Target::Query, false, 7),
            ("kill soft 7", Target::Connection, true, 7),
            ("kill soft connection 7", Target::Connection, true, 7),
            ("KILL QUERY ID 7", Target::QueryId, false, 7),
            ("KILL HARD QUERY ID 7;", Target::QueryId, false, 7),
            ("/* a */ KILL /* b */ QUERY # c\n 0012 /* d */;", Target::Query, false, 12),
            ("/*!50000 KILL */ 5", Target::Connection, false, 5),
            ("KILL/**/QUERY/**/9", Target::Query, false, 9),
        ];
        for (sql, target, soft, id) in cases {
            let (found, found_soft, found_id, text) = parse(sql).unwrap_or_else(|| panic!("{sql}"));
            assert_eq!((found, found_soft, found_id), (target, soft, id), "{sql}");
            assert_eq!(text.parse(), Ok(id), "{sql}");
            assert!(may_be_kill(sql.as_bytes()), "{sql}");
        }
    }

    #[test]
    fn others_are_not() {
        let cases = [
            "",
            "KILL",
            "KILL QUERY",
            "KILL USER root",
            "KILL QUERY USER root",
            "KILL 5+1",
            "KILL (5)",
            "KILL -5",
            "KILL 0x5",
            "KILL 5.0",
            "KILL @a",
            "KILL CONNECTION_ID()",
            "KILL ?",
            "KILL '5'",
            "KILL 5; SELECT 1",
            "KILL 5 6",
            "SELECT 5",
            "KILLER 5",
            "`KILL` 5",
            "'KILL 5'",
            "-- KILL 5",
            "/* KILL 5 */",
            "KILL 18446744073709551616",
            "KILL SOFT HARD 5",
            "KILL ID 5",
            "KILL CONNECTION ID 5",
            "KILL CONNECTION QUERY 5",
            "/*!999999 KILL */ 5",
        ];
        for sql in cases {
            assert_eq!(parse(sql), None, "{sql}");
        }
    }

    proptest! {
        #[test]
        fn the_range_is_the_number(prefix in "[ \n\t]{0,3}(/\\*[a-z]*\\*/)?", kind in "(HARD |soft )?(connection |QUERY )?", id: u64, suffix in " {0,2};?") {
            let sql = format!("{prefix}kill {kind}{id}{suffix}");
            let found = kill(sql.as_bytes(), MARIADB).expect("a kill");
            prop_assert_eq!(found.id, id);
            prop_assert_eq!(&sql[found.number], id.to_string());
        }

        #[test]
        fn no_input_panics(sql in proptest::collection::vec(any::<u8>(), 0..60), words in "(kill|query|id|hard|;|[0-9]{1,22}| |/\\*|\\*/|!){0,12}") {
            kill(&sql, MARIADB);
            may_be_kill(&sql);
            kill(words.as_bytes(), MARIADB);
        }
    }
}
