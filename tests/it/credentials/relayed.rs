//! Accounts that tidegate knows nothing of: challenge and answer pass, and each client has a backend of its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::wire::{As, Raw};
use super::{attempt, create, enter, served_by, session, with_native};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

#[test]
fn methods_of_mariadb_pass_as_they_are() {
    for kind in with_native().into_iter().filter(|kind| kind.is_mariadb()) {
        let server = Server::start(kind, &[]);
        server.sql("INSTALL SONAME 'auth_ed25519'");
        create(&server, "signed", "IDENTIFIED VIA ed25519 USING PASSWORD('right')");
        let both = "VIA ed25519 USING PASSWORD('signed') OR mysql_native_password USING PASSWORD('hashed')";
        create(&server, "twice", &format!("IDENTIFIED {both}"));
        create(&server, "native", "IDENTIFIED BY 'right'");
        let observe = Tidegate::in_front_of(&server, "pool.mode = \"observe\"\n");
        let somebody = "[[user]]\nname = \"somebody\"\npassword = \"else\"\n";
        for (tidegate, asks_again) in
            [(session(&server, ""), false), (session(&server, somebody), true), (observe, true)]
        {
            for (user, password) in [
                ("signed", "right"),
                ("signed", "wrong"),
                ("signed", ""),
                ("twice", "signed"),
                ("twice", "hashed"),
                ("twice", "wrong"),
                ("native", "right"),
                ("native", "wrong"),
            ] {
                let to = As::new(user, password);
                let direct = Raw::tcp(server.address()).login(&to);
                let ended = attempt(&tidegate, &to);
                assert_eq!(ended.words(), direct.words(), "{kind}: {user} {password}\n{}", tidegate.log());
            }
            // A wrong first answer is followed by a second question, unless the client has answered it already.
            let ended = attempt(&tidegate, &As::new("twice", "hashed"));
            let last = ended.switches.last().map(String::as_str);
            assert_eq!(last == Some("mysql_native_password"), asks_again, "{kind}: {ended:?}");
        }
        let tidegate = session(&server, "");
        assert_ne!(served_by(&tidegate, "signed", "right"), served_by(&tidegate, "signed", "right"), "{kind}");
    }
}

/// A challenge is random: whatever its last byte, it passes.
#[test]
fn a_challenge_may_end_in_zero() {
    let server = Server::start(Kind::MariaDb1011, &[]);
    server.sql("INSTALL SONAME 'auth_ed25519'");
    create(&server, "signed", "IDENTIFIED VIA ed25519 USING PASSWORD('right')");
    let tidegate = session(&server, "[[user]]\nname = \"signed\"\npassword = \"right\"\n");
    // Held at once: each is a new login at the server; one challenge in 256 ends in a zero.
    let held: Vec<Raw> = (0..70).map(|_| enter(&tidegate, "signed", "right")).collect();
    assert_eq!(held.len(), 70);
}

#[test]
fn parsec_passes() {
    if !Kind::MariaDb11.is_here() {
        return;
    }
    let server = Server::start(Kind::MariaDb11, &[]);
    if server.try_sql("INSTALL SONAME 'auth_parsec'").is_err() && server.try_sql("INSTALL SONAME 'parsec'").is_err() {
        panic!("no parsec plugin: {}", server.sql("SHOW VARIABLES LIKE 'plugin_dir'"));
    }
    create(&server, "pa", "IDENTIFIED VIA parsec USING PASSWORD('right')");
    let tidegate = session(&server, "");
    for password in ["right", "wrong", ""] {
        let to = As::new("pa", password);
        let direct = Raw::tcp(server.address()).login(&to);
        assert_eq!(direct.is_in(), password == "right", "{}", direct.words());
        assert_eq!(direct.switches, ["parsec"]);
        assert_eq!(attempt(&tidegate, &to), direct, "{}", tidegate.log());
    }
    assert_ne!(served_by(&tidegate, "pa", "right"), served_by(&tidegate, "pa", "right"));
}

