//! What a session is, as far as it can be carried: the same for a client and for a backend connection, so that the
//! two can be compared. Only what was set since a fresh login is kept.
//!
//! A clone is one counter: clients that set the same at login share one state until they differ.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHasher;

use crate::session::carried::{Variable, main_name, rule};
use crate::session::charset::{is_of, is_well_formed};
use crate::session::quote::is_word;
use crate::sql::dialect::Dialect;
use crate::sql::strings::unescaped;
use crate::wire::variable_names::charset_of;

/// The most bytes of names and values that are carried for one client.
pub const MAX_BYTES: usize = 16 * 1024;

/// The most variables of either kind that are carried for one client.
pub const MAX_VARIABLES: usize = 128;

/// Among the variables, the role that SET ROLE chose: no variable, but carried as one. Its value is what SET ROLE takes.
pub const ROLE: &[u8] = b"role";

/// Among the variables, the collation that character_set_client stands for, where it is another one than its name alone brings: a
/// login or SET NAMES says which, no server shows it, and MariaDB and MySQL before 8.0.22 compare a `?` by it. Its value is what
/// brings it about: the words of SET NAMES (MariaDB), or the collation's number (MySQL).
pub const CLIENT_COLLATION: &[u8] = b"client_collation";

/// Whether this is carried among the variables, and is none.
pub fn is_no_variable(name: &[u8]) -> bool {
    name == ROLE || name == CLIENT_COLLATION
}

/// More than [`MAX_BYTES`] or [`MAX_VARIABLES`] would have to be carried: the backend must be kept instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session has more state than is carried")]
pub struct TooMuch;

/// The connection's collation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Collation {
    /// The default one of character_set_connection, or the one under `collation_connection` in the variables.
    #[default]
    Known,
    /// Nobody announced it: `SELECT @@collation_connection`, and tell it to [`State::set`], before the backend goes.
    Unread,
}

/// A user variable's value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UserValue {
    /// A number, NULL, TRUE, FALSE or a hexadecimal literal: its text means the same everywhere.
    Literal(Box<[u8]>),
    /// A string.
    Text {
        /// Its bytes in the client's character set.
        bytes: Box<[u8]>,
        /// character_set_client when it was set.
        client: Box<[u8]>,
        /// character_set_connection when it was set: the value's own.
        connection: Box<[u8]>,
        /// collation_connection, where it was not the character set's default.
        collation: Option<Box<[u8]>>,
    },
}

