//! A statement as words: the lexer's tokens, read one after the other. Pure.

use std::borrow::Cow;

use crate::sql::lexer::{Dialect, Kind, Lexer, Token};

/// What is left of a statement. Marks of executable comments are passed over: what is in them is code.
#[derive(Clone)]
pub struct Words<'a> {
    lexer: Lexer<'a>,
    sql: &'a [u8],
}

impl<'a> Words<'a> {
    /// From a statement's first byte.
    pub fn new(sql: &'a [u8]) -> Words<'a> {
        Words { lexer: Lexer::new(sql, Dialect::default()), sql }
    }

    /// The next token.
    pub fn token(&mut self) -> Option<Token> {
        self.lexer.find(|token| !matches!(token.kind, Kind::CodeOpen | Kind::CodeClose))
    }

    /// The next token, which is still the next one after this.
    pub fn peek(&self) -> Option<Token> {
        self.clone().token()
    }

    /// A token's bytes.
    pub fn bytes(&self, token: Token) -> &'a [u8] {
        self.sql.get(token.start..token.end).unwrap_or_default()
    }

    /// The bytes from one place to another.
    pub fn between(&self, start: usize, end: usize) -> Cow<'a, str> {
        String::from_utf8_lossy(self.sql.get(start..end).unwrap_or_default())
    }

    /// Takes the next token if it is this word.
    pub fn take(&mut self, word: &str) -> bool {
        let is_it = self
            .peek()
            .is_some_and(|token| token.kind == Kind::Word && self.bytes(token).eq_ignore_ascii_case(word.as_bytes()));
        is_it && self.token().is_some()
    }

    /// Takes the next token if it is this punctuation.
    pub fn take_punct(&mut self, punct: u8) -> bool {
        let is_it = self.peek().is_some_and(|token| token.kind == Kind::Punct && self.bytes(token) == [punct]);
        is_it && self.token().is_some()
    }

    /// Takes the next token if it is a word, in upper case.
    pub fn word(&mut self) -> Option<String> {
        let token = self.peek().filter(|token| token.kind == Kind::Word)?;
        self.token();
        Some(String::from_utf8_lossy(self.bytes(token)).to_uppercase())
    }

    /// Takes the next token if it names something, quoted or not.
    pub fn name(&mut self) -> Option<String> {
        let token = self.peek().filter(|t| matches!(t.kind, Kind::Word | Kind::QuotedIdentifier | Kind::Number))?;
        self.token();
        Some(unquoted(self.bytes(token)))
    }

    /// Takes the next token if it is a string, without its quotes.
    pub fn string(&mut self) -> Option<String> {
        let token = self.peek().filter(|token| token.kind == Kind::String)?;
        self.token();
        Some(unquoted(self.bytes(token)))
    }

    /// Takes the next token if it is a whole number.
    pub fn number<T: std::str::FromStr>(&mut self) -> Option<T> {
        let token = self.peek().filter(|token| token.kind == Kind::Number)?;
        let number = std::str::from_utf8(self.bytes(token)).ok()?.parse().ok()?;
        self.token();
        Some(number)
    }

    /// Nothing is left but semicolons.
    pub fn is_at_end(&self) -> bool {
        let mut rest = self.clone();
        std::iter::from_fn(|| rest.token()).all(|token| token.kind == Kind::Semicolon)
    }
}

/// Without quotes, and with doubled ones single. A backslash stays: it is LIKE's own escape character.
pub fn unquoted(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    match text.chars().next() {
        Some(quote @ ('\'' | '"' | '`')) if text.len() >= 2 && text.ends_with(quote) => {
            let inner = &text[1..text.len() - 1];
            inner.replace(&format!("{quote}{quote}"), &quote.to_string())
        }
        _ => text.into_owned(),
    }
}
