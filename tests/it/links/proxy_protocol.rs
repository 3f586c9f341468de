//! PROXY headers: from strangers they are no header, towards the server they name the client.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::{MODES, config};
use crate::raw::{BASE, Raw, connect, error_code, packets, text};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

const TRUSTED: &str = "listen.proxy_protocol_from = [\"127.0.0.0/8\"]\nauth.allow_local_accounts = true\n";

fn from(tidegate: &Tidegate, host: &str) -> TcpStream {
    let mut stream = connect(tidegate.address());
    let header = format!("PROXY TCP4 {host} 127.0.0.1 1234 3306\r\n");
    stream.write_all(header.as_bytes()).expect("a listener");
    stream
}

#[test]
fn from_strangers_it_is_a_broken_login() {
    let server = Server::shared(Kind::MariaDb1011);
    for mode in MODES {
        for trusted in ["", "listen.proxy_protocol_from = [\"10.0.0.0/8\", \"::1/128\"]\n"] {
            let tidegate = Tidegate::in_front_of(server, &config(mode, trusted));
            let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\x01\x02\x03\x7f\0\0\x01\x30\x39\x0c\xea";
            for header in [&b"PROXY TCP4 10.1.2.3 127.0.0.1 1234 3306\r\n"[..], v2] {
                let mut stream = connect(tidegate.address());
                stream.write_all(header).expect("a listener");
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let mut answer = Vec::new();
                let _ = stream.read_to_end(&mut answer);
                let last = packets(&answer).last().copied().unwrap_or_default().to_vec();
                // The greeting as for anybody, then an error or the end; never a way in.
                assert!(last.first().is_some_and(|first| matches!(first, 10 | 0xFF)), "{mode}: {}", text(&answer));
            }
            let log = tidegate.log();
            assert!(!log.contains("10.1.2.3"), "{mode}: {log}");
            Raw::login(connect(tidegate.address()), "root", "", BASE).in_step();
        }
    }
}

#[test]
fn the_server_is_told_the_clients_address() {
    let server = Server::start(Kind::MariaDb1011, &["--proxy-protocol-networks=*"]);
    server.sql("CREATE USER far@'10.1.%', far@'10.2.%'");
    for mode in MODES {
        for form in ["v1", "v2"] {
            let far = "[[user]]\nname = \"far\"\npassword = \"\"\n";
            let keys = format!("{TRUSTED}backend.send_proxy_protocol = \"{form}\"\n");
            let tidegate = Tidegate::in_front_of(&server, &(config(mode, &keys) + far));
            for host in ["10.1.2.3", "10.2.0.9", "10.1.2.3"] {
                let mut raw = Raw::login(from(&tidegate, host), "far", "", BASE);
                assert_eq!(raw.value("SELECT USER()"), format!("far@{host}"), "{mode} {form}");
                let listed = server.sql("SELECT HOST FROM information_schema.processlist WHERE USER = 'far'");
                assert!(listed.starts_with(&format!("{host}:")), "{mode} {form}: {listed}");
                // It is not kept for the next client, who is somebody else to the server.
                drop(raw);
                await_nobody(&server);
            }
            // The server's own rules for hosts hold.
            let refused = Raw::try_login(from(&tidegate, "10.3.0.1"), "far", "", BASE).err().expect("a refusal");
            assert_eq!(error_code(&refused), Some(1130), "{mode} {form}: {}", text(&refused));
            assert!(text(&refused).contains("Host \\'10.3.0.1\\' is not allowed"), "{mode} {form}: {}", text(&refused));
            // A client without a header's address is tidegate's neighbour.
            let mut stream = connect(tidegate.address());
            stream.write_all(b"PROXY UNKNOWN\r\n").expect("a listener");
            let mut raw = Raw::login(stream, "root", "", BASE);
            assert!(
                ["root@localhost", "root@127.0.0.1"].contains(&raw.value("SELECT USER()").as_str()),
                "{mode} {form}"
            );
        }
    }
}

fn await_nobody(server: &Server) {
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while server.sql("SELECT COUNT(*) FROM information_schema.processlist WHERE USER = 'far'") != "0" {
        assert!(std::time::Instant::now() < limit, "{}", server.sql("SHOW PROCESSLIST"));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn without_headers_to_the_server_a_connection_serves_clients_from_anywhere() {
    let server = Server::shared(Kind::MariaDb1011);
    let tidegate = Tidegate::in_front_of(server, &config("session", TRUSTED));
    let mut ids = Vec::new();
    for host in ["10.1.2.3", "10.2.0.9"] {
        let mut raw = Raw::login(from(&tidegate, host), "root", "", BASE);
        ids.push(raw.value("SELECT CONNECTION_ID()"));
        drop(raw);
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    assert_eq!(ids[0], ids[1]);
}
