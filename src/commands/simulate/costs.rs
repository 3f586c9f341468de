//! What the pool's own work costs, from the trace: dials, restores, resets, closes. Where a trace has none of a kind, it is
//! guessed from the fastest commands, which are hardly more than a way to the server and back, or from the dials, which are six.

use std::time::Duration;

/// So many of each are kept, evenly over the trace.
const MAX_SAMPLES: usize = 4096;
/// So many say little about what is usual.
const FEW: usize = 30;
/// `@@wait_timeout` where no dial has told it: the servers' default.
const USUAL_WAIT_TIMEOUT: Duration = Duration::from_secs(28_800);
/// How many ways a dial with its login takes.
const WAYS_OF_A_DIAL: u64 = 6;

/// Durations of one kind, in nanoseconds.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    kept: Vec<u64>,
    seen: u64,
    /// Every so many is kept.
    stride: u64,
    middle: u64,
}

impl Samples {
    fn add(&mut self, nanos: u64) {
        if self.seen.is_multiple_of(self.stride.max(1)) {
            self.kept.push(nanos);
        }
        self.seen += 1;
        if self.kept.len() > MAX_SAMPLES {
            let mut at = 0;
            self.kept.retain(|_| {
                at += 1;
                at % 2 == 1
            });
            self.stride = 2 * self.stride.max(1);
        }
    }

    /// How many there were.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// One of them, chosen by a random number; of few, the one in the middle: a slow one at the start is not a fifth of all.
    pub fn pick(&self, random: u64) -> u64 {
        if self.kept.len() < FEW {
            return self.middle;
        }
        let index = (u128::from(random) * self.kept.len() as u128) >> 64;
        self.kept.get(index as usize).copied().unwrap_or(0)
    }

    /// The one at this share of the way from the smallest to the largest.
    pub fn at(&self, share: f64) -> u64 {
        let mut sorted = self.kept.clone();
        sorted.sort_unstable();
        let index = (sorted.len().saturating_sub(1)) as f64 * share;
        sorted.get(index as usize).copied().unwrap_or(0)
    }
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Costs {
    /// Dials with their logins.
    pub dial: Samples,
    /// Restores.
    pub restore: Samples,
    /// Resets of connections that came back.
    pub clean: Samples,
    /// Closes.
    pub close: Samples,
    /// The connections' own timeout.
    pub wait_timeout: Duration,
    /// To the server and back, about, in nanoseconds.
    pub way: u64,
    /// The trace has no dial: its cost is a guess.
    pub dial_is_guessed: bool,
    server: Samples,
}

impl Costs {
    pub(super) fn dialed(&mut self, took: u64, wait_timeout: Option<Duration>) {
        self.dial.add(took);
        self.wait_timeout = wait_timeout.unwrap_or(self.wait_timeout);
    }

    pub(super) fn cleaned(&mut self, took: u64) {
        self.clean.add(took);
    }

    pub(super) fn closed(&mut self, took: u64) {
        self.close.add(took);
    }

    pub(super) fn restored(&mut self, took: u64) {
        if took > 0 {
            self.restore.add(took);
        }
    }

    pub(super) fn served(&mut self, server: u64) {
        if server > 0 {
            self.server.add(server);
        }
    }

    /// All is read: what is missing is guessed.
    pub(super) fn settle(&mut self) {
        self.way = self.server.at(0.05);
        if self.dial.seen() > 0 {
            // All of the commands may be slow ones.
            self.way = self.way.min(self.dial.at(0.5) / WAYS_OF_A_DIAL);
        }
        if self.wait_timeout.is_zero() {
            self.wait_timeout = USUAL_WAIT_TIMEOUT;
        }
        self.dial_is_guessed = self.dial.seen() == 0;
        for (samples, ways) in
            [(&mut self.dial, WAYS_OF_A_DIAL), (&mut self.restore, 1), (&mut self.clean, 2), (&mut self.close, 1)]
        {
            if samples.seen() == 0 {
                samples.add(ways * self.way);
            }
            samples.middle = samples.at(0.5);
        }
    }

    /// These costs, in nanoseconds, whatever a trace says.
    pub fn assume(&mut self, dial: u64, restore: u64, close: u64, way: u64) {
        let one = |nanos| Samples { kept: vec![nanos], seen: 1, stride: 1, middle: nanos };
        (self.dial, self.restore, self.close, self.clean) = (one(dial), one(restore), one(close), one(2 * way));
        (self.way, self.wait_timeout) = (way, USUAL_WAIT_TIMEOUT);
    }

    /// The median reset.
    pub fn typical_clean(&self) -> u64 {
        self.clean.at(0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_bounded_and_even() {
        let mut samples = Samples::default();
        (0..100_000).for_each(|n| samples.add(n));
        assert!(samples.kept.len() <= MAX_SAMPLES && samples.kept.len() > MAX_SAMPLES / 4);
        let middle = samples.at(0.5);
        assert!((45_000..55_000).contains(&middle), "{middle}");
        assert_eq!(samples.pick(0), samples.kept[0]);
        assert!(samples.pick(u64::MAX) > 90_000);
    }

    #[test]
    fn what_a_trace_does_not_tell_is_guessed_from_its_fastest_commands() {
        let mut costs = Costs::default();
        (0..100).for_each(|n| costs.served(100_000 + n * 10_000));
        costs.settle();
        assert!(costs.dial_is_guessed && costs.way < 150_000);
        assert_eq!(costs.dial.pick(7), WAYS_OF_A_DIAL * costs.way);
        assert_eq!(costs.wait_timeout, USUAL_WAIT_TIMEOUT);
        let mut of_slow_ones = Costs::default();
        of_slow_ones.served(1_000_000_000);
        of_slow_ones.dialed(WAYS_OF_A_DIAL * 200_000, None);
        of_slow_ones.settle();
        assert_eq!((of_slow_ones.way, of_slow_ones.typical_clean()), (200_000, 400_000));
    }
}
