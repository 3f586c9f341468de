//! What statements do to their session is told from their words, and never too little of it.

use proptest::prelude::*;

use tidegate::sql::effects::{Statement, statements, summary};
use tidegate::sql::flags::Flags;
use tidegate::sql::lexer::{Dialect, Kind, Lexer};
use tidegate::sql::verb::Verb;

const MARIADB: Dialect = Dialect { mariadb: true, version: 101_119, ..Dialect::PLAIN };
const MYSQL: Dialect = Dialect { mariadb: false, version: 90_704, ..MARIADB };

fn all(sql: &str, dialect: Dialect) -> Vec<Statement> {
    statements(sql.as_bytes(), dialect).collect()
}

fn one(sql: &str) -> Statement {
    let found = all(sql, MARIADB);
    assert_eq!(found.len(), 1, "{sql}");
    found[0]
}

// `sql` is one statement of this kind with exactly these flags.
fn check(verb: Verb, cases: &[(&str, &str)]) {
    for (sql, flags) in cases {
        let found = one(sql);
        let mut names: Vec<_> = found.flags.names().collect();
        let mut expected: Vec<_> = flags.split(' ').filter(|name| !name.is_empty()).collect();
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!((found.verb, names), (verb, expected), "{sql}");
    }
}

#[test]
fn plain_reads_are_proved_read_only() {
    check(
        Verb::Select,
        &[
            ("SELECT 1", "read_only"),
            ("select a, b from t where c = 'x' order by d limit 5", "read_only"),
            ("SELECT count(*), max(a), COALESCE(b, 0) FROM t GROUP BY c HAVING sum(d) > 5", "read_only"),
            ("SELECT * FROM a.t WHERE a.t.x IN (1, 2) AND (y, z) IN ((1, 2))", "read_only"),
            ("SELECT `a`.`b` FROM `a` JOIN c USING (id) WHERE EXISTS (SELECT 1 FROM d)", "read_only"),
            ("(SELECT 1) UNION ALL (SELECT 2)", "read_only"),
            ("((SELECT 1))", "read_only"),
            ("WITH x AS (SELECT 1), y (a, b) AS (SELECT 1, 2) SELECT * FROM x, y", "read_only"),
            ("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n", "read_only"),
            ("SELECT a, ROW_NUMBER() OVER (PARTITION BY b) FROM t", "read_only"),
            ("SELECT 'into outfile for update get_lock(1)' /* INTO @a */ -- FOR UPDATE", "read_only"),
            ("SELECT `into`, `for`, `lock` FROM t", "read_only"),
            ("SELECT CAST(a AS DECIMAL(10, 2)), CONVERT(b, CHAR(5)) FROM t", "read_only"),
            ("SELECT * FROM t USE INDEX (a) WHERE b = ?", "read_only"),
            ("SELECT SLEEP(1)", "read_only"),
            ("TABLE t", "read_only"),
            ("VALUES (1, 2), (3, 4)", "read_only"),
            ("SELECT @a", "user_variable read_only"),
            ("SELECT @@version, @@session.sql_mode", "system_variable read_only"),
            (
                "SELECT LAST_INSERT_ID(), @@identity, @@session.last_insert_id",
                "last_insert_id system_variable read_only",
            ),
            ("SELECT ROW_COUNT(), FOUND_ROWS()", "row_count found_rows read_only"),
            ("SELECT @@warning_count, @@local.`error_count`", "diagnostics system_variable read_only"),
            ("SELECT CONNECTION_ID(), @@pseudo_thread_id", "connection_id system_variable read_only"),
            ("SELECT * FROM information_schema.PROCESSLIST", "connections read_only"),
            ("SELECT * FROM information_schema.`processlist`", "connections read_only"),
            ("SELECT * FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id = 7", "connections read_only"),
            ("SELECT * FROM information_schema.metadata_lock_info", "connections read_only"),
            ("SELECT /* app */ SQL_NO_CACHE a FROM t;", "read_only"),
        ],
    );
    check(
        Verb::Show,
        &[
            ("SHOW TABLES", "read_only"),
            ("SHOW FULL COLUMNS FROM t LIKE 'a%'", "read_only"),
            ("SHOW GRANTS FOR CURRENT_USER()", "read_only"),
            ("SHOW WARNINGS", "diagnostics read_only"),
            ("SHOW COUNT(*) ERRORS", "diagnostics read_only"),
            ("SHOW VARIABLES LIKE 'a'", "last_insert_id system_variable read_only"),
            ("SHOW FULL PROCESSLIST", "connections read_only"),
            ("SHOW GLOBAL STATUS", "read_only"),
            ("SHOW TABLE STATUS LIKE 'x'", "read_only"),
            ("SHOW ENGINE INNODB STATUS", "read_only"),
            ("SHOW STATUS", "session_counters read_only"),
            ("SHOW SESSION STATUS LIKE 'x'", "session_counters read_only"),
        ],
    );
    check(Verb::Explain, &[("EXPLAIN SELECT 1", "read_only"), ("DESC t", "read_only"), ("DESCRIBE t a", "read_only")]);
}

