//! Where the bytes of a client's character set matter: for what is a string's value on the next connection, and for what is white
//! space between words that concern the session. Each program says the same by itself as with another client in between.

use crate::crowd::{self, Client};
use crate::raw::{BASE, Raw, connect, text};
use crate::servers::Kind;

/// What a client says, of which the last is a question.
type Program = &'static [&'static [u8]];

/// Values of user variables.
const VALUES: &[Program] = &[
    &[b"SET @x = '\xFF'", b"SELECT HEX(@x), CHARSET(@x)"],
    &[b"SET NAMES gbk", b"SET @x = '\xC4\xE3'", b"SELECT HEX(@x), CHARSET(@x)"],
    &[b"SET NAMES sjis", b"SET @x = 'a\x81'", b"SELECT HEX(@x), CHARSET(@x)"],
    &[b"SET NAMES utf8", b"SET @x = '\xF0\x9F\x98\x80'", b"SELECT HEX(@x), CHARSET(@x)"],
    &[b"SET NAMES latin1", b"SET @x = '\xE9\x81'", b"SELECT HEX(@x), CHARSET(@x), COLLATION(@x)"],
    &[b"SET NAMES binary", b"SET @x = '\xE9'", b"SELECT HEX(@x), CHARSET(@x)"],
    &[b"SET NAMES utf8mb4 COLLATE utf8mb4_bin", b"SET @x = 'ab'", b"SELECT COLLATION(@x), @x = 'AB'"],
    &[b"SET collation_connection = latin1_bin", b"SET @x = 'a'", b"SELECT HEX(@x), COLLATION(@x)"],
    &[b"SET collation_connection = utf32_bin", b"SET @x = 'a'", b"SELECT HEX(@x), COLLATION(@x)"],
    &[b"SET character_set_connection = ucs2", b"SET @x = 'ab'", b"SELECT HEX(@x), CHARSET(@x)"],
    &[b"SET NAMES latin2, @x = '\xE9'", b"SELECT HEX(@x), CHARSET(@x)"],
    &[b"SET character_set_client = latin2", b"SET @x = '\xE8'", b"SELECT HEX(@x), CHARSET(@x)"],
];

/// 0xA0 is white space in these, and begins a comment behind `--`.
const SPACES: &[Program] = &[
    &[b"SET NAMES latin1", b"SELECT 5 INTO\xA0@spaced", b"SELECT @spaced"],
    &[b"SET NAMES latin1", b"SELECT 6\xA0INTO @spaced", b"SELECT @spaced"],
    &[b"SET NAMES latin2", b"SET\xA0@spaced\xA0=\xA07", b"SELECT @spaced"],
    &[
        b"SET NAMES greek",
        b"SELECT 1 --\xA0'\n, GET_LOCK('spaced', 0) -- '",
        b"SELECT IS_USED_LOCK('spaced') = CONNECTION_ID()",
    ],
    &[b"SET NAMES cp866", b"SELECT 8\xFFINTO @spaced", b"SELECT @spaced"],
];

fn ask(client: &mut Client, kind: Kind, statement: &[u8]) -> Option<Vec<Vec<String>>> {
    let answer = client.ask_bytes(statement);
    // Where the pool is full, the client in between waits in vain: the other one keeps its connection.
    match answer {
        Ok(answer) => Some(answer.rows),
        Err(trouble) if trouble.code() == Some(1040) => None,
        Err(trouble) => panic!("{kind}: {}: {trouble}", statement.escape_ascii()),
    }
}

fn alone_and_beside(programs: &[Program]) {
    for kind in Kind::here() {
        let server = crowd::shared(kind);
        let tidegate = crowd::tidegate(server, 1, "pool.checkout_timeout = \"150ms\"\n");
        for program in programs {
            let [alone, beside] = [server.address(), tidegate.address()].map(|at| {
                let [mut client, mut other] = [(); 2].map(|()| crowd::insist_on_login(at));
                let mut last = Vec::new();
                for statement in *program {
                    last = crowd::insist(&mut client, statement).rows;
                    let of_other =
                        ask(&mut other, kind, b"SELECT @spaced, @x, IS_USED_LOCK('spaced') = CONNECTION_ID()");
                    let nothing = of_other.iter().flatten().flatten().all(|value| value == "NULL" || value == "0");
                    assert!(nothing, "{kind}: {}: {of_other:?}", statement.escape_ascii());
                }
                client.quit();
                last
            });
            assert_eq!(
                alone,
                beside,
                "{kind}: {:?}",
                program.iter().map(|text| text.escape_ascii().to_string()).collect::<Vec<_>>()
            );
        }
    }
}

#[test]
fn a_string_keeps_its_bytes_and_its_character_set() {
    alone_and_beside(VALUES);
}

#[test]
fn white_space_of_a_character_set_hides_nothing() {
    alone_and_beside(SPACES);
}

/// MySQL 5.6 knows a variable without a name.
#[test]
fn a_variable_without_a_name_is_its_clients() {
    if !Kind::Mysql56.is_here() {
        return;
    }
    let tidegate = crowd::tidegate(crowd::shared(Kind::Mysql56), 1, "pool.checkout_timeout = \"150ms\"\n");
    let [mut client, mut other] = [(); 2].map(|()| crowd::insist_on_login(tidegate.address()));
    for set in ["SELECT @:=15", "SELECT 7 INTO @"] {
        client.run(set);
        let seen = other.ask("SELECT @").map(|answer| answer.rows).unwrap_or_default();
        assert!(seen.iter().flatten().all(|value| value == "NULL"), "{set}: {seen:?}");
    }
    assert_eq!(client.value("SELECT @"), "7");
}

/// In what a session's results are said in character sets where ASCII has zeros in it, so are the answers to tidegate's questions.
#[test]
fn results_in_wide_character_sets() {
    const WIDE: [&str; 4] = ["ucs2", "utf16", "utf16le", "utf32"];
    const STATEMENTS: &[&str] = &[
        "INSERT INTO wide (a) VALUES (1)",
        "SELECT LAST_INSERT_ID() > 0",
        "SELECT GET_LOCK('wide', 0)",
        "SELECT RELEASE_LOCK('wide')",
        "SELECT SQL_CALC_FOUND_ROWS 1 FROM wide LIMIT 1",
        "SELECT FOUND_ROWS() > 0",
        "SET @a = (SELECT 'text')",
        "SELECT @a",
        "SELECT CAST('x' AS SIGNED)",
        "SHOW WARNINGS",
    ];
    for kind in Kind::here() {
        let server = crowd::server_of(kind, &[]);
        server.sql("CREATE TABLE crowd.wide (id INT AUTO_INCREMENT PRIMARY KEY, a INT)");
        let tidegate = crowd::tidegate(&server, 2, "");
        for wide in WIDE {
            let run = |address| {
                let mut client = Raw::login(connect(address), crowd::USER, "crowd", BASE);
                let mut other = Raw::login(connect(address), crowd::USER, "crowd", BASE);
                client.query(&format!("SET character_set_results = {wide}"));
                let ask = |sql: &&str| {
                    other.query("SELECT CAST('other' AS SIGNED), @a := 'other'");
                    client.query(sql)
                };
                STATEMENTS.iter().map(ask).collect::<Vec<_>>()
            };
            let (direct, through) = (run(server.address()), run(tidegate.address()));
            for (at, sql) in STATEMENTS.iter().enumerate() {
                // The first one's reply has the id that it gave.
                assert!(at == 0 || direct[at] == through[at], "{kind}, {wide}: {sql}: {}", text(&through[at]));
            }
        }
    }
}
