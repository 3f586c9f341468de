//! SHOW WARNINGS, SHOW ERRORS and their counts, from what was saved.

use super::patch::{Field, Row};
use crate::session::last::{Condition, Level, Saved};
use crate::sql::dialect::Dialect;
use crate::sql::effects::Statement;
use crate::sql::lexer::Kind;

/// The rows that the statement shows; `None` where it is not understood.
pub(super) fn rows(sql: &[u8], dialect: Dialect, statement: &Statement, saved: &Saved) -> Option<Vec<Row>> {
    let tokens = statement
        .tokens(sql, dialect)
        .filter(|token| !matches!(token.kind, Kind::CodeOpen | Kind::CodeClose))
        .map(|token| sql[token.start..token.end].to_ascii_lowercase())
        .collect::<Vec<_>>();
    let words: Vec<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
    match words.as_slice() {
        [b"show", b"count", b"(", b"*", b")", b"warnings"] => Some(vec![vec![Field::Number(saved.warnings)]]),
        [b"show", b"count", b"(", b"*", b")", b"errors"] => Some(vec![vec![Field::Number(saved.errors)]]),
        [b"show", what @ (b"warnings" | b"errors"), limit @ ..] => {
            let (skip, most) = limits(limit)?;
            let shown = saved.conditions.iter().filter(|one| *what == b"warnings" || one.level == Level::Error);
            Some(shown.skip(skip).take(most).map(row).collect())
        }
        _ => None,
    }
}

/// LIMIT n, LIMIT m, n and LIMIT n OFFSET m: how many to skip, and how many to show.
fn limits(words: &[&[u8]]) -> Option<(usize, usize)> {
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse().ok();
    match words {
        [] => Some((0, usize::MAX)),
        [b"limit", most] => Some((0, number(most)?)),
        [b"limit", skip, b",", most] | [b"limit", most, b"offset", skip] => Some((number(skip)?, number(most)?)),
        _ => None,
    }
}

fn row(condition: &Condition) -> Row {
    let level = Field::Text(condition.level.name().as_bytes().into());
    vec![level, Field::Number(condition.code.into()), Field::Text(condition.message.clone())]
}
