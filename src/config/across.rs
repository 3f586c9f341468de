//! Checks across tables, on what they resolved to.

use super::Config;
use super::address::{covers, is_local};
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
    // Who has mistakes to correct is not told of trifles.
    if !reader.has_errors() {
        warn_without_effect(reader, config);
    }
}

/// Keys whose work is not done yet: who sets one must not believe that it does something.
fn warn_without_effect(reader: &mut Reader<'_>, config: &Config) {
    let proxy = &config.proxy;
    let set = [
        // Elsewhere every connection begins as some client's login.
        ("pool.min_idle", proxy.pool.min_idle > 0 && proxy.mode != Mode::Transaction),
    ];
    for (path, _) in set.into_iter().filter(|(_, is_set)| *is_set) {
        let fault = Fault::new("has no effect in this version", "leave it out, so that nobody relies on it");
        reader.warning_at(path, fault);
    }
}

fn check_not_itself(reader: &mut Reader<'_>, config: &Config) {
    let backend = &config.proxy.backend.address;
    let mut own = config.proxy.listen.addresses.iter();
    if own.any(|listen| covers(listen, backend)) {
        let fault = Fault::new("is the address that tidegate itself listens on", "write the MySQL server's address");
        reader.error_at("backend.address", fault);
    }
}

/// Of two that listen on one port, the second cannot start.
fn check_admin_ports(reader: &mut Reader<'_>, config: &Config) {
    let mut taken: Vec<(&str, Address)> = Vec::new();
    for address in &config.proxy.listen.addresses {
        taken.push(("listen.address", address.clone()));
    }
    let admin = [("admin.http", config.admin.http), ("admin.sql", config.admin.sql)];
    for (path, address) in admin {
        let Some(address) = address.map(|address| Address::Tcp(address.to_string())) else {
            continue;
        };
        let clash = |(_, other): &&(&str, Address)| covers(other, &address) || covers(&address, other);
        if let Some((owner, _)) = taken.iter().find(clash) {
            let what = format!("{address} is taken by {owner}");
            reader.error_at(path, Fault::new(what, "write another port, or \"off\""));
        }
        taken.push((path, address));
    }
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
    let open = config.proxy.listen.addresses.iter().any(|address| !is_local(address));
    let local_backend = is_local(&config.proxy.backend.address);
    if open && local_backend && !config.proxy.auth.allow_local_accounts {
        let fault = Fault::new(
            "clients from elsewhere will be refused: the server would take them for local ones",
            "if its local accounts are meant for them, write allow_local_accounts = true under [auth]",
        );
        reader.warning_at("listen.address", fault);
    }
}
