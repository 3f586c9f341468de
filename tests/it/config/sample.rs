//! The sample file is the documentation: it is whole, it works, and its defaults are the true ones.

use proptest::prelude::*;

use super::{Site, certificate};
use tidegate::config::{Surroundings, known_keys, resolve};
use tidegate::net::settings::Address;
use tidegate::proxy::settings::Mode;

const SAMPLE: &str = include_str!("../../../proxy.toml");

const SURROUNDINGS: Surroundings<'static> = Surroundings { env: &|_| None, cores: 2 };

/// The key that a line shows, whether it is commented out or not, with the line free of its comment sign.
fn key_of(line: &str) -> Option<(&str, &str)> {
    let bare = line.strip_prefix("# ").unwrap_or(line);
    let (key, value) = bare.split_once(" = ")?;
    let is_key = key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    (is_key && !value.is_empty()).then_some((key, bare))
}

/// Every `table.key` of the sample, commented out or not.
fn shown_keys(sample: &str) -> Vec<String> {
    let mut table = String::new();
    let mut keys = Vec::new();
    for line in sample.lines() {
        if let Some(name) = table_of(line) {
            table = name.to_owned();
        } else if let Some((key, _)) = key_of(line) {
            keys.push(format!("{table}.{key}"));
        }
    }
    keys.sort();
    keys
}

fn table_of(line: &str) -> Option<&str> {
    let bare = line.strip_prefix("# ").unwrap_or(line);
    let name = bare.strip_prefix('[')?.strip_suffix(']')?;
    Some(name.trim_matches(['[', ']']))
}

/// The sample with every key in force.
fn uncommented() -> String {
    let line = |line: &'static str| match (table_of(line), key_of(line)) {
        (Some(_), _) => line.trim_start_matches("# ").to_owned(),
        (_, Some((_, bare))) => bare.to_owned(),
        _ => line.to_owned(),
    };
    SAMPLE.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_key_that_the_code_knows_is_shown_once() {
    assert_eq!(shown_keys(SAMPLE), known_keys());
}

#[test]
fn a_key_that_is_missing_or_twice_would_be_noticed() {
    let without = SAMPLE.replace("# basis = \"total\"\n", "");
    assert_ne!(shown_keys(&without), known_keys());
    let twice = format!("{SAMPLE}format = \"text\"\n");
    assert_ne!(shown_keys(&twice), known_keys());
}

#[test]
fn it_stands_between_6033_and_3306_and_names_nobody() {
    let loaded = resolve(SAMPLE, SURROUNDINGS).expect("in order");
    let proxy = loaded.config.proxy;
    assert_eq!(loaded.warnings, []);
    assert_eq!(proxy.listen.addresses, [Address::Tcp("127.0.0.1:6033".into())]);
    assert_eq!(proxy.backend.address, Address::Tcp("127.0.0.1:3306".into()));
    assert_eq!(proxy.mode, Mode::Transaction);
    assert_eq!((proxy.listen.workers, proxy.auth.users.len()), (2, 0));
    assert!(proxy.auth.service.is_none());
}

#[test]
fn its_values_are_the_defaults_but_for_the_two_files() {
    let off = |line: &str| !line.starts_with("path = ");
    let sample: Vec<_> = SAMPLE.lines().filter(|line| off(line)).collect();
    let sample = resolve(&sample.join("\n"), SURROUNDINGS).expect("in order");
    let empty = resolve("", SURROUNDINGS).expect("in order");
    assert_eq!(format!("{:#?}", sample.config), format!("{:#?}", empty.config));
}

#[test]
fn a_commented_key_that_shows_a_default_shows_the_true_one() {
    let empty = format!("{:#?}", resolve("", SURROUNDINGS).expect("in order").config);
    let mut shown = 0;
    let mut table = "";
    let mut block = String::new();
    for line in SAMPLE.lines() {
        table = table_of(line).unwrap_or(table);
        match key_of(line) {
            Some((_, bare)) if line.starts_with("# ") && table != "user" => {
                if !has_no_default(&block) {
                    let text = format!("[{table}]\n{bare}\n");
                    let one = resolve(&text, SURROUNDINGS).expect(bare);
                    assert_eq!(format!("{:#?}", one.config), empty, "{bare}");
                    shown += 1;
                }
            }
            _ if line.is_empty() => block.clear(),
            _ => block.push_str(line),
        }
    }
    assert!(shown > 15, "only {shown} commented defaults were compared");
}

fn has_no_default(comment: &str) -> bool {
    comment.contains("Default: none") || comment.contains("Default: no login")
}

#[test]
fn all_of_it_uncommented_still_parses() {
    let site = Site::empty().env("APP_PASSWORD", "a");
    let (cert, key) = certificate();
    let folder = format!("{}/", site.folder.path().display());
    let text = uncommented().replace("/etc/tidegate/", &folder);
    for name in ["server-cert", "client-cert", "client-ca", "ca"] {
        site.file(&format!("{name}.pem"), &cert);
    }
    for name in ["server-key", "client-key", "rsa-key"] {
        site.file(&format!("{name}.pem"), &key);
    }
    for name in ["app", "service", "admin"] {
        site.file(&format!("{name}.password"), "pw\n");
    }
    let set = Surroundings { env: &|_| Some("pw".to_owned()), cores: 2 };
    let text = text.replace("tls = \"allowed\"", "tls = \"required\"");
    // The three places for one password exclude each other: that, and nothing else, is wrong.
    let (errors, warnings) = resolve(&text, set).expect_err("three passwords each");
    let paths: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["user[1].password_env", "auth.service_password_env", "admin.password_env"]);
    assert!(errors.iter().all(|e| e.fault.what == "more than one secret is given"));
    assert_eq!(warnings, []);
    let single: Vec<_> = text.lines().filter(|line| !line.contains("_file = ") && !line.contains("_env = ")).collect();
    let loaded = resolve(&single.join("\n"), set).expect("in order");
    assert_eq!(loaded.config.proxy.auth.users[0].name, "app");
}

proptest! {
    #[test]
    fn a_damaged_sample_is_answered_with_places_in_the_file(
        from in 0..SAMPLE.len(), cut in 0..200usize, put in "[ -~\n]{0,12}",
    ) {
        let all = uncommented();
        let (from, to) = (from.min(all.len()), (from + cut).min(all.len()));
        let damaged = format!("{}{put}{}", &all[..from], &all[to..]);
        let (errors, warnings) = match resolve(&damaged, SURROUNDINGS) {
            Ok(loaded) => (Vec::new(), loaded.warnings),
            Err(faults) => faults,
        };
        let lines = damaged.lines().count().max(1);
        for problem in errors.iter().chain(&warnings) {
            prop_assert!(problem.line.is_none_or(|line| (1..=lines + 1).contains(&line)), "{}", problem);
            prop_assert!(!problem.fault.what.is_empty() && !problem.fault.instead.is_empty());
        }
    }
}
