//! The same questions on the backend that ran the last statement, and on another one that is full of another's.

use tidegate::session::answer::Patch;

use super::*;

const LEFT: &[&str] = &[
    "SELECT * FROM t LIMIT 2",
    "SELECT SQL_CALC_FOUND_ROWS * FROM t LIMIT 2",
    "UPDATE t SET a = 9 WHERE id < 4",
    "DELETE FROM t WHERE id = 5",
    "SET @x = 1",
    "SELECT 1 + 'x', 1 + 'y'",
    "SELECT * FROM nosuch",
    "INSERT INTO t (id) VALUES (1)",
    "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'own', MYSQL_ERRNO = 9999",
    "CALL changes()",
    "CALL warns()",
    "DROP TABLE IF EXISTS nosuch, nosuch2",
    "COMMIT",
];

const ASKED: &[&str] = &[
    "SELECT ROW_COUNT()",
    "select /* x */ row_count ( ) as n FROM DUAL;",
    "SELECT FOUND_ROWS()",
    "SELECT 1, ROW_COUNT(), FOUND_ROWS() 'f', CONNECTION_ID(), @@pseudo_thread_id",
    "SELECT connection_id/**/()",
    "SELECT ROW_COUNT() + 1, (CONNECTION_ID()), -FOUND_ROWS()",
    "SELECT concat(ROW_COUNT(), 'a`b')",
    "SELECT (SELECT ROW_COUNT() FROM DUAL)",
    "SELECT ROW_COUNT() UNION SELECT 77",
    "SELECT t.*, ROW_COUNT() FROM t LIMIT 2",
    "SELECT id, ROW_COUNT() FROM t",
    "SELECT id FROM t WHERE id = ROW_COUNT() OR FOUND_ROWS() = id",
    "SELECT @@warning_count, @@error_count",
    "SELECT @@session.warning_count AS w FROM t LIMIT 1",
    "SELECT @@warning_count = 2",
    "SHOW WARNINGS",
    "SHOW ERRORS",
    "SHOW WARNINGS LIMIT 1",
    "show warnings limit 1, 5",
    "SHOW COUNT(*) WARNINGS",
    "/* a */ SHOW COUNT( * ) ERRORS ;",
    "SELECT ROW_COUNT() /*!40000 + 1 */",
    "SELECT CONNECTION_ID() = @@pseudo_thread_id AS same",
    "SELECT IF(ROW_COUNT() > 0, 'some', NULL)",
    "SELECT ROW_COUNT(); SELECT 1",
    "SELECT * FROM (SELECT CONNECTION_ID(), ROW_COUNT() + 1) x",
    "SELECT CASE WHEN ROW_COUNT() < 0 THEN 1 ELSE 2 END",
    "SELECT ROW_COUNT() n HAVING n > 0",
    "DO ROW_COUNT()",
];

const STORED: &[(&str, &str)] = &[
    ("SET @q = ROW_COUNT(), @r = FOUND_ROWS() + 1, @s = CONNECTION_ID()", "SELECT @q, @r, @s"),
    ("SELECT ROW_COUNT(), FOUND_ROWS() INTO @q, @r", "SELECT @q, @r"),
    ("REPLACE INTO other (id, a) VALUES (9, ROW_COUNT())", "SELECT a FROM other ORDER BY id DESC LIMIT 1"),
    ("GET DIAGNOSTICS @n = NUMBER, @r = ROW_COUNT", "SELECT @n, @r"),
    ("GET DIAGNOSTICS CONDITION 1 @e = MYSQL_ERRNO, @m = MESSAGE_TEXT", "SELECT @e, @m, CHARSET(@m), COLLATION(@m)"),
];

struct Pair<'a> {
    server: &'a Server,
    home: Session,
    away: Session,
    none: FxHashMap<u32, u32>,
}

