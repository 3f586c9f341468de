//! Proves that the arrows between the folders of `src` point one way, that pure code stays pure, and that no folder is a
//! drawer for odds and ends.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[path = "arrows/paths.rs"]
mod paths;

use paths::paths;

/// Which folders each folder may name, beside itself. A path such as `admin::client` allows that part only.
const ARROWS: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("sql", &[]),
    ("pool", &[]),
    ("login", &["wire", "sql"]),
    ("session", &["wire", "sql"]),
    ("net", &["wire", "login"]),
    ("stats", &["wire", "sql"]),
    ("proxy", &["wire", "sql", "pool", "login", "session", "net", "stats"]),
    // Of the proxy itself the admin view knows one handle; the console speaks the protocol as a server does.
    ("admin", &["wire", "sql", "login", "net", "pool", "stats", "session", "proxy::running"]),
    // `bench` is a client by the proxy's own dialing code, and runs tidegates that are configured as files would have it.
    ("commands", &["admin::client", "pool", "stats", "proxy", "config", "sql", "login", "net", "wire"]),
    ("config", SETTINGS),
    // The roots, which tie the rest together.
    ("main", ALL),
    ("lib", ALL),
    ("serve", ALL),
    ("cli", &["commands"]),
];

/// `config` knows each module's settings and nothing else of it.
const SETTINGS: &[&str] =
    &["admin::settings", "login::settings", "net::settings", "pool::policy", "proxy::settings", "stats::settings"];

const ALL: &[&str] =
    &["admin", "cli", "commands", "config", "login", "net", "pool", "proxy", "session", "sql", "stats", "wire"];

/// What pure code is, by the beginning of its path.
const PURE: &[&str] = &["wire", "sql", "login", "session", "pool/core", "pool/policy"];

/// What pure code never names: bytes and time come in as arguments.
const IMPURE: &[&str] = &["tokio", "tokio_rustls", "std::net", "Instant::now", "SystemTime::now"];

const DRAWERS: &[&str] = &["util", "utils", "common", "helper", "helpers", "types", "misc"];

/// One source file: its path below `src` without `.rs`, and its text.
struct Source {
    name: String,
    text: String,
}

impl Source {
    fn new(name: &str, text: &str) -> Self {
        Source { name: name.to_owned(), text: text.to_owned() }
    }

    /// The folder (or root file) that the file belongs to.
    fn folder(&self) -> &str {
        self.name.split('/').next().unwrap_or(&self.name)
    }

    /// How many modules the file is below the crate's root.
    fn depth(&self) -> usize {
        self.name.trim_end_matches("/mod").split('/').count()
    }

    /// Every path in the file that starts at the crate's root, without its `crate::`.
    fn own_paths(&self) -> Vec<String> {
        let from_root = |path: String| {
            let rest = path.strip_prefix("crate::").or(path.strip_prefix("tidegate::"));
            let above = || above_root(&path, self.depth());
            rest.map(str::to_owned).or_else(above)
        };
        paths(&self.text).into_iter().filter_map(from_root).collect()
    }
}

/// `super::super::wire` in a file two modules deep is `wire`, for nothing but the root is above it.
fn above_root(path: &str, depth: usize) -> Option<String> {
    let steps = path.split("::").take_while(|part| *part == "super").count();
    let rest: Vec<_> = path.split("::").skip(steps).collect();
    let is_folder = rest.first().is_some_and(|first| ALL.contains(first));
    (steps >= depth && is_folder).then(|| rest.join("::"))
}

/// What `source` names that it may not, each as a sentence.
fn wrong_arrows(source: &Source) -> Vec<String> {
    let folder = source.folder();
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == folder) else {
        return vec![format!("src/{folder} has no row in ARROWS")];
    };
    let is_allowed = |path: &str| is_below(path, folder) || allowed.iter().any(|allowed| is_below(path, allowed));
    let named = source.own_paths().into_iter();
    named
        .filter(|path| ALL.contains(&path.split("::").next().unwrap_or(path)))
        .filter(|path| !is_allowed(path))
        .map(|path| format!("{} names {path}", source.name))
        .collect()
}

