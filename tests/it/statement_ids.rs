//! The ids of prepared statements mean what they meant, also where the statement behind one is no more: an execution that was
//! sent ahead must not find another statement.

use tidegate::wire::command;

use crate::crowd::{self, Client, Statement, USER, enter};
use crate::servers::{Kind, Server};

/// Whom MariaDB's prepare-and-execute in one go means.
const LATEST: Statement = Statement { id: u32::MAX };

fn create(server: &Server, table: &str) {
    server.sql(&format!("DROP TABLE IF EXISTS crowd.{table}; CREATE TABLE crowd.{table} (a INT)"));
}

fn count(server: &Server, table: &str) -> String {
    server.sql(&format!("SELECT COUNT(*) FROM crowd.{table}"))
}

#[test]
fn the_latest_is_none_behind_a_preparation_that_fails() {
    for kind in Kind::here().into_iter().filter(|kind| kind.is_mariadb()) {
        let server = crowd::shared(kind);
        create(server, "written");
        let tidegate = crowd::tidegate(server, 1, "pool.checkout_timeout = \"200ms\"\n");
        let [mut direct, mut through] =
            [server.address(), tidegate.address()].map(|at| Client::login(at, USER, "crowd").expect("a login"));
        for client in [&mut direct, &mut through] {
            let before = count(server, "written");
            client.prepare("INSERT INTO crowd.written VALUES (1)").expect("a statement");
            assert!(client.prepare("INSERT nonsense").is_err(), "{kind}");
            assert_eq!(client.execute(LATEST, &[]).expect_err("none").code(), Some(1243), "{kind}");
            assert_eq!(count(server, "written"), before, "{kind}");
        }
        // Refused by tidegate, in whose place nobody prepares.
        let mut holder = enter(&tidegate);
        through.prepare("INSERT INTO crowd.written VALUES (2)").expect("a statement");
        holder.run("BEGIN");
        assert_eq!(through.prepare("SELECT 1").expect_err("the pool is full").code(), Some(1040), "{kind}");
        holder.run("COMMIT");
        assert_eq!(through.execute(LATEST, &[]).expect_err("none").code(), Some(1243), "{kind}");
        assert_eq!(count(server, "written"), "0", "{kind}");
    }
}

#[test]
fn an_id_is_not_given_again_behind_a_reset() {
    for kind in Kind::here() {
        let server = crowd::shared(kind);
        create(server, "written_anew");
        let tidegate = crowd::tidegate(server, 1, "");
        for (what, end) in [("reset", crowd::reset as fn(&mut Client)), ("change of user", crowd::change_user)] {
            if kind == Kind::Mysql56 && what == "reset" {
                continue;
            }
            let mut client = enter(&tidegate);
            let old = client.prepare("SELECT 1").expect("a statement");
            end(&mut client);
            let new = client.prepare("INSERT INTO crowd.written_anew VALUES (1)").expect("a statement");
            assert_ne!(old.id, new.id, "{kind}: {what}");
            assert_eq!(client.execute(old, &[]).expect_err("it is no more").code(), Some(1243), "{kind}: {what}");
            let close = [&[command::STMT_CLOSE][..], &old.id.to_le_bytes()].concat();
            client.send_command(&close).expect("a connection");
            assert_eq!(count(server, "written_anew"), "0", "{kind}: {what}");
            client.execute(new, &[]).unwrap_or_else(|trouble| panic!("{kind}: {what}: {trouble}"));
            server.sql("TRUNCATE crowd.written_anew");
        }
    }
}
