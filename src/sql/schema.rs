//! `USE schema`: which schema a statement names for its session.

use std::borrow::Cow;

use super::lexer::{Dialect, Kind, Lexer};

/// The schema that `sql` makes the session's, if it is a single USE.
pub fn used(sql: &[u8]) -> Option<Cow<'_, [u8]>> {
    // Nearly every statement is told from a USE by its first byte.
    if !matches!(sql.first(), Some(b'u' | b'U' | b' ' | b'\t' | b'\n' | b'\r' | b'/' | b'-' | b'#')) {
        return None;
    }
    let mut tokens = Lexer::new(sql, Dialect::default());
    let verb = tokens.next().filter(|token| token.kind == Kind::Word)?;
    sql[verb.start..verb.end].eq_ignore_ascii_case(b"use").then_some(())?;
    let name = tokens.next()?;
    let text = &sql[name.start..name.end];
    let schema = match name.kind {
        Kind::Word => Cow::Borrowed(text),
        Kind::QuotedIdentifier => Cow::Owned(unquoted(text)),
        _ => return None,
    };
    match tokens.next() {
        None => Some(schema),
        Some(token) if token.kind == Kind::Semicolon && tokens.next().is_none() => Some(schema),
        Some(_) => None,
    }
}

/// Without the quotes around it, doubled quotes inside made one.
fn unquoted(text: &[u8]) -> Vec<u8> {
    let (&quote, inner) = match text {
        [quote, inner @ .., _] => (quote, inner),
        _ => return Vec::new(),
    };
    let mut out = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied();
    while let Some(byte) = bytes.next() {
        out.push(byte);
        if byte == quote {
            bytes.next();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_schema() {
        for sql in ["use shop", "USE `shop`;", " /* x */ Use shop ;"] {
            assert_eq!(used(sql.as_bytes()).as_deref(), Some(&b"shop"[..]), "{sql}");
        }
        assert_eq!(used(b"use `a``b`").as_deref(), Some(&b"a`b"[..]));
        for sql in ["select 1", "use a; use b", "user", "update t set a=1", "use"] {
            assert_eq!(used(sql.as_bytes()), None, "{sql}");
        }
    }
}
