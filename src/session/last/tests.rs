use super::found_rows::{Found, Unchanged};
use super::*;

pub(super) const MARIADB: Dialect = Dialect { mariadb: true, version: 101_119, ..Dialect::PLAIN };
pub(super) const MYSQL: Dialect = Dialect { mariadb: false, version: 90_704, ..MARIADB };

fn set(rows: u64) -> Facts {
    Facts { rows, ..Facts::default() }
}

fn ok(affected: u64) -> Facts {
    Facts { affected, last_affected: Some(affected), ..Facts::default() }
}

fn after(last: &mut Last, sql: &str, dialect: Dialect, facts: Facts) -> (Option<i64>, Option<u64>) {
    last.after(&Ran::new(sql.as_bytes(), dialect, &facts));
    (last.row_count, last.found_rows)
}

#[test]
fn a_reply_tells_most() {
    let mut last = Last::fresh();
    assert_eq!(after(&mut last, "SELECT a FROM t LIMIT 2", MARIADB, set(2)), (Some(-1), Some(2)));
    assert_eq!(after(&mut last, "UPDATE t SET a = 1", MARIADB, ok(7)), (Some(7), Some(2)));
    assert_eq!(after(&mut last, "DELETE FROM t WHERE a = 1", MYSQL, ok(7)), (Some(7), Some(2)));
    assert_eq!(after(&mut last, "UPDATE t SET a = 1", MYSQL, ok(7)), (Some(7), None));
    assert_eq!(after(&mut last, "SELECT a FROM t LIMIT 2, 2", MARIADB, set(2)), (Some(-1), None));
    assert_eq!(after(&mut last, "SELECT min(a) FROM t", MARIADB, set(1)), (Some(-1), None));
    assert_eq!(after(&mut last, "CALL p()", MARIADB, ok(0)), (None, None));
    assert_eq!(last.unread(), Hold::ALL[..4].iter().copied().collect());
}

#[test]
fn a_statement_that_was_refused_counts_no_rows() {
    for (sql, code, expected) in [
        ("SELECT SQL_CALC_FOUND_ROWS a FROM t LIMIT 2", 1046, Some(3)),
        ("SELECT SQL_CALC_FOUND_ROWS a FROM t LIMIT 2", 1242, None),
        ("SELECT CONVERT('x' USING nosuch)", 1115, Some(3)),
        ("EXECUTE nosuch", 1243, Some(3)),
        ("EXECUTE some", 1062, None),
        ("CALL executes_nosuch()", 1243, None),
        ("SELECT SQL_CALC_FOUND_ROWS a FROM t LIMIT 2", 0, None),
    ] {
        let mut last = Last { found_rows: Some(3), ..Last::fresh() };
        let facts = Facts { error: (code > 0).then_some(code), ..Facts::default() };
        assert_eq!(after(&mut last, sql, MARIADB, facts).1, expected, "{sql}: {code}");
    }
}

#[test]
fn a_show_counts_its_rows_or_none() {
    for (sql, expected) in [
        ("SHOW FULL TABLES", Some(2)),
        ("SHOW SESSION VARIABLES LIKE 'a'", Some(2)),
        ("SHOW /* of t */ TABLE STATUS", Some(2)),
        ("SHOW CREATE TABLE t", Some(9)),
        ("SHOW FULL PROCESSLIST", Some(9)),
        ("SHOW REPLICA STATUS", Some(9)),
        ("SHOW EXPLAIN FOR 1", None),
        ("SHOW /*!50000 FULL */ TABLES", None),
    ] {
        let mut last = Last { found_rows: Some(9), ..Last::fresh() };
        assert_eq!(after(&mut last, sql, MARIADB, set(2)).1, expected, "{sql}");
    }
}

