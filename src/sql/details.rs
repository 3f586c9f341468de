//! The names and places that a statement's flags are about. Off the hot path: read again only where a flag says so.

use super::assign::{Assignment, Span, assignments, system_variable};
use super::effects::Statement;
use super::flags::Flags;
use super::lexer::{Dialect, Kind, Lexer, Token};
use super::verb::Verb;

/// One name or place of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// An item of SET.
    Assigned(Assignment),
    /// USE of this schema.
    Schema(Span),
    /// DROP DATABASE of this one.
    SchemaDropped(Span),
    /// CREATE TEMPORARY TABLE (or SEQUENCE) of this name.
    TemporaryCreated(Name),
    /// DROP TABLE or DROP TEMPORARY TABLE of this name.
    TableDropped(Name),
    /// PREPARE of this name; the rest of the statement after FROM.
    Prepared(Span, Span),
    /// EXECUTE of this name.
    Executed(Span),
    /// DEALLOCATE PREPARE, DROP PREPARE of this name.
    Deallocated(Span),
    /// HANDLER of this name (or alias) opened.
    HandlerOpened(Name),
    /// HANDLER of this name read.
    HandlerRead(Name),
    /// HANDLER of this name closed.
    HandlerClosed(Name),
    /// The whole call `CONNECTION_ID()`, to be replaced by a number.
    ConnectionId(Span),
    /// `@@pseudo_thread_id` with or without scope, to be replaced by a number.
    PseudoThreadId(Span),
    /// Any other system variable (`@@x`), read or set; the whole token with `@@` and scope.
    SystemVariable(Span),
    /// A user variable, read or set; the whole token with its `@`.
    UserVariable(Span),
}

/// A table's name, perhaps with a schema; quotes included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// The schema, if one is given.
    pub schema: Option<Span>,
    /// The name.
    pub name: Span,
}

/// The details of one of [`super::effects::statements`] of the same text and dialect, in order.
pub fn details(sql: &[u8], dialect: Dialect, statement: &Statement) -> Vec<Detail> {
    let mut found = named(&mut Reader::new(sql, dialect, statement), statement);
    if statement.flags.any(PLACES) {
        places(&mut Reader::new(sql, dialect, statement), &mut found);
    }
    found
}

const PLACES: Flags = Flags::READS_CONNECTION_ID.with(Flags::USES_SYSTEM_VARIABLE).with(Flags::USES_USER_VARIABLE);

/// A user variable's name as it is kept: in small letters, without `@` and quotes.
pub fn variable_name(name: &[u8]) -> Vec<u8> {
    unquoted(name.strip_prefix(b"@").unwrap_or(name)).to_ascii_lowercase()
}

/// A name as the server means it: without quotes, doubled quotes made single.
pub fn unquoted(name: &[u8]) -> Vec<u8> {
    let quote = match name {
        [quote @ (b'`' | b'"' | b'\''), .., last] if quote == last && name.len() >= 2 => *quote,
        _ => return name.to_vec(),
    };
    let mut text = Vec::with_capacity(name.len());
    let mut inner = name[1..name.len() - 1].iter().peekable();
    while let Some(&byte) = inner.next() {
        text.push(byte);
        if byte == quote {
            inner.next_if(|next| **next == quote);
        }
    }
    text
}

fn named(reader: &mut Reader<'_>, statement: &Statement) -> Vec<Detail> {
    reader.code();
    match statement.verb {
        Verb::Set => assignments(reader.lexer.clone()).map(Detail::Assigned).collect(),
        Verb::Use => reader.span().map(Detail::Schema).into_iter().collect(),
        Verb::Prepare => reader.prepared().into_iter().collect(),
        Verb::Execute if statement.flags.has(Flags::EXECUTES) => {
            reader.span().map(Detail::Executed).into_iter().collect()
        }
        Verb::Deallocate => reader.after_word("prepare").map(Detail::Deallocated).into_iter().collect(),
        Verb::Handler => reader.handler().into_iter().collect(),
        Verb::Ddl if statement.flags.has(Flags::CREATES_TEMPORARY) => reader.created().into_iter().collect(),
        Verb::Ddl if statement.flags.has(Flags::DROPS_TABLE) => reader.dropped(),
        Verb::Ddl if statement.flags.has(Flags::DROPS_SCHEMA) => reader.dropped_schema().into_iter().collect(),
        _ => Vec::new(),
    }
}

