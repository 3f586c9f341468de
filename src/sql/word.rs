//! Words of up to eight bytes as one number, so that a keyword test is one comparison.

/// `text`, which must be ASCII lower case and at most eight bytes, as [`key`] gives it.
pub const fn pack(text: &str) -> u64 {
    let bytes = text.as_bytes();
    assert!(bytes.len() <= 8);
    let mut packed = 0;
    let mut at = 0;
    while at < bytes.len() {
        packed |= (bytes[at] as u64) << (8 * at);
        at += 1;
    }
    packed
}

/// The word at `sql[start..end]` in lower case, first byte lowest; 0 if it is longer than eight bytes.
#[inline]
pub fn key(sql: &[u8], start: usize, end: usize) -> u64 {
    let len = end - start;
    if len > 8 || len == 0 {
        return 0;
    }
    let raw = match sql.get(start..start + 8).and_then(|bytes| bytes.try_into().ok()) {
        Some(bytes) => u64::from_le_bytes(bytes) & (u64::MAX >> (64 - 8 * len)),
        None => load_short(&sql[start..end]),
    };
    lower(raw)
}

/// Up to eight bytes, first byte lowest; longer slices are cut.
#[inline]
pub fn load_short(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |packed, &byte| packed << 8 | u64::from(byte))
}

/// Eight bytes at once: `A`-`Z` become `a`-`z`, all others stay.
#[inline]
pub const fn lower(bytes: u64) -> u64 {
    const LOW7: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const ONES: u64 = 0x0101_0101_0101_0101;
    let low = bytes & LOW7;
    let from_a = low + ONES * (0x80 - b'A' as u64);
    let past_z = low + ONES * (0x7f - b'Z' as u64);
    bytes | ((from_a & !past_z & !bytes & HIGH) >> 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_lowered_as_ascii() {
        for byte in 0..=u8::MAX {
            let bytes = u64::from_le_bytes([byte, b'a', b'Z', byte, 0xff, 0, b'@', b'[']);
            let expected = bytes.to_le_bytes().map(|byte| byte.to_ascii_lowercase());
            assert_eq!(lower(bytes), u64::from_le_bytes(expected));
        }
    }

    #[test]
    fn a_key_is_the_packed_lower_case_word() {
        let sql = b"SELECT abcdefgh Limit";
        assert_eq!(key(sql, 0, 6), pack("select"));
        assert_eq!(key(sql, 7, 15), pack("abcdefgh"));
        assert_eq!(key(sql, 16, 21), pack("limit"));
        assert_eq!(key(sql, 0, 9), 0);
        assert_eq!(key(sql, 3, 3), 0);
    }
}
