//! Character sets in which ASCII has zeros in it. A server describes and says its results in `character_set_results`, what tidegate
//! asks for itself among them: a client that has chosen one of these keeps its backend, and is asked no more than it must be.

use std::borrow::Cow;

/// Whether a character set of this name is one.
pub fn is_wide(charset: &[u8]) -> bool {
    ["ucs2", "utf16", "utf16le", "utf32"].iter().any(|wide| charset.eq_ignore_ascii_case(wide.as_bytes()))
}

/// A server's word or number, which is ASCII in whichever character set it was said.
pub fn narrow(value: &[u8]) -> Cow<'_, [u8]> {
    match value.contains(&0) {
        true => value.iter().copied().filter(|byte| *byte != 0).collect::<Vec<_>>().into(),
        false => value.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_is_read_in_any_character_set() {
        for said in [&b"17"[..], b"\x001\x007", b"1\x007\x00", b"\0\0\x001\0\0\x007"] {
            assert_eq!(*narrow(said), *b"17");
        }
        assert!(is_wide(b"UTF16LE") && !is_wide(b"utf8mb4") && !is_wide(b""));
    }
}
