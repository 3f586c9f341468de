//! The slowest statements seen, bounded in number and in text.

use std::time::Duration;

use super::record::{Outcome, Phases, QueryRecord};

/// The most bytes of text kept of a statement.
pub(crate) const MAX_TEXT_BYTES: usize = 1024;

/// One slow statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowStatement {
    /// Its text, or its fingerprint where texts are redacted; at most 1 KiB, invalid UTF-8 replaced.
    pub text: String,
    /// The true length of the statement in bytes.
    pub text_len: u64,
    /// Its digest; 0 for none.
    pub digest: u64,
    /// Where its time went.
    pub phases: Phases,
    /// When it ended, since 1970.
    pub ended_at: Duration,
    /// The account's name.
    pub user: String,
    /// The session's schema; empty if none.
    pub schema: String,
    /// The client's connection id.
    pub client_id: u32,
    /// How it ended.
    pub outcome: Outcome,
}

/// The slowest statements, slowest first.
#[derive(Debug, Clone)]
pub struct Slowest {
    capacity: usize,
    /// Totals must exceed this to get in.
    bar: Duration,
    statements: Vec<SlowStatement>,
}

impl Slowest {
    /// Room for `capacity` statements; 0 keeps none.
    pub fn new(capacity: usize) -> Self {
        let bar = if capacity == 0 { Duration::MAX } else { Duration::ZERO };
        Slowest { capacity, bar, statements: Vec::new() }
    }

    /// The statements, slowest first.
    pub fn statements(&self) -> &[SlowStatement] {
        &self.statements
    }

    /// Takes the statement in if it is among the slowest; `text` is asked only then.
    pub(crate) fn offer(&mut self, record: &QueryRecord<'_>, text: impl FnOnce() -> String) {
        if record.phases.total > self.bar && !record.sql.is_empty() {
            self.insert(slow_statement(record, text()));
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for statement in &other.statements {
            if statement.phases.total > self.bar {
                self.insert(statement.clone());
            }
        }
    }

    fn insert(&mut self, statement: SlowStatement) {
        let at = self.statements.partition_point(|s| s.phases.total >= statement.phases.total);
        self.statements.insert(at, statement);
        self.statements.truncate(self.capacity);
        if let (true, Some(last)) = (self.statements.len() == self.capacity, self.statements.last()) {
            self.bar = last.phases.total;
        }
    }
}

impl Default for Slowest {
    /// Keeps none.
    fn default() -> Self {
        Slowest::new(0)
    }
}

/// At most [`MAX_TEXT_BYTES`] of `bytes` as text.
pub(crate) fn bounded_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_TEXT_BYTES)]).into_owned()
}

fn slow_statement(record: &QueryRecord<'_>, text: String) -> SlowStatement {
    SlowStatement {
        text,
        text_len: record.sql_len,
        digest: record.digest,
        phases: record.phases,
        ended_at: record.ended_at,
        user: record.identity.user.clone(),
        schema: record.schema.to_owned(),
        client_id: record.identity.client_id,
        outcome: record.outcome,
    }
}
