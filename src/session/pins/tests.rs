//! Every row of the ledger, and a model of a server against which it must never lose a pin.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::session::outcome::Announced;
use crate::session::state::UserValue;
use crate::wire::status::{AUTOCOMMIT, CURSOR_EXISTS, IN_TRANS, LAST_ROW_SENT};

const WITH: Announcing = Announcing { trackers: true, transactions: true, at_eof: AtEof::Sent };
const LOST: Announcing = Announcing { trackers: true, transactions: false, at_eof: AtEof::Lost };
const WITHOUT: Announcing = Announcing { trackers: false, transactions: false, at_eof: AtEof::Later };

const MARIADB: Dialect = Dialect { mariadb: true, version: 101_119, ..Dialect::PLAIN };

fn ok(status: u16) -> Outcome {
    Outcome { status: Some(AUTOCOMMIT | status), seen: AUTOCOMMIT | status, ..Outcome::default() }
}

fn misspelt() -> Outcome {
    Outcome { syntax_error: true, ..failed() }
}

fn failed() -> Outcome {
    Outcome { failed: true, ..Outcome::default() }
}

fn announcing(announced: Announced) -> Outcome {
    Outcome { announced, ..ok(0) }
}

fn changed() -> Outcome {
    announcing(Announced { state_change: true, ..Announced::default() })
}

fn run(ledger: &mut Ledger, sql: &str, outcome: &Outcome, server: Announcing) {
    let schema = Some(&b"db"[..]);
    let run = Run { sql: sql.as_bytes(), dialect: MARIADB, schema, outcome };
    ledger.ran(run, server);
}

fn after(texts: &[&str]) -> Ledger {
    let mut ledger = Ledger::default();
    texts.iter().for_each(|sql| run(&mut ledger, sql, &ok(0), WITHOUT));
    ledger
}

#[test]
fn every_pin_begins_and_ends_with_its_text() {
    use Pin::*;
    let cases: &[(&[&str], &[Pin])] = &[
        (&["SELECT 1", "INSERT INTO t VALUES (1)", "SET @a = 1", "SET time_zone = 'SYSTEM'", "USE x"], &[]),
        (&["SET TRANSACTION READ ONLY"], &[NextTransaction]),
        (&["XA START 'a'"], &[Xa]),
        (&["XA START 'a'", "XA END 'a'", "XA PREPARE 'a'"], &[Xa]),
        (&["XA START 'a'", "XA END 'a'", "XA ROLLBACK 'a'"], &[]),
        (&["LOCK TABLES t READ"], &[TableLocks]),
        (&["LOCK TABLES t READ", "UNLOCK TABLES"], &[]),
        (&["FLUSH TABLES WITH READ LOCK"], &[GlobalLock]),
        (&["FLUSH TABLES t FOR EXPORT", "UNLOCK TABLES"], &[]),
        (&["BACKUP STAGE START", "UNLOCK TABLES"], &[GlobalLock]),
        (&["BACKUP STAGE START", "BACKUP STAGE FLUSH", "BACKUP STAGE END"], &[]),
        (&["LOCK INSTANCE FOR BACKUP", "FLUSH TABLES WITH READ LOCK", "UNLOCK TABLES"], &[GlobalLock]),
        (&["LOCK INSTANCE FOR BACKUP", "UNLOCK INSTANCE"], &[]),
        (&["SELECT GET_LOCK('a', 1)", "SELECT RELEASE_LOCK('a')"], &[UserLock]),
        (&["CREATE TEMPORARY TABLE a (x int)"], &[TemporaryTable]),
        (&["CREATE TEMPORARY TABLE a (x int)", "DROP TABLE db.a"], &[]),
        (&["CREATE TEMPORARY TABLE a (x int)", "CREATE TEMPORARY TABLE b (x int)", "DROP TABLE a"], &[TemporaryTable]),
        (&["CREATE TEMPORARY TABLE a (x int)", "RENAME TABLE a TO b", "DROP TABLE a, b"], &[TemporaryTable]),
        (&["USE y; CREATE TEMPORARY TABLE a (x int)", "DROP TABLE a"], &[TemporaryTable]),
        (&["PREPARE p FROM 'select 1'"], &[SqlPrepare]),
        (&["PREPARE p FROM 'select 1'", "EXECUTE P", "DEALLOCATE PREPARE `P`"], &[]),
        (&["PREPARE p FROM 'set @a=1'", "EXECUTE p", "DEALLOCATE PREPARE p"], &[UnexplainedState]),
        (&["PREPARE p FROM @a", "EXECUTE p", "DEALLOCATE PREPARE p"], &[UnexplainedState]),
        (&["HANDLER t OPEN AS h", "HANDLER h READ FIRST"], &[Handler]),
        (&["HANDLER t OPEN AS h", "HANDLER h CLOSE"], &[]),
        (&["SET insert_id = 5"], &[Frozen]),
        (&["SET timestamp = 5", "SET timestamp = DEFAULT"], &[]),
        (&["SET timestamp = @a"], &[Frozen]),
        (&["SET gtid_next = 'AUTOMATIC'"], &[]),
        (&["SELECT NEXTVAL(s)"], &[Sequence]),
        (&["CALL `p q`()"], &[UnexplainedState]),
        (&["SELECT `f g`(1)"], &[UnexplainedState]),
        (&["BEGIN NOT ATOMIC SET @a = 1; END"], &[UnexplainedState]),
        (&["EXECUTE IMMEDIATE 'select 1'"], &[UnexplainedState]),
        (&["GIBBERISH"], &[UnexplainedState]),
    ];
    for (texts, pins) in cases {
        assert_eq!(after(texts).pins(), pins.iter().copied().collect(), "{texts:?}");
    }
}

