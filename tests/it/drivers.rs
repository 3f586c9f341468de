//! Real drivers of six languages: each prints the same lines through tidegate as direct to the server, with TLS and without.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, OnceLock};

use crate::scratch::Scratch;
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

pub const USER: &str = "drivers";
pub const PASSWORD: &str = "the drivers' secret";

/// Seconds after which a session is a failure: the slowest takes ten on a busy machine.
const LIMIT: &str = "120";

const MODES: [&str; 2] = ["session", "transaction"];

/// Backends in mode `transaction`: as many as connections of one driver's session or suite are ever pinned at once.
/// `TIDEGATE_SIZE=2` is another number.
const SMALL_POOL: usize = 4;

/// What is compared: `NAME "program of tests/drivers": the servers it can log in to`.
macro_rules! sessions {
    ($($name:ident $program:literal: $($kind:ident)+;)+) => {$(
        mod $name {$(
            mod $kind {
                #[test]
                fn plain() {
                    crate::drivers::compare($program, crate::drivers::$kind(), false);
                }

                #[test]
                fn tls() {
                    crate::drivers::compare($program, crate::drivers::$kind(), true);
                }
            }
        )+}
    )+};
}

// The old Node driver knows mysql_native_password only, which MySQL 9 has not.
sessions! {
    cli_mariadb "cli-mariadb": mariadb1011 mariadb11 mysql9 mysql56;
    cli_mysql9 "cli-mysql9": mariadb1011 mariadb11 mysql9 mysql56;
    pymysql "pymysql": mariadb1011 mariadb11 mysql9 mysql56;
    mysqlclient "mysqlclient": mariadb1011 mariadb11 mysql9 mysql56;
    node_mysql "node-mysql": mariadb1011 mariadb11 mysql56;
    node_mysql2 "node-mysql2": mariadb1011 mariadb11 mysql9 mysql56;
    php_mysqli "php-mysqli": mariadb1011 mariadb11 mysql9 mysql56;
    php_pdo "php-pdo": mariadb1011 mariadb11 mysql9 mysql56;
    java_mariadb "java-mariadb": mariadb1011 mariadb11 mysql9 mysql56;
    perl_dbd "perl-dbd": mariadb1011 mariadb11 mysql9 mysql56;
}

fn mariadb1011() -> Kind {
    Kind::MariaDb1011
}

fn mariadb11() -> Kind {
    Kind::MariaDb11
}

fn mysql9() -> Kind {
    Kind::Mysql9
}

fn mysql56() -> Kind {
    Kind::Mysql56
}

/// The drivers' own server of this kind: big packets, TLS where the kind has it, and the account [`USER`].
pub fn server(kind: Kind) -> &'static Server {
    static SERVERS: [OnceLock<Server>; 4] = [const { OnceLock::new() }; 4];
    let slot = Kind::ALL.iter().position(|&one| one == kind);
    SERVERS[slot.expect("a known kind")].get_or_init(|| start(kind))
}

/// The modes that drivers are tried in; `TIDEGATE_MODE=session` is one alone.
pub fn modes() -> Vec<String> {
    let only = std::env::var("TIDEGATE_MODE").ok().filter(|mode| !mode.is_empty());
    only.map_or_else(|| MODES.map(str::to_owned).to_vec(), |mode| vec![mode])
}

/// tidegate in front of it; with `tls` it serves nobody without.
pub fn tidegate(server: &Server, tls: bool, mode: &str) -> Tidegate {
    in_front_of(server, tls, true, mode)
}

fn small_pool() -> usize {
    let size = std::env::var("TIDEGATE_SIZE").ok().filter(|size| !size.is_empty());
    size.map_or(SMALL_POOL, |size| size.parse().unwrap_or_else(|_| panic!("TIDEGATE_SIZE={size}")))
}

/// `listed`: the account stands in the configuration; else tidegate has never heard of it.
fn in_front_of(server: &Server, tls: bool, listed: bool, mode: &str) -> Tidegate {
    let listen = if tls { "required" } else { "allowed" };
    let backend = match (server.kind(), tls) {
        (Kind::Mysql56, _) | (_, false) => "off",
        (_, true) => "required",
    };
    let mut config = format!("listen.tls = \"{listen}\"\nbackend.tls = \"{backend}\"\npool.mode = \"{mode}\"\n");
    if mode == "transaction" {
        config += &format!("pool.size = {}\npool.max_overflow = 0\npool.checkout_timeout = \"20s\"\n", small_pool());
    }
    if listed {
        config += &format!("[[user]]\nname = \"{USER}\"\npassword = \"{PASSWORD}\"\n");
    }
    Tidegate::in_front_of(server, &config)
}

