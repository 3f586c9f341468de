//! What each statement of a text does to its session, by its words alone.
//!
//! One pass at the lexer's speed for queries, without allocation. What is not known is [`Flags::UNEXPLAINED`]; a word
//! in the wrong place gives a flag too many, never one too few. What no text shows (the bodies of procedures,
//! functions, triggers and views) is for the server's trackers; see [`Flags::CALLS`] and [`Flags::UNKNOWN_FUNCTION`].

use super::assign::{Span, system_variable};
use super::clauses::Clauses;
use super::flags::Flags;
use super::functions::{is_foreign, is_harmless};
use super::lexer::{Dialect, Kind, Lexer, Token};
use super::verb::{self, Verb};
use super::word::{key, pack};

/// One statement of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    /// What kind of statement.
    pub verb: Verb,
    /// What it does.
    pub flags: Flags,
    /// What decides how its rows are counted.
    pub clauses: Clauses,
    /// Where it stands, from its first token to its last, without `;`.
    pub span: Span,
    /// It begins inside an executable comment.
    pub in_code: bool,
}

impl Statement {
    /// Its tokens, with the offsets of the whole text. `sql` and `dialect`: those that it was found in and read by. What stands
    /// before it is not read again: a text may have many statements.
    pub fn tokens<'a>(&self, sql: &'a [u8], dialect: Dialect) -> Lexer<'a> {
        Lexer::part(sql, self.span.start, self.span.end, self.in_code, dialect)
    }
}

/// All statements of a text together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// How many statements, empty ones left out.
    pub statements: u32,
    /// The first one's kind.
    pub verb: Verb,
    /// All their flags; [`Flags::READ_ONLY`] only if all have it.
    pub flags: Flags,
    /// All their clauses.
    pub clauses: Clauses,
}

impl Summary {
    /// Every statement is provably read-only (and there is one).
    pub fn is_read_only(&self) -> bool {
        self.flags.has(Flags::READ_ONLY)
    }

    /// The same, where executable comments are taken for the words that they hold.
    pub fn reads_only_by_its_words(&self) -> bool {
        let is_one = self.statements == 1 && self.verb.reads();
        is_one && !self.flags.any(NOT_READ_ONLY.without(Flags::EXECUTABLE_COMMENT))
    }
}

/// The text's statements, in order; empty ones are left out. Offsets are bytes of `sql`.
pub fn statements(sql: &[u8], dialect: Dialect) -> Statements<'_> {
    Statements { lexer: Lexer::new(sql, dialect), mode_open: false }
}

/// All statements of the text together: what [`statements`] says of each, or-ed.
pub fn summary(sql: &[u8], dialect: Dialect) -> Summary {
    let mut all = statements(sql, dialect);
    let Some(first) = all.next() else { return Summary::default() };
    let one = Summary { statements: 1, verb: first.verb, flags: first.flags, clauses: first.clauses };
    all.fold(one, |sum, next| Summary {
        statements: sum.statements.saturating_add(1),
        verb: sum.verb,
        flags: match sum.is_read_only() && next.flags.has(Flags::READ_ONLY) {
            true => sum.flags | next.flags,
            false => (sum.flags | next.flags).without(Flags::READ_ONLY),
        },
        clauses: sum.clauses.with(next.clauses),
    })
}

/// See [`statements`].
#[derive(Debug, Clone)]
pub struct Statements<'a> {
    lexer: Lexer<'a>,
    // An earlier statement of the text changed the SQL mode, perhaps: what follows may be lexed wrongly.
    mode_open: bool,
}

