//! What a statement's text says that it has set, where the server announces it not at all, or not whole.

use super::Shared;
use super::made::without_body;
use crate::session::last::Ran;
use crate::session::last::found_rows::Found;
use crate::session::outcome::Outcome;
use crate::session::pins::Run;
use crate::session::quote::put_name;
use crate::session::reason::Pin;
use crate::session::state::{CLIENT_COLLATION, Collation, UserValue};
use crate::session::wide::is_wide;
use crate::sql::assign::{Assignment, Scope, Target};
use crate::sql::details::{Detail, details, unquoted, variable_name};
use crate::sql::dialect::Dialect;
use crate::sql::effects::{Statement, statements};
use crate::sql::flags::Flags;

/// How a text with a SET in it has run.
#[derive(Clone, Copy)]
struct Setting {
    failed: bool,
    /// It has several statements.
    many: bool,
    /// By which character sets it was read is not known.
    unsure: bool,
}

impl Shared {
    /// A text has run. `before`: the dialect and the schema that it was read with. Returns what it has made of FOUND_ROWS().
    pub fn ran(&mut self, ran: &Ran<'_>, schema: Option<&[u8]>, outcome: &Outcome) -> Found {
        let ran = &without_body(ran);
        let (sql, before, flags) = (ran.sql, ran.dialect, ran.summary.flags);
        let before_it = std::mem::take(&mut self.last.diagnostics);
        self.last.diagnostics = before_it.clone();
        let found = self.last.after(ran);
        self.last.diagnostics_failed(before_it.clone(), ran);
        self.note_added_by(ran, before_it);
        if !flags.any(LOUD) && !outcome.failed && !outcome.changed() && self.ledger.is_free() {
            self.ledger.status(outcome);
            return found;
        }
        let run = Run { sql, dialect: before, schema, outcome };
        self.ledger.ran(run, self.announcing);
        self.note_unannounced(sql, before, flags, outcome.failed);
        if flags.has(Flags::CALLS) {
            self.note_arguments(sql, before);
        }
        if !flags.any(SETS) {
            return found;
        }
        let many = statements(sql, before).nth(1).is_some();
        // By which character sets a string was read is not told where they are set beside it, or are still to be read.
        let unsure = self.unread || sets_charsets(sql, flags);
        for statement in statements(sql, before) {
            self.was_set(sql, before, &statement, Setting { failed: outcome.failed, many, unsure });
        }
        self.unread |= !self.announcing.trackers && flags.any(SETS_SETTINGS);
        found
    }

    /// A procedure may set the variables that it is called with.
    fn note_arguments(&mut self, sql: &[u8], dialect: Dialect) {
        for call in statements(sql, dialect).filter(|statement| statement.flags.has(Flags::CALLS)) {
            for detail in details(sql, dialect, &call) {
                if let Detail::UserVariable(name) = detail {
                    self.read_later(&variable_name(name.of(sql)));
                }
            }
        }
    }

    fn was_set(&mut self, sql: &[u8], dialect: Dialect, statement: &Statement, setting: Setting) {
        let Setting { failed, many, unsure } = setting;
        for detail in details(sql, dialect, statement) {
            match detail {
                Detail::Assigned(item) => self.assigned(sql, dialect, item, failed, unsure),
                Detail::UserVariable(name) if statement.flags.has(Flags::SETS_USER_OTHER) => {
                    self.read_later(&variable_name(name.of(sql)));
                }
                Detail::Schema(name) if !failed && !self.announcing.trackers => {
                    let name = unquoted(name.of(sql));
                    self.has_schema(Some(&name));
                    self.unread |= many;
                }
                Detail::SchemaDropped(name)
                    if !failed && !self.announcing.trackers && self.state.schema() == Some(&unquoted(name.of(sql))) =>
                {
                    self.has_schema(None);
                }
                _ => {}
            }
        }
    }

