//! A user variable that was read and set again has the same value, type, character set and collation.

use tidegate::session::baseline::Baseline;
use tidegate::session::restore::{Standing, Step, steps};
use tidegate::session::state::State;
use tidegate::session::user_values::{Column, answers, question};

use super::*;

const SET: &[&str] = &[
    "SET @v = 1 + 1",
    "SET @v = CAST(1 AS UNSIGNED) + 1",
    "SET @v = -3 * 5",
    "SET @v = 1.50 + 0",
    "SET @v = -0.001 * 1.0",
    "SET @v = 18446744073709551615 + 0",
    "SET @v = -9223372036854775807 - 1",
    "SET @v = concat('a', 'b')",
    "SET @v = concat(_latin1 X'E9' COLLATE latin1_german1_ci, '')",
    "SET @v = concat(_utf8mb4 X'F09F9880', '') COLLATE utf8mb4_bin",
    "SET @v = concat(X'00FF', X'01')",
    "SET @v = NULLIF(1, 1)",
    "SET @v = concat('', '')",
    "SET @v = 1e0 / 3",
    "SET @v = NOW()",
    "SET @v = CURDATE()",
    "SET @v = CONVERT('x' USING ucs2)",
    "SET @v = (SELECT count(*) FROM t)",
    "SET @v = UPPER('a')",
    "SET @v = 1 = 1",
    "SET @v = CAST(5 AS DECIMAL(10, 0))",
    "SET @v = CAST('1.5' AS DECIMAL(20, 10))",
    "SET @v = 'x', @v = NULL",
];

const READ: &str = "SELECT @v, HEX(@v), CHARSET(@v), COLLATION(@v), @v + 1, COERCIBILITY(@v)";

fn columns(reply: &[u8]) -> Vec<Column> {
    let all = packets(reply);
    let column = |definition: &[u8]| {
        let mut fields = Fields::new(definition);
        assert_eq!((0..6).filter_map(|_| fields.lenenc_bytes()).count(), 6);
        fields.bytes(7).expect("a definition");
        Column { kind: fields.u8().expect("a type"), flags: fields.u16().expect("flags") }
    };
    all[1..=usize::from(all[0][0])].iter().map(|definition| column(definition)).collect()
}

#[test]
fn user_variables_are_carried_exactly_or_not_at_all() {
    every(|server| {
        prepared(server, "last_variables");
        let mut carried = 0;
        for sql in SET {
            let mut home = Session::new(server, Capabilities::NONE, "last_variables");
            home.run(sql);
            let expected = home.raw.query(READ);
            let question = question(&[b"v"]).expect("a question");
            let columns = columns(&home.raw.query(&question));
            let row = home.rows(&question).remove(0);
            let mut found = answers(&[b"v"], &columns, &row).expect("an answer");
            let Some(value) = found.remove(0).1 else {
                println!("{}: {sql}: not carried", server.kind());
                continue;
            };
            carried += 1;
            let (from, mut to) = (State::fresh(0, None, true), State::fresh(0, None, true));
            to.set_user(b"v", Some(value)).expect("room");
            let nothing = Baseline::default();
            let found =
                steps(Standing { state: &from, baseline: &nothing }, Standing { state: &to, baseline: &nothing })
                    .expect("a way");
            let mut away = Session::new(server, Capabilities::NONE, "last_variables");
            away.run("SET @v = 'other'");
            for step in found {
                let Step::Set(restore) = step else { panic!("{step:?}") };
                let reply = away.run(&restore);
                assert_eq!(reply[HEADER], 0, "{}: {restore}: {}", server.kind(), text(&reply));
            }
            assert_eq!(text(&away.raw.query(READ)), text(&expected), "{}: {sql}", server.kind());
        }
        assert!(carried >= SET.len() - 5, "{}: {carried}", server.kind());
    });
}
