//! tidegate's own log: who, on which backend; at level debug a span for each client and each query.

use serde_json::Value;

use crate::crowd::{self, Client, LIMIT, eventually};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

fn start(server: &Server, mode: &str, level: &str, format: &str) -> Tidegate {
    Tidegate::in_front_of(
        server,
        &format!(
            "pool.mode = \"{mode}\"\nlog.level = \"{level}\"\nlog.format = \"{format}\"\n[[user]]\nname = \"root\"\npassword = \"\"\n"
        ),
    )
}

fn client(tidegate: &Tidegate) -> Client {
    Client::login(tidegate.address(), "root", "").unwrap_or_else(|trouble| panic!("{trouble}"))
}

/// The log's lines that are objects.
fn lines(tidegate: &Tidegate) -> Vec<Value> {
    let log = tidegate.log();
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn at_level_debug_each_query_is_a_span_within_its_clients() {
    let server = Server::shared(Kind::MariaDb1011);
    for mode in super::MODES {
        let tidegate = start(server, mode, "debug", "json");
        let mut client = client(&tidegate);
        client.run("DO 'a value'");
        assert_eq!(client.refused("SELEC 'a value'").code, 1064);
        let backend = client.value("SELECT CONNECTION_ID()");
        client.quit();
        let digest = format!("{:016x}", tidegate::sql::digest::digest(b"DO ''"));
        let of_query = |line: &Value| line["span"]["name"] == "query" && line["span"]["digest"] == digest.as_str();
        eventually("the query is on the log", LIMIT, || lines(&tidegate).iter().any(of_query));
        let lines = lines(&tidegate);
        let line = lines.iter().find(|line| of_query(line)).expect("a line");
        let (outer, inner) = (&line["spans"][0], &line["spans"][1]);
        assert_eq!((&outer["name"], &outer["user"]), (&"client".into(), &"root".into()), "{mode}: {line}");
        assert!(outer["id"].as_u64() >= Some(0x4000_0000), "{mode}: {line}");
        assert_eq!((&inner["command"], &line["message"]), (&"Query".into(), &"done".into()), "{mode}: {line}");
        assert!(inner["backend"].as_u64() > Some(0) && line["total"].is_string(), "{mode}: {line}");
        if mode == "observe" {
            assert_eq!(inner["backend"].to_string(), backend, "{line}");
        }
        assert!(lines.iter().any(|line| line["outcome"] == "Error(1064)"), "{mode}: {lines:#?}");
        assert!(!tidegate.log().contains("a value"), "{mode}: values are nobody's business");
    }
}

#[test]
fn at_level_info_no_query_is_named() {
    let tidegate = start(Server::shared(Kind::MariaDb1011), "transaction", "info", "json");
    let mut client = client(&tidegate);
    client.run("DO 1");
    client.quit();
    tidegate.signal("USR1");
    tidegate.await_log("latency since the start", LIMIT);
    assert!(lines(&tidegate).iter().all(|line| line.get("span").is_none()), "{}", tidegate.log());
}

#[test]
fn a_fault_names_client_backend_and_user_in_either_form() {
    for format in ["text", "json"] {
        let server = crowd::server(&[]);
        let tidegate = start(&server, "session", "info", format);
        let mut client = client(&tidegate);
        let backend = server.sql("SELECT MAX(id) FROM information_schema.processlist WHERE id <> CONNECTION_ID()");
        server.sql(&format!("KILL {backend}"));
        tidegate.await_log("the backend closed this client's connection", LIMIT);
        let log = tidegate.log();
        let line = log.lines().find(|line| line.contains("the backend closed")).expect("a line");
        let id = client.id;
        if format == "json" {
            let line: Value = serde_json::from_str(line).expect(line);
            let found = (&line["client"], &line["user"], &line["backend"]);
            assert_eq!(found, (&id.into(), &"root".into(), &backend.parse::<u64>().unwrap().into()), "{line}");
        } else {
            for word in [format!("client={id}"), "user=\"root\"".into(), format!("backend={backend}")] {
                assert!(line.contains(&word), "no {word} in {line}");
            }
        }
        assert!(client.is_closed() || client.ask("DO 1").is_err());
    }
}
