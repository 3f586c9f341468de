//! What a statement makes of FOUND_ROWS(): told by the reply only where the statement is simple enough.
//!
//! Where it is not, FOUND_ROWS() is read behind it. A server that has left it as it was then shows what stood there before,
//! which may be another client's: [`Unchanged`] knows that again, and where it could be mistaken, [`plant`] puts the client's
//! own there first.

use super::shown::{self, Shown};
use super::{OPAQUE, Ran};
use crate::sql::clauses::Clauses;
use crate::sql::effects::Summary;
use crate::sql::flags::Flags;
use crate::sql::lexer::{Kind, Lexer};
use crate::sql::verb::Verb;
use crate::sql::word::{key, pack};
use crate::wire::reply::Facts;

/// The most rows that are counted to put their number on a backend.
const MAX_PLANTED: u64 = 1000;

/// Stands for a greater number: one that hardly a statement finds.
const MARK: u64 = 997;

/// The longest text that is read a second time.
const MAX_TEXT: usize = 64 << 10;

/// ER_UNKNOWN_STMT_HANDLER
const UNKNOWN_STATEMENT: u16 = 1243;

/// What a statement has made of FOUND_ROWS().
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Kept,
    /// This.
    Rows(u64),
    /// Its own, which the reply does not tell.
    Counted,
    /// The reply does not tell it, nor whether it was made anew.
    Untold,
    /// Nothing, or 0.
    NoneOrKept,
}

impl Found {
    /// What it is behind the statement; `None`: it is to be read.
    pub fn after(self, before: Option<u64>) -> Option<u64> {
        match self {
            Found::Kept => before,
            Found::Rows(rows) => Some(rows),
            Found::NoneOrKept => before.filter(|&rows| rows == 0),
            Found::Counted | Found::Untold => None,
        }
    }

    fn kept_if(keeps: bool) -> Found {
        if keeps { Found::Kept } else { Found::Untold }
    }
}

/// FOUND_ROWS() is to be read, and was the client's `own`, but `there` on the backend: if it is that again when it is read, no
/// statement has changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unchanged {
    there: u64,
    own: u64,
}

impl Unchanged {
    /// `left`: what the statement has made of it; `own`, `there`: before it. `None` where what it may well have found itself stood
    /// there.
    pub fn new(left: Found, own: Option<u64>, there: Option<u64>, facts: &Facts) -> Option<Unchanged> {
        let (own, there) = (own.filter(|_| matches!(left, Found::Untold | Found::NoneOrKept))?, there?);
        let likely = match facts.error {
            _ if left == Found::NoneOrKept => 0,
            // One that failed has at most counted what it had sent.
            Some(_) => facts.rows,
            // A single row is what most statements find that may find any.
            None => 1,
        };
        // What it changed it had found.
        (own != there && there != likely && facts.last_affected != Some(there)).then_some(Unchanged { there, own })
    }

    /// The client's own, from what was read.
    pub fn own(self, read: u64) -> u64 {
        if read == self.there { self.own } else { read }
    }
}

/// What to run so that FOUND_ROWS() is the client's own, and what it is then.
pub fn plant(own: u64) -> (String, u64) {
    const DIGITS: &str = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL \
        SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
    let rows = if own > MAX_PLANTED { MARK } else { own };
    let sql = match rows {
        0 => "SELECT 1 FROM (SELECT 1) AS a WHERE 1=0".to_owned(),
        1 => "SELECT 1 FROM (SELECT 1) AS a LIMIT 1".to_owned(),
        _ => format!(
            "SELECT SQL_CALC_FOUND_ROWS 1 FROM {DIGITS} AS a,{DIGITS} AS b,{DIGITS} AS c \
             WHERE a.d+10*b.d+100*c.d<{rows} LIMIT 0"
        ),
    };
    (sql, rows)
}

