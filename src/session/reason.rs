//! Why a backend is kept for a client: pins, which nothing takes away, and holds, which are given up when another waits.

use std::fmt;

/// Why a backend cannot be given to another client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pin {
    /// A transaction is open.
    Transaction,
    /// The next transaction has characteristics of its own.
    NextTransaction,
    /// An XA transaction was begun.
    Xa,
    /// LOCK TABLES
    TableLocks,
    /// FLUSH TABLES .. WITH READ LOCK, LOCK INSTANCE, BACKUP STAGE and the like.
    GlobalLock,
    /// GET_LOCK()
    UserLock,
    /// A temporary table exists.
    TemporaryTable,
    /// A user variable has a value that can be neither carried nor read.
    UserVariable,
    /// PREPARE in SQL, or a prepared statement that another preparation would make another one.
    SqlPrepare,
    /// HANDLER .. OPEN
    Handler,
    /// A cursor has rows left.
    Cursor,
    /// Long data was sent for a statement that was not executed yet.
    LongData,
    /// A file is being sent.
    LocalInfile,
    /// insert_id, rand_seed1/2, gtid_next or the like was set.
    Frozen,
    /// A sequence was used: LASTVAL() is the session's.
    Sequence,
    /// SET ROLE
    Role,
    /// The client became a user by COM_CHANGE_USER whom nobody else can be made.
    OwnLogin,
    /// The connection replicates.
    Replication,
    /// A command that tidegate does not know.
    UnknownCommand,
    /// Something changed, and nobody knows what.
    UnexplainedState,
}

/// What the last statements left behind, to be read before the backend goes to another client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hold {
    /// Warnings and errors.
    Diagnostics,
    /// FOUND_ROWS(), where the reply does not tell it.
    FoundRows,
    /// ROW_COUNT(), where the reply does not tell it.
    RowCount,
    /// LAST_INSERT_ID()
    LastInsertId,
    /// User variables whose names are known, but not their values.
    UserVariables,
    /// SET ROLE
    Role,
    /// Stored procedures and functions were called whose text was not read.
    Routines,
}

/// A set of [`Pin`]s.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Pins(u32);

/// A set of [`Hold`]s.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Holds(u8);

impl Pins {
    /// Where the connection keeps something for the client, and does what it is asked as any other.
    pub const OF_THINGS_KEPT: Pins = Pins(
        1 << Pin::Transaction as u32
            | 1 << Pin::UserLock as u32
            | 1 << Pin::TemporaryTable as u32
            | 1 << Pin::UserVariable as u32
            | 1 << Pin::SqlPrepare as u32
            | 1 << Pin::Handler as u32
            | 1 << Pin::Sequence as u32
            | 1 << Pin::Role as u32
            | 1 << Pin::OwnLogin as u32,
    );

    /// Those that are not in the others.
    pub const fn minus(self, others: Pins) -> Pins {
        Pins(self.0 & !others.0)
    }
}

impl Holds {
    /// Those that are about more than what the last statement left behind.
    pub const BEYOND_LAST: Holds =
        Holds(1 << Hold::UserVariables as u8 | 1 << Hold::Role as u8 | 1 << Hold::Routines as u8);
}

macro_rules! set {
    ($set:ident of $item:ident: $word:ty, $($name:ident $text:literal),* $(,)?) => {
        impl $item {
            /// All of them.
            pub const ALL: &[$item] = &[$($item::$name),*];

            /// The name in logs, metrics and `SHOW PINS`.
            pub const fn name(self) -> &'static str {
                match self { $($item::$name => $text),* }
            }
        }

        impl $set {
            /// None.
            pub const NONE: $set = $set(0);

            /// Whether there is none.
            #[inline]
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// Whether it is in.
            #[inline]
            pub const fn has(self, item: $item) -> bool {
                self.0 & (1 << item as u32) != 0
            }

            /// Whether one of those is in.
            #[inline]
            pub const fn has_any(self, items: $set) -> bool {
                self.0 & items.0 != 0
            }

            /// In or out.
            #[inline]
            pub fn set(&mut self, item: $item, on: bool) {
                let bit: $word = 1 << item as u32;
                self.0 = if on { self.0 | bit } else { self.0 & !bit };
            }

            /// All that are in.
            pub fn iter(self) -> impl Iterator<Item = $item> {
                $item::ALL.iter().copied().filter(move |item| self.has(*item))
            }
        }

        impl fmt::Debug for $set {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_set().entries(self.iter()).finish()
            }
        }

        impl FromIterator<$item> for $set {
            fn from_iter<I: IntoIterator<Item = $item>>(items: I) -> $set {
                items.into_iter().fold($set::NONE, |mut set, item| { set.set(item, true); set })
            }
        }
    };
}

set! { Pins of Pin: u32,
    Transaction "transaction", NextTransaction "next_transaction", Xa "xa", TableLocks "table_locks",
    GlobalLock "global_lock", UserLock "user_lock", TemporaryTable "temporary_table", UserVariable "user_variable",
    SqlPrepare "sql_prepare", Handler "handler", Cursor "cursor", LongData "long_data", LocalInfile "local_infile",
    Frozen "frozen", Sequence "sequence", Role "role", OwnLogin "own_login", Replication "replication", UnknownCommand "unknown_command",
    UnexplainedState "unexplained_state",
}

set! { Holds of Hold: u8,
    Diagnostics "diagnostics", FoundRows "found_rows", RowCount "row_count", LastInsertId "last_insert_id",
    UserVariables "user_variables", Role "role", Routines "routines",
}
