//! The console's protocol: text and binary rows, what drivers ask first, passwords, and clear words for what it does not know.

use super::console;
use crate::crowd::{Client, enter, enter_many, tidegate};
use crate::tidegate::{self as harness, Tidegate};

#[test]
fn every_table_is_shown_in_both_protocols() {
    let tidegate = tidegate(super::server_of_all(), 2, "");
    let mut client = enter(&tidegate);
    client.run("SELECT 1");
    let mut console = console(&tidegate);
    let help: Vec<String> = console.rows("SHOW HELP").into_iter().map(|row| row[0].clone()).collect();
    let tables: Vec<_> = help.iter().filter(|line| line.starts_with("SHOW ")).collect();
    assert!(tables.len() >= 12, "{help:?}");
    for table in tables {
        let rows = console.ask(table).unwrap_or_else(|trouble| panic!("{table}: {trouble}"));
        let statement = console.prepare(table).unwrap_or_else(|trouble| panic!("{table}: {trouble}"));
        console.skips_rows = true;
        console.execute(statement, &[]).unwrap_or_else(|trouble| panic!("{table}: {trouble}"));
        console.skips_rows = false;
        assert!(!rows.rows.is_empty() || table.contains("PIN"), "{table} is empty");
    }
    assert_eq!(console.rows("SHOW VERSION LIKE 'tidegate'"), [["tidegate", env!("CARGO_PKG_VERSION")]]);
    assert_eq!(console.rows("SHOW CONFIG LIKE 'pool.size'"), [["pool.size", "2"]]);
    assert_eq!(console.rows("SHOW CONFIG LIKE 'user.password%'"), [["user.password (crowd)", "***"]]);
}

#[test]
fn rows_are_chosen_sorted_and_cut() {
    let tidegate = tidegate(super::server_of_all(), 2, "");
    let clients = enter_many(&tidegate, 5);
    let mut console = console(&tidegate);
    let ids = |console: &mut Client, sql: &str| -> Vec<u32> {
        console.rows(sql).into_iter().map(|row| row[0].parse().expect("an id")).collect()
    };
    let mut all: Vec<u32> = clients.iter().map(|client| client.id).collect();
    assert_eq!(ids(&mut console, "SHOW CLIENTS"), all);
    all.reverse();
    assert_eq!(ids(&mut console, "SHOW CLIENTS LIKE 'cr%' ORDER BY id DESC"), all);
    assert_eq!(ids(&mut console, "SELECT * FROM clients ORDER BY 1 DESC LIMIT 1, 2;"), all[1..3]);
    assert_eq!(ids(&mut console, "SHOW CLIENTS LIKE 'nobody'"), [0; 0]);
    assert_eq!(console.refused("SHOW CLIENTS ORDER BY nonsense").code, 1054);
}

#[test]
fn what_it_does_not_know_is_told_with_where_to_look() {
    let tidegate = tidegate(super::server_of_all(), 1, "");
    let mut console = console(&tidegate);
    for sql in
        ["DROP TABLE t", "SHOW NONSENSE", "SELECT 1 + 1", "SHOW CLIENTS WHERE id > 5", "", "SHOW CLIENTS; SHOW PINS"]
    {
        let refusal = console.refused(sql);
        assert_eq!((refusal.code, refusal.state.as_str()), (1064, "42000"), "{sql}");
        assert!(refusal.text.contains("SHOW HELP"), "{sql}: {}", refusal.text);
    }
    assert_eq!(console.refused("SELECT @@no_such").code, 1193);
    let unprepared = console.prepare("KILL ?").err().and_then(|trouble| trouble.code());
    assert_eq!(unprepared, Some(1295));
    // COM_BINLOG_DUMP
    let unknown = console.command(b"\x12\0\0\0\0").err().and_then(|trouble| trouble.code());
    assert_eq!(unknown, Some(1047));
    assert_eq!(console.value("SELECT 7"), "7", "it goes on");
}

