//! What a client asks of its last statement, through tidegate, when another client has had the connection in between.

use crate::crowd;
use tidegate::wire::capabilities::{MARIADB_CACHE_METADATA, QUERY_ATTRIBUTES};

use crate::raw::connect;

use super::*;

/// What a client does, what another one does on the same connection, what the first one goes on with, and what it asks then.
struct Case {
    own: &'static [&'static str],
    of_another: &'static str,
    then: &'static [&'static str],
    asked: &'static str,
}

/// `prepare: ` begins a COM_STMT_PREPARE, `execute: ` is followed by a statement's number.
const CASES: &[Case] = &[
    // It makes no count, and the connection's is another's.
    Case { own: &["DO 1"], of_another: "SELECT 1", then: &["prepare: SELECT 1"], asked: "SELECT ROW_COUNT()" },
    Case { own: &["DO 1"], of_another: "SELECT 1", then: &["prepare: SELEC"], asked: "SELECT ROW_COUNT()" },
    Case {
        own: &["SELECT 1"],
        of_another: "DO 1",
        then: &["prepare: SELECT 1", "GET DIAGNOSTICS @n = NUMBER, @r = ROW_COUNT"],
        asked: "SELECT @n, @r",
    },
    Case {
        own: &["SELECT 1", "GET CURRENT DIAGNOSTICS @n = NUMBER"],
        of_another: "DO 1",
        then: &["GET DIAGNOSTICS @n = NUMBER", "GET DIAGNOSTICS @n = NUMBER, @r = ROW_COUNT"],
        asked: "SELECT @n, @r",
    },
    // Another's errors outlive statements without tables.
    Case {
        own: &["DO 1"],
        of_another: "SELECT * FROM information_schema.nosuch",
        then: &["DO 2", "GET DIAGNOSTICS @n = NUMBER, @r = ROW_COUNT"],
        asked: "SELECT @n, @r",
    },
    Case {
        own: &["DO 1"],
        of_another: "SELECT * FROM information_schema.nosuch",
        then: &["DO 2"],
        asked: "SELECT @@error_count, ROW_COUNT(), @@warning_count",
    },
    // So do one's own, but for these.
    Case {
        own: &["SHOW COLUMNS FROM information_schema.nosuch"],
        of_another: "DO 1",
        then: &["DESC information_schema.tables table_name"],
        asked: "SHOW WARNINGS",
    },
    Case {
        own: &["SHOW COLUMNS FROM information_schema.nosuch"],
        of_another: "DO 1",
        then: &["SHOW PRIVILEGES"],
        asked: "SHOW WARNINGS",
    },
    // It has counted as many as the other's.
    Case {
        own: &["DO 1"],
        of_another: "SELECT 1 UNION SELECT 2 UNION SELECT 3",
        then: &["SELECT SQL_CALC_FOUND_ROWS * FROM (SELECT 1 UNION SELECT 2 UNION SELECT 3) t LIMIT 1"],
        asked: "SELECT FOUND_ROWS()",
    },
    Case {
        own: &["DO 1"],
        of_another: "SELECT 1 UNION SELECT 2 UNION SELECT 3",
        then: &["SELECT 1 UNION SELECT 2 UNION SELECT 3 LIMIT 1, 1"],
        asked: "SELECT FOUND_ROWS()",
    },
    // The server keeps fewer than there are.
    Case {
        own: &["SET max_error_count = 1", "SELECT nosuch"],
        of_another: "SELECT 1",
        then: &[],
        asked: "SHOW WARNINGS",
    },
    Case {
        own: &[
            "SET max_error_count = 1",
            "SELECT CONVERT(1/0, SIGNED), CONVERT('x', SIGNED), (SELECT 1 UNION SELECT 2)",
        ],
        of_another: "SELECT 1",
        then: &[],
        asked: "SHOW COUNT(*) WARNINGS",
    },
    Case {
        own: &["SET max_error_count = 0", "SELECT nosuch"],
        of_another: "SELECT 1",
        then: &[],
        asked: "SHOW COUNT(*) ERRORS",
    },
    Case { own: &["SET max_error_count = 1000", MANY], of_another: "SELECT 1", then: &[], asked: "SHOW WARNINGS" },
    // The server knows an unknown statement by another number, and keeps what it said of it.
    Case {
        own: &["execute: 9", "DO GET_LOCK('a', 0)"],
        of_another: "SELECT 1",
        then: &["DO RELEASE_LOCK('a')"],
        asked: "SHOW ERRORS",
    },
    Case {
        own: &["SET NAMES binary", "prepare: UPDATE nosuch.t SET a = 1", "execute: 9"],
        of_another: "SELECT 1",
        then: &["SHOW WARNINGS", "GET DIAGNOSTICS @n = NUMBER, @r = ROW_COUNT"],
        asked: "SELECT @n, @r",
    },
    // What tidegate has asked on another's behalf stands on the connection, and a ping leaves it there.
    Case {
        own: &["SELECT 1", "ping"],
        of_another: "SELECT SQL_CALC_FOUND_ROWS 1 UNION SELECT 2 LIMIT 1",
        then: &["ping", "GET DIAGNOSTICS @n = NUMBER"],
        asked: "SELECT @n",
    },
    Case {
        own: &["SELECT CAST('x' AS SIGNED)"],
        of_another: "SELECT SQL_CALC_FOUND_ROWS 1 UNION SELECT 2 LIMIT 1",
        then: &["ping"],
        asked: "SHOW WARNINGS",
    },
    // What a preparation makes of them is the server's secret.
    Case {
        own: &["SELECT nix"],
        of_another: "SELECT 1",
        then: &["prepare: SELECT COUNT(*) FROM information_schema.schemata"],
        asked: "SHOW WARNINGS",
    },
    Case { own: &["SELECT nix"], of_another: "SELECT 1", then: &["prepare: SELECT 1"], asked: "SHOW WARNINGS" },
    Case { own: &["SELECT nix"], of_another: "SELECT nought", then: &["prepare: SHOW TABLES"], asked: "SHOW ERRORS" },
    Case { own: &["SELECT nix"], of_another: "SELECT nought", then: &["prepare: DO 1"], asked: "SHOW ERRORS" },
    Case {
        own: &["SELECT CAST('a' AS SIGNED), CAST('b' AS SIGNED)"],
        of_another: "SELECT nought",
        then: &["prepare: SELECT 1", "prepare: SET @a = 1"],
        asked: "SHOW WARNINGS",
    },
    Case {
        own: &["SELECT CAST('a' AS SIGNED), CAST('b' AS SIGNED)"],
        of_another: "SELECT nought",
        then: &["prepare: SELECT 1", "prepare: SHOW TABLES"],
        asked: "SHOW WARNINGS",
    },
    // Refused while it ran.
    Case {
        own: &["SELECT 1 UNION SELECT 2 UNION SELECT 3"],
        of_another: "SELECT 5",
        then: &["SELECT (SELECT 1 UNION SELECT 2)"],
        asked: "SELECT FOUND_ROWS()",
    },
];

