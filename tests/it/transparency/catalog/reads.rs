//! Reads of all sorts.

use super::{Kind, kind};

pub const KINDS: &[Kind] = &[
    kind(
        "select",
        6,
        &[
            &["SELECT {1|NULL|'x'|1.50|-3|TRUE|0x4142|b'101'|DATE '2024-02-29'|1e100}"],
            &["SELECT * FROM t1 WHERE id {= {any}|< 4|> 3 AND id < 8|IN (1, 3, 99)} ORDER BY id"],
            &["SELECT id AS x, b AS `odd name`, NULL, '' FROM t1 WHERE id < 4 ORDER BY id DESC LIMIT 2 OFFSET 1"],
            &[
                "SELECT DISTINCT a FROM t1 WHERE id < 9 ORDER BY a",
                "SELECT COUNT(*), SUM(a), AVG(a), MIN(b), MAX(c) FROM t1 WHERE id < 9",
            ],
            &["SELECT * FROM t1 WHERE 1 = 0", "SELECT * FROM w ORDER BY id"],
            &["SELECT {SQL_NO_CACHE |SQL_SMALL_RESULT |HIGH_PRIORITY |STRAIGHT_JOIN |}a FROM t1 WHERE id = {any}"],
            &["SELECT SQL_BUFFER_RESULT id FROM t1 WHERE id < 3 ORDER BY id", "TABLE t1 LIMIT 1", "VALUES ROW(1, 2)"],
        ],
    ),
    kind(
        "join",
        3,
        &[
            &[
                "SELECT t1.id, t2.note FROM t1 {LEFT JOIN|JOIN} t2 ON t1.id = t2.t1_id WHERE t1.id < 5 ORDER BY t1.id, t2.id",
            ],
            &["SELECT x.id, y.a FROM t1 x, t1 y WHERE x.id = y.id AND x.id < 4 ORDER BY x.id"],
            &["SELECT id, (SELECT COUNT(*) FROM t2 WHERE t1_id = t1.id) n FROM t1 WHERE id < 4 ORDER BY id"],
            &["SELECT id FROM t1 WHERE EXISTS (SELECT 1 FROM t2 WHERE t1_id = t1.id) AND id < 9 ORDER BY id"],
            &["SELECT STRAIGHT_JOIN * FROM t1 NATURAL JOIN u WHERE id < 3 ORDER BY id"],
        ],
    ),
    kind(
        "union",
        3,
        &[
            &["SELECT 1 AS n UNION {ALL |}SELECT {1|2} UNION SELECT NULL ORDER BY n"],
            &[
                "(SELECT id FROM t1 WHERE id < 4) UNION (SELECT k FROM u WHERE k < 3) ORDER BY 1 LIMIT 3",
                "SELECT FOUND_ROWS()",
            ],
            &["SELECT 'a', 1 UNION SELECT 'b'"],
        ],
    ),
    kind(
        "with",
        2,
        &[
            &["WITH c AS (SELECT id FROM t1 WHERE id < 4) SELECT * FROM c ORDER BY id"],
            &["WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < {n}) SELECT * FROM r"],
            &["SELECT id, ROW_NUMBER() OVER (ORDER BY id) FROM t1 WHERE id < 4"],
        ],
    ),
    kind(
        "for_update",
        3,
        &[
            &["BEGIN", "SELECT a FROM t1 WHERE id = {own} {FOR UPDATE|LOCK IN SHARE MODE|FOR SHARE}", ">COMMIT"],
            &["SELECT a FROM t1 WHERE id = {own} FOR UPDATE"],
        ],
    ),
    kind(
        "big_rows",
        2,
        &[
            &["SELECT REPEAT('x', {250|251|252|65535|65536|70000})"],
            &[
                "SELECT a.id, REPEAT(b.b, 20) FROM t1 a, t1 b, t1 c WHERE a.id < 9 AND b.id < 9 AND c.id < 9 ORDER BY a.id, b.id, c.id",
            ],
            &["SELECT LENGTH(REPEAT('y', 20000000)), REPEAT('z', 1000)"],
        ],
    ),
    kind(
        "show",
        5,
        &[
            &["SHOW {|FULL }TABLES", "SHOW TABLES LIKE 't%'"],
            &["SHOW COLUMNS FROM {t1|w|nosuch}", "DESCRIBE t2", "DESC u k"],
            &["SHOW CREATE {TABLE t1|VIEW v1|TABLE nosuch}"],
            &["SHOW {INDEX FROM|KEYS IN} u WHERE Key_name = 'nosuch'"],
            &["SHOW DATABASES LIKE '{schema}'"],
            &[
                "SHOW {ENGINES LIKE 'x'|GRANTS|PRIVILEGES LIKE 'x'|CHARACTER SET LIKE 'latin1'|COLLATION LIKE 'latin1_b%'}",
            ],
            &["SHOW OPEN TABLES FROM nosuch"],
        ],
    ),
    kind(
        "information_schema",
        2,
        &[
            &[
                "SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}' AND table_name LIKE 't_' ORDER BY 1",
            ],
            &[
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'w' ORDER BY ordinal_position",
            ],
        ],
    ),
    kind(
        "explain",
        2,
        &[
            &["EXPLAIN SELECT * FROM t1 WHERE id = 1"],
            &["{EXPLAIN EXTENDED|EXPLAIN FORMAT=TRADITIONAL} SELECT id FROM t1 WHERE id = 2", "SHOW WARNINGS"],
        ],
    ),
    kind(
        "who",
        3,
        &[
            &["SELECT {DATABASE()|SCHEMA()|USER()|CURRENT_USER()|VERSION()|CHARSET('x')}"],
            &["SELECT CONNECTION_ID()", "SELECT @@pseudo_thread_id"],
            &["SELECT CONNECTION_ID() = {seen:me} AS mine, CONNECTION_ID() = {seen:other} AS other"],
            &["SELECT connection_id() AS id, USER(), DATABASE()"],
            &[".prepare {slot} SELECT CONNECTION_ID(), @@pseudo_thread_id", ".execute {slot}", ">.execute {slot}"],
        ],
    ),
    kind(
        "comments",
        5,
        &[
            &[
                "/* a */ SELECT /* b */ 1 /* c */",
                "-- x\nSELECT 2",
                "# y\nSELECT 3 -- z",
                "SELECT 1 -- '",
                "SELECT/**/4",
            ],
            &["/*! SET @a = {n} */", "/*!50000 SELECT @a */", "SELECT /*!99999 2 + */ 1", "SELECT 1 /*!50000 + 1 */"],
            &["/*M! SELECT 'mariadb' */", "/*M!100000 SET @b = 4 */", ">SELECT @b"],
            &[
                "/*!40101 SET NAMES {utf8|latin1} */",
                "/*!40014 SET @OLD=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */",
                "SELECT @OLD, @@unique_checks",
                "/*!40014 SET UNIQUE_CHECKS=@OLD */",
            ],
            &[
                "SET /* x */ @a /* y */ = -- z\n {n}",
                "/* BEGIN */ SELECT 1",
                "/*!BEGIN*/",
                "/* COMMIT */ SELECT 2",
                "/*!50001 COMMIT */",
            ],
            &["SELECT '/* not a comment */', \"-- nor this\", `a` FROM t1 WHERE id = 1 /* ; SELECT 2 */"],
            &[
                "CREATE /*!50000 TEMPORARY */ TABLE ctmp (i INT)",
                "SELECT * FROM ctmp",
                ">DROP /*!50000 TEMPORARY */ TABLE ctmp",
            ],
            &[
                "SELECT/* GET_LOCK('{schema}no', 0) */1",
                "SELECT /*!50000 GET_LOCK('{schema}c', 0) */",
                ">SELECT RELEASE_LOCK('{schema}c')",
            ],
        ],
    ),
    kind(
        "multi",
        6,
        &[
            &["SELECT 1; SELECT 2; SELECT 'three'"],
            &["SET @a = {n}; SELECT @a; UPDATE t1 SET a = @a WHERE id = {own}; SELECT ROW_COUNT()"],
            &["SELECT 1; SELECT * FROM nosuch; SELECT 3", ">SHOW WARNINGS"],
            &["BEGIN; INSERT INTO t2 (note) VALUES ({text}); SELECT LAST_INSERT_ID() > 0; {COMMIT|ROLLBACK}"],
            &["BEGIN; UPDATE t1 SET a = 1 WHERE id = {own}; SELEC", ">ROLLBACK"],
            &["CREATE TEMPORARY TABLE mt (i INT); INSERT INTO mt VALUES (1), (2); SELECT * FROM mt; DROP TABLE mt"],
            &["USE mysql; SELECT DATABASE(); USE {schema}; SELECT DATABASE()"],
            &["SET sql_mode = 'ANSI_QUOTES'; SELECT \"b\" FROM t1 WHERE id = 1; SET sql_mode = DEFAULT"],
            &["SELECT 1/0; SHOW WARNINGS; DROP TABLE IF EXISTS n9; SHOW WARNINGS"],
            &["SELECT 1;;SELECT 2", "SELECT 1; ", ";SELECT 1", "DO 1; DO 2; DO 3"],
            &["CALL many(); SELECT 'after'", "CALL fails(); SELECT 'never'"],
            &["PREPARE m1 FROM 'SELECT ? + 1'; SET @q = 4; EXECUTE m1 USING @q; DEALLOCATE PREPARE m1"],
        ],
    ),
];