#[test]
fn other_reads_are_not() {
    check(
        Verb::Select,
        &[
            ("SELECT a FROM t FOR UPDATE", "not_plain"),
            ("SELECT a FROM t WHERE b = 1 FOR SHARE SKIP LOCKED", "not_plain"),
            ("SELECT a FROM t LOCK IN SHARE MODE", "not_plain"),
            ("SELECT a FROM t INTO OUTFILE '/x'", "not_plain"),
            ("SELECT a INTO @b FROM t", "not_plain set_user_other user_variable"),
            ("(SELECT 1) INTO @b", "not_plain set_user_other user_variable"),
            ("SELECT @a := @a + 1 FROM t", "set_user_other user_variable"),
            ("SELECT @a:=1", "set_user_other user_variable"),
            ("SELECT GET_LOCK('a', 5)", "get_lock"),
            ("SELECT Get_Lock ('a', 5), RELEASE_LOCK('b')", "get_lock release_lock"),
            ("SELECT RELEASE_ALL_LOCKS()", "release_lock"),
            ("SELECT IS_USED_LOCK('a'), IS_FREE_LOCK('a')", "connections read_only"),
            ("SELECT my_function(1)", "unknown_function"),
            ("SELECT db.count(1)", "unknown_function"),
            ("SELECT `abs`(1)", "unknown_function"),
            ("SELECT `get_lock`('a', 1), ``(1)", "get_lock unknown_function"),
            ("SELECT count (*) FROM t", "unknown_function"),
            ("SELECT count/**/(*) FROM t", "unknown_function"),
            ("SELECT * FROM (SELECT 1 AS a) AS v (b)", "unknown_function"),
            ("SELECT LAST_INSERT_ID(5)", "set_last_insert_id"),
            ("SELECT SQL_CALC_FOUND_ROWS a FROM t", "calc_found_rows"),
            ("SELECT a FROM t PROCEDURE ANALYSE()", "not_plain unknown_function"),
            ("SELECT NEXTVAL(s), LASTVAL(s)", "sequence"),
            ("SELECT NEXT VALUE FOR s", "sequence not_plain"),
            ("SELECT s.nextval", "sequence"),
            ("SELECT 1 /*!50000 , 2 */", "executable_comment"),
            ("/*!50000 SELECT */ 1", "executable_comment"),
            ("SELECT 1 /*!50000 INTO @a */", "executable_comment not_plain set_user_other user_variable"),
            ("SELECT 1 INTO /*!50000 @a */", "executable_comment not_plain set_user_other user_variable"),
            ("SELECT get_lock /*! ( */ 'a', 1)", "executable_comment get_lock"),
            ("SELECT 'a", "unexplained"),
            ("SELECT /* a", "unexplained"),
            ("WITH x AS (SELECT f(1)) SELECT 1", "unknown_function"),
        ],
    );
    check(Verb::Show, &[("SHOW PROFILES", "unexplained"), ("SHOW EXPLAIN FOR 5", "connections not_plain")]);
    check(
        Verb::Explain,
        &[("EXPLAIN FOR CONNECTION 5", "connections not_plain"), ("EXPLAIN SELECT f(1)", "unknown_function")],
    );
}

