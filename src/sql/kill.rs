//! KILL statements: whom they name, and where the number stands, so that it can be replaced.

use std::ops::Range;

use super::details::unquoted;
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

/// Whom a KILL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// A decimal number.
    Number(u64),
    /// MariaDB's `KILL USER`: all of an account's connections.
    User(User),
    /// A `?`, or an expression: only the server knows its value.
    Value,
}

/// An account as KILL USER names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name. `None`: `CURRENT_USER`.
    pub name: Option<Box<[u8]>>,
    /// The host that its connections come from, where one is told.
    pub host: Option<Box<[u8]>>,
    /// The account as it stands in the text.
    pub text: Box<[u8]>,
}

/// One KILL of whatever kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// What is ended.
    pub target: Target,
    /// MariaDB's `SOFT`.
    pub soft: bool,
    /// Whose.
    pub whom: Whom,
}

/// The KILL that `sql` is, if it is exactly one and names a decimal number; `KILL USER`, expressions and
/// multi-statements are `None`. Reads a few tokens only.
pub fn kill(sql: &[u8], dialect: Dialect) -> Option<Kill> {
    let mut words = Words(Lexer::new(sql, dialect), sql);
    let (target, soft) = words.head()?;
    let (id, number) = words.number()?;
    words.ends().then_some(Kill { target, soft, id, number })
}

/// The KILL that `sql` is, if it is exactly one, whomever it names.
pub fn order(sql: &[u8], dialect: Dialect) -> Option<Order> {
    let mut words = Words(Lexer::new(sql, dialect), sql);
    let (target, soft) = words.head()?;
    let whom = match (words.clone().alone(Words::number), dialect.mariadb) {
        (Some((id, _)), _) => Whom::Number(id),
        (None, true) if words.clone().next_is("user") => Whom::User(words.alone(Words::user)?),
        _ => Whom::Value,
    };
    let goes_on = words.any(|token| token.kind == Kind::Semicolon) && !words.ends();
    (!goes_on).then_some(Order { target, soft, whom })
}

#[derive(Clone)]
struct Words<'a>(Lexer<'a>, &'a [u8]);

impl Words<'_> {
    // KILL [CONNECTION | QUERY], MariaDB: KILL [HARD | SOFT] [CONNECTION | QUERY [ID]]
    fn head(&mut self) -> Option<(Target, bool)> {
        let mariadb = self.0.dialect().mariadb;
        self.next_is("kill").then_some(())?;
        let hard = mariadb && self.next_is("hard");
        let soft = mariadb && !hard && self.next_is("soft");
        let connection = self.next_is("connection");
        let query = !connection && self.next_is("query");
        let target = match (query, mariadb && query && self.next_is("id")) {
            (_, true) => Target::QueryId,
            (true, _) => Target::Query,
            _ => Target::Connection,
        };
        Some((target, soft))
    }

    fn number(&mut self) -> Option<(u64, Range<usize>)> {
        let token = self.code().filter(|token| token.kind == Kind::Number)?;
        let id = std::str::from_utf8(&self.1[token.start..token.end]).ok()?.parse().ok()?;
        Some((id, token.start..token.end))
    }

    // USER name [@ host], USER CURRENT_USER [()]
    fn user(&mut self) -> Option<User> {
        self.next_is("user").then_some(())?;
        let name = self.code()?;
        let mut end = name.end;
        if self.is(name, "current_user") {
            while let Some(token) = self.0.clone().next().filter(|token| matches!(self.1[token.start], b'(' | b')')) {
                (end, _) = (token.end, self.0.next());
            }
            return Some(User { name: None, host: None, text: self.1[name.start..end].into() });
        }
        matches!(name.kind, Kind::Word | Kind::QuotedIdentifier | Kind::String).then_some(())?;
        let host = self.0.clone().next().filter(|token| matches!(token.kind, Kind::Host | Kind::UserVariable));
        if let Some(host) = host {
            (end, _) = (host.end, self.0.next());
        }
        let bare = |text: &[u8]| unquoted(text).into_boxed_slice();
        let host = host.map(|host| bare(self.1.get(host.start + 1..host.end).unwrap_or_default()));
        let text = self.1[name.start..end].into();
        Some(User { name: Some(bare(&self.1[name.start..name.end])), host, text })
    }

    // What `part` finds, if nothing stands behind it.
    fn alone<T>(&mut self, part: impl Fn(&mut Self) -> Option<T>) -> Option<T> {
        let found = part(self)?;
        self.ends().then_some(found)
    }

    fn any(&mut self, test: impl Fn(Token) -> bool) -> bool {
        self.0.any(test)
    }

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

