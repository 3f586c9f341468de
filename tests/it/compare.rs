//! `benches/compare` finds the proxies that are installed, configures each in its own words, and puts all of them into one table.
//! The peers are stand-ins that read their configuration strictly and pass bytes on.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::{env, fs};

use crate::tidegate;

/// Runs it, with the stand-ins of these names on the PATH; beside what it prints, what the stand-ins were told.
fn compare(peers: &[&str], options: &str) -> (String, Vec<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a folder");
    for peer in peers {
        let stand_in = root.join("tests/it/compare/fake_peer");
        std::os::unix::fs::symlink(stand_in, folder.path().join(peer)).expect("a link");
    }
    let log = folder.path().join("log");
    let usual = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([folder.path().to_owned()].into_iter().chain(env::split_paths(&usual)));
    let mut command = Command::new(root.join("benches/compare"));
    command.args([
        "--tidegate",
        tidegate::binary(),
        "--clients",
        "2",
        "--seconds",
        "1",
        "--rounds",
        "1",
        "--idle",
        "0",
    ]);
    command.args(["--calm", "1"]).args(options.split_whitespace());
    command.env("PATH", path.expect("a PATH")).env("FAKE_PEER_LOG", &log).stdin(Stdio::null());
    let output = command.output().expect("benches/compare");
    let told = fs::read_to_string(&log).unwrap_or_default();
    (printed(&output), told.lines().map(str::to_owned).collect())
}

fn printed(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The targets of the table's rows, and how wide each row is.
fn rows(table: &str) -> Vec<(String, usize)> {
    let rows = table.lines().filter(|line| line.starts_with("| text |"));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    rows.map(cells).map(|cells| (cells[2].clone(), cells.len())).collect()
}

#[test]
fn every_proxy_that_is_there_is_measured_beside_tidegate() {
    let (table, told) = compare(&["proxysql", "mysqlrouter", "maxscale"], "--mode transaction --pool-size 7");
    let targets =
        ["direct", "HAProxy", "ProxySQL", "MySQL Router", "MaxScale", "tidegate"].map(|name| (name.to_owned(), 12));
    assert_eq!(rows(&table), targets, "{table}");
    for version in ["ProxySQL 9.9.1-fake,", "MySQL Router 9.9.2,", "MaxScale 9.9.3,"] {
        assert!(table.contains(version), "{version}: {table}");
    }
    // Where tidegate shares its backends, so do they, over as many.
    assert_eq!(
        told,
        [
            "proxysql multiplexing=true backends=7 user=app",
            "mysqlrouter sharing=1 backends=7",
            "maxscale sharing=0s backends=7"
        ]
    );
}

#[test]
fn where_none_is_there_none_is_missed() {
    let (table, told) = compare(&["maxscale"], "--mode session --only direct,haproxy,tidegate,maxscale");
    let targets = ["direct", "HAProxy", "MaxScale", "tidegate"].map(|name| (name.to_owned(), 12));
    assert_eq!(rows(&table), targets, "{table}");
    assert_eq!(told, ["maxscale sharing=- backends=-"]);
    assert!(!table.contains("ProxySQL"), "{table}");
}
