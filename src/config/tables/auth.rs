//! `[[user]]` and `[auth]`

use std::collections::HashSet;
use std::time::Duration;

use crate::config::files::{Pem, pem};
use crate::config::problem::Fault;
use crate::config::secret::{is_given, secret_of};
use crate::config::section::{Reader, Section};
use crate::config::value::{count, duration, flag, some_text};
use crate::login::settings::{AuthSettings, ServiceAccount, User};

const RECHECK: Duration = Duration::from_secs(10);

/// The bounds that one user's own bounds stay within.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// `pool.size + pool.max_overflow`; `None` where one of them is wrong.
    pub connections: Option<usize>,
    /// `listen.max_clients`; `None` where it is wrong.
    pub clients: Option<usize>,
}

/// Reads `[[user]]` and `[auth]`.
pub fn read(reader: &mut Reader<'_>, bounds: Bounds) -> AuthSettings {
    let mut names = HashSet::new();
    let users = reader.sections("user", |mut s| user(&mut s, &mut names, bounds));
    let s = &mut reader.section("auth");
    AuthSettings {
        users,
        service: service(s),
        recheck: s.get("recheck", RECHECK, duration),
        rsa_private_key: pem(s, "rsa_private_key", Pem::PrivateKey),
        allow_local_accounts: s.get("allow_local_accounts", false, flag),
    }
}

fn user(s: &mut Section<'_, '_>, names: &mut HashSet<String>, bounds: Bounds) -> Option<User> {
    let name = s.find("name", some_text);
    match &name {
        None if !s.has("name") => s.error("name", Fault::new("is missing", "write the account's name")),
        Some(name) if !names.insert(name.clone()) => {
            let what = format!("\"{name}\" is there twice");
            s.error("name", Fault::new(what, "keep one [[user]] of each name"));
        }
        _ => {}
    }
    let password = secret_of(s, "password");
    if !is_given(s, "password") {
        let instead = "write password, password_file or password_env; password = \"\" if the account has none";
        s.error("password", Fault::new("is missing", instead));
    }
    let pool_size = bounded(s, "pool_size", bounds.connections, "pool.size + pool.max_overflow");
    let max_clients = bounded(s, "max_clients", bounds.clients, "listen.max_clients");
    Some(User { name: name?, password: password?, pool_size, max_clients })
}

/// A user's own bound, which may not be above everybody's.
fn bounded(s: &mut Section<'_, '_>, key: &str, bound: Option<usize>, name: &str) -> Option<usize> {
    let own = s.find(key, count(1..=1_000_000))?;
    if let Some(bound) = bound.filter(|bound| own > *bound) {
        let what = format!("{own} is more than {name} ({bound})");
        s.error(key, Fault::new(what, format!("write at most {bound}")));
    }
    Some(own)
}

fn service(s: &mut Section<'_, '_>) -> Option<ServiceAccount> {
    let name = s.find("service_user", some_text);
    let password = secret_of(s, "service_password");
    let with_password = is_given(s, "service_password");
    if s.has("service_user") && !with_password {
        let instead = "add service_password, service_password_file or service_password_env";
        s.error("service_user", Fault::new("has no password", instead));
    }
    if with_password && !s.has("service_user") {
        let instead = "write the name of the account that it belongs to";
        s.error("service_user", Fault::new("is missing", instead));
    }
    Some(ServiceAccount { name: name?, password: password? })
}
