//! `[[user]]`: tidegate itself judges who knows the file's password, and the server is not bothered by those who do not.

use super::wire::{As, Raw};
use super::{attempt, connections, create, enter, served_by, session, status};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

const APP: &str = "[[user]]\nname = \"app\"\npassword = \"right\"\n";

fn methods(kind: Kind) -> Vec<(&'static str, &'static str)> {
    let native = ("mysql_native_password", "IDENTIFIED BY 'right'");
    let ed25519 = ("client_ed25519", "IDENTIFIED VIA ed25519 USING PASSWORD('right')");
    match kind {
        Kind::Mysql9 => vec![
            ("caching_sha2_password", "IDENTIFIED BY 'right'"),
            ("sha256_password", "IDENTIFIED WITH sha256_password BY 'right'"),
        ],
        Kind::Mysql56 => vec![native],
        Kind::MariaDb1011 | Kind::MariaDb11 => vec![native, ed25519],
    }
}

fn start(kind: Kind, how: &str) -> Server {
    let server = Server::start(kind, &[]);
    if kind.is_mariadb() {
        server.sql("INSTALL SONAME 'auth_ed25519'");
    }
    create(&server, "app", how);
    server
}

#[test]
fn every_method_is_pooled_and_a_wrong_password_never_reaches_the_server() {
    for kind in Kind::here() {
        for (method, how) in methods(kind) {
            let server = start(kind, how);
            let tidegate = session(&server, APP);
            let first = served_by(&tidegate, "app", "right");
            assert_eq!(served_by(&tidegate, "app", "right"), first, "{kind}, {method}: not pooled\n{}", tidegate.log());

            let (before, aborted) = (connections(&server), status(&server, "Aborted_connects"));
            let wrong = attempt(&tidegate, &As::new("app", "wrong"));
            assert_eq!(wrong.words(), "1045 28000 Access denied for user 'app'@HOST (using password: YES)", "{kind}");
            let none = attempt(&tidegate, &As::new("app", ""));
            assert_eq!(none.words(), "1045 28000 Access denied for user 'app'@HOST (using password: NO)", "{kind}");
            assert!(wrong.switches.is_empty() && none.switches.is_empty(), "{kind}: {wrong:?} {none:?}");
            // Three, by the test's own statements.
            assert_eq!(connections(&server) - before, 2, "{kind}");
            assert_eq!(status(&server, "Aborted_connects"), aborted, "{kind}");
        }
    }
}

#[test]
fn a_client_that_announces_another_method_is_asked_once() {
    for kind in Kind::here() {
        let (_, how) = methods(kind)[0];
        let server = start(kind, how);
        let tidegate = session(&server, APP);
        for announced in [
            "mysql_native_password",
            "caching_sha2_password",
            "client_ed25519",
            "sha256_password",
            "mysql_clear_password",
        ] {
            for (password, is_right) in [("right", true), ("wrong", false)] {
                let to = As { method: Some(announced), ..As::new("app", password) };
                let ended = attempt(&tidegate, &to);
                assert_eq!(ended.is_in(), is_right, "{kind}, {announced}: {ended:?}\n{}", tidegate.log());
                assert!(ended.switches.len() <= 1, "{kind}, {announced}: {ended:?}");
                let words = "1045 28000 Access denied for user 'app'@HOST (using password: YES)";
                assert!(is_right || ended.words() == words, "{kind}, {announced}: {}", ended.words());
            }
        }
    }
}

