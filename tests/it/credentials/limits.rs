//! No room: the listener's, the pool's and the server's bounds, and the patience with a login, each by its own code.

use std::time::{Duration, Instant};

use super::wire::{As, Raw};
use super::{attempt, await_true, create, enter, session};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

const APP: &str = "[[user]]\nname = \"app\"\npassword = \"right\"\n";

fn start(kind: Kind, arguments: &[&str]) -> Server {
    let server = Server::start(kind, arguments);
    create(&server, "app", "IDENTIFIED BY 'right'");
    server.sql("CREATE USER modest@'%' IDENTIFIED BY 'right'");
    server
}

#[test]
fn the_listeners_bound_is_told_before_the_greeting() {
    let server = start(Kind::MariaDb1011, &[]);
    let tidegate = session(&server, &format!("listen.max_clients = 2\n{APP}"));
    let first = enter(&tidegate, "app", "right");
    let _second = enter(&tidegate, "app", "right");
    let refused = Raw::tcp(tidegate.address()).greeting.expect_err("no room");
    assert_eq!((refused.code, refused.message.as_slice()), (1040, b"Too many connections".as_slice()));
    first.quit();
    await_true("room again", || Raw::tcp(tidegate.address()).greeting.is_ok());
}

#[test]
fn the_pools_bound_is_told_after_the_wait() {
    for kind in Kind::here() {
        let server = start(kind, &[]);
        let bound = "pool.size = 1\npool.max_overflow = 0\npool.checkout_timeout = \"400ms\"\n";
        for config in [format!("{bound}{APP}"), bound.to_owned()] {
            let tidegate = session(&server, &config);
            let held = enter(&tidegate, "app", "right");
            let began = Instant::now();
            let ended = attempt(&tidegate, &As::new("app", "right"));
            // Where nobody is named the backend is dialed before the greeting, and an error there has no state.
            assert_eq!(ended.code(), 1040, "{kind}: {}", ended.words());
            assert!(ended.words().contains("Too many connections (tidegate: "), "{kind}: {}", ended.words());
            assert!(ended.words().contains(" 08004 ") || !config.contains(APP), "{kind}: {}", ended.words());
            assert!((350..5_000).contains(&began.elapsed().as_millis()), "{kind}: {:?}", began.elapsed());
            held.quit();
            assert!(attempt(&tidegate, &As::new("app", "right")).is_in(), "{kind}");
        }
    }
}

#[test]
fn the_servers_own_bound_is_told_as_it_tells_it() {
    for kind in Kind::here() {
        let server = start(kind, &["--max-connections=12"]);
        for mode in ["session", "observe"] {
            let config = format!("pool.mode = \"{mode}\"\n[[user]]\nname = \"modest\"\npassword = \"right\"\n");
            let tidegate = Tidegate::in_front_of(&server, &config);
            assert!(attempt(&tidegate, &As::new("modest", "right")).is_in(), "{kind}\n{}", tidegate.log());
            await_true("room", || server.try_sql("SHOW PROCESSLIST").is_ok_and(|rows| rows.lines().count() < 4));
            let mut held = Vec::new();
            let refused = loop {
                let mut raw = Raw::tcp(tidegate.address());
                let refused = match raw.greeting.clone() {
                    Ok(_) => raw.login(&As::new("modest", "right")).error,
                    Err(refused) => Some(refused),
                };
                held.push(raw);
                if let Some(refused) = refused {
                    break refused;
                }
                assert!(held.len() < 30, "{kind}: no bound");
            };
            assert_eq!(refused.code, 1040, "{kind}, {mode}");
            assert!(refused.message.starts_with(b"Too many connections"), "{kind}, {mode}");
            assert!([*b"08004", [0; 5]].contains(&refused.state), "{kind}, {mode}: {:?}", refused.state);
            drop(held);
            await_true("served again", || {
                let mut raw = Raw::tcp(tidegate.address());
                raw.greeting.is_ok() && raw.login(&As::new("modest", "right")).is_in()
            });
        }
    }
}

#[test]
fn a_slow_login_is_ended() {
    for kind in Kind::here() {
        let server = start(kind, &[]);
        let tidegate = session(&server, "listen.login_timeout = \"700ms\"\n");
        let began = Instant::now();
        let mut raw = Raw::tcp(tidegate.address());
        let packet = raw.try_read();
        assert!((600..10_000).contains(&began.elapsed().as_millis()), "{kind}: {:?}", began.elapsed());
        let code = packet.and_then(|packet| packet.get(1..3).map(|code| u16::from_le_bytes([code[0], code[1]])));
        assert_eq!(code, Some(1159), "{kind}");
        tidegate.await_log("listen.login_timeout", Duration::from_secs(5));
        assert!(attempt(&tidegate, &As::new("app", "right")).is_in(), "{kind}");
    }
}
