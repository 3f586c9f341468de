//! Statements whose effect outlives a reset of their connection, told by their first words, also behind others in one text.

use super::lexer::{Dialect, Kind, Lexer};

/// Whether a statement of the text is an XA statement: one too many, where a string holds `; XA`, never one too few.
pub fn is_xa(sql: &[u8]) -> bool {
    has_statement(sql, |sql| is_word(sql, b"xa"))
}

/// Whether one puts the connection itself somewhere else, of which no reset and no change of user brings it back: SET RESOURCE GROUP
/// (MySQL), SET SESSION AUTHORIZATION (MariaDB from 12.0 on), BINLOG. One too many, as above.
pub fn moves_connection(sql: &[u8]) -> bool {
    has_statement(sql, |sql| is_word(sql, b"binlog") || is_word(sql, b"set") && sets_no_variable(sql))
}

fn sets_no_variable(sql: &[u8]) -> bool {
    let mut words = Lexer::new(sql, Dialect::default())
        .filter(|token| !matches!(token.kind, Kind::CodeOpen | Kind::CodeClose))
        .map(|token| sql[token.start..token.end].to_ascii_lowercase())
        .skip(1);
    match words.next().as_deref() {
        Some(b"resource") => words.next().as_deref() == Some(b"group"),
        Some(b"session" | b"local") => words.next().as_deref() == Some(b"authorization"),
        _ => false,
    }
}

fn has_statement(sql: &[u8], is_one: impl Fn(&[u8]) -> bool) -> bool {
    is_one(&sql[begin(sql)..])
        || memchr::memchr_iter(b';', sql).any(|at| {
            let next = behind(&sql[at + 1..]);
            is_one(&next[begin(next)..])
        })
}

/// The next statement, where the semicolon may have been the last of an executable comment.
fn behind(rest: &[u8]) -> &[u8] {
    let rest = rest.trim_ascii_start();
    rest.strip_prefix(b"*/").map_or(rest, <[u8]>::trim_ascii_start)
}

/// Where the first word stands. Nearly every text begins with it.
fn begin(sql: &[u8]) -> usize {
    match sql.first() {
        Some(first) if !first.is_ascii_alphabetic() => {
            let mut tokens = Lexer::new(sql, Dialect::default());
            tokens
                .find(|token| !matches!(token.kind, Kind::CodeOpen | Kind::Semicolon))
                .map_or(sql.len(), |first| first.start)
        }
        _ => 0,
    }
}

/// Whether the text begins with this word, which is in small letters.
fn is_word(sql: &[u8], word: &[u8]) -> bool {
    let Some((first, rest)) = sql.split_at_checked(word.len()) else { return false };
    let ends = !rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    ends && first.eq_ignore_ascii_case(word)
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

    #[test]
    fn the_second_word_tells_what_moves_the_connection() {
        for sql in [
            "SET RESOURCE GROUP batch",
            "set /* a */ resource\ngroup batch FOR 5",
            "/*!80000 SET RESOURCE GROUP batch */",
            "SELECT 1; SET SESSION AUTHORIZATION 'a'@'b'",
            "SET LOCAL AUTHORIZATION a",
            "BINLOG 'AAAA'",
        ] {
            assert!(moves_connection(sql.as_bytes()), "{sql}");
        }
        for sql in [
            "SET resource = 1",
            "SET SESSION sql_mode = ''",
            "SET @a = 1",
            "SELECT 'SET RESOURCE GROUP'",
            "binlogs",
            "",
        ] {
            assert!(!moves_connection(sql.as_bytes()), "{sql}");
        }
    }
}