impl Iterator for Statements<'_> {
    type Item = Statement;

    #[inline]
    fn next(&mut self) -> Option<Statement> {
        let mut flags = Flags::NONE;
        let (first, in_code) = loop {
            let in_code = self.lexer.in_code();
            let token = self.lexer.next()?;
            match token.kind {
                Kind::Semicolon | Kind::CodeClose => {}
                Kind::CodeOpen => flags |= Flags::EXECUTABLE_COMMENT,
                _ => break (token, in_code),
            }
        };
        let inner = verb::set_statement(&mut self.lexer, first);
        let (begin, more) = inner.map_or((first, Flags::NONE), |(begin, flags)| (begin, flags | Flags::NOT_PLAIN));
        let mut statement = Scan::new(&mut self.lexer, flags | more).statement(begin);
        statement.span.start = first.start;
        statement.in_code = in_code;
        if self.mode_open {
            statement.flags = (statement.flags | Flags::UNEXPLAINED).without(Flags::READ_ONLY);
        }
        self.mode_open |= statement.flags.any(CHANGES_MODE);
        Some(statement)
    }
}

// What may change the SQL mode for the rest of the text.
const CHANGES_MODE: Flags = Flags::SETS_LEXING.with(Flags::CALLS).with(Flags::EXECUTES).with(Flags::EXECUTE_IMMEDIATE);

// What a provably read-only statement must not have.
const NOT_READ_ONLY: Flags = Flags::UNEXPLAINED
    .with(Flags::EXECUTABLE_COMMENT)
    .with(Flags::SETS_USER_OTHER)
    .with(Flags::USER_LOCK)
    .with(Flags::USER_UNLOCK)
    .with(Flags::UNKNOWN_FUNCTION)
    .with(Flags::CALC_FOUND_ROWS)
    .with(Flags::SETS_LAST_INSERT_ID)
    .with(Flags::SEQUENCE)
    .with(Flags::NOT_PLAIN);

// The token before, as far as a `(` after it makes it a function's name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Other,
    Name,
    // The name before a column list: after INTO, or in WITH's list.
    Listed,
}

struct Scan<'a, 'b> {
    lexer: &'b mut Lexer<'a>,
    flags: Flags,
    clauses: Clauses,
    verb: Verb,
    depth: u32,
    before: Before,
    // The last name, if it is what stands before.
    name: Token,
    // The key of the word before, 0 if it was no word.
    word: u64,
    // INSERT's column list, or WITH's list of names, may still come.
    list_open: bool,
    // The token before is a dot; the name before follows a dot.
    dot: bool,
    qualified: bool,
    // Names before parentheses may be functions: not in DDL before its SELECT, not in LOAD DATA before its SET.
    functions: bool,
}

impl<'a, 'b> Scan<'a, 'b> {
    fn new(lexer: &'b mut Lexer<'a>, flags: Flags) -> Self {
        let (verb, before) = (Verb::Unknown, Before::Other);
        let name = Token { kind: Kind::Punct, spaced: false, start: 0, end: 0 };
        Self {
            lexer,
            flags,
            clauses: Clauses::NONE,
            verb,
            depth: 0,
            before,
            name,
            word: 0,
            list_open: false,
            dot: false,
            qualified: false,
            functions: true,
        }
    }

    #[inline]
    fn statement(mut self, first: Token) -> Statement {
        let head = verb::head(self.lexer, first);
        self.verb = head.verb;
        self.flags |= head.flags;
        self.list_open = matches!(head.verb, Verb::Insert | Verb::Replace | Verb::With);
        self.functions = !matches!(head.verb, Verb::Ddl | Verb::Account | Verb::Admin | Verb::LoadData);
        let end = self.body(first);
        let read_only = self.verb.reads() && !self.flags.any(NOT_READ_ONLY);
        let flags = if read_only { self.flags | Flags::READ_ONLY } else { self.flags };
        let span = Span { start: first.start, end };
        Statement { verb: self.verb, flags, clauses: self.clauses, span, in_code: false }
    }

    #[inline]
    fn body(&mut self, first: Token) -> usize {
        let (mut token, mut end) = (first, first.end);
        loop {
            match token.kind {
                Kind::Word => self.word(token),
                Kind::Punct => self.punct(token),
                Kind::Number | Kind::String | Kind::Placeholder => self.value(),
                Kind::Semicolon if !self.flags.any(Flags::STORED_PROGRAM) => return end,
                _ => self.rare(token),
            }
            end = token.end;
            match self.lexer.read() {
                Some(next) => token = next,
                None => return end,
            }
        }
    }

