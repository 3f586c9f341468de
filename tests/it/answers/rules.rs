//! What replies tell of the last statement is what the servers say themselves.

use super::*;

const STATEMENTS: &[&str] = &[
    "SELECT 1",
    "SELECT * FROM t",
    "SELECT * FROM t LIMIT 2",
    "SELECT * FROM t WHERE 0",
    "SELECT * FROM t LIMIT 0",
    "SELECT SQL_CALC_FOUND_ROWS * FROM t LIMIT 2",
    "SELECT * FROM t UNION ALL SELECT * FROM t LIMIT 3",
    "SELECT * FROM t LIMIT 2, 2",
    "SELECT * FROM t LIMIT 100, 2",
    "SELECT * FROM t ORDER BY a LIMIT 2",
    "SELECT a FROM t GROUP BY a WITH ROLLUP",
    "SELECT count(*) FROM t",
    "SELECT min(id) FROM t WHERE id = 999",
    "SELECT * FROM t WHERE id = 2",
    "SELECT * FROM t LIMIT 1 OFFSET 3",
    "SELECT 1 UNION SELECT 2 UNION SELECT 3",
    "SELECT 1 UNION SELECT 2 LIMIT 0",
    "SELECT 1 INTERSECT SELECT 1",
    "SELECT * FROM t FETCH FIRST 2 ROWS ONLY",
    "(SELECT id FROM t LIMIT 2) LIMIT 1",
    "(SELECT id FROM t LIMIT 2)",
    "VALUES (1), (2)",
    "VALUES ROW(1), ROW(2)",
    "TABLE t",
    "WITH x AS (SELECT 1 UNION SELECT 2) SELECT * FROM x",
    "SELECT id INTO @a FROM t LIMIT 1",
    "SELECT id INTO @a FROM t WHERE 0",
    "SELECT x.id FROM t x JOIN t y",
    "SELECT DISTINCT a FROM t LIMIT 2",
    "SELECT * FROM (SELECT * FROM t LIMIT 3) x",
    "SELECT id FROM t FOR UPDATE",
    "SELECT a FROM t HAVING a > 100",
    "SELECT * FROM information_schema.tables LIMIT 3",
    "SELECT id FROM t PROCEDURE ANALYSE()",
    "INSERT INTO t (a) VALUES (1), (2)",
    "INSERT INTO t (id, a) VALUES (500, 1)",
    "INSERT IGNORE INTO t (id) VALUES (1), (2)",
    "INSERT INTO t (id, a) VALUES (1, 1) ON DUPLICATE KEY UPDATE a = a + 1",
    "REPLACE INTO t (id, a) VALUES (1, 7)",
    "INSERT INTO t (a) SELECT a FROM t LIMIT 2",
    "INSERT INTO t (a) VALUES ((SELECT 5 FROM (SELECT 1 UNION SELECT 2) z LIMIT 1))",
    "INSERT INTO t SET a = 1",
    "INSERT INTO t (a) VALUES (4) RETURNING id",
    "DELETE FROM t WHERE id = 77 RETURNING id",
    "UPDATE t SET a = 9 WHERE id < 4",
    "UPDATE t SET a = a",
    "UPDATE t SET a = a + 1 ORDER BY id LIMIT 1",
    "UPDATE t x, t y SET x.a = 1 WHERE x.id = y.id AND x.id < 3",
    "UPDATE t x JOIN t y USING (id) SET x.a = 8",
    "UPDATE t SET a = (SELECT count(*) FROM (SELECT 1 UNION SELECT 2) z) WHERE id = 1",
    "DELETE FROM t WHERE id > 3",
    "DELETE FROM t WHERE 0",
    "DELETE x FROM t x JOIN t y ON x.id = y.id WHERE x.id = 2",
    "DELETE FROM t USING t JOIN other WHERE t.id = 1",
    "DELETE FROM t ORDER BY id LIMIT 1",
    "SET @x = 1",
    "SET time_zone = 'SYSTEM'",
    "SET NAMES utf8",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT a",
    "SET @x = (SELECT count(*) FROM t)",
    "DO 1",
    "DO (SELECT count(*) FROM t)",
    "SET last_insert_id = 8",
    "SELECT LAST_INSERT_ID(9)",
    "CREATE TABLE x1 (a INT)",
    "ALTER TABLE x1 ADD b INT",
    "INSERT INTO x1 VALUES (1, 2)",
    "ALTER TABLE x1 ADD KEY (a), ALGORITHM = COPY",
    "CREATE TABLE x2 AS SELECT * FROM t",
    "CREATE TABLE x3 SELECT 1 a",
    "TRUNCATE x1",
    "DROP TABLE x1, x2, x3",
    "CREATE TEMPORARY TABLE y (a INT)",
    "DROP TEMPORARY TABLE y",
    "DROP TABLE IF EXISTS nosuch",
    "CREATE OR REPLACE VIEW v AS SELECT 1",
    "DROP VIEW v",
    "SHOW TABLES",
    "SHOW WARNINGS",
    "SHOW ERRORS",
    "SHOW COUNT(*) WARNINGS",
    "SHOW COUNT(*) ERRORS",
    "SHOW VARIABLES LIKE 'a%'",
    "SHOW PROCESSLIST",
    "SHOW CREATE TABLE t",
    "SHOW COLUMNS FROM t",
    "SHOW DATABASES",
    "SHOW GRANTS",
    "SHOW ENGINES",
    "SHOW PRIVILEGES",
    "SHOW PLUGINS",
    "SHOW CHARACTER SET",
    "SHOW INDEX FROM t",
    "SHOW TABLE STATUS",
    "SHOW FUNCTION STATUS",
    "SHOW STORAGE ENGINES",
    "SHOW ENGINE INNODB STATUS",
    "SHOW MASTER STATUS",
    "SHOW SLAVE STATUS",
    "SHOW RELAYLOG EVENTS",
    "SHOW CREATE DATABASE last_rules",
    "SHOW CREATE PROCEDURE nothing",
    "SHOW CONTRIBUTORS",
    "DESCRIBE t",
    "DESC t a",
    "EXPLAIN t",
    "EXPLAIN SELECT 1",
    "EXPLAIN UPDATE t SET a = 1",
    "EXPLAIN SELECT * FROM t",
    "EXPLAIN FORMAT=JSON SELECT 1",
    "HELP 'abc'",
    "SELECT * FROM nosuch",
    "SELEC",
    "INSERT INTO t (id) VALUES (1)",
    "INSERT INTO t (a, id) VALUES (3, NULL), (4, 1)",
    "SELECT (SELECT 1 UNION SELECT 2)",
    "CALL nothing()",
    "CALL changes()",
    "CALL warns()",
    "PREPARE s FROM 'SELECT * FROM t'",
    "EXECUTE s",
    "EXECUTE nosuch",
    "DEALLOCATE PREPARE s",
    "HANDLER t OPEN",
    "HANDLER t READ FIRST LIMIT 2",
    "HANDLER t CLOSE",
    "LOCK TABLES t WRITE",
    "UNLOCK TABLES",
    "FLUSH STATUS",
    "FLUSH TABLES t",
    "FLUSH TABLES WITH READ LOCK",
    "CREATE USER last_rules",
    "GRANT SELECT ON last_rules.* TO last_rules",
    "GRANT SELECT ON last_rules.t TO last_rules",
    "GRANT EXECUTE ON PROCEDURE last_rules.nothing TO last_rules",
    "REVOKE SELECT ON last_rules.t FROM last_rules",
    "GRANT PROXY ON nobody TO last_rules",
    "DROP USER last_rules",
    "CREATE TRIGGER made BEFORE INSERT ON other FOR EACH ROW SET @x = 1",
    "DROP TRIGGER made",
    "CREATE EVENT made ON SCHEDULE EVERY 1 DAY DO SELECT 1",
    "DROP EVENT made",
    "CREATE PROCEDURE made() SELECT * FROM t",
    "DROP PROCEDURE made",
    "ANALYZE TABLE t",
    "CHECK TABLE t",
    "CHECKSUM TABLE t",
    "KILL QUERY 99999",
    "GET DIAGNOSTICS @n = NUMBER",
    "SIGNAL SQLSTATE '01000'",
    "SIGNAL SQLSTATE '45000'",
    "XA RECOVER",
    "SELECT 1 / 0",
    "SELECT CAST('x' AS SIGNED)",
    "SELECT 1; SELECT 2 UNION SELECT 3",
    "INSERT INTO t (a) VALUES (4); SELECT 1",
    "SELECT 1; UPDATE t SET a = a + 1",
    "SELECT 1; SELEC",
    "SELECT FOUND_ROWS()",
    "SET @a = ROW_COUNT()",
    "SELECT ROW_COUNT(), LAST_INSERT_ID()",
    "SELECT @@warning_count",
    "SELECT @a := 1",
    "FLUSH TABLES",
    "USE last_rules",
    "",
];

