//! The things by name that keep a backend. Bounded: beyond it the ledger pins for good.

use std::collections::{BTreeMap, BTreeSet};

use crate::sql::dialect::Dialect;
use crate::sql::effects::Statement;
use crate::sql::lexer::Kind;
use crate::sql::routines::Routine;

/// The most names of all kinds that are remembered one by one.
const MAX_NAMES: usize = 256;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    pub tables: BTreeSet<Table>,
    /// With whether what was prepared leaves nothing behind.
    pub prepared: BTreeMap<Box<[u8]>, bool>,
    pub handlers: BTreeSet<Box<[u8]>>,
    pub global_locks: BTreeSet<GlobalLock>,
    pub cursors: BTreeSet<u32>,
    pub long_data: BTreeSet<u32>,
    /// Prepared statements whose user variables have the types that they had then.
    pub typed: BTreeSet<u32>,
    /// User variables that are to be read.
    pub variables: BTreeSet<Box<[u8]>>,
    /// Procedures and functions that were called, and whose text is to be read.
    pub routines: BTreeSet<Routine>,
    /// A seed or a GTID was set: no question to the server ends that.
    pub frozen_for_good: bool,
}

impl Names {
    pub fn are_nothing(&self) -> bool {
        self.count() == 0 && !self.frozen_for_good
    }

    pub fn are_too_many(&self) -> bool {
        self.count() > MAX_NAMES
    }

    fn count(&self) -> usize {
        self.tables.len()
            + self.prepared.len()
            + self.handlers.len()
            + self.global_locks.len()
            + self.cursors.len()
            + self.long_data.len()
            + self.typed.len()
            + self.variables.len()
            + self.routines.len()
    }
}

/// A temporary table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Table {
    pub schema: Option<Box<[u8]>>,
    /// `None`: one whose name is not known; nothing drops it.
    pub name: Option<Box<[u8]>>,
}

impl Table {
    pub fn unknown() -> Table {
        Table { schema: None, name: None }
    }
}

/// What holds a lock on the whole server, and what it is undone by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum GlobalLock {
    /// FLUSH TABLES .. WITH READ LOCK or FOR EXPORT, LOCK TABLES FOR BACKUP: UNLOCK TABLES.
    Tables,
    /// LOCK INSTANCE: UNLOCK INSTANCE.
    Instance,
    /// LOCK BINLOG: UNLOCK BINLOG.
    Binlog,
    /// BACKUP STAGE: BACKUP STAGE END.
    Stage,
    /// BACKUP LOCK: BACKUP UNLOCK.
    Backup,
    /// Nothing undoes it.
    Unknown,
}

impl GlobalLock {
    /// Which one the statement takes or gives back.
    pub fn of(sql: &[u8], dialect: Dialect, statement: &Statement) -> Option<GlobalLock> {
        let words = statement
            .tokens(sql, dialect)
            .filter(|token| token.kind == Kind::Word)
            .map(|token| sql[token.start..token.end].to_ascii_lowercase());
        let words: Vec<_> = words.take(2).collect();
        let [first, second] = words.as_slice() else { return None };
        match (first.as_slice(), second.as_slice()) {
            (b"flush", _) | (b"lock", b"table" | b"tables") => Some(Self::Tables),
            (b"lock" | b"unlock", b"instance") => Some(Self::Instance),
            (b"lock" | b"unlock", b"binlog") => Some(Self::Binlog),
            (b"backup", b"stage") => Some(Self::Stage),
            (b"backup", b"lock" | b"unlock") => Some(Self::Backup),
            _ => None,
        }
    }
}
