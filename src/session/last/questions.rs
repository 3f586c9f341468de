//! Reading from a backend what the last statement left on it.

use super::{Condition, Diagnostics, Last, Level, MAX_BYTES, MAX_CONDITIONS, Saved};
use crate::session::reason::{Hold, Holds};

/// A text result's rows; `None` is NULL.
type Row = Vec<Option<Vec<u8>>>;

/// The server's answers are not what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's answer about its last statement cannot be read")]
pub struct Malformed;

/// SHOW WARNINGS makes ROW_COUNT() -1: this comes before it and changes nothing but the variable.
const KEEP_ROW_COUNT: &str = "GET DIAGNOSTICS @`tidegate: row count`=ROW_COUNT";
const FORGET_ROW_COUNT: &str = "SET @`tidegate: row count`=NULL";
/// Leaves warnings and errors, and FOUND_ROWS(), as they are.
const WARNINGS: &str = "SHOW WARNINGS";

/// The statements to run on the backend, in this order, for [`Last::take`]; none for holds that are not about the last
/// statement. MySQL warns of FOUND_ROWS(): only what was read before it tells of warnings.
pub fn questions(holds: Holds) -> Vec<String> {
    let mut all = Vec::new();
    let diagnostics = holds.has(Hold::Diagnostics);
    let keeps = diagnostics && holds.has(Hold::RowCount);
    if keeps {
        all.push(KEEP_ROW_COUNT.to_owned());
    }
    if diagnostics {
        all.push(WARNINGS.to_owned());
    }
    if diagnostics || NUMBERS.iter().any(|(hold, _)| holds.has(*hold)) {
        all.push(numbers(holds, keeps));
    }
    if keeps {
        all.push(FORGET_ROW_COUNT.to_owned());
    }
    all
}

const NUMBERS: [(Hold, &str); 3] =
    [(Hold::RowCount, "ROW_COUNT()"), (Hold::FoundRows, "FOUND_ROWS()"), (Hold::LastInsertId, "LAST_INSERT_ID()")];

fn numbers(holds: Holds, kept: bool) -> String {
    let wanted = NUMBERS.into_iter().filter(|(hold, _)| holds.has(*hold)).map(|(hold, call)| match hold {
        Hold::RowCount if kept => "@`tidegate: row count`",
        _ => call,
    });
    // The servers' limit on what they keep, and the character set of what they say.
    let about = ["@@max_error_count", "@@character_set_results"].into_iter().filter(|_| holds.has(Hold::Diagnostics));
    // The session's sql_select_limit may be 0.
    format!("SELECT {} LIMIT 1", wanted.chain(about).collect::<Vec<_>>().join(","))
}

impl Last {
    /// Takes the answers to [`questions`] in: the rows of each statement. What does not fit is
    /// [`Diagnostics::TooMuch`].
    pub fn take(&mut self, holds: Holds, answers: &[Vec<Row>]) -> Result<(), Malformed> {
        let diagnostics = holds.has(Hold::Diagnostics);
        let first = usize::from(diagnostics && holds.has(Hold::RowCount));
        let Some(row) = answers.get(first + usize::from(diagnostics)) else {
            return if questions(holds).is_empty() { Ok(()) } else { Err(Malformed) };
        };
        let mut values = row.first().ok_or(Malformed)?.iter();
        for (hold, _) in NUMBERS.into_iter().filter(|(hold, _)| holds.has(*hold)) {
            let value = values.next().ok_or(Malformed)?;
            match hold {
                Hold::RowCount => self.row_count = Some(number(value)?),
                Hold::FoundRows => self.found_rows = Some(number(value)?),
                _ => self.last_insert_id = Some(number(value)?),
            }
        }
        if diagnostics {
            let kept = number(values.next().ok_or(Malformed)?)?;
            let charset = values.next().ok_or(Malformed)?.clone().unwrap_or_default();
            let rows = answers.get(first).ok_or(Malformed)?;
            self.diagnostics = self.conditions(rows, kept, charset)?;
        }
        Ok(())
    }

    fn conditions(&self, rows: &[Row], kept: u64, charset: Vec<u8>) -> Result<Diagnostics, Malformed> {
        let told = match self.diagnostics {
            Diagnostics::Unread { warnings } => warnings.map(u64::from),
            _ => None,
        };
        let conditions = rows.iter().map(condition).collect::<Option<Vec<_>>>().ok_or(Malformed)?;
        let bytes: usize = conditions.iter().map(|condition| condition.message.len()).sum();
        let is_full = conditions.len() as u64 >= kept;
        let errors = conditions.iter().filter(|condition| condition.level == Level::Error).count() as u64;
        // How many errors are among those that the server did not keep, nobody knows; a statement that went well, and has none
        // among the first, has none.
        let counted = told.is_some_and(|told| told == conditions.len() as u64 || errors == 0);
        let cut = is_full && !counted;
        if conditions.len() > MAX_CONDITIONS || bytes > MAX_BYTES || cut {
            return Ok(Diagnostics::TooMuch);
        }
        let warnings = told.filter(|_| is_full).unwrap_or(conditions.len() as u64);
        if warnings == 0 {
            return Ok(Diagnostics::None);
        }
        Ok(Diagnostics::Saved(Box::new(Saved { conditions, warnings, errors, charset })))
    }
}

fn condition(row: &Row) -> Option<Condition> {
    let [Some(level), Some(code), Some(message)] = row.as_slice() else { return None };
    let code = std::str::from_utf8(code).ok()?.parse().ok()?;
    Some(Condition { level: Level::of(level)?, code, message: message.as_slice().into() })
}

fn number<T: std::str::FromStr>(value: &Option<Vec<u8>>) -> Result<T, Malformed> {
    let text = value.as_deref().and_then(|value| std::str::from_utf8(value).ok());
    text.and_then(|text| text.parse().ok()).ok_or(Malformed)
}
