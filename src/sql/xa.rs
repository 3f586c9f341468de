//! XA statements, told by their first word, also behind others in one text.

use super::lexer::{Dialect, Kind, Lexer};

/// Whether a statement of the text is an XA statement: one too many, where a string holds `; XA`, never one too few.
pub fn is_xa(sql: &[u8]) -> bool {
    begins_with_xa(sql) || memchr::memchr_iter(b';', sql).any(|at| begins_with_xa(behind(&sql[at + 1..])))
}

/// The next statement, where the semicolon may have been the last of an executable comment.
fn behind(rest: &[u8]) -> &[u8] {
    let rest = rest.trim_ascii_start();
    rest.strip_prefix(b"*/").map_or(rest, <[u8]>::trim_ascii_start)
}

/// Nearly every other text is told by its first byte.
fn begins_with_xa(sql: &[u8]) -> bool {
    let begin = match sql.first() {
        Some(first) if !first.is_ascii_alphabetic() => {
            let mut tokens = Lexer::new(sql, Dialect::default());
            tokens
                .find(|token| !matches!(token.kind, Kind::CodeOpen | Kind::Semicolon))
                .map_or(sql.len(), |first| first.start)
        }
        _ => 0,
    };
    is_word_xa(&sql[begin..])
}

fn is_word_xa(sql: &[u8]) -> bool {
    let ends = |rest: &[u8]| !rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    matches!(sql, [b'x' | b'X', b'a' | b'A', behind @ ..] if ends(behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_tells() {
        for sql in [
            "XA PREPARE 'a'",
            "xa\nstart 'a'",
            "/* a */ XA END 'a'",
            "/*!50000 xa */ COMMIT 'a'",
            "; XA RECOVER",
            "SELECT 1; SELECT 2;\n xa PREPARE 'a'",
            "SELECT 1; /* a */ -- b\n # c\n xa PREPARE 'a'",
            "SELECT 1;/*!50000 xa PREPARE 'a' */",
            "SELECT 1 /*!50000 ; */ XA PREPARE 'a'",
        ] {
            assert!(is_xa(sql.as_bytes()), "{sql}");
        }
        for sql in [
            "",
            "x",
            "XADD",
            "xa_table",
            "SELECT 'XA'",
            "-- XA",
            "/* XA",
            "SELECT 1; XADD",
            "SELECT 1;",
            "SELECT 1; /* XA */ SELECT 2",
        ] {
            assert!(!is_xa(sql.as_bytes()), "{sql}");
        }
    }
}
