//! The same on what others wrote: the statements of MariaDB's own test suite, and what frameworks were recorded to send.
//!
//! Each difference must be one of the listed kinds, and each kind must be able to account for it exactly: where numbers
//! are read differently, both texts must be equal without what stands next to a number.

use std::fs;
use std::path::Path;

use tidegate::sql::digest::fingerprint;

use super::theirs;

const SUITE: &str = "/usr/share/mysql/mysql-test/main";
const FRAMEWORKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/frameworks");
const FILES: [&str; 30] = [
    "alter_table",
    "create",
    "cte_recursive",
    "delete",
    "derived",
    "distinct",
    "func_group",
    "func_math",
    "func_str",
    "group_by",
    "having",
    "insert",
    "insert_select",
    "insert_update",
    "join",
    "limit",
    "multi_update",
    "null",
    "order_by",
    "parser",
    "ps",
    "replace",
    "select",
    "subselect",
    "type_date",
    "type_json",
    "union",
    "update",
    "view",
    "win",
];
const FIRST_WORDS: [&str; 26] = [
    "alter", "analyze", "begin", "call", "commit", "create", "delete", "describe", "do", "drop", "execute", "explain",
    "flush", "grant", "handler", "insert", "load", "lock", "prepare", "replace", "select", "set", "show", "truncate",
    "update", "use",
];

/// Why tidegate's fingerprint is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Because {
    /// pt-fingerprint takes what stands next to a digit for a part of the number: `t1.a` is `t?` to it.
    NumbersEnd,
    /// It folds case only after it looked for numbers: `0xFF`, `B'1'`.
    Capitals,
    /// It folds repeated UNIONs, for which a text must be compared with itself.
    Unions,
    /// It cuts off what follows the rows of an INSERT of several (or keeps rows, without INTO), and `),(` in a string is the end of a row to it.
    RowsHaveAnEnd,
    /// It counts the rows of a list of rows: `IN ((1, 2), (3, 4))`.
    RowLists,
    /// It folds the first LIMIT alone, and that only without a blank before the comma.
    EveryLimit,
    /// It takes a call without parentheses for another statement than one with them, and a parenthesis in a string for one.
    Calls,
    /// It looks into quoted names, for a value (`NULL`), a comment (`#sql1`), blanks.
    QuotedNames,
}

#[test]
fn the_servers_own_tests_have_the_same_fingerprints() {
    let statements: Vec<String> = FILES.iter().flat_map(|name| of_suite(name)).collect();
    assert!(statements.len() >= 4_000, "only {} statements", statements.len());
    let because = differences(&statements);
    assert!(because.len() * 100 < statements.len() * 15, "{} of {}", because.len(), statements.len());
    use Because::{Calls, Capitals, EveryLimit, NumbersEnd, QuotedNames, RowLists, RowsHaveAnEnd, Unions};
    for reason in [NumbersEnd, Capitals, Unions, RowsHaveAnEnd, RowLists, EveryLimit, Calls, QuotedNames] {
        assert!(because.contains(&reason), "nothing differs because of {reason:?}: take it off the list");
    }
}

#[test]
fn what_frameworks_send_has_the_same_fingerprints() {
    let statements: Vec<String> = fs::read_dir(FRAMEWORKS).expect("the corpus").flat_map(recorded).collect();
    assert!(statements.len() >= 60, "only {} statements", statements.len());
    let because = differences(&statements);
    assert!(because.iter().all(|b| matches!(b, Because::NumbersEnd | Because::RowsHaveAnEnd)), "{because:?}");
}

/// Why each statement that has another fingerprint has it.
fn differences(statements: &[String]) -> Vec<Because> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("statements.sql");
    fs::write(&file, statements.iter().map(|sql| format!("{sql};\n")).collect::<String>()).unwrap();
    let theirs = theirs(&file);
    assert_eq!(statements.len(), theirs.len(), "pt-fingerprint left statements out");
    let pairs = statements.iter().zip(theirs).map(|(sql, theirs)| (sql, theirs, fingerprint(sql.as_bytes())));
    let other = pairs.filter(|(_, theirs, ours)| theirs != ours);
    other.map(|(sql, theirs, ours)| reason(sql, &theirs, &ours)).collect()
}

