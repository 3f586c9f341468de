//! The outcomes for a terminal: a table, a curve, what they say.

use std::fmt::Write;

use super::load::Load;
use super::outcome::{Outcome, percentile};
use super::setting::Mode;
use crate::stats::hlog::table::short;
use crate::stats::utc_seconds;

/// How wide the longest bar is.
const BAR: usize = 40;

/// All of it.
pub(super) fn text(load: &Load, outcomes: &[Outcome], advice: &[String]) -> String {
    let mut out = head(load);
    out += "\nmode         size     conns peak  mean    in use peak  mean     queue p50       p99       max   total p50       p99    waited  timeouts\n";
    let [queue, total] = [&load.recorded.queue, &load.recorded.total];
    let _ = writeln!(
        out,
        "{:<11}{:>6}{:>15}{:>6}{:>15}{:>6}{:>14}{:>10}{:>10}{:>12}{:>10}",
        "as recorded",
        load.summary.origin.pool.size,
        "",
        "",
        "",
        "",
        short(percentile(queue, 0.5)),
        short(percentile(queue, 0.99)),
        short(queue.max()),
        short(percentile(total, 0.5)),
        short(percentile(total, 0.99)),
    );
    outcomes.iter().for_each(|outcome| out += &row(outcome));
    if outcomes.iter().any(|outcome| outcome.setting.mode == Mode::Session) {
        out += "In mode session it is logins that wait; queue is theirs.\n";
    }
    out += &curve(outcomes);
    out.push('\n');
    for line in advice {
        out += line;
        out.push('\n');
    }
    out + CAUTION
}

const CAUTION: &str =
    "Times at the server are as recorded: fewer connections at work often make each faster, more of them slower.\n";

fn head(load: &Load) -> String {
    let origin = &load.summary.origin;
    format!(
        "{} commands of {} clients in {:.0} s, recorded {} in mode {} with size {} + {}, server {}\n",
        load.commands(),
        load.scripts.len(),
        load.span.as_secs_f64(),
        utc_seconds(origin.began),
        origin.mode,
        origin.pool.size,
        origin.pool.max_overflow,
        origin.server.as_deref().unwrap_or("unknown"),
    )
}

fn row(outcome: &Outcome) -> String {
    let (queue, total) = (outcome.queue(), &outcome.latencies.total);
    let waited = 100.0 * outcome.waited as f64 / (total.len().max(1)) as f64;
    format!(
        "{:<11}{:>6}{:>15}{:>6.1}{:>15}{:>6.1}{:>14}{:>10}{:>10}{:>12}{:>10}{:>9.1}%{:>10}\n",
        outcome.setting.mode.name(),
        outcome.setting.pool.size,
        outcome.peak,
        outcome.mean,
        outcome.peak_used,
        outcome.mean_used,
        short(percentile(queue, 0.5)),
        short(percentile(queue, 0.99)),
        short(queue.max()),
        short(percentile(total, 0.5)),
        short(percentile(total, 0.99)),
        waited,
        outcome.timeouts + outcome.refused,
    )
}

/// The wait at p99 against the size.
fn curve(outcomes: &[Outcome]) -> String {
    if outcomes.len() < 3 {
        return String::new();
    }
    let p99 = |outcome: &Outcome| percentile(outcome.queue(), 0.99);
    let mut out = String::from("\nqueue p99 by size\n");
    for outcome in outcomes {
        // Each mode has a scale of its own: logins wait in other dimensions than commands.
        let of_mode = outcomes.iter().filter(|other| other.setting.mode == outcome.setting.mode);
        let most = of_mode.map(p99).max().unwrap_or_default().max(1);
        let bar = (p99(outcome) as f64 / most as f64 * BAR as f64).ceil() as usize;
        let (mode, size) = (outcome.setting.mode.name(), outcome.setting.pool.size);
        let _ = writeln!(out, "{mode:<11}{size:>6} {:<BAR$} {}", "#".repeat(bar), short(p99(outcome)));
    }
    out
}
