//! The ledger: which pins and holds a client has on its backend, each with its beginning and its end.
//!
//! A pin ends only when its end was *seen*: in an OK's flags or trackers, or in the text of a statement that
//! succeeded. After an ERR nothing ends. What nobody explains is a pin of its own.

mod names;

use crate::session::outcome::{Announcing, AtEof, Outcome};
use crate::session::pins::names::Names;
use crate::session::reason::{Hold, Holds, Pin, Pins};
use crate::session::state::State;
use crate::sql::assign::{Assignment, Scope, Target};
use crate::sql::catalog_reads::reads_catalog_alone;
use crate::sql::details::{Detail, Name, details, unquoted};
use crate::sql::dialect::Dialect;
use crate::sql::effects::{Statement, Summary, statements, summary};
use crate::sql::flags::Flags;
use crate::sql::lexer::Kind;
use crate::sql::routines::{Routine, called};
use crate::sql::verb::Verb;

/// A text and how it ended.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The text: of a query, or of the prepared statement that was executed.
    pub sql: &'a [u8],
    /// How it was read.
    pub dialect: Dialect,
    /// The schema that was in force before it.
    pub schema: Option<&'a [u8]>,
    /// How it ended.
    pub outcome: &'a Outcome,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    pins: Pins,
    holds: Holds,
    /// An ERR came, and no status flags since: ask before the backend is given away.
    flags_unknown: bool,
    /// `SET session_track_*` ran: tidegate's own settings are not in force.
    blinded: bool,
    /// An XA transaction was prepared: a reset would roll it back.
    xa_prepared: bool,
    /// A transaction was seen open since the next one's characteristics were set.
    next_began: bool,
    /// Without autocommit, a savepoint was set before anything was read or written.
    savepoint: bool,
    names: Option<Box<Names>>,
}

/// Whether a prepared statement of this text has the types of its user variables for good.
pub fn types_variables(sql: &[u8], dialect: Dialect) -> bool {
    keeps_types(dialect) && summary(sql, dialect).flags.has(Flags::USES_USER_VARIABLE)
}

/// Whether the server reads a prepared statement by the types of its first execution's parameters from then on: MySQL 8.0.22 and
/// later.
pub fn keeps_types(dialect: Dialect) -> bool {
    !dialect.mariadb && dialect.version >= 80_022
}

/// Whether a text sets user variables by `:=` that have no value in this state. One that was never set is NULL to such a statement
/// to its end, whatever it is set to; one that is there, be it NULL, has the value that it was given last.
pub fn sets_new_variables(sql: &[u8], dialect: Dialect, state: &State) -> bool {
    let is_new = |name: &[u8]| state.user_variables().all(|(known, _)| *known != *variable(name));
    memchr::memmem::find(sql, b":=").is_some()
        && statements(sql, dialect).filter(|statement| statement.flags.has(Flags::SETS_USER_OTHER)).any(|statement| {
            let found = details(sql, dialect, &statement);
            found.iter().any(|found| matches!(found, Detail::UserVariable(name) if is_new(name.of(sql))))
        })
}

/// Whether a server of this kind answers wrongly where a statement that was executed with a cursor is executed without: by
/// an OK instead of rows, so that the reply has no end. Seen on MySQL 9, and not on 5.6.
pub fn keeps_cursors(dialect: Dialect) -> bool {
    !dialect.mariadb && dialect.version >= 50_700
}

impl Ledger {
    /// Why the backend cannot be given away.
    #[inline]
    pub fn pins(&self) -> Pins {
        self.pins
    }

    /// What is to be read from it before it is.
    #[inline]
    pub fn holds(&self) -> Holds {
        self.holds
    }

    /// Nothing keeps the backend, and nothing is to be read but what [`crate::session::last::Last`] knows of.
    #[inline]
    pub fn is_free(&self) -> bool {
        let holds = self.holds.has_any(Holds::BEYOND_LAST);
        self.pins.is_empty() && !holds && !self.flags_unknown && !self.blinded
    }

    /// An ERR came last: COM_PING's OK has the flags, for [`Ledger::status`]. MariaDB tells what trackers a failed
    /// statement left only in the reply to a query (SHOW WARNINGS keeps what it must), MySQL to COM_PING too.
    pub fn needs_status(&self) -> bool {
        self.flags_unknown
    }

    /// The client has set `session_track_*`: read them, what else its statement set, and set tidegate's own again;
    /// then [`Ledger::sees_again`].
    pub fn is_blinded(&self) -> bool {
        self.blinded
    }

