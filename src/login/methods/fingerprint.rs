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
//! Sources: Connector/C 3.4 `plugins/auth/my_auth.c` (`run_plugin_auth`, `native_password_hash`) and `ed25519.c`
//! (`auth_ed25519_hash`), which compare the digits as they are, so upper case counts; Connector/Node.js
//! `lib/cmd/handshake/authentication.js` (`validateFingerPrint`), where 0x01 is the format and means SHA-256. They
//! agree in everything but the scramble: Connector/Node.js takes the greeting's even after an auth switch. Who
//! switches to mysql_native_password with the scramble of the greeting suits both.
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

    /// Python: `sha256(sha1(sha1(b"app").digest()).digest() + bytes(range(20)) + b"\xab" * 32).hexdigest().upper()`
    #[test]
    fn layout() {
        let hash = super::super::native::Stage1::of(b"app").stage2();
        let scramble = std::array::from_fn(|i| i as u8);
        let proof = fingerprint_proof(hash.bytes(), &scramble, &[0xab; 32]);
        assert_eq!(proof[0], 1);
        assert_eq!(&proof[1..], b"BF461F7B8E91A47485B3FE2D1EC2713951A02678CB8E9FF04EA7DD7013D9A68F");
    }
}
