//! A driver that counts for itself finds its commands in the trace, with their transactions and times.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{SLOW, came, client, commands, events, recorded};
use crate::crowd::{LIMIT, shared};
use crate::servers::Kind;
use tidegate::sql::digest::digest;
use tidegate::stats::trace::{Ending, Event, Held, load};

fn pinned() -> Held {
    Held::Pinned("transaction".into())
}

#[test]
fn every_command_is_there_with_its_transaction_and_its_time() {
    let server = shared(Kind::MariaDb1011);
    for mode in ["transaction", "session", "observe"] {
        let (mut tidegate, path) = recorded(server, mode, 2, &[]);
        let began = Instant::now();
        let mut client = client(&tidegate);
        let id = client.id;
        let mut sent = Vec::new();
        for (sql, held) in [
            ("SELECT 'xyzzy 1'", Held::Free),
            ("BEGIN", pinned()),
            ("SELECT SLEEP(0.12)", pinned()),
            ("SELECT 'xyzzy 2'", pinned()),
            ("COMMIT", Held::Free),
            ("SELECT 'and a text'", Held::Free),
        ] {
            client.rows(sql);
            sent.push((digest(sql.as_bytes()), held));
        }
        assert!(client.ask("SELECT nothing FROM nowhere.at_all").is_err());
        client.command(&[14]).expect("a pong");
        let prepared = client.prepare("SELECT CONCAT(?, 'x')").expect("a statement");
        client.execute(prepared, &["xyzzy 3"]).expect("a row");
        client.quit();
        assert!(tidegate.stop().success());
        let lasted = began.elapsed();
        let (summary, events) = events(&path);
        assert_eq!((summary.origin.mode.as_str(), summary.origin.pool.size), (mode, 2));
        assert!(summary.origin.server.is_some_and(|version| version.contains("MariaDB")));
        let commands = commands(&events);
        let codes: Vec<u8> = commands.iter().map(|command| command.code).collect();
        assert_eq!(codes, [3, 3, 3, 3, 3, 3, 3, 14, 22, 23], "{mode}");
        let seen: Vec<_> = commands[..6].iter().map(|command| (command.digest, command.held.clone())).collect();
        assert_eq!(seen, sent, "{mode}");
        assert_eq!(commands[6].error, Some(1146), "{mode}");
        assert_eq!(commands[8].digest, commands[9].digest);
        assert!(commands.iter().all(|command| command.client == id && command.text.is_none()));
        assert!(commands[2].phases.server >= SLOW && commands[2].phases.server < lasted);
        let mut ended = Duration::ZERO;
        for command in &commands {
            assert!(command.at >= ended, "{mode}: one after the other: {command:?}");
            ended = command.ended();
        }
        assert!(ended <= lasted + Duration::from_secs(1) && ended >= SLOW, "{ended:?} {lasted:?}");
        assert!(!format!("{events:?}").contains("xyzzy"), "{events:#?}");
        check_life(&events, mode, id);
    }
}

/// One client came, by a login, and left; its backends were dialed.
fn check_life(events: &[Event], mode: &str, id: u32) {
    let came = came(events);
    assert_eq!(came.len(), 1, "{mode}");
    let login = came[0].login.expect("its login");
    assert_eq!((came[0].user.as_str(), came[0].client, came[0].is_own), ("crowd", id, false));
    assert!(login.took > Duration::ZERO && login.queue + login.backend <= login.took, "{mode}: {login:?}");
    assert!(events.iter().any(|event| matches!(event, Event::Left { client, .. } if *client == id)), "{mode}");
    let dialed = events.iter().filter(|event| matches!(event, Event::Dialed { .. })).count();
    assert_eq!(dialed > 0, mode != "observe", "{mode}: {events:#?}");
}

