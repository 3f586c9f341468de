//! What the two links carry beside statements: replication, TLS, Unix sockets, PROXY headers, long silence.

mod idle;
mod proxy_protocol;
mod replication;
mod tls;
mod unix;

use std::process::{Command, Stdio};

use crate::tidegate::Tidegate;

/// Both modes in which a client has its backend to itself.
const MODES: [&str; 2] = ["observe", "session"];

/// tidegate in this mode, where root's empty password is known; more keys of the form `table.key = value` may follow.
fn config(mode: &str, more: &str) -> String {
    format!("pool.mode = \"{mode}\"\n{more}\n[[user]]\nname = \"root\"\npassword = \"\"\n")
}

/// What MariaDB's own client prints for this statement as root over TCP; `Err`: its complaint.
fn ask(tidegate: &Tidegate, options: &[&str], sql: &str) -> Result<String, String> {
    let port = format!("--port={}", tidegate.address().port());
    run(&[&["--host=127.0.0.1", "--protocol=tcp", &port], options].concat(), sql)
}

fn run(options: &[&str], sql: &str) -> Result<String, String> {
    let output = Command::new("/usr/bin/mariadb")
        .args(["--no-defaults", "--user=root", "--batch", "--skip-column-names"])
        .args(options)
        .args(["--execute", sql])
        .stdin(Stdio::null())
        .output()
        .expect("the mariadb client");
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
