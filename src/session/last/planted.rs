//! MariaDB and MySQL 5.6 keep warnings and errors over what uses no table, and what a procedure, a function or several statements
//! in one text use, nobody sees. So what is there before one of these must be the client's: on a backend that has served another
//! one, that one's would be read behind it.
//!
//! A single condition is put there by SIGNAL as it was. Several cannot be, but a mark can stand for them, which is found again
//! behind the statement if that has kept them.

use super::{Condition, Diagnostics, Last, Level, Ran, Saved, rules};
use crate::session::quote::is_word;
use crate::sql::dialect::Dialect;
use crate::sql::effects::Summary;

/// Servers take no longer MESSAGE_TEXT; in characters.
const MAX_MESSAGE: usize = 128;
const MARK: &str = "tidegate: conditions of the statement before";
/// Uses a table, and leaves FOUND_ROWS() as it is, for that is never read.
const CLEAR: &str = "DO IF(1,1,(SELECT 1 FROM (SELECT 1) AS one))";

/// What to run before the statement, and what stands there then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// May be refused: an error is what it is to leave.
    pub sql: String,
    /// There is something.
    pub stands: bool,
    /// It is the mark: [`Last::put_for_mark`].
    pub marks: bool,
}

/// Whether the statement may keep what stood on its backend before it, unseen.
pub fn may_keep(summary: &Summary, dialect: Dialect) -> bool {
    rules::may_keep(summary, dialect)
}

/// Whether a COM_STMT_PREPARE may keep what the client has, or not, unseen.
pub fn prepare_may_keep(diagnostics: &Diagnostics, dialect: Dialect) -> bool {
    matches!(diagnostics, Diagnostics::Saved(_)) && rules::keeps(dialect)
}

/// Whether what stands on the backend behind the statement is all its own, or nothing.
pub fn replaces(ran: &Ran<'_>) -> bool {
    rules::replaces(ran)
}

/// For these conditions of the client's; `reads`: the text itself looks at them, where a mark would be seen.
pub fn plan(diagnostics: &Diagnostics, reads: bool) -> Plan {
    let clear = Plan { sql: CLEAR.to_owned(), stands: false, marks: false };
    let Diagnostics::Saved(saved) = diagnostics else { return clear };
    if let [one] = saved.conditions.as_slice()
        && saved.warnings == 1
        && let Some(sql) = signal(one, &saved.charset)
    {
        return Plan { sql, stands: true, marks: false };
    }
    let mark = format!("SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT='{MARK}'");
    if reads { clear } else { Plan { sql: mark, stands: true, marks: true } }
}

fn signal(condition: &Condition, charset: &[u8]) -> Option<String> {
    let state = match condition.level {
        Level::Error => "45000",
        Level::Warning => "01000",
        Level::Note => return None,
    };
    let charset = if condition.message.is_ascii() { &b"latin1"[..] } else { charset };
    let fits = condition.message.len() <= MAX_MESSAGE && (1..=65_534).contains(&condition.code) && is_word(charset);
    let charset = std::str::from_utf8(charset).ok().filter(|_| fits)?;
    let text: String = condition.message.iter().map(|byte| format!("{byte:02X}")).collect();
    let code = condition.code;
    Some(format!("SIGNAL SQLSTATE '{state}' SET MYSQL_ERRNO={code},MESSAGE_TEXT=_{charset} X'{text}'"))
}