#[test]
fn many_clients_commands_are_counted_and_waits_are_told() {
    let server = shared(Kind::MariaDb1011);
    let (mut tidegate, path) = recorded(server, "transaction", 2, &[]);
    const EACH: usize = 40;
    std::thread::scope(|scope| {
        for number in 0..6 {
            let tidegate = &tidegate;
            scope.spawn(move || {
                let mut client = client(tidegate);
                for round in 0..EACH {
                    match round % 20 == number {
                        true => client.run("SELECT SLEEP(0.05)"),
                        false => client.run(&format!("SELECT {number}, {round}")),
                    };
                }
                client.quit();
            });
        }
    });
    tidegate.stop();
    let (_, events) = events(&path);
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    let commands = commands(&events);
    commands.iter().for_each(|command| *counts.entry(command.client).or_default() += 1);
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [EACH; 6]);
    assert!(commands.iter().any(|command| command.phases.queue > Duration::ZERO), "six on two");
    assert!(commands.iter().all(|command| {
        let phases = &command.phases;
        phases.queue + phases.restore + phases.server + phases.transfer <= phases.total
    }));
}

#[test]
fn literals_are_there_where_they_were_asked_for_and_passwords_never() {
    let server = shared(Kind::MariaDb1011);
    let (mut tidegate, path) = recorded(server, "transaction", 2, &["--record-literals"]);
    let mut client = client(&tidegate);
    client.rows("SELECT 'it''s me', 17");
    let prepared = client.prepare("SELECT CONCAT(?, 'x')").expect("a statement");
    client.execute(prepared, &["it's \\ you"]).expect("a row");
    let _ = client.ask("SET PASSWORD FOR nobody_there = PASSWORD('hidden')");
    let long = format!("DO '{}'", "x".repeat(100_000));
    client.run(&long);
    client.quit();
    tidegate.stop();
    let (summary, events) = events(&path);
    assert!(summary.origin.literals);
    let text = |text: &Option<Box<[u8]>>| text.as_ref().map(|text| String::from_utf8_lossy(text).into_owned());
    let texts: Vec<_> = commands(&events).iter().map(|command| (command.code, text(&command.text))).collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        texts,
        [
            (3, some("SELECT 'it''s me', 17")),
            (22, some("SELECT CONCAT(?, 'x')")),
            (23, some("SELECT CONCAT('it\\'s \\\\ you', 'x')")),
            (3, None),
            (3, None),
        ]
    );
    assert!(!format!("{events:?}").contains("hidden"));
}

#[test]
fn a_killed_tidegate_leaves_a_trace_that_is_used_up_to_its_cut() {
    let server = shared(Kind::MariaDb1011);
    let (mut tidegate, path) = recorded(server, "transaction", 2, &[]);
    let mut client = client(&tidegate);
    let began = Instant::now();
    let read = loop {
        client.run("SELECT 1");
        match load(&path) {
            Ok((summary, events)) if commands(&events).len() > 10 => break summary,
            _ => assert!(began.elapsed() < LIMIT, "nothing is written"),
        }
    };
    assert_eq!(read.ending, Ending::Cut, "it is still being recorded");
    tidegate.kill();
    let (summary, events) = load(&path).expect("a trace");
    assert_eq!(summary.ending, Ending::Cut);
    assert!(commands(&events).len() > 10);
}

#[test]
fn what_is_no_trace_is_not_overwritten() {
    let server = shared(Kind::MariaDb1011);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter");
    std::fs::write(&path, "Dear all").unwrap();
    let config = folder.path().join("proxy.toml");
    let text = format!("listen.address = \"127.0.0.1:0\"\nbackend.address = \"{}\"\n", server.address());
    std::fs::write(&config, format!("{text}admin.http = \"off\"\nadmin.sql = \"off\"\n")).unwrap();
    let [config, path] = [config, path].map(|path| path.display().to_string());
    let output = crate::tidegate::run(&["serve", "-c", &config, "--record", &path]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("not a trace") && said.contains("letter"), "{said}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "Dear all");
}
