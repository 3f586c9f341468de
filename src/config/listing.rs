//! A configuration in force, key by key: what `SHOW CONFIG` shows, and what a reload compares. A secret is shown as `***` and
//! compared by a keyed hash, so that a change of it is seen and nothing of it is told.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::Config;
use super::logging::LogSettings;
use super::units::{shown_duration, shown_size};
use crate::admin::settings::AdminSettings;
use crate::login::settings::AuthSettings;
use crate::net::settings::{BackendSettings, ListenSettings, SendProxyProtocol};
use crate::pool::policy::{IdleTimeout, PingAfter, PoolSettings};
use crate::proxy::settings::{Limits, ProxySettings};
use crate::stats::settings::{HistogramSettings, SlowLogSettings};

/// What stands for a secret.
const SECRET: &str = "***";

/// One key's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// As the file has it (`pool.size`); a user's keys once for each (`user.pool_size`).
    pub key: &'static str,
    /// Whose it is, for a `[[user]]`'s keys; else empty.
    pub of: String,
    /// As the file would write it; `off` or empty where there is none.
    pub value: String,
    /// What secrets are compared by; 0 for others.
    hash: u64,
}

impl Item {
    /// The key, and whose it is: `user.pool_size (app)`.
    pub fn name(&self) -> String {
        if self.of.is_empty() { self.key.to_owned() } else { format!("{} ({})", self.key, self.of) }
    }
}

/// One key whose value is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: &'static str,
    /// [`Item::name`]
    pub name: String,
    /// The value before; empty: there was none.
    pub from: String,
    /// The value now.
    pub to: String,
}

/// Every key of a configuration, in the file's order.
pub fn listing(config: &Config) -> Vec<Item> {
    let mut list = List(Vec::new());
    let Config { proxy, admin, log } = config;
    let ProxySettings { listen, backend, mode, pool, limits, auth, slow_log, histogram } = proxy;
    list.listen(listen);
    list.backend(backend);
    list.word("pool.mode", mode);
    list.pool(pool);
    list.limits(limits);
    list.auth(auth);
    list.slow_log(slow_log);
    list.histogram(histogram);
    list.admin(admin);
    list.log(log);
    list.0
}

/// What is another value in `after` than in `before`.
pub fn changes(before: &[Item], after: &[Item]) -> Vec<Change> {
    let by_name = |items: &[Item]| items.iter().map(|item| (item.name(), item.clone())).collect::<BTreeMap<_, _>>();
    let (old, new) = (by_name(before), by_name(after));
    let mut names: Vec<_> = after.iter().map(|item| (item.key, item.name())).collect();
    names.extend(before.iter().filter(|item| !new.contains_key(&item.name())).map(|item| (item.key, item.name())));
    let value = |items: &BTreeMap<String, Item>, name: &str| items.get(name).map(|item| item.value.clone());
    let changed = names.into_iter().filter(|(_, name)| old.get(name) != new.get(name));
    changed
        .map(|(key, name)| Change {
            key,
            from: value(&old, &name).unwrap_or_default(),
            to: value(&new, &name).unwrap_or_default(),
            name,
        })
        .collect()
}

struct List(Vec<Item>);

impl List {
    fn add(&mut self, key: &'static str, value: impl Display) {
        self.of("", key, value);
    }

    fn of(&mut self, of: &str, key: &'static str, value: impl Display) {
        self.0.push(Item { key, of: of.to_owned(), value: value.to_string(), hash: 0 });
    }

    /// One of the words of an enum: `VerifyCa` is `verify-ca`.
    fn word(&mut self, key: &'static str, value: impl Debug) {
        let mut word = String::new();
        for letter in format!("{value:?}").chars() {
            if letter.is_uppercase() && !word.is_empty() {
                word.push('-');
            }
            word.extend(letter.to_lowercase());
        }
        self.add(key, word);
    }

    fn time(&mut self, key: &'static str, value: Duration) {
        self.add(key, shown_duration(value));
    }

    fn time_or_off(&mut self, key: &'static str, value: Option<Duration>) {
        self.add(key, value.map_or_else(|| "off".to_owned(), shown_duration));
    }

    fn or_off(&mut self, key: &'static str, value: Option<impl Display>) {
        self.add(key, value.map_or_else(|| "off".to_owned(), |value| value.to_string()));
    }