fn reason(sql: &str, theirs: &str, ours: &str) -> Because {
    let lower = sql.to_ascii_lowercase();
    let (plain_theirs, plain_ours) = (without_neighbours(theirs), without_neighbours(ours));
    let is_insert = ours.starts_with("insert") || ours.starts_with("replace");
    let has_capitals = || sql.contains("0x") || sql.contains("B'") || sql.contains("X'");
    match () {
        () if plain_theirs == plain_ours => Because::NumbersEnd,
        () if lower.contains("union") && theirs.contains("/*repeat union") => Because::Unions,
        () if is_insert && plain_ours.starts_with(before_quote(&plain_theirs)) => Because::RowsHaveAnEnd,
        () if is_insert && plain_theirs.starts_with(&plain_ours) => Because::RowsHaveAnEnd,
        () if has_capitals() && fingerprint(lower.as_bytes()) == ours => Because::Capitals,
        () if theirs.contains("in ((") && ours.contains("in(?+)") => Because::RowLists,
        () if lower.starts_with("call ") && (!sql.contains('(') || theirs.starts_with(ours)) => Because::Calls,
        () if ["`null`", "`#", "`  `"].iter().any(|name| lower.contains(name)) => Because::QuotedNames,
        () if without_offsets(&plain_theirs) == plain_ours => Because::EveryLimit,
        () => panic!("another fingerprint, and no reason on the list:\n{sql}\npt       {theirs}\ntidegate {ours}"),
    }
}

fn without_offsets(text: &str) -> String {
    text.replace("limit ?, ?", "limit ?").replace("limit ? , ?", "limit ?").replace("limit ? offset ?", "limit ?")
}

/// Up to a string that was cut in two.
fn before_quote(text: &str) -> &str {
    text.split('\'').next().unwrap_or_default()
}

/// A fingerprint without what pt-fingerprint may take for a part of the number beside it.
fn without_neighbours(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('?') {
        out.push_str(rest[..at].trim_end_matches(['x', 'b', '.', '+', '-']));
        out.push('?');
        rest = rest[at..].trim_start_matches(|c: char| c.is_ascii_hexdigit() || "?x.+-".contains(c));
    }
    out + rest
}

/// The statements of one of the suite's files that stand there as they are sent: without the runner's own commands and
/// variables, and without what is text in another statement.
fn of_suite(name: &str) -> Vec<String> {
    let path = Path::new(SUITE).join(name).with_extension("test");
    let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; apt-get install mariadb-test", path.display()));
    let text = String::from_utf8_lossy(&bytes);
    let is_sql = |line: &&str| !line.trim_start().starts_with(['#', '-']);
    let sql: String = text.lines().filter(is_sql).flat_map(|line| [line.trim_end(), "\n"]).collect();
    sql.split(";\n").map(str::trim).filter(|sql| is_statement(sql)).map(str::to_owned).collect()
}

fn is_statement(sql: &str) -> bool {
    let word = sql.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default().to_ascii_lowercase();
    let is_whole = ['\'', '"'].iter().all(|quote| sql.matches(*quote).count() % 2 == 0);
    let is_plain = !sql.contains(['$', ';', '\\', '\u{FFFD}']) && !sql.to_ascii_lowercase().contains("delimiter");
    FIRST_WORDS.contains(&word.as_str()) && is_whole && is_plain
}

/// The texts of a recording: a command a line, its name, a tab, its text.
fn recorded(file: std::io::Result<fs::DirEntry>) -> Vec<String> {
    let text = fs::read_to_string(file.expect("a file").path()).expect("a recording");
    let texts = text.lines().filter_map(|line| line.split_once('\t')).map(|(_, text)| text.trim());
    texts.filter(|text| !text.is_empty()).map(str::to_owned).collect()
}
