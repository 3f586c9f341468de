//! The outcomes for programs: JSON and CSV. Times are seconds.

use std::fmt::Write;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::load::Load;
use super::outcome::{Outcome, percentile};
use crate::pool::fate::RetireReason;
use crate::stats::trace::Ending;

/// What is told of each histogram.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)];

/// One object.
pub(super) fn json(load: &Load, outcomes: &[Outcome], advice: &[String]) -> anyhow::Result<String> {
    let summary = &load.summary;
    let object = json!({
        "trace": {
            "origin": summary.origin,
            "commands": load.commands(),
            "clients": load.scripts.len(),
            "seconds": load.span.as_secs_f64(),
            "lost": summary.lost,
            "cut": summary.ending == Ending::Cut,
            "dial_guessed": load.costs.dial_is_guessed,
            "queue": histogram(&load.recorded.queue),
            "login_queue": histogram(&load.recorded.login_queue),
            "total": histogram(&load.recorded.total),
        },
        "settings": outcomes.iter().map(outcome).collect::<Vec<_>>(),
        "advice": advice,
    });
    Ok(serde_json::to_string_pretty(&object)? + "\n")
}

fn outcome(outcome: &Outcome) -> Value {
    let Outcome { setting, latencies, counters, .. } = outcome;
    let retired: serde_json::Map<String, Value> = RetireReason::ALL
        .iter()
        .map(|reason| (reason.as_str().to_owned(), counters.retired_for(*reason).into()))
        .collect();
    json!({
        "mode": setting.mode.name(),
        "size": setting.pool.size,
        "max_overflow": setting.pool.max_overflow,
        "queue": histogram(&latencies.queue),
        "login_queue": histogram(&latencies.login_queue),
        "total": histogram(&latencies.total),
        "connections": { "peak": outcome.peak, "mean": outcome.mean },
        "in_use": { "peak": outcome.peak_used, "mean": outcome.mean_used },
        "waited": outcome.waited,
        "timeouts": outcome.timeouts,
        "refused_logins": outcome.refused,
        "checkouts": { "own": counters.own, "equal": counters.equal, "different": counters.different },
        "dialed": counters.dialed,
        "retired": retired,
        "seconds": outcome.lasted.as_secs_f64(),
    })
}

fn histogram(histogram: &Histogram<u64>) -> Value {
    let mut object = serde_json::Map::new();
    object.insert("count".into(), histogram.len().into());
    for (name, quantile) in QUANTILES {
        object.insert(name.into(), seconds(percentile(histogram, quantile)).into());
    }
    object.insert("max".into(), seconds(histogram.max()).into());
    object.into()
}

/// A line for each setting.
pub(super) fn csv(outcomes: &[Outcome]) -> String {
    let mut out = String::from(
        "mode,size,max_overflow,connections_peak,connections_mean,in_use_peak,in_use_mean,queue_p50,queue_p90,queue_p99,queue_p999,\
         queue_max,total_p50,total_p90,total_p99,total_p999,total_max,waited,timeouts,refused_logins,dialed\n",
    );
    for outcome in outcomes {
        let Outcome { setting, peak, mean, peak_used, mean_used, waited, timeouts, refused, .. } = outcome;
        let (mode, pool) = (setting.mode.name(), &setting.pool);
        let _ = write!(out, "{mode},{},{},{peak},{mean:.3},{peak_used},{mean_used:.3}", pool.size, pool.max_overflow);
        for histogram in [outcome.queue(), &outcome.latencies.total] {
            for (_, quantile) in QUANTILES {
                let _ = write!(out, ",{:.9}", seconds(percentile(histogram, quantile)));
            }
            let _ = write!(out, ",{:.9}", seconds(histogram.max()));
        }
        let _ = writeln!(out, ",{waited},{timeouts},{refused},{}", outcome.counters.dialed);
    }
    out
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}
