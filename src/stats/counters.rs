//! Plain counters over all commands.

use super::record::{Outcome, QueryRecord};
use super::tally::{STATUS_NO_GOOD_INDEX_USED, STATUS_NO_INDEX_USED};

/// What was counted since the start, or within an interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counters {
    /// Commands by command byte.
    pub commands: Box<[u64; 256]>,
    /// Commands answered with an ERR packet.
    pub errors: u64,
    /// Commands whose client went before the reply was complete.
    pub client_gone: u64,
    /// Commands whose backend went before the reply was complete.
    pub backend_gone: u64,
    /// Rows sent to clients.
    pub rows_sent: u64,
    /// Rows changed.
    pub rows_affected: u64,
    /// Bytes of commands, headers included.
    pub bytes_in: u64,
    /// Bytes of replies, headers included.
    pub bytes_out: u64,
    /// Warnings.
    pub warnings: u64,
    /// Commands whose reply said that no index was used.
    pub no_index_used: u64,
    /// Commands whose reply said that no good index was used.
    pub no_good_index_used: u64,
}

impl Counters {
    /// All commands, of every kind.
    pub fn total_commands(&self) -> u64 {
        self.commands.iter().sum()
    }

    pub(crate) fn record(&mut self, record: &QueryRecord<'_>) {
        self.commands[usize::from(record.command)] += 1;
        match record.outcome {
            Outcome::Ok => {}
            Outcome::Error(_) => self.errors += 1,
            Outcome::ClientGone => self.client_gone += 1,
            Outcome::BackendGone => self.backend_gone += 1,
        }
        self.rows_sent += record.rows_sent;
        self.rows_affected += record.rows_affected;
        self.bytes_in += record.bytes_in;
        self.bytes_out += record.bytes_out;
        self.warnings += u64::from(record.warnings);
        self.no_index_used += u64::from(record.status & STATUS_NO_INDEX_USED != 0);
        self.no_good_index_used += u64::from(record.status & STATUS_NO_GOOD_INDEX_USED != 0);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.each_with(other, |mine, theirs| *mine += theirs);
    }

    pub(crate) fn subtract(&mut self, earlier: &Self) {
        self.each_with(earlier, |mine, theirs| *mine = mine.saturating_sub(theirs));
    }

    fn each_with(&mut self, other: &Self, apply: impl Fn(&mut u64, u64)) {
        for (mine, theirs) in self.commands.iter_mut().zip(other.commands.iter()) {
            apply(mine, *theirs);
        }
        apply(&mut self.errors, other.errors);
        apply(&mut self.client_gone, other.client_gone);
        apply(&mut self.backend_gone, other.backend_gone);
        apply(&mut self.rows_sent, other.rows_sent);
        apply(&mut self.rows_affected, other.rows_affected);
        apply(&mut self.bytes_in, other.bytes_in);
        apply(&mut self.bytes_out, other.bytes_out);
        apply(&mut self.warnings, other.warnings);
        apply(&mut self.no_index_used, other.no_index_used);
        apply(&mut self.no_good_index_used, other.no_good_index_used);
    }
}

impl Default for Counters {
    fn default() -> Self {
        Counters {
            commands: Box::new([0; 256]),
            errors: 0,
            client_gone: 0,
            backend_gone: 0,
            rows_sent: 0,
            rows_affected: 0,
            bytes_in: 0,
            bytes_out: 0,
            warnings: 0,
            no_index_used: 0,
            no_good_index_used: 0,
        }
    }
}
