//! `caching_sha2_password`.
//!
//! ```text
//! fast answer = SHA256(password) XOR SHA256(SHA256(SHA256(password)), scramble)
//! stored form = $A$005$ <20 bytes of salt> <43 characters: sha256-crypt(password, salt, 5 * 1000 rounds)>
//! ```
//! A comma joins byte strings; the salt is raw bytes, of any value.
//!
//! A fast answer can be checked only by who knows the password (or SHA256(SHA256(password)), which servers keep in
//! memory); the stored form checks only the password itself.

use aws_lc_rs::digest::{self, SHA256};
use secrecy::zeroize::Zeroizing;
use subtle::ConstantTimeEq;

use super::Scramble;

/// Bytes of a fast answer.
pub const ANSWER_LEN: usize = 32;
/// Bytes of a password that the server looks at.
pub const MAX_PASSWORD_LEN: usize = 256;

const SALT_LEN: usize = 20;
const DIGEST_LEN: usize = 32;
const DIGEST_CHARS: usize = 43;
const ROUNDS_UNIT: u32 = 1000;

/// Server to client behind 0x01: the fast answer was right, an OK follows.
pub const FAST_AUTH_OK: u8 = 3;
/// Server to client behind 0x01: send the password itself.
pub const FULL_AUTH_NEEDED: u8 = 4;
/// Client to server: send me your RSA key (`sha256_password` uses 1 instead).
pub const REQUEST_PUBLIC_KEY: u8 = 2;

/// The fast answer to `scramble`; empty for an empty password.
pub fn fast_answer(password: &[u8], scramble: &Scramble) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let once = Zeroizing::new(sha256(&[password]));
    let mask = sha256(&[&sha256(&[once.as_slice()]), scramble]);
    once.iter().zip(mask).map(|(a, b)| a ^ b).collect()
}

/// Whether `answer` is the fast answer for this password; compares in constant time.
///
/// For an empty password both forms of the empty answer are right.
pub fn check_fast_answer(password: &[u8], scramble: &Scramble, answer: &[u8]) -> bool {
    match password {
        [] => super::is_empty_password_answer(answer),
        _ => fast_answer(password, scramble).ct_eq(answer).into(),
    }
}

/// What the server has stored for an account of this method.
#[derive(Clone, PartialEq, Eq)]
pub enum Stored {
    /// An account without password.
    NoPassword,
    /// A salted hash; `Debug` shows nothing of it.
    Hash(Salted),
}

/// Salt and digest of a stored password.
#[derive(Clone, PartialEq, Eq)]
pub struct Salted {
    rounds: u32,
    salt: [u8; SALT_LEN],
    digest: [u8; DIGEST_CHARS],
}

impl Stored {
    /// From `authentication_string` in the account table, as raw bytes: the salt is not text.
    ///
    /// `None` for anything else than the empty string or `$A$<rounds>$<salt><digest>`; the rounds are three hex digits
    /// that count thousands.
    pub fn parse(text: &[u8]) -> Option<Stored> {
        if text.is_empty() {
            return Some(Stored::NoPassword);
        }
        let (rounds, rest) = text.strip_prefix(b"$A$")?.split_first_chunk::<3>()?;
        let (salt, digest) = rest.strip_prefix(b"$")?.split_first_chunk::<SALT_LEN>()?;
        let thousands = u32::from_str_radix(std::str::from_utf8(rounds).ok()?, 16).ok()?;
        Some(Stored::Hash(Salted {
            rounds: thousands.checked_mul(ROUNDS_UNIT).filter(|&r| r > 0)?,
            salt: *salt,
            digest: digest.try_into().ok()?,
        }))
    }

    /// Whether this is the account's password. Takes some milliseconds of CPU time (that is its purpose): not for a
    /// thread that serves others, if many are checked at once.
    pub fn check(&self, password: &[u8]) -> bool {
        match self {
            Stored::NoPassword => password.is_empty(),
            Stored::Hash(salted) => salted.check(password),
        }
    }
}

impl Salted {
    /// A longer password than [`MAX_PASSWORD_LEN`] is refused, as by the server.
    fn check(&self, password: &[u8]) -> bool {
        if password.is_empty() || password.len() > MAX_PASSWORD_LEN {
            return false;
        }
        sha256_crypt(password, &self.salt, self.rounds).ct_eq(&self.digest).into()
    }
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Stored::NoPassword => "NoPassword",
            Stored::Hash(_) => "Hash([REDACTED])",
        })
    }
}

