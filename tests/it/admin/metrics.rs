//! `/metrics` passes promtool's check, and its numbers are those of a load that counted for itself.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::get;
use crate::crowd::{LIMIT, enter, eventually, server, tidegate};

/// apt's promtool; `None`: it cannot be had here.
fn promtool() -> Option<PathBuf> {
    let cache = std::env::var_os("TIDEGATE_CACHE").map(PathBuf::from).unwrap_or_else(|| {
        let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache");
        std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("tidegate")
    });
    Some(cache.join("promtool/promtool")).filter(|program| program.exists())
}

/// As for a server that is missing: `make test` shows it at its end.
fn note_skipped() {
    let summary = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped");
    let file = std::fs::OpenOptions::new().create(true).append(true).open(summary);
    let line = b"admin::metrics: promtool cannot be had here (tests/servers/promtool)\n";
    file.and_then(|mut file| file.write_all(line)).expect("the list of skipped tests");
}

/// What promtool says of these metrics; empty: nothing.
fn complaints(program: &PathBuf, metrics: &str) -> String {
    let mut command = Command::new(program);
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool");
    child.stdin.take().expect("its input").write_all(metrics.as_bytes()).expect("taken");
    let output = child.wait_with_output().expect("its end");
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told).into_owned();
    if output.status.success() { told } else { format!("{}: {told}", output.status) }
}

/// Every sample by its name and labels.
fn samples(metrics: &str) -> BTreeMap<&str, f64> {
    let lines = metrics.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, value)| (name, value.parse().expect("a number")))
        .collect()
}

#[test]
fn a_known_load_is_what_the_metrics_say() {
    let server = server(&[]);
    server.sql("CREATE TABLE crowd.numbers (a INT PRIMARY KEY) SELECT 1 AS a UNION SELECT 2 UNION SELECT 3");
    let tidegate = tidegate(&server, 2, "slow_log.path = \"slow.log\"\nslow_log.threshold = \"150ms\"");
    let (mut one, mut two) = (enter(&tidegate), enter(&tidegate));
    let mut rows = 0;
    for _ in 0..50 {
        rows += one.run("SELECT a FROM crowd.numbers").rows.len();
    }
    two.run("BEGIN");
    two.run("UPDATE crowd.numbers SET a = a + 10 WHERE a = 1");
    two.run("ROLLBACK");
    one.refused("SELEC");
    one.value("SELECT SLEEP(0.2)");
    rows += 1;
    let queries = 50 + 3 + 1 + 1;
    let mut metrics = String::new();
    // The last one is counted right behind its reply.
    eventually("all are counted", LIMIT, || {
        metrics = get(tidegate.admin("http"), "/metrics").1;
        let all = format!("tidegate_query_duration_seconds_count {queries}");
        metrics.lines().any(|line| line == all)
    });
    if let Some(program) = promtool() {
        assert_eq!(complaints(&program, &metrics), "", "{metrics}");
        let bad = metrics.replace("# HELP tidegate_rows_sent_total Rows sent to clients\n", "");
        assert_ne!(complaints(&program, &bad), "", "promtool does look");
    } else {
        note_skipped();
    }
    let samples = samples(&metrics);
    let value = |name: &str| *samples.get(name).unwrap_or_else(|| panic!("{name}:\n{metrics}"));
    for (name, expected) in [
        ("tidegate_commands_total{command=\"query\"}", queries as f64),
        ("tidegate_command_errors_total", 1.0),
        ("tidegate_rows_sent_total", rows as f64),
        ("tidegate_rows_affected_total", 1.0),
        ("tidegate_query_duration_seconds_count", queries as f64),
        ("tidegate_query_duration_seconds_bucket{le=\"+Inf\"}", queries as f64),
        ("tidegate_user_query_duration_seconds_count{user=\"crowd\",schema=\"\"}", queries as f64),
        ("tidegate_pins_total{reason=\"transaction\"}", 1.0),
        ("tidegate_pool_size", 2.0),
        ("tidegate_clients", 2.0),
        ("tidegate_pool_connections{state=\"relayed\"}", 0.0),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    let sum = value("tidegate_query_duration_seconds_sum");
    assert!(sum >= 0.2, "{sum}");
    // Slower ones may be there on a busy machine, but the one that slept is among those above 100 ms.
    let quick = value("tidegate_query_duration_seconds_bucket{le=\"0.1\"}");
    assert!(quick < queries as f64, "{quick}");
    assert!(value("process_resident_memory_bytes") > 1e6);
    eventually("the slow statement is written", LIMIT, || {
        let metrics = get(tidegate.admin("http"), "/metrics").1;
        let written =
            metrics.lines().find(|line| line.starts_with("tidegate_slow_statements_total{record=\"written\"}"));
        written.is_some_and(|line| !line.ends_with(" 0"))
    });
}
