//! The password over a link without TLS: XOR with the scramble, then RSA (OAEP with SHA-1).
//!
//! `caching_sha2_password` and `sha256_password` share it. Towards clients tidegate decrypts with a key of its own,
//! towards a server it encrypts with the key that the server sends on request.

use std::path::Path;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{
    KeyPair, KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use secrecy::zeroize::Zeroizing;

use super::Scramble;

/// Why an RSA step failed.
#[derive(Debug, thiserror::Error)]
pub enum RsaError {
    /// tidegate's key file cannot be read.
    #[error("cannot read the RSA key {path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not a PEM file with an RSA private key.
    #[error("not an RSA private key of 2048 to 8192 bits in PEM (make one with: openssl genrsa -out key.pem 2048)")]
    NotAPrivateKey,
    /// The server sent something else than an RSA public key.
    #[error("the server's public key is not an RSA key of 2048 to 8192 bits in PEM")]
    NotAPublicKey,
    /// The client's bytes are not a password encrypted with our key.
    #[error("the client's password does not decrypt with tidegate's RSA key")]
    Undecipherable,
    /// The password does not fit into one RSA block.
    #[error("the password is too long for RSA: at most {max} bytes with the server's key")]
    TooLong {
        /// Bytes that would fit.
        max: usize,
    },
    /// The cryptographic library failed for no reason that it tells.
    #[error("the cryptographic library failed")]
    Library,
}

/// tidegate's own key. `Debug` shows nothing.
pub struct RsaKey {
    private: OaepPrivateDecryptingKey,
    public_pem: String,
}

impl RsaKey {
    /// A new key of 2048 bits, as servers make. Takes up to a second of CPU time.
    pub fn generate() -> Result<RsaKey, RsaError> {
        let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).map_err(|_| RsaError::Library)?;
        RsaKey::new(key)
    }

    /// From a PEM file, such as the `private_key.pem` in a MySQL server's data folder.
    pub fn from_pem_file(path: &Path) -> Result<RsaKey, RsaError> {
        let pem =
            std::fs::read(path).map_err(|source| RsaError::Unreadable { path: path.display().to_string(), source })?;
        RsaKey::from_pem(&Zeroizing::new(pem))
    }

    /// From PEM, in PKCS #1 (`BEGIN RSA PRIVATE KEY`) or PKCS #8 (`BEGIN PRIVATE KEY`), not encrypted.
    pub fn from_pem(pem: &[u8]) -> Result<RsaKey, RsaError> {
        let pkcs8 = match PrivateKeyDer::from_pem_slice(pem) {
            Ok(PrivateKeyDer::Pkcs8(key)) => Zeroizing::new(key.secret_pkcs8_der().to_vec()),
            Ok(PrivateKeyDer::Pkcs1(key)) => pkcs1_to_pkcs8(key.secret_pkcs1_der())?,
            _ => return Err(RsaError::NotAPrivateKey),
        };
        let key = PrivateDecryptingKey::from_pkcs8(&pkcs8).map_err(|_| RsaError::NotAPrivateKey)?;
        RsaKey::new(key)
    }

    /// The public half, as it goes to a client: `-----BEGIN PUBLIC KEY-----` and so on.
    pub fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// The password in a client's encrypted answer to `scramble`.
    ///
    /// Anything but bytes made with our key is [`RsaError::Undecipherable`], without telling which step failed.
    pub fn decrypt_password(&self, cipher: &[u8], scramble: &Scramble) -> Result<Zeroizing<Vec<u8>>, RsaError> {
        let mut buffer = Zeroizing::new(vec![0; self.private.min_output_size()]);
        let plain = self
            .private
            .decrypt(&OAEP_SHA1_MGF1SHA1, cipher, &mut buffer, None)
            .map_err(|_| RsaError::Undecipherable)?;
        xor_with(plain, scramble);
        match plain {
            [password @ .., 0] => Ok(Zeroizing::new(password.to_vec())),
            _ => Err(RsaError::Undecipherable),
        }
    }

    fn new(key: PrivateDecryptingKey) -> Result<RsaKey, RsaError> {
        let public: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(|_| RsaError::Library)?;
        let block = pem::Pem::new("PUBLIC KEY", public.as_ref());
        let lf = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        Ok(RsaKey {
            public_pem: pem::encode_config(&block, lf),
            private: OaepPrivateDecryptingKey::new(key).map_err(|_| RsaError::Library)?,
        })
    }
}

impl std::fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RsaKey([REDACTED])")
    }
}

/// The password, encrypted for the server that sent `public_pem` and `scramble`.
///
/// With a key of 2048 bits, passwords of up to 213 bytes fit.
pub fn encrypt_password(password: &[u8], scramble: &Scramble, public_pem: &[u8]) -> Result<Vec<u8>, RsaError> {
    let key = server_key(public_pem)?;
    let max = key.max_plaintext_size(&OAEP_SHA1_MGF1SHA1).saturating_sub(1);
    if password.len() > max {
        return Err(RsaError::TooLong { max });
    }
    let mut plain = Zeroizing::new([password, &[0]].concat());
    xor_with(&mut plain, scramble);
    let mut cipher = vec![0; key.ciphertext_size()];
    key.encrypt(&OAEP_SHA1_MGF1SHA1, &plain, &mut cipher, None).map_err(|_| RsaError::Library)?;
    Ok(cipher)
}

