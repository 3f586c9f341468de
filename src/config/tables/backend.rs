//! `[backend]`

use std::time::Duration;

use crate::config::address::server;
use crate::config::files::{Pem, certificate_and_key, pem};
use crate::config::problem::Fault;
use crate::config::section::{Reader, Section};
use crate::config::value::{off_or, one_of, some_duration};
use crate::net::settings::{Address, BackendSettings, BackendTls, SendProxyProtocol};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Reads `[backend]`.
pub fn read(reader: &mut Reader<'_>) -> BackendSettings {
    let s = &mut reader.section("backend");
    let usual = Address::Tcp("127.0.0.1:3306".to_owned());
    let (tls_cert, tls_key) = certificate_and_key(s);
    let tls = s.get("tls", BackendTls::Preferred, one_of(TLS));
    let tls_ca = pem(s, "tls_ca", Pem::Certificates);
    require_ca(s, tls);
    BackendSettings {
        address: s.get("address", usual, server),
        connect_timeout: s.get("connect_timeout", CONNECT_TIMEOUT, some_duration),
        read_timeout: s.get("read_timeout", None, off_or(some_duration)),
        write_timeout: s.get("write_timeout", None, off_or(some_duration)),
        tls,
        tls_ca,
        tls_cert,
        tls_key,
        send_proxy_protocol: s.get("send_proxy_protocol", SendProxyProtocol::Off, one_of(SEND_PROXY_PROTOCOL)),
    }
}

const TLS: &[(&str, BackendTls)] = &[
    ("preferred", BackendTls::Preferred),
    ("off", BackendTls::Off),
    ("required", BackendTls::Required),
    ("verify-ca", BackendTls::VerifyCa),
    ("verify-identity", BackendTls::VerifyIdentity),
];

const SEND_PROXY_PROTOCOL: &[(&str, SendProxyProtocol)] =
    &[("off", SendProxyProtocol::Off), ("v1", SendProxyProtocol::V1), ("v2", SendProxyProtocol::V2)];

fn require_ca(s: &mut Section<'_, '_>, tls: BackendTls) {
    let verifies = matches!(tls, BackendTls::VerifyCa | BackendTls::VerifyIdentity);
    if verifies && !s.has("tls_ca") {
        let fault = Fault::new(
            "has nothing to verify the server's certificate with",
            "add tls_ca, the file of whoever signed it",
        );
        s.error("tls", fault);
    }
}
