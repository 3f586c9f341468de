//! A backend that was restored reads, on every server, as the session whose state it was given.

use tidegate::session::baseline::Baseline;
use tidegate::session::restore::{Standing, Step, steps};
use tidegate::session::state::State;
use tidegate::sql::details::{Detail, details, unquoted};
use tidegate::sql::dialect::Dialect;
use tidegate::sql::effects::statements;

use crate::servers::{Kind, Server};

/// A statement, and the variables that servers announce after it.
type Set = (&'static str, &'static [(&'static str, &'static str)]);

const LATIN: Set = (
    "SET NAMES latin1 COLLATE latin1_german1_ci",
    &[
        ("character_set_client", "latin1"),
        ("character_set_results", "latin1"),
        ("character_set_connection", "latin1"),
        ("collation_connection", "latin1_german1_ci"),
    ],
);
const UTF8: Set = (
    "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
    &[
        ("character_set_client", "utf8mb4"),
        ("character_set_results", "utf8mb4"),
        ("character_set_connection", "utf8mb4"),
        ("collation_connection", "utf8mb4_bin"),
    ],
);

const SESSIONS: &[&[Set]] = &[
    &[LATIN],
    &[UTF8],
    &[
        LATIN,
        ("SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'", &[("sql_mode", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES")]),
        ("SET time_zone = '+02:00', max_error_count = 5", &[("time_zone", "+02:00"), ("max_error_count", "5")]),
        ("SET autocommit = 0", &[("autocommit", "OFF")]),
    ],
    &[
        UTF8,
        ("SET sql_mode = ''", &[("sql_mode", "")]),
        ("SET character_set_results = NULL", &[("character_set_results", "")]),
        ("SET lc_time_names = 'de_DE', wait_timeout = 1000", &[("lc_time_names", "de_DE"), ("wait_timeout", "1000")]),
        ("SET @n = -1.50, @s = 'it''s \\\\ a string', @z = NULL, @h = x'4D', @t = TRUE", &[]),
    ],
    &[
        UTF8,
        ("SET collation_connection = utf8mb4_general_ci", &[("collation_connection", "utf8mb4_general_ci")]),
        ("SET @s = 'other', @n = 'text'", &[]),
    ],
];

const READ: &str = "SELECT @@sql_mode, @@time_zone, @@max_error_count, @@autocommit, @@lc_time_names, @@wait_timeout, \
     @@character_set_client, @@character_set_connection, @@character_set_results, @@collation_connection, \
     HEX(@n), HEX(@s), HEX(@z), HEX(@h), HEX(@t), @n + 1, CHARSET(@s), COLLATION(@s), CHARSET(@h)";

fn state(session: &[Set], base: Dialect) -> State {
    let mut state = State::fresh(0, None, true);
    for (sql, announced) in session {
        for (name, value) in *announced {
            state.set(name.as_bytes(), value.as_bytes()).expect("room");
        }
        note_user_variables(&mut state, sql.as_bytes(), base);
    }
    state
}

fn note_user_variables(state: &mut State, sql: &[u8], base: Dialect) {
    let dialect = state.dialect(base);
    let found = statements(sql, dialect).flat_map(|statement| details(sql, dialect, &statement));
    for detail in found {
        if let Detail::Assigned(item) = detail
            && let tidegate::sql::assign::Target::User(name) = item.target
        {
            let value = state.user_literal(item.value.of(sql), dialect);
            assert!(value.is_some(), "{:?}", String::from_utf8_lossy(sql));
            state.set_user(&unquoted(&name.of(sql)[1..]), value).expect("room");
        }
    }
}

fn text(session: &[Set]) -> String {
    session.iter().map(|(sql, _)| format!("{sql};\n")).collect()
}

fn check(server: &Server) {
    let base = Dialect::of_server(&server.version());
    let wait_timeout = server.sql("SELECT @@wait_timeout").trim().to_owned();
    let baseline = &Baseline::new([("wait_timeout", wait_timeout.as_bytes())]);
    for from in SESSIONS {
        for to in SESSIONS {
            let (left, wanted) = (state(from, base), state(to, base));
            let steps =
                steps(Standing { state: &left, baseline }, Standing { state: &wanted, baseline }).expect("a way");
            let restore: String = steps
                .iter()
                .map(|step| match step {
                    Step::Set(sql) => format!("{sql};\n"),
                    other => panic!("{other:?} is not needed"),
                })
                .collect();
            let direct = server.sql(&format!("{}{READ}", text(to)));
            let restored = server.sql(&format!("{}{restore}{READ}", text(from)));
            assert_eq!(restored, direct, "{}: from {from:?} to {to:?} by {restore}", server.kind());
        }
    }
}

#[test]
fn every_session_is_reached_from_every_other() {
    for kind in Kind::here() {
        check(Server::shared(kind));
    }
}