/// A thousand warnings of some 130 bytes.
const MANY: &str = "SELECT CONVERT(CONCAT(REPEAT('x', 90), a.d, b.d, c.d), SIGNED) FROM \
    (SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 \
    UNION SELECT 8 UNION SELECT 9) a, \
    (SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 \
    UNION SELECT 8 UNION SELECT 9) b, \
    (SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 \
    UNION SELECT 8 UNION SELECT 9) c";

fn run(raw: &mut Raw, steps: &[&str]) {
    for step in steps {
        if let Some(sql) = step.strip_prefix("prepare: ") {
            raw.ask(&[&[tidegate::wire::command::STMT_PREPARE], sql.as_bytes()].concat());
        } else if let Some(number) = step.strip_prefix("execute: ") {
            let number: u32 = number.parse().expect("a statement's number");
            raw.ask(&[&b"\x17"[..], &number.to_le_bytes(), &[0, 1, 0, 0, 0]].concat());
        } else if *step == "ping" {
            raw.ask(&[tidegate::wire::command::PING]);
        } else {
            raw.query(step);
        }
    }
}

fn answers_are_ones_own(server: &Server) {
    let tidegate = crowd::tidegate(server, 1, "pool.checkout_timeout = \"200ms\"\n");
    for case in CASES {
        let login = |address| Raw::login(connect(address), crowd::USER, "", BASE);
        let mut direct = login(server.address());
        run(&mut direct, case.own);
        run(&mut direct, case.then);
        let expected = direct.query(case.asked);
        let [mut holder, mut neighbour] = [(); 2].map(|()| login(tidegate.address()));
        run(&mut holder, case.own);
        neighbour.query(case.of_another);
        run(&mut holder, case.then);
        let told = holder.query(case.asked);
        let what = format!("{}: {} behind {:?}", server.kind(), case.asked, [case.own, case.then].concat());
        assert_eq!(text(&told), text(&expected), "{what}, another having said {}", case.of_another);
    }
}