#[test]
fn what_was_left_as_it_was_is_the_clients_own() {
    let done = Facts::default();
    let unchanged = Unchanged::new(Found::Untold, Some(3), Some(8), &done).expect("another's stands there");
    assert_eq!((unchanged.own(8), unchanged.own(5)), (3, 5));
    // The same, unknown, or what most statements find: nothing can be told.
    for (own, there) in [(Some(3), Some(3)), (Some(3), None), (None, Some(3)), (Some(3), Some(1))] {
        assert_eq!(Unchanged::new(Found::Untold, own, there, &done), None, "{own:?} {there:?}");
    }
    // One that waited for a lock in vain found none, whatever stands there.
    let failed = Facts { error: Some(1205), ..Facts::default() };
    let unchanged = Unchanged::new(Found::Untold, Some(3), Some(1), &failed).expect("another's stands there");
    assert_eq!((unchanged.own(1), unchanged.own(0)), (3, 0));
    assert_eq!(Unchanged::new(Found::Untold, Some(3), Some(0), &failed), None);
    // What it changed it had found.
    let changed = Facts { last_affected: Some(8), ..Facts::default() };
    assert_eq!(Unchanged::new(Found::Untold, Some(3), Some(8), &changed), None);
    // An UPDATE that found no row has counted none, or nothing.
    let unchanged = Unchanged::new(Found::NoneOrKept, Some(3), Some(1), &done).expect("another's stands there");
    assert_eq!((unchanged.own(1), unchanged.own(0)), (3, 0));
    assert_eq!(Found::NoneOrKept.after(Some(0)), Some(0));
    assert_eq!(Found::NoneOrKept.after(Some(3)), None);
    // One that has counted may have counted as many as stood there.
    assert_eq!(Unchanged::new(Found::Counted, Some(3), Some(8), &done), None);
}

#[test]
fn what_may_keep_the_count_or_find_any_has_the_clients_own_there_first() {
    let keeps = |sql: &str| found_rows::may_keep(&summary(sql.as_bytes(), MARIADB));
    let copies = ["CREATE TABLE n SELECT a FROM t", "INSERT INTO n SELECT a FROM t", "SET @a = (SELECT a FROM t)"];
    let counts = ["SELECT SQL_CALC_FOUND_ROWS a FROM t LIMIT 1 INTO @a"];
    for sql in ["CALL p()", "SELECT 1; SELECT 2", "EXECUTE p"].iter().chain(&copies).chain(&counts) {
        assert!(keeps(sql), "{sql}");
    }
    for sql in ["SELECT a FROM t", "UPDATE t SET a = 1", "SHOW WARNINGS", "SET @a = 1", "COMMIT", ""] {
        assert!(!keeps(sql), "{sql}");
    }
    for (own, rows) in [(0, 0), (1, 1), (17, 17), (1000, 1000), (1001, 997)] {
        assert_eq!(found_rows::plant(own).1, rows);
    }
}

#[test]
fn warnings_outlive_statements_without_tables_on_mariadb() {
    let mut last = Last::fresh();
    let warned = Facts { warnings: 3, ..set(1) };
    for (dialect, sql, kept) in [
        (MARIADB, "SET @a = 1", true),
        (MARIADB, "SELECT 1 FROM dual", true),
        (MARIADB, "SELECT 1 FROM t", false),
        (MYSQL, "SET @a = 1", false),
        (MYSQL, "SHOW WARNINGS", true),
    ] {
        after(&mut last, "SELECT 'x' + 1", dialect, warned);
        assert_eq!(last.diagnostics, Diagnostics::Unread { warnings: Some(3) });
        after(&mut last, sql, dialect, if sql.starts_with("SET") { ok(0) } else { set(1) });
        assert_eq!(last.diagnostics != Diagnostics::None, kept, "{sql}");
    }
}

#[test]
fn answers_are_taken_in() {
    let text = |value: &str| Some(value.as_bytes().to_vec());
    let mut last = Last { row_count: None, diagnostics: Diagnostics::Unread { warnings: None }, ..Last::fresh() };
    let holds = last.unread();
    assert_eq!(questions(holds).len(), 4);
    let warnings = vec![vec![text("Error"), text("1146"), text("no")], vec![text("Note"), text("1003"), text("so")]];
    let numbers = vec![vec![text("-1"), text("utf8mb4"), text("2"), text("1")]];
    last.take(holds, &[vec![], warnings, numbers, vec![]]).expect("answers");
    assert_eq!(last.row_count, Some(-1));
    let saved = last.saved().expect("saved");
    assert_eq!((saved.warnings, saved.errors, saved.conditions.len()), (2, 1, 2));
    assert!(last.unread().is_empty());
    assert_eq!(last.take(holds, &[]), Err(Malformed));
}

