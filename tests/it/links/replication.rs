//! A replica behind tidegate gets the events that it would get from the server itself.

use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tidegate::wire::capabilities::Capabilities;
use tidegate::wire::command::{BINLOG_DUMP, BINLOG_DUMP_GTID, REGISTER_SLAVE};
use tidegate::wire::frame::HEADER;

use super::{MODES, config};
use crate::protocol::on_every_server;
use crate::raw::{Raw, error_code, packets, text};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

/// The dump ends at the log's end, rather than waiting for more.
const NON_BLOCKING: u16 = 1;
/// Where a log's first event stands.
const BEGINNING: u32 = 4;

fn in_front_of(server: &Server, mode: &str) -> Tidegate {
    Tidegate::in_front_of(server, &config(mode, ""))
}

/// A server whose log holds rows of all sizes up to more than a packet of the wire, in its first file; the file's name.
fn master(kind: Kind) -> (Server, String) {
    let server =
        Server::start(kind, &["--log-bin=binlog", "--server-id=1", "--binlog-format=ROW", "--max-allowed-packet=64M"]);
    server.sql("CREATE DATABASE d; CREATE TABLE d.t (a INT PRIMARY KEY, b LONGTEXT)");
    server.sql("INSERT INTO d.t VALUES (1, 'one'), (2, REPEAT('two', 100000)); UPDATE d.t SET b = 'uno' WHERE a = 1");
    // MySQL 5.6 takes no more than a tenth of its small log at once.
    let times = if kind == Kind::Mysql56 { 100_000 } else { 4_000_000 };
    server.sql(&format!("INSERT INTO d.t VALUES (3, REPEAT('three', {times})); DELETE FROM d.t WHERE a = 2"));
    let logs = server.sql("SHOW BINARY LOGS");
    let last = logs.lines().last().and_then(|line| line.split('\t').next()).expect("a log");
    (server, last.to_owned())
}

fn binlog(address: SocketAddr, log: &str, more: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/mariadb-binlog");
    command
        .args(["--no-defaults", "--read-from-remote-server", "--host=127.0.0.1", "--user=root", "--verbose"])
        .arg(format!("--port={}", address.port()))
        .args(more)
        .arg(log)
        .stdin(Stdio::null());
    command
}

fn events(address: SocketAddr, log: &str) -> Vec<u8> {
    let output = binlog(address, log, &[]).output().expect("mariadb-binlog");
    assert!(output.status.success(), "{}", text(&output.stderr));
    output.stdout
}

#[test]
fn mariadb_binlog_prints_the_same_events() {
    let (server, log) = master(Kind::MariaDb1011);
    let direct = events(server.address(), &log);
    assert!(direct.len() > 20_000_000, "{}", direct.len());
    for mode in MODES {
        let tidegate = in_front_of(&server, mode);
        assert!(events(tidegate.address(), &log) == direct, "{mode}: other events");
    }
}

/// What a program prints, as it comes.
struct Printed {
    process: Child,
    bytes: std::sync::mpsc::Receiver<Vec<u8>>,
    seen: String,
}

impl Printed {
    fn by(mut command: Command) -> Printed {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("mariadb-binlog");
        let mut output = process.stdout.take().expect("its output");
        let (sender, bytes) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut block = vec![0; 64 * 1024];
            while let Ok(n @ 1..) = output.read(&mut block) {
                let _ = sender.send(block[..n].to_vec());
            }
        });
        Printed { process, bytes, seen: String::new() }
    }

    fn await_text(&mut self, text: &str) {
        let limit = Instant::now() + Duration::from_secs(30);
        while !self.seen.contains(text) {
            let left = limit.saturating_duration_since(Instant::now());
            let bytes = self.bytes.recv_timeout(left).unwrap_or_else(|_| panic!("no {text:?} in {}", self.seen));
            self.seen += &String::from_utf8_lossy(&bytes);
        }
    }
}

