//! XA statements, told by their first word.

use super::lexer::{Dialect, Kind, Lexer};

/// Whether the text begins with an XA statement. Nearly every other is told by its first byte.
pub fn is_xa(sql: &[u8]) -> bool {
    let begin = match sql.first() {
        Some(first) if !first.is_ascii_alphabetic() => {
            let mut tokens = Lexer::new(sql, Dialect::default());
            tokens
                .find(|token| !matches!(token.kind, Kind::CodeOpen | Kind::Semicolon))
                .map_or(sql.len(), |first| first.start)
        }
        _ => 0,
    };
    let rest = |rest: &[u8]| !rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    matches!(&sql[begin..], [b'x' | b'X', b'a' | b'A', behind @ ..] if rest(behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_tells() {
        for sql in
            ["XA PREPARE 'a'", "xa\nstart 'a'", "/* a */ XA END 'a'", "/*!50000 xa */ COMMIT 'a'", "; XA RECOVER"]
        {
            assert!(is_xa(sql.as_bytes()), "{sql}");
        }
        for sql in ["", "x", "XADD", "xa_table", "SELECT 'XA'", "-- XA", "/* XA"] {
            assert!(!is_xa(sql.as_bytes()), "{sql}");
        }
    }
}
