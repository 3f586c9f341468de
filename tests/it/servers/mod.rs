//! Real MariaDB and MySQL servers, each in a temporary folder, on a free port of 127.0.0.1.
//!
//! `Server::shared(kind)` is one server for the whole test binary, `Server::start(kind, ..)` one of the test's own.
//! Either way it ends with the test process, however that ends. root has no password from the socket and over TCP;
//! there are no other accounts.

mod kind;

pub use kind::Kind;

use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{LazyLock, Mutex, MutexGuard};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::certificates::Certificates;
use crate::ports::free_port;
use crate::scratch::{self, Scratch};

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A running server.
pub struct Server {
    kind: Kind,
    port: u16,
    arguments: Vec<String>,
    certificates: Option<Certificates>,
    process: Mutex<Child>,
    // Last: the guard ends the process before the folder goes.
    scratch: Scratch,
}

impl Server {
    /// A server of the test's own, with more `mysqld` arguments.
    ///
    /// Panics where the server is not installed; ask [`Kind::is_here`] first for those that may be missing.
    pub fn start(kind: Kind, arguments: &[&str]) -> Server {
        let scratch = Scratch::new();
        let arguments = arguments.iter().map(|&argument| argument.to_owned());
        Server::start_in(scratch, kind, arguments.collect(), None)
    }

    /// The same with TLS, by certificates made for it (see [`Server::certificates`]): valid for localhost and
    /// 127.0.0.1. Not for MySQL 5.6, which has only TLS 1.0 and 1.1.
    pub fn start_tls(kind: Kind, arguments: &[&str]) -> Server {
        let scratch = Scratch::new();
        let certificates = Certificates::make(scratch.path());
        let mut all = vec![
            format!("--ssl-ca={}", certificates.ca.display()),
            format!("--ssl-cert={}", certificates.server_cert.display()),
            format!("--ssl-key={}", certificates.server_key.display()),
        ];
        all.extend(arguments.iter().map(|&argument| argument.to_owned()));
        Server::start_in(scratch, kind, all, Some(certificates))
    }

