//! The outcomes as a page of its own: the table and two curves.

use super::load::Load;
use super::outcome::{Outcome, percentile};
use super::setting::Mode;
use super::table;
use crate::commands::hist::plot::{Curve, curves, escaped};

/// The whole page; it needs nothing from elsewhere.
pub(super) fn html(load: &Load, outcomes: &[Outcome], advice: &[String]) -> String {
    let words = escaped(&table::text(load, outcomes, advice));
    let plots = curves(&[
        ("queue against pool.size", by_size(outcomes, |outcome| outcome.queue())),
        ("total against pool.size", by_size(outcomes, |outcome| &outcome.latencies.total)),
    ]);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>tidegate simulate</title></head>\n<body>\n\
         <pre>{words}</pre>\n{plots}</body>\n</html>\n"
    )
}

fn by_size(outcomes: &[Outcome], of: impl Fn(&Outcome) -> &hdrhistogram::Histogram<u64>) -> Vec<Curve> {
    let mut all = Vec::new();
    for mode in [Mode::Transaction, Mode::Session] {
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99)] {
            let of_mode = outcomes.iter().filter(|outcome| outcome.setting.mode == mode);
            let point =
                |outcome: &Outcome| (outcome.setting.pool.size as f64, percentile(of(outcome), quantile) as f64);
            let points: Vec<_> = of_mode.map(point).collect();
            if !points.is_empty() {
                all.push(Curve { name: format!("{} {name}", mode.name()), dashed: name == "p50", points });
            }
        }
    }
    all
}