impl std::fmt::Debug for Salted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salted([REDACTED])")
    }
}

/// The digest part of sha256-crypt, as its specification ("Unix crypt using SHA-256 and SHA-512") describes it, but
/// with salts of up to 20 bytes where crypt(3) stops at 16.
fn sha256_crypt(password: &[u8], salt: &[u8], rounds: u32) -> [u8; DIGEST_CHARS] {
    let mut digest = crypt_start(password, salt);
    let p = Zeroizing::new(crypt_sequence(password, |context| {
        (0..password.len()).for_each(|_| context.update(password));
    }));
    let repeats = 16 + usize::from(digest[0]);
    let s = crypt_sequence(salt, |context| {
        (0..repeats).for_each(|_| context.update(salt));
    });
    for round in 0..rounds {
        digest = crypt_round(round, &digest, &p, &s);
    }
    crypt_base64(&digest)
}

fn crypt_start(password: &[u8], salt: &[u8]) -> [u8; DIGEST_LEN] {
    let b = sha256(&[password, salt, password]);
    let mut a = digest::Context::new(&SHA256);
    a.update(password);
    a.update(salt);
    for chunk in password.chunks(DIGEST_LEN) {
        a.update(&b[..chunk.len()]);
    }
    let mut bits = password.len();
    while bits > 0 {
        a.update(if bits & 1 == 1 { &b } else { password });
        bits >>= 1;
    }
    finish(a)
}

/// The digest of what `fill` feeds, repeated and cut to the length of `like`.
fn crypt_sequence(like: &[u8], fill: impl FnOnce(&mut digest::Context)) -> Vec<u8> {
    let mut context = digest::Context::new(&SHA256);
    fill(&mut context);
    let digest = finish(context);
    digest.iter().copied().cycle().take(like.len()).collect()
}

fn crypt_round(round: u32, previous: &[u8], p: &[u8], s: &[u8]) -> [u8; DIGEST_LEN] {
    let odd = round % 2 == 1;
    let mut c = digest::Context::new(&SHA256);
    c.update(if odd { p } else { previous });
    if !round.is_multiple_of(3) {
        c.update(s);
    }
    if !round.is_multiple_of(7) {
        c.update(p);
    }
    c.update(if odd { previous } else { p });
    finish(c)
}

/// Crypt's own base 64: least significant bits first, bytes taken in threes whose indexes rotate by 21.
fn crypt_base64(digest: &[u8; DIGEST_LEN]) -> [u8; DIGEST_CHARS] {
    const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut out = [0; DIGEST_CHARS];
    let mut put = |at: usize, mut word: u32, chars: usize| {
        for slot in &mut out[at..at + chars] {
            *slot = ALPHABET[(word & 63) as usize];
            word >>= 6;
        }
    };
    let (mut a, mut b, mut c) = (0, 10, 20);
    for group in 0..10 {
        let word = u32::from_be_bytes([0, digest[a], digest[b], digest[c]]);
        put(group * 4, word, 4);
        (a, b, c) = ((a + 21) % 30, (b + 21) % 30, (c + 21) % 30);
    }
    put(40, u32::from_be_bytes([0, 0, digest[31], digest[30]]), 3);
    out
}

fn sha256(parts: &[&[u8]]) -> [u8; DIGEST_LEN] {
    let mut context = digest::Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    finish(context)
}

