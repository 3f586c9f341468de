//! Prepared statements of the binary protocol, shared by clients and backends.
//!
//! ```text
//!  client id --> Template (text, schema, sql_mode, character sets, user: one for all who prepared the same)
//!                   |
//!  backend:      Template --> backend id, prepared when first needed, the least recently used closed beyond a limit
//! ```
//!
//! A client's id never changes while the statement lives. Where a backend's own preparation finds other parameters or
//! columns than the client was told, the table has changed since: the client must be told as a server would.

mod copies;

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};

use rustc_hash::{FxHashMap, FxHasher};

use crate::session::state::State;
use crate::session::statements::copies::Copies;
use crate::session::type_history::TypeHistory;
use crate::sql::dialect::Dialect;
use crate::sql::effects::Summary;

/// MariaDB's id for "the statement prepared last".
pub const LAST_PREPARED: u32 = u32::MAX;

/// The variables by which a server reads a statement when it is prepared, for good: what they are when it is executed does not
/// matter. Beside `sql_mode` and the character sets; each server has some of them. All can be set within a transaction.
pub const READ_BY: [&str; 18] = [
    "block_encryption_mode",
    "character_set_collations",
    "default_collation_for_utf8mb4",
    "default_week_format",
    "div_precision_increment",
    "explain_format",
    "group_concat_max_len",
    "lc_time_names",
    "old_mode",
    "optimizer_switch",
    "sql_auto_is_null",
    "sql_buffer_result",
    "sql_if_exists",
    "system_versioning_asof",
    "time_zone",
    "updatable_views_with_limit",
    "use_secondary_engine",
    "windowing_use_high_precision",
];

/// What a prepared statement's meaning depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The statement's text.
    pub text: Box<[u8]>,
    /// The schema in which it was prepared.
    pub schema: Option<Box<[u8]>>,
    /// sql_mode, by which it is parsed once and for all.
    pub sql_mode: Box<[u8]>,
    /// character_set_client, character_set_connection and the collation.
    pub charset: Box<[u8]>,
    /// The values of [`READ_BY`].
    pub settings: Box<[u8]>,
    /// Whose rights it has.
    pub user: Box<[u8]>,
    /// Which of one client's statements that are all of this: each has its own cursor, and long data of its own.
    pub copy: u32,
}

impl Key {
    fn is_copy_of(&self, other: &Key) -> bool {
        self.text == other.text
            && self.schema == other.schema
            && self.sql_mode == other.sql_mode
            && self.charset == other.charset
            && self.settings == other.settings
            && self.user == other.user
    }

    /// Of all but the copy: the same for those of which [`Key::is_copy_of`] is true.
    fn hash_of_all_copies(&self) -> u64 {
        let Key { text, schema, sql_mode, charset, settings, user, copy: _ } = self;
        hash_of((text, schema, sql_mode, charset, settings, user))
    }
}

/// One statement, whoever prepared it.
#[derive(Debug)]
pub struct Template {
    /// What it is.
    pub key: Key,
    hash: u64,
    hash_of_all_copies: u64,
}

impl Hash for Template {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

/// All statements of all clients, each once. A statement goes when nobody refers to it.
#[derive(Debug, Default)]
pub struct Registry {
    known: FxHashMap<u64, Vec<Weak<Template>>>,
}

impl Registry {
    /// The template of this key; a new one if it is the first.
    pub fn intern(&mut self, key: Key) -> Arc<Template> {
        let hash_of_all_copies = key.hash_of_all_copies();
        let hash = hash_of((hash_of_all_copies, key.copy));
        let same = self.known.entry(hash).or_default();
        if let Some(found) = same.iter().filter_map(Weak::upgrade).find(|template| template.key == key) {
            return found;
        }
        same.retain(|template| template.strong_count() > 0);
        let template = Arc::new(Template { key, hash, hash_of_all_copies });
        same.push(Arc::downgrade(&template));
        template
    }

    /// Forgets what nobody refers to any more; for a timer.
    pub fn sweep(&mut self) {
        self.known.retain(|_, same| {
            same.retain(|template| template.strong_count() > 0);
            !same.is_empty()
        });
    }

