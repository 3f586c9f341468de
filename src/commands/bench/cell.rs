//! One cell of the sweep: a setting, its runs, and its figures over all of them. Pure.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::measure::{Measure, PHASES};
use super::plan::Setting;
use super::recommend::Candidate;
use crate::stats::histogram::add;

/// The percentiles that are reported, and the greatest value.
pub(super) const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// A cell.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub setting: Setting,
    /// In their order.
    pub runs: Vec<Measure>,
}

impl Cell {
    /// Nothing was measured yet.
    pub fn new(setting: Setting) -> Cell {
        Cell { setting, runs: Vec::new() }
    }

    /// Such as `transaction 25`.
    pub fn name(&self) -> String {
        self.setting.name()
    }

    /// The name in a file's: `transaction-25`.
    pub fn file_name(&self) -> String {
        self.name().replace(' ', "-")
    }

    /// The median over the runs; of an even number the lower middle one's and the upper one's mean.
    pub fn median(&self, figure: impl Fn(&Measure) -> Option<f64>) -> Option<f64> {
        median(self.figures(figure))
    }

    /// The figure in each run that has it.
    pub fn figures(&self, figure: impl Fn(&Measure) -> Option<f64>) -> Vec<f64> {
        self.runs.iter().filter_map(figure).collect()
    }

    /// Requests a second, run by run.
    pub fn throughputs(&self) -> Vec<f64> {
        self.figures(|run| Some(run.throughput()))
    }

    /// A percentile's median over the runs (the greatest value: over all of them), in nanoseconds.
    pub fn percentile(&self, phase: &str, quantile: f64) -> Option<u64> {
        let of_runs = self.figures(|run| run.at(phase, quantile).map(|nanos| nanos as f64));
        let figure = if quantile < 1.0 { median(of_runs)? } else { of_runs.into_iter().reduce(f64::max)? };
        Some(figure as u64)
    }

    /// All runs' values of a phase; `None`: there are none.
    pub fn whole(&self, phase: &str) -> Option<Histogram<u64>> {
        let mut histograms = self.runs.iter().filter_map(|run| run.phase(phase));
        let mut whole = histograms.next()?.clone();
        histograms.for_each(|histogram| add(&mut whole, histogram));
        Some(whole)
    }

    /// The phases that there were, in their order.
    pub fn phases(&self) -> Vec<&'static str> {
        let was = |phase: &str| self.runs.iter().any(|run| run.phase(phase).is_some_and(|h| !h.is_empty()));
        PHASES.into_iter().map(|(phase, _)| phase).filter(|phase| was(phase)).collect()
    }

    /// The most over the runs.
    pub fn most(&self, figure: impl Fn(&Measure) -> Option<u64>) -> Option<u64> {
        self.runs.iter().filter_map(figure).max()
    }

    /// How many requests the run with the fewest had.
    pub fn fewest_requests(&self) -> Option<u64> {
        self.runs.iter().filter_map(|run| run.phase("response")).map(|response| response.len()).min()
    }

    /// The sum over the runs.
    pub fn sum(&self, figure: impl Fn(&Measure) -> u64) -> u64 {
        self.runs.iter().map(figure).sum()
    }

    /// Failed requests and logins.
    pub fn errors(&self) -> u64 {
        self.sum(Measure::error_count)
    }

    /// What the recommendation judges.
    pub fn candidate(&self) -> Candidate {
        Candidate {
            setting: self.setting,
            p99: self.figures(|run| run.at("response", 0.99).map(|nanos| nanos as f64)),
            throughput: self.throughputs(),
            flaw: self.flaw(),
        }
    }

    /// What the first error of each kind said, and how many there were.
    pub fn error_texts(&self) -> Vec<(u64, String)> {
        let mut kinds = BTreeMap::<&str, (u64, String)>::new();
        for (kind, failures) in self.runs.iter().flat_map(|run| &run.errors) {
            kinds.entry(kind).or_insert_with(|| (0, failures.example.clone())).0 += failures.count;
        }
        kinds.into_values().collect()
    }

    fn flaw(&self) -> Option<String> {
        let (errors, alone) = (self.errors(), self.most(|run| Some(run.without_connection as u64)).unwrap_or(0));
        match (errors, alone) {
            _ if self.runs.is_empty() => Some("it was not measured".to_owned()),
            (0, 0) => None,
            (0, alone) => Some(format!("{alone} clients never got a connection")),
            (errors, _) => Some(format!("{errors} errors")),
        }
    }
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => None,
        n if n % 2 == 1 => Some(figures[middle]),
        _ => Some((figures[middle - 1] + figures[middle]) / 2.0),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::super::measure::Cpu;
    use super::super::tally::Failures;
    use super::*;
    use crate::stats::histogram::whole_range;
    use crate::stats::hlog::Span;

    /// A run whose requests took 1 ms, 2 ms, .. up to `requests` ms, in a second.
    pub fn run(requests: u64, phases: &[&'static str]) -> Measure {
        let mut histogram = whole_range(3);
        (1..=requests).for_each(|ms| histogram.record(ms * 1_000_000).expect("in range"));
        Measure {
            span: Span { start: Duration::from_secs(1_000), length: Duration::from_secs(1) },
            seconds: 1.0,
            requests,
            statements: requests,
            unserved: 0,
            errors: BTreeMap::new(),
            without_connection: 0,
            phases: phases.iter().map(|phase| (*phase, histogram.clone())).collect(),
            connections: 5,
            server_saw: Some(6),
            timeouts: 0,
            cpu: Cpu { server: Some(Duration::from_millis(10)), ..Cpu::default() },
            late: None,
        }
    }

    fn cell(runs: Vec<Measure>) -> Cell {
        Cell { setting: Setting::Direct, runs }
    }

    #[test]
    fn figures_are_medians_and_the_greatest_is_the_greatest() {
        let cell = cell(vec![run(100, &["response"]), run(300, &["response"]), run(200, &["response"])]);
        let ms = |quantile| cell.percentile("response", quantile).map(|nanos| nanos / 1_000_000);
        assert_eq!((ms(0.5), ms(1.0)), (Some(100), Some(300)));
        assert_eq!(cell.median(|run| Some(run.throughput())), Some(200.0));
        assert_eq!(cell.whole("response").map(|h| h.len()), Some(600));
        assert_eq!((cell.percentile("queue", 0.5), cell.phases()), (None, vec!["response"]));
    }

    #[test]
    fn of_two_runs_the_median_lies_between() {
        assert_eq!(median(vec![3.0, 1.0]), Some(2.0));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn flaws_are_named() {
        let mut bad = run(10, &["response"]);
        assert_eq!(cell(vec![bad.clone()]).candidate().flaw, None);
        bad.without_connection = 3;
        assert_eq!(cell(vec![bad.clone()]).candidate().flaw.as_deref(), Some("3 clients never got a connection"));
        bad.errors.insert("ERROR 1040".to_owned(), Failures { count: 2, example: String::new() });
        assert_eq!(cell(vec![bad]).candidate().flaw.as_deref(), Some("2 errors"));
        assert_eq!(cell(Vec::new()).candidate().flaw.as_deref(), Some("it was not measured"));
    }
}