    fn path(&mut self, key: &'static str, value: &Option<impl AsRef<Path>>) {
        self.add(key, value.as_ref().map_or_else(String::new, |path| path.as_ref().display().to_string()));
    }

    fn secret(&mut self, of: &str, key: &'static str, value: Option<&SecretString>) {
        static KEYED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let hash = value.map_or(0, |secret| KEYED.hash_one(secret.expose_secret()) | 1);
        let value = if value.is_some() { SECRET } else { "" };
        self.0.push(Item { key, of: of.to_owned(), value: value.to_owned(), hash });
    }

    fn listen(&mut self, s: &ListenSettings) {
        self.add("listen.address", joined(s.addresses.iter()));
        self.add("listen.max_clients", s.max_clients);
        self.add("listen.workers", s.workers);
        self.word("listen.tls", s.tls);
        self.path("listen.tls_cert", &s.tls_cert);
        self.path("listen.tls_key", &s.tls_key);
        self.path("listen.tls_client_ca", &s.tls_client_ca);
        let ranges = s.proxy_protocol_from.iter().map(|range| format!("{}/{}", range.base, range.prefix));
        self.add("listen.proxy_protocol_from", joined(ranges));
        self.time("listen.login_timeout", s.login_timeout);
        self.time_or_off("listen.idle_timeout", s.idle_timeout);
    }

    fn backend(&mut self, s: &BackendSettings) {
        self.add("backend.address", &s.address);
        self.time("backend.connect_timeout", s.connect_timeout);
        self.time_or_off("backend.read_timeout", s.read_timeout);
        self.time_or_off("backend.write_timeout", s.write_timeout);
        self.word("backend.tls", s.tls);
        self.path("backend.tls_ca", &s.tls_ca);
        self.path("backend.tls_cert", &s.tls_cert);
        self.path("backend.tls_key", &s.tls_key);
        self.add(
            "backend.send_proxy_protocol",
            match s.send_proxy_protocol {
                SendProxyProtocol::Off => "off",
                SendProxyProtocol::V1 => "v1",
                SendProxyProtocol::V2 => "v2",
            },
        );
    }

    fn pool(&mut self, s: &PoolSettings) {
        self.add("pool.size", s.size);
        self.add("pool.max_overflow", s.max_overflow);
        self.add("pool.min_idle", s.min_idle);
        self.time("pool.checkout_timeout", s.checkout_timeout);
        self.time("pool.max_lifetime", s.max_lifetime);
        self.add(
            "pool.idle_timeout",
            match s.idle_timeout {
                IdleTimeout::Auto => "auto".to_owned(),
                IdleTimeout::After(limit) => shown_duration(limit),
            },
        );
        self.time_or_off(
            "pool.ping_after",
            match s.ping_after {
                PingAfter::Idle(limit) => Some(limit),
                PingAfter::Off => None,
            },
        );
        self.word("pool.reset_on_return", s.reset_on_return);
    }

    fn limits(&mut self, s: &Limits) {
        self.time_or_off("pool.query_timeout", s.query_timeout);
        self.time_or_off("pool.transaction_timeout", s.transaction_timeout);
        self.time_or_off("pool.idle_transaction_timeout", s.idle_transaction_timeout);
    }

    fn auth(&mut self, s: &AuthSettings) {
        for user in &s.users {
            self.of(&user.name, "user.name", &user.name);
            self.secret(&user.name, "user.password", Some(&user.password));
            self.of(&user.name, "user.pool_size", user.pool_size.map_or_else(String::new, |size| size.to_string()));
            self.of(&user.name, "user.max_clients", user.max_clients.map_or_else(String::new, |max| max.to_string()));
        }
        let service = s.service.as_ref();
        self.add("auth.service_user", service.map_or("", |service| &service.name));
        self.secret("", "auth.service_password", service.map(|service| &service.password));
        self.time("auth.recheck", s.recheck);
        self.path("auth.rsa_private_key", &s.rsa_private_key);
        self.add("auth.allow_local_accounts", s.allow_local_accounts);
    }

