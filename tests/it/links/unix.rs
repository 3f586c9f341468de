//! Unix sockets on either side, and on both.

use super::{MODES, config, run};
use crate::scratch::Scratch;
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

#[test]
fn either_side_may_be_a_unix_socket() {
    crate::protocol::on_every_server(|kind| {
        let server = Server::shared(kind);
        for mode in MODES {
            let scratch = Scratch::new();
            let socket = scratch.path().join("tg.sock").display().to_string();
            let port = crate::ports::free_port();
            let listen = format!("listen.address = [\"127.0.0.1:{port}\", \"unix:{socket}\"]\n");
            let by_unix = format!("{listen}backend.address = \"unix:{}\"", server.socket().display());
            for (backend, host) in [(&by_unix, "localhost"), (&listen, "")] {
                let tidegate = Tidegate::in_front_of(server, &config(mode, backend));
                let port = format!("--port={port}");
                let sql = "SELECT CONCAT(USER(), '|', REPEAT('x', 100000))";
                for options in [&["--socket", &socket][..], &["--host=127.0.0.1", &port]] {
                    for round in 0..3 {
                        let row = run(options, sql).unwrap_or_else(|error| panic!("{kind} {mode}: {error}"));
                        let (user, rest) = row.split_once('|').expect("two parts");
                        assert!(user == format!("root@{host}") || host.is_empty(), "{kind} {mode} {round}: {user}");
                        assert_eq!(rest.len(), 100_000, "{kind} {mode}");
                    }
                }
                drop(tidegate);
            }
        }
    });
}

#[test]
fn a_socket_that_a_crash_left_is_taken_over_and_a_live_one_is_not() {
    let server = Server::shared(Kind::MariaDb1011);
    let scratch = Scratch::new();
    let socket = scratch.path().join("tg.sock").display().to_string();
    let port = crate::ports::free_port();
    let listen = format!("listen.address = [\"127.0.0.1:{port}\", \"unix:{socket}\"]\n");
    let mut tidegate = Tidegate::in_front_of(server, &config("session", &listen));
    let second = format!("listen.address = \"unix:{socket}\"\nbackend.address = \"{}\"\n", server.address());
    let file = scratch.path().join("second.toml");
    std::fs::write(&file, second).expect("a configuration");
    let refused = crate::tidegate::run(&["serve", "-c", &file.display().to_string()]);
    assert!(!refused.status.success());
    let words = String::from_utf8_lossy(&refused.stderr) + String::from_utf8_lossy(&refused.stdout);
    assert!(words.contains("tg.sock"), "{words}");
    tidegate.kill();
    assert!(std::path::Path::new(&socket).exists());
    tidegate.run();
    assert_eq!(run(&["--socket", &socket], "SELECT 3"), Ok("3".into()));
}