fn finish(context: digest::Context) -> [u8; DIGEST_LEN] {
    let mut out = [0; DIGEST_LEN];
    out.copy_from_slice(context.finish().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use mysql_common::auth::plugins::caching_sha2_password::scramble_sha256;
    use proptest::prelude::*;

    /// Python: `crypt.crypt(password, "$5$" + salt)`, whose digest is the last 43 characters.
    const CRYPT_CASES: [(&[u8], &[u8], &[u8; 43]); 4] = [
        (b"app", b"saltstring", b"2hVXMdQ3bAn/tT3eQ1dF46Z/2b7L1O0pyTXFm9SXjZ7"),
        (&[b'a'; 64], b"16bytesOfSaltYes", b"j063e7/54PfYHEfNVEz.IXhDCL8coRgHGvem.f4sajD"),
        (b"Hello world!", b"s", b"lvy3OSvXN.tFKr9I/ZbDeDKQni6mSLrEJ/tISAjUxxB"),
        (b"\xc3\xbcber-langes Passwort \xc3\xbcber-langes Passwort \xc3\xbcber-langes Passwort \xc3\xbcber-langes Passwort \xc3\xbcber-langes Passwort \xc3\xbcber-langes Passwort \xc3\xbcber-langes Passwort \xc3\xbcber-langes Passwort \xc3\xbcber-langes Passwort \xc3\xbcber-langes", b"Qq./09zZ", b"Rcegp8iX2Sx8GSK7KrpmPCE25s3dc4CNaoKNKCFnxb3"),
    ];

    #[test]
    fn crypt_agrees_with_libcrypt() {
        for (password, salt, expected) in CRYPT_CASES {
            assert_eq!(&sha256_crypt(password, salt, 5000), expected);
        }
    }

    /// `authentication_string` of an account of MySQL 9.7 with the password `app`, and hashcat's published example for its
    /// mode 7401, whose salt holds bytes of every kind.
    #[test]
    fn hashes_made_by_others() {
        let server = hex(concat!(
            "244124303041240E552D74404234331241587449436E1A3E40384F78467473442E6267",
            "567949474E41436D44635959424F377447556B2E4E6232675441753077484A58765230"
        ));
        let salt = hex("F9CC98CE08892924F50A213B6BC571A2C11778C5");
        let digest = b"bTy95Y99eAME1dwEkHOA1ndHGBWz.1bxSSRkuTXFGV/";
        let hashcat = [b"$A$005$".as_slice(), &salt, digest].concat();
        for (text, password, wrong) in
            [(server, b"app".as_slice(), b"apq".as_slice()), (hashcat, b"hashcat", b"hashcaT")]
        {
            let stored = Stored::parse(&text).expect("the stored form");
            assert!(stored.check(password));
            assert!(!stored.check(wrong));
            assert!(!stored.check(b""));
            assert_eq!(format!("{stored:?}"), "Hash([REDACTED])");
        }
    }

    #[test]
    fn stored_forms() {
        assert!(Stored::parse(b"").is_some_and(|stored| stored.check(b"")));
        assert!(Stored::parse(b"").is_some_and(|stored| !stored.check(b"x")));
        let locked = b"$A$005$THISISACOMBINATIONOFINVALIDSALTANDPASSWORDTHATMUSTNEVERBRBEUSED";
        assert!(Stored::parse(locked).is_some_and(|stored| !stored.check(b"x")));
        assert!(Stored::parse(&locked[..69]).is_none());
        assert!(Stored::parse(b"$A$000$THISISACOMBINATIONOFINVALIDSALTANDPASSWORDTHATMUSTNEVERBRBEUSED").is_none());
        assert!(Stored::parse(b"*5BCB3E6AC345B435C7C2E6B7949A04CE6F6563D3").is_none());
    }

    #[test]
    fn empty_passwords_and_both_their_answers() {
        assert!(fast_answer(b"", &[3; 20]).is_empty());
        assert!(check_fast_answer(b"", &[3; 20], b""));
        assert!(check_fast_answer(b"", &[3; 20], b"\0"));
        assert!(!check_fast_answer(b"x", &[3; 20], b""));
        assert!(!check_fast_answer(b"x", &[3; 20], b"\0"));
    }

    proptest! {
        #[test]
        fn fast_answers_agree_with_mysql_common(
            password in prop::collection::vec(any::<u8>(), 0..40),
            scramble: [u8; 20],
        ) {
            let expected = scramble_sha256(&scramble, &password).map(Vec::from).unwrap_or_default();
            let answer = fast_answer(&password, &scramble);
            prop_assert!(check_fast_answer(&password, &scramble, &answer));
            prop_assert_eq!(answer, expected);
        }

        #[test]
        fn a_wrong_fast_answer_is_wrong(answer in prop::collection::vec(any::<u8>(), 0..40), scramble: [u8; 20]) {
            prop_assert!(!check_fast_answer(b"secret", &scramble, &answer));
        }

        #[test]
        fn stored_form_parser_survives_anything(text in prop::collection::vec(any::<u8>(), 0..90)) {
            let _ = Stored::parse(&text);
            let _ = Stored::parse(&[b"$A$005$".as_slice(), &text].concat());
        }
    }

    fn hex(text: &str) -> Vec<u8> {
        text.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ascii"), 16).expect("hex"))
            .collect()
    }
}
