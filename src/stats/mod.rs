//! What tidegate knows about the traffic: one record per command, histograms, digests, the slow log, traces.

pub mod commands;
pub mod counters;
mod filled;
pub mod histogram;
pub mod hlog;
pub mod record;
pub mod recorder;
mod ring;
mod rotating_file;
mod secrets;
pub mod settings;
pub mod slow_log;
pub mod slowest;
pub mod snapshot;
pub mod tally;
pub mod timer;
pub mod top;
pub mod trace;
mod utc;

/// A point in time, since 1970, as `2026-11-22T14:58:31Z`: for those who show what was recorded.
pub fn utc_seconds(since: std::time::Duration) -> String {
    let micros = utc::Utc::from_unix(since).iso().to_string();
    format!("{}Z", micros.split('.').next().unwrap_or_default())
}
