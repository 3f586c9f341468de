//! A prepared statement's record is a statement that does the same: its parameters are in it, typed and quoted.

use mysql_async::Value::{Bytes, Date, Double, Float, Int, NULL, Time, UInt};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Value};

use super::{MODES, objects, start, statement, tool, with_driver, with_text};
use crate::crowd::{Client, LIMIT, eventually};
use crate::protocol::on_every_server;
use crate::raw::Raw;
use crate::scratch;
use crate::servers::{Kind, Server};
use crate::tidegate::login;
use tidegate::wire::capabilities::Capabilities;

const TABLE: &str = "CREATE DATABASE IF NOT EXISTS on_record; CREATE TABLE IF NOT EXISTS on_record.filled (\
    place CHAR(20), n BIGINT, u BIGINT UNSIGNED, d DOUBLE, f FLOAT, c DECIMAL(20,6), s VARCHAR(2000) CHARACTER SET utf8mb4, \
    b BLOB, dt DATETIME(6), tm TIME(6)) DEFAULT CHARACTER SET utf8mb4";
const INSERT: &str = "INSERT INTO on_record.filled VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// One row per line: what is easy to get wrong.
fn rows() -> Vec<Vec<Value>> {
    let text = |text: &str| Bytes(text.into());
    let row = |values: [Value; 9]| values.into_iter().collect::<Vec<_>>();
    vec![
        row([NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL]),
        row([
            Int(i64::MIN),
            UInt(u64::MAX),
            Double(0.1),
            Float(1.5),
            text("-12345.678901"),
            text("it's \"quoted\", `too`; -- no comment /* either */ # ?"),
            Bytes((0..=255).collect()),
            Date(2024, 2, 29, 23, 59, 58, 7),
            Time(true, 2, 3, 4, 5, 600_000),
        ]),
        row([
            Int(-1),
            UInt(0),
            Double(-1.797e308),
            Float(-0.25),
            text("7"),
            text("back\\slash, line\nfeed, tab\t, r\u{fc}ckw\u{e4}rts \u{1F600}, end\\"),
            Bytes(Vec::new()),
            Date(1999, 1, 2, 0, 0, 0, 0),
            Time(false, 0, 0, 0, 0, 0),
        ]),
        row([Int(7), UInt(7), Double(1e-300), Float(3.0), text("0"), text(""), text("text"), NULL, NULL]),
    ]
}

#[test]
fn a_recorded_insert_makes_the_same_row() {
    on_every_server(|kind| {
        let server = Server::shared(kind);
        server.sql(TABLE);
        for mode in MODES {
            let tidegate = start(server, mode, "json", "");
            let mark = format!("{mode}-sent");
            with_driver(async {
                let mut client = tidegate.client("root", "").await;
                for (number, row) in rows().into_iter().enumerate() {
                    let place = Bytes(format!("{mode}{number}").into_bytes());
                    let all = Params::Positional([vec![place], row].concat());
                    client.exec_drop(INSERT, all).await.expect(INSERT);
                }
                client.query_drop(format!("DO '{mark}'")).await.expect("a mark");
                let objects = objects(&tidegate, |object| statement(object).contains(&mark));
                let recorded = with_text(&objects, "INSERT INTO on_record.filled");
                let executed: Vec<_> = recorded.into_iter().filter(|object| object["command"] == "Execute").collect();
                assert_eq!(executed.len(), rows().len(), "{kind}, {mode}");
                assert!(executed.iter().all(|object| object["backend_id"].as_u64() > Some(0)), "{kind}, {mode}");
                let mut direct = Conn::new(login(server.address(), "root", "")).await.expect("the server");
                for object in executed {
                    assert!(!statement(object).contains("(?"), "{kind}, {mode}: {object}");
                    direct.query_drop(statement(object)).await.unwrap_or_else(|e| panic!("{e}: {object}"));
                }
                let count = format!(
                    "SELECT COUNT(*), COUNT(DISTINCT place) FROM (SELECT place, COUNT(*) AS twice FROM on_record.filled \
                     WHERE place LIKE '{mode}%' GROUP BY place, n, u, d, f, c, BINARY s, b, dt, tm) AS rows_of_a_kind \
                     WHERE twice = 2"
                );
                let same: Option<(u32, u32)> = direct.query_first(count).await.expect("a count");
                assert_eq!(same, Some((4, 4)), "{kind}, {mode}: each row is there twice, and is the same");
            });
            server.sql(&format!("DELETE FROM on_record.filled WHERE place LIKE '{mode}%'"));
        }
    });
}