#[test]
fn writes_say_what_they_do_to_the_session() {
    check(
        Verb::Insert,
        &[
            ("INSERT INTO t (a, b) VALUES (1, 'x')", ""),
            ("INSERT INTO a.t (a) VALUES (1)", ""),
            ("INSERT INTO `a`.`t` (`a`) VALUES (1) ON DUPLICATE KEY UPDATE a = VALUES(a)", ""),
            ("INSERT IGNORE t (a) VALUES (NOW()), (DEFAULT)", ""),
            ("INSERT t VALUES (f(1))", "unknown_function"),
            ("INSERT INTO t (a) VALUES (f(1))", "unknown_function"),
            ("INSERT INTO t (a) (SELECT f(1))", "unknown_function"),
            ("INSERT INTO t SET a = f(1)", "unknown_function"),
            ("INSERT INTO t SELECT GET_LOCK('a', 1)", "get_lock"),
            ("INSERT INTO t PARTITION (p) (a) VALUES (1)", ""),
            ("INSERT INTO t VALUES (LAST_INSERT_ID())", "last_insert_id"),
            ("WITH x AS (SELECT 1) INSERT INTO t (a) SELECT * FROM x", ""),
        ],
    );
    check(
        Verb::Replace,
        &[("REPLACE INTO t (a) VALUES (REPLACE('a', 'b', 'c'))", ""), ("REPLACE t (a) VALUES (1)", "")],
    );
    check(
        Verb::Update,
        &[
            ("UPDATE t SET a = a + 1 WHERE b IN (1, 2)", ""),
            ("UPDATE t SET a = LAST_INSERT_ID(a + 1)", "set_last_insert_id"),
            ("UPDATE t SET a = (@b := a)", "set_user_other user_variable"),
        ],
    );
    check(Verb::Delete, &[("DELETE FROM t WHERE a = 1", ""), ("DELETE a FROM a JOIN b USING (id)", "")]);
    check(
        Verb::LoadData,
        &[
            ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t", "local_infile"),
            ("LOAD DATA LOW_PRIORITY LOCAL INFILE 'x' INTO TABLE t", "local_infile"),
            ("LOAD DATA INFILE 'x' INTO TABLE t", ""),
            ("LOAD DATA INFILE 'x' INTO TABLE t LINES TERMINATED BY ';' (a, b)", ""),
            ("LOAD DATA INFILE 'x' INTO TABLE t (a) SET b = f(a)", "unknown_function"),
            ("LOAD DATA INFILE 'x' INTO TABLE t SET a = @b", "set_user_other user_variable"),
        ],
    );
    check(Verb::Do, &[("DO 1", ""), ("DO GET_LOCK('a', 1)", "get_lock"), ("DO f()", "unknown_function")]);
    check(Verb::Call, &[("CALL p", "call"), ("CALL a.p(1, @b)", "call unknown_function user_variable")]);
}

#[test]
fn transactions_are_followed() {
    check(
        Verb::Begin,
        &[
            ("BEGIN", "begin implicit_commit"),
            ("begin work;", "begin implicit_commit"),
            ("START TRANSACTION", "begin implicit_commit"),
            ("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", "begin implicit_commit"),
            ("/* a */ BEGIN", "begin implicit_commit"),
        ],
    );
    check(
        Verb::Commit,
        &[
            ("COMMIT", "end"),
            ("COMMIT WORK AND CHAIN", "end chain"),
            ("COMMIT AND NO CHAIN RELEASE", "end release"),
            ("COMMIT AND CHAIN NO RELEASE", "end chain"),
        ],
    );
    check(Verb::Rollback, &[("ROLLBACK", "end"), ("ROLLBACK RELEASE", "end release")]);
    check(
        Verb::Savepoint,
        &[
            ("SAVEPOINT a", "savepoint"),
            ("ROLLBACK TO a", "savepoint"),
            ("ROLLBACK WORK TO SAVEPOINT a", "savepoint"),
            ("RELEASE SAVEPOINT a", "savepoint"),
        ],
    );
    check(
        Verb::Xa,
        &[
            ("XA START 'a'", "xa_start"),
            ("XA BEGIN 'a' JOIN", "xa_start"),
            ("XA END 'a'", "xa_end"),
            ("XA PREPARE 'a'", "xa_prepare"),
            ("XA COMMIT 'a' ONE PHASE", "xa_finish"),
            ("XA ROLLBACK 'a'", "xa_finish"),
            ("XA RECOVER", ""),
            ("XA x", "unexplained"),
        ],
    );
}

