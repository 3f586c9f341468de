//! No client can tell that tidegate is there: seeded programs of several sessions run direct and through it, many at
//! once, and every reply must be equal to the byte.
//!
//! `TIDEGATE_SEED=7` runs one program; `SEEDS=1000` that many from there; `TIDEGATE_MODE=observe` one mode alone;
//! `TIDEGATE_SERVER=mysql9` one server alone; `TIDEGATE_NOISE=8` has fewer other clients, where processors are few.

mod action;
mod campaign;
mod catalog;
mod compare;
mod fixture;
mod found;
mod generator;
mod mask;
mod noise;
mod program;
pub mod random;
mod runner;
mod shrink;
mod wire;
mod wrong_hop;

use std::time::{Duration, Instant};

use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;
use campaign::{Outcome, Place, campaign};
use noise::Noise;
use wrong_hop::Wrong;

/// Programs of `make test`, per server.
const IN_SESSION: u64 = 24;
const IN_OBSERVE: u64 = 6;
const IN_TRANSACTION: u64 = 30;
/// When `make test` stops beginning programs, per server and mode.
const LIMIT: Duration = Duration::from_secs(60);
/// What no other backend can answer, see the README.
const NOT_TRANSPARENT: &[&str] = &["DIAGNOSTICS CONDITION 3", "RETURNED_SQLSTATE", "v_sets", "v_locks"];
/// MySQL 9 warns of statements on InnoDB tables in a session that has written a MyISAM table before.
const MIXED_ENGINES: &[&str] = &["INTO my", "UPDATE my", "FROM my"];
/// MySQL 9 gives parameters the types of a statement's first execution, which another backend has not seen. Whether its own
/// dictionary is read by an index, and a column goes through a temporary table, is the optimizer's affair, direct as well.
const OF_MYSQL_9: &[&str] = &["SELECT ?, ?, ?", "SHOW DATABASES", "SELECT DISTINCT a"];
/// MariaDB 11 describes results by an old collation where it has refused a change of user, and SET NAMES brings the new one.
const OF_MARIADB_11: &[&str] = &[".change_user_wrong", "nosuchdb"];
/// MySQL 5.6 keeps the warnings of earlier statements over this one, which looks at them: several of them cannot be put there.
const OF_MYSQL_5_6: &[&str] = &["SELECT 1/0; SHOW WARNINGS"];
/// MySQL's OK of this one counts the rows of the statement before.
const OF_BOTH_MYSQLS: &[&str] = &["CALL does_nothing"];
const PROGRAMS: usize = 3;
const SESSIONS: usize = 12;
const NOISE: usize = 20;
const ENOUGH: usize = 3;
const SHRINKING: Duration = Duration::from_secs(40);

#[test]
fn mariadb_10_11_cannot_be_told_from_tidegate() {
    transparent(Kind::MariaDb1011);
}

#[test]
fn mariadb_11_cannot_be_told_from_tidegate() {
    transparent(Kind::MariaDb11);
}

#[test]
fn mysql_9_cannot_be_told_from_tidegate() {
    transparent(Kind::Mysql9);
}

#[test]
fn mysql_5_6_cannot_be_told_from_tidegate() {
    transparent(Kind::Mysql56);
}

#[test]
fn a_plain_relay_is_transparent_and_a_wrong_one_is_found() {
    let server = server(Kind::MariaDb1011);
    assert_eq!(through(&server, Wrong::Nothing).differences, Vec::<String>::new());
    for wrong in [Wrong::Byte(b'7', b'8'), Wrong::Before("SET @a=9;"), Wrong::Before("DO 1;")] {
        let outcome = through(&server, wrong);
        assert!(!outcome.differences.is_empty(), "{}", outcome.summary());
    }
}

fn through(server: &Server, wrong: Wrong) -> Outcome {
    let hop = wrong_hop::start(server.address(), wrong);
    let place = Place {
        server: server.address(),
        hop,
        ask_ids: true,
        may_do_without_cursor: true,
        left_out: Vec::new(),
        sessions: 16,
        programs: 2,
        shrinking: Duration::ZERO,
    };
    campaign(&place, &[1, 2, 3, 4], 1, None)
}

