//! A server that is down, or goes and comes back: clients wait or hear one clean error, and go on by themselves.

use std::net::SocketAddr;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use crate::crowd::{
    Client, LIMIT, Trouble, USER, await_taken, enter, enter_many, eventually, running, server, tidegate,
};

#[test]
fn a_server_that_is_down_at_start_is_waited_for() {
    let server = server(&[]);
    server.stop();
    let tidegate = tidegate(&server, 2, "pool.checkout_timeout = \"60s\"");
    let address = tidegate.address();
    let early: Vec<_> = (0..3).map(|_| spawn(move || patient_login(address))).collect();
    server.start_again();
    for client in early {
        assert_eq!(client.join().expect("a client").value("SELECT 5"), "5");
    }
}

/// A server's greeting cannot be given before the server was seen once: until then there may be clean errors.
fn patient_login(address: SocketAddr) -> Client {
    let limit = Instant::now() + LIMIT;
    loop {
        match Client::login(address, USER, "") {
            Ok(client) => return client,
            Err(trouble) => assert!(trouble.code().is_some() && Instant::now() < limit, "{trouble}"),
        }
        sleep(Duration::from_millis(100));
    }
}

#[test]
fn who_is_in_waits_for_a_server_that_comes_back() {
    let server = server(&[]);
    let tidegate = tidegate(&server, 2, "pool.checkout_timeout = \"60s\"");
    let mut clients = enter_many(&tidegate, 5);
    clients.iter_mut().for_each(|client| assert_eq!(client.value("SELECT 1"), "1"));
    server.kill();
    for client in &mut clients {
        client.start("SELECT 6").expect("a connection");
        await_taken(&tidegate, client);
    }
    server.start_again();
    for client in &mut clients {
        let answer = client.finish().unwrap_or_else(|trouble| panic!("{trouble}"));
        assert_eq!(answer.rows, [["6"]]);
    }
}

#[test]
fn who_waits_too_long_for_a_dead_server_hears_so_and_is_served_later() {
    let server = server(&[]);
    let tidegate = tidegate(&server, 2, "pool.checkout_timeout = \"1s\"");
    let mut client = enter(&tidegate);
    client.run("SET @before = 'the outage'");
    server.kill();
    for _ in 0..3 {
        let trouble = client.ask("SELECT 1").expect_err("there is no server");
        assert!(trouble.code().is_some(), "not a clean error: {trouble}");
    }
    let refused = Client::login(tidegate.address(), USER, "").and_then(|mut late| late.ask("SELECT 1"));
    let trouble = refused.map(|_| ()).expect_err("there is no server");
    assert!(trouble.code().is_some(), "not a clean error: {trouble}");
    server.start_again();
    eventually("clients are served again", Duration::from_secs(20), || client.ask("SELECT 1").is_ok());
    assert_eq!(client.value("SELECT @before"), "the outage");
}

#[test]
fn a_restart_costs_idle_clients_nothing_and_active_ones_one_error() {
    let server = server(&[]);
    server.sql("CREATE TABLE crowd.r (a INT) ENGINE=InnoDB");
    let tidegate = tidegate(&server, 6, "pool.checkout_timeout = \"60s\"");
    let mut idle = enter_many(&tidegate, 30);
    for (number, client) in idle.iter_mut().enumerate() {
        client.run("USE crowd");
        client.run(&format!("SET @mine = 'number {number}', SESSION time_zone = '+03:00'"));
        client.run("SELECT CAST('1x' AS SIGNED)");
    }
    let mut in_transaction = enter(&tidegate);
    in_transaction.run("BEGIN");
    in_transaction.run("INSERT INTO crowd.r VALUES (1)");
    let mut in_query = enter(&tidegate);
    in_query.start("SELECT SLEEP(50) /* over the restart */").expect("a connection");
    eventually("the query runs", Duration::from_secs(10), || running(&server, "over the restart") == 1);
    // What was sent a moment ago only would be asked again.
    sleep(Duration::from_millis(50));

    server.restart();

    one_clean_error("in its query", in_query.finish().map(|_| ()));
    one_clean_error("in its transaction", in_transaction.ask("INSERT INTO crowd.r VALUES (2)").map(|_| ()));
    for client in [&mut in_query, &mut in_transaction] {
        assert_eq!(client.value("SELECT COUNT(*) FROM crowd.r"), "0", "nothing was committed");
    }
    for (number, client) in idle.iter_mut().enumerate() {
        let state = client.rows("SELECT @mine, @@time_zone, DATABASE()");
        assert_eq!(state, [[format!("number {number}").as_str(), "+03:00", "crowd"]]);
    }
}

fn one_clean_error(who: &str, answer: Result<(), Trouble>) {
    let trouble = answer.expect_err(who);
    assert!(trouble.code().is_some(), "{who}: not an error but the connection's end: {trouble}");
}