#[test]
fn set_is_told_apart() {
    check(
        Verb::Set,
        &[
            ("SET a = 1", "set_system"),
            ("SET sql_mode = CONCAT(@@sql_mode, ',X')", "set_system set_system_expression set_lexing system_variable"),
            ("SET @a = 1", "set_user_literal user_variable"),
            ("SET @a := 1, @b = NULL", "set_user_literal user_variable"),
            ("SET @a = (SELECT 1)", "set_user_other user_variable"),
            ("SET @a = @b := 5", "set_user_other user_variable"),
            ("SET @a = f(1)", "set_user_other unknown_function user_variable"),
            ("SET @a = GET_LOCK('x', 1)", "set_user_other get_lock user_variable"),
            ("SET a = (SELECT @b := 1)", "set_system set_system_expression set_user_other user_variable"),
            ("SET NAMES utf8mb4", "set_names"),
            ("SET NAMES 'latin1' COLLATE latin1_bin", "set_names"),
            ("SET NAMES gbk", "set_names set_lexing"),
            ("SET CHARACTER SET utf8", "set_names"),
            ("SET character_set_client = 'sjis'", "set_system set_lexing"),
            ("SET PASSWORD = 'x'", "credentials"),
            ("SET DEFAULT ROLE a TO b", "credentials"),
            ("SET ROLE NONE", "set_role"),
            ("SET TRANSACTION READ ONLY", "set_next_transaction"),
            ("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", "set_system"),
            ("SET GLOBAL TRANSACTION READ ONLY", "set_global"),
            ("SET @@transaction_isolation = 'SERIALIZABLE'", "set_next_transaction system_variable"),
            ("SET @@session.transaction_isolation = 'SERIALIZABLE'", "set_system system_variable"),
            ("SET transaction_isolation = 'SERIALIZABLE'", "set_system"),
            ("SET GLOBAL a = 1", "set_global"),
            ("SET PERSIST a = 1", "set_global"),
            ("SET @@global.a = 1", "set_global system_variable"),
            ("SET GLOBAL a = 1, SESSION b = 2", "set_global set_system"),
            ("SET timestamp = 5, insert_id = 6", "set_system set_frozen"),
            ("SET rand_seed1 = 5, rand_seed2 = 6", "set_system set_frozen"),
            ("SET gtid_next = 'AUTOMATIC'", "set_system set_frozen"),
            ("SET session_track_schema = OFF", "set_system set_trackers"),
            ("SET wait_timeout = 5", "set_system set_wait_timeout"),
            ("SET autocommit = 0", "set_system set_autocommit"),
            ("SET @@autocommit = 0", "set_system set_autocommit system_variable"),
            ("SET profiling = 1", "set_system unexplained"),
            ("SET RESOURCE GROUP g", "unexplained"),
            ("SET", "unexplained"),
        ],
    );
    check(
        Verb::Select,
        &[
            ("SET STATEMENT max_statement_time = 1 FOR SELECT 1", "not_plain"),
            ("SET STATEMENT a = f(1) FOR SELECT 1", "not_plain unexplained"),
        ],
    );
    check(Verb::Insert, &[("SET STATEMENT a = 1, b = 'x' FOR INSERT INTO t (a) VALUES (1)", "not_plain")]);
}

