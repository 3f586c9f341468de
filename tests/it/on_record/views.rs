//! What the admin view says of a load whose driver counts for itself.

use serde_json::Value;

use super::honest::{ByDigest, Seen, compare_percentiles};
use crate::admin::{console, get, json};
use crate::crowd::{LIMIT, eventually};
use crate::hlog::{self, Line};
use crate::tidegate::Tidegate;

/// Each output of the admin view, while the proxy runs.
pub struct Views {
    digests: Value,
    console: Vec<Vec<String>>,
    metrics: String,
    histograms: Vec<Line>,
}

impl Views {
    /// Once `count` commands are in them: the last one is counted right behind its reply.
    pub fn of(tidegate: &Tidegate, count: u64) -> Views {
        let mut metrics = String::new();
        eventually("all are counted", LIMIT, || {
            metrics = get(tidegate.admin("http"), "/metrics").1;
            sample(&metrics, "tidegate_query_duration_seconds_count") >= count as f64
        });
        let dump = tidegate.file("view.hlog");
        std::fs::write(&dump, get(tidegate.admin("http"), "/histogram.hlog").1).expect("a file");
        let console = console(tidegate).run("SHOW DIGESTS").rows;
        Views { digests: json(tidegate, "/digests")["digests"].take(), console, metrics, histograms: hlog::read(&dump) }
    }

    /// Every number is the driver's own; percentiles are those of the slow log's times.
    pub fn compare(&self, mode: &str, seen: &ByDigest, logged: &ByDigest) {
        self.compare_digests(mode, seen, logged);
        self.compare_metrics(mode, seen);
        let all: Vec<f64> = logged.values().flat_map(|one| one.times.clone()).collect();
        let tagged = |tag: Option<&str>| self.histograms.iter().find(|line| line.tag.as_deref() == tag);
        let total = tagged(None).unwrap_or_else(|| panic!("{mode}: no total in /histogram.hlog"));
        assert_eq!(total.count, all.len() as u64, "{mode}: /histogram.hlog");
        compare_percentiles(mode, total, &all, 3);
        for (digest, own) in logged {
            let line = tagged(Some(&format!("digest={digest:016x}"))).expect("each digest has a histogram");
            assert_eq!(line.count, own.count, "{mode}: {digest:016x} in /histogram.hlog");
            compare_percentiles(mode, line, &own.times, 2);
        }
    }

    fn compare_digests(&self, mode: &str, seen: &ByDigest, logged: &ByDigest) {
        let rows = self.digests.as_array().expect("a list");
        assert_eq!((rows.len(), self.console.len()), (seen.len(), seen.len()), "{mode}: {rows:?}");
        for (digest, own) in seen {
            let name = format!("{digest:016x}");
            let row = rows.iter().find(|row| row["digest"] == *name).unwrap_or_else(|| panic!("{mode}: no {name}"));
            let number = |key: &str| row[key].as_u64().unwrap_or_else(|| panic!("{mode}: {key} in {row}"));
            let keys = ["count", "errors", "rows_sent", "rows_affected", "bytes_out"];
            assert_eq!(keys.map(number), numbers(own), "{mode}: /digests, {row}");
            let shown = self.console.iter().find(|row| row[0] == name).expect("SHOW DIGESTS has what /digests has");
            let shown_numbers: [u64; 5] = [1, 2, 11, 12, 13].map(|at| shown[at].parse().expect("a number"));
            assert_eq!(shown_numbers, numbers(own), "{mode}: the console, {shown:?}");
            let nanos = (shown[5].parse::<f64>().expect("seconds") * 1e9) as u64;
            let line = Line { tag: Some(name), count: own.count, start: 0.0, end: 0.0, quantiles: vec![nanos] };
            compare_percentiles(mode, &line, &logged[digest].times, 2);
        }
    }

    fn compare_metrics(&self, mode: &str, seen: &ByDigest) {
        let sum = |of: fn(&Seen) -> u64| seen.values().map(of).sum::<u64>();
        for (name, expected) in [
            ("tidegate_query_duration_seconds_count", sum(|one| one.count)),
            ("tidegate_command_errors_total", sum(|one| one.errors)),
            ("tidegate_rows_sent_total", sum(|one| one.rows)),
            ("tidegate_rows_affected_total", sum(|one| one.affected)),
            ("tidegate_received_bytes_total", sum(|one| one.bytes_in)),
            ("tidegate_sent_bytes_total", sum(|one| one.bytes_out)),
        ] {
            assert_eq!(sample(&self.metrics, name), expected as f64, "{mode}: {name}");
        }
        for (digest, own) in seen {
            let name = format!("tidegate_digest_statements_total{{digest=\"{digest:016x}\"}}");
            assert_eq!(sample(&self.metrics, &name), own.count as f64, "{mode}: {name}");
        }
    }
}

fn numbers(own: &Seen) -> [u64; 5] {
    [own.count, own.errors, own.rows, own.affected, own.bytes_out]
}

/// A metric's value; -1: it is not there.
fn sample(metrics: &str, name: &str) -> f64 {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
    metrics.lines().find_map(value).unwrap_or(-1.0)
}
