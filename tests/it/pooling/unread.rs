//! A client that takes nothing of its reply any more keeps its place no longer than a server would let it.

use std::thread::{scope, sleep};
use std::time::Duration;

use crate::crowd::{enter, server_of, tidegate};
use crate::servers::Kind;

/// More than all sockets on the way hold.
const LARGE: &str = "SELECT REPEAT('x', 1000000) FROM mysql.help_keyword LIMIT 100";

#[test]
fn a_reply_that_nobody_reads_gives_its_place_back() {
    scope(|scope| Kind::here().into_iter().for_each(|kind| drop(scope.spawn(move || check(kind)))));
}

fn check(kind: Kind) {
    let server = server_of(kind, &[]);
    let tidegate = tidegate(&server, 1, "pool.checkout_timeout = \"15s\"\n");
    let [mut stuck, mut slow, mut other] = [(); 3].map(|()| enter(&tidegate));
    stuck.run("SET net_write_timeout = 2");
    stuck.start(LARGE).expect("sent");
    sleep(Duration::from_millis(500));
    assert_eq!(other.value("SELECT 'served'"), "served", "{kind}");
    // Who reads slowly, but does, has all of it.
    slow.run("SET net_write_timeout = 2");
    slow.start(LARGE).expect("sent");
    let mut rows = 0;
    loop {
        let (_, packet) = slow.packet().unwrap_or_else(|trouble| panic!("{kind}: {trouble}"));
        match packet.len() {
            1_000_000.. => rows += 1,
            _ if packet[0] == 0xFE && rows > 0 => break,
            _ => continue,
        }
        if rows % 25 == 0 {
            sleep(Duration::from_millis(900));
        }
    }
    assert_eq!(rows, 100, "{kind}");
}
