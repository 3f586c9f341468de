//! What a client asks of its last statement and its connection is answered on another backend, byte for byte, as the
//! backend that it came from would have answered.

use rustc_hash::FxHashMap;
use tidegate::session::answer::{Known, Plan, plan};
use tidegate::session::last::{Diagnostics, Last, Ran, questions};
use tidegate::session::reason::Hold;
use tidegate::sql::dialect::Dialect;
use tidegate::wire::capabilities::{Capabilities, DEPRECATE_EOF};
use tidegate::wire::command::Shape;
use tidegate::wire::frame::{Fields, HEADER};
use tidegate::wire::reply::{Facts, Reply};

use crate::raw::{BASE, Raw, packets, text};
use crate::servers::{Kind, Server};

mod local_file;
mod moved;
mod rules;
mod through;
mod variables;

const NUMBERS: &str = "SELECT ROW_COUNT(), FOUND_ROWS(), LAST_INSERT_ID()";

/// A connection, and what its last statement left.
struct Session {
    raw: Raw,
    last: Last,
    dialect: Dialect,
}

type Rows = Vec<Vec<Option<Vec<u8>>>>;

impl Session {
    fn new(server: &Server, more: Capabilities, schema: &str) -> Session {
        let mut raw = Raw::root(server.address(), BASE | more);
        raw.query(&format!("USE {schema}"));
        let dialect = Dialect::of_server(&server.version());
        let mut session = Session { raw, last: Last::fresh(), dialect };
        session.run("DO 0");
        session
    }

    /// Runs it and keeps track.
    fn run(&mut self, sql: &str) -> Vec<u8> {
        let reply = self.raw.query(sql);
        self.last.after(&Ran::new(sql.as_bytes(), self.dialect, &facts(&reply, self.raw.capabilities)));
        reply
    }

    /// The rows of its one result, keeping track of nothing.
    fn rows(&mut self, sql: &str) -> Rows {
        let reply = self.raw.query(sql);
        self.rows_of(sql, &reply)
    }

    fn rows_of(&self, sql: &str, reply: &[u8]) -> Rows {
        let all = packets(reply);
        assert_ne!(all[0][0], 0xFF, "{sql}: {}", text(reply));
        if all[0][0] == 0 {
            return Vec::new();
        }
        let eof = usize::from(!self.raw.capabilities.has(DEPRECATE_EOF));
        let columns = usize::from(all[0][0]);
        all[1 + columns + eof..all.len() - 1].iter().map(|row| fields(row, columns)).collect()
    }

    fn save(&mut self) {
        let holds = self.last.unread();
        let answers: Vec<Rows> = questions(holds).iter().map(|sql| self.rows(sql)).collect();
        self.last.take(holds, &answers).expect("answers");
        assert!(self.last.unread().is_empty(), "{:?}", self.last);
    }
}

fn fields(row: &[u8], columns: usize) -> Vec<Option<Vec<u8>>> {
    let mut fields = Fields::new(row);
    let mut next = || match fields.rest().first() {
        Some(0xFB) => {
            fields.u8();
            None
        }
        _ => Some(fields.lenenc_bytes().expect("a field").to_vec()),
    };
    (0..columns).map(|_| next()).collect()
}

fn facts(reply: &[u8], capabilities: Capabilities) -> Facts {
    let mut scanner = Reply::new(Shape::Results, capabilities, reply[HEADER - 1]);
    scanner.scan(reply);
    scanner.facts
}

/// A schema of the test's own, with what its statements need.
fn prepared(server: &Server, schema: &str) {
    server.sql(&format!(
        "DROP DATABASE IF EXISTS {schema}; CREATE DATABASE {schema}; USE {schema};
         CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, a INT) ENGINE=InnoDB; CREATE TABLE other LIKE t;
         CREATE PROCEDURE nothing() BEGIN END; CREATE PROCEDURE warns() SELECT 1 + 'x';
         CREATE PROCEDURE changes() UPDATE t SET a = a + 1"
    ));
}

const FILL: [&str; 2] = ["DELETE FROM t", "INSERT INTO t (id, a) VALUES (1, 1), (2, 2), (3, 2), (4, 3), (5, 4)"];

fn every(test: impl Fn(&Server)) {
    for kind in Kind::here() {
        test(Server::shared(kind));
    }
}
