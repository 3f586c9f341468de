//! What the tests of shared connections stand on: many small clients, a small pool, and a look at the server behind.
//!
//! `TIDEGATE_MODE=session` runs them in another mode, for a look at how they fail, and with `TIDEGATE_SIZE=300` each client
//! has a backend of its own; `LONG=300` is how many seconds those that go by time take.

mod client;
mod packets;

pub use client::{Answer, Answered, Client, Refusal, Statement, Trouble};

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

/// The account of most clients; it has no password.
pub const USER: &str = "crowd";
/// What a busy machine is given for a thing that is to happen at once.
pub const SOON: Duration = Duration::from_secs(3);
/// What a busy machine is given for anything.
pub const LIMIT: Duration = Duration::from_secs(30);

/// The mode under test.
pub fn mode() -> String {
    wish("TIDEGATE_MODE").unwrap_or_else(|| "transaction".into())
}

/// Whether each client has a backend of its own, so that nobody waits for anybody.
pub fn is_dry() -> bool {
    wish("TIDEGATE_SIZE").is_some()
}

/// How long a test that goes by time takes; `LONG` is seconds.
pub fn duration(usual: Duration) -> Duration {
    let long = wish("LONG").map(|text| text.parse().unwrap_or_else(|_| panic!("LONG={text}")));
    long.map_or(usual, Duration::from_secs)
}

/// A configuration with so many backends and not one more; `more` is dotted keys.
pub fn config(size: usize, more: &str) -> String {
    let size = wish("TIDEGATE_SIZE").unwrap_or_else(|| size.to_string());
    let pool = format!("pool.mode = \"{}\"\npool.size = {size}\npool.max_overflow = 0\n", mode());
    format!("{pool}{more}\n[[user]]\nname = \"{USER}\"\npassword = \"\"\n")
}

/// tidegate with so many backends.
pub fn tidegate(server: &Server, size: usize, more: &str) -> Tidegate {
    Tidegate::in_front_of(server, &config(size, more))
}

/// A MariaDB of the test's own with the account [`USER`] and the schema `crowd`.
pub fn server(arguments: &[&str]) -> Server {
    server_of(Kind::MariaDb1011, arguments)
}

/// The same of any kind.
pub fn server_of(kind: Kind, arguments: &[&str]) -> Server {
    let many = if is_dry() { &["--max-connections=400"][..] } else { &[] };
    let server = Server::start(kind, &[many, arguments].concat());
    prepare(&server);
    server
}

/// The server that all tests share, with the same.
pub fn shared(kind: Kind) -> &'static Server {
    let server = Server::shared(kind);
    prepare(server);
    server
}

fn prepare(server: &Server) {
    account(server, USER, "ALL ON *.*");
    // Two tests at once may find it missing.
    server.sql("CREATE DATABASE IF NOT EXISTS crowd");
}

/// An account without a password. It may be there already.
pub fn account(server: &Server, user: &str, rights: &str) {
    // MySQL 5.6 knows no IF NOT EXISTS here.
    let _ = server.try_sql(&format!("CREATE USER {user}@'%'"));
    server.sql(&format!("GRANT {rights} TO {user}@'%'"));
}

/// A client of [`USER`] through tidegate.
pub fn enter(tidegate: &Tidegate) -> Client {
    Client::login(tidegate.address(), USER, "").unwrap_or_else(|trouble| panic!("{trouble}\n{}", tidegate.log()))
}

/// So many of them.
pub fn enter_many(tidegate: &Tidegate, count: usize) -> Vec<Client> {
    (0..count).map(|_| enter(tidegate)).collect()
}

/// One number of `SHOW GLOBAL STATUS`.
pub fn status(server: &Server, name: &str) -> u64 {
    let line = server.sql(&format!("SHOW GLOBAL STATUS LIKE '{name}'"));
    line.split('\t').nth(1).and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name}: {line}"))
}

/// Statements at the server, of anybody but the one who asks, whose text contains this.
pub fn running(server: &Server, text: &str) -> usize {
    let count = format!(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%{text}%' AND id <> CONNECTION_ID()"
    );
    server.sql(&count).parse().expect("a number")
}

/// Connections of [`USER`] at the server.
pub fn backends(server: &Server) -> usize {
    let count = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{USER}'");
    server.sql(&count).parse().expect("a number")
}

/// Waits until this holds.
pub fn eventually(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let limit = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < limit, "not within the limit: {what}");
        sleep(Duration::from_millis(20));
    }
}

/// Waits until tidegate has read all that this client sent.
pub fn await_taken(tidegate: &Tidegate, client: &Client) {
    let (here, there) = (format!(":{:04X}", tidegate.address().port()), format!(":{:04X}", client.local_port()));
    eventually("tidegate reads what a client sent", LIMIT, || {
        let table = fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp");
        let line = table.lines().find(|line| {
            let mut fields = line.split_whitespace().skip(1);
            fields.next().is_some_and(|local| local.ends_with(&here))
                && fields.next().is_some_and(|remote| remote.ends_with(&there))
        });
        let queues = line.and_then(|line| line.split_whitespace().nth(4)).expect("the client's connection");
        queues.ends_with(":00000000")
    });
}

/// A setting of the environment.
pub fn wish(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// Who gets in as soon as the pool has room, likewise.
pub fn insist_on_login(address: std::net::SocketAddr) -> Client {
    let began = Instant::now();
    loop {
        match Client::login(address, USER, "crowd") {
            Ok(client) => return client,
            Err(trouble) if trouble.code() == Some(1040) && began.elapsed() < LIMIT => {}
            Err(trouble) => panic!("{trouble}"),
        }
    }
}

/// The answer to a statement of a client that waits for the pool as long as it takes: on a slow day longer than `checkout_timeout`.
pub fn insist(client: &mut Client, sql: &[u8]) -> Answer {
    let began = Instant::now();
    loop {
        match client.ask_bytes(sql) {
            Ok(answer) => return answer,
            Err(trouble) if trouble.code() == Some(1040) && began.elapsed() < LIMIT => {}
            Err(trouble) => panic!("{}: {trouble}", sql.escape_ascii()),
        }
    }
}

/// COM_RESET_CONNECTION, which MySQL 5.6 does not know.
pub fn reset(client: &mut Client) {
    let _ = client.command(&[tidegate::wire::command::RESET_CONNECTION]);
}

/// COM_CHANGE_USER to the same one, without a password.
pub fn change_user(client: &mut Client) {
    change_user_in(client, 45);
}

/// The same with the collation of this number.
pub fn change_user_in(client: &mut Client, collation: u8) {
    const OK: u8 = 0;
    const SWITCH: u8 = 0xFE;
    const MORE_DATA: u8 = 1;
    let words = [b"\x11crowd\0\0crowd\0", &[collation, 0][..], b"mysql_native_password\0"].concat();
    client.send(0, &words).expect("a connection");
    loop {
        let (seq, answer) = client.packet().expect("an answer");
        match answer.first() {
            Some(&OK) => return,
            Some(&SWITCH) => client.send(seq + 1, b"").expect("a connection"),
            _ => assert_eq!(answer.first(), Some(&MORE_DATA), "{}", crate::raw::text(&answer)),
        }
    }
}
