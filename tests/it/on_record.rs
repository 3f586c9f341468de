//! What was sent through tidegate, and how long it took, is what stands on record: checked by outside tools and drivers.

mod disk;
mod explain;
mod honest;
mod log;
mod parameters;
mod slow;
mod views;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::crowd::{LIMIT, eventually};
use crate::scratch;
use crate::servers::Server;
use crate::tidegate::Tidegate;

const MODES: [&str; 3] = ["transaction", "session", "observe"];

/// tidegate with a slow log that holds everything; `more` is dotted keys.
fn start(server: &Server, mode: &str, format: &str, more: &str) -> Tidegate {
    let config = format!(
        "pool.mode = \"{mode}\"\nslow_log.threshold = \"0s\"\nslow_log.path = \"slow.log\"\nslow_log.format = \"{format}\"\n\
         {more}\n[[user]]\nname = \"root\"\npassword = \"\"\n"
    );
    Tidegate::in_front_of(server, &config)
}

/// The objects of a slow log in JSON, once one of them is the last.
fn objects(tidegate: &Tidegate, is_last: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut objects = Vec::new();
    eventually("the slow log is complete", LIMIT, || {
        let log = scratch::read(&tidegate.file("slow.log"));
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        objects = whole.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        objects.iter().any(&is_last)
    });
    objects
}

/// Those that hold this text.
fn with_text<'a>(objects: &'a [Value], text: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| statement(object).contains(text)).collect()
}

fn statement(object: &Value) -> &str {
    object["statement"].as_str().expect("a statement")
}

/// Runs a tool on a file, and returns what it prints.
fn tool(name: &str, package: &str, arguments: &[&str], file: &Path) -> String {
    let output = Command::new(name).args(arguments).arg(file).env("HOME", "/nonexistent").output();
    let output = output.unwrap_or_else(|error| panic!("{name}: {error}; apt-get install {package}"));
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs what a driver does.
fn with_driver<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(120), work).await.expect("in two minutes") })
}