#[test]
fn what_is_kept_in_the_session_is_seen() {
    check(Verb::Use, &[("USE a", "use"), ("use `a`", "use")]);
    check(Verb::Prepare, &[("PREPARE p FROM 'SELECT 1'", "prepare"), ("PREPARE p FROM @a", "prepare user_variable")]);
    check(
        Verb::Execute,
        &[
            ("EXECUTE p", "execute"),
            ("EXECUTE p USING @a", "execute user_variable"),
            ("EXECUTE IMMEDIATE 'x'", "execute_immediate"),
        ],
    );
    check(Verb::Deallocate, &[("DEALLOCATE PREPARE p", "deallocate"), ("DROP PREPARE p", "deallocate")]);
    check(Verb::Handler, &[("HANDLER t OPEN", "handler_open"), ("HANDLER a.t OPEN AS b", "handler_open")]);
    check(Verb::Handler, &[("HANDLER t READ i NEXT", "handler_read"), ("HANDLER t CLOSE", "handler_close")]);
    check(
        Verb::Lock,
        &[
            ("LOCK TABLES a READ, b WRITE", "lock_tables implicit_commit not_plain"),
            ("LOCK TABLE a READ", "lock_tables implicit_commit not_plain"),
            ("UNLOCK TABLES", "unlock_tables implicit_commit"),
            ("LOCK INSTANCE FOR BACKUP", "global_lock implicit_commit not_plain"),
            ("UNLOCK INSTANCE", "global_unlock implicit_commit"),
            ("BACKUP STAGE START", "global_lock"),
            ("BACKUP STAGE END", "global_unlock"),
            ("BACKUP LOCK t", "global_lock not_plain"),
            ("BACKUP UNLOCK", "global_unlock"),
        ],
    );
    check(
        Verb::Flush,
        &[
            ("FLUSH TABLES", "implicit_commit"),
            ("FLUSH TABLES WITH READ LOCK", "global_lock implicit_commit not_plain"),
            ("FLUSH TABLES t WITH READ LOCK", "global_lock implicit_commit not_plain"),
            ("FLUSH TABLES t FOR EXPORT", "global_lock implicit_commit not_plain"),
            ("FLUSH PRIVILEGES", "credentials implicit_commit"),
            ("FLUSH STATUS", "session_counters implicit_commit"),
        ],
    );
    check(
        Verb::Diagnostics,
        &[
            ("GET DIAGNOSTICS @a = ROW_COUNT", "diagnostics set_user_other user_variable"),
            ("GET CURRENT DIAGNOSTICS CONDITION 1 @a = MESSAGE_TEXT", "diagnostics set_user_other user_variable"),
        ],
    );
    check(Verb::Kill, &[("KILL 5", "kill"), ("KILL QUERY CONNECTION_ID()", "kill connection_id")]);
}

#[test]
fn ddl_and_accounts_are_seen() {
    check(
        Verb::Ddl,
        &[
            ("CREATE TABLE t (a INT, b VARCHAR(5), KEY i (a))", "implicit_commit"),
            ("CREATE TABLE t (a INT) AS SELECT f(1)", "implicit_commit unknown_function"),
            ("CREATE TEMPORARY TABLE t (a INT)", "create_temporary"),
            ("CREATE OR REPLACE TEMPORARY TABLE t (a INT)", "create_temporary"),
            ("CREATE /*!40101 TEMPORARY */ TABLE t (a INT)", "create_temporary executable_comment"),
            ("DROP TABLE a", "drop_table implicit_commit"),
            ("DROP TEMPORARY TABLE IF EXISTS a", "drop_table"),
            ("DROP DATABASE a", "drop_schema implicit_commit"),
            ("RENAME TABLE a TO b", "rename_table implicit_commit"),
            ("ALTER TABLE a RENAME b", "rename_table implicit_commit"),
            ("ALTER TABLE a ADD b INT", "implicit_commit"),
            ("TRUNCATE t", "implicit_commit"),
            ("CREATE INDEX i ON t (a)", "implicit_commit"),
            ("CREATE PROCEDURE p() SELECT 1", "implicit_commit stored_program"),
            (
                "CREATE DEFINER=`a`@`b` FUNCTION f() RETURNS INT BEGIN SET @a = 1; RETURN 1; END",
                "implicit_commit stored_program unexplained user_variable",
            ),
            (
                "CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1;",
                "implicit_commit stored_program not_plain",
            ),
        ],
    );
    check(
        Verb::Account,
        &[
            ("CREATE USER 'a'@'b' IDENTIFIED BY 'c'", "credentials implicit_commit"),
            ("ALTER USER a IDENTIFIED BY 'c'", "credentials implicit_commit"),
            ("DROP USER a", "credentials implicit_commit"),
            ("RENAME USER a TO b", "credentials implicit_commit"),
            ("GRANT SELECT (a) ON b.* TO c", "credentials implicit_commit"),
            ("REVOKE ALL ON b.* FROM c", "credentials implicit_commit"),
            ("CREATE OR REPLACE USER a", "credentials implicit_commit"),
            ("DROP ROLE a", "credentials implicit_commit"),
        ],
    );
    check(
        Verb::Admin,
        &[
            ("ANALYZE TABLE t", "implicit_commit"),
            ("START SLAVE", "implicit_commit"),
            ("INSTALL PLUGIN a SONAME 'b'", "implicit_commit"),
        ],
    );
    check(
        Verb::Compound,
        &[
            ("BEGIN NOT ATOMIC SET @a = 1; SELECT 2; END", "compound stored_program unexplained user_variable"),
            ("IF 1 THEN SELECT 1; END IF", "compound stored_program unexplained"),
        ],
    );
    check(
        Verb::Unknown,
        &[
            ("FROBNICATE 1", "unexplained"),
            ("5", "unexplained"),
            ("ANALYZE UPDATE t SET a = 1", "unexplained"),
            ("BINLOG 'x'", "unexplained"),
        ],
    );
}

