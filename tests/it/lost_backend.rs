//! What a backend alone knew of a session is gone with it. A client that asks for it hears that its connection is lost; it must not
//! be told what another connection has, or nothing. What is known is answered.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::crowd::{self, Client, LIMIT, USER, eventually};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

/// What a client says before its backend goes, and what it asks then.
type Loss = (&'static [&'static str], &'static str);

const LOST: &[Loss] = &[
    (&["SET @x = (SELECT MAX(a) FROM left_behind)"], "SELECT @x"),
    (&["SELECT @x := a FROM left_behind"], "SELECT 1"),
    (&["SELECT MAX(a) FROM left_behind INTO @x"], "INSERT INTO left_behind (b) VALUES (@x)"),
    (&["SET @x = 1e0 / 3"], "SELECT @x"),
    (&["INSERT INTO left_behind (b) VALUES (2)"], "INSERT INTO left_behind (b) VALUES (LAST_INSERT_ID())"),
    (&["INSERT INTO left_behind (b) VALUES (2)", "SELECT 1"], "SELECT LAST_INSERT_ID()"),
    (&["SELECT * FROM nowhere"], "SHOW WARNINGS"),
    (&["SELECT CAST('1x' AS SIGNED)"], "SELECT @@warning_count"),
    (&["SELECT SQL_CALC_FOUND_ROWS a FROM left_behind LIMIT 1"], "SELECT FOUND_ROWS()"),
    (&["SET @x = 1", "BEGIN", "SET @x = (SELECT MAX(a) FROM left_behind)"], "SELECT 1"),
];

/// Known, or of no use any more.
const KNOWN: &[Loss] = &[
    (&["SET @x = 5, @y = 'text'"], "SELECT CONCAT(@x, @y)"),
    (&["SELECT a FROM left_behind ORDER BY a LIMIT 2"], "SELECT CONCAT(FOUND_ROWS(), '')"),
    (&["INSERT INTO left_behind (b) VALUES (3)"], "SELECT ROW_COUNT() > 0"),
    (&["INSERT INTO left_behind (b) VALUES (3)", "SET @z = 1"], "SELECT COUNT(*) > 2 FROM left_behind"),
];

fn kill_backends(server: &Server) {
    let before = ids(server);
    for id in &before {
        server.sql(&format!("KILL {id}"));
    }
    eventually("they are gone", LIMIT, || ids(server).iter().all(|id| !before.contains(id)));
}

fn ids(server: &Server) -> Vec<String> {
    let ids = format!("SELECT id FROM information_schema.processlist WHERE user = '{}'", USER);
    server.sql(&ids).lines().map(str::to_owned).collect()
}

#[test]
fn nobody_is_told_anything_in_its_place() {
    for kind in Kind::here() {
        let server = crowd::server_of(kind, &[]);
        server.sql("CREATE TABLE crowd.left_behind (a INT PRIMARY KEY AUTO_INCREMENT, b INT); INSERT INTO crowd.left_behind (b) VALUES (1), (1), (1)");
        let tidegate = crowd::tidegate(&server, 1, "");
        for (which, losses) in [LOST, KNOWN].into_iter().enumerate() {
            for (before, question) in losses {
                let enter = || Client::login(tidegate.address(), USER, "crowd").expect("a login");
                let mut client = enter();
                for statement in *before {
                    let _ = client.ask(statement);
                }
                let rows = server.sql("SELECT COUNT(*) FROM crowd.left_behind");
                kill_backends(&server);
                let answer = client.ask(question);
                let told = format!("{kind}: {before:?}, {question}: {answer:?}");
                if which == 0 {
                    assert!(
                        answer.as_ref().is_err_and(|trouble| matches!(trouble.code(), None | Some(1053))),
                        "{told}"
                    );
                    eventually("the session is over", LIMIT, || client.ask("SELECT 1").is_err());
                    assert_eq!(server.sql("SELECT COUNT(*) FROM crowd.left_behind"), rows, "{told}");
                } else {
                    let row = answer.unwrap_or_else(|_| panic!("{told}")).rows.concat();
                    assert!(["5text", "2", "1"].contains(&row[0].as_str()), "{told}");
                }
                assert_eq!(enter().value("SELECT 1"), "1");
            }
        }
    }
}

