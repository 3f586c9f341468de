//! What a session sets for itself.

use super::{Kind, kind};

pub const KINDS: &[Kind] = &[
    kind(
        "set_variable",
        8,
        &[
            &[
                "SET {|SESSION |LOCAL |@@|@@session.|@@local.}{div_precision_increment|max_join_size|sql_select_limit|group_concat_max_len} = {1|3|7|1000}",
            ],
            &[
                "SET {sort_buffer_size|tmp_table_size|max_heap_table_size} = {65536|131072|1024*1024}",
                "SELECT @@tmp_table_size, @@sort_buffer_size",
            ],
            &[
                "SET div_precision_increment = {1+1|2*3|@@div_precision_increment + 1|(SELECT 7)}",
                ">SELECT 1/3, @@div_precision_increment",
            ],
            &["SET SESSION {div_precision_increment|sql_select_limit|lc_time_names|group_concat_max_len} := DEFAULT"],
            &[
                "SET lc_time_names = '{de_DE|fr_FR|en_US}'",
                ">SELECT DAYNAME('2024-02-29'), DATE_FORMAT('2024-05-01', '%M %W')",
            ],
            &[
                "SET @@session.sql_select_limit = {2|DEFAULT}",
                "SELECT id FROM t1 ORDER BY id",
                ">SELECT id, b FROM t1 ORDER BY id",
            ],
            &[
                "SET group_concat_max_len = {4|10|1024}",
                "SELECT GROUP_CONCAT(b ORDER BY id) FROM t1 WHERE id < 5",
                ">SHOW WARNINGS",
            ],
            &[
                "SET {foreign_key_checks|unique_checks|sql_safe_updates|sql_big_selects} = {0|1|ON|OFF|'on'|DEFAULT}",
                ">UPDATE t1 SET a = 1 WHERE c = {int}",
            ],
            &["SET sql_notes = {0|1}", "DROP TABLE IF EXISTS nosuch", "SHOW COUNT(*) WARNINGS"],
            &["SET sql_quote_show_create = {0|1}", ">SHOW CREATE TABLE t2"],
            &["SET SESSION {default_week_format|max_sort_length|net_read_timeout|wait_timeout} = {5|6|600}"],
        ],
    ),
    kind(
        "read_variable",
        5,
        &[
            &[
                "SELECT @@{session.|}{sql_mode|time_zone|character_set_client|autocommit|div_precision_increment|sql_select_limit}",
            ],
            &[
                "SELECT @@character_set_client, @@character_set_connection, @@character_set_results, @@collation_connection, @@character_set_database, @@collation_database",
            ],
            &[
                "SHOW VARIABLES LIKE '{character_set_client|collation_connection|sql_mode|autocommit|time_zone|sql_select_limit|lc_time_names}'",
            ],
            &[
                "SHOW SESSION VARIABLES WHERE Variable_name IN ('div_precision_increment','sql_mode','collation_connection','wait_timeout')",
            ],
            &[
                "SELECT @@wait_timeout, @@net_read_timeout, @@max_sort_length, @@foreign_key_checks, @@unique_checks, @@sql_safe_updates, @@sql_notes",
            ],
        ],
    ),
    kind(
        "set_several",
        3,
        &[
            &[
                "SET @a = {int}, div_precision_increment = {2|5}, @b = {text}",
                ">SELECT @a, @b, @@div_precision_increment",
            ],
            &["SET sql_select_limit = 3, no_such_variable = 1", "SELECT @@sql_select_limit"],
            // Of a name of its own, and set before: see the README on those that a refused SET makes.
            &["SET @refused = {int}", "SET @refused = 1, @@session.div_precision_increment = 'x'", "SELECT @refused"],
            &["SET @x = @@sql_mode, sql_mode = '{ANSI|}', @y = @@sql_mode", "SELECT @x, @y", "SET sql_mode = @x"],
        ],
    ),
    kind(
        "set_refused",
        4,
        &[
            &[
                "SET {no_such_variable = 1|sql_mode = 'NO_SUCH_MODE'|autocommit = 7|version = 'x'|character_set_client = utf16|lc_time_names = 'xx_YY'}",
            ],
            &[
                "SET {SESSION max_connections = 1|time_zone = 'Nowhere/Land'|NAMES nosuch|wait_timeout = 'abc'|sql_select_limit = NULL|div_precision_increment = 1.5}",
            ],
            &["SET GLOBAL {max_connections = 'x'|sort_buffer_size = 'y'|version = 1}", "SHOW WARNINGS"],
            &[
                "SET {div_precision_increment = 1000|group_concat_max_len = 1}",
                "SHOW WARNINGS",
                ">SELECT @@wait_timeout, @@div_precision_increment, @@group_concat_max_len",
            ],
            // It becomes one second: any server ends the session if others have more than that to say meanwhile.
            &["SET wait_timeout = 0", "SHOW WARNINGS", "SELECT @@wait_timeout", "SET wait_timeout = 600"],
            &["SET sql_mode = @@nosuch", "SET @@global.nosuch = 1"],
        ],
    ),
    kind(
        "set_names",
        5,
        &[
            &[
                "SET NAMES {utf8mb4|latin1|utf8|binary|cp1251|'utf8mb4'|DEFAULT}",
                "SELECT @@character_set_results, @@collation_connection",
            ],
            &[
                "SET NAMES {utf8mb4 COLLATE utf8mb4_bin|latin1 COLLATE latin1_german1_ci|utf8mb4 COLLATE latin1_bin}",
                ">SELECT @@collation_connection, 'a' = 'A'",
            ],
            &["SET {CHARACTER SET|CHARSET} {latin1|utf8mb4|DEFAULT}", ">SELECT @@character_set_connection, 'é'"],
            &[
                "SET character_set_results = {NULL|latin1|utf8mb4|binary}",
                ">SELECT b, HEX(b) FROM t1 WHERE id < 4 ORDER BY id",
            ],
            &[
                "SET collation_connection = {utf8mb4_unicode_ci|latin1_swedish_ci|binary}",
                ">SELECT COLLATION('x'), 'ß' = 'ss'",
            ],
            &[
                "SET {NAMES utf8mb4|NAMES latin1|NAMES utf8mb4 COLLATE utf8mb4_bin|NAMES latin1 COLLATE latin1_bin|character_set_client = utf8mb4}",
                ".prepare {slot} SELECT COLLATION(?), CONCAT(?, '!')",
                ">.execute {slot} text:a text:b",
                ">SET character_set_connection = {utf8|latin1}",
                ">.execute {slot} text:a text:b",
            ],
        ],
    ),
    kind(
        "sql_mode",
        5,
        &[
            &[
                "SET sql_mode = '{ANSI_QUOTES|ANSI_QUOTES,STRICT_ALL_TABLES}'",
                "SELECT \"a\" FROM t1 WHERE id = 1",
                "SELECT \"b\" FROM \"t1\" ORDER BY 1 LIMIT 2",
                ">SET sql_mode = DEFAULT",
            ],
            &["SET sql_mode = 'NO_BACKSLASH_ESCAPES'", "SELECT 'a\\'", "SELECT 'it\\', ' -- x'", ">SET sql_mode = ''"],
            &[
                "SET sql_mode = '{|TRADITIONAL|STRICT_TRANS_TABLES|NO_ENGINE_SUBSTITUTION|PIPES_AS_CONCAT|ONLY_FULL_GROUP_BY|HIGH_NOT_PRECEDENCE|IGNORE_SPACE}'",
                ">SELECT 'a' || 'b', NOT 1 BETWEEN -5 AND 5, COUNT (*) FROM t1",
            ],
            &[
                "SET SESSION sql_mode = CONCAT(@@sql_mode, ',PIPES_AS_CONCAT')",
                "SELECT 'a' || 'b'",
                ">SELECT @@sql_mode",
            ],
            &[
                "SET sql_mode = ''",
                "INSERT INTO w (tiny, short, day) VALUES ({300|-1|'x'}, 'too long', '2024-02-{30|31|00}')",
                "SHOW WARNINGS",
                ">SET sql_mode = DEFAULT",
            ],
        ],
    ),
    kind(
        "time_zone",
        4,
        &[
            &[
                "SET time_zone = '{+05:30|-08:00|+00:00|SYSTEM}'",
                "SELECT @@time_zone, FROM_UNIXTIME(86400), UNIX_TIMESTAMP('2024-01-01 12:00:00')",
                ">SELECT FROM_UNIXTIME(0)",
            ],
            &["SET time_zone = {DEFAULT|'{+99:00|+1}'}", ">SELECT stamp FROM log ORDER BY id"],
        ],
    ),
    kind(
        "timestamp",
        4,
        &[
            &[
                "SET timestamp = {1000000000|1.5|1700000000.25}",
                "SELECT NOW(), UNIX_TIMESTAMP(), @@timestamp, CURDATE()",
                "INSERT INTO log (what, stamp) VALUES ('now', NOW())",
                "SELECT NOW() = SYSDATE()",
                "SET timestamp = {0|DEFAULT}",
                "SELECT @@timestamp > 1e9",
            ],
            &["SET timestamp = 1234567890", "SELECT 1", "SELECT UNIX_TIMESTAMP(), NOW(6)", "SET timestamp = DEFAULT"],
        ],
    ),
    kind(
        "insert_id",
        4,
        &[
            &[
                "SET insert_id = 10{own}",
                "SELECT @@insert_id",
                "INSERT INTO t2 (note) VALUES ({text})",
                "SELECT LAST_INSERT_ID(), @@insert_id",
                "INSERT INTO t2 (note) VALUES ('after')",
                "SELECT LAST_INSERT_ID()",
            ],
            &["SET last_insert_id = {77|5}", "SELECT LAST_INSERT_ID(), @@last_insert_id, @@identity"],
            &["SET @@identity = 12", ">SELECT @@identity, LAST_INSERT_ID()"],
        ],
    ),
    kind(
        "rand_seed",
        3,
        &[
            &["SET rand_seed1 = {n}000, rand_seed2 = 12345{n}", "SELECT RAND(), RAND()", "SELECT RAND()"],
            &["SELECT RAND({int}), RAND(3) FROM t1 WHERE id < 3"],
        ],
    ),
    // What servers keep of a session over its reset.
    kind(
        "kept_texts",
        3,
        &[
            &["SELECT COUNT(*) > 0 FROM information_schema.profiling"],
            &["SELECT COUNT(*) > 0 FROM information_schema.optimizer_trace"],
            &["SET profiling = 1", "SELECT {n}", "SET profiling = 0"],
            &[
                "SET optimizer_trace = 'enabled=on'",
                "SELECT id FROM t1 WHERE id = {any}",
                "SET optimizer_trace = 'enabled=off'",
            ],
            &["SET profiling = 1", "SELECT {n}", ".reset", "SELECT COUNT(*) > 0 FROM information_schema.profiling"],
        ],
    ),
    kind(
        "user_variable",
        8,
        &[
            &["SET @{var} = {literal}", ">SELECT @{var}"],
            &["SET @{var} := {literal}, @{var} = {literal}"],
            &["SELECT @a, @b, @c, @A, @`a`, @'b'"],
            &["SELECT @{var} := {literal}", ">SELECT @{var}, @a"],
            &["SELECT @n := COALESCE(@n, 0) + 1 AS n FROM t1 WHERE id < 4"],
            &["SELECT a, b INTO @a, @b FROM t1 WHERE id = {any}", ">SELECT @a, @b"],
            &["SELECT COUNT(*) INTO @c FROM t2", "SELECT @c > 0"],
            &["SELECT id INTO @c FROM t1 ORDER BY id", "SHOW WARNINGS"],
            &["SET @{var} = (SELECT MAX(a) FROM t1 WHERE id < {any}), @b = @{var} + 1", "SELECT @{var}, @b"],
            &["UPDATE t1 SET a = (@a := a + 1) WHERE id = {own}", ">SELECT @a"],
            &["SET @{var} = NULL", "SELECT @{var} IS NULL, @never"],
            &["DO @d := {int}", ">SELECT @d"],
            &["SET @j = CONCAT('{\"k\": ', {n}, '}')", "SELECT @j"],
            &["SET @`{my var|odd``name}` = {literal}", ">SELECT @`my var`, @`odd``name`"],
        ],
    ),
    kind(
        "role",
        2,
        &[
            &["SET ROLE NONE", "SELECT CURRENT_ROLE()"],
            &["SET ROLE tr_role", "SELECT CURRENT_ROLE()", ">SELECT CURRENT_ROLE()"],
            &["SET DEFAULT ROLE NONE"],
        ],
    ),
    kind(
        "statement_scoped",
        2,
        &[
            &["SET STATEMENT sql_select_limit=1 FOR SELECT id FROM t1 ORDER BY id", "SELECT @@sql_select_limit"],
            &["SELECT /*+ SET_VAR(div_precision_increment = 9) */ 1/3", "SELECT 1/3"],
        ],
    ),
    kind("set_elsewhere", 1, &[&["SET RESOURCE GROUP nosuch"], &["SET PERSIST_ONLY nosuch = 1"]]),
];

pub const EXCLUSIVE: &[Kind] = &[kind(
    "set_global",
    4,
    &[
        &[
            "SET GLOBAL div_precision_increment = {5|6|7}",
            "SELECT @@div_precision_increment, @@global.div_precision_increment",
            ">.reconnect",
            "SELECT 1/3, @@div_precision_increment",
        ],
        &[
            "SET GLOBAL sql_mode = '{ANSI_QUOTES|}'",
            "!.reconnect",
            "!SELECT \"a\", @@sql_mode FROM t1 WHERE id = 1",
            "SELECT @@sql_mode",
        ],
        &[
            "SET @@global.group_concat_max_len = 9",
            ".reset",
            "SELECT @@group_concat_max_len",
            "!.change_user ta {schema}",
            "!SELECT @@group_concat_max_len",
        ],
        &[
            "SET GLOBAL time_zone = '+02:00'",
            ".reconnect",
            "SELECT @@time_zone, FROM_UNIXTIME(0)",
            "!SELECT @@time_zone",
        ],
    ],
)];
