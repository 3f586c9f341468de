//! Fingerprints equal those of the real `pt-fingerprint`, but for the differences that are listed with a reason.

mod real;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use tidegate::sql::digest::{digest, fingerprint};

const STATEMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/statements.sql");
const DIFFERENCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/fingerprint-differences.txt");

// What pt-fingerprint says, what we say.
type Pair = (String, String);

#[test]
fn fingerprints_equal_those_of_pt_fingerprint() {
    let statements = statements();
    let theirs = theirs(STATEMENTS.as_ref());
    assert!(statements.len() >= 300, "only {} statements", statements.len());
    assert_eq!(statements.len(), theirs.len(), "pt-fingerprint left statements out");
    let ours = statements.iter().map(|sql| fingerprint(sql.as_bytes()));
    let found: BTreeSet<Pair> = theirs.into_iter().zip(ours).filter(|(theirs, ours)| theirs != ours).collect();
    let listed = listed();
    assert_eq!(show(found.difference(&listed)), "", "differences that {DIFFERENCES} does not list");
    assert_eq!(show(listed.difference(&found)), "", "{DIFFERENCES} lists what is not so");
}

#[test]
fn equal_fingerprints_are_equal_digests() {
    let pairs = statements().into_iter().map(|sql| (fingerprint(sql.as_bytes()), digest(sql.as_bytes())));
    let pairs: BTreeSet<_> = pairs.collect();
    let texts: BTreeSet<_> = pairs.iter().map(|(text, _)| text).collect();
    let digests: BTreeSet<_> = pairs.iter().map(|(_, digest)| digest).collect();
    assert_eq!((texts.len(), digests.len()), (pairs.len(), pairs.len()));
}

#[test]
fn a_fingerprint_is_its_own_fingerprint_where_it_names_no_list() {
    for sql in statements() {
        let once = fingerprint(sql.as_bytes());
        if !once.contains("(?+)") && !once.contains("/*") && once != "mysqldump" {
            assert_eq!(fingerprint(once.as_bytes()), once, "{sql}");
        }
    }
}

// As pt-fingerprint splits the file.
fn statements() -> Vec<String> {
    let text = std::fs::read_to_string(STATEMENTS).expect("the corpus");
    text.split(";\n").map(str::trim_start).filter(|sql| !sql.is_empty()).map(str::to_owned).collect()
}

fn theirs(file: &Path) -> Vec<String> {
    let output = Command::new("pt-fingerprint").arg(file).output();
    let output = output.unwrap_or_else(|error| panic!("pt-fingerprint: {error}; apt-get install percona-toolkit"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

// Blocks of `because <reason>`, each followed by pairs of lines `pt <text>` and `tidegate <text>`; `|` ends a text.
fn listed() -> BTreeSet<Pair> {
    let text = std::fs::read_to_string(DIFFERENCES).expect("the list");
    let mut pairs = BTreeSet::new();
    let (mut reason, mut theirs) = (false, None);
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.split_once(' ') {
            Some(("because", _)) => reason = true,
            Some(("pt", text)) => theirs = Some(ended(text)),
            Some(("tidegate", text)) if reason => {
                pairs.insert((theirs.take().expect("a line pt before"), ended(text)));
            }
            _ => panic!("{DIFFERENCES}: {line}"),
        }
    }
    pairs
}

fn ended(text: &str) -> String {
    text.trim_start().strip_suffix('|').expect("| at the end").to_owned()
}

fn show<'a>(pairs: impl Iterator<Item = &'a Pair>) -> String {
    pairs.map(|(theirs, ours)| format!("pt       {theirs}|\ntidegate {ours}|\n")).collect()
}
