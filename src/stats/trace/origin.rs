//! Where a trace comes from: what was in force when its recording began.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The head of a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// tidegate's version.
    pub version: String,
    /// Names the recording: files of one recording have the same.
    pub recording: u64,
    /// Which of its files this is, from 1.
    pub part: u32,
    /// When the recording began, since 1970.
    pub began: Duration,
    /// `pool.mode`: `transaction`, `session`, `observe`.
    pub mode: String,
    /// `[pool]`.
    pub pool: PoolFacts,
    /// The server's version, as its greeting said it; `None`: it had not greeted yet.
    pub server: Option<String>,
    /// Statements have their literals.
    pub literals: bool,
}

/// `[pool]` as it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoolFacts {
    /// `pool.size`
    pub size: usize,
    /// `pool.max_overflow`
    pub max_overflow: usize,
    /// `pool.min_idle`
    pub min_idle: usize,
    /// `pool.checkout_timeout`
    pub checkout_timeout: Duration,
    /// `pool.max_lifetime`
    pub max_lifetime: Duration,
    /// `pool.idle_timeout`; `None`: `auto`.
    pub idle_timeout: Option<Duration>,
    /// `pool.ping_after`; `None`: `off`.
    pub ping_after: Option<Duration>,
    /// `pool.reset_on_return`: `auto`, `reset`, `rollback`.
    pub reset_on_return: String,
    /// Users with a `pool_size` of their own.
    pub caps: Vec<(String, usize)>,
}