/// No list names the account, and the pool is smaller than the crowd.
#[test]
fn ten_at_once_are_all_served_by_a_pool_of_three() {
    for kind in Kind::here() {
        let server = Server::shared(kind);
        create(server, "tens", "IDENTIFIED BY 'right'");
        let tidegate = session(server, "pool.size = 3\n");
        let held: Vec<Raw> = (0..10).map(|_| enter(&tidegate, "tens", "right")).collect();
        let ids: std::collections::HashSet<u64> = held.into_iter().map(|mut raw| raw.id()).collect();
        assert_eq!(ids.len(), 10, "{kind}");

        // With nothing on top of it they take turns.
        let tidegate = session(server, "pool.size = 3\npool.max_overflow = 0\n");
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| {
                    for _ in 0..3 {
                        let mut raw = enter(&tidegate, "tens", "right");
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        assert_eq!(raw.user(), "tens");
                        thread::sleep(Duration::from_millis(10));
                        inside.fetch_sub(1, Ordering::SeqCst);
                        raw.quit();
                    }
                });
            }
        });
        assert!(most.into_inner() <= 3, "{kind}");
        server.sql("DROP USER tens@'%'");
    }
}

/// To the server all clients are one host, which it blocks after some logins that end half-way.
#[test]
fn clients_that_hang_up_do_not_block_the_proxy() {
    for kind in Kind::here() {
        let server = Server::start(kind, &["--max-connect-errors=3"]);
        create(&server, "app", "IDENTIFIED BY 'right'");
        let observe = Tidegate::in_front_of(&server, "pool.mode = \"observe\"\n");
        for tidegate in [session(&server, "listen.login_timeout = \"4s\"\n"), observe] {
            let ended = attempt(&tidegate, &As::new("app", "right"));
            assert!(ended.is_in(), "{kind}: {}\n{}", ended.words(), tidegate.log());
            for _ in 0..8 {
                Raw::tcp(tidegate.address()).begin_login("app");
            }
            // One stays until tidegate loses patience.
            let mut slow = Raw::tcp(tidegate.address());
            slow.begin_login("app");
            thread::sleep(Duration::from_millis(4_500));
            let ended = attempt(&tidegate, &As::new("app", "right"));
            assert!(ended.is_in(), "{kind}: {}\n{}", ended.words(), tidegate.log());
        }
    }
}

/// MySQL locks an account after so many wrong passwords: nothing that tidegate does by itself may be one.
#[test]
fn right_logins_never_count_as_wrong_ones() {
    if !Kind::Mysql9.is_here() {
        return;
    }
    let server = Server::start(Kind::Mysql9, &[]);
    for name in ["app", "eve"] {
        create(&server, name, "IDENTIFIED BY 'right' FAILED_LOGIN_ATTEMPTS 1 PASSWORD_LOCK_TIME UNBOUNDED");
    }
    create(&server, "reader", "IDENTIFIED BY 'reads' FAILED_LOGIN_ATTEMPTS 1 PASSWORD_LOCK_TIME UNBOUNDED");
    let config = format!("{}[[user]]\nname = \"app\"\npassword = \"right\"\n", super::SERVICE);
    let observe = Tidegate::in_front_of(&server, "pool.mode = \"observe\"\n");
    for tidegate in [session(&server, &config), observe] {
        for _ in 0..3 {
            for method in [None, Some("mysql_native_password"), Some("sha256_password")] {
                for user in ["app", "eve"] {
                    let ended = attempt(&tidegate, &As { method, ..As::new(user, "right") });
                    assert!(ended.is_in(), "{user}, {method:?}: {}\n{}", ended.words(), tidegate.log());
                }
            }
        }
        // Wrong ones for an account that tidegate knows never arrive.
        if !tidegate.log().contains("Observe") {
            assert_eq!(attempt(&tidegate, &As::new("app", "wrong")).code(), 1045);
        }
    }
}