fn places(reader: &mut Reader<'_>, found: &mut Vec<Detail>) {
    while let Some(token) = reader.code() {
        match token.kind {
            Kind::SystemVariable => found.push(reader.system_variable(token)),
            Kind::UserVariable => found.push(Detail::UserVariable(token.into())),
            Kind::Word if reader.is(token, "connection_id") => {
                found.extend(reader.empty_call(token).map(Detail::ConnectionId))
            }
            _ => {}
        }
    }
}

struct Reader<'a> {
    sql: &'a [u8],
    lexer: Lexer<'a>,
}

impl<'a> Reader<'a> {
    fn new(sql: &'a [u8], dialect: Dialect, statement: &Statement) -> Self {
        Self { sql, lexer: statement.tokens(sql, dialect) }
    }

    fn code(&mut self) -> Option<Token> {
        self.lexer.find(|token| !matches!(token.kind, Kind::CodeOpen | Kind::CodeClose))
    }

    fn span(&mut self) -> Option<Span> {
        self.code().map(Span::from)
    }

    fn is(&self, token: Token, word: &str) -> bool {
        token.kind == Kind::Word && self.sql[token.start..token.end].eq_ignore_ascii_case(word.as_bytes())
    }

    fn next_is(&mut self, word: &str) -> bool {
        self.next_if(|reader, token| reader.is(token, word))
    }

    fn next_byte_is(&mut self, byte: u8) -> bool {
        self.next_if(|reader, token| token.kind == Kind::Punct && reader.sql[token.start] == byte)
    }

    fn next_if(&mut self, test: impl Fn(&Self, Token) -> bool) -> bool {
        let before = self.lexer.clone();
        let found = self.code().is_some_and(|token| test(self, token));
        if !found {
            self.lexer = before;
        }
        found
    }

    fn after_word(&mut self, word: &str) -> Option<Span> {
        self.next_is(word);
        self.span()
    }

    fn name(&mut self) -> Option<Name> {
        let first = self.span()?;
        if !self.next_byte_is(b'.') {
            return Some(Name { schema: None, name: first });
        }
        Some(Name { schema: Some(first), name: self.span()? })
    }

    fn prepared(&mut self) -> Option<Detail> {
        let name = self.span()?;
        self.next_is("from");
        let first = self.code()?;
        let end = self.lexer.by_ref().last().map_or(first.end, |last| last.end);
        Some(Detail::Prepared(name, Span { start: first.start, end }))
    }

    fn handler(&mut self) -> Option<Detail> {
        let mut name = self.name()?;
        if self.next_is("read") {
            return Some(Detail::HandlerRead(name));
        }
        if self.next_is("close") {
            return Some(Detail::HandlerClosed(name));
        }
        self.next_is("open").then_some(())?;
        self.next_is("as");
        if let Some(alias) = self.span() {
            name = Name { schema: None, name: alias };
        }
        Some(Detail::HandlerOpened(name))
    }

    // CREATE [OR REPLACE] TEMPORARY TABLE [IF NOT EXISTS] name
    fn created(&mut self) -> Option<Detail> {
        for word in ["or", "replace", "temporary", "table", "sequence", "if", "not", "exists"] {
            self.next_is(word);
        }
        self.name().map(Detail::TemporaryCreated)
    }

    // DROP [TEMPORARY] TABLE [IF EXISTS] name, ..
    fn dropped(&mut self) -> Vec<Detail> {
        for word in ["temporary", "table", "tables", "sequence", "if", "exists"] {
            self.next_is(word);
        }
        let mut names = Vec::new();
        while let Some(name) = self.name() {
            names.push(Detail::TableDropped(name));
            if !self.next_byte_is(b',') {
                break;
            }
        }
        names
    }

    fn dropped_schema(&mut self) -> Option<Detail> {
        for word in ["database", "schema", "if", "exists"] {
            self.next_is(word);
        }
        self.span().map(Detail::SchemaDropped)
    }

    fn system_variable(&self, token: Token) -> Detail {
        let name = system_variable(self.sql, token).1.of(self.sql);
        match unquoted(name).eq_ignore_ascii_case(b"pseudo_thread_id") {
            true => Detail::PseudoThreadId(token.into()),
            false => Detail::SystemVariable(token.into()),
        }
    }

    fn empty_call(&mut self, name: Token) -> Option<Span> {
        self.next_byte_is(b'(').then_some(())?;
        let close = self.code().filter(|token| self.sql[token.start] == b')')?;
        Some(Span { start: name.start, end: close.end })
    }
}

#[cfg(test)]
mod tests {
    use super::super::effects::statements;
    use super::*;

    const MARIADB: Dialect = Dialect { mariadb: true, version: 101_119, ..Dialect::PLAIN };

