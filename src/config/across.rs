//! Checks across tables, on what they resolved to.

use std::net::SocketAddr;

use super::Config;
use super::address::is_local;
use super::problem::Fault;
use super::section::Reader;
use crate::net::settings::{Address, SendProxyProtocol};
use crate::proxy::settings::Mode;

/// Adds what is wrong between the tables of `config`.
pub fn check(reader: &mut Reader<'_>, config: &Config) {
    check_not_itself(reader, config);
    check_admin_ports(reader, config);
    check_send_proxy_protocol(reader, config);
    warn_local_accounts(reader, config);
}

fn check_not_itself(reader: &mut Reader<'_>, config: &Config) {
    let backend = &config.proxy.backend.address;
    if config.proxy.listen.addresses.contains(backend) {
        let fault = Fault::new(
            "is the address that tidegate itself listens on",
            "write the MySQL server's address",
        );
        reader.error_at("backend.address", fault);
    }
}

/// Of two that listen on one port, the second cannot start.
fn check_admin_ports(reader: &mut Reader<'_>, config: &Config) {
    let admin = [
        ("admin.http", config.admin.http),
        ("admin.sql", config.admin.sql),
    ];
    for (path, address) in admin {
        let taken = |listen: &&Address| address.is_some_and(|address| is_same(listen, address));
        if let Some(listen) = config.proxy.listen.addresses.iter().find(taken) {
            let what = format!("{listen} is taken by listen.address");
            reader.error_at(path, Fault::new(what, "write another port, or \"off\""));
        }
    }
    if config.admin.http.is_some_and(|http| http.port() != 0)
        && config.admin.http == config.admin.sql
    {
        let fault = Fault::new(
            "is the same as admin.http",
            "write another port, or \"off\"",
        );
        reader.error_at("admin.sql", fault);
    }
}

fn is_same(listen: &Address, admin: SocketAddr) -> bool {
    admin.port() != 0 && matches!(listen, Address::Tcp(tcp) if tcp.parse() == Ok(admin))
}

fn check_send_proxy_protocol(reader: &mut Reader<'_>, config: &Config) {
    let sends = config.proxy.backend.send_proxy_protocol != SendProxyProtocol::Off;
    if sends && config.proxy.mode == Mode::Transaction && reader.is_sound("pool.mode") {
        let fault = Fault::new(
            "a shared connection has no client address to send",
            "write \"off\", or pool.mode = \"session\" or \"observe\"",
        );
        reader.error_at("backend.send_proxy_protocol", fault);
    }
}

/// To the server, everybody who comes through tidegate comes from tidegate's own machine.
fn warn_local_accounts(reader: &mut Reader<'_>, config: &Config) {
    let open = config
        .proxy
        .listen
        .addresses
        .iter()
        .any(|address| !is_local(address));
    let local_backend = is_local(&config.proxy.backend.address);
    if open && local_backend && !config.proxy.auth.allow_local_accounts {
        let fault = Fault::new(
            "clients from elsewhere will be refused: the server would take them for local ones",
            "if its local accounts are meant for them, write allow_local_accounts = true under [auth]",
        );
        reader.warning_at("listen.address", fault);
    }
}
