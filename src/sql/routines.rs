//! Stored procedures and functions: which ones a text calls, and whether what one of them says leaves anything in the session but
//! a transaction. Strict: what is not certainly harmless is not.

use std::collections::BTreeSet;

use super::dialect::Dialect;
use super::functions::{is_foreign, is_harmless};
use super::lexer::{Kind, Lexer, Token};

/// More text than this is not read.
const MAX_TEXT: usize = 256 * 1024;

/// A stored procedure or function, by a name of plain letters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Routine {
    /// As it was written. `None`: the one that is in force where it is called.
    pub schema: Option<Box<str>>,
    /// In small letters.
    pub name: Box<str>,
    /// Called by CALL.
    pub is_procedure: bool,
}

/// What there is to be known of a stored program whose own text is harmless.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body {
    /// What it calls.
    pub calls: Vec<Routine>,
    /// What it sets by SET, in small letters: its own variables, or the system's.
    pub sets: Vec<Box<str>>,
    /// All names in it, in small letters: of tables, columns, variables.
    pub names: BTreeSet<Box<[u8]>>,
    /// Names with a dot behind: schemas among them.
    pub schemas: BTreeSet<Box<str>>,
    /// It writes, so that triggers may run.
    pub writes: bool,
}

/// The stored programs that a text calls. `None`: not all of them are known by name.
pub fn called(sql: &[u8], dialect: Dialect) -> Option<Vec<Routine>> {
    if sql.len() > MAX_TEXT {
        return None;
    }
    let code = |token: &Token| !matches!(token.kind, Kind::CodeOpen | Kind::CodeClose);
    let tokens: Vec<Token> = Lexer::new(sql, dialect).filter(code).collect();
    let scan = Scan { sql, dialect, tokens: &tokens };
    (0..tokens.len()).filter_map(|at| scan.call(at)).collect::<Option<Vec<_>>>()
}

/// Reads what SHOW CREATE says of a procedure or a function, in its own SQL mode, which is not ORACLE. `None`: it is not certainly
/// harmless.
pub fn body(created: &[u8], dialect: Dialect) -> Option<Body> {
    if created.len() > MAX_TEXT {
        return None;
    }
    let tokens: Vec<Token> = Lexer::new(created, dialect).collect();
    let begin = tokens.iter().position(|token| created[token.start] == b'(')?;
    let scan = Scan { sql: created, dialect, tokens: tokens.get(begin..)? };
    let mut body = Body::default();
    let mut place = Place::default();
    for at in 0..scan.tokens.len() {
        scan.is_harmless_at(at, place).then_some(())?;
        body.names.extend(scan.any_name(at));
        body.writes |= scan.is(at, &["insert", "update", "delete", "replace"]);
        if scan.text(at + 1) == b"." && scan.any_name(at).is_some() {
            body.schemas.insert(scan.name(at)?.into());
        }
        if let Some(call) = scan.call(at) {
            body.calls.push(call?);
        }
        if scan.is_assignment(at, place) {
            body.sets.extend(scan.targets(at)?);
        }
        place = scan.behind(at, place);
    }
    body.calls.sort();
    body.calls.dedup();
    Some(body)
}

/// Where in a statement of the body a token stands.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// A statement begins here.
    begins: bool,
    /// Behind UPDATE, INSERT, REPLACE: SET is part of it.
    writes: bool,
}

struct Scan<'a> {
    sql: &'a [u8],
    dialect: Dialect,
    tokens: &'a [Token],
}

