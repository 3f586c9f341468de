//! `tidegate check`: says what a config that is in order will do.

use crate::proxy::settings::{Mode, ProxySettings};

/// What the proxy will do with these settings, in one line.
pub fn summary(settings: &ProxySettings) -> String {
    let addresses = settings.listen.addresses.iter();
    let addresses: Vec<_> = addresses.map(ToString::to_string).collect();
    format!(
        "{} -> {}, {}, {}",
        addresses.join(", "),
        settings.backend.address,
        mode(settings),
        users(settings.auth.users.len()),
    )
}

fn mode(settings: &ProxySettings) -> String {
    let bound = settings.pool.size + settings.pool.max_overflow;
    match settings.mode {
        Mode::Transaction => format!("mode transaction, at most {bound} server connections"),
        Mode::Session => format!("mode session, at most {bound} server connections"),
        Mode::Observe => "mode observe, one server connection for each client".to_owned(),
    }
}

fn users(count: usize) -> String {
    match count {
        0 => "no users named: each account's own login is passed through".to_owned(),
        1 => "1 user named".to_owned(),
        more => format!("{more} users named"),
    }
}
