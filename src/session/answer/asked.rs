//! The calls and variables that ask, found in a statement's tokens.

use std::cell::LazyCell;

use crate::sql::lexer::{Kind, Token};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    RowCount,
    FoundRows,
    ConnectionId,
    WarningCount,
    ErrorCount,
    UsedLock,
}

/// Where it is asked: indexes of tokens, the last one excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub question: Question,
    pub first: usize,
    pub end: usize,
}

/// All questions in the tokens, which hold no marks of executable comments.
pub(super) fn asked(sql: &[u8], tokens: &[Token]) -> Vec<Asked> {
    let closings = LazyCell::new(|| super::items::closings(sql, tokens));
    let closing = |open: usize| closings.get(&open).copied();
    (0..tokens.len()).filter_map(|at| at_token(sql, tokens, at, closing)).collect()
}

fn at_token(sql: &[u8], tokens: &[Token], at: usize, closing: impl Fn(usize) -> Option<usize>) -> Option<Asked> {
    let token = tokens[at];
    match token.kind {
        Kind::SystemVariable => {
            let question = variable(&sql[token.start..token.end])?;
            (!is_assigned(sql, tokens, at)).then_some(Asked { question, first: at, end: at + 1 })
        }
        Kind::Word | Kind::QuotedIdentifier => call(sql, tokens, at, closing),
        _ => None,
    }
}

fn call(sql: &[u8], tokens: &[Token], at: usize, closing: impl Fn(usize) -> Option<usize>) -> Option<Asked> {
    let byte = |at: usize| tokens.get(at).map_or(0, |token| sql[token.start]);
    let qualified = at > 0 && byte(at - 1) == b'.';
    if qualified || byte(at + 1) != b'(' {
        return None;
    }
    let name = &sql[tokens[at].start..tokens[at].end];
    let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
    let question = match name.len() {
        9 if is("row_count") => Question::RowCount,
        10 if is("found_rows") => Question::FoundRows,
        13 if is("connection_id") => Question::ConnectionId,
        12 if is("is_used_lock") => {
            return Some(Asked { question: Question::UsedLock, first: at, end: closing(at + 1)? + 1 });
        }
        _ => return None,
    };
    (byte(at + 2) == b')').then_some(Asked { question, first: at, end: at + 3 })
}

/// `@@x`, `@@session.x`, `@@local.x`, in backticks or not.
fn variable(token: &[u8]) -> Option<Question> {
    let plain: Vec<u8> = token.iter().filter(|byte| **byte != b'`').map(u8::to_ascii_lowercase).collect();
    let name = plain.strip_prefix(b"@@")?;
    let name = name.strip_prefix(b"session.").or(name.strip_prefix(b"local.")).unwrap_or(name);
    match name {
        b"pseudo_thread_id" => Some(Question::ConnectionId),
        b"warning_count" => Some(Question::WarningCount),
        b"error_count" => Some(Question::ErrorCount),
        _ => None,
    }
}

// SET @@pseudo_thread_id = ..
fn is_assigned(sql: &[u8], tokens: &[Token], at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| &sql[tokens[before].start..tokens[before].end]);
    let begins = before.is_some_and(|before| before == b"," || before.eq_ignore_ascii_case(b"set"));
    let set = tokens.first().is_some_and(|first| sql[first.start..first.end].eq_ignore_ascii_case(b"set"));
    let next = tokens.get(at + 1).map(|next| &sql[next.start..next.end]);
    set && begins && matches!(next, Some(b"=" | b":="))
}
