//! The tests' own servers, relay and certificates do what the other tests take for granted.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{OptsBuilder, SslOpts};

use crate::relay::{Fault, Relay};
use crate::servers::{Kind, Server};
use crate::tidegate;

#[tokio::test]
async fn every_server_answers_by_socket_and_by_tcp() {
    for kind in Kind::here() {
        let server = Server::shared(kind);
        let expected = match kind {
            Kind::MariaDb1011 => "10.11.",
            Kind::MariaDb11 => "11.",
            Kind::Mysql9 => "9.",
            Kind::Mysql56 => "5.6.",
        };
        assert!(server.version().starts_with(expected), "{}", server.version());
        assert_eq!(server.version().contains("MariaDB"), kind.is_mariadb());
        let mut client = server.client().await;
        let version: Option<String> = client.query_first("SELECT VERSION()").await.unwrap();
        assert_eq!(version, Some(server.version()));
        client.disconnect().await.unwrap();
        assert!(server.log().contains("ready for connections"), "{kind}");
        assert!(server.try_sql("SELEC 1").unwrap_err().contains("1064"));
    }
}

#[test]
#[should_panic(expected = "unknown variable 'no-such-setting=1'")]
fn a_server_that_does_not_start_says_why() {
    Server::start(Kind::MariaDb1011, &["--no-such-setting=1"]);
}

#[test]
fn a_server_keeps_its_data_and_its_port_over_restart_and_kill() {
    let kinds = Kind::here();
    thread::scope(|scope| {
        for kind in kinds {
            scope.spawn(move || keeps_its_data_and_its_port(kind));
        }
    });
}

fn keeps_its_data_and_its_port(kind: Kind) {
    let server = Server::start(kind, &["--max-connections=77"]);
    let (port, pid) = (server.port(), server.pid());
    server.sql("CREATE DATABASE kept; CREATE TABLE kept.t (a INT) ENGINE=InnoDB");
    server.sql("INSERT INTO kept.t VALUES (1)");
    server.restart();
    assert_ne!(server.pid(), pid, "{kind}");
    let row = server.sql("SELECT COUNT(*), @@port, @@max_connections FROM kept.t");
    assert_eq!(row, format!("1\t{port}\t77"));
    server.kill();
    assert!(server.try_sql("SELECT 1").is_err(), "{kind}");
    server.start_again();
    assert_eq!(server.sql("SELECT COUNT(*) FROM kept.t"), "1");
}

#[tokio::test]
async fn a_frozen_server_is_silent_and_goes_on_when_thawed() {
    let server = Server::start(Kind::MariaDb1011, &[]);
    let mut client = server.client().await;
    server.freeze();
    let query = client.query_first::<i64, _>("SELECT 7");
    tokio::pin!(query);
    let silent = tokio::time::timeout(Duration::from_millis(300), &mut query).await;
    assert!(silent.is_err());
    server.thaw();
    assert_eq!(query.await.unwrap(), Some(7));
}

#[tokio::test]
async fn a_tls_server_shows_the_certificate_made_for_it() {
    for kind in [Kind::MariaDb1011, Kind::MariaDb11, Kind::Mysql9] {
        if !kind.is_here() {
            continue;
        }
        let server = Server::start_tls(kind, &[]);
        let ca = server.certificates().ca.clone();
        let options = OptsBuilder::from_opts(tidegate::login(server.address(), "root", ""))
            .ssl_opts(SslOpts::default().with_root_certs(vec![ca.into()]));
        let mut client = mysql_async::Conn::new(options).await.unwrap();
        let cipher: Option<(String, String)> = client.query_first("SHOW STATUS LIKE 'Ssl_cipher'").await.unwrap();
        assert!(cipher.is_some_and(|(_, cipher)| !cipher.is_empty()), "{kind}");
    }
}

#[tokio::test]
async fn a_relay_passes_bytes_freezes_cuts_and_lies() {
    let server = Server::shared(Kind::MariaDb1011);
    let relay = Relay::start(server.address());
    let mut client = mysql_async::Conn::new(tidegate::login(relay.address(), "root", "")).await.unwrap();
    let long: Option<String> = client.query_first("SELECT REPEAT('x', 300000)").await.unwrap();
    assert_eq!(long.map(|text| text.len()), Some(300_000));

    relay.set(Fault::Freeze);
    let mut query = client.query_first::<i64, _>("SELECT 8");
    let silent = tokio::time::timeout(Duration::from_millis(200), &mut query).await;
    assert!(silent.is_err());
    relay.set(Fault::None);
    assert_eq!(query.await.unwrap(), Some(8));

    relay.set(Fault::CutAfter(100));
    let cut = client.query_first::<String, _>("SELECT REPEAT('x', 300000)").await;
    assert!(cut.is_err());

    relay.set(Fault::CutAfter(3));
    assert_eq!(all_bytes(&relay).len(), 3);
    relay.set(Fault::Cut);
    assert_eq!(all_bytes(&relay), b"");
    relay.set(Fault::Garbage(b"not a greeting".to_vec()));
    let mut stream = TcpStream::connect(relay.address()).unwrap();
    let mut garbage = [0; 14];
    stream.read_exact(&mut garbage).unwrap();
    assert_eq!(&garbage, b"not a greeting");
    assert_eq!(relay.accepted(), 4);
}

fn all_bytes(relay: &Relay) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut stream = TcpStream::connect(relay.address()).unwrap();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

// The test runs itself again as the process that is killed.
#[test]
fn nothing_stays_behind_when_a_test_process_is_killed() {
    const ROLE: &str = "TIDEGATE_TEST_HOLDS_A_SERVER";
    const NAME: &str = "servers_smoke::nothing_stays_behind_when_a_test_process_is_killed";
    if std::env::var_os(ROLE).is_some() {
        hold_a_server();
    }
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(ROLE, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines().map_while(Result::ok);
    let held: Vec<String> =
        lines.filter_map(|line| line.split_once("holds ").map(|(_, held)| held.to_owned())).take(2).collect();
    let [pid, folder] = &held[..] else {
        panic!("the other process holds no server: {held:?}");
    };
    let folder = Path::new(folder);
    assert!(is_alive(pid) && folder.exists());
    holder.kill().unwrap();
    holder.wait().unwrap();
    let limit = Instant::now() + Duration::from_secs(10);
    while is_alive(pid) || folder.exists() {
        assert!(Instant::now() < limit, "{held:?} is still there");
        sleep(Duration::from_millis(20));
    }
}

fn hold_a_server() -> ! {
    let server = Server::shared(Kind::MariaDb1011);
    let folder = server.socket().parent().unwrap().to_owned();
    println!("\nholds {}\nholds {}", server.pid(), folder.display());
    std::io::stdout().flush().unwrap();
    sleep(Duration::from_secs(600));
    unreachable!("the other process kills this one");
}

// A dead process that its parent has not looked at yet has no command line any more.
fn is_alive(pid: &str) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}
