//! Where transactions begin and end.

use super::{Kind, kind};

pub const KINDS: &[Kind] = &[
    kind(
        "begin",
        6,
        &[
            &[
                "{BEGIN|START TRANSACTION|BEGIN WORK|begin}",
                ">UPDATE t1 SET a = a + 1 WHERE id = {own}",
                ">{COMMIT|ROLLBACK|COMMIT WORK|ROLLBACK WORK}",
            ],
            &[
                "START TRANSACTION {READ ONLY|READ WRITE|WITH CONSISTENT SNAPSHOT|WITH CONSISTENT SNAPSHOT, READ ONLY|NOSUCH}",
                ">UPDATE t1 SET a = 9 WHERE id = {own}",
                ">SELECT COUNT(*) FROM t1",
                ">COMMIT",
            ],
            &[
                "BEGIN",
                "INSERT INTO t2 (note) VALUES ({text})",
                "BEGIN",
                "SELECT COUNT(*) FROM t2 WHERE note = {text}",
                "ROLLBACK",
            ],
        ],
    ),
    kind(
        "end",
        5,
        &[
            &["COMMIT"],
            &["ROLLBACK"],
            &["{COMMIT|ROLLBACK} AND CHAIN", "INSERT INTO t2 (note) VALUES ('chained')", ">ROLLBACK"],
            &["COMMIT AND NO CHAIN NO RELEASE"],
        ],
    ),
    kind(
        "release",
        1,
        &[
            &["{COMMIT|ROLLBACK} RELEASE", ".await_close", ".reconnect"],
            &[
                "BEGIN",
                "SET completion_type = {CHAIN|RELEASE|2}",
                "COMMIT",
                "SELECT @@completion_type",
                ">SET completion_type = 0",
            ],
        ],
    ),
    kind(
        "savepoint",
        4,
        &[
            &[
                "BEGIN",
                "SAVEPOINT s1",
                "UPDATE t1 SET b = {text} WHERE id = {own}",
                "SAVEPOINT s2",
                ">ROLLBACK TO {s1|SAVEPOINT s2|nosuch}",
                ">RELEASE SAVEPOINT {s1|s2}",
                ">SELECT b FROM t1 WHERE id = {own}",
                ">COMMIT",
            ],
            &["SAVEPOINT lonely", "ROLLBACK TO lonely"],
        ],
    ),
    kind(
        "autocommit",
        5,
        &[
            &[
                "SET autocommit = {0|OFF|'off'|@@global.autocommit - 1}",
                ">INSERT INTO t2 (note) VALUES ({text})",
                ">SELECT COUNT(*) FROM t2",
                ">{COMMIT|ROLLBACK}",
                ">SET autocommit = {1|ON|DEFAULT}",
            ],
            &["SET autocommit = 1", "SELECT @@autocommit"],
            &["SET autocommit = 0", "SELECT 1", "SELECT id FROM t1 LIMIT 0", "SET autocommit = 1"],
        ],
    ),
    kind(
        "set_transaction",
        5,
        &[
            &[
                "SET TRANSACTION ISOLATION LEVEL {READ COMMITTED|REPEATABLE READ|SERIALIZABLE|READ UNCOMMITTED}",
                "BEGIN",
                ">SELECT a FROM t1 WHERE id = {any}",
                ">COMMIT",
            ],
            &[
                "SET TRANSACTION READ ONLY",
                "SELECT 1",
                "UPDATE t1 SET a = 5 WHERE id = {own}",
                "UPDATE t1 SET a = 6 WHERE id = {own}",
            ],
            &[
                "SET SESSION TRANSACTION {ISOLATION LEVEL READ COMMITTED|READ ONLY|READ WRITE}",
                "UPDATE t1 SET a = 5 WHERE id = {own}",
                ">SET SESSION TRANSACTION READ WRITE, ISOLATION LEVEL REPEATABLE READ",
            ],
            &[
                "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY",
                ">BEGIN",
                ">DELETE FROM t1 WHERE id = {own}",
                ">ROLLBACK",
            ],
            &["BEGIN", "SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "COMMIT"],
            &[
                "SET SESSION {tx_isolation|transaction_isolation} = '{READ-COMMITTED|REPEATABLE-READ|NONSENSE}'",
                ">SELECT a FROM t1 WHERE id = {any}",
            ],
            &[
                "SET @@{tx_isolation|transaction_isolation} = 'SERIALIZABLE'",
                "SET @@{tx_read_only|transaction_read_only} = 1",
                "INSERT INTO t2 (note) VALUES ('x')",
                "SELECT 1",
            ],
            &["SELECT @@{tx_isolation|transaction_isolation}, @@{tx_read_only|transaction_read_only}"],
        ],
    ),
    kind(
        "implicit_commit",
        3,
        &[
            &[
                "BEGIN",
                "INSERT INTO t2 (note) VALUES ('committed')",
                "CREATE TABLE IF NOT EXISTS {schema}made{n} (i INT)",
                "ROLLBACK",
                "SELECT COUNT(*) FROM t2 WHERE note = 'committed'",
            ],
            &[
                "CREATE TABLE {schema}made{n} (i INT PRIMARY KEY) {|ENGINE=MyISAM}",
                "INSERT INTO {schema}made{n} VALUES (1), (1)",
                ">DROP TABLE IF EXISTS {schema}made{n}",
            ],
            &["TRUNCATE TABLE small", "ANALYZE TABLE small"],
            &[
                "ALTER TABLE small ADD COLUMN x{n} INT DEFAULT {n}",
                "SELECT * FROM small",
                "INSERT INTO small (v) VALUES ({text})",
            ],
            &[
                "CREATE OR REPLACE VIEW {schema}view{n} AS SELECT id, a FROM t1 WHERE id < 4",
                "SELECT * FROM {schema}view{n} ORDER BY id",
            ],
            &["RENAME TABLE small TO big, big TO small"],
        ],
    ),
    kind(
        "xa",
        3,
        &[
            &[
                "XA START '{schema}{n}'",
                "INSERT INTO t2 (note) VALUES ({text})",
                "XA END '{schema}{n}'",
                ">XA PREPARE '{schema}{n}'",
                ">XA {COMMIT|ROLLBACK} '{schema}{n}'",
            ],
            &[
                "XA BEGIN '{schema}9'",
                "UPDATE t1 SET a = 3 WHERE id = {own}",
                "BEGIN",
                "SELECT 1",
                "XA END '{schema}9'",
                "XA COMMIT '{schema}9' ONE PHASE",
                "COMMIT",
            ],
            &["XA {COMMIT|ROLLBACK|END|PREPARE} '{schema}nosuch'"],
            &["XA START '{schema}8'", "XA END '{schema}8'", "XA ROLLBACK '{schema}8'", "SELECT 1"],
        ],
    ),
    kind(
        "read_only_transaction",
        2,
        &[&[
            "START TRANSACTION READ ONLY",
            "SELECT a FROM t1 WHERE id = 1",
            "INSERT INTO t2 (note) VALUES ('no')",
            "CREATE TEMPORARY TABLE IF NOT EXISTS tmp_ro (i INT)",
            "INSERT INTO tmp_ro VALUES (1)",
            ">COMMIT",
            "DROP TEMPORARY TABLE IF EXISTS tmp_ro",
        ]],
    ),
    kind(
        "lock_wait",
        1,
        &[
            &[
                "BEGIN",
                "UPDATE t1 SET a = 1 WHERE id = 1",
                "!UPDATE t1 SET a = 2 WHERE id = 1",
                "!SHOW WARNINGS",
                "COMMIT",
            ],
            &[
                "BEGIN",
                "SELECT * FROM t1 WHERE id = 2 FOR UPDATE",
                "!SELECT * FROM t1 WHERE id = 2 {LOCK IN SHARE MODE|FOR UPDATE NOWAIT}",
                "ROLLBACK",
            ],
        ],
    ),
];