    #[inline]
    fn value(&mut self) {
        self.before = Before::Other;
        self.dot = false;
        self.word = 0;
    }

    #[inline]
    fn punct(&mut self, token: Token) {
        let byte = self.lexer.sql()[token.start];
        let before = std::mem::replace(&mut self.before, Before::Other);
        match byte {
            b'(' => {
                self.open(before, token.start);
                self.depth += 1;
            }
            b')' => self.depth = self.depth.saturating_sub(1),
            b',' if self.clauses.any(Clauses::LIMIT) => self.clauses |= Clauses::OFFSET,
            _ => {}
        }
        self.dot = byte == b'.';
        self.word = u64::from(byte == b',' && self.depth == 0) * COMMA;
    }

    #[inline]
    fn word(&mut self, token: Token) {
        let key = key(self.lexer.sql(), token.start, token.end);
        self.qualified = std::mem::take(&mut self.dot);
        if key == 0 {
            self.long_word(token);
        } else {
            self.short_word(key);
        }
        self.before = match self.word {
            INTO | WITH | RECURSE | COMMA if self.list_open => Before::Listed,
            _ => Before::Name,
        };
        self.name = token;
        self.word = if key == 0 && self.is(token, b"recursive") { RECURSE } else { key };
    }

    #[inline]
    fn short_word(&mut self, key: u64) {
        match key {
            INTO if self.verb.reads() => self.flags |= Flags::NOT_PLAIN,
            FOR => self.for_word(),
            LOCK => self.flags |= Flags::NOT_PLAIN,
            LIMIT => self.clauses |= Clauses::LIMIT,
            OFFSET | FETCH => self.clauses |= Clauses::OFFSET,
            UNION | EXCEPT => self.clauses |= Clauses::UNION,
            ROW if self.word == VALUES => self.clauses |= Clauses::ROWS,
            COUNT | MAX | MIN | SUM | AVG | STD | STDDEV | BIT_AND | BIT_OR | BIT_XOR | VARIANCE | VAR_POP
            | VAR_SAMP => self.clauses |= Clauses::AGGREGATE,
            SELECT | VALUES | VALUE | SET | TABLE => self.query_word(key),
            INSERT | UPDATE | DELETE | REPLACE if self.verb == Verb::With => self.query_word(key),
            WARNINGS | ERRORS | STATUS | PROFILE | PROFILES if self.verb == Verb::Show => self.show_word(key),
            NEXTVAL | LASTVAL | CURRVAL | SETVAL => self.flags |= Flags::SEQUENCE,
            THREADS => self.flags |= Flags::SHOWS_CONNECTIONS,
            _ => {}
        }
    }

    fn for_word(&mut self) {
        match (self.verb, self.word) {
            (Verb::Show, GRANTS) => return,
            (Verb::Show, _) => self.flags |= Flags::SHOWS_CONNECTIONS,
            (Verb::Explain, _) if self.next_is(b"connection") => self.flags |= Flags::SHOWS_CONNECTIONS,
            (_, VALUE) => self.flags |= Flags::SEQUENCE,
            _ => {}
        }
        self.flags |= Flags::NOT_PLAIN;
    }

    fn next_is(&self, word: &[u8]) -> bool {
        self.lexer.clone().next().is_some_and(|token| self.is(token, word))
    }

    // The list of columns or names is over; WITH's own verb is known.
    // In SQL mode ORACLE: s."NEXTVAL".
    fn quoted_sequence(&mut self, token: Token) {
        let text = &self.lexer.sql()[token.start..token.end];
        let name = text.get(1..text.len() - 1).filter(|_| self.qualified).unwrap_or_default();
        if name.eq_ignore_ascii_case(b"nextval") || name.eq_ignore_ascii_case(b"currval") {
            self.flags |= Flags::SEQUENCE;
        }
    }