    /// The one server of this kind that all tests of this binary share: they keep to accounts and schemas with names
    /// of their own, and change no global variable.
    pub fn shared(kind: Kind) -> &'static Server {
        static MARIADB_1011: LazyLock<Server> = shared_server(|| Server::start(Kind::MariaDb1011, &[]));
        static MARIADB_11: LazyLock<Server> = shared_server(|| Server::start(Kind::MariaDb11, &[]));
        static MYSQL_9: LazyLock<Server> = shared_server(|| Server::start(Kind::Mysql9, &[]));
        static MYSQL_56: LazyLock<Server> = shared_server(|| Server::start(Kind::Mysql56, &[]));
        match kind {
            Kind::MariaDb1011 => &MARIADB_1011,
            Kind::MariaDb11 => &MARIADB_11,
            Kind::Mysql9 => &MYSQL_9,
            Kind::Mysql56 => &MYSQL_56,
        }
    }

    /// Which server it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its TCP port on 127.0.0.1; the same after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its TCP address, as in `backend.address`.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Its Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.scratch.path().join("sock")
    }

    /// The certificates of [`Server::start_tls`].
    pub fn certificates(&self) -> &Certificates {
        let certificates = self.certificates.as_ref();
        certificates.expect("a server that was started by start_tls")
    }

    /// A file in its data folder, for instance MySQL 9's own `public_key.pem`.
    pub fn data_file(&self, name: &str) -> PathBuf {
        self.scratch.path().join("data").join(name)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process().id()
    }

    /// Its error log.
    pub fn log(&self) -> String {
        scratch::read(&self.scratch.path().join("error.log")) + &self.scratch.output("server")
    }

    /// Runs statements as root and returns the rows, columns separated by tabs. Panics on an error.
    pub fn sql(&self, statements: &str) -> String {
        self.try_sql(statements).unwrap_or_else(|error| panic!("{}: {statements}: {error}", self.kind))
    }

    /// The same; an error is the client's message.
    pub fn try_sql(&self, statements: &str) -> Result<String, String> {
        let output = Command::new("mariadb")
            .arg("--no-defaults")
            .arg("--socket")
            .arg(self.socket())
            .args(["--user=root", "--batch", "--raw", "--skip-column-names"])
            .args(["--default-character-set=utf8mb4", "--execute", statements])
            .output()
            .expect("the mariadb client (make deps)");
        if output.status.success() {
            let rows = String::from_utf8_lossy(&output.stdout);
            return Ok(rows.trim_end_matches('\n').to_owned());
        }
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }

    /// What `SELECT VERSION()` says.
    pub fn version(&self) -> String {
        self.sql("SELECT VERSION()")
    }

    /// A connection of root over TCP, directly to the server.
    pub async fn client(&self) -> mysql_async::Conn {
        let options = crate::tidegate::login(self.address(), "root", "");
        let client = mysql_async::Conn::new(options).await;
        client.unwrap_or_else(|error| panic!("{}: {error}", self.kind))
    }

    /// Shuts the server down as an operator would, and starts it again on the same data and port.
    pub fn restart(&self) {
        self.stop();
        self.start_again();
    }

    /// Shuts the server down as an operator would, and waits for it.
    pub fn stop(&self) {
        let mut process = self.process();
        scratch::signal(process.id(), "TERM");
        let limit = Instant::now() + STOP_LIMIT;
        while process.try_wait().expect("the server's status").is_none() {
            assert!(Instant::now() < limit, "{} does not stop: {}", self.kind, self.log());
            sleep(Duration::from_millis(10));
        }
    }

    /// Ends the server at once: nobody is told.
    pub fn kill(&self) {
        let mut process = self.process();
        process.kill().expect("a running server");
        process.wait().expect("the server's status");
    }

    /// Starts a server again that was stopped or killed.
    pub fn start_again(&self) {
        let mut process = self.process();
        *process = launch(&self.scratch, self.kind, self.port, &self.arguments);
        await_greeting(self.kind, &self.scratch, &mut process);
    }

    /// Stops its process in its tracks: connections stay open, the kernel accepts new ones, nobody answers.
    pub fn freeze(&self) {
        scratch::signal(self.pid(), "STOP");
        // The signal is on its way: a thread that another processor runs goes on for a moment.
        let limit = Instant::now() + STOP_LIMIT;
        while !self.is_frozen() {
            assert!(Instant::now() < limit, "it does not freeze");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether each of its threads is stopped.
    fn is_frozen(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("its threads");
        tasks.flatten().all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            // The state stands behind the name, which may hold anything.
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
        })
    }

    /// Lets a frozen process go on.
    pub fn thaw(&self) {
        scratch::signal(self.pid(), "CONT");
    }

    fn start_in(scratch: Scratch, kind: Kind, arguments: Vec<String>, certificates: Option<Certificates>) -> Server {
        kind.assert_installed();
        let port = free_port();
        let mut process = launch(&scratch, kind, port, &arguments);
        await_greeting(kind, &scratch, &mut process);
        let process = Mutex::new(process);
        Server { kind, port, arguments, certificates, process, scratch }
    }

    // A test that panicked meanwhile says nothing about the server.
    fn process(&self) -> MutexGuard<'_, Child> {
        self.process.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut process = self.process();
        let _ = process.kill();
        let _ = process.wait();
    }
}

const fn shared_server(start: fn() -> Server) -> LazyLock<Server> {
    LazyLock::new(start)
}

fn launch(scratch: &Scratch, kind: Kind, port: u16, arguments: &[String]) -> Child {
    let mut command = scratch.command("server", scratch::script("run"));
    command.arg(kind.name()).arg(scratch.path()).arg(port.to_string());
    command.args(arguments).spawn().expect("tests/servers/run")
}

fn await_greeting(kind: Kind, scratch: &Scratch, process: &mut Child) {
    let limit = Instant::now() + START_LIMIT;
    let socket = scratch.path().join("sock");
    while !greets(&socket) {
        let ended = process.try_wait().expect("the server's status");
        if ended.is_some() || Instant::now() > limit {
            let log = scratch::read(&scratch.path().join("error.log"));
            panic!("{kind} does not start: {}{}", scratch.output("server"), tail(&log));
        }
        sleep(Duration::from_millis(10));
    }
}

// Whether a server's first packet comes, which begins with the protocol's version.
fn greets(socket: &Path) -> bool {
    const PROTOCOL_VERSION: u8 = 10;
    let Ok(mut stream) = UnixStream::connect(socket) else {
        return false;
    };
    let mut start = [0; 5];
    stream.read_exact(&mut start).is_ok() && start[4] == PROTOCOL_VERSION
}

fn tail(log: &str) -> &str {
    const KEPT: usize = 4_000;
    let start = log.len().saturating_sub(KEPT);
    log.get(start..).unwrap_or(log)
}
