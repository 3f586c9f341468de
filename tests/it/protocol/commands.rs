//! Every command, with every set of capabilities that shapes a reply: the same bytes direct, observed and pooled.

use std::net::SocketAddr;

use tidegate::wire::capabilities::*;
use tidegate::wire::command::*;

use crate::protocol::{MODES, in_front_of, on_every_server};
use crate::raw::{Raw, connect, error_code, text};
use crate::servers::{Kind, Server};

/// What was asked, and what came back.
#[derive(Default)]
struct Transcript(Vec<(String, Vec<u8>)>);

impl Transcript {
    fn note(&mut self, what: impl Into<String>, reply: Vec<u8>) {
        self.0.push((what.into(), reply));
    }

    fn query(&mut self, raw: &mut Raw, sql: &str) {
        let reply = raw.query(sql);
        self.note(sql, reply);
        raw.in_step();
    }

    fn ask(&mut self, raw: &mut Raw, what: &str, payload: &[u8]) {
        let reply = raw.ask(payload);
        let names_a_statement = matches!(payload, [STMT_PREPARE..=STMT_FETCH, ..]) && error_code(&reply).is_some();
        self.note(what, if names_a_statement { without_digits(&reply[3..]) } else { reply });
        raw.in_step();
    }

    fn assert_equals(&self, direct: &Transcript, what: &str) {
        for (here, there) in self.0.iter().zip(&direct.0) {
            assert!(
                here == there,
                "{what}: {}\n direct: {}\nthrough: {}",
                there.0,
                text(&there.1[..there.1.len().min(600)]),
                text(&here.1[..here.1.len().min(600)])
            );
        }
        assert_eq!(self.0.len(), direct.0.len(), "{what}");
    }
}

/// Runs a script direct and in both modes, with each set of capabilities.
fn compare(schema: &str, sets: &[Capabilities], script: fn(Kind, &mut Raw) -> Transcript) {
    on_every_server(|kind| {
        let server = Server::shared(kind);
        let tidegates = MODES.map(|mode| (mode, in_front_of(server, mode)));
        let fresh = || server.sql(&format!("DROP DATABASE IF EXISTS {schema}; CREATE DATABASE {schema}"));
        for &set in sets {
            for (mode, tidegate) in &tidegates {
                // Where backends are shared this is not offered, as by older servers.
                let unshared = if *mode == "transaction" { MARIADB_CACHE_METADATA } else { Capabilities::NONE };
                let set = set.without(unshared);
                fresh();
                let direct = run(kind, server.address(), schema, set, script);
                fresh();
                let through = run(kind, tidegate.address(), schema, set, script);
                through.assert_equals(&direct, &format!("{kind}, {mode}, {set:?}"));
            }
        }
    });
}

fn run(
    kind: Kind,
    address: SocketAddr,
    schema: &str,
    set: Capabilities,
    script: fn(Kind, &mut Raw) -> Transcript,
) -> Transcript {
    let mut raw = Raw::login(connect(address), "root", schema, crate::raw::BASE | set);
    let transcript = script(kind, &mut raw);
    raw.send_packet(0, &[QUIT]);
    assert_eq!(raw.rest(), b"", "QUIT has no answer");
    transcript
}

/// What shapes replies; each server takes what it knows.
const SHAPES: [Capabilities; 6] = [
    Capabilities::NONE,
    DEPRECATE_EOF,
    Capabilities(DEPRECATE_EOF.0 | SESSION_TRACK.0 | FOUND_ROWS.0),
    Capabilities(OPTIONAL_RESULTSET_METADATA.0 | QUERY_ATTRIBUTES.0),
    Capabilities(MARIADB_CACHE_METADATA.0 | MARIADB_EXTENDED_METADATA.0 | MARIADB_STMT_BULK.0 | MARIADB_PROGRESS.0),
    Capabilities(
        DEPRECATE_EOF.0
            | SESSION_TRACK.0
            | OPTIONAL_RESULTSET_METADATA.0
            | QUERY_ATTRIBUTES.0
            | MARIADB_CACHE_METADATA.0
            | MARIADB_EXTENDED_METADATA.0
            | MARIADB_STMT_BULK.0
            | MARIADB_BULK_UNIT_RESULTS.0,
    ),
];