    /// How many statements there are.
    pub fn len(&self) -> usize {
        self.known.values().flatten().filter(|template| template.strong_count() > 0).count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a COM_STMT_PREPARE found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// How many parameters.
    pub params: u16,
    /// How many columns.
    pub columns: u16,
}

/// A client's prepared statement.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// What was prepared.
    pub template: Arc<Template>,
    /// What the client was told.
    pub shape: Shape,
    /// The session in which it was prepared.
    pub state: State,
    /// How its text was read then.
    pub dialect: Dialect,
    /// What its text does.
    pub summary: Summary,
    /// The parameters' types as the client sent them last: a server remembers them, a new backend must be told.
    pub types: Option<Box<[u8]>>,
    /// All that it sent, where the server reads the statement by them.
    pub history: Option<Arc<TypeHistory>>,
    /// What stands in its place on the backend, and has its cursor or the long data that was sent ahead.
    pub lies_with: Option<Arc<Template>>,
}

/// A client has as many statements open as is allowed: ER_MAX_PREPARED_STMT_COUNT_REACHED.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many prepared statements")]
pub struct TooMany;

/// One client's statements by the ids that it was given.
#[derive(Debug, Default)]
pub struct ClientStatements {
    // Boxed: most clients have none.
    open: Option<Box<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    by_id: FxHashMap<u32, Prepared>,
    /// The same by their keys' [`Key::hash_of_all_copies`]; several where keys have the same hash by chance.
    copies: FxHashMap<u64, Vec<Copies>>,
    /// The id that was given last. No id is given twice, whatever becomes of the session: an older command may be on its way.
    given: u32,
    /// The statement of the last COM_STMT_PREPARE, if that went well.
    latest: Option<u32>,
}

impl Open {
    fn copies_of(&self, hash: u64, key: &Key) -> Option<usize> {
        let one = |copies: &Copies| self.by_id.get(&copies.any()?);
        let is_of = |copies: &Copies| one(copies).is_some_and(|one| one.template.key.is_copy_of(key));
        self.copies.get(&hash)?.iter().position(is_of)
    }

    fn insert(&mut self, id: u32, prepared: Prepared) {
        let Template { key, hash_of_all_copies: hash, .. } = &*prepared.template;
        let found = self.copies_of(*hash, key);
        let same = self.copies.entry(*hash).or_default();
        let at = found.unwrap_or(same.len());
        if at == same.len() {
            same.push(Copies::default());
        }
        same[at].insert(key.copy, id);
        self.by_id.insert(id, prepared);
    }

    fn remove(&mut self, id: u32) -> Option<Prepared> {
        let Template { key, hash_of_all_copies: hash, .. } = &*self.by_id.get(&id)?.template;
        let (hash, at) = (*hash, self.copies_of(*hash, key)?);
        let same = self.copies.get_mut(&hash)?;
        same[at].remove(key.copy, id);
        same.retain(|copies| copies.any().is_some());
        if same.is_empty() {
            self.copies.remove(&hash);
        }
        self.by_id.remove(&id)
    }
}

impl ClientStatements {
    /// Takes a prepared statement in and gives it an id that is not in use; from 1 on, as servers do.
    pub fn add(&mut self, prepared: Prepared, max_statements: usize) -> Result<u32, TooMany> {
        let open = self.open.get_or_insert_default();
        if open.by_id.len() >= max_statements {
            return Err(TooMany);
        }
        let mut id = open.given;
        loop {
            id = if id >= LAST_PREPARED - 1 { 1 } else { id + 1 };
            if !open.by_id.contains_key(&id) {
                break;
            }
        }
        open.given = id;
        open.latest = Some(id);
        open.insert(id, prepared);
        Ok(id)
    }

    /// The key of another statement of this text: it shares no backend's statement with those that are open.
    pub fn another(&self, key: Key) -> Key {
        let hash = key.hash_of_all_copies();
        let copies = self.open.as_ref().and_then(|open| open.copies.get(&hash)?.get(open.copies_of(hash, &key)?));
        Key { copy: copies.map_or(0, Copies::first_unused), ..key }
    }

    /// The statement of this id, or the last one prepared for [`LAST_PREPARED`].
    pub fn get(&self, id: u32) -> Option<&Prepared> {
        self.open.as_ref()?.by_id.get(&self.resolve(id))
    }

