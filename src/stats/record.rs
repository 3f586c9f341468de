//! The record of one command: who, what, and where its time went.

use std::time::Duration;

use crate::wire::parameters::Execution;

/// Where one command's time went. Each wait is attributed to whom one waited for; `total` is measured, not summed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Phases {
    /// Waiting for a backend.
    pub queue: Duration,
    /// Bringing the session's state to the backend.
    pub restore: Duration,
    /// From the command sent to the reply's first byte.
    pub server: Duration,
    /// From the reply's first byte to its last, less the time blocked on the client.
    pub transfer: Duration,
    /// Blocked on the client's reading.
    pub client: Duration,
    /// From the command's first byte read to the reply's last byte written.
    pub total: Duration,
}

/// How a command ended for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outcome {
    /// Its reply was complete (or it has none).
    #[default]
    Ok,
    /// The server (or tidegate in its name) answered with this error code.
    Error(u16),
    /// The client went before the reply was complete.
    ClientGone,
    /// The backend went before the reply was complete.
    BackendGone,
}

/// What is fixed for as long as a client's login lasts. Shared by all records of that client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The client's connection id, from 0x40000000.
    pub client_id: u32,
    /// The account's name.
    pub user: String,
    /// The client's address without port; empty for a Unix socket.
    pub host: String,
}

/// One command, from its first byte read to its reply's last byte written.
#[derive(Debug, Clone, Copy)]
pub struct QueryRecord<'a> {
    /// Who sent it.
    pub identity: &'a Identity,
    /// The session's schema; empty if none.
    pub schema: &'a str,
    /// The protocol's command byte.
    pub command: u8,
    /// The statement's text (a prepared statement's text for its execution), perhaps cut; empty for other commands.
    pub sql: &'a [u8],
    /// The text's true length in bytes; larger than `sql.len()` where it was cut.
    pub sql_len: u64,
    /// The statement's digest ([`crate::sql::digest`]); 0 for none.
    pub digest: u64,
    /// Where the time went.
    pub phases: Phases,
    /// When the reply ended, seconds since 1970.
    pub ended_at: Duration,
    /// Rows sent to the client, of all results.
    pub rows_sent: u64,
    /// Rows changed, of all results.
    pub rows_affected: u64,
    /// The last OK's insert id.
    pub last_insert_id: u64,
    /// Bytes of the command, headers included.
    pub bytes_in: u64,
    /// Bytes of the reply, headers included.
    pub bytes_out: u64,
    /// All status flags seen in the reply's OK and EOF packets, or-ed (no index used, ..).
    pub status: u16,
    /// The last warning count.
    pub warnings: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// The backend's own connection id; 0 if it never reached one.
    pub backend_id: u32,
    /// Why the backend was held when the command began; empty if it was not.
    pub pin_reason: &'static str,
    /// The parameters, of a prepared statement's execution.
    pub execution: Option<Execution<'a>>,
}
