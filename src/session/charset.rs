//! What is to be known of the servers' character sets: which strings are certainly well-formed in them, and whose a collation is.

/// Whether a server takes `_charset X'..'` of these bytes for a string of this character set: it checks them there, and refuses
/// what is none (ER_INVALID_CHARACTER_STRING). False where that is not sure.
pub fn is_well_formed(bytes: &[u8], charset: &[u8]) -> bool {
    match charset {
        b"utf8mb4" => std::str::from_utf8(bytes).is_ok(),
        // No character of four bytes.
        b"utf8" | b"utf8mb3" => std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(|c| c <= '\u{FFFF}')),
        b"ucs2" => bytes.len().is_multiple_of(2),
        b"utf16" | b"utf16le" | b"utf32" => false,
        // Each byte is a character, whatever it means.
        _ if has_single_bytes(charset) => true,
        _ => bytes.is_ascii(),
    }
}

/// Whether the collation is this character set's. MariaDB has some that are several ones': they are nobody's here.
pub fn is_of(collation: &[u8], charset: &[u8]) -> bool {
    let of = collation.split(|byte| *byte == b'_').next().unwrap_or_default();
    let is_utf8 = |name: &[u8]| matches!(name, b"utf8" | b"utf8mb3");
    of.eq_ignore_ascii_case(charset) || is_utf8(of) && is_utf8(charset)
}

fn has_single_bytes(charset: &[u8]) -> bool {
    const SINGLE: [&[u8]; 25] = [
        b"armscii8",
        b"binary",
        b"cp1250",
        b"cp1251",
        b"cp1256",
        b"cp1257",
        b"cp850",
        b"cp852",
        b"cp866",
        b"dec8",
        b"geostd8",
        b"greek",
        b"hebrew",
        b"hp8",
        b"keybcs2",
        b"koi8r",
        b"koi8u",
        b"latin1",
        b"latin2",
        b"latin5",
        b"latin7",
        b"macce",
        b"macroman",
        b"swe7",
        b"tis620",
    ];
    SINGLE.contains(&charset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_would_refuse_is_not_well_formed() {
        for (charset, bytes) in [
            (&b"utf8mb4"[..], &b"\xFF"[..]),
            (b"utf8mb4", b"\xC3"),
            (b"utf8mb3", "\u{1F600}".as_bytes()),
            (b"utf8", b"\xED\xA0\x80"),
            (b"sjis", b"\x81"),
            (b"gbk", b"\xC4\xE3"),
            (b"ascii", b"\x80"),
            (b"ucs2", b"a"),
            (b"utf16", b"\xD8\x00"),
            (b"another", b"\x80"),
        ] {
            assert!(!is_well_formed(bytes, charset), "{bytes:?} in {}", charset.escape_ascii());
        }
        for (charset, bytes) in [
            (&b"utf8mb4"[..], "\u{1F600}".as_bytes()),
            (b"utf8mb3", "\u{e9}\u{4E2D}".as_bytes()),
            (b"latin1", b"\xE9\x81"),
            (b"binary", b"\xFF\x00"),
            (b"gbk", b"plain"),
            (b"ucs2", b"\x00a"),
        ] {
            assert!(is_well_formed(bytes, charset), "{bytes:?} in {}", charset.escape_ascii());
        }
    }

    #[test]
    fn a_collation_is_its_character_sets() {
        for (collation, charset) in
            [("latin1_bin", "latin1"), ("utf8_general_ci", "utf8mb3"), ("utf8mb3_bin", "utf8"), ("binary", "binary")]
        {
            assert!(is_of(collation.as_bytes(), charset.as_bytes()), "{collation}");
        }
        for (collation, charset) in
            [("latin1_bin", "utf8mb4"), ("utf8mb4_bin", "utf8mb3"), ("uca1400_ai_ci", "utf8mb4"), ("utf32_bin", "utf8")]
        {
            assert!(!is_of(collation.as_bytes(), charset.as_bytes()), "{collation}");
        }
    }
}
