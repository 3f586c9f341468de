//! Who gets in, by which knowledge, with whose words when not, and who shares a backend: on every server.

mod change_user;
mod check;
mod limits;
mod place;
mod relayed;
mod secrecy;
mod sha2;
mod strangers;
mod tables;
mod users;
mod verified;
mod wire;

use std::time::{Duration, Instant};

use crate::credentials::wire::{As, Ended, Raw};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

/// Servers whose accounts have mysql_native_password by default.
fn with_native() -> Vec<Kind> {
    Kind::here().into_iter().filter(|kind| *kind != Kind::Mysql9).collect()
}

/// Creates an account that may do everything; `how` is what follows its name.
fn create(server: &Server, name: &str, how: &str) {
    server.sql(&format!("CREATE USER {name}@'%' {how}; GRANT ALL ON *.* TO {name}@'%'"));
}

/// `tidegate` in mode `session` with this configuration, over TCP.
fn session(server: &Server, config: &str) -> Tidegate {
    Tidegate::in_front_of(server, &format!("pool.mode = \"session\"\n{config}"))
}

/// Logs in and leaves nothing but how it ended.
fn attempt(tidegate: &Tidegate, to: &As<'_>) -> Ended {
    Raw::tcp(tidegate.address()).login(to)
}

/// A client that must get in.
fn enter(tidegate: &Tidegate, user: &str, password: &str) -> Raw {
    let mut raw = Raw::tcp(tidegate.address());
    let ended = raw.login(&As::new(user, password));
    assert!(ended.is_in(), "{user}: {}\n{}", ended.words(), tidegate.log());
    raw
}

/// The id of the backend that served a client, which has gone since.
fn served_by(tidegate: &Tidegate, user: &str, password: &str) -> u64 {
    let mut raw = enter(tidegate, user, password);
    let id = raw.id();
    raw.quit();
    // Its backend is reset behind its back.
    std::thread::sleep(Duration::from_millis(100));
    id
}

/// A counter of the server's.
fn status(server: &Server, name: &str) -> u64 {
    let row = server.sql(&format!("SHOW GLOBAL STATUS LIKE '{name}'"));
    row.split('\t').nth(1).expect("a value").parse().expect("a number")
}

/// How many connections came beside those that counting them takes.
fn connections(server: &Server) -> u64 {
    status(server, "Connections")
}

fn await_true(what: &str, mut is_true: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(15);
    while !is_true() {
        assert!(Instant::now() < limit, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

const SERVICE: &str = "[auth]\nservice_user = \"reader\"\nservice_password = \"reads\"\nrecheck = \"1s\"\n";

/// The account of [`SERVICE`], with no more than it needs.
fn create_service(server: &Server) {
    server.sql("CREATE USER reader@'%' IDENTIFIED BY 'reads'; GRANT SELECT ON mysql.user TO reader@'%'");
}
