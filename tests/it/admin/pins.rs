//! The ledger of pins: who keeps a backend, why, since when, and by which statement, in the console and as JSON.

use super::{console, json};
use crate::crowd::{self, Client, LIMIT, account, enter, eventually, server, tidegate};
use crate::servers::Kind;

/// A column of the console's row whose first column is this.
fn cell(rows: &[Vec<String>], first: &str, at: usize) -> String {
    let row = rows.iter().find(|row| row[0] == first).unwrap_or_else(|| panic!("no {first}: {rows:?}"));
    row[at].clone()
}

#[test]
fn each_pin_is_told_with_its_reason_its_statement_and_its_client() {
    let server = server(&[]);
    server.sql("CREATE TABLE crowd.t (a INT PRIMARY KEY, b VARCHAR(20))");
    let tidegate = tidegate(&server, 4, "");
    let [mut transaction, mut lock, mut prepared, mut plain] = [(); 4].map(|()| enter(&tidegate));
    transaction.run("BEGIN");
    transaction.run("INSERT INTO crowd.t VALUES (4711, 'secret')");
    lock.run("SELECT GET_LOCK('mine', 1)");
    let mut console = console(&tidegate);
    eventually("two are pinned", LIMIT, || console.rows("SHOW PINS").len() == 2);
    prepared.run("PREPARE p FROM 'SELECT 1'");
    plain.run("SELECT 1");
    // What a statement left is noted right behind its reply.
    let statements = ["insert into crowd.t values(?+)", "select get_lock(?, ?)", "prepare p from ?"];
    let is_noted = |rows: &[Vec<String>]| statements.iter().all(|text| rows.iter().any(|row| row[10] == *text));
    eventually("all are noted", LIMIT, || is_noted(&console.rows("SHOW PINS")));
    let rows = console.rows("SHOW PINS");
    let mut reasons: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["sql_prepare", "transaction", "user_lock"], "{rows:?}");
    assert_eq!(cell(&rows, "transaction", 4), transaction.id.to_string());
    assert_eq!(cell(&rows, "transaction", 5), "crowd");
    assert_eq!(cell(&rows, "transaction", 9).len(), 16, "its digest: {rows:?}");
    assert!(!format!("{rows:?}").contains("4711") && !format!("{rows:?}").contains("secret"), "{rows:?}");
    let backend = cell(&rows, "transaction", 7);
    let at_the_server =
        server.sql(&format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {backend}"));
    assert_eq!(at_the_server, "1", "the server's own id");
    let page = json(&tidegate, "/pins");
    assert_eq!(page["pins"].as_array().map(Vec::len), Some(3), "{page}");
    transaction.run("ROLLBACK");
    eventually("the transaction's pin has ended", LIMIT, || console.rows("SHOW PINS").len() == 2);
    let causes = console.rows("SHOW PIN CAUSES");
    assert_eq!(cell(&causes, "user_lock", 5), "select get_lock(?, ?)", "{causes:?}");
    assert_eq!((cell(&causes, "transaction", 1).as_str(), cell(&causes, "transaction", 3).as_str()), ("0", "1"));
    assert_eq!((cell(&causes, "user_lock", 1).as_str(), cell(&causes, "user_lock", 3).as_str()), ("1", "1"));
    let longest = console.rows("SHOW PINS ORDER BY held_seconds DESC LIMIT 1");
    assert_eq!(longest[0][0], "user_lock", "it was there first of those that are left");
}

#[test]
fn a_client_with_a_backend_of_its_own_is_told_why() {
    let server = crowd::server_of(Kind::MariaDb1011, &[]);
    account(&server, "stranger", "SELECT ON *.*");
    server.sql("SET PASSWORD FOR stranger@'%' = PASSWORD('pw')");
    let tidegate = tidegate(&server, 2, "");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let stranger = runtime.block_on(tidegate.client("stranger", "pw"));
    let mut shared: Client = enter(&tidegate);
    shared.run("SELECT 1");
    let mut console = console(&tidegate);
    let clients = console.rows("SHOW CLIENTS ORDER BY user");
    let own: Vec<_> = clients.iter().map(|row| (row[1].as_str(), row[7].as_str())).collect();
    assert_eq!(own, [("crowd", ""), ("stranger", "its login was relayed: tidegate does not know the password")]);
    let relayed = console.rows("SHOW CLIENTS LIKE 'strange_'");
    assert_eq!(relayed.len(), 1);
    assert_eq!(cell(&console.rows("SHOW PINS"), "relayed_login", 5), "stranger");
    let servers = console.rows("SHOW SERVERS LIKE 'stranger'");
    assert_eq!((servers[0][2].as_str(), &servers[0][0]), ("relayed", &relayed[0][5]), "{servers:?} {relayed:?}");
    // Nobody can log in like it, but its own task ends it.
    console.run(&format!("KILL {}", relayed[0][0]));
    eventually("it is gone", LIMIT, || console.rows("SHOW CLIENTS LIKE 'stranger'").is_empty());
    drop(stranger);
}

#[test]
fn a_schema_and_a_state_are_told_as_they_are_now() {
    let server = server(&[]);
    server.sql("CREATE DATABASE other");
    let tidegate = tidegate(&server, 2, "");
    let mut client = enter(&tidegate);
    client.run("SELECT 1");
    let mut console = console(&tidegate);
    let seen = |console: &mut Client| {
        let rows = console.rows("SHOW CLIENTS");
        (rows[0][3].clone(), rows[0][4].clone())
    };
    eventually("it is idle", LIMIT, || seen(&mut console) == ("NULL".into(), "idle".into()));
    client.run("USE other");
    eventually("it is in another schema", LIMIT, || seen(&mut console).0 == "other");
    client.command(b"\x02crowd").expect("COM_INIT_DB");
    eventually("and in the first one", LIMIT, || seen(&mut console).0 == "crowd");
    client.start("SELECT SLEEP(2)").expect("sent");
    eventually("it is active", LIMIT, || seen(&mut console).1 == "active");
    client.finish().expect("an answer");
}