#[test]
fn what_drivers_send_first_is_answered() {
    let tidegate = tidegate(super::server_of_all(), 1, "");
    let mut console = console(&tidegate);
    for sql in [
        "SET NAMES utf8mb4",
        "SET autocommit=1, session_track_schema=1, sql_mode = concat(@@sql_mode,',STRICT_TRANS_TABLES')",
        "SET SESSION TRANSACTION READ ONLY",
        "USE tidegate",
        "COMMIT",
        "/* ApplicationName=DBeaver 24.0 - Main */ SET SESSION net_write_timeout = 600",
    ] {
        console.run(sql);
    }
    // MySQL Connector/J, DBeaver, MariaDB Connector/J, mysql.
    for (sql, columns) in [
        (
            "/* mysql-connector-j-8.4.0 (Revision: x) */SELECT  @@session.auto_increment_increment AS \
             auto_increment_increment, @@character_set_client AS character_set_client, @@character_set_connection AS \
             character_set_connection, @@character_set_results AS character_set_results, @@character_set_server AS \
             character_set_server, @@collation_server AS collation_server, @@collation_connection AS \
             collation_connection, @@init_connect AS init_connect, @@interactive_timeout AS interactive_timeout, \
             @@license AS license, @@lower_case_table_names AS lower_case_table_names, @@max_allowed_packet AS \
             max_allowed_packet, @@net_write_timeout AS net_write_timeout, @@performance_schema AS \
             performance_schema, @@sql_mode AS sql_mode, @@system_time_zone AS system_time_zone, @@time_zone AS \
             time_zone, @@transaction_isolation AS transaction_isolation, @@wait_timeout AS wait_timeout",
            19,
        ),
        ("/* ApplicationName=DBeaver 24.0 - Main */ SELECT DATABASE()", 1),
        ("SELECT @@max_allowed_packet,@@system_time_zone,@@time_zone,@@auto_increment_increment", 4),
        ("select @@version_comment limit 1", 1),
        ("SELECT VERSION()", 1),
        ("SELECT CONNECTION_ID()", 1),
        ("select USER()", 1),
    ] {
        let rows = console.rows(sql);
        assert_eq!((rows.len(), rows[0].len()), (1, columns), "{sql}");
    }
    for (sql, rows) in [
        ("SHOW VARIABLES LIKE 'lower_case_%'", 2),
        ("SHOW SESSION VARIABLES WHERE Variable_name IN ('wait_timeout', 'sql_mode')", 2),
        ("SHOW VARIABLES WHERE Variable_name ='language' OR Variable_name = 'time_zone'", 1),
        ("SHOW WARNINGS", 0),
        ("SHOW COLLATION", 0),
        ("SHOW ENGINES", 0),
        ("SHOW PLUGINS", 0),
        ("SHOW DATABASES", 1),
    ] {
        assert_eq!(console.rows(sql).len(), rows, "{sql}");
    }
    assert!(console.command(&[0x0e]).is_ok() && console.command(&[0x1f]).is_ok(), "COM_PING, COM_RESET_CONNECTION");
}

#[test]
fn a_password_that_is_configured_is_asked_for_by_each_method() {
    let admin = "admin.user = \"boss\"\nadmin.password = \"the console's\"";
    let tidegate = tidegate(super::server_of_all(), 1, admin);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for (user, password, is_let_in) in [
            ("boss", "the console's", true),
            ("boss", "wrong", false),
            ("boss", "", false),
            ("other", "the console's", false),
        ] {
            let entered = mysql_async::Conn::new(harness::login(tidegate.admin("sql"), user, password)).await;
            assert_eq!(entered.is_ok(), is_let_in, "{user} {password}: {:?}", entered.err());
            if let Err(mysql_async::Error::Server(refusal)) = &entered {
                assert_eq!(refusal.code, 1045, "{refusal}");
            }
        }
    });
    let log = tidegate.log();
    assert!(!log.contains("the console's"), "{log}");
}

#[test]
fn bad_bytes_end_only_who_sent_them() {
    use std::io::Write;
    let tidegate = Tidegate::in_front_of(super::server_of_all(), "");
    let address = tidegate.admin("sql");
    for bytes in [&b"\0\0\0\0"[..], b"GET / HTTP/1.1\r\n\r\n", &[0xFF; 64], b"\x20\0\0\x01\x05", &[0; 4096]] {
        let mut stream = std::net::TcpStream::connect(address).expect("admin.sql");
        let _ = stream.write_all(bytes);
        drop(stream);
    }
    let mut console = console(&tidegate);
    for payload in [&[0x17_u8][..], &[0x17, 1, 0, 0, 0], &[0x16], &[0x19], &[0x0c], &[0x03], &[0xEE, 1, 2, 3]] {
        let _ = console.send_command(payload);
        if payload[0] != 0x19 {
            console.packet().expect("an answer");
        }
    }
    assert_eq!(console.value("SELECT 1"), "1");
}
