//! The slow log's file: rotated by size, opened anew for logrotate, and no query waits for the disk.

use std::fs::OpenOptions;
use std::process::Command;

use super::{objects, start, statement, tool};
use crate::crowd::{Client, LIMIT, eventually};
use crate::scratch;
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

fn client(tidegate: &Tidegate) -> Client {
    Client::login(tidegate.address(), "root", "").unwrap_or_else(|trouble| panic!("{trouble}"))
}

#[test]
fn sighup_opens_both_files_anew() {
    let tidegate = start(Server::shared(Kind::MariaDb1011), "transaction", "json", "histogram.path = \"all.hlog\"");
    let mut client = client(&tidegate);
    client.run("DO 'before'");
    objects(&tidegate, |object| statement(object) == "DO 'before'");
    tidegate.signal("USR1");
    tidegate.await_log("latency since the start", LIMIT);
    for name in ["slow.log", "all.hlog"] {
        std::fs::rename(tidegate.file(name), tidegate.file(&format!("{name}.moved"))).expect("a file");
    }
    tidegate.signal("HUP");
    eventually("both are there again", LIMIT, || {
        ["slow.log", "all.hlog"].iter().all(|name| tidegate.file(name).exists())
    });
    client.run("DO 'after'");
    let objects = objects(&tidegate, |object| statement(object) == "DO 'after'");
    assert!(objects.iter().all(|object| statement(object) != "DO 'before'"), "{objects:#?}");
    assert!(!scratch::read(&tidegate.file("slow.log.moved")).contains("DO 'after'"));
}

#[test]
fn rotated_files_hold_whole_records_and_their_number_is_bounded() {
    let more = "slow_log.max_size = \"16KiB\"\nslow_log.keep = 3";
    let mut tidegate = start(Server::shared(Kind::MariaDb1011), "session", "mysql", more);
    let mut client = client(&tidegate);
    (0..400).for_each(|number| drop(client.run(&format!("DO 'number {number}'"))));
    client.quit();
    tidegate.stop();
    let names = ["slow.log.3", "slow.log.2", "slow.log.1", "slow.log"];
    let print = "do { print STDOUT \"$event->{arg}\\n\"; 1 }";
    let mut texts = Vec::new();
    for name in names {
        let file = tidegate.file(name);
        assert!(std::fs::metadata(&file).expect(name).len() <= 16 << 10, "{name}");
        let events = tool("pt-query-digest", "percona-toolkit", &["--no-report", "--filter", print], &file);
        texts.extend(events.lines().map(str::to_owned));
    }
    assert!(!tidegate.file("slow.log.4").exists());
    let last = texts.len();
    let expected: Vec<_> = (400 - last..400).map(|number| format!("DO 'number {number}'")).collect();
    assert!(last > 50 && texts == expected, "{last}: {texts:?}");
}

#[test]
fn a_stuck_disk_costs_records_and_no_query() {
    let server = Server::shared(Kind::MariaDb1011);
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    // Nobody reads it: the writer is stuck as soon as it is full.
    let _held_open = OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let config = format!(
        "slow_log.threshold = \"0s\"\nslow_log.path = \"{}\"\n[[user]]\nname = \"root\"\npassword = \"\"\n",
        pipe.display()
    );
    let mut tidegate = Tidegate::in_front_of(server, &config);
    let mut client = client(&tidegate);
    let long = format!("DO '{}'", "x".repeat(100_000));
    (0..300).for_each(|_| drop(client.run(&long)));
    tidegate.await_log("records of the slow log were lost", LIMIT);
    assert_eq!(client.value("SELECT 'still served'"), "still served");
    client.quit();
    assert_eq!(tidegate.stop().code(), Some(0));
}