#[test]
fn the_server_counts_what_it_did_not_keep() {
    let text = |value: &str| Some(value.as_bytes().to_vec());
    for (rows, warnings, errors) in [(vec![], "1", "1"), (vec![vec![text("Error"), text("1054"), text("x")]], "3", "1")]
    {
        let mut last = Last { diagnostics: Diagnostics::Unread { warnings: None }, ..Last::fresh() };
        let numbers = vec![vec![None, text(warnings), text(errors)]];
        last.take(last.unread(), &[rows.clone(), numbers]).expect("answers");
        let saved = last.saved().expect("saved");
        assert_eq!((saved.conditions.len(), saved.warnings, saved.errors), (rows.len(), warnings.parse().unwrap(), 1));
    }
}

#[test]
fn what_nobody_counts_is_too_much() {
    let text = |value: &str| Some(value.as_bytes().to_vec());
    let row = |level: &str| vec![text(level), text("1292"), text("x")];
    let cases =
        [(Some(2), "Error", Some(2)), (Some(9), "Warning", Some(9)), (Some(9), "Error", None), (None, "Warning", None)];
    for (told, level, expected) in cases {
        let unread = Diagnostics::Unread { warnings: told };
        let mut last = Last { found_rows: None, diagnostics: unread, ..Last::fresh() };
        let numbers = vec![vec![text("7"), None, text("2")]];
        last.take(last.unread(), &[vec![row("Warning"), row(level)], numbers]).expect("answers");
        assert_eq!(last.saved().map(|saved| saved.warnings), expected, "{told:?} {level}");
        assert_eq!(last.diagnostics == Diagnostics::TooMuch, expected.is_none(), "{told:?} {level}");
    }
}

#[test]
fn as_many_warnings_are_kept_as_a_server_keeps() {
    let text = |value: &str| Some(value.as_bytes().to_vec());
    let mut last = Last { diagnostics: Diagnostics::Unread { warnings: Some(5000) }, ..Last::fresh() };
    let rows = vec![vec![text("Warning"), text("1265"), text(&"x".repeat(511))]; 1024];
    last.take(last.unread(), &[rows, vec![vec![None, text("5000"), text("0")]]]).expect("answers");
    assert_eq!(last.saved().map(|saved| (saved.warnings, saved.conditions.len())), Some((5000, 1024)));
}

#[test]
fn what_makes_no_table_keeps_warnings_on_mariadb() {
    for (sql, kept) in [
        ("CREATE DATABASE d", true),
        ("DROP SCHEMA IF EXISTS d", true),
        ("CREATE OR REPLACE PROCEDURE p() BEGIN DROP TABLE t; END", true),
        ("CREATE FUNCTION f() RETURNS INT RETURN 1", true),
        ("DROP USER u", true),
        ("UNLOCK TABLES", true),
        ("-- nothing", true),
        ("CREATE TABLE t (i INT)", false),
        ("CREATE VIEW v AS SELECT database()", false),
        ("LOCK TABLES t READ", false),
    ] {
        let mut last = Last::fresh();
        last.diagnostics = Diagnostics::Saved(Box::new(Saved { warnings: 1, ..Saved::default() }));
        after(&mut last, sql, MARIADB, ok(0));
        assert_eq!(last.diagnostics != Diagnostics::None, kept, "{sql}");
    }
}

#[test]
fn a_load_tells_no_id() {
    let mut last = Last { last_insert_id: Some(7), ..Last::fresh() };
    after(&mut last, "UPDATE t SET a = 1", MARIADB, ok(3));
    assert_eq!(last.last_insert_id, Some(7));
    for sql in ["LOAD DATA LOCAL INFILE 'f' INTO TABLE t", "LOAD DATA INFILE 'f' INTO TABLE t; DO 1"] {
        let mut last = last.clone();
        after(&mut last, sql, MYSQL, ok(3));
        assert_eq!(last.last_insert_id, None, "{sql}");
    }
}

#[test]
fn several_that_read_make_no_id() {
    let refused = || Facts { rows: 1, error: Some(1146), ..Facts::default() };
    for (sql, expected) in [
        ("SELECT 1; SELECT * FROM nosuch; SELECT 3", Some(7)),
        ("SELECT 1; INSERT INTO t VALUES (1)", None),
        ("SELECT 1; SELECT LAST_INSERT_ID(5)", None),
        ("SELECT 1; CALL p()", None),
        ("SELECT 1; SELECT f()", None),
    ] {
        let mut last = Last { last_insert_id: Some(7), ..Last::fresh() };
        after(&mut last, sql, MARIADB, refused());
        assert_eq!(last.last_insert_id, expected, "{sql}");
    }
}
