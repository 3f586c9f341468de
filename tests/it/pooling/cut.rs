//! A link to the server that is cut anywhere in what tidegate itself does around a statement: where nothing of the client's
//! is lost, the client goes on.

use std::thread::sleep;
use std::time::Duration;

use crate::crowd::{self, Client, Trouble, USER, server, server_of};
use crate::relay::{Fault, Relay};
use crate::servers::Kind;
use crate::tidegate::Tidegate;

/// Bytes from the server, before the cut: from the first of tidegate's own statement before to beyond the one behind.
const CUTS: std::ops::Range<usize> = 1..900;

#[test]
fn around_a_statement_about_trackers() {
    let server = server(&[]);
    let relay = Relay::start(server.address());
    let config = crowd::config(2, "");
    let tidegate = Tidegate::start(&format!("backend.address = \"{}\"\n{config}", relay.address()));
    let (mut refused, mut answered, mut gone) = (0, 0, 0);
    for cut in CUTS.step_by(7) {
        let mut client = Client::login(tidegate.address(), USER, "").unwrap_or_else(|trouble| panic!("{trouble}"));
        client.run("SET @kept = 'kept'");
        relay.set(Fault::CutAfter(cut));
        // The relay hears of it by and by.
        sleep(Duration::from_millis(5));
        let answer = client.ask("SHOW VARIABLES LIKE 'session_track_schema'");
        // What tidegate says behind the statement is cut, too.
        sleep(Duration::from_millis(5));
        relay.set(Fault::None);
        match answer {
            Ok(answer) => {
                assert_eq!(answer.rows, [["session_track_schema", "ON"]], "after {cut} bytes");
                answered += 1;
            }
            Err(Trouble::Refused(refusal)) => {
                assert_eq!(refusal.code, 1053, "after {cut} bytes: {}", refusal.text);
                refused += 1;
            }
            // A part of the answer was out.
            Err(Trouble::Gone(error)) => {
                assert!(refused > 0, "{error} after {cut} bytes, when nothing was out");
                gone += 1;
                continue;
            }
        }
        assert_eq!(client.value("SELECT @kept"), "kept", "after {cut} bytes");
    }
    let lost = tidegate.log().matches("fault=\"backend\"").count();
    let told = refused + gone;
    assert!(
        refused > 0 && answered > 0 && lost > told,
        "{refused} refused, {answered} answered, {gone} gone, {lost} lost"
    );
}

#[test]
fn behind_a_resets_ok() {
    for kind in [Kind::MariaDb1011, Kind::Mysql9].into_iter().filter(|kind| kind.is_here()) {
        let server = server_of(kind, &[]);
        let relay = Relay::start(server.address());
        let config = crowd::config(2, "");
        let tidegate = Tidegate::start(&format!("backend.address = \"{}\"\n{config}", relay.address()));
        let (mut refused, mut reset) = (0, 0);
        let fresh = client_of(&tidegate).rows(SESSION);
        for cut in CUTS.step_by(7) {
            let mut client = client_of(&tidegate);
            client.run("USE crowd");
            client.run("SET @mine = 'mine', SESSION time_zone = '+03:00', sql_mode = 'ANSI_QUOTES'");
            let statement = client.prepare("SELECT 'prepared'").expect("a statement");
            relay.set(Fault::CutAfter(cut));
            sleep(Duration::from_millis(5));
            let answer = client.command(RESET_CONNECTION);
            // What tidegate reads behind the OK is cut, too.
            sleep(Duration::from_millis(5));
            relay.set(Fault::None);
            match answer {
                Ok(_) => {
                    let trouble = client.execute(statement, &[]).expect_err("it went with the reset");
                    assert_eq!(trouble.code(), Some(1243), "{kind} after {cut} bytes: {trouble}");
                    // In double quotes stands a string again.
                    assert_eq!(client.value("SELECT \"a string\""), "a string", "{kind} after {cut} bytes");
                    assert_eq!(client.rows(SESSION), fresh, "{kind} after {cut} bytes");
                    assert_eq!(client.value("SELECT DATABASE()"), "crowd", "{kind} after {cut} bytes");
                    reset += 1;
                }
                Err(Trouble::Refused(refusal)) => {
                    assert_eq!(refusal.code, 1053, "{kind} after {cut} bytes: {}", refusal.text);
                    assert_eq!(client.value("SELECT @mine"), "mine", "{kind} after {cut} bytes");
                    refused += 1;
                }
                Err(Trouble::Gone(error)) => panic!("{kind} after {cut} bytes: {error}"),
            }
        }
        let lost = tidegate.log().matches("fault=\"backend\"").count();
        assert!(refused > 0 && reset > 0 && lost > refused, "{kind}: {refused} refused, {reset} reset, {lost} lost");
    }
}

/// A SELECT whose connection dies is asked again on another one, where another client's LAST_INSERT_ID() stands.
#[test]
fn under_a_question_about_the_last_statement() {
    for kind in Kind::here() {
        let server = server_of(kind, &[]);
        let relay = Relay::start(server.address());
        let config = crowd::config(2, "");
        let tidegate = Tidegate::start(&format!("backend.address = \"{}\"\n{config}", relay.address()));
        let [mut asker, mut second, mut third] = [(); 3].map(|()| client_of(&tidegate));
        asker.run("BEGIN");
        let mut other = client_of(&tidegate);
        other.run("SELECT LAST_INSERT_ID(9)");
        drop(other);
        asker.run("COMMIT");
        asker.run("SELECT LAST_INSERT_ID(7)");
        // With the other connection taken, the asker's is wanted, and what stands there is read.
        second.run("BEGIN");
        third.run("SELECT 1");
        second.run("COMMIT");
        third.run("SELECT 1");
        relay.cut_next();
        assert_eq!(asker.value("SELECT LAST_INSERT_ID()"), "7", "{kind}");
        assert!(!relay.is_to_cut(), "{kind}: the server was asked");
    }
}

const RESET_CONNECTION: &[u8] = &[0x1F];
const SESSION: &str = "SELECT @mine, @@time_zone, @@sql_mode, @@character_set_results, @@autocommit";

fn client_of(tidegate: &Tidegate) -> Client {
    Client::login(tidegate.address(), USER, "").unwrap_or_else(|trouble| panic!("{trouble}"))
}
