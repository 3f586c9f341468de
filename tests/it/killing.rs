//! KILL by an account's name, and KILLs that were prepared: they hit who is meant, in the modes that share backends or lend
//! them.

mod among;

use std::io::Read;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use crate::crowd::{
    Answer, Answered, Client, LIMIT, USER, account, await_taken, enter, eventually, running, server_of,
};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

const HUNTED: &str = "hunted";

#[test]
fn kill_user_ends_all_of_an_accounts_clients() {
    let (server, tidegate) = scene("transaction", Kind::MariaDb1011, 3);
    let [mut idle, mut running_one, mut pinned, mut queued] = [(); 4].map(|()| hunted(&tidegate));
    let (mut bystander, mut killer) = (enter(&tidegate), enter(&tidegate));
    idle.run("SELECT 1");
    pinned.run("BEGIN");
    bystander.run("BEGIN");
    running_one.start("SELECT SLEEP(50) /* of the hunted */").expect("a connection");
    eventually("it runs", LIMIT, || running(&server, "of the hunted") == 1);
    queued.start("SELECT 'never'").expect("a connection");
    await_taken(&tidegate, &queued);
    assert_eq!(killer.run(&format!("KILL USER {HUNTED}")).affected, 4);
    for client in [&mut idle, &mut running_one, &mut pinned, &mut queued] {
        eventually("a killed client is closed", LIMIT, || client.is_closed());
    }
    assert_eq!(running(&server, "of the hunted"), 0);
    assert_eq!(bystander.value("SELECT @@in_transaction"), "1");
    assert_eq!(killer.value("SELECT 'goes on'"), "goes on");
    assert_eq!(hunted(&tidegate).value("SELECT 'comes again'"), "comes again");
}

/// It holds a transaction's locks, and may never go on.
#[test]
fn a_client_that_stops_in_mid_command_is_ended() {
    for kind in Kind::here() {
        for mode in ["transaction", "session"] {
            let (_server, tidegate) = scene(mode, kind, 2);
            let (mut victim, mut killer) = (hunted(&tidegate), enter(&tidegate));
            victim.run("BEGIN");
            // The beginning of a packet of 1,000 bytes.
            victim.send_raw(&[&1000u32.to_le_bytes()[..], b"\x03SELECT "].concat()).expect("a connection");
            sleep(Duration::from_millis(20));
            killer.run(&format!("KILL {}", victim.id));
            eventually(&format!("{kind}, {mode}: it is closed"), LIMIT, || victim.is_closed());
        }
    }
}

/// A connection that a KILL has closed is not one that was dead already: its statement is not sent to another one.
#[test]
fn a_statement_that_is_killed_at_once_is_not_asked_again() {
    for kind in Kind::here() {
        let (server, tidegate) = scene("transaction", kind, 3);
        let mut killer = enter(&tidegate);
        for delay in (0..12).chain(0..12) {
            let mut victim = hunted(&tidegate);
            let id = victim.value("SELECT CONNECTION_ID()");
            victim.start("SELECT SLEEP(50) /* of the hunted */").expect("a connection");
            sleep(Duration::from_millis(delay));
            killer.run(&format!("KILL {id}"));
            eventually(&format!("{kind}: killed after {delay} ms"), LIMIT, || victim.is_closed());
        }
        eventually("nothing of theirs runs", LIMIT, || running(&server, "of the hunted") == 0);
    }
}

#[test]
fn kill_query_user_ends_statements_alone() {
    let (server, tidegate) = scene("transaction", Kind::MariaDb1011, 2);
    let (mut idle, mut busy, mut killer) = (hunted(&tidegate), hunted(&tidegate), enter(&tidegate));
    idle.run("SELECT 1");
    busy.start("SELECT SLEEP(50) /* of the hunted */").expect("a connection");
    eventually("it runs", LIMIT, || running(&server, "of the hunted") == 1);
    assert_eq!(killer.run("KILL HARD QUERY USER 'hunted'@'%'").affected, 2);
    assert_interrupted(busy.finish());
    assert_eq!(busy.value("SELECT 'goes on'"), "goes on");
    assert_eq!(idle.value("SELECT 'goes on'"), "goes on");
}

