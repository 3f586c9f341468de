//! A recorded trace as the load: the same statements by the same clients, transactions whole, and traces that cannot be played.

use std::fs;
use std::path::{Path, PathBuf};

use super::bad_input::refused;
use super::{Site, assert_bound, cells, number, seconds, succeeded};
use crate::crowd::{self, Client, USER};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

/// Rows that one play of the trace leaves: committed ones, and that of the prepared statement.
const ROWS: u64 = 2 * 3 * 2 + 1;
/// Statements of the trace: transactions, the ones that read, the prepared one, and the one that fails.
const STATEMENTS: u64 = 4 * 3 * 4 + 3 + 1 + 1;

/// A site with a table, and an application's traffic to it on record.
fn recorded(schema: &str, arguments: &[&str]) -> (Site, PathBuf) {
    let server = crowd::shared(Kind::MariaDb1011);
    let site = Site::new(schema);
    server.sql(&format!(
        "CREATE TABLE {schema}.t (id INT AUTO_INCREMENT PRIMARY KEY, client INT NOT NULL, n INT NOT NULL)"
    ));
    let arguments = [&["--record", "t.trace"], arguments].concat();
    let mut tidegate = Tidegate::serving(server, &crowd::config(3, ""), &arguments);
    let enter = |_| Client::login(tidegate.address(), USER, schema).unwrap_or_else(|trouble| panic!("{trouble}"));
    let mut clients: Vec<Client> = (0..3).map(enter).collect();
    work(&mut clients);
    clients.into_iter().for_each(Client::quit);
    assert!(tidegate.stop().success());
    assert_eq!(rows(schema), ROWS);
    let trace = site.path("t.trace");
    fs::copy(tidegate.file("t.trace"), &trace).expect("copied");
    (site, trace)
}

/// Each client's transactions lie side by side with the others', and every second one is rolled back.
fn work(clients: &mut [Client]) {
    for n in 0..4 {
        let end = if n % 2 == 0 { "COMMIT" } else { "ROLLBACK" };
        clients.iter_mut().for_each(|client| drop(client.run("BEGIN")));
        for _ in 0..2 {
            for (number, client) in clients.iter_mut().enumerate() {
                client.run(&format!("INSERT INTO t (client, n) VALUES ({number}, {n})"));
            }
        }
        clients.iter_mut().for_each(|client| drop(client.run(end)));
    }
    clients.iter_mut().for_each(|client| drop(client.rows("SELECT COUNT(*) FROM t")));
    let prepared = clients[0].prepare("INSERT INTO t (client, n) VALUES (?, 77)").expect("a statement");
    clients[0].execute(prepared, &["5"]).expect("inserted");
    assert!(clients[1].ask("SELECT * FROM no_such_table").is_err());
}

fn rows(schema: &str) -> u64 {
    let server = Server::shared(Kind::MariaDb1011);
    server.sql(&format!("SELECT COUNT(*) FROM {schema}.t")).parse().expect("a number")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_trace_is_played_whole_with_its_transactions() {
    let (site, trace) = recorded("bench_trace", &["--record-literals"]);
    let report = site.run(&format!("--trace {} --size 1,3 --mode transaction,session --repeats 2", text(&trace)));
    let names: Vec<_> = cells(&report).iter().map(|cell| cell["setting"].as_str().expect("a name")).collect();
    assert_eq!(names, ["direct", "transaction 1", "transaction 3", "session 1", "session 3"]);
    for run in cells(&report).iter().flat_map(|cell| cell["runs"].as_array().expect("runs")) {
        let counts = ["requests", "statements", "unserved"].map(|name| number(&run[name]));
        assert_eq!(counts, [STATEMENTS, STATEMENTS, 0], "{run}");
        // The one that failed when it was recorded fails the same way: that is no error.
        assert!(run["errors"].as_object().is_some_and(|errors| errors.is_empty()), "{run}");
    }
    // The record itself, then two rounds of five settings. A transaction that was spread over connections would leave the rows
    // that it rolled back.
    assert_eq!(rows("bench_trace"), ROWS * (1 + 2 * 5));
    let server = Server::shared(Kind::MariaDb1011);
    assert_eq!(server.sql("SELECT COUNT(*) FROM bench_trace.t WHERE n IN (1, 3)"), "0");
    assert_eq!(server.sql("SELECT COUNT(*) FROM bench_trace.t WHERE client = 5 AND n = 77"), "11");
    // Three transactions side by side on one connection: two clients wait, and their wait is in their times.
    assert!(seconds(&cells(&report)[1], "queue", "max") > 0.0);
    assert!(seconds(&cells(&report)[1], "connect", "max") > 0.0 && seconds(&cells(&report)[1], "wait", "max") > 0.0);
    // In mode session the second client's turn comes when the first one has left: it is late, and counts so.
    assert!(seconds(&cells(&report)[3], "wait", "max") > 0.0);
    assert_bound(&report);
    assert_eq!(number(&report["clients"]), 3);
    let doubts = report["doubts"].to_string();
    assert!(doubts.contains("1 commands that are no statements"), "{doubts}");
}

#[test]
fn a_trace_that_is_cut_off_is_played_up_to_there_and_says_so() {
    let (site, trace) = recorded("bench_cut", &["--record-literals"]);
    // The empty block by which a trace ends has sixteen bytes.
    let bytes = fs::read(&trace).expect("a trace");
    fs::write(&trace, &bytes[..bytes.len() - 16]).expect("written");
    let output = site
        .command(&format!("--trace {} --speed x2 --size 3 --repeats 1", text(&trace)))
        .output()
        .expect("the binary");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    succeeded(output);
    assert!(said.contains(&format!("cut off, or still being recorded: its {STATEMENTS} statements")), "{said}");
    assert_eq!(number(&cells(&site.json())[1]["runs"][0]["statements"]), STATEMENTS);
}

#[test]
fn a_trace_that_cannot_be_played() {
    let (site, trace) = recorded("bench_no_trace", &[]);
    let bytes = fs::read(&trace).expect("a trace");
    let damaged = site.path("damaged.trace");
    let mut changed = bytes.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 0x55;
    fs::write(&damaged, changed).expect("written");
    let head = site.path("head.trace");
    fs::write(&head, &bytes[..20]).expect("written");
    for (file, said) in [
        (text(&trace).to_owned(), "record with --record-literals"),
        (text(&damaged).to_owned(), "damaged trace"),
        (text(&head).to_owned(), "cut off within its head"),
        (site.file("empty.trace", ""), "cut off within its head"),
        (site.file("foreign.trace", "SELECT 1;\n"), "not a trace of tidegate"),
        (text(&site.path("nothing.trace")).to_owned(), "No such file"),
    ] {
        let line = refused(&format!("--server {} --trace {file}", site.server));
        assert!(line.contains(said) && line.contains(&file), "{file}: {line}");
    }
    assert_eq!(rows("bench_no_trace"), ROWS, "nothing was played");
}

#[test]
fn what_the_trace_says_is_not_to_be_said_twice() {
    let server = "--server root@127.0.0.1:1/x --trace x.trace";
    for option in ["--clients 5", "--rate 5", "--think 1s", "--workload mixed", "--warm-up 1"] {
        let line = refused(&format!("{server} {option}"));
        let name = option.split(' ').next().expect("a name");
        assert!(line.contains(&format!("--trace and {name} do not go together")), "{line}");
    }
    assert!(refused("--speed x2").contains("there is no --trace"));
    assert!(refused("--trace x.trace").contains("it needs a --server"));
}
