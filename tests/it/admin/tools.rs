//! The console from the clients that people have: `mariadb`, `mysql`, PyMySQL, MariaDB Connector/J.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::crowd::{enter, tidegate};
use crate::servers::Kind;
use crate::tidegate::Tidegate;

const PASSWORD: &str = "the console's";

fn with_password() -> Tidegate {
    tidegate(super::server_of_all(), 1, &format!("admin.user = \"boss\"\nadmin.password = \"{PASSWORD}\""))
}

fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache");
    let usual = || std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("tidegate");
    std::env::var_os("TIDEGATE_CACHE").map_or_else(usual, PathBuf::from)
}

/// What a program prints that is told where the console is.
fn output(mut command: Command, tidegate: &Tidegate) -> String {
    let address = tidegate.admin("sql");
    command.env("TG_HOST", address.ip().to_string()).env("TG_PORT", address.port().to_string());
    command.env("TG_USER", "boss").env("TG_PASSWORD", PASSWORD);
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let all = [output.stdout, output.stderr].concat();
    let all = String::from_utf8_lossy(&all).into_owned();
    assert!(output.status.success(), "{command:?}: {all}\n{}", tidegate.log());
    all
}

/// A command-line client, told what to do.
fn client(program: &Path, more: &[&str], sql: &str, tidegate: &Tidegate) -> String {
    let address = tidegate.admin("sql");
    let mut command = Command::new(program);
    command.arg("--no-defaults").args(more).args(["--host", "127.0.0.1", "--user", "boss", "--table"]);
    command.arg(format!("--port={}", address.port())).env("MYSQL_PWD", PASSWORD).args(["--execute", sql]);
    output(command, tidegate)
}

const STATEMENTS: &str = "SHOW CLIENTS; SHOW PINS; SELECT @@version_comment; SHOW STATS LIKE 'pool_size'; RESET STATS; \
                          SHOW VERSION";

fn check(printed: &str) {
    for text in ["| crowd |", "transaction", "tidegate's console", "| pool_size | 1", "| tidegate "] {
        assert!(printed.contains(text), "no {text}:\n{printed}");
    }
}

#[test]
fn the_command_line_clients_of_both_families() {
    let tidegate = with_password();
    let mut pinned = enter(&tidegate);
    pinned.run("BEGIN");
    pinned.run("SELECT 1");
    let mariadb = Path::new("/usr/bin/mariadb");
    for tls in ["--skip-ssl", "--ssl"] {
        check(&client(mariadb, &[tls], STATEMENTS, &tidegate));
    }
    if Kind::Mysql9.is_here() {
        let mysql = cache().join("mysql9/bin/mysql");
        for tls in ["--ssl-mode=DISABLED", "--ssl-mode=REQUIRED"] {
            check(&client(&mysql, &[tls], STATEMENTS, &tidegate));
        }
    }
    if Kind::MariaDb11.is_here() {
        // It verifies the certificate, by what it knows of the password.
        let newer = cache().join("mariadb11/bin/mariadb");
        check(&client(&newer, &[], STATEMENTS, &tidegate));
    }
}

#[test]
fn pymysql() {
    let tidegate = with_password();
    let mut pinned = enter(&tidegate);
    pinned.run("BEGIN");
    let mut command = Command::new(cache().join("drivers/python/bin/python"));
    command.arg("-B").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers/python/console.py"));
    assert_eq!(output(command, &tidegate), "pins 1 transaction crowd float\nkilled\nerror 1064\nstats 1\n");
}

#[test]
fn mariadb_connector_j() {
    let tidegate = with_password();
    let mut pinned = enter(&tidegate);
    pinned.run("BEGIN");
    let mut command = Command::new("java");
    command.args(["-cp", "/usr/share/java/mariadb-java-client.jar"]);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers/java/Console.java"));
    let expected = "text transaction crowd\nbinary transaction crowd\nvalid true\ncatalog null\nerror 1064\n";
    assert_eq!(output(command, &tidegate), expected);
}
