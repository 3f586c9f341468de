//! What tidegate knows of an account's password, and what it can do with it.

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretSlice};
use subtle::ConstantTimeEq;

use super::fingerprint::{Fingerprint, PROOF_LEN, fingerprint_proof};
use super::{Method, Scramble, caching_sha2, ed25519, native};

/// A known secret. `Debug` tells only its kind; bytes are wiped when dropped.
#[derive(Debug, Clone)]
pub enum Secret {
    /// The password itself, any bytes, possibly empty: answers every method.
    Password(SecretSlice<u8>),
    /// SHA1(password): answers mysql_native_password.
    NativeStage1(native::Stage1),
    /// The server's mysql_native_password hash: checks an answer, and learns stage1 from a right one.
    NativeStored(native::Stored),
    /// The server's caching_sha2_password hash: checks a password.
    CachingSha2Stored(caching_sha2::Stored),
}

/// What a client's answer turned out to be.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Right; this is the best that is now known for logging in as this account.
    Right(Secret),
    /// Wrong.
    Wrong,
    /// This secret cannot judge an answer of this method.
    Unknown,
}

impl Secret {
    /// A password.
    pub fn password(password: &[u8]) -> Secret {
        Secret::Password(SecretSlice::from(password.to_vec()))
    }

    /// Whether the password is known to be empty.
    pub fn is_empty_password(&self) -> bool {
        match self {
            Secret::Password(password) => password.expose_secret().is_empty(),
            Secret::NativeStage1(_) => false,
            Secret::NativeStored(stored) => *stored == native::Stored::NoPassword,
            Secret::CachingSha2Stored(stored) => *stored == caching_sha2::Stored::NoPassword,
        }
    }

    /// Whether both log in alike.
    pub fn is_like(&self, other: &Secret) -> bool {
        let answer = |secret: &Secret| secret.answer(&Method::Native, &[1; 20]);
        answer(self).is_some_and(|own| answer(other).is_some_and(|theirs| bool::from(own.ct_eq(&theirs))))
    }

    /// The password, where it is known.
    pub fn expose_password(&self) -> Option<&[u8]> {
        match self {
            Secret::Password(password) => Some(password.expose_secret()),
            _ if self.is_empty_password() => Some(&[]),
            _ => None,
        }
    }

    /// tidegate's first answer to a server that asked by `method` with `challenge` (the auth data without its NUL, or
    /// with it); `None` where this secret cannot answer, or the challenge has the wrong shape.
    ///
    /// For caching_sha2_password the fast answer. sha256_password and mysql_clear_password want the password itself:
    /// [`Secret::cleartext_answer`], over TLS or a Unix socket only, or [`super::rsa_key::encrypt_password`].
    pub fn answer(&self, method: &Method, challenge: &[u8]) -> Option<Vec<u8>> {
        match (method, self) {
            (Method::Native, Secret::NativeStage1(stage1)) => {
                Some(stage1.answer(&super::scramble_from(challenge)?).to_vec())
            }
            (Method::Native, _) => Some(native::answer(self.expose_password()?, &super::scramble_from(challenge)?)),
            (Method::CachingSha2, _) => {
                Some(caching_sha2::fast_answer(self.expose_password()?, &super::scramble_from(challenge)?))
            }
            (Method::Ed25519, _) => ed25519::answer(self.expose_password()?, challenge),
            _ => None,
        }
    }

    /// The password and a NUL, as full authentication sends it over a link that nobody else reads.
    pub fn cleartext_answer(&self) -> Option<Zeroizing<Vec<u8>>> {
        let password = self.expose_password()?;
        Some(Zeroizing::new([password, &[0]].concat()))
    }

    /// Judges a client's answer to `scramble` (for client_ed25519: `challenge` is the 32 bytes).
    pub fn check(&self, method: &Method, challenge: &[u8], answer: &[u8]) -> Verdict {
        match (method, self, super::scramble_from(challenge)) {
            (Method::Native, Secret::NativeStored(native::Stored::Hash(stage2)), Some(scramble)) => {
                match stage2.check(&scramble, answer) {
                    Some(stage1) => Verdict::Right(Secret::NativeStage1(stage1)),
                    None => Verdict::Wrong,
                }
            }
            (Method::Native, Secret::NativeStage1(stage1), Some(scramble)) => {
                self.verdict(stage1.stage2().check(&scramble, answer).is_some())
            }
            (Method::Native, _, Some(scramble)) => self.judge(|password| check_native(password, &scramble, answer)),
            (Method::CachingSha2, _, Some(scramble)) => {
                self.judge(|password| caching_sha2::check_fast_answer(password, &scramble, answer))
            }
            (Method::Ed25519, _, _) => self.judge(|password| ed25519::check_answer(password, challenge, answer)),
            _ => Verdict::Unknown,
        }
    }

