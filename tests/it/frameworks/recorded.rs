//! The corpus is what the real frameworks send today: the same commands, the same statements but for their values.

use std::process::Command;

use tidegate::sql::digest::fingerprint;

use super::{Corpus, NAMES, Sent};
use crate::crowd::{self, USER, wish};
use crate::drivers::drivers;
use crate::scratch;
use crate::servers::Kind;
use crate::tidegate::Tidegate;

const MARK: &str = "DO 'request'";

#[test]
fn the_corpus_is_what_they_send() {
    for name in NAMES {
        let sent = record(name);
        if wish("RECORD").is_some() {
            sent.write(name);
        }
        let corpus = Corpus::read(name);
        for (part, sent, corpus) in [("start", sent.start, corpus.start), ("request", sent.request, corpus.request)] {
            assert_eq!(shapes(&corpus), shapes(&sent), "{name}, {part}: RECORD=1 writes the corpus anew");
        }
    }
}

/// The commands without their values.
fn shapes(part: &[Sent]) -> Vec<(String, String)> {
    part.iter().map(|sent| (sent.command.clone(), fingerprint(sent.text.as_bytes()))).collect()
}

/// Runs the application through tidegate, whose slow log has it all.
fn record(name: &str) -> Corpus {
    let server = crowd::server_of(Kind::MariaDb1011, &[]);
    let tidegate = Tidegate::in_front_of(
        &server,
        &format!(
            "pool.mode = \"session\"\n[slow_log]\nthreshold = \"0s\"\npath = \"slow.log\"\nformat = \"json\"\n\
             [[user]]\nname = \"{USER}\"\npassword = \"\"\n"
        ),
    );
    let output = Command::new(drivers().join("framework"))
        .arg(name)
        .env("TG_HOST", tidegate.address().ip().to_string())
        .env("TG_PORT", tidegate.address().port().to_string())
        .env("TG_USER", USER)
        .env("TG_SCHEMA", "crowd")
        .env("TG_REQUESTS", "3")
        .output()
        .expect("a script of tests/drivers");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    split(&written(&tidegate, 3))
}

/// All commands in the slow log, once so many marks are in it and no more is being written.
fn written(tidegate: &Tidegate, marks: usize) -> Vec<Sent> {
    let mut before = String::new();
    crowd::eventually("the slow log is complete", crowd::LIMIT, || {
        let log = scratch::read(&tidegate.file("slow.log"));
        let complete = log == before && log.matches(MARK).count() >= marks;
        before = log;
        complete
    });
    before.lines().map(sent).collect()
}

fn sent(line: &str) -> Sent {
    let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let text = |key: &str| line[key].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    Sent { command: text("command"), text: text("statement") }
}

/// The start, and the second request: at the first one there may be things to learn.
fn split(all: &[Sent]) -> Corpus {
    let is_mark = |sent: &Sent| sent.text == MARK;
    let marks: Vec<usize> = (0..all.len()).filter(|&at| is_mark(&all[at])).collect();
    Corpus { start: all[..marks[0]].to_vec(), request: all[marks[1] + 1..marks[2]].to_vec() }
}