#[test]
fn queries() {
    compare("proto_queries", &SHAPES, |_, raw| {
        let mut seen = Transcript::default();
        for sql in [
            "DO 1",
            "",
            "SELECT 1",
            "SELECT 1, NULL, 'x', REPEAT('y', 300), REPEAT('z', 70000)",
            "SELEC 1",
            "SELECT * FROM nowhere",
            "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(20), b DECIMAL(10,3), c DATETIME(3), d BLOB)",
            "INSERT INTO t (a, b, c) VALUES ('x', 1.5, '2020-01-02 03:04:05.678'), (NULL, NULL, NULL), ('y', -2, '1999-12-31')",
            "UPDATE t SET a = a",
            "UPDATE t SET a = CONCAT(a, '!') WHERE id = 1",
            "SELECT * FROM t",
            "SELECT * FROM t WHERE id < 0",
            "SELECT a FROM t WHERE b > 0 ORDER BY c",
            "SELECT 1; SELECT 2, 3; DO 1; SELECT id FROM t",
            "SELECT 1; SELEC 2; SELECT 3",
            "SELECT 1; SELECT * FROM nowhere; SELECT 3",
            "INSERT INTO t (id) VALUES (1)",
            "SELECT CAST('q' AS UNSIGNED)",
            "SHOW WARNINGS",
            "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT a FROM t; INSERT INTO t (a) VALUES ('p'); END",
            "CALL p()",
            "SELECT 'before'; CALL p(); SELECT 'behind'",
            "CREATE PROCEDURE broken() BEGIN SELECT 1; SELECT * FROM nowhere; END",
            "CALL broken()",
            "SET @a = 5",
            "SELECT @a",
            "SET NAMES latin1",
            "SET autocommit = 0",
            "BEGIN",
            "INSERT INTO t (a) VALUES ('rolled back')",
            "ROLLBACK",
            "SET autocommit = 1",
            "USE mysql",
            "USE nowhere",
            "SELECT DATABASE()",
            "(SELECT (SELECT a FROM t))",
            "SELECT 1 FROM t WHERE (SELECT 1 UNION SELECT 2)",
            "KILL QUERY 0",
            "SET resultset_metadata = NONE",
            "SELECT 1, 2",
            "SELECT 1; SELECT 2",
            "SELECT DATABASE() LIMIT 0",
            "SET resultset_metadata = FULL",
            "SELECT 1, 2",
        ] {
            seen.query(raw, sql);
        }
        seen
    });
}

#[test]
fn query_attributes_of_every_type() {
    compare("proto_attributes", &[SHAPES[3], SHAPES[5]], |kind, raw| {
        let mut seen = Transcript::default();
        if kind != Kind::Mysql9 {
            return seen;
        }
        assert!(raw.capabilities.has(QUERY_ATTRIBUTES));
        // Four: a NULL, a TINYINT, a LONGLONG and a string.
        let mut payload = b"\x03\x04\x01\x01\x01".to_vec();
        payload.extend_from_slice(b"\x06\x00\x01n\x01\x00\x01t\x08\x00\x01l\xfe\x00\x01s");
        payload.extend_from_slice(b"\x07\x01\x02\x03\x04\x05\x06\x07\x08\x05hello");
        payload.extend_from_slice(b"SELECT 1 /* with attributes */");
        seen.ask(raw, "attributes", &payload);
        seen.ask(raw, "attributes cut short", b"\x03\x02\x01\x00");
        seen
    });
}

