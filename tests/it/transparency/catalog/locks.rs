//! Locks: by name, of tables, of all.

use super::{Kind, kind};

pub const KINDS: &[Kind] = &[
    kind(
        "user_lock",
        7,
        &[
            &["SELECT GET_LOCK('{schema}{lock}', 0)", ">SELECT RELEASE_LOCK('{schema}{lock}')"],
            &["SELECT IS_USED_LOCK('{schema}{lock}')", "SELECT IS_FREE_LOCK('{schema}{lock}')"],
            &[
                "SELECT GET_LOCK('{schema}a', 0)",
                "!SELECT GET_LOCK('{schema}a', 0), IS_USED_LOCK('{schema}a') = {seen:me} AS mine",
                ">SELECT IS_USED_LOCK('{schema}a') = CONNECTION_ID()",
            ],
            &["DO GET_LOCK('{schema}b', 0)", ">DO RELEASE_LOCK('{schema}b')"],
            &["SET @l = GET_LOCK('{schema}{lock}', 0)", "SELECT @l"],
            &["SELECT RELEASE_ALL_LOCKS()"],
            &[
                "SELECT RELEASE_LOCK('{schema}{lock}'), RELEASE_LOCK('{schema}nosuch')",
                "SELECT GET_LOCK(NULL, 0), GET_LOCK('', 0)",
            ],
            &["SELECT id, GET_LOCK('{schema}a', 0) FROM t1 WHERE id = 1"],
        ],
    ),
    kind(
        "wait_for_lock",
        2,
        &[
            &[
                "SELECT GET_LOCK('{schema}w', 0)",
                "!.start SELECT /*w{schema}*/ GET_LOCK('{schema}w', 4)",
                "SELECT RELEASE_LOCK('{schema}w')",
                "!.await",
                "!SELECT RELEASE_LOCK('{schema}w')",
            ],
            &[
                "SELECT GET_LOCK('{schema}w', 0)",
                "!.start SELECT /*w{schema}*/ GET_LOCK('{schema}w', 4)",
                "KILL QUERY {id:other}",
                "!.await",
                "SELECT RELEASE_LOCK('{schema}w')",
            ],
        ],
    ),
    kind(
        "lock_tables",
        4,
        &[
            &[
                "LOCK TABLES t2 WRITE, t1 READ",
                "UPDATE t1 SET a = 1",
                "INSERT INTO t2 (note) VALUES ('locked')",
                "SELECT * FROM u",
                ">UNLOCK TABLES",
            ],
            &[
                "LOCK TABLES my {READ|WRITE|READ LOCAL|LOW_PRIORITY WRITE}, t1 AS x READ",
                "SELECT COUNT(*) FROM my",
                "SELECT x.id FROM t1 AS x WHERE id = 1",
                "SELECT id FROM t1",
                "UNLOCK TABLES",
            ],
            &["LOCK TABLE nosuch READ"],
            &["UNLOCK TABLES"],
            &[
                "SET autocommit = 0",
                "LOCK TABLES small WRITE",
                "INSERT INTO small (v) VALUES ('l')",
                "COMMIT",
                "UNLOCK TABLES",
                "SET autocommit = 1",
            ],
            &["LOCK TABLES small WRITE", "!SELECT * FROM small", "UNLOCK TABLES"],
        ],
    ),
    kind(
        "flush_tables",
        1,
        &[
            &["FLUSH TABLES small WITH READ LOCK", "INSERT INTO small (v) VALUES ('f')", ">UNLOCK TABLES"],
            &["FLUSH TABLES small FOR EXPORT", "UNLOCK TABLES"],
            &["FLUSH {TABLES small|NOSUCH}"],
        ],
    ),
    kind(
        "handler",
        4,
        &[
            &["HANDLER t1 OPEN", "HANDLER t1 READ FIRST", ">HANDLER t1 READ NEXT LIMIT 2", ">HANDLER t1 CLOSE"],
            &[
                "HANDLER t1 OPEN AS h",
                "HANDLER h READ `PRIMARY` = ({any})",
                "HANDLER h READ a FIRST",
                ">HANDLER h CLOSE",
            ],
            &["HANDLER {t1|nosuch|h} {READ FIRST|CLOSE}"],
        ],
    ),
    kind(
        "kill_query",
        2,
        &[
            &["!.start SELECT /*w{schema}*/ SLEEP(4)", "KILL QUERY {id:other}", "!.await", "!SELECT 1"],
            &[
                "!BEGIN",
                "!UPDATE t1 SET a = 8 WHERE id = 3",
                "!.start SELECT /*w{schema}*/ SLEEP(4), id FROM t1 WHERE id = 1",
                "KILL QUERY {id:other}",
                "!.await",
                "!SELECT a FROM t1 WHERE id = 3",
                "!ROLLBACK",
            ],
            &["!.start CALL sleeps()", "KILL QUERY {id:other}", "!.await", "!SHOW WARNINGS"],
            &["KILL QUERY {id:me}", "SELECT 1"],
            &["KILL QUERY 4000000000", "KILL 4000000000"],
        ],
    ),
    kind(
        "kill",
        2,
        &[
            &["!SELECT 1", "KILL {|CONNECTION }{id:other}", "!.await_close", "!.reconnect"],
            &["!.start SELECT /*w{schema}*/ SLEEP(4)", "KILL {id:other}", "!.await", "!.await_close", "!.reconnect"],
            &[
                "!BEGIN",
                "!UPDATE t1 SET a = 8 WHERE id = 4",
                ".kill other",
                "!.await_close",
                "SELECT a FROM t1 WHERE id = 4",
                "!.reconnect",
            ],
            &["KILL {id:me}", ".await_close", ".reconnect"],
        ],
    ),
    kind("sleep", 1, &[&["SELECT SLEEP(0.01)", "DO SLEEP(0)"], &["SELECT BENCHMARK(10, MD5('x'))"]]),
];

pub const EXCLUSIVE: &[Kind] = &[
    kind(
        "global_read_lock",
        6,
        &[
            &[
                "FLUSH TABLES WITH READ LOCK",
                "UPDATE t1 SET a = 1 WHERE id = {own}",
                "SELECT COUNT(*) FROM t1",
                ">UNLOCK TABLES",
            ],
            &[
                "FLUSH TABLES WITH READ LOCK",
                "!SELECT COUNT(*) FROM t1",
                "!INSERT INTO t2 (note) VALUES ('waits')",
                "UNLOCK TABLES",
            ],
        ],
    ),
    kind(
        "backup_lock",
        3,
        &[
            &["LOCK INSTANCE FOR BACKUP", "INSERT INTO t2 (note) VALUES ('i')", "UNLOCK INSTANCE"],
            &["BACKUP STAGE START", "SELECT 1", "BACKUP STAGE END"],
            &["BACKUP LOCK t1", "BACKUP UNLOCK"],
        ],
    ),
];
