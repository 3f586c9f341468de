//! `slow_log.explain`: the plan stands in the record, and the server is asked nothing else for it.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use super::{MODES, objects, start, statement, tool, with_driver, with_text};
use crate::crowd::{self, Client, LIMIT, eventually};
use crate::protocol::on_every_server;
use crate::scratch;
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

const EXPLAIN: &str = "slow_log.explain = true";
/// At most one plan in a second.
const NEXT_SECOND: Duration = Duration::from_millis(1_100);

fn client(tidegate: &Tidegate) -> Client {
    Client::login(tidegate.address(), "root", "").unwrap_or_else(|trouble| panic!("{trouble}"))
}

fn make_table(server: &Server) {
    server.sql("CREATE DATABASE IF NOT EXISTS on_record");
    let _ = server.try_sql("CREATE TABLE on_record.planned (id INT PRIMARY KEY, other INT, text CHAR(10))");
    server.sql("REPLACE INTO on_record.planned VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c')");
}

#[test]
fn a_slow_select_has_its_plan_on_every_server() {
    on_every_server(|kind| {
        let server = Server::shared(kind);
        make_table(server);
        for mode in MODES {
            let tidegate = start(server, mode, "json", EXPLAIN);
            with_driver(async {
                use mysql_async::prelude::Queryable;
                let mut client = tidegate.client("root", "").await;
                client.query_drop("USE on_record").await.expect("a schema");
                client.query_drop("SELECT text FROM planned WHERE other > 1 AND text <> 'it''s'").await.expect("rows");
                tokio::time::sleep(NEXT_SECOND).await;
                client.exec_drop("SELECT text FROM planned WHERE id = ?", (2,)).await.expect("a row");
                tokio::time::sleep(NEXT_SECOND).await;
                client.query_drop("SELECT CONNECTION_ID(), 'the end'").await.expect("a mark");
            });
            let is_planned = |object: &serde_json::Value| object["explain"].is_array();
            let objects = objects(&tidegate, |object| statement(object).contains("id = 2") && is_planned(object));
            let plan = |text: &str| {
                let found = with_text(&objects, text).into_iter().find(|object| object["command"] != "Prepare");
                &found.unwrap_or_else(|| panic!("{kind}, {mode}: {text}"))["explain"]
            };
            let scan = &plan("other > 1")[0];
            assert_eq!((&scan["table"], &scan["type"]), (&"planned".into(), &"ALL".into()), "{kind}, {mode}: {scan}");
            let one = &plan("id = 2")[0];
            assert_eq!((&one["type"], &one["key"]), (&"const".into(), &"PRIMARY".into()), "{kind}, {mode}: {one}");
        }
    });
}

#[test]
fn the_plan_is_one_attribute_to_pt_query_digest() {
    let server = Server::shared(Kind::MariaDb1011);
    make_table(server);
    let tidegate = start(server, "transaction", "mysql", EXPLAIN);
    client(&tidegate)
        .run("SELECT p.text FROM on_record.planned p JOIN on_record.planned q ON q.id = p.other WHERE p.text > 'a'");
    let file = tidegate.file("slow.log");
    eventually("the record has its plan", LIMIT, || scratch::read(&file).contains("Tidegate_plan: "));
    let print = "do { print STDOUT join(' ', $event->{Tidegate_digest}, $event->{Tidegate_plan}), qq{\n}; 1 }";
    let events = tool("pt-query-digest", "percona-toolkit", &["--no-report", "--filter", print], &file);
    assert!(events.starts_with("0x") && events.contains(" p(") && events.contains("|q("), "{events}");
    assert!(events.contains("type=ALL") && events.contains("Extra=Using_where"), "{events}");
    let groups = tool("mysqldumpslow", "mariadb-client", &["-a"], &file);
    assert!(groups.contains("\n  SELECT p.text FROM"), "{groups}");
}

#[test]
fn nothing_but_proven_selects_is_explained() {
    const WITH: &str = "WITH a AS (SELECT 3 AS n) SELECT text FROM on_record.planned JOIN a ON id = n";
    let folder = tempfile::tempdir().unwrap();
    let general = folder.path().join("general.log");
    let server = Server::start(
        Kind::MariaDb1011,
        &["--general-log", &format!("--general-log-file={}", general.display()), "--log-bin-trust-function-creators=1"],
    );
    make_table(&server);
    server.sql("CREATE FUNCTION on_record.counts() RETURNS INT RETURN (SELECT COUNT(*) FROM on_record.planned)");
    let tidegate = start(&server, "transaction", "json", EXPLAIN);
    let mut client = client(&tidegate);
    client.skips_rows = true;
    for sql in [
        "SELECT on_record.counts()",
        "SELECT SLEEP(0.01)",
        "SELECT GET_LOCK('a', 1), RELEASE_LOCK('a')",
        "SELECT * FROM on_record.planned FOR UPDATE",
        "SELECT @a := 5",
        "SELECT id FROM on_record.planned WHERE id = 3",
        "SELECT 1 INTO @b",
        "UPDATE on_record.planned SET other = 3",
        "SELECT 1; SELECT 2",
        "SHOW TABLES FROM on_record",
        "SELECT text FROM on_record.planned WHERE id = 3",
        "WITH a AS (SELECT on_record.counts() AS n) SELECT n FROM a",
        WITH,
    ] {
        client.run(sql);
        sleep(NEXT_SECOND);
    }
    client.run("DO 'the end'");
    objects(&tidegate, |object| statement(object) == "DO 'the end'");
    let log = scratch::read(&general);
    let explained: BTreeSet<&str> =
        log.lines().filter_map(|line| line.split("\tEXPLAIN FORMAT=TRADITIONAL ").nth(1)).collect();
    let expected =
        ["SELECT id FROM on_record.planned WHERE id = 3", "SELECT text FROM on_record.planned WHERE id = 3", WITH];
    assert_eq!(explained, BTreeSet::from(expected), "{log}");
    let before = log.split("EXPLAIN SELECT id").next().unwrap_or_default();
    assert!(
        before.trim_end().ends_with("START TRANSACTION READ ONLY") || before.contains("START TRANSACTION READ ONLY")
    );
}

#[test]
fn where_no_plan_can_be_had_the_record_is_written_without() {
    let server = Server::shared(Kind::MariaDb1011);
    make_table(server);
    crowd::account(server, "record_single", "ALL ON *.*");
    server.sql("ALTER USER record_single@'%' WITH MAX_USER_CONNECTIONS 1");
    let user = "[[user]]\nname = \"record_single\"\npassword = \"\"";
    let tidegate = start(server, "session", "json", &format!("{EXPLAIN}\n{user}"));
    let mut client =
        Client::login(tidegate.address(), "record_single", "").unwrap_or_else(|trouble| panic!("{trouble}"));
    client.run("SELECT text FROM on_record.planned");
    let objects = objects(&tidegate, |object| statement(object).starts_with("SELECT text"));
    assert!(with_text(&objects, "SELECT text").iter().all(|object| object.get("explain").is_none()), "{objects:#?}");
}
