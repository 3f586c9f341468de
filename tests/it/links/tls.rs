//! TLS: every setting of `listen.tls` and `backend.tls`, each link by itself, good and bad certificates.

use std::path::Path;

use tidegate::wire::capabilities::Capabilities;

use super::{MODES, ask, config, run};
use crate::certificates::Certificates;
use crate::raw::{BASE, Raw, connect, error_code, text};
use crate::scratch::Scratch;
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

/// Says by which TLS version the server is reached; empty: by none.
const BACKEND_TLS: &str = "SHOW STATUS LIKE 'Ssl_version'";

fn path(path: &Path) -> String {
    path.display().to_string()
}

/// Whether the client's own link is by TLS.
fn client_link_is_tls(tidegate: &Tidegate, options: &[&str]) -> Result<bool, String> {
    ask(tidegate, options, "status").map(|status| status.contains("Cipher in use"))
}

#[test]
fn tls_is_offered_unless_it_is_off() {
    let server = Server::shared(Kind::MariaDb1011);
    for mode in MODES {
        let allowed = Tidegate::in_front_of(server, &config(mode, ""));
        assert_eq!(client_link_is_tls(&allowed, &["--skip-ssl"]), Ok(false), "{mode}");
        assert_eq!(client_link_is_tls(&allowed, &["--ssl"]), Ok(true), "{mode}");
        let off = Tidegate::in_front_of(server, &config(mode, "listen.tls = \"off\""));
        assert_eq!(client_link_is_tls(&off, &["--skip-ssl"]), Ok(false), "{mode}");
        assert_eq!(client_link_is_tls(&off, &["--ssl"]), Ok(false), "{mode}");
        ask(&off, &["--ssl-verify-server-cert"], "SELECT 1").expect_err("a client that insists");
    }
}

#[test]
fn required_means_tls_or_a_unix_socket() {
    let server = Server::shared(Kind::MariaDb1011);
    for mode in MODES {
        let scratch = Scratch::new();
        let socket = path(&scratch.path().join("tg.sock"));
        let port = crate::ports::free_port();
        let listen = format!("listen.tls = \"required\"\nlisten.address = [\"127.0.0.1:{port}\", \"unix:{socket}\"]");
        let tidegate = Tidegate::in_front_of(server, &config(mode, &listen));
        assert_eq!(client_link_is_tls(&tidegate, &["--ssl"]), Ok(true), "{mode}");
        let refused = Raw::try_login(connect(tidegate.address()), "root", "", BASE).err().expect("a refusal");
        assert_eq!(error_code(&refused), Some(3159), "{mode}: {}", text(&refused));
        assert_eq!(run(&["--socket", &socket], "SELECT 'safe'"), Ok("safe".into()), "{mode}");
        // Nobody was counted against tidegate's host.
        Raw::root(server.address(), Capabilities::NONE).in_step();
    }
}

#[test]
fn clients_verify_the_configured_certificate() {
    let server = Server::shared(Kind::MariaDb1011);
    let scratch = Scratch::new();
    let files = Certificates::make(scratch.path());
    let others = Scratch::new();
    let foreign = Certificates::make(others.path());
    let (ca, wrong_ca) = (format!("--ssl-ca={}", path(&files.ca)), format!("--ssl-ca={}", path(&foreign.ca)));
    for mode in MODES {
        let listen = format!(
            "listen.tls_cert = \"{}\"\nlisten.tls_key = \"{}\"",
            path(&files.server_cert),
            path(&files.server_key)
        );
        let tidegate = Tidegate::in_front_of(server, &config(mode, &listen));
        let verify = "--ssl-verify-server-cert";
        assert_eq!(client_link_is_tls(&tidegate, &[&ca, verify]), Ok(true), "{mode}");
        let refused = ask(&tidegate, &[&wrong_ca, verify], "SELECT 1").expect_err("another authority");
        assert!(refused.contains("certificate"), "{mode}: {refused}");
        // The same authority has not signed the certificate that tidegate makes for itself.
        let own = Tidegate::in_front_of(server, &config(mode, ""));
        ask(&own, &[&ca, verify], "SELECT 1").expect_err("a certificate of tidegate's own");
    }
}

#[test]
fn client_certificates_are_asked_for_and_checked() {
    let server = Server::shared(Kind::MariaDb1011);
    let scratch = Scratch::new();
    let files = Certificates::make(scratch.path());
    let others = Scratch::new();
    let foreign = Certificates::make(others.path());
    let pair = |files: &Certificates| {
        [format!("--ssl-cert={}", path(&files.client_cert)), format!("--ssl-key={}", path(&files.client_key))]
    };
    let (own, wrong) = (pair(&files), pair(&foreign));
    for mode in MODES {
        let listen = format!("listen.tls = \"required\"\nlisten.tls_client_ca = \"{}\"", path(&files.ca));
        let tidegate = Tidegate::in_front_of(server, &config(mode, &listen));
        assert_eq!(ask(&tidegate, &["--ssl", &own[0], &own[1]], "SELECT 5"), Ok("5".into()), "{mode}");
        for options in [&["--ssl"][..], &["--ssl", &wrong[0], &wrong[1]], &["--skip-ssl"]] {
            ask(&tidegate, options, "SELECT 5").expect_err("no good certificate");
        }
        let log = tidegate.log();
        assert!(log.contains("listen.tls_client_ca"), "{mode}: {log}");
        Raw::root(server.address(), Capabilities::NONE).in_step();
    }
}