    fn assigned(&mut self, sql: &[u8], dialect: Dialect, item: Assignment, failed: bool, unsure: bool) {
        match item.target {
            Target::User(name) => {
                let name = variable_name(name.of(sql));
                let value = self.state.user_literal(item.value.of(sql), dialect).filter(|_| item.literal && !failed);
                let value = value.filter(|value| !unsure || matches!(value, UserValue::Literal(_)));
                // A name that no text can say safely is not carried: its backend is kept.
                let value = value.filter(|_| put_name(&mut String::new(), &name).is_some());
                match value {
                    Some(value) => {
                        let noted = self.state.set_user(&name, Some(value));
                        self.ledger.is_known(&name);
                        if noted.is_err() {
                            self.ledger.pin(Pin::UserVariable);
                        }
                    }
                    None => self.read_later(&name),
                }
            }
            Target::Names if !failed => self.names(item.value.of(sql)),
            Target::System(Scope::Session | Scope::Bare, name)
                if !failed && item.literal && unquoted(name.of(sql)).eq_ignore_ascii_case(b"timestamp") =>
            {
                let value = item.value.of(sql);
                let literal = Some(value).filter(|value| !value.eq_ignore_ascii_case(b"default"));
                let noted = self.state.set_timestamp(literal);
                self.keep(noted);
            }
            Target::System(Scope::Session | Scope::Bare, name)
                if !failed && unquoted(name.of(sql)).eq_ignore_ascii_case(b"character_set_client") =>
            {
                self.client_is_plain();
                if !self.server.mariadb && may_be_number(item.value.of(sql)) {
                    self.ledger.pin(Pin::UnexplainedState);
                }
            }
            Target::CharacterSet if !failed => {
                self.client_is_plain();
                if !self.announcing.trackers {
                    self.forget_results();
                }
            }
            Target::System(Scope::Session | Scope::Bare, name)
                if !failed && !self.announcing.trackers && is_results(&unquoted(name.of(sql))) =>
            {
                self.forget_results();
                if is_wide(&unquoted(item.value.of(sql))) {
                    self.ledger.pin(Pin::UnexplainedState);
                }
            }
            // Before it can be read, a COMMIT may have closed the connection by it.
            Target::System(Scope::Session | Scope::Bare, name)
                if !failed && !self.announcing.trackers && is_completion_type(&unquoted(name.of(sql))) =>
            {
                let noted = self.set(b"completion_type", completion_type(&unquoted(item.value.of(sql))));
                self.keep(noted);
            }
            _ => {}
        }
    }

    /// A user variable may have another value, which is to be read. `name` in small letters, without `@`.
    pub fn read_later(&mut self, name: &[u8]) {
        let _ = self.state.set_user(name, None);
        self.ledger.read_later(name);
    }

    /// character_set_client was set by the character set's name alone.
    fn client_is_plain(&mut self) {
        self.client_named = None;
        let noted = self.state.unset(CLIENT_COLLATION);
        self.keep(noted);
    }

    /// The character set that SET NAMES has named, as the server spells it.
    fn charset_of_names(&self, word: &[u8]) -> Vec<u8> {
        let word = unquoted(word).to_ascii_lowercase();
        let told = self.state.variable(b"character_set_client").unwrap_or_default();
        let is_alias = word == b"utf8" && told.starts_with(b"utf8");
        if word == b"default" || is_alias { told.to_vec() } else { word }
    }

    /// SET NAMES has named a collation of this character set, which character_set_client stands for, too.
    pub(super) fn client_stands_for(&mut self, charset: &[u8], named: &[u8]) {
        if self.state.variable(b"character_set_client") == Some(charset) {
            let noted = self.set(CLIENT_COLLATION, named);
            self.keep(noted);
        }
    }

    /// Results are described by the character set alone from now on: whatever is read next is another value.
    fn forget_results(&mut self) {
        self.named = None;
        let noted = self.state.set(b"character_set_results", b"?").map(drop);
        self.keep(noted);
    }

    /// `SET NAMES` of this value, which the servers announce without the collation.
    fn names(&mut self, value: &[u8]) {
        if !self.announcing.trackers {
            let words: Vec<&[u8]> = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
            let is_told = words.len() == 3 && words[1].eq_ignore_ascii_case(b"collate");
            self.named = is_told.then(|| unquoted(words[2]).to_ascii_lowercase().into());
            // Whatever is read next is another value.
            let noted = self.state.set(b"character_set_results", b"?").map(drop);
            self.client_is_plain();
            self.client_named.clone_from(&self.named);
            return self.keep(noted);
        }
        // On some connections MariaDB 11 announces the collation in place of its character set.
        let is_announced = self.state.collation() == Collation::Known;
        let mut words = value.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
        let (charset, collate, collation) = (words.next(), words.next(), words.next());
        let charset = self.charset_of_names(charset.unwrap_or_default());
        let is_told = collate.is_some_and(|word| word.eq_ignore_ascii_case(b"collate"));
        let collation = match (is_told, collation) {
            (true, Some(name)) => Some(unquoted(name).to_ascii_lowercase()),
            _ if self.has_own_collations() && is_announced => {
                self.state.variable(b"collation_connection").map(<[u8]>::to_vec)
            }
            _ if collate.is_some() || self.has_own_collations() => None,
            _ => self.questions.collation_of(&charset).map(<[u8]>::to_vec),
        };
        // Results are described by the collation that was named.
        if let Some(collation) = collation.as_deref().filter(|_| is_told || self.questions.maps_collations()) {
            match self.questions.results_with(&charset, collation) {
                Some(named) => {
                    let noted = self.set(b"character_set_results", &named);
                    self.keep(noted);
                    self.client_stands_for(&charset, &named);
                }
                None => self.ledger.pin(Pin::UnexplainedState),
            }
        }
        if let Some(collation) = collation.filter(|_| !is_announced) {
            let noted = self.set(b"collation_connection", &collation);
            self.keep(noted);
        }
    }

