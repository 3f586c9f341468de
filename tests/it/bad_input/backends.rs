//! Backends that are down, full, rude, slow or no servers at all: the client hears what it would hear directly.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use ::tidegate::wire::capabilities::{Capabilities, PLUGIN_AUTH, PROTOCOL_41, SECURE_CONNECTION};
use ::tidegate::wire::fault::ErrPacket;
use ::tidegate::wire::handshake::{AuthSwitch, Greeting};

use super::raw::Raw;
use super::{POOL_OF_TEN, POOL_OF_TWO, assert_blamed, server};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

const UNREACHABLE: u16 = 1429;
const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];
/// A result of one column and one row.
const RESULT: [&[u8]; 5] = [
    &[1],
    b"\x03def\0\0\0\x01a\0\x0C\x3F\0\x01\0\0\0\x08\x81\0\0\0\0",
    &[0xFE, 0, 0, 2, 0],
    &[1, b'7'],
    &[0xFE, 0, 0, 2, 0],
];

/// A server that does what it is told, one thread for each connection.
pub fn fake(behave: impl Fn(Raw) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let behave = Arc::new(behave);
    spawn(move || {
        for stream in listener.incoming() {
            let behave = Arc::clone(&behave);
            spawn(move || behave(Raw::over(stream.expect("a connection"))));
        }
    });
    address
}

fn greet(raw: &mut Raw) {
    let low = Capabilities::from_halves(0x81, 0);
    let greeting = Greeting {
        version: b"5.7.99-fake".to_vec(),
        connection_id: 7,
        salt: [b'a'; 20],
        capabilities: PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH | low,
        charset: 45,
        status: 2,
        method: b"mysql_native_password".to_vec(),
    };
    raw.send(0, &greeting.payload());
}

/// Lets anyone in.
pub fn let_in(raw: &mut Raw) -> Option<()> {
    greet(raw);
    raw.packet()?;
    raw.send(2, &AuthSwitch { method: b"mysql_native_password".to_vec(), data: vec![b'a'; 20] }.payload());
    raw.packet()?;
    raw.send(4, OK);
    Some(())
}

/// In front of a fake.
fn tidegate(behave: impl Fn(Raw) + Send + Sync + 'static, more: &str) -> Tidegate {
    let address = fake(behave);
    Tidegate::start(&format!(
        "[backend]\naddress = '{address}'\nconnect_timeout = '2s'\n{more}\n[pool]\nmode = 'session'\nsize = 2\nmax_overflow = 0"
    ))
}

