//! Mode session: a backend comes back clean to the pool, and one that died or grew old there costs nobody anything.

use std::thread::sleep;
use std::time::Duration;

use tidegate::wire::capabilities::Capabilities;

use crate::protocol::{config, on_every_server};
use crate::raw::{Raw, connect, error_code, text};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

/// A returned connection is back in the pool after less than this.
const RESET: Duration = Duration::from_millis(300);

/// tidegate with one backend connection for all.
fn one_backend(server: &Server) -> Tidegate {
    Tidegate::in_front_of(server, &config("session", "size = 1\nmax_overflow = 0\nmin_idle = 0"))
}

fn root(tidegate: &Tidegate) -> Raw {
    Raw::root(tidegate.address(), Capabilities::NONE)
}

#[test]
fn nothing_of_one_client_is_left_for_the_next() {
    on_every_server(|kind| {
        let server = Server::shared(kind);
        server.sql("CREATE DATABASE proto_left; CREATE TABLE proto_left.t (a INT) ENGINE=InnoDB");
        let tidegate = one_backend(server);
        let fresh = state(kind, &mut root(&tidegate));
        sleep(RESET);
        let mut before = Raw::login(connect(tidegate.address()), "root", "proto_left", crate::raw::BASE);
        let backend = before.value("SELECT CONNECTION_ID()");
        for sql in [
            "CREATE TEMPORARY TABLE temporary (a INT)",
            "SET @left = 'behind'",
            "SET SESSION sql_mode = 'ANSI_QUOTES', time_zone = '+03:00', wait_timeout = 77",
            "SET NAMES latin1",
            "PREPARE left_behind FROM 'SELECT 1'",
            "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
            "DO GET_LOCK('proto_left', 1)",
            "SET autocommit = 0",
            "INSERT INTO t VALUES (1)",
        ] {
            let reply = before.query(sql);
            assert_eq!(error_code(&reply), None, "{kind}: {sql}: {}", text(&reply));
        }
        drop(before);
        sleep(RESET);
        let mut after = root(&tidegate);
        assert_eq!(after.value("SELECT CONNECTION_ID()"), backend, "{kind}: the connection was not kept");
        assert_eq!(state(kind, &mut after), fresh, "{kind}");
        assert_eq!(after.value("SELECT COUNT(*) FROM proto_left.t"), "0");
        assert_eq!(after.value("SELECT IS_FREE_LOCK('proto_left')"), "1");
        after.query("LOCK TABLES proto_left.t WRITE");
        drop(after);
        sleep(RESET);
        let mut last = root(&tidegate);
        assert_eq!(error_code(&last.query("SELECT * FROM mysql.user LIMIT 0")), None, "{kind}: LOCK TABLES is left");
        assert_eq!(error_code(&last.query("INSERT INTO proto_left.t VALUES (2)")), None);
    });
}

fn state(kind: Kind, raw: &mut Raw) -> Vec<String> {
    let isolation = if kind == Kind::Mysql9 { "@@transaction_isolation" } else { "@@tx_isolation" };
    let values = format!(
        "SELECT CONCAT_WS('|', IFNULL(DATABASE(), 'no schema'), IFNULL(@left, 'no variable'), @@sql_mode, @@time_zone, \
         @@wait_timeout, @@character_set_client, @@collation_connection, @@autocommit, {isolation})"
    );
    let mut state = vec![raw.value(&values)];
    for sql in ["EXECUTE left_behind", "SELECT * FROM proto_left.temporary", "SELECT * FROM temporary"] {
        state.push(format!("{:?}", error_code(&raw.query(sql))));
    }
    state
}

#[test]
fn a_restart_of_the_server_costs_the_next_clients_nothing() {
    on_every_server(|kind| {
        let server = Server::start(kind, &[]);
        let tidegate = Tidegate::in_front_of(&server, &config("session", "size = 8\nmax_overflow = 0"));
        for pause in [Duration::ZERO, Duration::from_millis(500)] {
            let mut raws: Vec<Raw> = (0..8).map(|_| root(&tidegate)).collect();
            raws.iter_mut().for_each(Raw::in_step);
            drop(raws);
            sleep(Duration::from_millis(300));
            server.restart();
            sleep(pause);
            let mut raws: Vec<Raw> = (0..8).map(|_| root(&tidegate)).collect();
            raws.iter_mut().for_each(Raw::in_step);
            assert!(raws.iter_mut().all(|raw| raw.value("SELECT 7") == "7"), "{kind}");
        }
    });
}

#[test]
fn idle_connections_are_retired_before_the_servers_timeout() {
    on_every_server(|kind| {
        let server = Server::start(kind, &["--wait-timeout=2"]);
        let tidegate = Tidegate::in_front_of(&server, &config("session", ""));
        for pause in [0, 1200, 1900, 2100, 3000] {
            let mut raws: Vec<Raw> = (0..4).map(|_| root(&tidegate)).collect();
            for raw in &mut raws {
                raw.in_step();
                assert_eq!(raw.value("SELECT @@wait_timeout"), "2", "{kind}");
            }
            drop(raws);
            sleep(Duration::from_millis(pause));
        }
        // Nobody held the connections for two seconds, so the server has closed none by its timeout.
        let aborted = server.sql("SHOW GLOBAL STATUS LIKE 'Aborted_clients'");
        assert_eq!(aborted, "Aborted_clients\t0", "{kind}");
    });
}

#[tokio::test]
async fn a_connection_is_kept_with_a_password_as_without() {
    use mysql_async::prelude::Queryable;
    for kind in [Kind::MariaDb1011, Kind::Mysql56] {
        if !kind.is_here() {
            continue;
        }
        let server = Server::shared(kind);
        server.sql("CREATE USER proto_kept@localhost IDENTIFIED BY 'secret', proto_bare@localhost");
        let config = "[[user]]\nname = 'proto_kept'\npassword = 'secret'\n[[user]]\nname = 'proto_bare'\npassword = ''\n[pool]\nmode = 'session'";
        let tidegate = Tidegate::in_front_of(server, config);
        for (user, password) in [("proto_kept", "secret"), ("proto_bare", "")] {
            let mut seen: Vec<u32> = Vec::new();
            for _ in 0..3 {
                let mut client = tidegate.client(user, password).await;
                let id = client.query_first("SELECT CONNECTION_ID()").await.expect("an id");
                seen.push(id.expect("a row"));
                client.disconnect().await.expect("disconnected");
                tokio::time::sleep(RESET).await;
            }
            assert!(seen.iter().all(|id| *id == seen[0]), "{kind} {user}: {seen:?}");
        }
    }
}
