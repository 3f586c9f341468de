//! The command line: tables and files, what-ifs, and one line for what cannot be used.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::simulated;
use crate::tidegate::run;
use tidegate::stats::record::Phases;
use tidegate::stats::trace::{Came, Command, Event, Held, Login, Origin, PoolFacts, TraceSettings, Traces};

/// A trace of 10 clients that each send a command of 10 ms every 40 ms, every third time a transaction of two.
fn trace(folder: &Path) -> PathBuf {
    let path = folder.join("t.trace");
    let pool = PoolFacts {
        size: 10,
        max_overflow: 0,
        min_idle: 0,
        checkout_timeout: Duration::from_secs(60),
        max_lifetime: Duration::from_secs(1800),
        idle_timeout: None,
        ping_after: Some(Duration::from_secs(30)),
        reset_on_return: "auto".into(),
        caps: Vec::new(),
    };
    let origin = Origin {
        version: "0.1.0".into(),
        recording: 5,
        part: 1,
        began: Duration::from_secs(1_795_359_511),
        mode: "transaction".into(),
        pool,
        server: Some("10.11.6-MariaDB".into()),
        literals: false,
    };
    let ms = Duration::from_millis;
    let traces = Traces::default();
    traces.start(TraceSettings::to(&path), origin).unwrap();
    let recording = traces.current().unwrap();
    let mut events = Vec::new();
    for client in 0..10_u32 {
        let came = ms(u64::from(client) * 4);
        let login = Some(Login { took: ms(2), queue: Duration::ZERO, backend: ms(1) });
        let id = 0x4000_0001 + client;
        events.push((
            came + ms(2),
            Event::Came(Came { at: came, client: id, user: "app".into(), login, ..Came::default() }),
        ));
        let mut at = came + ms(2);
        for round in 0..100 {
            at += ms(30);
            let held = if round % 3 == 0 { Held::Pinned("transaction".into()) } else { Held::Free };
            let phases = Phases { server: ms(10), total: ms(10), ..Phases::default() };
            events.push((
                at + ms(10),
                Event::Command(Command { at, client: id, code: 3, phases, held, ..Command::default() }),
            ));
            at += ms(10);
        }
        events.push((at + ms(10), Event::Left { at: at + ms(10), client: id }));
    }
    events.push((ms(3), Event::Dialed { at: ms(3), took: ms(2), wait_timeout: Some(Duration::from_secs(28_800)) }));
    events.sort_by_key(|(at, _)| *at);
    events.into_iter().for_each(|(_, event)| recording.offer(event));
    drop(recording);
    traces.stop(Duration::from_secs(20)).unwrap();
    path
}

fn number(value: &serde_json::Value, path: &[&str]) -> f64 {
    path.iter().fold(value, |value, name| &value[*name]).as_f64().unwrap_or_else(|| panic!("{path:?}"))
}

#[test]
fn the_table_the_curve_and_the_advice_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let trace = trace(folder.path()).display().to_string();
    let output = run(&["simulate", &trace, "--size", "2..10/2", "--mode", "transaction,session"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success());
    assert_eq!(output.stderr, b"");
    assert!(text.starts_with("1000 commands of 10 clients in 4 s, recorded 2026-11-22T"), "{text}");
    for line in ["as recorded", "transaction     2", "session        10", "queue p99 by size"] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let advice = text.lines().find(|line| line.starts_with("transaction: 10 -> ")).expect(&text);
    assert!(advice.contains("at p99"), "{advice}");
    assert!(text.contains("session: 10 connections"), "{text}");
}

