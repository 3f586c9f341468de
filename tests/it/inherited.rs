//! Nothing of a session reaches the next one on its connection, nor what servers keep over a reset and a change of user.

use tidegate::wire::command;

use crate::crowd::{self, Client, USER, change_user, reset};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

/// What a client leaves, what the next one asks, and what that one must hear.
struct Case {
    left: &'static [&'static str],
    asked: &'static str,
    heard: &'static str,
}

const CASES: &[Case] = &[
    Case { left: &["SET timestamp = 1000"], asked: "SELECT UNIX_TIMESTAMP() > 1000000", heard: "1" },
    Case { left: &["SET insert_id = 1012"], asked: "SELECT @@insert_id", heard: "0" },
    Case { left: &["SET rand_seed1 = 5, rand_seed2 = 7"], asked: "SELECT RAND() < 0.0000001", heard: "0" },
    Case { left: &["SET last_insert_id = 55"], asked: "SELECT LAST_INSERT_ID()", heard: "0" },
    Case {
        left: &["SET profiling = 1", "SELECT 'secret'"],
        asked: "SELECT COUNT(*) FROM information_schema.profiling",
        heard: "0",
    },
    Case {
        left: &["SET optimizer_trace = 'enabled=on'", "SELECT COUNT('secret') FROM crowd.inherited"],
        asked: "SELECT COUNT(*) FROM information_schema.optimizer_trace",
        heard: "0",
    },
];

