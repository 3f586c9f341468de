//! What cannot be done is said in one clear line before anything is measured, with exit status 2.

use super::{Site, bench};
use crate::servers::{Kind, Server};

/// The one line that it says.
pub(super) fn refused(options: &str) -> String {
    let output = bench(options).output().expect("the binary");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{options}: {stderr}");
    assert!(output.stdout.is_empty() && stderr.lines().count() == 1, "{options}: {stderr}");
    stderr
}

#[test]
fn options_that_make_no_sense() {
    for (options, said) in [
        ("--size 0", "--size 0: it must be at least 1"),
        ("--size 5,0,10", "--size 0: it must be at least 1"),
        ("--clients 0", "--clients 0: it must be at least 1"),
        ("--rate 0", "--rate 0: it must be at least 1"),
        ("--repeats 0", "--repeats 0"),
        ("--seconds 0", "--seconds 0"),
        (
            "--workload nonsense",
            "--workload nonsense: neither one of point-select, read-write, mixed, connect nor a file",
        ),
        ("--server app@127.0.0.1", "--server: there is no /SCHEMA"),
        ("--html /nowhere/report.html", "/nowhere/report.html: No such file"),
    ] {
        let line = refused(options);
        assert!(line.starts_with("tidegate bench: ") && line.contains(said), "{options}: {line}");
    }
}

#[test]
fn options_that_do_not_exist() {
    for options in ["--mode observe", "--mode nonsense", "--size x", "--size -1", "--rate 5 --think 1s", "--nonsense"] {
        let output = bench(options).output().expect("the binary");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{options}: {stderr}");
        assert!(stderr.starts_with("error: "), "{options}: {stderr}");
    }
}

#[test]
fn a_server_that_cannot_be_used() {
    let server = Server::shared(Kind::MariaDb1011);
    let (address, closed) = (server.address(), crate::ports::free_port());
    for (options, said) in [
        (format!("root@127.0.0.1:{closed}/mysql"), "cannot connect to 127.0.0.1"),
        (format!("root:wrong@{address}/mysql"), "ERROR 1045"),
        (format!("root@{address}/no_such_schema"), "ERROR 1049"),
    ] {
        let line = refused(&format!("--server {options}"));
        assert!(line.contains(said) && !line.contains("wrong"), "{line}");
    }
}

#[test]
fn a_stranger_that_answers_there() {
    use std::io::Write;
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = stranger.local_addr().expect("address");
    std::thread::spawn(move || {
        for mut stream in stranger.incoming().flatten() {
            let _ = stream.write_all(b"\x08\0\0\0HTTP/1.1");
        }
    });
    let line = refused(&format!("--server root@{address}/mysql"));
    assert!(line.contains("what answers there is no MySQL server"), "{line}");
}

#[test]
fn a_file_of_sql_that_cannot_be_used() {
    let site = Site::new("bench_bad_sql");
    let folder = site.folder.path().to_str().expect("UTF-8").to_owned();
    let server = &site.server;
    for (workload, said) in [
        (folder, "Is a directory"),
        (site.file("empty.sql", "-- nothing\n"), "there is no statement in it"),
        (site.file("weight.sql", "-- weight 0\nSELECT 1;"), "line 1: a weight is a whole number"),
        (site.file("quote.sql", "SELECT 1;\nSELECT 'x;\n"), "line 2: a string"),
        (site.file("syntax.sql", "SELECT 1;\n\nSELEC 2;\n"), "line 3: ERROR 1064"),
        (site.file("table.sql", "SELECT * FROM no_such_table;"), "line 1: ERROR 1146"),
    ] {
        let line = refused(&format!("--server {server} --workload {workload}"));
        assert!(line.contains(said), "{workload}: {line}");
    }
}

#[test]
fn a_table_that_is_not_the_benchs_own_is_left_alone() {
    let site = Site::new("bench_foreign");
    let server = Server::shared(Kind::MariaDb1011);
    server.sql(
        "CREATE TABLE bench_foreign.tidegate_bench (dear INT); INSERT INTO bench_foreign.tidegate_bench VALUES (1)",
    );
    let line = refused(&format!("--server {}", site.server));
    assert!(line.contains("a table tidegate_bench that no bench made"), "{line}");
    assert_eq!(server.sql("SELECT dear FROM bench_foreign.tidegate_bench"), "1");
}

#[test]
fn one_bench_at_a_time_in_a_schema() {
    let site = Site::new("bench_busy");
    let server = Server::shared(Kind::MariaDb1011);
    let name = "tidegate_bench.bench_busy";
    let holder = std::thread::spawn(move || server.sql(&format!("SELECT GET_LOCK('{name}', 0), SLEEP(30)")));
    while server.sql(&format!("SELECT IS_USED_LOCK('{name}') IS NOT NULL")) != "1" {
        std::thread::yield_now();
    }
    let line = refused(&format!("--server {}", site.server));
    assert!(line.contains("another tidegate bench is at work"), "{line}");
    server.sql(&format!("KILL QUERY IS_USED_LOCK('{name}')"));
    let _ = holder.join();
}