impl Drop for Printed {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_stream_without_end_brings_what_is_written_meanwhile() {
    let server = Server::start(Kind::MariaDb1011, &["--log-bin=binlog", "--server-id=1"]);
    server.sql("CREATE DATABASE d; CREATE TABLE d.t (a INT)");
    for mode in MODES {
        let tidegate = in_front_of(&server, mode);
        let follow = ["--stop-never", "--stop-never-slave-server-id=77"];
        let mut printed = Printed::by(binlog(tidegate.address(), "binlog.000001", &follow));
        printed.await_text("CREATE TABLE d.t");
        for round in 0..3 {
            server.sql(&format!("CREATE TABLE d.later_{mode}_{round} (a INT)"));
            printed.await_text(&format!("CREATE TABLE d.later_{mode}_{round}"));
        }
        let dumps = "SELECT COUNT(*) FROM information_schema.processlist WHERE command = 'Binlog Dump'";
        assert_eq!(server.sql(dumps), "1", "{mode}");
        drop(printed);
        // The server notices when it writes, as it does without a proxy; nobody else gets such a connection.
        let limit = Instant::now() + Duration::from_secs(20);
        while server.sql(dumps) != "0" {
            assert!(Instant::now() < limit, "{mode}: {}", server.sql("SHOW PROCESSLIST"));
            std::thread::sleep(Duration::from_millis(200));
            server.sql("CREATE OR REPLACE TABLE d.last (a INT)");
        }
        Raw::root(tidegate.address(), Capabilities::NONE).in_step();
    }
}

fn register(server_id: u32) -> Vec<u8> {
    let mut payload = vec![REGISTER_SLAVE];
    payload.extend_from_slice(&server_id.to_le_bytes());
    for word in ["replica.example", "root", ""] {
        payload.push(word.len() as u8);
        payload.extend_from_slice(word.as_bytes());
    }
    payload.extend_from_slice(&3306u16.to_le_bytes());
    payload.extend_from_slice(&[0; 8]);
    payload
}

fn dump(server_id: u32, log: &str) -> Vec<u8> {
    let mut payload = vec![BINLOG_DUMP];
    payload.extend_from_slice(&BEGINNING.to_le_bytes());
    payload.extend_from_slice(&NON_BLOCKING.to_le_bytes());
    payload.extend_from_slice(&server_id.to_le_bytes());
    payload.extend_from_slice(log.as_bytes());
    payload
}

fn dump_by_gtid(server_id: u32, log: &str) -> Vec<u8> {
    let no_gtids = 0u64.to_le_bytes();
    let mut payload = vec![BINLOG_DUMP_GTID];
    payload.extend_from_slice(&NON_BLOCKING.to_le_bytes());
    payload.extend_from_slice(&server_id.to_le_bytes());
    payload.extend_from_slice(&(log.len() as u32).to_le_bytes());
    payload.extend_from_slice(log.as_bytes());
    payload.extend_from_slice(&u64::from(BEGINNING).to_le_bytes());
    payload.extend_from_slice(&(no_gtids.len() as u32).to_le_bytes());
    payload.extend_from_slice(&no_gtids);
    payload
}

/// Registers, asks something, and dumps: every byte up to the end of the connection, which servers close then.
fn replicate(mut raw: Raw, kind: Kind, dump: &[u8]) -> Vec<u8> {
    let master = if kind == Kind::Mysql9 { "source" } else { "master" };
    assert_eq!(error_code(&raw.query(&format!("SET @{master}_binlog_checksum = 'NONE'"))), None);
    let registered = raw.ask(&register(4711));
    assert_eq!(registered[HEADER], 0, "{kind}: {}", text(&registered));
    raw.in_step();
    assert_eq!(raw.value("SELECT 'between'"), "between");
    raw.send_packet(0, dump);
    raw.rest()
}

#[test]
fn dumps_are_the_same_byte_for_byte() {
    on_every_server(|kind| {
        let (server, log) = master(kind);
        let mut dumps = vec![dump(4711, &log)];
        if kind == Kind::Mysql9 {
            dumps.push(dump_by_gtid(4711, &log));
        }
        for dump in &dumps {
            let expected = replicate(Raw::root(server.address(), Capabilities::NONE), kind, dump);
            let last = packets(&expected).last().map(|last| last[0]);
            assert!(expected.len() > 1_000_000 && last == Some(0xFE), "{kind}: {} {last:?}", expected.len());
            for mode in MODES {
                let tidegate = in_front_of(&server, mode);
                let raw = Raw::root(tidegate.address(), Capabilities::NONE);
                assert!(replicate(raw, kind, dump) == expected, "{kind} {mode}: other events");
                Raw::root(tidegate.address(), Capabilities::NONE).in_step();
            }
        }
    });
}

#[test]
fn a_refused_dump_is_the_servers_own_answer() {
    on_every_server(|kind| {
        let server = Server::start(kind, &["--log-bin=binlog", "--server-id=1"]);
        let refused = |mut raw: Raw| {
            let registered = raw.ask(&register(4711)[..9]);
            raw.in_step();
            raw.send_packet(0, &dump(4711, "nosuch.000001"));
            (registered, raw.rest())
        };
        let expected = refused(Raw::root(server.address(), Capabilities::NONE));
        assert!(error_code(&expected.0).is_some() && error_code(&expected.1).is_some(), "{kind}: {expected:?}");
        for mode in MODES {
            let tidegate = in_front_of(&server, mode);
            assert_eq!(refused(Raw::root(tidegate.address(), Capabilities::NONE)), expected, "{kind} {mode}");
        }
    });
}
