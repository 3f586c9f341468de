//! What the text of a statement does not show, or shows in an odd place, and no server announces: it stays its client's all the
//! same. Each client says and asks the same by a connection of its own.

use crate::crowd::{self, Client};
use crate::servers::{Kind, Server};

/// What one client says and then asks, and what another one asks after each statement.
struct Case {
    says: &'static [&'static str],
    asks: &'static str,
    other_asks: &'static str,
    /// Where there is such a thing.
    on: fn(Kind) -> bool,
}

const EVERYWHERE: fn(Kind) -> bool = |_| true;
const MARIADB: fn(Kind) -> bool = Kind::is_mariadb;
const LOCK: &str = "SELECT IS_USED_LOCK('unseen') = CONNECTION_ID()";

const TRIGGERS: &[Case] = &[
    Case {
        says: &["INSERT INTO into_variable (b) VALUES (1)"],
        asks: "SELECT @tv",
        other_asks: "SELECT @tv",
        on: EVERYWHERE,
    },
    Case {
        says: &["INSERT INTO assigning (b) VALUES (1)"],
        asks: "SELECT @ta",
        other_asks: "SELECT @ta",
        on: EVERYWHERE,
    },
    Case { says: &["INSERT INTO locking (b) VALUES (1)"], asks: LOCK, other_asks: LOCK, on: EVERYWHERE },
    Case {
        says: &["UPDATE plain, into_variable SET plain.b = 2, into_variable.b = 3"],
        asks: "SELECT @tu",
        other_asks: "SELECT @tu",
        on: EVERYWHERE,
    },
    Case {
        says: &[
            "CREATE TRIGGER made_late BEFORE INSERT ON made FOR EACH ROW SET NEW.b = (@tm := 9)",
            "INSERT INTO made (b) VALUES (1)",
            "DROP TRIGGER made_late",
        ],
        asks: "SELECT @tm",
        other_asks: "SELECT @tm",
        on: EVERYWHERE,
    },
];

const WORDS: &[Case] = &[
    Case {
        says: &["SELECT LAST_INSERT_ID(5)"],
        asks: "SELECT @@session . last_insert_id",
        other_asks: "SELECT LAST_INSERT_ID(6)",
        on: EVERYWHERE,
    },
    Case {
        says: &["SELECT LAST_INSERT_ID(5)"],
        asks: "SHOW VARIABLES LIKE 'last_insert_id'",
        other_asks: "SELECT LAST_INSERT_ID(6)",
        on: EVERYWHERE,
    },
    Case {
        says: &["SET STATEMENT session_track_system_variables = '' FOR SET sort_buffer_size = 123456"],
        asks: "SELECT @@sort_buffer_size",
        other_asks: "SELECT @@sort_buffer_size",
        on: MARIADB,
    },
    Case {
        says: &["SET STATEMENT Session_Track_state_change = 0 FOR SET @z = 5"],
        asks: "SELECT @z",
        other_asks: "SELECT @z",
        on: MARIADB,
    },
    Case {
        says: &["SET max_relay_log_size = 8192"],
        asks: "SELECT @@GLOBAL.max_relay_log_size",
        other_asks: "SELECT @@GLOBAL.max_relay_log_size",
        on: MARIADB,
    },
    Case { says: &["SET ROLE NONE, @rv = 5"], asks: "SELECT @rv", other_asks: "SELECT @rv", on: MARIADB },
    // Of the name of a function that other servers have.
    Case { says: &["SELECT uuid_to_bin()"], asks: LOCK, other_asks: LOCK, on: |kind| kind != Kind::Mysql9 },
    Case { says: &["SELECT Nvl ()"], asks: LOCK, other_asks: LOCK, on: |kind| !kind.is_mariadb() },
    Case {
        says: &["SET sql_slave_skip_counter = 1"],
        asks: "SELECT @@GLOBAL.sql_slave_skip_counter",
        other_asks: "SELECT @@GLOBAL.sql_slave_skip_counter",
        on: MARIADB,
    },
];