    fn query_word(&mut self, key: u64) {
        match key {
            SELECT if self.word != KEY => self.clauses |= Clauses::SELECT,
            VALUES => self.clauses |= Clauses::VALUES,
            // INSERT .. TABLE t
            TABLE if matches!(self.verb, Verb::Insert | Verb::Replace) => self.clauses |= Clauses::SELECT,
            _ => {}
        }
        self.functions |= key == SELECT || (key == SET && self.verb == Verb::LoadData);
        if self.depth > 0 || self.qualified {
            return;
        }
        self.list_open = self.verb == Verb::With && matches!(key, INSERT | REPLACE);
        if self.verb == Verb::With {
            self.verb = match key {
                SELECT | VALUES | TABLE => Verb::Select,
                INSERT => Verb::Insert,
                REPLACE => Verb::Replace,
                UPDATE => Verb::Update,
                DELETE => Verb::Delete,
                _ => Verb::With,
            };
        }
    }

    fn show_word(&mut self, key: u64) {
        self.flags |= match key {
            WARNINGS | ERRORS => Flags::READS_DIAGNOSTICS,
            STATUS if matches!(self.word, SHOW | SESSION | LOCAL) => Flags::SESSION_COUNTERS,
            STATUS => Flags::NONE,
            _ => Flags::UNEXPLAINED,
        };
    }

    fn long_word(&mut self, token: Token) {
        self.clauses |= self.long_clause(token);
        self.flags |= match token.end - token.start {
            9 if self.verb.reads() && self.is(token, b"procedure") => Flags::NOT_PLAIN,
            9 if self.verb == Verb::Show && self.is(token, b"variables") => {
                Flags::USES_SYSTEM_VARIABLE | Flags::READS_LAST_INSERT_ID
            }
            19 if self.is(token, b"variables_by_thread") => Flags::READS_LAST_INSERT_ID,
            10..=13 | 18 | 20 if lists_connections(&self.lexer.sql()[token.start..token.end]) => {
                Flags::SHOWS_CONNECTIONS
            }
            14 if self.is(token, b"user_variables") => Flags::USES_USER_VARIABLE,
            14 if self.is(token, b"session_status") => Flags::SESSION_COUNTERS,
            17 if self.is(token, b"session_variables") => Flags::USES_SYSTEM_VARIABLE | Flags::READS_LAST_INSERT_ID,
            19 if self.is(token, b"sql_calc_found_rows") => Flags::CALC_FOUND_ROWS,
            _ => Flags::NONE,
        };
    }

    fn long_clause(&self, token: Token) -> Clauses {
        let is = |word: &str| self.is(token, word.as_bytes());
        match token.end - token.start {
            9 if is("procedure") => Clauses::PROCEDURE,
            9 if is("intersect") => Clauses::UNION,
            10 if is("stddev_pop") || is("st_collect") => Clauses::AGGREGATE,
            11 if is("stddev_samp") => Clauses::AGGREGATE,
            12 if is("group_concat") => Clauses::AGGREGATE,
            13 if is("json_arrayagg") => Clauses::AGGREGATE,
            14 if is("json_objectagg") => Clauses::AGGREGATE,
            _ => Clauses::NONE,
        }
    }

    fn is(&self, token: Token, word: &[u8]) -> bool {
        self.lexer.sql()[token.start..token.end].eq_ignore_ascii_case(word)
    }