fn server_key(public_pem: &[u8]) -> Result<OaepPublicEncryptingKey, RsaError> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(public_pem).map_err(|_| RsaError::NotAPublicKey)?;
    let key = PublicEncryptingKey::from_der(&der).map_err(|_| RsaError::NotAPublicKey)?;
    OaepPublicEncryptingKey::new(key).map_err(|_| RsaError::NotAPublicKey)
}

fn pkcs1_to_pkcs8(der: &[u8]) -> Result<Zeroizing<Vec<u8>>, RsaError> {
    let key = KeyPair::from_der(der).map_err(|_| RsaError::NotAPrivateKey)?;
    let pkcs8: Pkcs8V1Der<'_> = key.as_der().map_err(|_| RsaError::Library)?;
    Ok(Zeroizing::new(pkcs8.as_ref().to_vec()))
}

fn xor_with(bytes: &mut [u8], scramble: &Scramble) {
    for (byte, mask) in bytes.iter_mut().zip(scramble.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    // A key made for these tests by `openssl genrsa -traditional`, and a password that `openssl pkeyutl` encrypted:
    // -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha1
    const PKCS1: &str = include_str!("testdata/rsa_pkcs1.pem");
    const PKCS8: &str = include_str!("testdata/rsa_pkcs8.pem");
    const PUBLIC: &str = include_str!("testdata/rsa_public.pem");
    const OPENSSL_CIPHER: &str = include_str!("testdata/rsa_cipher.pem");

    static KEY: LazyLock<RsaKey> = LazyLock::new(|| RsaKey::from_pem(PKCS1.as_bytes()).expect("test key"));

    #[test]
    fn both_private_forms_are_one_key() {
        let pkcs8 = RsaKey::from_pem(PKCS8.as_bytes()).expect("PKCS #8");
        assert_eq!(pkcs8.public_pem(), KEY.public_pem());
        assert_eq!(KEY.public_pem(), PUBLIC);
        assert_eq!(format!("{pkcs8:?}"), "RsaKey([REDACTED])");
    }

    #[test]
    fn decrypts_what_openssl_encrypted() {
        let cipher = pem::parse(OPENSSL_CIPHER).expect("PEM");
        let password = KEY.decrypt_password(cipher.contents(), b"0123456789abcdefghij").expect("decrypts");
        assert_eq!(password.as_slice(), b"a password that is longer than the scramble");
    }

    #[test]
    fn a_new_key_serves() {
        let key = RsaKey::generate().expect("key");
        let cipher = encrypt_password(b"secret", &[9; 20], key.public_pem().as_bytes()).expect("encrypts");
        let back = key.decrypt_password(&cipher, &[9; 20]).expect("decrypts");
        assert_eq!(back.as_slice(), b"secret");
    }

    #[test]
    fn wrong_bytes_are_an_error() {
        let cipher = encrypt_password(b"secret", &[9; 20], PUBLIC.as_bytes()).expect("encrypts");
        for bad in [&cipher[..255], &[], &[0; 256], &[cipher.as_slice(), b"x"].concat()] {
            assert!(matches!(KEY.decrypt_password(bad, &[9; 20]), Err(RsaError::Undecipherable)));
        }
        assert!(matches!(KEY.decrypt_password(&cipher, &[8; 20]), Err(RsaError::Undecipherable)));
    }

    #[test]
    fn length_limit_is_exact() {
        let longest = [b'x'; 213];
        let cipher = encrypt_password(&longest, &[7; 20], PUBLIC.as_bytes()).expect("fits");
        let back = KEY.decrypt_password(&cipher, &[7; 20]).expect("decrypts");
        assert_eq!(back.as_slice(), longest);
        assert!(matches!(
            encrypt_password(&[b'x'; 214], &[7; 20], PUBLIC.as_bytes()),
            Err(RsaError::TooLong { max: 213 })
        ));
    }

    #[test]
    fn wrong_files_are_an_error() {
        assert!(matches!(RsaKey::from_pem(PUBLIC.as_bytes()), Err(RsaError::NotAPrivateKey)));
        assert!(matches!(encrypt_password(b"x", &[1; 20], PKCS1.as_bytes()), Err(RsaError::NotAPublicKey)));
        let missing = RsaKey::from_pem_file(Path::new("/nonexistent/key.pem"));
        assert!(missing.expect_err("no such file").to_string().contains("/nonexistent/key.pem"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn round_trip(password in prop::collection::vec(any::<u8>(), 0..=213), scramble: [u8; 20]) {
            let cipher = encrypt_password(&password, &scramble, PUBLIC.as_bytes()).expect("encrypts");
            let back = KEY.decrypt_password(&cipher, &scramble).expect("decrypts");
            prop_assert_eq!(back.as_slice(), password);
        }

        #[test]
        fn garbage_is_an_error(garbage in prop::collection::vec(any::<u8>(), 0..300), scramble: [u8; 20]) {
            prop_assert!(KEY.decrypt_password(&garbage, &scramble).is_err());
            prop_assert!(encrypt_password(b"x", &scramble, &garbage).is_err());
            prop_assert!(RsaKey::from_pem(&garbage).is_err());
        }
    }
}
