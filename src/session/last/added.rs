//! Conditions that come on top of those of the statement before, where most commands replace them.
//!
//! RESIGNAL outside of a handler does so everywhere; on MySQL 5.7 and later every command that is no statement and fails, and
//! COM_FIELD_LIST, which warns of itself (seen on 9.7). A backend that has served another client in between adds them to
//! that one's: what is new there stands at the end.

use super::{Condition, Diagnostics, Last, MAX_BYTES, Ran, Saved, rules};
use crate::sql::dialect::Dialect;
use crate::sql::verb::Verb;
use crate::wire::command;
use crate::wire::reply::Facts;

const RESIGNAL_WITHOUT_HANDLER: u16 = 1645;
const DEPRECATED: u32 = 1287;

/// How many conditions this command, which is neither a query nor an execution that a statement was found for, has added.
pub fn by_command(code: u8, facts: &Facts, dialect: Dialect) -> usize {
    if rules::keeps(dialect) {
        return 0;
    }
    let failed = usize::from(facts.error.is_some());
    match code {
        command::FIELD_LIST => failed + 1,
        // These begin anew, as statements do.
        command::STMT_PREPARE | command::CHANGE_USER | command::RESET_CONNECTION => 0,
        _ => failed,
    }
}

/// How many warnings the OK of a COM_PING counts behind a command that has failed and is no statement; `before`: behind the
/// one before. Some commands count anew on MySQL, and some go on.
pub fn counted(code: u8, dialect: Dialect, before: Option<u16>) -> Option<u16> {
    match code {
        command::STMT_PREPARE
        | command::STMT_EXECUTE
        | command::STMT_BULK_EXECUTE
        | command::STMT_FETCH
        | command::STMT_RESET
        | command::FIELD_LIST => Some(1),
        _ if rules::keeps(dialect) => Some(1),
        _ => before.map(|before| before.saturating_add(1)),
    }
}

/// How many this text has added.
pub fn by_text(ran: &Ran<'_>) -> usize {
    let added = ran.is_one() && ran.verb() == Verb::Resignal && ran.facts.error == Some(RESIGNAL_WITHOUT_HANDLER);
    usize::from(added)
}

/// .. and what an OK counts behind it: those alone.
pub fn counted_by_text(ran: &Ran<'_>) -> Option<u16> {
    u16::try_from(by_text(ran)).ok().filter(|added| *added > 0)
}

impl Last {
    /// Puts the newest `count` of the conditions that were read behind those of `before`, of which the backend knew nothing;
    /// `kept`: the client's `max_error_count`.
    pub fn put_behind(&mut self, before: Diagnostics, count: usize, kept: u64) {
        let mut saved = match before {
            Diagnostics::None => Saved::default(),
            Diagnostics::Saved(saved) => *saved,
            // They stood on the backend, and were read with the others.
            Diagnostics::Unread { .. } | Diagnostics::TooMuch => return,
        };
        let read = std::mem::take(&mut self.diagnostics);
        // It is counted, but not kept; the last one is an error.
        if kept == 0 {
            saved.warnings += count as u64;
            saved.errors += 1;
        } else if let Diagnostics::Saved(read) = read {
            let new = newest(&read.conditions, count);
            saved.warnings += new.len() as u64;
            saved.errors += new.iter().filter(|condition| condition.level == super::Level::Error).count() as u64;
            if saved.conditions.iter().all(|condition| condition.message.is_ascii()) {
                saved.charset.clone_from(&read.charset);
            }
            saved.conditions.extend_from_slice(new);
            saved.conditions.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        }
        self.diagnostics = match saved.warnings {
            0 => Diagnostics::None,
            _ if super::bytes(&saved.conditions) > MAX_BYTES => Diagnostics::TooMuch,
            _ => Diagnostics::Saved(Box::new(saved)),
        };
    }

    /// The newest condition in the words that the client was told.
    pub fn reword(&mut self, code: u16, message: &[u8]) {
        if let Diagnostics::Saved(saved) = &mut self.diagnostics
            && let Some(condition) = saved.conditions.last_mut()
            && condition.code == u32::from(code)
        {
            condition.message = message.into();
        }
    }
}

