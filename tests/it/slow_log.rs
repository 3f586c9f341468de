//! The slow log is read unchanged by pt-query-digest and mysqldumpslow: same counts, times, attributes and texts.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tidegate::stats::record::{Identity, Outcome, Phases, QueryRecord};
use tidegate::stats::settings::{SlowLogBasis, SlowLogFormat, SlowLogSettings};
use tidegate::stats::slow_log::SlowLog;

const ENDED_AT: Duration = Duration::from_secs(1_795_359_511);
const NO_INDEX_USED: u16 = 0x0020;

fn fingerprint(_: &[u8]) -> String {
    "select ?".into()
}

fn identity() -> Identity {
    Identity { client_id: 0x4000_0001, user: "app".into(), host: "10.0.0.7".into() }
}

fn statement<'a>(identity: &'a Identity, sql: &'a [u8]) -> QueryRecord<'a> {
    let ms = Duration::from_millis;
    QueryRecord {
        identity,
        schema: "shop",
        command: 0x03,
        sql,
        sql_len: sql.len() as u64,
        digest: 0x1234_5678_9012_3456,
        phases: Phases {
            queue: ms(250),
            restore: ms(10),
            server: ms(1_000),
            transfer: ms(200),
            client: ms(40),
            total: ms(1_500),
        },
        ended_at: ENDED_AT,
        rows_sent: 3,
        rows_affected: 0,
        last_insert_id: 0,
        bytes_in: 30,
        bytes_out: 456,
        status: 0x0002,
        warnings: 0,
        outcome: Outcome::Ok,
        backend_id: 77,
        pin_reason: "transaction",
        execution: None,
    }
}

