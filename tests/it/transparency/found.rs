//! Small programs that once told tidegate from the server, each for the reason that its name says.

use super::action::Action;
use super::program::{Profile, Program, Step};
use super::wire::{BASE, DEPRECATE_EOF, MULTI_STATEMENTS, SESSION_TRACK};

/// Where their seeds begin: the generator's are smaller.
const FIRST: u64 = 1 << 32;
const PLAIN: u32 = BASE | MULTI_STATEMENTS;
const TRACKS: u32 = PLAIN | DEPRECATE_EOF | SESSION_TRACK;

struct Found {
    kind: &'static str,
    charset: u8,
    capabilities: u32,
    /// `1 SELECT 2`: what session 1 does.
    lines: &'static [&'static str],
}

const fn found(kind: &'static str, charset: u8, capabilities: u32, lines: &'static [&'static str]) -> Found {
    Found { kind, charset, capabilities, lines }
}

const FOUND: &[Found] = &[
    found(
        "a_kill_in_a_transaction_has_its_flags",
        45,
        PLAIN,
        &["1 SELECT 1", "0 START TRANSACTION READ ONLY", "0 SELEC 1", "0 KILL QUERY {id:1}", "0 SELECT 1", "0 COMMIT"],
    ),
    found(
        "a_kill_keeps_warnings_where_the_server_keeps_them",
        45,
        PLAIN,
        &["1 SELECT 1", "0 SELECT * FROM gone", "0 KILL QUERY {id:1}", "0 SELECT @@warning_count", "0 SHOW WARNINGS"],
    ),
    found("mysql_9_knows_no_kill_command", 45, PLAIN, &["1 SELECT 1", "0 .kill 1", "0 SELECT 1"]),
    found("who_kills_itself_is_gone", 45, PLAIN, &["1 SELECT 1", "0 KILL {id:0}", "0 .await_close"]),
    found(
        "a_text_of_charset_binary_is_carried",
        63,
        PLAIN,
        &["0 SET @b = 'é世'", "1 SELECT 1", "0 SELECT @b", "1 SELECT @b", "0 SELECT 1", "1 SELECT 2", "0 SELECT @b"],
    ),
    found(
        "a_refused_change_of_user_begins_anew",
        33,
        PLAIN,
        &[
            "0 SET sql_mode = 'ANSI_QUOTES', @a = 1",
            "0 .change_user_wrong ta {schema}2",
            "0 SELECT USER(), DATABASE(), @a, @@sql_mode, @@character_set_client, @@collation_connection",
            "1 .change_user_wrong tb {schema}",
            "1 SELECT USER(), DATABASE()",
        ],
    ),
    found(
        "only_three_changes_of_user_are_refused",
        45,
        PLAIN,
        &[
            "0 .change_user_wrong ta {schema}",
            "1 SELECT 1",
            "0 .change_user_wrong tb {schema}",
            "0 .change_user ta {schema}",
            "1 SELECT 1",
            "0 .change_user_wrong ta {schema}",
            "0 .change_user ta {schema}",
            "0 SELECT 1",
        ],
    ),
    found(
        "mysql_5_6_keeps_the_insert_id_over_a_change_of_user",
        45,
        PLAIN,
        &[
            "0 INSERT INTO t2 (note) VALUES ('x')",
            "1 SELECT 1",
            "0 .change_user tb {schema}",
            "1 SELECT LAST_INSERT_ID()",
            "0 SELECT LAST_INSERT_ID()",
            "1 .reconnect",
            "1 SELECT LAST_INSERT_ID()",
        ],
    ),
    found(
        "an_explicit_id_leaves_the_one_before",
        45,
        PLAIN,
        &[
            "0 INSERT INTO t2 (note) VALUES ('x')",
            "1 SELECT 1",
            "0 SELEC 1",
            "1 SELECT 1",
            "0 INSERT INTO t1 (id, a, b) VALUES (9011, 42, 'explicit')",
            "0 SELECT LAST_INSERT_ID()",
        ],
    ),
    found(
        "a_refused_set_role_loses_nothing",
        45,
        PLAIN,
        &[
            "0 INSERT INTO t2 (note) VALUES ('x')",
            "0 SET ROLE NONE",
            "1 SELECT 1",
            "0 SELECT 2",
            "0 SELECT LAST_INSERT_ID()",
        ],
    ),
    found("an_unknown_statement_has_its_own_id", 45, PLAIN, &["0 .execute 3 double:1.5", "0 SHOW WARNINGS"]),
    found(
        "no_other_clients_warnings_are_counted",
        45,
        TRACKS,
        &[
            "0 .set_option on",
            "1 SELECT 1/0",
            "1 .set_option on",
            "0 .ping",
            "0 .set_option off",
            "1 .init_db {schema}",
        ],
    ),
    found(
        "warnings_beyond_max_error_count",
        45,
        PLAIN,
        &[
            "0 SET max_error_count = 1",
            "1 SELECT 1",
            "0 DROP TABLE IF EXISTS n1, n2, n3",
            "1 SELECT 1",
            "0 SHOW WARNINGS",
        ],
    ),
    found(
        "a_refusal_in_a_read_only_transaction_counts_no_rows",
        45,
        PLAIN,
        &["0 START TRANSACTION READ ONLY", "0 UPDATE t1 SET a = 1", "0 SELECT FOUND_ROWS(), ROW_COUNT()", "0 COMMIT"],
    ),
    found(
        "a_procedure_begins_a_transaction_and_writes",
        45,
        TRACKS,
        &[
            "0 CALL begins()",
            "0 ROLLBACK",
            "0 .reset",
            "0 CALL begins()",
            "0 INSERT INTO t2 (note) VALUES ('x')",
            "0 COMMIT",
        ],
    ),
    found(
        "what_a_command_adds_to_the_warnings_of_before",
        45,
        PLAIN,
        &[
            "0 INSERT INTO w (tiny) VALUES (300)",
            "1 SELECT 1/0",
            "0 .field_list t1 a%",
            "1 .field_list nosuch",
            "0 SHOW WARNINGS",
            "1 SHOW WARNINGS",
            "0 SELECT 1/0, CAST('x' AS SIGNED)",
            "1 SELECT 1",
            "0 .init_db nosuchdb",
            "1 .init_db nosuchdb",
            "0 .execute 3 double:1.5",
            "1 .execute 3 double:1.5",
            "0 .ping",
            "1 .ping",
            "0 SHOW WARNINGS",
            "1 SHOW WARNINGS",
        ],
    ),
    found(
        "resignal_adds_to_the_warnings_of_before",
        45,
        PLAIN,
        &[
            "0 INSERT IGNORE INTO w (tiny, short) VALUES (999, 'abcdef'), (NULL, NULL)",
            "1 SELECT 1/0",
            "0 SELECT 1",
            "1 SELECT 2",
            "0 RESIGNAL",
            "1 RESIGNAL",
            "0 .init_db {schema}",
            "0 SHOW COUNT(*) WARNINGS",
            "1 SHOW WARNINGS",
        ],
    ),
    found(
        "no_other_clients_errors_behind_what_may_keep_them",
        45,
        PLAIN,
        &[
            "0 LOCK TABLE nosuch READ",
            "1 SELECT 1/0, CAST('x' AS SIGNED)",
            "0 SELECT 1",
            "1 SELECT 2",
            "0 CALL selects_one()",
            "0 SHOW WARNINGS",
            "1 SELECT GET_LOCK('{schema}a', 0)",
            "1 SHOW WARNINGS",
            "0 SELECT * FROM nosuch",
            "0 SELECT GET_LOCK('{schema}a', 0)",
            "0 SHOW WARNINGS",
            "1 SELECT RELEASE_LOCK('{schema}a')",
            "1 SELECT f_sets(1); SELECT 2",
            "1 SHOW WARNINGS",
        ],
    ),
    found(
        "an_unknown_command_leaves_its_error",
        45,
        PLAIN,
        &["0 SELECT 1/0, CAST('x' AS SIGNED)", "1 SELECT 1", "0 .unknown", "0 .ping", "0 SHOW WARNINGS"],
    ),
    found(
        "a_kill_counts_the_warnings_of_before",
        45,
        PLAIN,
        &[
            "1 SELECT 1",
            "0 BEGIN",
            "0 INSERT INTO w (tiny, short) VALUES (1, 'x')",
            "0 DROP TEMPORARY TABLE IF EXISTS nosuch",
            "0 .kill 1",
            "0 SELECT * FROM nosuch",
            "0 .ping",
            "0 COMMIT",
        ],
    ),
    found(
        "several_statements_that_are_refused_count_no_rows",
        45,
        BASE,
        &["1 SELECT * FROM nosuch", "0 SELECT 1; SELECT 2", "0 SELECT FOUND_ROWS(), ROW_COUNT()"],
    ),
    found(
        "two_statements_of_one_text_have_their_own_cursors",
        45,
        PLAIN,
        &[
            "0 .prepare 1 SELECT id, b FROM t1 WHERE id < 6 ORDER BY id",
            "0 .cursor 1 ",
            "0 .fetch 1 2",
            "0 .prepare 2 SELECT id, b FROM t1 WHERE id < 6 ORDER BY id",
            "0 .cursor 2 ",
            "0 .fetch 2 1",
            "0 .fetch 1 100",
            "0 .close 2",
            "0 SELECT 1",
        ],
    ),
    found(
        "a_refusal_in_a_prepared_xa_transaction_counts_no_rows",
        45,
        PLAIN,
        &[
            "0 SELECT b FROM t1 WHERE id < 4",
            "1 SELECT 1",
            "0 XA START '{schema}4'",
            "0 XA END '{schema}4'",
            "0 XA PREPARE '{schema}4'",
            "0 SELECT id FROM t1 WHERE id < 1",
            "0 SELECT FOUND_ROWS()",
            "0 XA ROLLBACK '{schema}4'",
        ],
    ),
    found(
        "a_kill_that_is_a_statement_warns_of_nothing",
        45,
        PLAIN,
        &["1 SELECT 1", "0 ROLLBACK TO lonely", "0 KILL QUERY {id:1}", "0 .set_option on", "0 .ping"],
    ),
    found(
        "a_variable_of_an_odd_name_keeps_its_backend",
        45,
        PLAIN,
        &["0 SET @`odd``name` = 1e3", "1 SELECT 1", "0 SELECT @`my var`, @`odd``name`", "0 .reset"],
    ),
    found(
        "a_commit_that_releases_ends_the_session",
        45,
        PLAIN,
        &[
            "0 SET completion_type = 2",
            "0 BEGIN",
            "0 COMMIT",
            "0 .await_close",
            "0 .reconnect",
            "0 SELECT @@completion_type",
        ],
    ),
    found(
        "a_text_that_is_prepared_may_keep_errors",
        45,
        PLAIN,
        &[
            "0 SELECT * FROM nosuch",
            "1 SELECT 1",
            "0 PREPARE p2 FROM 'SELECT ? + 1 AS x'",
            "0 SHOW COUNT(*) ERRORS",
            "0 PREPARE p2 FROM 'SELECT * FROM t1'",
            "0 SHOW COUNT(*) ERRORS",
            "0 DEALLOCATE PREPARE p2",
        ],
    ),
    found(
        "mysql_9_keeps_the_types_of_variables_from_their_preparation",
        45,
        PLAIN,
        &[
            "0 .prepare 1 SELECT @a",
            "1 SELECT 1",
            "0 SET @a = 1",
            "1 SELECT 2",
            "0 .execute 1",
            "0 .close 1",
            "0 SELECT @a",
        ],
    ),
    found(
        "what_may_change_the_insert_id_finds_it_on_the_backend",
        45,
        PLAIN,
        &[
            "0 INSERT INTO t2 (note) VALUES ('x')",
            "1 SELECT 1",
            "0 SET rand_seed1 = 5000, rand_seed2 = 123455",
            "1 SELECT 2",
            "0 SELECT LAST_INSERT_ID()",
            "1 SELECT 3",
            "0 UPDATE u SET n = LAST_INSERT_ID(n + 1) WHERE k = 99",
            "1 SELECT 4",
            "0 SELECT LAST_INSERT_ID()",
        ],
    ),
    found(
        "a_transaction_is_begun_in_another",
        45,
        TRACKS,
        &[
            "0 BEGIN",
            "0 BEGIN",
            "0 START TRANSACTION READ ONLY",
            "0 SELECT * FROM t1 LIMIT 1",
            "0 BEGIN",
            "0 START TRANSACTION WITH CONSISTENT SNAPSHOT",
            "0 INSERT INTO t2 (note) VALUES ('x')",
            "0 COMMIT AND CHAIN",
            "0 COMMIT",
        ],
    ),
    found(
        "found_rows_of_another",
        45,
        TRACKS,
        &[
            "1 SELECT id FROM t1 WHERE id < 6",
            "0 .field_list t1 a%",
            "0 SELECT FOUND_ROWS(), ROW_COUNT()",
            "0 SELECT id FROM t1 WHERE id < 4",
            "1 SELECT id FROM t1 WHERE id < 6",
            "0 CALL does_nothing()",
            "0 SELECT FOUND_ROWS()",
            "0 SELECT id FROM t1 WHERE id < 3",
            "1 SELECT id FROM t1 WHERE id < 6",
            "0 SHOW GRANTS",
            "0 SELECT FOUND_ROWS()",
            "0 SELECT id FROM t1 WHERE id < 3",
            "1 SELECT id FROM t1 WHERE id < 6",
            "0 SHOW TABLES LIKE 't_'",
            "0 SELECT FOUND_ROWS()",
            "0 SELECT id FROM t1 WHERE id < 3",
            "1 SELECT id FROM t1 WHERE id < 6",
            "0 SELECT SQL_CALC_FOUND_ROWS id FROM t1 WHERE id = (SELECT id FROM t1) LIMIT 1",
            "0 SELECT FOUND_ROWS()",
            "0 SELECT id FROM t1 WHERE id < 3",
            "1 SELECT id FROM t1 WHERE id < 6",
            "0 EXPLAIN SELECT 1",
            "0 SELECT FOUND_ROWS()",
        ],
    ),
    found(
        "found_rows_outlive_a_reset",
        45,
        TRACKS,
        &[
            "0 SELECT id FROM t1 WHERE id < 4",
            "0 .reset",
            "1 SELECT id FROM t1 WHERE id < 6",
            "0 SELECT FOUND_ROWS()",
            "0 SELECT SQL_CALC_FOUND_ROWS id FROM t1 WHERE id < 5 LIMIT 1",
            "0 .reset",
            "0 SELECT FOUND_ROWS()",
            "0 SELECT SQL_CALC_FOUND_ROWS id FROM t1 WHERE id < 5 LIMIT 1",
            "0 .change_user tb {schema}",
            "1 SELECT id FROM t1 WHERE id < 6",
            "0 SELECT FOUND_ROWS()",
        ],
    ),
    found(
        "flags_of_a_kill_behind_a_command_without_any",
        45,
        TRACKS,
        &["1 SELECT 1", "0 .statistics", "0 KILL QUERY {id:1}", "0 .long 3 early", "0 KILL QUERY {id:1}"],
    ),
    found(
        "what_a_refused_change_of_user_leaves",
        8,
        TRACKS,
        &[
            "0 .change_user tb nosuchdb",
            "0 SELECT ROW_COUNT(), @@error_count",
            "0 .change_user tb nosuchdb",
            "1 SELECT id FROM t1",
            "0 SHOW WARNINGS",
        ],
    ),
    found(
        "an_end_that_announces",
        8,
        TRACKS,
        &[
            "0 BEGIN",
            "0 .set_option on",
            "0 SELECT id FROM t1 LIMIT 1",
            "0 .set_option off",
            "0 COMMIT",
            "0 .set_option on",
        ],
    ),
    found(
        "warnings_in_the_ok_of_a_change_of_user",
        45,
        TRACKS,
        &[
            "0 SELECT * FROM nosuch",
            "1 SELECT 1",
            "0 .change_user tb {schema}",
            "0 SHOW WARNINGS",
            "0 SELECT 'x' + 1",
            "1 SELECT id FROM t1",
            "0 .change_user ta {schema}",
        ],
    ),
    found(
        "warnings_over_what_uses_no_table",
        45,
        TRACKS,
        &[
            "0 SELECT * FROM nosuch",
            "1 SELECT id FROM t1",
            "0 UNLOCK TABLES",
            "0 CREATE PROCEDURE {schema}keeps() DO 1",
            "0 DROP PROCEDURE {schema}keeps",
            "0 -- nothing",
            "1 SELECT id FROM t1",
            "0 SHOW WARNINGS",
        ],
    ),
    found(
        "flags_that_share_a_word",
        45,
        TRACKS,
        &[
            "0 SET sql_notes = 0",
            "0 SET foreign_key_checks = 0",
            "1 SELECT @@sql_notes, @@foreign_key_checks, @@unique_checks",
            "0 SET autocommit = 0",
            "1 SELECT @@autocommit",
            "0 SET unique_checks = 0, autocommit = 1",
            "1 SHOW CREATE TABLE t2",
            "0 SELECT @@sql_notes, @@foreign_key_checks, @@unique_checks, @@autocommit",
            "0 SHOW CREATE TABLE t2",
            "0 SET innodb_lock_wait_timeout = 7",
            "1 SELECT @@innodb_lock_wait_timeout",
            "0 SELECT @@innodb_lock_wait_timeout",
        ],
    ),
];

/// Their seeds.
pub fn seeds() -> Vec<u64> {
    (FIRST..).zip(FOUND).map(|(seed, _)| seed).collect()
}

/// The program of this seed, if it is one of them.
pub fn program(seed: u64) -> Option<Program> {
    let at = usize::try_from(seed.checked_sub(FIRST)?).ok()?;
    let Found { kind, charset, capabilities, lines } = *FOUND.get(at)?;
    let profile = Profile { user: "ta", in_schema: true, capabilities, charset };
    let step = |line: &&str| {
        let (session, line) = line.split_once(' ').expect("a session's number");
        Step { session: session.parse().expect("a number"), kind, action: Action::parse(line) }
    };
    let steps = lines.iter().map(step).collect();
    Some(Program { seed, sessions: vec![profile.clone(), profile], steps, exclusive: false })
}
