//! RECORD START, RECORD STOP, SHOW RECORDING.

use super::{came, client, commands, events};
use crate::crowd::{Client, LIMIT, eventually, shared, tidegate};
use crate::servers::Kind;

#[test]
fn the_console_begins_and_ends_a_recording_while_clients_are_here() {
    let server = shared(Kind::MariaDb1011);
    let tidegate = tidegate(server, 2, "");
    let mut console = Client::login(tidegate.admin("sql"), "admin", "").expect("the console");
    let mut before = client(&tidegate);
    before.run("SELECT 1");
    // Its record is made behind its reply, and would be the recording's first.
    eventually("its record is made", LIMIT, || !console.rows("SHOW DIGESTS").is_empty());
    assert_eq!(console.rows("SHOW RECORDING")[0][..2], ["off", "NULL"]);
    let path = tidegate.file("by hand.trace");
    console.run(&format!("RECORD START '{}' LITERALS", path.display()));
    let again = console.refused("RECORD START 'another.trace'");
    assert!(again.text.contains("by hand.trace"), "{}", again.text);
    let mut after = client(&tidegate);
    before.run("BEGIN");
    before.run("SELECT 'while recording'");
    after.run("SELECT 2");
    eventually("the events are written", LIMIT, || {
        let rows = console.rows("SHOW RECORDING");
        assert_eq!(rows[0][..3], ["on", &path.display().to_string(), "yes"]);
        rows[0][3].parse::<u64>().unwrap() >= 5
    });
    assert_eq!(console.rows("SHOW STATS LIKE 'trace_lost'"), [["trace_lost", "0"]]);
    let stopped = console.rows("RECORD STOP");
    assert_eq!((stopped[0][0].as_str(), stopped[0][4].as_str()), ("stopped", "0"));
    before.run("SELECT 'not on record'");
    before.run("COMMIT");
    let (_, events) = events(&path);
    assert_eq!(stopped[0][3], events.len().to_string());
    // A record is made behind its reply: those of two clients may come in any order.
    let mut texts: Vec<_> = commands(&events).iter().map(|command| command.text.clone().expect("a text")).collect();
    texts.sort();
    assert_eq!(texts, [&b"BEGIN"[..], b"SELECT 'while recording'", b"SELECT 2"].map(Box::from));
    let mut came = came(&events);
    came.sort_by_key(|came| came.client);
    let logins: Vec<_> = came.iter().map(|came| (came.client, came.login.is_some())).collect();
    assert_eq!(logins, [(before.id, false), (after.id, true)]);
    // Begun again in the same place: the first is set aside.
    console.run(&format!("RECORD START '{}'", path.display()));
    console.rows("RECORD STOP");
    assert!(tidegate.file("by hand.trace.1").exists());
    assert_eq!(console.refused("RECORD START '/nonexistent/x'").code, 1105);
    assert_eq!(console.refused("RECORD 'x'").code, 1064);
    assert!(console.ask("RECORD STOP").is_ok_and(|answer| answer.rows.is_empty()));
}
