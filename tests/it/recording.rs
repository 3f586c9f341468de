//! Traces: what was sent through tidegate is what stands in them, and no literal unless asked; from the start and by the console.

mod console;
mod truth;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::crowd::{Client, USER, config};
use crate::servers::Server;
use crate::tidegate::Tidegate;
use tidegate::stats::trace::{Came, Command, Ending, Event, Summary, load};

/// tidegate with so many backends, which puts everything on record from its start.
fn recorded(server: &Server, mode: &str, size: usize, arguments: &[&str]) -> (Tidegate, PathBuf) {
    let config = config(size, "").replacen(&crate::crowd::mode(), mode, 1);
    let tidegate = Tidegate::serving(server, &config, &[&["--record", "t.trace"], arguments].concat());
    let path = tidegate.file("t.trace");
    (tidegate, path)
}

/// The whole of a trace.
fn events(path: &Path) -> (Summary, Vec<Event>) {
    let (summary, events) = load(path).expect("a trace");
    assert_eq!((summary.ending, summary.lost), (Ending::Whole, 0), "{summary:?}");
    (summary, events)
}

fn commands(events: &[Event]) -> Vec<&Command> {
    let mut found = Vec::new();
    events.iter().for_each(|event| {
        if let Event::Command(command) = event {
            found.push(command)
        }
    });
    found
}

/// Who came.
fn came(events: &[Event]) -> Vec<&Came> {
    let mut found = Vec::new();
    events.iter().for_each(|event| {
        if let Event::Came(came) = event {
            found.push(came)
        }
    });
    found
}

fn client(tidegate: &Tidegate) -> Client {
    Client::login(tidegate.address(), USER, "").unwrap_or_else(|trouble| panic!("{trouble}\n{}", tidegate.log()))
}

/// What one of the statements takes at the server.
const SLOW: Duration = Duration::from_millis(120);
