//! Stored procedures and functions whose text is harmless keep no backend from others; all others do.

use std::time::Duration;

use super::Pair;
use crate::crowd::{self, Client, account};
use crate::servers::{Kind, Server};

const USER: &str = "caller";
/// How old a routine must be, in seconds: it must have been there, as it is, when it was called.
const OLD: &str = "SELECT MIN(TIMESTAMPDIFF(SECOND, last_altered, SYSDATE())) >= 4 FROM information_schema.routines \
                   WHERE routine_schema = 'programs'";

const MAKE: &[&str] = &[
    "CREATE DATABASE programs",
    "CREATE TABLE programs.t (id INT AUTO_INCREMENT PRIMARY KEY, a INT) ENGINE=InnoDB",
    "CREATE TABLE programs.fired (a INT) ENGINE=InnoDB",
    "CREATE TRIGGER programs.fires BEFORE INSERT ON programs.fired FOR EACH ROW SELECT NEW.a INTO @fired",
    "INSERT INTO programs.t (a) VALUES (1), (2), (3)",
    "CREATE FUNCTION programs.plus(x INT) RETURNS INT DETERMINISTIC COMMENT 'it''s; SET @a = 1' RETURN x + 1",
    "CREATE FUNCTION programs.counted(x INT) RETURNS INT READS SQL DATA BEGIN DECLARE n INT; \
     SELECT COUNT(*) INTO n FROM t WHERE a < x; SET n := plus(n), x = 0; RETURN programs.plus(n); END",
    "CREATE PROCEDURE programs.total(IN x INT, OUT y INT) BEGIN DECLARE done, v INT DEFAULT 0; \
     DECLARE c CURSOR FOR SELECT a FROM t; DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1; SET y = 0; OPEN c; \
     l: LOOP FETCH c INTO v; IF done THEN LEAVE l; END IF; SET y = y + v * x; END LOOP; CLOSE c; SELECT y AS total; END",
    "CREATE PROCEDURE programs.writes(IN x INT) BEGIN START TRANSACTION; INSERT INTO t (a) VALUES (x); \
     DELETE FROM t WHERE a = x; COMMIT; INSERT INTO t (a) VALUES (x); DELETE FROM t WHERE a = x; END",
    "CREATE PROCEDURE programs.fails() SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'on purpose'",
    "CREATE PROCEDURE programs.locks() DO GET_LOCK('routines', 0)",
    "CREATE PROCEDURE programs.locks_behind_an_escape() SELECT 'a\\'b', GET_LOCK('routines', 0), 'c'",
    "CREATE PROCEDURE programs.locks_within() BEGIN IF 1 THEN CALL locks(); END IF; END",
    "CREATE PROCEDURE programs.keeps() SELECT 1 INTO @kept",
    "CREATE PROCEDURE programs.fires_it() INSERT INTO fired VALUES (1)",
    "CREATE PROCEDURE programs.sets() SET group_concat_max_len = 77",
    "CREATE FUNCTION programs.f_locks() RETURNS INT NO SQL RETURN GET_LOCK('routines', 0)",
    "CREATE VIEW programs.locking AS SELECT programs.f_locks() AS a",
    "CREATE PROCEDURE programs.reads_a_view() SELECT MAX(a) FROM `locking`",
    "CREATE DATABASE other_programs",
    "CREATE FUNCTION other_programs.f_locks() RETURNS INT NO SQL RETURN 1",
    "CREATE PROCEDURE programs.will_be_another() DO GET_LOCK('another', 0)",
];

/// What holds on with each of them: the statement, what its client looks at, and what that one sees.
const HARMFUL: &[(&str, &str, &str)] = &[
    ("CALL locks()", "SELECT IS_USED_LOCK('routines') = CONNECTION_ID()", "1"),
    ("CALL locks_behind_an_escape()", "SELECT IS_USED_LOCK('routines') = CONNECTION_ID()", "1"),
    ("CALL locks_within()", "SELECT IS_USED_LOCK('routines') = CONNECTION_ID()", "1"),
    ("CALL reads_a_view()", "SELECT IS_USED_LOCK('routines') = CONNECTION_ID()", "1"),
    ("CALL keeps()", "SELECT @kept", "1"),
    ("CALL fires_it()", "SELECT @fired", "1"),
];

fn server(kind: Kind) -> &'static Server {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let server = crowd::shared(kind);
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    account(server, crowd::USER, "ALL ON *.*");
    if server.sql("SHOW DATABASES LIKE 'programs'") != "programs" {
        let mut client = Client::login(server.address(), crowd::USER, "").expect("a server");
        MAKE.iter().for_each(|sql| drop(client.run(sql)));
        account(server, USER, "SELECT, EXECUTE ON programs.*");
    }
    crowd::eventually("the routines are of some age", crowd::LIMIT, || server.sql(OLD) == "1");
    server
}

/// The one before may still have it.
fn await_lock(kind: Kind) {
    let is_free = || server(kind).sql("SELECT IS_FREE_LOCK('routines')") == "1";
    crowd::eventually("nobody has the lock", crowd::LIMIT, is_free);
}

fn pair(kind: Kind) -> Pair {
    let mut pair = Pair::on(server(kind));
    pair.holder.run("USE programs");
    pair
}

