//! Holds: kept while nobody waits, given up for who does, and nothing is lost by it.

use super::{Pair, server};
use crate::servers::Kind;

/// A statement, the question about it, and the answer.
const ASKED_LATER: &[(&str, &str, &[&str])] = &[
    ("SELECT CAST('7x' AS SIGNED)", "SELECT @@warning_count", &["1"]),
    ("SELECT CAST('7x' AS SIGNED)", "SHOW COUNT(*) WARNINGS", &["1"]),
    ("SELECT SQL_CALC_FOUND_ROWS a FROM numbers LIMIT 1", "SELECT FOUND_ROWS()", &["3"]),
    ("SELECT a FROM numbers LIMIT 2", "SELECT FOUND_ROWS()", &["2"]),
    ("UPDATE numbers SET a = a + 10", "SELECT ROW_COUNT()", &["3"]),
    ("SELECT a FROM numbers", "SELECT ROW_COUNT()", &["-1"]),
    ("INSERT INTO ids (a) VALUES (7), (8)", "SELECT a FROM ids WHERE id = LAST_INSERT_ID()", &["7"]),
    ("INSERT INTO ids (id, a) VALUES (1000, 9)", "SELECT LAST_INSERT_ID() = 1000", &["0"]),
    ("UPDATE ids SET a = LAST_INSERT_ID(55) LIMIT 1", "SELECT LAST_INSERT_ID()", &["55"]),
    ("SELECT @v := a * 7 FROM numbers LIMIT 1", "SELECT @v", &["7"]),
    ("SELECT 5, 'x' INTO @v, @w", "SELECT @v, @w", &["5", "x"]),
    ("SET @v = (SELECT COUNT(*) FROM numbers)", "SELECT @v", &["3"]),
    ("SET @a = 1, @b = NULL, @c = 1.50, @d = x'00FF'", "SELECT @a, @b, @c, HEX(@d)", &["1", "NULL", "1.50", "00FF"]),
];

#[test]
fn each_is_given_up_for_who_waits_and_answered_rightly_afterwards() {
    for kind in Kind::here() {
        let mut pair = Pair::on(server(kind));
        let schema = format!("holds_{}", std::process::id());
        pair.holder.run(&format!("CREATE DATABASE {schema}"));
        pair.holder.run(&format!("USE {schema}"));
        for (sql, question, answer) in ASKED_LATER {
            pair.holder.run("DROP TABLE IF EXISTS numbers, ids");
            pair.holder.run("CREATE TABLE numbers (a INT)");
            pair.holder.run("INSERT INTO numbers VALUES (1), (2), (3)");
            pair.holder.run("CREATE TABLE ids (id INT AUTO_INCREMENT PRIMARY KEY, a INT)");
            pair.holder.run("INSERT INTO ids (a) VALUES (1)");
            pair.holder.run(sql);
            pair.assert_shared(&format!("after {sql}"));
            // What the other left behind is its own.
            pair.other.run("SELECT CAST('other' AS SIGNED), LAST_INSERT_ID(999), @v := 'other', @w := 'other'");
            assert_eq!(pair.holder.rows(question), [*answer], "{kind}: {question} after {sql}");
        }
        pair.holder.run(&format!("DROP DATABASE {schema}"));
    }
}

#[test]
fn a_role_goes_along() {
    let server = server(Kind::MariaDb1011);
    server.sql(&format!(
        "CREATE ROLE IF NOT EXISTS pinned_role; GRANT pinned_role TO {user}@'%'",
        user = crate::crowd::USER
    ));
    let mut pair = Pair::on(server);
    pair.holder.run("SET ROLE pinned_role");
    pair.assert_shared("after SET ROLE");
    assert_eq!(pair.other.value("SELECT CURRENT_ROLE()"), "NULL");
    assert_eq!(pair.holder.value("SELECT CURRENT_ROLE()"), "pinned_role");
}

#[test]
fn warnings_in_full_and_in_any_form() {
    for kind in Kind::here() {
        let mut pair = Pair::on(server(kind));
        pair.holder.run("SELECT CAST('1x' AS SIGNED), CAST('2x' AS SIGNED), CAST('3x' AS SIGNED)");
        let mut direct =
            crate::crowd::Client::login(server(kind).address(), crate::crowd::USER, "pins").expect("a server");
        direct.run("SELECT CAST('1x' AS SIGNED), CAST('2x' AS SIGNED), CAST('3x' AS SIGNED)");
        for question in [
            "SHOW WARNINGS",
            "SHOW WARNINGS LIMIT 1, 1",
            "show /* all */ warnings",
            "SHOW COUNT(*) WARNINGS",
            "SHOW ERRORS",
        ] {
            pair.assert_shared(question);
            pair.other.run("SELECT CAST('others' AS SIGNED)");
            assert_eq!(pair.holder.rows(question), direct.rows(question), "{kind}: {question}");
        }
    }
}

/// What a client sets LAST_INSERT_ID() to is its own, also where another client's on the backend was the same before.
#[test]
fn an_insert_id_that_was_another_clients_already() {
    for kind in Kind::here() {
        let mut pair = Pair::on(server(kind));
        for sets in ["SET last_insert_id = 77", "SELECT LAST_INSERT_ID(77)", "DO LAST_INSERT_ID(77)"] {
            pair.other.run("SET last_insert_id = 77");
            assert_eq!(pair.other.value("SELECT LAST_INSERT_ID()"), "77", "{kind}");
            pair.holder.run("SET last_insert_id = 5");
            pair.assert_shared("after a SET");
            assert_eq!(pair.holder.value("SELECT LAST_INSERT_ID()"), "5", "{kind}");
            assert_eq!(pair.other.value("SELECT LAST_INSERT_ID()"), "77", "{kind}");
            pair.holder.run(sets);
            pair.assert_shared("after it was set");
            assert_eq!(pair.holder.value("SELECT LAST_INSERT_ID()"), "77", "{kind}: {sets}");
        }
        // None at all is one, too.
        let schema = format!("ids_{}", std::process::id());
        for sql in [&format!("CREATE DATABASE {schema}"), &format!("USE {schema}"), "CREATE TABLE t (id INT UNIQUE)"] {
            pair.holder.run(sql);
        }
        pair.holder.run("INSERT INTO t VALUES (1)");
        pair.holder.run("SET last_insert_id = 5");
        pair.assert_shared("after a SET");
        pair.other.run("SET last_insert_id = 0");
        assert_eq!(pair.other.value("SELECT LAST_INSERT_ID()"), "0", "{kind}");
        pair.holder.run("INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE id = id + LAST_INSERT_ID(0)");
        pair.assert_shared("after an INSERT");
        assert_eq!(pair.holder.value("SELECT LAST_INSERT_ID()"), "0", "{kind}");
        pair.holder.run(&format!("DROP DATABASE {schema}"));
    }
}