#[test]
fn prepared_statements() {
    compare("proto_prepared", &SHAPES, |kind, raw| {
        let mut seen = Transcript::default();
        for sql in [
            "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(20), b LONGBLOB)",
            "INSERT INTO t (id, a) VALUES (1, 'one'), (2, 'two'), (3, NULL), (4, 'four'), (5, 'five')",
            "CREATE PROCEDURE p(OUT o INT) BEGIN SELECT 1; SELECT a FROM t ORDER BY id; SET o = 7; END",
        ] {
            seen.query(raw, sql);
        }
        let first = prepare(&mut seen, raw, "SELECT id, a FROM t WHERE id > ? ORDER BY id");
        for _ in 0..3 {
            seen.ask(raw, "execute", &execute(raw, first, 0, &[2]));
        }
        seen.query(raw, "ALTER TABLE t ADD c INT");
        let all = prepare(&mut seen, raw, "SELECT * FROM t ORDER BY id");
        seen.ask(raw, "execute without parameters", &execute(raw, all, 0, &[]));
        seen.query(raw, "ALTER TABLE t DROP c");
        seen.ask(raw, "execute after the table changed", &execute(raw, all, 0, &[]));
        seen.ask(raw, "execute again", &execute(raw, all, 0, &[]));
        prepare(&mut seen, raw, "DO 1");
        prepare(&mut seen, raw, "DELETE FROM t WHERE id = ?");
        prepare(&mut seen, raw, "SELEC 1");
        prepare(&mut seen, raw, "SELECT ?, ?, ?");
        let call = prepare(&mut seen, raw, "CALL p(?)");
        seen.ask(raw, "execute CALL with results", &execute(raw, call, 0, &[0]));
        cursor(&mut seen, raw);
        long_data(&mut seen, raw);
        seen.ask(raw, "reset", &statement(STMT_RESET, first));
        raw.ask(&statement(STMT_CLOSE, first));
        seen.ask(raw, "execute a closed one", &execute(raw, first, 0, &[1]));
        seen.ask(raw, "reset a closed one", &statement(STMT_RESET, first));
        seen.ask(raw, "fetch from a closed one", &[&statement(STMT_FETCH, first)[..], &[1, 0, 0, 0]].concat());
        seen.ask(raw, "execute cut short", &statement(STMT_EXECUTE, all)[..3]);
        if kind.is_mariadb() {
            mariadb_only(&mut seen, raw);
        }
        seen.query(raw, "SELECT COUNT(*), MAX(LENGTH(b)) FROM t");
        seen
    });
}

fn prepare(seen: &mut Transcript, raw: &mut Raw, sql: &str) -> u32 {
    let reply = raw.ask(&[&[STMT_PREPARE], sql.as_bytes()].concat());
    raw.in_step();
    let id = u32::from_le_bytes(reply[5..9].try_into().expect("an id"));
    seen.note(format!("PREPARE {sql}"), without_id(&reply));
    id
}

/// MariaDB's ids go on where the thread's last connection ended.
fn without_id(prepared: &[u8]) -> Vec<u8> {
    let mut masked = prepared.to_vec();
    if error_code(prepared).is_none() {
        masked[5..9].fill(0);
    }
    masked
}

fn without_digits(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().filter(|byte| !byte.is_ascii_digit()).copied().collect()
}

fn statement(command: u8, id: u32) -> Vec<u8> {
    [&[command][..], &id.to_le_bytes()].concat()
}

/// All parameters are BIGINTs.
fn execute(raw: &Raw, id: u32, flags: u8, values: &[i64]) -> Vec<u8> {
    let mut payload = statement(STMT_EXECUTE, id);
    payload.push(flags);
    payload.extend_from_slice(&1u32.to_le_bytes());
    if values.is_empty() {
        return payload;
    }
    // The flag PARAMETER_COUNT_AVAILABLE is not set: the server knows how many.
    let _ = raw;
    payload.resize(payload.len() + values.len().div_ceil(8), 0);
    payload.push(1);
    values.iter().for_each(|_| payload.extend_from_slice(&[8, 0]));
    values.iter().for_each(|value| payload.extend_from_slice(&value.to_le_bytes()));
    payload
}