    /// See [`Ledger::is_blinded`].
    pub fn sees_again(&mut self) {
        self.blinded = false;
    }

    /// If the client goes now: close the connection, for a reset would roll a prepared XA transaction back.
    pub fn must_close(&self) -> bool {
        self.xa_prepared
    }

    /// A query or an execution ended. For a prepared statement's execution the text is the prepared one.
    pub fn ran(&mut self, run: Run<'_>, server: Announcing) {
        let all = summary(run.sql, run.dialect);
        let many = all.statements > 1;
        self.holds_of(all.flags, run.outcome);
        for statement in statements(run.sql, run.dialect) {
            match run.outcome.failed {
                false => self.succeeded(&run, &statement, many),
                true => self.may_have_run(&run, &statement, many),
            }
        }
        self.unexplained(&run, &all, server);
        self.trackers(run.outcome);
        // In a text of several the transaction that was seen may have been the one before.
        let saw = run.outcome.saw_transaction() && !all.flags.has(Flags::SETS_NEXT_TRANSACTION);
        self.next_began |= saw && self.pins.has(Pin::NextTransaction);
        self.status(run.outcome);
    }

    /// Status flags came: of a COM_PING, or of any other command that is no statement.
    pub fn status(&mut self, outcome: &Outcome) {
        let Some(open) = outcome.in_transaction() else {
            self.flags_unknown |= outcome.failed;
            // It may have ended since: nobody says so.
            if outcome.saw_transaction() {
                self.pins.set(Pin::Transaction, true);
            }
            return;
        };
        self.flags_unknown = false;
        self.next_began |= open && self.pins.has(Pin::NextTransaction);
        if !open && std::mem::take(&mut self.next_began) {
            self.pins.set(Pin::NextTransaction, false);
        }
        // The flags of a transaction that nothing was read in yet do not show it.
        self.savepoint &= !open && !outcome.autocommits();
        self.pins.set(Pin::Transaction, open || self.savepoint);
    }

    /// COM_STMT_EXECUTE of this statement ended (besides [`Ledger::ran`]): its long data is used up, and it may have
    /// opened a cursor.
    pub fn executed(&mut self, id: u32, outcome: &Outcome) {
        let names = self.names();
        // Of long data that it cannot take a statement complains until it is reset.
        if !outcome.failed {
            names.long_data.remove(&id);
        }
        match outcome.opened_cursor() && !outcome.failed {
            true => drop(names.cursors.insert(id)),
            false if outcome.failed => {}
            false => drop(names.cursors.remove(&id)),
        }
        self.named();
    }

    /// COM_STMT_FETCH ended.
    pub fn fetched(&mut self, id: u32, outcome: &Outcome) {
        if outcome.sent_last_row() {
            self.names().cursors.remove(&id);
            self.named();
        }
        self.status(outcome);
    }

    /// COM_STMT_PREPARE gave this id. MySQL 8.0.22 and later give user variables the types that they have now, and keep
    /// them: prepared on another backend later on, it would be another statement.
    pub fn prepared(&mut self, id: u32, sql: &[u8], dialect: Dialect) {
        if types_variables(sql, dialect) {
            self.names().typed.insert(id);
            self.named();
        }
    }

    /// COM_STMT_CLOSE was sent.
    pub fn forgotten(&mut self, id: u32) {
        self.names().typed.remove(&id);
        self.closed(id);
    }

    /// COM_STMT_CLOSE was sent, or COM_STMT_RESET answered with OK.
    pub fn closed(&mut self, id: u32) {
        let names = self.names();
        names.cursors.remove(&id);
        names.long_data.remove(&id);
        self.named();
    }

    /// Whether the statement of this id has variables with types of its own.
    pub fn is_typed(&self, id: u32) -> bool {
        self.names.as_ref().is_some_and(|names| names.typed.contains(&id))
    }

    /// Whether the statement of this id has a cursor open, or long data waiting.
    pub fn uses(&self, id: u32) -> bool {
        self.has_cursor(id) || self.has_long_data(id)
    }

    /// Whether the statement of this id has long data waiting.
    pub fn has_long_data(&self, id: u32) -> bool {
        self.names.as_ref().is_some_and(|names| names.long_data.contains(&id))
    }

    /// Whether the statement of this id has a cursor open.
    pub fn has_cursor(&self, id: u32) -> bool {
        self.names.as_ref().is_some_and(|names| names.cursors.contains(&id))
    }

