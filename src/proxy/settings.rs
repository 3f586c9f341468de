//! Everything one running proxy needs to know, resolved.

use std::time::Duration;

use crate::login::settings::AuthSettings;
use crate::net::settings::{BackendSettings, ListenSettings};
use crate::pool::policy::PoolSettings;
use crate::stats::settings::{HistogramSettings, SlowLogSettings};

/// `pool.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A backend for one transaction at a time.
    Transaction,
    /// A backend for as long as the client stays; it returns clean to the pool.
    Session,
    /// A backend of the client's own, its greeting and id relayed; nothing but TLS and timing is tidegate's.
    Observe,
}

impl Mode {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Transaction => "transaction",
            Mode::Session => "session",
            Mode::Observe => "observe",
        }
    }
}

/// Time limits of statements and transactions; `None`: off (default).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// A statement that runs longer is killed.
    pub query_timeout: Option<Duration>,
    /// A transaction that lasts longer is ended.
    pub transaction_timeout: Option<Duration>,
    /// A transaction that is idle for longer is ended.
    pub idle_transaction_timeout: Option<Duration>,
}

/// One proxy's settings: the whole file, resolved.
#[derive(Debug, Clone)]
pub struct ProxySettings {
    /// `[listen]`
    pub listen: ListenSettings,
    /// `[backend]`
    pub backend: BackendSettings,
    /// `pool.mode`
    pub mode: Mode,
    /// `[pool]`, the counts and the times.
    pub pool: PoolSettings,
    /// `[pool]`, the limits on statements.
    pub limits: Limits,
    /// `[[user]]` and `[auth]`
    pub auth: AuthSettings,
    /// `[slow_log]`
    pub slow_log: SlowLogSettings,
    /// `[histogram]`
    pub histogram: HistogramSettings,
}
