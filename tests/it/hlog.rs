//! Histogram dumps are read by HdrHistogram's Python port: same tags, counts and percentiles.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use tidegate::stats::hlog::{IntervalLog, Span, dump, table, tag};
use tidegate::stats::record::{Identity, Phases, QueryRecord};
use tidegate::stats::recorder::{RecorderSettings, Recorders};

const START: Duration = Duration::from_secs(1_795_359_500);
const READ_LOG: &str = r#"
import json, sys
from hdrh.log import HistogramLogReader
from hdrh.histogram import HdrHistogram
reader = HistogramLogReader(sys.argv[1], HdrHistogram(1000, 3600 * 10**9, 3))
out = []
while True:
    h = reader.get_next_interval_histogram()
    if h is None:
        break
    out.append({"tag": h.get_tag(), "count": h.get_total_count(),
                "start": h.get_start_time_stamp() / 1000, "end": h.get_end_time_stamp() / 1000,
                "q": [h.get_value_at_percentile(p) for p in (50, 90, 99, 99.9)]})
print(json.dumps(out))
"#;

/// A Python with the hdrhistogram package, made once and kept with the build's files.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        // Test processes may run side by side.
        let lock = std::fs::File::create(folder.join("venv-hdrhistogram.lock")).unwrap();
        lock.lock().unwrap();
        let venv = folder.join("venv-hdrhistogram");
        let python = venv.join("bin/python");
        if !has_hdrhistogram(&python) {
            make_venv(&venv, &python);
        }
        python
    })
}

fn has_hdrhistogram(python: &Path) -> bool {
    Command::new(python).args(["-c", "import hdrh.log"]).output().is_ok_and(|output| output.status.success())
}

fn make_venv(venv: &Path, python: &Path) {
    let venv = venv.to_str().unwrap();
    must("apt-get install python3-venv", Command::new("python3").args(["-m", "venv", "--clear", venv]));
    let install = ["-m", "pip", "install", "--quiet", "hdrhistogram"];
    must(&format!("{venv}/bin/pip install hdrhistogram"), Command::new(python).args(install));
}

fn must(remedy: &str, command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; to do: {remedy}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}; to do: {remedy}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What quantiles are read.
pub const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

/// One histogram of a log, as HdrHistogram's Python port reads it.
#[derive(Debug, PartialEq)]
pub struct Line {
    pub tag: Option<String>,
    pub count: u64,
    pub start: f64,
    pub end: f64,
    /// At [`QUANTILES`].
    pub quantiles: Vec<u64>,
}

/// All histograms of a log.
pub fn read(path: &Path) -> Vec<Line> {
    let text = must("see above", Command::new(python()).args(["-c", READ_LOG]).arg(path));
    let lines: serde_json::Value = serde_json::from_str(&text).unwrap();
    let line = |v: &serde_json::Value| Line {
        tag: v["tag"].as_str().map(str::to_owned),
        count: v["count"].as_u64().unwrap(),
        start: v["start"].as_f64().unwrap(),
        end: v["end"].as_f64().unwrap(),
        quantiles: v["q"].as_array().unwrap().iter().map(|q| q.as_u64().unwrap()).collect(),
    };
    lines.as_array().unwrap().iter().map(line).collect()
}

fn tagged<'a>(lines: &'a [Line], tag: Option<&str>) -> &'a Line {
    lines.iter().find(|l| l.tag.as_deref() == tag).unwrap_or_else(|| panic!("{tag:?} not in {lines:?}"))
}

fn fingerprint(sql: &[u8]) -> String {
    String::from_utf8_lossy(sql).replace(|c: char| c.is_ascii_digit(), "?")
}

fn recorders() -> Recorders {
    Recorders::new(2, RecorderSettings::for_workers(2, fingerprint))
}