    /// A command that is no statement ended; where it failed, its error is there to be asked for.
    pub fn command(&mut self, outcome: &Outcome) {
        if outcome.failed || outcome.warnings > 0 {
            self.holds.set(Hold::Diagnostics, true);
        }
        self.status(outcome);
    }

    /// COM_STMT_SEND_LONG_DATA was sent.
    pub fn long_data(&mut self, id: u32) {
        self.names().long_data.insert(id);
        self.named();
    }

    /// The server asked for a file (or the client has sent it).
    pub fn local_infile(&mut self, open: bool) {
        self.pins.set(Pin::LocalInfile, open);
    }

    /// Something that only the caller can know: COM_BINLOG_DUMP, an unknown command, state that could not be carried.
    pub fn pin(&mut self, reason: Pin) {
        self.pins.set(reason, true);
    }

    /// The server was asked, and none of the session's GET_LOCK()s is left.
    pub fn user_locks_are_gone(&mut self) {
        self.pins.set(Pin::UserLock, false);
    }

    /// It is kept for a time or seeds, which nothing uses up.
    pub fn freeze_for_good(&mut self) {
        self.names().frozen_for_good = true;
        self.pins.set(Pin::Frozen, true);
    }

    /// Whether the session is kept for its next insert id alone, which an INSERT takes.
    pub fn waits_for_insert(&self) -> bool {
        self.pins.has(Pin::Frozen) && self.names.as_ref().is_none_or(|names| !names.frozen_for_good)
    }

    /// The server was asked, and `@@insert_id` is 0.
    pub fn insert_id_is_used(&mut self) {
        if self.waits_for_insert() {
            self.pins.set(Pin::Frozen, false);
        }
    }

    /// What the hold protects was read, and is the caller's now.
    pub fn saved(&mut self, hold: Hold) {
        self.holds.set(hold, false);
        let Some(names) = &mut self.names else { return };
        match hold {
            Hold::UserVariables => names.variables.clear(),
            Hold::Routines => names.routines.clear(),
            _ => {}
        }
    }

    /// The procedures and functions that [`Hold::Routines`] is about, each with its schema.
    pub fn routines_to_read(&self) -> impl Iterator<Item = &Routine> {
        self.names.iter().flat_map(|names| names.routines.iter())
    }

    /// The user variables that [`Hold::UserVariables`] is about, in small letters, without `@`.
    pub fn variables_to_read(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().flat_map(|names| names.variables.iter().map(|name| &**name))
    }

    /// A user variable has a value that is to be read before the backend goes. `name` in small letters, without `@`.
    pub fn read_later(&mut self, name: &[u8]) {
        self.names().variables.insert(name.into());
        self.named();
    }

    /// A user variable has a value that is known.
    pub fn is_known(&mut self, name: &[u8]) {
        if let Some(names) = &mut self.names
            && names.variables.remove(name)
        {
            self.named();
        }
    }

    /// COM_RESET_CONNECTION or COM_CHANGE_USER succeeded, or the connection is gone: all is over.
    pub fn reset(&mut self) {
        *self = Ledger::default();
    }

    fn names(&mut self) -> &mut Names {
        self.names.get_or_insert_default()
    }

    /// Brings the pins that stand for names in line with them.
    fn named(&mut self) {
        let Some(names) = &self.names else { return };
        for (pin, on) in [
            (Pin::TemporaryTable, !names.tables.is_empty()),
            (Pin::SqlPrepare, !names.prepared.is_empty() || !names.typed.is_empty()),
            (Pin::Handler, !names.handlers.is_empty()),
            (Pin::GlobalLock, !names.global_locks.is_empty()),
            (Pin::Cursor, !names.cursors.is_empty()),
            (Pin::LongData, !names.long_data.is_empty()),
        ] {
            self.pins.set(pin, on);
        }
        self.holds.set(Hold::UserVariables, !names.variables.is_empty());
        self.holds.set(Hold::Routines, !names.routines.is_empty());
        if names.are_nothing() {
            self.names = None;
        }
    }

    fn holds_of(&mut self, flags: Flags, outcome: &Outcome) {
        let reads_only = flags.has(Flags::READS_DIAGNOSTICS) && !outcome.failed;
        if !reads_only {
            self.holds.set(Hold::Diagnostics, outcome.failed || outcome.warnings > 0);
        }
        let unknown = flags.any(UNKNOWN_EFFECTS);
        self.holds.set(Hold::FoundRows, flags.has(Flags::CALC_FOUND_ROWS) || unknown);
        self.holds.set(Hold::RowCount, unknown);
        if outcome.insert_id || flags.has(Flags::SETS_LAST_INSERT_ID) || unknown {
            self.holds.set(Hold::LastInsertId, true);
        }
        if flags.has(Flags::SETS_ROLE) {
            self.holds.set(Hold::Role, true);
        }
        self.blinded |= flags.has(Flags::SETS_TRACKERS);
    }

