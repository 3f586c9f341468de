//! Statements that were said before: what their text says is remembered by their shape, so that it is read once, not each time.

use std::hash::Hasher;

use rustc_hash::FxHasher;

use super::digest::digest;
use super::effects::{Summary, summary};
use super::lexer::Dialect;
use super::shape::{MAX, shape};
use super::verb::Verb;

/// How many shapes are remembered; each with its shape's bytes, at most [`MAX`].
const PLACES: usize = 1024;

/// What a text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Said {
    /// See [`digest`].
    pub digest: u64,
    /// See [`summary`].
    pub summary: Summary,
}

struct Known {
    dialect: Dialect,
    shape: Box<[u8]>,
    said: Said,
}

/// The statements that one thread has read lately. Memory: at most 1.2 MiB, where each place holds a longest shape.
pub struct Familiar {
    places: Box<[Option<Known>]>,
    scratch: Box<[u8; MAX]>,
}

impl Default for Familiar {
    fn default() -> Self {
        let places = (0..PLACES).map(|_| None).collect();
        Self { places, scratch: Box::new([0; MAX]) }
    }
}

impl Familiar {
    /// What `sql` says, as [`digest`] and [`summary`] have it, where that is one plain query, write, or begin or end of a
    /// transaction: nothing that runs another text, and no literal that is looked at. `None`: it is to be read itself.
    pub fn read(&mut self, sql: &[u8], dialect: Dialect) -> Option<Said> {
        let shape = shape(sql, dialect, &mut self.scratch)?;
        // Two shapes of one place push each other out; the whole shape is compared, so that no hash can be forged.
        let place = &mut self.places[hash(shape) as usize % PLACES];
        if let Some(known) = place
            && *known.shape == *shape
            && known.dialect == dialect
        {
            return Some(known.said);
        }
        let summary = summary(shape, dialect);
        if !depends_on_no_literal(&summary) {
            return None;
        }
        let said = Said { digest: digest(shape), summary };
        *place = Some(Known { dialect, shape: shape.into(), said });
        Some(said)
    }
}

fn hash(shape: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(shape);
    hasher.finish()
}

/// Whether what is said of a text holds for every text of its shape: the values of SET and the like are looked at.
pub(super) fn depends_on_no_literal(summary: &Summary) -> bool {
    use Verb::{Begin, Commit, Delete, Insert, Replace, Rollback, Savepoint, Select, Update};
    let plain = [Begin, Commit, Delete, Insert, Replace, Rollback, Savepoint, Select, Update];
    summary.statements == 1 && plain.contains(&summary.verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: [&str; 7] = [
        "SELECT c FROM sbtest1 WHERE id=1",
        "SELECT c FROM sbtest1 WHERE id=2",
        "SELECT c FROM sbtest1 WHERE id='2'",
        "SELECT GET_LOCK('a', 1)",
        "SELECT GET_LOCK('b', 1)",
        "SELECT \"a\" FROM t",
        "INSERT INTO t VALUES (1, 'a''b')",
    ];

    const OTHERS: [&str; 14] = [
        "SET autocommit=0",
        "SET NAMES 'gbk'",
        "KILL 5",
        "SELECT 1; KILL 5",
        "SELECT 1; SET NAMES gbk",
        "INSERT INTO t VALUES (1, 'a\\'')",
        "EXECUTE a",
        "XA START 'a'",
        "SELECT 1; XA START 'a'",
        "SHOW PROCESSLIST",
        "CALL p()",
        "USE a",
        "SELECT 1 -- a",
        "",
    ];

    #[test]
    fn what_was_read_before_is_read_the_same() {
        let mut familiar = Familiar::default();
        for dialect in [Dialect::default(), Dialect { ansi_quotes: true, mariadb: true, ..Dialect::default() }] {
            for sql in PLAIN.iter().chain(&PLAIN).map(|sql| sql.as_bytes()) {
                let expected = Said { digest: digest(sql), summary: summary(sql, dialect) };
                assert_eq!(familiar.read(sql, dialect), Some(expected), "{}", String::from_utf8_lossy(sql));
            }
        }
    }

    #[test]
    fn what_is_not_plain_is_to_be_read_itself() {
        let mut familiar = Familiar::default();
        for sql in OTHERS.iter().chain(&OTHERS) {
            assert_eq!(familiar.read(sql.as_bytes(), Dialect::default()), None, "{sql}");
        }
    }

    #[test]
    fn no_more_is_kept_than_there_are_places() {
        let mut familiar = Familiar::default();
        for n in 0..10 * PLACES {
            familiar.read(format!("SELECT c{n} FROM t").as_bytes(), Dialect::default());
        }
        let kept = familiar.places.iter().flatten();
        assert!(kept.clone().count() > PLACES / 2 && kept.clone().all(|known| known.shape.len() < 30));
    }
}
