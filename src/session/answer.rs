//! Answers to questions about the connection and its last statement, where the backend at hand would answer them for
//! another client: what is sent instead of the statement, and what of the reply is replaced.
//!
//! A top-level item of a SELECT that is exactly the call keeps the server's own definition: only its cell is replaced.
//! Anywhere else `ROW_COUNT()` becomes `IF(1,CAST(5 AS SIGNED),ROW_COUNT())`, which has the type, the length and the
//! warnings of the call itself, and the item gets the name that the server would have given it: its own source text.

mod asked;
mod diagnostics;
mod items;
mod lock_owner;
mod patch;
mod rewrite;
mod show;

use rustc_hash::FxHashMap;

use crate::session::last::{Last, Saved};
use crate::sql::dialect::Dialect;
use crate::sql::effects::{Statement, statements};
use crate::sql::flags::Flags;
use crate::sql::verb::Verb;

pub use patch::Patch;

/// The flags of the statements that may need an answer: [`plan`] leaves all others as they are.
pub const ASKS: Flags = Flags::READS_ROW_COUNT
    .with(Flags::READS_FOUND_ROWS)
    .with(Flags::READS_DIAGNOSTICS)
    .with(Flags::READS_CONNECTION_ID)
    .with(Flags::SHOWS_CONNECTIONS);

/// What the backend does not know. `None`: its own answer is right.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The client's connection id.
    pub connection_id: Option<u32>,
    /// ROW_COUNT()
    pub row_count: Option<i64>,
    /// FOUND_ROWS()
    pub found_rows: Option<u64>,
    /// Warnings and errors.
    pub diagnostics: Option<&'a Saved>,
    /// The clients' ids by their backends' ids.
    pub clients: &'a FxHashMap<u32, u32>,
    /// The reply holds the rows, so that cells can be replaced there: not where a cursor keeps them.
    pub has_rows: bool,
}

impl<'a> Known<'a> {
    /// On a backend that has not run the client's last statement: all of it.
    pub fn elsewhere(connection_id: u32, last: &'a Last, clients: &'a FxHashMap<u32, u32>) -> Known<'a> {
        Known {
            connection_id: Some(connection_id),
            row_count: last.row_count,
            found_rows: last.found_rows,
            diagnostics: last.saved(),
            clients,
            has_rows: true,
        }
    }

    /// On the backend that has run the client's last statement, and nothing since.
    pub fn here(connection_id: u32, clients: &'a FxHashMap<u32, u32>) -> Known<'a> {
        let nothing = Known {
            connection_id: None,
            row_count: None,
            found_rows: None,
            diagnostics: None,
            clients,
            has_rows: true,
        };
        Known { connection_id: Some(connection_id), ..nothing }
    }

    /// Of the second and later statements of a text: the first has run here by then.
    fn of_later(self) -> Known<'a> {
        Known { row_count: None, found_rows: None, diagnostics: None, ..self }
    }
}

/// What to do with a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Run it, and pass the reply on.
    AsItIs,
    /// Run `text`, or the statement itself, and let the reply be patched.
    Run {
        /// Another text to run.
        text: Option<Vec<u8>>,
        /// What is replaced in the reply, which must be whole for that.
        patch: Option<Patch>,
    },
    /// There is no right answer away from the backend that ran the last statement.
    Cannot(&'static str),
}

/// What to do with this text, of a query or of a prepared statement that is executed. For the latter another text means
/// to prepare that one.
pub fn plan(sql: &[u8], dialect: Dialect, known: &Known<'_>) -> Plan {
    let mut answer = Answer::default();
    let mut known = *known;
    for (at, statement) in statements(sql, dialect).enumerate() {
        if statement.flags.any(ASKS)
            && let Err(why) = answer.statement(sql, dialect, &statement, &known, at)
        {
            return Plan::Cannot(why);
        }
        known = known.of_later();
        // How many results there are, nobody knows: those that follow cannot be counted.
        answer.countable &= !statement.flags.any(MANY_RESULTS);
    }
    answer.plan(sql)
}

const MANY_RESULTS: Flags = Flags::CALLS
    .with(Flags::EXECUTES)
    .with(Flags::EXECUTE_IMMEDIATE)
    .with(Flags::COMPOUND)
    .with(Flags::UNEXPLAINED)
    .with(Flags::STORED_PROGRAM);

/// From where to where, and by what.
type Edit = (usize, usize, Vec<u8>);

/// Replacements of text and of cells, in order.
#[derive(Debug)]
struct Answer {
    edits: Vec<Edit>,
    patch: Patch,
    countable: bool,
}

impl Default for Answer {
    fn default() -> Self {
        Answer { edits: Vec::new(), patch: Patch::default(), countable: true }
    }
}

impl Answer {
    fn statement(
        &mut self,
        sql: &[u8],
        dialect: Dialect,
        statement: &Statement,
        known: &Known<'_>,
        result: usize,
    ) -> Result<(), &'static str> {
        match statement.verb {
            Verb::Show if statement.flags.has(Flags::READS_DIAGNOSTICS) => {
                let Some(saved) = known.diagnostics else { return Ok(()) };
                match show::rows(sql, dialect, statement, saved) {
                    Some(rows) if self.countable => self.patch.rows(result, rows),
                    _ => return Err("SHOW WARNINGS in a form that is not known"),
                }
            }
            Verb::Show => {
                self.patch.ids(result, self.countable);
                self.edits.extend(rewrite::numbers_in(sql, dialect, statement, known));
            }
            Verb::Diagnostics => {
                if let Some(saved) = known.diagnostics {
                    let text = diagnostics::set(sql, dialect, statement, known.row_count, saved)?;
                    self.edits.push((statement.span.start, statement.span.end, text));
                }
            }
            Verb::Select => {
                if statement.flags.has(Flags::SHOWS_CONNECTIONS) {
                    self.patch.ids(result, self.countable);
                }
                rewrite::statement(self, sql, dialect, statement, known, result);
            }
            Verb::Insert
            | Verb::Replace
            | Verb::Update
            | Verb::Delete
            | Verb::With
            | Verb::Set
            | Verb::Do
            | Verb::Call
            | Verb::Explain => {
                rewrite::statement(self, sql, dialect, statement, known, result);
            }
            // What is stored (views, procedures, defaults) must keep the call; KILL has a reader of its own.
            _ => {}
        }
        Ok(())
    }

    fn plan(self, sql: &[u8]) -> Plan {
        let patch = Some(self.patch).filter(|patch| !patch.is_empty());
        let text = Some(self.edits).filter(|edits| !edits.is_empty()).map(|edits| edited(sql, edits));
        if text.is_none() && patch.is_none() { Plan::AsItIs } else { Plan::Run { text, patch } }
    }
}

fn edited(sql: &[u8], mut edits: Vec<Edit>) -> Vec<u8> {
    // Equal places: the alias behind an item comes after the item's last call.
    edits.sort_by_key(|(start, end, _)| (*start, *end > *start, *end));
    let mut out = Vec::with_capacity(sql.len() + 64);
    let mut at = 0;
    for (start, end, text) in edits {
        out.extend_from_slice(sql.get(at..start).unwrap_or_default());
        out.extend_from_slice(&text);
        at = end;
    }
    out.extend_from_slice(sql.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests;
