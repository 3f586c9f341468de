//! What statements cost, statement by statement without their literals.

use std::time::{Duration, UNIX_EPOCH};

use super::pins::point_of_time;
use crate::admin::table::{Cell, Kind, Table};
use crate::stats::histogram::LabelHistogram;
use crate::stats::snapshot::Snapshot;
use crate::stats::tally::Tally;

/// One row a digest, most time first; what no table had room for is `other`, the last row.
pub fn table(stats: &Snapshot) -> Table {
    let mut table = Table::new(&[
        ("digest", Kind::Text),
        ("count", Kind::Count),
        ("errors", Kind::Count),
        ("total_seconds", Kind::Real),
        ("mean_seconds", Kind::Real),
        ("p50_seconds", Kind::Real),
        ("p95_seconds", Kind::Real),
        ("p99_seconds", Kind::Real),
        ("max_seconds", Kind::Real),
        ("queue_seconds", Kind::Real),
        ("server_seconds", Kind::Real),
        ("rows_sent", Kind::Count),
        ("rows_affected", Kind::Count),
        ("bytes_out", Kind::Count),
        ("no_index", Kind::Count),
        ("first_seen", Kind::Text),
        ("last_seen", Kind::Text),
        ("statement", Kind::Text),
        ("slowest", Kind::Text),
    ])
    .named_by("statement");
    for one in &stats.digests {
        let (statement, slowest) = (one.text.fingerprint.to_string(), one.text.slowest.to_string());
        table.push(row(format!("{:016x}", one.digest), &one.tally, statement, slowest));
    }
    if stats.digests_other.count > 0 {
        table.push(row("other".to_owned(), &stats.digests_other, String::new(), String::new()));
    }
    table
}

fn row(digest: String, tally: &Tally, statement: String, slowest: String) -> Vec<Cell> {
    let seen = |at: Duration| Cell::Text(point_of_time(UNIX_EPOCH + at));
    let phases = tally.phases();
    let mean = phases.total.as_secs_f64() / (tally.count.max(1) as f64);
    let at = |quantile| seconds_at(&tally.histogram, quantile);
    vec![
        digest.into(),
        tally.count.into(),
        tally.errors.into(),
        Cell::seconds(phases.total),
        Cell::Real(mean),
        at(0.5),
        at(0.95),
        at(0.99),
        at(1.0),
        Cell::seconds(phases.queue),
        Cell::seconds(phases.server),
        tally.rows_sent.into(),
        tally.rows_affected.into(),
        tally.bytes_out.into(),
        tally.no_index.into(),
        seen(tally.first_seen),
        seen(tally.last_seen),
        statement.into(),
        slowest.into(),
    ]
}

/// A quantile in seconds; NULL where nothing was recorded.
pub fn seconds_at(histogram: &LabelHistogram, quantile: f64) -> Cell {
    match histogram.is_empty() {
        true => Cell::Null,
        false => Cell::Real(histogram.value_at_quantile(quantile) as f64 / 1e9),
    }
}
