//! `hist show`: a table of percentiles, and the spread of the first of them as bars.

use std::fmt::Write;

use hdrhistogram::Histogram;

use super::series::{KINDS, Series, digest_text, kind, shown};
use crate::stats::hlog::table::{QUANTILES, row, short};

/// The widest bar, in characters.
const BAR_WIDTH: f64 = 50.0;

pub(super) fn text(series: &Series, tag: Option<&str>, limit: usize) -> String {
    let chosen = limited(series.chosen(tag), limit);
    let width = chosen.iter().map(|(tag, _)| shown(tag.as_deref()).chars().count()).max().unwrap_or(0).max(9);
    let mut out = format!("{:<width$}{:>10}", "histogram", "count");
    for (name, _) in QUANTILES {
        let _ = write!(out, "{name:>10}");
    }
    let _ = writeln!(out, "{:>10}", "max");
    for (tag, histogram) in &chosen {
        let tag = shown(tag.as_deref());
        let text = digest_text(series, tag).map(|text| format!("  {text}")).unwrap_or_default();
        let _ = writeln!(out, "{tag:<width$}{}{text}", row(histogram));
    }
    if let Some((tag, histogram)) = chosen.first().filter(|(_, h)| !h.is_empty()) {
        let _ = write!(out, "\n{}\n{}", shown(tag.as_deref()), bars(histogram));
    }
    out
}

type Chosen<'a> = Vec<(&'a Option<String>, &'a Histogram<u64>)>;

/// At most `limit` pools, as many labels and as many digests.
fn limited(chosen: Chosen<'_>, limit: usize) -> Chosen<'_> {
    let mut of_kind = [0; KINDS];
    let within = |tag: Option<&str>, seen: &mut [usize; KINDS]| {
        let kind = usize::from(kind(tag));
        seen[kind] += 1;
        kind < 2 || seen[kind] <= limit
    };
    chosen.into_iter().filter(|(tag, _)| within(tag.as_deref(), &mut of_kind)).collect()
}

/// One bar per doubling of time.
fn bars(histogram: &Histogram<u64>) -> String {
    let counts: Vec<(u64, u64)> = doublings(histogram);
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    let bar = |(bound, count): &(u64, u64)| {
        let length = (*count as f64 / most as f64 * BAR_WIDTH).ceil() as usize;
        format!("{:>9} {count:>10} {}\n", format!("<{}", short(*bound)), "#".repeat(length))
    };
    counts.iter().map(bar).collect()
}

/// From the first to the last doubling that holds a value: upper bound in nanoseconds, and count.
fn doublings(histogram: &Histogram<u64>) -> Vec<(u64, u64)> {
    let mut counts = [0_u64; 65];
    for step in histogram.iter_recorded() {
        let micros = step.value_iterated_to() / 1_000;
        counts[(u64::BITS - micros.leading_zeros()) as usize] += step.count_at_value();
    }
    let first = counts.iter().position(|count| *count > 0).unwrap_or(0);
    let last = counts.iter().rposition(|count| *count > 0).unwrap_or(0);
    (first..=last).map(|i| (1_000_u64.saturating_mul(1 << i.min(50)), counts[i])).collect()
}
