//! Who is slow: by whose threshold, with what error, and while it still runs.

use std::collections::BTreeMap;
use std::thread::{scope, sleep};
use std::time::Duration;

use super::{objects, start, statement, tool, with_text};
use crate::admin::{console, get};
use crate::crowd::{self, Client, LIMIT, eventually};
use crate::scratch;
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

fn client(tidegate: &Tidegate, user: &str) -> Client {
    Client::login(tidegate.address(), user, "").unwrap_or_else(|trouble| panic!("{trouble}"))
}

#[test]
fn a_statement_that_still_runs_is_named_once_in_the_log_and_recorded_when_it_has_ended() {
    let server = Server::shared(Kind::MariaDb1011);
    for mode in super::MODES {
        let tidegate = start(server, mode, "mysql", "");
        let file = tidegate.file("slow.log");
        let mut client = client(&tidegate, "root");
        let prepared = client.prepare("SELECT SLEEP(?) AS patient").expect("a statement");
        scope(|scope| {
            let running = scope.spawn(|| client.execute(prepared, &["4"]).map(drop));
            let log = tidegate.await_log("still running after", LIMIT);
            let line = log.lines().find(|line| line.contains("still running")).expect("a line");
            for word in ["SELECT SLEEP('4') AS patient", "client", "root", "backend", "digest"] {
                assert!(line.contains(word), "{mode}: no {word} in {line}");
            }
            assert!(!line.contains("backend=0"), "{mode}: {line}");
            assert!(running.is_finished() || !scratch::read(&file).contains("SLEEP('4')"), "{mode}: too early");
            running.join().expect("no panic").expect("a row");
        });
        client.run("DO 'short'");
        eventually("the record is there", LIMIT, || scratch::read(&file).contains("DO 'short'"));
        assert_eq!(tidegate.log().matches("still running").count(), 1, "{mode}: {}", tidegate.log());
        assert_eq!(scratch::read(&file).matches("SELECT SLEEP('4') AS patient").count(), 1, "{mode}");
        let (_, metrics) = get(tidegate.admin("http"), "/metrics");
        assert!(metrics.lines().any(|line| line == "tidegate_late_statements_total 1"), "{mode}: {metrics}");
        let counts = console(&tidegate).run("SHOW STATS LIKE 'slow_log_named%'").rows;
        assert_eq!(counts, [["slow_log_named_while_running", "1"]], "{mode}");
    }
}

#[test]
fn accounts_have_thresholds_of_their_own() {
    let server = Server::shared(Kind::MariaDb1011);
    for user in ["record_web", "record_reports"] {
        crowd::account(server, user, "ALL ON *.*");
    }
    let thresholds = "slow_log.user_thresholds = [\"record_web = 50ms\", \"record_reports=1h\", \"root=100s\"]";
    let users =
        "[[user]]\nname = \"record_web\"\npassword = \"\"\n[[user]]\nname = \"record_reports\"\npassword = \"\"";
    let tidegate = start(server, "transaction", "json", &format!("{thresholds}\n{users}"));
    client(&tidegate, "record_reports").run("SELECT SLEEP(0.3) AS of_reports");
    client(&tidegate, "root").run("SELECT SLEEP(0.3) AS of_root");
    client(&tidegate, "record_web").run("SELECT SLEEP(0.3) AS of_web");
    let objects = objects(&tidegate, |object| statement(object).contains("of_web"));
    let users: Vec<_> = objects.iter().map(|object| object["user"].as_str().unwrap()).collect();
    assert_eq!(users, ["record_web"], "{objects:#?}");
}

#[test]
fn errors_and_time_limits_are_on_record_with_their_code() {
    let server = Server::shared(Kind::MariaDb1011);
    server.sql("CREATE DATABASE IF NOT EXISTS on_record");
    server.sql("CREATE OR REPLACE TABLE on_record.held (n INT PRIMARY KEY) ENGINE=InnoDB");
    server.sql("INSERT INTO on_record.held VALUES (1)");
    let limits = "pool.size = 2\npool.max_overflow = 0\npool.checkout_timeout = \"1s\"\npool.query_timeout = \"2s\"";
    let tidegate = start(server, "transaction", "mysql", limits);
    let (mut one, mut two, mut three) =
        (client(&tidegate, "root"), client(&tidegate, "root"), client(&tidegate, "root"));
    one.run("BEGIN");
    one.run("UPDATE on_record.held SET n = 2");
    two.run("BEGIN");
    two.run("SET innodb_lock_wait_timeout = 1");
    let refusals = [
        (1205, two.refused("UPDATE on_record.held SET n = 3 /* locked */").code),
        (1040, three.refused("DO 'no backend'").code),
        (1317, two.refused("SELECT SLEEP(60) AS too_long").code),
        (1064, two.refused("SELEC wrong").code),
    ];
    assert!(refusals.iter().all(|(expected, found)| expected == found), "{refusals:?}");
    one.run("ROLLBACK");
    one.run("DO 'the end'");
    let file = tidegate.file("slow.log");
    eventually("the slow log is complete", LIMIT, || scratch::read(&file).contains("the end"));
    let print = "do { print STDOUT \"$event->{Last_errno}\\t$event->{arg}\\n\"; 1 }";
    let events = tool("pt-query-digest", "percona-toolkit", &["--no-report", "--filter", print], &file);
    let by_code: BTreeMap<&str, &str> = events.lines().filter_map(|line| line.split_once('\t')).collect();
    for (code, text) in
        [("1205", "/* locked */"), ("1040", "no backend"), ("1317", "too_long"), ("1064", "SELEC wrong")]
    {
        assert!(by_code.get(code).is_some_and(|found| found.contains(text)), "{code}: {events}");
    }
}

#[test]
fn what_is_over_the_threshold_is_recorded_and_what_is_below_is_not() {
    let server = Server::shared(Kind::MariaDb1011);
    // The later of two equal keys would be refused: `start` has set the threshold to zero.
    let config = |basis: &str| {
        format!(
            "pool.mode = \"session\"\nslow_log.threshold = \"500ms\"\nslow_log.path = \"slow.log\"\nslow_log.format = \"json\"\n\
             slow_log.basis = \"{basis}\"\n[[user]]\nname = \"root\"\npassword = \"\"\n"
        )
    };
    // A row that comes at once, and a client that lets the rest wait.
    let stalled = "SELECT REPEAT('x', 1000000) AS stalled FROM mysql.help_topic LIMIT 20";
    for (basis, expected) in [("total", 2), ("server", 1)] {
        let tidegate = Tidegate::in_front_of(server, &config(basis));
        let mut client = client(&tidegate, "root");
        client.run("SELECT 1 AS fast");
        client.skips_rows = true;
        client.start(stalled).expect("sent");
        sleep(Duration::from_secs(2));
        client.finish().expect("rows");
        client.run("SELECT SLEEP(0.6) AS slow");
        let objects = objects(&tidegate, |object| statement(object).contains("AS slow"));
        assert_eq!(objects.len(), expected, "{basis}: {objects:#?}");
        assert_eq!(with_text(&objects, "stalled").len(), expected - 1, "{basis}");
    }
}
