//! The web pages: what is there, who may read it, and that nobody who asks badly harms anything.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use super::{ask, get, json};
use crate::crowd::{LIMIT, config, enter, enter_many, eventually, server, tidegate};
use crate::ports::free_port;
use crate::scratch;
use crate::tidegate::Tidegate;

#[test]
fn health_db_tells_the_pool_in_sqlalchemys_words_and_what_is_waited_for() {
    let server = server(&["--wait-timeout=1234"]);
    let tidegate = tidegate(&server, 3, "pool.checkout_timeout = \"30s\"");
    let fresh = json(&tidegate, "/health/db");
    assert_eq!((&fresh["pool_size"], &fresh["checkedout"], &fresh["queue"]), (&json!(3), &json!(0), &json!(0)));
    assert_eq!((&fresh["wait_timeout"], &fresh["status"]), (&json!(null), &json!("ok")));
    let (mut holders, mut waiting) = (enter_many(&tidegate, 3), enter(&tidegate));
    for holder in &mut holders {
        holder.run("BEGIN");
    }
    waiting.start("SELECT 1").expect("sent");
    eventually("one waits", LIMIT, || json(&tidegate, "/health/db")["queue"] == 1);
    let full = json(&tidegate, "/health/db");
    for (key, value) in [
        ("checkedout", json!(3)),
        ("overflow", json!(0)),
        ("usage_rate", json!(1.0)),
        ("server_connections", json!(3)),
        ("clients", json!(4)),
        ("wait_timeout", json!(1234)),
        ("pins", json!({ "transaction": 3 })),
        ("status", json!("exhausted")),
    ] {
        assert_eq!(full[key], value, "{key}: {full}");
    }
    let pools = json(&tidegate, "/pools");
    assert_eq!((&pools["waiting"], &pools["connections"]["leased"]), (&json!(1), &json!(3)), "{pools}");
    assert_eq!(pools["pools"][0]["user"], "crowd", "{pools}");
    holders.remove(0).run("ROLLBACK");
    waiting.finish().expect("an answer");
}

#[test]
fn readiness_follows_the_server_and_the_end() {
    let server = server(&[]);
    let mut tidegate = tidegate(&server, 2, "");
    let ready = |tidegate: &Tidegate| get(tidegate.admin("http"), "/ready");
    assert_eq!(ready(&tidegate).0, 200, "nobody has come yet, and the server is there");
    let mut client = enter(&tidegate);
    client.run("DO 1");
    server.stop();
    // What was found lately counts for some seconds.
    eventually("tidegate is not ready", LIMIT, || ready(&tidegate).0 == 503);
    assert_eq!(get(tidegate.admin("http"), "/health").0, 200, "it is alive all the same");
    server.start_again();
    eventually("tidegate is ready again", LIMIT, || ready(&tidegate).0 == 200);
    client.start("SELECT SLEEP(3)").expect("sent");
    eventually("it runs", LIMIT, || crate::crowd::running(&server, "SLEEP(3)") == 1);
    tidegate.signal("TERM");
    eventually("it is draining", LIMIT, || {
        ready(&tidegate) == (503, "{\"reason\":\"draining\",\"status\":\"not ready\"}\n".into())
    });
    tidegate.wait(LIMIT);
}

