//! A link to the server that is cut anywhere in what tidegate itself does around a statement: where nothing of the client's
//! is lost, the client goes on.

use std::thread::sleep;
use std::time::Duration;

use crate::crowd::{self, Client, Trouble, USER, server};
use crate::relay::{Fault, Relay};
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