impl<'a> Scan<'a> {
    fn text(&self, at: usize) -> &'a [u8] {
        self.tokens.get(at).map(|token| &self.sql[token.start..token.end]).unwrap_or_default()
    }

    /// A keyword or a name without quotes, behind no dot.
    fn word(&self, at: usize) -> Option<&'a [u8]> {
        let token = self.tokens.get(at)?;
        let is_part = at.checked_sub(1).is_some_and(|before| self.text(before) == b".");
        (token.kind == Kind::Word && !is_part).then(|| self.text(at))
    }

    fn is(&self, at: usize, words: &[&str]) -> bool {
        self.word(at).is_some_and(|word| is_one_of(word, words))
    }

    fn is_before(&self, at: usize, words: &[&str]) -> bool {
        at.checked_sub(1).is_some_and(|before| self.is(before, words))
    }

    /// A name or a word, in small letters, without its quotes.
    fn any_name(&self, at: usize) -> Option<Box<[u8]>> {
        Some(self.unquoted(at)?.to_ascii_lowercase().into())
    }

    fn unquoted(&self, at: usize) -> Option<&'a [u8]> {
        let text = self.text(at);
        match self.tokens.get(at)?.kind {
            Kind::Word => Some(text),
            Kind::QuotedIdentifier => text.get(1..text.len().checked_sub(1)?),
            _ => None,
        }
    }

    /// A name of plain letters, without its quotes.
    fn name(&self, at: usize) -> Option<&'a str> {
        let inner = self.unquoted(at)?;
        let is_plain = inner.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$'));
        if is_plain && !inner.is_empty() { std::str::from_utf8(inner).ok() } else { None }
    }

    /// What is called at this token, if anything is; `Some(None)`: nobody knows what.
    fn call(&self, at: usize) -> Option<Option<Routine>> {
        if self.is(at, &["call"]) {
            let is_qualified = self.text(at + 2) == b".";
            return Some(self.routine(if is_qualified { at + 3 } else { at + 1 }, is_qualified, true));
        }
        let token = self.tokens.get(at)?;
        let is_name = matches!(token.kind, Kind::Word | Kind::QuotedIdentifier);
        let open = self.tokens.get(at + 1).filter(|open| is_name && self.sql[open.start] == b'(')?;
        let is_qualified = at >= 2 && self.text(at - 1) == b".";
        let first = if is_qualified { at - 2 } else { at };
        // CALL p(..), and INSERT INTO t (a, b)
        if self.is_before(first, &["call", "into", "insert", "replace"]) {
            return None;
        }
        // One of the server's own by a quoted name may be found before a stored one.
        if token.kind == Kind::QuotedIdentifier && !is_qualified {
            return Some(None);
        }
        let is_plain = !is_qualified;
        let word = self.text(at);
        let is_stored = self.dialect.mariadb && is_one_of(word, STORED_ON_MARIADB);
        let is_own = is_harmless(word, token.end < open.start) && !is_foreign(word, self.dialect) && !is_stored;
        if is_plain && (is_own || is_one_of(word, OF_THE_SESSION) || is_one_of(word, OF_BODIES) || self.is_type(at)) {
            return None;
        }
        Some(self.routine(at, is_qualified, false))
    }

    /// DECLARE a DATETIME(6), CAST(a AS DATETIME(6)): elsewhere a function may have the name.
    fn is_type(&self, at: usize) -> bool {
        let is_declared = at >= 2 && self.is(at - 2, &["declare", "in", "out", "inout"]);
        self.is(at, &["datetime", "text", "blob"]) && (is_declared || self.is_before(at, &["as", "returns"]))
    }

    fn routine(&self, at: usize, is_qualified: bool, is_procedure: bool) -> Option<Routine> {
        let schema = match is_qualified {
            true => Some(self.name(at.checked_sub(2)?)?.into()),
            false => None,
        };
        // A package's, of a named schema.
        let has_more = at >= 4 && is_qualified && self.text(at - 3) == b"." || self.text(at + 1) == b".";
        let name = self.name(at).filter(|_| !has_more)?.to_ascii_lowercase().into();
        Some(Routine { schema, name, is_procedure })
    }

    fn is_harmless_at(&self, at: usize, place: Place) -> bool {
        match self.tokens[at].kind {
            Kind::Word => self.is_harmless_word(at, place),
            // SET a := 1: but for user variables nothing else is set by it, outside of sql_mode ORACLE.
            Kind::QuotedIdentifier | Kind::String | Kind::Number | Kind::Semicolon | Kind::Assign | Kind::Punct => true,
            Kind::UserVariable
            | Kind::SystemVariable
            | Kind::Host
            | Kind::Placeholder
            | Kind::CodeOpen
            | Kind::CodeClose
            | Kind::Broken => false,
        }
    }

    fn is_harmless_word(&self, at: usize, place: Place) -> bool {
        let Some(word) = self.word(at) else { return true };
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        let known = !place.begins || is_one_of(word, STATEMENTS) || self.text(at + 1) == b":";
        known
            && match () {
                () if is("handler") => self.is_before(at, &["continue", "exit", "undo"]),
                () if is("lock") => self.is(at + 1, &["in"]),
                () if is("language") => self.is(at + 1, &["sql"]),
                () if is("next") || is("previous") => !self.is(at + 1, &["value"]),
                () if is("use") => self.is(at + 1, &["index", "key"]),
                () if is("start") => self.is(at + 1, &["transaction"]),
                () => !is_one_of(word, UNSAFE),
            }
    }

    fn is_assignment(&self, at: usize, place: Place) -> bool {
        let is_part = place.writes || self.text(at + 1) == b"(" || self.is_before(at, &["character"]);
        self.is(at, &["set"]) && !is_part
    }

    /// The names behind SET and behind each comma, up to the statement's end.
    fn targets(&self, set: usize) -> Option<Vec<Box<str>>> {
        let mut found = Vec::new();
        let (mut depth, mut is_target) = (0_usize, true);
        for at in set + 1..self.tokens.len() {
            if std::mem::take(&mut is_target) {
                let is_set = self.text(at + 1) == b"=" || self.text(at + 1) == b":=";
                let name = self.name(at).filter(|name| is_set && !name.eq_ignore_ascii_case("password"))?;
                found.push(name.to_ascii_lowercase().into());
                continue;
            }
            match self.text(at) {
                b"(" => depth += 1,
                b")" => depth = depth.checked_sub(1)?,
                b"," if depth == 0 => is_target = true,
                b";" => break,
                _ => {}
            }
        }
        Some(found)
    }

    fn behind(&self, at: usize, place: Place) -> Place {
        let opens = self.text(at + 1) == b"(";
        let ends = self.tokens[at].kind == Kind::Semicolon;
        let begins_block = self.is(at, &["begin"]);
        let is_block = self.is(at, &["then", "else", "do", "loop"]) || self.is(at, &["repeat"]) && !opens;
        if ends || begins_block || is_block {
            return Place { begins: ends || begins_block, writes: false };
        }
        let writes = self.is(at, &["update", "insert", "replace"]) && !opens;
        Place { begins: false, writes: place.writes || writes }
    }
}

