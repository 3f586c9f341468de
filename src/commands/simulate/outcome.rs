//! What came of one setting.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::setting::Setting;
use crate::pool::snapshot::Counters;

/// The longest time that is told apart: an hour, as in the recorders.
const MOST: u64 = 3_600_000_000_000;
const DIGITS: u8 = 3;

/// How long commands and logins took, in nanoseconds.
#[derive(Debug, Clone)]
pub struct Latencies {
    /// What each command waited for a backend.
    pub queue: Histogram<u64>,
    /// What each command took in all.
    pub total: Histogram<u64>,
    /// What each login waited for a backend.
    pub login_queue: Histogram<u64>,
}

impl Default for Latencies {
    fn default() -> Self {
        let none = || {
            let histogram = Histogram::new_with_bounds(1, MOST, DIGITS);
            histogram.unwrap_or_else(|_| unreachable!("the bounds are in order"))
        };
        Latencies { queue: none(), total: none(), login_queue: none() }
    }
}

impl Latencies {
    /// One command.
    pub fn command(&mut self, queue: u64, total: u64) {
        self.queue.saturating_record(queue);
        self.total.saturating_record(total);
    }

    /// One login.
    pub fn login(&mut self, queue: u64) {
        self.login_queue.saturating_record(queue);
    }
}

/// What came of one setting.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The setting.
    pub setting: Setting,
    /// What commands and logins took.
    pub latencies: Latencies,
    /// Commands that had to wait.
    pub waited: u64,
    /// Commands that got no backend in time.
    pub timeouts: u64,
    /// Logins that got none in time: what their clients did is missing from the rest.
    pub refused: u64,
    /// The most connections at once.
    pub peak: usize,
    /// How many there were on average.
    pub mean: f64,
    /// The most that were with a client at once.
    pub peak_used: usize,
    /// How many were with a client on average.
    pub mean_used: f64,
    /// What the pool counted.
    pub counters: Counters,
    /// How long the load took.
    pub lasted: Duration,
}

impl Outcome {
    /// What is waited for a backend: by commands, or in mode `session` by logins.
    pub fn queue(&self) -> &Histogram<u64> {
        match self.setting.mode {
            super::setting::Mode::Transaction => &self.latencies.queue,
            super::setting::Mode::Session => &self.latencies.login_queue,
        }
    }
}

/// A percentile in nanoseconds; an upper end of a bucket is no more than the greatest value.
pub fn percentile(histogram: &Histogram<u64>, quantile: f64) -> u64 {
    histogram.value_at_quantile(quantile).min(histogram.max())
}