    fn succeeded(&mut self, run: &Run<'_>, statement: &Statement, many: bool) {
        self.begins(run, statement, many);
        let flags = statement.flags;
        self.savepoint = flags.has(Flags::SAVEPOINT) || self.savepoint && !flags.has(Flags::ENDS);
        // So does a transaction that begins.
        if flags.any(Flags::UNLOCKS_TABLES.with(Flags::BEGINS)) {
            self.pins.set(Pin::TableLocks, false);
        }
        if flags.has(Flags::UNLOCKS_TABLES) {
            self.names().global_locks.remove(&names::GlobalLock::Tables);
        }
        if flags.has(Flags::XA_FINISH) {
            self.pins.set(Pin::Xa, false);
            self.xa_prepared = false;
        }
        self.xa_prepared |= flags.has(Flags::XA_PREPARE);
        if flags.has(Flags::GLOBAL_UNLOCK)
            && let Some(lock) = names::GlobalLock::of(run.sql, run.dialect, statement)
        {
            self.names().global_locks.remove(&lock);
        }
        for detail in details(run.sql, run.dialect, statement) {
            self.detail_ends(detail, run, many);
        }
        self.named();
    }

    fn detail_ends(&mut self, detail: Detail, run: &Run<'_>, many: bool) {
        match detail {
            Detail::TableDropped(name) if !many => {
                let key = table(name, run);
                self.names().tables.remove(&key);
            }
            Detail::Deallocated(name) => {
                let name = small(name.of(run.sql));
                self.names().prepared.remove(&name);
            }
            Detail::HandlerClosed(name) => {
                let name = small(name.name.of(run.sql));
                self.names().handlers.remove(&name);
            }
            _ => {}
        }
    }

    /// A failed text: of a single statement only what outlives its failure; of several, one may have succeeded.
    fn may_have_run(&mut self, run: &Run<'_>, statement: &Statement, many: bool) {
        let outlives = || statement.flags.any(OUTLIVES_FAILURE) && !is_no_statement(run);
        if many || outlives() {
            self.begins(run, statement, many);
            self.named();
        }
    }

    fn begins(&mut self, run: &Run<'_>, statement: &Statement, many: bool) {
        let flags = statement.flags;
        for (flag, pin) in BEGINS {
            if flags.any(*flag) {
                self.pins.set(*pin, true);
            }
        }
        if flags.has(Flags::SETS_NEXT_TRANSACTION) {
            self.next_began = false;
        }
        if flags.has(Flags::GLOBAL_LOCK) {
            let lock = names::GlobalLock::of(run.sql, run.dialect, statement).unwrap_or(names::GlobalLock::Unknown);
            self.names().global_locks.insert(lock);
        }
        if flags.has(Flags::RENAMES_TABLE) && self.pins.has(Pin::TemporaryTable) {
            self.names().tables.insert(names::Table::unknown());
        }
        let found = details(run.sql, run.dialect, statement);
        if flags.has(Flags::CREATES_TEMPORARY) && found.is_empty() {
            self.names().tables.insert(names::Table::unknown());
        }
        found.into_iter().for_each(|detail| self.detail_begins(detail, run, statement, many));
        if self.names.as_ref().is_some_and(|names| names.are_too_many()) {
            self.pins.set(Pin::UnexplainedState, true);
        }
    }

    fn detail_begins(&mut self, detail: Detail, run: &Run<'_>, statement: &Statement, many: bool) {
        match detail {
            // In a text of several the schema may have changed in between.
            Detail::TemporaryCreated(name) if many && name.schema.is_none() => {
                self.names().tables.insert(names::Table::unknown());
            }
            Detail::TemporaryCreated(name) => drop(self.names().tables.insert(table(name, run))),
            Detail::Prepared(name, text) => {
                let harmless = is_harmless(text.of(run.sql), run.dialect);
                self.names().prepared.insert(small(name.of(run.sql)), harmless);
            }
            Detail::Executed(name) => {
                let harmless = self.names().prepared.get(&small(name.of(run.sql))) == Some(&true);
                if !harmless {
                    self.pins.set(Pin::UnexplainedState, true);
                }
            }
            Detail::HandlerOpened(name) => drop(self.names().handlers.insert(small(name.name.of(run.sql)))),
            Detail::Assigned(item) => self.assigned(item, run.sql),
            // Which of them is set the flags do not say: all are read.
            Detail::UserVariable(name) if statement.flags.has(Flags::SETS_USER_OTHER) => {
                self.names().variables.insert(variable(name.of(run.sql)));
            }
            _ => {}
        }
    }