#[test]
fn what_is_no_server_is_called_so() {
    type Rude = (&'static str, fn(Raw));
    let rude: [Rude; 5] = [
        ("garbage", |mut raw| raw.bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
        ("nothing", drop),
        ("half a greeting", |mut raw| raw.bytes(&[90, 0, 0, 0, 10, b'5'])),
        ("another protocol's version", |mut raw| raw.send(0, b"\x09old")),
        ("silence", |mut raw| drop(raw.packet())),
    ];
    for (what, behave) in rude {
        let tidegate = tidegate(behave, "");
        for round in 1..=4 {
            let refused = Raw::try_enter(tidegate.address(), "x", "y").err().expect("no server");
            let error = ErrPacket::parse(&refused).unwrap_or_else(|| panic!("{what}: {refused:?}"));
            assert_eq!(error.code, UNREACHABLE, "{what}: {}", error.text());
            assert_blamed(&tidegate, "backend", round, what);
        }
    }
}

#[test]
fn a_servers_own_refusal_before_its_greeting_is_passed_on() {
    for (code, text) in
        [(1040, "Too many connections"), (1129, "Host 'x' is blocked because of many connection errors")]
    {
        let tidegate = tidegate(move |mut raw| raw.send(0, &ErrPacket::new(code, b"\0\0\0\0\0", text).payload()), "");
        let refused = Raw::try_enter(tidegate.address(), "x", "y").err().expect("refused");
        let error = ErrPacket::parse(&refused).expect("an error");
        assert_eq!((error.code, &*error.text()), (code, text));
        assert_blamed(&tidegate, "backend", 1, text);
    }
}

#[test]
fn a_login_that_the_server_breaks_off_is_a_lost_connection() {
    let rude: [fn(Raw); 3] = [
        |mut raw| {
            greet(&mut raw);
            raw.packet();
        },
        |mut raw| {
            greet(&mut raw);
            raw.packet();
            raw.send(2, &[0x77; 30]);
            raw.packet();
        },
        |mut raw| {
            greet(&mut raw);
            raw.packet();
            raw.send(9, OK);
            raw.packet();
        },
    ];
    for behave in rude {
        let tidegate = tidegate(behave, "");
        for round in 1..=4 {
            let refused = Raw::try_enter(tidegate.address(), "x", "y").err().expect("no way in");
            assert_eq!(refused, b"");
            assert_blamed(&tidegate, "backend", round, "a broken login");
        }
    }
}

/// What a client gets of a reply to one statement, packets, before its connection ends.
fn received(tidegate: &Tidegate) -> usize {
    let mut raw = Raw::try_enter(tidegate.address(), "x", "y").unwrap_or_else(|_| panic!("{}", tidegate.log()));
    raw.send(0, b"\x03SELECT a");
    let mut packets = 0;
    while raw.packet().is_some() {
        packets += 1;
    }
    packets
}

#[test]
fn a_reply_that_breaks_off_is_a_lost_connection() {
    /// What comes in place of the rest of the result after so many packets of it, and how many the client has then.
    type Case = (usize, &'static [u8], usize);
    let cases: [Case; 8] = [
        (0, b"", 0),
        (2, b"", 2),
        (4, b"", 4),
        (3, &[200, 0, 0, 4, 150], 3),
        (3, &[1, 0, 0, 99, 5], 3),
        (0, b"\0\0\0\x01", 0),
        (2, &[1, 0, 0, 3, 0x33], 2),
        (5, &[1, 0, 0, 6, 7], 5),
    ];
    for (whole, rest, expected) in cases {
        let tidegate = tidegate(
            move |mut raw| {
                if let_in(&mut raw).is_none() || raw.packet().is_none() {
                    return;
                }
                let mut bytes = Vec::new();
                for (seq, payload) in RESULT.iter().take(whole).enumerate() {
                    bytes.extend([payload.len() as u8, 0, 0, seq as u8 + 1]);
                    bytes.extend_from_slice(payload);
                }
                raw.bytes(&[&bytes, rest].concat());
                sleep(Duration::from_millis(50));
            },
            "",
        );
        for round in 1..=3 {
            assert_eq!(received(&tidegate), expected, "{whole} packets, then {rest:?}");
            assert_blamed(&tidegate, "backend", round, &format!("{whole} packets, then {rest:?}"));
            assert_blamed(&tidegate, "client", 0, "the client did nothing");
        }
    }
}

#[test]
fn a_server_that_freezes_in_mid_packet_is_left_after_read_timeout_only() {
    fn freeze(mut raw: Raw) {
        if let_in(&mut raw).is_some() && raw.packet().is_some() {
            raw.bytes(&[1, 0, 0, 1, 1, 0x20, 0, 0]);
            sleep(Duration::from_secs(8));
        }
    }
    let limited = tidegate(freeze, "read_timeout = '1s'");
    let began = Instant::now();
    received(&limited);
    assert!((1..5).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert_blamed(&limited, "backend", 1, "a freeze");
    assert!(limited.log().contains("backend.read_timeout"), "{}", limited.log());

    let patient = tidegate(freeze, "");
    let began = Instant::now();
    received(&patient);
    assert!(began.elapsed() > Duration::from_secs(7), "{:?}", began.elapsed());
}

#[test]
fn a_server_may_be_down_at_the_start_and_come_later() {
    let server = server();
    server.stop();
    let tidegate = Tidegate::in_front_of(&server, POOL_OF_TWO);
    for _ in 0..5 {
        let refused = Raw::try_enter(tidegate.address(), "app", "app").err().expect("no server");
        let error = ErrPacket::parse(&refused).expect("an error");
        assert!(error.code == UNREACHABLE && error.text().contains("refused"), "{}", error.text());
    }
    assert_blamed(&tidegate, "backend", 5, "a server that is down");
    server.start_again();
    let mut both = [Raw::enter(tidegate.address(), "app"), Raw::enter(tidegate.address(), "app")];
    // Killed under its clients, and back: they are closed, the next are served.
    server.kill();
    for raw in &mut both {
        raw.assert_closed();
    }
    server.start_again();
    let mut both = [Raw::enter(tidegate.address(), "app"), Raw::enter(tidegate.address(), "app")];
    assert!(both.iter_mut().all(|raw| raw.query("SELECT 1").is_some()));
}

#[test]
fn a_full_server_says_so_itself() {
    let server = Server::start(Kind::MariaDb1011, &["--max-connections=10"]);
    server.sql("CREATE USER app IDENTIFIED BY 'app'; DROP USER IF EXISTS ''@'localhost'");
    let tidegate = Tidegate::in_front_of(&server, POOL_OF_TEN);
    let direct: Vec<Raw> = (0..9).map(|_| Raw::enter(server.address(), "app")).collect();
    let mut inside = Raw::enter(tidegate.address(), "app");
    for _ in 0..5 {
        let refused = Raw::try_enter(tidegate.address(), "app", "app").err().expect("a full server");
        let error = ErrPacket::parse(&refused).expect("an error");
        assert_eq!((error.code, &*error.text()), (1040, "Too many connections"));
    }
    assert!(inside.query("SELECT 1").is_some());
    drop(direct);
    super::process::eventually("it stays full", Duration::from_secs(10), || {
        Raw::try_enter(tidegate.address(), "app", "app").is_ok()
    });
}
