//! What tidegate knows about the traffic: one record per command, histograms, digests, the slow log.

pub mod commands;
pub mod counters;
mod filled;
pub mod histogram;
pub mod hlog;
pub mod record;
pub mod recorder;
mod rotating_file;
mod secrets;
pub mod settings;
pub mod slow_log;
pub mod slowest;
pub mod snapshot;
pub mod tally;
pub mod timer;
pub mod top;
mod utc;
