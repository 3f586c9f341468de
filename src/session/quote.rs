//! Literals that mean the same under any SQL mode and any character set that a client may have.

use std::fmt::Write;

/// Appends `value` as a number, if it is one, else as a string.
pub fn put_value(out: &mut String, value: &[u8]) {
    if is_number(value) {
        out.push_str(&String::from_utf8_lossy(value));
    } else {
        put_string(out, value);
    }
}

/// Appends a string. Only letters, digits and a few marks stand in quotes: no character set makes anything else of
/// them, and no mode. The rest is written in hexadecimal.
pub fn put_string(out: &mut String, value: &[u8]) {
    if value.iter().copied().all(is_plain) {
        out.push('\'');
        out.push_str(&String::from_utf8_lossy(value));
        out.push('\'');
    } else {
        out.push_str("CONVERT(");
        put_hex(out, value);
        out.push_str(" USING utf8mb4)");
    }
}

/// Appends `X'..'`.
pub fn put_hex(out: &mut String, value: &[u8]) {
    out.push_str("X'");
    for byte in value {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02X}");
    }
    out.push('\'');
}

/// Appends a name in backticks. `None`, with nothing appended, where a character set might read it otherwise: bytes
/// beyond ASCII, a backtick, a backslash.
pub fn put_name(out: &mut String, name: &[u8]) -> Option<()> {
    let safe = !name.is_empty() && name.iter().all(|&byte| (b' '..=b'~').contains(&byte) && !b"`\\".contains(&byte));
    let name = std::str::from_utf8(name).ok().filter(|_| safe)?;
    out.push('`');
    out.push_str(name);
    out.push('`');
    Some(())
}

/// The word of a character set or collation: letters, digits and `_` only.
pub fn is_word(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_+-:/,.@$= *%()[]{}|;<>!?&~^#".contains(&byte)
}

fn is_number(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    let dots = digits.iter().filter(|byte| **byte == b'.').count();
    digits.first().is_some_and(u8::is_ascii_digit)
        && digits.last().is_some_and(u8::is_ascii_digit)
        && dots <= 1
        && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(text: &[u8]) -> String {
        let mut out = String::new();
        put_value(&mut out, text);
        out
    }

    #[test]
    fn numbers_stand_bare_and_strings_in_quotes() {
        for (text, expected) in [
            ("28800", "28800"),
            ("1000.000000", "1000.000000"),
            ("-1", "-1"),
            ("", "''"),
            ("+02:00", "'+02:00'"),
            ("1.2.3", "'1.2.3'"),
            ("a'b", "CONVERT(X'612762' USING utf8mb4)"),
            ("a\\", "CONVERT(X'615C' USING utf8mb4)"),
        ] {
            assert_eq!(value(text.as_bytes()), expected);
        }
        assert_eq!(value(b"\xE9"), "CONVERT(X'E9' USING utf8mb4)");
    }

    #[test]
    fn names_that_could_be_misread_are_refused() {
        let mut out = String::new();
        assert_eq!(put_name(&mut out, b"a b"), Some(()));
        assert_eq!(out, "`a b`");
        for name in [&b""[..], b"a`b", b"a\\", "\u{e9}".as_bytes()] {
            assert_eq!(put_name(&mut out, name), None);
        }
        assert!(is_word(b"utf8mb4_bin") && !is_word(b"a b") && !is_word(b""));
    }

    proptest! {
        #[test]
        fn no_value_ends_its_quotes_early(text: Vec<u8>) {
            let quoted = value(&text);
            prop_assert!(quoted.is_ascii() && !quoted.contains('\\') && !quoted.contains('"'));
            prop_assert!(matches!(quoted.matches('\'').count(), 0 | 2));
        }
    }
}