    fn assigned(&mut self, item: Assignment, sql: &[u8]) {
        let Target::System(Scope::Session | Scope::Bare, name) = item.target else { return };
        let value = item.value.of(sql).to_ascii_lowercase();
        match small(name.of(sql)).as_ref() {
            b"timestamp" if item.literal => {}
            b"last_insert_id" | b"identity" => self.holds.set(Hold::LastInsertId, true),
            b"insert_id" => self.pins.set(Pin::Frozen, true),
            b"gtid_next"
                if matches!(value.as_slice(), b"automatic" | b"'automatic'" | b"\"automatic\"" | b"default") => {}
            b"timestamp"
            | b"rand_seed1"
            | b"rand_seed2"
            | b"gtid_next"
            | b"gtid_seq_no"
            | b"skip_replication"
            | b"skip_parallel_replication" => self.freeze_for_good(),
            _ => {}
        }
    }

    /// What neither the text nor the trackers explain.
    fn unexplained(&mut self, run: &Run<'_>, all: &Summary, server: Announcing) {
        let (outcome, flags, many) = (run.outcome, all.flags, all.statements > 1);
        let calls = flags.any(CALLS_ROUTINES);
        let failed = outcome.failed && (many || flags.any(UNKNOWN_EFFECTS)) && !is_no_statement(run);
        let is_read_later = calls && !many && self.routines_are_read_later(run, flags);
        let lost = outcome.changed_at_eof && server.at_eof == AtEof::Lost && !flags.any(EXPLAINS_STATE_CHANGE);
        let announced = outcome.announced;
        let alters = self.pins.has(Pin::TemporaryTable) && first_word(run).eq_ignore_ascii_case(b"alter");
        let silent = announced.state_change && !flags.any(EXPLAINS_STATE_CHANGE) && !alters;
        let frozen = announced.frozen && !flags.has(Flags::SETS_FROZEN);
        // Settings are read again there, and what only reads changes none.
        let is_plain = !many && (flags.any(SETS_WHAT_IS_READ) || all.reads_only_by_its_words());
        let blind = !server.trackers && flags.has(Flags::EXECUTABLE_COMMENT) && !is_plain;
        let changed = (lost || silent) && !reads_catalog_alone(run.sql, run.dialect);
        if (calls || failed) && !is_read_later || changed || frozen || blind || announced.unexplained {
            self.pins.set(Pin::UnexplainedState, true);
        }
    }

    /// Whether all that is not known of the statement stands in stored programs that can be read by name.
    fn routines_are_read_later(&mut self, run: &Run<'_>, flags: Flags) -> bool {
        let is_opaque = flags.any(UNKNOWN_EFFECTS.without(CALLS_ROUTINES));
        // Of a SET that failed nobody knows how far it came.
        if is_opaque || run.outcome.failed && flags.any(EXPLAINS_STATE_CHANGE) {
            return false;
        }
        let schema = run.schema.and_then(|schema| std::str::from_utf8(schema).ok());
        let Some(called) = called(run.sql, run.dialect).filter(|called| !called.is_empty()) else { return false };
        let known = called.into_iter().map(|routine| match &routine.schema {
            Some(_) => Some(routine),
            None => Some(Routine { schema: Some(schema?.into()), ..routine }),
        });
        let Some(known) = known.collect::<Option<Vec<_>>>() else { return false };
        self.names().routines.extend(known);
        self.named();
        true
    }

    fn trackers(&mut self, outcome: &Outcome) {
        if let Some(locked) = outcome.announced.table_locks {
            self.pins.set(Pin::TableLocks, locked);
        }
        match outcome.announced.characteristics {
            Some(false) => self.pins.set(Pin::NextTransaction, false),
            Some(true) if outcome.in_transaction() == Some(false) => self.pins.set(Pin::NextTransaction, true),
            _ => {}
        }
    }
}