    fn rare(&mut self, token: Token) {
        // The marks of an executable comment stand between tokens, as white space does.
        if matches!(token.kind, Kind::CodeOpen | Kind::CodeClose) {
            self.flags |= Flags::EXECUTABLE_COMMENT;
            return;
        }
        self.qualified = std::mem::take(&mut self.dot);
        self.before = match token.kind {
            Kind::QuotedIdentifier if self.list_open && matches!(self.word, INTO | WITH | RECURSE | COMMA) => {
                Before::Listed
            }
            Kind::QuotedIdentifier => Before::Name,
            _ => Before::Other,
        };
        self.name = token;
        match token.kind {
            Kind::QuotedIdentifier => {
                self.long_word(token);
                self.quoted_sequence(token);
            }
            Kind::UserVariable => self.user_variable(),
            Kind::SystemVariable => self.flags |= self.system_variable(token),
            Kind::Assign => self.assign(),
            Kind::Broken => self.flags |= Flags::UNEXPLAINED,
            Kind::Semicolon => self.semicolon(),
            _ => {}
        }
        self.word = 0;
    }

    // In a stored program's text: one at the very end is harmless.
    fn semicolon(&mut self) {
        if self.lexer.clone().next().is_some() {
            self.flags |= Flags::UNEXPLAINED;
        }
    }

    fn user_variable(&mut self) {
        self.flags |= Flags::USES_USER_VARIABLE;
        if self.word == INTO || matches!(self.verb, Verb::LoadData | Verb::Diagnostics) {
            self.flags |= Flags::SETS_USER_OTHER;
        }
    }

    fn assign(&mut self) {
        if self.verb != Verb::Set || self.depth > 0 {
            self.flags |= Flags::SETS_USER_OTHER;
        }
    }

    fn system_variable(&self, token: Token) -> Flags {
        let sql = self.lexer.sql();
        let name = system_variable(sql, token).1.of(sql);
        let name = name.strip_prefix(b"`").and_then(|name| name.strip_suffix(b"`")).unwrap_or(name);
        // `@@session . last_insert_id`: which one it is stands further on.
        let is_scope = |scope: &[u8]| name.eq_ignore_ascii_case(scope);
        let is_cut = name.is_empty() || [&b"session"[..], b"local", b"global"].into_iter().any(is_scope);
        let cut = if is_cut { Flags::UNEXPLAINED } else { Flags::NONE };
        Flags::USES_SYSTEM_VARIABLE | variable_flags(name) | cut
    }

    fn open(&mut self, before: Before, at: usize) {
        let listed = self.list_open && self.depth == 0 && self.verb != Verb::With;
        match before {
            Before::Name if listed => self.column_list(self.name, at),
            Before::Name => self.call(self.name, at),
            Before::Listed | Before::Other => {}
        }
    }

    // INSERT t (a, b): the name before the first parenthesis is the table's.
    fn column_list(&mut self, token: Token, at: usize) {
        if self.is(token, b"partition") {
            return self.call(token, at);
        }
        self.list_open = false;
    }

    fn call(&mut self, token: Token, at: usize) {
        let word = &self.lexer.sql()[token.start..token.end];
        let built_in = token.kind == Kind::Word && !self.qualified && is_harmless(word, token.end < at);
        if self.functions && (!built_in || is_foreign(word, self.lexer.dialect())) {
            self.flags |= self.function(token);
        }
    }

    // The server finds its own functions by a quoted name too.
    fn function(&self, token: Token) -> Flags {
        let word = &self.lexer.sql()[token.start..token.end];
        match token.kind {
            _ if self.qualified => Flags::UNKNOWN_FUNCTION,
            Kind::Word => self.own_function(word),
            _ => self.own_function(&word[1..word.len() - 1]) | Flags::UNKNOWN_FUNCTION,
        }
    }

    fn own_function(&self, word: &[u8]) -> Flags {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        match word.len() {
            8 if is("get_lock") => Flags::USER_LOCK,
            12 if is("release_lock") => Flags::USER_UNLOCK,
            17 if is("release_all_locks") => Flags::USER_UNLOCK,
            12 if is("is_used_lock") => Flags::SHOWS_CONNECTIONS,
            12 if is("is_free_lock") => Flags::NONE,
            9 if is("row_count") => Flags::READS_ROW_COUNT,
            10 if is("found_rows") => Flags::READS_FOUND_ROWS,
            13 if is("connection_id") => Flags::READS_CONNECTION_ID,
            14 if is("last_insert_id") => self.last_insert_id(),
            7 if is("nextval") || is("lastval") || is("currval") => Flags::SEQUENCE,
            6 if is("setval") => Flags::SEQUENCE,
            _ => Flags::UNKNOWN_FUNCTION,
        }
    }

