//! Names of histograms in an interval log.
//!
//! | tag | histogram |
//! |---|---|
//! | (none) | the total |
//! | `phase=server` | one phase, of all commands |
//! | `pool=app` | totals per account: of those below that have no place in `label=other` |
//! | `user=app;schema=shop` | totals per account and schema; `label=other` for the rest |
//! | `digest=0123456789abcdef` | totals per digest; `digest=other` for the rest |
//!
//! The format allows neither commas nor blanks nor line ends in a tag. So names are percent-encoded: every byte but ASCII
//! letters, digits and `-_.$@:/` becomes `%` and two hexadecimal digits, as in a URL ([`decode`] undoes it).

use std::fmt::Write;

/// The labels that no table had room for.
pub const OTHER_LABELS: &str = "label=other";
/// The digests that no table had room for.
pub const OTHER_DIGESTS: &str = "digest=other";

/// A phase's tag.
pub fn phase(name: &str) -> String {
    format!("phase={name}")
}

/// The tag of an account's pool.
pub fn pool(user: &str) -> String {
    format!("pool={}", encode(user))
}

/// The tag of an account and a schema (empty: none).
pub fn label(user: &str, schema: &str) -> String {
    format!("user={};schema={}", encode(user), encode(schema))
}

/// A digest's tag.
pub fn digest(digest: u64) -> String {
    format!("digest={digest:016x}")
}

/// A name as it stands in a tag.
pub fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(byte.into()),
            b'-' | b'_' | b'.' | b'$' | b'@' | b':' | b'/' => out.push(byte.into()),
            // Writing to a String cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

/// A name as it was before [`encode`]; what is no escape stays as it is, invalid UTF-8 is replaced.
pub fn decode(encoded: &str) -> String {
    let mut out = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        match escaped(rest) {
            Some(decoded) => {
                out.push(decoded);
                rest = &rest[3..];
            }
            None => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn escaped(text: &[u8]) -> Option<u8> {
    let hex = text.strip_prefix(b"%")?.get(..2)?;
    let digits = std::str::from_utf8(hex).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_were() {
        for name in ["app", "a b,c;d=e%f\r\n", "größe", "", "100%", "%41"] {
            let encoded = encode(name);
            assert!(!encoded.contains([' ', ',', ';', '=', '\r', '\n']), "{encoded}");
            assert_eq!(decode(&encoded), name);
        }
        assert_eq!(decode("%4"), "%4");
        assert_eq!(decode("%+1"), "%+1");
    }

    #[test]
    fn a_tag_has_its_parts() {
        assert_eq!(label("app", "my shop"), "user=app;schema=my%20shop");
        assert_eq!(digest(0xABC), "digest=0000000000000abc");
        assert_eq!(phase("queue"), "phase=queue");
    }
}