/// Records `n` statements on both workers; returns their totals in nanoseconds, sorted.
fn load(recorders: &Recorders, user: &str, digest: u64, n: u64) -> Vec<u64> {
    let identity = Identity { client_id: 1, user: user.into(), host: String::new() };
    let mut totals: Vec<u64> = (1..=n).map(|i| 20_000 + (i * i * 977) % 90_000_000).collect();
    for (i, total) in totals.iter().enumerate() {
        let total = Duration::from_nanos(*total);
        recorders.of_worker(i).record(&QueryRecord {
            identity: &identity,
            schema: "my shop, the",
            command: 3,
            sql: b"SELECT 1",
            sql_len: 8,
            digest,
            phases: Phases { total, server: total / 2, ..Phases::default() },
            ended_at: START,
            rows_sent: 1,
            rows_affected: 0,
            last_insert_id: 0,
            bytes_in: 13,
            bytes_out: 60,
            status: 2,
            warnings: 0,
            outcome: Default::default(),
            backend_id: 1,
            pin_reason: "",
            execution: None,
        });
    }
    totals.sort_unstable();
    totals
}

/// Whether a histogram's percentiles are those of the values, as exactly as so many digits say.
fn assert_quantiles(line: &Line, sorted: &[u64], digits: i32) {
    for (got, q) in line.quantiles.iter().zip(QUANTILES) {
        let rank = (q * sorted.len() as f64).ceil() as usize;
        let want = sorted[rank.max(1) - 1] as f64;
        let error = (*got as f64 - want).abs() / want;
        assert!(error <= 10_f64.powi(-digits), "{:?} {q}: {got}, not {want}", line.tag);
    }
}

#[test]
fn python_reads_a_dump() {
    let recorders = recorders();
    let app = load(&recorders, "app", 0xABC, 10_000);
    let other = load(&recorders, "o=ther", 0xDEF, 500);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.hlog");
    let snapshot = recorders.snapshot();
    dump(&path, &snapshot, Span::between(START, START + Duration::from_secs(90))).unwrap();
    let lines = read(&path);
    let total = tagged(&lines, None);
    let mut all = [app.clone(), other.clone()].concat();
    all.sort_unstable();
    assert_eq!((total.count, total.start, total.end), (10_500, START.as_secs_f64(), START.as_secs_f64() + 90.0));
    assert_quantiles(total, &all, 3);
    let halves: Vec<u64> = all.iter().map(|ns| ns / 2).collect();
    assert_quantiles(tagged(&lines, Some("phase=server")), &halves, 3);
    assert_eq!(tagged(&lines, Some("phase=queue")).count, 10_500);
    assert_quantiles(tagged(&lines, Some(&tag::label("app", "my shop, the"))), &app, 2);
    assert_quantiles(tagged(&lines, Some("user=o%3Dther;schema=my%20shop%2C%20the")), &other, 2);
    assert_quantiles(tagged(&lines, Some("digest=0000000000000abc")), &app, 2);
    assert_eq!(tagged(&lines, Some("digest=0000000000000def")).count, 500);
    assert_quantiles(tagged(&lines, Some("pool=app")), &app, 2);
    assert_eq!(tagged(&lines, Some("pool=o%3Dther")).count, 500);
    assert_eq!(lines.len(), 12);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn intervals_hold_only_what_came_since_the_last_one() {
    let recorders = recorders();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.hlog");
    let at = |seconds| START + Duration::from_secs(seconds);
    let mut log = IntervalLog::open(&path, None, 0, at(0)).unwrap();
    load(&recorders, "app", 0xA, 300);
    log.write_interval(&recorders, at(10)).unwrap();
    load(&recorders, "app", 0xB, 40);
    log.write_interval(&recorders, at(20)).unwrap();
    log.write_interval(&recorders, at(30)).unwrap();
    drop(log);
    let mut log = IntervalLog::open(&path, None, 0, at(40)).unwrap();
    log.write_interval(&recorders, at(50)).unwrap();
    let lines = read(&path);
    let of = |tag: Option<&str>| -> Vec<(f64, u64)> {
        lines.iter().filter(|l| l.tag.as_deref() == tag).map(|l| (l.start - START.as_secs_f64(), l.count)).collect()
    };
    assert_eq!(of(None), [(0.0, 300), (10.0, 40), (20.0, 0), (40.0, 340)]);
    assert_eq!(of(Some("phase=server")), [(0.0, 300), (10.0, 40), (40.0, 340)]);
    assert_eq!(of(Some("digest=000000000000000a")), [(0.0, 300), (40.0, 300)]);
    assert_eq!(of(Some("digest=000000000000000b")), [(10.0, 40), (40.0, 40)]);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches("#[StartTime").count(), 1);
    assert_eq!(text.matches("#[digest 000000000000000a: SELECT ?]").count(), 2, "once per run");
}

