//! Triggers that do to the session what no server announces: `SELECT .. INTO @x`, `@x := ..`, GET_LOCK(); on MySQL 5.6, which
//! announces nothing, all of them. After a write to such a table the variables are read, or the client keeps its backend.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use crate::proxy::setup::lock;
use crate::sql::details::variable_name;
use crate::sql::dialect::Dialect;
use crate::sql::lexer::{Kind, Lexer};

/// More names than this, and every write counts.
const MAX_TABLES: usize = 10_000;
/// TRIGGER and the table's name stand among the first words of what makes one.
const HEAD: usize = 24;
/// More names than this are not told one by one: so many are not carried for one client.
const MAX_VARIABLES: usize = 128;
/// Letters of a body; what is longer may do anything. A row must be short enough to be read, whatever the character set.
const MAX_BODY: usize = 64 * 1024;
/// How long what the server has told is taken for all that there is. To read all triggers costs MariaDB a look at each table.
const FRESH: Duration = Duration::from_secs(60);

/// What the triggers of a table do that nobody announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// They may set these user variables (in small letters, without `@`), and no more.
    Variables(Vec<Box<[u8]>>),
    /// Anything.
    Anything,
}

/// The tables that have such triggers, in small letters, whatever their schema.
#[derive(Debug, Default)]
pub struct UnseenTriggers {
    tables: Mutex<FxHashMap<Box<[u8]>, Effect>>,
    /// So that writes need no lock where there are none.
    has_any: AtomicBool,
    asked: Mutex<Option<Instant>>,
}

impl UnseenTriggers {
    /// The question to the server, if it is time for it; `announces`: it tells of SET. Without bodies, any of those that are found
    /// may do anything.
    pub fn question(&self, announces: bool, with_bodies: bool, now: Instant) -> Option<String> {
        const SUSPECT: &str = "LOWER(action_statement) REGEXP '@|:=|get_lock|release_|call|execute'";
        let mut asked = lock(&self.asked);
        if announces && asked.is_some_and(|asked| now.saturating_duration_since(asked) < FRESH) {
            return None;
        }
        *asked = Some(now);
        let is_long = format!("CHAR_LENGTH(action_statement)>{MAX_BODY}");
        let suspect = if announces { format!(" WHERE {is_long} OR {SUSPECT}") } else { String::new() };
        let body = match announces && with_bodies {
            true => format!("IF({is_long},NULL,action_statement)"),
            false => "NULL".to_owned(),
        };
        Some(format!("SELECT event_object_table,{body} FROM information_schema.triggers{suspect} LIMIT 10001"))
    }

    /// A row of the server's answer: a table, and the body of one of its triggers, empty where it is not told.
    pub fn add(&self, table: &[u8], body: &[u8], announces: bool, dialect: Dialect) {
        self.note(Some(table.to_ascii_lowercase()), effect(body, announces, dialect));
    }

    /// A stored program was made: if it is a trigger, its table stands behind ON, in front of FOR EACH ROW.
    pub fn note_program(&self, sql: &[u8], announces: bool, dialect: Dialect) {
        let head = names(sql, dialect).take(HEAD).skip_while(|name| *name != b"trigger");
        let behind_on = head.skip_while(|name| *name != b"on").skip(1);
        let table = behind_on.take_while(|name| *name != b"for").last();
        self.note(table, effect(sql, announces, dialect));
    }

    /// Whether there is any.
    #[inline]
    pub fn has_any(&self) -> bool {
        self.has_any.load(Ordering::Relaxed)
    }

    /// What a write by this text may have done; `None`: no trigger of its tables is known for anything.
    pub fn of(&self, sql: &[u8], dialect: Dialect) -> Option<Effect> {
        if !self.has_any() {
            return None;
        }
        let all = lock(&self.tables);
        if all.len() > MAX_TABLES {
            return Some(Effect::Anything);
        }
        let found = names(sql, dialect).filter_map(|name| all.get(name.as_slice()).cloned());
        found.reduce(Effect::and)
    }

    fn note(&self, table: Option<Vec<u8>>, effect: Option<Effect>) {
        let (Some(table), Some(effect)) = (table, effect) else { return };
        let mut all = lock(&self.tables);
        let both = match all.remove(table.as_slice()) {
            Some(before) => before.and(effect),
            None => effect,
        };
        all.insert(table.into_boxed_slice(), both);
        self.has_any.store(true, Ordering::Relaxed);
    }
}

impl Effect {
    fn and(self, other: Effect) -> Effect {
        match (self, other) {
            (Effect::Variables(mut all), Effect::Variables(more)) => {
                all.extend(more);
                all.sort();
                all.dedup();
                if all.len() > MAX_VARIABLES { Effect::Anything } else { Effect::Variables(all) }
            }
            _ => Effect::Anything,
        }
    }
}