#[test]
fn another_client_in_between_changes_no_answer() {
    Kind::here().into_iter().for_each(|kind| answers_are_ones_own(crowd::shared(kind)));
}

/// The connection that it comes back to has the statement not prepared, and the server does not prepare it any more.
fn an_insert_that_cannot_be_prepared_takes_no_id_away(server: &Server) {
    let login = |address| Raw::login(connect(address), crowd::USER, "", BASE);
    server.sql("CREATE DATABASE IF NOT EXISTS gone; CREATE TABLE gone.t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)");
    let tidegate = crowd::tidegate(server, 1, "pool.checkout_timeout = \"2s\"\n");
    let mut holder = login(tidegate.address());
    let prepared = holder.ask(b"\x16INSERT INTO gone.t (v) VALUES (1)");
    holder.query("SET last_insert_id = 12");
    let mut untidy = login(tidegate.address());
    untidy.query("CREATE TEMPORARY TABLE gone.temporary (i INT)");
    drop(untidy);
    login(tidegate.address()).query("SET last_insert_id = 77");
    server.sql("DROP TABLE gone.t");
    let execution = [&b"\x17"[..], &prepared[HEADER + 1..HEADER + 5], &[0, 1, 0, 0, 0]].concat();
    let refused = holder.ask(&execution);
    assert_eq!(crate::raw::error_code(&refused), Some(1146), "{}: {}", server.kind(), text(&refused));
    assert_eq!(holder.value("SELECT LAST_INSERT_ID()"), "12", "{}", server.kind());
}

#[test]
fn an_insert_id_outlives_an_insert_that_never_ran() {
    Kind::here().into_iter().for_each(|kind| an_insert_that_cannot_be_prepared_takes_no_id_away(crowd::shared(kind)));
}

/// Of each result, the status flags of its end.
fn statuses(reply: &[u8]) -> Vec<u16> {
    let ends = packets(reply).into_iter().filter(|packet| packet.len() == 5 && packet[0] == 0xFE);
    ends.map(|eof| u16::from_le_bytes([eof[3], eof[4]])).collect()
}

/// Two clients' executions of a statement behind an ALTER TABLE, through here and there.
fn executions_behind_an_alter(server: &Server, address: std::net::SocketAddr) -> Vec<Vec<u16>> {
    let login = || Raw::login(connect(address), crowd::USER, "", BASE);
    server.sql("CREATE DATABASE IF NOT EXISTS wider; DROP TABLE IF EXISTS wider.t; CREATE TABLE wider.t (a INT)");
    let mut clients = [login(), login()];
    let executions: Vec<_> = clients
        .iter_mut()
        .map(|client| {
            let prepared = client.ask(b"\x16SELECT * FROM wider.t");
            [&b"\x17"[..], &prepared[HEADER + 1..HEADER + 5], &[0, 1, 0, 0, 0]].concat()
        })
        .collect();
    let mut told = Vec::new();
    for column in ["b", "c"] {
        server.sql(&format!("ALTER TABLE wider.t ADD COLUMN {column} INT"));
        for _ in 0..2 {
            let both = clients.iter_mut().zip(&executions);
            told.extend(both.map(|(client, execution)| statuses(&client.ask(execution))));
        }
    }
    told
}