/// Whether the statement may as well leave FOUND_ROWS() as find any number of rows, so that what is read behind it may be
/// mistaken for its own.
pub fn may_keep(summary: &Summary) -> bool {
    const WRITES: [Verb; 8] =
        [Verb::Ddl, Verb::Insert, Verb::Replace, Verb::LoadData, Verb::Update, Verb::Delete, Verb::Set, Verb::Do];
    let selects = || summary.clauses.any(Clauses::SELECT.with(Clauses::ROWS)) && WRITES.contains(&summary.verb);
    summary.statements > 1
        || summary.flags.any(OPAQUE)
        || matches!(summary.verb, Verb::Unknown | Verb::Explain)
        || selects()
        // Its reply tells nothing where it goes INTO @v, or fails.
        || summary.flags.has(Flags::CALC_FOUND_ROWS)
}

pub(super) fn found_rows(ran: &Ran<'_>) -> Found {
    // EXECUTE of what is not prepared.
    let is_execute = ran.is_one() && ran.verb() == Verb::Execute;
    if is_execute && ran.facts.error == Some(UNKNOWN_STATEMENT) && ran.facts.status_seen == 0 {
        return Found::Kept;
    }
    // The first of several statements, or all of them where there may be but one.
    if !ran.is_one() && ran.failed() && ran.facts.status_seen == 0 && was_refused(ran) {
        return Found::Kept;
    }
    if !ran.is_one() || ran.is_opaque() {
        return Found::Untold;
    }
    let counts_more = ran.has(Flags::CALC_FOUND_ROWS) || ran.opened_cursor();
    if ran.failed() {
        return Found::kept_if(was_refused(ran) || is_new(ran) || (!counts_more && is_untouched(ran)));
    }
    if counts_more && (ran.opened_cursor() || ran.verb() != Verb::Select) {
        return Found::Untold;
    }
    match ran.verb() {
        Verb::Select => selected(ran),
        // SHOW COUNT(*) is a SELECT of one row.
        Verb::Show if ran.has(Flags::READS_DIAGNOSTICS) => match words(ran).count {
            true => Found::Rows(1),
            false => Found::Kept,
        },
        Verb::Show => shown(ran),
        // MySQL 9 counts what an UPDATE finds, unless it need not look.
        Verb::Update if ran.facts.found_none && has_one_table(ran) && is_9(ran) => Found::NoneOrKept,
        _ => Found::kept_if(is_untouched(ran)),
    }
}

fn shown(ran: &Ran<'_>) -> Found {
    match shown::shown(ran) {
        _ if ran.facts.last_affected.is_some() => Found::Untold,
        Shown::Rows => Found::Rows(ran.facts.rows),
        Shown::Opened | Shown::NoTable => Found::Kept,
        Shown::Unknown => Found::Untold,
    }
}

/// Every row of the one result was sent, and was counted. MariaDB leaves the older count where an aggregate finds no
/// row, which makes one row, and after VALUES.
fn selected(ran: &Ran<'_>) -> Found {
    const UNCOUNTED: Clauses = Clauses::VALUES.with(Clauses::PROCEDURE);
    let (clauses, rows) = (ran.summary.clauses, ran.facts.rows);
    let aggregates = clauses.any(Clauses::AGGREGATE);
    if ran.facts.last_affected.is_some() || ran.has(Flags::UNKNOWN_FUNCTION) || clauses.any(UNCOUNTED) {
        return Found::Untold;
    }
    let limited = clauses.any(Clauses::OFFSET) || (clauses.any(Clauses::LIMIT) && clauses.any(Clauses::UNION));
    match limited || ran.has(Flags::CALC_FOUND_ROWS) {
        _ if aggregates && rows <= 1 => Found::Untold,
        false if !aggregates => Found::Rows(rows),
        _ => Found::Counted,
    }
}

/// Refused before it ran.
fn was_refused(ran: &Ran<'_>) -> bool {
    /// No right, no such thing, or not to be said so: on all servers, FOUND_ROWS() was seen to be as before.
    const BEFORE_IT_RAN: [u16; 33] = [
        1044, 1045, 1046, 1049, 1052, 1054, 1056, 1064, 1065, 1099, 1100, 1106, 1110, 1111, 1115, 1136, 1142, 1143,
        1146, 1149, 1176, 1191, 1193, 1222, 1241, 1248, 1253, 1267, 1273, 1305, 1399, 1582, 1792,
    ];
    ran.facts.error.is_some_and(|code| BEFORE_IT_RAN.contains(&code))
}

