//! The trace that is being recorded.

use crate::admin::table::{Cell, Kind, Table};
use crate::stats::trace::{TraceCounts, TraceSettings};

/// `SHOW RECORDING`, and what RECORD STOP says of the one that it has ended. One row.
pub fn table(state: &str, recording: Option<(TraceSettings, TraceCounts)>) -> Table {
    let mut table = Table::new(&[
        ("state", Kind::Text),
        ("file", Kind::Text),
        ("literals", Kind::Text),
        ("events", Kind::Count),
        ("lost", Kind::Count),
        ("bytes_in_file", Kind::Count),
    ]);
    let told: [Cell; 5] = match recording {
        None => [Cell::Null, Cell::Null, Cell::Null, Cell::Null, Cell::Null],
        Some((settings, counts)) => {
            let literals = if settings.literals { "yes" } else { "no" };
            let [events, lost, bytes] = [counts.written, counts.lost, counts.bytes].map(Cell::Count);
            [settings.path.display().to_string().into(), literals.into(), events, lost, bytes]
        }
    };
    table.push([Cell::from(state)].into_iter().chain(told).collect());
    table
}