#[test]
fn pt_query_digest_finds_executions_and_texts_in_one_class() {
    let server = Server::shared(Kind::MariaDb1011);
    let tidegate = start(server, "transaction", "mysql", "");
    with_driver(async {
        let mut client = tidegate.client("root", "").await;
        for name in ["plain", "it's", "a \"b\"; c", "a\nb", "\u{fc}", "/* x */"] {
            client.exec_drop("SELECT ? AS a_class, ?", (name, 7)).await.expect("a row");
        }
        client.query_drop("SELECT 'text' AS a_class, 1").await.expect("a row");
        client.query_drop("DO 'the end'").await.expect("a mark");
    });
    let file = tidegate.file("slow.log");
    eventually("the slow log is complete", LIMIT, || scratch::read(&file).contains("the end"));
    let report = tool("pt-query-digest", "percona-toolkit", &["--output", "json", "--limit", "100%"], &file);
    let report: serde_json::Value = serde_json::from_str(&report[report.find('{').expect("json")..]).unwrap();
    let classes = report["classes"].as_array().expect("classes");
    let of_text = |class: &&serde_json::Value| class["fingerprint"] == "select ? as a_class, ?";
    let found: Vec<_> = classes.iter().filter(of_text).collect();
    assert_eq!(found.len(), 1, "{report}");
    // Six executions, the text, and the COM_STMT_PREPARE.
    assert_eq!(found[0]["query_count"], 8, "{}", found[0]);
}

#[test]
fn types_that_were_left_out_and_values_that_were_sent_ahead_are_known() {
    let server = Server::shared(Kind::MariaDb1011);
    for mode in MODES {
        let tidegate = start(server, mode, "json", "");
        let mut raw = Raw::root(tidegate.address(), Capabilities::NONE);
        let prepared = raw.ask(b"\x16SELECT LENGTH(?), ? AS ahead");
        let id = &prepared[5..9];
        let execute = |rest: &[u8]| [&[0x17][..], id, &[0, 1, 0, 0, 0], rest].concat();
        for part in [&b"begin "[..], &[b'x'; 5_000]] {
            raw.send_packet(0, &[&[0x18][..], id, &[0, 0], part].concat());
        }
        raw.ask(&execute(b"\0\x01\xFE\0\x08\0\x01\0\0\0\0\0\0\0"));
        // The types are not sent again.
        raw.ask(&execute(b"\0\0\x03abc\x02\0\0\0\0\0\0\0"));
        raw.ask(&execute(b"\x01\0\x03\0\0\0\0\0\0\0"));
        raw.query("DO 'the end'");
        let objects = objects(&tidegate, |object| statement(object).contains("the end"));
        let executed: Vec<_> = objects.iter().filter(|object| object["command"] == "Execute").map(statement).collect();
        let ahead = format!("SELECT LENGTH('begin {}' /*... 3982 bytes cut ...*/), 1 AS ahead", "x".repeat(1_018));
        assert_eq!(executed, [&ahead, "SELECT LENGTH('abc'), 2 AS ahead", "SELECT LENGTH(NULL), 3 AS ahead"], "{mode}");
    }
}

#[test]
fn redacted_and_secret_statements_show_no_value() {
    let server = Server::shared(Kind::MariaDb1011);
    let tidegate = start(server, "transaction", "json", "slow_log.redact = true");
    with_driver(async {
        let mut client = tidegate.client("root", "").await;
        client.exec_drop("SELECT ? AS hidden", ("a-secret",)).await.expect("a row");
        client.query_drop("SELECT 'the end'").await.expect("a mark");
    });
    let mut text = Client::login(tidegate.address(), "root", "").expect("a client");
    text.run("DO 'a-secret'");
    let objects = objects(&tidegate, |object| statement(object) == "do ?");
    assert!(objects.iter().any(|object| object["command"] == "Execute" && statement(object) == "select ? as hidden"));
    assert!(!scratch::read(&tidegate.file("slow.log")).contains("secret"));
}
