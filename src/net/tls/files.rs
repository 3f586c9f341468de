//! Certificates and keys from PEM files.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;

/// A chain (leaf first) and its key.
pub(super) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// A certificate setting and its key setting: both or none.
pub(super) fn identity(
    (cert_name, cert): (&'static str, Option<&Path>),
    (key_name, key): (&'static str, Option<&Path>),
) -> Result<Option<Identity>, TlsError> {
    match (cert, key) {
        (None, None) => Ok(None),
        (Some(cert), Some(key)) => Ok(Some((certificates(cert_name, cert)?, private_key(key_name, key)?))),
        (Some(_), None) => Err(TlsError::HalfAPair { missing: key_name, present: cert_name }),
        (None, Some(_)) => Err(TlsError::HalfAPair { missing: cert_name, present: key_name }),
    }
}

/// A pair that the library refuses.
pub(super) fn unusable(cert_key: &'static str, key_key: &'static str, source: rustls::Error) -> TlsError {
    let hint = match source.to_string().contains("UnsupportedCertVersion") {
        true => "it is of X.509 version 1; openssl x509 -req makes version 3 with -extfile",
        false => "is this the key of that certificate?",
    };
    TlsError::Unusable { cert_key, key_key, source, hint }
}

/// Every certificate in a file; at least one.
pub(super) fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = std::fs::read(path).map_err(|source| TlsError::unreadable(key, path, source))?;
    let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(wrong(key, path, "certificate", "")),
    }
}

/// The CAs in a file.
pub(super) fn roots(key: &'static str, path: &Path) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), TlsError> {
    let certificates = certificates(key, path)?;
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates.iter().cloned());
    match store.is_empty() {
        true => Err(wrong(key, path, "usable CA certificate", "")),
        false => Ok((store, certificates)),
    }
}

fn private_key(key: &'static str, path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = std::fs::read(path).map_err(|source| TlsError::unreadable(key, path, source))?;
    let pem = secrecy::zeroize::Zeroizing::new(pem);
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| wrong(key, path, "private key", key_hint(&pem)))
}

fn key_hint(pem: &[u8]) -> &'static str {
    match memchr::memmem::find(pem, b"ENCRYPTED").is_some() {
        true => " (an encrypted key cannot be used: decrypt it with openssl pkey)",
        false => "",
    }
}

fn wrong(key: &'static str, path: &Path, wanted: &'static str, hint: &'static str) -> TlsError {
    let path = path.to_owned();
    TlsError::WrongContent { key, path, wanted, hint }
}
