//! A prepared statement with its parameters in the place of its `?`, for people and tools that read the record.
//!
//! Strings are quoted as under the usual SQL mode, on one line; what is no plain text is written in hexadecimal, in small
//! letters, which every tool takes for one value. Long values are cut, and say so. The statement's digest stays that of its
//! text: each value is one literal to a fingerprint, as its `?` was.

use std::fmt::Write;

use crate::sql::lexer::{Dialect, Kind, Lexer};
use crate::wire::parameters::{Clock, Date, Execution, Value};

/// The most bytes of one value that are shown.
pub(crate) const MAX_VALUE_BYTES: usize = 1024;

/// How the text is read, as for its digest.
const READING: Dialect = Dialect { mariadb: true, ..Dialect::PLAIN };

/// A statement as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filled {
    /// Its text.
    pub text: Vec<u8>,
    /// It is what was executed: no value was cut or is unknown.
    pub is_exact: bool,
}

/// `sql` with the execution's values.
pub(crate) fn fill(sql: &[u8], execution: &Execution<'_>) -> Filled {
    let mut filled = Filled { text: Vec::with_capacity(sql.len() + 64), is_exact: !execution.is_bulk() };
    let mut values = execution.values().into_iter();
    let mut done = 0;
    for place in Lexer::new(sql, READING).filter(|token| token.kind == Kind::Placeholder) {
        let Some(value) = values.next() else { break };
        filled.text.extend_from_slice(&sql[done..place.start]);
        filled.put(&value);
        done = place.end;
    }
    filled.text.extend_from_slice(&sql[done..]);
    filled.is_exact &= values.next().is_none();
    if execution.is_bulk() {
        filled.text.extend_from_slice(b" /* the first row of several */");
    }
    filled
}

impl Filled {
    fn put(&mut self, value: &Value<'_>) {
        // `a-?` must not become a comment.
        let is_negative = matches!(value, Value::Signed(..0)) || matches!(value, Value::Double(n) if *n < 0.0);
        if is_negative && self.text.last() == Some(&b'-') {
            self.text.push(b' ');
        }
        match *value {
            Value::Unknown => {
                self.is_exact = false;
                self.text.push(b'?');
            }
            Value::Text(bytes, len) => self.put_bytes(bytes, len, is_plain(bytes)),
            Value::Blob(bytes, len) => self.put_bytes(bytes, len, bytes.is_empty()),
            Value::Decimal(digits) if !is_decimal(digits) => {
                self.put_bytes(digits, digits.len() as u64, is_plain(digits))
            }
            value => self.text.extend_from_slice(literal(&value).as_bytes()),
        }
    }

    fn put_bytes(&mut self, bytes: &[u8], len: u64, as_text: bool) {
        let shown = match as_text {
            true => self.put_string(bytes),
            false => self.put_hex(bytes),
        };
        let cut = len.saturating_sub(shown as u64);
        if cut > 0 {
            self.is_exact = false;
            self.text.extend_from_slice(format!(" /*... {cut} bytes cut ...*/").as_bytes());
        }
    }

    /// Returns how many bytes are shown.
    fn put_string(&mut self, text: &[u8]) -> usize {
        let whole = String::from_utf8_lossy(text);
        let shown = &whole[..whole.floor_char_boundary(MAX_VALUE_BYTES.min(whole.len()))];
        self.text.push(b'\'');
        for byte in shown.bytes() {
            match byte {
                b'\n' => self.text.extend_from_slice(b"\\n"),
                b'\r' => self.text.extend_from_slice(b"\\r"),
                b'\'' | b'"' | b'\\' => self.text.extend_from_slice(&[b'\\', byte]),
                byte => self.text.push(byte),
            }
        }
        self.text.push(b'\'');
        shown.len()
    }

