//! The proof by which MariaDB 11.4+ clients verify a certificate that no CA signed.
//!
//! Such a client accepts a self-signed certificate if the server proves, in the OK that ends the login, that it knows
//! the password's hash and that this very certificate is its own. The OK's info (its human-readable text, which the
//! client hides from the application) then is
//!
//! ```text
//! 0x01  HEX( SHA256( hash, scramble, fingerprint ) )         65 bytes, upper-case digits
//!
//! hash         mysql_native_password: SHA1(SHA1(password)), 20 bytes; client_ed25519: the public key, 32 bytes
//! scramble     20 bytes without the NUL: the greeting's; after an auth switch to mysql_native_password the switch's
//! fingerprint  SHA256 of the server's certificate in DER, 32 bytes
//! ```
//!
//! In the packet the info stands behind its length (0x41), whether or not the client asked for session trackers.
//!
//! Sources: Connector/C 3.4 `plugins/auth/my_auth.c` (`run_plugin_auth`, `native_password_hash`) and `ed25519.c`
//! (`auth_ed25519_hash`), which compare the digits as they are, so upper case counts; Connector/Node.js
//! `lib/cmd/handshake/authentication.js` (`validateFingerPrint`), where 0x01 is the format and means SHA-256. Checked
//! against MariaDB 11.8: its server sends exactly these bytes for both methods (the tests below), and its client accepts
//! them from here for both, and refuses one wrong digit.
//!
//! After an auth switch to mysql_native_password Connector/C takes the scramble of the switch, Connector/Node.js that of
//! the greeting: who switches with the scramble of the greeting suits both. An auth switch to client_ed25519 leaves the
//! greeting's scramble in force.
//!
//! What follows from these clients: they need a password that is not empty and a method whose hash is known here
//! (their caching_sha2_password has none: such a login needs a real certificate, with or without tidegate);
//! Connector/C skips it all on Unix sockets and for the hosts `127.0.0.1` and `::1`; it asks for the proof after
//! COM_CHANGE_USER too.

use aws_lc_rs::digest::{self, SHA256};

use super::Scramble;

/// Bytes of a certificate's SHA-256 fingerprint.
pub const FINGERPRINT_LEN: usize = 32;
/// Bytes of a proof.
pub const PROOF_LEN: usize = 1 + 2 * 32;

/// SHA-256 of a certificate in DER.
pub type Fingerprint = [u8; FINGERPRINT_LEN];

/// The info of the OK that ends a login over TLS; `hash` as the module's text says.
pub fn fingerprint_proof(hash: &[u8], scramble: &Scramble, fingerprint: &Fingerprint) -> [u8; PROOF_LEN] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut context = digest::Context::new(&SHA256);
    context.update(hash);
    context.update(scramble);
    context.update(fingerprint);
    let mut proof = [1; PROOF_LEN];
    for (pair, byte) in proof[1..].chunks_exact_mut(2).zip(context.finish().as_ref()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    proof
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A scramble and the proof that MariaDB 11.8.6 made of it, for the certificate with [`FINGERPRINT`].
    const NATIVE: ([u8; 20], &[u8; 64]) = (
        *b"\x58\x6b\x31\x52\x27\x6b\x65\x3c\x3b\x51\x66\x2d\x4a\x6e\x6d\x56\x47\x42\x55\x62",
        b"0520DF78C1CC9FED9E94F3D705EB361CB060BEEA1A5AE64CADCFAFEA1486E42C",
    );
    const ED25519: ([u8; 20], &[u8; 64]) = (
        *b"\x5c\x4d\x4f\x25\x69\x63\x34\x79\x26\x4f\x3a\x73\x56\x36\x47\x46\x65\x4b\x29\x29",
        b"D58AB0A7E3BE2AAEA3A34B6498D10FFADBFD23CD815A9FC757B6DA8906B231F1",
    );
    const FINGERPRINT: Fingerprint = [
        0x03, 0xb0, 0x24, 0xcf, 0x80, 0x1b, 0xe5, 0xb2, 0x20, 0x80, 0x61, 0x96, 0x90, 0xc1, 0x1f, 0x18, 0x1f, 0x03,
        0x33, 0x13, 0xee, 0x61, 0x3b, 0x33, 0x09, 0x25, 0xc5, 0x1b, 0x82, 0x98, 0x07, 0xc8,
    ];

    #[test]
    fn native_as_a_server_makes_it() {
        let hash = super::super::native::Stage1::of(b"app").stage2();
        let proof = fingerprint_proof(hash.bytes(), &NATIVE.0, &FINGERPRINT);
        assert_eq!((proof[0], &proof[1..]), (1, NATIVE.1.as_slice()));
    }

    #[test]
    fn ed25519_as_a_server_makes_it() {
        let hash = super::super::ed25519::public_key(b"secret").expect("key");
        let proof = fingerprint_proof(&hash, &ED25519.0, &FINGERPRINT);
        assert_eq!((proof[0], &proof[1..]), (1, ED25519.1.as_slice()));
    }
}
