//! Triggers, on a server that announces nothing of what they set: MySQL 5.6. A write to a table that has one may do anything
//! to its session.

use std::sync::Mutex;

use rustc_hash::FxHashSet;

use crate::proxy::setup::lock;
use crate::sql::dialect::Dialect;
use crate::sql::lexer::{Kind, Lexer};

/// More names than this, and every write counts.
const MAX_TABLES: usize = 10_000;
/// The table's name stands among the first words of a CREATE TRIGGER.
const HEAD: usize = 24;

/// The tables that have triggers, in small letters, whatever their schema.
#[derive(Debug, Default)]
pub struct UnseenTriggers(Mutex<FxHashSet<Box<[u8]>>>);

impl UnseenTriggers {
    /// The server has told of these.
    pub fn add(&self, tables: impl IntoIterator<Item = Vec<u8>>) {
        let mut all = lock(&self.0);
        all.extend(tables.into_iter().map(|name| name.to_ascii_lowercase().into_boxed_slice()));
    }

    /// A stored program was made: if it is a trigger, its table is among the names in its head.
    pub fn note_program(&self, sql: &[u8], dialect: Dialect) {
        let head: Vec<Vec<u8>> = names(sql, dialect).take(HEAD).collect();
        if head.iter().any(|name| name.as_slice() == b"trigger") {
            self.add(head);
        }
    }

    /// Whether a text names a table that has one.
    pub fn concern(&self, sql: &[u8], dialect: Dialect) -> bool {
        let all = lock(&self.0);
        !all.is_empty() && (all.len() > MAX_TABLES || names(sql, dialect).any(|name| all.contains(name.as_slice())))
    }
}

fn names(sql: &[u8], dialect: Dialect) -> impl Iterator<Item = Vec<u8>> {
    Lexer::new(sql, dialect).filter(|token| matches!(token.kind, Kind::Word | Kind::QuotedIdentifier)).map(|token| {
        let word = &sql[token.start..token.end];
        let word = word.strip_prefix(b"`").and_then(|word| word.strip_suffix(b"`")).unwrap_or(word);
        word.to_ascii_lowercase()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tables_with_triggers_concern() {
        let unseen = UnseenTriggers::default();
        let concerns = |sql: &str| unseen.concern(sql.as_bytes(), Dialect::default());
        assert!(!concerns("INSERT INTO Orders VALUES (1)"));
        let made = "CREATE DEFINER = x TRIGGER a BEFORE INSERT ON shop.`Orders` FOR EACH ROW SET @a = 1";
        unseen.note_program(made.as_bytes(), Dialect::default());
        unseen.note_program(b"CREATE PROCEDURE items() BEGIN END", Dialect::default());
        assert!(concerns("INSERT INTO Orders VALUES (1)") && concerns("update `orders` set a = 1"));
        assert!(!concerns("DELETE FROM items"));
    }
}