#[test]
fn a_transaction_is_as_long_as_its_flag() {
    let mut ledger = Ledger::default();
    run(&mut ledger, "BEGIN", &ok(IN_TRANS), WITHOUT);
    assert!(ledger.pins().has(Pin::Transaction));
    run(&mut ledger, "COMMIT", &failed(), WITHOUT);
    assert!(ledger.pins().has(Pin::Transaction) && ledger.needs_status());
    ledger.status(&ok(0));
    assert!(ledger.pins().is_empty() && !ledger.needs_status());
    let half = Outcome { seen: IN_TRANS, ..failed() };
    run(&mut ledger, "BEGIN; SELECT nosuch", &half, WITHOUT);
    assert!(ledger.pins().has(Pin::Transaction) && !ledger.is_free());
}

#[test]
fn a_savepoint_without_autocommit_is_a_transaction_that_no_flag_shows() {
    let manual = |status| Outcome { status: Some(status), seen: status, ..Outcome::default() };
    let pinned = |ledger: &Ledger| ledger.pins().has(Pin::Transaction);
    let mut ledger = Ledger::default();
    run(&mut ledger, "SAVEPOINT a", &manual(0), WITH);
    run(&mut ledger, "SET @a = 1", &manual(0), WITH);
    assert!(pinned(&ledger));
    run(&mut ledger, "ROLLBACK TO a", &manual(0), WITH);
    assert!(pinned(&ledger));
    run(&mut ledger, "COMMIT", &manual(0), WITH);
    assert!(!pinned(&ledger));
    run(&mut ledger, "SAVEPOINT a", &manual(0), WITH);
    run(&mut ledger, "SELECT 1 FROM t", &manual(IN_TRANS), WITH);
    run(&mut ledger, "SET autocommit = 1", &ok(0), WITH);
    assert!(!pinned(&ledger), "the transaction has ended");
    run(&mut ledger, "SAVEPOINT a", &ok(0), WITH);
    assert!(!pinned(&ledger), "nothing was set");
}

#[test]
fn the_next_transaction_ends_with_it() {
    let characteristics = |some| Some(Announced { characteristics: Some(some), ..Announced::default() });
    let set = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE";
    let mut ledger = Ledger::default();
    run(&mut ledger, set, &announcing(characteristics(true).unwrap_or_default()), WITH);
    run(&mut ledger, "DO 1", &ok(0), WITH);
    assert!(ledger.pins().has(Pin::NextTransaction));
    run(&mut ledger, "SELECT 1 FROM t", &announcing(characteristics(false).unwrap_or_default()), WITH);
    assert!(ledger.pins().is_empty());
    for steps in [&["BEGIN", "COMMIT"][..], &["BEGIN", "SELECT 1", "ROLLBACK"]] {
        let mut ledger = after(&[set]);
        let (end, open) = steps.split_last().expect("steps");
        open.iter().for_each(|sql| run(&mut ledger, sql, &ok(IN_TRANS), WITHOUT));
        assert!(ledger.pins().has(Pin::NextTransaction));
        run(&mut ledger, end, &ok(0), WITHOUT);
        assert!(ledger.pins().is_empty());
    }
    let mut ledger = Ledger::default();
    let saw = Outcome { seen: IN_TRANS, ..ok(0) };
    run(&mut ledger, &format!("BEGIN; COMMIT; {set}"), &saw, WITHOUT);
    assert!(ledger.pins().has(Pin::NextTransaction), "the transaction was the one before");
}

