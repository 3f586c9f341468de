//! Which commands are written: slow enough, in the sample, within the rate.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::stats::record::QueryRecord;
use crate::stats::settings::{SlowLogBasis, SlowLogSettings};

/// What is done with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Below the threshold.
    Fast,
    /// Slow, but not in the sample.
    NotSampled,
    /// Slow, but more than the rate allows in this second.
    OverRate,
    /// Slow, and to be written.
    Write,
}

/// The rule, shared by all workers without a lock.
#[derive(Debug)]
pub(super) struct Gate {
    threshold: Duration,
    user_thresholds: FxHashMap<String, Duration>,
    basis: SlowLogBasis,
    sample: f64,
    rate: Rate,
    /// Slow commands seen; each number's hash decides on the sample.
    slow: AtomicU64,
}

/// So many in each second.
#[derive(Debug)]
pub(super) struct Rate {
    most: Option<u32>,
    /// The present second (upper half) and what it had (lower half).
    window: AtomicU64,
}

impl Gate {
    pub fn new(settings: &SlowLogSettings) -> Self {
        Gate {
            threshold: settings.threshold,
            user_thresholds: settings.user_thresholds.iter().cloned().collect(),
            basis: settings.basis,
            sample: settings.sample,
            rate: Rate::new(settings.rate),
            slow: AtomicU64::new(0),
        }
    }

    pub fn judge(&self, record: &QueryRecord<'_>) -> Verdict {
        let time = match self.basis {
            SlowLogBasis::Total => record.phases.total,
            SlowLogBasis::Server => record.phases.server,
        };
        match () {
            () if time < self.threshold_of(&record.identity.user) => Verdict::Fast,
            () if !self.in_sample() => Verdict::NotSampled,
            () if !self.rate.allows(record.ended_at.as_secs()) => Verdict::OverRate,
            () => Verdict::Write,
        }
    }

    /// What this account's commands are held against.
    pub fn threshold_of(&self, user: &str) -> Duration {
        match self.user_thresholds.is_empty() {
            true => self.threshold,
            false => self.user_thresholds.get(user).copied().unwrap_or(self.threshold),
        }
    }

    /// The lowest of the thresholds.
    pub fn least_nanos(&self) -> u64 {
        let lowest = self.user_thresholds.values().copied().fold(self.threshold, Duration::min);
        u64::try_from(lowest.as_nanos()).unwrap_or(u64::MAX)
    }

    fn in_sample(&self) -> bool {
        let number = self.slow.fetch_add(1, Ordering::Relaxed);
        self.sample >= 1.0 || unit_interval(number) < self.sample
    }
}

impl Rate {
    /// At most `most` in a second; `None`: no bound.
    pub fn new(most: Option<u32>) -> Self {
        Rate { most, window: AtomicU64::new(0) }
    }

    /// Takes one, if there is one left. Seconds come from the callers, which may disagree a little: the window only moves on.
    pub fn allows(&self, second: u64) -> bool {
        let Some(rate) = self.most else { return true };
        let count = |window: u64| {
            let (current, used) = (window >> 32, window & 0xFFFF_FFFF);
            match second & 0xFFFF_FFFF {
                newer if newer > current => (rate > 0).then_some(newer << 32 | 1),
                _ => (used < u64::from(rate)).then_some(window + 1),
            }
        };
        self.window.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).is_ok()
    }
}

/// A number spread evenly over 0 to 1 (SplitMix64's finish), so that no regular traffic falls into step with the sample.
fn unit_interval(number: u64) -> f64 {
    let mut x = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::super::tests::{record, settings};
    use super::*;
    use crate::stats::record::{Identity, Phases};

    fn judged(gate: &Gate, total_ms: u64, server_ms: u64, second: u64) -> Verdict {
        let identity = Identity::default();
        let mut record = record(&identity);
        record.phases = Phases {
            total: Duration::from_millis(total_ms),
            server: Duration::from_millis(server_ms),
            ..Phases::default()
        };
        record.ended_at = Duration::from_secs(second);
        gate.judge(&record)
    }

    #[test]
    fn the_basis_is_held_against_the_threshold() {
        let total = Gate::new(&settings("x"));
        assert_eq!(judged(&total, 999, 999, 1), Verdict::Fast);
        assert_eq!(judged(&total, 1_000, 1, 1), Verdict::Write);
        let server = Gate::new(&SlowLogSettings { basis: SlowLogBasis::Server, ..settings("x") });
        assert_eq!(judged(&server, 5_000, 999, 1), Verdict::Fast);
        assert_eq!(judged(&server, 5_000, 1_000, 1), Verdict::Write);
    }

    #[test]
    fn an_account_may_have_its_own_threshold() {
        let user_thresholds = vec![("app".to_owned(), Duration::from_millis(10)), ("reports".into(), Duration::MAX)];
        let gate = Gate::new(&SlowLogSettings { user_thresholds, ..settings("x") });
        let verdict = |user: &str, total_ms| {
            let identity = Identity { user: user.into(), ..Identity::default() };
            let phases = Phases { total: Duration::from_millis(total_ms), ..Phases::default() };
            gate.judge(&QueryRecord { phases, ..record(&identity) })
        };
        assert_eq!([verdict("app", 9), verdict("app", 10)], [Verdict::Fast, Verdict::Write]);
        assert_eq!([verdict("reports", 60_000), verdict("web", 1_000)], [Verdict::Fast, Verdict::Write]);
        assert_eq!(gate.least_nanos(), 10_000_000);
    }

    #[test]
    fn the_sample_is_a_share() {
        let gate = Gate::new(&SlowLogSettings { sample: 0.1, ..settings("x") });
        let written = (0..10_000).filter(|_| judged(&gate, 2_000, 0, 1) == Verdict::Write).count();
        assert!((900..1_100).contains(&written), "{written}");
    }

    #[test]
    fn each_second_has_its_rate() {
        let gate = Gate::new(&SlowLogSettings { rate: Some(3), ..settings("x") });
        let verdicts = |second| (0..5).filter(|_| judged(&gate, 2_000, 0, second) == Verdict::Write).count();
        assert_eq!((verdicts(10), verdicts(11), verdicts(10), verdicts(12)), (3, 3, 0, 3));
        assert_eq!(judged(&gate, 2_000, 0, 12), Verdict::OverRate);
    }
}
