//! Clients that quit or vanish in the midst of things: locks come free, reads end, writes are whole, and nobody inherits.

use std::time::Duration;

use tidegate::wire::capabilities::DEPRECATE_EOF;
use tidegate::wire::frame::HEADER;

use crate::crowd::{self, Client, LIMIT, SOON, USER, await_taken, enter, eventually, running, server_of};
use crate::raw::{BASE, Raw, connect};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

/// How a client leaves.
type Leave = (&'static str, fn(Client));

const WAYS: [Leave; 2] = [("vanishes", Client::vanish), ("quits", Client::quit)];

#[test]
fn in_a_transaction() {
    everywhere(|scene| {
        for (way, leave) in WAYS {
            let mut client = enter(&scene.tidegate);
            client.run("BEGIN");
            client.run("UPDATE crowd.l SET a = a + 100");
            client.run("INSERT INTO crowd.l VALUES (2, 200)");
            assert!(scene.is_locked(), "{way}: nothing is locked");
            leave(client);
            eventually(&format!("locks of who {way} in a transaction come free"), SOON, || !scene.is_locked());
            assert_eq!(scene.server.sql("SELECT id, a FROM crowd.l"), "1\t1", "{way}");
            scene.assert_clean(way);
        }
    });
}

#[test]
fn in_a_running_select() {
    everywhere(|scene| {
        for (way, leave) in WAYS {
            let mut client = enter(&scene.tidegate);
            client.run("SET @left = 'behind'");
            client.start("SELECT SLEEP(60) /* who leaves */").expect("a connection");
            eventually("the query runs", LIMIT, || running(&scene.server, "who leaves") == 1);
            leave(client);
            eventually(&format!("the query of who {way} ends"), SOON, || running(&scene.server, "who leaves") == 0);
            scene.assert_clean(way);
        }
    });
}

/// A statement that waits, and how it is sent.
type Wait = (&'static str, fn(&mut Client));

#[test]
fn while_waiting_for_a_lock() {
    let waits: [Wait; 5] = [
        ("SELECT GET_LOCK", |client| {
            client.start("SELECT GET_LOCK('wanted', 60) /* who leaves */").expect("a connection")
        }),
        ("DO GET_LOCK", |client| client.start("DO GET_LOCK('wanted', 60) /* who leaves */").expect("a connection")),
        ("SET", |client| client.start("SET @got = GET_LOCK('wanted', 60) /* who leaves */").expect("a connection")),
        ("a prepared GET_LOCK", |client| {
            let statement = client.prepare("SELECT GET_LOCK('wanted', 60) /* who leaves */").expect("a statement");
            let execution = [&[0x17][..], &statement.id.to_le_bytes(), &[0, 1, 0, 0, 0]].concat();
            client.send_command(&execution).expect("a connection");
        }),
        ("LOCK TABLES", |client| client.start("LOCK TABLES crowd.l WRITE /* who leaves */").expect("a connection")),
    ];
    everywhere(|scene| {
        let mut owner = Client::login(scene.server.address(), USER, "crowd").expect("a server");
        assert_eq!(owner.value("SELECT GET_LOCK('wanted', 0)"), "1");
        owner.run("LOCK TABLES crowd.l READ");
        let [session, transaction] = ["session", "transaction"].map(|mode| scene.in_mode(mode));
        for tidegate in [&session, &transaction] {
            for (what, wait) in waits {
                for (way, leave) in WAYS {
                    let mut client = enter(tidegate);
                    // Several locks at once are not for every server; its own goes when another is asked for there.
                    client.run("SELECT GET_LOCK('had', 0)");
                    wait(&mut client);
                    eventually("it waits", LIMIT, || running(&scene.server, "who leaves") == 1);
                    leave(client);
                    let ends = format!("{what} of who {way} ends");
                    eventually(&ends, SOON, || running(&scene.server, "who leaves") == 0);
                    let is_free = || scene.server.sql("SELECT IS_FREE_LOCK('had')") == "1";
                    eventually("the lock that it had is free", SOON, is_free);
                }
            }
        }
        owner.run("UNLOCK TABLES");
        assert_eq!(owner.value("SELECT RELEASE_LOCK('wanted')"), "1", "it was its owner's all the time");
        scene.assert_clean("leaves while it waits");
    });
}

#[test]
fn in_a_running_select_over_a_compressed_link() {
    everywhere(|scene| {
        let enter = || Client::login_compressed(scene.tidegate.address(), USER).expect("a login");
        for (way, leave) in WAYS {
            let (mut client, mut waiting) = (enter(), enter());
            assert_eq!(client.value("SELECT REPEAT('x', 100)"), "x".repeat(100));
            client.start("SELECT SLEEP(60) /* who leaves */").expect("a connection");
            eventually("the query runs", LIMIT, || running(&scene.server, "who leaves") == 1);
            // In the queue for the one backend.
            waiting.start("SELECT SLEEP(60) /* who waits */").expect("a connection");
            await_taken(&scene.tidegate, &waiting);
            leave(waiting);
            leave(client);
            eventually(&format!("the query of who {way} ends"), SOON, || running(&scene.server, "who leaves") == 0);
            scene.assert_clean(way);
            assert_eq!(running(&scene.server, "who waits"), 0);
        }
        // Who sends its next command ahead is answered in order.
        let mut client = enter();
        client.start("SELECT SLEEP(0.3)").expect("a connection");
        client.start("SELECT 'ahead'").expect("a connection");
        client.start("SELECT REPEAT('y', 100)").expect("a connection");
        let answers: Vec<_> = (0..3).map(|_| client.finish().expect("an answer").rows[0][0].clone()).collect();
        assert_eq!(answers, ["0", "ahead", &"y".repeat(100)]);
    });
}

#[test]
fn in_a_statement_of_a_transaction() {
    everywhere(|scene| {
        for (way, leave) in WAYS {
            let mut client = enter(&scene.tidegate);
            client.run("BEGIN");
            client.run("UPDATE crowd.l SET a = 300 WHERE id = 1");
            client.start("INSERT INTO crowd.l SELECT 3, SLEEP(60) /* who leaves */").expect("a connection");
            eventually("the statement runs", LIMIT, || running(&scene.server, "who leaves") == 1);
            leave(client);
            eventually(&format!("the statement of who {way} ends"), SOON, || running(&scene.server, "who leaves") == 0);
            eventually(&format!("locks of who {way} come free"), SOON, || !scene.is_locked());
            assert_eq!(scene.server.sql("SELECT id, a FROM crowd.l"), "1\t1", "{way}");
            scene.assert_clean(way);
        }
    });
}

#[test]
fn in_a_running_write_of_its_own() {
    everywhere(|scene| {
        for (way, leave) in WAYS {
            let mut client = enter(&scene.tidegate);
            client.start("INSERT INTO crowd.w SELECT SLEEP(2) /* who leaves */").expect("a connection");
            eventually("the write runs", LIMIT, || running(&scene.server, "who leaves") == 1);
            leave(client);
            eventually(&format!("the write of who {way} is done"), LIMIT, || running(&scene.server, "who leaves") == 0);
            assert_eq!(scene.server.sql("SELECT * FROM crowd.w"), "0", "{way}: it ran to its end, uninterrupted");
            scene.server.sql("DELETE FROM crowd.w");
            scene.assert_clean(way);
        }
    });
}

#[test]
fn in_a_running_procedure() {
    everywhere(|scene| {
        let mut client = enter(&scene.tidegate);
        client.start("CALL crowd.two_steps()").expect("a connection");
        eventually("the first step runs", LIMIT, || running(&scene.server, "SLEEP(1)") == 1);
        client.vanish();
        eventually("both steps are done", LIMIT, || scene.server.sql("SELECT COUNT(*) FROM crowd.w") == "2");
        scene.server.sql("DELETE FROM crowd.w");
        scene.assert_clean("vanishes in a procedure");
    });
}

/// MySQL 9 answers so where a statement that had a cursor is executed without one: an OK where rows are due, then silence.
#[test]
fn in_a_reply_that_never_ends() {
    if !Kind::Mysql9.is_here() {
        return;
    }
    let scene = Scene::on(Kind::Mysql9);
    let session = scene.in_mode("session");
    let mut raw = Raw::login(connect(session.address()), USER, "", BASE | DEPRECATE_EOF);
    let prepared = raw.ask(b"\x16SELECT 1");
    let id = &prepared[HEADER + 1..HEADER + 5];
    let execute = |cursor: u8| [&[0x17], id, &[cursor, 1, 0, 0, 0]].concat();
    raw.ask(&execute(1));
    raw.send_packet(0, &execute(0));
    let packets: Vec<_> = (0..3).map(|_| raw.packet()).collect();
    assert_eq!(packets[2][HEADER..], [0, 0, 0, 2, 0, 0, 0], "no row, and no end of rows");
    drop(raw);
    let mut next = enter(&session);
    next.set_patience(LIMIT);
    assert_eq!(next.value("SELECT 'served'"), "served", "{}", session.log());
}

#[test]
fn with_all_kinds_of_state() {
    everywhere(|scene| {
        for (way, leave) in WAYS {
            let mut client = enter(&scene.tidegate);
            for sql in [
                "USE crowd",
                "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
                "SET @left = 'behind', SESSION sql_mode = 'ANSI_QUOTES', time_zone = '+07:00', autocommit = 0",
                "SET NAMES latin1",
                "CREATE TEMPORARY TABLE crowd.temp_left (a INT)",
                "PREPARE left_behind FROM 'SELECT 1'",
                "SELECT GET_LOCK('left', 0)",
                "SELECT CAST('left' AS SIGNED)",
            ] {
                client.run(sql);
            }
            leave(client);
            scene.assert_clean(way);
            eventually(&format!("the lock of who {way} is free"), SOON, || {
                scene.server.sql("SELECT IS_FREE_LOCK('left')") == "1"
            });
        }
    });
}

#[test]
fn with_a_prepared_xa_transaction() {
    everywhere(|scene| {
        // MySQL 5.6 rolls it back itself.
        if scene.server.kind() != Kind::Mysql56 {
            for mode in ["session", "transaction"] {
                leave_prepared(scene, &scene.in_mode(mode));
            }
        }
    });
}

fn leave_prepared(scene: &Scene, tidegate: &Tidegate) {
    for (way, leave) in WAYS {
        let mut client = enter(tidegate);
        for sql in ["XA START 'left'", "INSERT INTO crowd.w VALUES (5)", "XA END 'left'", "XA PREPARE 'left'"] {
            client.run(sql);
        }
        leave(client);
        // As with the server itself: who leaves a prepared transaction behind finds it again.
        let mut next = enter(tidegate);
        let recovered = || next.ask("XA RECOVER").is_ok_and(|answer| answer.rows.iter().any(|row| row[3] == "left"));
        eventually(&format!("the prepared transaction of who {way} is there"), LIMIT, recovered);
        drop(next);
        let mut last = enter(tidegate);
        eventually("the prepared transaction can be ended", LIMIT, || last.ask("XA COMMIT 'left'").is_ok());
        assert_eq!(scene.server.sql("SELECT * FROM crowd.w"), "5", "{way}");
        scene.server.sql("DELETE FROM crowd.w");
    }
}

#[test]
fn a_thousand_who_vanish_leave_nothing() {
    let scene = Scene::on(Kind::MariaDb1011);
    for round in 0..1000 {
        let mut client = enter(&scene.tidegate);
        let sql = match round % 5 {
            0 => "BEGIN; UPDATE crowd.l SET a = 9",
            1 => "SELECT SLEEP(60) /* who leaves */",
            2 => "SET @left = 'behind'; CREATE TEMPORARY TABLE crowd.temp_left (a INT)",
            3 => "SELECT GET_LOCK('left', 1)",
            _ => "SELECT REPEAT('x', 5000000)",
        };
        client.start(sql).expect("a connection");
        client.vanish();
    }
    scene.assert_clean("vanishes by the thousand");
    eventually("nothing is left running", LIMIT, || running(&scene.server, "who leaves") == 0);
    eventually("nothing is left locked", LIMIT, || !scene.is_locked());
    assert_eq!(scene.server.sql("SELECT id, a FROM crowd.l"), "1\t1");
}

/// A pool of one: what one leaves behind, the next one finds.
struct Scene {
    server: Server,
    tidegate: Tidegate,
}

impl Scene {
    fn on(kind: Kind) -> Scene {
        let server = server_of(kind, &[]);
        let mut direct = Client::login(server.address(), USER, "crowd").expect("a server");
        for sql in [
            "CREATE TABLE l (id INT PRIMARY KEY, a INT) ENGINE=InnoDB",
            "INSERT INTO l VALUES (1, 1)",
            "CREATE TABLE w (a INT) ENGINE=InnoDB",
            "CREATE PROCEDURE two_steps() BEGIN INSERT INTO w SELECT SLEEP(1); INSERT INTO w SELECT SLEEP(1); END",
        ] {
            direct.run(sql);
        }
        let tidegate = crowd::tidegate(&server, 1, "pool.checkout_timeout = \"30s\"");
        Scene { server, tidegate }
    }

    /// Another one before the same server.
    fn in_mode(&self, mode: &str) -> Tidegate {
        let user = format!("[[user]]\nname = \"{USER}\"\npassword = \"\"\n");
        Tidegate::in_front_of(
            &self.server,
            &format!("pool.mode = \"{mode}\"\npool.size = 1\npool.max_overflow = 0\n{user}"),
        )
    }

    /// Whether somebody has the row.
    fn is_locked(&self) -> bool {
        let sql = "SET innodb_lock_wait_timeout = 1; SELECT a FROM crowd.l WHERE id = 1 FOR UPDATE";
        self.server.try_sql(sql).is_err()
    }

    /// The next client finds a connection as if it were new.
    fn assert_clean(&self, way: &str) {
        let state = "SELECT @left, DATABASE(), @@sql_mode, @@time_zone, @@autocommit, @@character_set_client, \
                     @@tx_isolation, LAST_INSERT_ID(), @@in_transaction";
        let state = if self.server.kind().is_mariadb() { state.to_owned() } else { mysql(self.server.kind(), state) };
        let mut next = enter(&self.tidegate);
        next.set_patience(Duration::from_secs(40));
        assert_eq!(next.rows("SHOW WARNINGS"), Vec::<Vec<String>>::new(), "after one who {way}");
        let mut direct = Client::login(self.server.address(), USER, "").expect("a server");
        assert_eq!(next.rows(&state), direct.rows(&state), "after one who {way}");
        assert_eq!(next.refused("SELECT * FROM crowd.temp_left").code, 1146, "after one who {way}");
        assert_eq!(next.refused("EXECUTE left_behind").code, 1243, "after one who {way}");
    }
}

/// What MySQL calls these variables.
fn mysql(kind: Kind, sql: &str) -> String {
    let isolation = if kind == Kind::Mysql9 { "@@transaction_isolation" } else { "@@tx_isolation" };
    sql.replace("@@tx_isolation", isolation).replace(", @@in_transaction", "")
}

fn everywhere(test: impl Fn(&Scene)) {
    for kind in [Kind::MariaDb1011, Kind::Mysql9, Kind::Mysql56] {
        if kind.is_here() {
            test(&Scene::on(kind));
        }
    }
}

/// Whoever waits for its place need not wait until the client has closed its side, too.
#[test]
fn who_was_let_go_by_the_server_leaves_its_place_at_once() {
    for kind in Kind::here() {
        let tidegate = crowd::tidegate(crowd::shared(kind), 1, "pool.checkout_timeout = \"300ms\"\n");
        let mut other = enter(&tidegate);
        for end in ["COMMIT RELEASE", "ROLLBACK AND NO CHAIN RELEASE", "KILL CONNECTION_ID()"] {
            // On a slow day a turn may take longer by itself, but not each.
            let is_free_at_once = (0..5).any(|_| {
                let mut client = enter(&tidegate);
                let _ = client.ask(end);
                other.ask("SELECT 1").is_ok()
            });
            assert!(is_free_at_once, "{kind}: behind {end}");
        }
    }
}
