//! What a statement makes of ROW_COUNT(), LAST_INSERT_ID(), warnings and errors.

use super::uses_tables::uses_tables;
use super::{Diagnostics, OPAQUE, Ran};
use crate::sql::dialect::Dialect;
use crate::sql::effects::Summary;
use crate::sql::flags::Flags;
use crate::sql::verb::Verb;

/// -1 after an error and after a result set, else what the OK says.
pub(super) fn row_count(before: Option<i64>, ran: &Ran<'_>) -> Option<i64> {
    // MySQL leaves it as it was where a procedure changed nothing.
    let opaque = ran.is_opaque() && ran.facts.last_affected.is_some();
    match (ran.failed(), ran.facts.last_affected) {
        (true, _) => Some(-1),
        (false, _) if ran.is_one() && ran.verb() == Verb::Diagnostics => before,
        (false, _) if opaque => None,
        (false, None) => Some(-1),
        (false, Some(affected)) => Some(affected.cast_signed()),
    }
}

/// A failed INSERT may have made ids, and what reports one may report one that the client gave. LOAD DATA reports none of those
/// that it makes.
pub(super) fn last_insert_id(before: Option<u64>, ran: &Ran<'_>) -> Option<u64> {
    let sets = Flags::SETS_LAST_INSERT_ID.with(Flags::SETS_FROZEN).with(Flags::UNKNOWN_FUNCTION);
    let may_write = !ran.is_one() && !ran.summary.is_read_only();
    let inserts = matches!(ran.verb(), Verb::Insert | Verb::Replace | Verb::LoadData | Verb::With) || may_write;
    let unseen = inserts && (ran.failed() || ran.facts.last_affected.is_none());
    let loads = ran.verb() == Verb::LoadData || may_write;
    before.filter(|_| ran.facts.insert_id == 0 && !ran.has(sets) && !ran.is_opaque() && !unseen && !loads)
}

pub(super) fn diagnostics(before: Diagnostics, ran: &Ran<'_>) -> Diagnostics {
    if ran.failed() {
        return Diagnostics::Unread { warnings: None };
    }
    // The count is the last statement's; what an earlier one left may be kept by the server.
    let reads = !ran.is_one() && ran.has(Flags::READS_DIAGNOSTICS);
    let hidden = ran.is_opaque() || reads || may_keep(&ran.summary, ran.dialect);
    if hidden {
        return Diagnostics::Unread { warnings: None };
    }
    if ran.facts.warnings > 0 {
        return of_count(ran.facts.warnings);
    }
    if before == Diagnostics::None {
        return before;
    }
    let fate = if ran.is_one() { fate(ran) } else { Fate::Cleared };
    match (before, fate) {
        (Diagnostics::None, _) | (_, Fate::Cleared) => Diagnostics::None,
        (Diagnostics::Saved(_) | Diagnostics::TooMuch, Fate::Unsure) => Diagnostics::None,
        (before, Fate::Kept | Fate::Unsure) => before,
    }
}

/// As an OK counts them; at most 65,535.
pub(super) fn of_count(warnings: u16) -> Diagnostics {
    match warnings {
        0 => Diagnostics::None,
        u16::MAX => Diagnostics::Unread { warnings: None },
        warnings => Diagnostics::Unread { warnings: Some(warnings) },
    }
}

/// Whether what stands on the backend behind the statement is all its own, or nothing: older warnings and errors are gone.
/// Of a server that keeps some.
pub(super) fn replaces(ran: &Ran<'_>) -> bool {
    let adds = ran.is_one() && matches!(ran.verb(), Verb::Diagnostics | Verb::Resignal);
    match ran.failed() || ran.facts.warnings > 0 {
        true => !adds,
        // What is read behind it is all that is there.
        false => may_keep(&ran.summary, ran.dialect) || ran.is_one() && fate(ran) == Fate::Cleared,
    }
}

/// What becomes of older warnings and errors by a statement that has none itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Cleared,
    Unsure,
}

/// MySQL 5.7 and later clear them with every statement that does not ask for them; MariaDB and MySQL 5.6 only where
/// it uses tables.
fn fate(ran: &Ran<'_>) -> Fate {
    match ran.verb() {
        Verb::Diagnostics => Fate::Kept,
        Verb::Show if ran.has(Flags::READS_DIAGNOSTICS) => Fate::Kept,
        _ if !keeps(ran.dialect) => Fate::Cleared,
        _ => match uses_tables(ran) {
            Some(true) => Fate::Cleared,
            Some(false) => Fate::Kept,
            None => Fate::Unsure,
        },
    }
}

/// Whether the server keeps them over such a statement or not, as nobody sees: by what a procedure, a function, several
/// statements or a text to be prepared use, and by whether GET_LOCK() had to wait.
pub(super) fn may_keep(summary: &Summary, dialect: Dialect) -> bool {
    const UNSEEN: Flags = OPAQUE.with(Flags::UNKNOWN_FUNCTION).with(Flags::USER_LOCK);
    keeps(dialect) && (summary.statements > 1 || summary.verb == Verb::Prepare || summary.flags.any(UNSEEN))
}

/// Whether the server is one that keeps them where no table is used.
pub(in crate::session) fn keeps(dialect: Dialect) -> bool {
    dialect.mariadb || (1..50_700).contains(&dialect.version)
}
