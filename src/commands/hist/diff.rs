//! `hist diff`: percentile by percentile, and whether a difference is more than noise.
//!
//! A quantile of n samples is known as well as its rank is: the rank's 99 % interval is n q +- 2.58 sqrt(n q (1 - q)).
//! Where the two intervals of values do not meet, the difference is more than noise. Samples that depend on each other (a
//! stall slows many at once) are noisier than that; a verdict far from the bound is the one to trust.

use std::fmt::Write;

use hdrhistogram::Histogram;

use super::series::{Series, digest_text, shown};
use crate::stats::hlog::table::{QUANTILES, short};

/// Standard deviations on both sides that hold 99 % of a normal distribution.
const DEVIATIONS: f64 = 2.576;
/// Fewer samples than this beyond a percentile say nothing about it.
const MIN_BEYOND: f64 = 10.0;

pub(super) fn text(before: &Series, after: &Series, tag: Option<&str>) -> String {
    let mut out = format!(
        "{:<28}{:>11}{:>11} {:<6}{:>10}{:>10}{:>9}  verdict\n",
        "histogram", "samples a", "samples b", "", "a", "b", "change"
    );
    for (tag, a) in before.chosen(tag) {
        if let Some(b) = after.by_tag.get(tag).filter(|b| is_worth_a_look(a) || is_worth_a_look(b)) {
            if let Some(text) = digest_text(after, shown(tag.as_deref())) {
                let _ = writeln!(out, "{text}");
            }
            rows(&mut out, shown(tag.as_deref()), a, b);
        }
    }
    for (name, one, other) in [("a", before, after), ("b", after, before)] {
        let alone = one.chosen(tag).into_iter().filter(|(tag, _)| !other.by_tag.contains_key(*tag)).count();
        if alone > 0 {
            let _ = writeln!(out, "only in {name}: {alone} histograms");
        }
    }
    out
}

/// Phases in which nobody ever waited have nothing to compare.
fn is_worth_a_look(histogram: &Histogram<u64>) -> bool {
    histogram.max() >= 1_000
}

fn rows(out: &mut String, tag: &str, a: &Histogram<u64>, b: &Histogram<u64>) {
    for (name, quantile) in QUANTILES {
        let (old, new) = (a.value_at_quantile(quantile), b.value_at_quantile(quantile));
        let verdict = verdict(interval(a, quantile), interval(b, quantile));
        row(out, tag, [a, b], name, [old, new], verdict);
    }
    row(out, tag, [a, b], "max", [a.max(), b.max()], "one sample each");
}

fn row(out: &mut String, tag: &str, of: [&Histogram<u64>; 2], name: &str, values: [u64; 2], verdict: &str) {
    let [old, new] = values;
    let change = match old {
        0 => "-".to_owned(),
        _ => format!("{:+.1}%", (new as f64 / old as f64 - 1.0) * 100.0),
    };
    let (na, nb, old, new) = (of[0].len(), of[1].len(), short(old), short(new));
    let _ = writeln!(out, "{tag:<28}{na:>11}{nb:>11} {name:<6}{old:>10}{new:>10}{change:>9}  {verdict}");
}

fn verdict(a: Option<(u64, u64)>, b: Option<(u64, u64)>) -> &'static str {
    match (a, b) {
        (Some((_, a_high)), Some((b_low, _))) if b_low > a_high => "slower",
        (Some((a_low, _)), Some((_, b_high))) if b_high < a_low => "faster",
        (Some(_), Some(_)) => "noise",
        _ => "too few samples",
    }
}

/// Between which values the quantile lies; `None` where there are too few samples.
fn interval(histogram: &Histogram<u64>, quantile: f64) -> Option<(u64, u64)> {
    let samples = histogram.len() as f64;
    let beyond = samples * quantile.min(1.0 - quantile);
    let spread = DEVIATIONS * (quantile * (1.0 - quantile) / samples).sqrt();
    (beyond >= MIN_BEYOND).then(|| {
        let low = histogram.value_at_quantile((quantile - spread).max(0.0));
        let high = histogram.value_at_quantile((quantile + spread).min(1.0));
        (histogram.lowest_equivalent(low), histogram.highest_equivalent(high))
    })
}
