//! Clients that go wrong before they are in.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::neighbour::Neighbour;
use super::raw::{Raw, login};
use super::{POOL_OF_TEN, assert_blamed, blamed, server};
use crate::tidegate::Tidegate;

const OUT_OF_ORDER: u16 = 1156;
const BAD_HANDSHAKE: u16 = 1043;
const TOO_LARGE: u16 = 1153;
const TIMED_OUT: u16 = 1159;
const DENIED: u16 = 1045;

#[test]
fn each_is_told_in_a_servers_words() {
    let server = server();
    let tidegate = Tidegate::in_front_of(&server, POOL_OF_TEN);
    let neighbour = Neighbour::start(tidegate.address());
    let greeted = || {
        let mut raw = Raw::connect(tidegate.address());
        raw.packet().expect("a greeting");
        raw
    };
    let mut faults = 0;
    let mut refused = |what: &str, mut raw: Raw, seq: u8, code: u16| {
        raw.assert_refused(seq, code);
        faults += 1;
        assert_blamed(&tidegate, "client", faults, what);
    };

    // Other protocols.
    for stranger in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"SSH-2.0-OpenSSH_9.6\r\n", &CLIENT_HELLO[..]] {
        let mut raw = greeted();
        raw.bytes(stranger);
        refused("a stranger", raw, 1, OUT_OF_ORDER);
    }
    // One that talks before the greeting, and goes on.
    let mut raw = Raw::connect(tidegate.address());
    raw.bytes(b"GET / HTTP/1.1\r\n\r\n");
    raw.packet().expect("a greeting");
    refused("one who talks first", raw, 1, OUT_OF_ORDER);

    // Wrong sequence id, nonsense, too long, cut short.
    let mut raw = greeted();
    raw.send(5, &login("app", vec![]));
    refused("sequence id 5", raw, 1, OUT_OF_ORDER);
    for payload in [&b""[..], b"x", &[0; 31], &[0xFF; 200], &login("app", vec![1; 20])[..40]] {
        let mut raw = greeted();
        raw.send(1, payload);
        refused("a malformed login", raw, 2, BAD_HANDSHAKE);
    }
    let mut raw = greeted();
    raw.bytes(&[0xFF, 0xFF, 0xFF, 1]);
    refused("16 MiB of login", raw, 1, TOO_LARGE);

    // TLS that is none.
    let mut raw = greeted();
    raw.send(1, &ssl_request());
    raw.bytes(b"not TLS at all, not TLS at all, not TLS at all");
    while raw.packet().is_some() {}
    let mut raw = greeted();
    raw.bytes(&[&[32, 0, 0, 1], &ssl_request()[..], &CLIENT_HELLO[..]].concat());
    while raw.packet().is_some() {}

    // The answer to a switch.
    for (seq, answer, expected) in [(9, &[0; 20][..], OUT_OF_ORDER), (3, &[0; 20], DENIED), (3, &[0; 7], 0)] {
        let mut raw = greeted();
        raw.send(1, &login("plain", vec![]));
        let (_, switch) = raw.packet().expect("a switch");
        assert_eq!(switch[0], 0xFE);
        raw.send(seq, answer);
        let (_, error) = raw.packet().expect("an error");
        let code = u16::from_le_bytes([error[1], error[2]]);
        assert!(error[0] == 0xFF && (expected == 0 || code == expected), "{}", String::from_utf8_lossy(&error));
        raw.assert_closed();
    }

    neighbour.assert_undisturbed();
    assert_eq!(blamed(&tidegate, "backend") + blamed(&tidegate, "tidegate"), 0, "{}", tidegate.log());
}

#[test]
fn a_login_that_drips_is_ended_in_time_and_a_slow_backend_is_not_its_fault() {
    let server = server();
    let tidegate = Tidegate::in_front_of(&server, POOL_OF_TEN);
    let neighbour = Neighbour::start(tidegate.address());
    let mut raw = Raw::connect(tidegate.address());
    raw.packet().expect("a greeting");
    let began = Instant::now();
    for byte in [60, 0, 0, 1, 0] {
        raw.bytes(&[byte]);
        sleep(Duration::from_secs(1));
    }
    raw.assert_refused(1, TIMED_OUT);
    assert!(began.elapsed() < Duration::from_secs(8));
    tidegate.await_log("login_timeout", Duration::from_secs(2));
    neighbour.assert_undisturbed();

    // Longer than login_timeout, and nobody's fault: the client has done its part.
    server.freeze();
    let waiting = std::thread::spawn({
        let address = tidegate.address();
        move || Raw::try_enter(address, "plain", "plain").is_ok()
    });
    sleep(Duration::from_secs(3));
    server.thaw();
    assert!(waiting.join().expect("a client"), "{}", tidegate.log());
}

#[test]
fn a_name_forges_no_line_of_the_log() {
    let server = server();
    let tidegate = Tidegate::in_front_of(&server, POOL_OF_TEN);
    let forged = "x\n2026-01-01T00:00:00Z ERROR tidegate: forged\x1b[2J";
    for name in [forged.to_owned(), "n".repeat(60_000)] {
        let refused = Raw::try_enter(tidegate.address(), &name, "pw").err().expect("a refusal");
        assert!(refused.is_empty() || refused[0] == 0xFF);
    }
    let log = tidegate.await_log("forged", Duration::from_secs(2));
    assert!(!log.lines().any(|line| line.starts_with("2026-01-01")), "{log}");
    assert!(!log.contains('\x1b') && log.len() < 20_000, "{log}");
}

fn ssl_request() -> Vec<u8> {
    let mut head = login("", vec![])[..32].to_vec();
    head[1] |= 0x08;
    head
}

/// The beginning of a TLS handshake.
const CLIENT_HELLO: [u8; 48] = {
    let mut bytes = [0x5A; 48];
    let head = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03];
    let mut at = 0;
    while at < head.len() {
        bytes[at] = head[at];
        at += 1;
    }
    bytes
};
