//! The Rust drivers, mysql_async and sqlx: each sees the same through tidegate as direct, with TLS and without.

use std::fmt::{Debug, Write};
use std::fs;
use std::future::Future;
use std::path::Path;

use crate::drivers::{assert_equal, has_tls, modes, server, tidegate};
use crate::servers::Kind;

mod mysql_async_session;
mod sqlx_session;

const BIG: usize = 17 * 1024 * 1024;
const MANY: &str = "SELECT n, s FROM many ORDER BY n";
const WRONG: [&str; 9] = [
    "SELEKT 1",
    "SELECT * FROM missing",
    "SELECT missing FROM digit",
    "INSERT INTO digit VALUES (1)",
    "INSERT INTO digit VALUES ('not a number')",
    "SELECT no_function(1)",
    "DROP TABLE missing",
    "SELECT (SELECT n FROM digit)",
    "CALL nothing()",
];

#[test]
fn mysql_async_plain() {
    compare("mysql_async", false, mysql_async_session::run);
}

#[test]
fn mysql_async_tls() {
    compare("mysql_async", true, mysql_async_session::run);
}

#[test]
fn sqlx_plain() {
    compare("sqlx", false, sqlx_session::run);
}

#[test]
fn sqlx_tls() {
    compare("sqlx", true, sqlx_session::run);
}

/// Where a session runs.
#[derive(Clone)]
struct Place {
    port: u16,
    tls: bool,
    schema: String,
}

/// What a session saw, a line per observation, without its schema's name and its host.
struct Lines {
    text: String,
    schema: String,
}

impl Lines {
    fn new(place: &Place) -> Lines {
        Lines { text: String::new(), schema: place.schema.clone() }
    }

    fn add(&mut self, what: &str, value: impl Debug) {
        let line = format!("{what}: {value:?}");
        let line = mask_host(&line.replace(&self.schema, "SCHEMA"));
        let _ = writeln!(self.text, "{}", shorten(&line));
    }
}

fn compare<S, F>(name: &str, tls: bool, session: S)
where
    S: Fn(Place) -> F,
    F: Future<Output = String>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    for kind in Kind::here() {
        // This build of sqlx has no RSA, so a caching_sha2 account needs TLS.
        if name == "sqlx" && kind == Kind::Mysql9 && !tls {
            continue;
        }
        let schema = format!("{name}_{}", u8::from(tls));
        let direct = Place { port: server(kind).port(), tls: tls && has_tls(kind), schema };
        let expected = runtime.block_on(session(direct.clone()));
        for mode in modes() {
            let tidegate = tidegate(server(kind), tls, &mode);
            let through = Place { port: tidegate.address().port(), tls, ..direct.clone() };
            let seen = runtime.block_on(session(through));
            assert_equal(&format!("{name} on {kind} in mode {mode}"), &expected, &seen);
        }
    }
}

/// The statements that make the schema, as all other drivers run them.
fn setup(schema: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers/tables.sql");
    let tables = fs::read_to_string(file).expect("tests/drivers/tables.sql");
    let mut statements = vec![
        format!("DROP DATABASE IF EXISTS {schema}"),
        format!("CREATE DATABASE {schema} DEFAULT CHARACTER SET utf8mb4"),
        format!("USE {schema}"),
    ];
    let tables = tables.split(";;\n").filter(|sql| !sql.trim().is_empty());
    statements.extend(tables.map(str::to_owned));
    statements
}

fn rolling(total: u64, n: u64, text: &str) -> u64 {
    (total * 31 + n + text.len() as u64) % 1_000_000_007
}

fn shorten(line: &str) -> String {
    match line.char_indices().nth(4000) {
        None => line.to_owned(),
        Some((end, _)) => format!("{} .. {} bytes", &line[..end], line.len()),
    }
}

fn mask_host(line: &str) -> String {
    let Some(at) = line.find("'@'") else {
        return line.to_owned();
    };
    let host = &line[at + 3..];
    let end = host.find('\'').unwrap_or(host.len());
    format!("{}'@'HOST{}", &line[..at], &host[end..])
}