/// Whether `path` is `part` or inside it.
fn is_below(path: &str, part: &str) -> bool {
    let rest = path.strip_prefix(part);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The impure names in `source`, if it has to be pure.
fn impurities(source: &Source) -> Vec<String> {
    let is_pure = |pure: &str| {
        let rest = source.name.strip_prefix(pure);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if !PURE.iter().any(|pure| is_pure(pure)) {
        return Vec::new();
    }
    let is_impure = |path: &String| {
        let (at_start, at_end) = (|bad: &str| is_below(path, bad), |bad: &str| ends_in(path, bad));
        IMPURE.iter().any(|bad| at_start(bad) || at_end(bad))
    };
    let named = paths(shipped(&source.text)).into_iter();
    named.filter(is_impure).map(|path| format!("{} is pure and names {path}", source.name)).collect()
}

/// The text before the tests, which stand last in a file: they may look at a clock.
fn shipped(text: &str) -> &str {
    let tests = text.match_indices("\n#[cfg(test)]\nmod ").find(|(at, head)| {
        let line = text[at + head.len()..].lines().next();
        line.is_some_and(|line| line.ends_with('{'))
    });
    tests.map_or(text, |(at, _)| &text[..at])
}

fn ends_in(path: &str, bad: &str) -> bool {
    bad.ends_with("::now") && path.ends_with(&format!("::{bad}"))
}

/// The drawers among the parts of a file's path.
fn drawers(name: &str) -> Vec<String> {
    let parts = name.split('/').filter(|part| DRAWERS.contains(part));
    parts.map(|part| format!("{name}: name it for what it does, not {part}")).collect()
}

/// All source files below `folder`, which is `src`.
fn sources(folder: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    gather(folder, "", &mut found);
    found
}

fn gather(folder: &Path, prefix: &str, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().expect("a type").is_dir() {
            gather(&entry.path(), &format!("{name}/"), found);
        } else if let Some(name) = name.strip_suffix(".rs") {
            let text = fs::read_to_string(entry.path()).expect("UTF-8");
            found.push(Source::new(name, &text));
        }
    }
}

fn src() -> Vec<Source> {
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

#[track_caller]
fn none_wrong(wrong: impl Fn(&Source) -> Vec<String>) {
    let wrong: Vec<_> = src().iter().flat_map(wrong).collect();
    assert_eq!(wrong, [""; 0], "\n{}", wrong.join("\n"));
}

#[test]
fn the_arrows_point_one_way() {
    none_wrong(wrong_arrows);
}

#[test]
fn pure_code_names_no_socket_or_clock() {
    none_wrong(impurities);
}

#[test]
fn no_folder_or_file_is_a_drawer() {
    none_wrong(|source| drawers(&source.name));
}

#[test]
fn the_whole_of_src_is_looked_at() {
    let folders: BTreeSet<_> = src().iter().map(|s| s.folder().to_owned()).collect();
    for folder in ["wire", "proxy", "config", "main"] {
        assert!(folders.contains(folder), "{folder}");
    }
    let config = src().into_iter().find(|s| s.name == "config/mod");
    let named = config.expect("src/config/mod.rs").own_paths();
    assert!(named.contains(&"proxy::settings::ProxySettings".to_owned()), "{named:?}");
}

#[test]
fn a_wrong_arrow_is_found_in_each_form() {
    let wrong = |name, text| wrong_arrows(&Source::new(name, text));
    assert_eq!(wrong("wire/frame", "use crate::net::buffer::Buffer;"), ["wire/frame names net::buffer::Buffer"]);
    assert_eq!(
        wrong("stats/timer", "use crate::{\n    sql::digest,\n    proxy::{client::Client},\n};"),
        ["stats/timer names proxy::client::Client"]
    );
    assert_eq!(wrong("pool/core", "fn f() -> crate::wire::Frame { x }"), ["pool/core names wire::Frame"]);
    assert_eq!(wrong("sql/lexer", "use super::super::login;"), ["sql/lexer names login"]);
    assert_eq!(wrong("net/relay", "use crate::config;"), ["net/relay names config"]);
    assert_eq!(wrong("config/mod", "use crate::net::relay::Relay;"), ["config/mod names net::relay::Relay"]);
    assert_eq!(wrong("commands/top", "use crate::admin::http::Page;"), ["commands/top names admin::http::Page"]);
    assert_eq!(wrong("novel/mod", ""), ["src/novel has no row in ARROWS"]);
}

#[test]
fn what_is_allowed_is_left_alone() {
    let wrong = |name, text| wrong_arrows(&Source::new(name, text));
    for (name, text) in [
        ("wire/frame", "use crate::wire::status;"),
        ("wire/frame", "use super::status;"),
        ("wire/frame", "//! See [`crate::proxy::server`].\n/* crate::net */"),
        ("wire/frame", "const S: &str = \"crate::net::x\";"),
        ("proxy/client", "use crate::session::State;"),
        ("commands/top", "use crate::admin::client::Client;"),
        ("config/mod", "use crate::pool::policy::PoolSettings;"),
    ] {
        assert_eq!(wrong(name, text), [""; 0], "{text}");
    }
}

#[test]
fn an_impure_name_is_found_in_each_form() {
    let found = |name, text| impurities(&Source::new(name, text)).len();
    assert_eq!(found("wire/frame", "use tokio::io::AsyncRead;"), 1);
    assert_eq!(found("login/greet", "use std::{fmt, net::{IpAddr}};"), 1);
    assert_eq!(found("pool/core", "let t = Instant::now();"), 1);
    assert_eq!(found("pool/core/queue", "let t = std::time::Instant::now();"), 1);
    assert_eq!(found("session/state", "#[tokio::test]\nfn f() {}"), 1);
    let in_tests = "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    use tokio::io;\n}\n";
    assert_eq!(found("wire/frame", in_tests), 0);
    let elsewhere = "\n#[cfg(test)]\nmod tests;\nuse tokio::io;\n";
    assert_eq!(found("wire/frame", elsewhere), 1);
    assert_eq!(found("wire/frame", "use std::time::Instant;"), 0);
    assert_eq!(found("pool/handle", "use tokio::sync::Mutex;"), 0);
    assert_eq!(found("pool/core_of_it", "use tokio::sync::Mutex;"), 0);
}

#[test]
fn a_drawer_is_found() {
    assert_eq!(drawers("wire/util").len(), 1);
    assert_eq!(drawers("wire/helpers/x").len(), 1);
    assert_eq!(drawers("wire/prototypes").len(), 0);
}