    fn last_insert_id(&self) -> Flags {
        let sql = self.lexer.sql();
        match self.lexer.clone().next() {
            Some(token) if sql[token.start] == b')' => Flags::READS_LAST_INSERT_ID,
            _ => Flags::SETS_LAST_INSERT_ID,
        }
    }
}

// `performance_schema.processlist`, with or without backticks.
/// Tables of the server's that name connections by their ids.
pub fn lists_connections(name: &[u8]) -> bool {
    let plain = || name.trim_ascii().iter().filter(|byte| **byte != b'`').map(u8::to_ascii_lowercase);
    [&b"processlist"[..], b"innodb_trx", b"metadata_lock_info"].iter().any(|table| plain().eq(table.iter().copied()))
}

fn variable_flags(name: &[u8]) -> Flags {
    let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
    match name.len() {
        14 if is("last_insert_id") => Flags::READS_LAST_INSERT_ID,
        8 if is("identity") => Flags::READS_LAST_INSERT_ID,
        13 if is("warning_count") => Flags::READS_DIAGNOSTICS,
        11 if is("error_count") => Flags::READS_DIAGNOSTICS,
        16 if is("pseudo_thread_id") => Flags::READS_CONNECTION_ID,
        _ => Flags::NONE,
    }
}

// No word: a comma outside of parentheses, and RECURSIVE, which is too long for a key.
const COMMA: u64 = 0x2c;
const RECURSE: u64 = 0x2c2c;

const AVG: u64 = pack("avg");
const BIT_AND: u64 = pack("bit_and");
const BIT_OR: u64 = pack("bit_or");
const BIT_XOR: u64 = pack("bit_xor");
const COUNT: u64 = pack("count");
const CURRVAL: u64 = pack("currval");
const DELETE: u64 = pack("delete");
const ERRORS: u64 = pack("errors");
const EXCEPT: u64 = pack("except");
const FETCH: u64 = pack("fetch");
const FOR: u64 = pack("for");
const GRANTS: u64 = pack("grants");
const INSERT: u64 = pack("insert");
const INTO: u64 = pack("into");
const KEY: u64 = pack("key");
const LASTVAL: u64 = pack("lastval");
const LIMIT: u64 = pack("limit");
const LOCAL: u64 = pack("local");
const LOCK: u64 = pack("lock");
const MAX: u64 = pack("max");
const MIN: u64 = pack("min");
const NEXTVAL: u64 = pack("nextval");
const OFFSET: u64 = pack("offset");
const PROFILE: u64 = pack("profile");
const PROFILES: u64 = pack("profiles");
const REPLACE: u64 = pack("replace");
const ROW: u64 = pack("row");
const SELECT: u64 = pack("select");
const SESSION: u64 = pack("session");
const SET: u64 = pack("set");
const SETVAL: u64 = pack("setval");
const SHOW: u64 = pack("show");
const STATUS: u64 = pack("status");
const STD: u64 = pack("std");
const STDDEV: u64 = pack("stddev");
const SUM: u64 = pack("sum");
const TABLE: u64 = pack("table");
const THREADS: u64 = pack("threads");
const UNION: u64 = pack("union");
const UPDATE: u64 = pack("update");
const VALUE: u64 = pack("value");
const VALUES: u64 = pack("values");
const VARIANCE: u64 = pack("variance");
const VAR_POP: u64 = pack("var_pop");
const VAR_SAMP: u64 = pack("var_samp");
const WARNINGS: u64 = pack("warnings");
const WITH: u64 = pack("with");