    /// Judges a password that a client sent in clear (over TLS, a Unix socket or RSA), without its NUL.
    ///
    /// Takes milliseconds of CPU time for a stored caching_sha2_password hash.
    pub fn check_cleartext(&self, password: &[u8]) -> bool {
        use subtle::ConstantTimeEq;
        match self {
            Secret::Password(known) => known.expose_secret().ct_eq(password).into(),
            Secret::NativeStage1(stage1) => {
                !password.is_empty() && native::Stage1::of(password).stage2() == stage1.stage2()
            }
            Secret::NativeStored(native::Stored::NoPassword) => password.is_empty(),
            Secret::NativeStored(native::Stored::Hash(stage2)) => {
                !password.is_empty() && native::Stage1::of(password).stage2() == *stage2
            }
            Secret::CachingSha2Stored(stored) => stored.check(password),
        }
    }

    /// The proof for MariaDB 11.4+ clients (see [`super::fingerprint`]), where this secret and method allow one.
    pub fn fingerprint_proof(
        &self,
        method: &Method,
        scramble: &Scramble,
        fingerprint: &Fingerprint,
    ) -> Option<[u8; PROOF_LEN]> {
        if self.is_empty_password() {
            return None;
        }
        let hash = match method {
            Method::Native => self.native_stage2()?.bytes().to_vec(),
            Method::Ed25519 => ed25519::public_key(self.expose_password()?)?.to_vec(),
            _ => return None,
        };
        Some(fingerprint_proof(&hash, scramble, fingerprint))
    }

    fn native_stage2(&self) -> Option<native::Stage2> {
        match self {
            Secret::NativeStage1(stage1) => Some(stage1.stage2()),
            Secret::NativeStored(native::Stored::Hash(stage2)) => Some(stage2.clone()),
            _ => Some(native::Stage1::of(self.expose_password()?).stage2()),
        }
    }

    fn judge(&self, is_right: impl FnOnce(&[u8]) -> bool) -> Verdict {
        match self.expose_password() {
            Some(password) => self.verdict(is_right(password)),
            None => Verdict::Unknown,
        }
    }

    fn verdict(&self, right: bool) -> Verdict {
        match right {
            true => Verdict::Right(self.clone()),
            false => Verdict::Wrong,
        }
    }
}

