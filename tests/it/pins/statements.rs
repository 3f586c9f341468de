//! Pins that a statement begins and another ends.

use super::{Pair, server};
use crate::crowd;
use crate::servers::{Kind, Server};

type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

/// On every server, and harmless to who shares it.
const EVERYWHERE: &[Row] = &[
    ("transaction", &["BEGIN"], &["COMMIT"]),
    ("transaction", &["START TRANSACTION READ ONLY"], &["ROLLBACK"]),
    ("transaction", &["/* a */ begin /* b */ work"], &["SET autocommit = 1", "CREATE TABLE IF NOT EXISTS ddl (a INT)"]),
    ("transaction", &["SET autocommit = 0", "SELECT COUNT(*) FROM t"], &["COMMIT", "SET autocommit = 1"]),
    ("transaction", &["BEGIN", "INSERT INTO t (a) VALUES (4)"], &["ROLLBACK"]),
    ("transaction", &["BEGIN"], &["COMMIT AND CHAIN", "COMMIT"]),
    ("transaction", &["SELECT 1; BEGIN"], &["COMMIT; SELECT 1"]),
    ("next_transaction", &["SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"], &["BEGIN", "SELECT a FROM t", "COMMIT"]),
    ("xa|transaction", &["XA START 'pins1'"], &["XA END 'pins1'", "XA ROLLBACK 'pins1'"]),
    (
        "xa|transaction",
        &["XA START 'pins2'", "SELECT a FROM t"],
        &["XA END 'pins2'", "XA PREPARE 'pins2'", "XA COMMIT 'pins2'"],
    ),
    ("table_locks", &["LOCK TABLES t READ"], &["UNLOCK TABLES"]),
    ("global_lock|table_locks", &["FLUSH TABLES fired WITH READ LOCK"], &["UNLOCK TABLES"]),
    ("global_lock|table_locks", &["FLUSH TABLES fired FOR EXPORT"], &["UNLOCK TABLES"]),
    ("user_lock", &["SELECT GET_LOCK('pins1', 0)"], &["SELECT RELEASE_LOCK('pins1')"]),
    ("user_lock", &["DO get_lock /* by another spelling */ ('pins2', 0)"], &["DO RELEASE_LOCK('pins2')"]),
    ("temporary_table", &["CREATE TEMPORARY TABLE tmp (a INT)"], &["DROP TEMPORARY TABLE tmp"]),
    ("temporary_table", &["CREATE TEMPORARY TABLE t2 SELECT * FROM t"], &["DROP TABLE t2"]),
    ("sql_prepare", &["PREPARE p FROM 'SELECT 1'"], &["EXECUTE p", "DEALLOCATE PREPARE p"]),
    ("sql_prepare", &["PREPARE p FROM 'SELECT 1'", "PREPARE p FROM 'SELECT 2'"], &["DROP PREPARE p"]),
    (
        "frozen",
        &["SET insert_id = 9012345"],
        &[
            "INSERT INTO t (id, a) VALUES (9012344, 1)",
            "INSERT INTO t (a) VALUES (1)",
            "DELETE FROM t WHERE id > 9000000",
        ],
    ),
    ("handler", &["HANDLER t OPEN"], &["HANDLER t READ FIRST", "HANDLER t CLOSE"]),
    ("handler", &["HANDLER t OPEN AS other_name"], &["HANDLER other_name CLOSE"]),
];

const MARIADB: &[Row] = &[
    ("table_locks", &["lock table t read local"], &["BEGIN", "COMMIT"]),
    ("user_lock", &["SELECT GET_LOCK('a1', 0), GET_LOCK('a2', 0)"], &["SELECT RELEASE_ALL_LOCKS()"]),
    ("temporary_table", &["CREATE OR REPLACE TEMPORARY TABLE tmp (a INT)"], &["DROP TEMPORARY TABLE tmp"]),
    ("transaction", &["START TRANSACTION WITH CONSISTENT SNAPSHOT"], &["COMMIT"]),
];

const MYSQL9: &[Row] = &[
    ("table_locks", &["lock table t read local"], &["BEGIN", "COMMIT"]),
    ("user_lock", &["SELECT GET_LOCK('b1', 0), GET_LOCK('b2', 0)"], &["SELECT RELEASE_ALL_LOCKS()"]),
    ("global_lock", &["LOCK INSTANCE FOR BACKUP"], &["UNLOCK INSTANCE"]),
];

