use proptest::prelude::*;

use super::*;
use crate::session::last::{Condition, Level};
use crate::sql::lexer::{Kind, Lexer, Token};
use crate::wire::capabilities::{Capabilities, DEPRECATE_EOF};
use crate::wire::frame::put_packet;

fn saved() -> Saved {
    let condition = |level, code, message: &str| Condition { level, code, message: message.as_bytes().into() };
    let conditions = vec![condition(Level::Warning, 1292, "bad"), condition(Level::Error, 1146, "none")];
    Saved { conditions, warnings: 2, errors: 1, charset: b"utf8mb4".to_vec() }
}

fn planned(sql: &str) -> (String, bool) {
    let saved = saved();
    let clients = FxHashMap::from_iter([(7, 0x4000_0001)]);
    let known = Known {
        has_rows: true,
        connection_id: Some(0x4000_0001),
        row_count: Some(5),
        found_rows: Some(6),
        diagnostics: Some(&saved),
        clients: &clients,
    };
    match plan(sql.as_bytes(), Dialect::default(), &known) {
        Plan::AsItIs => ("as it is".into(), false),
        Plan::Cannot(why) => (why.into(), false),
        Plan::Run { text, patch } => {
            (text.map_or(String::new(), |text| String::from_utf8_lossy(&text).into_owned()), patch.is_some())
        }
    }
}

#[test]
fn a_bare_item_is_answered_in_the_reply() {
    for sql in [
        "SELECT ROW_COUNT()",
        "select /* x */ row_count ( ) as n, 1 FROM DUAL;",
        "SELECT 1, CONNECTION_ID() 'x', @@pseudo_thread_id, @@session.warning_count",
        "SELECT DISTINCT FOUND_ROWS() FROM t WHERE a = 1 LIMIT 1",
        "WITH x AS (SELECT 1) SELECT ROW_COUNT() FROM x",
        "SHOW WARNINGS",
        "SHOW ERRORS LIMIT 1, 2",
        "SHOW COUNT(*) WARNINGS",
        "SELECT IS_USED_LOCK('a'), CONNECTION_ID()",
        "SHOW FULL PROCESSLIST",
    ] {
        assert_eq!(planned(sql), (String::new(), true), "{sql}");
    }
}

#[test]
fn elsewhere_the_call_is_guarded_and_its_item_named() {
    let count = "IF(1,CAST(5 AS SIGNED),ROW_COUNT())";
    let id = "IF(1,CAST(1073741825 AS UNSIGNED),CONNECTION_ID())";
    for (sql, expected) in [
        ("SET @a = ROW_COUNT()", format!("SET @a = {count}")),
        ("INSERT INTO t VALUES (CONNECTION_ID())", format!("INSERT INTO t VALUES ({id})")),
        ("SELECT ROW_COUNT() + 1", format!("SELECT {count} + 1 AS `ROW_COUNT() + 1`")),
        ("SELECT 1 WHERE ROW_COUNT() = 1", format!("SELECT 1 WHERE {count} = 1")),
        ("SELECT ROW_COUNT() + 1 AS x", format!("SELECT {count} + 1 AS x")),
        ("SELECT ROW_COUNT() IS NULL", format!("SELECT {count} IS NULL AS `ROW_COUNT() IS NULL`")),
        ("SELECT ROW_COUNT() INTO @a", format!("SELECT {count} AS `ROW_COUNT()` INTO @a")),
        (
            "SELECT ROW_COUNT() UNION SELECT CONNECTION_ID()",
            format!("SELECT {count} AS `ROW_COUNT()` UNION SELECT {id} AS `CONNECTION_ID()`"),
        ),
        ("SELECT (SELECT ROW_COUNT())", format!("SELECT (SELECT {count} AS `ROW_COUNT()`) AS `(SELECT ROW_COUNT())`")),
        ("SELECT *, ROW_COUNT() FROM t", format!("SELECT *, {count} AS `ROW_COUNT()` FROM t")),
        ("GET DIAGNOSTICS @n = NUMBER, @r = ROW_COUNT", "SET @n=CAST(2 AS UNSIGNED),@r=5".into()),
        ("GET DIAGNOSTICS CONDITION 1 @e = MYSQL_ERRNO", "SET @e=CAST(1292 AS UNSIGNED)".into()),
        ("SELECT 1; SELECT ROW_COUNT()", "as it is".into()),
    ] {
        assert_eq!(planned(sql), (expected, false), "{sql}");
    }
}

