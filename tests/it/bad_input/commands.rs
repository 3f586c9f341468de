//! Clients that are in and go wrong afterwards.

use super::neighbour::Neighbour;
use super::raw::Raw;
use super::{POOL_OF_TEN, blamed, server};
use crate::tidegate::Tidegate;

const OUT_OF_ORDER: u16 = 1156;

#[test]
fn a_bad_command_ends_as_at_the_server() {
    let server = server();
    let tidegate = Tidegate::in_front_of(&server, POOL_OF_TEN);
    let neighbour = Neighbour::start(tidegate.address());
    for payload in bad_payloads() {
        let told = outcome(tidegate.address(), &payload);
        let direct = outcome(server.address(), &payload);
        assert_eq!(told, direct, "{:?}", &payload[..payload.len().min(20)]);
    }
    assert_eq!(blamed(&tidegate, "backend") + blamed(&tidegate, "tidegate"), 0, "{}", tidegate.log());
    neighbour.assert_undisturbed();
}

/// What the first answer is, and whether the connection can be used afterwards.
fn outcome(address: std::net::SocketAddr, payload: &[u8]) -> (Option<u16>, bool) {
    let mut raw = Raw::enter(address, "app");
    raw.send(0, payload);
    let code = raw.packet().map(|(_, answer)| match answer[0] {
        0xFF => u16::from_le_bytes([answer[1], answer[2]]),
        other => u16::from(other),
    });
    let lives = code.is_some() && raw.query("SELECT 1").is_some();
    (code, lives)
}

fn bad_payloads() -> Vec<Vec<u8>> {
    let mut payloads = vec![vec![], vec![0], vec![0x03], vec![0x16], vec![0x02], vec![0x1A], vec![0x1B]];
    // Prepared statements that are none, cut short, with lengths that lie.
    payloads.push(vec![0x17, 9, 9, 9, 9, 0, 1, 0, 0, 0]);
    payloads.push(vec![0x17, 9]);
    payloads.push(vec![0x1A, 9, 9, 9, 9]);
    payloads.push(vec![0x1C, 9, 9, 9, 9, 1, 0, 0, 0]);
    // Commands that nobody has, short and longer than any buffer.
    for code in [0x20, 0x60, 0xEF] {
        payloads.push(vec![code]);
        payloads.push([&[code][..], &[b'x'; 300_000]].concat());
    }
    // SQL that is none, and longer than a buffer.
    payloads.push([&b"\x03"[..], &[0xFF; 300_000]].concat());
    payloads.push(b"\x03\0\0\0\0".to_vec());
    payloads
}

#[test]
fn an_execute_whose_lengths_lie_is_the_servers_to_judge() {
    let server = server();
    let tidegate = Tidegate::in_front_of(&server, POOL_OF_TEN);
    let judged = |address| {
        let mut raw = Raw::enter(address, "app");
        raw.send(0, b"\x16SELECT ?");
        let (_, head) = raw.packet().expect("a prepared statement");
        assert_eq!(head[0], 0);
        for _ in 0..4 {
            raw.packet().expect("definitions");
        }
        let id = &head[1..5];
        raw.send(0, &[&[0x17][..], id, &[0, 1, 0, 0, 0, 0, 1, 0xFD, 0, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF]].concat());
        raw.packet().map(|(_, answer)| answer[0])
    };
    assert_eq!(judged(tidegate.address()), judged(server.address()));
}

#[test]
fn wrong_sequence_ids_are_told_and_closed() {
    let server = server();
    let tidegate = Tidegate::in_front_of(&server, POOL_OF_TEN);
    let neighbour = Neighbour::start(tidegate.address());
    for command in [&b"\x0E"[..], b"\x03SELECT 1"] {
        let mut raw = Raw::enter(tidegate.address(), "app");
        raw.send(5, command);
        raw.assert_refused(0, OUT_OF_ORDER);
    }
    // In a file.
    let mut raw = Raw::enter(tidegate.address(), "app");
    let asked = raw.query("LOAD DATA LOCAL INFILE 'x' INTO TABLE bad.t").expect("a question");
    assert_eq!(asked[0][0], 0xFB);
    raw.send(2, b"one\n");
    raw.send(9, b"two\n");
    raw.assert_refused(3, OUT_OF_ORDER);
    // In the second packet of a command.
    let mut raw = Raw::enter(tidegate.address(), "app");
    raw.send(0, &[&b"\x03SELECT 1 -- "[..], &vec![b'x'; 0xFF_FFFF - 12]].concat());
    raw.send(7, b"x");
    while raw.packet().is_some() {}
    neighbour.assert_undisturbed();
}

#[test]
fn a_statement_beyond_the_servers_limit_does_not_blame_the_wrong_one() {
    let server = server();
    let tidegate = Tidegate::in_front_of(&server, POOL_OF_TEN);
    let neighbour = Neighbour::start(tidegate.address());
    // The server says ERR 1153 and closes, with the end of the statement unread.
    for _ in 0..10 {
        let mut raw = Raw::enter(tidegate.address(), "app");
        raw.send(0, &[&b"\x03SELECT '"[..], &vec![b'x'; 3_000_000], b"'"].concat());
        let (_, answer) = raw.packet().expect("the server's own words");
        assert_eq!(answer[..3], [0xFF, 0x81, 0x04], "{}", String::from_utf8_lossy(&answer));
        raw.assert_closed();
    }
    neighbour.assert_undisturbed();
}

#[test]
fn who_only_closed_its_own_direction_still_gets_its_reply() {
    let server = server();
    let tidegate = Tidegate::in_front_of(&server, POOL_OF_TEN);
    let mut raw = Raw::enter(tidegate.address(), "app");
    raw.send(0, b"\x03SELECT SLEEP(0.3)");
    raw.half_close();
    assert_eq!(raw.reply().expect("the whole reply").len(), 5);
    raw.assert_closed();
}

#[test]
fn a_change_of_user_that_is_none_is_told_and_closed() {
    let server = server();
    let tidegate = Tidegate::in_front_of(&server, POOL_OF_TEN);
    let mut raw = Raw::enter(tidegate.address(), "app");
    raw.send(0, b"\x11no end");
    raw.assert_refused(1, 1047);
    let mut raw = Raw::enter(tidegate.address(), "app");
    raw.send(0, &[&b"\x11"[..], &[b'x'; 300_000]].concat());
    raw.assert_refused(1, 1047);
    // Its answer to the question comes out of order, or not at all.
    for answer in [Some(9), None] {
        let mut raw = Raw::enter(tidegate.address(), "app");
        raw.send(0, b"\x11plain\0\x00bad\0\x2D\0mysql_native_password\0");
        assert_eq!(raw.packet().expect("a question").1[0], 0xFE);
        if let Some(seq) = answer {
            raw.send(seq, &[1; 20]);
        }
        while raw.packet().is_some() {}
    }
}