#[test]
fn a_client_without_plugins_gets_in_by_its_native_answer() {
    for kind in Kind::here() {
        let (_, how) = methods(kind)[0];
        let server = start(kind, how);
        create(&server, "other", how);
        let tidegate = session(&server, APP);
        let old = |user, password| As { plugin_auth: false, ..As::new(user, password) };
        assert!(attempt(&tidegate, &old("app", "right")).is_in(), "{kind}\n{}", tidegate.log());
        assert_eq!(attempt(&tidegate, &old("app", "wrong")).code(), 1045, "{kind}");
        // Whom tidegate does not know it cannot judge, and the server's own question such a client does not understand.
        let aborted = status(&server, "Aborted_connects");
        assert_eq!(attempt(&tidegate, &old("other", "right")).code(), 1251, "{kind}");
        assert_eq!(status(&server, "Aborted_connects"), aborted, "{kind}");
    }
}

#[test]
fn a_wrong_password_in_the_file_ends_as_the_server_says() {
    for kind in Kind::here() {
        let (_, how) = methods(kind)[0];
        let server = start(kind, how);
        let tidegate = session(&server, "[[user]]\nname = \"app\"\npassword = \"outdated\"\n");
        let ended = attempt(&tidegate, &As::new("app", "outdated"));
        let direct = Raw::tcp(server.address()).login(&As::new("app", "outdated"));
        assert_eq!((ended.words(), ended.code()), (direct.words(), 1045), "{kind}");
    }
}

#[test]
fn a_refused_schema_is_the_servers_own_words() {
    for kind in Kind::here() {
        let (_, how) = methods(kind)[0];
        let server = start(kind, how);
        let tidegate = session(&server, APP);
        let to = As { schema: Some("nowhere"), ..As::new("app", "right") };
        let direct = Raw::tcp(server.address()).login(&to);
        assert_eq!(direct.code(), 1049);
        for _ in 0..2 {
            assert_eq!(attempt(&tidegate, &to).words(), direct.words(), "{kind}");
            enter(&tidegate, "app", "right").quit();
        }
    }
}

/// Unknown accounts and schemas, anonymous and empty-password accounts: as direct, in every way to treat them.
#[test]
fn odd_accounts_end_as_direct() {
    for kind in Kind::here() {
        let server = start(kind, methods(kind)[0].1);
        server.sql("CREATE USER nopw@'%'; GRANT ALL ON *.* TO nopw@'%'");
        // MySQL 5.6 has an anonymous account for local clients from the start.
        let _ = server.try_sql("CREATE USER ''@'%'");
        super::create_service(&server);
        let listed = format!("{APP}[[user]]\nname = \"nopw\"\npassword = \"\"\n");
        let observe = Tidegate::in_front_of(&server, "pool.mode = \"observe\"\n");
        let ways = [session(&server, ""), session(&server, super::SERVICE), session(&server, &listed), observe];
        let cases = [
            As::new("nopw", ""),
            As::new("nopw", "something"),
            As::new("nobody", "x"),
            As::new("nobody", ""),
            As::new("", ""),
            As::new("", "x"),
            As { schema: Some("nowhere"), ..As::new("nopw", "") },
            As { schema: Some("mysql"), ..As::new("", "") },
        ];
        for to in &cases {
            let mut direct = Raw::tcp(server.address());
            let expected = direct.login(to).words();
            for (index, tidegate) in ways.iter().enumerate() {
                // Twice: what was learned of the first must not change the second.
                for _ in 0..2 {
                    let words = attempt(tidegate, to).words();
                    assert_eq!(
                        words,
                        expected,
                        "{kind}, way {index}: {:?} {:?}\n{}",
                        to.user,
                        to.password,
                        tidegate.log()
                    );
                }
            }
        }
    }
}

#[test]
fn an_account_without_a_password_is_pooled_at_once() {
    for kind in Kind::here() {
        let server = Server::start(kind, &[]);
        server.sql("CREATE USER nopw@'%'");
        // Where tidegate was told of nobody, the backend is dialed before the client is known, and used.
        let tidegate = session(&server, "[[user]]\nname = \"somebody\"\npassword = \"else\"\n");
        let first = served_by(&tidegate, "nopw", "");
        assert_eq!(served_by(&tidegate, "nopw", ""), first, "{kind}");
    }
}
