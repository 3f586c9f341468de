//! IS_USED_LOCK() within an expression: compared with an id that the client has kept, it must be the client's id.

use rustc_hash::FxHashMap;

use super::Edit;
use super::asked::{Asked, Question};
use crate::sql::effects::lists_connections;
use crate::sql::lexer::{Kind, Token};

/// The most clients that are told apart in a text.
const MAX_CLIENTS: usize = 1000;
/// The most branches of all calls in a text: each has one for each client.
const MAX_BRANCHES: usize = 100_000;

/// Whether the calls may be answered in the text: nothing else in it names connections by the servers' ids, and nothing is
/// asked of a lock's name but to be read, for the call is written twice.
pub(super) fn may_be_told(sql: &[u8], tokens: &[Token], found: &[Asked], clients: &FxHashMap<u32, u32>) -> bool {
    let text = |token: &Token| &sql[token.start..token.end];
    let names = |token: &Token| {
        let plain = || text(token).iter().filter(|byte| **byte != b'`').map(u8::to_ascii_lowercase);
        lists_connections(text(token)) || plain().eq(*b"threads")
    };
    let is_name = |asked: &Asked| {
        let name = tokens.get(asked.first + 2..asked.end - 1).unwrap_or_default();
        matches!(name, [one] if matches!(one.kind, Kind::String | Kind::UserVariable | Kind::Word | Kind::QuotedIdentifier))
    };
    let mut locks = found.iter().filter(|asked| asked.question == Question::UsedLock);
    clients.len() <= MAX_CLIENTS
        && locks.clone().count() * clients.len() <= MAX_BRANCHES
        && found.iter().all(|asked| asked.question != Question::ConnectionId)
        && locks.all(is_name)
        && !tokens.iter().any(names)
}

/// A CASE's branches: the client for each backend's id.
pub(super) fn cases(clients: &FxHashMap<u32, u32>) -> String {
    let mut clients: Vec<_> = clients.iter().collect();
    clients.sort_unstable();
    clients.iter().map(|(backend, client)| format!(" WHEN {backend} THEN {client}")).collect()
}

/// The call with the clients' ids for those of their backends, by [`cases`]; its type, NULL and errors are those of the call itself.
pub(super) fn told(sql: &[u8], tokens: &[Token], asked: Asked, cases: &str) -> Edit {
    let (start, end) = (tokens[asked.first].start, tokens[asked.end - 1].end);
    let call = String::from_utf8_lossy(&sql[start..end]).into_owned();
    (start, end, format!("IF(1,CAST(CASE {call}{cases} ELSE {call} END AS UNSIGNED),{call})").into_bytes())
}