fn check_native(password: &[u8], scramble: &Scramble, answer: &[u8]) -> bool {
    match password {
        [] => answer.is_empty(),
        _ => native::Stage1::of(password).stage2().check(scramble, answer).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAMBLE: [u8; 20] = *b"0123456789abcdefghij";
    const NONCE: [u8; 32] = [5; 32];

    fn every_kind() -> [Secret; 4] {
        let salted = b"$A$005$THISISACOMBINATIONOFINVALIDSALTANDPASSWORDTHATMUSTNEVERBRBEUSED";
        [
            Secret::password(b"hunter2"),
            Secret::NativeStage1(native::Stage1::of(b"hunter2")),
            Secret::NativeStored(native::Stored::Hash(native::Stage1::of(b"hunter2").stage2())),
            Secret::CachingSha2Stored(caching_sha2::Stored::parse(salted).expect("form")),
        ]
    }

    #[test]
    fn debug_shows_no_byte_of_it() {
        let shown = format!("{:#?}", every_kind());
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!shown.contains("INVALID"), "{shown}");
        assert!(!shown.contains("104"), "{shown}");
        assert_eq!(shown.matches("REDACTED").count(), 4, "{shown}");
    }

    #[test]
    fn who_can_answer_what() {
        let [password, stage1, stored, sha2] = every_kind();
        let native = password.answer(&Method::Native, &SCRAMBLE);
        assert!(native.is_some());
        assert_eq!(native, stage1.answer(&Method::Native, &SCRAMBLE));
        assert_eq!(stored.answer(&Method::Native, &SCRAMBLE), None);
        assert_eq!(stage1.answer(&Method::CachingSha2, &SCRAMBLE), None);
        assert_eq!(sha2.answer(&Method::CachingSha2, &SCRAMBLE), None);
        assert!(password.answer(&Method::CachingSha2, &SCRAMBLE).is_some());
        assert!(password.answer(&Method::Ed25519, &NONCE).is_some());
        assert_eq!(password.answer(&Method::Ed25519, &SCRAMBLE), None);
        assert_eq!(password.answer(&Method::Native, &NONCE), None);
        assert_eq!(password.answer(&Method::ClearPassword, &[]), None);
        let clear = password.cleartext_answer().expect("known");
        assert_eq!(clear.as_slice(), b"hunter2\0");
    }

    #[test]
    fn a_right_answer_teaches_stage1() {
        let [password, _, stored, _] = every_kind();
        let answer = password.answer(&Method::Native, &SCRAMBLE).expect("answer");
        let Verdict::Right(learned) = stored.check(&Method::Native, &SCRAMBLE, &answer) else {
            panic!("right answer refused");
        };
        assert!(matches!(learned, Secret::NativeStage1(_)));
        assert_eq!(learned.answer(&Method::Native, &[1; 20]), password.answer(&Method::Native, &[1; 20]));
        assert!(matches!(stored.check(&Method::Native, &[1; 20], &answer), Verdict::Wrong));
    }

    #[test]
    fn every_method_judges() {
        let [password, stage1, _, sha2] = every_kind();
        for (method, challenge) in
            [(Method::Native, SCRAMBLE.as_slice()), (Method::CachingSha2, &SCRAMBLE), (Method::Ed25519, &NONCE)]
        {
            let answer = password.answer(&method, challenge).expect("answer");
            let right = password.check(&method, challenge, &answer);
            assert!(matches!(right, Verdict::Right(_)), "{method}");
            let wrong = Secret::password(b"hunter3").check(&method, challenge, &answer);
            assert!(matches!(wrong, Verdict::Wrong), "{method}");
            let unknown = sha2.check(&method, challenge, &answer);
            assert!(matches!(unknown, Verdict::Unknown), "{method}");
        }
        let answer = stage1.answer(&Method::Native, &SCRAMBLE).expect("answer");
        assert!(matches!(stage1.check(&Method::Native, &SCRAMBLE, &answer), Verdict::Right(_)));
    }

    #[test]
    fn empty_passwords() {
        let stored = Secret::NativeStored(native::Stored::NoPassword);
        for secret in [Secret::password(b""), stored] {
            assert!(secret.is_empty_password());
            assert_eq!(secret.answer(&Method::Native, &SCRAMBLE), Some(Vec::new()));
            assert!(matches!(secret.check(&Method::Native, &SCRAMBLE, b""), Verdict::Right(_)));
            assert!(matches!(secret.check(&Method::Native, &SCRAMBLE, &[1; 20]), Verdict::Wrong));
            assert!(secret.check_cleartext(b""));
            assert!(!secret.check_cleartext(b"x"));
            assert!(secret.fingerprint_proof(&Method::Native, &SCRAMBLE, &[0; 32]).is_none());
        }
    }

    #[test]
    fn cleartext_is_judged_by_every_kind() {
        for secret in &every_kind()[..3] {
            assert!(secret.check_cleartext(b"hunter2"));
            assert!(!secret.check_cleartext(b"hunter3"));
            assert!(!secret.check_cleartext(b""));
        }
    }

    #[test]
    fn proof_is_the_same_from_all_that_know_the_hash() {
        let [password, stage1, stored, sha2] = every_kind();
        let proof = |secret: &Secret, method| secret.fingerprint_proof(&method, &SCRAMBLE, &[3; 32]);
        let expected = proof(&password, Method::Native);
        assert!(expected.is_some());
        assert_eq!(proof(&stage1, Method::Native), expected);
        assert_eq!(proof(&stored, Method::Native), expected);
        assert_eq!(proof(&sha2, Method::Native), None);
        assert!(proof(&password, Method::Ed25519).is_some_and(|p| Some(p) != expected));
        assert_eq!(proof(&password, Method::CachingSha2), None);
    }
}
