//! The table on the terminal.

use std::fmt::Write;

use super::super::cell::{Cell, QUANTILES};
use super::Report;
use crate::stats::hlog::table::short;

pub(super) fn text(report: &Report<'_>) -> String {
    let mut out =
        format!("\n{}\n{}\n{}; {}\n\n", report.load(), report.method(), report.place.machine, report.place.server);
    let width = report.measured().map(|cell| cell.name().len()).max().unwrap_or(0).max("setting".len());
    // Writing to a String cannot fail.
    let _ = write!(out, "{:<width$}{:>12}", "setting", "requests/s");
    for (name, _) in QUANTILES {
        let _ = write!(out, "{name:>9}");
    }
    let _ = writeln!(out, "{:>11}{:>13}{:>8}{:>12}", "queue p99", "connections", "errors", "server CPU");
    for cell in report.measured() {
        out += &row(cell, width);
    }
    let _ = writeln!(out, "\n{}", report.advice.verdict);
    for reason in report.advice.reasons.iter().chain(&report.doubts()) {
        let _ = writeln!(out, "{reason}");
    }
    out
}

fn row(cell: &Cell, width: usize) -> String {
    let time = |nanos: Option<u64>| nanos.map_or_else(|| "-".to_owned(), short);
    let mut out = format!("{:<width$}{:>12.0}", cell.name(), cell.median(|run| Some(run.throughput())).unwrap_or(0.0));
    for (_, quantile) in QUANTILES {
        let _ = write!(out, "{:>9}", time(cell.percentile("response", quantile)));
    }
    let cpu = cell.median(|run| Some(run.cpu.server?.as_secs_f64() / run.seconds));
    let _ = writeln!(
        out,
        "{:>11}{:>13}{:>8}{:>12}",
        time(cell.percentile("queue", 0.99)),
        cell.most(|run| Some(run.connections as u64)).unwrap_or(0),
        cell.errors(),
        cpu.map_or_else(|| "-".to_owned(), |cores| format!("{cores:.2} cores")),
    );
    for (count, error) in cell.error_texts().into_iter().take(MAX_ERRORS) {
        let _ = writeln!(out, "    {count} x {error}");
    }
    out
}

/// The most different errors that are shown for a cell.
const MAX_ERRORS: usize = 3;

#[cfg(test)]
mod tests {
    use super::super::tests::with_report;
    use super::*;

    #[test]
    fn each_cell_has_a_row_and_the_advice_follows() {
        let text = with_report(text);
        let row = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        let direct: Vec<_> = row("direct").split_whitespace().map(str::to_owned).collect();
        assert_eq!(
            direct,
            ["direct", "100", "50.0ms", "90.0ms", "99.0ms", "100ms", "100ms", "-", "5", "0", "0.01", "cores"]
        );
        assert!(row("transaction 5 ").contains("95.0ms") && !text.contains("session 5 "), "{text}");
        assert!(text.contains("Take 5 connections in mode transaction"), "{text}");
    }
}
