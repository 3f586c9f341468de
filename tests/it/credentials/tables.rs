//! `auth.service_user`: native accounts are pooled by what the account tables say, and never at the account's expense.

use super::wire::{As, Raw};
use super::{
    SERVICE, attempt, await_true, connections, create, create_service, enter, served_by, session, status, with_native,
};
use crate::servers::{Kind, Server};
use std::thread::sleep;
use std::time::Duration;
use tidegate::wire::capabilities::{LONG_PASSWORD, PLUGIN_AUTH, PROTOCOL_41, SECURE_CONNECTION};
use tidegate::wire::handshake::Login;

fn start(kind: Kind) -> Server {
    let server = Server::start(kind, &[]);
    create_service(&server);
    server
}

fn set_password(server: &Server, name: &str, password: &str) {
    server.sql(&format!("SET PASSWORD FOR {name}@'%' = PASSWORD('{password}')"));
}

#[test]
fn native_accounts_share_backends() {
    for kind in with_native() {
        let server = start(kind);
        create(&server, "one", "IDENTIFIED BY 'right'");
        create(&server, "two", "IDENTIFIED BY 'other'");
        let tidegate = session(&server, SERVICE);
        let first = served_by(&tidegate, "one", "right");
        let before = connections(&server);
        assert_eq!(served_by(&tidegate, "one", "right"), first, "{kind}: not pooled\n{}", tidegate.log());
        assert_eq!(connections(&server) - before, 1, "{kind}: only the test's own statement connects");
        assert_ne!(served_by(&tidegate, "two", "other"), first, "{kind}: another account's connection");
        assert_eq!(enter(&tidegate, "one", "right").user(), "one", "{kind}");
    }
}

#[test]
fn a_wrong_password_costs_one_failed_login_at_most() {
    for kind in with_native() {
        let server = start(kind);
        create(&server, "one", "IDENTIFIED BY 'right'");
        let tidegate = session(&server, SERVICE);
        enter(&tidegate, "one", "right").quit();
        for user in ["one", "nobody"] {
            let failed = status(&server, "Aborted_connects");
            let ended = attempt(&tidegate, &As::new(user, "wrong"));
            let words = format!("1045 28000 Access denied for user '{user}'@HOST (using password: YES)");
            assert_eq!(ended.words(), words, "{kind}");
            assert!(status(&server, "Aborted_connects") - failed <= 1, "{kind}, {user}");
        }
        assert!(attempt(&tidegate, &As::new("one", "right")).is_in(), "{kind}");
    }
}

#[test]
fn a_changed_password_counts_at_the_next_login() {
    for kind in with_native() {
        let server = start(kind);
        create(&server, "one", "IDENTIFIED BY 'right'");
        let tidegate = session(&server, SERVICE);
        enter(&tidegate, "one", "right").quit();
        set_password(&server, "one", "newer");
        let failed = status(&server, "Aborted_connects");
        assert!(attempt(&tidegate, &As::new("one", "newer")).is_in(), "{kind}\n{}", tidegate.log());
        assert_eq!(status(&server, "Aborted_connects"), failed, "{kind}: a right password failed at the server");
        assert_eq!(attempt(&tidegate, &As::new("one", "right")).code(), 1045, "{kind}");
        sleep(Duration::from_millis(1_100));
        let first = served_by(&tidegate, "one", "newer");
        assert_eq!(served_by(&tidegate, "one", "newer"), first, "{kind}: pooled again");
        // The old one first: tidegate still takes it for right, the server does not.
        set_password(&server, "one", "newest");
        let failed = status(&server, "Aborted_connects");
        assert_eq!(attempt(&tidegate, &As::new("one", "newer")).code(), 1045, "{kind}");
        assert!(status(&server, "Aborted_connects") - failed <= 1, "{kind}");
        assert!(attempt(&tidegate, &As::new("one", "newest")).is_in(), "{kind}\n{}", tidegate.log());
    }
}

#[test]
fn a_dropped_account_is_out_at_once() {
    for kind in with_native() {
        let server = start(kind);
        create(&server, "one", "IDENTIFIED BY 'right'");
        let tidegate = session(&server, SERVICE);
        assert_eq!(served_by(&tidegate, "one", "right"), served_by(&tidegate, "one", "right"), "{kind}");
        server.sql("DROP USER one@'%'; FLUSH PRIVILEGES");
        let failed = status(&server, "Aborted_connects");
        for _ in 0..2 {
            assert_eq!(attempt(&tidegate, &As::new("one", "right")).code(), 1045, "{kind}");
        }
        assert!(status(&server, "Aborted_connects") - failed <= 2, "{kind}");
    }
}