/// What was sent ahead was meant for the transaction: none of it is done outside.
#[test]
fn nothing_that_was_sent_ahead_is_done_behind_a_lost_transaction() {
    for kind in Kind::here() {
        let server = crowd::server_of(kind, &[]);
        server.sql("CREATE TABLE crowd.ahead (a INT) ENGINE=InnoDB");
        let tidegate = crowd::tidegate(&server, 1, "");
        let cases: [(&[&str], &[&str]); 3] = [
            (
                &[],
                &[
                    "BEGIN",
                    "INSERT INTO ahead SELECT SLEEP(50) /* is running */",
                    "INSERT INTO ahead VALUES (1)",
                    "COMMIT",
                ],
            ),
            (
                &["BEGIN"],
                &["INSERT INTO ahead SELECT SLEEP(50) /* is running */", "INSERT INTO ahead VALUES (2)", "COMMIT"],
            ),
            (&["BEGIN", "INSERT INTO ahead VALUES (3)"], &["INSERT INTO ahead VALUES (4)", "COMMIT"]),
        ];
        for (before, ahead) in cases {
            let mut client = Client::login(tidegate.address(), USER, "crowd").expect("a login");
            before.iter().for_each(|statement| drop(client.run(statement)));
            let runs = ahead.iter().any(|statement| statement.contains("is running"));
            if !runs {
                kill_backends(&server);
            }
            client.send_together(ahead).expect("a connection");
            if runs {
                eventually("it runs", LIMIT, || crowd::running(&server, "is running") == 1);
                kill_backends(&server);
            }
            eventually("the session is over", LIMIT, || client.packet().is_err());
            let rows = Client::login(tidegate.address(), USER, "crowd").expect("a login").rows("SELECT a FROM ahead");
            assert_eq!(rows, [[""; 1]; 0], "{kind}: {before:?}, {ahead:?}");
        }
    }
}

