//! `pool.query_timeout`, `pool.transaction_timeout`, `pool.idle_transaction_timeout`: what takes too long ends, and is named.

use std::time::{Duration, Instant};

use crate::crowd::{self, LIMIT, SOON, enter, eventually, running, server_of, tidegate};
use crate::servers::Kind;

#[test]
fn a_statement_that_runs_too_long_is_killed() {
    for kind in Kind::here() {
        let server = server_of(kind, &[]);
        let tidegate = tidegate(&server, 1, "pool.query_timeout = \"500ms\"");
        let mut client = enter(&tidegate);
        client.run("SET @mine = 'still here'");
        let began = Instant::now();
        let refused = client.refused("INSERT INTO crowd.nowhere SELECT 1");
        assert_ne!(refused.code, 1317, "{kind}: at once");
        // The functions know no error: killed, SLEEP ends, and some servers say no more than that.
        let answer = client.ask("SELECT COUNT(*), SLEEP(30) /* too long */");
        assert!(began.elapsed() < Duration::from_secs(10), "{kind}: {answer:?}");
        assert!(began.elapsed() > Duration::from_millis(500), "{kind}: {answer:?}");
        assert_eq!(running(&server, "too long"), 0, "{kind}");
        for _ in 0..5 {
            assert_eq!(client.value("SELECT SLEEP(0.2)"), "0", "{kind}: a short statement is not hit");
        }
        assert_eq!(client.value("SELECT @mine"), "still here", "{kind}");
    }
}

/// What is left of a statement that the server refuses in the middle is no command, though it look like one.
#[test]
fn a_statement_that_is_too_long_ends_its_transaction_and_its_session() {
    for kind in Kind::here() {
        let server = server_of(kind, &["--max-allowed-packet=16M"]);
        server.sql("CREATE TABLE crowd.t (a INT) ENGINE=InnoDB");
        let tidegate = tidegate(&server, 1, "");
        let [insert, text] = [&b"\x03INSERT INTO crowd.t VALUES (1)"[..], b"\x03SELECT '"].map(<[u8]>::to_vec);
        let command = [&(insert.len() as u32).to_le_bytes()[..], &insert].concat();
        for _ in 0..3 {
            let mut client = enter(&tidegate);
            client.run("BEGIN");
            let mut chunks = [text.clone(), command.repeat(1_200_000)].concat();
            chunks.truncate(2 * 0xFF_FFFF);
            for (seq, chunk) in (0..).zip(chunks.chunks(0xFF_FFFF).chain([&[][..]])) {
                // The server, and so tidegate, may close in the middle.
                if client.send(seq, chunk).is_err() {
                    break;
                }
            }
            let (_, answer) = client.packet().expect("the server's own words");
            assert_eq!(answer[..3], [0xFF, 0x81, 0x04], "{kind}: {}", String::from_utf8_lossy(&answer));
            eventually("the session is over", SOON, || client.packet().is_err());
            assert_eq!(enter(&tidegate).value("SELECT COUNT(*) FROM crowd.t"), "0", "{kind}");
        }
    }
}

#[test]
fn a_transaction_that_lasts_too_long_is_ended() {
    let server = server_of(Kind::MariaDb1011, &[]);
    server.sql("CREATE TABLE crowd.t (a INT) ENGINE=InnoDB");
    let tidegate = tidegate(&server, 2, "pool.transaction_timeout = \"1s\"");
    let (mut idle, mut busy, mut short) = (enter(&tidegate), enter(&tidegate), enter(&tidegate));
    for client in [&mut idle, &mut busy] {
        client.run("BEGIN");
        client.run("INSERT INTO crowd.t VALUES (1)");
    }
    let began = Instant::now();
    let answer = busy.ask("SELECT SLEEP(30)");
    assert!(began.elapsed() < Duration::from_secs(10), "{answer:?}");
    eventually("both connections are closed", SOON, || busy.is_closed() && idle.is_closed());
    eventually("both are rolled back", SOON, || {
        server.try_sql("SET innodb_lock_wait_timeout = 1; SELECT a FROM crowd.t FOR UPDATE").is_ok()
    });
    assert_eq!(short.value("SELECT COUNT(*) FROM crowd.t"), "0");
    assert!(tidegate.log().contains("pool.transaction_timeout"), "{}", tidegate.log());
}

#[test]
fn a_transaction_that_is_idle_too_long_is_named_and_ended() {
    let server = server_of(Kind::MariaDb1011, &[]);
    server.sql("CREATE TABLE crowd.t (a INT) ENGINE=InnoDB");
    let more = "pool.idle_transaction_timeout = \"1s\"\nslow_log.redact = true";
    let tidegate = tidegate(&server, 1, more);
    let mut client = enter(&tidegate);
    client.run("BEGIN");
    for _ in 0..4 {
        client.run("INSERT INTO crowd.t VALUES (4711)");
        std::thread::sleep(Duration::from_millis(400));
    }
    assert_eq!(client.value("SELECT COUNT(*) FROM crowd.t WHERE a = 4711"), "4");
    let mut other = enter(&tidegate);
    assert_eq!(other.value("SELECT COUNT(*) FROM crowd.t"), "0");
    eventually("the connection is closed", SOON, || client.is_closed());
    let log = tidegate.await_log("idle in transaction", LIMIT);
    let named: Vec<&str> = log.lines().filter(|line| line.contains("idle in transaction")).collect();
    assert_eq!(named.len(), 1, "{log}");
    for part in [crowd::USER, "127.0.0.1", "select count(*)"] {
        assert!(named[0].contains(part), "no {part:?} in {}", named[0]);
    }
    assert!(!log.contains("4711"), "{log}");
}