#[test]
fn an_interval_that_cannot_be_written_is_part_of_the_next() {
    let recorders = recorders();
    load(&recorders, "app", 0xA, 340);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.hlog");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let mut log = IntervalLog::open(&path, None, 0, START).unwrap();
    assert!(log.write_interval(&recorders, START).is_err());
    std::fs::remove_file(&path).unwrap();
    log.reopen().unwrap();
    load(&recorders, "app", 0xA, 2);
    let snapshot = log.write_interval(&recorders, START + Duration::from_secs(9)).unwrap();
    assert_eq!(snapshot.counters.total_commands(), 342);
    let lines = read(&path);
    assert_eq!((tagged(&lines, None).count, tagged(&lines, None).start), (342, START.as_secs_f64()));
}

#[test]
fn the_table_shows_what_the_histograms_hold() {
    let recorders = recorders();
    let totals = load(&recorders, "app", 0xABC, 1_000);
    let snapshot = recorders.snapshot();
    let text = table::percentiles(&snapshot);
    let rows: Vec<Vec<&str>> = text.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["phase", "count", "p50", "p90", "p99", "p99.9", "max"]);
    let phases: Vec<&str> = rows[1..].iter().map(|r| r[0]).collect();
    assert_eq!(phases, ["total", "queue", "restore", "server", "transfer", "client"]);
    assert_eq!(rows[2][1..], ["1000", "0", "0", "0", "0", "0"]);
    assert_eq!(rows[1][1], "1000");
    let p50: f64 = rows[1][2].strip_suffix("ms").unwrap().parse().unwrap();
    assert!((p50 * 1e6 / totals[499] as f64 - 1.0).abs() < 0.01, "{text}");
    let slowest = table::slowest(&snapshot.slowest);
    assert_eq!(slowest.lines().count(), 40);
    assert!(slowest.lines().nth(1).unwrap().ends_with("SELECT 1"), "{slowest}");
    assert_eq!(snapshot.slowest[0].phases.total.as_nanos() as u64, *totals.last().unwrap());
}

#[test]
fn rotated_logs_are_whole_and_their_size_and_number_are_bounded() {
    const MAX_SIZE: u64 = 16 << 10;
    let recorders = recorders();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.hlog");
    let at = |seconds| START + Duration::from_secs(seconds);
    let mut log = IntervalLog::open(&path, Some(MAX_SIZE), 2, at(0)).unwrap();
    for interval in 1..=40 {
        load(&recorders, "app", 0xA, 100 + interval);
        log.write_interval(&recorders, at(interval)).unwrap();
    }
    let names = ["log.hlog.2", "log.hlog.1", "log.hlog"].map(|name| dir.path().join(name));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), names.len());
    let mut counts = Vec::new();
    for name in &names {
        assert!(std::fs::metadata(name).unwrap().len() <= MAX_SIZE);
        let text = std::fs::read_to_string(name).unwrap();
        assert!(text.starts_with("#[Histogram log format") && text.contains("#[digest 000000000000000a: "));
        counts.extend(read(name).iter().filter(|line| line.tag.is_none()).map(|line| line.count));
    }
    let expected: Vec<u64> = (141 - counts.len() as u64..141).collect();
    assert!(counts.len() > 3 && counts == expected, "{counts:?}");
}
