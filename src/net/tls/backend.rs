//! TLS towards the backend.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::files;
use super::verify::{Encrypted, Verified};
use super::{Side, TlsError};
use crate::net::settings::{Address, BackendSettings, BackendTls};

const CA: &str = "backend.tls_ca";
const CERT: &str = "backend.tls_cert";
const KEY: &str = "backend.tls_key";

/// How tidegate speaks TLS with its backend. Cheap to clone.
#[derive(Clone)]
pub struct BackendTlsConfig {
    connector: TlsConnector,
    name: ServerName<'static>,
    mode: BackendTls,
}

impl BackendTlsConfig {
    /// From `[backend]`; `None` where TLS is off.
    pub fn new(settings: &BackendSettings) -> Result<Option<BackendTlsConfig>, TlsError> {
        if settings.tls == BackendTls::Off {
            return Ok(None);
        }
        Ok(Some(BackendTlsConfig {
            connector: TlsConnector::from(Arc::new(config(settings)?)),
            name: server_name(&settings.address, settings.tls)?,
            mode: settings.tls,
        }))
    }

    /// Whether a server that does not offer TLS is to be refused.
    pub fn is_required(&self) -> bool {
        self.mode != BackendTls::Preferred
    }

    /// The handshake, after tidegate's SSLRequest packet.
    ///
    /// Not cancel safe: a dropped handshake leaves the stream unusable, as does an error. Needs a timeout around it.
    pub async fn connect<S>(&self, stream: S) -> Result<TlsStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let handshake = self.connector.connect(self.name.clone(), stream);
        handshake.await.map_err(|error| TlsError::from_handshake(Side::Backend, error))
    }
}

impl std::fmt::Debug for BackendTlsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BackendTlsConfig").field("name", &self.name).field("mode", &self.mode).finish_non_exhaustive()
    }
}

fn config(settings: &BackendSettings) -> Result<ClientConfig, TlsError> {
    let identity = files::identity((CERT, settings.tls_cert.as_deref()), (KEY, settings.tls_key.as_deref()))?;
    let builder = ClientConfig::builder_with_provider(super::provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier(settings)?);
    match identity {
        None => Ok(builder.with_no_client_auth()),
        Some((chain, key)) => {
            builder.with_client_auth_cert(chain, key).map_err(|source| files::unusable(CERT, KEY, source))
        }
    }
}

fn verifier(settings: &BackendSettings) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let (mode, check_name) = match settings.tls {
        BackendTls::Off | BackendTls::Preferred | BackendTls::Required => {
            return Ok(Arc::new(Encrypted::new(super::provider())));
        }
        BackendTls::VerifyCa => ("verify-ca", false),
        BackendTls::VerifyIdentity => ("verify-identity", true),
    };
    let path: &Path = settings.tls_ca.as_deref().ok_or(TlsError::NoCa { mode })?;
    let (roots, certificates) = files::roots(CA, path)?;
    Ok(Arc::new(Verified::new(super::provider(), roots, certificates, check_name)?))
}

/// The name to ask for (SNI) and, with `verify-identity`, to find in the certificate.
fn server_name(address: &Address, mode: BackendTls) -> Result<ServerName<'static>, TlsError> {
    let host = match address {
        Address::Tcp(host_port) => host_of(host_port),
        Address::Unix(_) => "localhost",
    };
    match ServerName::try_from(host.to_owned()) {
        Ok(name) => Ok(name),
        Err(_) if mode == BackendTls::VerifyIdentity => Err(TlsError::BadName { name: host.to_owned() }),
        Err(_) => ServerName::try_from("localhost").map_err(|e| TlsError::Setup(e.to_string())),
    }
}

/// `host:port` or `[v6]:port` without its port and brackets.
fn host_of(host_port: &str) -> &str {
    let host = host_port.rsplit_once(':').map_or(host_port, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_addresses() {
        let name = |address: &str| {
            let address = Address::Tcp(address.to_owned());
            server_name(&address, BackendTls::VerifyIdentity).map(|name| name.to_str().into_owned())
        };
        assert_eq!(name("db.example.org:3306").expect("name"), "db.example.org");
        assert_eq!(name("192.0.2.7:3306").expect("v4"), "192.0.2.7");
        assert_eq!(name("[2001:db8::7]:3306").expect("v6"), "2001:db8::7");
        assert!(matches!(name("not a name:3306"), Err(TlsError::BadName { .. })));
        let socket = Address::Unix("/run/mysqld/mysqld.sock".into());
        let name = server_name(&socket, BackendTls::VerifyIdentity).expect("socket");
        assert_eq!(name.to_str(), "localhost");
    }
}
