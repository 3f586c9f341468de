//! Two hundred idle clients whose last statement left something behind wait for nobody, and lose nothing.

use crate::crowd::{Client, enter, enter_many, server, tidegate};
use crate::servers::Server;
use crate::tidegate::Tidegate;

const CLIENTS: usize = 200;
const BACKENDS: usize = 4;

/// A wait of so long is an error, which fails the test.
const TIMEOUT: &str = "pool.checkout_timeout = \"5s\"";

#[test]
fn two_hundred_whose_last_statement_warned() {
    let (_server, tidegate, mut clients) = crowd();
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.run(&format!("SELECT CAST('{number}x' AS SIGNED)")).warnings, 1);
    }
    for (number, client) in in_another_order(&mut clients) {
        let warning = format!("Truncated incorrect INTEGER value: '{number}x'");
        assert_eq!(client.rows("SHOW WARNINGS"), [["Warning", "1292", &warning]], "client {number}");
        assert_eq!(client.value("SELECT @@warning_count"), "1", "client {number}");
    }
    assert_eq!(enter(&tidegate).rows("SHOW WARNINGS"), Vec::<Vec<String>>::new(), "a new client");
}

#[test]
fn two_hundred_whose_last_statement_failed() {
    let (_server, _tidegate, mut clients) = crowd();
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.refused(&format!("SELECT * FROM missing_{number}")).code, 1146);
    }
    for (number, client) in in_another_order(&mut clients) {
        let error = format!("Table 'crowd.missing_{number}' doesn't exist");
        assert_eq!(client.rows("SHOW ERRORS"), [["Error", "1146", &error]], "client {number}");
        client.run("GET DIAGNOSTICS CONDITION 1 @t = MESSAGE_TEXT");
        assert_eq!(client.value("SELECT @t"), error, "client {number}");
    }
}

#[test]
fn two_hundred_who_will_ask_for_their_insert_id() {
    let (server, _tidegate, mut clients) = crowd();
    server.sql("CREATE TABLE crowd.n (id INT AUTO_INCREMENT PRIMARY KEY, who INT)");
    let id_of = |client: &mut Client, number: usize| {
        client.run(&format!("INSERT INTO n (who) VALUES ({number})")).insert_id.to_string()
    };
    let ids: Vec<String> = clients.iter_mut().enumerate().map(|(number, client)| id_of(client, number)).collect();
    for (number, client) in in_another_order(&mut clients) {
        assert_eq!(client.value("SELECT LAST_INSERT_ID()"), ids[number], "client {number}");
        assert_eq!(client.value("SELECT @@last_insert_id"), ids[number], "client {number}");
        assert_eq!(client.value(&format!("SELECT id FROM n WHERE who = {number}")), ids[number]);
    }
}

#[test]
fn two_hundred_who_will_ask_for_their_counts() {
    let (server, _tidegate, mut clients) = crowd();
    server.sql("CREATE TABLE crowd.found (who INT); CREATE TABLE crowd.changed (who INT)");
    for table in ["found", "changed"] {
        server.sql(&format!("USE crowd; INSERT INTO {table} SELECT seq % {CLIENTS} FROM seq_1_to_2000"));
    }
    for (number, client) in clients.iter_mut().enumerate() {
        match number % 2 {
            0 => client.run(&format!("SELECT SQL_CALC_FOUND_ROWS who FROM found WHERE who <= {number} LIMIT 1")),
            _ => client.run(&format!("UPDATE changed SET who = who + 1000 WHERE who = {number}")),
        };
    }
    // Of each number there are ten.
    for (number, client) in in_another_order(&mut clients) {
        match number % 2 {
            0 => assert_eq!(client.value("SELECT FOUND_ROWS()"), (number * 10 + 10).to_string(), "client {number}"),
            _ => assert_eq!(client.value("SELECT ROW_COUNT()"), "10", "client {number}"),
        }
    }
}

#[test]
fn two_hundred_who_assigned_a_variable() {
    let (_server, _tidegate, mut clients) = crowd();
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.value(&format!("SELECT @v := CONCAT('of ', {number})")), format!("of {number}"));
    }
    for (number, client) in in_another_order(&mut clients) {
        assert_eq!(client.value("SELECT @v"), format!("of {number}"));
    }
}

fn crowd() -> (Server, Tidegate, Vec<Client>) {
    let server = server(&[]);
    let tidegate = tidegate(&server, BACKENDS, TIMEOUT);
    let mut clients = enter_many(&tidegate, CLIENTS);
    clients.iter_mut().for_each(|client| {
        client.run("USE crowd");
    });
    (server, tidegate, clients)
}

/// Each once, neither in the first order nor in its reverse.
fn in_another_order(clients: &mut [Client]) -> impl Iterator<Item = (usize, &mut Client)> {
    let mut all: Vec<_> = clients.iter_mut().enumerate().collect();
    all.sort_by_key(|(number, _)| number * 77 % CLIENTS);
    all.into_iter()
}
