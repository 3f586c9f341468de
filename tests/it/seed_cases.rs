//! How an application on SQLAlchemy loses its server, each way direct, and none through tidegate.

use std::net::SocketAddr;
use std::process::Command;

use crate::crowd::{self, server};
use crate::drivers::drivers;
use crate::servers::Server;
use crate::tidegate::Tidegate;

/// Fewer than the application's pools may open, more than tidegate does.
const SERVER: [&str; 3] = ["--wait-timeout=2", "--interactive-timeout=2", "--max-connections=60"];
const BACKENDS: usize = 25;

#[test]
fn a_peak_that_passes_max_connections() {
    passes_only_through_tidegate("crowd");
}

#[test]
fn quiet_hours_longer_than_wait_timeout() {
    passes_only_through_tidegate("idle");
}

#[test]
fn threads_that_hold_a_connection_for_too_long() {
    passes_only_through_tidegate("held");
}

#[test]
fn sessions_that_are_never_closed() {
    passes_only_through_tidegate("never_closed");
}

/// Nothing can be done but to end them and to name them.
#[test]
fn transactions_that_are_never_ended() {
    let server = application();
    let (done, failed) = run("never_committed", server.address());
    assert!(failed > 0, "direct all {done} pass: the case is none");
    let more = "pool.idle_transaction_timeout = \"1s\"\npool.checkout_timeout = \"20s\"";
    let tidegate = crowd::tidegate(&server, BACKENDS, more);
    let (done, failed) = run("never_committed", tidegate.address());
    assert_eq!((done, failed), (90, 0), "{}", tidegate.log());
    let log = tidegate.log();
    let named: Vec<&str> = log.lines().filter(|line| line.contains("idle in transaction")).collect();
    assert!(named.len() >= BACKENDS, "{} are named:\n{log}", named.len());
    for part in [crowd::USER, "127.0.0.1", "forgotten"] {
        assert!(named.iter().all(|line| line.contains(part)), "no {part:?} in all of:\n{}", named.join("\n"));
    }
    crowd::eventually("their transactions are over", crowd::LIMIT, || {
        server.sql("SELECT COUNT(*) FROM information_schema.innodb_trx") == "0"
    });
}

/// Without an end to them they are at least named.
#[test]
fn transactions_that_nobody_may_end_are_named() {
    let server = application();
    let tidegate = crowd::tidegate(&server, BACKENDS, "pool.checkout_timeout = \"3s\"");
    // The server itself may end some: its wait_timeout is short.
    run("never_committed", tidegate.address());
    let log = tidegate.await_log("idle in transaction", crowd::LIMIT);
    assert!(log.contains("forgotten"), "their last statement is not named:\n{log}");
}

fn passes_only_through_tidegate(case: &str) {
    let server = application();
    let (done, failed) = run(case, server.address());
    assert!(failed > 0, "{case}: direct all {done} pass: the case is none");
    let tidegate: Tidegate = crowd::tidegate(&server, BACKENDS, "");
    let (done, failed) = run(case, tidegate.address());
    assert!(failed == 0 && done > 0, "{case}: {failed} of {} fail:\n{}", done + failed, tidegate.log());
}

fn application() -> Server {
    let server = server(&SERVER);
    server.sql("CREATE TABLE crowd.visits (id INT AUTO_INCREMENT PRIMARY KEY, who INT) ENGINE=InnoDB");
    server
}

/// How many requests were answered, and how many failed.
fn run(case: &str, address: SocketAddr) -> (u32, u32) {
    let output = Command::new("timeout")
        .arg("120")
        .arg(drivers().join("seed-cases"))
        .arg(case)
        .env("TG_HOST", address.ip().to_string())
        .env("TG_PORT", address.port().to_string())
        .env("TG_USER", crowd::USER)
        .env("TG_PASSWORD", "")
        .env("TG_SCHEMA", "crowd")
        .output()
        .expect("timeout, of coreutils");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().find(|line| line.starts_with("done "));
    let line = line.unwrap_or_else(|| panic!("{case}: {said}{errors}"));
    println!("{case} at {address}: {line}");
    let numbers: Vec<u32> = counts(line);
    (numbers[0], numbers[1..].iter().sum())
}

/// `done 7, errors {2013: 4, 'pool': 2}`: 7, 4, 2.
fn counts(line: &str) -> Vec<u32> {
    let after = |part: &str| part.trim().trim_end_matches('}').parse().ok();
    let (done, errors) = line.trim_start_matches("done ").split_once(',').expect("two parts");
    let failures = errors.split(',').filter_map(|part| part.rsplit(':').next().and_then(after));
    after(done).into_iter().chain(failures).collect()
}
