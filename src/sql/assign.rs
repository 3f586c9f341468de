//! What a SET statement sets: one [`Assignment`] per item of its list.

use super::lexer::{Kind, Lexer, Token};
use super::word::{key, pack};

/// A range of the text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset after the last byte.
    pub end: usize,
}

impl Span {
    /// Its bytes in `sql`; empty if it does not belong to it.
    pub fn of(self, sql: &[u8]) -> &[u8] {
        sql.get(self.start..self.end).unwrap_or_default()
    }
}

impl From<Token> for Span {
    fn from(token: Token) -> Self {
        Self { start: token.start, end: token.end }
    }
}

/// Where a system variable is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In the session.
    Session,
    /// In the server (GLOBAL, PERSIST, PERSIST_ONLY), not in the session.
    Global,
    /// `@@x` without a scope: the session, but for the transaction's characteristics the next transaction only.
    Bare,
}

/// What one item of a SET sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A system variable; the name without scope, perhaps in backticks.
    System(Scope, Span),
    /// A user variable; the name with its `@`.
    User(Span),
    /// NAMES, with its value and perhaps COLLATE.
    Names,
    /// CHARACTER SET or CHARSET.
    CharacterSet,
    /// PASSWORD: an account changes, not the session.
    Password,
    /// ROLE: the session's role.
    Role,
    /// DEFAULT ROLE: an account changes, not the session.
    DefaultRole,
    /// TRANSACTION ..: [`Scope::Bare`] is the next transaction only.
    Transaction(Scope),
    /// Anything else.
    Unknown,
}

/// One item of a SET.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment {
    /// What is set.
    pub target: Target,
    /// The text of the value (for NAMES with COLLATE; for TRANSACTION the characteristics).
    pub value: Span,
    /// The value is a literal: a number (with a sign or without), a string, NULL, TRUE, FALSE; for what is not a user
    /// variable also one word (`ON`, `DEFAULT`, `utf8mb4`). It means the same on every connection.
    pub literal: bool,
}

/// The items of a SET whose word SET `lexer` has just read, up to `;`. Not for `SET STATEMENT .. FOR ..`.
pub fn assignments<'a>(lexer: Lexer<'a>) -> Assignments<'a> {
    Assignments { lexer, scope: Scope::Session, done: false }
}

/// See [`assignments`].
#[derive(Debug, Clone)]
pub struct Assignments<'a> {
    lexer: Lexer<'a>,
    // GLOBAL and SESSION hold for the items that follow without one.
    scope: Scope,
    done: bool,
}

impl Iterator for Assignments<'_> {
    type Item = Assignment;

    fn next(&mut self) -> Option<Assignment> {
        if self.done {
            return None;
        }
        let Some(first) = self.code() else {
            self.done = true;
            return None;
        };
        let target = self.target(first);
        let to_the_end =
            matches!(target, Target::Role | Target::DefaultRole | Target::Transaction(_) | Target::Password);
        let value = self.value(to_the_end);
        let literal = value.is_literal(matches!(target, Target::User(_)));
        let target = if value.broken || goes_on(target, &value) { Target::Unknown } else { target };
        Some(Assignment { target, value: value.span, literal })
    }
}

impl Assignments<'_> {
    fn code(&mut self) -> Option<Token> {
        let token = self.lexer.find(|token| !matches!(token.kind, Kind::CodeOpen | Kind::CodeClose))?;
        (token.kind != Kind::Semicolon).then_some(token)
    }

    fn peek(&self) -> Option<Token> {
        self.clone().code()
    }

    fn word(&self, token: Token) -> Word {
        if token.kind == Kind::Word { Word::of(self.lexer.sql(), token) } else { Word::Other }
    }

    fn next_is(&mut self, word: Word) -> bool {
        let before = self.lexer.clone();
        let found = self.code().is_some_and(|token| self.word(token) == word);
        if !found {
            self.lexer = before;
        }
        found
    }

    fn target(&mut self, first: Token) -> Target {
        match (first.kind, self.word(first)) {
            (Kind::UserVariable, _) => self.with_equals(Target::User(first.into())),
            (Kind::SystemVariable, _) => self.at_at(first),
            (_, Word::Names) if !self.equals_next() => Target::Names,
            (_, Word::Charset) if !self.equals_next() => Target::CharacterSet,
            (_, Word::Character) if self.next_is(Word::Set) => Target::CharacterSet,
            (_, Word::Password) => Target::Password,
            (_, Word::Role) if !self.equals_next() => Target::Role,
            (_, Word::Default) if self.next_is(Word::Role) => Target::DefaultRole,
            (_, Word::Transaction) => Target::Transaction(Scope::Bare),
            (_, Word::Scope(scope)) => self.scoped(scope),
            (Kind::Word | Kind::QuotedIdentifier, _) => self.named(self.scope, first),
            _ => Target::Unknown,
        }
    }

    fn scoped(&mut self, scope: Scope) -> Target {
        self.scope = scope;
        match self.code() {
            Some(token) if self.word(token) == Word::Transaction => Target::Transaction(scope),
            Some(token) if matches!(token.kind, Kind::Word | Kind::QuotedIdentifier) => self.named(scope, token),
            _ => Target::Unknown,
        }
    }

    // `x = ..`, `cache.x = ..`
    fn named(&mut self, scope: Scope, first: Token) -> Target {
        let mut name = Span::from(first);
        while self.peek().is_some_and(|token| self.lexer.sql()[token.start] == b'.') {
            self.code();
            match self.code() {
                Some(part) => name.end = part.end,
                None => return Target::Unknown,
            }
        }
        self.with_equals(Target::System(scope, name))
    }

    // `@@x`, `@@scope.x`
    fn at_at(&mut self, token: Token) -> Target {
        let (scope, name) = system_variable(self.lexer.sql(), token);
        self.with_equals(Target::System(scope, name))
    }

    fn equals_next(&self) -> bool {
        self.peek().is_some_and(|token| self.is_equals(token))
    }

    fn is_equals(&self, token: Token) -> bool {
        token.kind == Kind::Assign || self.lexer.sql()[token.start] == b'='
    }

    fn with_equals(&mut self, target: Target) -> Target {
        match self.code() {
            Some(token) if self.is_equals(token) => target,
            _ => Target::Unknown,
        }
    }

    fn value(&mut self, to_the_end: bool) -> Value {
        let mut value = Value::default();
        let mut depth = 0u32;
        loop {
            let Some(token) = self.code() else {
                self.done = true;
                return value;
            };
            match self.lexer.sql()[token.start] {
                b',' if depth == 0 && !to_the_end => return value,
                b'(' if token.kind == Kind::Punct => depth += 1,
                b')' if token.kind == Kind::Punct => depth = depth.saturating_sub(1),
                _ => {}
            }
            value.add(self.lexer.sql(), token);
        }
    }
}

