//! A statement's questions, answered in its text or in the cells of its reply.

use std::cell::LazyCell;
use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::asked::{Asked, Question, asked};
use super::items::{Around, Item, Lists, lists};
use super::lock_owner::{cases, may_be_told, told};
use super::patch::Value;
use super::{Answer, Edit, Known};
use crate::session::last::keeps_diagnostics;
use crate::sql::dialect::Dialect;
use crate::sql::effects::Statement;
use crate::sql::flags::Flags;
use crate::sql::lexer::{Kind, Token};
use crate::sql::verb::Verb;

pub(super) fn statement(
    answer: &mut Answer,
    sql: &[u8],
    dialect: Dialect,
    statement: &Statement,
    known: &Known<'_>,
    result: usize,
) {
    let is_mark = |token: &Token| matches!(token.kind, Kind::CodeOpen | Kind::CodeClose);
    let (marks, tokens): (Vec<Token>, Vec<Token>) = statement.tokens(sql, dialect).partition(is_mark);
    let lists = lists(sql, &tokens);
    let shows = statement.flags.has(Flags::SHOWS_CONNECTIONS);
    let mut named = BTreeMap::new();
    let all = asked(sql, &tokens);
    let numbers = if shows { numbers(sql, &tokens, known) } else { Vec::new() };
    let tells_owners = numbers.is_empty() && may_be_told(sql, &tokens, &all, known.clients);
    let cases = LazyCell::new(|| cases(known.clients));
    let mut around = Around::new(&lists.items);
    for found in all {
        let item = around.innermost(found);
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
                    Value::Client if tells_owners && !known.clients.is_empty() => told(sql, &tokens, found, &cases),
                    Value::Client => continue,
                };
                answer.edits.push(edit);
                let unnamed = around.take(found).filter(|item| item.alias == item.end);
                named.extend(unnamed.map(|item| ((item.first, item.end), item)));
            }
        }
    }
    answer.edits.extend(named.into_values().map(|item| name(sql, &marks, &tokens, item)));
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
fn edit(sql: &[u8], tokens: &[Token], found: Asked, number: i128) -> Edit {
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
pub(super) fn name(sql: &[u8], marks: &[Token], tokens: &[Token], item: Item) -> Edit {
    let (start, end) = (tokens[item.first].start, tokens[item.end - 1].end);
    let mut source = Vec::new();
    let mut at = start;
    let marks = &marks[marks.partition_point(|mark| mark.start < start)..];
    for mark in marks.iter().take_while(|mark| mark.start < end) {
        source.extend_from_slice(&sql[at..mark.start]);
        at = mark.end;
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
    let backends = LazyCell::new(|| backends(known.clients));
    let number = |token: &Token| {
        let text = std::str::from_utf8(&sql[token.start..token.end]).ok()?;
        let client: u32 = text.parse().ok()?;
        let backend = backends.get(&client)?;
        Some((token.start, token.end, backend.to_string().into_bytes()))
    };
    tokens.iter().filter(|token| token.kind == Kind::Number).filter_map(number).collect()
}

/// The backends' ids by those of their clients.
fn backends(clients: &FxHashMap<u32, u32>) -> FxHashMap<u32, u32> {
    let mut backends = FxHashMap::default();
    for (backend, client) in clients {
        backends.entry(*client).or_insert(*backend);
    }
    backends
}
