//! How connections end: KILL by client ids, timeouts, shutdowns and drains look as they do direct.

use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tidegate::wire::capabilities::Capabilities;

use crate::protocol::{MODES, config, in_front_of, on_every_server};
use crate::raw::{Raw, connect, error_code, packets, text};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

fn root(address: SocketAddr) -> Raw {
    Raw::root(address, Capabilities::NONE)
}

/// The last packets of a connection: numbers in texts are ids.
fn last_words(raw: &mut Raw) -> Vec<u8> {
    raw.rest().into_iter().skip(3).filter(|byte| !byte.is_ascii_digit()).collect()
}

#[test]
fn ids_are_the_backends_or_tidegates_own() {
    on_every_server(|kind| {
        let server = Server::shared(kind);
        let observe = in_front_of(server, "observe");
        let mut raw = root(observe.address());
        assert_eq!(raw.value("SELECT CONNECTION_ID()"), raw.id.to_string(), "{kind}");
        let session = in_front_of(server, "session");
        let mut raws: Vec<Raw> = (0..5).map(|_| root(session.address())).collect();
        let mut ids: Vec<u32> = raws.iter().map(|raw| raw.id).collect();
        assert!(ids.iter().all(|id| (0x4000_0000..0x8000_0000).contains(id)), "{kind}: {ids:x?}");
        ids.dedup();
        assert_eq!(ids.len(), 5);
        raws.iter_mut().for_each(Raw::in_step);
    });
}

#[test]
fn a_kill_by_a_clients_id_hits_that_client() {
    on_every_server(|kind| {
        let server = Server::shared(kind);
        for mode in MODES {
            let tidegate = in_front_of(server, mode);
            let mut killer = root(tidegate.address());
            let soft = if kind.is_mariadb() { "HARD QUERY" } else { "QUERY" };
            for form in ["QUERY", soft] {
                let (direct, through) = thread::scope(|scope| {
                    let direct = scope.spawn(|| killed_statement(server.address(), &mut root(server.address()), form));
                    let through = killed_statement(tidegate.address(), &mut killer, form);
                    (direct.join().expect("a reply"), through)
                });
                assert_eq!(text(&direct), text(&through), "{kind}, {mode}, KILL {form}");
            }
            for form in ["", "CONNECTION", "by COM_PROCESS_KILL", "HARD", "SOFT CONNECTION"] {
                // MySQL 9 has no COM_PROCESS_KILL any more.
                let is_unknown = kind == Kind::Mysql9 && form.starts_with("by");
                if is_unknown || !kind.is_mariadb() && form.starts_with(['H', 'S']) {
                    continue;
                }
                let direct = killed_idle(&mut root(server.address()), root(server.address()), form);
                let through = killed_idle(&mut killer, root(tidegate.address()), form);
                assert_eq!(text(&direct), text(&through), "{kind}, {mode}, KILL {form}");
            }
            let mut bystander = root(tidegate.address());
            let unknown = killer.query("KILL 1073741823");
            assert_eq!(error_code(&unknown), Some(1094), "{kind}, {mode}");
            bystander.in_step();
            killer.in_step();
        }
    });
}

/// What a client of a statement that is killed while it runs sees.
fn killed_statement(address: SocketAddr, killer: &mut Raw, form: &str) -> Vec<u8> {
    let mut victim = root(address);
    let sql = victim.query_payload("SELECT SLEEP(20)");
    victim.send_packet(0, &sql);
    thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    let answer = killer.query(&format!("KILL {form} {}", victim.id));
    assert_eq!(error_code(&answer), None, "{}", text(&answer));
    let reply = victim.reply(&sql, 1);
    assert!(began.elapsed() < Duration::from_secs(10), "the statement was not killed");
    victim.in_step();
    reply
}

/// What an idle client that is killed sees: its connection's last bytes.
fn killed_idle(killer: &mut Raw, mut victim: Raw, form: &str) -> Vec<u8> {
    let answer = match form {
        "by COM_PROCESS_KILL" => {
            let reply = killer.ask(&[&[0x0C][..], &victim.id.to_le_bytes()].concat());
            killer.in_step();
            reply
        }
        form => killer.query(&format!("/* with a comment */ KILL {form} {} ;", victim.id)),
    };
    assert_eq!(error_code(&answer), None, "KILL {form}: {}", text(&answer));
    last_words(&mut victim)
}