type Name = Box<[u8]>;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Inner {
    /// Of all of the below but `bytes`, in any order. First: most unequal states differ in it.
    fingerprint: u64,
    schema: Option<Box<[u8]>>,
    /// Sorted by name.
    variables: Vec<(Name, Box<[u8]>)>,
    /// Sorted by name, which is in small letters and without its `@`.
    users: Vec<(Name, UserValue)>,
    collation: Collation,
    /// COM_SET_OPTION.
    multi_statements: bool,
    /// Which fresh login this began as, see [`State::fresh`].
    generation: u64,
    bytes: usize,
    /// Among the variables too; here, since it is asked for at every end of a command.
    wait_timeout: Option<u64>,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State(Arc<Inner>);

/// See [`Dialect::high_space`]. Some have none, but comments that begin behind it.
fn high_space(charset: &[u8]) -> u8 {
    match charset {
        b"armscii8" | b"cp1250" | b"dec8" | b"geostd8" | b"greek" | b"hebrew" | b"latin1" | b"latin2" | b"latin5"
        | b"latin7" => 0xA0,
        b"cp850" | b"cp852" | b"cp866" | b"hp8" | b"keybcs2" | b"macroman" => 0xFF,
        _ => 0,
    }
}

impl State {
    /// A fresh login. `generation` counts what changes a fresh login's values for everybody: SET GLOBAL above all.
    pub fn fresh(generation: u64, schema: Option<&[u8]>, multi_statements: bool) -> State {
        let mut state = State(Arc::new(Inner { generation, multi_statements, ..Inner::default() }));
        state.toggle(&("generation", generation));
        state.toggle(&("multi_statements", multi_statements));
        state.toggle(&("schema", None::<&[u8]>));
        state.set_schema(schema);
        state
    }

    /// A session's that was left half-way: no client's is equal.
    pub fn unknown() -> State {
        State::fresh(u64::MAX, Some(b"?"), false)
    }

    /// Whether both are equal; from then on they share their memory, and so do all that meet them: a few clients on a few
    /// backends soon compare two addresses.
    pub fn is_equal(&mut self, other: &mut State) -> bool {
        if Arc::ptr_eq(&self.0, &other.0) {
            return true;
        }
        if self.0 != other.0 {
            return false;
        }
        // Always the lower address, so that the sharing spreads and does not go round.
        if Arc::as_ptr(&self.0) < Arc::as_ptr(&other.0) {
            other.0 = Arc::clone(&self.0);
        } else {
            self.0 = Arc::clone(&other.0);
        }
        true
    }

    /// A number that equal states share; unequal ones hardly ever. For the pool's search.
    pub fn fingerprint(&self) -> u64 {
        self.0.fingerprint
    }

    /// Which fresh login it began as.
    pub fn generation(&self) -> u64 {
        self.0.generation
    }

    /// The schema, if there is one.
    pub fn schema(&self) -> Option<&[u8]> {
        self.0.schema.as_deref()
    }

    /// Whether several statements may stand in one query.
    pub fn multi_statements(&self) -> bool {
        self.0.multi_statements
    }

    /// The system variables that were set, sorted by name.
    pub fn variables(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.variables.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The user variables that are carried, sorted by name.
    pub fn user_variables(&self) -> impl Iterator<Item = (&[u8], &UserValue)> {
        self.0.users.iter().map(|(name, value)| (&**name, value))
    }

    /// The value of a system variable that was set.
    pub fn variable(&self, name: &[u8]) -> Option<&[u8]> {
        let at = self.0.variables.binary_search_by(|(own, _)| (**own).cmp(name)).ok()?;
        Some(&self.0.variables[at].1)
    }

    /// Whether all of it is known: else it cannot be carried yet.
    pub fn collation(&self) -> Collation {
        self.0.collation
    }

    /// What the lexer needs to know of it; `base` knows the server.
    pub fn dialect(&self, base: Dialect) -> Dialect {
        let modes = self.variable(b"sql_mode");
        let has = |mode: &[u8]| modes.is_some_and(|modes| modes.split(|byte| *byte == b',').any(|own| own == mode));
        let charset = self.variable(b"character_set_client").unwrap_or_default();
        Dialect {
            ansi_quotes: if modes.is_some() { has(b"ANSI_QUOTES") } else { base.ansi_quotes },
            no_backslash_escapes: match modes.is_some() {
                true => has(b"NO_BACKSLASH_ESCAPES"),
                false => base.no_backslash_escapes,
            },
            ascii_in_wide: matches!(charset, b"big5" | b"cp932" | b"gb18030" | b"gbk" | b"sjis"),
            high_space: high_space(charset),
            ..base
        }
    }

    /// The schema is this one now. A dropped one is announced as an empty name: `None`.
    pub fn set_schema(&mut self, schema: Option<&[u8]>) {
        let schema = schema.filter(|schema| !schema.is_empty());
        if self.schema() == schema {
            return;
        }
        self.toggle(&("schema", self.0.schema.clone().as_deref()));
        self.toggle(&("schema", schema));
        self.inner().schema = schema.map(Box::from);
    }

    /// COM_SET_OPTION was answered with OK.
    pub fn set_multi_statements(&mut self, on: bool) {
        if self.0.multi_statements != on {
            self.toggle(&("multi_statements", !on));
            self.toggle(&("multi_statements", on));
            self.inner().multi_statements = on;
        }
    }

    /// The server announced (or the statement's text says, where that decides) the value of a system variable. The
    /// answer says what kind of variable it is: only [`Variable::Carried`] ones were noted.
    ///
    /// A new character_set_client has the collation that its name brings. After a new character_set_connection the collation is [`Collation::Unread`] until it is announced, or
    /// [`State::names`] explains it.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<Variable, TooMuch> {
        let (name, kind) = (main_name(name), rule(name));
        if kind == Variable::Carried {
            self.put(name, Some(value))?;
            match name {
                b"character_set_connection" => {
                    self.put(b"collation_connection", None)?;
                    self.set_collation(Collation::Unread);
                }
                b"collation_connection" => {
                    self.set_collation(Collation::Known);
                    self.put_charset_of(value)?;
                }
                b"character_set_client" => self.put(CLIENT_COLLATION, None)?,
                _ => {}
            }
        }
        Ok(kind)
    }

    /// The connection's character set follows the collation, by whose name it is known.
    fn put_charset_of(&mut self, collation: &[u8]) -> Result<(), TooMuch> {
        let charset = charset_of(collation);
        let is_it =
            |own: &[u8]| own == charset || matches!((own, charset), (b"utf8mb3", b"utf8") | (b"utf8", b"utf8mb3"));
        match self.variable(b"character_set_connection").is_some_and(is_it) {
            true => Ok(()),
            false => self.put(b"character_set_connection", Some(charset)),
        }
    }

    /// A system variable has the value again that it had at login.
    pub fn unset(&mut self, name: &[u8]) -> Result<(), TooMuch> {
        self.put(main_name(name), None)
    }

    /// `SET timestamp`: the text's own literal; `None` for DEFAULT. 0 is DEFAULT too.
    pub fn set_timestamp(&mut self, literal: Option<&[u8]>) -> Result<(), TooMuch> {
        let is_zero = |text: &[u8]| text.iter().all(|byte| matches!(byte, b'0' | b'.'));
        self.put(b"timestamp", literal.filter(|text| !is_zero(text)))
    }

    /// What was announced came from one SET NAMES with a character set's name and perhaps COLLATE: then the
    /// collation is that, or the character set's default one.
    pub fn names(&mut self, collation: Option<&[u8]>) -> Result<(), TooMuch> {
        self.put(b"collation_connection", collation)?;
        self.set_collation(Collation::Known);
        Ok(())
    }

    /// A user variable was set; `None`: to something that is not carried, so that the older value is no longer true.
    /// `name` in small letters, without `@` and quotes.
    pub fn set_user(&mut self, name: &[u8], value: Option<UserValue>) -> Result<(), TooMuch> {
        let found = self.0.users.binary_search_by(|(own, _)| (**own).cmp(name));
        let old = found.ok().map(|at| self.0.users[at].1.clone());
        if old == value {
            return Ok(());
        }
        let size = |value: &Option<UserValue>| value.as_ref().map_or(0, |value| name.len() + value.len());
        self.account(size(&old), size(&value), found.is_err() && self.0.users.len() >= MAX_VARIABLES)?;
        old.iter().chain(&value).for_each(|value| self.toggle(&("@", name, value)));
        let users = &mut self.inner().users;
        match (found, value) {
            (Ok(at), Some(value)) => users[at].1 = value,
            (Ok(at), None) => drop(users.remove(at)),
            (Err(at), Some(value)) => users.insert(at, (name.into(), value)),
            (Err(_), None) => {}
        }
        Ok(())
    }

    /// A user variable set to a literal of the statement's text (see [`crate::sql::assign::Assignment`]): the value as
    /// it can be carried under this state, or `None`.
    pub fn user_literal(&self, literal: &[u8], dialect: Dialect) -> Option<UserValue> {
        let Some(&quote @ (b'\'' | b'"')) = literal.first() else { return plain_literal(literal) };
        let inner = literal.get(1..literal.len() - 1).filter(|_| literal.last() == Some(&quote))?;
        let bytes = unescaped(inner, quote, dialect.no_backslash_escapes)?;
        let name = |name: &[u8]| self.variable(name).filter(|value| is_word(value)).map(Box::from);
        if self.0.collation == Collation::Unread || dialect.ascii_in_wide || (quote == b'"' && dialect.ansi_quotes) {
            return None;
        }
        let (client, connection) = (name(b"character_set_client")?, name(b"character_set_connection")?);
        let collation = name(b"collation_connection");
        // A server checks what stands behind the name of a character set; in a statement it lets pass what is in none.
        let is_sure =
            is_well_formed(&bytes, &client) && collation.as_deref().is_none_or(|name| is_of(name, &connection));
        is_sure.then(|| UserValue::Text { bytes: bytes.into(), client, connection, collation })
    }

    /// How many seconds the client may be idle by its own `SET wait_timeout`.
    pub fn wait_timeout(&self) -> Option<u64> {
        self.0.wait_timeout
    }

    fn inner(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }

    fn set_collation(&mut self, collation: Collation) {
        if self.0.collation != collation {
            self.toggle(&("collation", Collation::Unread));
            self.inner().collation = collation;
        }
    }

    fn put(&mut self, name: &[u8], value: Option<&[u8]>) -> Result<(), TooMuch> {
        let found = self.0.variables.binary_search_by(|(own, _)| (**own).cmp(name));
        let old = found.ok().map(|at| self.0.variables[at].1.clone());
        if old.as_deref() == value {
            return Ok(());
        }
        let size = |value: Option<&[u8]>| value.map_or(0, |value| name.len() + value.len());
        let is_full = found.is_err() && self.0.variables.len() >= MAX_VARIABLES;
        self.account(size(old.as_deref()), size(value), is_full)?;
        old.as_deref().into_iter().chain(value).for_each(|value| self.toggle(&("@@", name, value)));
        let variables = &mut self.inner().variables;
        match (found, value) {
            (Ok(at), Some(value)) => variables[at].1 = value.into(),
            (Ok(at), None) => drop(variables.remove(at)),
            (Err(at), Some(value)) => variables.insert(at, (name.into(), value.into())),
            (Err(_), None) => {}
        }
        if name == b"wait_timeout" {
            self.inner().wait_timeout = value.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
        }
        Ok(())
    }

    fn account(&mut self, less: usize, more: usize, is_full: bool) -> Result<(), TooMuch> {
        let bytes = self.0.bytes - less + more;
        if more > 0 && (is_full || bytes > MAX_BYTES) {
            return Err(TooMuch);
        }
        self.inner().bytes = bytes;
        Ok(())
    }

    /// Takes a part into the fingerprint, or out of it.
    fn toggle(&mut self, part: &impl Hash) {
        let mut hasher = FxHasher::default();
        part.hash(&mut hasher);
        // Sums of such hashes would fall together without this.
        self.inner().fingerprint ^= hasher.finish().wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }
}

impl UserValue {
    fn len(&self) -> usize {
        match self {
            Self::Literal(text) => text.len(),
            Self::Text { bytes, client, connection, collation } => {
                bytes.len() + client.len() + connection.len() + collation.as_ref().map_or(0, |name| name.len())
            }
        }
    }
}

/// Numbers, NULL, TRUE, FALSE, `x'..'`, `b'..'`; not introducers and national strings.
fn plain_literal(literal: &[u8]) -> Option<UserValue> {
    let is_hex = matches!(literal, [b'x' | b'X' | b'b' | b'B', b'\'', ..]);
    let is_bare =
        !literal.is_empty() && literal.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-. ".contains(byte));
    (is_hex || is_bare).then(|| UserValue::Literal(literal.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn state() -> State {
        State::fresh(1, Some(b"db"), false)
    }

    #[test]
    fn what_is_set_and_unset_is_the_same_again() {
        let mut changed = state();
        changed.set(b"time_zone", b"+02:00").expect("room");
        changed.set_user(b"a", Some(UserValue::Literal(Box::from(&b"1"[..])))).expect("room");
        changed.set_schema(None);
        changed.set_multi_statements(true);
        assert_ne!(changed, state());
        assert_ne!(changed.fingerprint(), state().fingerprint());
        changed.put(b"time_zone", None).expect("room");
        changed.set_user(b"a", None).expect("room");
        changed.set_schema(Some(b"db"));
        changed.set_multi_statements(false);
        assert_eq!(changed, state());
        assert_eq!(changed.fingerprint(), state().fingerprint());
    }

    #[test]
    fn a_character_set_and_its_collation_take_each_other_along() {
        let mut state = state();
        state.set(b"character_set_connection", b"latin1").expect("room");
        state.set(b"collation_connection", b"utf8mb4_bin").expect("room");
        assert_eq!(state.variable(b"character_set_connection"), Some(&b"utf8mb4"[..]));
        state.set(b"collation_connection", b"utf8mb3_bin").expect("room");
        state.set(b"collation_connection", b"utf8_bin").expect("room");
        assert_eq!(state.variable(b"character_set_connection"), Some(&b"utf8mb3"[..]), "another name of it");
        state.set(CLIENT_COLLATION, b"latin1 COLLATE latin1_bin").expect("room");
        state.set(b"character_set_client", b"latin1").expect("room");
        assert_eq!(state.variable(CLIENT_COLLATION), None);
    }

    #[test]
    fn equal_logins_share_their_memory() {
        let first = state();
        let mut second = first.clone();
        assert!(Arc::ptr_eq(&first.0, &second.0));
        second.set_schema(Some(b"db"));
        assert!(Arc::ptr_eq(&first.0, &second.0), "nothing changed, nothing is copied");
        assert_eq!(size_of::<State>(), size_of::<usize>());
    }

    #[test]
    fn only_what_can_be_carried_is_noted() {
        let mut state = state();
        for (name, kind) in [
            ("sort_buffer_size", Variable::Carried),
            ("timestamp", Variable::Frozen),
            ("insert_id", Variable::Frozen),
            ("session_track_schema", Variable::Own),
            ("statement_id", Variable::Nothing),
            ("pseudo_thread_id", Variable::Unexplained),
        ] {
            assert_eq!(state.set(name.as_bytes(), b"1"), Ok(kind), "{name}");
        }
        assert_eq!(state.variables().collect::<Vec<_>>(), [(&b"sort_buffer_size"[..], &b"1"[..])]);
    }

    #[test]
    fn a_new_character_set_leaves_the_collation_to_be_read() {
        let mut state = state();
        state.set(b"character_set_connection", b"utf8mb4").expect("room");
        assert_eq!(state.collation(), Collation::Unread);
        let mut named = state.clone();
        named.names(Some(b"utf8mb4_bin")).expect("room");
        state.set(b"collation_connection", b"utf8mb4_bin").expect("room");
        assert_eq!((state.collation(), &state), (Collation::Known, &named));
        assert_eq!(state.fingerprint(), named.fingerprint());
        state.set(b"character_set_connection", b"latin1").expect("room");
        state.names(None).expect("room");
        assert_eq!((state.collation(), state.variable(b"collation_connection")), (Collation::Known, None));
    }

    #[test]
    fn the_dialect_follows_sql_mode_and_character_set() {
        let mut state = state();
        let base = Dialect { ansi_quotes: true, mariadb: true, version: 101_119, ..Dialect::default() };
        assert_eq!(state.dialect(base), base);
        state.set(b"sql_mode", b"PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES").expect("room");
        state.set(b"character_set_client", b"gbk").expect("room");
        let expected = Dialect { ansi_quotes: false, no_backslash_escapes: true, ascii_in_wide: true, ..base };
        assert_eq!(state.dialect(base), expected);
    }

    #[test]
    fn a_frozen_timestamp_is_carried_until_it_runs_again() {
        let mut frozen = state();
        frozen.set_timestamp(Some(b"1000.5")).expect("room");
        assert_eq!(frozen.variable(b"timestamp"), Some(&b"1000.5"[..]));
        for end in [None, Some(&b"0"[..]), Some(b"0.0")] {
            let mut again = frozen.clone();
            again.set_timestamp(end).expect("room");
            assert_eq!(again, state());
        }
    }

    #[test]
    fn literals_of_user_variables_keep_their_value_and_type() {
        let mut state = state();
        let dialect = Dialect::default();
        for literal in ["1", "-1.5e3", "NULL", "true", "x'4D'", "0x4D", "- 1"] {
            let expected = Some(UserValue::Literal(literal.as_bytes().into()));
            assert_eq!(state.user_literal(literal.as_bytes(), dialect), expected, "{literal}");
        }
        assert_eq!(state.user_literal(b"'x'", dialect), None, "no character set is known");
        state.set(b"character_set_client", b"utf8mb4").expect("room");
        state.set(b"character_set_connection", b"utf8mb4").expect("room");
        assert_eq!(state.user_literal(b"'x'", dialect), None, "the collation is not known");
        state.names(Some(b"utf8mb4_bin")).expect("room");
        let text = |literal: &str, dialect| match state.user_literal(literal.as_bytes(), dialect) {
            Some(UserValue::Text { bytes, .. }) => Some(bytes.into_vec()),
            _ => None,
        };
        assert_eq!(text(r"'it''s\n\%'", dialect), Some(b"it's\n\\%".to_vec()));
        let plain = Dialect { no_backslash_escapes: true, ..dialect };
        assert_eq!(text(r"'a\n'", plain), Some(br"a\n".to_vec()));
        assert_eq!(text(r#""a""b""#, dialect), Some(br#"a"b"#.to_vec()));
        for refused in ["_utf8mb4'x'", "N'x'", "'x' 'y'", "'", ""] {
            assert_eq!(state.user_literal(refused.as_bytes(), dialect), None, "{refused}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut state = state();
        let long = vec![b'x'; MAX_BYTES];
        assert_eq!(state.set(b"init", &long), Err(TooMuch));
        for n in 0..MAX_VARIABLES {
            state.set(format!("v{n}").as_bytes(), b"1").expect("room");
        }
        assert_eq!(state.set(b"one_more", b"1"), Err(TooMuch));
        assert_eq!(state.set(b"v0", b"2"), Ok(Variable::Carried));
        assert_eq!(state.wait_timeout(), None);
    }

    proptest! {
        #[test]
        fn equal_states_have_equal_fingerprints(changes in proptest::collection::vec((0..5u8, 0..4u8, 0..3u8), 0..30)) {
            let mut one = state();
            let apply = |state: &mut State, (kind, name, value): (u8, u8, u8)| {
                let name = [b'a' + name];
                let text = [b'0' + value];
                let _ = match kind {
                    0 => state.set(&name, &text).map(drop),
                    1 => state.set_user(&name, (value > 0).then(|| UserValue::Literal(Box::from(&text[..])))),
                    2 => { state.set_schema((value > 0).then_some(&text[..])); Ok(()) }
                    3 => state.set(b"character_set_connection", &text).map(drop),
                    _ => state.names((value > 0).then_some(&text[..])),
                };
            };
            changes.iter().for_each(|&change| apply(&mut one, change));
            let mut rebuilt = State::fresh(1, one.schema(), false);
            for (name, value) in one.variables().filter(|(name, _)| *name != b"collation_connection") {
                rebuilt.put(name, Some(value)).expect("room");
            }
            rebuilt.put(b"collation_connection", one.variable(b"collation_connection")).expect("room");
            rebuilt.set_collation(one.collation());
            for (name, value) in one.user_variables() {
                rebuilt.set_user(name, Some(value.clone())).expect("room");
            }
            prop_assert_eq!(&one, &rebuilt);
            prop_assert_eq!(one.fingerprint(), rebuilt.fingerprint());
        }
    }
}