// MariaDB takes more items behind a role or a password, which were read as its value.
fn goes_on(target: Target, value: &Value) -> bool {
    match target {
        Target::Role | Target::DefaultRole => value.equals > 0,
        Target::Password => value.equals > 1,
        _ => false,
    }
}

/// The scope and the name's range of a [`Kind::SystemVariable`] token.
pub fn system_variable(sql: &[u8], token: Token) -> (Scope, Span) {
    let name = Span { start: (token.start + 2).min(token.end), end: token.end };
    let Some(dot) = name.of(sql).iter().position(|&byte| byte == b'.') else { return (Scope::Bare, name) };
    let rest = Span { start: name.start + dot + 1, end: name.end };
    match &name.of(sql)[..dot] {
        prefix if is_any(prefix, &["session", "local"]) => (Scope::Session, rest),
        prefix if is_any(prefix, &["global", "persist", "persist_only"]) => (Scope::Global, rest),
        _ => (Scope::Bare, name),
    }
}

fn is_any(word: &[u8], words: &[&str]) -> bool {
    words.iter().any(|other| word.eq_ignore_ascii_case(other.as_bytes()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Names,
    Charset,
    Character,
    Set,
    Password,
    Role,
    Default,
    Transaction,
    Scope(Scope),
    Other,
}

impl Word {
    fn of(sql: &[u8], token: Token) -> Self {
        match Span::from(token).of(sql).to_ascii_lowercase().as_slice() {
            b"names" => Self::Names,
            b"charset" => Self::Charset,
            b"character" | b"char" => Self::Character,
            b"set" => Self::Set,
            b"password" => Self::Password,
            b"role" => Self::Role,
            b"default" => Self::Default,
            b"transaction" => Self::Transaction,
            b"session" | b"local" => Self::Scope(Scope::Session),
            b"global" | b"persist" | b"persist_only" => Self::Scope(Scope::Global),
            _ => Self::Other,
        }
    }
}

#[derive(Default)]
struct Value {
    span: Span,
    form: Form,
    broken: bool,
    // How many tokens begin as `=` and `:=` do.
    equals: usize,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Form {
    #[default]
    Nothing,
    Sign,
    Introducer,
    Literal,
    Word,
    Other,
}

impl Value {
    fn add(&mut self, sql: &[u8], token: Token) {
        if self.form == Form::Nothing {
            self.span.start = token.start;
        }
        self.span.end = token.end;
        self.broken |= token.kind == Kind::Broken;
        self.equals += usize::from(matches!(sql[token.start], b'=' | b':'));
        self.form = match (self.form, token.kind) {
            (Form::Nothing | Form::Sign, Kind::Number) => Form::Literal,
            (Form::Nothing | Form::Introducer, Kind::String) => Form::Literal,
            (Form::Nothing, Kind::Punct) if matches!(sql[token.start], b'-' | b'+') => Form::Sign,
            (Form::Nothing, Kind::Word) => word_form(sql, token),
            _ => Form::Other,
        };
    }

    fn is_literal(&self, of_user_variable: bool) -> bool {
        self.form == Form::Literal || (self.form == Form::Word && !of_user_variable)
    }
}

fn word_form(sql: &[u8], token: Token) -> Form {
    const NULL: u64 = pack("null");
    const TRUE: u64 = pack("true");
    const FALSE: u64 = pack("false");
    match key(sql, token.start, token.end) {
        NULL | TRUE | FALSE => Form::Literal,
        _ if sql[token.start] == b'_' => Form::Introducer,
        _ => Form::Word,
    }
}

#[cfg(test)]
mod tests {
    use super::super::lexer::Dialect;
    use super::*;

    fn parse(sql: &str) -> Vec<String> {
        let mut lexer = Lexer::new(sql.as_bytes(), Dialect { mariadb: true, version: 101_119, ..Dialect::default() });
        lexer.next();
        let text = |span: Span| String::from_utf8_lossy(span.of(sql.as_bytes())).into_owned();
        let show = |item: Assignment| {
            let target = match item.target {
                Target::System(scope, name) => format!("{scope:?} {}", text(name)),
                Target::User(name) => text(name),
                other => format!("{other:?}"),
            };
            format!("{target}={}{}", text(item.value), if item.literal { "" } else { " (expression)" })
        };
        assignments(lexer).map(show).collect()
    }

    #[test]
    fn every_kind_of_item_is_told_apart() {
        let cases: &[(&str, &[&str])] = &[
            ("SET a = 1", &["Session a=1"]),
            ("set a=1, b='x', c=ON, d := -2;", &["Session a=1", "Session b='x'", "Session c=ON", "Session d=-2"]),
            ("SET SESSION a=1, b=2", &["Session a=1", "Session b=2"]),
            ("SET GLOBAL a=1, b=2, SESSION c=3, d=4", &["Global a=1", "Global b=2", "Session c=3", "Session d=4"]),
            ("SET LOCAL a=DEFAULT", &["Session a=DEFAULT"]),
            ("SET PERSIST a=1, PERSIST_ONLY b=2", &["Global a=1", "Global b=2"]),
            (
                "SET @@a=1, @@session.b=2, @@global.c=3, @@local.d=4",
                &["Bare a=1", "Session b=2", "Global c=3", "Session d=4"],
            ),
            ("SET @@hot.key_buffer_size=1", &["Bare hot.key_buffer_size=1"]),
            ("SET hot.key_buffer_size=1", &["Session hot.key_buffer_size=1"]),
            ("SET `a`=1", &["Session `a`=1"]),
            (
                "SET @a=1, @b:='x', @c=NULL, @`d e`=TRUE, @f=-1.5e3",
                &["@a=1", "@b='x'", "@c=NULL", "@`d e`=TRUE", "@f=-1.5e3"],
            ),
            ("SET @a=_utf8mb4'x', @b=x'4D'", &["@a=_utf8mb4'x'", "@b=x'4D'"]),
            (
                "SET @a=@b, @c=1+1, @d=(SELECT 1, 2), @e=f(1,2)",
                &[
                    "@a=@b (expression)",
                    "@c=1+1 (expression)",
                    "@d=(SELECT 1, 2) (expression)",
                    "@e=f(1,2) (expression)",
                ],
            ),
            ("SET @a=CURRENT_TIMESTAMP, @b='x' 'y'", &["@a=CURRENT_TIMESTAMP (expression)", "@b='x' 'y' (expression)"]),
            (
                "SET sql_mode=@old, a=@@b, c=CONCAT('x',',y')",
                &[
                    "Session sql_mode=@old (expression)",
                    "Session a=@@b (expression)",
                    "Session c=CONCAT('x',',y') (expression)",
                ],
            ),
            ("SET NAMES utf8mb4", &["Names=utf8mb4"]),
            ("SET NAMES 'utf8' COLLATE 'utf8_bin', @a=1", &["Names='utf8' COLLATE 'utf8_bin' (expression)", "@a=1"]),
            ("SET CHARACTER SET utf8", &["CharacterSet=utf8"]),
            ("SET CHARSET DEFAULT", &["CharacterSet=DEFAULT"]),
            ("SET PASSWORD = 'x'", &["Password== 'x' (expression)"]),
            ("SET PASSWORD FOR 'a'@'b' = PASSWORD('x, y')", &["Password=FOR 'a'@'b' = PASSWORD('x, y') (expression)"]),
            ("SET ROLE a, b", &["Role=a, b (expression)"]),
            ("SET DEFAULT ROLE a TO b", &["DefaultRole=a TO b (expression)"]),
            (
                "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY",
                &["Transaction(Bare)=ISOLATION LEVEL READ COMMITTED, READ ONLY (expression)"],
            ),
            ("SET SESSION TRANSACTION READ ONLY", &["Transaction(Session)=READ ONLY (expression)"]),
            ("SET GLOBAL TRANSACTION READ ONLY", &["Transaction(Global)=READ ONLY (expression)"]),
            ("SET /*!40101 NAMES */ utf8", &["Names=utf8"]),
            ("SET a", &["Unknown= (expression)"]),
            ("SET RESOURCE GROUP g", &["Unknown=g"]),
            ("SET a='x", &["Unknown='x (expression)"]),
            ("SET 5=5", &["Unknown==5 (expression)"]),
            ("SET", &[]),
        ];
        for (sql, expected) in cases {
            assert_eq!(parse(sql), *expected, "{sql}");
        }
    }
}