#[test]
fn kill_user_hits_whom_the_server_says() {
    let (server, tidegate) = scene("transaction", Kind::MariaDb1011, 2);
    account(&server, "weak", "SELECT ON crowd.*");
    let (mut one, mut two) = (hunted(&tidegate), hunted(&tidegate));
    let mut weak = Client::login(tidegate.address(), "weak", "").expect("a login");
    let (mut strong, mut afar) = (enter(&tidegate), enter(&tidegate));
    let mut direct = Client::login(server.address(), "weak", "").expect("a login");
    one.run("SELECT 1");
    for (client, kill) in [
        (&mut weak, "KILL USER hunted"),
        (&mut direct, "KILL USER hunted"),
        (&mut afar, "KILL USER hunted@'192.0.2.1'"),
        (&mut strong, "KILL USER nobody"),
    ] {
        assert_eq!(client.run(kill).affected, 0, "{kill}");
        assert_eq!(client.value("SELECT ROW_COUNT()"), "0", "{kill}");
        assert_eq!(
            (one.value("SELECT 'lives'"), two.value("SELECT 'lives'")),
            ("lives".into(), "lives".into()),
            "{kill}"
        );
    }
    drop(direct);
    // One's own go, and oneself with them.
    assert_eq!(one.run("KILL USER CURRENT_USER()").affected, 2);
    eventually("a killed client is closed", LIMIT, || one.is_closed() && two.is_closed());
    assert_eq!(weak.run("KILL USER weak").affected, 1);
    eventually("who killed itself is closed", LIMIT, || weak.is_closed());
    assert_eq!(strong.value("SELECT 'goes on'"), "goes on");
}

#[test]
fn kill_user_may_be_prepared() {
    let (_server, tidegate) = scene("transaction", Kind::MariaDb1011, 1);
    let ways: [fn(&mut Client) -> Answer; 3] = [
        |client| client.run("EXECUTE IMMEDIATE 'KILL USER hunted'"),
        |client| {
            client.run("PREPARE by_name FROM 'KILL USER `hunted`'");
            let answer = client.run("EXECUTE by_name");
            client.run("DEALLOCATE PREPARE by_name");
            answer
        },
        |client| {
            let statement = client.prepare("KILL USER hunted").expect("a statement");
            client.execute(statement, &[]).expect("an answer")
        },
    ];
    for kill in ways {
        let (mut idle, mut killer) = (hunted(&tidegate), enter(&tidegate));
        idle.run("SELECT 1");
        assert_eq!(kill(&mut killer).affected, 1);
        eventually("a killed client is closed", LIMIT, || idle.is_closed());
        assert_eq!(killer.value("SELECT 'goes on'"), "goes on");
    }
}