#[test]
fn what_is_harmless_keeps_nobody_waiting() {
    for kind in Kind::here() {
        super::make(crowd::shared(kind));
        let mut pair = pair(kind);
        for (sql, expected) in [
            ("SELECT plus(41)", "42"),
            ("SELECT counted(3), programs.plus(0)", "4"),
            ("CALL total(2, @sum)", ""),
            ("SELECT @sum + 0", "12"),
            ("SET @sum = 7", ""),
            ("CALL total(3, @sum)", ""),
            ("SELECT @sum + 0", "18"),
            ("UPDATE t SET a = plus(a) - 1 WHERE a > counted(90)", ""),
        ] {
            let rows = pair.holder.run(sql).rows;
            assert_eq!(rows.first().map_or("", |row| &row[0]), expected, "{kind}: {sql}");
            pair.assert_shared(&format!("after {sql}"));
            // What it was told by a procedure is its own.
            assert_eq!(pair.other.value("SELECT COALESCE(@sum, 'none')"), "none", "{kind}: after {sql}");
        }
        pair.holder.run("CALL writes(50)");
        pair.assert_shared("after two inserts");
        let id: u64 = pair.holder.value("SELECT LAST_INSERT_ID()").parse().expect("an id");
        assert!(id > 3, "{kind}: {id}");
        assert_eq!(pair.holder.refused("CALL fails()").code, 1644, "{kind}");
        pair.assert_shared("after an error");
        let errors = pair.holder.rows("SHOW ERRORS");
        assert_eq!(errors, [["Error", "1644", "on purpose"]], "{kind}");
        let statement = pair.holder.prepare("SELECT CONCAT(plus(?))").expect("a statement");
        assert_eq!(pair.holder.execute(statement, &["6"]).expect("a row").rows, [["7"]], "{kind}");
        pair.assert_shared("after an execution");
        pair.holder.run("BEGIN");
        pair.holder.run("SELECT plus(1)");
        pair.assert_pinned(&["transaction"], "in a transaction");
        pair.holder.run("COMMIT");
        pair.assert_shared("after the transaction");
    }
}

#[test]
fn what_leaves_something_behind_is_its_clients_alone() {
    for kind in Kind::here() {
        super::make(crowd::shared(kind));
        for (sql, look, seen) in HARMFUL {
            let mut pair = pair(kind);
            await_lock(kind);
            pair.holder.run(sql);
            pair.assert_pinned(&["unexplained_state", "user_variables"], sql);
            assert_eq!(pair.holder.value(look), *seen, "{kind}: after {sql}");
        }
        // A prepared statement's names are those of the schema that it was prepared in.
        let mut pair = self::pair(kind);
        await_lock(kind);
        let statement = pair.holder.prepare("SELECT CONCAT(f_locks())").expect("a statement");
        pair.holder.run("USE other_programs");
        assert_eq!(pair.holder.execute(statement, &[]).expect("a row").rows, [["1"]], "{kind}");
        pair.assert_pinned(&["unexplained_state"], "an execution in another schema");
        assert_eq!(pair.holder.value("SELECT IS_USED_LOCK('routines') = CONNECTION_ID()"), "1", "{kind}");
        let mut pair = self::pair(kind);
        pair.holder.run("CALL sets()");
        // Either way it is its own.
        let other = pair.other.ask("SELECT @@group_concat_max_len = 77");
        assert!(other.is_err() || other.is_ok_and(|answer| answer.rows == [["0"]]), "{kind}");
        assert_eq!(pair.holder.value("SELECT @@group_concat_max_len = 77"), "1", "{kind}");
    }
}

#[test]
fn nobody_takes_another_text_for_the_one_that_ran() {
    for kind in Kind::here() {
        super::make(crowd::shared(kind));
        let server = server(kind);
        let mut pair = pair(kind);
        pair.holder.run("CALL will_be_another()");
        let mut maker = Client::login(server.address(), crowd::USER, "programs").expect("a server");
        maker.run("DROP PROCEDURE will_be_another");
        maker.run("CREATE PROCEDURE will_be_another() SELECT 1");
        std::thread::sleep(Duration::from_millis(1_200));
        pair.assert_pinned(&["unexplained_state"], "after its procedure was made anew");
        assert_eq!(pair.holder.value("SELECT IS_USED_LOCK('another') = CONNECTION_ID()"), "1", "{kind}");
        maker.run("DROP PROCEDURE will_be_another");
        maker.run("CREATE PROCEDURE will_be_another() DO GET_LOCK('another', 0)");
    }
}

#[test]
fn who_cannot_read_a_text_keeps_the_backend() {
    for kind in Kind::here() {
        super::make(crowd::shared(kind));
        let mut direct = Client::login(server(kind).address(), USER, "programs").expect("a server");
        let mut pair = pair(kind);
        let address = pair.tidegate.address();
        pair.holder = Client::login(address, USER, "programs").expect("a login");
        // To look in vain leaves the errors as they were, which some statements of MySQL 5.6 do, too.
        assert_eq!(pair.holder.refused("CALL fails()").code, direct.refused("CALL fails()").code, "{kind}");
        pair.assert_pinned(&["unexplained_state"], "who may only call it");
        for sql in ["SELECT IS_FREE_LOCK('nobody has it')", "SHOW WARNINGS"] {
            assert_eq!(pair.holder.rows(sql), direct.rows(sql), "{kind}: {sql}");
        }
        let mut pair = self::pair(kind);
        pair.holder = Client::login(pair.tidegate.address(), USER, "programs").expect("a login");
        assert_eq!(pair.holder.value("SELECT plus(1)"), "2", "{kind}");
        pair.assert_pinned(&["unexplained_state"], "who may only execute it");
        let mut pair = self::pair(kind);
        pair.holder.run("SET autocommit = 0");
        assert_eq!(pair.holder.value("SELECT plus(1)"), "2", "{kind}");
        pair.assert_pinned(&["unexplained_state"], "without autocommit");
        assert_eq!(pair.holder.run("DO 0").status & 1, 0, "{kind}: no transaction has begun");
    }
}