    fn slow_log(&mut self, s: &SlowLogSettings) {
        self.time("slow_log.threshold", s.threshold);
        let of_user = |(user, threshold): &(String, _)| format!("{user} = {}", shown_duration(*threshold));
        self.add("slow_log.user_thresholds", s.user_thresholds.iter().map(of_user).collect::<Vec<_>>().join(", "));
        self.path("slow_log.path", &s.path);
        self.word("slow_log.format", s.format);
        self.word("slow_log.basis", s.basis);
        self.add("slow_log.sample", s.sample);
        self.or_off("slow_log.rate", s.rate);
        self.add("slow_log.redact", s.redact);
        self.or_off("slow_log.max_size", s.max_size.map(shown_size));
        self.add("slow_log.keep", s.keep);
        self.add("slow_log.explain", s.explain);
    }

    fn histogram(&mut self, s: &HistogramSettings) {
        self.path("histogram.path", &s.path);
        self.time("histogram.interval", s.interval);
        self.or_off("histogram.max_size", s.max_size.map(shown_size));
        self.add("histogram.keep", s.keep);
    }

    fn admin(&mut self, s: &AdminSettings) {
        self.or_off("admin.http", s.http);
        self.or_off("admin.sql", s.sql);
        self.add("admin.user", s.login.as_ref().map_or("", |login| &login.user));
        self.secret("", "admin.password", s.login.as_ref().map(|login| &login.password));
        self.secret("", "admin.token", s.token.as_ref());
    }

    fn log(&mut self, s: &LogSettings) {
        self.word("log.level", s.level);
        self.word("log.format", s.format);
    }
}

fn joined(items: impl Iterator<Item = impl Display>) -> String {
    let items: Vec<_> = items.map(|item| item.to_string()).collect();
    items.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Surroundings, known_keys, resolve};

    const SURROUNDINGS: Surroundings<'static> = Surroundings { env: &|_| None, cores: 2 };

    fn items(text: &str) -> Vec<Item> {
        listing(&resolve(text, SURROUNDINGS).expect("in order").config)
    }

    #[test]
    fn every_key_is_listed_but_where_secrets_come_from() {
        let listed = items("[[user]]\nname = \"app\"\npassword = \"pw\"");
        let from_elsewhere = |key: &str| key.ends_with("_file") || key.ends_with("_env");
        let known: Vec<_> = known_keys().into_iter().filter(|key| !from_elsewhere(key)).collect();
        let mut keys: Vec<_> = listed.iter().map(|item| item.key.to_owned()).collect();
        keys.sort();
        assert_eq!(keys, known);
        assert!(!format!("{listed:?}").contains("pw"));
    }

    #[test]
    fn values_read_as_the_file_writes_them() {
        let pem = concat!(env!("CARGO_MANIFEST_DIR"), "/src/net/tls/testdata/x509v1.pem");
        let listed = items(&format!("[backend]\ntls = \"verify-ca\"\ntls_ca = \"{pem}\""));
        let value = |key: &str| listed.iter().find(|item| item.key == key).map(|item| item.value.as_str());
        for (key, expected) in [
            ("listen.address", "127.0.0.1:6033"),
            ("backend.tls", "verify-ca"),
            ("pool.checkout_timeout", "1min"),
            ("pool.idle_timeout", "auto"),
            ("pool.query_timeout", "off"),
            ("slow_log.max_size", "256MiB"),
            ("slow_log.format", "mysql"),
            ("admin.http", "127.0.0.1:6080"),
            ("admin.token", ""),
        ] {
            assert_eq!(value(key), Some(expected), "{key}");
        }
    }

    #[test]
    fn a_change_is_told_with_its_two_values_and_a_secret_without() {
        let user = |password: &str, more: &str| format!("[[user]]\nname = \"app\"\npassword = \"{password}\"\n{more}");
        let before = items(&user("one", ""));
        assert_eq!(changes(&before, &items(&user("one", ""))), []);
        let after = items(&format!("[pool]\nsize = 9\n{}", user("two", "max_clients = 3")));
        let told: Vec<_> = changes(&before, &after)
            .into_iter()
            .map(|change| format!("{}: {} -> {}", change.name, change.from, change.to))
            .collect();
        assert_eq!(told, ["pool.size: 25 -> 9", "user.password (app): *** -> ***", "user.max_clients (app):  -> 3"]);
        let gone = changes(&before, &items(""));
        assert!(gone.iter().any(|change| change.name == "user.name (app)" && change.to.is_empty()), "{gone:?}");
    }
}