#[test]
fn trackers_have_the_last_word_on_table_locks() {
    let locks = |on| announcing(Announced { table_locks: Some(on), ..Announced::default() });
    let mut ledger = Ledger::default();
    run(&mut ledger, "/* hidden */ DO 1", &locks(true), WITH);
    assert!(ledger.pins().has(Pin::TableLocks));
    run(&mut ledger, "BEGIN", &locks(false), WITH);
    assert!(ledger.pins().is_empty());
}

#[test]
fn what_nobody_explains_pins() {
    let frozen = announcing(Announced { frozen: true, ..Announced::default() });
    let odd = announcing(Announced { unexplained: true, ..Announced::default() });
    let at_eof = Outcome { changed_at_eof: true, ..ok(0) };
    let cases: &[(&str, Outcome, Announcing, bool)] = &[
        ("SELECT * FROM view_that_hides_a_function", changed(), WITH, true),
        ("INSERT INTO t VALUES (1)", changed(), WITH, true),
        ("CREATE TABLE t SELECT * FROM v", changed(), WITH, true),
        ("SET @a = 1", changed(), WITH, false),
        ("SELECT @a := 1", ok(0), WITH, false),
        ("USE db", changed(), WITH, false),
        ("CREATE TEMPORARY TABLE t (a int)", changed(), WITH, false),
        ("SELECT 1", frozen, WITH, true),
        ("SET insert_id = 4", frozen, WITH, false),
        ("SELECT 1", odd, WITH, true),
        ("SELECT * FROM v", at_eof, LOST, true),
        ("SELECT * FROM v", at_eof, WITH, false),
        ("SELECT `f g`(1)", ok(0), WITH, true),
        ("CALL `p q`()", failed(), WITH, true),
        ("SELECT f(1)", changed(), WITH, true),
        ("SELECT 1; SELECT nosuch", failed(), WITH, true),
        ("SELECT nosuch", failed(), WITH, false),
        ("SELCT 1", failed(), WITH, true),
        ("SELCT 1", misspelt(), WITH, false),
        ("SELCT 1; SELCT 2", misspelt(), WITH, true),
        ("here: BEGIN NOT ATOMIC EXECUTE IMMEDIATE 'SELCT'; END", misspelt(), WITH, true),
        ("CALL `p q`()", misspelt(), WITH, true),
        ("INSERT INTO t VALUES (1 /*!50000 + 1 */)", ok(0), WITHOUT, true),
        ("SELECT 1 /*!50000 INTO @a */; SELECT 2", ok(0), WITHOUT, true),
        ("SELECT 1 /*!50000 + 1 */", ok(0), WITHOUT, false),
        ("/*!40101 SET NAMES utf8 */", ok(0), WITHOUT, false),
        ("SELECT 1 FROM mysql.user LIMIT 1", changed(), WITH, false),
        ("SELECT 1 FROM mysql.user, v LIMIT 1", changed(), WITH, true),
        ("SELECT 1 /*!50000 + 1 */", ok(0), WITH, false),
    ];
    for (sql, outcome, server, pinned) in cases {
        let mut ledger = Ledger::default();
        run(&mut ledger, sql, outcome, *server);
        assert_eq!(ledger.pins().has(Pin::UnexplainedState), *pinned, "{sql}");
    }
    let mut altered = after(&["CREATE TEMPORARY TABLE t (a int)"]);
    run(&mut altered, "ALTER TABLE t ADD b int", &changed(), WITH);
    assert!(!altered.pins().has(Pin::UnexplainedState));
}

