//! What a string literal means.

/// The bytes that a string means, of what stands between its quotes. `None`: it ends in the middle.
pub fn unescaped(inner: &[u8], quote: u8, no_backslash_escapes: bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if !no_backslash_escapes => put_escaped(&mut out, bytes.next()?),
            _ if byte == quote => out.push(bytes.next().filter(|&next| next == quote)?),
            _ => out.push(byte),
        }
    }
    Some(out)
}

fn put_escaped(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'0' => out.push(0),
        b'b' => out.push(8),
        b'n' => out.push(b'\n'),
        b'r' => out.push(b'\r'),
        b't' => out.push(b'\t'),
        b'Z' => out.push(26),
        // Only LIKE gives these a meaning; the backslash stays.
        b'%' | b'_' => out.extend_from_slice(&[b'\\', byte]),
        _ => out.push(byte),
    }
}

/// The bytes of a literal with its quotes. `None`: it is no plain string in `'` or `"`.
pub fn string_value(literal: &[u8], no_backslash_escapes: bool) -> Option<Vec<u8>> {
    let &quote @ (b'\'' | b'"') = literal.first()? else { return None };
    let inner = literal.get(1..literal.len() - 1).filter(|_| literal.len() > 1 && literal.last() == Some(&quote))?;
    unescaped(inner, quote, no_backslash_escapes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_means_its_bytes() {
        for (literal, value) in [
            (&b"'KILL ?'"[..], Some(&b"KILL ?"[..])),
            (b"'it''s'", Some(b"it's")),
            (b"\"a\\\"b\"", Some(b"a\"b")),
            (b"''", Some(b"")),
            (b"'", None),
            (b"@a", None),
            (b"", None),
            (b"'a' 'b'", None),
        ] {
            assert_eq!(string_value(literal, false).as_deref(), value, "{literal:?}");
        }
        assert_eq!(string_value(b"'a\\'", true).as_deref(), Some(&b"a\\"[..]));
    }
}
