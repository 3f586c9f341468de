//! A private MariaDB in a temporary folder, on a free port of 127.0.0.1. It ends, and its folder goes, with this process, however
//! that ends: a small shell waits for the end of a pipe that only this process holds open.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::Failure;
use super::account::Account;

/// How long it may take to start.
const START: Duration = Duration::from_secs(60);

/// `$0`: the folder; `$@`: the server and its arguments. A terminal's Ctrl-C is for tidegate alone.
const GUARD: &str = r#"trap '' INT TERM HUP
"$@" </dev/null >"$0/server.log" 2>&1 &
server=$!
while read -r _; do :; done
kill -KILL "$server"
wait "$server" 2>/dev/null
rm -rf "$0""#;

/// A running server.
pub(super) struct Private {
    pub account: Account,
    pub pid: u32,
    guard: Child,
    folder: TempDir,
}

impl Private {
    /// Installs and starts one that takes so many clients, and waits until it greets. Takes some seconds.
    ///
    /// # Errors
    /// MariaDB's server is not installed; it does not start.
    pub async fn start(clients: usize) -> Result<Private, Failure> {
        let (server, install) = (program("mariadbd")?, program("mariadb-install-db")?);
        let broken = |what: &str, why: String| Failure::Input(format!("the private MariaDB: {what}: {why}"));
        let folder = tempfile::Builder::new().prefix("tidegate-bench-").tempdir();
        let folder = folder.map_err(|error| broken("a temporary folder", error.to_string()))?;
        install_in(folder.path(), &install).map_err(|error| broken("mariadb-install-db", error))?;
        let port = free_port().map_err(|error| broken("a free port", error.to_string()))?;
        let account = Account::parse(&format!("bench:bench@127.0.0.1:{port}/bench")).map_err(Failure::Input)?;
        fs::write(folder.path().join("init.sql"), INIT).map_err(|error| broken("init.sql", error.to_string()))?;
        let guard = launch(folder.path(), &server, port, clients).map_err(|error| broken("sh", error.to_string()))?;
        let mut private = Private { account, pid: 0, guard, folder };
        private.pid = private.await_pid().await.map_err(|error| broken("mariadbd", error))?;
        Ok(private)
    }

    /// The server writes its pid when it accepts connections.
    async fn await_pid(&mut self) -> Result<u32, String> {
        let began = Instant::now();
        let file = self.folder.path().join("mariadb.pid");
        loop {
            if let Some(pid) = fs::read_to_string(&file).ok().and_then(|pid| pid.trim().parse().ok()) {
                return Ok(pid);
            }
            let log = fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
            if log.contains("Aborting") || began.elapsed() > START {
                return Err(format!("it does not start: {}", last_error(&log)));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

const INIT: &str = "CREATE DATABASE IF NOT EXISTS bench;
CREATE USER IF NOT EXISTS 'bench'@'127.0.0.1' IDENTIFIED VIA mysql_native_password USING PASSWORD('bench');
GRANT ALL ON *.* TO 'bench'@'127.0.0.1';
";

fn install_in(folder: &Path, install: &Path) -> Result<(), String> {
    let mut command = Command::new(install);
    command.arg("--no-defaults").args(as_root());
    command.args([format!("--datadir={}", folder.join("data").display()), format!("--tmpdir={}", folder.display())]);
    command.args(["--skip-test-db", "--auth-root-authentication-method=normal", "--skip-name-resolve"]);
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let said = [output.stdout, output.stderr].concat();
    if output.status.success() { Ok(()) } else { Err(last_error(&String::from_utf8_lossy(&said))) }
}

fn launch(folder: &Path, server: &Path, port: u16, clients: usize) -> std::io::Result<Child> {
    /// Beside the clients: tidegate's connections, the one that watches, those that are closing.
    const SPARE: usize = 200;
    let at = |name: &str| folder.join(name).display().to_string();
    let mut command = Command::new("sh");
    command.arg("-c").arg(GUARD).arg(folder).arg(server).arg("--no-defaults").args(as_root());
    command.args([
        format!("--datadir={}", at("data")),
        // Else it leaves temporary tables in the common folder when it is killed.
        format!("--tmpdir={}", folder.display()),
        format!("--init-file={}", at("init.sql")),
        format!("--socket={}", at("mariadb.sock")),
        format!("--pid-file={}", at("mariadb.pid")),
        format!("--port={port}"),
        format!("--max-connections={}", clients + SPARE),
        "--bind-address=127.0.0.1".to_owned(),
        "--skip-name-resolve".to_owned(),
        "--skip-log-bin".to_owned(),
        "--innodb-buffer-pool-size=256M".to_owned(),
        "--innodb-flush-log-at-trx-commit=2".to_owned(),
        "--open-files-limit=20000".to_owned(),
        "--back-log=2000".to_owned(),
    ]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn()
}

fn as_root() -> Option<&'static str> {
    rustix::process::getuid().is_root().then_some("--user=root")
}

/// Where a program is; servers lie beside what is on everybody's PATH.
fn program(name: &str) -> Result<PathBuf, Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into(), "/usr/libexec".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    found.ok_or_else(|| {
        Failure::Input(format!(
            "no {name} on this machine for a private server: install it (apt install mariadb-server), or name a server by \
             --server USER:PASSWORD@HOST:PORT/SCHEMA"
        ))
    })
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn last_error(log: &str) -> String {
    let lines = || log.lines().rev().filter(|line| !line.trim().is_empty());
    let error = lines().find(|line| line.contains("ERROR")).or_else(|| lines().next());
    error.unwrap_or("it said nothing").trim().to_owned()
}
