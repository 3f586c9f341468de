//! The histograms' shapes: 1 us to 1 h in nanoseconds, three digits for the phases, two per label.

use hdrhistogram::{Counter, Histogram};

use super::record::Phases;

/// The lowest value told apart from zero, in nanoseconds.
const LOW_NS: u64 = 1_000;
/// One hour in nanoseconds; what takes longer counts as this.
const HIGH_NS: u64 = 3_600_000_000_000;
/// Where a label's histogram begins before it grows: most labels never see a slow statement.
const LABEL_START_NS: u64 = 1_000_000;
/// Significant decimal digits of the totals.
const PHASE_DIGITS: u8 = 3;
/// Significant decimal digits per label.
pub(crate) const LABEL_DIGITS: u8 = 2;

/// One command's phase, in the order of [`PhaseHistograms::iter`].
pub const PHASES: [&str; 6] = ["total", "queue", "restore", "server", "transfer", "client"];

/// Nanoseconds per phase, in the order of [`PHASES`].
pub(crate) type PhaseNanos = [u64; PHASES.len()];

/// A command's phases as numbers.
pub(crate) fn nanos(phases: &Phases) -> PhaseNanos {
    [phases.total, phases.queue, phases.restore, phases.server, phases.transfer, phases.client]
        .map(|d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
}

/// A label's histogram of totals: nanoseconds, two digits, grown up to one hour as needed.
pub type LabelHistogram = Histogram<u32>;

/// An empty label histogram.
pub(crate) fn label_histogram() -> LabelHistogram {
    let mut histogram = bounded(LABEL_START_NS, LABEL_DIGITS);
    histogram.auto(true);
    histogram
}

/// An empty histogram over the whole range; `digits` is the number of significant decimal digits, 1 to 5.
pub(crate) fn whole_range(digits: u8) -> Histogram<u64> {
    bounded(HIGH_NS, digits)
}

/// Records a value, held to the range.
pub(crate) fn record<T: Counter>(histogram: &mut Histogram<T>, nanos: u64) {
    // The only failures are a value above the range and memory's end.
    let _ = histogram.record(nanos.min(HIGH_NS));
}

/// Adds `from` to `into`; both are of one of the shapes above.
pub(crate) fn add<T: Counter + From<F>, F: Counter>(into: &mut Histogram<T>, from: &Histogram<F>) {
    for step in from.iter_recorded() {
        let value = step.value_iterated_to().min(HIGH_NS);
        let _ = into.record_n(value, T::from(step.count_at_value()));
    }
}

/// Takes an earlier state of the same histogram from it; if it is none (a counter ran over), nothing is left.
pub(crate) fn subtract<T: Counter>(from: &mut Histogram<T>, earlier: &Histogram<T>) {
    if from.subtract(earlier).is_err() {
        from.reset();
    }
}

fn bounded<T: Counter>(high: u64, digits: u8) -> Histogram<T> {
    Histogram::new_with_bounds(LOW_NS, high, digits).expect("the bounds above are legal")
}

/// One histogram per phase: nanoseconds, three digits.
#[derive(Debug, Clone)]
pub struct PhaseHistograms {
    histograms: [Histogram<u64>; 6],
    /// Phases that took no time, which most do: counted here, so that a record touches no memory for them.
    zeros: [u64; 6],
}

impl PhaseHistograms {
    /// Empty ones.
    pub fn new() -> Self {
        PhaseHistograms { histograms: std::array::from_fn(|_| whole_range(PHASE_DIGITS)), zeros: [0; 6] }
    }

    /// The histogram of the whole time.
    pub fn total(&self) -> &Histogram<u64> {
        &self.histograms[0]
    }

    /// All phases with their names, the total first.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Histogram<u64>)> {
        PHASES.into_iter().zip(&self.histograms)
    }

    /// Counts one command. Readers see it after [`PhaseHistograms::settle`].
    pub(crate) fn record(&mut self, nanos: &PhaseNanos) {
        for ((histogram, zeros), nanos) in self.histograms.iter_mut().zip(&mut self.zeros).zip(nanos) {
            match *nanos {
                0 => *zeros += 1,
                nanos => record(histogram, nanos),
            }
        }
    }

    /// Puts what took no time where readers look for it.
    pub(crate) fn settle(&mut self) {
        for (histogram, zeros) in self.histograms.iter_mut().zip(&mut self.zeros) {
            let _ = histogram.record_n(0, std::mem::take(zeros));
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.histograms.iter_mut().zip(&other.histograms) {
            // Equal shapes always add up.
            let _ = mine.add(theirs);
        }
    }

    pub(crate) fn subtract(&mut self, earlier: &Self) {
        for (mine, theirs) in self.histograms.iter_mut().zip(&earlier.histograms) {
            subtract(mine, theirs);
        }
    }
}

impl Default for PhaseHistograms {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_held_to_it() {
        let mut histogram = whole_range(3);
        record(&mut histogram, 0);
        record(&mut histogram, u64::MAX);
        assert_eq!(histogram.len(), 2);
        assert_eq!(histogram.value_at_quantile(1.0), histogram.highest_equivalent(HIGH_NS));
    }

    #[test]
    fn what_took_no_time_is_counted_once_and_only_once() {
        let mut phases = PhaseHistograms::new();
        phases.record(&[5_000, 0, 0, 4_000, 1_000, 0]);
        phases.record(&[0; 6]);
        phases.settle();
        phases.settle();
        assert!(phases.iter().all(|(_, histogram)| histogram.len() == 2));
        let zeros = phases.iter().map(|(_, histogram)| histogram.count_at(0)).collect::<Vec<_>>();
        assert_eq!(zeros, [1, 2, 2, 1, 1, 2]);
    }

    #[test]
    fn a_label_histogram_grows_to_one_hour_and_stays_below_16_kib() {
        let mut histogram = label_histogram();
        assert!(histogram.distinct_values() * 4 < 4 << 10);
        record(&mut histogram, u64::MAX);
        assert_eq!(histogram.len(), 1);
        assert!(histogram.distinct_values() * 4 < 16 << 10);
    }

    #[test]
    fn adding_and_subtracting_keep_every_count() {
        let mut early = label_histogram();
        [5_000, 90_000, 1_000_000].into_iter().for_each(|ns| record(&mut early, ns));
        let mut late = early.clone();
        record(&mut late, 80_000_000_000);
        subtract(&mut late, &early);
        assert_eq!((late.len(), late.count_at(80_000_000_000)), (1, 1));
        let mut sum = whole_range(2);
        add(&mut sum, &early);
        add(&mut sum, &late);
        assert_eq!((sum.len(), sum.count_at(90_000)), (4, 1));
    }
}
