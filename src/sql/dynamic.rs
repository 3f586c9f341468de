//! Statements that run a text: PREPARE, EXECUTE, EXECUTE IMMEDIATE, and what ends a prepared one.

use super::assign::Span;
use super::lexer::{Dialect, Kind, Lexer, Token};
use super::strings::string_value;
use super::word::{key, pack};

/// What such a statement does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dynamic {
    /// `PREPARE name FROM text`
    Prepares(Box<[u8]>, Text),
    /// `EXECUTE name`
    Executes(Box<[u8]>),
    /// MariaDB's `EXECUTE IMMEDIATE text`
    Immediate(Text),
    /// `DEALLOCATE PREPARE name`, `DROP PREPARE name`
    Ends(Box<[u8]>),
}

/// The text that is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// What a string literal means.
    Literal(Vec<u8>),
    /// A variable or an expression, which stands here.
    Expression(Span),
}

/// Whether `sql` may be one: a cheap test before [`dynamic`].
#[inline]
pub fn may_be_dynamic(sql: &[u8]) -> bool {
    const WORDS: [u64; 4] = [pack("prep"), pack("exec"), pack("deal"), pack("drop")];
    sql.len() >= 4 && (!sql[0].is_ascii_alphabetic() || WORDS.contains(&key(sql, 0, 4)))
}

/// What `sql` does, if it is exactly one such statement.
pub fn dynamic(sql: &[u8], dialect: Dialect) -> Option<Dynamic> {
    let mut reader = Reader { sql, lexer: Lexer::new(sql, dialect), dialect };
    if reader.next_is("prepare") {
        let name = reader.name()?;
        reader.next_is("from").then_some(())?;
        return Some(Dynamic::Prepares(name, reader.text()?));
    }
    if reader.next_is("execute") {
        return match reader.next_is("immediate") {
            true => Some(Dynamic::Immediate(reader.text()?)),
            false => Some(Dynamic::Executes(reader.name()?)),
        };
    }
    let ends = reader.next_is("deallocate") || reader.next_is("drop");
    (ends && reader.next_is("prepare")).then_some(())?;
    Some(Dynamic::Ends(reader.name()?))
}

struct Reader<'a> {
    sql: &'a [u8],
    lexer: Lexer<'a>,
    dialect: Dialect,
}

impl Reader<'_> {
    fn code(&mut self) -> Option<Token> {
        self.lexer.find(|token| !matches!(token.kind, Kind::CodeOpen | Kind::CodeClose))
    }

    fn next_is(&mut self, word: &str) -> bool {
        let before = self.lexer.clone();
        let found = self.code().is_some_and(|token| self.is(token, word));
        if !found {
            self.lexer = before;
        }
        found
    }

    fn is(&self, token: Token, word: &str) -> bool {
        token.kind == Kind::Word && self.sql[token.start..token.end].eq_ignore_ascii_case(word.as_bytes())
    }

    // Servers do not tell capitals from small letters in these names.
    fn name(&mut self) -> Option<Box<[u8]>> {
        let token = self.code().filter(|token| matches!(token.kind, Kind::Word | Kind::QuotedIdentifier))?;
        let name = super::details::unquoted(&self.sql[token.start..token.end]);
        Some(name.to_ascii_lowercase().into())
    }

    // Up to USING or the end; another statement behind it makes it none.
    fn text(&mut self) -> Option<Text> {
        let first = self.code()?;
        let (mut end, mut tokens, mut depth) = (first.end, 1, 0_usize);
        while let Some(token) = self.code() {
            match self.sql[token.start] {
                b'(' if token.kind == Kind::Punct => depth += 1,
                b')' if token.kind == Kind::Punct => depth = depth.saturating_sub(1),
                _ if depth == 0 && self.is(token, "using") => break,
                _ if token.kind == Kind::Semicolon => {
                    self.code().is_none().then_some(())?;
                    break;
                }
                _ => {}
            }
            (end, tokens) = (token.end, tokens + 1);
        }
        let is_string = tokens == 1 && first.kind == Kind::String;
        let literal = || string_value(&self.sql[first.start..end], self.dialect.no_backslash_escapes);
        let text = is_string.then(literal).flatten().map(Text::Literal);
        Some(text.unwrap_or(Text::Expression(Span { start: first.start, end })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(sql: &str) -> Option<String> {
        let text = |text: Text| match text {
            Text::Literal(text) => format!("[{}]", String::from_utf8_lossy(&text)),
            Text::Expression(span) => String::from_utf8_lossy(span.of(sql.as_bytes())).into_owned(),
        };
        let name = |name: Box<[u8]>| String::from_utf8_lossy(&name).into_owned();
        let found = dynamic(sql.as_bytes(), Dialect::default())?;
        assert!(may_be_dynamic(sql.as_bytes()), "{sql}");
        Some(match found {
            Dynamic::Prepares(by, from) => format!("prepare {} {}", name(by), text(from)),
            Dynamic::Executes(by) => format!("execute {}", name(by)),
            Dynamic::Immediate(from) => format!("immediate {}", text(from)),
            Dynamic::Ends(by) => format!("end {}", name(by)),
        })
    }

    #[test]
    fn each_kind_is_told_with_its_name_and_text() {
        for (sql, expected) in [
            ("PREPARE S FROM 'KILL ?'", "prepare s [KILL ?]"),
            ("prepare `a b` from \"KILL\\n5\";", "prepare a b [KILL\n5]"),
            ("PREPARE s FROM @a", "prepare s @a"),
            ("PREPARE s FROM CONCAT('KILL ', @a) ;", "prepare s CONCAT('KILL ', @a)"),
            ("/* x */ EXECUTE s USING @a, @b", "execute s"),
            ("EXECUTE IMMEDIATE 'KILL ?' USING 5", "immediate [KILL ?]"),
            ("EXECUTE IMMEDIATE CONVERT(@a USING utf8) USING 5", "immediate CONVERT(@a USING utf8)"),
            ("DEALLOCATE PREPARE s", "end s"),
            ("drop prepare `S`;", "end s"),
        ] {
            assert_eq!(told(sql).as_deref(), Some(expected), "{sql}");
        }
        for sql in ["PREPARE s FROM 'a'; SELECT 1", "DROP TABLE t", "SELECT 1", "PREPARE", "", "EXECUTE 'a'"] {
            assert_eq!(told(sql), None, "{sql}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(sql in proptest::collection::vec(any::<u8>(), 0..60), words in "(prepare|execute|immediate|from|using|;|\'|@a|[(]|[)]| ){0,12}") {
            dynamic(&sql, Dialect::default());
            dynamic(words.as_bytes(), Dialect::default());
        }
    }
}