/// A way to say KILL, of this word and this id.
type Way = (&'static str, fn(&mut Client, &str, u32) -> Answered<Answer>);

/// What every server and every mode has.
const WAYS: [Way; 4] = [
    ("binary", |client, kill, id| {
        let statement = client.prepare(&format!("{kill} {id}"))?;
        client.execute(statement, &[])
    }),
    ("binary, by parameter", |client, kill, id| {
        let statement = client.prepare(&format!("{kill} ?"))?;
        // One parameter, a BIGINT.
        let execution =
            [&[0x17][..], &statement.id.to_le_bytes(), &[0, 1, 0, 0, 0, 0, 1, 8, 0], &u64::from(id).to_le_bytes()];
        client.command(&execution.concat())
    }),
    ("text", |client, kill, id| {
        client.run(&format!("PREPARE how FROM '{kill} {id}'"));
        let answer = client.ask("EXECUTE how");
        client.run("DEALLOCATE PREPARE how");
        answer
    }),
    ("text, by parameter", |client, kill, id| {
        client.run(&format!("SET @whom = {id}"));
        client.run(&format!("PREPARE `How` FROM \"{kill} ?\""));
        let answer = client.ask("EXECUTE how USING @whom");
        client.run("DROP PREPARE how");
        answer
    }),
];

/// A text that is a variable's value.
const BY_VARIABLE: Way = ("a variable's text", |client, kill, id| {
    client.run(&format!("SET @how = CONCAT('{kill} ', {id})"));
    client.run("PREPARE how FROM @how");
    let answer = client.ask("EXECUTE how");
    client.run("DEALLOCATE PREPARE how");
    answer
});

/// What MariaDB has besides.
const MARIADB: [Way; 2] = [
    ("immediate", |client, kill, id| client.ask(&format!("EXECUTE IMMEDIATE '{kill} ?' USING {id}"))),
    ("by value", |client, kill, id| {
        client.run(&format!("SET @whom = {id} - 1"));
        client.ask(&format!("{kill} @whom + 1"))
    }),
];

const IMMEDIATE: Way =
    ("an immediate expression", |client, kill, id| client.ask(&format!("EXECUTE IMMEDIATE CONCAT('{kill} ', {id})")));

#[test]
fn prepared_kills_hit_who_is_meant() {
    everywhere(|server, tidegate, ways| {
        for (way, kill) in ways {
            let (mut killer, mut bystander) = (enter(tidegate), enter(tidegate));
            let mut victim = enter(tidegate);
            bystander.run("SELECT 1");
            victim.start("SELECT SLEEP(50) /* to be killed */").expect("a connection");
            eventually("it runs", LIMIT, || running(server, "to be killed") == 1);
            kill(&mut killer, "KILL QUERY", victim.id).unwrap_or_else(|trouble| panic!("{way}: {trouble}"));
            assert_interrupted(victim.finish());
            assert_eq!(victim.value("SELECT 'goes on'"), "goes on", "{way}");
            kill(&mut killer, "KILL", victim.id).unwrap_or_else(|trouble| panic!("{way}: {trouble}"));
            eventually("a killed client is closed", LIMIT, || victim.is_closed());
            // As direct: the server may still be about to end what its client has seen the end of.
            let mut refusal = None;
            eventually("it is no more", LIMIT, || {
                refusal = kill(&mut killer, "KILL CONNECTION", victim.id).err();
                refusal.is_some()
            });
            let refusal = refusal.expect("a refusal");
            assert!(refusal.code() == Some(1094) && refusal.to_string().contains(&victim.id.to_string()), "{refusal}");
            assert_eq!(killer.value("SELECT 'goes on'"), "goes on", "{way}");
            assert_eq!(bystander.value("SELECT 'not hit'"), "not hit", "{way}");
        }
    });
}

#[test]
fn a_prepared_kill_of_oneself() {
    everywhere(|_, tidegate, ways| {
        for (way, kill) in ways {
            let mut client = enter(tidegate);
            let id = client.id;
            let refusal = kill(&mut client, "KILL QUERY", id).expect_err("it is interrupted");
            assert_eq!(refusal.code(), Some(1317), "{way}");
            assert_eq!(client.value("SELECT 'goes on'"), "goes on", "{way}");
        }
        let mut client = enter(tidegate);
        let killed = client.ask("KILL CONNECTION_ID()").expect_err("it is killed");
        assert!(killed.code().is_none_or(|code| [1317, 1927].contains(&code)), "{killed}");
        eventually("who killed itself is closed", LIMIT, || client.is_closed());
    });
}

#[test]
fn without_the_right_a_prepared_kill_is_refused() {
    everywhere(|server, tidegate, ways| {
        account(server, "weak", "SELECT ON crowd.*");
        for (way, kill) in ways {
            let mut strong = enter(tidegate);
            let mut weak = Client::login(tidegate.address(), "weak", "").unwrap_or_else(|trouble| panic!("{trouble}"));
            strong.run("SELECT 1");
            let refusal = kill(&mut weak, "KILL", strong.id).expect_err("it has no right");
            assert_eq!(refusal.code(), Some(1095), "{way}");
            assert_eq!(strong.value("SELECT 'not hit'"), "not hit", "{way}");
        }
    });
}

#[test]
fn without_the_right_nobody_is_killed_in_the_middle_of_a_login() {
    everywhere(|server, tidegate, ways| {
        account(server, "weak", "SELECT ON crowd.*");
        let mut weak = Client::login(tidegate.address(), "weak", "").unwrap_or_else(|trouble| panic!("{trouble}"));
        let (mut entering, id) = half_way_in(tidegate);
        // Where each client has a backend of its own, this one has none that could be killed.
        let is_known = tidegate.log().contains("mode=Transaction");
        let code = if is_known { 1095 } else { 1094 };
        for (way, kill) in ways {
            let refusal = kill(&mut weak, "KILL", id).expect_err("it has no right");
            assert_eq!(refusal.code(), Some(code), "{way}");
        }
        assert_eq!(weak.refused(&format!("SELECT 1; KILL {id}")).code, code);
        entering.set_read_timeout(Some(std::time::Duration::from_millis(300))).expect("a timeout");
        let waits = entering.read(&mut [0; 64]).expect_err("it was not closed");
        assert!(matches!(waits.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut), "{waits}");
        if !is_known {
            return;
        }
        enter(tidegate).run(&format!("KILL {id}"));
        entering.set_read_timeout(Some(LIMIT)).expect("a timeout");
        entering.read_to_end(&mut Vec::new()).expect("the end of it");
    });
}

/// A connection that was greeted and says nothing, and its id.
fn half_way_in(tidegate: &Tidegate) -> (TcpStream, u32) {
    let mut stream = TcpStream::connect(tidegate.address()).expect("a connection");
    let mut greeting = vec![0; 4];
    stream.read_exact(&mut greeting).expect("a header");
    greeting.resize(usize::from(greeting[0]), 0);
    stream.read_exact(&mut greeting).expect("a greeting");
    let at = greeting.iter().position(|byte| *byte == 0).expect("a version") + 1;
    (stream, u32::from_le_bytes(greeting[at..at + 4].try_into().expect("an id")))
}

#[test]
fn to_be_asked_what_is_prepared_changes_nothing() {
    everywhere(|_, tidegate, _| {
        let mut client = enter(tidegate);
        client.run("SET @text = 'SELECT 7', @none = NULL, @mode = 'ANSI'");
        let mode = client.value("SELECT @@sql_mode");
        for (text, prepared) in [("@text", true), ("@none", false), ("@mode", false), ("@`text`", true)] {
            client.run("SELECT SQL_CALC_FOUND_ROWS 1 UNION SELECT 2 UNION SELECT 3 LIMIT 1");
            let answer = client.ask(&format!("PREPARE told FROM {text}"));
            assert_eq!(answer.as_ref().err().and_then(|trouble| trouble.code()), (!prepared).then_some(1064), "{text}");
            let count = if prepared { "0" } else { "-1" };
            assert_eq!(client.rows("SELECT ROW_COUNT(), FOUND_ROWS()"), [[count, "3"]], "{text}");
            assert_eq!(client.value("SELECT @@sql_mode"), mode, "{text}");
        }
        assert_eq!(client.value("EXECUTE told"), "7");
    });
}

fn hunted(tidegate: &Tidegate) -> Client {
    Client::login(tidegate.address(), HUNTED, "").unwrap_or_else(|trouble| panic!("{trouble}\n{}", tidegate.log()))
}

fn scene(mode: &str, kind: Kind, size: usize) -> (Server, Tidegate) {
    let server = server_of(kind, &[]);
    account(&server, HUNTED, "SELECT ON *.*");
    let users = [USER, HUNTED, "weak"].map(|name| format!("[[user]]\nname = \"{name}\"\npassword = \"\"\n")).concat();
    let pool = format!("pool.mode = \"{mode}\"\npool.size = {size}\npool.max_overflow = 0\n");
    let tidegate = Tidegate::in_front_of(&server, &format!("{pool}pool.checkout_timeout = \"30s\"\n{users}"));
    (server, tidegate)
}

/// By an error or, as SLEEP has it on some servers, by a row with 1.
fn assert_interrupted(finished: Answered<Answer>) {
    match finished {
        Ok(answer) => assert_eq!(answer.rows[0][0], "1"),
        Err(trouble) => assert_eq!(trouble.code(), Some(1317), "{trouble}"),
    }
}

/// On every kind of server, in both modes that give clients ids of tidegate's own.
fn everywhere(test: impl Fn(&Server, &Tidegate, &[Way])) {
    for kind in [Kind::MariaDb1011, Kind::Mysql9, Kind::Mysql56] {
        for mode in ["transaction", "session"].into_iter().filter(|_| kind.is_here()) {
            let (server, tidegate) = scene(mode, kind, 8);
            let mut ways = WAYS.to_vec();
            if kind == Kind::Mysql9 {
                // "Dynamic parameters can only be used in DML statements."
                ways.retain(|(way, _)| !way.ends_with("by parameter"));
            }
            if kind.is_mariadb() {
                ways.extend(MARIADB);
            }
            ways.push(BY_VARIABLE);
            if mode == "transaction" {
                ways.extend(kind.is_mariadb().then_some(IMMEDIATE));
            }
            test(&server, &tidegate, &ways);
        }
    }
}
