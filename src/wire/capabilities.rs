//! Capability flags: what both sides agreed on at login. The low 32 bits are everybody's, the high 32 MariaDB's own.

use std::ops::{BitAnd, BitOr, Not};

/// A set of capability flags; MariaDB's extended ones stand in the high 32 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Capabilities(pub u64);

/// Bit 0: set by MySQL and its clients; *clear* from a MariaDB peer, which then has extended capabilities.
pub const LONG_PASSWORD: Capabilities = Capabilities(1);
/// Affected rows count the rows found, not those changed.
pub const FOUND_ROWS: Capabilities = Capabilities(1 << 1);
/// Long column flags.
pub const LONG_FLAG: Capabilities = Capabilities(1 << 2);
/// A schema stands in the login.
pub const CONNECT_WITH_DB: Capabilities = Capabilities(1 << 3);
/// A table is not named with its schema before it: the server leaves that out.
pub const NO_SCHEMA: Capabilities = Capabilities(1 << 4);
/// The compressed protocol with zlib.
pub const COMPRESS: Capabilities = Capabilities(1 << 5);
/// The client may send files.
pub const LOCAL_FILES: Capabilities = Capabilities(1 << 7);
/// Spaces before `(` are ignored.
pub const IGNORE_SPACE: Capabilities = Capabilities(1 << 8);
/// The protocol of 4.1 and later; without it tidegate does not speak.
pub const PROTOCOL_41: Capabilities = Capabilities(1 << 9);
/// `wait_timeout` is taken from `interactive_timeout`.
pub const INTERACTIVE: Capabilities = Capabilities(1 << 10);
/// TLS follows.
pub const SSL: Capabilities = Capabilities(1 << 11);
/// The client knows transactions' status flags.
pub const TRANSACTIONS: Capabilities = Capabilities(1 << 13);
/// Challenges of 20 bytes.
pub const SECURE_CONNECTION: Capabilities = Capabilities(1 << 15);
/// Several statements in one query.
pub const MULTI_STATEMENTS: Capabilities = Capabilities(1 << 16);
/// Several results to one query.
pub const MULTI_RESULTS: Capabilities = Capabilities(1 << 17);
/// Several results to one execution.
pub const PS_MULTI_RESULTS: Capabilities = Capabilities(1 << 18);
/// The login names its method.
pub const PLUGIN_AUTH: Capabilities = Capabilities(1 << 19);
/// The login carries attributes.
pub const CONNECT_ATTRS: Capabilities = Capabilities(1 << 20);
/// The login's answer has a length-encoded length.
pub const PLUGIN_AUTH_LENENC: Capabilities = Capabilities(1 << 21);
/// The client can be told that its password has expired.
pub const EXPIRED_PASSWORDS: Capabilities = Capabilities(1 << 22);
/// OK packets carry trackers.
pub const SESSION_TRACK: Capabilities = Capabilities(1 << 23);
/// No EOF packets; results end in an OK packet with header 0xFE.
pub const DEPRECATE_EOF: Capabilities = Capabilities(1 << 24);
/// Column definitions may be left out (MySQL).
pub const OPTIONAL_RESULTSET_METADATA: Capabilities = Capabilities(1 << 25);
/// The compressed protocol with zstd.
pub const ZSTD_COMPRESSION: Capabilities = Capabilities(1 << 26);
/// Queries carry attributes (MySQL).
pub const QUERY_ATTRIBUTES: Capabilities = Capabilities(1 << 27);
/// Several factors at login (MySQL).
pub const MULTI_FACTOR_AUTH: Capabilities = Capabilities(1 << 28);
/// Reserved for capabilities beyond 32 bits.
pub const CAPABILITY_EXTENSION: Capabilities = Capabilities(1 << 29);
/// The client verifies the server's certificate (a client's own affair, never sent on).
pub const SSL_VERIFY_SERVER_CERT: Capabilities = Capabilities(1 << 30);

/// MariaDB: progress reports during long statements.
pub const MARIADB_PROGRESS: Capabilities = Capabilities(1 << 32);
/// MariaDB: COM_MULTI, long gone.
pub const MARIADB_COM_MULTI: Capabilities = Capabilities(1 << 33);
/// MariaDB: bulk execution.
pub const MARIADB_STMT_BULK: Capabilities = Capabilities(1 << 34);
/// MariaDB: extended column types.
pub const MARIADB_EXTENDED_METADATA: Capabilities = Capabilities(1 << 35);
/// MariaDB: column definitions are left out where the client has them already.
pub const MARIADB_CACHE_METADATA: Capabilities = Capabilities(1 << 36);
/// MariaDB: a result per row of a bulk execution.
pub const MARIADB_BULK_UNIT_RESULTS: Capabilities = Capabilities(1 << 37);

impl Capabilities {
    /// No capability.
    pub const NONE: Capabilities = Capabilities(0);

    /// Whether every flag of `other` is set.
    #[inline]
    pub const fn has(self, other: Capabilities) -> bool {
        self.0 & other.0 == other.0
    }

    /// These and those.
    pub const fn with(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 | other.0)
    }

    /// These without those.
    pub const fn without(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 & !other.0)
    }

    /// The 32 bits that every peer knows.
    pub const fn low(self) -> u32 {
        self.0 as u32
    }

    /// MariaDB's 32 bits.
    pub const fn extended(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// From both halves.
    pub const fn from_halves(low: u32, extended: u32) -> Capabilities {
        Capabilities(low as u64 | (extended as u64) << 32)
    }
}

impl BitAnd for Capabilities {
    type Output = Capabilities;
    fn bitand(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 & other.0)
    }
}

impl BitOr for Capabilities {
    type Output = Capabilities;
    fn bitor(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 | other.0)
    }
}

impl Not for Capabilities {
    type Output = Capabilities;
    fn not(self) -> Capabilities {
        Capabilities(!self.0)
    }
}

impl std::fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}
