//! What a statement makes of FOUND_ROWS(): told by the reply only where the statement is simple enough.

use super::{MAX_BYTES, Ran};
use crate::sql::clauses::Clauses;
use crate::sql::flags::Flags;
use crate::sql::lexer::{Kind, Lexer};
use crate::sql::verb::Verb;
use crate::sql::word::{key, pack};

/// `None` where the reply does not tell it.
pub(super) fn found_rows(before: Option<u64>, ran: &Ran<'_>) -> Option<u64> {
    // The first of several statements, or all of them where there may be but one.
    if !ran.is_one() && ran.failed() && ran.facts.status_seen == 0 && was_refused(ran) {
        return before;
    }
    if !ran.is_one() || ran.is_opaque() {
        return None;
    }
    let counts_more = ran.has(Flags::CALC_FOUND_ROWS) || ran.opened_cursor();
    if ran.failed() {
        return before.filter(|_| was_refused(ran) || (!counts_more && is_untouched(ran)));
    }
    if counts_more {
        return None;
    }
    match ran.verb() {
        Verb::Select => selected(ran),
        // SHOW COUNT(*) is a SELECT of one row.
        Verb::Show if ran.has(Flags::READS_DIAGNOSTICS) => {
            if words(ran).count {
                Some(1)
            } else {
                before
            }
        }
        _ => before.filter(|_| is_untouched(ran)),
    }
}

/// Every row of the one result was sent, and was counted. MariaDB leaves the older count where an aggregate finds no
/// row, and after VALUES.
fn selected(ran: &Ran<'_>) -> Option<u64> {
    const UNCOUNTED: Clauses = Clauses::AGGREGATE.with(Clauses::VALUES).with(Clauses::PROCEDURE);
    let clauses = ran.summary.clauses;
    let counted = !ran.has(Flags::UNKNOWN_FUNCTION) && !clauses.any(UNCOUNTED);
    let limited = clauses.any(Clauses::OFFSET) || (clauses.any(Clauses::LIMIT) && clauses.any(Clauses::UNION));
    (ran.facts.last_affected.is_none() && counted && !limited).then_some(ran.facts.rows)
}

/// Refused before it ran.
fn was_refused(ran: &Ran<'_>) -> bool {
    matches!(
        ran.facts.error,
        Some(1044 | 1045 | 1046 | 1049 | 1054 | 1064 | 1065 | 1142 | 1143 | 1146 | 1149 | 1399 | 1792)
    )
}

/// The statement counts no rows.
fn is_untouched(ran: &Ran<'_>) -> bool {
    let simple = || !ran.summary.clauses.any(Clauses::SELECT.with(Clauses::ROWS));
    let updates = || simple() && !words(ran).joins && (ran.dialect.mariadb || is_old(ran));
    match ran.verb() {
        Verb::Use | Verb::Begin | Verb::Commit | Verb::Rollback | Verb::Savepoint | Verb::Diagnostics => true,
        Verb::Set | Verb::Insert | Verb::Replace => simple(),
        Verb::Update | Verb::Delete => updates(),
        Verb::Prepare | Verb::Deallocate | Verb::Lock | Verb::Kill | Verb::Signal | Verb::Resignal | Verb::Handler => {
            true
        }
        // All but XA RECOVER, which has a result.
        Verb::Xa => ran.failed() || ran.facts.last_affected.is_some(),
        Verb::Ddl => simple(),
        Verb::Do => simple() && (ran.dialect.mariadb || is_old(ran)),
        _ => false,
    }
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
    pub has_table_word: bool,
    pub shows_schema: bool,
    pub grants: bool,
}

impl Words {
    /// A text too long to be read a second time: anything may stand in it.
    const ANY: Words =
        Words { joins: true, count: false, table: true, has_table_word: false, shows_schema: false, grants: false };
}

pub(super) fn words(ran: &Ran<'_>) -> Words {
    if ran.sql.len() > MAX_BYTES {
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
        words.has_table_word |= matches!(word, TABLE | TABLES | VIEW | INDEX);
        words.shows_schema |=
            matches!(word, TABLE | TABLES | COLUMNS | STATUS | ENGINES | CREATE | INDEX | INDEXES | KEYS);
        words.grants |= word == GRANTS;
        if token.kind == Kind::Word && word == 0 {
            long_word(text, &mut words);
        }
        match text {
            b"," if ran.verb() == Verb::Update && !set => words.joins = true,
            b"," if ran.verb() == Verb::Delete => words.joins = true,
            _ => {}
        }
        before = word;
    }
    words
}

fn long_word(text: &[u8], words: &mut Words) {
    let is = |word: &str| text.eq_ignore_ascii_case(word.as_bytes());
    words.joins |= is("straight_join");
    words.shows_schema |= is("databases") || is("variables") || is("collation") || is("character");
}

macro_rules! keys {
    ($($name:ident $text:literal),* $(,)?) => { $(const $name: u64 = pack($text);)* };
}

keys! {
    COLUMNS "columns", COUNT "count", CREATE "create", DUAL "dual", ENGINES "engines", FROM "from", GRANTS "grants", INDEX "index",
    INDEXES "indexes", JOIN "join", KEYS "keys", SET "set", STATUS "status", TABLE "table", TABLES "tables", USING "using", VIEW "view",
}
