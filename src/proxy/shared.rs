//! What a client of mode `transaction` is, whichever backend serves it: its state, what holds it where it is, and what
//! replies say of both.

mod by_text;
mod lacking;
mod lost;
mod made;
mod numbers;
mod restart;
mod unannounced;

use std::sync::Arc;
use std::time::Instant;

use crate::proxy::added::Added;
use crate::proxy::connect::Connector;
use crate::proxy::setup::{Fresh, Questions, Room};
use crate::proxy::user_locks::UserLocks;
use crate::session::baseline::Baseline;
use crate::session::last::found_rows::{Found, Unchanged};
use crate::session::last::{Diagnostics, Last};
use crate::session::outcome::{Announced, Announcing, AtEof};
use crate::session::pins::Ledger;
use crate::session::reason::{Hold, Holds, Pin};
use crate::session::restore::Standing;
use crate::session::state::{Collation, State, TooMuch};
use crate::session::statements::ClientStatements;
use crate::session::wide::is_wide;
use crate::sql::dialect::Dialect;
use crate::wire::announce::{self, Asked, Told, Ways};
use crate::wire::capabilities::{Capabilities, DEPRECATE_EOF, SESSION_TRACK};
use crate::wire::reply::Facts;
use crate::wire::status;
use crate::wire::trackers::{Tracked, Tracker};
use crate::wire::variable_names::charset_of;

pub use lacking::Lacking;

/// See the module.
pub struct Shared {
    /// What is carried.
    pub state: State,
    /// What its login had.
    pub baseline: Arc<Baseline>,
    /// What keeps its backend.
    pub ledger: Ledger,
    /// Its prepared statements, by its own ids.
    pub statements: ClientStatements,
    /// What its last statement left behind.
    pub last: Last,
    /// The backend at hand has run its last statement.
    pub is_here: bool,
    /// The warnings that the last reply counted; `None`: it was an error.
    pub warnings: Option<u16>,
    /// The flags of its last reply that had any; `None`: there was none yet.
    status: Option<u16>,
    /// The locks that it may have.
    pub locks: UserLocks,
    /// Its own `session_track_*`.
    pub asked: Asked,
    /// The variables that the command at hand was answered with.
    heard: Vec<Box<[u8]>>,
    /// Of these, names of variables whose values may have been for the statement alone.
    pub doubted: Vec<Box<[u8]>>,
    /// What it was told of its transaction without having asked.
    told: Told,
    /// It agreed on `SESSION_TRACK`: what it asked for is announced to it.
    tracks: bool,
    /// How its statements are to be read.
    pub dialect: Dialect,
    /// What its servers can announce.
    pub announcing: Announcing,
    /// How it gets a backend.
    pub connector: Connector,
    /// Its account must have logged in on a backend no earlier: the rights of a session are those of its beginning, or of
    /// `auth.recheck` before.
    pub rights_from: Option<Instant>,
    /// The server has no trackers, and settings may have changed: they are to be read.
    pub unread: bool,
    /// When the first of the stored programs was called that the ledger has.
    pub called_since: Option<Instant>,
    /// It has used GET DIAGNOSTICS in a way that no other backend can answer.
    pub asks_for_diagnostics: bool,
    /// Read at once, see `added`.
    pub(super) added: Option<Box<Added>>,
    /// A mark was put on the backend for the errors and warnings of before.
    pub(super) marked: bool,
    /// Which of its lists of errors and warnings was the last that a backend had.
    pub(super) conditions: u32,
    /// The backend may be taken away while the client is idle.
    pub offered: bool,
    /// The backend at hand does not have the client's schema.
    pub lacks_schema: Option<Box<Lacking>>,
    /// COM_RESET_CONNECTION was answered, and what it made of the session is not known: another backend must be reset.
    pub is_to_be_reset: bool,
    /// What a backend that died had of the session, and nobody knows: see [`Shared::asks_for_lost`].
    pub lost: Holds,
    /// Since its COM_RESET_CONNECTION the client has chosen no schema: `character_set_database` is the server's, not the schema's.
    pub has_reset_schema: bool,
    capabilities: Capabilities,
    questions: Arc<Questions>,
    server: Dialect,
    /// The character sets of the client's own login.
    of_login: State,
    /// The collation that SET NAMES named, on a server that announces nothing.
    named: Option<Box<[u8]>>,
    /// The same of character_set_client.
    client_named: Option<Box<[u8]>>,
    /// See [`Shared::note_insert_id`].
    unchanged_id: Option<(u64, u64)>,
    /// FOUND_ROWS() as it was before what stands on the backend.
    unchanged_rows: Option<Unchanged>,
}

