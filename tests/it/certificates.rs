//! Certificates for servers, for tidegate and for clients: one authority, and what it signed.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// PEM files in one folder.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The authority's certificate.
    pub ca: PathBuf,
    /// Valid for localhost, 127.0.0.1 and ::1.
    pub server_cert: PathBuf,
    /// Its key.
    pub server_key: PathBuf,
    /// For `REQUIRE X509` and `tls_client_ca`.
    pub client_cert: PathBuf,
    /// Its key.
    pub client_key: PathBuf,
}

impl Certificates {
    /// Makes a new authority and writes what it signs into the folder.
    pub fn make(folder: &Path) -> Certificates {
        let authority = authority();
        let ca = write(folder, "ca.pem", &authority.pem());
        let (cert, key) = signed(&authority, "localhost", &["localhost", "127.0.0.1", "::1"]);
        let server_cert = write(folder, "server-cert.pem", &cert);
        let server_key = write(folder, "server-key.pem", &key);
        let (cert, key) = signed(&authority, "client", &[]);
        let client_cert = write(folder, "client-cert.pem", &cert);
        let client_key = write(folder, "client-key.pem", &key);
        Certificates { ca, server_cert, server_key, client_cert, client_key }
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.distinguished_name.push(DnType::CommonName, "tidegate tests");
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(parameters, key).expect("a certificate")
}

fn signed(authority: &CertifiedIssuer<'_, KeyPair>, name: &str, hosts: &[&str]) -> (String, String) {
    let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
    let mut parameters = CertificateParams::new(hosts).expect("host names");
    parameters.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().expect("a key");
    let certificate = parameters.signed_by(&key, authority).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

fn write(folder: &Path, name: &str, pem: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, pem).expect("a certificate file");
    path
}
