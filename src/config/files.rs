//! Files that the config names: they must be there, and hold what they are named for.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::problem::Fault;
use super::section::Section;
use super::value::path;

/// What a PEM file must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pem {
    /// At least one certificate.
    Certificates,
    /// A private key.
    PrivateKey,
}

/// The PEM file named by `key`, if it is named. The file is read and looked at; its path is what stays.
pub fn pem(section: &mut Section<'_, '_>, key: &str, what: Pem) -> Option<PathBuf> {
    let path = section.find(key, path)?;
    if let Err(fault) = look_at(&path, what) {
        section.error(key, fault);
    }
    Some(path)
}

/// A certificate and its key: both or none.
pub fn certificate_and_key(section: &mut Section<'_, '_>) -> (Option<PathBuf>, Option<PathBuf>) {
    let cert = pem(section, "tls_cert", Pem::Certificates);
    let key = pem(section, "tls_key", Pem::PrivateKey);
    let alone = match (section.has("tls_cert"), section.has("tls_key")) {
        (true, false) => Some(("tls_cert", "tls_key")),
        (false, true) => Some(("tls_key", "tls_cert")),
        _ => None,
    };
    if let Some((given, missing)) = alone {
        let what = format!("is given without {missing}");
        let instead = format!("add {missing}, or take {given} out");
        section.error(given, Fault::new(what, instead));
    }
    (cert, key)
}

/// The plain words for a file that cannot be read.
pub fn unreadable(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::NotFound => Fault::new("there is no such file", "correct the path"),
        io::ErrorKind::PermissionDenied => {
            Fault::new("the file may not be read by this user", "give tidegate's user the right to read it")
        }
        io::ErrorKind::IsADirectory => Fault::new("is a folder", "name the file in it"),
        _ => Fault::new(format!("the file cannot be read ({error})"), "correct the path or the file"),
    }
}

fn look_at(path: &Path, what: Pem) -> Result<(), Fault> {
    let bytes = fs::read(path).map_err(|error| unreadable(&error))?;
    match what {
        Pem::Certificates if !has_certificate(&bytes) => {
            Err(Fault::new("the file holds no certificate", "name a PEM file with a line BEGIN CERTIFICATE"))
        }
        Pem::PrivateKey if PrivateKeyDer::from_pem_slice(&bytes).is_err() => Err(Fault::new(
            "the file holds no private key that can be used",
            "name a PEM file with a line BEGIN PRIVATE KEY, without a passphrase",
        )),
        _ => Ok(()),
    }
}

fn has_certificate(pem: &[u8]) -> bool {
    let mut certificates = CertificateDer::pem_slice_iter(pem);
    matches!(certificates.next(), Some(Ok(_)))
}
