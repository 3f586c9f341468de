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

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};

use rustc_hash::{FxHashMap, FxHasher};

use crate::session::state::State;
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

/// A client's open statements that are all of one text, and prepared in the same way.
#[derive(Debug, Default)]
struct Copies {
    /// Each with its copy's number before its id.
    open: BTreeSet<(u32, u32)>,
    /// The numbers below `next` that are not in use.
    unused: BTreeSet<u32>,
    next: u32,
}

impl Copies {
    fn any(&self) -> Option<u32> {
        self.open.first().map(|(_, id)| *id)
    }

    fn first_unused(&self) -> u32 {
        self.unused.first().copied().unwrap_or(self.next)
    }

    fn insert(&mut self, copy: u32, id: u32) {
        self.open.insert((copy, id));
        self.unused.remove(&copy);
        self.unused.extend(self.next..copy);
        self.next = self.next.max(copy.saturating_add(1));
    }

    fn remove(&mut self, copy: u32, id: u32) {
        self.open.remove(&(copy, id));
        if self.open.range((copy, 0)..=(copy, u32::MAX)).next().is_none() {
            self.unused.insert(copy);
        }
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHAPE: Shape = Shape { params: 1, columns: 2 };

    fn prepared(template: &Arc<Template>) -> Prepared {
        let dialect = Dialect { mariadb: true, ..Dialect::default() };
        let (state, summary) = (State::default(), Summary::default());
        Prepared {
            template: template.clone(),
            shape: SHAPE,
            state,
            dialect,
            summary,
            types: None,
            history: None,
            lies_with: None,
        }
    }

    fn key(text: &str, schema: &str) -> Key {
        let bytes = |text: &str| Box::from(text.as_bytes());
        Key {
            text: bytes(text),
            schema: Some(bytes(schema)),
            sql_mode: bytes(""),
            charset: bytes(""),
            settings: bytes(""),
            user: bytes("u"),
            copy: 0,
        }
    }

    #[test]
    fn the_same_text_under_the_same_schema_is_one_statement() {
        let mut registry = Registry::default();
        let one = registry.intern(key("SELECT ?", "a"));
        assert!(Arc::ptr_eq(&one, &registry.intern(key("SELECT ?", "a"))));
        let other = registry.intern(key("SELECT ?", "b"));
        assert!(!Arc::ptr_eq(&one, &other));
        assert_eq!(registry.len(), 2);
        drop((one, other));
        registry.sweep();
        assert!(registry.is_empty() && registry.known.is_empty());
    }

    #[test]
    fn a_clients_statements_of_one_text_are_copies() {
        let mut registry = Registry::default();
        let mut client = ClientStatements::default();
        let mut add = |client: &mut ClientStatements, text: &str| {
            let template = registry.intern(client.another(key(text, "a")));
            let copy = template.key.copy;
            (copy, client.add(prepared(&template), 9).expect("room"))
        };
        assert_eq!([add(&mut client, "x"), add(&mut client, "x"), add(&mut client, "y")], [(0, 1), (1, 2), (0, 3)]);
        client.close(1);
        assert_eq!(add(&mut client, "x"), (0, 4));
        assert_eq!(add(&mut ClientStatements::default(), "x"), (0, 1), "of two clients, the same");
    }

    #[test]
    fn a_text_prepared_again_and_again_is_not_compared_with_all_before() {
        let mut registry = Registry::default();
        let mut client = ClientStatements::default();
        let text = "x".repeat(100);
        for copy in 0..50_000 {
            let template = registry.intern(client.another(key(&text, "a")));
            assert_eq!(template.key.copy, copy);
            client.add(prepared(&template), 50_000).expect("room");
        }
        client.close(7);
        client.close(5);
        assert_eq!(client.another(key(&text, "a")).copy, 4, "the first that is not in use");
    }

    #[test]
    fn a_clients_ids_stay_and_are_not_used_twice() {
        let template = Registry::default().intern(key("SELECT ?", "a"));
        let mut client = ClientStatements::default();
        let first = client.add(prepared(&template), 2).expect("room");
        let second = client.add(prepared(&template), 2).expect("room");
        assert_eq!((first, second, client.add(prepared(&template), 2)), (1, 2, Err(TooMany)));
        assert_eq!(client.resolve(LAST_PREPARED), 2);
        assert!(client.get(LAST_PREPARED).is_some() && client.get(3).is_none());
        assert!(client.close(1).is_some() && client.close(1).is_none());
        assert_eq!(client.add(prepared(&template), 2), Ok(3), "1 may still be on its way");
        client.open.as_mut().expect("some").given = LAST_PREPARED - 1;
        client.close(2);
        assert_eq!(client.add(prepared(&template), 2), Ok(1), "round, and past those in use");
        client.clear();
        assert!(client.is_empty());
        assert_eq!(client.add(prepared(&template), 2), Ok(2), "not 1 again");
        client.forget_latest();
        assert!(client.get(LAST_PREPARED).is_none() && client.get(2).is_some());
    }

    #[test]
    fn mysql_knows_no_last_one() {
        let template = Registry::default().intern(key("SELECT ?", "a"));
        let mut client = ClientStatements::default();
        client.add(Prepared { dialect: Dialect::default(), ..prepared(&template) }, 9).expect("room");
        assert_eq!(client.resolve(LAST_PREPARED), LAST_PREPARED);
        assert!(
            client.get(LAST_PREPARED).is_none() && client.close(LAST_PREPARED).is_none() && client.get(1).is_some()
        );
    }

    #[test]
    fn a_backend_prepares_when_first_needed_and_closes_the_least_recently_used() {
        let mut registry = Registry::default();
        let [a, b, c] = ["a", "b", "c"].map(|text| registry.intern(key(text, "s")));
        let mut backend = BackendStatements::default();
        assert_eq!(backend.need(&a), Need::Prepare);
        assert_eq!(backend.prepared(a.clone(), 10, SHAPE, 2), [0u32; 0]);
        assert_eq!(backend.prepared(b.clone(), 11, SHAPE, 2), [0u32; 0]);
        assert_eq!(backend.need(&a), Need::Ready(10));
        assert_eq!(backend.prepared(c.clone(), 12, SHAPE, 2), [11], "b was used longest ago");
        assert_eq!(
            [backend.need(&a), backend.need(&b), backend.need(&c)],
            [Need::Ready(10), Need::Prepare, Need::Ready(12)]
        );
        assert_eq!(backend.prepared(a.clone(), 13, SHAPE, 2), [10], "prepared again");
        assert_eq!(backend.forget(&a), Some(13));
        assert_eq!(backend.texts().collect::<Vec<_>>(), [b"c"]);
        backend.clear();
        assert!(backend.is_empty() && backend.need(&c) == Need::Prepare);
    }

    #[test]
    fn a_statement_that_had_a_cursor_has_none_when_it_is_prepared_again() {
        let template = Registry::default().intern(key("SELECT ?", "a"));
        let mut backend = BackendStatements::default();
        backend.note_cursor(&template);
        backend.prepared(template.clone(), 7, SHAPE, 9);
        assert!(!backend.had_cursor(&template));
        backend.note_cursor(&template);
        assert!(backend.had_cursor(&template));
        backend.prepared(template.clone(), 8, SHAPE, 9);
        assert!(!backend.had_cursor(&template));
    }

    #[test]
    fn another_shape_is_told() {
        let shape = |params, columns| Shape { params, columns };
        assert_eq!(Told::of(SHAPE, SHAPE), Told::Same);
        assert_eq!(Told::of(SHAPE, shape(1, 3)), Told::Columns);
        assert_eq!(Told::of(SHAPE, shape(2, 2)), Told::Params);
        let template = Registry::default().intern(key("SELECT *", "a"));
        let mut client = ClientStatements::default();
        let id = client.add(prepared(&template), 9).expect("room");
        client.set_shape(id, shape(1, 3));
        assert_eq!(client.get(id).map(|prepared| prepared.shape), Some(shape(1, 3)));
    }

    #[test]
    fn types_are_sent_where_the_backend_knows_others() {
        let template = Registry::default().intern(key("SELECT ?", "a"));
        let mut client = ClientStatements::default();
        let id = client.add(prepared(&template), 9).expect("room");
        client.set_types(LAST_PREPARED, &[3, 0], false);
        assert_eq!(client.get(id).and_then(|prepared| prepared.types.as_deref()), Some(&[3u8, 0][..]));
        let mut backend = BackendStatements::default();
        backend.prepared(template.clone(), 7, SHAPE, 9);
        assert!(backend.must_send_types(&template, Some(&[3, 0])));
        assert!(!backend.must_send_types(&template, Some(&[3, 0])));
        assert!(backend.must_send_types(&template, Some(&[8, 0])), "another client's");
    }

    /// As it is meant: by a look at each open statement.
    fn first_unused(client: &ClientStatements, key: &Key) -> u32 {
        let all = client.open.iter().flat_map(|open| open.by_id.values()).map(|prepared| &prepared.template.key);
        let used: BTreeSet<u32> = all.filter(|own| own.is_copy_of(key)).map(|own| own.copy).collect();
        (0..).find(|copy| !used.contains(copy)).expect("one")
    }

    proptest! {
        #[test]
        fn another_is_the_first_copy_that_is_not_open(
            steps in proptest::collection::vec((0..4usize, 0..3u32, 1..30u32), 1..120),
        ) {
            let mut registry = Registry::default();
            let mut client = ClientStatements::default();
            for (which, what, id) in steps {
                let new = key(["x", "y"][which % 2], ["a", "b"][which / 2]);
                let another = client.another(new.clone());
                prop_assert_eq!(another.copy, first_unused(&client, &new));
                prop_assert!(another.is_copy_of(&new));
                // Nothing but `another` gives numbers, and yet one may be there twice.
                let template = registry.intern(if what == 2 { new } else { another });
                match what {
                    0 => drop(client.close(id)),
                    _ => drop(client.add(prepared(&template), 20)),
                }
                let open = client.open.iter().flat_map(|open| open.copies.values().flatten());
                prop_assert_eq!(open.map(|copies| copies.open.len()).sum::<usize>(), client.len());
            }
        }

        #[test]
        fn a_backend_never_has_more_than_its_limit(uses in proptest::collection::vec(0..12usize, 1..200), max in 1..6usize) {
            let mut registry = Registry::default();
            let all: Vec<_> = (0..12).map(|n| registry.intern(key(&n.to_string(), "s"))).collect();
            let (mut backend, mut open, mut next) = (BackendStatements::default(), BTreeMap::new(), 0);
            for which in uses {
                match backend.need(&all[which]) {
                    Need::Ready(id) => prop_assert_eq!(open.get(&id), Some(&which)),
                    Need::Prepare => {
                        prop_assert!(!open.values().any(|own| *own == which));
                        next += 1;
                        for closed in backend.prepared(all[which].clone(), next, SHAPE, max) {
                            prop_assert!(open.remove(&closed).is_some(), "{closed} was not open");
                        }
                        open.insert(next, which);
                    }
                }
                prop_assert!(open.len() <= max && backend.len() == open.len() && backend.order.len() == open.len());
            }
        }
    }
}