fn set_up(server: &Server) {
    for table in ["plain", "into_variable", "assigning", "locking", "made"] {
        server.sql(&format!("CREATE TABLE crowd.{table} (a INT PRIMARY KEY AUTO_INCREMENT, b INT)"));
    }
    let triggers = [
        "into_1 AFTER INSERT ON crowd.into_variable FOR EACH ROW SELECT NEW.a + 100 INTO @tv",
        "into_2 BEFORE UPDATE ON crowd.into_variable FOR EACH ROW SELECT 7 INTO @tu",
        "assigning_1 BEFORE INSERT ON crowd.assigning FOR EACH ROW SET NEW.b = (@ta := 8)",
        "locking_1 BEFORE INSERT ON crowd.locking FOR EACH ROW SET NEW.b = GET_LOCK('unseen', 0)",
    ];
    for trigger in triggers {
        server.sql(&format!("CREATE TRIGGER crowd.{trigger}"));
    }
    let name = if server.kind() == Kind::Mysql9 { "nvl" } else { "uuid_to_bin" };
    let names = if server.kind() == Kind::Mysql56 { vec![name, "nvl"] } else { vec![name] };
    for name in names {
        server.sql(&format!("CREATE FUNCTION crowd.{name}() RETURNS INT NO SQL RETURN GET_LOCK('unseen', 0)"));
    }
    server.sql("INSERT INTO crowd.plain (b) VALUES (1); INSERT INTO crowd.into_variable (b) VALUES (1)");
}

type Answers = Vec<Option<Vec<Vec<String>>>>;

/// `None` where the pool is full.
fn answers(client: &mut Client, sql: &str) -> Option<Vec<Vec<String>>> {
    match client.ask(sql) {
        Ok(answer) => Some(answer.rows),
        Err(trouble) if trouble.code() == Some(1040) => None,
        Err(trouble) => panic!("{sql}: {trouble}"),
    }
}

fn played(at: std::net::SocketAddr, case: &Case) -> (Answers, Vec<Vec<String>>) {
    let [mut one, mut other] = [(); 2].map(|()| crowd::insist_on_login(at));
    let mut others = Vec::new();
    for statement in case.says {
        crowd::insist(&mut one, statement.as_bytes());
        others.push(answers(&mut other, case.other_asks));
    }
    let own = crowd::insist(&mut one, case.asks.as_bytes()).rows;
    one.quit();
    other.quit();
    (others, own)
}

fn all_alike(cases: &[Case]) {
    for kind in Kind::here() {
        let direct = crowd::server_of(kind, &[]);
        let server = crowd::server_of(kind, &[]);
        set_up(&direct);
        set_up(&server);
        let tidegate = crowd::tidegate(&server, 1, "pool.checkout_timeout = \"100ms\"\n");
        for case in cases.iter().filter(|case| (case.on)(kind)) {
            let (expected, own_expected) = played(direct.address(), case);
            let (others, own) = played(tidegate.address(), case);
            assert_eq!(own, own_expected, "{kind}: {:?}", case.says);
            for (answer, expected) in others.iter().zip(expected).filter(|(answer, _)| answer.is_some()) {
                assert_eq!(*answer, expected, "{kind}: {:?}: the other", case.says);
            }
        }
    }
}

#[test]
fn what_a_trigger_does_is_its_clients() {
    all_alike(TRIGGERS);
}

#[test]
fn what_stands_in_an_odd_place_is_its_clients() {
    all_alike(WORDS);
}

/// Each client says and asks the same by a connection of its own, and gets in before and after.
#[test]
fn a_trigger_that_is_too_long_to_be_read_shuts_nobody_out() {
    let case = Case {
        says: &["INSERT INTO long_one (b) VALUES (1)"],
        asks: "SELECT @tl",
        other_asks: "SELECT @tl",
        on: EVERYWHERE,
    };
    let comment = "y".repeat(1_100_000);
    for kind in Kind::here() {
        let server = crowd::server_of(kind, &[]);
        server.sql("CREATE TABLE crowd.long_one (a INT PRIMARY KEY AUTO_INCREMENT, b INT)");
        let mut maker = crowd::insist_on_login(server.address());
        maker.run(&format!(
            "CREATE TRIGGER long_1 BEFORE INSERT ON long_one FOR EACH ROW BEGIN /* {comment} */ SET NEW.b = (@tl := 8); END"
        ));
        let tidegate = crowd::tidegate(&server, 1, "pool.checkout_timeout = \"100ms\"\n");
        for _ in 0..2 {
            let (others, own) = played(tidegate.address(), &case);
            assert_eq!(own, [["8"]], "{kind}");
            assert!(others.iter().flatten().all(|rows| *rows == [["NULL"]]), "{kind}: {others:?}");
        }
        assert!(!tidegate.log().contains("fault=\"backend\""), "{kind}: {}", tidegate.log());
    }
}
