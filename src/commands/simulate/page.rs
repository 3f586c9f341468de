//! The outcomes as a page of its own: the table and two curves.

use super::load::Load;
use super::outcome::{Outcome, percentile};
use super::setting::Mode;
use super::table;
use crate::commands::chart::{self, COLOURS, Chart, HEIGHT, Height, Line, Ticks, escaped};

/// The whole page; it needs nothing from elsewhere.
pub(super) fn html(load: &Load, outcomes: &[Outcome], advice: &[String]) -> String {
    let words = escaped(&table::text(load, outcomes, advice));
    let plots = chart::svg(&[
        by_size(0.0, "queue against pool.size", outcomes, |outcome| outcome.queue()),
        by_size(HEIGHT, "total against pool.size", outcomes, |outcome| &outcome.latencies.total),
    ]);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>tidegate simulate</title></head>\n<body>\n\
         <pre>{words}</pre>\n{plots}</body>\n</html>\n"
    )
}

type Points = Vec<(f64, f64)>;

/// A chart with its upper edge at `top`: each mode's median, dashed, and 99th percentile.
fn by_size(
    top: f64,
    title: &str,
    outcomes: &[Outcome],
    of: impl Fn(&Outcome) -> &hdrhistogram::Histogram<u64>,
) -> String {
    let mut all: Vec<(String, &'static str, bool, Points)> = Vec::new();
    for (mode, colour) in [Mode::Transaction, Mode::Session].into_iter().zip(COLOURS) {
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99)] {
            let of_mode = outcomes.iter().filter(|outcome| outcome.setting.mode == mode);
            let point =
                |outcome: &Outcome| (outcome.setting.pool.size as f64, percentile(of(outcome), quantile) as f64);
            let points: Points = of_mode.map(point).collect();
            if !points.is_empty() {
                all.push((format!("{} {name}", mode.name()), colour, name == "p50", points));
            }
        }
    }
    let lines: Vec<Line<'_>> = all
        .iter()
        .map(|(name, colour, dashed, points)| Line {
            name: name.clone(),
            colour,
            dashed: *dashed,
            marked: true,
            points,
        })
        .collect();
    let size = |x: f64| format!("{x:.0}");
    Chart { title, ticks: Ticks::Five, height: Height::Time, x_word: &size }.draw(top, &lines)
}
