//! Clients that come and go, by thousands, at every moment: all that they held comes back.

use std::thread::sleep;
use std::time::Duration;

use super::neighbour::Neighbour;
use super::process::{descriptors, eventually, resident_kib};
use super::raw::{Raw, login};
use super::{POOL_OF_TEN, POOL_OF_TWO, server, status};
use crate::servers::Server;
use crate::tidegate::Tidegate;

/// What a run of bad clients may leave in the allocator's hands, in KiB.
const MAX_GROWTH_KIB: u64 = 24 * 1024;

#[test]
fn who_connects_and_closes_costs_the_server_nothing() {
    let server = server();
    let tidegate = Tidegate::in_front_of(&server, POOL_OF_TEN);
    let neighbour = Neighbour::start(tidegate.address());
    let before = (status(&server, "Connections"), status(&server, "Aborted_connects"));
    for round in 0..1000 {
        let mut raw = Raw::connect(tidegate.address());
        if round % 2 == 0 {
            raw.packet().expect("a greeting");
        }
        if round % 3 == 0 {
            raw.reset();
        }
    }
    // The one connection more is the question's own.
    let after = (status(&server, "Connections"), status(&server, "Aborted_connects"));
    assert!(after.0 - before.0 <= 2 && after.1 == before.1, "{before:?} {after:?}");
    neighbour.assert_undisturbed();
    assert!(!tidegate.log().contains("fault="), "health checkers fill the log:\n{}", tidegate.log());
}

#[test]
fn who_leaves_its_login_does_not_make_the_server_block_tidegate() {
    let server = server();
    for mode in ["session", "observe"] {
        let tidegate = Tidegate::in_front_of(&server, &format!("pool.mode = '{mode}'"));
        let refused = status(&server, "Access_denied_errors");
        for _ in 0..20 {
            let mut raw = Raw::connect(tidegate.address());
            raw.packet().expect("a greeting");
            if mode == "session" {
                raw.send(1, &login("plain", vec![]));
                raw.packet().expect("a switch");
            }
        }
        eventually("the logins were left half-way", Duration::from_secs(10), || {
            status(&server, "Access_denied_errors") >= refused + 20
        });
    }
}

#[test]
fn what_a_thousand_vanished_clients_held_comes_back() {
    let server = server();
    let tidegate = Tidegate::in_front_of(&server, POOL_OF_TWO);
    both_served(&tidegate);
    type Moment = (&'static str, fn(&Tidegate));
    let moments: [Moment; 6] = [
        ("in its login", |tidegate| {
            let mut raw = Raw::connect(tidegate.address());
            raw.packet().expect("a greeting");
            raw.bytes(&login("app", vec![1; 20])[..20]);
        }),
        ("after a refused login", |tidegate| {
            let _ = Raw::try_enter(tidegate.address(), "app", "wrong");
        }),
        ("between two commands", |tidegate| Raw::enter(tidegate.address(), "app").reset()),
        ("in mid-command", |tidegate| {
            let mut raw = Raw::enter(tidegate.address(), "app");
            raw.bytes(b"\x40\0\0\0\x03SELECT");
        }),
        ("in mid-reply", |tidegate| {
            let mut raw = Raw::enter(tidegate.address(), "app");
            raw.send(0, b"\x03SELECT seq, REPEAT('x', 500) FROM seq_1_to_5000");
            raw.packet().expect("a reply");
            raw.reset();
        }),
        ("in its file", |tidegate| {
            let mut raw = Raw::enter(tidegate.address(), "app");
            let asked = raw.query("LOAD DATA LOCAL INFILE 'x' INTO TABLE bad.t").expect("a question");
            assert_eq!(asked[0][0], 0xFB);
            raw.bytes(b"\x40\0\0\x02half a line");
        }),
    ];
    let settled = |what: &str, fds: usize| {
        eventually(&format!("descriptors do not come back after clients that vanish {what}"), LIMIT, || {
            descriptors(&tidegate) <= fds
        });
    };
    for (what, vanish) in &moments {
        vanish(&tidegate);
        both_served(&tidegate);
        eventually(&format!("one that vanished {what} is still there"), LIMIT, || backends(&server) <= 2);
    }
    let (fds, memory) = (descriptors(&tidegate), resident_kib(&tidegate));
    for (what, vanish) in &moments {
        for _ in 0..170 {
            vanish(&tidegate);
        }
        settled(what, fds);
        both_served(&tidegate);
    }
    eventually("connections at the server do not come back", LIMIT, || backends(&server) <= 2);
    let grown = resident_kib(&tidegate).saturating_sub(memory);
    assert!(grown < MAX_GROWTH_KIB, "{grown} KiB more than before");
}

#[test]
fn who_vanishes_from_the_queue_gives_its_place_up() {
    let server = server();
    let tidegate = Tidegate::in_front_of(&server, POOL_OF_TWO);
    let held = [Raw::enter(tidegate.address(), "app"), Raw::enter(tidegate.address(), "app")];
    let fds = descriptors(&tidegate);
    let before = status(&server, "Connections");
    for _ in 0..50 {
        let mut raw = Raw::connect(tidegate.address());
        raw.packet().expect("a greeting");
        raw.send(1, &login("plain", vec![]));
        sleep(Duration::from_millis(5));
    }
    eventually("they are still waiting", Duration::from_secs(5), || descriptors(&tidegate) <= fds);
    drop(held);
    both_served(&tidegate);
    assert!(status(&server, "Connections") - before < 10, "connections were made for clients that had gone");
}

#[test]
fn who_stops_reading_holds_up_nobody_else_and_no_memory() {
    let server = server();
    let tidegate = Tidegate::in_front_of(&server, POOL_OF_TEN);
    let neighbour = Neighbour::start(tidegate.address());
    let memory = resident_kib(&tidegate);
    let mut deaf: Vec<Raw> = (0..5).map(|_| Raw::enter(tidegate.address(), "app")).collect();
    for raw in &mut deaf {
        raw.send(0, b"\x03SELECT REPEAT('x', 100000) FROM seq_1_to_2000");
    }
    sleep(Duration::from_secs(2));
    let grown = resident_kib(&tidegate).saturating_sub(memory);
    assert!(grown < MAX_GROWTH_KIB, "{grown} KiB for five who do not read");
    neighbour.assert_undisturbed();
    drop(deaf);
    eventually("they are still served", LIMIT, || backends(&server) <= 10);
}

const LIMIT: Duration = Duration::from_secs(20);

/// Two clients are served at the same time.
fn both_served(tidegate: &Tidegate) {
    let mut both = [Raw::enter(tidegate.address(), "app"), Raw::enter(tidegate.address(), "app")];
    for raw in &mut both {
        assert_eq!(raw.query("SELECT 1").expect("a reply").len(), 5);
    }
}

/// Connections of clients at the server.
fn backends(server: &Server) -> usize {
    let count = server.sql("SELECT COUNT(*) FROM information_schema.processlist WHERE user IN ('app', 'plain')");
    count.parse().expect("a number")
}
