//! A stored program was made: whatever its body says, nothing of that has run.

use crate::session::last::Ran;
use crate::sql::clauses::Clauses;
use crate::sql::dialect::Dialect;
use crate::sql::effects::Summary;
use crate::sql::flags::Flags;
use crate::sql::lexer::{Kind, Lexer};
use crate::sql::verb::Verb;

/// The kind of program stands among the first words.
const HEAD: usize = 24;
/// What its text comes to.
const TEXTS: [(&str, &str); 5] = [
    ("trigger", "CREATE TRIGGER made"),
    ("procedure", "CREATE PROCEDURE made"),
    ("function", "CREATE FUNCTION made"),
    ("event", "CREATE EVENT made"),
    ("package", "CREATE PACKAGE made"),
];

/// The same without the body, if that is what it was: of several statements in one text each has a result of its own.
pub(super) fn without_body<'a>(ran: &Ran<'a>) -> Ran<'a> {
    let summary = &ran.summary;
    let is_made = summary.verb == Verb::Ddl
        && summary.flags.has(Flags::STORED_PROGRAM)
        && summary.statements == 1
        && ran.facts.error.is_none()
        && ran.facts.results <= 1;
    match is_made.then(|| text(ran.sql, ran.dialect)).flatten() {
        Some(text) => Ran { sql: text.as_bytes(), summary: as_made(), ..*ran },
        None => *ran,
    }
}

fn as_made() -> Summary {
    let flags = Flags::IMPLICIT_COMMIT.with(Flags::STORED_PROGRAM);
    Summary { statements: 1, verb: Verb::Ddl, flags, clauses: Clauses::default() }
}

fn text(sql: &[u8], dialect: Dialect) -> Option<&'static str> {
    let words = Lexer::new(sql, dialect).filter(|token| token.kind == Kind::Word).take(HEAD);
    words.map(|token| &sql[token.start..token.end]).find_map(|word| {
        TEXTS.iter().find(|(kind, _)| word.eq_ignore_ascii_case(kind.as_bytes())).map(|(_, text)| *text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::effects::summary;
    use crate::wire::reply::Facts;

    fn left(sql: &str, results: u32) -> String {
        let facts = Facts { results, ..Facts::default() };
        let ran = Ran {
            sql: sql.as_bytes(),
            dialect: Dialect::PLAIN,
            summary: summary(sql.as_bytes(), Dialect::PLAIN),
            facts: &facts,
        };
        let ran = without_body(&ran);
        let same = ran.summary.flags == as_made().flags;
        format!("{} {same}", String::from_utf8_lossy(ran.sql))
    }

    #[test]
    fn a_body_has_not_run() {
        let body = "BEGIN SET @a = 1; SELECT GET_LOCK('x', 1); END";
        for (head, is) in [
            ("CREATE PROCEDURE p()", "CREATE PROCEDURE made true"),
            (
                "/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`%`*/ /*!50003 TRIGGER t BEFORE DELETE ON x FOR EACH ROW",
                "CREATE TRIGGER made true",
            ),
            ("CREATE OR REPLACE FUNCTION `procedure`() RETURNS INT", "CREATE FUNCTION made true"),
            ("ALTER EVENT e DO", "CREATE EVENT made true"),
        ] {
            let tail = if head.starts_with('/') { " */" } else { "" };
            assert_eq!(left(&format!("{head} {body}{tail}"), 1), is);
        }
        let several = format!("CREATE PROCEDURE p() {body}; SELECT GET_LOCK('x', 1)");
        assert_eq!(left(&several, 2), format!("{several} false"));
        assert_eq!(left("SELECT 1", 1), "SELECT 1 false");
        assert_eq!(
            left("BEGIN NOT ATOMIC SELECT GET_LOCK('x', 1); END", 1),
            "BEGIN NOT ATOMIC SELECT GET_LOCK('x', 1); END false"
        );
    }
}
