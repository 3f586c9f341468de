//! `[listen]`

use std::collections::HashSet;
use std::time::Duration;

use crate::config::address::{listening, range};
use crate::config::files::{Pem, certificate_and_key, pem};
use crate::config::problem::Fault;
use crate::config::section::{Reader, Section};
use crate::config::value::{count, off_or, one_of, some_duration};
use crate::net::settings::{Address, ListenSettings, ListenTls};

const MAX_CLIENTS: usize = 10_000;
const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads `[listen]`.
pub fn read(reader: &mut Reader<'_>) -> ListenSettings {
    let cores = reader.surroundings.cores;
    let s = &mut reader.section("listen");
    let (tls_cert, tls_key) = certificate_and_key(s);
    let tls = s.get("tls", ListenTls::Allowed, one_of(TLS));
    let tls_client_ca = pem(s, "tls_client_ca", Pem::Certificates);
    require_tls(s, tls);
    ListenSettings {
        addresses: addresses(s),
        max_clients: s.get("max_clients", MAX_CLIENTS, count(1..=1_000_000)),
        workers: match s.get("workers", 0, count(0..=1024)) {
            0 => cores,
            workers => workers,
        },
        tls,
        tls_cert,
        tls_key,
        tls_client_ca,
        proxy_protocol_from: s.list("proxy_protocol_from", range).unwrap_or_default(),
        login_timeout: s.get("login_timeout", LOGIN_TIMEOUT, some_duration),
        idle_timeout: s.get("idle_timeout", None, off_or(some_duration)),
    }
}

const TLS: &[(&str, ListenTls)] =
    &[("allowed", ListenTls::Allowed), ("off", ListenTls::Off), ("required", ListenTls::Required)];

/// Whoever asks for certificates does not mean to let in who has none by leaving TLS out.
fn require_tls(s: &mut Section<'_, '_>, tls: ListenTls) {
    if tls != ListenTls::Required && s.has("tls_client_ca") && s.is_sound("tls") {
        let fault = Fault::new("clients without TLS get in without a certificate", "write tls = \"required\" as well");
        s.error("tls_client_ca", fault);
    }
}

fn addresses(s: &mut Section<'_, '_>) -> Vec<Address> {
    let usual = || vec![Address::Tcp("127.0.0.1:6033".to_owned())];
    let addresses = s.list("address", listening).unwrap_or_else(usual);
    if addresses.is_empty() && s.is_sound("address") && s.has("address") {
        let fault = Fault::new("is an empty list", "write at least one address");
        s.error("address", fault);
    }
    let mut seen = HashSet::new();
    if let Some(twice) = addresses.iter().find(|address| !seen.insert(*address)) {
        let fault = Fault::new(format!("\"{twice}\" is there twice"), "take one of them out");
        s.error("address", fault);
    }
    addresses
}