    fn put_hex(&mut self, bytes: &[u8]) -> usize {
        let shown = &bytes[..bytes.len().min(MAX_VALUE_BYTES / 2)];
        let mut hex = String::from("0x");
        for byte in shown {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        self.text.extend_from_slice(hex.as_bytes());
        shown.len()
    }
}

/// What can stand in quotes, read by any tool: text without control characters that does not end in a backslash.
fn is_plain(bytes: &[u8]) -> bool {
    let is_control = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\n' | b'\r' | b'\t');
    let shown = &bytes[..bytes.len().min(MAX_VALUE_BYTES)];
    // A value that is cut may end within a character.
    let is_text = std::str::from_utf8(shown).is_ok_and(|_| true)
        || std::str::from_utf8(shown).is_err_and(|error| error.error_len().is_none() && shown.len() < bytes.len());
    is_text && !shown.iter().any(is_control) && shown.last() != Some(&b'\\')
}

fn is_decimal(digits: &[u8]) -> bool {
    let bare = digits.strip_prefix(b"-").unwrap_or(digits);
    bare.first().is_some_and(u8::is_ascii_digit) && bare.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

fn literal(value: &Value<'_>) -> String {
    match *value {
        Value::Null => "NULL".into(),
        Value::Default => "DEFAULT".into(),
        Value::Signed(n) => n.to_string(),
        Value::Unsigned(n) => n.to_string(),
        Value::Float(n) if n.is_finite() => format!("{n:e}"),
        Value::Double(n) if n.is_finite() => format!("{n:e}"),
        Value::Float(_) | Value::Double(_) => "'NaN'".into(),
        Value::Decimal(digits) => String::from_utf8_lossy(digits).into_owned(),
        Value::Date(day) => format!("'{}'", date(day)),
        Value::DateTime(day, time) => format!("'{} {}'", date(day), clock(u32::from(time.hour), time)),
        Value::Time { negative, days, clock: time } => {
            let sign = if negative { "-" } else { "" };
            format!("'{sign}{}'", clock(days.saturating_mul(24).saturating_add(time.hour.into()), time))
        }
        Value::Unknown | Value::Text(..) | Value::Blob(..) => "?".into(),
    }
}

fn date(day: Date) -> String {
    format!("{:04}-{:02}-{:02}", day.year, day.month, day.day)
}

fn clock(hours: u32, time: Clock) -> String {
    let fraction = if time.micros == 0 { String::new() } else { format!(".{:06}", time.micros) };
    format!("{hours:02}:{:02}:{:02}{fraction}", time.minute, time.second)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sql::digest::fingerprint;
    use crate::wire::capabilities::Capabilities;

    fn filled(value: Value<'_>) -> (String, bool) {
        let mut filled = Filled { text: Vec::new(), is_exact: true };
        filled.put(&value);
        (String::from_utf8(filled.text).unwrap(), filled.is_exact)
    }

    fn shown(value: Value<'_>) -> String {
        filled(value).0
    }

    #[test]
    fn each_type_has_its_literal() {
        let day = Date { year: 2024, month: 2, day: 9 };
        let time = Clock { hour: 3, minute: 4, second: 5, micros: 60 };
        let whole = Clock { micros: 0, ..time };
        for (value, expected) in [
            (Value::Null, "NULL"),
            (Value::Signed(-7), "-7"),
            (Value::Unsigned(u64::MAX), "18446744073709551615"),
            (Value::Double(0.1), "1e-1"),
            (Value::Float(1.5), "1.5e0"),
            (Value::Double(f64::NAN), "'NaN'"),
            (Value::Decimal(b"-10.50"), "-10.50"),
            (Value::Decimal(b"1;x"), "'1;x'"),
            (Value::Text(b"it's \"a\"\n\\b", 11), r#"'it\'s \"a\"\n\\b'"#),
            (Value::Text("gr\u{fc}n".as_bytes(), 5), "'gr\u{fc}n'"),
            (Value::Text(b"", 0), "''"),
            (Value::Text(b"\xE9", 1), "0xe9"),
            (Value::Text(b"a\\", 2), "0x615c"),
            (Value::Text(b"a\0", 2), "0x6100"),
            (Value::Blob(b"\0\xFFa", 3), "0x00ff61"),
            (Value::Blob(b"", 0), "''"),
            (Value::Date(day), "'2024-02-09'"),
            (Value::DateTime(day, whole), "'2024-02-09 03:04:05'"),
            (Value::DateTime(day, time), "'2024-02-09 03:04:05.000060'"),
            (Value::Time { negative: true, days: 2, clock: whole }, "'-51:04:05'"),
        ] {
            assert_eq!(filled(value), (expected.to_owned(), true), "{value:?}");
        }
        assert_eq!(filled(Value::Unknown), ("?".into(), false));
    }

    #[test]
    fn long_values_are_cut_and_say_so() {
        let text = "\u{fc}".repeat(5_000);
        let (shown_text, is_exact) = filled(Value::Text(text.as_bytes(), 10_000));
        assert!(shown_text.ends_with("\u{fc}' /*... 8976 bytes cut ...*/") && !is_exact, "{shown_text}");
        let blob = shown(Value::Blob(&[0xAB; 2_000], 1 << 30));
        assert!(blob.ends_with(" /*... 1073741312 bytes cut ...*/") && blob.len() < 1_100);
    }

    #[test]
    fn values_stand_in_the_place_of_their_marks() {
        let payload = b"\x17\x01\0\0\0\0\x01\0\0\0\0\x01\x03\0\xFD\0\xFB\xFF\xFF\xFF\x02it";
        let execution = Execution { payload, params: 2, types: &[], caps: Capabilities::NONE, long: &[] };
        let text = fill(b"SELECT '?', a-? /* ? */ FROM t WHERE b = ?", &execution);
        assert_eq!(String::from_utf8_lossy(&text.text), "SELECT '?', a- -5 /* ? */ FROM t WHERE b = 'it'");
        assert!(text.is_exact);
        let cut = fill(b"SELECT ?, '", &execution);
        assert_eq!((String::from_utf8_lossy(&cut.text), cut.is_exact), ("SELECT -5, '".into(), false));
    }

    proptest! {
        #[test]
        fn a_filled_text_has_the_fingerprint_of_its_statement(bytes: Vec<u8>, text: String, number: i64, blob: bool) {
            let value = match blob {
                true => Value::Blob(&bytes, bytes.len() as u64),
                false => Value::Text(text.as_bytes(), text.len() as u64),
            };
            for value in [value, Value::Signed(number), Value::Double(number as f64 / 3.0)] {
                let one = format!("select a from t where b = {} and c > 1", shown(value));
                prop_assert_eq!(fingerprint(one.as_bytes()), "select a from t where b = ? and c > ?");
            }
        }
    }
}
