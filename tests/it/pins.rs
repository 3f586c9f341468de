//! Each reason for which a client keeps its backend: it begins with its statement, is named to who waits, and ends.

mod commands;
mod holds;
mod long;
mod routines;
mod statements;
mod unexplained;

use crate::crowd::{self, Client, account, enter};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

/// A pool of one, and two clients who want it.
struct Pair {
    kind: Kind,
    tidegate: Tidegate,
    /// The one who pins.
    holder: Client,
    /// The one who waits half a second, and then is refused.
    other: Client,
}

impl Pair {
    fn on(server: &Server) -> Pair {
        let tidegate = crowd::tidegate(server, 1, "pool.checkout_timeout = \"500ms\"");
        let (mut holder, mut other) = (enter(&tidegate), enter(&tidegate));
        for client in [&mut holder, &mut other] {
            client.run("USE pins");
        }
        Pair { kind: server.kind(), tidegate, holder, other }
    }

    /// The other client is served: nothing is pinned.
    fn assert_shared(&mut self, when: &str) {
        let answer = self.other.ask("SELECT 'shared'");
        let answer = answer.unwrap_or_else(|trouble| panic!("{} {when}: {trouble}", self.kind));
        assert_eq!(answer.rows, [["shared"]], "{} {when}", self.kind);
    }

    /// The other client is refused, and hears one of these reasons.
    fn assert_pinned(&mut self, reasons: &[&str], when: &str) {
        if crowd::is_dry() {
            return;
        }
        let refusal = self.other.refused("SELECT 'not served'");
        assert_eq!((refusal.code, refusal.state.as_str()), (1040, "HY000"), "{} {when}", self.kind);
        let named = reasons.iter().any(|reason| refusal.text.contains(&format!("{reason} 1")));
        assert!(named, "{} {when}: none of {reasons:?} in: {}", self.kind, refusal.text);
    }

    /// The whole life of a pin for one of these reasons (`a|b`): `begin` begins it, `end` ends it; nothing of it is seen by others before or after.
    fn assert_pins(&mut self, reason: &str, begin: &[&str], end: &[&str]) {
        let reasons: Vec<&str> = reason.split('|').collect();
        self.assert_shared(&format!("before {begin:?}"));
        for sql in begin {
            self.holder.run(sql);
        }
        self.assert_pinned(&reasons, &format!("after {begin:?}"));
        // While it is pinned, more of the same connection's statements change nothing.
        assert_eq!(self.holder.value("SELECT 'mine'"), "mine");
        self.assert_pinned(&reasons, &format!("after {begin:?} and a SELECT"));
        for sql in end {
            self.holder.run(sql);
        }
        self.assert_shared(&format!("after {end:?}"));
        assert_eq!(self.holder.value("SELECT 'again'"), "again");
    }
}

/// The schema of these tests, on a shared server.
fn server(kind: Kind) -> &'static Server {
    let server = crowd::shared(kind);
    make(server);
    server
}

fn make(server: &Server) {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    account(server, crowd::USER, "ALL ON *.*");
    if server.sql("SHOW DATABASES LIKE 'pins'") == "pins" {
        return;
    }
    let mut client = Client::login(server.address(), crowd::USER, "").expect("a server");
    for sql in MAKE {
        client.run(sql);
    }
}

const MAKE: &[&str] = &[
    "CREATE DATABASE pins",
    "CREATE TABLE pins.t (id INT AUTO_INCREMENT PRIMARY KEY, a INT) ENGINE=InnoDB",
    "INSERT INTO pins.t (a) VALUES (1), (2), (3)",
    "CREATE TABLE pins.fired (id INT AUTO_INCREMENT PRIMARY KEY, a INT) ENGINE=InnoDB",
    "CREATE TABLE pins.loaded (a VARCHAR(20)) ENGINE=InnoDB",
    "CREATE FUNCTION pins.f_sets(v INT) RETURNS INT NO SQL BEGIN SET @from_function = v; RETURN v; END",
    "CREATE FUNCTION pins.f_locks(name VARCHAR(60)) RETURNS INT NO SQL RETURN GET_LOCK(name, 0)",
    "CREATE FUNCTION pins.f_temp() RETURNS INT MODIFIES SQL DATA \
     BEGIN CREATE TEMPORARY TABLE pins.from_function (i INT); RETURN 1; END",
    "CREATE VIEW pins.v_locks AS SELECT pins.f_locks('from a view') AS x",
    "CREATE TRIGGER pins.fires BEFORE INSERT ON pins.fired FOR EACH ROW SET @from_trigger = NEW.a",
    "CREATE PROCEDURE pins.p_sets(v INT) SET @from_procedure = v",
    "CREATE PROCEDURE pins.p_temp() CREATE TEMPORARY TABLE pins.from_procedure (i INT)",
    "CREATE PROCEDURE pins.p_locks() DO GET_LOCK('from a procedure', 0)",
    "CREATE PROCEDURE pins.p_begins() START TRANSACTION",
    "CREATE PROCEDURE pins.p_prepares() BEGIN SET @text = 'SELECT 99'; PREPARE from_procedure FROM @text; END",
];
