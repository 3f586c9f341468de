//! Whom to believe: the two verifiers of a server's certificate.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::TlsError;

mod plain_key;

/// Encryption without identity (`preferred`, `required`): any certificate will do, but the server must hold its key.
#[derive(Debug)]
pub(super) struct Encrypted {
    provider: Arc<CryptoProvider>,
}

impl Encrypted {
    pub(super) fn new(provider: Arc<CryptoProvider>) -> Encrypted {
        Encrypted { provider }
    }
}

impl ServerCertVerifier for Encrypted {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    /// Falls back to the bare key for certificates that the library will not parse: those of X.509 version 1, which
    /// `openssl x509 -req` made for many a server.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = self.provider.signature_verification_algorithms;
        match verify_tls12_signature(message, cert, dss, &algorithms) {
            Err(Error::InvalidCertificate(why)) if why != CertificateError::BadSignature => {
                plain_key::verify(message, cert, dss, &algorithms)
            }
            verdict => verdict,
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = self.provider.signature_verification_algorithms;
        match verify_tls13_signature(message, cert, dss, &algorithms) {
            Err(Error::InvalidCertificate(why)) if why != CertificateError::BadSignature => {
                plain_key::verify(message, cert, dss, &algorithms)
            }
            verdict => verdict,
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// `verify-ca` and `verify-identity`.
///
/// A certificate that stands in `backend.tls_ca` itself is trusted as it is (as OpenSSL trusts it): so a server's
/// self-signed certificate can be pinned.
#[derive(Debug)]
pub(super) struct Verified {
    chain: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
    check_name: bool,
}

impl Verified {
    pub(super) fn new(
        provider: Arc<CryptoProvider>,
        roots: RootCertStore,
        pinned: Vec<CertificateDer<'static>>,
        check_name: bool,
    ) -> Result<Verified, TlsError> {
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| TlsError::Setup(format!("backend.tls_ca: {error}")))?;
        Ok(Verified { chain, pinned, check_name })
    }

    fn verify_pinned(&self, cert: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<ServerCertVerified, Error> {
        if self.check_name {
            verify_server_name(&ParsedCertificate::try_from(cert)?, name)?;
        }
        Ok(ServerCertVerified::assertion())
    }
}

impl ServerCertVerifier for Verified {
    fn verify_server_cert(
        &self,
        cert: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.pinned.iter().any(|pinned| pinned == cert) {
            return self.verify_pinned(cert, name);
        }
        // The chain is verified before the name, so a wrong name is the last thing that can be wrong.
        match self.chain.verify_server_cert(cert, intermediates, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.check_name => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