fn is_simple(ran: &Ran<'_>) -> bool {
    !ran.summary.clauses.any(Clauses::SELECT.with(Clauses::ROWS))
}

fn has_one_table(ran: &Ran<'_>) -> bool {
    is_simple(ran) && !words(ran).joins
}

/// The statement counts no rows.
fn is_untouched(ran: &Ran<'_>) -> bool {
    let simple = || is_simple(ran);
    let has_one_table = || has_one_table(ran);
    match ran.verb() {
        Verb::Empty | Verb::Use | Verb::Begin | Verb::Commit | Verb::Rollback | Verb::Savepoint => true,
        Verb::Set | Verb::Insert | Verb::Replace | Verb::LoadData => simple(),
        // MySQL 9 counts what an UPDATE finds.
        Verb::Update => has_one_table() && (ran.dialect.mariadb || is_old(ran)),
        Verb::Delete => has_one_table() && (ran.dialect.mariadb || is_old(ran) || is_9(ran)),
        Verb::Prepare | Verb::Deallocate | Verb::Lock | Verb::Kill | Verb::Signal | Verb::Resignal | Verb::Handler => {
            true
        }
        // Their results are not a SELECT's.
        Verb::Flush | Verb::Account | Verb::Admin | Verb::Xa | Verb::Diagnostics => true,
        Verb::Ddl => simple(),
        Verb::Do => simple() && (ran.dialect.mariadb || is_old(ran)),
        _ => false,
    }
}

/// MySQL counts when all is done.
fn is_new(ran: &Ran<'_>) -> bool {
    ran.dialect.version >= 80_000 && !ran.dialect.mariadb
}

/// What was asked of MySQL 9 need not hold before.
fn is_9(ran: &Ran<'_>) -> bool {
    ran.dialect.version >= 90_000 && !ran.dialect.mariadb
}

fn is_old(ran: &Ran<'_>) -> bool {
    (1..50_700).contains(&ran.dialect.version) && !ran.dialect.mariadb
}

/// What words stand in a statement, anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Words {
    pub joins: bool,
    pub count: bool,
    /// FROM or JOIN of anything but DUAL or a derived table.
    pub table: bool,
}

impl Words {
    /// A text too long to be read a second time: anything may stand in it.
    const ANY: Words = Words { joins: true, table: true, ..Words::NONE };

    const NONE: Words = Words { joins: false, count: false, table: false };
}

pub(super) fn words(ran: &Ran<'_>) -> Words {
    if ran.sql.len() > MAX_TEXT {
        return Words::ANY;
    }
    let mut words = Words::default();
    let (mut before, mut set) = (0, false);
    for token in Lexer::new(ran.sql, ran.dialect) {
        let text = &ran.sql[token.start..token.end];
        let word = if token.kind == Kind::Word { key(ran.sql, token.start, token.end) } else { 0 };
        set |= word == SET;
        match word {
            JOIN | USING => words.joins = true,
            COUNT => words.count = true,
            DUAL => {}
            _ if before == FROM || before == JOIN => words.table |= text != b"(",
            _ => {}
        }
        words.joins |= token.kind == Kind::Word && word == 0 && text.eq_ignore_ascii_case(b"straight_join");
        match text {
            b"," if ran.verb() == Verb::Update && !set => words.joins = true,
            b"," if ran.verb() == Verb::Delete => words.joins = true,
            _ => {}
        }
        before = word;
    }
    words
}

macro_rules! keys {
    ($($name:ident $text:literal),* $(,)?) => { $(const $name: u64 = pack($text);)* };
}

keys! { COUNT "count", DUAL "dual", FROM "from", JOIN "join", SET "set", USING "using" }
