//! The handshake's signature, checked with a certificate's bare key: no more of the certificate is looked at than it
//! takes to find the key (RFC 5280, section 4.1).
//!
//! ```text
//! Certificate    = SEQUENCE { TBSCertificate, .. }
//! TBSCertificate = SEQUENCE { [0] version?, serial, signature, issuer, validity, subject, SubjectPublicKeyInfo, .. }
//! SubjectPublicKeyInfo = SEQUENCE { SEQUENCE algorithm, BIT STRING key }
//! ```

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, DigitallySignedStruct, Error};

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
const VERSION: u8 = 0xa0;

/// Whether `cert`'s key made this signature.
pub(super) fn verify(
    message: &[u8],
    cert: &CertificateDer<'_>,
    dss: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let (algorithm, key) = public_key(cert).ok_or(CertificateError::BadEncoding)?;
    let candidates = algorithms
        .mapping
        .iter()
        .filter(|(scheme, _)| *scheme == dss.scheme)
        .flat_map(|(_, candidates)| candidates.iter());
    let mut fitting = candidates.filter(|one| one.public_key_alg_id().as_ref() == algorithm);
    match fitting.any(|one| one.verify_signature(key, message, dss.signature()).is_ok()) {
        true => Ok(HandshakeSignatureValid::assertion()),
        false => Err(CertificateError::BadSignature.into()),
    }
}

/// The key's algorithm (identifier and parameters) and its bytes.
fn public_key(cert: &[u8]) -> Option<(&[u8], &[u8])> {
    let (certificate, _) = expect(SEQUENCE, cert)?;
    let (mut fields, _) = expect(SEQUENCE, certificate)?;
    if fields.first() == Some(&VERSION) {
        fields = element(fields)?.rest;
    }
    for _serial_signature_issuer_validity_subject in 0..5 {
        fields = element(fields)?.rest;
    }
    let (info, _) = expect(SEQUENCE, fields)?;
    let (algorithm, rest) = expect(SEQUENCE, info)?;
    let (bits, _) = expect(BIT_STRING, rest)?;
    match bits {
        [0, key @ ..] => Some((algorithm, key)),
        _ => None,
    }
}

struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    rest: &'a [u8],
}

fn expect(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let found = element(input)?;
    (found.tag == tag).then_some((found.content, found.rest))
}

fn element(input: &[u8]) -> Option<Element<'_>> {
    let (&tag, input) = input.split_first()?;
    let (length, input) = length(input)?;
    let (content, rest) = input.split_at_checked(length)?;
    Some(Element { tag, content, rest })
}

/// Short form, or long form of up to three bytes.
fn length(input: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = input.split_first()?;
    match first {
        0..=0x7f => Some((usize::from(first), rest)),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 3))?;
            let value = bytes.iter().fold(0, |value, &byte| (value << 8) | usize::from(byte));
            Some((value, rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = public_key(&bytes);
        }

        #[test]
        fn damaged_certificates_are_survived(at in 0usize..2000, value: u8, cut in 0usize..2000) {
            let key = rcgen::KeyPair::generate().expect("key");
            let params = rcgen::CertificateParams::new(vec!["db".to_owned()]).expect("params");
            let mut der = params.self_signed(&key).expect("certificate").der().to_vec();
            prop_assert!(public_key(&der).is_some_and(|(_, found)| found == key.public_key_raw()));
            let at = at % der.len();
            der[at] = value;
            let _ = public_key(&der);
            der.truncate(cut % der.len());
            let _ = public_key(&der);
        }
    }
}
