//! What routines, triggers and views do behind the client's back: whoever cannot tell keeps the backend.

use super::{Pair, server};
use crate::crowd;
use crate::servers::Kind;

/// Whichever of the sources explains it.
const REASONS: &[&str] = &["unexplained_state", "user_variable", "user_lock", "temporary_table", "sql_prepare"];

/// What happens, and how its client sees that it happened.
const HIDDEN: &[(&str, &str, &str)] = &[
    ("SELECT f_sets(41)", "SELECT @from_function", "41"),
    ("CALL p_sets(42)", "SELECT @from_procedure", "42"),
    ("INSERT INTO fired (a) VALUES (43)", "SELECT @from_trigger", "43"),
    ("SELECT f_locks('hidden')", "SELECT IS_USED_LOCK('hidden') = CONNECTION_ID()", "1"),
    // Not the same within a view: neither a text nor an announcement shows it, and the README says so.
    ("CALL p_locks()", "SELECT IS_USED_LOCK('from a procedure') = CONNECTION_ID()", "1"),
    ("SELECT f_temp()", "SELECT COUNT(*) FROM from_function", "0"),
    ("CALL p_temp()", "SELECT COUNT(*) FROM from_procedure", "0"),
    ("CALL p_prepares()", "EXECUTE from_procedure", "99"),
    ("SET @s = 'SELECT 1'; PREPARE behind_a_comment FROM @s", "/* x */ EXECUTE behind_a_comment", "1"),
    ("/*!50000 CREATE TEMPORARY TABLE versioned (a INT) */", "SELECT COUNT(*) FROM versioned", "0"),
    ("SELECT 1; DO GET_LOCK('multi', 0); SELECT 2", "SELECT IS_USED_LOCK('multi') = CONNECTION_ID()", "1"),
];

#[test]
fn what_happens_out_of_sight_is_still_there_and_still_the_clients_own() {
    for kind in Kind::here() {
        for (sql, look, seen) in HIDDEN {
            let mut pair = Pair::on(server(kind));
            pair.holder.run(sql);
            // Another client wants the backend meanwhile. Whether it gets it is tidegate's affair.
            let served = pair.other.ask("SELECT 1").is_ok();
            assert_eq!(pair.holder.value(look), *seen, "{kind}: after {sql} (other served: {served})");
            pair.holder.quit();
            crate::crowd::eventually(&format!("{kind}: {sql} is over"), crate::crowd::LIMIT, || {
                pair.other.ask("SELECT 1").is_ok()
            });
            let others = pair.other.ask(look);
            let others = others.map_or("an error".into(), |answer| answer.rows.concat().concat());
            assert!(others != *seen || look.contains("fired"), "{kind}: another client sees what {sql} left: {others}");
        }
    }
}

#[test]
fn what_cannot_be_carried_pins_by_a_reason_that_is_named() {
    for kind in Kind::here() {
        for sql in ["SELECT f_locks('named')", "CALL p_temp()", "CALL p_prepares()"] {
            let mut pair = Pair::on(server(kind));
            pair.holder.run(sql);
            pair.assert_pinned(REASONS, sql);
        }
    }
}

/// MariaDB looks into views of other schemas for them, and announces that it did.
#[test]
fn what_asks_the_server_about_itself_pins_nobody() {
    for kind in Kind::here() {
        let server = server(kind);
        server.sql("CREATE DATABASE IF NOT EXISTS looked_into");
        server.sql("CREATE OR REPLACE VIEW looked_into.v AS SELECT 1 AS a");
        let mut pair = Pair::on(server);
        for sql in [
            "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = 'looked_into'",
            "SELECT EXISTS (SELECT 1 FROM information_schema.columns c, information_schema.tables AS t
             WHERE c.table_name = t.table_name AND t.table_schema = 'looked_into')",
            "SHOW TABLE STATUS FROM looked_into",
            "SHOW FULL COLUMNS FROM v FROM looked_into",
        ] {
            pair.holder.run(sql);
            pair.assert_shared(sql);
        }
    }
}

#[test]
fn the_servers_own_functions_pin_nobody() {
    for kind in Kind::here() {
        let mut pair = Pair::on(server(kind));
        for sql in [
            "SELECT NOW(), RAND(), CONCAT('a', 'b'), COUNT(*), MAX(a) FROM t",
            "SELECT VERSION(), USER(), DATABASE(), CONNECTION_ID(), UUID()",
            "SELECT @@version_comment LIMIT 1",
            "SELECT 'GET_LOCK(1, 2)', \"CREATE TEMPORARY TABLE x\" /* HANDLER t OPEN */ -- PREPARE p FROM 'x'",
            "SHOW TABLES",
            "EXPLAIN SELECT * FROM t",
            "SET @a = 1, @b = 'x', NAMES utf8",
            "UPDATE t SET a = a",
        ] {
            pair.holder.run(sql);
            pair.assert_shared(sql);
        }
        assert_eq!(pair.holder.rows("SELECT @a, @b"), [["1", "x"]], "{kind}");
    }
}

/// Whatever a stored program's body says, it has not run where it is made.
#[test]
fn programs_are_made_and_pin_nobody() {
    const MADE: &[&str] = &[
        "CREATE TABLE made (a INT, b INT)",
        "CREATE TRIGGER m1 AFTER UPDATE ON made FOR EACH ROW BEGIN DELETE FROM made WHERE a = 1; SET @x = 1; END",
        "CREATE PROCEDURE m2() BEGIN SELECT GET_LOCK('a', 1); CREATE TEMPORARY TABLE t (a INT); END",
        "CREATE FUNCTION m3() RETURNS INT DETERMINISTIC BEGIN DECLARE x INT; SET x = 1; RETURN x; END",
        "CREATE EVENT m4 ON SCHEDULE EVERY 1 DAY DO BEGIN DELETE FROM made; SET @x = 1; END",
        "ALTER EVENT m4 DO BEGIN DELETE FROM made; CALL m2(); END",
        "/*!50003 CREATE*/ /*!50017 DEFINER=CURRENT_USER*/ /*!50003 TRIGGER m5 BEFORE DELETE ON made FOR EACH ROW BEGIN SET @x = 1; SET @y = 2; END */",
        "DROP TABLE made",
        "DROP EVENT m4",
        "DROP FUNCTION m3",
        "DROP PROCEDURE m2",
    ];
    for kind in Kind::here() {
        let server = crowd::server_of(kind, &[]);
        let tidegate = crowd::tidegate(&server, 1, "pool.checkout_timeout = \"300ms\"\n");
        let [mut maker, mut other] = [(); 2].map(|()| crowd::enter(&tidegate));
        maker.run("USE crowd");
        for made in MADE {
            maker.run(made);
            // MySQL 5.6 announces nothing, and what stands in an executable comment may be anything there.
            if kind != Kind::Mysql56 || !made.starts_with("/*!") {
                assert_eq!(other.value("SELECT 'served'"), "served", "{kind}: {made}");
            }
        }
    }
}
