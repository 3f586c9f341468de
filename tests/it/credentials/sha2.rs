//! caching_sha2_password, mirrored: over a safe link the password is asked for at once, over plain TCP the server's
//! own challenge passes and RSA is tidegate's. What was learned is pooled.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use super::wire::{As, Raw};
use super::{attempt, await_true, create, enter, served_by, session, status};
use crate::ports::free_port;
use crate::scratch::Scratch;
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

const PASSWORD: &str = "a longish secret";

fn start() -> Option<Server> {
    Kind::Mysql9.is_here().then(|| {
        let server = Server::start(Kind::Mysql9, &[]);
        for name in ["sha", "sha_two"] {
            create(&server, name, &format!("IDENTIFIED WITH caching_sha2_password BY '{PASSWORD}'"));
        }
        create(&server, "older", &format!("IDENTIFIED WITH sha256_password BY '{PASSWORD}'"));
        server
    })
}

/// MySQL 9's own client; `Err`: what it complains about.
pub(super) fn mysql(port: u16, user: &str, password: &str, options: &[&str]) -> Result<String, String> {
    let output = Command::new(Kind::Mysql9.program("mysql"))
        .args(["--no-defaults", "-h127.0.0.1", &format!("-P{port}"), &format!("-u{user}"), &format!("-p{password}")])
        .args(options)
        .args(["-Ne", "SELECT CONNECTION_ID()"])
        .output()
        .expect("the mysql client");
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// With a single backend: who comes while it is made clean for the next waits for it, and is not given another one.
fn with_one_backend(server: &Server, config: &str) -> Tidegate {
    session(server, &format!("pool.size = 1\npool.max_overflow = 0\n{config}"))
}

/// Once learned: tidegate answers fast, and the same backend serves the next client.
fn assert_pooled(tidegate: &Tidegate, user: &str) {
    let first = served_by(tidegate, user, PASSWORD);
    let mut raw = Raw::tcp(tidegate.address());
    let ended = raw.login(&As::new(user, PASSWORD));
    assert_eq!((ended.code(), ended.more.as_str(), ended.switches.len()), (0, "3", 0), "{}", tidegate.log());
    assert_eq!(raw.id(), first, "{user} is not pooled\n{}", tidegate.log());
}

#[test]
fn learned_over_tls() {
    let Some(server) = start() else { return };
    for backend in ["preferred", "off"] {
        let tidegate = with_one_backend(&server, &format!("backend.tls = \"{backend}\"\n"));
        let port = tidegate.address().port();
        let failed = status(&server, "Aborted_connects");
        let refused = mysql(port, "sha", "wrong", &["--ssl-mode=REQUIRED"]).expect_err("a wrong password");
        assert!(refused.contains("ERROR 1045 (28000)"), "{refused}");
        assert_eq!(status(&server, "Aborted_connects") - failed, 1);
        mysql(port, "sha", PASSWORD, &["--ssl-mode=REQUIRED"]).expect("a login over TLS");
        assert_pooled(&tidegate, "sha");
        assert_eq!(attempt(&tidegate, &As::new("sha", "wrong")).code(), 1045);
        mysql(port, "older", PASSWORD, &["--ssl-mode=REQUIRED"]).expect("a login over TLS");
    }
}

#[test]
fn learned_over_a_unix_socket() {
    let Some(server) = start() else { return };
    let scratch = Scratch::new();
    let path = scratch.path().join("tide");
    let listen = format!("listen.address = [\"127.0.0.1:{}\", \"unix:{}\"]\n", free_port(), path.display());
    let tidegate = with_one_backend(&server, &listen);
    let ended = Raw::unix(&path).login(&As::new("sha", PASSWORD));
    assert_eq!((ended.code(), ended.more.as_str()), (0, "4"), "{}", tidegate.log());
    assert_pooled(&tidegate, "sha");
}

#[test]
fn learned_over_plain_tcp_by_rsa_where_the_server_asks_for_the_password() {
    let Some(server) = start() else { return };
    for backend in ["preferred", "off"] {
        server.sql("FLUSH PRIVILEGES");
        let tidegate = with_one_backend(&server, &format!("backend.tls = \"{backend}\"\n"));
        let failed = status(&server, "Aborted_connects");
        assert_eq!(attempt(&tidegate, &As::new("sha", "wrong")).code(), 1045);
        assert_eq!(status(&server, "Aborted_connects") - failed, 1);
        let ended = attempt(&tidegate, &As::new("sha", PASSWORD));
        assert_eq!((ended.code(), ended.more.as_str()), (0, "4k"), "{}", tidegate.log());
        assert!(ended.switches.len() <= 1);
        assert_pooled(&tidegate, "sha");
        mysql(tidegate.address().port(), "sha_two", PASSWORD, &["--ssl-mode=DISABLED", "--get-server-public-key"])
            .expect("a login by RSA");
        mysql(tidegate.address().port(), "older", PASSWORD, &["--ssl-mode=DISABLED", "--get-server-public-key"])
            .expect("a login by RSA");
    }
}

#[test]
fn a_configured_rsa_key_may_be_known_beforehand() {
    let Some(server) = start() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/login/methods/testdata");
    let private = folder.join("rsa_pkcs8.pem");
    let public = folder.join("rsa_public.pem");
    let tidegate = with_one_backend(&server, &format!("auth.rsa_private_key = \"{}\"\n", private.display()));
    let key = fs::read_to_string(&public).expect("a public key");
    let ended = attempt(&tidegate, &As { key: Some(&key), ..As::new("sha", PASSWORD) });
    assert_eq!((ended.code(), ended.more.as_str()), (0, "4"), "{}", tidegate.log());
    assert_pooled(&tidegate, "sha");
    let option = format!("--server-public-key-path={}", public.display());
    for user in ["sha_two", "older"] {
        mysql(tidegate.address().port(), user, PASSWORD, &["--ssl-mode=DISABLED", &option]).expect("a login by RSA");
    }
}

#[test]
fn a_warm_server_answers_fast_and_the_client_has_its_own_backend() {
    let Some(server) = start() else { return };
    mysql(server.port(), "sha", PASSWORD, &["--get-server-public-key"]).expect("a direct login");
    let tidegate = with_one_backend(&server, "");
    let mut raw = Raw::tcp(tidegate.address());
    let ended = raw.login(&As::new("sha", PASSWORD));
    assert_eq!((ended.code(), ended.more.as_str()), (0, "3"), "{}", tidegate.log());
    let id = raw.id();
    raw.quit();
    assert_ne!(served_by(&tidegate, "sha", PASSWORD), id);
    // Its first login that tells the password changes that.
    mysql(tidegate.address().port(), "sha", PASSWORD, &["--ssl-mode=REQUIRED"]).expect("a login over TLS");
    assert_pooled(&tidegate, "sha");
}

#[test]
fn a_changed_password_is_learned_anew() {
    let Some(server) = start() else { return };
    let tidegate = session(&server, "");
    let port = tidegate.address().port();
    mysql(port, "sha", PASSWORD, &["--ssl-mode=REQUIRED"]).expect("a login");
    server.sql("ALTER USER sha@'%' IDENTIFIED BY 'newer'");
    let failed = status(&server, "Aborted_connects");
    assert!(mysql(port, "sha", PASSWORD, &["--ssl-mode=REQUIRED"]).is_err());
    assert!(status(&server, "Aborted_connects") - failed <= 1);
    mysql(port, "sha", "newer", &["--ssl-mode=REQUIRED"]).expect("the new password");
    assert!(enter(&tidegate, "sha", "newer").user() == "sha");
    server.sql("DROP USER sha@'%'");
    assert_eq!(attempt(&tidegate, &As::new("sha", "newer")).code(), 1045);
}

/// The client's TLS ends at tidegate, and the backend's link is plain: RSA goes on from there.
#[test]
fn a_password_from_tls_is_never_in_clear_on_a_plain_backend_link() {
    let Some(server) = start() else { return };
    let recorder = Recorder::start(server.address());
    for mode in ["session", "observe"] {
        let config = format!("pool.mode = \"{mode}\"\n[backend]\ntls = \"off\"\naddress = \"{}\"\n", recorder.address);
        let tidegate = Tidegate::start(&config);
        let port = tidegate.address().port();
        for user in ["sha", "older"] {
            mysql(port, user, PASSWORD, &["--ssl-mode=REQUIRED"]).expect("a login over TLS");
        }
        // Clients that would send the password at once.
        for method in ["sha256_password", "mysql_clear_password"] {
            let option = format!("--default-auth={method}");
            let _ = mysql(port, "sha_two", PASSWORD, &["--ssl-mode=REQUIRED", "--enable-cleartext-plugin", &option]);
        }
        await_true("nothing was recorded", || recorder.holds(b"older"));
        assert!(!recorder.holds(PASSWORD.as_bytes()), "mode {mode}: the password is on the wire");
    }
}

/// A relay that keeps what went to the server.
struct Recorder {
    address: SocketAddr,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Recorder {
    fn start(to: SocketAddr) -> Recorder {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bytes);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(to) else { continue };
                let kept = Arc::clone(&kept);
                let (mut up, mut down) = (client.try_clone().expect("a clone"), server.try_clone().expect("a clone"));
                let (mut to_client, mut to_server) = (client, server);
                thread::spawn(move || std::io::copy(&mut down, &mut to_client));
                thread::spawn(move || {
                    let mut chunk = [0; 4096];
                    while let Ok(n @ 1..) = up.read(&mut chunk) {
                        kept.lock().expect("bytes").extend_from_slice(&chunk[..n]);
                        if to_server.write_all(&chunk[..n]).is_err() {
                            return;
                        }
                    }
                    let _ = to_server.shutdown(std::net::Shutdown::Both);
                });
            }
        });
        Recorder { address, bytes }
    }

    fn holds(&self, needle: &[u8]) -> bool {
        self.bytes.lock().expect("bytes").windows(needle.len()).any(|window| window == needle)
    }
}
