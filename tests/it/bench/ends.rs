//! How a bench ends: with its private server, by Ctrl-C, by SIGKILL, without its server.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use super::{Site, bench, cells, json, number, succeeded};
use crate::scratch;
use crate::servers::{Kind, Server};

const LIMIT: Duration = Duration::from_secs(60);

/// Starts it, and reads its progress until a line begins so.
fn started(command: &mut Command, until: &str) -> Child {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let begun = lines.by_ref().any(|line| line.is_ok_and(|line| line.starts_with(until)));
    assert!(begun, "no line {until}");
    // What follows is read, so that the bench never waits for its reader.
    thread::spawn(move || lines.for_each(drop));
    child
}

fn exit_code(child: &mut Child) -> Option<i32> {
    let limit = Instant::now() + LIMIT;
    while Instant::now() < limit {
        if let Some(status) = child.try_wait().expect("its status") {
            return status.code();
        }
        thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    panic!("it does not end");
}

#[test]
fn a_private_server_comes_and_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("tmp");
    fs::create_dir(&place).expect("a folder");
    let json_file = folder.path().join("out.json");
    let options =
        "--size 2 --clients 4 --seconds 0.4 --warm-up 0 --repeats 1 --workload point-select --think 1ms --json";
    let mut command = bench(options);
    let table = succeeded(command.arg(&json_file).env("TMPDIR", &place).output().expect("the binary"));
    assert!(table.contains("a private server"), "{table}");
    let report = json(&json_file);
    assert_eq!(cells(&report).len(), 2);
    // Its process is the bench's own, so its CPU time is always seen.
    assert!(cells(&report)[1]["runs"][0]["server_cpu_cores"].as_f64().is_some());
    assert_eq!(fs::read_dir(&place).expect("a folder").count(), 0, "nothing of it is left");
}

#[test]
fn nothing_is_left_of_a_bench_that_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = bench("--size 2 --clients 4 --seconds 30 --workload point-select");
    let mut child = started(command.env("TMPDIR", folder.path()), "1/");
    let pids = || pid_files(folder.path());
    let server = pids().pop().expect("a server's pid");
    child.kill().expect("killed");
    child.wait().expect("ended");
    let limit = Instant::now() + LIMIT;
    let is_there = || fs::read_to_string(format!("/proc/{server}/comm")).is_ok_and(|name| name.starts_with("mariadbd"));
    while is_there() || fs::read_dir(folder.path()).expect("a folder").count() > 0 {
        assert!(Instant::now() < limit, "the server or its folder is still there");
        thread::sleep(Duration::from_millis(20));
    }
}

fn pid_files(folder: &std::path::Path) -> Vec<String> {
    let folders = fs::read_dir(folder).expect("a folder").flatten();
    folders
        .filter_map(|entry| fs::read_to_string(entry.path().join("mariadb.pid")).ok())
        .map(|s| s.trim().into())
        .collect()
}

#[test]
fn ctrl_c_keeps_what_was_measured() {
    let site = Site::new("bench_stopped");
    let options = "--size 2,4 --clients 4 --seconds 0.4 --warm-up 0 --repeats 500 --workload point-select --think 1ms";
    let mut child = started(&mut site.command(options), "5/1500");
    scratch::signal(child.id(), "INT");
    assert_eq!(exit_code(&mut child), Some(130));
    let report = site.json();
    assert_eq!((number(&report["rounds"]), number(&report["rounds_planned"])), (1, 500));
    assert_eq!(cells(&report).len(), 3);
    let runs: usize = cells(&report).iter().filter_map(|cell| cell["runs"].as_array()).map(Vec::len).sum();
    assert!(runs >= 4, "{report}");
    assert_eq!(Server::shared(Kind::MariaDb1011).sql("SHOW TABLES IN bench_stopped"), "", "its table is dropped");
}

#[test]
fn the_loss_of_the_server_keeps_what_was_measured() {
    let server = Server::start(Kind::MariaDb1011, &[]);
    let site = Site::on(&server, "bench_lost");
    let options = "--size 2 --clients 4 --seconds 0.4 --warm-up 0 --repeats 500 --workload point-select --think 1ms";
    let mut child = started(&mut site.command(options), "3/1000");
    server.kill();
    assert_eq!(exit_code(&mut child), Some(1));
    let report = site.json();
    assert_eq!(cells(&report).len(), 2);
    assert!(cells(&report).iter().all(|cell| number(&cell["runs"][0]["requests"]) > 0), "{report}");
}