impl Last {
    /// What was read behind the statement, with the client's own conditions where the mark still stands for them.
    pub fn put_for_mark(&mut self, before: Diagnostics) {
        let Diagnostics::Saved(read) = &self.diagnostics else { return };
        let Diagnostics::Saved(saved) = before else { return };
        let Some((first, new)) = read.conditions.split_first() else { return };
        if *first.message != *MARK.as_bytes() {
            return;
        }
        let Saved { mut conditions, warnings, errors, charset } = *saved;
        conditions.extend_from_slice(new);
        let (warnings, errors) = (warnings + read.warnings - 1, errors + read.errors);
        self.diagnostics = Diagnostics::Saved(Box::new(Saved { conditions, warnings, errors, charset }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::effects::summary;
    use crate::wire::reply::Facts;

    const OLD: Dialect = Dialect { version: 50_624, ..Dialect::PLAIN };

    fn condition(level: Level, code: u32, message: &str) -> Condition {
        Condition { level, code, message: Box::from(message.as_bytes()) }
    }

    fn saved(conditions: &[Condition]) -> Diagnostics {
        let warnings = conditions.len() as u64;
        let charset = b"utf8mb4".to_vec();
        Diagnostics::Saved(Box::new(Saved { conditions: conditions.to_vec(), warnings, errors: 0, charset }))
    }

    #[test]
    fn a_single_condition_is_put_there_as_it_was() {
        let sql = |condition| plan(&saved(&[condition]), false).sql;
        let expected = "SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO=1146,MESSAGE_TEXT=_latin1 X'6727'";
        assert_eq!(sql(condition(Level::Error, 1146, "g'")), expected);
        let expected = "SIGNAL SQLSTATE '01000' SET MYSQL_ERRNO=1265,MESSAGE_TEXT=_utf8mb4 X'C3A9'";
        assert_eq!(sql(condition(Level::Warning, 1265, "\u{e9}")), expected);
        for other in [condition(Level::Note, 1051, "n"), condition(Level::Error, 1, &"x".repeat(MAX_MESSAGE + 1))] {
            assert!(plan(&saved(std::slice::from_ref(&other)), false).marks);
            assert_eq!(plan(&saved(&[other]), true).sql, CLEAR);
        }
        assert_eq!(plan(&Diagnostics::None, false), Plan { sql: CLEAR.to_owned(), stands: false, marks: false });
    }

    #[test]
    fn a_mark_is_what_it_stands_for() {
        let two = [condition(Level::Warning, 1, "a"), condition(Level::Warning, 2, "b")];
        let new = condition(Level::Error, 3, "c");
        let mark = condition(Level::Warning, 1642, MARK);
        let after = |read: Diagnostics| {
            let mut last = Last { diagnostics: read, ..Last::default() };
            last.put_for_mark(saved(&two));
            last.diagnostics
        };
        assert_eq!(after(saved(std::slice::from_ref(&mark))), saved(&two));
        assert_eq!(after(saved(&[mark, new.clone()])), saved(&[two[0].clone(), two[1].clone(), new.clone()]));
        assert_eq!(after(saved(std::slice::from_ref(&new))), saved(&[new]));
        assert_eq!(after(Diagnostics::None), Diagnostics::None);
    }

    #[test]
    fn procedures_and_several_statements_may_keep_what_was_there() {
        let may = |sql: &str, dialect| may_keep(&summary(sql.as_bytes(), dialect), dialect);
        assert!(may("CALL p()", OLD) && may("SELECT 1; SELECT 2", OLD) && !may("SELECT 1", OLD));
        assert!(!may("CALL p()", Dialect { version: 90_704, ..OLD }));
    }

    #[test]
    fn what_uses_tables_or_fails_replaces_what_was_there() {
        let (good, bad) = (Facts::default(), Facts { error: Some(1146), ..Facts::default() });
        let replaces = |sql: &str, facts| replaces(&Ran::new(sql.as_bytes(), OLD, facts));
        assert!(replaces("SELECT 1 FROM t", &good) && replaces("SELEC", &bad) && replaces("UPDATE t SET a = 1", &good));
        assert!(!replaces("SELECT 1", &good) && !replaces("SET @a = 1", &good) && !replaces("RESIGNAL", &bad));
        assert!(replaces("CALL p()", &good) && replaces("SELECT GET_LOCK('a', 0)", &good));
        assert!(!replaces("SHOW WARNINGS", &good));
    }
}
