//! Nobody gets in by tidegate's own place: neither as its operating-system user, nor as somebody on the server's machine.

use std::process::Command;

use super::wire::{As, Raw};
use super::{attempt, create, session};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

fn own_name() -> String {
    let output = Command::new("id").arg("-un").output().expect("id");
    String::from_utf8(output.stdout).expect("a name").trim().to_owned()
}

/// An account that this very process, and so tidegate, may enter over the Unix socket without any password.
fn give_to_own_place(server: &Server, how: &str) -> String {
    let name = own_name();
    server.sql(&format!("CREATE USER IF NOT EXISTS '{name}'@localhost"));
    server.sql(&format!("ALTER USER '{name}'@localhost IDENTIFIED {how}"));
    let direct = Raw::unix(&server.socket()).login(&As::new(&name, ""));
    assert!(direct.is_in(), "the test's own way in: {}", direct.words());
    name
}

fn over_unix(server: &Server, config: &str) -> Tidegate {
    Tidegate::start(&format!("backend.address = \"unix:{}\"\n{config}", server.socket().display()))
}

fn ways(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Mysql9 => &["WITH auth_socket"],
        Kind::Mysql56 => &[],
        Kind::MariaDb1011 | Kind::MariaDb11 => &[
            "VIA unix_socket",
            "VIA mysql_native_password USING 'invalid' OR unix_socket",
            "VIA unix_socket OR mysql_native_password USING PASSWORD('known')",
            "VIA mysql_native_password USING PASSWORD('known') OR unix_socket",
        ],
    }
}

#[test]
fn accounts_of_tidegates_own_place_are_refused_over_its_unix_socket() {
    for kind in Kind::here() {
        for how in ways(kind) {
            let server = Server::start(kind, &[]);
            if kind == Kind::Mysql9 {
                server.sql("INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'");
            }
            create(&server, "app", "IDENTIFIED BY 'right'");
            let name = give_to_own_place(&server, how);
            let listed = format!("[[user]]\nname = \"{name}\"\npassword = \"known\"\n");
            let app = "[[user]]\nname = \"app\"\npassword = \"right\"\n";
            for config in [
                "pool.mode = \"session\"\n".to_owned(),
                "pool.mode = \"observe\"\n".to_owned(),
                format!("pool.mode = \"session\"\n{listed}{app}"),
            ] {
                let tidegate = over_unix(&server, &config);
                for password in ["", "guess", "known"] {
                    for method in [None, Some("mysql_clear_password"), Some("caching_sha2_password")] {
                        let to = As { method, ..As::new(&name, password) };
                        let ended = attempt(&tidegate, &to);
                        assert!(!ended.is_in(), "{kind}, {how}: {config} {password:?} {method:?}\n{}", tidegate.log());
                        assert!([1045, 1698].contains(&ended.code()), "{kind}, {how}: {}", ended.words());
                    }
                }
                // Others pass, and cannot become it on the way.
                let mut raw = Raw::tcp(tidegate.address());
                assert!(raw.login(&As::new("app", "right")).is_in(), "{kind}, {how}\n{}", tidegate.log());
                assert!(!raw.change_user(&As::new(&name, "")).is_in(), "{kind}, {how}");
                let after = raw.query("SELECT CURRENT_USER()").unwrap_or_default();
                assert!(!after.starts_with(&name), "{kind}, {how}: {after}");
            }
        }
    }
}

#[test]
fn over_a_unix_socket_passwords_work_as_ever() {
    for kind in Kind::here() {
        let server = Server::start(kind, &[]);
        server.sql("CREATE USER app@localhost IDENTIFIED BY 'right'; CREATE USER nopw@localhost");
        let listed = "[[user]]\nname = \"app\"\npassword = \"right\"\n";
        for config in
            ["pool.mode = \"session\"\n", "pool.mode = \"observe\"\n", &format!("pool.mode = \"session\"\n{listed}")]
        {
            let tidegate = over_unix(&server, config);
            for (user, password) in [("app", "right"), ("app", "wrong"), ("nopw", ""), ("nopw", "x")] {
                let to = As::new(user, password);
                let expected = Raw::unix(&server.socket()).login(&to).words();
                for _ in 0..2 {
                    assert_eq!(attempt(&tidegate, &to).words(), expected, "{kind}, {config}\n{}", tidegate.log());
                }
            }
        }
    }
}

#[test]
fn clients_from_elsewhere_do_not_become_local() {
    let server = Server::start(Kind::MariaDb1011, &[]);
    create(&server, "app", "IDENTIFIED BY 'right'");
    for mode in ["session", "observe"] {
        let config = format!("pool.mode = \"{mode}\"\nlisten.proxy_protocol_from = [\"127.0.0.1/32\"]\n");
        let tidegate = Tidegate::in_front_of(&server, &config);
        let far = Raw::proxied(tidegate.address(), "10.1.2.3");
        let refused = far.greeting.expect_err("a client from elsewhere");
        let text = String::from_utf8_lossy(&refused.message).into_owned();
        assert_eq!(
            (refused.code, text.as_str()),
            (1130, "Host '10.1.2.3' is not allowed to connect to this MySQL server")
        );
        assert!(tidegate.log().contains("allow_local_accounts"));
        assert!(Raw::proxied(tidegate.address(), "127.0.0.9").login(&As::new("app", "right")).is_in());
        let open = Tidegate::in_front_of(&server, &format!("{config}auth.allow_local_accounts = true\n"));
        let ended = Raw::proxied(open.address(), "10.1.2.3").login(&As::new("app", "right"));
        assert!(ended.is_in(), "{}", open.log());
    }
    let tidegate = session(
        &server,
        "listen.proxy_protocol_from = [\"127.0.0.1/32\"]\nauth.allow_local_accounts = true\n[[user]]\nname = \"app\"\npassword = \"right\"\n",
    );
    let ended = Raw::proxied(tidegate.address(), "10.1.2.3").login(&As::new("app", "wrong"));
    assert_eq!(ended.words(), "1045 28000 Access denied for user 'app'@'10.1.2.3' (using password: YES)");
}