/// A log of these records in a folder of its own.
struct Log {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl Log {
    fn of(records: &[QueryRecord<'_>]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slow.log");
        let settings = SlowLogSettings {
            threshold: Duration::ZERO,
            user_thresholds: Vec::new(),
            path: Some(path.clone()),
            format: SlowLogFormat::Mysql,
            basis: SlowLogBasis::Total,
            sample: 1.0,
            rate: None,
            redact: false,
            max_size: None,
            keep: 1,
            explain: false,
        };
        let log = SlowLog::open(&settings, fingerprint).unwrap().unwrap();
        records.iter().for_each(|record| log.offer(record));
        assert!(log.shutdown(Duration::from_secs(20)));
        assert_eq!(log.counts().written, records.len() as u64);
        Log { _dir: dir, path }
    }
}

fn run(program: &str, package: &str, args: &[&str], file: &Path) -> String {
    let output = Command::new(program)
        .args(args)
        .arg(file)
        .env("HOME", "/nonexistent")
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; install it: apt-get install {package}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {stderr}");
    let complaints: Vec<_> = stderr.lines().filter(|l| !l.starts_with("Reading mysql slow") && !l.is_empty()).collect();
    assert!(complaints.is_empty(), "{program}: {complaints:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// pt-query-digest's events, one object each, in the log's order.
fn pt_events(log: &Log) -> Vec<serde_json::Value> {
    let dump = r#"do {
        print STDOUT "{", join(",", map { my ($k, $v) = ($_, $event->{$_} // "");
            $v =~ s/([^A-Za-z0-9 _.,:;*=()'?\/-])/sprintf("<%02x>", ord $1)/ge; "\"$k\":\"$v\"" } sort keys %$event), "}\n"; 1 }"#;
    let args = ["--no-report", "--no-version-check", "--filter", dump];
    let text = run("pt-query-digest", "percona-toolkit", &args, &log.path);
    text.lines()
        .filter(|l| l.starts_with('{'))
        .map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}")))
        .collect()
}

fn pt_report(log: &Log) -> serde_json::Value {
    let args = ["--output", "json", "--limit", "100%", "--no-version-check"];
    let text = run("pt-query-digest", "percona-toolkit", &args, &log.path);
    let json = &text[text.find('{').unwrap_or_else(|| panic!("no report: {text}"))..];
    serde_json::from_str(json).unwrap()
}

fn dumpslow(log: &Log) -> String {
    run("mysqldumpslow", "mariadb-client", &["-a"], &log.path)
}

#[test]
fn pt_query_digest_reads_every_attribute() {
    let identity = identity();
    let failed = QueryRecord {
        outcome: Outcome::Error(1205),
        status: NO_INDEX_USED,
        rows_affected: 5,
        pin_reason: "",
        ..statement(&identity, b"UPDATE t SET a = 1")
    };
    let gone = QueryRecord { outcome: Outcome::ClientGone, ..statement(&identity, b"SELECT 2") };
    let events = pt_events(&Log::of(&[statement(&identity, b"SELECT a FROM t"), failed, gone]));
    assert_eq!(events.len(), 3);
    for (attribute, value) in [
        ("arg", "SELECT a FROM t"),
        ("cmd", "Query"),
        ("ts", "261122 14:58:31"),
        ("timestamp", "1795359509"),
        ("db", "shop"),
        ("user", "app"),
        ("host", "10.0.0.7"),
        ("Thread_id", "1073741825"),
        ("Query_time", "1.500000"),
        ("Lock_time", "0.000000"),
        ("Rows_sent", "3"),
        ("Rows_examined", "0"),
        ("Rows_affected", "0"),
        ("Bytes_sent", "456"),
        ("Last_errno", "0"),
        ("No_index_used", "No"),
        ("Tidegate_queue_time", "0.250000"),
        ("Tidegate_restore_time", "0.010000"),
        ("Tidegate_server_time", "1.000000"),
        ("Tidegate_transfer_time", "0.200000"),
        ("Tidegate_client_time", "0.040000"),
        ("Tidegate_pin_reason", "transaction"),
        ("Tidegate_backend_id", "77"),
        ("Tidegate_digest", "0x1234567890123456"),
    ] {
        assert_eq!(events[0][attribute], value, "{attribute}");
    }
    assert_eq!(events[1]["Last_errno"], "1205");
    assert_eq!(events[1]["Rows_affected"], "5");
    assert_eq!(events[1]["No_index_used"], "Yes");
    assert_eq!(events[1]["Tidegate_pin_reason"], "none");
    assert_eq!(events[2]["Tidegate_outcome"], "client_gone");
}

#[test]
fn pt_query_digest_reports_counts_and_times() {
    let identity = identity();
    let texts: Vec<String> = (0..30).map(|i| format!("SELECT a FROM t WHERE id = {i}")).collect();
    let mut records: Vec<_> = texts.iter().map(|text| statement(&identity, text.as_bytes())).collect();
    // A digest of decimal digits comes first: it must not make an attribute of numbers.
    records[1].digest = 0xABCD_EF00_1122_3344;
    records.push(QueryRecord {
        digest: 0xFEED,
        status: NO_INDEX_USED,
        ..statement(&identity, b"DELETE FROM u WHERE a = 'x'")
    });
    let report = pt_report(&Log::of(&records));
    let classes = report["classes"].as_array().unwrap();
    assert_eq!(classes.len(), 2, "{report}");
    let select = classes.iter().find(|c| c["fingerprint"] == "select a from t where id = ?").unwrap();
    assert_eq!(select["query_count"], 30);
    let metric = |name: &str, field: &str| -> f64 {
        select["metrics"][name][field].as_str().unwrap_or_else(|| panic!("{name}: {select}")).parse().unwrap()
    };
    assert!((metric("Query_time", "sum") - 45.0).abs() < 1e-6);
    assert!((metric("Tidegate_queue_time", "sum") - 7.5).abs() < 1e-6);
    assert_eq!(metric("Rows_sent", "sum"), 90.0);
}

#[test]
fn mysqldumpslow_reads_counts_times_rows_and_texts() {
    let identity = identity();
    let socket = Identity { host: String::new(), ..identity.clone() };
    let other = QueryRecord {
        rows_affected: 4,
        schema: "",
        phases: Phases { total: Duration::from_secs(2), ..Phases::default() },
        ..statement(&socket, b"DELETE FROM t;")
    };
    let log = Log::of(&[statement(&identity, b"SELECT a FROM t"), other, statement(&identity, b"SELECT a FROM t")]);
    let text = dumpslow(&log);
    let select = "Count: 2  Time=1.50s (3s)  Lock=0.00s (0s)  Rows_sent=3.0 (6), Rows_examined=0.0 (0), \
                  Rows_affected=0.0 (0), app[app]@[10.0.0.7]\n  SELECT a FROM t\n";
    let delete = "Count: 1  Time=2.00s (2s)  Lock=0.00s (0s)  Rows_sent=3.0 (3), Rows_examined=0.0 (0), \
                  Rows_affected=4.0 (4), app[app]@localhost\n  DELETE FROM t\n";
    assert!(text.contains(select) && text.contains(delete), "{text}");
    assert_eq!(text.matches("Count:").count(), 2, "{text}");
}

#[test]
fn commands_without_a_statement_are_administrator_commands() {
    let identity = identity();
    let ping = QueryRecord { command: 0x0E, sql: b"", sql_len: 0, ..statement(&identity, b"") };
    let empty = QueryRecord { command: 0x03, ..ping };
    let log = Log::of(&[ping, statement(&identity, b"SELECT 1"), ping, empty, statement(&identity, b"SELECT 1")]);
    let events = pt_events(&log);
    let args: Vec<_> = events.iter().map(|e| (e["cmd"].as_str().unwrap(), e["arg"].as_str().unwrap())).collect();
    let ping = ("Admin", "administrator command: Ping");
    let query = ("Admin", "administrator command: Query");
    assert_eq!(args, [ping, ("Query", "SELECT 1"), ping, query, ("Query", "SELECT 1")]);
    assert!(events.iter().all(|e| e["Query_time"] == "1.500000"));
    assert!(dumpslow(&log).contains("Count: 2  Time=1.50s (3s)"));
}

#[test]
fn no_statement_breaks_the_parsers() {
    let identity = identity();
    let odd: [&[u8]; 16] = [
        b"SELECT 1;\n# Query_time: 99  Lock_time: 9\nSELECT 2",
        b"# a comment first\nSELECT 1",
        b"-- a comment last\nSELECT 1 -- end",
        b"use other",
        b"SET timestamp=5",
        b"SET insert_id=5",
        b"SELECT '\n\n\n'\n,\n2;\n;\n",
        b"SELECT '\xFF\x00\x80\x1A'",
        b"SELECT ';\n# User@Host: x[x] @ y [z]\n# Time: 010101 1:01:01\n'",
        b"SELECT 1;;;  \r\n",
        b"select '\nTcp port: 3306  Unix socket: x\n'",
        b"select '\n/usr/sbin/mysqld, Version: 5.6 started with:\nTime Id Command Argument\n'",
        b"select '\nTime                 Id Command    Argument\n'",
        b"   \n  SELECT 7",
        b"/* Query_time: 5 */ SELECT 1",
        b"# administrator command: Ping",
    ];
    let mut records = Vec::new();
    for sql in odd {
        records.push(statement(&identity, sql));
        records.push(statement(&identity, b"SELECT 'guard'"));
    }
    let log = Log::of(&records);
    let events = pt_events(&log);
    assert_eq!(events.len(), records.len());
    for (event, record) in events.iter().zip(&records) {
        let shown = String::from_utf8_lossy(record.sql);
        assert_eq!(event["cmd"], "Query", "{shown}");
        assert_eq!(event["Query_time"], "1.500000", "{shown}");
        assert_eq!(event["db"], "shop", "{shown}");
        assert_eq!(event["timestamp"], "1795359509", "{shown}");
        assert_eq!(event["user"], "app", "{shown}");
    }
    assert_eq!(events.iter().filter(|e| e["arg"] == "SELECT 'guard'").count(), odd.len());
    let groups = dumpslow(&log);
    assert!(groups.contains(&format!("Count: {}  Time=1.50s ({}s)", odd.len(), odd.len() * 3 / 2)), "{groups}");
    let counted: usize =
        groups.lines().filter_map(|l| l.strip_prefix("Count: ")?.split(' ').next()?.parse::<usize>().ok()).sum();
    assert_eq!(counted, records.len(), "{groups}");
    assert!(groups.lines().filter(|l| l.starts_with("Count:")).all(|l| l.contains("Time=1.50s")), "{groups}");
}

#[test]
fn cut_statements_odd_names_and_sizes_stay_records() {
    let blank = Identity { client_id: 5, user: "a b[c]@d".into(), host: "fe80::1".into() };
    let anonymous = Identity { client_id: 6, user: String::new(), host: "10.0.0.1".into() };
    let cut = QueryRecord { sql_len: 5_000_000, ..statement(&blank, b"INSERT INTO t VALUES ('abc") };
    let odd_schema = QueryRecord { schema: "a;b\nc", ..statement(&anonymous, b"SELECT 1") };
    let events = pt_events(&Log::of(&[cut, odd_schema, statement(&anonymous, b"SELECT 2")]));
    assert_eq!(events.len(), 3);
    assert_eq!(events[0]["arg"], "INSERT INTO t VALUES ('abc /*... 4999974 bytes cut ...*/");
    assert_eq!((&events[0]["user"], &events[0]["host"]), (&"a_b_c__d".into(), &"fe80::1".into()));
    assert_eq!(events[1]["db"], "a?b?c");
    assert_eq!(events[1]["host"], "10.0.0.1");
    assert_eq!(events[2]["arg"], "SELECT 2");
}