// Fail-safe must not mean that everything is pinned: the corpus of fingerprints is what applications send.
#[test]
fn what_applications_send_is_explained() {
    let text = include_str!("../corpus/statements.sql");
    let unclear = Flags::UNEXPLAINED | Flags::UNKNOWN_FUNCTION;
    let explained = |sql: &&str| !summary(sql.as_bytes(), MARIADB).flags.without(Flags::CALLS).any(unclear);
    let left: Vec<_> = text.split(";\n").filter(|sql| !sql.is_empty() && !explained(sql)).collect();
    let calls = left.iter().filter(|sql| sql.starts_with("CALL")).count();
    let others: Vec<_> = left.into_iter().filter(|sql| !sql.starts_with("CALL")).collect();
    assert_eq!((others, calls > 2), (vec!["SET OPTION SQL_QUOTE_SHOW_CREATE=1"], true));
}

#[test]
fn texts_of_many_statements_are_split() {
    let sql = "SELECT 1; ; SET @a = ';' ; /* ; */ BEGIN;";
    let found: Vec<_> = all(sql, MYSQL).into_iter().map(|one| (one.verb, &sql[one.span.start..one.span.end])).collect();
    assert_eq!(found, [(Verb::Select, "SELECT 1"), (Verb::Set, "SET @a = ';'"), (Verb::Begin, "BEGIN")]);
    let sum = summary(sql.as_bytes(), MYSQL);
    assert_eq!((sum.statements, sum.verb, sum.is_read_only()), (3, Verb::Select, false));
    assert!(sum.flags.has(Flags::BEGINS | Flags::SETS_USER_LITERAL));
    assert!(summary(b"SELECT 1; SHOW TABLES", MYSQL).is_read_only());
    assert!(!summary(b"SHOW TABLES; DELETE FROM t", MYSQL).is_read_only());
    assert!(!summary(b"DELETE FROM t; SELECT 1", MYSQL).is_read_only());
    assert!(!summary(b"", MYSQL).is_read_only());
    assert_eq!(summary(b" ;; /* a */", MYSQL).statements, 0);
}

#[test]
fn what_follows_a_change_of_the_lexical_rules_is_unexplained() {
    for sql in [
        "SET sql_mode = 'ANSI_QUOTES'; SELECT \"a;b\"",
        "CALL p(); SELECT 1",
        "EXECUTE p; SELECT 1",
        "SET NAMES sjis; SELECT 1",
    ] {
        let last = *all(sql, MARIADB).last().expect("a statement");
        assert!(last.flags.has(Flags::UNEXPLAINED) && !last.flags.has(Flags::READ_ONLY), "{sql}");
    }
}

#[test]
fn executable_comments_are_code_only_where_the_server_runs_them() {
    assert!(all("SELECT 1 /*!99999 INTO @a */", MYSQL)[0].flags.has(Flags::READ_ONLY));
    assert!(all("SELECT 1 /*M! INTO @a */", MYSQL)[0].flags.has(Flags::READ_ONLY));
    assert!(all("SELECT 1 /*M! INTO @a */", MARIADB)[0].flags.has(Flags::SETS_USER_OTHER));
    assert!(all("/*!40101 SET @a = @@b */", MYSQL)[0].flags.has(Flags::SETS_USER_OTHER));
    assert_eq!(all("/*!99999 SET @a = 1 */;", MARIADB), []);
}