#[test]
fn all_forms_say_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = trace(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let [csv, html] = [file("x.csv"), file("x.html")];
    let told = simulated(&path, &["--size", "3,10", "--csv", &csv, "--html", &html]);
    let csv = fs::read_to_string(csv).unwrap();
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 3);
    for (line, setting) in lines[1..].iter().zip(told["settings"].as_array().unwrap()) {
        let column = |name: &str| line[lines[0].iter().position(|column| *column == name).expect(name)];
        assert_eq!(column("mode"), setting["mode"]);
        for (name, path) in [
            ("size", &["size"][..]),
            ("connections_peak", &["connections", "peak"]),
            ("queue_p99", &["queue", "p99"]),
            ("total_max", &["total", "max"]),
            ("timeouts", &["timeouts"]),
        ] {
            let cell: f64 = column(name).parse().expect(name);
            assert!((cell - number(setting, path)).abs() < 1e-6, "{name}");
        }
    }
    assert_eq!((told["trace"]["commands"].as_u64(), told["trace"]["cut"].as_bool()), (Some(1000), Some(false)));
    let html = fs::read_to_string(html).unwrap();
    assert!(html.contains("<svg") && html.contains("queue against pool.size") && !html.contains("http://127"));
    assert!(!html.contains("<script") && !html.contains("src="), "it needs nothing from elsewhere");
}

#[test]
fn what_ifs_change_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = trace(folder.path());
    let of = |arguments: &[&str]| simulated(&path, &[&["--size", "4"], arguments].concat())["settings"][0].clone();
    let plain = of(&[]);
    let queue = |value: &serde_json::Value| number(value, &["queue", "p99"]);
    assert_eq!(plain["total"]["count"], 1000);
    let twice = of(&["--clients", "x2"]);
    assert_eq!(twice["total"]["count"], 2000);
    assert!(queue(&twice) > queue(&plain) + 0.005, "{} {}", queue(&twice), queue(&plain));
    assert_eq!(of(&["--clients", "x0.5"])["total"]["count"], 500);
    let slower = of(&["--server-time", "x3"]);
    assert!(number(&slower, &["total", "p50"]) > 0.029 && queue(&slower) > queue(&plain));
    let slow = of(&["--slow-query-every", "1s:500ms"]);
    assert!(number(&slow, &["total", "max"]) >= 0.5 && number(&plain, &["total", "max"]) < 0.3);
    let half = simulated(&path, &["--size", "x0.5"])["settings"][0].clone();
    assert_eq!(half["size"], 5);
    let overflow = of(&["--max-overflow", "3"]);
    assert!(number(&overflow, &["connections", "peak"]) > 4.0 && number(&plain, &["connections", "peak"]) == 4.0);
    let impatient = of(&["--clients", "x5", "--checkout-timeout", "20ms"]);
    assert!(number(&impatient, &["timeouts"]) > 10.0);
    // The same each time.
    assert_eq!(of(&["--clients", "x1.5"]), of(&["--clients", "x1.5"]));
}

#[test]
fn a_cut_trace_is_used_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = trace(folder.path());
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 16]).unwrap();
    let output = run(&["simulate", &path.display().to_string()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(said.lines().count(), 1);
    assert!(said.contains("cut off") && said.contains("1000 commands"), "{said}");
}

#[test]
fn what_cannot_be_used_is_one_line_and_exit_2() {
    let folder = tempfile::tempdir().unwrap();
    let path = trace(folder.path());
    let good = path.display().to_string();
    let bytes = fs::read(&path).unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let mut damaged = bytes.clone();
    let middle = bytes.len() / 2;
    damaged[middle] ^= 0xFF;
    let [damaged, foreign, headless, missing] = [
        file("damaged", &damaged),
        file("foreign", b"SELECT 1;\nSELECT 2;\n"),
        file("headless", &bytes[..50]),
        folder.path().join("missing").display().to_string(),
    ];
    for (arguments, word) in [
        (vec!["simulate", &damaged], "damaged"),
        (vec!["simulate", &foreign], "not a trace"),
        (vec!["simulate", &headless], "cut off within its head"),
        (vec!["simulate", &missing], "No such file"),
        (vec!["simulate", &good, "--html", "/nonexistent/x"], "/nonexistent/x"),
        (vec!["simulate", &good, "--size", "1..100000/1"], "--size"),
    ] {
        let output = run(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.contains(word), "{word}: {said}");
    }
    for wrong in
        [["--size", "0"], ["--size", "9..5"], ["--clients", "x0"], ["--mode", "observe"], ["--server-time", "fast"]]
    {
        let output = run(&["simulate", &good, wrong[0], wrong[1]]);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(wrong[0]), "{wrong:?}");
    }
}
