//! Reading from a backend what the last statement left on it.

use super::{Condition, Diagnostics, Last, Level, MAX_BYTES, Saved, bytes};
use crate::session::reason::{Hold, Holds};
use crate::session::wide::narrow;

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
    let about = if holds.has(Hold::Diagnostics) { about(holds) } else { &[] };
    // The session's sql_select_limit may be 0.
    format!("SELECT {} LIMIT 1", wanted.chain(about.iter().copied()).collect::<Vec<_>>().join(","))
}

/// What else is asked of warnings and errors: the character set of what they say, and how many there are beyond those that
/// the server has kept. Next to FOUND_ROWS(), of which MySQL warns, it would count that warning alone: there only how many it keeps.
fn about(holds: Holds) -> &'static [&'static str] {
    match holds.has(Hold::FoundRows) {
        true => &["@@character_set_results", "@@max_error_count"],
        false => &["@@character_set_results", "@@warning_count", "@@error_count"],
    }
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
            let charset = narrow(values.next().ok_or(Malformed)?.as_deref().unwrap_or_default()).into_owned();
            let rows = answers.get(first).ok_or(Malformed)?;
            let conditions = rows.iter().map(condition).collect::<Option<Vec<_>>>().ok_or(Malformed)?;
            let counted = match values.as_slice() {
                [warnings, errors] => Some((number(warnings)?, number(errors)?)),
                [kept] => self.counted(&conditions, number(kept)?),
                _ => return Err(Malformed),
            };
            self.diagnostics = as_read(conditions, counted, charset);
        }
        Ok(())
    }

    /// How many warnings and errors there are, those that the server has not kept among them; `kept`: how many it keeps at most.
    /// `None`: nobody knows.
    fn counted(&self, conditions: &[Condition], kept: u64) -> Option<(u64, u64)> {
        let told = match self.diagnostics {
            Diagnostics::Unread { warnings } => warnings.map(u64::from),
            _ => None,
        };
        let shown = conditions.len() as u64;
        let errors = conditions.iter().filter(|condition| condition.level == Level::Error).count() as u64;
        if shown < kept {
            return Some((shown, errors));
        }
        // How many errors are among those that were not kept, nobody knows; a statement that went well, and has none among the
        // first, has none.
        let told = told.filter(|told| *told == shown || errors == 0)?;
        Some((told, errors))
    }
}

fn as_read(conditions: Vec<Condition>, counted: Option<(u64, u64)>, charset: Vec<u8>) -> Diagnostics {
    match counted {
        Some((0, _)) => Diagnostics::None,
        Some((warnings, errors)) if bytes(&conditions) <= MAX_BYTES => {
            Diagnostics::Saved(Box::new(Saved { conditions, warnings, errors, charset }))
        }
        _ => Diagnostics::TooMuch,
    }
}

fn condition(row: &Row) -> Option<Condition> {
    let [Some(level), Some(code), Some(message)] = row.as_slice() else { return None };
    let code = std::str::from_utf8(&narrow(code)).ok()?.parse().ok()?;
    Some(Condition { level: Level::of(&narrow(level))?, code, message: message.as_slice().into() })
}

fn number<T: std::str::FromStr>(value: &Option<Vec<u8>>) -> Result<T, Malformed> {
    let value = narrow(value.as_deref().ok_or(Malformed)?);
    std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok()).ok_or(Malformed)
}
