//! What connections are kept for, summed up since the start. Pure.

use std::time::{Duration, Instant};

use super::core::{Core, PoolKey, SlotId};

/// A lease's label while nothing but the statement under way keeps it.
pub const NO_PIN: &str = "statement";

/// One reason's sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinSum {
    /// The label.
    pub reason: &'static str,
    /// How often it began.
    pub begun: u64,
    /// For how long connections were kept for it, of those that have ended.
    pub held: Duration,
}

/// All reasons' sums. There are some twenty labels, so that looking them up in a list costs less than any hash.
#[derive(Debug, Default)]
pub(super) struct PinSums(Vec<PinSum>);

impl PinSums {
    /// All reasons that were met.
    pub fn all(&self) -> &[PinSum] {
        &self.0
    }

    /// A connection is kept for this from now on.
    pub fn begin(&mut self, reason: &'static str) {
        if reason != NO_PIN {
            self.of(reason).begun += 1;
        }
    }

    /// One was kept for this, for so long.
    pub fn end(&mut self, reason: &'static str, held: Duration) {
        if reason != NO_PIN {
            let sum = self.of(reason);
            sum.held = sum.held.saturating_add(held);
        }
    }

    fn of(&mut self, reason: &'static str) -> &mut PinSum {
        let at = self.0.iter().position(|sum| sum.reason == reason).unwrap_or_else(|| {
            self.0.push(PinSum { reason, begun: 0, held: Duration::ZERO });
            self.0.len() - 1
        });
        &mut self.0[at]
    }
}

impl<K: PoolKey, C> Core<K, C> {
    /// A lease is kept no more for what it was kept for.
    pub(super) fn end_label(&mut self, slot: SlotId, now: Instant) {
        let entry = self.table.slot(slot);
        let (label, held) = (entry.label, now.saturating_duration_since(entry.labelled));
        entry.label = NO_PIN;
        self.pins.end(label, held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_sums_and_a_statement_is_none() {
        let mut sums = PinSums::default();
        sums.begin("transaction");
        sums.begin(NO_PIN);
        sums.end(NO_PIN, Duration::from_secs(9));
        sums.end("transaction", Duration::from_secs(2));
        sums.begin("transaction");
        sums.begin("user_lock");
        let told: Vec<_> = sums.all().iter().map(|sum| (sum.reason, sum.begun, sum.held.as_secs())).collect();
        assert_eq!(told, [("transaction", 2, 2), ("user_lock", 1, 0)]);
    }
}