    /// The id that the client means: its own, or to MariaDB the last one for [`LAST_PREPARED`].
    pub fn resolve(&self, id: u32) -> u32 {
        let Some(open) = self.open.as_ref().filter(|_| id == LAST_PREPARED) else { return id };
        let latest = open.latest.filter(|latest| open.by_id.get(latest).is_some_and(|last| last.dialect.mariadb));
        latest.unwrap_or(id)
    }

    /// An execution sends these types. Returns all that were sent, where `keeps` (the server reads the statement by them).
    pub fn set_types(&mut self, id: u32, types: &[u8], keeps: bool) -> Option<Arc<TypeHistory>> {
        let id = self.resolve(id);
        let prepared = self.open.as_mut().and_then(|open| open.by_id.get_mut(&id))?;
        if prepared.types.as_deref() != Some(types) {
            prepared.types = Some(types.into());
            if keeps {
                Arc::make_mut(prepared.history.get_or_insert_default()).add(types);
            }
        }
        prepared.history.clone()
    }

    /// What stands in its place from now on.
    pub fn set_lies_with(&mut self, id: u32, template: Option<Arc<Template>>) {
        let id = self.resolve(id);
        if let Some(prepared) = self.open.as_mut().and_then(|open| open.by_id.get_mut(&id)) {
            prepared.lies_with = template;
        }
    }

    /// The client was told of new columns (or parameters).
    pub fn set_shape(&mut self, id: u32, shape: Shape) {
        let id = self.resolve(id);
        if let Some(prepared) = self.open.as_mut().and_then(|open| open.by_id.get_mut(&id)) {
            prepared.shape = shape;
        }
    }

    /// COM_STMT_CLOSE. `None` if there is no such statement: servers answer nothing either.
    pub fn close(&mut self, id: u32) -> Option<Prepared> {
        let id = self.resolve(id);
        self.open.as_mut()?.remove(id)
    }

    /// A COM_STMT_PREPARE begins: if it fails, [`LAST_PREPARED`] means none, least of all the one before.
    pub fn forget_latest(&mut self) {
        if let Some(open) = &mut self.open {
            open.latest = None;
        }
    }

    /// COM_RESET_CONNECTION, COM_CHANGE_USER: all are closed.
    pub fn clear(&mut self) {
        if let Some(open) = &mut self.open {
            **open = Open { given: open.given, ..Open::default() };
        }
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.by_id.len())
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What must be done before a backend can execute a client's statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: it is this id there.
    Ready(u32),
    /// COM_STMT_PREPARE of its text under the key's schema and modes, then [`BackendStatements::prepared`].
    Prepare,
}

/// A backend's own preparation, beside what the client was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It is as the client knows it.
    Same,
    /// Other columns: the client learns them from the result's own definitions, as after a server's own re-preparation.
    Columns,
    /// Another number of parameters: the text means something else here; the client must prepare again.
    Params,
}

impl Told {
    /// Compares the two.
    pub fn of(client: Shape, backend: Shape) -> Told {
        match (client.params == backend.params, client.columns == backend.columns) {
            (true, true) => Told::Same,
            (true, false) => Told::Columns,
            (false, _) => Told::Params,
        }
    }
}

#[derive(Debug)]
struct OnBackend {
    template: Arc<Template>,
    id: u32,
    shape: Shape,
    used: u64,
    /// The client whose types the backend knows, if the last execution sent them.
    types: Option<Box<[u8]>>,
    /// All that it was executed with there, where the server reads it by them.
    history: Option<Arc<TypeHistory>>,
    /// It was executed with a cursor.
    had_cursor: bool,
}

/// One backend's statements.
#[derive(Debug, Default)]
pub struct BackendStatements {
    /// By the template's address: the template lives as long as it is in here.
    by_template: FxHashMap<usize, OnBackend>,
    /// Addresses by when they were used last.
    order: BTreeMap<u64, usize>,
    clock: u64,
}

impl BackendStatements {
    /// Whether the backend has it; that counts as use.
    pub fn need(&mut self, template: &Arc<Template>) -> Need {
        let at = address(template);
        let now = self.tick();
        let Some(found) = self.by_template.get_mut(&at) else { return Need::Prepare };
        self.order.remove(&found.used);
        self.order.insert(now, at);
        found.used = now;
        Need::Ready(found.id)
    }

