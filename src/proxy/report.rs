//! Histograms on their way out: intervals into the .hlog, dumps on SIGUSR1 and at the end, tables on the log.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::{info, warn};

use crate::stats::hlog::{IntervalLog, table};
use crate::stats::recorder::Recorders;
use crate::stats::settings::HistogramSettings;
use crate::stats::snapshot::Snapshot;

/// Writes what the recorders have seen.
pub struct Reporter {
    recorders: Arc<Recorders>,
    log: Option<IntervalLog>,
    ticks: tokio::time::Interval,
}

impl Reporter {
    /// Opens the .hlog, where one is configured.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(settings: &HistogramSettings, recorders: Arc<Recorders>) -> io::Result<Reporter> {
        let HistogramSettings { path, max_size, keep, interval } = settings;
        let log = path.as_ref().map(|path| IntervalLog::open(path, *max_size, *keep, now())).transpose()?;
        Ok(Reporter { recorders, log, ticks: ticks(*interval) })
    }

    /// Another `histogram.interval`, from now on.
    pub fn set_interval(&mut self, interval: Duration) {
        if interval != self.ticks.period() {
            self.ticks = ticks(interval);
        }
    }

    /// Returns when the next interval is over; never where there is no file to write to.
    pub async fn interval(&mut self) {
        match self.log {
            Some(_) => drop(self.ticks.tick().await),
            None => std::future::pending().await,
        }
    }

    /// Appends what came since the last interval.
    pub fn write_interval(&mut self) {
        if let Some(log) = &mut self.log
            && let Err(error) = log.write_interval(&self.recorders, now())
        {
            warn!(%error, "histogram.path cannot be written");
        }
    }

    /// Brings the file up to now and puts the percentile table of all that was seen on the log.
    pub fn dump(&mut self) {
        self.write_interval();
        let snapshot: Snapshot = self.recorders.snapshot();
        let (percentiles, slowest) = (table::percentiles(&snapshot), table::slowest(&snapshot.slowest));
        info!("latency since the start\n{percentiles}\n{}\n{slowest}", table::digests(&snapshot));
    }

    /// The file may have been moved away.
    pub fn reopen(&mut self) {
        if let Some(log) = &mut self.log
            && let Err(error) = log.reopen()
        {
            warn!(%error, "histogram.path cannot be opened anew");
        }
    }
}

fn ticks(interval: Duration) -> tokio::time::Interval {
    tokio::time::interval_at(tokio::time::Instant::now() + interval, interval)
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
