//! What the console does: KILL, PAUSE, RESUME, RESET STATS, DRAIN.

use std::time::Duration;

use super::{console, json};
use crate::crowd::{LIMIT, SOON, backends, enter, eventually, running, server, tidegate};

#[test]
fn a_client_and_a_statement_are_killed_by_the_clients_id() {
    let server = server(&[]);
    let tidegate = tidegate(&server, 2, "");
    let mut console = console(&tidegate);
    let [mut idle, mut busy] = [(); 2].map(|()| enter(&tidegate));
    idle.run("SELECT 1");
    console.run(&format!("KILL {}", idle.id));
    eventually("the idle one is closed", LIMIT, || idle.is_closed());
    busy.start("SELECT COUNT(*), SLEEP(60) /* long */").expect("sent");
    eventually("it runs", LIMIT, || running(&server, "long") == 1);
    console.run(&format!("KILL QUERY {}", busy.id));
    // Killed, SLEEP may end without an error.
    let _ = busy.finish();
    assert_eq!(busy.value("SELECT 7"), "7", "its connection goes on");
    busy.start("SELECT COUNT(*), SLEEP(60) /* long */").expect("sent");
    eventually("it runs again", LIMIT, || running(&server, "long") == 1);
    console.run(&format!("KILL CONNECTION {}", busy.id));
    eventually("nothing runs there", LIMIT, || running(&server, "long") == 0);
    let _ = busy.finish();
    eventually("it is closed", LIMIT, || busy.is_closed());
    let unknown = console.refused("KILL 7");
    assert_eq!((unknown.code, unknown.text.as_str()), (1094, "Unknown thread id: 7"));
    assert!(tidegate.log().contains("console: Kill"), "{}", tidegate.log());
}

#[test]
fn in_a_pause_clients_wait_and_no_connection_is_left_at_the_server() {
    let server = server(&[]);
    let tidegate = tidegate(&server, 3, "");
    let mut console = console(&tidegate);
    let [mut holder, mut other] = [(); 2].map(|()| enter(&tidegate));
    holder.run("BEGIN");
    other.run("SET @mine = 'kept'");
    let paused = console.rows("PAUSE");
    assert_eq!(paused, [["paused", "1"]], "the transaction's is left");
    assert_eq!(json(&tidegate, "/health/db")["status"], "paused");
    assert_eq!(holder.value("SELECT 1"), "1", "who is in a transaction goes on");
    other.start("SELECT @mine").expect("sent");
    eventually("the other one waits", LIMIT, || json(&tidegate, "/health/db")["queue"] == 1);
    holder.run("COMMIT");
    eventually("the server has nobody left", LIMIT, || backends(&server) == 0);
    // The moment for it.
    server.restart();
    assert_eq!(json(&tidegate, "/health/db")["queue"], 1);
    console.run("RESUME");
    assert_eq!(other.finish().expect("an answer").rows, [["kept"]]);
    assert_eq!(holder.value("SELECT 2"), "2");
}

#[test]
fn a_pause_that_lasts_too_long_is_an_error_and_no_end() {
    let server = server(&[]);
    let tidegate = tidegate(&server, 1, "pool.checkout_timeout = \"300ms\"");
    let mut console = console(&tidegate);
    let mut client = enter(&tidegate);
    console.run("PAUSE");
    assert_eq!(client.refused("SELECT 1").code, 1040);
    console.run("RESUME");
    assert_eq!(client.value("SELECT 1"), "1");
}

#[test]
fn where_nobody_shares_there_is_nothing_to_pause() {
    let server = super::server_of_all();
    let tidegate = crate::tidegate::Tidegate::in_front_of(server, "pool.mode = \"observe\"");
    let mut console = console(&tidegate);
    assert!(console.refused("PAUSE").text.contains("observe"));
    let mut client = crate::crowd::Client::login(tidegate.address(), "crowd", "").expect("a login");
    client.run("SELECT 1");
    let servers = console.rows("SHOW SERVERS");
    assert_eq!((servers.len(), servers[0][0].clone()), (1, client.id.to_string()));
    assert_eq!(console.rows("SHOW CLIENTS")[0][7], "pool.mode = observe");
    assert_eq!(json(&tidegate, "/health/db")["server_connections"], 1);
}

#[test]
fn stats_begin_anew() {
    let server = super::server_of_all();
    let tidegate = tidegate(server, 1, "");
    let (mut console, mut client) = (console(&tidegate), enter(&tidegate));
    let count = |console: &mut crate::crowd::Client| {
        console.rows("SHOW STATS LIKE 'commands_query'").first().map(|row| row[1].clone())
    };
    (0..5).for_each(|_| drop(client.run("SELECT 1")));
    eventually("five are counted", SOON, || count(&mut console).as_deref() == Some("5"));
    console.run("RESET STATS");
    assert_eq!(count(&mut console), None);
    assert_eq!(console.rows("SHOW DIGESTS").len(), 0);
    client.run("SELECT 1");
    eventually("one is counted", SOON, || count(&mut console).as_deref() == Some("1"));
}

#[test]
fn drain_ends_tidegate_when_the_statements_have_ended() {
    let server = server(&[]);
    let mut tidegate = tidegate(&server, 1, "");
    let (mut console, mut client) = (console(&tidegate), enter(&tidegate));
    client.start("SELECT 'whole', SLEEP(1)").expect("sent");
    eventually("it runs", LIMIT, || running(&server, "whole") == 1);
    console.run("DRAIN");
    assert_eq!(client.finish().expect("its whole answer").rows, [["whole", "0"]]);
    assert!(tidegate.wait(Duration::from_secs(30)).success());
}