    /// The backend has prepared it under `id`. Returns the ids that must be closed there, so that at most
    /// `max_statements` are open: the least recently used.
    pub fn prepared(&mut self, template: Arc<Template>, id: u32, shape: Shape, max_statements: usize) -> Vec<u32> {
        let mut closed = Vec::new();
        closed.extend(self.forget(&template));
        while self.by_template.len() >= max_statements.max(1) {
            let Some((_, at)) = self.order.pop_first() else { break };
            closed.extend(self.by_template.remove(&at).map(|oldest| oldest.id));
        }
        let (at, used) = (address(&template), self.tick());
        self.order.insert(used, at);
        self.by_template
            .insert(at, OnBackend { template, id, shape, used, types: None, history: None, had_cursor: false });
        closed
    }

    /// What the backend found when it prepared it.
    pub fn shape(&self, template: &Arc<Template>) -> Option<Shape> {
        self.by_template.get(&address(template)).map(|found| found.shape)
    }

    /// An execution there told of this.
    pub fn set_shape(&mut self, template: &Arc<Template>, shape: Shape) {
        if let Some(found) = self.by_template.get_mut(&address(template)) {
            found.shape = shape;
        }
    }

    /// Whether an execution must send its types although the client did not: another client's (or none) are known
    /// there. Notes that they will be.
    pub fn must_send_types(&mut self, template: &Arc<Template>, types: Option<&[u8]>) -> bool {
        let Some(found) = self.by_template.get_mut(&address(template)) else { return true };
        if found.types.as_deref() == types {
            return false;
        }
        found.types = types.map(Box::from);
        true
    }

    /// Its executions there are now those of this client's statement, be it that it was prepared anew after some of them.
    pub fn set_history(&mut self, template: &Arc<Template>, history: Option<Arc<TypeHistory>>) {
        if let Some(found) = self.by_template.get_mut(&address(template)) {
            found.history = history;
        }
    }

    /// Whether an execution by which the client means the types `now` would be read there by another client's: `now` is what it
    /// sends, or has sent before; `None`: it never sent any.
    pub fn has_others_types(&self, prepared: &Prepared, now: Option<&[u8]>) -> bool {
        let Some(found) = self.by_template.get(&address(&prepared.template)) else { return false };
        let Some(now) = now else { return found.types.is_some() };
        let Some(there) = &found.history else { return false };
        let own = prepared.history.as_deref();
        own != Some(there) && !there.is_only(own.unwrap_or(&TypeHistory::default()), now)
    }

    /// It is executed with a cursor there.
    pub fn note_cursor(&mut self, template: &Arc<Template>) {
        if let Some(found) = self.by_template.get_mut(&address(template)) {
            found.had_cursor = true;
        }
    }

    /// Whether it was ever executed with a cursor there.
    pub fn had_cursor(&self, template: &Arc<Template>) -> bool {
        self.by_template.get(&address(template)).is_some_and(|found| found.had_cursor)
    }

    /// It is no longer good there (a re-preparation failed): the id to close.
    pub fn forget(&mut self, template: &Arc<Template>) -> Option<u32> {
        let found = self.by_template.remove(&address(template))?;
        self.order.remove(&found.used);
        Some(found.id)
    }

    /// Forgets all of them; their ids, to be closed.
    pub fn take_all(&mut self) -> Vec<u32> {
        std::mem::take(self).by_template.into_values().map(|found| found.id).collect()
    }

    /// COM_RESET_CONNECTION, COM_CHANGE_USER: the backend has closed all.
    pub fn clear(&mut self) {
        *self = BackendStatements::default();
    }

    /// How many are open there.
    pub fn len(&self) -> usize {
        self.by_template.len()
    }

    /// Whether none is open there.
    pub fn is_empty(&self) -> bool {
        self.by_template.is_empty()
    }

    /// The texts that are open there, for a look at it.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.by_template.values().map(|found| &*found.template.key.text)
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}

fn address(template: &Arc<Template>) -> usize {
    Arc::as_ptr(template).addr()
}

fn hash_of(what: impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    what.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