#[test]
fn the_server_judges_who_may_kill() {
    on_every_server(|kind| {
        let server = Server::shared(kind);
        server.sql("CREATE USER proto_nobody@'%'; GRANT USAGE ON *.* TO proto_nobody@'%'");
        let tidegate = in_front_of(server, "session");
        let mut victim = root(tidegate.address());
        let mut killer = Raw::login(connect(tidegate.address()), "proto_nobody", "", crate::raw::BASE);
        let answer = killer.query(&format!("KILL {}", victim.id));
        assert_eq!(error_code(&answer), Some(1095), "{kind}: {}", text(&answer));
        victim.in_step();
        let mut own = Raw::login(connect(tidegate.address()), "proto_nobody", "", crate::raw::BASE);
        let answer = killer.query(&format!("KILL {}", own.id));
        assert_eq!(error_code(&answer), None, "{kind}: {}", text(&answer));
        own.rest();
    });
}

#[test]
fn mysqladmin_kills_a_client() {
    on_every_server(|kind| {
        let tidegate = in_front_of(Server::shared(kind), "session");
        let mut victim = root(tidegate.address());
        let port = tidegate.address().port().to_string();
        let status = Command::new("mariadb-admin")
            .args(["--no-defaults", "-h127.0.0.1", "-uroot", "-P", &port, "kill", &victim.id.to_string()])
            .status();
        assert!(status.is_ok_and(|status| status.success()), "{kind}");
        victim.rest();
    });
}

#[test]
fn a_timeout_of_the_servers_looks_as_it_does_direct() {
    on_every_server(|kind| {
        let server = Server::shared(kind);
        for mode in MODES {
            let tidegate = in_front_of(server, mode);
            let words = [server.address(), tidegate.address()].map(|address| {
                let mut raw = root(address);
                raw.query("SET SESSION wait_timeout = 1");
                raw
            });
            let [direct, through] = words.map(|mut raw| last_words(&mut raw));
            assert_eq!(text(&direct), text(&through), "{kind}, {mode}");
            assert_eq!(direct.is_empty(), kind != Kind::Mysql9, "{kind}: {}", text(&direct));
        }
    });
}

#[test]
fn a_shutdown_of_the_server_looks_as_it_does_direct() {
    on_every_server(|kind| {
        let server = Server::start(kind, &[]);
        let tidegates = MODES.map(|mode| in_front_of(&server, mode));
        let mut raws: Vec<Raw> = vec![root(server.address())];
        raws.extend(tidegates.iter().map(|tidegate| root(tidegate.address())));
        server.stop();
        let words: Vec<String> = raws.iter_mut().map(|raw| text(&last_words(raw))).collect();
        assert!(words.iter().all(|word| *word == words[0]), "{kind}: {words:?}");
    });
}

#[test]
fn a_drain_lets_statements_finish_and_says_goodbye_to_the_idle() {
    on_every_server(|kind| {
        for mode in MODES {
            let mut tidegate = in_front_of(Server::shared(kind), mode);
            let (mut busy, mut idle) = (root(tidegate.address()), root(tidegate.address()));
            let sql = busy.query_payload("SELECT SLEEP(1), 'done'");
            busy.send_packet(0, &sql);
            thread::sleep(Duration::from_millis(300));
            tidegate.signal("TERM");
            let goodbye = idle.packet();
            assert_eq!(error_code(&goodbye), Some(1053), "{kind}, {mode}");
            assert_eq!(idle.rest(), b"");
            let reply = busy.reply(&sql, 1);
            assert!(packets(&reply).iter().any(|packet| packet.ends_with(b"\x04done")), "{}", text(&reply));
            assert_eq!(error_code(&busy.packet()), Some(1053), "{kind}, {mode}");
            assert_eq!(tidegate.wait(Duration::from_secs(5)).code(), Some(0), "{kind}, {mode}");
        }
    });
}

#[test]
fn a_second_signal_ends_a_drain_at_once() {
    let mut tidegate = Tidegate::in_front_of(Server::shared(Kind::MariaDb1011), &config("session", ""));
    let mut busy = root(tidegate.address());
    let sql = busy.query_payload("SELECT SLEEP(8)");
    busy.send_packet(0, &sql);
    thread::sleep(Duration::from_millis(300));
    tidegate.signal("TERM");
    thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    tidegate.signal("TERM");
    assert_eq!(tidegate.wait(Duration::from_secs(5)).code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}