#[test]
fn ids_are_of_one_kind_within_an_expression() {
    for (sql, text, patched) in [
        ("SELECT IS_USED_LOCK('a') = CONNECTION_ID()", "", true),
        ("SELECT id FROM information_schema.processlist WHERE id = CONNECTION_ID()", "", true),
        ("SELECT IS_USED_LOCK('a') = 1073741825", "SELECT IS_USED_LOCK('a') = 7", true),
        (
            "SELECT 1 FROM t WHERE is_used_lock( @a ) = id",
            "SELECT 1 FROM t WHERE IF(1,CAST(CASE is_used_lock( @a ) WHEN 7 THEN 1073741825 ELSE is_used_lock( @a ) END \
             AS UNSIGNED),is_used_lock( @a )) = id",
            true,
        ),
        ("SELECT IS_USED_LOCK(CONCAT('a', RAND())) = id FROM t", "", true),
        ("SELECT 1 FROM performance_schema.threads WHERE processlist_id = IS_USED_LOCK('a')", "", true),
        (
            "SELECT user FROM information_schema.processlist WHERE id = 1073741825",
            "SELECT user FROM information_schema.processlist WHERE id = 7",
            true,
        ),
    ] {
        assert_eq!(planned(sql), (text.to_owned(), patched), "{sql}");
    }
}

#[test]
fn what_is_stored_keeps_its_calls() {
    for sql in ["CREATE VIEW v AS SELECT CONNECTION_ID()", "SELECT 1", "SELECT 'ROW_COUNT()'", "SELECT a.row_count()"] {
        assert_eq!(planned(sql), ("as it is".into(), false), "{sql}");
    }
    assert!(planned("GET DIAGNOSTICS CONDITION 1 @s = RETURNED_SQLSTATE").0.starts_with("GET DIAGNOSTICS in a form"));
}

#[test]
fn many_questions_are_answered_in_one_pass() {
    const MANY: usize = 50_000;
    let id = "IF(1,CAST(1073741825 AS UNSIGNED),CONNECTION_ID())";
    let of_many =
        |begin: &str, one: &str, between: &str| format!("{begin}{}{one}", format!("{one}{between}").repeat(MANY));
    for (begin, one, between, expected) in [
        ("SELECT ", "CONNECTION_ID()+1", ",", format!("{id}+1 AS `CONNECTION_ID()+1`")),
        ("/**/", "SELECT CONNECTION_ID()+1", ";", format!("SELECT {id}+1 AS `CONNECTION_ID()+1`")),
        ("INSERT INTO t VALUES ", "(CONNECTION_ID())", ",", format!("({id})")),
        ("SELECT ", "(SELECT CONNECTION_ID() AS x) AS x", ",", format!("(SELECT {id} AS x) AS x")),
    ] {
        assert!(planned(&of_many(begin, one, between)).0 == of_many(begin, &expected, between), "{one}");
    }
    for one in
        ["CONNECTION_ID(),", "IS_USED_LOCK('a'),", "@@warning_count,", "IS_USED_LOCK(", "(SELECT ROW_COUNT() AS x,"]
    {
        planned(&format!("SELECT {}1", one.repeat(MANY)));
    }
    let locks = |count: usize| planned(&format!("SELECT {}1", "IS_USED_LOCK('a')+1,".repeat(count))).0.is_empty();
    assert!(!locks(100_000) && locks(100_001), "the text has an end");
    planned(&format!("WITH x AS (SELECT 1{}) SELECT {}1", ",1".repeat(MANY), "SELECT ".repeat(MANY)));
}

fn split(sql: &[u8]) -> (Vec<Token>, Vec<Token>) {
    let is_mark = |token: &Token| matches!(token.kind, Kind::CodeOpen | Kind::CodeClose);
    Lexer::new(sql, Dialect::default()).partition(is_mark)
}

/// The name of an item by a look at each of the text's tokens.
fn named(sql: &[u8], start: usize, end: usize) -> Vec<u8> {
    let (mut source, mut at) = (Vec::new(), start);
    for mark in split(&sql[..end]).0.iter().filter(|mark| mark.start >= start) {
        source.extend_from_slice(&sql[at..mark.start]);
        at = mark.end;
    }
    source.extend_from_slice(&sql[at..end]);
    let text = String::from_utf8_lossy(source.trim_ascii()).replace('`', "``");
    format!(" AS `{text}`").into_bytes()
}