fn cursor(seen: &mut Transcript, raw: &mut Raw) {
    const READ_ONLY_CURSOR: u8 = 1;
    let id = prepare(seen, raw, "SELECT id, a FROM t ORDER BY id");
    seen.ask(raw, "execute with a cursor", &execute(raw, id, READ_ONLY_CURSOR, &[]));
    for rows in [2u8, 0, 1, 100, 1] {
        seen.ask(raw, "fetch", &[&statement(STMT_FETCH, id)[..], &[rows, 0, 0, 0]].concat());
    }
    seen.ask(raw, "execute with a cursor", &execute(raw, id, READ_ONLY_CURSOR, &[]));
    seen.ask(raw, "reset with an open cursor", &statement(STMT_RESET, id));
    seen.ask(raw, "fetch after reset", &[&statement(STMT_FETCH, id)[..], &[1, 0, 0, 0]].concat());
    let failing = prepare(seen, raw, "SELECT (SELECT id FROM t WHERE id > ?)");
    seen.ask(raw, "a cursor on an error", &execute(raw, failing, READ_ONLY_CURSOR, &[0]));
}

fn long_data(seen: &mut Transcript, raw: &mut Raw) {
    let id = prepare(seen, raw, "UPDATE t SET b = ? WHERE id = 1");
    let head = [&statement(STMT_SEND_LONG_DATA, id)[..], &[0, 0]].concat();
    for part in [&b"abc"[..], &[b'x'; 200_000], b""] {
        raw.ask(&[&head[..], part].concat());
    }
    let mut payload = statement(STMT_EXECUTE, id);
    payload.extend_from_slice(b"\x00\x01\x00\x00\x00\x00\x01\xfc\x00");
    seen.ask(raw, "execute with long data", &payload);
    raw.ask(&[&head[..], b"dropped"].concat());
    seen.ask(raw, "reset long data", &statement(STMT_RESET, id));
}

fn mariadb_only(seen: &mut Transcript, raw: &mut Raw) {
    // PREPARE and EXECUTE of "the one prepared last" in one go.
    let prepare = [&[STMT_PREPARE][..], b"SELECT a FROM t WHERE id = ?"].concat();
    let execute_last = execute(raw, u32::MAX, 0, &[2]);
    raw.send_packet(0, &prepare);
    raw.send_packet(0, &execute_last);
    let replies = [raw.reply(&prepare, 1), raw.reply(&execute_last, 1)];
    seen.note("pipelined prepare", without_id(&replies[0]));
    seen.note("pipelined execute", replies[1].clone());
    raw.in_step();
    let failing = [&[STMT_PREPARE][..], b"SELEC ?"].concat();
    raw.send_packet(0, &failing);
    raw.send_packet(0, &execute_last);
    let replies = [raw.reply(&failing, 1), raw.reply(&execute_last, 1)];
    seen.note("pipelined failing prepare", replies[0].clone());
    seen.note("pipelined execute of nothing", without_digits(&replies[1][3..]));
    raw.in_step();
    if raw.capabilities.has(MARIADB_STMT_BULK) {
        bulk(seen, raw);
    }
}

fn bulk(seen: &mut Transcript, raw: &mut Raw) {
    const SEND_TYPES: u16 = 128;
    const UNIT_RESULTS: u16 = 64;
    for (first, flags) in [(10i32, SEND_TYPES), (20, SEND_TYPES | UNIT_RESULTS)] {
        let id = prepare(seen, raw, "INSERT INTO t (id) VALUES (?)");
        let mut payload = statement(STMT_BULK_EXECUTE, id);
        payload.extend_from_slice(&flags.to_le_bytes());
        payload.extend_from_slice(&[3, 0]);
        for row in 0..3 {
            payload.push(0);
            payload.extend_from_slice(&(first + row).to_le_bytes());
        }
        seen.ask(raw, "bulk", &payload);
        seen.ask(raw, "bulk with duplicates", &payload);
    }
}

