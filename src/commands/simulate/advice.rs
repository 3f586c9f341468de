//! What the outcomes say, in words.

use super::load::Load;
use super::outcome::{Outcome, percentile};
use super::setting::Mode;
use crate::stats::hlog::table::short;

/// A difference that nobody notices, in nanoseconds; one in twenty is none either.
const UNNOTICED: u64 = 1_000_000;

/// One line for each mode, the recommendation first.
pub(super) fn advice(load: &Load, outcomes: &[Outcome]) -> Vec<String> {
    let mut lines = Vec::new();
    for mode in [Mode::Transaction, Mode::Session] {
        let of_mode: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.setting.mode == mode).collect();
        if !of_mode.is_empty() {
            lines.extend(of_one_mode(load, mode, &of_mode));
        }
    }
    lines
}

fn of_one_mode(load: &Load, mode: Mode, outcomes: &[&Outcome]) -> Vec<String> {
    let mode = mode.name();
    let base = base(load, outcomes);
    let from = base.setting.pool.size;
    if !all_served(base) {
        return vec![format!("{mode}: {from} connections are too few: {}", unserved(base))];
    }
    let fits = |outcome: &&&Outcome| all_served(outcome) && cost(base, outcome) <= allowed(base);
    let Some(least) = outcomes.iter().find(fits).filter(|least| least.setting.pool.size < from) else {
        return vec![format!("{mode}: {from} connections; of the sizes that were tried, fewer would be noticed")];
    };
    let mut lines = vec![change(mode, base, least)];
    if let Some(below) = outcomes.iter().rev().find(|outcome| outcome.setting.pool.size < least.setting.pool.size) {
        let size = below.setting.pool.size;
        lines.push(match all_served(below) {
            true => format!("{mode}: with {size} it would be {}", cost_in_words(base, below)),
            false => format!("{mode}: {size} are too few: {}", unserved(below)),
        });
    }
    lines
}

/// What is compared with: the recorded size where it was tried, else the largest.
fn base<'a>(load: &Load, outcomes: &[&'a Outcome]) -> &'a Outcome {
    let recorded = load.summary.origin.pool.size;
    let found = outcomes.iter().find(|outcome| outcome.setting.pool.size == recorded);
    found.copied().unwrap_or(outcomes[outcomes.len() - 1])
}

fn change(mode: &str, base: &Outcome, least: &Outcome) -> String {
    format!(
        "{mode}: {} -> {} connections costs {}; the server has {} at the peak instead of {}",
        base.setting.pool.size,
        least.setting.pool.size,
        cost_in_words(base, least),
        least.peak,
        base.peak
    )
}

fn cost_in_words(base: &Outcome, outcome: &Outcome) -> String {
    let at = |quantile| {
        let [before, after] = [base, outcome].map(|outcome| percentile(waits(outcome), quantile));
        short(after.saturating_sub(before))
    };
    format!("{} at p50 and {} at p99", at(0.5), at(0.99))
}

/// What clients feel: a command's whole time; in mode `session` a login's wait.
fn waits(outcome: &Outcome) -> &hdrhistogram::Histogram<u64> {
    match outcome.setting.mode {
        Mode::Transaction => &outcome.latencies.total,
        Mode::Session => &outcome.latencies.login_queue,
    }
}

fn cost(base: &Outcome, outcome: &Outcome) -> u64 {
    let worst = [0.5, 0.9, 0.99]
        .map(|quantile| percentile(waits(outcome), quantile).saturating_sub(percentile(waits(base), quantile)));
    worst.into_iter().max().unwrap_or_default()
}

fn allowed(base: &Outcome) -> u64 {
    UNNOTICED.max(percentile(waits(base), 0.99) / 20)
}

fn all_served(outcome: &Outcome) -> bool {
    outcome.timeouts + outcome.refused == 0
}

fn unserved(outcome: &Outcome) -> String {
    let (timeouts, refused) = (outcome.timeouts, outcome.refused);
    format!("{timeouts} commands and {refused} logins got no connection in time")
}
