//! What frameworks and pools really send, on record, pins hardly anything: 200 such clients live on 5 backends.
//!
//! `RECORD=1` writes the corpus anew.

mod recorded;
mod workload;

use std::fs;
use std::path::{Path, PathBuf};

const NAMES: [&str; 6] = ["sqlalchemy", "django", "mysql2", "hikari", "rails", "laravel"];

/// One command as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sent {
    /// `Query`, `Prepare`, `Execute`, `Ping` ..
    command: String,
    /// Its text on one line; empty where the command has none.
    text: String,
}

/// What one framework sends.
#[derive(Clone, Debug, Default)]
struct Corpus {
    /// Until it serves requests.
    start: Vec<Sent>,
    /// For each request.
    request: Vec<Sent>,
}

impl Corpus {
    fn read(name: &str) -> Corpus {
        let text = fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut corpus = Corpus::default();
        let mut in_request = false;
        for line in text.lines() {
            match line.split_once('\t') {
                None => in_request |= line == "-- each request",
                Some((command, text)) => {
                    let part = if in_request { &mut corpus.request } else { &mut corpus.start };
                    part.push(Sent { command: command.into(), text: text.into() });
                }
            }
        }
        assert!(!corpus.start.is_empty() && !corpus.request.is_empty(), "{name}");
        corpus
    }

    fn write(&self, name: &str) {
        let line = |sent: &Sent| format!("{}\t{}\n", sent.command, sent.text);
        let lines = |part: &[Sent]| part.iter().map(line).collect::<String>();
        let head =
            format!("-- What {name} sends (tests/drivers/framework), a command a line: its name, a tab, its text.");
        let text = format!("{head}\n-- at its start\n{}-- each request\n{}", lines(&self.start), lines(&self.request));
        fs::write(file(name), text).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/corpus/frameworks/{name}.sql"))
}
