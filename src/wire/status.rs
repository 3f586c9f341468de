//! The status flags of OK and EOF packets.

/// A transaction is open.
pub const IN_TRANS: u16 = 0x0001;
/// Autocommit is on.
pub const AUTOCOMMIT: u16 = 0x0002;
/// Another result follows this one.
pub const MORE_RESULTS: u16 = 0x0008;
/// No good index was used.
pub const NO_GOOD_INDEX_USED: u16 = 0x0010;
/// No index was used.
pub const NO_INDEX_USED: u16 = 0x0020;
/// A cursor was opened: no rows follow until they are fetched.
pub const CURSOR_EXISTS: u16 = 0x0040;
/// A fetch sent the last row.
pub const LAST_ROW_SENT: u16 = 0x0080;
/// A prepared statement has another number of columns than when it was prepared.
pub const METADATA_CHANGED: u16 = 0x0400;
/// The server itself found the statement slow.
pub const QUERY_WAS_SLOW: u16 = 0x0800;
/// The result holds a procedure's OUT parameters.
pub const PS_OUT_PARAMS: u16 = 0x1000;
/// A backslash is a character like others.
pub const NO_BACKSLASH_ESCAPES: u16 = 0x0200;
/// MariaDB: double quotes are for names.
pub const ANSI_QUOTES: u16 = 0x8000;
/// What the session is, whatever the last statement was.
pub const OF_SESSION: u16 = IN_TRANS | AUTOCOMMIT | NO_BACKSLASH_ESCAPES | SESSION_STATE_CHANGED | ANSI_QUOTES;
/// The open transaction is read-only.
pub const IN_TRANS_READONLY: u16 = 0x2000;
/// Trackers follow in the OK packet.
pub const SESSION_STATE_CHANGED: u16 = 0x4000;