proptest! {
    #[test]
    fn items_are_found_and_named_as_by_a_look_at_all(parts in proptest::collection::vec(0..PARTS.len(), 0..40)) {
        let sql: String = parts.iter().map(|&part| PARTS[part]).collect::<Vec<_>>().join(" ");
        let sql = sql.as_bytes();
        let (marks, tokens) = split(sql);
        let lists = items::lists(sql, &tokens);
        let mut around = items::Around::new(&lists.items);
        let (mut taken, mut all) = (Vec::new(), Vec::new());
        for found in asked::asked(sql, &tokens) {
            let is_around = |item: &&items::Item| item.first <= found.first && found.end <= item.end;
            let innermost = lists.items.iter().filter(is_around).max_by_key(|item| item.first);
            prop_assert_eq!(around.innermost(found), innermost.copied());
            taken.extend(around.take(found));
            all.extend(lists.items.iter().filter(is_around).filter(|item| !all.contains(*item)).copied().collect::<Vec<_>>());
        }
        taken.sort_by_key(|item| (item.first, item.end));
        all.sort_by_key(|item| (item.first, item.end));
        prop_assert_eq!(taken, all);
        for item in &lists.items {
            let (start, end) = (tokens[item.first].start, tokens[item.end - 1].end);
            prop_assert_eq!(rewrite::name(sql, &marks, &tokens, *item), (end, end, named(sql, start, end)));
        }
    }

    #[test]
    fn no_text_is_too_odd(parts in proptest::collection::vec(0..PARTS.len(), 0..24)) {
        let sql: String = parts.iter().map(|&part| PARTS[part]).collect::<Vec<_>>().join(" ");
        let (text, _) = planned(&sql);
        prop_assert_eq!(text.matches('`').count() % 2, 0, "{} -> {}", sql, text);
    }

    #[test]
    fn no_reply_is_too_odd(reply: Vec<u8>, binary: bool, caps in 0..2u64) {
        let mut patch = Patch::default();
        patch.cell(0, 0, patch::Value::Number(7));
        patch.ids(1, true);
        let caps = if caps == 1 { DEPRECATE_EOF } else { Capabilities::NONE };
        let _ = patch.apply(&reply, caps, binary, &FxHashMap::default());
    }
}

const PARTS: [&str; 24] = [
    "SELECT",
    "ROW_COUNT()",
    "CONNECTION_ID()",
    "@@warning_count",
    "(",
    ")",
    ",",
    "FROM",
    "t",
    "AS",
    "x",
    "UNION",
    "+",
    "1",
    "INTO",
    "@a",
    ";",
    "SET",
    "=",
    "IS_USED_LOCK(",
    "*",
    "RETURNING",
    "/*!",
    "*/",
];

fn reply(packets: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    packets.iter().fold(1, |seq, payload| put_packet(&mut out, seq, payload));
    out
}

fn definition(kind: u8) -> Vec<u8> {
    let mut out = b"\x03def\x00\x00\x00\x01a\x00\x0c?\x00\x15\x00\x00\x00".to_vec();
    out.extend_from_slice(&[kind, 0x81, 0, 0, 0, 0]);
    out
}

#[test]
fn cells_and_rows_are_replaced_in_either_protocol() {
    let column = definition(8);
    let (eof, ok) = (b"\xFE\x01\x00\x02\x00", b"\xFE\x00\x00\x02\x00\x01\x00");
    let mut patch = Patch::default();
    patch.cell(0, 0, patch::Value::Number(-1));
    let text = |row: &[u8]| reply(&[b"\x01", &column, eof, row, eof]);
    let clients = FxHashMap::default();
    let none = Capabilities::NONE;
    assert_eq!(patch.apply(&text(b"\x015"), none, false, &clients), Some(text(b"\x02-1")));
    let binary = |row: &[u8]| reply(&[b"\x01", &column, row, ok]);
    let old = binary(b"\x00\x00\x05\0\0\0\0\0\0\0");
    let new = binary(b"\x00\x00\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
    assert_eq!(patch.apply(&old, DEPRECATE_EOF, true, &clients), Some(new));
    assert_eq!(patch.apply(&text(b"\x015")[..20], none, false, &clients), None, "cut");
    let refused = reply(&[b"\xFF\x01\x02no"]);
    assert_eq!(patch.apply(&refused, none, false, &clients), Some(refused));

    let mut patch = Patch::default();
    patch.rows(0, vec![vec![patch::Field::Number(3)], vec![patch::Field::Number(4)]]);
    let two = reply(&[b"\x01", &column, eof, b"\x013", b"\x014", eof]);
    assert_eq!(patch.apply(&text(b"\x019"), none, false, &clients), Some(two), "numbered on");
}
