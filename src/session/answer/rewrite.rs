//! A statement's questions, answered in its text or in the cells of its reply.

use std::collections::BTreeMap;

use super::asked::{Asked, Question, asked};
use super::items::{Item, Lists, lists};
use super::lock_owner::{may_be_told, told};
use super::patch::Value;
use super::{Answer, Edit, Known};
use crate::session::last::keeps_diagnostics;
use crate::sql::dialect::Dialect;
use crate::sql::effects::Statement;
use crate::sql::flags::Flags;
use crate::sql::lexer::{Kind, Lexer, Token};
use crate::sql::verb::Verb;

pub(super) fn statement(
    answer: &mut Answer,
    sql: &[u8],
    dialect: Dialect,
    statement: &Statement,
    known: &Known<'_>,
    result: usize,
) {
    let all = statement.tokens(sql, dialect);
    let tokens: Vec<Token> = all.filter(|token| !matches!(token.kind, Kind::CodeOpen | Kind::CodeClose)).collect();
    let lists = lists(sql, &tokens);
    let shows = statement.flags.has(Flags::SHOWS_CONNECTIONS);
    let mut named = BTreeMap::new();
    let all = asked(sql, &tokens);
    let numbers = if shows { numbers(sql, &tokens, known) } else { Vec::new() };
    let tells_owners = numbers.is_empty() && may_be_told(sql, &tokens, &all, known.clients);
    for found in all {
        let item = lists
            .items
            .iter()
            .filter(|item| item.first <= found.first && found.end <= item.end)
            .max_by_key(|item| item.first);
        let is_cell = statement.verb == Verb::Select
            && known.has_rows
            && answer.countable
            && !lists.entangled
            && item.is_some_and(|item| item.top && item.first == found.first && item.alias == found.end);
        let Some(value) = value(found.question, known, &lists, dialect) else { continue };
        match item {
            Some(item) if is_cell => answer.patch.cell(result, item.place, value),
            // On both sides of a comparison the ids must be of one kind.
            _ if found.question == Question::ConnectionId && shows => {}
            _ => {
                let edit = match value {
                    Value::Number(number) => edit(sql, &tokens, found, number),
                    Value::Client if tells_owners && !known.clients.is_empty() => {
                        told(sql, &tokens, found, known.clients)
                    }
                    Value::Client => continue,
                };
                answer.edits.push(edit);
                let around = |item: &&Item| item.first <= found.first && found.end <= item.end;
                for item in lists.items.iter().filter(around).filter(|item| item.alias == item.end) {
                    named.insert((item.first, item.end), *item);
                }
            }
        }
    }
    answer.edits.extend(named.into_values().map(|item| name(sql, dialect, &tokens, item)));
    answer.edits.extend(numbers);
}

fn value(question: Question, known: &Known<'_>, lists: &Lists, dialect: Dialect) -> Option<Value> {
    // A server that keeps warnings where no table is used counts none where one is.
    let counts = known.diagnostics.filter(|_| !(lists.has_table && keeps_diagnostics(dialect)));
    Some(match question {
        Question::RowCount => Value::Number(known.row_count?.into()),
        Question::FoundRows => Value::Number(known.found_rows?.into()),
        Question::ConnectionId => Value::Number(known.connection_id?.into()),
        Question::WarningCount => Value::Number(counts?.warnings.into()),
        Question::ErrorCount => Value::Number(counts?.errors.into()),
        Question::UsedLock => Value::Client,
    })
}

/// Type, length, NULL and warnings are those of the call itself.
fn edit(sql: &[u8], tokens: &[Token], found: Asked, number: i128) -> (usize, usize, Vec<u8>) {
    let sign = match found.question {
        Question::RowCount | Question::FoundRows => "SIGNED",
        _ => "UNSIGNED",
    };
    let (start, end) = (tokens[found.first].start, tokens[found.end - 1].end);
    let mut text = format!("IF(1,CAST({number} AS {sign}),").into_bytes();
    text.extend_from_slice(&sql[start..end]);
    text.push(b')');
    (start, end, text)
}

/// Servers name an item by its source text, without the marks of executable comments.
fn name(sql: &[u8], dialect: Dialect, tokens: &[Token], item: Item) -> (usize, usize, Vec<u8>) {
    let (start, end) = (tokens[item.first].start, tokens[item.end - 1].end);
    let mut source = Vec::new();
    let mut at = start;
    for mark in Lexer::new(&sql[..end], dialect).filter(|token| matches!(token.kind, Kind::CodeOpen | Kind::CodeClose))
    {
        if mark.start >= start {
            source.extend_from_slice(&sql[at..mark.start]);
            at = mark.end;
        }
    }
    source.extend_from_slice(&sql[at..end]);
    let mut text = b" AS `".to_vec();
    for &byte in source.trim_ascii() {
        text.push(byte);
        if byte == b'`' {
            text.push(byte);
        }
    }
    text.push(b'`');
    (end, end, text)
}

/// SHOW EXPLAIN FOR, SHOW ANALYZE FOR.
pub(super) fn numbers_in(sql: &[u8], dialect: Dialect, statement: &Statement, known: &Known<'_>) -> Vec<Edit> {
    let tokens: Vec<Token> = statement.tokens(sql, dialect).collect();
    numbers(sql, &tokens, known)
}

/// Clients' ids that stand in the text become those of their backends.
fn numbers(sql: &[u8], tokens: &[Token], known: &Known<'_>) -> Vec<Edit> {
    let number = |token: &Token| {
        let text = std::str::from_utf8(&sql[token.start..token.end]).ok()?;
        let client: u32 = text.parse().ok()?;
        let (backend, _) = known.clients.iter().find(|(_, own)| **own == client)?;
        Some((token.start, token.end, backend.to_string().into_bytes()))
    };
    tokens.iter().filter(|token| token.kind == Kind::Number).filter_map(number).collect()
}
