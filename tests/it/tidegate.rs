//! The real `tidegate` binary, run on a configuration of the test's own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{fs, thread};

use mysql_async::{Opts, OptsBuilder};
use toml::{Table, Value};

use crate::ports::{free_port, is_listening};
use crate::scratch::{self, Scratch};
use crate::servers::Server;

const START_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A running tidegate. At its end the log must hold no panic.
pub struct Tidegate {
    address: SocketAddr,
    admin: Table,
    /// Of `serve`, beside the configuration.
    arguments: Vec<String>,
    process: Option<Child>,
    scratch: Scratch,
}

impl Tidegate {
    /// Starts tidegate and waits until it listens. Where the configuration names no `listen.address`, `admin.http`
    /// or `admin.sql`, they are free ports of 127.0.0.1; relative paths are in the folder of [`Tidegate::file`].
    pub fn start(config: &str) -> Tidegate {
        let mut tidegate = Tidegate::configure(config);
        tidegate.run();
        tidegate
    }

    /// Starts tidegate in front of this server, by TCP; `config` is all but `backend.address`.
    pub fn in_front_of(server: &Server, config: &str) -> Tidegate {
        let mut table = parse(config);
        set_default(&mut table, "backend", "address", server.address().to_string());
        Tidegate::start(&table.to_string())
    }

    /// The same with more arguments of `serve`; relative paths are in the folder of [`Tidegate::file`].
    pub fn serving(server: &Server, config: &str, arguments: &[&str]) -> Tidegate {
        let mut table = parse(config);
        set_default(&mut table, "backend", "address", server.address().to_string());
        let mut tidegate = Tidegate::configure(&table.to_string());
        tidegate.arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        tidegate.run();
        tidegate
    }

    /// Where clients connect. Panics for a configuration that listens on Unix sockets only.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of `admin.http` or `admin.sql`.
    pub fn admin(&self, key: &str) -> SocketAddr {
        let address = self.admin[key].as_str().expect("an address");
        address.parse().expect("an IP address and a port")
    }

    /// A file in its current folder: the slow log, a histogram dump.
    pub fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Its configuration file: change it, then [`Tidegate::signal`] `"HUP"`.
    pub fn config_file(&self) -> PathBuf {
        self.file("proxy.toml")
    }

    /// All that it has written to standard output and standard error.
    pub fn log(&self) -> String {
        self.scratch.output("tidegate")
    }

    /// Waits until the log contains the text, and returns the log.
    pub fn await_log(&self, text: &str, limit: Duration) -> String {
        let limit = Instant::now() + limit;
        loop {
            let log = self.log();
            if log.contains(text) {
                return log;
            }
            assert!(Instant::now() < limit, "no {text:?} in the log:\n{log}");
            sleep(Duration::from_millis(20));
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("a running tidegate").id()
    }

    /// Sends a signal: `"USR1"`, `"HUP"`, `"STOP"`, `"CONT"`.
    pub fn signal(&self, name: &str) {
        scratch::signal(self.pid(), name);
    }

    /// A connection of this user through tidegate.
    pub async fn client(&self, user: &str, password: &str) -> mysql_async::Conn {
        let client = mysql_async::Conn::new(login(self.address, user, password)).await;
        client.unwrap_or_else(|error| panic!("{error}\n{}", self.log()))
    }

    /// Ends it by SIGTERM, and returns how it ended.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait(STOP_LIMIT)
    }

    /// Waits for its own end.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let limit = Instant::now() + limit;
        loop {
            let process = self.process.as_mut().expect("a running tidegate");
            if let Some(status) = process.try_wait().expect("its status") {
                self.process = None;
                return status;
            }
            assert!(Instant::now() < limit, "tidegate does not end:\n{}", self.log());
            sleep(Duration::from_millis(10));
        }
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it again, after it ended, with the same configuration file.
    pub fn run(&mut self) {
        let mut command = self.scratch.command("tidegate", binary());
        command.args(["serve", "-c"]).arg(self.config_file()).args(&self.arguments);
        self.process = Some(command.spawn().expect("the tidegate binary"));
        self.await_listening();
    }

    fn configure(config: &str) -> Tidegate {
        let mut table = parse(config);
        set_default(&mut table, "listen", "address", free_address());
        set_default(&mut table, "admin", "http", free_address());
        set_default(&mut table, "admin", "sql", free_address());
        let address = tcp_address(&table["listen"]["address"]);
        let admin = table["admin"].as_table().expect("a table").clone();
        let scratch = Scratch::new();
        fs::write(scratch.path().join("proxy.toml"), table.to_string()).expect("a configuration file");
        Tidegate { address, admin, arguments: Vec::new(), process: None, scratch }
    }

    // Without connecting: a test may count the connections. The console and the pages listen a moment after the proxy.
    fn await_listening(&mut self) {
        let limit = Instant::now() + START_LIMIT;
        let admin = ["http", "sql"].map(|key| self.admin.get(key).and_then(Value::as_str)?.parse().ok());
        let ports: Vec<u16> = admin.into_iter().flatten().map(|at: SocketAddr| at.port()).collect();
        while !is_listening(self.address.port()) || !ports.iter().all(|&port| is_listening(port)) {
            let process = self.process.as_mut().expect("a running tidegate");
            let ended = process.try_wait().expect("its status");
            assert!(ended.is_none(), "tidegate ended ({ended:?}):\n{}", self.log());
            assert!(Instant::now() < limit, "tidegate does not listen:\n{}", self.log());
            sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Tidegate {
    fn drop(&mut self) {
        self.kill();
        let log = self.log();
        if thread::panicking() {
            eprintln!("tidegate's log:\n{log}");
        } else {
            assert!(!log.contains("panicked at"), "tidegate panicked:\n{log}");
        }
    }
}

/// The binary under test.
pub fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_tidegate")
}

/// Runs the binary with these arguments to its end: for `check`, `--help`, bad configurations.
pub fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.args(arguments).stdin(Stdio::null());
    command.output().expect("the tidegate binary")
}

/// How mysql_async logs in there, by TCP and nothing else.
pub fn login(address: SocketAddr, user: &str, password: &str) -> Opts {
    OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .prefer_socket(false)
        .user(Some(user))
        .pass((!password.is_empty()).then_some(password))
        .into()
}

fn parse(config: &str) -> Table {
    let table = config.parse::<Table>();
    table.unwrap_or_else(|error| panic!("the test's configuration: {error}"))
}

fn set_default(table: &mut Table, section: &str, key: &str, value: String) {
    let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    let section = section.as_table_mut().expect("a table");
    section.entry(key).or_insert(Value::String(value));
}

fn tcp_address(listen: &Value) -> SocketAddr {
    let list = match listen {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut addresses = list.iter().filter_map(|item| item.as_str()?.parse().ok());
    addresses.next().expect("an IP address and a port in listen.address")
}

fn free_address() -> String {
    format!("127.0.0.1:{}", free_port())
}