/// How a client ends its session before it goes.
type End = (&'static str, fn(&mut Client));

const ENDS: [End; 3] = [("goes", |_| ()), ("resets it", reset), ("changes its user", change_user)];

fn nothing_is_inherited(server: &Server, mode: &str, cases: &[Case]) {
    server.sql("CREATE TABLE IF NOT EXISTS crowd.inherited (i INT)");
    let config = crowd::config(1, "").replace(&crowd::mode(), mode);
    let tidegate = Tidegate::in_front_of(server, &config);
    let enter = |schema: &str| Client::login(tidegate.address(), USER, schema).expect("a login");
    for Case { left, asked, heard } in cases {
        for (end, end_session) in ENDS {
            let mut client = enter("crowd");
            left.iter().for_each(|sql| drop(client.run(sql)));
            end_session(&mut client);
            client.quit();
            let what = format!("{} in mode {mode}: {asked} behind one who said {left:?} and {end}", server.kind());
            assert_eq!(enter("crowd").value(asked), *heard, "{what}");
        }
    }
}

const MODES: [&str; 2] = ["transaction", "session"];

#[test]
fn nothing_by_who_comes_next() {
    for kind in Kind::here() {
        MODES.iter().for_each(|mode| nothing_is_inherited(crowd::shared(kind), mode, CASES));
    }
}

#[test]
fn no_resource_group() {
    let server = crowd::shared(Kind::Mysql9);
    server.sql("CREATE RESOURCE GROUP inherited TYPE = USER VCPU = 0");
    let case = Case {
        left: &["SET RESOURCE GROUP inherited"],
        asked: "SELECT RESOURCE_GROUP FROM performance_schema.threads WHERE THREAD_ID = PS_CURRENT_THREAD_ID()",
        heard: "USR_default",
    };
    MODES.iter().for_each(|mode| nothing_is_inherited(server, mode, std::slice::from_ref(&case)));
}

/// Only a login brings back that there is no schema, and MySQL 5.6 keeps the time over it.
#[test]
fn no_time_by_who_has_no_schema() {
    for kind in Kind::here() {
        let server = crowd::shared(kind);
        let tidegate = crowd::tidegate(server, 1, "");
        let mut old = Client::login(tidegate.address(), USER, "crowd").expect("a login");
        let mut new = Client::login(tidegate.address(), USER, "").expect("a login");
        old.run("SET timestamp = 1000");
        assert_eq!(new.value("SELECT UNIX_TIMESTAMP() > 1000000"), "1", "{kind}");
        assert_eq!(old.value("SELECT UNIX_TIMESTAMP()"), "1000", "{kind}");
    }
}

/// .. and the time that was set, and the next insert id, over a change of user: they stay with who set them.
#[test]
fn a_time_and_a_next_id_outlive_a_change_of_user_where_the_server_keeps_them() {
    let server = crowd::shared(Kind::Mysql56);
    server.sql("CREATE TABLE IF NOT EXISTS crowd.counted (i INT AUTO_INCREMENT PRIMARY KEY)");
    let tidegate = crowd::tidegate(server, 1, "pool.checkout_timeout = \"200ms\"\n");
    let [direct, through] = [server.address(), tidegate.address()].map(|address| {
        let mut client = Client::login(address, USER, "crowd").expect("a login");
        let have_another = |sql| {
            let another = Client::login(tidegate.address(), USER, "crowd");
            let _ = another.and_then(|mut another| another.ask(sql));
        };
        let ask_another = || have_another("INSERT INTO crowd.counted VALUES ()");
        client.run("SET timestamp = 1000");
        change_user(&mut client);
        ask_another();
        let time = client.value("SELECT UNIX_TIMESTAMP()");
        client.run("SET timestamp = DEFAULT, insert_id = 1011");
        change_user(&mut client);
        ask_another();
        client.run("INSERT INTO crowd.counted VALUES ()");
        let id = client.value("SELECT LAST_INSERT_ID()");
        client.run("SET rand_seed1 = 5, rand_seed2 = 7");
        change_user(&mut client);
        client.run("DELETE FROM crowd.counted");
        have_another("SELECT RAND()");
        [time, id, client.value("SELECT RAND()")]
    });
    assert_eq!(direct[..2], ["1000", "1011"]);
    assert_eq!(through, direct);
}

/// Who has profiles has its connection, though a reset ends the profiling: MariaDB shows them behind it, too.
#[test]
fn profiles_outlive_a_reset_where_the_server_keeps_them() {
    for kind in [Kind::MariaDb1011, Kind::MariaDb11] {
        let server = crowd::shared(kind);
        let tidegate = crowd::tidegate(server, 1, "pool.checkout_timeout = \"200ms\"\n");
        let [direct, through] = [server.address(), tidegate.address()].map(|address| {
            let mut client = Client::login(address, USER, "crowd").expect("a login");
            client.run("SET profiling = 1");
            client.run("SELECT 'mine'");
            reset(&mut client);
            let another = Client::login(tidegate.address(), USER, "crowd");
            let _ = another.and_then(|mut another| another.ask("SELECT 'another'"));
            let profiles = client.rows("SHOW PROFILES").into_iter().flatten();
            profiles.filter(|text| text.starts_with("SELECT '")).collect::<Vec<_>>()
        });
        assert_eq!((direct, through), (vec!["SELECT 'mine'".into()], vec!["SELECT 'mine'".into()]), "{kind}");
    }
}

/// Where the server profiles everybody, everybody has a connection.
#[test]
fn no_texts_where_the_server_keeps_everybodys() {
    for (kind, setting, question) in [
        (Kind::MariaDb1011, "profiling = 1", "SHOW PROFILES"),
        (Kind::Mysql9, "optimizer_trace = 'enabled=on'", "SELECT query FROM information_schema.optimizer_trace"),
    ] {
        let server = crowd::server_of(kind, &[]);
        server.sql(&format!("CREATE TABLE crowd.inherited (i INT); SET GLOBAL {setting}"));
        let tidegate = crowd::tidegate(&server, 1, "pool.checkout_timeout = \"200ms\"\n");
        let enter = || Client::login(tidegate.address(), USER, "crowd");
        let mut client = enter().expect("a login");
        client.run("SELECT COUNT('secret') FROM inherited");
        assert!(enter().and_then(|mut another| another.ask(question)).is_err(), "{kind}: the connection is shared");
        client.quit();
        crowd::eventually("the connection is free", crowd::LIMIT, || enter().is_ok());
        let texts = enter().expect("a login").rows(question);
        assert!(!texts.iter().flatten().any(|text| text.contains("secret")), "{kind}: {texts:?}");
    }
}

/// MySQL reads a statement by its first parameters' types: one client's number must not make a number of another's text.
#[test]
fn no_types_by_who_prepares_the_same_text() {
    for kind in Kind::here() {
        let server = crowd::shared(kind);
        server.sql("CREATE TABLE IF NOT EXISTS crowd.typed (v VARCHAR(9)); TRUNCATE crowd.typed");
        server.sql("INSERT INTO crowd.typed VALUES ('7'), ('07'), ('7.0'), ('8')");
        let tidegate = crowd::tidegate(server, 1, "");
        let enter = || Client::login(tidegate.address(), USER, "crowd").expect("a login");
        let [mut numbers, mut texts] = [enter(), enter()];
        let sql = "DELETE FROM typed WHERE v = ?";
        let (number, string) = (numbers.prepare(sql).expect("a statement"), texts.prepare(sql).expect("a statement"));
        const BIGINT: [u8; 2] = [8, 0];
        let head = [&[command::STMT_EXECUTE][..], &number.id.to_le_bytes(), &[0, 1, 0, 0, 0, 0, 1], &BIGINT].concat();
        numbers.command(&[&head[..], &99u64.to_le_bytes()].concat()).expect("an OK");
        assert_eq!(texts.execute(string, &["7"]).expect("an OK").affected, 1, "{kind}: a text was taken for a number");
        assert_eq!(texts.execute(string, &["07"]).expect("an OK").affected, 1, "{kind}, again");
        let number_again = numbers.command(&[&head[..], &8u64.to_le_bytes()].concat()).expect("an OK");
        assert_eq!(number_again.affected, 1, "{kind}: a number");
    }
}

/// What was a text and then another client's number would be a number to MySQL from then on.
#[test]
fn no_types_that_came_later() {
    for kind in Kind::here() {
        let server = crowd::shared(kind);
        let enter = |address| Client::login(address, USER, "crowd").expect("a login");
        let tidegate = crowd::tidegate(server, 1, "");
        server.sql("CREATE TABLE IF NOT EXISTS crowd.typed_later (v VARCHAR(9)); TRUNCATE crowd.typed_later");
        server.sql("INSERT INTO crowd.typed_later VALUES ('7'), ('07'), ('7.0'), ('8')");
        let sql = "DELETE FROM typed_later WHERE v = ?";
        let [mut both, mut texts] = [enter(tidegate.address()), enter(tidegate.address())];
        let (own, others) = (both.prepare(sql).expect("a statement"), texts.prepare(sql).expect("a statement"));
        let head = [&[command::STMT_EXECUTE][..], &own.id.to_le_bytes(), &[0, 1, 0, 0, 0, 0, 1, 8, 0]].concat();
        for text in ["7", "07"] {
            both.execute(own, &["none"]).expect("an OK");
            texts.execute(others, &["none"]).expect("an OK");
            both.command(&[&head[..], &99u64.to_le_bytes()].concat()).expect("an OK");
            assert_eq!(texts.execute(others, &[text]).expect("an OK").affected, 1, "{kind}: {text}");
        }
    }
}

/// A client that never says of which types its parameters are gets what its own server says to that.
#[test]
fn no_types_by_who_leaves_them_out() {
    for kind in Kind::here() {
        let server = crowd::shared(kind);
        let tidegate = crowd::tidegate(server, 1, "");
        server.sql("CREATE TABLE IF NOT EXISTS crowd.typed_never (v VARCHAR(9))");
        let [direct, through] = [server.address(), tidegate.address()].map(|address| {
            server.sql("TRUNCATE crowd.typed_never");
            let [mut silent, mut other] = [(); 2].map(|()| Client::login(address, USER, "crowd").expect("a login"));
            let [own, others] = [&mut silent, &mut other]
                .map(|client| client.prepare("INSERT INTO typed_never SELECT ?").expect("a statement"));
            other.execute(others, &["wxyz"]).expect("an OK");
            let left_out =
                [&[command::STMT_EXECUTE][..], &own.id.to_le_bytes(), &[0, 1, 0, 0, 0, 0, 0], b"\x03abc"].concat();
            let answer = silent.command(&left_out).map_err(|trouble| trouble.code());
            other.execute(others, &["wxyz"]).expect("an OK");
            (answer.map(|reply| reply.affected), other.rows("SELECT v FROM typed_never ORDER BY v"))
        });
        assert_eq!(direct, through, "{kind}");
    }
}

/// In a form that only the server understands, errors are asked of whatever backend is at hand: another client's must not be there.
#[test]
fn no_errors_by_who_asks_in_other_words() {
    for kind in Kind::here() {
        let server = crowd::shared(kind);
        let tidegate = crowd::tidegate(server, 1, "");
        let enter = |address| Client::login(address, USER, "crowd").expect("a login");
        for condition in [1, 2] {
            let [direct, through] = [server.address(), tidegate.address()].map(|address| {
                let mut other = enter(tidegate.address());
                assert!(other.ask("SELECT * FROM secret_of_another").is_err());
                let mut client = enter(address);
                let sql = format!(
                    "GET DIAGNOSTICS CONDITION {condition} @message = MESSAGE_TEXT, @state = RETURNED_SQLSTATE"
                );
                let warnings = client.ask(&sql).expect("an OK").warnings;
                let found = client.rows("SELECT @message, @state");
                client.quit();
                (warnings, found)
            });
            assert_eq!(direct, through, "{kind}: condition {condition}");
        }
    }
}

/// A statement may find as many rows as another client's before it.
#[test]
fn no_count_that_another_client_had_found_as_well() {
    for kind in Kind::here() {
        let server = crowd::shared(kind);
        let tidegate = crowd::tidegate(server, 1, "");
        let all = [
            "CREATE TABLE found_copy SELECT i FROM found",
            "INSERT INTO found_more SELECT i FROM found",
            "UPDATE found, found_more SET found_more.i = found.i WHERE found.i = found_more.i + 1",
            "DELETE found_more FROM found, found_more WHERE found.i = found_more.i",
            "UPDATE found SET i = i + 1",
            "SELECT SQL_CALC_FOUND_ROWS i FROM found LIMIT 1 INTO @first",
        ];
        for sql in all {
            let [direct, through] = [server.address(), tidegate.address()].map(|address| {
                server.sql("DROP TABLE IF EXISTS crowd.found, crowd.found_more, crowd.found_copy");
                server.sql("CREATE TABLE crowd.found (i INT); INSERT INTO crowd.found VALUES (1), (2)");
                server.sql("CREATE TABLE crowd.found_more (i INT); INSERT INTO crowd.found_more VALUES (1), (2)");
                let mut other = Client::login(tidegate.address(), USER, "crowd").expect("a login");
                let mut client = Client::login(address, USER, "crowd").expect("a login");
                client.rows("SELECT 1");
                other.rows("SELECT i FROM found");
                client.run(sql);
                let rows = client.value("SELECT FOUND_ROWS()");
                client.quit();
                rows
            });
            assert_eq!(direct, through, "{kind}: {sql}");
        }
    }
}

/// A reset makes `character_set_database` the server's, until the schema is entered again: that is the affair of who has reset.
#[test]
fn no_character_set_of_a_reset() {
    for kind in Kind::here().into_iter().filter(|kind| *kind != Kind::Mysql56) {
        let server = crowd::shared(kind);
        server.sql("CREATE DATABASE IF NOT EXISTS reset_in CHARACTER SET koi8r");
        let tidegate = crowd::tidegate(server, 1, "");
        let enter = || Client::login(tidegate.address(), USER, "reset_in").expect("a login");
        let [mut resets, mut client] = [enter(), enter()];
        for _ in 0..2 {
            client.run("DO 1");
            reset(&mut resets);
            assert_eq!(client.value("SELECT @@character_set_database"), "koi8r", "{kind}");
            client.run("DO 1");
            assert_eq!(client.value("SELECT @@character_set_database"), "koi8r", "{kind}");
        }
    }
}

/// .. and it stays so for that one, on whatever connection, until it enters a schema.
#[test]
fn a_reset_has_its_own_character_set() {
    const SET: &str = "SELECT @@character_set_database";
    for kind in Kind::here().into_iter().filter(|kind| *kind != Kind::Mysql56) {
        let server = crowd::shared(kind);
        server.sql("CREATE DATABASE IF NOT EXISTS reset_in CHARACTER SET koi8r; CREATE DATABASE IF NOT EXISTS reset_too CHARACTER SET greek");
        let tidegate = crowd::tidegate(server, 1, "");
        let enter = |schema| Client::login(tidegate.address(), USER, schema).expect("a login");
        let [mut one, mut two, mut other] = [enter("reset_in"), enter("reset_too"), enter("reset_in")];
        let of_server = one.value("SELECT @@global.character_set_database");
        [&mut one, &mut two].into_iter().for_each(reset);
        for _ in 0..2 {
            assert_eq!(one.value(SET), of_server, "{kind}");
            assert_eq!(two.value(SET), of_server, "{kind}");
            assert_eq!(other.value(SET), "koi8r", "{kind}");
        }
        one.run("USE reset_in");
        for _ in 0..2 {
            assert_eq!(one.value(SET), "koi8r", "{kind}");
            assert_eq!(two.value(SET), of_server, "{kind}");
            assert_eq!(other.value(SET), "koi8r", "{kind}");
        }
    }
}

/// What a cursor gives out stands in no reply to its execution.
#[test]
fn no_counts_through_a_cursor() {
    for kind in Kind::here() {
        let server = crowd::shared(kind);
        server.sql("CREATE TABLE IF NOT EXISTS crowd.counted (i INT); TRUNCATE crowd.counted; INSERT INTO crowd.counted VALUES (1), (2), (3)");
        let tidegate = crowd::tidegate(server, 1, "");
        let enter = || Client::login(tidegate.address(), USER, "crowd").expect("a login");
        let [mut client, mut other] = [enter(), enter()];
        let found = client.prepare("SELECT CONCAT(FOUND_ROWS())").expect("a statement");
        let alone = client.prepare("SELECT FOUND_ROWS()").expect("a statement");
        for statement in [found, alone] {
            client.rows("SELECT i FROM counted LIMIT 2");
            other.rows("SELECT i FROM counted");
            client.execute_as(statement, true, &[]).expect("a cursor");
            let fetch = [&[command::STMT_FETCH][..], &statement.id.to_le_bytes(), &9u32.to_le_bytes()].concat();
            client.send_command(&fetch).expect("a connection");
            let (_, row) = client.packet().expect("a row");
            client.packet().expect("the end of a fetch");
            let expected: &[u8] = if statement.id == found.id { b"\x012" } else { &[2, 0, 0, 0] };
            assert!(row[2..].starts_with(expected), "{kind}: {row:?}");
            client.command(&[&[command::STMT_RESET][..], &statement.id.to_le_bytes()].concat()).expect("an OK");
        }
    }
}

/// Long data lies with the statement that it was sent to: with a cursor, too, that one is executed, on the client's own count.
#[test]
fn no_counts_through_a_cursor_behind_long_data() {
    for kind in Kind::here() {
        let server = crowd::shared(kind);
        server.sql("CREATE TABLE IF NOT EXISTS crowd.counted (i INT); TRUNCATE crowd.counted; INSERT INTO crowd.counted VALUES (1), (2), (3)");
        let tidegate = crowd::tidegate(server, 1, "");
        let enter = || Client::login(tidegate.address(), USER, "crowd").expect("a login");
        let [mut client, mut other] = [enter(), enter()];
        let [one, two] = [(); 2].map(|()| client.prepare("SELECT CONCAT(FOUND_ROWS(), ?)").expect("a statement").id);
        for (id, cursor) in [(one, 1), (two, 0), (one, 1), (two, 0)] {
            let id = id.to_le_bytes();
            client.rows("SELECT i FROM counted LIMIT 2");
            other.rows("SELECT i FROM counted");
            client
                .send_command(&[&[command::STMT_SEND_LONG_DATA][..], &id, &[0, 0], b" long"].concat())
                .expect("a connection");
            let execute =
                [&[command::STMT_EXECUTE][..], &id, &[cursor], &1u32.to_le_bytes(), &[0, 1, 0xFC, 0]].concat();
            client.send_command(&execute).expect("a connection");
            let head =
                std::iter::repeat_with(|| client.packet().expect("a reply").1).nth(2).expect("an end of columns");
            if cursor == 1 {
                assert_eq!((head[0], head[3] & 0x40), (0xFE, 0x40), "{kind}: no cursor: {head:?}");
                let fetch = [&[command::STMT_FETCH][..], &id, &9u32.to_le_bytes()].concat();
                client.send_command(&fetch).expect("a connection");
            }
            let (_, row) = client.packet().expect("a row");
            assert!(row.ends_with(b"2 long"), "{kind}: {row:?}");
            client.packet().expect("the end of the rows");
            client.command(&[&[command::STMT_RESET][..], &id].concat()).expect("an OK");
        }
    }
}

/// A parameter that there is not: the statement complains of it until it is reset, to nobody else, who wait for the connection.
#[test]
fn no_complaint_of_anothers_long_data() {
    for kind in Kind::here() {
        let server = crowd::shared(kind);
        let tidegate = crowd::tidegate(server, 1, "pool.checkout_timeout = \"200ms\"\n");
        let enter = || Client::login(tidegate.address(), USER, "crowd").expect("a login");
        let [mut careless, mut other] = [enter(), enter()];
        let sql = "SELECT CONCAT(?, '!')";
        let (wrong, right) = (careless.prepare(sql).expect("a statement"), other.prepare(sql).expect("a statement"));
        let data = [&[command::STMT_SEND_LONG_DATA][..], &wrong.id.to_le_bytes(), &5u16.to_le_bytes(), b"x"].concat();
        careless.send_command(&data).expect("a connection");
        for turn in 0..2 {
            assert!(careless.execute(wrong, &["four"]).is_err(), "{kind}: turn {turn}");
            let code = other.execute(right, &["four"]).err().and_then(|trouble| trouble.code());
            assert!(matches!(code, None | Some(1040)), "{kind}: turn {turn}: {code:?}");
        }
        careless.quit();
        other.execute(right, &["four"]).unwrap_or_else(|trouble| panic!("{kind}: {trouble}"));
    }
}

/// Settings with words of their own: set on the next connection as they were, and on this one back to what they were.
#[test]
fn no_setting_that_is_hard_to_say() {
    for kind in Kind::here() {
        let server = crowd::shared(kind);
        server.sql("CREATE TABLE IF NOT EXISTS crowd.settled (i INT)");
        let tidegate = crowd::tidegate(server, 1, "pool.checkout_timeout = \"200ms\"\n");
        let enter = || Client::login(tidegate.address(), USER, "crowd").expect("a login");
        let on_mariadb = [
            ("SET system_versioning_asof = '2020-01-01 00:00:00'", "@@system_versioning_asof"),
            ("SET enforce_storage_engine = NULL", "@@enforce_storage_engine"),
            ("SET foreign_key_checks = 0, skip_replication = 1", "@@skip_replication"),
            ("SET sql_notes = 0, skip_parallel_replication = 1", "@@skip_parallel_replication"),
            ("SET storage_engine = MyISAM", "@@default_storage_engine"),
            ("SET default_master_connection = '2'", "@@default_master_connection"),
        ];
        let everywhere = [("SET default_storage_engine = MyISAM", "@@default_storage_engine")];
        let cases = if kind.is_mariadb() { &on_mariadb[..] } else { &everywhere };
        for (set, value) in cases {
            let question = format!("SELECT {value}");
            let unset = enter().rows(&question);
            let [mut client, mut other] = [enter(), enter()];
            client.run(set);
            let own = client.rows(&question);
            // Refused where the client keeps the connection.
            match other.ask("INSERT INTO settled VALUES (1)").map_err(|trouble| trouble.code()) {
                Err(code) => assert_eq!(code, Some(1040), "{kind}: {set}"),
                Ok(_) => assert_eq!(other.rows(&question), unset, "{kind}: {set}"),
            }
            assert_eq!(client.rows(&question), own, "{kind}: {set}");
            client.quit();
            other.quit();
        }
    }
}

/// Of two names of one variable, the one that was set last counts.
#[test]
fn a_variable_of_two_names_has_one_value() {
    let slow = ("SET long_query_time = 5", "SET log_slow_query_time = 7", "ROUND(@@long_query_time)", "7");
    let engine = ("SET storage_engine = MyISAM", "SET default_storage_engine = Aria", "@@storage_engine", "Aria");
    // MariaDB 11 does not announce the other name as it is: its client keeps the connection.
    for (kind, (first, second, value, expected)) in
        [(Kind::MariaDb1011, slow), (Kind::MariaDb1011, engine), (Kind::MariaDb11, engine)]
    {
        let tidegate = crowd::tidegate(crowd::shared(kind), 1, "");
        let enter = || Client::login(tidegate.address(), USER, "crowd").expect("a login");
        let [mut client, mut other] = [enter(), enter()];
        for set in [first, second] {
            client.run(set);
            other.rows("SELECT 1");
        }
        assert_eq!(client.rows(&format!("SELECT {value}")), [[expected]], "{kind}");
    }
}

/// Servers leave out schemas before tables' names where a client wants that: it is served by a connection of its own.
#[test]
fn no_schema_before_a_tables_name() {
    const NO_SCHEMA: u32 = 1 << 4;
    for kind in Kind::here() {
        let tidegate = crowd::tidegate(crowd::shared(kind), 2, "");
        let mut client = Client::login_with(tidegate.address(), USER, "crowd", NO_SCHEMA).expect("a login");
        let mut other = Client::login(tidegate.address(), USER, "crowd").expect("a login");
        for _ in 0..2 {
            assert_eq!(client.value("SELECT DATABASE()"), "crowd", "{kind}");
            assert_eq!(
                other.value("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'crowd'"),
                "1"
            );
        }
    }
}

/// A text that is no statement at all has done nothing: its client shares its connection.
#[test]
fn no_connection_by_a_typing_error() {
    for kind in Kind::here() {
        let server = crowd::shared(kind);
        let tidegate = crowd::tidegate(server, 1, "pool.checkout_timeout = \"200ms\"\n");
        let [mut careless, mut other] =
            [(); 2].map(|()| Client::login(tidegate.address(), USER, "crowd").expect("a login"));
        assert_eq!(careless.ask("SELCT 1").map_err(|trouble| trouble.code()).err(), Some(Some(1064)), "{kind}");
        assert_eq!(other.rows("SELECT 1"), [["1"]], "{kind}");
    }
}

/// What only the privileged may set for themselves, and is set for all: who was there before goes on, with what logins give now.
#[test]
fn a_global_that_a_session_may_not_set_back_shuts_nobody_out() {
    for kind in Kind::here() {
        let server = crowd::server_of(kind, &[]);
        crowd::account(&server, "unprivileged", "SELECT ON crowd.*");
        let users = "\n[[user]]\nname = \"unprivileged\"\npassword = \"\"\n";
        let tidegate = Tidegate::in_front_of(&server, &format!("{}{users}", crowd::config(1, "")));
        let mut client = Client::login(tidegate.address(), "unprivileged", "").expect("a login");
        client.run("SET @mine = 'kept'");
        server.sql("SET GLOBAL sql_log_off = 1, sql_mode = 'ANSI_QUOTES'");
        let mut other = crowd::enter(&tidegate);
        for _ in 0..2 {
            other.run("SELECT 1");
            assert_eq!(client.value("SELECT @mine"), "kept", "{kind}");
            other.run("SELECT 1");
            client.run("BEGIN");
            client.run("COMMIT");
        }
        // What stands in double quotes is read as the session reads it now: no string, in which nothing is asked.
        let has_modes = client.value("SELECT @@sql_mode").contains("ANSI_QUOTES");
        let asked = client.ask("SELECT \"mine\"").map(|answer| answer.rows);
        assert_eq!(asked.is_err(), has_modes, "{kind}: {asked:?}");
        let refused = client.refused("SET SESSION sql_log_off = 0");
        assert_eq!(refused.code, 1227, "{kind}");
        assert_eq!(client.value("SELECT @mine"), "kept", "{kind}");
    }
}
