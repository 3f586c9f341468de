//! The server never sees more connections than the pool may have, and tidegate's one of its own.

use std::thread::scope;

use crate::crowd::{self, Client, enter_many, server, tidegate};
use crate::relay::Relay;
use crate::servers::Server;

const BACKENDS: usize = 5;
/// tidegate's own connection for KILL, health and the like.
const CONTROL: usize = 1;

#[test]
fn two_hundred_clients_live_on_five_backends() {
    let server = with_accounts(1);
    let seen = peak(&server, (BACKENDS, 0), |tidegate| {
        let mut clients = enter_many(tidegate, 200);
        busy(&mut clients);
    });
    assert!((BACKENDS..=BACKENDS + CONTROL).contains(&seen), "{seen} connections");
}

#[test]
fn overflow_is_part_of_the_bound() {
    let server = with_accounts(1);
    let seen = peak(&server, (1, 1), |tidegate| {
        let mut clients = enter_many(tidegate, 60);
        busy(&mut clients);
        drop(clients);
        busy(&mut enter_many(tidegate, 60));
    });
    assert!((2..=2 + CONTROL).contains(&seen), "{seen} connections");
}

#[test]
fn forty_accounts_share_the_one_bound() {
    const ACCOUNTS: usize = 40;
    let server = with_accounts(ACCOUNTS);
    let seen = peak(&server, (BACKENDS, 0), |tidegate| {
        let login = |number: usize| {
            let user = format!("user{}", number % ACCOUNTS);
            Client::login(tidegate.address(), &user, "crowd").unwrap_or_else(|trouble| panic!("{user}: {trouble}"))
        };
        let mut clients: Vec<Client> = (0..ACCOUNTS * 3).map(login).collect();
        busy(&mut clients);
        for (number, client) in clients.iter_mut().enumerate() {
            let user = client.value("SELECT CURRENT_USER()");
            assert_eq!(user, format!("user{}@%", number % ACCOUNTS));
        }
    });
    assert!((BACKENDS..=BACKENDS + CONTROL).contains(&seen), "{seen} connections");
}

/// All at once, each some statements and transactions.
fn busy(clients: &mut [Client]) {
    scope(|scope| {
        for client in clients {
            scope.spawn(move || {
                for round in 0..10 {
                    assert_eq!(client.value(&format!("SELECT {round}")), round.to_string());
                    client.run("BEGIN");
                    client.run("INSERT INTO crowd.b VALUES (1)");
                    client.run(if round % 2 == 0 { "COMMIT" } else { "ROLLBACK" });
                }
            });
        }
    });
}

/// The most connections to the server that were open at once meanwhile. The server's own count of them lags: it goes on for a
/// moment when a connection is closed.
fn peak(server: &Server, (size, overflow): (usize, usize), load: impl FnOnce(&crate::tidegate::Tidegate)) -> usize {
    let users: String = (0..40).map(|n| format!("[[user]]\nname = \"user{n}\"\npassword = \"\"\n")).collect();
    let relay = Relay::start(server.address());
    let config = format!("backend.address = \"{}\"\n", relay.address()) + &crowd::config(size, "") + &users;
    let config = config.replace("max_overflow = 0", &format!("max_overflow = {overflow}"));
    let mut tidegate = crate::tidegate::Tidegate::in_front_of(server, &config);
    load(&tidegate);
    tidegate.stop();
    relay.most()
}

fn with_accounts(count: usize) -> Server {
    let server = server(&[]);
    server.sql("CREATE TABLE crowd.b (a INT) ENGINE=InnoDB");
    for number in 0..count {
        crowd::account(&server, &format!("user{number}"), "ALL ON crowd.*");
    }
    server
}

#[test]
fn a_pool_of_one_serves_hundreds() {
    let server = with_accounts(0);
    let tidegate = tidegate(&server, 1, "pool.checkout_timeout = \"60s\"");
    busy(&mut enter_many(&tidegate, 100));
    let rows = server.sql("SELECT COUNT(*) FROM crowd.b");
    assert_eq!(rows, "500", "each client commits five");
}
