//! What is one client's or one account's trouble stays so: wrong passwords, expired ones, an `init_connect` that fails. Mode
//! `transaction`, where all live on the same few connections.

use std::thread::{self, sleep};
use std::time::Duration;

use super::sha2::mysql;
use super::wire::{As, Raw};
use super::{SERVICE, attempt, create, create_service, enter, with_native};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

const ONE: &str = "pool.mode = \"transaction\"\npool.size = 1\npool.max_overflow = 0\npool.checkout_timeout = \"2s\"\n";

/// `one` and `two`, who log in by what the account tables say.
fn native(kind: Kind) -> (Server, Tidegate) {
    let server = Server::start(kind, &[]);
    create_service(&server);
    create(&server, "one", "IDENTIFIED BY 'right'");
    create(&server, "two", "IDENTIFIED BY 'other'");
    let tidegate = Tidegate::in_front_of(&server, &format!("{ONE}{SERVICE}"));
    (server, tidegate)
}

/// `one` by caching_sha2_password, learned; `two` is in the configuration.
fn learned() -> Option<(Server, Tidegate)> {
    Kind::Mysql9.is_here().then(|| {
        let server = Server::start(Kind::Mysql9, &[]);
        create(&server, "one", "IDENTIFIED BY 'right'");
        create(&server, "two", "IDENTIFIED BY 'other'");
        let users = "[[user]]\nname = \"two\"\npassword = \"other\"\n";
        let tidegate = Tidegate::in_front_of(&server, &format!("{ONE}{users}"));
        mysql(tidegate.address().port(), "one", "right", &["--get-server-public-key"]).expect("a login that teaches");
        (server, tidegate)
    })
}

/// Whoever is in goes on, on whatever connection there is.
fn assert_undisturbed(tidegate: &Tidegate, one: &mut Raw, two: &mut Raw) {
    for _ in 0..3 {
        assert_eq!((one.user(), two.user()), ("one".into(), "two".into()), "{}", tidegate.log());
    }
}

#[test]
fn a_wrong_password_ends_nobody_elses_session() {
    for kind in with_native() {
        let (_server, tidegate) = native(kind);
        let (mut one, mut two) = (enter(&tidegate, "one", "right"), enter(&tidegate, "two", "other"));
        for _ in 0..3 {
            assert_eq!(attempt(&tidegate, &As::new("one", "wrong")).code(), 1045, "{kind}");
            assert_undisturbed(&tidegate, &mut one, &mut two);
        }
        enter(&tidegate, "one", "right").quit();
    }
    let Some((_server, tidegate)) = learned() else { return };
    let (mut one, mut two) = (enter(&tidegate, "one", "right"), enter(&tidegate, "two", "other"));
    let port = tidegate.address().port();
    for _ in 0..3 {
        assert!(mysql(port, "one", "wrong", &["--get-server-public-key"]).is_err());
        assert_undisturbed(&tidegate, &mut one, &mut two);
        let mut wrong = enter(&tidegate, "two", "other");
        assert_ne!(wrong.change_user(&As::new("one", "wrong")).code(), 0);
        assert_undisturbed(&tidegate, &mut one, &mut two);
    }
    assert_eq!(enter(&tidegate, "one", "right").user(), "one", "it is still known, and shares");
    assert_undisturbed(&tidegate, &mut one, &mut two);
}

/// The server has several right ones, or another one than tidegate knows.
#[test]
fn another_right_password_is_right_at_once() {
    let Some((server, tidegate)) = learned() else { return };
    server.sql("ALTER USER one@'%' IDENTIFIED BY 'newer' RETAIN CURRENT PASSWORD");
    let port = tidegate.address().port();
    for password in ["newer", "right", "newer"] {
        mysql(port, "one", password, &["--get-server-public-key"]).expect(password);
    }
    let mut two = enter(&tidegate, "two", "other");
    let right = As { method: Some("caching_sha2_password"), ..As::new("one", "right") };
    let ended = two.change_user(&right);
    assert!(ended.is_in(), "{}", ended.words());
    server.sql("ALTER USER one@'%' DISCARD OLD PASSWORD");
    assert!(mysql(port, "one", "right", &["--get-server-public-key"]).is_err());
    mysql(port, "one", "newer", &["--get-server-public-key"]).expect("the one that is left");
}

