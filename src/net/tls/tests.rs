//! Handshakes of both sides over a pipe, with real certificates.

use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;
use crate::net::settings::{Address, BackendSettings, BackendTls, ListenSettings, ListenTls, SendProxyProtocol};

#[tokio::test]
async fn own_certificate_and_both_unverified_modes() {
    let server = server(&listen());
    assert!(server.is_own_certificate());
    for mode in [BackendTls::Preferred, BackendTls::Required] {
        let backend = client(&backend(mode));
        let seen = echo(&server, &backend).await.expect("handshake");
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &seen);
        assert_eq!(digest.as_ref(), server.fingerprint());
    }
}

#[test]
fn off_is_none() {
    let off = ListenSettings { tls: ListenTls::Off, ..listen() };
    assert!(ServerTls::new(&off).expect("off").is_none());
    assert!(BackendTlsConfig::new(&backend(BackendTls::Off)).expect("off").is_none());
    assert!(!client(&backend(BackendTls::Preferred)).is_required());
    assert!(client(&backend(BackendTls::Required)).is_required());
}

#[tokio::test]
async fn chain_and_name() {
    let files = Files::new();
    let server = server(&files.listen());
    assert!(!server.is_own_certificate());

    let mut settings = files.backend(BackendTls::VerifyIdentity);
    echo(&server, &client(&settings)).await.expect("right name");

    settings.address = Address::Tcp("other.example.org:3306".to_owned());
    let error = echo(&server, &client(&settings)).await.expect_err("wrong name");
    assert!(error.to_string().contains("does not name the host"), "{error}");
    assert_eq!(error.at_fault(), Some(Side::Backend));

    settings.tls = BackendTls::VerifyCa;
    echo(&server, &client(&settings)).await.expect("name not asked for");
}

#[tokio::test]
async fn unknown_ca_is_refused_where_asked() {
    let (files, others) = (Files::new(), Files::new());
    let server = server(&files.listen());
    for mode in [BackendTls::VerifyCa, BackendTls::VerifyIdentity] {
        let error = echo(&server, &client(&others.backend(mode))).await.expect_err("foreign CA");
        assert!(error.to_string().contains("none of the CAs"), "{error}");
    }
    let careless = client(&others.backend(BackendTls::Required));
    echo(&server, &careless).await.expect("not verified");
}

#[tokio::test]
async fn a_servers_own_certificate_can_be_pinned() {
    let files = Files::new();
    let listen = files.listen();
    let server = server(&listen);
    let mut settings = files.backend(BackendTls::VerifyIdentity);
    settings.tls_ca = listen.tls_cert;
    echo(&server, &client(&settings)).await.expect("pinned");
    settings.address = Address::Tcp("other.example.org:3306".to_owned());
    echo(&server, &client(&settings)).await.expect_err("pinned, but another name");
}

#[tokio::test]
async fn client_certificates() {
    let files = Files::new();
    let mut listen = files.listen();
    listen.tls_client_ca = Some(files.path("ca.pem"));
    let server = server(&listen);

    let without = files.backend(BackendTls::VerifyCa);
    let (on_server, _) = handshake(&server, &client(&without)).await;
    let error = on_server.expect_err("no client certificate");
    assert!(error.to_string().contains("listen.tls_client_ca"), "{error}");
    assert_eq!(error.at_fault(), Some(Side::Client));

    let with =
        BackendSettings { tls_cert: Some(files.path("leaf.pem")), tls_key: Some(files.path("leaf.key")), ..without };
    echo(&server, &client(&with)).await.expect("with one");
}

#[tokio::test]
async fn version_1_certificates_encrypt_but_never_verify() {
    let files = Files::new();
    for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
        let acceptor = version_1_server(versions, "x509v1.key");
        let with = async |settings: &BackendSettings| {
            let (near, far) = duplex(4096);
            let client = client(settings);
            let (on_server, on_client) = tokio::join!(acceptor.accept(far), client.connect(near));
            on_client.map(|_| on_server.expect("both or none"))
        };
        with(&backend(BackendTls::Required)).await.expect("encrypts");
        let verify = BackendSettings { tls_ca: Some(files.path("ca.pem")), ..backend(BackendTls::VerifyCa) };
        let error = with(&verify).await.map(drop).expect_err("version 1");
        assert!(matches!(error, TlsError::ServerCertificate { .. }), "{error:?}");
    }
    let listen =
        ListenSettings { tls_cert: Some(testdata("x509v1.pem")), tls_key: Some(testdata("x509v1.key")), ..listen() };
    let error = ServerTls::new(&listen).expect_err("version 1");
    assert!(error.to_string().contains("version 1"), "{error}");
}