const DANGEROUS: &[&str] = &[
    "INTO",
    "FOR UPDATE",
    "for share",
    "LOCK IN SHARE MODE",
    "@a := 1",
    "GET_LOCK('a',1)",
    "release_lock('a')",
    "RELEASE_ALL_LOCKS()",
    "f(1)",
    "db.f(1)",
    "`f`(1)",
    "last_insert_id(5)",
    "SQL_CALC_FOUND_ROWS",
    "PROCEDURE",
    "NEXTVAL(s)",
    "s.nextval",
    "setval(s, 1)",
    "'open",
    "/*! x */",
    "/* open",
    "INTO @a",
];

const FIRST: &[&str] = &[
    "INSERT", "UPDATE", "DELETE", "REPLACE", "SET", "BEGIN", "COMMIT", "CALL", "DO", "USE", "CREATE", "DROP", "ALTER",
    "GRANT", "KILL", "LOCK", "UNLOCK", "FLUSH", "HANDLER", "XA", "PREPARE", "EXECUTE", "LOAD", "ANALYZE", "GET",
    "TRUNCATE", "RENAME", "x", "5", "'a'",
];

fn harmless() -> impl Strategy<Value = String> {
    "(SELECT|a|b|,|1|'x'|\"y\"|`c`|FROM|t|WHERE|=|\\(|\\)|IN|COUNT\\(|abs\\(|/\\*c\\*/|-- d\n|@v|\\.|AS|WITH|ORDER BY| ){0,12}"
}

proptest! {
    #[test]
    fn no_input_panics(sql in proptest::collection::vec(any::<u8>(), 0..120), mariadb: bool, version in 0u32..120_000, modes: (bool, bool, bool)) {
        let dialect = Dialect { mariadb, version, ansi_quotes: modes.0, no_backslash_escapes: modes.1, ascii_in_wide: modes.2, high_space: 0 };
        check_spans(&sql, dialect)?;
    }

    #[test]
    fn no_words_panic(words in proptest::collection::vec(prop::sample::select([DANGEROUS, FIRST, &["(", ")", ",", ";", "*/", "=", "@@a", "OR", "TABLE", "TEMPORARY", "WITH", "READ", "STATEMENT", "FOR"]].concat()), 0..14)) {
        check_spans(words.join(" ").as_bytes(), MARIADB)?;
    }

    #[test]
    fn a_dangerous_token_is_never_read_only(before in harmless(), after in harmless(), danger in prop::sample::select(DANGEROUS)) {
        let sql = format!("SELECT {before} {danger} {after}");
        let code = Lexer::new(sql.as_bytes(), MARIADB).any(|token| token.start == "SELECT ".len() + before.len() + 1 && token.kind != Kind::Punct);
        prop_assert!(!code || !summary(sql.as_bytes(), MARIADB).is_read_only(), "{}", sql);
    }

    #[test]
    fn another_verb_is_never_read_only(first in prop::sample::select(FIRST), rest in harmless(), lead in "(;| |SELECT 1;|/\\*a\\*/){0,3}") {
        let sql = format!("{lead}{first} {rest}");
        prop_assert!(!summary(sql.as_bytes(), MARIADB).is_read_only(), "{}", sql);
    }

    #[test]
    fn the_summary_is_what_its_statements_say(sql in "(SELECT|SET @a = 1|BEGIN|;| |f\\(1\\)|'x'|\\(|\\)|INTO){0,10}") {
        let all = all(&sql, MARIADB);
        let sum = summary(sql.as_bytes(), MARIADB);
        let flags = all.iter().fold(Flags::NONE, |flags, one| flags | one.flags);
        prop_assert_eq!(sum.flags.without(Flags::READ_ONLY), flags.without(Flags::READ_ONLY));
        prop_assert_eq!(sum.is_read_only(), !all.is_empty() && all.iter().all(|one| one.flags.has(Flags::READ_ONLY)));
        prop_assert_eq!(sum.statements as usize, all.len());
    }
}

fn check_spans(sql: &[u8], dialect: Dialect) -> Result<(), TestCaseError> {
    let mut at = 0;
    for one in statements(sql, dialect) {
        prop_assert!(at <= one.span.start && one.span.start < one.span.end && one.span.end <= sql.len());
        at = one.span.end;
        tidegate::sql::details::details(sql, dialect, &one);
    }
    Ok(())
}
