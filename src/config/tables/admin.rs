//! `[admin]`

use std::net::{Ipv4Addr, SocketAddr};

use secrecy::SecretString;

use crate::admin::settings::{AdminLogin, AdminSettings};
use crate::config::address::socket;
use crate::config::problem::Fault;
use crate::config::secret::{is_given, secret_of};
use crate::config::section::{Reader, Section};
use crate::config::value::{off_or, some_secret, some_text};

const HTTP_PORT: u16 = 6080;
const SQL_PORT: u16 = 6032;

/// Reads `[admin]`.
pub fn read(reader: &mut Reader<'_>) -> AdminSettings {
    let s = &mut reader.section("admin");
    let admin = AdminSettings {
        http: s.get("http", loopback(HTTP_PORT), off_or(socket)),
        sql: s.get("sql", loopback(SQL_PORT), off_or(socket)),
        login: login(s),
        token: s.find("token", some_secret),
    };
    require_login(s, &admin);
    admin
}

fn loopback(port: u16) -> Option<SocketAddr> {
    Some((Ipv4Addr::LOCALHOST, port).into())
}

fn login(s: &mut Section<'_, '_>) -> Option<AdminLogin> {
    let user = s.find("user", some_text);
    let password: Option<SecretString> = secret_of(s, "password");
    match (s.has("user"), is_given(s, "password")) {
        (true, false) => s.error("user", Fault::new("has no password", "add password, password_file or password_env")),
        (false, true) => s.error("user", Fault::new("is missing", "write the name that the password belongs to")),
        _ => {}
    }
    Some(AdminLogin { user: user?, password: password? })
}

/// What others can reach asks who they are.
fn require_login(s: &mut Section<'_, '_>, admin: &AdminSettings) {
    let reachable =
        |address: Option<SocketAddr>| address.is_some_and(|address| !address.ip().to_canonical().is_loopback());
    let with_login = s.has("user") || is_given(s, "password");
    let what = "others can reach this address, and no login is asked for";
    if reachable(admin.http) && !with_login && !s.has("token") {
        let instead = "add token, or user and password, or listen on 127.0.0.1";
        s.error("http", Fault::new(what, instead));
    }
    if reachable(admin.sql) && !with_login {
        let instead = "add user and password, or listen on 127.0.0.1";
        s.error("sql", Fault::new(what, instead));
    }
}
