//! Reading user variables whose values no text tells, so that they can be set again with the same value, type, character
//! set and collation.
//!
//! Types are the columns' own: MySQL and MariaDB describe a user variable by its value. A DOUBLE has no text that means
//! it exactly; it, and what else is not sure, is not carried: the backend must be kept.

use crate::session::charset::is_well_formed;
use crate::session::quote::{is_word, put_name};
use crate::session::state::UserValue;

const LONGLONG: u8 = 8;
const NEWDECIMAL: u8 = 246;
/// Of a column definition's flags.
const UNSIGNED: u16 = 32;
/// How many columns are read of each variable.
const COLUMNS: usize = 4;

/// A column of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The protocol's number for its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u16,
}

/// Variables, and the SELECT that reads them.
pub type Question<'a, 'n> = (&'a [&'n [u8]], String);

/// The SELECTs of up to `most` bytes that read these variables (in small letters, without `@`).
/// `None` where a name cannot be quoted safely: the backend must be kept.
pub fn questions<'a, 'n>(names: &'a [&'n [u8]], most: usize) -> Option<Vec<Question<'a, 'n>>> {
    let mut questions = Vec::new();
    let mut rest = names;
    while !rest.is_empty() {
        let (mut count, mut sql) = (rest.len(), question(rest)?);
        while sql.len() > most && count > 1 {
            count /= 2;
            sql = question(&rest[..count])?;
        }
        let (now, later) = rest.split_at(count);
        questions.push((now, sql));
        rest = later;
    }
    Some(questions)
}

/// The SELECT that reads these variables; `None` for none of them, too.
pub fn question(names: &[&[u8]]) -> Option<String> {
    let mut sql = String::from("SELECT ");
    for (at, name) in names.iter().enumerate() {
        let mut variable = String::from("@");
        put_name(&mut variable, name)?;
        let comma = if at == 0 { "" } else { "," };
        sql += &format!("{comma}{variable},HEX({variable}),CHARSET({variable}),COLLATION({variable})");
    }
    // The session's sql_select_limit may be 0.
    (!names.is_empty()).then_some(sql + " LIMIT 1")
}

/// A variable's name, and its value as it can be carried.
pub type Read = (Box<[u8]>, Option<UserValue>);

/// The values in the answer to [`question`]: its columns, and its one row. A value of `None` cannot be carried.
/// `None`: this is no such answer.
pub fn answers(names: &[&[u8]], columns: &[Column], row: &[Option<Vec<u8>>]) -> Option<Vec<Read>> {
    let is_whole = columns.len() == row.len() && row.len() == names.len() * COLUMNS;
    is_whole.then_some(())?;
    let variables = names.iter().zip(columns.chunks(COLUMNS)).zip(row.chunks(COLUMNS));
    Some(variables.map(|((name, columns), row)| (Box::from(*name), value(columns[0], row))).collect())
}

fn value(column: Column, row: &[Option<Vec<u8>>]) -> Option<UserValue> {
    let [plain, hex, charset, collation] = row else { return None };
    let Some(plain) = plain else { return null(column, charset.as_deref()) };
    match column.kind {
        LONGLONG => integer(plain, column.flags & UNSIGNED != 0),
        NEWDECIMAL => decimal(plain),
        _ if is_string(column.kind) => text(hex.as_deref()?, charset.as_deref()?, collation.as_deref()?),
        _ => None,
    }
}

/// A NULL that was never anything else is binary; another one keeps a type that no text gives it.
fn null(column: Column, charset: Option<&[u8]>) -> Option<UserValue> {
    (is_string(column.kind) && charset == Some(b"binary")).then(|| UserValue::Literal(Box::from(&b"NULL"[..])))
}

fn integer(text: &[u8], unsigned: bool) -> Option<UserValue> {
    let text = std::str::from_utf8(text).ok()?;
    let literal = match unsigned {
        // A literal is signed as long as it fits.
        true => format!("CAST({} AS UNSIGNED)", text.parse::<u64>().ok()?),
        // Its literal would be a minus before a number that does not fit.
        false if text.parse::<i64>().ok()? == i64::MIN => return None,
        false => text.to_owned(),
    };
    Some(UserValue::Literal(literal.into_bytes().into()))
}

fn decimal(text: &[u8]) -> Option<UserValue> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_decimal = !digits.is_empty() && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    // Without a point the literal would be an integer.
    (is_decimal && digits.contains(&b'.')).then(|| UserValue::Literal(text.into()))
}

fn text(hex: &[u8], charset: &[u8], collation: &[u8]) -> Option<UserValue> {
    let bytes = unhex(hex)?;
    (is_word(charset) && is_word(collation) && is_well_formed(&bytes, charset)).then_some(())?;
    Some(UserValue::Text {
        bytes: bytes.into(),
        client: charset.into(),
        connection: charset.into(),
        // `binary` is a keyword, and the only one that its character set has.
        collation: (collation != b"binary").then(|| collation.into()),
    })
}

/// VARCHAR, the BLOBs, VAR_STRING and STRING.
fn is_string(kind: u8) -> bool {
    matches!(kind, 15 | 249..=254)
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = text.as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(kind: u8, flags: u16, row: [Option<&str>; COLUMNS]) -> Option<UserValue> {
        let row: Vec<_> = row.iter().map(|field| field.map(|field| field.as_bytes().to_vec())).collect();
        let columns = [Column { kind, flags }; COLUMNS];
        answers(&[b"a"], &columns, &row).expect("an answer").remove(0).1
    }

    fn literal(text: &str) -> Option<UserValue> {
        Some(UserValue::Literal(text.as_bytes().into()))
    }

    #[test]
    fn the_question_quotes_its_names() {
        let sql = "SELECT @`a`,HEX(@`a`),CHARSET(@`a`),COLLATION(@`a`) LIMIT 1";
        assert_eq!(question(&[b"a"]).as_deref(), Some(sql));
        assert_eq!(question(&[b"a`b"]), None);
        assert_eq!(question(&[]), None);
    }

    #[test]
    fn what_has_an_exact_literal_is_carried() {
        let binary = [Some("7"), Some("37"), Some("binary"), Some("binary")];
        assert_eq!(one(LONGLONG, 0, binary), literal("7"));
        assert_eq!(one(LONGLONG, UNSIGNED, binary), literal("CAST(7 AS UNSIGNED)"));
        assert_eq!(one(LONGLONG, 0, [Some("-9223372036854775808"), None, None, None]), None);
        assert_eq!(one(NEWDECIMAL, 0, [Some("-1.50"), None, None, None]), literal("-1.50"));
        assert_eq!(one(NEWDECIMAL, 0, [Some("100"), None, None, None]), None);
        assert_eq!(one(5, 0, [Some("0.1"), None, None, None]), None, "a DOUBLE");
        assert_eq!(one(251, 0, [None, None, Some("binary"), Some("binary")]), literal("NULL"));
        assert_eq!(one(251, 0, [None, None, Some("utf8mb4"), None]), None);
        let text = one(251, 0, [Some("e"), Some("E9"), Some("latin1"), Some("latin1_bin")]);
        let Some(UserValue::Text { bytes, connection, collation, .. }) = text else { panic!("{text:?}") };
        assert_eq!((&*bytes, &*connection), (&b"\xE9"[..], &b"latin1"[..]));
        assert_eq!(collation.as_deref(), Some(&b"latin1_bin"[..]));
    }

    #[test]
    fn another_shape_is_no_answer() {
        assert_eq!(answers(&[b"a"], &[], &[]), None);
    }
}