    fn parse(sql: &str) -> Vec<String> {
        let text = |span: Span| String::from_utf8_lossy(span.of(sql.as_bytes())).into_owned();
        let full = |name: Name| name.schema.map_or(String::new(), |schema| text(schema) + ".") + &text(name.name);
        let show = |detail: Detail| match detail {
            Detail::Assigned(item) => format!("{:?} to {}", item.target, text(item.value)),
            Detail::Schema(name) => format!("use {}", text(name)),
            Detail::SchemaDropped(name) => format!("drop schema {}", text(name)),
            Detail::TemporaryCreated(name) => format!("create {}", full(name)),
            Detail::TableDropped(name) => format!("drop {}", full(name)),
            Detail::Prepared(name, from) => format!("prepare {} from {}", text(name), text(from)),
            Detail::Executed(name) => format!("execute {}", text(name)),
            Detail::Deallocated(name) => format!("deallocate {}", text(name)),
            Detail::HandlerOpened(name) => format!("open {}", full(name)),
            Detail::HandlerRead(name) => format!("read {}", full(name)),
            Detail::HandlerClosed(name) => format!("close {}", full(name)),
            Detail::ConnectionId(span) => format!("id {}", text(span)),
            Detail::PseudoThreadId(span) => format!("pseudo {}", text(span)),
            Detail::SystemVariable(span) | Detail::UserVariable(span) => format!("named {}", text(span)),
        };
        statements(sql.as_bytes(), MARIADB).flat_map(|one| details(sql.as_bytes(), MARIADB, &one)).map(show).collect()
    }

    #[test]
    fn names_and_places_are_found() {
        let cases: &[(&str, &[&str])] = &[
            ("USE `a``b`; use c", &["use `a``b`", "use c"]),
            ("DROP DATABASE a; drop schema if exists `b`", &["drop schema a", "drop schema `b`"]),
            ("SET @a = 5", &["User(Span { start: 4, end: 6 }) to 5", "named @a"]),
            ("CREATE TEMPORARY TABLE IF NOT EXISTS a.`b` (c int)", &["create a.`b`"]),
            ("create or replace temporary table t select 1", &["create t"]),
            ("CREATE TEMPORARY SEQUENCE s", &["create s"]),
            ("DROP TEMPORARY TABLE IF EXISTS a, b.c, `d`", &["drop a", "drop b.c", "drop `d`"]),
            ("DROP TABLE a", &["drop a"]),
            ("DROP /*!40005 TEMPORARY */ TABLE a", &["drop a"]),
            ("PREPARE p FROM 'select ?'", &["prepare p from 'select ?'"]),
            ("PREPARE p FROM concat('a', @b);", &["prepare p from concat('a', @b)", "named @b"]),
            (
                "EXECUTE p USING @a; DEALLOCATE PREPARE p; DROP PREPARE q",
                &["execute p", "named @a", "deallocate p", "deallocate q"],
            ),
            ("EXECUTE IMMEDIATE 'x'", &[]),
            ("HANDLER t OPEN", &["open t"]),
            ("HANDLER a.t OPEN AS u", &["open u"]),
            ("HANDLER a.t OPEN u", &["open u"]),
            ("HANDLER u READ FIRST; HANDLER u CLOSE", &["read u", "close u"]),
            (
                "SELECT CONNECTION_ID(), connection_id ( ), @@pseudo_thread_id",
                &["id CONNECTION_ID()", "id connection_id ( )", "pseudo @@pseudo_thread_id"],
            ),
            (
                "SELECT @@session.`pseudo_thread_id`, 'connection_id()', connection_id FROM t",
                &["pseudo @@session.`pseudo_thread_id`"],
            ),
            ("DO 1; SELECT connection_id()", &["id connection_id()"]),
            ("SELECT a INTO @b, @`c d` FROM t", &["named @b", "named @`c d`"]),
            ("SELECT @@session.sql_mode, '@@x', @y:=1", &["named @@session.sql_mode", "named @y"]),
            ("SELECT 1", &[]),
        ];
        for (sql, expected) in cases {
            assert_eq!(parse(sql), *expected, "{sql}");
        }
    }

    #[test]
    fn names_lose_their_quotes() {
        for (name, expected) in
            [("a", "a"), ("`a`", "a"), ("`a``b`", "a`b"), ("'a'", "a"), ("``", ""), ("`", "`"), ("\"a\"\"b\"", "a\"b")]
        {
            assert_eq!(unquoted(name.as_bytes()), expected.as_bytes());
        }
    }
}