/// Long data has no reply to say so in: the execution does.
#[test]
fn a_lost_transaction_is_told_behind_long_data_and_not_behind_a_change_of_user() {
    for kind in Kind::here() {
        let server = crowd::server_of(kind, &[]);
        server.sql("CREATE TABLE crowd.pieces (a TEXT)");
        let tidegate = crowd::tidegate(&server, 1, "");
        let enter = || Client::login(tidegate.address(), USER, "crowd").expect("a login");
        let in_lost_transaction = || {
            let mut client = enter();
            let statement = client.prepare("INSERT INTO pieces VALUES (?)").expect("a statement");
            client.run("BEGIN");
            client.run("INSERT INTO pieces VALUES ('first')");
            kill_backends(&server);
            (client, statement)
        };
        let (mut client, statement) = in_lost_transaction();
        for piece in [b"abc", b"def"] {
            let data = [&[0x18][..], &statement.id.to_le_bytes(), &0u16.to_le_bytes(), piece].concat();
            client.send_command(&data).expect("a connection");
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
        let execute = [&[0x17][..], &statement.id.to_le_bytes(), &[0], &1u32.to_le_bytes(), &[0, 1, 0xFC, 0]].concat();
        let told = client.command(&execute);
        assert!(told.as_ref().is_err_and(|trouble| matches!(trouble.code(), None | Some(1053))), "{kind}: {told:?}");
        let (mut client, _) = in_lost_transaction();
        crowd::change_user(&mut client);
        assert_eq!(client.value("SELECT 5"), "5", "{kind}");
        assert_eq!(enter().value("SELECT COUNT(*) FROM pieces"), "0", "{kind}");
    }
}

/// What leaves nothing but in a session is done on another connection, where the backend went a moment ago, unseen.
#[test]
fn what_concerns_the_session_alone_is_not_lost() {
    let commands: [&[u8]; 8] = [
        b"\x0e",
        b"\x03BEGIN",
        b"\x03SET @y = 2",
        b"\x03SET NAMES latin1",
        b"\x03SET SESSION sql_mode = ''",
        b"\x03USE crowd",
        b"\x02crowd",
        b"\x16SELECT 1",
    ];
    for kind in Kind::here() {
        let server = crowd::server_of(kind, &[]);
        let tidegate = crowd::tidegate(&server, 1, "");
        let mut killer = Client::login(server.address(), USER, "").expect("a login");
        for command in commands {
            for _ in 0..3 {
                let mut client = Client::login(tidegate.address(), USER, "").expect("a login");
                client.run("SET @x = 'kept'");
                let others =
                    "SELECT id FROM information_schema.processlist WHERE user = 'crowd' AND id <> CONNECTION_ID()";
                for row in killer.rows(others) {
                    let _ = killer.ask(&format!("KILL {}", row[0]));
                }
                // It has gone, though not for long enough to be looked for.
                std::thread::sleep(Duration::from_millis(2));
                client.send(0, command).expect("sent");
                let (_, answer) = client.packet().expect("an answer");
                assert_eq!(
                    answer[0],
                    0,
                    "{kind}: {}: {}",
                    String::from_utf8_lossy(command),
                    String::from_utf8_lossy(&answer)
                );
                if command[0] == 0x16 {
                    while client.packet().expect("the rest").1[0] != 0xFE {}
                }
                assert_eq!(client.value("SELECT @x"), "kept", "{kind}: {}", String::from_utf8_lossy(command));
            }
        }
    }
}

/// MySQL 8 and later say why they close a connection that was idle for too long. Behind a reply that tidegate had no time to read
/// these words must not be taken for the reply to the next command.
#[test]
fn a_goodbye_behind_a_reply_is_no_reply() {
    if !Kind::Mysql9.is_here() {
        return;
    }
    let server = crowd::server_of(Kind::Mysql9, &["--wait-timeout=1"]);
    let tidegate = crowd::tidegate(&server, 2, "");
    let overslept = |client: &mut Client, sql: &str| {
        client.start(sql).expect("sent");
        eventually("it runs", LIMIT, || crowd::running(&server, "overslept") == 1);
        tidegate.signal("STOP");
        std::thread::sleep(Duration::from_secs(5));
        tidegate.signal("CONT");
        client.finish().expect("the reply")
    };
    let mut free = crowd::enter(&tidegate);
    assert_eq!(overslept(&mut free, "SELECT SLEEP(3), 'first' /* overslept */").rows, [["0", "first"]]);
    for token in ["second", "third", "fourth"] {
        assert_eq!(free.value(&format!("SELECT '{token}'")), token);
    }
    // Who cannot go on without that connection hears why it has gone.
    let mut bound = crowd::enter(&tidegate);
    bound.run("CREATE TEMPORARY TABLE mysql.of_its_own (a INT)");
    assert_eq!(overslept(&mut bound, "SELECT SLEEP(3), 'first' /* overslept */").rows, [["0", "first"]]);
    let (_, words) = bound.packet().expect("the server's words");
    assert_eq!((words[0], u16::from_le_bytes([words[1], words[2]])), (0xFF, 4031));
    assert!(bound.is_closed());
}

/// A server that has said why it closes has not read the command that crossed these words: it runs on another connection, once.
#[test]
fn a_command_that_crossed_a_goodbye_runs_elsewhere() {
    let server = crowd::server(&[]);
    let (address, armed) = leave_taking(server.address());
    let config = crowd::config(2, "");
    let tidegate = Tidegate::start(&format!("backend.address = \"{address}\"\n{config}"));
    let mut client = crowd::enter(&tidegate);
    client.run("CREATE TABLE crowd.crossed (a INT)");
    client.run("SET @kept = 'kept'");
    let statement = client.prepare("SELECT CONCAT('pre', 'pared')").expect("a statement");
    for sql in ["SELECT @kept", "INSERT INTO crowd.crossed VALUES (1)", "SET @kept = 'again'", "SELECT @kept"] {
        client.run("DO 0");
        armed.store(true, Ordering::SeqCst);
        client.run(sql);
        assert!(!armed.load(Ordering::SeqCst), "{sql} crossed nothing");
    }
    armed.store(true, Ordering::SeqCst);
    assert_eq!(client.execute(statement, &[]).expect("rows").rows, [["prepared"]]);
    assert_eq!(client.value("SELECT CONCAT(@kept, COUNT(*)) FROM crowd.crossed"), "again1");
    // A transaction is gone with its connection: its client hears so, once.
    client.run("BEGIN");
    client.run("INSERT INTO crowd.crossed VALUES (2)");
    armed.store(true, Ordering::SeqCst);
    assert_eq!(client.refused("INSERT INTO crowd.crossed VALUES (3)").code, 1053);
    assert_eq!(client.value("SELECT COUNT(*) FROM crowd.crossed"), "1");
}

/// A way to this server. When armed, it answers the next bytes by a server's last words and closes, and passes them to nobody.
fn leave_taking(to: SocketAddr) -> (SocketAddr, Arc<AtomicBool>) {
    const WORDS: &[u8] = b"\x16\0\0\0\xff\xbf\x0f#HY000idle too long";
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    let armed = Arc::<AtomicBool>::default();
    let is_armed = Arc::clone(&armed);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, is_armed) = (client.expect("a connection"), Arc::clone(&is_armed));
            let mut server = TcpStream::connect(to).expect("the server");
            let mut ends = [&server, &client].map(|end| end.try_clone().expect("a socket"));
            std::thread::spawn(move || {
                let [from, to] = &mut ends;
                let _ = std::io::copy(from, to);
                let _ = to.shutdown(Shutdown::Both);
            });
            std::thread::spawn(move || {
                let mut bytes = vec![0; 1 << 16];
                while let Ok(length @ 1..) = client.read(&mut bytes) {
                    if is_armed.swap(false, Ordering::SeqCst) {
                        let _ = client.write_all(WORDS);
                        break;
                    }
                    let _ = server.write_all(&bytes[..length]);
                }
                let _ = server.shutdown(Shutdown::Both);
            });
        }
    });
    (address, armed)
}
