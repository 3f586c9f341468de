//! COM_CHANGE_USER is a login: answers and fate as direct, and no backend ever serves another account's client.

use super::wire::{As, Raw};
use super::{create, enter, served_by, session};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

fn start(kind: Kind) -> Server {
    let server = Server::start(kind, &[]);
    create(&server, "app", "IDENTIFIED BY 'right'");
    create(&server, "other", "IDENTIFIED BY 'second'");
    server.sql("CREATE DATABASE shop");
    server
}

/// What a client sees of one step after the other, up to the end of its connection.
fn steps(raw: &mut Raw, changes: &[As<'_>]) -> Vec<String> {
    let mut seen = vec![raw.login(&As::new("app", "right")).words()];
    for change in changes {
        raw.query("SET @left_behind = 1").expect("an open connection");
        seen.push(raw.change_user(change).words());
        let now = raw.query("SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1), DATABASE(), @left_behind");
        seen.push(now.clone().unwrap_or_else(|error| error));
        if now.is_err() {
            break;
        }
    }
    seen
}

#[test]
fn every_turn_is_as_direct() {
    for kind in Kind::here() {
        let server = start(kind);
        let listed = "[[user]]\nname = \"app\"\npassword = \"right\"\n";
        let observe = Tidegate::in_front_of(&server, "pool.mode = \"observe\"\n");
        let ways = [session(&server, ""), session(&server, listed), observe];
        let shop = |user, password| As { schema: Some("shop"), ..As::new(user, password) };
        let nowhere = As { schema: Some("nowhere"), ..As::new("other", "second") };
        let wrong = As::new("other", "wrong");
        let courses: [&[As<'_>]; 7] = [
            &[As::new("app", "right"), shop("app", "right")],
            &[shop("other", "second"), As::new("app", "right")],
            &[wrong.clone(), wrong.clone(), wrong.clone(), wrong.clone()],
            &[shop("app", "right"), wrong.clone(), As::new("other", "second")],
            &[nowhere.clone(), As::new("other", "second")],
            &[As::new("nobody", "x")],
            &[As::new("other", "")],
        ];
        for (course, changes) in courses.iter().enumerate() {
            let expected = steps(&mut Raw::tcp(server.address()), changes);
            for (way, tidegate) in ways.iter().enumerate() {
                let seen = steps(&mut Raw::tcp(tidegate.address()), changes);
                assert_eq!(seen, expected, "{kind}, course {course}, way {way}\n{}", tidegate.log());
            }
        }
    }
}

#[test]
fn a_changed_backend_serves_no_other_client() {
    for kind in Kind::here() {
        let server = start(kind);
        let listed =
            "[[user]]\nname = \"app\"\npassword = \"right\"\n[[user]]\nname = \"other\"\npassword = \"second\"\n";
        let tidegate = session(&server, listed);
        let pooled = served_by(&tidegate, "app", "right");
        for (to, user) in [
            (As::new("other", "second"), Some("other")),
            (As::new("other", "wrong"), kind.is_mariadb().then_some("app")),
            (As { schema: Some("nowhere"), ..As::new("other", "second") }, kind.is_mariadb().then_some("app")),
        ] {
            let mut raw = enter(&tidegate, "app", "right");
            let id = raw.id();
            raw.change_user(&to);
            assert_eq!(raw.query("SELECT 1").is_ok(), user.is_some(), "{kind}");
            if let Some(user) = user {
                assert_eq!(raw.user(), user, "{kind}");
                raw.quit();
            }
            for (next, password) in [("app", "right"), ("other", "second")] {
                let mut raw = enter(&tidegate, next, password);
                assert_eq!(raw.user(), next, "{kind}");
                assert_ne!(raw.id(), id, "{kind}: a connection whose account was changed");
                raw.quit();
            }
        }
        assert_ne!(served_by(&tidegate, "app", "right"), pooled, "{kind}");
    }
}

#[test]
fn a_client_too_old_for_plugins_changes_by_its_first_answer() {
    for kind in Kind::here() {
        let server = start(kind);
        let tidegate = session(&server, "[[user]]\nname = \"app\"\npassword = \"right\"\n");
        let mut raw = Raw::tcp(tidegate.address());
        let old = As { plugin_auth: false, ..As::new("app", "right") };
        assert!(raw.login(&old).is_in(), "{kind}");
        assert!(raw.change_user(&old).is_in(), "{kind}");
        assert_eq!(raw.user(), "app", "{kind}");
    }
}
