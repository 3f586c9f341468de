//! `listen.idle_timeout`: a silent client is closed as a server does it, a busy one never, one that does not read is silent.

use std::thread::sleep;
use std::time::{Duration, Instant};

use tidegate::wire::capabilities::Capabilities;

use super::{MODES, config};
use crate::raw::{BASE, Raw, connect, error_code, text};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

const IDLE: &str = "listen.idle_timeout = \"1s\"\n";

fn root(tidegate: &Tidegate) -> Raw {
    Raw::root(tidegate.address(), Capabilities::NONE)
}

/// Its last words, which come no sooner than the timeout and not much later.
fn last_words(raw: &mut Raw) -> Vec<u8> {
    let began = Instant::now();
    let words = raw.rest();
    let took = began.elapsed();
    assert!(took > Duration::from_millis(700) && took < Duration::from_secs(8), "{took:?}: {}", text(&words));
    words
}

#[test]
fn a_silent_client_is_closed_and_its_backend_is_kept() {
    crate::protocol::on_every_server(|kind| {
        let server = Server::shared(kind);
        for mode in MODES {
            let tidegate = Tidegate::in_front_of(server, &config(mode, IDLE));
            let mut raw = root(&tidegate);
            // The server's time is not the client's.
            assert_eq!(raw.value("SELECT SLEEP(2.2)"), "0", "{kind} {mode}");
            for _ in 0..6 {
                sleep(Duration::from_millis(400));
                raw.in_step();
            }
            let backend = raw.value("SELECT CONNECTION_ID()");
            let words = last_words(&mut raw);
            if kind == Kind::Mysql9 {
                assert_eq!((error_code(&words), words[3]), (Some(4031), 0), "{mode}: {}", text(&words));
            } else {
                assert_eq!(text(&words), "", "{kind} {mode}");
            }
            drop(raw);
            sleep(Duration::from_millis(700));
            if mode == "session" {
                assert_eq!(root(&tidegate).value("SELECT CONNECTION_ID()"), backend, "{kind}");
            }
            assert!(tidegate.log().contains("listen.idle_timeout"), "{kind} {mode}");
        }
    });
}

#[test]
fn a_server_closes_in_the_same_words() {
    if !Kind::Mysql9.is_here() {
        return;
    }
    let server = Server::shared(Kind::Mysql9);
    let tidegate = Tidegate::in_front_of(server, &config("session", IDLE));
    let mut direct = Raw::root(server.address(), Capabilities::NONE);
    direct.query("SET SESSION wait_timeout = 1");
    assert_eq!(text(&last_words(&mut direct)), text(&last_words(&mut root(&tidegate))));
}

#[test]
fn a_client_that_stops_in_mid_command_or_does_not_read_holds_nothing() {
    let server = Server::shared(Kind::MariaDb1011);
    for mode in MODES {
        let keys = format!("{IDLE}pool.size = 1\npool.max_overflow = 0\npool.checkout_timeout = \"20s\"\n");
        let tidegate = Tidegate::in_front_of(server, &config(mode, &keys));
        let mut begun = root(&tidegate);
        begun.send(&[40, 0, 0, 0, 3, b'S', b'E']);
        let words = last_words(&mut begun);
        assert_eq!(text(&words), "", "{mode}");
        // Far more than the sockets between the two can hold.
        let stream = connect(tidegate.address());
        let mut deaf = Raw::login(stream.try_clone().expect("a socket"), "root", "", BASE);
        let sql = "SELECT /* links deaf */ REPEAT('x', 1000000) FROM information_schema.collations LIMIT 100";
        deaf.send_packet(0, &deaf.query_payload(sql));
        let mut next = root_in_time(&tidegate);
        next.in_step();
        tidegate.await_log("before its reply was complete", Duration::from_secs(10));
        drop((deaf, stream));
    }
}

/// With the only backend taken, in mode session, this waits until the deaf client has been closed.
fn root_in_time(tidegate: &Tidegate) -> Raw {
    let began = Instant::now();
    let raw = root(tidegate);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    raw
}

#[test]
fn a_slow_reader_that_reads_is_not_idle() {
    let server = Server::shared(Kind::MariaDb1011);
    let tidegate = Tidegate::in_front_of(server, &config("session", IDLE));
    let mut raw = root(&tidegate);
    let sql = "SELECT REPEAT('x', 1000000) FROM information_schema.collations LIMIT 30";
    let command = raw.query_payload(sql);
    raw.send_packet(0, &command);
    let mut total = 0;
    let mut pieces = 0;
    raw.reply_into(&command, 1, &mut |bytes| {
        total += bytes.len();
        // Three seconds in all, each pause far below the limit.
        if total / 1_000_000 > pieces {
            pieces = total / 1_000_000;
            sleep(Duration::from_millis(100));
        }
    });
    assert!(total > 30_000_000, "{total}");
    raw.in_step();
}
