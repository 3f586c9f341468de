//! A new MariaDB client verifies certificates by default: tidegate's own passes where tidegate knows the password's hash.

use std::process::Command;

use super::{SERVICE, create, create_service, enter, session};
use crate::certificates::Certificates;
use crate::scratch::Scratch;
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

/// `Err`: what the client complains about.
fn mariadb(tidegate: &Tidegate, user: &str, options: &[&str]) -> Result<String, String> {
    let output = Command::new(Kind::MariaDb11.program("mariadb"))
        // Only a name that is not an address of this machine is verified.
        .args(["--no-defaults", "-hlocalhost", "--protocol=tcp", "-pright", &format!("-u{user}")])
        .arg(format!("-P{}", tidegate.address().port()))
        .args(options)
        .args(["-Ne", "SHOW STATUS LIKE 'Ssl_version'; SELECT CURRENT_USER()"])
        .output()
        .expect("the mariadb client");
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[test]
fn tidegates_own_certificate_is_proved_where_the_hash_is_known() {
    if !Kind::MariaDb11.is_here() {
        return;
    }
    for kind in Kind::here() {
        let server = Server::start(kind, &[]);
        create(&server, "app", "IDENTIFIED BY 'right'");
        let listed = session(&server, "[[user]]\nname = \"app\"\npassword = \"right\"\n");
        // MySQL 9's greeting names caching_sha2_password, for which that client has no such proof.
        let is_proved = kind != Kind::Mysql9;
        for _ in 0..2 {
            let entered = mariadb(&listed, "app", &[]);
            assert_eq!(entered.is_ok(), is_proved, "{kind}: {entered:?}\n{}", listed.log());
        }
        if kind == Kind::Mysql9 {
            continue;
        }
        create_service(&server);
        let read = session(&server, SERVICE);
        for _ in 0..2 {
            mariadb(&read, "app", &[]).unwrap_or_else(|error| panic!("{kind}: {error}\n{}", read.log()));
        }
    }
}

/// Challenge and answer are the server's and the client's own there: tidegate has no hash to prove anything by.
#[test]
fn relayed_accounts_need_a_certificate_that_the_client_trusts() {
    if !Kind::MariaDb11.is_here() {
        return;
    }
    let server = Server::start(Kind::MariaDb11, &[]);
    create(&server, "app", "IDENTIFIED BY 'right'");
    let own = session(&server, "");
    let refused = mariadb(&own, "app", &[]).expect_err("an unproved certificate");
    assert!(refused.contains("ertificate"), "{refused}");
    mariadb(&own, "app", &["--disable-ssl-verify-server-cert"]).expect("an unverified login");

    let scratch = Scratch::new();
    let signed = Certificates::make(scratch.path());
    let config = format!(
        "listen.tls_cert = \"{}\"\nlisten.tls_key = \"{}\"\n",
        signed.server_cert.display(),
        signed.server_key.display()
    );
    let tidegate = session(&server, &config);
    let ca = format!("--ssl-ca={}", signed.ca.display());
    mariadb(&tidegate, "app", &[&ca]).unwrap_or_else(|error| panic!("{error}\n{}", tidegate.log()));
}

/// In mode `session` the server itself judges every login, whatever tidegate has learned.
#[test]
fn every_login_is_judged_by_the_server() {
    for kind in Kind::here() {
        let server = Server::start(kind, &[]);
        create(&server, "app", "IDENTIFIED BY 'right'");
        create(&server, "admin", "IDENTIFIED BY 'rules'");
        server.sql("GRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION");
        let listed =
            "[[user]]\nname = \"app\"\npassword = \"right\"\n[[user]]\nname = \"admin\"\npassword = \"rules\"\n";
        let tidegate = session(&server, listed);
        assert_eq!(
            super::served_by(&tidegate, "app", "right"),
            super::served_by(&tidegate, "app", "right"),
            "{kind}: pooled"
        );
        let mut admin = enter(&tidegate, "admin", "rules");
        let lock = match kind {
            Kind::Mysql56 => "SET PASSWORD FOR app@'%' = PASSWORD('newer')",
            _ => "ALTER USER app@'%' IDENTIFIED BY 'newer'",
        };
        admin.query(lock).expect("a changed account");
        let ended = super::attempt(&tidegate, &super::wire::As::new("app", "right"));
        assert_eq!(ended.code(), 1045, "{kind}");
        admin.query("DROP USER app@'%'").expect("a dropped account");
        let ended = super::attempt(&tidegate, &super::wire::As::new("app", "right"));
        assert_eq!(ended.code(), 1045, "{kind}");
    }
}
