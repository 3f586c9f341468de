//! Where and how the traffic is put on record: the resolved form of `[slow_log]` and `[histogram]`.

use std::path::PathBuf;
use std::time::Duration;

/// `slow_log.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlowLogFormat {
    /// What the server itself writes; pt-query-digest reads it.
    Mysql,
    /// One JSON object a line.
    Json,
}

/// `slow_log.basis`: the time that is held against the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlowLogBasis {
    /// From the command's arrival to the reply's last byte (default).
    Total,
    /// From the command sent to the server to the reply's first byte.
    Server,
}

/// The resolved `[slow_log]`.
#[derive(Debug, Clone)]
pub struct SlowLogSettings {
    /// Commands that took at least this long are logged; zero logs all.
    pub threshold: Duration,
    /// Accounts with a threshold of their own.
    pub user_thresholds: Vec<(String, Duration)>,
    /// The file; `None`: no slow log.
    pub path: Option<PathBuf>,
    /// The form of a record.
    pub format: SlowLogFormat,
    /// Which time counts.
    pub basis: SlowLogBasis,
    /// The share of slow statements that is written, above 0 and at most 1 (default 1).
    pub sample: f64,
    /// The most records a second; `None`: no limit.
    pub rate: Option<u32>,
    /// Digests instead of literals.
    pub redact: bool,
    /// The file is rotated above this many bytes; `None`: never.
    pub max_size: Option<u64>,
    /// How many rotated files are kept.
    pub keep: usize,
    /// The plan of slow SELECTs is added.
    pub explain: bool,
}

/// The resolved `[histogram]`.
#[derive(Debug, Clone)]
pub struct HistogramSettings {
    /// The .hlog file; `None`: dumps on SIGUSR1 and at exit go to the log only.
    pub path: Option<PathBuf>,
    /// How often an interval is written.
    pub interval: Duration,
    /// The file is rotated above this many bytes; `None`: never.
    pub max_size: Option<u64>,
    /// How many rotated files are kept.
    pub keep: usize,
}