/// Only its own connection lets an account change an expired password; the others do not hear of it.
#[test]
fn an_expired_password_can_be_changed_and_disturbs_nobody() {
    for kind in with_native().into_iter().filter(|kind| *kind != Kind::Mysql56) {
        let (server, tidegate) = native(kind);
        server.sql("ALTER USER two@'%' PASSWORD EXPIRE");
        let mut one = enter(&tidegate, "one", "right");
        let mut two = enter(&tidegate, "two", "other");
        let refused = two.query("SELECT 1").expect_err("a refusal");
        assert!(refused.starts_with("1820 "), "{kind}: {refused}");
        two.query("SET PASSWORD = PASSWORD('newer')").expect("an OK");
        assert_eq!(two.user(), "two", "{kind}: {}", tidegate.log());
        two.quit();
        assert_eq!(one.user(), "one", "{kind}");
        sleep(Duration::from_millis(1_100));
        assert_eq!(enter(&tidegate, "two", "newer").user(), "two", "{kind}: shares again");
        assert_eq!(one.user(), "one", "{kind}");
    }
}

#[test]
fn an_account_that_cannot_get_in_disturbs_nobody() {
    for kind in Kind::here() {
        let server = Server::start(kind, &[]);
        let users = "[[user]]\nname = \"root_too\"\npassword = \"r\"\n[[user]]\nname = \"one\"\npassword = \"right\"\n";
        create(&server, "root_too", "IDENTIFIED BY 'r'");
        server.sql("GRANT SUPER ON *.* TO root_too@'%'; CREATE USER one@'%' IDENTIFIED BY 'right'");
        let one = ONE.replace("2s", "500ms");
        let tidegate = Tidegate::in_front_of(&server, &format!("{one}{users}[auth]\nrecheck = \"1s\"\n"));
        let mut other = enter(&tidegate, "root_too", "r");
        server.sql("SET GLOBAL init_connect = 'SELECT * FROM nowhere.at_all'");
        sleep(Duration::from_millis(1_100));
        for _ in 0..3 {
            for _ in 0..5 {
                // The server closes the connection in the middle, and so may tidegate.
                let address = tidegate.address();
                let ended = thread::spawn(move || Raw::tcp(address).login(&As::new("one", "right")).is_in()).join();
                assert!(!ended.unwrap_or(false), "{kind}");
            }
            assert_eq!(other.user(), "root_too", "{kind}: {}", tidegate.log());
        }
    }
}

/// Servers read what an account may do everywhere when it logs in: a session of today has no right of yesterday, on whatever connection.
#[test]
fn a_right_that_was_taken_away_is_gone_on_every_connection() {
    for kind in Kind::here() {
        let server = Server::start(kind, &[]);
        server.sql("CREATE USER one@'%' IDENTIFIED BY 'right'; GRANT SELECT ON *.* TO one@'%'");
        let config = "pool.mode = \"transaction\"\npool.size = 2\npool.max_overflow = 0\n[auth]\nrecheck = \"1s\"\n";
        let users = "[[user]]\nname = \"one\"\npassword = \"right\"\n";
        let tidegate = Tidegate::in_front_of(&server, &format!("{config}{users}"));
        let enter = || [(); 2].map(|()| enter(&tidegate, "one", "right"));
        let question = "SELECT COUNT(*) > 0 FROM mysql.db";
        let both = |clients: &mut [Raw; 2]| {
            clients.iter_mut().for_each(|client| drop(client.query("BEGIN").expect("a transaction")));
            clients.each_mut().map(|client| client.query(question))
        };
        let mut first = enter();
        assert!(both(&mut first).iter().all(Result::is_ok), "{kind}");
        first.into_iter().for_each(Raw::quit);
        server.sql("REVOKE SELECT ON *.* FROM one@'%'");
        sleep(Duration::from_millis(1_100));
        for answer in both(&mut enter()) {
            assert!(answer.as_ref().is_err_and(|refused| refused.starts_with("1142 ")), "{kind}: {answer:?}");
        }
    }
}

/// Who changes its own password stays in, and so does nobody by the old one.
#[test]
fn who_changes_its_own_password_stays_in() {
    for kind in Kind::here() {
        let server = Server::start(kind, &[]);
        server.sql("CREATE USER one@'%' IDENTIFIED BY 'right'; CREATE USER two@'%' IDENTIFIED BY 'other'");
        let users = [("one", "right"), ("two", "other")]
            .map(|(name, password)| format!("[[user]]\nname = \"{name}\"\npassword = \"{password}\"\n"));
        let config = "pool.mode = \"transaction\"\npool.size = 2\npool.max_overflow = 0\n";
        let tidegate = Tidegate::in_front_of(&server, &format!("{config}{}", users.concat()));
        let mut one = enter(&tidegate, "one", "right");
        one.query("SET @kept = 5").expect("an OK");
        let change = match kind {
            Kind::Mysql9 => "ALTER USER USER() IDENTIFIED BY 'newer'",
            _ => "SET PASSWORD = PASSWORD('newer')",
        };
        one.query(change).expect("an OK");
        for _ in 0..3 {
            enter(&tidegate, "two", "other").quit();
            assert_eq!(one.query("SELECT @kept"), Ok("5".into()), "{kind}: {}", tidegate.log());
        }
        assert_eq!(attempt(&tidegate, &As::new("one", "right")).code(), 1045, "{kind}: the file has the old one");
        assert_eq!(one.query("SELECT @kept"), Ok("5".into()), "{kind}");
    }
}