impl Shared {
    /// A client whose login gave this. `server`: the dialect of its kind and version.
    pub fn new(
        fresh: &Fresh,
        questions: Arc<Questions>,
        server: Dialect,
        client: Capabilities,
        connector: Connector,
    ) -> Shared {
        let trackers = questions.trackers(client, Room::Ample).is_some();
        let at_eof = match (client.has(DEPRECATE_EOF), server.mariadb) {
            (true, _) => AtEof::Sent,
            (false, true) => AtEof::Lost,
            (false, false) => AtEof::Later,
        };
        let mut shared = Shared {
            state: fresh.state.clone(),
            baseline: Arc::clone(&fresh.baseline),
            ledger: Ledger::default(),
            statements: ClientStatements::default(),
            last: Last::fresh(),
            is_here: false,
            warnings: Some(0),
            status: None,
            locks: UserLocks::default(),
            asked: fresh.asked.clone(),
            heard: Vec::new(),
            doubted: Vec::new(),
            told: Told::default(),
            tracks: client.has(SESSION_TRACK),
            dialect: server,
            announcing: Announcing { trackers, transactions: trackers && at_eof != AtEof::Lost, at_eof },
            capabilities: client,
            connector,
            rights_from: None,
            unread: false,
            offered: false,
            lacks_schema: None,
            is_to_be_reset: false,
            has_reset_schema: false,
            lost: Holds::NONE,
            called_since: None,
            asks_for_diagnostics: false,
            added: None,
            marked: false,
            conditions: 0,
            questions,
            server,
            of_login: fresh.state.clone(),
            named: None,
            client_named: None,
            unchanged_id: None,
            unchanged_rows: None,
        };
        shared.note_dialect();
        shared.note_baseline();
        shared
    }

    /// From now on what the session has not set is as this login gave it.
    pub fn adopt(&mut self, baseline: Arc<Baseline>) {
        self.baseline = baseline;
        self.note_dialect();
        self.note_baseline();
    }

    /// Where the server keeps the texts of all sessions' statements, nobody shares a connection.
    fn note_baseline(&mut self) {
        if self.baseline.keeps_texts() {
            self.ledger.pin(Pin::UnexplainedState);
        }
    }

    /// Whether its servers are MariaDB.
    pub fn is_mariadb(&self) -> bool {
        self.server.mariadb
    }