#[test]
fn routines_are_read_before_the_backend_goes() {
    let read = |sql: &str, outcome: Outcome| {
        let mut ledger = Ledger::default();
        ledger.ran(Run { sql: sql.as_bytes(), dialect: MARIADB, schema: Some(b"Shop"), outcome: &outcome }, WITH);
        let name = |routine: &Routine| format!("{}.{}", routine.schema.as_deref().unwrap_or("?"), routine.name);
        let names: Vec<_> = ledger.routines_to_read().map(name).collect();
        assert_eq!(ledger.is_free(), names.is_empty() && ledger.pins().is_empty(), "{sql}");
        (names.join(" "), ledger.pins().has(Pin::UnexplainedState))
    };
    for (sql, names) in [
        ("CALL p(@out)", "Shop.p"),
        ("SELECT f(1), other.g(2)", "Shop.f other.g"),
        ("INSERT INTO t (a) VALUES (F(1))", "Shop.f"),
    ] {
        assert_eq!(read(sql, ok(0)), (names.to_owned(), false), "{sql}");
        assert_eq!(read(sql, failed()), (names.to_owned(), false), "{sql}, failed");
    }
    assert_eq!(read("SET sql_mode = f(1)", ok(0)), ("Shop.f".to_owned(), false));
    for sql in ["SET sql_mode = f(1)", "CALL p(); CALL q()", "EXECUTE IMMEDIATE 'CALL p()'", "CALL `a b`()"] {
        assert_eq!(read(sql, failed()), (String::new(), true), "{sql}");
    }
    let mut ledger = Ledger::default();
    ledger.ran(Run { sql: b"CALL p()", dialect: MARIADB, schema: None, outcome: &ok(0) }, WITH);
    assert!(ledger.pins().has(Pin::UnexplainedState), "without a schema nobody knows which one");
    ledger = after(&["CALL s.p()"]);
    ledger.saved(Hold::Routines);
    assert!(ledger.pins().is_empty() && ledger.routines_to_read().next().is_none());
}

#[test]
fn holds_are_what_the_last_statement_left() {
    use Hold::*;
    let warned = Outcome { warnings: 1, ..ok(0) };
    let inserted = Outcome { insert_id: true, ..ok(0) };
    let cases: &[(&str, Outcome, &[Hold])] = &[
        ("SELECT 1", ok(0), &[]),
        ("SELECT 1/0", warned, &[Diagnostics]),
        ("SELECT nosuch", failed(), &[Diagnostics]),
        ("SELECT SQL_CALC_FOUND_ROWS 1 LIMIT 1", ok(0), &[FoundRows]),
        ("INSERT INTO t VALUES (NULL)", inserted, &[LastInsertId]),
        ("SELECT LAST_INSERT_ID(5)", ok(0), &[LastInsertId]),
        ("SET last_insert_id = 5", ok(0), &[LastInsertId]),
        ("SELECT @a := 1, @`B c`", ok(0), &[UserVariables]),
        ("SET ROLE r", ok(0), &[Role]),
        ("CALL p()", ok(0), &[FoundRows, RowCount, LastInsertId, Routines]),
    ];
    for (sql, outcome, holds) in cases {
        let mut ledger = Ledger::default();
        run(&mut ledger, sql, outcome, WITH);
        assert_eq!(ledger.holds(), holds.iter().copied().collect(), "{sql}");
    }
    let mut ledger = Ledger::default();
    run(&mut ledger, "SELECT 1/0", &warned, WITH);
    run(&mut ledger, "SHOW WARNINGS", &ok(0), WITH);
    assert!(ledger.holds().has(Diagnostics), "reading them leaves them");
    run(&mut ledger, "SELECT 1", &ok(0), WITH);
    assert!(ledger.is_free());
    run(&mut ledger, "SELECT @a := 1, @`B c` := 2", &ok(0), WITH);
    assert_eq!(ledger.variables_to_read().collect::<Vec<_>>(), [&b"a"[..], b"b c"]);
    ledger.saved(UserVariables);
    assert!(ledger.is_free());
}

#[test]
fn prepared_statements_pin_by_cursor_and_long_data() {
    let mut ledger = Ledger::default();
    ledger.long_data(3);
    assert!(ledger.pins().has(Pin::LongData));
    ledger.executed(3, &ok(CURSOR_EXISTS));
    assert_eq!(ledger.pins(), [Pin::Cursor].into_iter().collect());
    ledger.fetched(3, &ok(0));
    assert!(ledger.pins().has(Pin::Cursor));
    ledger.fetched(3, &ok(LAST_ROW_SENT));
    assert!(ledger.is_free());
    ledger.executed(3, &ok(CURSOR_EXISTS));
    ledger.closed(3);
    assert!(ledger.is_free());
}

