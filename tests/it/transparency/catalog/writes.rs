//! What changes rows, with its counts, ids, warnings and errors.

use super::{Kind, kind};

pub const KINDS: &[Kind] = &[
    kind(
        "insert",
        7,
        &[
            &["INSERT INTO t1 (a, b, c) VALUES ({int}, {text}, {1.5|NULL|-2.25})"],
            &[
                "INSERT INTO t1 (a, b) VALUES ({int}, {text}), ({int}, {text}), ({int}, {text})",
                "SELECT LAST_INSERT_ID(), ROW_COUNT()",
            ],
            &[
                "INSERT INTO t1 (id, a, b) VALUES (90{own}, {int}, 'explicit')",
                "SELECT LAST_INSERT_ID()",
                "DELETE FROM t1 WHERE id = 90{own}",
            ],
            &["INSERT INTO t2 SET note = {text}, t1_id = {any}"],
            &["INSERT INTO t2 (t1_id, note) SELECT id, b FROM t1 WHERE id < {any}", "SELECT ROW_COUNT()"],
            &["INSERT INTO my (v) VALUES ({text}), ({text})"],
            &["INSERT {LOW_PRIORITY |HIGH_PRIORITY |}INTO u (k, n) VALUES ({n}, {int})"],
            &["INSERT INTO t1 () VALUES ()", "SELECT a, b, c FROM t1 WHERE id = LAST_INSERT_ID()"],
        ],
    ),
    kind(
        "insert_ignore",
        4,
        &[
            &["INSERT IGNORE INTO u (k, n) VALUES (1, 1), ({n}, 2), (2, 'x')", "SHOW WARNINGS", "SELECT ROW_COUNT()"],
            &["INSERT IGNORE INTO w (tiny, short) VALUES (999, 'abcdef'), (NULL, NULL)", ">SHOW COUNT(*) WARNINGS"],
            &["INSERT IGNORE INTO t1 (id, a) VALUES (1, 1)", "SELECT LAST_INSERT_ID(), @@warning_count"],
        ],
    ),
    kind(
        "on_duplicate_key",
        4,
        &[
            &["INSERT INTO u (k, n) VALUES ({n}, 1) ON DUPLICATE KEY UPDATE n = n + {0|1}", "SELECT ROW_COUNT()"],
            &[
                "INSERT INTO u (k, n) VALUES ({n}, 5) ON DUPLICATE KEY UPDATE n = VALUES(n), id = LAST_INSERT_ID(id)",
                "SELECT LAST_INSERT_ID()",
            ],
        ],
    ),
    kind(
        "replace",
        3,
        &[
            &["REPLACE INTO u (k, n) VALUES ({n}, {int})", "SELECT ROW_COUNT(), LAST_INSERT_ID()"],
            &["REPLACE INTO u (k, n) SELECT k, n + 1 FROM u WHERE k < 3"],
        ],
    ),
    kind(
        "update",
        6,
        &[
            &["UPDATE t1 SET a = {int}, b = {text} WHERE id = {own}", "SELECT ROW_COUNT()"],
            &["UPDATE t1 SET a = a WHERE id = {own}"],
            &["UPDATE t1 SET a = a + 1 WHERE id {> 500|= {any}|IS NULL} ORDER BY id LIMIT 2"],
            &["UPDATE t1, t2 SET t1.a = 3, t2.note = {text} WHERE t1.id = t2.t1_id AND t1.id = {own}"],
            &["UPDATE IGNORE u SET k = 1 WHERE k = 2", "SHOW WARNINGS"],
            &["UPDATE t1 SET a = 'notanumber' WHERE id = {own}", "SHOW WARNINGS"],
            &["UPDATE t1 SET nosuch = 1"],
        ],
    ),
    kind(
        "delete",
        4,
        &[
            &["DELETE FROM t1 WHERE id = {own}"],
            &["DELETE FROM t2 WHERE t1_id = {any} ORDER BY id LIMIT 1", "SELECT ROW_COUNT()"],
            &["DELETE t2 FROM t1 JOIN t2 ON t1.id = t2.t1_id WHERE t1.id = {own}"],
            &["DELETE FROM my WHERE id > 5"],
        ],
    ),
    kind(
        "warning",
        5,
        &[
            &["SELECT 1/0, {CAST('12x' AS SIGNED)|CAST('abc' AS DECIMAL)|'a' + 1|DATE('nonsense')}", ">SHOW WARNINGS"],
            &[
                "DROP TABLE IF EXISTS nosuch1, nosuch2",
                "SHOW WARNINGS LIMIT 1",
                "SHOW COUNT(*) WARNINGS",
                "SELECT @@warning_count, @@error_count",
            ],
            &["INSERT INTO w (tiny) VALUES (300)", ">SHOW {WARNINGS|ERRORS}"],
            &["SELECT CONVERT('x' USING {latin1|nosuch})", "SHOW WARNINGS"],
            &["SELECT /* w */ 1/0", "SELECT 1", "SHOW WARNINGS"],
            &["SELECT 1/0", "SELECT b FROM t1 WHERE id = 1", "SHOW COUNT(*) WARNINGS"],
            &[
                "SET max_error_count = {0|1|64}",
                "DROP TABLE IF EXISTS n1, n2, n3",
                "SHOW WARNINGS",
                "SELECT @@warning_count",
            ],
        ],
    ),
    kind(
        "error",
        6,
        &[
            &["SELEC 1"],
            &["SELECT * FROM {nosuch|nosuchdb.t|mysql.user WHERE user LIKE 't_'|t1, nosuch}", ">SHOW ERRORS"],
            &["SELECT nosuch FROM t1", "SHOW WARNINGS", "SHOW COUNT(*) ERRORS"],
            &["INSERT INTO u (k, n) VALUES (1, 1)", "SHOW ERRORS", "SELECT ROW_COUNT(), LAST_INSERT_ID()"],
            &["INSERT INTO t1 (a) VALUES (1, 2)"],
            &["SELECT (SELECT id FROM t1)", "SELECT nosuch_function(1)", "CALL nosuch_procedure()"],
            &["CREATE TABLE {schema}.t1 (i INT)", "DROP TABLE nosuch", "ALTER TABLE t1 DROP COLUMN nosuch"],
            &["GRANT ALL ON *.* TO {schema}n", "KILL 0", "USE nosuchdb"],
            &["SELECT 'unterminated", "SELECT /* unterminated", "SELECT `unterminated"],
            &[""],
            &["{ |;|-- nothing|/* nothing */|# nothing}"],
            &["INSERT INTO t2 (t1_id) VALUES (1), (9999999999999999999)", "SELECT 18446744073709551615 + 1"],
        ],
    ),
    kind(
        "load_data",
        3,
        &[
            &["LOAD DATA LOCAL INFILE 'three_rows' INTO TABLE t2 (t1_id, note)", "SHOW WARNINGS", "SELECT ROW_COUNT()"],
            &[
                "LOAD DATA LOCAL INFILE 'odd_rows' {IGNORE |REPLACE |}INTO TABLE u FIELDS TERMINATED BY ',' (k, n)",
                ">SHOW WARNINGS",
            ],
            &["LOAD DATA LOCAL INFILE 'empty' INTO TABLE t2 (note)"],
            &["LOAD DATA LOCAL INFILE 'three_rows' INTO TABLE nosuch", "SELECT 1"],
        ],
    ),
    kind(
        "temporary_table",
        7,
        &[
            &[
                "CREATE TEMPORARY TABLE {IF NOT EXISTS |}tmp{n} (i INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(10)) {|ENGINE=MyISAM}",
                ">INSERT INTO tmp{n} (v) VALUES ({text})",
                ">SELECT * FROM tmp{n} ORDER BY i",
                ">DROP {TEMPORARY |}TABLE IF EXISTS tmp{n}",
            ],
            &[
                "CREATE TEMPORARY TABLE t1 (hidden INT)",
                "SELECT * FROM t1",
                "INSERT INTO t1 VALUES (1)",
                "!SELECT id FROM t1 WHERE id = 1",
                ">SELECT COUNT(*) FROM t1",
                ">DROP TEMPORARY TABLE t1",
            ],
            &[
                "CREATE TEMPORARY TABLE copy{n} SELECT id, b FROM t1 WHERE id < 4",
                "SELECT COUNT(*) FROM copy{n}",
                ">DROP TABLE copy{n}",
            ],
            &[
                "CREATE TEMPORARY TABLE like1 LIKE t1",
                "SHOW CREATE TABLE like1",
                ">DROP TEMPORARY TABLE IF EXISTS like1",
            ],
            &["SELECT * FROM tmp{n}", "DROP TEMPORARY TABLE tmp{n}"],
            &[
                "CREATE /* c */ TEMPORARY /* d */ TABLE IF NOT EXISTS tmp{n} (i INT)",
                ">ALTER TABLE tmp{n} ADD x INT",
                ">SHOW COLUMNS FROM tmp{n}",
            ],
        ],
    ),
];
