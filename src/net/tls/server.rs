//! TLS towards clients.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::files::{self, Identity};
use super::{Side, TlsError};
use crate::login::methods::fingerprint::Fingerprint;
use crate::net::settings::{ListenSettings, ListenTls};

const CERT: &str = "listen.tls_cert";
const KEY: &str = "listen.tls_key";
const CLIENT_CA: &str = "listen.tls_client_ca";

const DAY: Duration = Duration::from_secs(24 * 3600);
/// As long as the certificates that MySQL makes for itself.
const OWN_CERTIFICATE_LIFE: Duration = Duration::from_secs(3650 * 24 * 3600);

/// What tidegate shows to clients that ask for TLS. Cheap to clone.
#[derive(Clone)]
pub struct ServerTls {
    acceptor: TlsAcceptor,
    fingerprint: Fingerprint,
    own_certificate: bool,
}

impl ServerTls {
    /// From `[listen]`; `None` where TLS is off.
    ///
    /// Without `tls_cert` a certificate is made here, self-signed, for this run only, as servers do: clients that do not
    /// verify get encryption, MariaDB's newer clients verify it by [`ServerTls::fingerprint`].
    pub fn new(settings: &ListenSettings) -> Result<Option<ServerTls>, TlsError> {
        if settings.tls == ListenTls::Off {
            return Ok(None);
        }
        let given = files::identity((CERT, settings.tls_cert.as_deref()), (KEY, settings.tls_key.as_deref()))?;
        let own_certificate = given.is_none();
        let (chain, key) = match given {
            Some(identity) => identity,
            None => own_identity(SystemTime::now())?,
        };
        let fingerprint = fingerprint_of(&chain[0]);
        let config = config(settings, chain, key)?;
        Ok(Some(ServerTls { acceptor: TlsAcceptor::from(Arc::new(config)), fingerprint, own_certificate }))
    }

    /// SHA-256 of the certificate that clients see.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Whether the certificate was made by tidegate itself.
    pub fn is_own_certificate(&self) -> bool {
        self.own_certificate
    }

    /// The handshake, after the client's SSLRequest packet.
    ///
    /// Not cancel safe: a dropped handshake leaves the stream unusable, as does an error. Needs a timeout around it.
    pub async fn accept<S>(&self, stream: S) -> Result<TlsStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let handshake = self.acceptor.accept(stream);
        handshake.await.map_err(|error| TlsError::from_handshake(Side::Client, error))
    }
}

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerTls").field("own_certificate", &self.own_certificate).finish_non_exhaustive()
    }
}

fn config(
    settings: &ListenSettings,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, TlsError> {
    ServerConfig::builder_with_provider(super::provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup(error.to_string()))?
        .with_client_cert_verifier(client_verifier(settings)?)
        .with_single_cert(chain, key)
        .map_err(|source| files::unusable(CERT, KEY, source))
}

fn client_verifier(settings: &ListenSettings) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let Some(path) = &settings.tls_client_ca else {
        return Ok(WebPkiClientVerifier::no_client_auth());
    };
    let (roots, _) = files::roots(CLIENT_CA, path)?;
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), super::provider())
        .build()
        .map_err(|error| TlsError::Setup(format!("{CLIENT_CA}: {error}")))
}

fn own_identity(now: SystemTime) -> Result<Identity, TlsError> {
    let failed = |error: rcgen::Error| TlsError::Generate { reason: error.to_string() };
    let key = rcgen::KeyPair::generate().map_err(failed)?;
    let certificate = own_params(now).map_err(failed)?.self_signed(&key).map_err(failed)?;
    let der = PrivatePkcs8KeyDer::from(key.serialize_der());
    Ok((vec![certificate.der().clone()], der.into()))
}

/// Valid since yesterday: clients whose clock is behind check the dates even where they check nothing else.
fn own_params(now: SystemTime) -> Result<rcgen::CertificateParams, rcgen::Error> {
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()])?;
    params.not_before = (now - DAY).into();
    params.not_after = (now + OWN_CERTIFICATE_LIFE).into();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(
        rcgen::DnType::CommonName,
        concat!("tidegate_", env!("CARGO_PKG_VERSION"), "_Auto_Generated_Server_Certificate"),
    );
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn fingerprint_of(certificate: &CertificateDer<'_>) -> Fingerprint {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, certificate).as_ref());
    out
}
