//! What a statement makes of FOUND_ROWS(): told by the reply only where the statement is simple enough.

use super::{MAX_BYTES, Ran};
use crate::sql::flags::Flags;
use crate::sql::lexer::{Kind, Lexer};
use crate::sql::verb::Verb;
use crate::sql::word::{key, pack};

/// `None` where the reply does not tell it.
pub(super) fn found_rows(before: Option<u64>, ran: &Ran<'_>) -> Option<u64> {
    if !ran.is_one() || ran.is_opaque() || ran.has(Flags::CALC_FOUND_ROWS) || ran.opened_cursor() {
        return None;
    }
    if ran.failed() {
        return before.filter(|_| was_refused(ran) || is_untouched(ran));
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
    let words = words(ran);
    let counted = !ran.has(Flags::UNKNOWN_FUNCTION) && !words.aggregate && !words.values && !words.procedure;
    let limited = words.offset || (words.limit && words.union);
    (ran.facts.last_affected.is_none() && counted && !limited).then_some(ran.facts.rows)
}

/// Refused before it ran.
fn was_refused(ran: &Ran<'_>) -> bool {
    matches!(ran.facts.error, Some(1044 | 1045 | 1046 | 1049 | 1054 | 1064 | 1065 | 1142 | 1143 | 1146 | 1149 | 1792))
}

/// The statement counts no rows.
fn is_untouched(ran: &Ran<'_>) -> bool {
    let simple = || !words(ran).select && !words(ran).values_of_rows;
    let updates = || simple() && !words(ran).joins && (ran.dialect.mariadb || is_old(ran));
    match ran.verb() {
        Verb::Use | Verb::Begin | Verb::Commit | Verb::Rollback | Verb::Savepoint | Verb::Diagnostics => true,
        Verb::Set | Verb::Insert | Verb::Replace => simple(),
        Verb::Update | Verb::Delete => updates(),
        Verb::Prepare | Verb::Deallocate | Verb::Lock | Verb::Kill | Verb::Signal | Verb::Handler => true,
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
    pub limit: bool,
    pub offset: bool,
    pub union: bool,
    pub aggregate: bool,
    pub values: bool,
    pub values_of_rows: bool,
    pub procedure: bool,
    pub select: bool,
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
    const ANY: Words = Words {
        limit: true,
        offset: true,
        union: true,
        aggregate: true,
        values: true,
        values_of_rows: true,
        procedure: true,
        select: true,
        joins: true,
        count: false,
        table: true,
        has_table_word: false,
        shows_schema: false,
        grants: false,
    };
}

pub(super) fn words(ran: &Ran<'_>) -> Words {
    if ran.sql.len() > MAX_BYTES {
        return Words::ANY;
    }
    let mut words = Words::default();
    let (mut before, mut limited, mut set) = (0, false, false);
    for token in Lexer::new(ran.sql, ran.dialect) {
        let text = &ran.sql[token.start..token.end];
        let word = if token.kind == Kind::Word { key(ran.sql, token.start, token.end) } else { 0 };
        set |= word == SET;
        match word {
            LIMIT => words.limit = true,
            OFFSET | FETCH => words.offset = true,
            UNION | EXCEPT => words.union = true,
            SELECT | TABLE if before != KEY && word == SELECT => words.select = true,
            VALUES if ran.verb() == Verb::Select => words.values = true,
            ROW if before == VALUES => words.values_of_rows = ran.verb() != Verb::Select,
            JOIN | USING => words.joins = true,
            COUNT | MAX | MIN | SUM | AVG | STD | STDDEV | BIT_AND | BIT_OR | BIT_XOR | VARIANCE => {
                words.count |= word == COUNT;
                words.aggregate = true;
            }
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
        limited |= word == LIMIT;
        match text {
            b"," if limited => words.offset = true,
            b"," if ran.verb() == Verb::Update && !set => words.joins = true,
            b"," if ran.verb() == Verb::Delete => words.joins = true,
            _ => {}
        }
        before = word;
    }
    words
}

fn long_word(text: &[u8], words: &mut Words) {
    const AGGREGATES: [&str; 7] =
        ["group_concat", "stddev_pop", "stddev_samp", "json_arrayagg", "json_objectagg", "st_collect", "variance"];
    let is = |word: &str| text.eq_ignore_ascii_case(word.as_bytes());
    words.aggregate |= AGGREGATES.into_iter().any(is) || is("var_samp") || is("var_pop");
    words.procedure |= is("procedure");
    words.union |= is("intersect");
    words.joins |= is("straight_join");
    words.shows_schema |= is("databases") || is("variables") || is("collation") || is("character");
}

macro_rules! keys {
    ($($name:ident $text:literal),* $(,)?) => { $(const $name: u64 = pack($text);)* };
}

keys! {
    AVG "avg", BIT_AND "bit_and", BIT_OR "bit_or", BIT_XOR "bit_xor", COLUMNS "columns", COUNT "count", CREATE "create", DUAL "dual",
    ENGINES "engines", EXCEPT "except", FETCH "fetch", FROM "from", GRANTS "grants", INDEX "index", INDEXES "indexes", JOIN "join", KEY "key",
    KEYS "keys", LIMIT "limit", MAX "max", MIN "min", OFFSET "offset", ROW "row", SELECT "select", SET "set", STATUS "status", STD "std",
    STDDEV "stddev", SUM "sum", TABLE "table", TABLES "tables", UNION "union", USING "using", VALUES "values", VARIANCE "variance", VIEW "view",
}
