//! The drivers' own test suites: whatever passes direct passes through tidegate.

use std::collections::BTreeSet;
use std::process::Command;

use crate::drivers::{PASSWORD, USER, drivers, modes, start, tidegate};
use crate::servers::Kind;

/// Fewer passes than this, direct, mean that the suite itself did not run.
const LEAST_PASSES: usize = 30;

#[test]
fn pymysql() {
    compare("suite-pymysql", false);
}

#[test]
fn mysql2() {
    compare("suite-mysql2", false);
}

#[test]
fn mysql2_tls() {
    compare("suite-mysql2", true);
}

fn compare(suite: &str, tls: bool) {
    // Of its own: the suites change global variables.
    let server = start(Kind::MariaDb1011);
    let port = server.port();
    // Twice, so that a test which passes only now and then is not held against tidegate.
    let (first, second) = (passes(suite, port, tls), passes(suite, port, tls));
    let steady: BTreeSet<&String> = first.intersection(&second).collect();
    assert!(steady.len() >= LEAST_PASSES, "{suite}: {} pass direct", steady.len());
    for mode in modes() {
        let tidegate = tidegate(&server, tls, &mode);
        let through = passes(suite, tidegate.address().port(), tls);
        let lost: Vec<_> = steady.iter().filter(|test| !through.contains(**test)).collect();
        assert!(lost.is_empty(), "{suite}, mode {mode}: of {} these fail through tidegate: {lost:#?}", steady.len());
    }
}

fn passes(suite: &str, port: u16, tls: bool) -> BTreeSet<String> {
    let output = Command::new(drivers().join(suite))
        .env("TG_HOST", "127.0.0.1")
        .env("TG_PORT", port.to_string())
        .env("TG_USER", USER)
        .env("TG_PASSWORD", PASSWORD)
        .env("TG_SCHEMA", format!("suite_mysql2_{}", u8::from(tls)))
        .env("TG_TLS", if tls { "1" } else { "0" })
        .output()
        .expect("a script of tests/drivers");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{suite} on port {port}: {errors}");
    let tests = String::from_utf8_lossy(&output.stdout);
    tests.lines().map(str::to_owned).collect()
}
