//! Percentiles by phase, and by user and schema.

use hdrhistogram::{Counter, Histogram};

use crate::admin::table::{Cell, Kind, Table};
use crate::stats::snapshot::Snapshot;

const QUANTILES: [f64; 6] = [0.5, 0.9, 0.95, 0.99, 0.999, 1.0];

/// One row a histogram; times in seconds.
pub fn table(stats: &Snapshot) -> Table {
    let mut table = Table::new(&[
        ("name", Kind::Text),
        ("count", Kind::Count),
        ("mean_seconds", Kind::Real),
        ("p50_seconds", Kind::Real),
        ("p90_seconds", Kind::Real),
        ("p95_seconds", Kind::Real),
        ("p99_seconds", Kind::Real),
        ("p99_9_seconds", Kind::Real),
        ("max_seconds", Kind::Real),
    ]);
    for (phase, histogram) in stats.phases.iter() {
        table.push(row(phase.to_owned(), histogram));
    }
    for one in &stats.labels {
        let schema = if one.label.schema.is_empty() { "-" } else { &one.label.schema };
        table.push(row(format!("{}@{schema}", one.label.user), &one.tally.histogram));
    }
    if !stats.labels_other.histogram.is_empty() {
        table.push(row("other".to_owned(), &stats.labels_other.histogram));
    }
    table
}

fn row<T: Counter>(name: String, histogram: &Histogram<T>) -> Vec<Cell> {
    let mut row = vec![name.into(), histogram.len().into()];
    let is_empty = histogram.is_empty();
    let seconds = |nanos: f64| if is_empty { Cell::Null } else { Cell::Real(nanos / 1e9) };
    row.push(seconds(histogram.mean()));
    row.extend(QUANTILES.map(|quantile| seconds(histogram.value_at_quantile(quantile) as f64)));
    row
}
