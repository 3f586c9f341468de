//! Text for the log and the terminal: percentiles by phase, and the slowest statements.

use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::stats::record::Outcome;
use crate::stats::slowest::SlowStatement;
use crate::stats::snapshot::Snapshot;
use crate::stats::tally::Tally;
use crate::stats::utc::Utc;

/// The columns between `count` and `max`.
pub(crate) const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];
/// The most digests that the log shows, and the most characters of each.
const MAX_DIGESTS: usize = 20;
const MAX_FINGERPRINT_CHARS: usize = 100;
/// The most characters of a statement in the block of the slowest.
const MAX_STATEMENT_CHARS: usize = 160;

/// A table with one row per phase: count, p50, p90, p99, p99.9, max.
///
/// ```text
/// phase        count       p50       p90       p99     p99.9       max
/// total        12000    1.21ms    3.40ms    9.88ms    21.1ms    40.2ms
/// ```
pub fn percentiles(snapshot: &Snapshot) -> String {
    let mut out = format!("{:<9}{:>10}", "phase", "count");
    for (name, _) in QUANTILES {
        let _ = write!(out, "{name:>10}");
    }
    let _ = writeln!(out, "{:>10}", "max");
    for (phase, histogram) in snapshot.phases.iter() {
        let _ = writeln!(out, "{phase:<9}{}", row(histogram));
    }
    out
}

/// The digests that took most time, a line each, and what no digest had room for; empty if there was none.
///
/// ```text
/// digest              count    errors      rows  affected   bytes in  bytes out  no index     p50     p99     max  statement
/// 39d5d9dd5f8f7a53     9825         0      9825         0     402825    1863442         0   108us  3.16ms   700ms  select ..
/// ```
pub fn digests(snapshot: &Snapshot) -> String {
    if snapshot.digests.is_empty() {
        return String::new();
    }
    let mut out = format!(
        "{:<16}{:>10}{:>10}{:>11}{:>11}{:>14}{:>14}{:>10}{:>10}{:>10}{:>10}  statement\n",
        "digest", "count", "errors", "rows", "affected", "bytes in", "bytes out", "no index", "p50", "p99", "max"
    );
    for stats in snapshot.digests.iter().take(MAX_DIGESTS) {
        let text: String = one_line(&stats.text.fingerprint).chars().take(MAX_FINGERPRINT_CHARS).collect();
        out += &digest_row(&format!("{:016x}", stats.digest), &stats.tally, &text);
    }
    let mut rest = snapshot.digests_other.clone();
    snapshot.digests.iter().skip(MAX_DIGESTS).for_each(|stats| rest.merge(&stats.tally));
    if rest.count > 0 {
        out += &digest_row("other", &rest, "");
    }
    out
}

fn digest_row(name: &str, tally: &Tally, text: &str) -> String {
    let at = |quantile: f64| short(tally.histogram.value_at_quantile(quantile).min(tally.histogram.max()));
    let row = format!(
        "{name:<16}{:>10}{:>10}{:>11}{:>11}{:>14}{:>14}{:>10}{:>10}{:>10}{:>10}  {text}",
        tally.count,
        tally.errors,
        tally.rows_sent,
        tally.rows_affected,
        tally.bytes_in,
        tally.bytes_out,
        tally.no_index,
        at(0.5),
        at(0.99),
        short(tally.histogram.max()),
    );
    format!("{}\n", row.trim_end())
}

/// The slowest statements, slowest first, two lines each; empty if there were none.
pub fn slowest(statements: &[SlowStatement]) -> String {
    statements.iter().map(slow_statement).collect()
}

/// A duration in nanoseconds with three significant digits: `0`, `<1us`, `812us`, `1.21ms`, `40.2s`.
pub fn short(nanos: u64) -> String {
    let (value, unit) = match nanos {
        0 => return "0".into(),
        1..1_000 => return "<1us".into(),
        1_000..1_000_000 => (nanos as f64 / 1e3, "us"),
        1_000_000..1_000_000_000 => (nanos as f64 / 1e6, "ms"),
        _ => (nanos as f64 / 1e9, "s"),
    };
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}{unit}")
}

/// A histogram's count, percentiles and maximum, ten characters each.
pub(crate) fn row(histogram: &Histogram<u64>) -> String {
    let mut out = format!("{:>10}", histogram.len());
    for (_, quantile) in QUANTILES {
        // A bucket's upper end may lie above the greatest value in it.
        let value = histogram.value_at_quantile(quantile).min(histogram.max());
        let _ = write!(out, "{:>10}", short(value));
    }
    let _ = write!(out, "{:>10}", short(histogram.max()));
    out
}

fn slow_statement(statement: &SlowStatement) -> String {
    let phases = &statement.phases;
    format!(
        "{:>9} at {}  user {}  schema {}  client {}  queue {}  restore {}  server {}  transfer {}  client wait {}{}\n          {}\n",
        time(phases.total),
        Utc::from_unix(statement.ended_at).iso(),
        or_dash(&statement.user),
        or_dash(&statement.schema),
        statement.client_id,
        time(phases.queue),
        time(phases.restore),
        time(phases.server),
        time(phases.transfer),
        time(phases.client),
        outcome(statement.outcome),
        one_line(&statement.text),
    )
}

fn time(duration: Duration) -> String {
    short(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

fn or_dash(name: &str) -> &str {
    if name.is_empty() { "-" } else { name }
}

fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Ok => String::new(),
        Outcome::Error(code) => format!("  error {code}"),
        Outcome::ClientGone => "  client gone".into(),
        Outcome::BackendGone => "  backend gone".into(),
    }
}

/// The text without control characters and runs of blanks, cut.
fn one_line(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let line = words.join(" ");
    match line.char_indices().nth(MAX_STATEMENT_CHARS) {
        Some((end, _)) => format!("{}..", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let shown = [0, 999, 1_000, 12_340, 812_400, 1_214_000, 40_200_000_000].map(short);
        assert_eq!(shown, ["0", "<1us", "1.00us", "12.3us", "812us", "1.21ms", "40.2s"]);
    }

    #[test]
    fn a_statement_is_one_line() {
        assert_eq!(one_line("  SELECT\n\t1 \x1b[31m  FROM t"), "SELECT 1 [31m FROM t");
        assert_eq!(one_line(&"ä".repeat(200)).chars().count(), MAX_STATEMENT_CHARS + 2);
    }
}