fn transparent(kind: Kind) {
    if wish("TIDEGATE_SERVER").is_some_and(|name| name != kind.name()) || !kind.is_here() {
        return;
    }
    let server = server(kind);
    let modes = wish("TIDEGATE_MODE");
    for (mode, count) in [("session", IN_SESSION), ("observe", IN_OBSERVE), ("transaction", IN_TRANSACTION)] {
        match &modes {
            Some(only) if only != mode => {}
            Some(_) => in_mode(&server, mode, IN_SESSION),
            None if count > 0 => in_mode(&server, mode, count),
            None => {}
        }
    }
}

/// Long values of time are the test's own: nothing may wait for a minute.
fn server(kind: Kind) -> Server {
    // Statistics that are made anew in the background change plans, and with them flags, at any time.
    // MariaDB's cached threads begin with the FOUND_ROWS() of the client before.
    let arguments = [
        "--innodb-lock-wait-timeout=1",
        "--lock-wait-timeout=4",
        "--thread-cache-size=0",
        "--innodb-stats-auto-recalc=OFF",
    ];
    let server = Server::start(kind, &arguments);
    let mut control = runner::Control::new(server.address());
    control.must(fixture::ACCOUNTS, "");
    control.must(noise::MAKE, "");
    server
}

fn in_mode(server: &Server, mode: &str, count: u64) {
    // Where backends are shared there are as many as the programs can pin, and two that everybody wants.
    let (size, noise) = if mode == "transaction" { (SESSIONS + 2, others()) } else { (SESSIONS, 0) };
    let config = format!(
        "[pool]\nmode = \"{mode}\"\nsize = {size}\nmax_overflow = 0\n[[user]]\nname = \"ta\"\npassword = \"\"\n\
         [[user]]\nname = \"tb\"\npassword = \"\"\n"
    );
    let tidegate = Tidegate::in_front_of(server, &config);
    let _noise = Noise::start(tidegate.address(), noise);
    let place = Place {
        server: server.address(),
        hop: tidegate.address(),
        ask_ids: mode != "transaction",
        // MySQL 9's reply has no rows and no end then: there is nothing to wait for, and tidegate has the rows sent, see the README.
        may_do_without_cursor: mode != "transaction" || server.kind() != Kind::Mysql9,
        left_out: match (mode, server.kind()) {
            ("transaction", Kind::Mysql9) => [NOT_TRANSPARENT, OF_BOTH_MYSQLS, MIXED_ENGINES, OF_MYSQL_9].concat(),
            ("transaction", Kind::MariaDb11) => [NOT_TRANSPARENT, OF_MARIADB_11].concat(),
            ("transaction", Kind::Mysql56) => [NOT_TRANSPARENT, OF_BOTH_MYSQLS, OF_MYSQL_5_6].concat(),
            ("transaction", _) => NOT_TRANSPARENT.to_vec(),
            _ => Vec::new(),
        },
        sessions: SESSIONS,
        programs: PROGRAMS,
        shrinking: SHRINKING,
    };
    let (mut seeds, limit) = seeds(count);
    if wish("TIDEGATE_SEED").is_none() {
        seeds.splice(0..0, found::seeds());
    }
    campaign(&place, &seeds, ENOUGH, limit).judge(&format!("{} in mode {mode}", server.kind()));
}

/// How many other clients want the backends.
fn others() -> usize {
    number("TIDEGATE_NOISE").map_or(NOISE, |count| usize::try_from(count).expect("a small number"))
}

/// The seeds to run, and until when.
fn seeds(count: u64) -> (Vec<u64>, Option<Instant>) {
    let first = number("TIDEGATE_SEED");
    match number("SEEDS") {
        Some(count) => (numbered(first.unwrap_or(1), count), None),
        None if first.is_some() => (numbered(first.unwrap_or(1), 1), None),
        None => (numbered(1, count), Some(Instant::now() + LIMIT)),
    }
}

fn numbered(first: u64, count: u64) -> Vec<u64> {
    (first..first + count).collect()
}

fn number(name: &str) -> Option<u64> {
    wish(name).map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

fn wish(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