/// These stop the whole server.
const ALONE: &[Row] = &[
    ("global_lock", &["FLUSH TABLES WITH READ LOCK"], &["UNLOCK TABLES"]),
    ("global_lock", &["BACKUP STAGE START"], &["BACKUP STAGE END"]),
    ("global_lock", &["BACKUP LOCK t"], &["BACKUP UNLOCK"]),
];

#[test]
fn mariadb_10_11() {
    rows(Kind::MariaDb1011, &[EVERYWHERE, MARIADB]);
}

#[test]
fn mysql_9() {
    rows(Kind::Mysql9, &[EVERYWHERE, MYSQL9]);
}

#[test]
fn mysql_5_6() {
    rows(Kind::Mysql56, &[EVERYWHERE]);
}

#[test]
fn locks_of_the_whole_server() {
    let server = crowd::server(&[]);
    super::make(&server);
    judge(&server, ALONE);
}

#[test]
fn of_two_the_first_end_is_not_the_end() {
    for kind in [Kind::MariaDb1011, Kind::Mysql9] {
        if !kind.is_here() {
            continue;
        }
        let mut pair = Pair::on(server(kind));
        for (reason, begin, first_end, end) in [
            (
                "temporary_table",
                ["CREATE TEMPORARY TABLE one (a INT)", "CREATE TEMPORARY TABLE two (a INT)"],
                "DROP TEMPORARY TABLE one",
                "DROP TEMPORARY TABLE two",
            ),
            (
                "user_lock",
                ["DO GET_LOCK('o', 0)", "DO GET_LOCK('t', 0)"],
                "DO RELEASE_LOCK('t')",
                "DO RELEASE_LOCK('o')",
            ),
            (
                "user_lock",
                ["DO GET_LOCK('n', 0)", "DO GET_LOCK('n', 0)"],
                "DO RELEASE_LOCK('n')",
                "DO RELEASE_LOCK('n')",
            ),
            ("sql_prepare", ["PREPARE a FROM 'DO 1'", "PREPARE b FROM 'DO 1'"], "DROP PREPARE a", "DROP PREPARE b"),
            ("handler", ["HANDLER t OPEN AS a", "HANDLER t OPEN AS b"], "HANDLER a CLOSE", "HANDLER b CLOSE"),
        ] {
            for sql in begin {
                pair.holder.run(sql);
            }
            pair.assert_pinned(&[reason], &format!("after {begin:?}"));
            pair.holder.run(first_end);
            pair.assert_pinned(&[reason], &format!("after {begin:?} and {first_end}"));
            pair.holder.run(end);
            pair.assert_shared(&format!("after {begin:?}, {first_end} and {end}"));
        }
    }
}

#[test]
fn a_lock_that_was_not_got_pins_nobody() {
    let server = server(Kind::MariaDb1011);
    let mut pair = Pair::on(server);
    let mut rival = crowd::Client::login(server.address(), crowd::USER, "").expect("a server");
    assert_eq!(rival.value("SELECT GET_LOCK('taken', 0)"), "1");
    assert_eq!(pair.holder.value("SELECT GET_LOCK('taken', 0)"), "0");
    pair.assert_shared("after a lock that was not got");
    assert_eq!(pair.holder.refused("HANDLER missing OPEN").code, 1146);
    assert_eq!(pair.holder.refused("PREPARE p FROM 'nonsense'").code, 1064);
    assert_eq!(pair.holder.refused("CREATE TEMPORARY TABLE t9 (a NONSENSE)").code, 4161);
    pair.assert_shared("after statements that failed");
}

#[test]
fn who_leaves_takes_its_pin_along() {
    for kind in Kind::here() {
        for (_, begin, _) in EVERYWHERE {
            let Pair { mut holder, mut other, tidegate: _tidegate, .. } = Pair::on(server(kind));
            for sql in *begin {
                holder.run(sql);
            }
            holder.quit();
            crowd::eventually(&format!("{kind}: who quits after {begin:?} frees its backend"), crowd::LIMIT, || {
                other.ask("SELECT 1").is_ok()
            });
        }
    }
}

fn rows(kind: Kind, tables: &[&[Row]]) {
    if kind.is_here() {
        tables.iter().for_each(|rows| judge(server(kind), rows));
    }
}

/// All rows, whatever becomes of one: the failures come together.
fn judge(server: &Server, rows: &[Row]) {
    let mut failures = String::new();
    for (reason, begin, end) in rows {
        let row = || Pair::on(server).assert_pins(reason, begin, end);
        if let Err(panic) = std::panic::catch_unwind(row) {
            let why = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            failures += &format!("{reason} {begin:?}: {why}\n");
        }
    }
    assert!(failures.is_empty(), "{}", failures);
}