const BEFORE: &[&str] =
    &["SELECT 1 UNION SELECT 2 UNION SELECT 3", "UPDATE t SET a = 70 WHERE id = 4", "SELECT 1 + 'x'"];

fn number(session: &mut Session, at: usize) -> i64 {
    let reply = session.run(NUMBERS);
    let rows = session.rows_of(NUMBERS, &reply);
    let value = rows[0][at].clone().expect("a number");
    String::from_utf8(value).expect("text").parse().expect("a number")
}

fn check(server: &Server) {
    prepared(server, "last_rules");
    let mut session = Session::new(server, Capabilities::NONE, "last_rules");
    let mut unread = 0;
    for statement in STATEMENTS {
        for before in BEFORE {
            for at in 0..3 {
                FILL.iter().chain([before, statement]).for_each(|sql| drop(session.run(sql)));
                let told = match at {
                    0 => session.last.row_count,
                    1 => session.last.found_rows.map(|rows| rows as i64),
                    _ => session.last.last_insert_id.map(|id| id as i64),
                };
                let real = number(&mut session, at);
                let what = format!("{}: {before}; {statement}: column {at}", server.kind());
                assert_eq!(told.unwrap_or(real), real, "{what}");
                unread += usize::from(told.is_none());
                session.last.last_insert_id = Some(number(&mut session, 2) as u64);
            }
            for is_saved in [false, true] {
                FILL.iter().chain([before]).for_each(|sql| drop(session.run(sql)));
                if is_saved && session.last.diagnostics != Diagnostics::None {
                    session.last.diagnostics = Diagnostics::Saved(Box::default());
                }
                session.run(statement);
                let real = session.raw.query("SHOW WARNINGS");
                let real = session.rows_of("SHOW WARNINGS", &real).len();
                session.last.row_count = Some(-1);
                let what = format!("{}: {before}; {statement}: {:?}", server.kind(), session.last);
                match session.last.diagnostics {
                    Diagnostics::None => assert_eq!(real, 0, "{what}"),
                    Diagnostics::Saved(_) => assert_ne!(real, 0, "{what}"),
                    _ => {}
                }
            }
            session.last.last_insert_id = Some(number(&mut session, 2) as u64);
            for end in ["UNLOCK TABLES", "ROLLBACK", "DROP TABLE IF EXISTS x1, x2, x3"] {
                // What DDL left behind for the statements that follow is theirs in the first rounds only.
                if !end.starts_with("DROP") || statement.is_empty() {
                    session.run(end);
                }
            }
        }
    }
    println!("{}: {unread} of {} are to be read", server.kind(), STATEMENTS.len() * BEFORE.len() * 3);
}