/// The last number in a server's words, as "Unknown thread id: 5" has it in any language.
pub fn number_in(message: &[u8]) -> Option<u32> {
    let digits = message.split(|byte| !byte.is_ascii_digit()).rfind(|digits| !digits.is_empty())?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MARIADB: Dialect = Dialect { mariadb: true, version: 101_119, ..Dialect::PLAIN };

    fn parse(sql: &str) -> Option<(Target, bool, u64, &str)> {
        kill(sql.as_bytes(), MARIADB).map(|kill| (kill.target, kill.soft, kill.id, &sql[kill.number]))
    }

    #[test]
    fn mysql_has_no_kinds_of_kills() {
        let mysql = |sql: &str| kill(sql.as_bytes(), Dialect::PLAIN).map(|kill| kill.id);
        assert_eq!(["KILL 7", "KILL QUERY 7", "KILL CONNECTION 7"].map(mysql), [Some(7); 3]);
        assert_eq!(["KILL HARD 7", "KILL SOFT QUERY 7", "KILL QUERY ID 7"].map(mysql), [None; 3]);
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

    #[test]
    fn the_servers_words_name_a_number() {
        assert_eq!(number_in(b"Unknown thread id: 1073741825"), Some(1_073_741_825));
        assert_eq!(number_in("Unbekannte Thread-ID: 7".as_bytes()), Some(7));
        assert_eq!(number_in(b"Unknown thread id: 99999999999"), None);
        assert_eq!(number_in(b"no"), None);
    }

    fn told(sql: &str) -> Option<String> {
        let Order { target, soft, whom } = order(sql.as_bytes(), MARIADB)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let whom = match whom {
            Whom::Number(id) => id.to_string(),
            Whom::Value => "?".into(),
            Whom::User(user) => {
                let part = |part: &Option<Box<[u8]>>| part.as_deref().map_or("-".into(), text);
                format!("{} at {}, {}", part(&user.name), part(&user.host), text(&user.text))
            }
        };
        Some(format!("{target:?} {soft} {whom}"))
    }

    #[test]
    fn whomever_it_names() {
        for (sql, expected) in [
            ("KILL 5;", "Connection false 5"),
            ("KILL QUERY ?", "Query false ?"),
            ("kill soft @a + 1 ;", "Connection true ?"),
            ("KILL CONNECTION_ID()", "Connection false ?"),
            ("KILL 5 + 1", "Connection false ?"),
            ("KILL QUERY ID 5", "QueryId false 5"),
            ("KILL USER kk", "Connection false kk at -, kk"),
            ("kill hard query user 'k''k' ;", "Query false k'k at -, 'k''k'"),
            ("KILL USER `kk`@`h`", "Connection false kk at h, `kk`@`h`"),
            ("KILL USER kk@localhost", "Connection false kk at localhost, kk@localhost"),
            ("KILL USER CURRENT_USER", "Connection false - at -, CURRENT_USER"),
            ("KILL USER current_user ( ) -- me", "Connection false - at -, current_user ( )"),
        ] {
            assert_eq!(told(sql).as_deref(), Some(expected), "{sql}");
        }
        for sql in
            ["KILL 5; SELECT 1", "KILL @a; KILL @b", "SELECT 1", "", "KILL USER", "KILL USER a, b", "KILL USER a @ b"]
        {
            assert_eq!(told(sql), None, "{sql}");
        }
        let mysql = order(b"KILL USER", Dialect::default());
        assert_eq!(mysql.map(|order| order.whom), Some(Whom::Value));
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
        fn no_input_panics(sql in proptest::collection::vec(any::<u8>(), 0..60), words in "(kill|query|id|hard|user|current_user|[(]|[)]|@|;|[0-9]{1,22}| |/\\*|\\*/|!){0,12}") {
            kill(&sql, MARIADB);
            may_be_kill(&sql);
            kill(words.as_bytes(), MARIADB);
            order(&sql, MARIADB);
            order(words.as_bytes(), MARIADB);
        }
    }
}
