//! Packets of every length, commands sent ahead, files, bytes one by one, slow readers.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;
use std::time::Duration;

use tidegate::wire::capabilities::*;
use tidegate::wire::command::{PING, QUERY, STMT_EXECUTE, STMT_PREPARE};
use tidegate::wire::frame::{MAX_PAYLOAD, put_packet};

use crate::protocol::{MODES, in_front_of, on_every_server};
use crate::raw::{Raw, error_code, packets, packets_of};
use crate::servers::{Kind, Server};

/// A server that takes packets of 64 MiB.
fn big(kind: Kind) -> &'static Server {
    static SERVERS: [LazyLock<Server>; 4] = [
        LazyLock::new(|| start(Kind::MariaDb1011)),
        LazyLock::new(|| start(Kind::MariaDb11)),
        LazyLock::new(|| start(Kind::Mysql9)),
        LazyLock::new(|| start(Kind::Mysql56)),
    ];
    &SERVERS[Kind::ALL.iter().position(|&one| one == kind).expect("a known kind")]
}

fn start(kind: Kind) -> Server {
    Server::start(kind, &["--max-allowed-packet=64M"])
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn long_statements_and_rows_around_sixteen_mebibytes() {
    on_every_server(|kind| {
        let server = big(kind);
        for mode in MODES {
            let tidegate = in_front_of(server, mode);
            for set in [if mode == "observe" { Capabilities::NONE } else { DEPRECATE_EOF }] {
                let mut raws = [server.address(), tidegate.address()].map(|address| Raw::root(address, set));
                // The whole payload is this long: the command byte, and a comment that fills it up.
                for len in [130_000, 131_069, 131_073, 200_000, MAX_PAYLOAD - 1, MAX_PAYLOAD, MAX_PAYLOAD + 1, 40 << 20]
                {
                    let head = b"\x03SELECT 7 /*".to_vec();
                    let filler = vec![b'x'; len - head.len() - 2];
                    let payload = [&head[..], &filler, b"*/"].concat();
                    assert_eq!(payload.len(), len);
                    let [direct, through] = raws.each_mut().map(|raw| raw.ask(&payload));
                    assert_eq!(error_code(&direct), None);
                    assert_eq!(direct, through, "{kind}, {mode}, a statement of {len} bytes");
                    raws.iter_mut().for_each(Raw::in_step);
                }
                // A row's length: its column's four bytes of length, and the column.
                for len in [MAX_PAYLOAD - 1, MAX_PAYLOAD, MAX_PAYLOAD + 1, 2 * MAX_PAYLOAD, 40 << 20] {
                    let prefix = if len - 4 > 0xFF_FFFF { 9 } else { 4 };
                    let sql = format!("SELECT REPEAT('x', {})", len - prefix);
                    let [direct, through] = raws.each_mut().map(|raw| raw.query(&sql));
                    assert!(packets(&direct).iter().any(|packet| packet.len() == len.min(MAX_PAYLOAD)));
                    assert_eq!(direct.len(), through.len(), "{kind}, {mode}, a row of {len} bytes");
                    assert_eq!(hash(&direct), hash(&through), "{kind}, {mode}, a row of {len} bytes");
                    raws.iter_mut().for_each(Raw::in_step);
                }
            }
        }
    });
}

#[test]
fn commands_sent_ahead_are_answered_in_order() {
    on_every_server(|kind| {
        let server = big(kind);
        for mode in MODES {
            let tidegate = in_front_of(server, mode);
            let mut raws = [server.address(), tidegate.address()].map(|address| Raw::root(address, Capabilities::NONE));
            let many = (0..50).map(|i| format!("\x03SELECT {i}, REPEAT('y', {})", i * 400).into_bytes()).collect();
            let prepare = [&[STMT_PREPARE][..], b"SELECT 5"].concat();
            let mixed: Vec<Vec<u8>> = vec![
                prepare.clone(),
                vec![PING],
                b"\x03SELEC".to_vec(),
                b"\x77 an unknown command".to_vec(),
                b"\x03SELECT 6".to_vec(),
                b"\x03SELECT 1; SELECT 2".to_vec(),
                [&b"\x03SELECT 7 /*"[..], &vec![b'x'; 300_000], b"*/"].concat(),
                b"\x03SELECT 8".to_vec(),
                b"\x03SELECT SLEEP(0.2)".to_vec(),
                vec![PING],
                [&b"\x03SELECT 9 /*"[..], &vec![b'x'; MAX_PAYLOAD], b"*/"].concat(),
                vec![PING],
            ];
            for commands in [many, mixed] {
                let replies = raws.each_mut().map(|raw| ahead(raw, &commands));
                for (i, command) in commands.iter().enumerate() {
                    let (direct, through) = (masked(command, &replies[0][i]), masked(command, &replies[1][i]));
                    assert_eq!(direct, through, "{kind}, {mode}, command {i}");
                }
                raws.iter_mut().for_each(Raw::in_step);
            }
        }
    });
}

/// All at once; the replies are read only then.
fn ahead(raw: &mut Raw, commands: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    commands.iter().for_each(|command| _ = put_packet(&mut bytes, 0, command));
    raw.send(&bytes);
    let reply = |command: &Vec<u8>| match command[0] {
        QUERY | STMT_PREPARE | STMT_EXECUTE | PING => raw.reply(command, packets_of(command)),
        _ => raw.packet(),
    };
    commands.iter().map(reply).collect()
}

fn masked(command: &[u8], reply: &[u8]) -> Vec<u8> {
    let mut reply = reply.to_vec();
    if command[0] == STMT_PREPARE {
        reply[5..9].fill(0);
    }
    reply
}

#[test]
fn files_of_every_size_and_what_was_sent_behind_them() {
    on_every_server(|kind| {
        let server = big(kind);
        server.sql("CREATE DATABASE files; CREATE TABLE files.t (a LONGTEXT)");
        for mode in MODES {
            let tidegate = in_front_of(server, mode);
            let mut raws = [server.address(), tidegate.address()].map(|address| Raw::root(address, Capabilities::NONE));
            for size in [0, 1, 5_000, 200_000, 3_000_000] {
                for (packet, behind) in [(1000, true), (65_536, true), (1 << 20, false)] {
                    let replies = raws.each_mut().map(|raw| load(raw, size, packet, behind));
                    assert_eq!(replies[0], replies[1], "{kind}, {mode}, {size} bytes in packets of {packet}");
                }
            }
            let refused = raws.each_mut().map(|raw| load(raw, usize::MAX, 1, true));
            assert_eq!(refused[0], refused[1], "{kind}, {mode}, a refused file");
            let missing = raws.each_mut().map(|raw| {
                let reply = raw.query("LOAD DATA LOCAL INFILE 'x' INTO TABLE files.nowhere");
                raw.in_step();
                reply
            });
            assert_eq!(missing[0], missing[1]);
        }
    });
}

/// A file of lines, in packets of this many bytes; `usize::MAX`: none at all, the client refuses. Two queries follow it
/// at once, or wait for the answer.
fn load(raw: &mut Raw, size: usize, packet: usize, behind: bool) -> Vec<Vec<u8>> {
    raw.query("DELETE FROM files.t");
    let asked = raw.query("LOAD DATA LOCAL INFILE 'the file' INTO TABLE files.t");
    assert_eq!(packets(&asked), [b"\xFBthe file"]);
    let line = [&[b'l'; 99][..], b"\n"].concat();
    let file: Vec<u8> = if size == usize::MAX { Vec::new() } else { line.iter().copied().cycle().take(size).collect() };
    let mut bytes = Vec::new();
    let mut seq = 2u8;
    for part in file.chunks(packet) {
        seq = put_packet(&mut bytes, seq, part);
    }
    seq = put_packet(&mut bytes, seq, b"");
    let query = b"\x03SELECT COUNT(*), SUM(LENGTH(a)) FROM files.t".to_vec();
    if behind {
        put_packet(&mut bytes, 0, &query);
        put_packet(&mut bytes, 0, &[PING]);
        raw.send(&bytes);
        let replies = vec![asked, raw.reply(&query, seq), raw.reply(&query, 1), raw.reply(&[PING], 1)];
        return replies;
    }
    raw.send(&bytes);
    vec![asked, raw.reply(&query, seq), raw.ask(&query)]
}

#[test]
fn a_client_that_sends_byte_by_byte() {
    on_every_server(|kind| {
        let server = big(kind);
        let commands = [b"\x03SELECT 1, 'abc'; SELEC".to_vec(), vec![PING], b"\x02mysql".to_vec(), vec![]];
        let replies = |address| {
            let mut raw = Raw::root(address, Capabilities::NONE);
            commands.each_ref().map(|command| {
                let mut bytes = Vec::new();
                put_packet(&mut bytes, 0, command);
                raw.drip(&bytes);
                raw.reply(command, 1)
            })
        };
        let direct = replies(server.address());
        for mode in MODES {
            assert_eq!(replies(in_front_of(server, mode).address()), direct, "{kind}, {mode}");
        }
    });
}

#[test]
fn a_slow_reader_of_a_big_result_costs_no_memory() {
    const ROWS: usize = 2_000;
    const LIMIT_KIB: u64 = 20_000;
    on_every_server(|kind| {
        let server = big(kind);
        server.sql("CREATE DATABASE slow_reader; CREATE TABLE slow_reader.t (a INT)");
        let values = vec!["(1)"; ROWS].join(",");
        server.sql(&format!("INSERT INTO slow_reader.t VALUES {values}"));
        for mode in MODES {
            let tidegate = in_front_of(server, mode);
            let mut raw = Raw::root(tidegate.address(), Capabilities::NONE);
            raw.in_step();
            let before = resident_kib(tidegate.pid());
            let sql = raw.query_payload("SELECT REPEAT('x', 100000) FROM slow_reader.t");
            raw.send_packet(0, &sql);
            std::thread::sleep(Duration::from_millis(700));
            let stalled = resident_kib(tidegate.pid());
            let (mut total, mut most) = (0, stalled);
            raw.reply_into(&sql, 1, &mut |bytes| {
                total += bytes.len();
                if total % 17 == 0 {
                    most = most.max(resident_kib(tidegate.pid()));
                }
            });
            raw.in_step();
            assert!(total > ROWS * 100_000, "{kind}, {mode}: {total} bytes came");
            assert!(most - before < LIMIT_KIB, "{kind}, {mode}: from {before} to {most} KiB (stalled: {stalled})");
        }
    });
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}
