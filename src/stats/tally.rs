//! What is known of a group of commands: of one label, of one digest, of all that no table had room for.

use std::time::Duration;

use super::histogram::{self, LabelHistogram, PhaseNanos};
use super::record::{Outcome, Phases, QueryRecord};

/// SERVER_QUERY_NO_INDEX_USED
pub(crate) const STATUS_NO_INDEX_USED: u16 = 0x0020;
/// SERVER_QUERY_NO_GOOD_INDEX_USED
pub(crate) const STATUS_NO_GOOD_INDEX_USED: u16 = 0x0010;

/// Sums over a group of commands, and the histogram of their totals.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Commands.
    pub count: u64,
    /// Those answered with an ERR packet.
    pub errors: u64,
    /// Rows sent to clients.
    pub rows_sent: u64,
    /// Rows changed.
    pub rows_affected: u64,
    /// Bytes of commands.
    pub bytes_in: u64,
    /// Bytes of replies.
    pub bytes_out: u64,
    /// Warnings.
    pub warnings: u64,
    /// Commands whose reply said that no index was used.
    pub no_index: u64,
    /// Sums of the phases: 584 years of each, since sums of [`Duration`]s cost several times as much.
    phases: PhaseNanos,
    /// When the first of them ended, since 1970.
    pub first_seen: Duration,
    /// When the last of them ended, since 1970.
    pub last_seen: Duration,
    /// Totals in nanoseconds, two digits. Commands that have no reply are not in it.
    pub histogram: LabelHistogram,
}

impl Tally {
    /// Nothing yet.
    pub fn new() -> Self {
        Tally {
            count: 0,
            errors: 0,
            rows_sent: 0,
            rows_affected: 0,
            bytes_in: 0,
            bytes_out: 0,
            warnings: 0,
            no_index: 0,
            phases: PhaseNanos::default(),
            first_seen: Duration::MAX,
            last_seen: Duration::ZERO,
            histogram: histogram::label_histogram(),
        }
    }

    /// Sums of the phases.
    pub fn phases(&self) -> Phases {
        let [total, queue, restore, server, transfer, client] = self.phases.map(Duration::from_nanos);
        Phases { queue, restore, server, transfer, client, total }
    }

    /// Counts one command. `nanos` are its phases; one that has no reply is not `answered`.
    pub(crate) fn record(&mut self, record: &QueryRecord<'_>, nanos: &PhaseNanos, answered: bool) {
        self.count += 1;
        self.errors += u64::from(matches!(record.outcome, Outcome::Error(_)));
        self.rows_sent += record.rows_sent;
        self.rows_affected += record.rows_affected;
        self.bytes_in += record.bytes_in;
        self.bytes_out += record.bytes_out;
        self.warnings += u64::from(record.warnings);
        self.no_index += u64::from(record.status & STATUS_NO_INDEX_USED != 0);
        each_phase(&mut self.phases, nanos, u64::saturating_add);
        self.first_seen = self.first_seen.min(record.ended_at);
        self.last_seen = self.last_seen.max(record.ended_at);
        if answered {
            histogram::record(&mut self.histogram, nanos[0]);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.errors += other.errors;
        self.rows_sent += other.rows_sent;
        self.rows_affected += other.rows_affected;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.warnings += other.warnings;
        self.no_index += other.no_index;
        each_phase(&mut self.phases, &other.phases, u64::saturating_add);
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        // Grows as needed, so equal shapes always add up.
        let _ = self.histogram.add(&other.histogram);
    }

    /// Takes an earlier state of the same group from it. `first_seen` stays.
    pub(crate) fn subtract(&mut self, earlier: &Self) {
        self.count = self.count.saturating_sub(earlier.count);
        self.errors = self.errors.saturating_sub(earlier.errors);
        self.rows_sent = self.rows_sent.saturating_sub(earlier.rows_sent);
        self.rows_affected = self.rows_affected.saturating_sub(earlier.rows_affected);
        self.bytes_in = self.bytes_in.saturating_sub(earlier.bytes_in);
        self.bytes_out = self.bytes_out.saturating_sub(earlier.bytes_out);
        self.warnings = self.warnings.saturating_sub(earlier.warnings);
        self.no_index = self.no_index.saturating_sub(earlier.no_index);
        each_phase(&mut self.phases, &earlier.phases, u64::saturating_sub);
        histogram::subtract(&mut self.histogram, &earlier.histogram);
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

fn each_phase(sums: &mut PhaseNanos, others: &PhaseNanos, apply: impl Fn(u64, u64) -> u64) {
    for (sum, other) in sums.iter_mut().zip(others) {
        *sum = apply(*sum, *other);
    }
}
