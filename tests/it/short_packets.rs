//! A server that takes the shortest packets there are: it is dialed, and clients' states come and go as elsewhere.

use crate::crowd::{Client, LIMIT, enter, enter_many, eventually, server_of, tidegate};
use crate::servers::{Kind, Server};

/// The least that servers take of both.
const SHORT: [&str; 2] = ["--max-allowed-packet=1024", "--net-buffer-length=1024"];
const RESET_CONNECTION: &[u8] = &[0x1F];
/// More than fit into one of its packets.
const VARIABLES: usize = 60;

fn everywhere(check: fn(&Server)) {
    for kind in Kind::here() {
        check(&server_of(kind, &SHORT));
    }
}

#[test]
fn clients_share_its_connections() {
    everywhere(|server| {
        let kind = server.kind();
        let tidegate = tidegate(server, 2, "");
        let mut clients = enter_many(&tidegate, 5);
        for (number, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.value("SELECT @@max_allowed_packet"), "1024", "{kind}");
            client.run(&format!("SET time_zone = '+0{number}:00', max_error_count = {number}"));
            client.run("USE crowd");
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let state = client.rows("SELECT @@time_zone, @@max_error_count, DATABASE()");
            assert_eq!(state, [[format!("+0{number}:00"), number.to_string(), "crowd".into()]], "{kind}");
        }
        if kind != Kind::Mysql56 {
            clients[0].command(RESET_CONNECTION).unwrap_or_else(|trouble| panic!("{kind}: {trouble}"));
            assert_eq!(clients[0].rows("SELECT @@time_zone, DATABASE()"), [["SYSTEM", "crowd"]], "{kind}");
        }
        clients[1].command(b"\x02mysql").unwrap_or_else(|trouble| panic!("{kind}: {trouble}"));
        assert_eq!(clients[1].value("SELECT DATABASE()"), "mysql", "{kind}");
        assert!(tidegate.log().matches("fault=\"backend\"").next().is_none(), "{kind}: {}", tidegate.log());
    });
}

#[test]
fn many_user_variables_are_read_and_brought() {
    everywhere(|server| {
        let kind = server.kind();
        let tidegate = tidegate(server, 1, "");
        let (mut one, mut other) = (enter(&tidegate), enter(&tidegate));
        for number in 0..VARIABLES {
            // Half of them by values that no text tells.
            match number % 2 {
                0 => one.run(&format!("SET @variable_{number} = 'value {number}'")),
                _ => one.run(&format!("SET @variable_{number} = CONCAT('value ', {number})")),
            };
        }
        assert_eq!(other.value("SELECT @variable_7 IS NULL"), "1", "{kind}");
        for number in 0..VARIABLES {
            assert_eq!(one.value(&format!("SELECT @variable_{number}")), format!("value {number}"), "{kind}");
        }
        assert_eq!(other.value("SELECT @variable_8 IS NULL"), "1", "{kind}");
    });
}

#[test]
fn changes_are_heard_of_all_the_same() {
    everywhere(|server| {
        let kind = server.kind();
        let tidegate = tidegate(server, 1, "");
        let (mut one, mut other) = (enter(&tidegate), enter(&tidegate));
        // The first and the last of the names that a server is told.
        one.run("SET auto_increment_increment = 7, SESSION wait_timeout = 777, sql_warnings = 1");
        other.run("SET sql_warnings = 0");
        let state = "SELECT @@auto_increment_increment, @@wait_timeout, @@sql_warnings";
        assert_eq!(one.rows(state), [["7", "777", "1"]], "{kind}");
        assert_eq!(other.rows(state), [["1", "28800", "0"]], "{kind}");
        if kind != Kind::Mysql56 {
            one.run("SET session_track_schema = 0");
            assert_eq!(one.value("SELECT @@session_track_schema"), "0", "{kind}");
            assert_eq!(other.value("SELECT @@session_track_schema"), "1", "{kind}");
            one.run("SET time_zone = '+03:00'");
            assert_eq!(other.value("SELECT @@time_zone"), "SYSTEM", "{kind}");
            assert_eq!(one.value("SELECT @@time_zone"), "+03:00", "{kind}");
        }
    });
}

#[test]
fn it_may_become_so_and_be_so_no_more() {
    for kind in Kind::here() {
        let server = server_of(kind, &[]);
        let tidegate = tidegate(&server, 3, "pool.idle_timeout = \"1s\"");
        let mut before = enter(&tidegate);
        before.run("SET GLOBAL net_buffer_length = 1024");
        before.run("SET GLOBAL max_allowed_packet = 1024");
        let busy: Vec<Client> = (0..3)
            .map(|_| {
                let mut client = enter(&tidegate);
                client.run("SET @kept = 'kept'");
                client.run("DO GET_LOCK(CONCAT('l', CONNECTION_ID()), 0)");
                client
            })
            .collect();
        for mut client in busy {
            assert_eq!(client.rows("SELECT @kept, @@max_allowed_packet"), [["kept", "1024"]], "{kind}");
        }
        before.run("SET GLOBAL max_allowed_packet = 16777216");
        eventually("new connections have room again", LIMIT, || {
            enter(&tidegate).value("SELECT @@max_allowed_packet") == "16777216"
        });
    }
}