/// What begins as soon as a statement with the flag may have run.
const BEGINS: &[(Flags, Pin)] = &[
    (Flags::SETS_NEXT_TRANSACTION, Pin::NextTransaction),
    (Flags::XA_START, Pin::Xa),
    (Flags::LOCKS_TABLES, Pin::TableLocks),
    (Flags::USER_LOCK, Pin::UserLock),
    (Flags::SEQUENCE, Pin::Sequence),
    (Flags::UNEXPLAINED.with(Flags::EXECUTE_IMMEDIATE).with(Flags::COMPOUND), Pin::UnexplainedState),
];

/// What a statement does before it can fail.
const OUTLIVES_FAILURE: Flags = Flags::USER_LOCK
    .with(Flags::SETS_USER_OTHER)
    .with(Flags::SEQUENCE)
    .with(Flags::GLOBAL_LOCK)
    .with(Flags::EXECUTES)
    .with(Flags::EXECUTE_IMMEDIATE)
    .with(Flags::COMPOUND)
    .with(Flags::UNEXPLAINED);

/// What may run anything.
const UNKNOWN_EFFECTS: Flags = Flags::CALLS
    .with(Flags::UNKNOWN_FUNCTION)
    .with(Flags::EXECUTES)
    .with(Flags::EXECUTE_IMMEDIATE)
    .with(Flags::COMPOUND)
    .with(Flags::UNEXPLAINED);

/// What is read again, or known by the text, where nothing is announced.
const SETS_WHAT_IS_READ: Flags = Flags::SETS_SYSTEM.with(Flags::SETS_NAMES).with(Flags::SETS_USER_LITERAL);

/// What runs stored programs.
const CALLS_ROUTINES: Flags = Flags::CALLS.with(Flags::UNKNOWN_FUNCTION);

/// After which an announced change of state needs no other explanation: each has its own rule.
const EXPLAINS_STATE_CHANGE: Flags = Flags::SETS_SYSTEM
    .with(Flags::SETS_USER_LITERAL)
    .with(Flags::SETS_USER_OTHER)
    .with(Flags::SETS_NAMES)
    .with(Flags::SETS_ROLE)
    .with(Flags::SETS_FROZEN)
    .with(Flags::SETS_TRACKERS)
    .with(Flags::USES_SCHEMA)
    .with(Flags::CREATES_TEMPORARY)
    .with(Flags::DROPS_TABLE)
    .with(Flags::RENAMES_TABLE)
    .with(Flags::PREPARES)
    .with(Flags::DEALLOCATES);

/// A prepared text that leaves nothing behind: a string without escapes that reads only.
fn is_harmless(text: &[u8], dialect: Dialect) -> bool {
    let quoted = text.first() == Some(&b'\'') || (text.first() == Some(&b'"') && !dialect.ansi_quotes);
    let inner = unquoted(text);
    quoted && inner.len() + 2 == text.len() && !inner.contains(&b'\\') && summary(&inner, dialect).is_read_only()
}

/// Whether a text that the server could not parse is no statement at all, by its first word: nothing of it ran. In a known one that
/// runs others, and behind a label, it may have been one of those that could not be parsed.
fn is_no_statement(run: &Run<'_>) -> bool {
    if !run.outcome.syntax_error {
        return false;
    }
    let mut all = statements(run.sql, run.dialect);
    let Some(statement) = all.next().filter(|_| all.next().is_none()) else { return false };
    let mut tokens = statement.tokens(run.sql, run.dialect);
    let first = tokens.next();
    let has_label = tokens.next().is_some_and(|token| run.sql[token.start] == b':');
    statement.verb == Verb::Unknown && first.is_some_and(|first| first.kind == Kind::Word) && !has_label
}

fn first_word<'a>(run: &Run<'a>) -> &'a [u8] {
    let first = statements(run.sql, run.dialect).next().map(|statement| statement.span.of(run.sql));
    first.and_then(|text| text.split(|byte| !byte.is_ascii_alphabetic()).next()).unwrap_or_default()
}

fn table(name: Name, run: &Run<'_>) -> names::Table {
    let text = |span: crate::sql::assign::Span| small(span.of(run.sql));
    let schema = name.schema.map(text).or_else(|| run.schema.map(|schema| schema.to_ascii_lowercase().into()));
    names::Table { schema, name: Some(unquoted(name.name.of(run.sql)).into()) }
}

fn small(name: &[u8]) -> Box<[u8]> {
    unquoted(name).to_ascii_lowercase().into()
}

fn variable(name: &[u8]) -> Box<[u8]> {
    small(name.strip_prefix(b"@").unwrap_or(name))
}

#[cfg(test)]
mod tests;