fn is_one_of(word: &[u8], words: &[&str]) -> bool {
    words.iter().any(|one| word.eq_ignore_ascii_case(one.as_bytes()))
}

/// The server's own, each of which has a rule of its own, in a text or in [`UNSAFE`].
const OF_THE_SESSION: &[&str] = &[
    "get_lock",
    "release_lock",
    "release_all_locks",
    "is_used_lock",
    "is_free_lock",
    "row_count",
    "found_rows",
    "connection_id",
    "last_insert_id",
    "nextval",
    "lastval",
    "currval",
    "setval",
];

/// Keywords that MariaDB takes for stored functions' names before `(`, some of them where white space stands between.
const STORED_ON_MARIADB: &[&str] = &[
    "against",
    "columns",
    "cube",
    "escape",
    "full",
    "minus",
    "nowait",
    "of",
    "rollup",
    "system",
    "until",
    "point",
    "polygon",
    "linestring",
    "multipoint",
    "multilinestring",
    "multipolygon",
    "geometrycollection",
    "json_table",
    "rank",
    "lead",
    "lag",
    "percent_rank",
    "median",
    "ntile",
    "nth_value",
    "first_value",
    "cume_dist",
    "dense_rank",
    "percentile_cont",
    "percentile_disc",
    "trim_oracle",
];

/// Keywords of stored programs that `(` may follow.
const OF_BODIES: &[&str] = &["return", "while", "elseif", "for", "do", "begin"];

/// What a statement of a body may begin with.
const STATEMENTS: &[&str] = &[
    "select", "insert", "update", "delete", "replace", "with", "values", "table", "set", "declare", "open", "fetch",
    "close", "if", "elseif", "else", "case", "when", "while", "loop", "repeat", "until", "for", "end", "leave",
    "iterate", "return", "call", "signal", "resignal", "get", "commit", "rollback", "start", "begin", "truncate", "do",
    "show", "explain", "analyze",
];

/// What changes the session, wherever it stands, or makes or drops what others depend on.
const UNSAFE: &[&str] = &[
    "get_lock",
    "release_lock",
    "release_all_locks",
    "nextval",
    "lastval",
    "currval",
    "setval",
    "prepare",
    "execute",
    "deallocate",
    "temporary",
    "unlock",
    "flush",
    "xa",
    "kill",
    "reset",
    "shutdown",
    "restart",
    "install",
    "uninstall",
    "purge",
    "binlog",
    "create",
    "alter",
    "drop",
    "rename",
    "grant",
    "revoke",
    "savepoint",
    "release",
    "change",
    "load",
    "cache",
    "import",
    "clone",
    "stop",
    "backup",
    "help",
];

#[cfg(test)]
mod tests {
    use super::*;

    const MARIADB: Dialect = Dialect { mariadb: true, version: 101_119, ..Dialect::PLAIN };

    fn names(routines: &[Routine]) -> Vec<String> {
        let one = |routine: &Routine| {
            let schema = routine.schema.as_ref().map(|schema| format!("{schema}.")).unwrap_or_default();
            format!("{}{schema}{}", if routine.is_procedure { "CALL " } else { "" }, routine.name)
        };
        routines.iter().map(one).collect()
    }

    fn read(text: &str) -> Option<(Vec<String>, Vec<String>)> {
        let created = format!("CREATE DEFINER=`a`@`%` PROCEDURE `p`(IN a INT, OUT b DECIMAL(10,2)) {text}");
        let body = body(created.as_bytes(), MARIADB)?;
        Some((names(&body.calls), body.sets.iter().map(|name| name.to_string()).collect()))
    }

