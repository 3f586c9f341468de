//! Commands that are not statements, and the ends of connections.

use super::{Kind, kind};

pub const KINDS: &[Kind] = &[
    kind(
        "use",
        5,
        &[
            &["USE {mysql|information_schema|{schema}|`{schema}`|nosuchdb}", "SELECT DATABASE()", ">USE {schema}"],
            &["USE {schema}"],
            &["USE {schema}2", "SELECT DATABASE()", "SELECT * FROM other", ">SELECT * FROM other", ">USE {schema}"],
        ],
    ),
    kind(
        "init_db",
        4,
        &[
            &[".init_db {schema}", "SELECT DATABASE()"],
            &[".init_db {mysql|nosuchdb|{schema}2}", "SELECT DATABASE()", ">.init_db {schema}"],
            &[".init_db "],
        ],
    ),
    kind(
        "drop_schema",
        1,
        &[&[
            "CREATE DATABASE {schema}3",
            "USE {schema}3",
            "CREATE TABLE x (i INT)",
            ">DROP DATABASE {schema}3",
            "SELECT DATABASE()",
            "SELECT * FROM x",
            ">USE {schema}",
        ]],
    ),
    kind("ping", 4, &[&[".ping"], &["SELECT 1/0", ".ping", "SHOW WARNINGS"]]),
    kind("statistics", 2, &[&[".statistics"]]),
    kind("field_list", 3, &[&[".field_list {t1|w|v1|nosuch|t1 %|t1 a%}"]]),
    kind("set_option", 3, &[&[".set_option {on|off}", "SELECT 1; SELECT 2"], &[".set_option on"]]),
    kind(
        "reset_connection",
        4,
        &[
            &[".reset", "SELECT @a, @@sql_mode, @@time_zone, DATABASE(), LAST_INSERT_ID()", "SHOW WARNINGS"],
            &[
                "SET @a = 1",
                "BEGIN",
                "UPDATE t1 SET a = 4 WHERE id = {own}",
                ".reset",
                "SELECT @a, a FROM t1 WHERE id = {own}",
            ],
            &[".reset", ">SELECT @@character_set_client, @@collation_connection, @@autocommit"],
        ],
    ),
    kind(
        "change_user",
        3,
        &[
            &[".change_user {ta|tb} {schema}", "SELECT USER(), CURRENT_USER(), DATABASE(), @a, @@sql_mode"],
            &[".change_user ta ", "SELECT DATABASE()", ">USE {schema}"],
            &[
                "BEGIN",
                "INSERT INTO t2 (note) VALUES ('gone')",
                ".change_user tb {schema}",
                "SELECT COUNT(*) FROM t2 WHERE note = 'gone'",
            ],
            &[".change_user tb nosuchdb", "SELECT USER(), DATABASE()", ">.reconnect"],
            &[".change_user_wrong {ta|tb} {schema}", "SELECT USER(), DATABASE()", ">.reconnect"],
        ],
    ),
    kind("unknown_command", 1, &[&[".unknown", "SELECT 1"]]),
    kind(
        "reconnect",
        4,
        &[
            &[".reconnect", "SELECT @a, @@sql_mode, DATABASE(), LAST_INSERT_ID(), ROW_COUNT()"],
            &["BEGIN", "UPDATE t1 SET a = 77 WHERE id = {own}", ".reconnect", "SELECT a FROM t1 WHERE id = {own}"],
            &[
                "SELECT GET_LOCK('{schema}r', 0)",
                "CREATE TEMPORARY TABLE gone (i INT)",
                ".reconnect",
                "SELECT IS_FREE_LOCK('{schema}r')",
                "SELECT * FROM gone",
            ],
        ],
    ),
    kind(
        "abort",
        2,
        &[
            &[
                "BEGIN",
                "INSERT INTO t2 (note) VALUES ('aborted')",
                ".abort",
                "SELECT COUNT(*) FROM t2 WHERE note = 'aborted'",
            ],
            &["SELECT GET_LOCK('{schema}q', 0)", ".abort", "SELECT IS_FREE_LOCK('{schema}q')"],
            &["LOCK TABLES t2 WRITE", ".abort", "INSERT INTO t2 (note) VALUES ('free')"],
        ],
    ),
];
