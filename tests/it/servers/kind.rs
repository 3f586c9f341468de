//! Which servers there are, where they are installed, and the tests that one cannot run without them.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::{env, thread};

/// A server that the tests run with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Debian 12's.
    MariaDb1011,
    /// Debian sid's; may be missing where sid cannot be reached.
    MariaDb11,
    /// Debian sid's; may be missing where sid cannot be reached.
    Mysql9,
    /// The legacy end: no trackers, no COM_RESET_CONNECTION, TLS 1.0.
    Mysql56,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 4] = [Kind::MariaDb1011, Kind::MariaDb11, Kind::Mysql9, Kind::Mysql56];

    /// Its name in `tests/servers`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::MariaDb1011 => "mariadb10.11",
            Kind::MariaDb11 => "mariadb11",
            Kind::Mysql9 => "mysql9",
            Kind::Mysql56 => "mysql56",
        }
    }

    /// Whether it is a MariaDB.
    pub fn is_mariadb(self) -> bool {
        matches!(self, Kind::MariaDb1011 | Kind::MariaDb11)
    }

    /// Those of [`Kind::ALL`] that the calling test can run with; the others are noted as skipped.
    pub fn here() -> Vec<Kind> {
        let all = Kind::ALL.into_iter();
        all.filter(|kind| kind.is_here()).collect()
    }

    /// Whether the calling test can run with this server. Where it cannot, the test is noted as skipped, on standard
    /// error and in the file `skipped` of cargo's folder for integration tests, which `make test` shows at its end.
    ///
    /// Panics if the server is missing though it could be installed.
    pub fn is_here(self) -> bool {
        if self.is_installed() {
            return true;
        }
        let Some(reason) = self.reason_to_skip() else {
            panic!("{self} is not installed: run `make deps` (tests/servers/install)");
        };
        note_skipped(self, &reason);
        false
    }

    pub(super) fn assert_installed(self) {
        if !self.is_installed() {
            let reason = self.reason_to_skip().unwrap_or_default();
            panic!("{self} is not installed: run `make deps` (tests/servers/install) {reason}");
        }
    }

    /// A command-line program of the same package: `mysql`, `mysqldump`, `mariadb` ..
    pub fn program(self, name: &str) -> PathBuf {
        match self {
            Kind::MariaDb1011 => Path::new("/usr/bin").join(name),
            Kind::MariaDb11 | Kind::Mysql9 | Kind::Mysql56 => cache().join(self.name()).join("bin").join(name),
        }
    }

    fn is_installed(self) -> bool {
        match self {
            Kind::MariaDb1011 => Path::new("/usr/sbin/mariadbd").exists(),
            Kind::MariaDb11 | Kind::Mysql9 | Kind::Mysql56 => cache().join(self.name()).join("ready").exists(),
        }
    }

    fn reason_to_skip(self) -> Option<String> {
        let marker = cache().join(format!("{}.unavailable", self.name()));
        std::fs::read_to_string(marker).ok()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where `tests/servers` keeps what it downloads.
pub fn cache() -> PathBuf {
    let given = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = || given("XDG_CACHE_HOME").or_else(|| given("HOME").map(|home| home.join(".cache")));
    given("TIDEGATE_CACHE")
        .or_else(|| own().map(|folder| folder.join("tidegate")))
        .expect("TIDEGATE_CACHE, XDG_CACHE_HOME or HOME")
}

fn note_skipped(kind: Kind, reason: &str) {
    let thread = thread::current();
    let test = thread.name().unwrap_or("a test");
    let line = format!("SKIPPED {test} with {kind}: {}\n", reason.trim());
    // Not by eprintln!, which the test harness keeps to itself where a test passes.
    let _ = std::io::stderr().write_all(line.as_bytes());
    let summary = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped");
    let file = OpenOptions::new().create(true).append(true).open(summary);
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the list of skipped tests");
}
