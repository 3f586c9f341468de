//! A server that closes idle connections soon closes none that tidegate holds, and no client ever hears of it.
//!
//! `LONG=300` runs each for so many seconds.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use crate::crowd::{self, Client, LIMIT, enter, eventually, server_of, status, wish};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;
use crate::transparency::random::Random;

const USUAL: Duration = Duration::from_secs(20);
/// The server's patience with an idle connection, in seconds.
const WAIT_TIMEOUT: u64 = 3;
const BACKENDS: usize = 10;
const CLIENTS: usize = 40;

#[test]
fn mariadb_10_11_never_closes_first() {
    soak(Kind::MariaDb1011, |_| {});
}

#[test]
fn mysql_9_never_closes_first() {
    soak(Kind::Mysql9, |_| {});
}

#[test]
fn mysql_5_6_never_closes_first() {
    soak(Kind::Mysql56, |_| {});
}

#[test]
fn a_time_that_is_changed_meanwhile_is_the_time() {
    soak(Kind::MariaDb1011, |server| {
        for seconds in [2, 5, 2, 4] {
            server.sql(&format!("SET GLOBAL wait_timeout = {seconds}, interactive_timeout = {seconds}"));
            sleep(Duration::from_secs(3));
        }
    });
}

#[test]
fn a_time_that_a_client_sets_is_its_own() {
    let server = server_of(Kind::MariaDb1011, &[]);
    let tidegate = crowd::tidegate(&server, 1, "");
    let (mut short, mut other) = (enter(&tidegate), enter(&tidegate));
    // It is busy enough, but a backend that keeps its setting and is idle in other hands is not.
    short.run("SET SESSION wait_timeout = 2");
    for _ in 0..8 {
        sleep(Duration::from_millis(700));
        assert_eq!(short.value("SELECT @@wait_timeout"), "2");
    }
    assert_eq!(other.value("SELECT @@wait_timeout"), "28800");
    let began = Instant::now();
    // It has the same from tidegate as from the server: an end.
    eventually("a client is closed after its own time", LIMIT, || short.is_closed());
    assert!(began.elapsed() > Duration::from_secs(1), "closed too early");
    assert_eq!(other.value("SELECT 'still there'"), "still there");
}

#[test]
fn who_is_pinned_is_kept_alive() {
    for kind in Kind::here() {
        let server = impatient(kind);
        let tidegate = crowd::tidegate(&server, BACKENDS, "");
        let mut pinned: Vec<Client> = (0..3).map(|_| enter(&tidegate)).collect();
        pinned[0].run("CREATE TEMPORARY TABLE crowd.kept (a INT)");
        pinned[0].run("INSERT INTO crowd.kept VALUES (7)");
        assert_eq!(pinned[1].value("SELECT GET_LOCK('kept', 0)"), "1");
        pinned[2].run("PREPARE p FROM 'SELECT 9'");
        let mut direct = Client::login(server.address(), crowd::USER, "").expect("a server");
        direct.run("SELECT 1");
        sleep(Duration::from_secs(3 * WAIT_TIMEOUT));
        assert!(direct.ask("SELECT 1").is_err(), "{kind}: this server is patient: the test proves nothing");
        assert_eq!(pinned[0].value("SELECT a FROM crowd.kept"), "7", "{kind}");
        assert_eq!(pinned[1].value("SELECT IS_USED_LOCK('kept') = CONNECTION_ID()"), "1", "{kind}");
        assert_eq!(pinned[2].value("EXECUTE p"), "9", "{kind}");
    }
}

#[test]
fn a_backend_that_is_killed_while_idle_is_nobodys_loss() {
    let server = server_of(Kind::MariaDb1011, &[]);
    let tidegate = crowd::tidegate(&server, BACKENDS, "");
    let mut clients = crowd::enter_many(&tidegate, CLIENTS);
    for round in 0..5 {
        for (number, client) in clients.iter_mut().enumerate() {
            client.run(&format!("SET @mine = {}", number + round));
        }
        server.sql(&format!("KILL USER {}", crowd::USER));
        for (number, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.value("SELECT @mine"), (number + round).to_string(), "round {round}");
        }
    }
}

/// Idle and bursty clients for a while, during `meanwhile` and after: nobody hears an error.
fn soak(kind: Kind, meanwhile: impl FnOnce(&Server)) {
    if !kind.is_here() {
        return;
    }
    let server = impatient(kind);
    let tidegate = crowd::tidegate(&server, BACKENDS, "");
    let lost = (status(&server, "Aborted_clients"), direct_loss(&server));
    let (until, failed) = (Instant::now() + crowd::duration(USUAL), AtomicBool::new(false));
    let statements = AtomicUsize::new(0);
    scope(|scope| {
        for number in 0..CLIENTS {
            let (tidegate, failed, statements) = (&tidegate, &failed, &statements);
            scope.spawn(move || {
                let live = || live(tidegate, number, until, failed, statements);
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(live));
                if let Err(panic) = result {
                    failed.store(true, Ordering::Relaxed);
                    std::panic::resume_unwind(panic);
                }
            });
        }
        meanwhile(&server);
    });
    let statements = statements.load(Ordering::Relaxed);
    assert!(statements > CLIENTS * 4, "{statements} statements prove nothing");
    // The one that was left alone before the soak is the server's own affair.
    assert_eq!(status(&server, "Aborted_clients"), lost.0 + lost.1, "{kind}: the server closed first");
}

/// One client's life: bursts of statements, and silences of up to twice the server's patience.
fn live(tidegate: &Tidegate, number: usize, until: Instant, failed: &AtomicBool, statements: &AtomicUsize) {
    let mut random = Random::new(number as u64);
    let mut client = enter(tidegate);
    client.run("USE crowd");
    let mine = format!("client {number}");
    client.run(&format!("SET @mine = '{mine}', SESSION time_zone = '+0{}:00'", number % 9));
    let statement = client.prepare("SELECT CONCAT(?, DATABASE())").expect("a statement");
    while Instant::now() < until && !failed.load(Ordering::Relaxed) {
        for _ in 0..=random.below(5) {
            let state = client.rows("SELECT @mine, @@time_zone");
            assert_eq!(state, [[mine.clone(), format!("+0{}:00", number % 9)]]);
            let answer = client.execute(statement, &["in "]);
            assert_eq!(answer.unwrap_or_else(|trouble| panic!("{trouble}")).rows, [["in crowd"]]);
            statements.fetch_add(2, Ordering::Relaxed);
        }
        sleep(Duration::from_millis(random.below(2_000 * usize::try_from(WAIT_TIMEOUT).expect("small")) as u64));
    }
    client.quit();
}

/// Proves that the server is impatient: a client without tidegate is lost. How many were lost so.
fn direct_loss(server: &Server) -> u64 {
    let mut direct = Client::login(server.address(), crowd::USER, "").expect("a server");
    direct.run("SELECT 1");
    eventually("the server closes an idle connection", LIMIT, || direct.is_closed());
    1
}

fn impatient(kind: Kind) -> Server {
    let timeouts = [format!("--wait-timeout={WAIT_TIMEOUT}"), format!("--interactive-timeout={WAIT_TIMEOUT}")];
    let server = server_of(kind, &timeouts.each_ref().map(String::as_str));
    assert!(wish("TIDEGATE_SIZE").is_some() || status(&server, "Threads_connected") < 5);
    server
}
