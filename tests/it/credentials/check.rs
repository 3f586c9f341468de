//! `tidegate check --connect` says of every account how it will fare, and what to type where that can be bettered.

use std::fs;

use super::create;
use crate::ports::free_port;
use crate::scratch::Scratch;
use crate::servers::{Kind, Server};
use crate::tidegate::run;

/// Exit code and all that was said.
fn check(config: &str) -> (i32, String) {
    let scratch = Scratch::new();
    let file = scratch.path().join("proxy.toml");
    fs::write(&file, format!("slow_log.path = \"{}/slow.log\"\n{config}", scratch.path().display())).expect("a file");
    let output = run(&["check", "--connect", "-c", &file.display().to_string()]);
    assert!(!scratch.path().join("slow.log").exists(), "a check leaves nothing behind");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
}

fn backend(server: &Server) -> String {
    format!("backend.address = \"{}\"\npool.mode = \"session\"\n", server.address())
}

const READER: &str = "[auth]\nservice_user = \"tidegate\"\nservice_password = \"reads\"\n";

/// The GRANT that was printed.
fn grant(said: &str) -> String {
    let from = said.find("GRANT SELECT").unwrap_or_else(|| panic!("no GRANT: {said}"));
    said[from..].lines().next().expect("a line").to_owned()
}

fn line<'a>(said: &'a str, account: &str) -> &'a str {
    let found = said.lines().find(|line| line.contains(account));
    found.unwrap_or_else(|| panic!("nothing of {account}:\n{said}"))
}

#[test]
fn the_backend_is_named_and_every_account_of_the_file_is_tried() {
    for kind in Kind::here() {
        let server = Server::start(kind, &[]);
        create(&server, "app", "IDENTIFIED BY 'right'");
        let app = |password: &str| format!("{}[[user]]\nname = \"app\"\npassword = \"{password}\"\n", backend(&server));
        let (code, said) = check(&app("right"));
        assert_eq!(code, 0, "{kind}: {said}");
        let family = if kind.is_mariadb() { "backend: MariaDB " } else { "backend: MySQL " };
        let version = server.version();
        assert!(said.contains(&format!("{family}{}", version.split('-').next().unwrap_or_default())), "{said}");
        assert!(line(&said, "app").contains("pooled by [[user]]"), "{kind}: {said}");
        assert_eq!(said.contains("without TLS"), matches!(kind, Kind::Mysql56 | Kind::MariaDb1011), "{kind}: {said}");
        let (code, said) = check(&app("wrong"));
        assert_eq!(code, 1, "{kind}: {said}");
        assert!(said.contains("1045") && !said.contains("wrong"), "{kind}: {said}");
    }
}

#[test]
fn a_backend_that_is_down_is_an_error() {
    let (code, said) = check(&format!("backend.address = \"127.0.0.1:{}\"\n", free_port()));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("ERROR: the backend:"), "{said}");
}

/// What is printed is typed, and then it works: from nothing to all native accounts pooled.
#[test]
fn the_printed_statements_suffice() {
    for kind in Kind::here() {
        let server = Server::start(kind, &[]);
        create(&server, "app", "IDENTIFIED BY 'right'");
        let (code, said) = check(&backend(&server));
        assert_eq!(code, 0, "{kind}: {said}");
        if kind == Kind::Mysql9 {
            assert!(said.contains("auth.service_user would gain nothing"), "{said}");
            server.sql("CREATE USER 'tidegate'@'%' IDENTIFIED BY 'reads'");
        } else {
            let wanted = said.lines().find(|line| line.contains("CREATE USER")).expect("a CREATE USER");
            server.sql(&wanted.replace("...", "reads"));
            grant(&said);
        }
        let (code, said) = check(&format!("{}{READER}", backend(&server)));
        assert_eq!(code, 1, "{kind}: {said}");
        assert!(said.contains("1142"), "{kind}: {said}");
        server.sql(&grant(&said));
        let (code, said) = check(&format!("{}{READER}", backend(&server)));
        assert_eq!(code, 0, "{kind}: {said}");
        let fate = if kind == Kind::Mysql9 { "after its first login" } else { "pooled by the account tables" };
        assert!(line(&said, "'app'@'%'").contains(fate), "{kind}: {said}");
        assert!(!said.contains("reads\""), "{kind}: {said}");
        // And so it is.
        let tidegate = super::session(&server, READER);
        if kind != Kind::Mysql9 {
            let first = super::served_by(&tidegate, "app", "right");
            assert_eq!(super::served_by(&tidegate, "app", "right"), first, "{kind}\n{}", tidegate.log());
        }
    }
}

#[test]
fn every_kind_of_account_has_its_line() {
    for kind in Kind::here() {
        let server = Server::start(kind, &[]);
        server.sql("CREATE USER tidegate@'%' IDENTIFIED BY 'reads'; GRANT SELECT ON mysql.user TO tidegate@'%'");
        server.sql("CREATE USER nopw@'%'");
        let mut expected = vec![("'nopw'@'%'", "pooled (it has no password)")];
        if kind.is_mariadb() {
            server.sql("INSTALL SONAME 'auth_ed25519'; CREATE ROLE crew");
            create(&server, "signed", "IDENTIFIED VIA ed25519 USING PASSWORD('x')");
            create(&server, "placed", "IDENTIFIED VIA unix_socket");
            create(&server, "shut", "IDENTIFIED VIA mysql_native_password USING 'invalid' OR unix_socket");
            expected.extend([
                ("signed", "relayed"),
                ("placed", "refused (it logs in by the place"),
                ("shut", "refused (no"),
            ]);
        }
        if kind == Kind::Mysql9 {
            create(&server, "older", "IDENTIFIED WITH sha256_password BY 'x'");
            expected.push(("older", "pooled after its first login"));
        }
        let (code, said) = check(&format!("{}{READER}", backend(&server)));
        assert_eq!(code, 0, "{kind}: {said}");
        for (account, fate) in expected {
            assert!(line(&said, account).contains(fate), "{kind}: {account}\n{said}");
        }
        assert!(!said.contains("crew"), "{kind}: {said}");
        let observed = check(&format!("{}{READER}", backend(&server)).replace("session", "observe")).1;
        assert!(line(&observed, "'nopw'@'%'").contains("mode observe"), "{kind}: {observed}");
    }
}

/// A check costs the server no failed or half login: it must never block the proxy's host.
#[test]
fn a_check_leaves_no_aborted_login() {
    for kind in Kind::here() {
        let server = Server::start(kind, &[]);
        create(&server, "app", "IDENTIFIED BY 'right'");
        server.sql("CREATE USER tidegate@'%' IDENTIFIED BY 'reads'; GRANT SELECT ON mysql.user TO tidegate@'%'");
        let before = super::status(&server, "Aborted_connects");
        let listed = "[[user]]\nname = \"app\"\npassword = \"right\"\n";
        let (code, said) = check(&format!("{}{listed}{READER}", backend(&server)));
        assert_eq!((code, super::status(&server, "Aborted_connects")), (0, before), "{kind}: {said}");
    }
}