#[tokio::test]
async fn a_foreign_key_is_noticed_without_verification() {
    for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
        let acceptor = version_1_server(versions, "../../../login/methods/testdata/rsa_pkcs8.pem");
        let (near, far) = duplex(4096);
        let client = client(&backend(BackendTls::Preferred));
        let (_, on_client) = tokio::join!(acceptor.accept(far), client.connect(near));
        let error = on_client.map(drop).expect_err("not its key");
        assert!(error.to_string().contains("hold its key"), "{error}");
    }
}

/// A server whose certificate is not checked by the library that shows it.
fn version_1_server(versions: &[&'static rustls::SupportedProtocolVersion], key: &str) -> tokio_rustls::TlsAcceptor {
    let chain = files::certificates("cert", &testdata("x509v1.pem")).expect("certificate");
    let key = PrivateKeyDer::from_pem_file(testdata(key)).expect("key");
    let key = provider().key_provider.load_private_key(key).expect("usable");
    let certified = rustls::sign::CertifiedKey::new(chain, key);
    let config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    tokio_rustls::TlsAcceptor::from(Arc::new(config))
}

#[tokio::test]
async fn a_server_of_tls_1_1_is_named_as_such() {
    // A ServerHello of version 3.2, and the alert `protocol_version`, as servers of that age answer.
    let mut hello = vec![0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 0x2f, 0]);
    for answer in [hello, vec![0x15, 3, 1, 0, 2, 2, 70]] {
        let error = answered_with(&answer).await;
        assert!(matches!(error, TlsError::ServerTooOld), "{error:?}");
        assert!(error.to_string().contains("MySQL 5.6"), "{error}");
    }
}

#[tokio::test]
async fn other_answers_are_told_apart() {
    let error = answered_with(b"").await;
    assert!(matches!(error, TlsError::Closed { side: Side::Backend }), "{error:?}");
    let error = answered_with(b"\x17\x00\x00\x01\xff\x15\x04Too many connections").await;
    assert!(matches!(error, TlsError::Protocol { side: Side::Backend, .. }), "{error:?}");
    let error = answered_with(&[0x15, 3, 3, 0, 2, 2, 116]).await;
    assert!(error.to_string().contains("backend.tls_cert"), "{error}");
}

#[tokio::test]
async fn a_client_of_tls_1_1_is_named_as_such() {
    let mut hello = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0, 0x2f, 1, 0]);
    let (near, mut far) = duplex(4096);
    far.write_all(&hello).await.expect("room");
    let error = server(&listen()).accept(near).await.expect_err("too old");
    assert!(matches!(error, TlsError::ClientTooOld), "{error:?}");
}

#[test]
fn configuration_errors_name_the_key() {
    let files = Files::new();
    let of = |listen: ListenSettings| ServerTls::new(&listen).expect_err("refused").to_string();
    let given = files.listen();

    let missing = ListenSettings { tls_key: None, ..given.clone() };
    assert!(of(missing).starts_with("listen.tls_key: needed"));
    let absent = ListenSettings { tls_cert: Some("/nonexistent.pem".into()), ..given.clone() };
    assert!(of(absent).contains("listen.tls_cert: cannot read /nonexistent.pem"));
    let swapped = ListenSettings { tls_cert: given.tls_key.clone(), ..given.clone() };
    assert!(of(swapped).contains("no certificate"));
    let foreign = ListenSettings { tls_key: Files::new().listen().tls_key, ..given.clone() };
    assert!(of(foreign).contains("listen.tls_key"));

    let no_ca = BackendTlsConfig::new(&backend(BackendTls::VerifyCa)).expect_err("no CA");
    assert!(no_ca.to_string().contains("backend.tls_ca"));
    assert_eq!(no_ca.at_fault(), None);
}

#[test]
fn encrypted_keys_are_named_as_such() {
    let folder = TempDir::new().expect("folder");
    let path = folder.path().join("key.pem");
    let pem = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    std::fs::write(&path, pem).expect("written");
    let listen = ListenSettings { tls_cert: Some(testdata("x509v1.pem")), tls_key: Some(path), ..listen() };
    let error = ServerTls::new(&listen).expect_err("encrypted");
    assert!(error.to_string().contains("openssl pkey"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), as_handshake: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        let prefix: &[u8] = if as_handshake { &[0x16, 3, 3, 0, 80, 2, 0, 0, 76] } else { &[] };
        let _ = runtime.block_on(answered_with(&[prefix, &bytes].concat()));
    }
}