    /// The session says by a variable which collation a character set has.
    fn has_own_collations(&self) -> bool {
        [&b"default_collation_for_utf8mb4"[..], b"character_set_collations"]
            .iter()
            .any(|name| self.state.variable(name).is_some())
    }
}

fn sets_charsets(sql: &[u8], flags: Flags) -> bool {
    let says = |word: &[u8]| sql.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    flags.has(Flags::SETS_NAMES) || flags.has(Flags::SETS_SYSTEM) && (says(b"character_set") || says(b"collation"))
}

fn is_results(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"character_set_results")
}

/// MySQL takes a collation's number for its character set, and shows that.
fn may_be_number(value: &[u8]) -> bool {
    !unquoted(value).first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'@')
}

/// Trackers come with the server's own alone.
fn is_completion_type(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"completion_type")
}

/// The variable's value as the server says it.
fn completion_type(value: &[u8]) -> &'static [u8] {
    let value = value.strip_prefix(b"'").and_then(|value| value.strip_suffix(b"'")).unwrap_or(value);
    match value.to_ascii_uppercase().as_slice() {
        b"2" | b"RELEASE" => b"RELEASE",
        b"1" | b"CHAIN" => b"CHAIN",
        _ => b"NO_CHAIN",
    }
}

/// What may leave something behind in the session, or end what was there.
const LOUD: Flags = Flags::UNEXPLAINED
    .with(SETS)
    .with(Flags::SAVEPOINT)
    .with(Flags::EXECUTABLE_COMMENT)
    .with(Flags::BEGINS)
    .with(Flags::ENDS)
    .with(Flags::SETS_ROLE)
    .with(Flags::SETS_NEXT_TRANSACTION)
    .with(Flags::USER_LOCK)
    .with(Flags::USER_UNLOCK)
    .with(Flags::CREATES_TEMPORARY)
    .with(Flags::DROPS_TABLE)
    .with(Flags::RENAMES_TABLE)
    .with(Flags::PREPARES)
    .with(Flags::EXECUTES)
    .with(Flags::EXECUTE_IMMEDIATE)
    .with(Flags::DEALLOCATES)
    .with(Flags::HANDLER_OPEN)
    .with(Flags::HANDLER_CLOSE)
    .with(Flags::LOCKS_TABLES)
    .with(Flags::UNLOCKS_TABLES)
    .with(Flags::GLOBAL_LOCK)
    .with(Flags::GLOBAL_UNLOCK)
    .with(Flags::XA_START)
    .with(Flags::XA_PREPARE)
    .with(Flags::XA_FINISH)
    .with(Flags::CALLS)
    .with(Flags::UNKNOWN_FUNCTION)
    .with(Flags::CALC_FOUND_ROWS)
    .with(Flags::SETS_LAST_INSERT_ID)
    .with(Flags::COMPOUND)
    .with(Flags::SEQUENCE)
    .with(Flags::STORED_PROGRAM);

/// What sets something of the session.
const SETS: Flags = SETS_SETTINGS
    .with(Flags::SETS_USER_LITERAL)
    .with(Flags::SETS_USER_OTHER)
    .with(Flags::USES_SCHEMA)
    .with(Flags::DROPS_SCHEMA)
    .with(Flags::SETS_FROZEN)
    .with(Flags::SETS_TRACKERS);

/// What sets system variables of the session.
pub(super) const SETS_SETTINGS: Flags = Flags::SETS_SYSTEM
    .with(Flags::SETS_SYSTEM_EXPRESSION)
    .with(Flags::SETS_NAMES)
    .with(Flags::SETS_AUTOCOMMIT)
    .with(Flags::SETS_LEXING)
    .with(Flags::SETS_WAIT_TIMEOUT);
