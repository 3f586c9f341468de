//! The two links are each their own affair: compression, TLS and PROXY headers on one, whatever on the other.

use std::io::Write;
use std::process::Command;

use tidegate::wire::capabilities::Capabilities;

use crate::protocol::{MODES, config, on_every_server};
use crate::raw::{Raw, connect};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

#[test]
fn compressed_clients_see_the_same_rows() {
    on_every_server(|kind| {
        let server = Server::shared(kind);
        let tidegate = Tidegate::in_front_of(server, &config("session", ""));
        let port = tidegate.address().port().to_string();
        let sql = "SELECT REPEAT('ab', 2000000); SELECT HEX(5) UNION ALL SELECT HEX(6); SELECT 7";
        let rows = |program: std::path::PathBuf, options: &[&str]| {
            let mut command = Command::new(program);
            command.args(["--no-defaults", "-h127.0.0.1", "-uroot", "-P", &port, "--batch", "-e", sql]).args(options);
            let output = command.output().expect("a client");
            assert!(output.status.success(), "{kind} {options:?}: {}", String::from_utf8_lossy(&output.stderr));
            output.stdout
        };
        let plain = rows("mariadb".into(), &[]);
        assert!(plain.len() > 4_000_000);
        assert!(rows("mariadb".into(), &["--compress"]) == plain, "{kind}");
        assert!(rows("mariadb".into(), &["--compress", "--ssl"]) == plain, "{kind}");
        if !Kind::Mysql9.is_here() || kind.is_mariadb() {
            return;
        }
        let mysql = Kind::Mysql9.program("mysql");
        let zlib = rows(mysql.clone(), &["--compression-algorithms=zlib"]);
        assert!(zlib == plain, "{kind}");
        if kind == Kind::Mysql9 {
            let zstd = ["--compression-algorithms=zstd", "--zstd-compression-level=9"];
            assert!(rows(mysql.clone(), &zstd) == plain, "{kind}");
            assert!(rows(mysql, &["--compression-algorithms=zstd,zlib", "--ssl-mode=REQUIRED"]) == plain, "{kind}");
        }
    });
}

#[test]
fn a_proxy_header_names_the_client() {
    let server = Server::shared(Kind::MariaDb1011);
    let more = "[slow_log]\nthreshold = \"0s\"\npath = \"slow.log\"\n[listen]\nproxy_protocol_from = [\"127.0.0.0/8\"]";
    for mode in MODES {
        let config = config(mode, more) + "[auth]\nallow_local_accounts = true\n";
        let tidegate = Tidegate::in_front_of(server, &config);
        let v2_local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
        let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x08\x7f\0\0\x01\x30\x39\x0c\xea";
        for (header, host) in [
            (&b"PROXY TCP4 192.0.2.7 127.0.0.1 1234 3306\r\n"[..], "192.0.2.7"),
            (v2, "192.0.2.8"),
            (v2_local, "127.0.0.1"),
        ] {
            let mut stream = connect(tidegate.address());
            stream.write_all(header).expect("a listener");
            let mut raw = Raw::login(stream, "root", "", crate::raw::BASE | Capabilities::NONE);
            raw.query(&format!("SELECT 'from {host}'"));
            std::thread::sleep(std::time::Duration::from_millis(300));
            let log = crate::scratch::read(&tidegate.file("slow.log"));
            let entry = log.split("# Time").find(|entry| entry.contains(&format!("'from {host}'"))).expect("an entry");
            assert!(entry.contains(&format!("[{host}]")), "{mode}: {entry}");
        }
        for malformed in [&b"PROXY TCP4 192.0.2.7\r\n"[..], b"\x03\0\0\0abc"] {
            let mut stream = connect(tidegate.address());
            stream.write_all(malformed).expect("a listener");
            let mut rest = Vec::new();
            let _ = std::io::Read::read_to_end(&mut stream, &mut rest);
            assert_eq!(rest, b"", "{mode}: nobody is greeted without a header");
        }
    }
}