#[test]
fn what_the_caller_knows_is_told() {
    let mut ledger = after(&["SELECT GET_LOCK('a', 1)", "SET insert_id = 5"]);
    ledger.user_locks_are_gone();
    ledger.insert_id_is_used();
    assert!(ledger.is_free());
    ledger.local_infile(true);
    assert!(ledger.pins().has(Pin::LocalInfile));
    ledger.local_infile(false);
    ledger.pin(Pin::Replication);
    run(&mut ledger, "SET session_track_schema = 0, rand_seed1 = 5", &ok(0), WITH);
    ledger.insert_id_is_used();
    assert!(ledger.is_blinded() && ledger.pins().has(Pin::Frozen), "a seed is no insert id");
    ledger.sees_again();
    ledger.reset();
    assert!(ledger.is_free());
    assert!(after(&["XA START 'a'", "XA END 'a'", "XA PREPARE 'a'"]).must_close());
}

#[test]
fn a_text_of_many_statements_is_read_once() {
    let texts = [
        "set @b=1",
        "set role a",
        "set sql_mode=''",
        "use a",
        "prepare s from 'do 1'",
        "execute s",
        "deallocate prepare s",
        "do get_lock('a', 0)",
        "flush tables with read lock",
        "unlock tables",
        "create temporary table a (a int)",
        "drop table a",
        "handler a open",
        "select @a:=1",
        "select @@sql_mode",
    ];
    for text in texts {
        let sql = format!("/**/{}", format!("{text};").repeat(20_000));
        for outcome in [ok(0), misspelt()] {
            let mut ledger = Ledger::default();
            run(&mut ledger, &sql, &outcome, WITH);
            let mut two = Ledger::default();
            run(&mut two, &format!("{text};{text}"), &outcome, WITH);
            assert_eq!((ledger.pins(), ledger.holds()), (two.pins(), two.holds()), "{text}");
        }
    }
}

#[test]
fn names_are_bounded() {
    let mut ledger = Ledger::default();
    for n in 0..300 {
        run(&mut ledger, &format!("CREATE TEMPORARY TABLE t{n} (a int)"), &ok(0), WITHOUT);
    }
    assert!(ledger.pins().has(Pin::UnexplainedState));
    assert!(size_of::<Ledger>() <= 24, "{} bytes for each idle client", size_of::<Ledger>());
}

/// A server's session, as far as the model goes.
#[derive(Default)]
struct Model {
    open: bool,
    locked: bool,
    flushed: bool,
    instance: bool,
    xa: bool,
    next: bool,
    temporary: BTreeSet<&'static str>,
    prepared: BTreeSet<&'static str>,
    handlers: BTreeSet<&'static str>,
    user_locks: usize,
}

impl Model {
    fn run(&mut self, sql: &'static str) {
        let was_open = self.open;
        match sql {
            "BEGIN" => (self.open, self.locked) = (true, false),
            "COMMIT" => self.open = false,
            "SET TRANSACTION READ ONLY" => self.next = true,
            "LOCK TABLES a READ" => (self.locked, self.open) = (true, false),
            "UNLOCK TABLES" => (self.locked, self.flushed) = (false, false),
            "FLUSH TABLES WITH READ LOCK" => (self.flushed, self.open) = (true, false),
            "LOCK INSTANCE FOR BACKUP" => self.instance = true,
            "UNLOCK INSTANCE" => self.instance = false,
            "XA START 'x'" => (self.xa, self.open) = (true, true),
            "XA ROLLBACK 'x'" => (self.xa, self.open) = (false, false),
            "CREATE TEMPORARY TABLE a (x int)" => drop(self.temporary.insert("a")),
            "CREATE TEMPORARY TABLE db.b (x int)" => drop(self.temporary.insert("b")),
            "DROP TABLE a" => drop(self.temporary.remove("a")),
            "DROP TEMPORARY TABLE `b`" => drop(self.temporary.remove("b")),
            "PREPARE p FROM 'do 1'" => drop(self.prepared.insert("p")),
            "DEALLOCATE PREPARE p" => drop(self.prepared.remove("p")),
            "HANDLER a OPEN AS h" => drop(self.handlers.insert("h")),
            "HANDLER h CLOSE" => drop(self.handlers.remove("h")),
            "SELECT GET_LOCK('l', 0)" => self.user_locks += 1,
            _ => {}
        }
        self.next &= self.open || !was_open;
    }

