//! Peers that break the protocol: the one at fault hears it in a server's words, nobody else notices, nothing leaks.

mod backends;
mod commands;
mod fuzz;
mod health;
mod logins;
mod neighbour;
mod process;
mod raw;
mod rest;
mod vanish;

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

/// A pool of two: whatever leaks, leaks it dry.
const POOL_OF_TWO: &str = r#"
    [listen]
    login_timeout = "2s"
    [pool]
    mode = "session"
    size = 2
    max_overflow = 0
    checkout_timeout = "20s"
    [[user]]
    name = "app"
    password = "app"
"#;

/// Ten for clients that get a connection of their own.
const POOL_OF_TEN: &str = r#"
    [listen]
    login_timeout = "2s"
    [pool]
    mode = "session"
    size = 10
    max_overflow = 0
    [[user]]
    name = "app"
    password = "app"
"#;

/// A server with the accounts `app` (password `app`) and `plain` (password `plain`, named nowhere in a configuration).
fn server() -> Server {
    let server = Server::start(Kind::MariaDb1011, &["--local-infile=1", "--max-allowed-packet=1M"]);
    for (name, all) in [("app", "*.*"), ("plain", "*.*")] {
        server.sql(&format!("CREATE USER {name} IDENTIFIED BY '{name}'; GRANT ALL ON {all} TO {name}"));
    }
    server.sql("DROP USER IF EXISTS ''@'localhost'; CREATE DATABASE bad; CREATE TABLE bad.t (a VARCHAR(20))");
    server
}

/// One number of `SHOW GLOBAL STATUS`.
fn status(server: &Server, name: &str) -> u64 {
    let line = server.sql(&format!("SHOW GLOBAL STATUS LIKE '{name}'"));
    line.split('\t').nth(1).and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name}: {line}"))
}

/// Waits until the log has so many lines that blame this one, and not more.
fn assert_blamed(tidegate: &Tidegate, whose: &str, count: usize, when: &str) {
    let limit = Instant::now() + Duration::from_secs(5);
    while blamed(tidegate, whose) < count && Instant::now() < limit {
        sleep(Duration::from_millis(5));
    }
    assert_eq!(blamed(tidegate, whose), count, "{when}: fault={whose}:\n{}", tidegate.log());
}

/// The lines of the log that blame this one.
fn blamed(tidegate: &Tidegate, whose: &str) -> usize {
    tidegate.log().matches(&format!("fault=\"{whose}\"")).count()
}