/// The file's password for it is wrong: said once, tried once, and everybody gets in.
#[test]
fn a_refused_service_account_is_not_locked_out() {
    for kind in with_native() {
        let server = Server::start(kind, &[]);
        create(&server, "one", "IDENTIFIED BY 'right'");
        create(&server, "reader", "IDENTIFIED BY 'another'");
        let failed = status(&server, "Aborted_connects");
        let tidegate = session(&server, SERVICE);
        for _ in 0..5 {
            enter(&tidegate, "one", "right").quit();
        }
        sleep(Duration::from_secs(11));
        enter(&tidegate, "one", "right").quit();
        assert_eq!(status(&server, "Aborted_connects") - failed, 1, "{kind}");
        let log = tidegate.log();
        assert_eq!(log.matches("auth.service_user cannot read the account tables").count(), 1, "{kind}:\n{log}");
        assert!(log.contains("1045") && !log.contains("reads"), "{kind}:\n{log}");
    }
}

#[test]
fn a_service_account_without_rights_says_so_and_recovers() {
    let server = Server::start(Kind::MariaDb1011, &[]);
    server.sql("CREATE USER reader@'%' IDENTIFIED BY 'reads'");
    create(&server, "one", "IDENTIFIED BY 'right'");
    let tidegate = session(&server, SERVICE);
    assert_ne!(served_by(&tidegate, "one", "right"), served_by(&tidegate, "one", "right"));
    let log = tidegate.log();
    assert!(log.contains("auth.service_user cannot read the account tables") && log.contains("1142"), "{log}");
    assert!(log.contains("check --connect"), "{log}");
    server.sql("GRANT SELECT ON mysql.user TO reader@'%'");
    await_true("pooled at last", || served_by(&tidegate, "one", "right") == served_by(&tidegate, "one", "right"));
}

/// The control connection is closed by the server now and then.
#[test]
fn a_lost_control_connection_is_made_anew() {
    let server = start(Kind::MariaDb1011);
    create(&server, "one", "IDENTIFIED BY 'right'");
    let tidegate = session(&server, SERVICE);
    let first = served_by(&tidegate, "one", "right");
    server.sql("KILL USER reader");
    sleep(Duration::from_millis(1_100));
    assert_eq!(served_by(&tidegate, "one", "right"), first, "{}", tidegate.log());
}

/// A question about it would be longer than the server takes, and the control connection lost for ten seconds.
#[test]
fn a_name_that_is_no_servers_is_not_asked_for() {
    for kind in with_native() {
        let server = Server::start(kind, &["--max-allowed-packet=1M"]);
        create_service(&server);
        create(&server, "one", "IDENTIFIED BY 'right'");
        create(&server, "two", "IDENTIFIED BY 'right'");
        let tidegate = session(&server, SERVICE);
        let first = served_by(&tidegate, "one", "right");
        for name_len in [513, 700_000] {
            let login = Login {
                capabilities: LONG_PASSWORD | PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH,
                max_packet: 1 << 24,
                charset: 33,
                user: vec![b'u'; name_len],
                method: Some(b"mysql_native_password".to_vec()),
                ..Login::default()
            };
            let mut raw = Raw::tcp(tidegate.address());
            raw.write(&login.payload());
            let _ = raw.try_read();
        }
        sleep(Duration::from_millis(1_100));
        assert_eq!(served_by(&tidegate, "one", "right"), first, "{kind}\n{}", tidegate.log());
        assert_eq!(served_by(&tidegate, "two", "right"), served_by(&tidegate, "two", "right"), "{kind}");
        assert!(!tidegate.log().contains("cannot read"), "{kind}\n{}", tidegate.log());
    }
}

/// An account with several methods: the server goes on to the one that tidegate can answer.
#[test]
fn a_native_method_behind_another_is_pooled() {
    for kind in with_native().into_iter().filter(|kind| kind.is_mariadb()) {
        let server = start(kind);
        server.sql("INSTALL SONAME 'auth_ed25519'");
        for (name, how) in [
            ("first", "VIA mysql_native_password USING PASSWORD('right') OR ed25519 USING PASSWORD('right')"),
            ("last", "VIA ed25519 USING PASSWORD('right') OR mysql_native_password USING PASSWORD('right')"),
        ] {
            create(&server, name, &format!("IDENTIFIED {how}"));
            let tidegate = session(&server, SERVICE);
            for _ in 0..3 {
                enter(&tidegate, name, "right").quit();
            }
            let direct = Raw::tcp(server.address()).login(&As::new(name, "wrong"));
            assert_eq!(attempt(&tidegate, &As::new(name, "wrong")).words(), direct.words(), "{kind}, {name}");
        }
    }
}