/// COM_FIELD_LIST's own warning comes before its error, where it warns at all.
fn newest(read: &[Condition], count: usize) -> &[Condition] {
    let new = &read[read.len().saturating_sub(count)..];
    match new {
        [first, rest @ ..] if count == 2 && first.code != DEPRECATED => rest,
        [only] if count == 1 && only.level != super::Level::Error && only.code != DEPRECATED => &[],
        new => new,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::last::Level;

    fn condition(level: Level, code: u32) -> Condition {
        Condition { level, code, message: Box::from(&b"x"[..]) }
    }

    fn saved(conditions: &[Condition]) -> Diagnostics {
        let errors = conditions.iter().filter(|condition| condition.level == Level::Error).count() as u64;
        let warnings = conditions.len() as u64;
        Diagnostics::Saved(Box::new(Saved { conditions: conditions.to_vec(), warnings, errors, charset: Vec::new() }))
    }

    #[test]
    fn only_the_newest_come_behind_those_of_before() {
        let (others, own) = (condition(Level::Warning, 1365), condition(Level::Warning, 1264));
        let (notice, error) = (condition(Level::Warning, DEPRECATED), condition(Level::Error, 1146));
        let mut last = Last { diagnostics: saved(&[others.clone(), notice.clone(), error.clone()]), ..Last::default() };
        last.put_behind(saved(std::slice::from_ref(&own)), 2, 64);
        assert_eq!(last.diagnostics, saved(&[own.clone(), notice.clone(), error.clone()]));
        last.diagnostics = saved(&[others.clone(), error.clone()]);
        last.put_behind(Diagnostics::None, 2, 64);
        assert_eq!(last.diagnostics, saved(std::slice::from_ref(&error)), "no warning of itself");
        last.diagnostics = saved(std::slice::from_ref(&others));
        last.put_behind(Diagnostics::None, 1, 64);
        assert_eq!(last.diagnostics, Diagnostics::None, "it is another client's");
        last.diagnostics = saved(&[own.clone(), error.clone()]);
        last.put_behind(Diagnostics::Unread { warnings: None }, 1, 64);
        assert_eq!(last.diagnostics, saved(&[own, error.clone()]), "all were the client's");
        last.reword(1146, b"told");
        let Diagnostics::Saved(saved) = &last.diagnostics else { panic!("{last:?}") };
        assert_eq!(&*saved.conditions[1].message, b"told");
    }

    #[test]
    fn no_more_are_kept_than_the_client_wants() {
        let (one, two) = (condition(Level::Warning, 1), condition(Level::Error, 2));
        let mut last = Last { diagnostics: saved(std::slice::from_ref(&two)), ..Last::default() };
        last.put_behind(saved(std::slice::from_ref(&one)), 1, 1);
        let Diagnostics::Saved(saved) = last.diagnostics else { panic!("{last:?}") };
        assert_eq!((saved.conditions, saved.warnings, saved.errors), (vec![one], 2, 1));
    }

    #[test]
    fn mysql_adds_what_commands_fail_with() {
        let (mysql, old) =
            (Dialect { version: 90_704, ..Dialect::default() }, Dialect { version: 50_624, ..Dialect::default() });
        let failed = Facts { error: Some(1047), ..Facts::default() };
        assert_eq!(by_command(command::INIT_DB, &failed, mysql), 1);
        assert_eq!(by_command(command::INIT_DB, &failed, old), 0);
        assert_eq!(by_command(command::STMT_PREPARE, &failed, mysql), 0);
        assert_eq!(by_command(command::FIELD_LIST, &failed, mysql), 2);
        assert_eq!(by_command(command::FIELD_LIST, &Facts::default(), mysql), 1);
        assert_eq!(by_command(command::PING, &Facts::default(), mysql), 0);
        let counted = |code| (counted(code, mysql, Some(2)), counted(code, old, Some(2)));
        assert_eq!(counted(command::INIT_DB), (Some(3), Some(1)));
        assert_eq!(counted(command::STMT_RESET), (Some(1), Some(1)));
        let resignal = Facts { error: Some(RESIGNAL_WITHOUT_HANDLER), ..Facts::default() };
        assert_eq!(by_text(&Ran::new(b"RESIGNAL", old, &resignal)), 1);
        assert_eq!(by_text(&Ran::new(b"SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1645", old, &resignal)), 0);
    }
}