#[test]
fn the_other_commands() {
    compare("proto_others", &SHAPES, |kind, raw| {
        let mut seen = Transcript::default();
        seen.query(raw, "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(20) DEFAULT 'x')");
        for (what, payload) in [
            ("INIT_DB", &b"\x02mysql"[..]),
            ("INIT_DB nowhere", b"\x02nowhere"),
            ("INIT_DB back", b"\x02proto_others"),
            ("PING", b"\x0e"),
            ("SET_OPTION off", b"\x1b\x01\x00"),
            ("SET_OPTION on", b"\x1b\x00\x00"),
            ("SET_OPTION bad", b"\x1b\x09\x00"),
            ("SET_OPTION short", b"\x1b"),
            ("FIELD_LIST", b"\x04t\0"),
            ("FIELD_LIST with a wildcard", b"\x04t\0a%"),
            ("FIELD_LIST nowhere", b"\x04nowhere\0"),
            ("PROCESS_KILL of nobody", b"\x0c\xff\xff\xff\x3f"),
            ("REFRESH", b"\x07\x02"),
            ("DEBUG", b"\x0d"),
            ("REGISTER_SLAVE cut short", b"\x15\x01"),
            ("SLEEP", b"\x00"),
            ("nothing at all", b""),
            ("CREATE_DB", b"\x05x"),
            ("DROP_DB", b"\x06x"),
            ("CONNECT", b"\x0b"),
            ("TIME", b"\x0f"),
            ("DELAYED_INSERT", b"\x10"),
            ("CONNECT_OUT", b"\x14"),
            ("DAEMON", b"\x1d"),
            ("an unknown byte", b"\x77abc"),
            ("another unknown byte", b"\xff"),
        ] {
            single(&mut seen, raw, what, payload);
        }
        seen.query(raw, "SET @gone = 1");
        single(&mut seen, raw, "RESET_CONNECTION", &[RESET_CONNECTION]);
        seen.query(raw, "SELECT @gone IS NULL, DATABASE()");
        let statistics = raw.ask(&[STATISTICS]);
        seen.note("STATISTICS", without_digits(&statistics[3..]));
        let processes = raw.ask(&[PROCESS_INFO]);
        assert!(error_code(&processes).is_some() || processes.len() > 200, "{kind}: {}", text(&processes));
        seen.note("PROCESS_INFO's columns", processes[..200.min(processes.len())].to_vec());
        raw.in_step();
        seen
    });
}

/// One packet comes back, whatever the command.
fn single(seen: &mut Transcript, raw: &mut Raw, what: &str, payload: &[u8]) {
    raw.send_packet(0, payload);
    let fields = payload.first() == Some(&FIELD_LIST);
    let reply = if fields { raw.reply(payload, 1) } else { raw.packet() };
    seen.note(what, reply);
    raw.in_step();
}

#[test]
fn progress_reports() {
    let server = Server::shared(Kind::MariaDb1011);
    server.sql("CREATE DATABASE proto_progress");
    server.sql("CREATE TABLE proto_progress.t (a INT, b CHAR(200)) ENGINE=Aria");
    server.sql("USE proto_progress; INSERT INTO t SELECT seq, 'x' FROM seq_1_to_400000");
    for mode in MODES {
        let tidegate = in_front_of(server, mode);
        let mut raw = Raw::root(tidegate.address(), MARIADB_PROGRESS);
        raw.query("SET progress_report_time = 1");
        let reports = (0..8).any(|_| {
            let reply = raw.query("ALTER TABLE proto_progress.t ORDER BY b, a");
            raw.in_step();
            error_code(&reply) == Some(0xFFFF)
        });
        assert!(reports, "{mode}: no progress was reported");
    }
}