#[test]
fn replies_tell_what_the_servers_say() {
    every(check);
}

/// Commands that are no statements.
fn check_commands(server: &Server) {
    prepared(server, "last_commands");
    let commands: [&[u8]; 9] = [
        b"\x0e",
        b"\x02last_commands",
        b"\x02nosuch",
        b"\x09",
        b"\x16SELECT 1",
        b"\x16SELEC",
        b"\x1b\x00\x00",
        b"\x1a\x63\x00\x00\x00",
        b"\x1f",
    ];
    let mut session = Session::new(server, Capabilities::NONE, "last_commands");
    let left = ["SELECT 1 UNION SELECT 2 UNION SELECT 3", "INSERT INTO t (a) VALUES (4), (5)", "SELECT 1 + 'x'"];
    for command in commands {
        for left in left {
            let what = format!("{}: {left}; {}", server.kind(), text(command));
            for at in 0..4 {
                session.run("SELECT 1 UNION SELECT 2");
                session.run(left);
                let reply = session.raw.ask(command);
                let mut scanner = Reply::new(tidegate::wire::command::shape(command[0]), session.raw.capabilities, 1);
                scanner.scan(&reply);
                session.last.after_command(command[0], &scanner.facts, session.dialect);
                if at == 3 {
                    let real = session.rows("SHOW WARNINGS").len();
                    let told = session.last.diagnostics == Diagnostics::None;
                    assert!(!told || real == 0, "{what}: {:?}", session.last);
                } else {
                    let told = [session.last.row_count, session.last.found_rows.map(|rows| rows as i64)];
                    let id = session.last.last_insert_id.map(|id| id as i64);
                    let told = [told[0], told[1], id][at];
                    let real = number(&mut session, at);
                    assert_eq!(told.unwrap_or(real), real, "{what}: {at}");
                    session.last.last_insert_id = Some(number(&mut session, 2) as u64);
                }
            }
            session.raw.query("USE last_commands");
            session.run("DO 0");
        }
    }
}

#[test]
fn other_commands_leave_what_is_known_of_them() {
    every(check_commands);
}

/// FOUND_ROWS() is left out: MariaDB gives a new connection what an ended one had.
#[test]
fn a_fresh_login_knows_nothing() {
    every(|server| {
        let mut raw = Raw::root(server.address(), BASE);
        let reply = raw.query(NUMBERS);
        let session = Session { raw, last: Last::fresh(), dialect: Dialect::default() };
        let row = session.rows_of(NUMBERS, &reply).remove(0);
        let zero = Some(b"0".to_vec());
        assert_eq!((&row[0], &row[2]), (&zero, &zero), "{}", server.kind());
    });
}
