//! Questions about the last statement.

use super::{Kind, kind};

pub const KINDS: &[Kind] = &[
    kind(
        "last_insert_id",
        8,
        &[
            &[
                "SELECT LAST_INSERT_ID()",
                "select last_insert_id ( ) as id",
                "SELECT /* x */ LAST_INSERT_ID/**/() FROM DUAL;",
            ],
            &[
                "INSERT INTO t1 (a, b) VALUES ({int}, 'li')",
                ">SELECT LAST_INSERT_ID() = (SELECT MAX(id) FROM t1), @@last_insert_id = @@identity",
            ],
            &[
                "INSERT INTO t2 (note) VALUES ({text})",
                ">SELECT LAST_INSERT_ID()",
                ">INSERT INTO t2 (t1_id) VALUES (LAST_INSERT_ID())",
                ">SELECT LAST_INSERT_ID()",
            ],
            &["SELECT LAST_INSERT_ID({n}00)", ">SELECT LAST_INSERT_ID()"],
            &["UPDATE u SET n = LAST_INSERT_ID(n + 1) WHERE k = {n}", ">SELECT LAST_INSERT_ID()"],
            &[
                "INSERT INTO t1 (a) VALUES (1), (2), (3)",
                "SELECT LAST_INSERT_ID()",
                "INSERT INTO t1 (id, a) VALUES (8{own}, 1)",
                "SELECT LAST_INSERT_ID()",
                "DELETE FROM t1 WHERE id = 8{own}",
            ],
            &["INSERT INTO t1 (a) VALUES ({int})", "INSERT INTO t1 (a) SELEC 1", "SELECT LAST_INSERT_ID(), @@identity"],
            &[
                "SELECT * FROM t1 WHERE id = LAST_INSERT_ID()",
                "SELECT id FROM t1 WHERE id IS NULL",
                "SET sql_auto_is_null = {0|1}",
            ],
            &[".prepare 1 SELECT LAST_INSERT_ID()", "INSERT INTO t2 (note) VALUES ('ps')", ".execute 1", ">.execute 1"],
            &["INSERT INTO t2 (note) VALUES ('x') RETURNING id, note", "SELECT LAST_INSERT_ID()"],
        ],
    ),
    kind(
        "row_count",
        5,
        &[
            &["UPDATE t1 SET a = {int} WHERE id = {own}", ">SELECT ROW_COUNT()"],
            &["DELETE FROM t2 WHERE id = 100{own}", "SELECT ROW_COUNT()", "SELECT ROW_COUNT()"],
            &["SELECT 1", "SELECT ROW_COUNT()", "DO 1", "SELECT ROW_COUNT()", "SELEC", "SELECT ROW_COUNT()"],
            &["INSERT INTO my (v) VALUES ('a'), ('b')", "SET @rc = ROW_COUNT()", "SELECT @rc"],
        ],
    ),
    kind(
        "found_rows",
        6,
        &[
            &["SELECT SQL_CALC_FOUND_ROWS id FROM t1 WHERE id < 7 ORDER BY id LIMIT 2", ">SELECT FOUND_ROWS()"],
            &["SELECT id FROM t1 WHERE id < {any} ORDER BY id", ">SELECT FOUND_ROWS()", "SELECT FOUND_ROWS() AS again"],
            &["SELECT SQL_CALC_FOUND_ROWS * FROM u LIMIT 1", "SHOW WARNINGS", "SELECT FOUND_ROWS()"],
            &["UPDATE t1 SET a = 1 WHERE id = {own}", "SELECT FOUND_ROWS(), ROW_COUNT()"],
            &["SELECT FOUND_ROWS()", "SELECT * FROM nosuch", "SELECT FOUND_ROWS()"],
        ],
    ),
    kind(
        "show_warnings",
        5,
        &[
            &["SHOW WARNINGS"],
            &["SHOW ERRORS"],
            &["SHOW COUNT(*) {WARNINGS|ERRORS}"],
            &["SELECT @@{warning_count|error_count}"],
            &["SHOW WARNINGS LIMIT {0|1|1, 1}"],
            &["/* x */ SHOW /* y */ WARNINGS;"],
        ],
    ),
    kind(
        "diagnostics",
        5,
        &[
            &["GET DIAGNOSTICS @n = NUMBER, @r = ROW_COUNT", "SELECT @n, @r"],
            &[
                "SELECT * FROM nosuch",
                "GET DIAGNOSTICS CONDITION 1 @s = RETURNED_SQLSTATE, @e = MYSQL_ERRNO, @m = MESSAGE_TEXT",
                "SELECT @s, @e, @m",
            ],
            &["SELECT 1/0, CAST('x' AS SIGNED)", ">GET CURRENT DIAGNOSTICS @n = NUMBER", ">SELECT @n"],
            &["GET DIAGNOSTICS CONDITION 3 @m = MESSAGE_TEXT", "SHOW WARNINGS"],
            &[
                "SIGNAL SQLSTATE '{45000|01000|02000}' SET MESSAGE_TEXT = {text}, MYSQL_ERRNO = {1644|9999}",
                ">SHOW WARNINGS",
            ],
            &["RESIGNAL"],
        ],
    ),
];