impl Pair<'_> {
    fn fill(&mut self, left: &str) {
        for sql in FILL.iter().chain(&["DELETE FROM other", "SELECT 1 UNION SELECT 2", left]) {
            self.home.run(sql);
        }
    }

    fn spoil(&mut self) {
        self.away.run("DELETE FROM other");
        self.away.run("INSERT INTO other (id, a) VALUES (1, 1), (2, 2), (3, 3)");
        self.away.run("SELECT SQL_CALC_FOUND_ROWS 5 + 'other', 1 + 'b', 2 + 'c' FROM other LIMIT 1");
        self.home.raw.query("ROLLBACK");
    }

    fn plan(&self, asked: &str) -> (String, Option<Patch>) {
        let known = Known::elsewhere(self.home.raw.id, &self.home.last, &self.none);
        match plan(asked.as_bytes(), self.away.dialect, &known) {
            Plan::AsItIs => (asked.to_owned(), None),
            Plan::Run { text, patch } => {
                (text.map_or(asked.to_owned(), |text| String::from_utf8(text).expect("text")), patch)
            }
            Plan::Cannot(why) => panic!("{asked}: {why}"),
        }
    }

    fn answer(&mut self, asked: &str) -> Vec<u8> {
        let (text, patch) = self.plan(asked);
        let reply = self.away.raw.query(&text);
        self.patched(reply, patch, false)
    }

    fn patched(&self, reply: Vec<u8>, patch: Option<Patch>, binary: bool) -> Vec<u8> {
        let caps = self.away.raw.capabilities;
        patch.map_or(reply.clone(), |patch| {
            patch
                .apply(&reply, caps, binary, &self.none)
                .unwrap_or_else(|| panic!("{}: {}", self.server.kind(), text(&reply)))
        })
    }

    fn compare(&mut self, left: &str, asked: &str, more: &str) {
        self.fill(left);
        let expected = self.home.raw.query(asked);
        let expected_more = self.home.raw.query(more);
        self.fill(left);
        self.home.save();
        self.spoil();
        let reply = self.answer(asked);
        let rewritten = self.plan(asked);
        let what = format!("{}: {left}; {asked}: {rewritten:?}\n{:?}", self.server.kind(), self.home.last);
        assert_eq!(text(&reply), text(&expected), "{what}");
        if !more.is_empty() {
            assert_eq!(text(&self.away.raw.query(more)), text(&expected_more), "{what}; {more}");
        }
    }

    fn prepare(raw: &mut Raw, sql: &str) -> Option<u32> {
        let reply = raw.ask(&[&[0x16], sql.as_bytes()].concat());
        let ok = packets(&reply)[0];
        (ok[0] == 0).then(|| u32::from_le_bytes(ok[1..5].try_into().expect("an id")))
    }

    fn execute(raw: &mut Raw, id: u32) -> Vec<u8> {
        raw.ask(&[&[0x17], &id.to_le_bytes()[..], &[0], &1u32.to_le_bytes()].concat())
    }

    fn compare_prepared(&mut self, left: &str, asked: &str) {
        let Some(id) = Self::prepare(&mut self.home.raw, asked) else { return };
        self.fill(left);
        let expected = Self::execute(&mut self.home.raw, id);
        self.home.raw.send_packet(0, &[&[0x19], &id.to_le_bytes()[..]].concat());
        self.fill(left);
        self.home.save();
        let (sql, patch) = self.plan(asked);
        let id = Self::prepare(&mut self.away.raw, &sql).expect("a statement");
        self.spoil();
        let reply = Self::execute(&mut self.away.raw, id);
        let reply = self.patched(reply, patch, true);
        self.away.raw.send_packet(0, &[&[0x19], &id.to_le_bytes()[..]].concat());
        assert_eq!(text(&reply), text(&expected), "{}: {left}; prepared {asked}: {sql}", self.server.kind());
    }
}

fn check(server: &Server) {
    prepared(server, "last_moved");
    for more in [Capabilities::NONE, DEPRECATE_EOF] {
        let session = || Session::new(server, more, "last_moved");
        let mut pair = Pair { server, home: session(), away: session(), none: FxHashMap::default() };
        for left in LEFT {
            for asked in ASKED {
                pair.compare(left, asked, "");
                pair.compare_prepared(left, asked);
            }
            for (asked, more) in STORED {
                let warned = pair.home.last.saved().is_some_and(|saved| !saved.conditions.is_empty());
                if warned || !asked.contains("CONDITION") {
                    pair.compare(left, asked, more);
                }
            }
        }
    }
}

#[test]
fn another_backend_answers_as_the_first_would_have() {
    every(check);
}

#[test]
fn ids_of_connections_are_the_clients() {
    every(|server| {
        let mut raw = Raw::root(server.address(), BASE);
        raw.query("SELECT GET_LOCK('answers', 5)");
        let own = 0x4000_0005;
        let clients = FxHashMap::from_iter([(raw.id, own)]);
        let (real, shown) = (raw.id.to_string(), own.to_string());
        for sql in [
            "SELECT IS_USED_LOCK('answers'), CONNECTION_ID()",
            "SELECT p.id FROM information_schema.processlist p WHERE id = CONNECTION_ID()",
            "SELECT info, id FROM information_schema.processlist WHERE id = 1073741829",
            "SHOW PROCESSLIST",
        ] {
            let known = Known::here(own, &clients);
            let Plan::Run { text: other, patch: Some(patch) } = plan(sql.as_bytes(), Dialect::default(), &known) else {
                panic!("{sql}");
            };
            let reply = raw.query(&other.map_or(sql.to_owned(), |text| String::from_utf8(text).expect("text")));
            let patched = patch.apply(&reply, raw.capabilities, false, &clients).expect("a reply");
            let holds = |id: &str| {
                packets(&patched)[1..].iter().any(|row| {
                    row.windows(id.len() + 1)
                        .any(|part| usize::from(part[0]) == id.len() && &part[1..] == id.as_bytes())
                })
            };
            assert!(holds(&shown) && !holds(&real), "{}: {sql}: {}", server.kind(), text(&patched));
        }
    });
}

#[test]
fn reading_spoils_nothing_that_is_read_later() {
    every(|server| {
        prepared(server, "last_order");
        let mut session = Session::new(server, Capabilities::NONE, "last_order");
        for sql in ["INSERT INTO t (a) VALUES (7)", "SELECT SQL_CALC_FOUND_ROWS 1 + 'x' FROM t UNION SELECT 2 LIMIT 1"]
        {
            session.run(sql);
        }
        let all = [Hold::Diagnostics, Hold::RowCount, Hold::FoundRows, Hold::LastInsertId].into_iter().collect();
        let answers: Vec<Rows> = questions(all).iter().map(|sql| session.rows(sql)).collect();
        session.last.take(all, &answers).expect("answers");
        let last = &session.last;
        assert_eq!(
            (last.row_count, last.found_rows, last.last_insert_id),
            (Some(-1), Some(2), Some(1)),
            "{}",
            server.kind()
        );
        assert!(last.saved().is_some_and(|saved| saved.warnings > 0), "{}: {last:?}", server.kind());
    });
}
