//! What happens out of sight: in procedures, functions, views, triggers, prepared statements.

use super::{Kind, kind};

pub const KINDS: &[Kind] = &[
    kind(
        "call",
        6,
        &[
            &["CALL {many|does_nothing|selects_one|nothing}()", ">SELECT 1"],
            &["CALL sets(@p, {n})", ">SELECT @p, @from_proc, @@div_precision_increment"],
            &["CALL makes_temp()", "SELECT * FROM from_proc", ">DROP TEMPORARY TABLE IF EXISTS from_proc"],
            &[
                "CALL takes_lock('{schema}p')",
                ">SELECT IS_USED_LOCK('{schema}p') IS NULL",
                ">DO RELEASE_LOCK('{schema}p')",
            ],
            &["CALL fails()", ">SHOW WARNINGS"],
            &["CALL warns()", ">SHOW WARNINGS"],
            &["CALL inserts({text})", ">SELECT LAST_INSERT_ID(), ROW_COUNT()"],
            &["CALL begins()", ">SELECT COUNT(*) FROM t2 WHERE note = 'begun'", ">ROLLBACK"],
            &["CALL prepares()", "EXECUTE from_proc", ">DEALLOCATE PREPARE from_proc"],
            &["CALL sets_mode()", "SELECT @@sql_mode, @@time_zone", ">SET time_zone = DEFAULT"],
        ],
    ),
    kind(
        "function",
        4,
        &[
            &["SELECT f_sets({n})", ">SELECT @from_func"],
            &["SELECT f_locks('{schema}f')", ">SELECT RELEASE_LOCK('{schema}f')"],
            &["SELECT f_inserts({text})", "SELECT LAST_INSERT_ID()"],
            &["UPDATE t1 SET a = f_sets(7) WHERE id = {own}", ">SELECT @from_func"],
            &["SELECT f_temp()", ">SELECT * FROM func_temp"],
        ],
    ),
    kind(
        "view",
        4,
        &[
            &["SELECT * FROM v1 ORDER BY id"],
            &["SELECT * FROM v_sets", ">SELECT @from_func"],
            &["SELECT * FROM v_locks", ">SELECT IS_USED_LOCK('{schema}v') IS NULL", ">SELECT RELEASE_ALL_LOCKS()"],
            &["UPDATE v1 SET a = 2 WHERE id = {own}", "INSERT INTO v1 (id, a) VALUES (9, 9)"],
        ],
    ),
    kind(
        "trigger",
        3,
        &[
            &["INSERT INTO trig (v) VALUES ({text})", ">SELECT @from_trigger, LAST_INSERT_ID()"],
            &["UPDATE trig SET v = {text} LIMIT 1", "SHOW WARNINGS", ">SELECT RELEASE_LOCK('{schema}t')"],
            &["DELETE FROM trig WHERE id = 1"],
        ],
    ),
    kind(
        "sql_prepare",
        6,
        &[
            &[
                "PREPARE p{n} FROM 'SELECT ? + 1 AS x'",
                "SET @q = {int}",
                "EXECUTE p{n} USING @q",
                ">EXECUTE p{n} USING @q",
                ">{DEALLOCATE|DROP} PREPARE p{n}",
            ],
            &["EXECUTE p{n}", "DEALLOCATE PREPARE p{n}"],
            &[
                "SET @s = 'SELECT b FROM t1 WHERE id = ?', @i = {any}",
                "PREPARE p{n} FROM @s",
                "EXECUTE p{n} USING @i",
                ">EXECUTE p{n} USING @i",
            ],
            &[
                "PREPARE p{n} FROM 'INSERT INTO t2 (note) VALUES (?)'",
                "SET @v = {text}",
                "EXECUTE p{n} USING @v",
                ">SELECT LAST_INSERT_ID(), ROW_COUNT()",
            ],
            &["PREPARE p{n} FROM 'SELEC 1'", "EXECUTE p{n}"],
            &["PREPARE p1 FROM 'SELECT {1|2}'; EXECUTE p1"],
            &["PREPARE p{n} FROM 'SET @hidden = ?'", "SET @q = {n}", "EXECUTE p{n} USING @q", ">SELECT @hidden"],
            &[
                "PREPARE p{n} FROM 'CREATE TEMPORARY TABLE IF NOT EXISTS hidden_tmp (i INT)'",
                "EXECUTE p{n}",
                ">SELECT * FROM hidden_tmp",
                ">DROP TABLE IF EXISTS hidden_tmp",
            ],
            &[
                "PREPARE p{n} FROM 'SELECT GET_LOCK(?, 0)'",
                "SET @q = '{schema}h'",
                "EXECUTE p{n} USING @q",
                ">SELECT IS_FREE_LOCK('{schema}h')",
                ">DO RELEASE_LOCK('{schema}h')",
            ],
            &["EXECUTE IMMEDIATE 'SELECT {n}'"],
        ],
    ),
    kind(
        "prepare",
        8,
        &[
            &[
                ".prepare {slot} SELECT id, a, b, c FROM t1 WHERE id = ?",
                ".execute {slot} int:{any}",
                ">.execute {slot} int:{any}",
                ">.execute {slot} {value}",
            ],
            &[
                ".prepare {slot} SELECT ?, ?, ? AS third",
                ".execute {slot} {value} {value} {value}",
                ">.execute {slot} {value} {value} {value}",
            ],
            &[
                ".prepare {slot} INSERT INTO t2 (t1_id, note) VALUES (?, ?)",
                ".execute {slot} int:{any} text:ps",
                ">SELECT LAST_INSERT_ID(), ROW_COUNT()",
                ">.execute {slot} null null",
            ],
            &[
                ".prepare {slot} UPDATE t1 SET a = ? WHERE id = {own}",
                ".execute {slot} {value}",
                ">SELECT ROW_COUNT()",
                ">.execute {slot} {value}",
                "SHOW WARNINGS",
            ],
            &[
                ".prepare {slot} {SELEC|SELECT * FROM nosuch|BEGIN|SHOW WARNINGS|SELECT 1; SELECT 2|USE mysql|}",
                ".execute {slot}",
            ],
            &[".prepare {slot} CALL {many|selects_one|fails|makes_temp}()", ">.execute {slot}", ">SELECT 1"],
            &[
                ".prepare {slot} SELECT @a, @b, DATABASE(), @@sql_mode",
                "SET @a = {n}",
                ".execute {slot}",
                ">.execute {slot}",
            ],
            &[
                ".prepare {slot} SELECT a FROM small",
                "ALTER TABLE small ADD COLUMN y{n} INT",
                ".execute {slot}",
                ">.execute {slot}",
            ],
            &[".prepare {slot} SELECT * FROM small WHERE v <> ?", ".execute {slot} text:x", ">.execute {slot} text:x"],
            &[
                ".prepare {slot} SELECT * FROM t1 WHERE id < ? ORDER BY id",
                ">USE mysql",
                ".execute {slot} int:3",
                "USE {schema}",
                ".execute {slot} int:3",
            ],
            &[
                ".prepare {slot} {COMMIT|ROLLBACK|SET autocommit = 1|SET @c = 5|SELECT SQL_CALC_FOUND_ROWS id FROM t1 LIMIT 1}",
                ".execute {slot}",
                ">SELECT @c, FOUND_ROWS()",
            ],
            &[
                ".prepare {slot} SELECT GET_LOCK(CONCAT('{schema}', ?), 0)",
                ".execute {slot} text:ps",
                ">.execute {slot} text:ps",
                "DO RELEASE_LOCK('{schema}ps')",
            ],
        ],
    ),
    kind("execute", 5, &[&[".execute {slot}"], &[".execute {slot} {value} {value} {value}"], &[".execute 9"]]),
    kind(
        "cursor",
        5,
        &[
            &[
                ".prepare {slot} SELECT id, b FROM t1 WHERE id < 6 ORDER BY id",
                ".cursor {slot}",
                ">.fetch {slot} 2",
                ">.fetch {slot} 100",
                ">.fetch {slot} 1",
            ],
            &[
                ".prepare {slot} SELECT id FROM t1 WHERE id < ? ORDER BY id",
                ".cursor {slot} int:4",
                "SELECT 1",
                ".fetch {slot} 1",
                ">.cursor {slot} int:3",
                ".fetch {slot} 9",
            ],
            &[".cursor {slot} {value}", ".fetch {slot} {n}"],
            &[".fetch {slot} 2"],
            &[
                "BEGIN",
                ".prepare {slot} SELECT id FROM t1 WHERE id < 5 ORDER BY id",
                ".cursor {slot}",
                ".fetch {slot} 1",
                ">COMMIT",
                ".fetch {slot} 1",
            ],
        ],
    ),
    kind(
        "long_data",
        4,
        &[
            &[
                ".prepare {slot} SELECT CONCAT(?, '!')",
                ".long {slot} piece",
                ".long {slot} {text}",
                ".execute {slot} long",
                ">.execute {slot} text:plain",
            ],
            &[
                ".prepare {slot} INSERT INTO t2 (note) VALUES (?)",
                ".long {slot} long note",
                ".reset_statement {slot}",
                ".execute {slot} text:short",
                "SELECT note FROM t2 WHERE id = LAST_INSERT_ID()",
            ],
            &[".long {slot} early", ".execute {slot} {value}"],
        ],
    ),
    kind(
        "statement_end",
        4,
        &[&[".close {slot}", ">.execute {slot}"], &[".reset_statement {slot}"], &[".close 9", ".reset_statement 9"]],
    ),
    kind(
        "create_routine",
        1,
        &[
            &[
                "CREATE PROCEDURE {schema}made{n}() BEGIN SELECT {n}; SET @made = {n}; END",
                "CALL {schema}made{n}()",
                ">SELECT @made",
                ">DROP PROCEDURE IF EXISTS {schema}made{n}",
            ],
            &["BEGIN NOT ATOMIC SELECT 1; SET @x = 5; SELECT @x; END"],
        ],
    ),
];