#[test]
fn new_columns_are_said_to_each_client_once() {
    for kind in Kind::here() {
        let server = crowd::shared(kind);
        let expected = executions_behind_an_alter(server, server.address());
        assert!(expected[0].iter().all(|status| status & 0x0400 != 0), "{kind}: {expected:x?}");
        for size in [1, 2] {
            let tidegate = crowd::tidegate(server, size, "");
            assert_eq!(executions_behind_an_alter(server, tidegate.address()), expected, "{kind}, {size} connections");
        }
    }
}

/// MariaDB leaves out the columns that it has told on a connection before: to another client, where that is shared.
#[test]
fn columns_are_told_to_each_client() {
    const WANTED: Capabilities = BASE.with(MARIADB_CACHE_METADATA);
    for kind in Kind::here().into_iter().filter(|kind| kind.is_mariadb()) {
        let tidegate = crowd::tidegate(crowd::shared(kind), 1, "");
        let prepared = |_| {
            let mut raw = Raw::login(connect(tidegate.address()), crowd::USER, "", WANTED);
            let reply = raw.ask(b"\x16SELECT ?");
            let id = reply[HEADER + 1..HEADER + 5].to_vec();
            (raw, id)
        };
        let execute = |(raw, id): &mut (Raw, Vec<u8>), value: &[u8]| {
            raw.ask(&[&b"\x17"[..], id, &[0, 1, 0, 0, 0, 0, 1], value].concat())
        };
        let (number, string) = ([&[8, 0][..], &7_u64.to_le_bytes()].concat(), &b"\xfd\0\x04text"[..]);
        let mut clients = [(); 2].map(prepared);
        for value in [&number[..], string, &number[..]] {
            let [first, second] = &mut clients;
            let told = execute(first, value);
            assert!(told.windows(3).any(|bytes| bytes == b"def"), "{kind}: {}", text(&told));
            assert_eq!(text(&told), text(&execute(second, value)), "{kind}");
        }
    }
}

/// An execution with a query attribute, whose type and name stand beside the parameter's, then one without types.
#[test]
fn an_attribute_is_no_parameter() {
    if !Kind::Mysql9.is_here() {
        return;
    }
    let tidegate = crowd::tidegate(crowd::shared(Kind::Mysql9), 1, "");
    let prepared = |_| {
        let mut raw = Raw::login(connect(tidegate.address()), crowd::USER, "", BASE.with(QUERY_ATTRIBUTES));
        let reply = raw.ask(b"\x16SELECT ? + 1");
        let id = reply[HEADER + 1..HEADER + 5].to_vec();
        (raw, id)
    };
    let [(mut client, id), (mut other, of_other)] = [(); 2].map(prepared);
    // Flags: the count follows. One parameter and the attribute `x`, a BIGINT and a string.
    let with =
        [&b"\x17"[..], &id, b"\x08\x01\0\0\0\x02\0\x01\x08\0\0\xfd\0\x01x", &1_u64.to_le_bytes(), b"\x04text"].concat();
    let without = [&b"\x17"[..], &id, b"\x08\x01\0\0\0\x01\0\0", &2_u64.to_le_bytes()].concat();
    let string = [&b"\x17"[..], &of_other, b"\x08\x01\0\0\0\x01\0\x01\xfd\0\0\x029x"].concat();
    let row = |reply: Vec<u8>| text(&reply);
    assert!(row(client.ask(&with)).contains("\\x02\\x00\\x00\\x00\\x00\\x00\\x00\\x00"), "1 + 1");
    other.ask(&string);
    let told = row(client.ask(&without));
    assert!(told.contains("\\x03\\x00\\x00\\x00\\x00\\x00\\x00\\x00"), "2 + 1: {told}");
}
