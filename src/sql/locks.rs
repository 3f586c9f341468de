//! The names of the locks that a text takes with GET_LOCK(), as they stand in it.

use super::assign::Span;
use super::lexer::{Dialect, Kind, Lexer};

/// The names, quotes included. `None`: one of them is no plain string, so that nobody knows it.
pub fn lock_names(sql: &[u8], dialect: Dialect) -> Option<Vec<Span>> {
    let mut tokens = Lexer::new(sql, dialect).filter(|token| !matches!(token.kind, Kind::CodeOpen | Kind::CodeClose));
    let mut names = Vec::new();
    while let Some(token) = tokens.next() {
        let word = &sql[token.start..token.end];
        if !matches!(token.kind, Kind::Word | Kind::QuotedIdentifier) || !is_get_lock(word) {
            continue;
        }
        let (open, name, comma) = (tokens.next()?, tokens.next()?, tokens.next()?);
        let is_plain = sql[open.start] == b'(' && name.kind == Kind::String && sql[comma.start] == b',';
        is_plain.then_some(())?;
        names.push(Span::from(name));
    }
    Some(names)
}

/// Whether the text calls RELEASE_ALL_LOCKS().
pub fn releases_all(sql: &[u8], dialect: Dialect) -> bool {
    Lexer::new(sql, dialect)
        .any(|token| token.kind == Kind::Word && sql[token.start..token.end].eq_ignore_ascii_case(b"release_all_locks"))
}

fn is_get_lock(word: &[u8]) -> bool {
    let word = word.strip_prefix(b"`").and_then(|word| word.strip_suffix(b"`")).unwrap_or(word);
    word.eq_ignore_ascii_case(b"get_lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(sql: &str) -> Option<Vec<&str>> {
        let spans = lock_names(sql.as_bytes(), Dialect::default())?;
        Some(spans.into_iter().map(|span| &sql[span.start..span.end]).collect())
    }

    #[test]
    fn plain_names_are_told_and_others_are_not() {
        assert_eq!(names("SELECT GET_LOCK('a', 0), get_lock /* x */ ( \"b\" , 1)"), Some(vec!["'a'", "\"b\""]));
        assert_eq!(names("DO 1"), Some(vec![]));
        for unknown in
            ["SELECT GET_LOCK(?, 0)", "SELECT GET_LOCK(CONCAT('a','b'), 0)", "SELECT GET_LOCK('a' 'b', 0)", "GET_LOCK"]
        {
            assert_eq!(names(unknown), None, "{unknown}");
        }
        assert!(releases_all(b"DO release_all_locks()", Dialect::default()));
    }
}
