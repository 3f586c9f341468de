//! The server has no room left, or none for this account: whoever can wait for a connection of the pool's waits for it.

use std::time::Duration;

use crate::crowd::{self, Client, LIMIT, account, eventually};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

const LIMITED: &str = "limited";

fn enter(tidegate: &Tidegate) -> Client {
    Client::login(tidegate.address(), LIMITED, "").unwrap_or_else(|trouble| panic!("{trouble}\n{}", tidegate.log()))
}

fn config(size: usize) -> String {
    format!(
        "pool.size = {size}\npool.max_overflow = 0\npool.checkout_timeout = \"30s\"\n[[user]]\nname = \"{LIMITED}\"\npassword = \"\"\n"
    )
}

/// Each client's statements take a while, several clients at a time.
fn all_are_served(clients: &mut [Client], what: &str) {
    for _ in 0..3 {
        clients.iter_mut().for_each(|client| client.start("SELECT SLEEP(0.2)").expect("sent"));
        for client in clients.iter_mut() {
            let rows = client.finish().unwrap_or_else(|trouble| panic!("{what}: {trouble}")).rows;
            assert_eq!(rows, [["0"]], "{what}");
        }
    }
}

fn allow(server: &Server, connections: usize) {
    let user = format!("{LIMITED}@'%'");
    match server.kind() {
        Kind::Mysql56 => server.sql(&format!("GRANT USAGE ON *.* TO {user} WITH MAX_USER_CONNECTIONS {connections}")),
        _ => server.sql(&format!("ALTER USER {user} WITH MAX_USER_CONNECTIONS {connections}")),
    };
}

#[test]
fn an_account_that_may_have_few_connections_is_served_on_these() {
    for kind in Kind::here() {
        let server = crowd::server_of(kind, &[]);
        account(&server, LIMITED, "SELECT ON *.*");
        allow(&server, 2);
        let tidegate = Tidegate::in_front_of(&server, &config(10));
        let mut clients: Vec<_> = (0..6).map(|_| enter(&tidegate)).collect();
        all_are_served(&mut clients, &format!("{kind}"));
        // It may have more: that is found by itself.
        allow(&server, 0);
        eventually("more are dialed", LIMIT, || {
            all_are_served(&mut clients, &format!("{kind}"));
            connections(&server) > 3
        });
    }
}

fn connections(server: &Server) -> usize {
    let count = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{LIMITED}'");
    server.sql(&count).trim().parse().expect("a number")
}

/// Who has none of its own to wait for hears of it, as it would from the server.
#[test]
fn an_account_without_any_connection_is_told_at_once() {
    let server = crowd::server(&[]);
    account(&server, LIMITED, "SELECT ON *.*");
    allow(&server, 1);
    let tidegate = Tidegate::in_front_of(&server, &config(10));
    let mut client = enter(&tidegate);
    client.run("SELECT 1");
    server
        .sql(&format!("SELECT CONCAT('KILL ', id) FROM information_schema.processlist WHERE user = '{LIMITED}'"))
        .lines()
        .for_each(|kill| drop(server.sql(kill)));
    eventually("it is gone", LIMIT, || connections(&server) == 0);
    let direct = Client::login(server.address(), LIMITED, "").expect("the only one");
    let refused = client.refused("SELECT 1");
    assert_eq!(refused.code, 1226, "{refused:?}");
    drop(direct);
    eventually("its place is free", LIMIT, || client.ask("SELECT 1").is_ok());
}

/// The last place is kept for administrators, which the server says behind the login.
#[test]
fn a_full_server_is_waited_for() {
    for kind in Kind::here() {
        let server = crowd::server_of(kind, &["--max-connections=11"]);
        account(&server, LIMITED, "SELECT ON *.*");
        let tidegate = Tidegate::in_front_of(&server, &config(10));
        let mut clients: Vec<_> = (0..4).map(|_| enter(&tidegate)).collect();
        // One place is left beside the pool's only connection, and none but that is an ordinary account's.
        let others: Vec<_> = (0..).map_while(|_| Client::login(server.address(), LIMITED, "").ok()).collect();
        assert!(others.len() >= 6, "{kind}");
        all_are_served(&mut clients, &format!("{kind}, {} others", others.len()));
    }
}

#[test]
fn a_smaller_pool_is_in_force_while_all_are_busy() {
    let server = crowd::server(&[]);
    account(&server, LIMITED, "SELECT ON *.*");
    let tidegate = Tidegate::in_front_of(&server, &config(5));
    let mut clients: Vec<_> = (0..5).map(|_| enter(&tidegate)).collect();
    all_are_served(&mut clients, "five");
    assert_eq!(connections(&server), 5);
    let file = tidegate.config_file();
    std::fs::write(&file, std::fs::read_to_string(&file).expect("the file").replace("size = 5", "size = 2"))
        .expect("the file");
    tidegate.signal("HUP");
    tidegate.await_log("reloaded: pool.size", LIMIT);
    eventually("the server has two", LIMIT, || {
        clients.iter_mut().for_each(|client| client.start("SELECT SLEEP(0.05)").expect("sent"));
        clients.iter_mut().for_each(|client| drop(client.finish().expect("a row")));
        connections(&server) <= 2
    });
}

/// Nobody is there any more, and each connection lives for a second.
#[test]
fn min_idle_is_kept_without_clients() {
    let server = crowd::server(&[]);
    account(&server, LIMITED, "SELECT ON *.*");
    let more = format!("pool.min_idle = 2\npool.max_lifetime = \"1s\"\n{}", config(2));
    let tidegate = Tidegate::in_front_of(&server, &more);
    enter(&tidegate).run("SELECT 1");
    eventually("two are ready", LIMIT, || connections(&server) == 2);
    std::thread::sleep(Duration::from_secs(4));
    eventually("two are ready again and again", LIMIT, || connections(&server) == 2);
}