/// Whether this server itself can be reached by TLS.
pub fn has_tls(kind: Kind) -> bool {
    kind != Kind::Mysql56
}

/// A server of this kind for one test alone, in the same way.
pub fn start(kind: Kind) -> Server {
    let arguments = ["--max-allowed-packet=64M", "--innodb-flush-log-at-trx-commit=0"];
    let server = if has_tls(kind) { Server::start_tls(kind, &arguments) } else { Server::start(kind, &arguments) };
    let password = PASSWORD.replace('\'', "''");
    server.sql(&format!("CREATE USER {USER}@'%' IDENTIFIED BY '{password}'"));
    server.sql(&format!("GRANT ALL ON *.* TO {USER}@'%'"));
    server
}

fn compare(program: &str, kind: Kind, tls: bool) {
    if !(kind.is_here() && (program != "cli-mysql9" || Kind::Mysql9.is_here())) {
        return;
    }
    let schema = format!("{}_{}", program.replace('-', "_"), u8::from(tls));
    let direct_tls = tls && has_tls(kind);
    let direct = Session { program, kind, tls: direct_tls, schema: &schema, port: server(kind).port() };
    let expected = direct.lines();
    assert!(expected.contains("== "), "{program} did nothing:\n{expected}");
    // Half of the sessions come as an account that nobody told tidegate of. The old node client, which understands no
    // change of method, has no other way to hear the server's own refusals.
    let listed = program != "node-mysql" && (tls || kind == Kind::Mysql9);
    for mode in modes() {
        let tidegate = in_front_of(server(kind), tls, listed, &mode);
        let through = Session { tls, port: tidegate.address().port(), ..direct };
        assert_equal(&format!("{program} in mode {mode}"), &expected, &through.lines());
    }
}

struct Session<'a> {
    program: &'a str,
    kind: Kind,
    tls: bool,
    schema: &'a str,
    port: u16,
}

impl Session<'_> {
    fn lines(&self) -> String {
        let output = Command::new("timeout")
            .arg(LIMIT)
            .arg(drivers().join(self.program))
            .env("TG_HOST", "127.0.0.1")
            .env("TG_PORT", self.port.to_string())
            .env("TG_USER", USER)
            .env("TG_PASSWORD", PASSWORD)
            .env("TG_SCHEMA", self.schema)
            .env("TG_TLS", if self.tls { "1" } else { "0" })
            .env("TG_FAMILY", if self.kind.is_mariadb() { "mariadb" } else { "mysql" })
            .env("LC_ALL", "C.UTF-8")
            .output()
            .expect("timeout, of coreutils");
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{} on {}, port {}: {}\n{}\nafter:\n{}",
            self.program,
            self.kind,
            self.port,
            output.status,
            String::from_utf8_lossy(&output.stderr),
            last_lines(&lines),
        );
        lines
    }
}

/// `tests/drivers`, with what its programs need installed.
pub fn drivers() -> PathBuf {
    static INSTALLED: LazyLock<()> = LazyLock::new(|| {
        let install = folder().join("install");
        let status = Command::new(&install).stdout(std::process::Stdio::null()).status();
        assert!(status.is_ok_and(|status| status.success()), "{}", install.display());
    });
    LazyLock::force(&INSTALLED);
    folder()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers")
}

/// Panics with what `diff` says where the lines differ.
pub fn assert_equal(what: &str, direct: &str, through: &str) {
    if direct == through {
        return;
    }
    let scratch = Scratch::new();
    for (name, lines) in [("direct", direct), ("through", through)] {
        fs::write(scratch.path().join(name), lines).expect("a temporary file");
    }
    let mut diff = Command::new("diff");
    diff.args(["-U1", "direct", "through"]).current_dir(scratch.path());
    let output = diff.output().expect("diff, of diffutils");
    let difference = String::from_utf8_lossy(&output.stdout);
    let shown: String = difference.lines().take(60).map(|line| shorten(line) + "\n").collect();
    panic!("{what} sees a difference:\n{shown}");
}

fn shorten(line: &str) -> String {
    line.chars().take(500).collect()
}

/// The end of a text, for a message.
pub fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().map(|line| shorten(line) + "\n").collect()
}