/// What a backend's handshake ends with if the server sends `answer` and closes.
async fn answered_with(answer: &[u8]) -> TlsError {
    let (near, mut far) = duplex(64 * 1024);
    far.write_all(answer).await.expect("room");
    far.shutdown().await.expect("shut down");
    let backend = client(&backend(BackendTls::Preferred));
    backend.connect(near).await.map(drop).expect_err("no handshake")
}

/// One handshake and a message each way; gives the certificate that the client saw, or the client's error.
async fn echo(server: &ServerTls, backend: &BackendTlsConfig) -> Result<Vec<u8>, TlsError> {
    let (on_server, on_client) = handshake(server, backend).await;
    let mut on_client = on_client?;
    let mut on_server = on_server?;
    let message: Vec<u8> = (0..100_000u32).map(|i| i as u8).collect();
    let both = async {
        let (mut heard, mut answer) = (vec![0; message.len()], vec![0; 5]);
        let there = async {
            on_client.write_all(&message).await?;
            on_client.flush().await
        };
        let back = async {
            on_server.read_exact(&mut heard).await?;
            on_server.write_all(b"heard").await?;
            on_server.flush().await
        };
        tokio::try_join!(there, back).expect("both ways");
        on_client.read_exact(&mut answer).await.expect("answer");
        assert_eq!((heard, answer), (message.clone(), b"heard".to_vec()));
    };
    tokio::time::timeout(Duration::from_secs(10), both).await.expect("no hang");
    let (_, session) = on_client.get_ref();
    let certificates = session.peer_certificates().unwrap_or_default();
    Ok(certificates.first().map(|leaf| leaf.to_vec()).unwrap_or_default())
}

type Pipe = tokio::io::DuplexStream;

async fn handshake(
    server: &ServerTls,
    backend: &BackendTlsConfig,
) -> (Result<tokio_rustls::server::TlsStream<Pipe>, TlsError>, Result<tokio_rustls::client::TlsStream<Pipe>, TlsError>)
{
    let (near, far) = duplex(4096);
    tokio::join!(server.accept(far), backend.connect(near))
}

fn server(settings: &ListenSettings) -> ServerTls {
    ServerTls::new(settings).expect("settings").expect("on")
}

fn client(settings: &BackendSettings) -> BackendTlsConfig {
    BackendTlsConfig::new(settings).expect("settings").expect("on")
}

fn listen() -> ListenSettings {
    ListenSettings {
        addresses: vec![Address::Tcp("127.0.0.1:6033".to_owned())],
        max_clients: 10,
        workers: 1,
        tls: ListenTls::Allowed,
        tls_cert: None,
        tls_key: None,
        tls_client_ca: None,
        proxy_protocol_from: Vec::new(),
        login_timeout: Duration::from_secs(10),
        idle_timeout: None,
    }
}

fn backend(tls: BackendTls) -> BackendSettings {
    BackendSettings {
        address: Address::Tcp("db.example.org:3306".to_owned()),
        connect_timeout: Duration::from_secs(15),
        read_timeout: None,
        write_timeout: None,
        tls,
        tls_ca: None,
        tls_cert: None,
        tls_key: None,
        send_proxy_protocol: SendProxyProtocol::Off,
    }
}

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/net/tls/testdata").join(name)
}

/// A CA and a certificate that it signed, in a folder of their own.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Files {
        let folder = TempDir::new().expect("folder");
        let ca_key = KeyPair::generate().expect("key");
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = ca.self_signed(&ca_key).expect("CA").pem();
        std::fs::write(folder.path().join("ca.pem"), pem).expect("written");
        std::fs::write(folder.path().join("ca.key"), ca_key.serialize_pem()).expect("written");
        let files = Files { folder };
        files.issue("db.example.org", &ca, &ca_key);
        files
    }

    fn issue(&self, name: &str, ca: &CertificateParams, ca_key: &KeyPair) {
        let key = KeyPair::generate().expect("key");
        let leaf = CertificateParams::new(vec![name.to_owned()]).expect("params");
        let issuer = Issuer::from_params(ca, ca_key);
        let pem = leaf.signed_by(&key, &issuer).expect("leaf").pem();
        std::fs::write(self.path("leaf.pem"), pem).expect("written");
        std::fs::write(self.path("leaf.key"), key.serialize_pem()).expect("written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn listen(&self) -> ListenSettings {
        ListenSettings { tls_cert: Some(self.path("leaf.pem")), tls_key: Some(self.path("leaf.key")), ..listen() }
    }

    fn backend(&self, mode: BackendTls) -> BackendSettings {
        BackendSettings { tls_ca: Some(self.path("ca.pem")), ..backend(mode) }
    }
}