    fn must_have(&self) -> Vec<Pin> {
        let all = [
            (Pin::Transaction, self.open),
            (Pin::TableLocks, self.locked),
            (Pin::GlobalLock, self.flushed || self.instance),
            (Pin::Xa, self.xa),
            (Pin::NextTransaction, self.next),
            (Pin::TemporaryTable, !self.temporary.is_empty()),
            (Pin::SqlPrepare, !self.prepared.is_empty()),
            (Pin::Handler, !self.handlers.is_empty()),
            (Pin::UserLock, self.user_locks > 0),
        ];
        all.into_iter().filter(|(_, on)| *on).map(|(pin, _)| pin).collect()
    }

    /// The reply to the last statement of a text.
    fn outcome(&self, seen: u16, trackers: bool) -> Outcome {
        let status = AUTOCOMMIT | if self.open { IN_TRANS } else { 0 };
        let told = Announced {
            table_locks: Some(self.locked),
            characteristics: Some(self.next || self.open),
            ..Announced::default()
        };
        let announced = if trackers { told } else { Announced::default() };
        Outcome { status: Some(status), seen: seen | status, announced, ..Outcome::default() }
    }
}

const PALETTE: [&str; 21] = [
    "BEGIN",
    "COMMIT",
    "SET TRANSACTION READ ONLY",
    "LOCK TABLES a READ",
    "UNLOCK TABLES",
    "FLUSH TABLES WITH READ LOCK",
    "LOCK INSTANCE FOR BACKUP",
    "UNLOCK INSTANCE",
    "XA START 'x'",
    "XA ROLLBACK 'x'",
    "CREATE TEMPORARY TABLE a (x int)",
    "CREATE TEMPORARY TABLE db.b (x int)",
    "DROP TABLE a",
    "DROP TEMPORARY TABLE `b`",
    "PREPARE p FROM 'do 1'",
    "DEALLOCATE PREPARE p",
    "HANDLER a OPEN AS h",
    "HANDLER h CLOSE",
    "SELECT GET_LOCK('l', 0)",
    "SELECT 1",
    "DO 1",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Texts of one to three statements, of which some fail in the middle, on servers with and without trackers.
    #[test]
    fn no_pin_is_lost_whose_end_was_not_seen(
        texts in proptest::collection::vec((proptest::collection::vec(0..PALETTE.len(), 1..4), 0..12usize), 1..40),
        trackers: bool,
    ) {
        let (mut model, mut ledger) = (Model::default(), Ledger::default());
        for (kinds, fails_at) in texts {
            // A server refuses these in an open transaction.
            let refused = |model: &Model, sql: &str| {
                (model.open && (sql.starts_with("SET TR") || sql.starts_with("XA START"))) || (model.xa && sql == "BEGIN")
                    || (model.xa && matches!(sql, "COMMIT" | "LOCK TABLES a READ" | "FLUSH TABLES WITH READ LOCK"))
            };
            let texts: Vec<_> = kinds.iter().map(|&kind| PALETTE[kind]).collect();
            let mut seen = 0;
            let mut failed = false;
            for (at, sql) in texts.iter().enumerate() {
                failed = at == fails_at || refused(&model, sql);
                if failed { break; }
                model.run(sql);
                seen |= model.outcome(0, trackers).seen;
            }
            let outcome = match failed {
                true => Outcome { seen, failed, ..Outcome::default() },
                false => model.outcome(seen, trackers),
            };
            let server = if trackers { WITH } else { WITHOUT };
            run(&mut ledger, &texts.join("; "), &outcome, server);
            if failed {
                prop_assert!(ledger.needs_status());
                ledger.status(&Outcome { announced: Announced::default(), ..model.outcome(0, false) });
            }
            for pin in model.must_have() {
                prop_assert!(ledger.pins().has(pin), "{pin:?} is lost after {texts:?}: {ledger:?}");
            }
        }
    }
}

#[test]
fn a_variable_without_a_value_is_another_to_a_statement_that_sets_it() {
    let mut state = State::default();
    state.set_user(b"known", Some(UserValue::Literal(b"1".as_slice().into()))).expect("room");
    let cases = [
        ("SELECT @n := COALESCE(@n, 0) + 1 FROM t", true),
        ("SELECT @known := @known + 1 FROM t", false),
        ("SELECT @KNOWN := @`known` + 1, @other FROM t", true),
        ("SELECT 1 INTO @n", false),
        ("SELECT @n", false),
        ("SELECT 1; SELECT @n := 1", true),
        ("SELECT ':=', @n", false),
    ];
    for (sql, expected) in cases {
        assert_eq!(sets_new_variables(sql.as_bytes(), MARIADB, &state), expected, "{sql}");
    }
}