/// What a client gets with this `[backend]`: the backend link's TLS version, or the complaint.
fn reached(server: &Server, mode: &str, backend: &str) -> Result<String, String> {
    let tidegate = Tidegate::in_front_of(server, &config(mode, backend));
    let answer = ask(&tidegate, &[], BACKEND_TLS);
    answer.map(|row| row.trim_start_matches("Ssl_version").trim().to_owned())
}

#[test]
fn every_backend_setting_with_certificates_of_ones_own() {
    let server = Server::start_tls(Kind::MariaDb1011, &[]);
    let others = Scratch::new();
    let foreign = path(&Certificates::make(others.path()).ca);
    let ca = path(&server.certificates().ca);
    for mode in MODES {
        assert_eq!(reached(&server, mode, ""), Ok("TLSv1.3".into()), "{mode}: preferred");
        assert_eq!(reached(&server, mode, "backend.tls = \"off\""), Ok(String::new()), "{mode}");
        assert_eq!(reached(&server, mode, "backend.tls = \"required\""), Ok("TLSv1.3".into()), "{mode}");
        for verify in ["verify-ca", "verify-identity"] {
            let good = format!("backend.tls = \"{verify}\"\nbackend.tls_ca = \"{ca}\"");
            assert_eq!(reached(&server, mode, &good), Ok("TLSv1.3".into()), "{mode} {verify}");
            let bad = format!("backend.tls = \"{verify}\"\nbackend.tls_ca = \"{foreign}\"");
            let refused = reached(&server, mode, &bad).expect_err("another authority");
            assert!(refused.contains("certificate"), "{mode} {verify}: {refused}");
        }
    }
}

#[test]
fn the_host_name_counts_for_verify_identity_alone() {
    let server = Server::start_tls(Kind::MariaDb1011, &[]);
    let ca = path(&server.certificates().ca);
    // The server listens on 127.0.0.1 only, and its certificate names that; a relay on another address of this machine
    // is a server by a name that the certificate does not have.
    let relay = std::net::TcpListener::bind("127.0.0.9:0").expect("another address");
    let address = relay.local_addr().expect("its address");
    let to = server.address();
    std::thread::spawn(move || {
        for client in relay.incoming().map_while(Result::ok) {
            let Ok(server) = std::net::TcpStream::connect(to) else { return };
            for (mut from, mut to) in
                [(client.try_clone().expect("a socket"), server.try_clone().expect("a socket")), (server, client)]
            {
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
    for mode in MODES {
        let backend = |verify: &str| {
            format!("backend.address = \"{address}\"\nbackend.tls = \"{verify}\"\nbackend.tls_ca = \"{ca}\"")
        };
        assert_eq!(reached(&server, mode, &backend("verify-ca")), Ok("TLSv1.3".into()), "{mode}");
        let refused = reached(&server, mode, &backend("verify-identity")).expect_err("another name");
        assert!(refused.contains("certificate"), "{mode}: {refused}");
    }
}

#[test]
fn mysql_makes_its_own_certificates() {
    if !Kind::Mysql9.is_here() {
        return;
    }
    let server = Server::start(Kind::Mysql9, &[]);
    let ca = path(&server.data_file("ca.pem"));
    for mode in MODES {
        for (tls, version) in [("preferred", "TLSv1.3"), ("required", "TLSv1.3"), ("off", "")] {
            let reached = reached(&server, mode, &format!("backend.tls = \"{tls}\""));
            assert_eq!(reached, Ok(version.into()), "{mode} {tls}");
        }
        let good = format!("backend.tls = \"verify-ca\"\nbackend.tls_ca = \"{ca}\"");
        assert_eq!(reached(&server, mode, &good), Ok("TLSv1.3".into()), "{mode}");
        // Its certificate names no host.
        let bad = format!("backend.tls = \"verify-identity\"\nbackend.tls_ca = \"{ca}\"");
        let refused = reached(&server, mode, &bad).expect_err("no name");
        assert!(refused.contains("certificate"), "{mode}: {refused}");
    }
}

#[test]
fn a_server_without_tls_is_named_clearly() {
    let mut servers = vec![Server::start(Kind::MariaDb1011, &["--skip-ssl"])];
    // Without certificates of its own it offers none, and with them none that is new enough.
    if Kind::Mysql56.is_here() {
        servers.push(Server::start(Kind::Mysql56, &[]));
    }
    for server in &servers {
        for mode in MODES {
            let refused = reached(server, mode, "backend.tls = \"required\"").expect_err("no TLS");
            let words = "the server offers no TLS and backend.tls requires it";
            assert!(refused.contains("1429") && refused.contains(words), "{} {mode}: {refused}", server.kind());
            assert_eq!(reached(server, mode, ""), Ok(String::new()), "{} {mode}: preferred", server.kind());
        }
    }
}
