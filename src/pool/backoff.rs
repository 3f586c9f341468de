//! When to dial again after a backend could not be reached: exponential with jitter, one dial probes for all.

use std::time::{Duration, Instant};

/// The first pause.
const FIRST: Duration = Duration::from_millis(100);
/// The longest pause: how late a backend that is back may be noticed.
const LONGEST: Duration = Duration::from_secs(5);
/// A probe that has not reported after this long is taken for lost, and another may probe.
const PROBE_LIMIT: Duration = Duration::from_secs(20);

/// Which dial belongs to which round of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Round(u64);

/// The state of the retries.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
    round: Round,
    until: Option<Instant>,
}

impl Backoff {
    /// Whether a dial may begin now.
    pub fn allows(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now >= until)
    }

    /// When the next probe may begin; `None` while the backend is well.
    pub fn until(&self) -> Option<Instant> {
        self.until
    }

    /// How many rounds of dials failed in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// A dial begins. After a failure it is the only one until it reports.
    pub fn started(&mut self, now: Instant) -> Round {
        if self.failures > 0 {
            self.until = Some(now + PROBE_LIMIT);
        }
        self.round
    }

    /// A dial reached the backend.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.until = None;
        self.round = Round(self.round.0 + 1);
    }

    /// A dial did not reach the backend. Dials that began together count as one failure.
    pub fn failed(&mut self, round: Round, now: Instant, random: u64) {
        if round != self.round {
            return;
        }
        self.round = Round(self.round.0 + 1);
        self.until = Some(now + pause(self.failures, random));
        self.failures = self.failures.saturating_add(1);
    }

    /// A dial was given up without a result: another may probe at once.
    pub fn abandoned(&mut self, round: Round, now: Instant) {
        if round == self.round && self.failures > 0 {
            self.until = Some(now);
        }
    }
}

/// Between half of the exponential pause and the whole of it.
fn pause(failures: u32, random: u64) -> Duration {
    let whole = LONGEST.min(FIRST.saturating_mul(1 << failures.min(16)));
    whole - super::policy::share(whole / 2, random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_keep_their_jitter() {
        for failures in 0..40 {
            let whole = LONGEST.min(FIRST.saturating_mul(1 << failures.min(16)));
            assert_eq!(pause(failures, 0), whole);
            let least = pause(failures, u64::MAX);
            assert!(least >= whole / 2 && least < whole / 2 + Duration::from_millis(1), "{least:?}");
        }
    }

    #[test]
    fn one_dial_probes_after_a_failure_and_a_success_lets_all_through() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        let together = [backoff.started(now), backoff.started(now)];
        together.into_iter().for_each(|round| backoff.failed(round, now, 0));
        assert_eq!(backoff.failures(), 1, "dials that began together are one failure");
        assert!(!backoff.allows(now));

        let later = now + FIRST;
        assert!(backoff.allows(later));
        backoff.started(later);
        assert!(!backoff.allows(later), "the probe is alone");
        assert!(backoff.allows(later + PROBE_LIMIT), "a lost probe does not block for ever");
        backoff.succeeded();
        assert!(backoff.allows(later));
    }

    #[test]
    fn a_late_failure_of_an_earlier_round_does_not_undo_a_success() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        let early = backoff.started(now);
        backoff.succeeded();
        backoff.failed(early, now, 0);
        assert!(backoff.allows(now));
    }
}
