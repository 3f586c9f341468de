//! `client_ed25519` (MariaDB): the client signs the server's 32 random bytes; the secret key is SHA-512(password).

use mysql_common::auth::plugins::client_ed25519::ClientEd25519;
use mysql_common::auth::plugins::{ChallengeResponsePlugin, Context, Response};

/// Bytes that the server sends in its auth switch.
pub const NONCE_LEN: usize = 32;
/// Bytes of an answer.
pub const ANSWER_LEN: usize = 64;
/// Bytes of the public key, which the server stores in unpadded base 64.
pub const PUBLIC_KEY_LEN: usize = 32;

/// The answer to `nonce`; `None` if the server sent something else than [`NONCE_LEN`] bytes.
pub fn answer(password: &[u8], nonce: &[u8]) -> Option<Vec<u8>> {
    match ClientEd25519::default().run(Password(password), nonce) {
        Ok(Response::Last { packet }) => packet,
        _ => None,
    }
}

/// The public key that belongs to this password.
pub fn public_key(password: &[u8]) -> Option<[u8; PUBLIC_KEY_LEN]> {
    let key = ClientEd25519::default().password_hash(Password(password))?;
    key.try_into().ok()
}

/// Whether `answer` was made with this password.
pub fn check_answer(password: &[u8], nonce: &[u8], answer: &[u8]) -> bool {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    public_key(password).is_some_and(|key| UnparsedPublicKey::new(&ED25519, key).verify(nonce, answer).is_ok())
}

struct Password<'a>(&'a [u8]);

impl Context for Password<'_> {
    fn pass(&self) -> &[u8] {
        self.0
    }

    fn is_ipc_transport(&self) -> bool {
        false
    }

    fn is_tls_transport(&self) -> bool {
        false
    }

    fn scramble(&self) -> &[u8] {
        &[]
    }

    fn server_key_pem(&self) -> Option<&[u8]> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wrong_nonce_is_refused() {
        assert!(answer(b"secret", &[1; 20]).is_none());
        assert!(answer(b"secret", &[]).is_none());
    }

    proptest! {
        #[test]
        fn an_independent_ed25519_verifies_our_answer(
            password in prop::collection::vec(any::<u8>(), 0..40),
            nonce: [u8; 32],
        ) {
            let answer = answer(&password, &nonce).expect("32 bytes");
            prop_assert_eq!(answer.len(), ANSWER_LEN);
            prop_assert!(check_answer(&password, &nonce, &answer));
            prop_assert!(!check_answer(b"another, longer than any above: 40 bytes and more", &nonce, &answer));
        }

        #[test]
        fn garbage_is_no_answer(answer in prop::collection::vec(any::<u8>(), 0..80), nonce: [u8; 32]) {
            prop_assert!(!check_answer(b"secret", &nonce, &answer));
        }
    }
}