    /// Where a backend must stand to serve it.
    pub fn standing(&self) -> Standing<'_> {
        Standing { state: &self.state, baseline: &self.baseline }
    }

    /// Nothing keeps the backend, and all of the state is known.
    #[inline]
    pub fn is_free(&self) -> bool {
        self.ledger.is_free() && self.settings_are_known() && self.last_is_known()
    }

    /// Nothing was set that only the backend knows the value of.
    #[inline]
    pub fn settings_are_known(&self) -> bool {
        !self.unread && self.state.collation() == Collation::Known && self.doubted.is_empty()
    }

    /// Whether each statement is a transaction of its own, where none was begun.
    pub fn autocommits(&self) -> bool {
        self.state
            .variable(b"autocommit")
            .or_else(|| self.baseline.get(b"autocommit"))
            .is_none_or(|value| value != b"0" && !value.eq_ignore_ascii_case(b"OFF"))
    }

    #[inline]
    fn last_is_known(&self) -> bool {
        self.last.unread().is_empty() && self.last.diagnostics != Diagnostics::TooMuch
    }

    /// A reply had these flags.
    pub fn note_status(&mut self, status: Option<u16>) {
        self.status = status.or(self.status);
    }

    /// The flags of an OK that tidegate gives in the server's place.
    pub fn status(&self) -> u16 {
        let at_login = if self.autocommits() { status::AUTOCOMMIT } else { 0 };
        let last = self.status.unwrap_or(at_login) & OF_OWN_OK;
        // What an error has ended, no flags have told.
        match self.ledger.pins().has(Pin::Transaction) {
            true => last | status::IN_TRANS,
            false => last & !(status::IN_TRANS | status::IN_TRANS_READONLY),
        }
    }

    /// LAST_INSERT_ID() is to be read, and was `id` for the client, but `there` on the backend: if it is that again when it is
    /// read, no statement has changed it.
    pub fn note_insert_id(&mut self, id: Option<u64>, there: Option<u64>) {
        self.unchanged_id = match (self.last.last_insert_id, id, there) {
            (None, Some(id), Some(there)) if id != there => Some((there, id)),
            (None, None, _) => self.unchanged_id,
            _ => None,
        };
    }

    /// LAST_INSERT_ID() is to be read, and may be another one than the backend says.
    pub fn insert_id_is_unsure(&self) -> bool {
        self.unchanged_id.is_some()
    }

    /// LAST_INSERT_ID() was read. What it is on the backend.
    pub fn take_insert_id(&mut self) -> Option<u64> {
        let read = self.last.last_insert_id;
        if let Some((there, id)) = self.unchanged_id.take()
            && read == Some(there)
        {
            self.last.last_insert_id = Some(id);
        }
        read
    }

    /// A command begins: nothing was announced for it.
    pub fn begin(&mut self) {
        self.heard.clear();
    }

    /// A command has run, and made `left` of FOUND_ROWS(), which before it was `there` on the backend and `own` for the client.
    pub fn note_found_rows(&mut self, left: Found, there: Option<u64>, own: Option<u64>, facts: &Facts) {
        match (self.last.found_rows, own) {
            // What stood there before is not known either.
            (None, None) if left != Found::Counted => {}
            (None, _) => self.unchanged_rows = Unchanged::new(left, own, there, facts),
            (Some(_), _) => self.unchanged_rows = None,
        }
    }

    /// FOUND_ROWS() is to be read, and may be another one than the backend says.
    pub fn found_rows_are_unsure(&self) -> bool {
        self.unchanged_rows.is_some()
    }

    /// FOUND_ROWS() was read.
    pub fn take_found_rows(&mut self) {
        if let (Some(unchanged), Some(read)) = (self.unchanged_rows.take(), self.last.found_rows) {
            self.last.found_rows = Some(unchanged.own(read));
        }
    }

    /// Takes an OK packet's announcements in, and appends the payload as the client may see it. `keeps_schema`: its statement
    /// chooses no schema. `None`: it is malformed.
    pub fn hear(
        &mut self,
        payload: &[u8],
        keeps_schema: bool,
        announced: &mut Announced,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let tracked = Tracked::parse(payload)?;
        let is_ones_own = |tracker: Tracker<'_>| match tracker {
            Tracker::Schema(name) => self.state.schema() == Some(name),
            _ => false,
        };
        let repeats_schema = keeps_schema && self.server.mariadb && tracked.trackers.into_iter().any(is_ones_own);
        // The character set takes its collation away, whichever comes first in the packet.
        let is_collation =
            |tracker: &Tracker<'_>| matches!(tracker, Tracker::Variable { name: b"collation_connection", .. });
        for tracker in tracked.trackers {
            announced.take(tracker);
            if !is_collation(&tracker) {
                self.take(tracker);
            }
        }
        tracked.trackers.filter(is_collation).for_each(|tracker| self.take(tracker));
        self.put_announced(out, payload, repeats_schema)
    }

    /// Appends an OK payload as the client may see it. `None`: it is malformed.
    pub fn put_ok(&mut self, out: &mut Vec<u8>, payload: &[u8]) -> Option<()> {
        self.put_announced(out, payload, false)
    }

    fn put_announced(&mut self, out: &mut Vec<u8>, payload: &[u8], repeats_schema: bool) -> Option<()> {
        let one_name_for_flags = self.questions.has_one_name_for_flags();
        let ways = Ways { mariadb: self.server.mariadb, one_name_for_flags, repeats_schema };
        announce::put_ok(out, payload, self.tracks.then_some(&self.asked), ways, &mut self.told)
    }

    fn take(&mut self, tracker: Tracker<'_>) {
        let noted = match tracker {
            Tracker::Variable { name, value } => {
                if !self.heard.iter().any(|own| own.eq_ignore_ascii_case(name)) {
                    self.heard.push(name.to_ascii_lowercase().into());
                }
                self.set(name, value)
            }
            Tracker::Schema(name) => {
                self.has_schema(Some(name).filter(|name| !name.is_empty()));
                Ok(())
            }
            _ => Ok(()),
        };
        self.keep(noted);
    }

    /// The server said that the variable has this value now.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), TooMuch> {
        match self.baseline.is(name, value) {
            true => self.state.unset(name)?,
            false => self.state.set(name, value).map(drop)?,
        }
        // What tidegate asks would be answered in that way, too.
        let is_hard_to_read = match name {
            b"character_set_results" => is_wide(value),
            b"resultset_metadata" => value.eq_ignore_ascii_case(b"NONE"),
            _ => false,
        };
        if is_hard_to_read {
            self.ledger.pin(Pin::UnexplainedState);
        }
        self.note_dialect();
        Ok(())
    }

    /// More than can be carried stays on its backend.
    pub fn keep(&mut self, noted: Result<(), TooMuch>) {
        if noted.is_err() {
            self.ledger.pin(Pin::UnexplainedState);
        }
    }

    fn note_dialect(&mut self) {
        let modes = self.baseline.get(b"sql_mode").unwrap_or_default();
        let has = |mode: &[u8]| modes.split(|byte| *byte == b',').any(|own| own == mode);
        let base = Dialect {
            ansi_quotes: has(b"ANSI_QUOTES"),
            no_backslash_escapes: has(b"NO_BACKSLASH_ESCAPES"),
            ..self.server
        };
        self.dialect = self.state.dialect(base);
    }

    /// What was read of the session's settings, where nobody announced them.
    /// `trackers`: the client's own are in force there.
    pub fn read(&mut self, answers: Vec<crate::proxy::statement::Rows>, trackers: bool) {
        let Some(mut values) = self.questions.values(answers) else { return self.ledger.pin(Pin::UnexplainedState) };
        if values.iter().any(|(_, value)| value.contains(&0)) {
            return self.ledger.pin(Pin::UnexplainedState);
        }
        values.sort_by_key(|(name, _)| &**name == "collation_connection");
        for (name, value) in values.into_iter().filter(|(name, _)| !matches!(&**name, "init_connect" | "role")) {
            if name.starts_with("session_track_") {
                if trackers {
                    self.asked.set(name.as_bytes(), &value);
                }
                continue;
            }
            self.note_read(name.as_bytes(), &value);
        }
        if let Some(collation) = self.named.take()
            && self.state.variable(b"collation_connection") == Some(&collation)
        {
            let charset = self.state.variable(b"character_set_connection").unwrap_or_default();
            if let Some(results) = self.questions.results_with(charset, &collation) {
                let noted = self.set(b"character_set_results", &results);
                self.keep(noted);
            }
        }
        if let Some(collation) = self.client_named.take()
            && let Some(named) = self.questions.results_with(charset_of(&collation), &collation)
        {
            self.client_stands_for(charset_of(&collation), &named);
        }
        self.unread = false;
    }

    /// A variable was read.
    pub fn note_read(&mut self, name: &[u8], value: &[u8]) {
        let known = match self.state.variable(name) {
            Some(own) if name == b"character_set_results" && self.questions.describes(own, value) => true,
            Some(own) => crate::session::baseline::same(own, value),
            None => self.baseline.is(name, value),
        };
        if !known {
            let noted = self.set(name, value);
            self.keep(noted);
        }
    }

    /// The statements that read them.
    pub fn questions(&self, room: Room) -> Vec<String> {
        self.questions.sql(room).to_vec()
    }

    /// The statement after which the server announces what tidegate must know.
    pub fn trackers(&self, room: Room) -> Option<&str> {
        self.questions.trackers(self.capabilities, room)
    }

    /// Why the backend is kept, for labels and records; empty: it is not.
    pub fn reason(&self) -> &'static str {
        if let Some(pin) = self.ledger.pins().iter().next() {
            return pin.name();
        }
        let names = self.ledger.holds().iter().filter(|hold| Holds::BEYOND_LAST.has(*hold));
        match names.chain(self.last.unread().iter()).next() {
            Some(hold) => hold.name(),
            None if !self.is_free() => Hold::Diagnostics.name(),
            None => "",
        }
    }
}

const OF_OWN_OK: u16 = (status::OF_SESSION | status::IN_TRANS_READONLY) & !status::SESSION_STATE_CHANGED;