    #[test]
    fn what_a_text_calls_is_told_by_name() {
        for (sql, expected) in [
            ("CALL p(1, COUNT(x))", &["CALL p"][..]),
            ("call `Shop` . `Total`(f(1), @a)", &["CALL Shop.total", "f"]),
            ("CALL p", &["CALL p"]),
            ("SELECT a.f(1), ABS(2), g (3), LAST_INSERT_ID(), GET_LOCK('a', 1)", &["a.f", "g"]),
            ("SELECT against(1), until(2), `s`.`f`(3)", &["against", "until", "s.f"]),
            ("INSERT INTO t (a, b) VALUES (F(1), 2)", &["f"]),
            ("INSERT INTO s.t (a) SELECT g(a) FROM u", &["g"]),
            ("SELECT count(*) FROM t", &[]),
        ] {
            assert_eq!(
                called(sql.as_bytes(), MARIADB).as_deref().map(names).as_deref(),
                Some(&expected.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()[..]),
                "{sql}"
            );
        }
        for unknown in [
            "CALL `a b`()",
            "CALL a.b.c()",
            "SELECT a.b.c(1)",
            "SELECT `get_lock`('a', 1)",
            "SELECT `\u{e9}`()",
            "CALL",
        ] {
            assert_eq!(called(unknown.as_bytes(), MARIADB), None, "{unknown}");
        }
    }

    #[test]
    fn a_plain_body_is_harmless() {
        for (text, calls, sets) in [
            ("SELECT 1", &[][..], &[][..]),
            ("COMMENT 'create; drop' READS SQL DATA SQL SECURITY INVOKER BEGIN SELECT MAX(a) INTO b FROM t; END", &[], &[]),
            (
                "BEGIN DECLARE done INT DEFAULT 0; DECLARE at DATETIME(6); DECLARE c CURSOR FOR SELECT a FROM t FOR UPDATE;
                 DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1; OPEN c; l: LOOP FETCH c INTO b; IF done THEN LEAVE l;
                 ELSEIF (b > 1) THEN SET b := g(b, 1), done = CASE WHEN b THEN 1 ELSE 2 END; END IF; END LOOP; CLOSE c; END",
                &["g"],
                &["done", "b", "done"],
            ),
            ("UPDATE t SET a = 1, b = s.f(2) WHERE c IN (SELECT 1) LIMIT 1", &["s.f"], &[]),
            ("BEGIN INSERT INTO log (a, b) VALUES (1, 2); CALL other(1); CALL `Shop`.third; END", &["CALL other", "CALL Shop.third"], &[]),
            ("BEGIN START TRANSACTION; DELETE FROM t USE INDEX (a); COMMIT; SELECT * FROM t LOCK IN SHARE MODE; END", &[], &[]),
            ("BEGIN DECLARE x SET('a','b') CHARACTER SET utf8; SELECT t.create, `drop` FROM t; RETURN (x); END", &[], &[]),
            ("BEGIN SET autocommit = 0; END", &[], &["autocommit"]),
        ] {
            let (found, set) = read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((found.as_slice(), set.as_slice()), (calls.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>().as_slice(), sets.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>().as_slice()), "{text}");
        }
    }

    #[test]
    fn what_leaves_something_in_the_session_is_not() {
        for text in [
            "SET @a = 1",
            "SELECT 1 INTO @a",
            "SELECT @@sql_mode",
            "DO GET_LOCK('a', 1)",
            "SELECT `a`.`b`, get_lock ('a', 1)",
            "CREATE TEMPORARY TABLE t (a INT)",
            "PREPARE s FROM 'SELECT 1'",
            "EXECUTE IMMEDIATE 'SELECT 1'",
            "BEGIN SET NAMES utf8; END",
            "SET SESSION sql_mode = ''",
            "SET x.y = 1",
            "SET a = 1, GLOBAL b = 2",
            "SET a = 1, PASSWORD = 'x'",
            "SET TRANSACTION READ ONLY",
            "SET STATEMENT max_statement_time = 1 FOR SELECT 1",
            "BEGIN SAVEPOINT s; END",
            "BEGIN ROLLBACK RELEASE; END",
            "LOCK TABLES t READ",
            "BEGIN HANDLER t OPEN; END",
            "SELECT NEXT VALUE FOR s",
            "SELECT NEXTVAL(s)",
            "BEGIN SELECT 1; unheard OF; END",
            "BEGIN SELECT 1; /*!50000 SET @a = 1 */; END",
            "SELECT 'open",
            "IF 1 THEN FLUSH TABLES; END IF",
            "LANGUAGE JAVASCRIPT AS 'x'",
            "CALL `a b`()",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(body(b"CREATE PROCEDURE p", MARIADB), None);
    }
}
