//! What can go wrong with TLS, whose fault it is, and what to do.

use std::path::{Path, PathBuf};

use rustls::{AlertDescription, CertificateError, PeerIncompatible};

/// Who is on the other end of a failed handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A client of tidegate.
    Client,
    /// The server behind tidegate.
    Backend,
}

/// Why there is no TLS. The first group is tidegate's configuration (found at start), the second is the peer.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{key}: cannot read {}: {source}", path.display())]
    Unreadable {
        /// The configuration key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file holds something else than it should.
    #[error("{key}: {} holds no {wanted} in PEM{hint}", path.display())]
    WrongContent {
        /// The configuration key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
        /// What to do, if that is known.
        hint: &'static str,
    },
    /// One of certificate and key is missing.
    #[error("{missing}: needed, because {present} is set")]
    HalfAPair {
        /// The key that is not set.
        missing: &'static str,
        /// The key that is set.
        present: &'static str,
    },
    /// Certificate and key do not belong together, or are of a kind that TLS cannot use.
    #[error("{cert_key} with {key_key}: {source} ({hint})")]
    Unusable {
        /// The configuration key of the certificate.
        cert_key: &'static str,
        /// The configuration key of the key.
        key_key: &'static str,
        /// What the TLS library says.
        source: rustls::Error,
        /// What to do.
        hint: &'static str,
    },
    /// Verification was asked for, but by whom is not said.
    #[error("backend.tls = \"{mode}\" needs backend.tls_ca: the certificate of the CA that signed the server's")]
    NoCa {
        /// `verify-ca` or `verify-identity`.
        mode: &'static str,
    },
    /// `verify-identity` with an address that no certificate can name.
    #[error("backend.address: \"{name}\" is no host name or IP address that a certificate could name")]
    BadName {
        /// The host part of the address.
        name: String,
    },
    /// An own certificate could not be made.
    #[error("cannot make a certificate for clients: {reason}")]
    Generate {
        /// What the library says.
        reason: String,
    },
    /// The TLS library refused a configuration for another reason.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),

    /// The server knows only TLS 1.0 and 1.1 (MySQL 5.6 and older).
    #[error(
        "backend: the server speaks no TLS newer than 1.1 (MySQL 5.6 and older do not); tidegate needs 1.2 or 1.3: \
         set backend.tls = \"off\", or upgrade the server"
    )]
    ServerTooOld,
    /// A client knows only TLS 1.0 and 1.1.
    #[error(
        "client: it speaks no TLS newer than 1.1, tidegate needs 1.2 or 1.3: upgrade the client, or connect without TLS"
    )]
    ClientTooOld,
    /// The server's certificate was refused.
    #[error("backend: the server's certificate {reason}")]
    ServerCertificate {
        /// Why, and what to do.
        reason: String,
    },
    /// The client's certificate was refused, or missing.
    #[error("client: its certificate {reason}")]
    ClientCertificate {
        /// Why.
        reason: String,
    },
    /// The peer refused us with an alert.
    #[error("{side}: it refused the TLS handshake with {alert:?}{hint}")]
    Refused {
        /// Who.
        side: Side,
        /// With what.
        alert: AlertDescription,
        /// What that often means.
        hint: &'static str,
    },
    /// The peer went away in the middle of the handshake.
    #[error("{side}: it closed the connection during the TLS handshake")]
    Closed {
        /// Who.
        side: Side,
    },
    /// The peer broke the TLS protocol, or speaks something else.
    #[error("{side}: TLS handshake failed: {reason}")]
    Protocol {
        /// Who.
        side: Side,
        /// What the TLS library says.
        reason: String,
    },
    /// The connection failed.
    #[error("{side}: connection lost during the TLS handshake: {source}")]
    Io {
        /// Who.
        side: Side,
        /// What the system says.
        source: std::io::Error,
    },
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Side::Client => "client",
            Side::Backend => "backend",
        })
    }
}

impl TlsError {
    /// Whose fault it is; `None`: tidegate's configuration.
    pub fn at_fault(&self) -> Option<Side> {
        match self {
            TlsError::ServerTooOld | TlsError::ServerCertificate { .. } => Some(Side::Backend),
            TlsError::ClientTooOld | TlsError::ClientCertificate { .. } => Some(Side::Client),
            TlsError::Refused { side, .. }
            | TlsError::Closed { side }
            | TlsError::Protocol { side, .. }
            | TlsError::Io { side, .. } => Some(*side),
            _ => None,
        }
    }

    pub(super) fn unreadable(key: &'static str, path: &Path, source: std::io::Error) -> TlsError {
        let path = path.to_owned();
        TlsError::Unreadable { key, path, source }
    }

    /// From the error that a handshake with `side` ended with.
    pub(super) fn from_handshake(side: Side, error: std::io::Error) -> TlsError {
        let inner = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
        match inner {
            Some(tls) => from_rustls(side, tls),
            None if error.kind() == std::io::ErrorKind::UnexpectedEof => TlsError::Closed { side },
            None => TlsError::Io { side, source: error },
        }
    }
}

fn from_rustls(side: Side, error: &rustls::Error) -> TlsError {
    match (side, error) {
        (Side::Backend, rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13))
        | (Side::Backend, rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)) => TlsError::ServerTooOld,
        (
            Side::Client,
            rustls::Error::PeerIncompatible(
                PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled
                | PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::SignatureAlgorithmsExtensionRequired,
            ),
        ) => TlsError::ClientTooOld,
        (Side::Backend, rustls::Error::InvalidCertificate(why)) => {
            TlsError::ServerCertificate { reason: server_certificate(why) }
        }
        (Side::Client, rustls::Error::InvalidCertificate(why)) => {
            TlsError::ClientCertificate { reason: format!("is not accepted: {why}") }
        }
        (Side::Client, rustls::Error::NoCertificatesPresented) => {
            TlsError::ClientCertificate { reason: "is missing (listen.tls_client_ca asks for one)".to_owned() }
        }
        (_, rustls::Error::AlertReceived(alert)) => {
            TlsError::Refused { side, alert: *alert, hint: alert_hint(side, *alert) }
        }
        (_, other) => TlsError::Protocol { side, reason: other.to_string() },
    }
}

fn server_certificate(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer => "was signed by none of the CAs in backend.tls_ca".to_owned(),
        CertificateError::BadSignature => {
            "was signed by none of the CAs in backend.tls_ca (one bears its issuer's name, but has another key), \
             or the server does not hold its key"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!(
                "does not name the host of backend.address among its subject alternative names ({why}); \
                 backend.tls = \"verify-ca\" checks all but the name"
            )
        }
        other => format!("is not accepted: {other}"),
    }
}

fn alert_hint(side: Side, alert: AlertDescription) -> &'static str {
    use AlertDescription as A;
    match (side, alert) {
        (
            Side::Backend,
            A::CertificateRequired
            | A::NoCertificate
            | A::BadCertificate
            | A::UnknownCA
            | A::CertificateUnknown
            | A::CertificateExpired,
        ) => " (it wants a certificate from tidegate that it accepts: backend.tls_cert and backend.tls_key)",
        (Side::Client, A::UnknownCA | A::BadCertificate | A::CertificateUnknown) => {
            " (it verifies the certificate and does not know its CA: set listen.tls_cert and listen.tls_key to one it knows)"
        }
        (_, A::HandshakeFailure | A::InsufficientSecurity) => " (no cipher or key exchange in common)",
        _ => "",
    }
}
