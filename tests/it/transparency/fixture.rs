//! What every program finds: the same tables, rows and routines, in a schema of its own.

/// The statements that make it; `{schema}` is its name. A plan, and with it a column's flags, goes by the tables'
/// statistics: they are not counted anew at some moment that no program chooses.
pub const MAKE: &[&str] = &[
    "CREATE DATABASE {schema} CHARACTER SET latin1",
    "CREATE DATABASE {schema}2 CHARACTER SET utf8",
    "CREATE TABLE {schema}2.other (i INT, v VARCHAR(9))",
    "INSERT INTO {schema}2.other VALUES (1, 'other')",
    "USE {schema}",
    "CREATE TABLE t1 (id INT AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(30) DEFAULT 'd', c DECIMAL(10,2), KEY a (a)) \
     ENGINE=InnoDB AUTO_INCREMENT=101 STATS_AUTO_RECALC=0",
    "INSERT INTO t1 VALUES (1,10,'one',1.5),(2,20,'two',NULL),(3,30,'',0),(4,40,NULL,-4.25),(5,50,'five',5),\
     (6,10,'six',6.6),(7,20,'s\u{e9}ven',7),(8,NULL,'eight',8)",
    "INSERT INTO t1 VALUES (11,1,'own',1),(12,1,'own',2),(13,1,'own',3),(14,1,'own',4),(15,1,'own',5),(16,1,'own',6),\
     (17,1,'own',7),(18,1,'own',8)",
    "CREATE TABLE t2 (id INT AUTO_INCREMENT PRIMARY KEY, t1_id INT, note TEXT, KEY t1_id (t1_id)) ENGINE=InnoDB STATS_AUTO_RECALC=0",
    "INSERT INTO t2 (t1_id, note) VALUES (1,'first'),(1,'second'),(3,NULL)",
    "CREATE TABLE u (id INT AUTO_INCREMENT PRIMARY KEY, k INT UNIQUE, n INT) ENGINE=InnoDB STATS_AUTO_RECALC=0",
    "INSERT INTO u (k, n) VALUES (1,1),(2,2)",
    "CREATE TABLE w (id INT AUTO_INCREMENT PRIMARY KEY, tiny TINYINT, short VARCHAR(3), day DATE) ENGINE=InnoDB STATS_AUTO_RECALC=0",
    "CREATE TABLE my (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20)) ENGINE=MyISAM",
    "CREATE TABLE small (a INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20)) ENGINE=InnoDB STATS_AUTO_RECALC=0",
    "CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(20), stamp TIMESTAMP NULL) ENGINE=InnoDB STATS_AUTO_RECALC=0",
    "INSERT INTO log (what, stamp) VALUES ('begin', '2020-01-01 00:00:00')",
    "CREATE TABLE trig (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20)) ENGINE=InnoDB STATS_AUTO_RECALC=0",
    "INSERT INTO trig (v) VALUES ('x')",
    "ANALYZE TABLE t1, t2, u, w, small, log, trig",
    "CREATE TRIGGER on_insert AFTER INSERT ON trig FOR EACH ROW \
     BEGIN SET @from_trigger = NEW.id; INSERT INTO log (what) VALUES ('trigger'); END",
    "CREATE TRIGGER on_update BEFORE UPDATE ON trig FOR EACH ROW SET @l = GET_LOCK('{schema}t', 0)",
    "CREATE FUNCTION f_sets(v INT) RETURNS INT NO SQL BEGIN SET @from_func = v; RETURN v + 1; END",
    "CREATE FUNCTION f_locks(name VARCHAR(60)) RETURNS INT NO SQL RETURN GET_LOCK(name, 0)",
    "CREATE FUNCTION f_inserts(v VARCHAR(60)) RETURNS INT MODIFIES SQL DATA \
     BEGIN INSERT INTO t2 (note) VALUES (v); RETURN 1; END",
    "CREATE FUNCTION f_temp() RETURNS INT MODIFIES SQL DATA \
     BEGIN CREATE TEMPORARY TABLE IF NOT EXISTS func_temp (i INT); RETURN 1; END",
    "CREATE VIEW v1 AS SELECT id, a FROM t1 WHERE id < 5",
    "CREATE VIEW v_sets AS SELECT f_sets(42) AS x",
    "CREATE VIEW v_locks AS SELECT f_locks('{schema}v') AS x",
    "CREATE PROCEDURE many() BEGIN SELECT 1 AS one; SELECT id FROM t1 WHERE id < 3 ORDER BY id; SELECT NULL FROM t1 LIMIT 0; END",
    "CREATE PROCEDURE does_nothing() BEGIN END",
    "CREATE PROCEDURE nothing() UPDATE t1 SET a = a WHERE id = 0",
    "CREATE PROCEDURE selects_one() SELECT 'one' AS one",
    "CREATE PROCEDURE sleeps() BEGIN SELECT 'before'; SELECT /*w{schema}*/ SLEEP(4); SELECT 'after'; END",
    "CREATE PROCEDURE sets(OUT p INT, v INT) BEGIN SET p = v; SET @from_proc = v; SET div_precision_increment = v; END",
    "CREATE PROCEDURE makes_temp() BEGIN CREATE TEMPORARY TABLE IF NOT EXISTS from_proc (i INT); \
     INSERT INTO from_proc VALUES (5); END",
    "CREATE PROCEDURE takes_lock(name VARCHAR(60)) DO GET_LOCK(name, 0)",
    "CREATE PROCEDURE fails() BEGIN SELECT 'before' AS b; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'it failed'; END",
    "CREATE PROCEDURE warns() BEGIN SELECT 1/0; SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = 'a warning'; END",
    "CREATE PROCEDURE inserts(v VARCHAR(60)) BEGIN INSERT INTO t2 (note) VALUES (v); SELECT LAST_INSERT_ID() AS id; END",
    "CREATE PROCEDURE begins() BEGIN START TRANSACTION; INSERT INTO t2 (note) VALUES ('begun'); END",
    "CREATE PROCEDURE prepares() BEGIN SET @s = 'SELECT 99'; PREPARE from_proc FROM @s; END",
    "CREATE PROCEDURE sets_mode() BEGIN SET time_zone = '+03:00'; SET SESSION sql_mode = 'ANSI_QUOTES'; END",
];

/// What takes it away; an error of any but the last is no error.
pub const REMOVE: &[&str] = &[
    "XA ROLLBACK '{schema}1'",
    "XA ROLLBACK '{schema}2'",
    "XA ROLLBACK '{schema}3'",
    "XA ROLLBACK '{schema}4'",
    "XA ROLLBACK '{schema}5'",
    "DROP USER {schema}n",
    "DROP DATABASE IF EXISTS {schema}3",
    "DROP DATABASE IF EXISTS {schema}2",
    "DROP DATABASE IF EXISTS {schema}",
];

/// The accounts of all programs, without passwords.
pub const ACCOUNTS: &[&str] = &[
    "CREATE USER ta",
    "CREATE USER tb",
    "GRANT ALL ON *.* TO ta WITH GRANT OPTION",
    "GRANT SELECT, INSERT, UPDATE, DELETE, EXECUTE, CREATE TEMPORARY TABLES, LOCK TABLES ON *.* TO tb",
];

/// What a program alone may have changed for all.
pub const GLOBALS: &[&str] = &[
    "SET GLOBAL div_precision_increment = DEFAULT",
    "SET GLOBAL sql_mode = DEFAULT",
    "SET GLOBAL group_concat_max_len = DEFAULT",
    "SET GLOBAL time_zone = DEFAULT",
];