/// Of a trigger's body, or of the statement that makes it.
fn effect(body: &[u8], announces: bool, dialect: Dialect) -> Option<Effect> {
    const OPAQUE: [&[u8]; 5] = [b"get_lock", b"release_lock", b"release_all_locks", b"call", b"execute"];
    if !announces || body.is_empty() {
        return Some(Effect::Anything);
    }
    let mut variables = Vec::new();
    for token in Lexer::new(body, dialect) {
        let text = &body[token.start..token.end];
        match token.kind {
            Kind::UserVariable => variables.push(variable_name(text).into_boxed_slice()),
            Kind::Word if OPAQUE.iter().any(|word| text.eq_ignore_ascii_case(word)) => return Some(Effect::Anything),
            Kind::Broken => return Some(Effect::Anything),
            _ => {}
        }
    }
    (!variables.is_empty()).then(|| Effect::Variables(Vec::new()).and(Effect::Variables(variables)))
}

fn names(sql: &[u8], dialect: Dialect) -> impl Iterator<Item = Vec<u8>> {
    Lexer::new(sql, dialect).filter(|token| matches!(token.kind, Kind::Word | Kind::QuotedIdentifier)).map(|token| {
        let word = &sql[token.start..token.end];
        let word = word.strip_prefix(b"`").and_then(|word| word.strip_suffix(b"`")).unwrap_or(word);
        word.to_ascii_lowercase()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Dialect = Dialect { mariadb: true, version: 101_119, ..PLAIN };
    const PLAIN: Dialect = Dialect::PLAIN;

    #[test]
    fn where_nothing_is_announced_each_trigger_concerns() {
        let unseen = UnseenTriggers::default();
        let of = |sql: &str| unseen.of(sql.as_bytes(), PLAIN);
        assert_eq!(of("INSERT INTO Orders VALUES (1)"), None);
        let made = "CREATE DEFINER = x TRIGGER a BEFORE INSERT ON shop.`Orders` FOR EACH ROW SET NEW.a = 1";
        unseen.note_program(made.as_bytes(), false, PLAIN);
        unseen.note_program(b"CREATE PROCEDURE items() BEGIN END", false, PLAIN);
        assert_eq!(of("INSERT INTO Orders VALUES (1)"), Some(Effect::Anything));
        assert_eq!(of("update `orders` set a = 1"), Some(Effect::Anything));
        assert_eq!(of("DELETE FROM items"), None);
        // The words of the statement that made it are no tables, nor is the trigger's own name one.
        assert_eq!(of("INSERT INTO items VALUES (1)"), None);
        unseen.note_program(b"CREATE TRIGGER `on` BEFORE UPDATE ON made FOR EACH ROW SET NEW.b = 1", false, PLAIN);
        assert_eq!(of("UPDATE items SET a = 1"), None);
        assert_eq!(of("UPDATE made SET a = 1"), Some(Effect::Anything));
    }

    #[test]
    fn elsewhere_those_alone_that_set_variables_or_lock() {
        let unseen = UnseenTriggers::default();
        let of = |sql: &str| unseen.of(sql.as_bytes(), NEW);
        let bodies = [
            ("plain", "SET NEW.a = NOW()"),
            ("Reads", "BEGIN SELECT MAX(a) FROM t INTO @Last; SET NEW.b = (@`n` := 7); END"),
            ("locks", "SET NEW.a = GET_LOCK('k', 0)"),
            ("reads", "SET @other = 1"),
        ];
        for (table, body) in bodies {
            unseen.add(table.as_bytes(), body.as_bytes(), true, NEW);
        }
        let variables = |names: &[&str]| Effect::Variables(names.iter().map(|name| name.as_bytes().into()).collect());
        assert_eq!(of("INSERT INTO plain VALUES (1)"), None);
        assert_eq!(of("INSERT INTO reads VALUES (1)"), Some(variables(&["last", "n", "other"])));
        assert_eq!(of("UPDATE reads, locks SET a = 1"), Some(Effect::Anything));
        unseen.note_program(b"CREATE TRIGGER x AFTER DELETE ON plain FOR EACH ROW SELECT 1 INTO @x", true, NEW);
        assert_eq!(of("DELETE FROM plain"), Some(variables(&["x"])));
        let many: String = (0..=MAX_VARIABLES).map(|number| format!("SET @v{number} = 1; ")).collect();
        unseen.add(b"many", many.as_bytes(), true, NEW);
        // One that the server has not told the body of.
        unseen.add(b"untold", b"", true, NEW);
        for table in ["many", "untold"] {
            assert_eq!(of(&format!("INSERT INTO {table} VALUES (1)")), Some(Effect::Anything), "{table}");
        }
    }

    #[test]
    fn a_server_that_announces_is_asked_once_in_a_while() {
        let (unseen, now) = (UnseenTriggers::default(), Instant::now());
        let asks = |announces, now| unseen.question(announces, true, now).is_some();
        assert!(asks(true, now) && !asks(true, now));
        assert!(asks(true, now + FRESH) && asks(false, now));
    }
}
