//! `tidegate bench` on real servers: every form of its report, the bound in each cell, waiting that is not hidden, its ends,
//! recorded traces, and bad input.

mod bad_input;
mod ends;
mod trace;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::servers::{Kind, Server};
use crate::tidegate;

/// A folder for a bench's files, and a server's schema for it to work in.
struct Site {
    folder: TempDir,
    server: String,
}

impl Site {
    /// A schema and an account of the test's own on the shared server: the account's connections are the bench's alone.
    fn new(schema: &str) -> Site {
        let server = Server::shared(Kind::MariaDb1011);
        Site::on(server, schema)
    }

    fn on(server: &Server, schema: &str) -> Site {
        Site::at(server, &server.address().to_string(), schema)
    }

    /// The same by another of the server's addresses.
    fn at(server: &Server, address: &str, schema: &str) -> Site {
        let account = format!("{schema}@'%'");
        server.sql(&format!("CREATE DATABASE {schema}; CREATE USER {account} IDENTIFIED BY 'p@ss:1'"));
        server.sql(&format!("GRANT ALL ON {schema}.* TO {account}"));
        Site { folder: tempfile::tempdir().expect("a folder"), server: format!("{schema}:p@ss:1@{address}/{schema}") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).expect("written");
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    /// `tidegate bench` against the server, with a JSON report.
    fn command(&self, options: &str) -> Command {
        let mut command = bench(&format!("--server {} --json out.json {options}", self.server));
        command.current_dir(self.folder.path());
        command
    }

    /// Runs it to its good end and returns the JSON report.
    fn run(&self, options: &str) -> Value {
        succeeded(self.command(options).output().expect("the binary"));
        self.json()
    }

    fn json(&self) -> Value {
        json(&self.path("out.json"))
    }
}

fn bench(options: &str) -> Command {
    let mut command = Command::new(tidegate::binary());
    command.arg("bench").args(options.split_whitespace()).stdin(Stdio::null());
    command
}

fn json(file: &Path) -> Value {
    let text = fs::read(file).expect("a JSON report");
    serde_json::from_slice(&text).expect("JSON")
}

fn succeeded(output: Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn cells(report: &Value) -> &Vec<Value> {
    report["cells"].as_array().expect("cells")
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a number: {value}"))
}

fn seconds(cell: &Value, phase: &str, percentile: &str) -> f64 {
    let value = &cell["phases"][phase][percentile];
    value.as_f64().unwrap_or_else(|| panic!("{phase} {percentile} in {cell}"))
}

/// In every run both counts of the server connections are within the bound.
fn assert_bound(report: &Value) {
    let clients = number(&report["clients"]);
    for cell in cells(report) {
        let bound = cell["size"].as_u64().unwrap_or(clients);
        for run in cell["runs"].as_array().expect("runs") {
            let (own, seen) = (number(&run["connections"]), number(&run["server_saw_connections"]));
            assert!(own >= 1 && own <= bound && seen <= bound, "{}: {run}", cell["setting"]);
            assert!(number(&run["requests"]) > 0, "{}: {run}", cell["setting"]);
        }
    }
}

#[test]
fn a_small_sweep_is_reported_in_every_form() {
    const SETTINGS: [&str; 5] = ["direct", "transaction 1", "transaction 3", "session 1", "session 3"];
    let site = Site::new("bench_forms");
    let output = site
        .command(
            "--size 3,1 --mode transaction,session --clients 3 --seconds 0.5 --warm-up 0.1 --repeats 2 --think 1ms --workload \
             read-write --html out.html --csv out.csv --hlog dumps",
        )
        .output();
    let output = output.expect("the binary");
    let progress = String::from_utf8_lossy(&output.stderr).into_owned();
    let table = succeeded(output);
    assert!(progress.contains("10/10 direct, round 2") && !progress.contains('\u{1b}'), "{progress}");

    let report = site.json();
    let settings: Vec<_> = cells(&report).iter().map(|cell| cell["setting"].as_str().expect("a name")).collect();
    assert_eq!(settings, SETTINGS);
    assert_bound(&report);
    assert!(cells(&report).iter().all(|cell| number(&cell["errors"]) == 0), "{report}");
    assert_eq!(cells(&report)[1]["runs"].as_array().map(Vec::len), Some(2));
    assert_eq!(report["workload"], "read-write");
    assert!(report["machine"].as_str().is_some_and(|machine| machine.contains("core")));
    // On one connection three clients queue; without a pool nobody does.
    assert!(seconds(&cells(&report)[1], "queue", "max") > 0.0);
    assert!(cells(&report)[0]["phases"].get("queue").is_none());
    // In mode session, clients beyond the size never get a connection, and such a setting is not recommended.
    assert_eq!(number(&cells(&report)[3]["runs"][0]["clients_without_connection"]), 2);
    assert_ne!(report["recommendation"]["setting"], "session 1");
    assert!(report["recommendation"]["size"].as_u64().is_some(), "{report}");
    // The server is on this machine, and root may look at its process.
    assert!(cells(&report)[0]["runs"][0]["server_cpu_cores"].as_f64().is_some_and(|cores| cores > 0.0));

    let rows = csv_rows(&site.path("out.csv"));
    let names: Vec<_> = rows.iter().map(|row| row["setting"].clone()).collect();
    assert_eq!(names, SETTINGS);
    for (row, cell) in rows.iter().zip(cells(&report)) {
        let same = row["response_p99_seconds"].parse::<f64>().expect("seconds") - seconds(cell, "response", "p99");
        assert!(same.abs() < 1e-5, "{row:?}");
    }

    let page = fs::read_to_string(site.path("out.html")).expect("a page");
    for setting in SETTINGS {
        assert!(page.contains(&format!("<td>{setting}</td>")), "{setting}");
        assert!(table.lines().any(|line| line.starts_with(setting)), "{table}");
    }
    for foreign in ["src=", "href=", "@import", "url(", "<script"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.contains("<svg") && page.contains("<polyline"));
    let verdict = report["recommendation"]["verdict"].as_str().expect("a verdict");
    assert!(table.contains(verdict) && page.contains(&verdict.replace('"', "&quot;")));

    for (setting, cell) in SETTINGS.iter().zip(cells(&report)) {
        let file = cell["hlog"].as_str().expect("a file");
        assert_eq!(file, format!("dumps/{}.hlog", setting.replace(' ', "-")));
        let shown = hist_show(&site.path(file));
        assert_eq!(shown.contains("phase=queue"), *setting != "direct", "{shown}");
    }
    let left = Server::shared(Kind::MariaDb1011).sql("SHOW TABLES IN bench_forms");
    assert_eq!(left, "", "the bench's table is dropped");
}

#[test]
fn open_loop_requests_wait_from_when_they_were_to_begin() {
    let site = Site::new("bench_open");
    let file = site.file("slow.sql", "SELECT SLEEP(0.05);");
    // 20 a second is all that one connection can do.
    let options = format!("--workload {file} --rate 120 --clients 2 --size 1 --seconds 1 --warm-up 0.2 --repeats 1");
    let report = site.run(&options);
    assert_bound(&report);
    let (direct, pool) = (&cells(&report)[0], &cells(&report)[1]);
    assert!(number(&pool["runs"][0]["unserved"]) > 0, "{pool}");
    // What clients of a closed loop would have seen is the statement's time; the waiting before it is much longer.
    assert!(seconds(pool, "response", "p50") > 2.0 * seconds(pool, "statement", "p50"), "{pool}");
    assert!(seconds(pool, "wait", "p50") > 0.05, "{pool}");
    assert!(report["doubts"].as_array().is_some_and(|doubts| !doubts.is_empty()));
    // Both met the same requests, and none was forgotten: served or not, each is in the histogram.
    let of = |cell: &Value| total_count(&site.path(cell["hlog"].as_str().expect("a file")));
    assert_eq!(of(direct), of(pool));
    assert!(of(pool) > number(&pool["runs"][0]["requests"]) + number(&pool["runs"][0]["unserved"]) / 2);
}

#[test]
fn connect_per_request_shares_a_session_pool() {
    let site = Site::new("bench_connect");
    let report = site.run(
        "--workload connect --mode session --size 2 --clients 8 --think 1ms --seconds 0.6 --warm-up 0.1 --repeats 1",
    );
    assert_bound(&report);
    for cell in cells(&report) {
        assert_eq!(number(&cell["errors"]), 0, "{cell}");
        assert!(
            seconds(cell, "connect", "p50") > 0.0 && seconds(cell, "connect", "p50") < seconds(cell, "response", "max")
        );
    }
    assert_eq!(cells(&report)[1]["setting"], "session 2");
}

#[test]
fn a_file_of_sql_is_a_workload_and_its_errors_are_counted() {
    let site = Site::new("bench_file");
    let server = Server::shared(Kind::MariaDb1011);
    server.sql("CREATE TABLE bench_file.t (id INT PRIMARY KEY, n INT NOT NULL); INSERT INTO bench_file.t VALUES (1, 0), (2, 0)");
    // The first that runs it makes the row, every other one meets it.
    let text = "-- weight 3\nBEGIN;\nUPDATE t SET n = n + 1 WHERE id = {1..2};\nCOMMIT;\n-- weight 1\nINSERT INTO t VALUES ({3..9}, 0);\n";
    let file = site.file("own.sql", text);
    let report = site.run(&format!("--workload {file} --size 2 --clients 2 --think 2ms --seconds 0.5 --repeats 1"));
    let errors = &cells(&report)[1]["runs"][0]["errors"];
    assert!(number(&errors["ERROR 1062"]["count"]) > 0, "{errors}");
    assert!(errors["ERROR 1062"]["example"].as_str().is_some_and(|text| text.contains("Duplicate entry")), "{errors}");
    assert_eq!(report["recommendation"]["setting"], Value::Null);
    assert!(server.sql("SELECT SUM(n) > 1 FROM bench_file.t") == "1", "transactions were committed");
}

#[test]
fn every_kind_of_server_can_be_measured() {
    for kind in Kind::here() {
        let site = Site::on(Server::shared(kind), "bench_kinds");
        let report =
            site.run("--workload mixed --size 2 --clients 4 --think 1ms --seconds 0.5 --warm-up 0.1 --repeats 1");
        assert_bound(&report);
        assert!(cells(&report).iter().all(|cell| number(&cell["errors"]) == 0), "{kind}: {report}");
        assert_eq!(report["recommendation"]["setting"], "transaction 2", "{kind}");
    }
}

#[test]
fn a_server_elsewhere_is_reached_by_tls_with_and_without_tidegate() {
    // This machine's own address in its network: whoever is there does not count as local.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("a socket");
    let own = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()).map(|address| address.ip());
    let Ok(own) = own else { return eprintln!("SKIPPED: this machine is in no network") };
    let server = Server::start_tls(Kind::MariaDb1011, &["--bind-address=0.0.0.0", "--require-secure-transport=ON"]);
    let site = Site::at(&server, &format!("{own}:{}", server.port()), "bench_tls");
    let report = site.run("--workload point-select --size 2 --clients 2 --think 1ms --seconds 0.3 --repeats 1");
    assert_bound(&report);
    assert!(cells(&report).iter().all(|cell| number(&cell["errors"]) == 0), "{report}");
}

#[test]
fn help_names_the_one_command_to_begin_with() {
    let help = succeeded(bench("--help").output().expect("the binary"));
    for said in [
        "tidegate bench --html report.html",
        "--trace <FILE>",
        "--record-literals",
        "--server <USER:PASSWORD@HOST:PORT/SCHEMA>",
        "Ctrl-C",
        "-- weight",
    ] {
        assert!(help.contains(said), "{said}: {help}");
    }
    let commands = succeeded(Command::new(tidegate::binary()).arg("--help").output().expect("the binary"));
    assert!(commands.contains("bench"), "{commands}");
}

fn hist_show(file: &Path) -> String {
    let output = tidegate::run(&["hist", "show", file.to_str().expect("UTF-8")]);
    succeeded(output)
}

/// How many values a dump's total has.
fn total_count(file: &Path) -> u64 {
    let shown = hist_show(file);
    let total = shown.lines().find(|line| line.starts_with("total ")).expect("a total");
    total.split_whitespace().nth(1).and_then(|count| count.parse().ok()).expect("a count")
}

fn csv_rows(file: &Path) -> Vec<std::collections::HashMap<String, String>> {
    let mut reader = csv::Reader::from_path(file).expect("a CSV report");
    reader.deserialize().map(|row| row.expect("a row as wide as the header")).collect()
}
