//! `mysql_native_password`.
//!
//! ```text
//! stage1 = SHA1(password)          what a client must know
//! stage2 = SHA1(stage1)            what the server stores, as `*` and 40 hex digits
//! answer = stage1 XOR SHA1(scramble, stage2)
//! ```
//! Who holds stage2 and sees one right answer learns stage1, and with it can log in: that is how tidegate pools an
//! account whose hash the service account may read.

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY as SHA1};
use secrecy::zeroize::Zeroize;
use subtle::ConstantTimeEq;

use super::Scramble;

/// Bytes of an answer, of stage1 and of stage2.
pub const ANSWER_LEN: usize = 20;

/// SHA1(password): as good as the password for this method. `Debug` shows nothing; wiped when dropped.
#[derive(Clone)]
pub struct Stage1([u8; ANSWER_LEN]);

/// SHA1(SHA1(password)), as the server stores it: enough to check an answer. `Debug` shows nothing.
#[derive(Clone)]
pub struct Stage2([u8; ANSWER_LEN]);

/// What the server has stored for an account of this method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// An account without password: only the empty answer is right.
    NoPassword,
    /// The hash of its password.
    Hash(Stage2),
}

/// The answer to `scramble`; empty for an empty password.
pub fn answer(password: &[u8], scramble: &Scramble) -> Vec<u8> {
    match password {
        [] => Vec::new(),
        _ => Stage1::of(password).answer(scramble).to_vec(),
    }
}

impl Stage1 {
    /// From the password, which must not be empty (an empty one is never hashed).
    pub fn of(password: &[u8]) -> Stage1 {
        Stage1(sha1(&[password]))
    }

    /// The answer to `scramble`.
    pub fn answer(&self, scramble: &Scramble) -> [u8; ANSWER_LEN] {
        xor(&self.0, &sha1(&[scramble, &self.stage2().0]))
    }

    /// What the server stores for this password.
    pub fn stage2(&self) -> Stage2 {
        Stage2(sha1(&[&self.0]))
    }
}

impl Stage2 {
    /// Checks a client's answer; a right one gives stage1 away.
    ///
    /// `None` for a wrong answer, of whatever length. Compares in constant time.
    pub fn check(&self, scramble: &Scramble, answer: &[u8]) -> Option<Stage1> {
        let answer: [u8; ANSWER_LEN] = answer.try_into().ok()?;
        let claimed = Stage1(xor(&answer, &sha1(&[scramble, &self.0])));
        (claimed.stage2() == *self).then_some(claimed)
    }

    pub(super) fn bytes(&self) -> &[u8; ANSWER_LEN] {
        &self.0
    }
}

impl Stored {
    /// From `authentication_string` or `password` in the account table: empty, or `*` and 40 hex digits.
    ///
    /// `None` for anything else (`*THISISNOTAVALIDPASSWORD..`, the 16 digits from before MySQL 4.1): no password opens
    /// such an account.
    pub fn parse(text: &[u8]) -> Option<Stored> {
        match text {
            [] => Some(Stored::NoPassword),
            [b'*', hex @ ..] => from_hex(hex).map(|bytes| Stored::Hash(Stage2(bytes))),
            _ => None,
        }
    }
}

impl PartialEq for Stage2 {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Stage2 {}

impl Drop for Stage1 {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Stage1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stage1([REDACTED])")
    }
}

impl std::fmt::Debug for Stage2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stage2([REDACTED])")
    }
}

fn sha1(parts: &[&[u8]]) -> [u8; ANSWER_LEN] {
    let mut context = digest::Context::new(&SHA1);
    parts.iter().for_each(|part| context.update(part));
    let mut out = [0; ANSWER_LEN];
    out.copy_from_slice(context.finish().as_ref());
    out
}

fn xor(a: &[u8; ANSWER_LEN], b: &[u8; ANSWER_LEN]) -> [u8; ANSWER_LEN] {
    std::array::from_fn(|i| a[i] ^ b[i])
}

fn from_hex(hex: &[u8]) -> Option<[u8; ANSWER_LEN]> {
    let hex: &[u8; 2 * ANSWER_LEN] = hex.try_into().ok()?;
    let mut out = [0; ANSWER_LEN];
    for (byte, pair) in out.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = (nibble(pair[0])? << 4) | nibble(pair[1])?;
    }
    Some(out)
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mysql_common::auth::plugins::mysql_native_password::scramble_native;
    use proptest::prelude::*;

    /// `SELECT PASSWORD('app')` on MariaDB 10.11, and Python's
    /// `hashlib.sha1(hashlib.sha1(b'app').digest()).hexdigest()`.
    const STORED_APP: &[u8] = b"*5BCB3E6AC345B435C7C2E6B7949A04CE6F6563D3";

    fn stage2(text: &[u8]) -> Stage2 {
        match Stored::parse(text) {
            Some(Stored::Hash(stage2)) => stage2,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_servers_own_hash() {
        assert_eq!(Stage1::of(b"app").stage2(), stage2(STORED_APP));
        assert_eq!(stage2(STORED_APP.to_ascii_lowercase().as_slice()), stage2(STORED_APP));
    }

    #[test]
    fn stored_forms() {
        assert_eq!(Stored::parse(b""), Some(Stored::NoPassword));
        assert_eq!(Stored::parse(b"*"), None);
        assert_eq!(Stored::parse(b"*THISISNOTAVALIDPASSWORDTHATCANBEUSEDHERE"), None);
        assert_eq!(Stored::parse(&STORED_APP[..40]), None);
        assert_eq!(Stored::parse(&STORED_APP[1..]), None);
        assert_eq!(Stored::parse(b"565491d704013245"), None);
    }

    #[test]
    fn empty_password_has_an_empty_answer() {
        assert!(answer(b"", &[1; 20]).is_empty());
        assert!(stage2(STORED_APP).check(&[1; 20], b"").is_none());
    }

    #[test]
    fn debug_shows_nothing() {
        let stage1 = Stage1::of(b"app");
        assert_eq!(format!("{stage1:?}"), "Stage1([REDACTED])");
        assert_eq!(format!("{:?}", stage1.stage2()), "Stage2([REDACTED])");
    }

    proptest! {
        #[test]
        fn answers_agree_with_mysql_common(password in prop::collection::vec(any::<u8>(), 0..40), scramble: [u8; 20]) {
            let expected = scramble_native(&scramble, &password).map(Vec::from).unwrap_or_default();
            prop_assert_eq!(answer(&password, &scramble), expected);
        }

        #[test]
        fn a_right_answer_gives_a_stage1_that_logs_in(
            password in prop::collection::vec(any::<u8>(), 1..40),
            (first, second) in any::<([u8; 20], [u8; 20])>(),
        ) {
            let stored = Stage1::of(&password).stage2();
            let learned = stored.check(&first, &answer(&password, &first)).expect("right answer");
            prop_assert_eq!(learned.answer(&second).to_vec(), answer(&password, &second));
        }

        #[test]
        fn a_wrong_answer_gives_nothing(reply in prop::collection::vec(any::<u8>(), 0..40), scramble: [u8; 20]) {
            prop_assert!(stage2(STORED_APP).check(&scramble, &reply).is_none());
        }

        #[test]
        fn stored_form_parser_survives_anything(text in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Stored::parse(&text);
        }
    }
}