#[test]
fn what_is_wrong_is_refused_and_a_wrong_path_is_told_the_right_ones() {
    let server = super::server_of_all();
    let tidegate = tidegate(server, 1, "");
    let address = tidegate.admin("http");
    let (status, body) = get(address, "/nonsense");
    assert_eq!(status, 404);
    for path in
        ["/health", "/ready", "/health/db", "/metrics", "/pools", "/pins", "/digests", "/clients", "/histogram.hlog"]
    {
        assert!(body.contains(&format!("  {path} ")), "{path}: {body}");
        assert_eq!(get(address, path).0, 200, "{path}");
    }
    assert_eq!(
        ask(address, "POST /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").0,
        405
    );
    assert_eq!(ask(address, "GET /pins HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").0, 403);
    assert_eq!(ask(address, "nonsense\r\n\r\n").0, 400);
    let long = "x".repeat(64 << 10);
    let mut stream = TcpStream::connect(address).expect("admin.http");
    stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
    // The rest may find nobody to take it.
    let _ = stream.write_all(format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(get(address, "/health").0, 200);
}

#[test]
fn one_connection_too_many_is_told_so_and_the_others_go_on() {
    let server = super::server_of_all();
    let tidegate = tidegate(server, 1, "");
    let address = tidegate.admin("http");
    let idle: Vec<_> = (0..64).map(|_| TcpStream::connect(address).expect("admin.http")).collect();
    eventually("all places are taken", LIMIT, || {
        let mut one_more = TcpStream::connect(address).expect("admin.http");
        one_more.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout");
        let mut answer = [0; 12];
        one_more.read_exact(&mut answer).is_ok() && &answer == b"HTTP/1.1 503"
    });
    drop(idle);
    eventually("there is room again", LIMIT, || {
        let answered = std::panic::catch_unwind(|| get(address, "/health").0);
        answered.is_ok_and(|status| status == 200)
    });
}

#[test]
fn a_token_or_the_login_opens_the_pages_but_for_the_health_checks() {
    let server = super::server_of_all();
    let admin = "admin.token = \"tok\"\nadmin.user = \"boss\"\nadmin.password = \"pw\"";
    let tidegate = tidegate(server, 1, admin);
    let address = tidegate.admin("http");
    let with = |path: &str, header: &str| {
        ask(address, &format!("GET {path} HTTP/1.1\r\nHost: any.name\r\n{header}Connection: close\r\n\r\n")).0
    };
    assert_eq!(with("/metrics", ""), 401);
    assert_eq!(with("/metrics", "Authorization: Bearer nok\r\n"), 401);
    assert_eq!(with("/metrics", "Authorization: Bearer tok\r\n"), 200);
    // boss:pw
    assert_eq!(with("/pins", "Authorization: Basic Ym9zczpwdw==\r\n"), 200);
    assert_eq!(with("/nonsense", ""), 401, "not even the paths");
    assert_eq!((with("/health", ""), with("/ready", "")), (200, 200));
}

#[test]
fn the_histograms_are_what_hist_reads() {
    let server = super::server_of_all();
    let tidegate = tidegate(server, 1, "");
    let mut client = enter(&tidegate);
    for _ in 0..20 {
        client.run("SELECT 1");
    }
    // The last one is counted right behind its reply.
    eventually("all are counted", LIMIT, || {
        let metrics = get(tidegate.admin("http"), "/metrics").1;
        metrics.lines().any(|line| line == "tidegate_query_duration_seconds_count 20")
    });
    let (status, dump) = get(tidegate.admin("http"), "/histogram.hlog");
    assert_eq!(status, 200);
    let file = tidegate.file("now.hlog");
    std::fs::write(&file, dump).expect("a file");
    let shown = crate::tidegate::run(&["hist", "show", file.to_str().expect("UTF-8")]);
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    let total = text.lines().find(|line| line.starts_with("total ")).unwrap_or_else(|| panic!("{text}"));
    assert_eq!(total.split_whitespace().nth(1), Some("20"), "{text}");
    assert!(text.contains("user=crowd"), "{text}");
}

#[test]
fn an_address_that_is_taken_is_named_at_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address");
    let folder = scratch::Scratch::new();
    let file = folder.path().join("proxy.toml");
    for key in ["http", "sql"] {
        let other = if key == "http" { "sql" } else { "http" };
        let listen = free_port();
        let text =
            format!("listen.address = \"127.0.0.1:{listen}\"\n[admin]\n{key} = \"{address}\"\n{other} = \"off\"\n");
        std::fs::write(&file, text).expect("a file");
        let ended = crate::tidegate::run(&["serve", "-c", file.to_str().expect("UTF-8")]);
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{told}");
        assert!(told.contains(&format!("admin.{key} {address}")) && told.contains("another port"), "{told}");
    }
}

#[test]
fn who_wants_no_view_has_none() {
    let server = super::server_of_all();
    let both_off = config(1, "admin.http = \"off\"\nadmin.sql = \"off\"");
    let tidegate = Tidegate::in_front_of(server, &both_off);
    enter(&tidegate).run("SELECT 1");
    assert!(!tidegate.log().contains("admin."), "{}", tidegate.log());
}
