//! Everything that was measured, each run's figures too. Times are seconds.

use serde_json::{Map, Value, json};

use super::super::cell::{Cell, QUANTILES};
use super::super::measure::Measure;
use super::super::plan::{Arrivals, Setting};
use super::Report;

pub(super) fn encode(report: &Report<'_>) -> anyhow::Result<Vec<u8>> {
    let plan = report.plan;
    let (rate, think) = match plan.arrivals {
        Arrivals::Open { per_second } => (Some(per_second), None),
        Arrivals::Closed { think } => (None, Some(think.as_secs_f64())),
        Arrivals::Recorded => (None, None),
    };
    let advice = &report.advice;
    let document = json!({
        "tidegate": env!("CARGO_PKG_VERSION"),
        "machine": report.place.machine,
        "server": report.place.server,
        "began_unix_seconds": report.place.began.as_secs_f64(),
        "clients": plan.clients,
        "workload": plan.workload.name,
        "rate": rate,
        "think_seconds": think,
        "seconds": plan.seconds.as_secs_f64(),
        "warm_up_seconds": plan.warm_up.as_secs_f64(),
        "rounds": report.rounds,
        "rounds_planned": plan.repeats,
        "cells": report.measured().map(|cell| cell_of(cell, report)).collect::<Vec<_>>(),
        "recommendation": {
            "setting": advice.choice.map(Setting::name),
            "mode": advice.choice.and_then(mode),
            "size": advice.choice.and_then(size),
            "verdict": advice.verdict,
            "reasons": advice.reasons,
        },
        "doubts": report.doubts(),
    });
    let mut bytes = serde_json::to_vec_pretty(&document)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn mode(setting: Setting) -> Option<&'static str> {
    match setting {
        Setting::Direct => None,
        Setting::Pool { mode, .. } => Some(mode.name()),
    }
}

fn size(setting: Setting) -> Option<usize> {
    match setting {
        Setting::Direct => None,
        Setting::Pool { size, .. } => Some(size),
    }
}

fn cell_of(cell: &Cell, report: &Report<'_>) -> Value {
    let phases = cell.phases().into_iter().map(|phase| {
        let figures = QUANTILES.map(|(name, quantile)| (name.to_owned(), seconds(cell.percentile(phase, quantile))));
        (phase.to_owned(), Value::Object(figures.into_iter().collect()))
    });
    json!({
        "setting": cell.name(),
        "mode": mode(cell.setting),
        "size": size(cell.setting),
        "requests_per_second": cell.median(|run| Some(run.throughput())),
        "phases": phases.collect::<Map<_, _>>(),
        "connections_max": cell.most(|run| Some(run.connections as u64)),
        "server_saw_connections_max": cell.most(|run| run.server_saw),
        "errors": cell.errors(),
        "recommended": report.advice.choice == Some(cell.setting),
        "hlog": report.dump_of(cell).map(|file| file.display().to_string()),
        "runs": cell.runs.iter().map(run).collect::<Vec<_>>(),
    })
}

fn run(run: &Measure) -> Value {
    let cores = |time: Option<std::time::Duration>| time.map(|time| time.as_secs_f64() / run.seconds);
    let errors = run
        .errors
        .iter()
        .map(|(kind, failures)| (kind.clone(), json!({ "count": failures.count, "example": failures.example })));
    json!({
        "began_unix_seconds": run.span.start.as_secs_f64(),
        "seconds": run.seconds,
        "requests": run.requests,
        "requests_per_second": run.throughput(),
        "statements": run.statements,
        "response_p50": seconds(run.at("response", 0.5)),
        "response_p99": seconds(run.at("response", 0.99)),
        "queue_p99": seconds(run.at("queue", 0.99)),
        "unserved": run.unserved,
        "errors": errors.collect::<Map<_, _>>(),
        "checkout_timeouts": run.timeouts,
        "clients_without_connection": run.without_connection,
        "connections": run.connections,
        "server_saw_connections": run.server_saw,
        "server_cpu_cores": cores(run.cpu.server),
        "tidegate_cpu_cores": cores(run.cpu.tidegate),
        "clients_cpu_cores": cores(run.cpu.clients),
        "load_generator_late_p99": seconds(run.late),
    })
}

fn seconds(nanos: Option<u64>) -> Value {
    nanos.map_or(Value::Null, |nanos| json!(nanos as f64 / 1e9))
}

#[cfg(test)]
mod tests {
    use super::super::tests::with_report;
    use super::*;

    #[test]
    fn it_holds_every_cell_with_its_runs() {
        let bytes = with_report(|report| encode(report).expect("encoded"));
        let document: Value = serde_json::from_slice(&bytes).expect("JSON");
        let cells = document["cells"].as_array().expect("cells");
        assert_eq!((cells.len(), cells[1]["runs"].as_array().map(Vec::len)), (3, Some(2)));
        assert_eq!((&cells[0]["size"], &cells[1]["size"]), (&Value::Null, &json!(5)));
        assert!(cells[1]["phases"]["queue"]["p99"].as_f64().expect("a number") > 0.08);
        assert_eq!(cells[0]["phases"].as_object().map(Map::len), Some(1));
        assert_eq!(document["recommendation"]["size"], json!(5));
        assert_eq!((&document["rate"], &document["think_seconds"]), (&json!(50), &Value::Null));
    }
}