/// An account that is made anew under the name is another one: who came in before has not proved its password, and does not come by
/// its rights, though somebody else has proved it meanwhile.
#[test]
fn nobody_goes_on_as_an_account_that_was_made_anew() {
    for kind in with_native() {
        let (server, tidegate) = native(kind);
        let (mut old, mut two) = (enter(&tidegate, "one", "right"), enter(&tidegate, "two", "other"));
        assert_eq!(old.user(), "one", "{kind}");
        server.sql("DROP USER one@'%'");
        create(&server, "one", "IDENTIFIED BY 'new'");
        sleep(Duration::from_millis(1500));
        let mut new = enter(&tidegate, "one", "new");
        for _ in 0..3 {
            assert_eq!((new.user(), two.user()), ("one".into(), "two".into()), "{kind}: {}", tidegate.log());
            let told = old.query("SELECT CURRENT_USER()");
            assert!(told.as_ref().is_err_and(|told| told.contains("Access denied")), "{kind}: {told:?}");
        }
    }
}

/// A server reads a name by the character set of the login: what is one account in one of them is another in another.
#[test]
fn names_beyond_ascii_are_the_servers_affair() {
    for kind in with_native() {
        let (server, tidegate) = native(kind);
        server.sql(
            "SET NAMES utf8; CREATE USER 'é'@'%' IDENTIFIED BY 'accent'; CREATE USER 'Ã©'@'%' IDENTIFIED BY 'letters'",
        );
        let mut accent = enter(&tidegate, "é", "accent");
        let named = "SELECT HEX(CONVERT(SUBSTRING_INDEX(CURRENT_USER(), '@', 1) USING utf8))";
        assert_eq!(accent.query(named), Ok("C3A9".to_owned()), "{kind}");
        assert!(!attempt(&tidegate, &As::new("é", "letters")).is_in(), "{kind}");
        accent.quit();
    }
}

/// Who changes to a user that tidegate cannot log in as has its connection to itself, behind a reset as well: by the name that it came
/// with nobody else gets it.
#[test]
fn a_change_to_a_stranger_is_never_the_pools() {
    for kind in with_native().into_iter().filter(|kind| *kind != Kind::Mysql56) {
        let server = Server::start(kind, &[]);
        create(&server, "one", "IDENTIFIED BY 'right'");
        create(&server, "stranger", "IDENTIFIED BY 'unknown'");
        let users = "[[user]]\nname = \"one\"\npassword = \"right\"\n";
        let config = format!("pool.mode = \"transaction\"\npool.size = 2\npool.max_overflow = 0\n{users}");
        let tidegate = Tidegate::in_front_of(&server, &config);
        let mut changed = enter(&tidegate, "one", "right");
        assert_eq!(changed.user(), "one", "{kind}");
        assert!(changed.change_user(&As::new("stranger", "unknown")).is_in(), "{kind}: {}", tidegate.log());
        for _ in 0..2 {
            assert_eq!(changed.user(), "stranger", "{kind}");
            changed.reset();
            let mut one = enter(&tidegate, "one", "right");
            assert_eq!((one.user(), changed.user()), ("one".into(), "stranger".into()), "{kind}: {}", tidegate.log());
            one.quit();
        }
    }
}

/// MariaDB keeps a role over a change of user; a login has none but its own.
#[test]
fn a_role_is_nobody_elses() {
    for kind in with_native().into_iter().filter(|kind| kind.is_mariadb()) {
        let (server, tidegate) = native(kind);
        server.sql("CREATE ROLE r1; GRANT r1 TO one@'%'");
        let mut one = enter(&tidegate, "one", "right");
        assert!(one.query("SET ROLE r1").is_ok(), "{kind}");
        assert_eq!(one.query("SELECT IFNULL(CURRENT_ROLE(), 'none')"), Ok("r1".to_owned()), "{kind}");
        for (user, password) in [("two", "other"), ("one", "right"), ("two", "other")] {
            let mut next = enter(&tidegate, user, password);
            assert_eq!(next.query("SELECT IFNULL(CURRENT_ROLE(), 'none')"), Ok("none".to_owned()), "{kind}: {user}");
            next.quit();
        }
        assert_eq!(one.query("SELECT IFNULL(CURRENT_ROLE(), 'none')"), Ok("r1".to_owned()), "{kind}");
        assert!(one.change_user(&As::new("two", "other")).is_in(), "{kind}");
        for mut client in [one, enter(&tidegate, "two", "other")] {
            assert_eq!(client.query("SELECT IFNULL(CURRENT_ROLE(), 'none')"), Ok("none".to_owned()), "{kind}");
        }
    }
}
