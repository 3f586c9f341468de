//! The values that a COM_STMT_EXECUTE or COM_STMT_BULK_EXECUTE brings, for the record: what each means, not how it is sent.
//!
//! ```text
//! EXECUTE: 17 | id 4 | flags 1 | iterations 4 | [count] | NULLs | types follow 1 | [types] | values
//! BULK:    fa | id 4 | flags 2 | [types] | rows, each value behind a byte: is there, NULL, DEFAULT, IGNORE
//! ```
//! A payload may be cut off at its end: what is beyond is [`Value::Unknown`].

use crate::wire::capabilities::{Capabilities, QUERY_ATTRIBUTES};
use crate::wire::command::STMT_BULK_EXECUTE;
use crate::wire::frame::Fields;

/// EXECUTE's flag: the number of parameters stands in the packet (with `QUERY_ATTRIBUTES`).
const COUNT_FOLLOWS: u8 = 0x08;
/// BULK's flag: types follow.
const TYPES_FOLLOW: u16 = 128;
/// Of a type's second byte.
const UNSIGNED: u16 = 0x8000;

/// An execution as it was sent, and what the statement's earlier commands said.
#[derive(Debug, Clone, Copy)]
pub struct Execution<'a> {
    /// The command, perhaps cut off at its end.
    pub payload: &'a [u8],
    /// How many parameters the statement has.
    pub params: u16,
    /// The types as they were sent last, for a payload without them.
    pub types: &'a [u8],
    /// What client and server agreed on.
    pub caps: Capabilities,
    /// Values that were sent ahead, by COM_STMT_SEND_LONG_DATA: the payload lacks them.
    pub long: &'a [LongData],
}

/// The beginning of a value that was sent ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongData {
    /// Which parameter, from 0.
    pub param: u16,
    /// Its first bytes.
    pub beginning: Vec<u8>,
    /// Its true length in bytes.
    pub len: u64,
}

/// One parameter's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// It was cut off, or its type is none that clients send.
    Unknown,
    /// NULL.
    Null,
    /// The column's default (bulk executions).
    Default,
    /// A signed integer of any width.
    Signed(i64),
    /// An unsigned integer of any width, and YEAR.
    Unsigned(u64),
    /// FLOAT.
    Float(f32),
    /// DOUBLE.
    Double(f64),
    /// A decimal number, in its digits.
    Decimal(&'a [u8]),
    /// Text, in the client's character set, and its true length in bytes.
    Text(&'a [u8], u64),
    /// Bytes, and their true number.
    Blob(&'a [u8], u64),
    /// DATE.
    Date(Date),
    /// DATETIME, TIMESTAMP.
    DateTime(Date, Clock),
    /// TIME.
    Time {
        /// Before zero.
        negative: bool,
        /// Whole days.
        days: u32,
        /// The rest.
        clock: Clock,
    },
}

/// A day; all zero is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Date {
    /// 0 to 9999.
    pub year: u16,
    /// 0 to 12.
    pub month: u8,
    /// 0 to 31.
    pub day: u8,
}

/// A time of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clock {
    /// Hours.
    pub hour: u8,
    /// Minutes.
    pub minute: u8,
    /// Seconds.
    pub second: u8,
    /// Microseconds.
    pub micros: u32,
}

impl<'a> Execution<'a> {
    /// The values of the statement's parameters, in order; of the first row where there are several.
    pub fn values(&self) -> Vec<Value<'a>> {
        let params = usize::from(self.params);
        let read = match self.payload.first() {
            Some(&STMT_BULK_EXECUTE) => self.of_bulk(),
            _ => self.of_one(),
        };
        let mut values = read.unwrap_or_default();
        values.resize(params, Value::Unknown);
        values
    }

    /// Whether it is one command for many rows.
    pub fn is_bulk(&self) -> bool {
        self.payload.first() == Some(&STMT_BULK_EXECUTE)
    }

    fn of_one(&self) -> Option<Vec<Value<'a>>> {
        let mut fields = Fields::new(self.payload);
        fields.bytes(5)?;
        let flags = fields.u8()?;
        fields.bytes(4)?;
        let counted = self.caps.has(QUERY_ATTRIBUTES) && flags & COUNT_FOLLOWS != 0;
        let count = if counted { usize::try_from(fields.lenenc()?).ok()? } else { usize::from(self.params) };
        let nulls = fields.bytes(count.checked_add(7)? / 8)?;
        let there = fields.u8()? != 0;
        let types = match there {
            true => read_types(&mut fields, count, counted)?,
            false => read_types(&mut Fields::new(self.types), usize::from(self.params), false)?,
        };
        let params = types.iter().take(usize::from(self.params)).enumerate();
        let is_null = |at: usize| nulls[at / 8] & 1 << (at % 8) != 0;
        Some(
            params
                .map(|(at, kind)| if is_null(at) { Value::Null } else { self.value(at, *kind, &mut fields) })
                .collect(),
        )
    }

    fn of_bulk(&self) -> Option<Vec<Value<'a>>> {
        let mut fields = Fields::new(self.payload);
        fields.bytes(5)?;
        let params = usize::from(self.params);
        let types = match fields.u16()? & TYPES_FOLLOW != 0 {
            true => read_types(&mut fields, params, false)?,
            false => read_types(&mut Fields::new(self.types), params, false)?,
        };
        Some(types.iter().map(|kind| indicated(*kind, &mut fields).unwrap_or(Value::Unknown)).collect())
    }

    fn value(&self, at: usize, kind: u16, fields: &mut Fields<'a>) -> Value<'a> {
        match self.long.iter().find(|long| usize::from(long.param) == at) {
            Some(long) if is_binary(kind) => Value::Blob(&long.beginning, long.len),
            Some(long) => Value::Text(&long.beginning, long.len),
            // Whatever follows one that cannot be read has no known place either.
            None => value(kind, fields).unwrap_or_else(|| {
                *fields = Fields::new(&[]);
                Value::Unknown
            }),
        }
    }
}

/// The types, without the names that query attributes have.
fn read_types(fields: &mut Fields<'_>, count: usize, named: bool) -> Option<Vec<u16>> {
    (0..count)
        .map(|_| {
            let kind = fields.u16();
            if named {
                fields.lenenc_bytes()?;
            }
            kind
        })
        .collect()
}

fn indicated<'a>(kind: u16, fields: &mut Fields<'a>) -> Option<Value<'a>> {
    match fields.u8()? {
        0 => value(kind, fields),
        1 => Some(Value::Null),
        2 => Some(Value::Default),
        _ => Some(Value::Unknown),
    }
}

fn value<'a>(kind: u16, fields: &mut Fields<'a>) -> Option<Value<'a>> {
    let unsigned = kind & UNSIGNED != 0;
    let integer = |bytes: &[u8]| integer(bytes, unsigned);
    Some(match kind as u8 {
        6 => Value::Null,
        1 => integer(fields.bytes(1)?),
        2 | 13 => integer(fields.bytes(2)?),
        3 | 9 => integer(fields.bytes(4)?),
        8 => integer(fields.bytes(8)?),
        4 => Value::Float(f32::from_le_bytes(fields.bytes(4)?.try_into().ok()?)),
        5 => Value::Double(f64::from_le_bytes(fields.bytes(8)?.try_into().ok()?)),
        0 | 246 => Value::Decimal(fields.lenenc_bytes()?),
        10 | 14 => Value::Date(date_time(counted(fields)?)?.0),
        7 | 12 | 17 | 18 => {
            let (date, clock) = date_time(counted(fields)?)?;
            Value::DateTime(date, clock)
        }
        11 | 19 => time(counted(fields)?)?,
        other => {
            let bytes = fields.lenenc_bytes()?;
            match is_binary(u16::from(other)) {
                true => Value::Blob(bytes, bytes.len() as u64),
                false => Value::Text(bytes, bytes.len() as u64),
            }
        }
    })
}

/// BIT, the BLOBs and GEOMETRY.
fn is_binary(kind: u16) -> bool {
    matches!(kind as u8, 16 | 249..=252 | 255)
}

fn integer(bytes: &[u8], unsigned: bool) -> Value<'static> {
    let fill = if !unsigned && bytes.last().is_some_and(|top| top & 0x80 != 0) { 0xFF } else { 0 };
    let mut all = [fill; 8];
    all[..bytes.len()].copy_from_slice(bytes);
    if unsigned { Value::Unsigned(u64::from_le_bytes(all)) } else { Value::Signed(i64::from_le_bytes(all)) }
}

/// What stands behind one byte that says how long it is.
fn counted<'a>(fields: &mut Fields<'a>) -> Option<Fields<'a>> {
    let len = fields.u8()?;
    fields.bytes(usize::from(len)).map(Fields::new)
}

/// Parts that are left out are zero.
fn date_time(mut fields: Fields<'_>) -> Option<(Date, Clock)> {
    if fields.rest().is_empty() {
        return Some(Default::default());
    }
    let date = Date { year: fields.u16()?, month: fields.u8()?, day: fields.u8()? };
    Some((date, clock(fields)?))
}

fn time(mut fields: Fields<'_>) -> Option<Value<'_>> {
    if fields.rest().is_empty() {
        return Some(Value::Time { negative: false, days: 0, clock: Clock::default() });
    }
    let (negative, days) = (fields.u8()? != 0, fields.u32()?);
    Some(Value::Time { negative, days, clock: clock(fields)? })
}

fn clock(mut fields: Fields<'_>) -> Option<Clock> {
    if fields.rest().is_empty() {
        return Some(Clock::default());
    }
    let (hour, minute, second) = (fields.u8()?, fields.u8()?, fields.u8()?);
    let micros = if fields.rest().is_empty() { 0 } else { fields.u32()? };
    Some(Clock { hour, minute, second, micros })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &[u8] = b"\x17\x01\0\0\0\0\x01\0\0\0";

    fn read(payload: &[u8], params: u16) -> Vec<Value<'_>> {
        Execution { payload, params, types: &[], caps: Capabilities::NONE, long: &[] }.values()
    }

    #[test]
    fn each_type_is_read() {
        let day = Date { year: 2024, month: 2, day: 29 };
        let clock = Clock { hour: 13, minute: 4, second: 5, micros: 0 };
        for (kind, bytes, expected) in [
            (0x0001, &b"\xFF"[..], Value::Signed(-1)),
            (0x8001, b"\xFF", Value::Unsigned(255)),
            (0x0002, b"\xFE\xFF", Value::Signed(-2)),
            (0x0003, b"\x07\0\0\0", Value::Signed(7)),
            (0x8008, b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", Value::Unsigned(u64::MAX)),
            (4, &1.5_f32.to_le_bytes(), Value::Float(1.5)),
            (5, &(-0.1_f64).to_le_bytes(), Value::Double(-0.1)),
            (246, b"\x04-1.5", Value::Decimal(b"-1.5")),
            (253, b"\x03abc", Value::Text(b"abc", 3)),
            (245, b"\x02{}", Value::Text(b"{}", 2)),
            (252, b"\x02\0\x01", Value::Blob(b"\0\x01", 2)),
            (10, b"\x04\xE8\x07\x02\x1D", Value::Date(day)),
            (12, b"\x07\xE8\x07\x02\x1D\x0D\x04\x05", Value::DateTime(day, clock)),
            (7, b"\x0B\xE8\x07\x02\x1D\x0D\x04\x05\x06\0\0\0", Value::DateTime(day, Clock { micros: 6, ..clock })),
            (12, b"\0", Value::DateTime(Date::default(), Clock::default())),
            (11, b"\x08\x01\x02\0\0\0\x0D\x04\x05", Value::Time { negative: true, days: 2, clock }),
        ] {
            let kind = u16::to_le_bytes(kind);
            let payload = [HEAD, b"\0\x01", &kind, bytes].concat();
            assert_eq!(read(&payload, 1), [expected]);
            let cut = &payload[..payload.len() - 1];
            assert_eq!(read(cut, 1), [Value::Unknown], "{kind:?}");
        }
    }

    #[test]
    fn nulls_long_data_and_left_out_types_are_known() {
        let payload = [HEAD, b"\x01\0", b"\x07"].concat();
        let long = [LongData { param: 2, beginning: b"xy".to_vec(), len: 9_000 }];
        let types = b"\x03\0\x01\0\xFC\0";
        let caps = Capabilities::NONE;
        let values = Execution { payload: &payload, params: 3, types, caps, long: &long }.values();
        assert_eq!(values, [Value::Null, Value::Signed(7), Value::Blob(b"xy", 9_000)]);
    }

    #[test]
    fn attributes_are_not_parameters() {
        let payload = b"\x17\x01\0\0\0\x08\x01\0\0\0\x02\0\x01\x01\0\0\xFD\0\x01a\x05\x01z";
        let values = Execution { payload, params: 1, types: &[], caps: QUERY_ATTRIBUTES, long: &[] }.values();
        assert_eq!(values, [Value::Signed(5)]);
    }

    #[test]
    fn the_first_row_of_a_bulk_is_read() {
        let payload = b"\xFA\x01\0\0\0\x80\0\x03\0\xFD\0\0\x07\0\0\0\x01\0\x08\0\0\0\0\x01b";
        assert_eq!(read(payload, 2), [Value::Signed(7), Value::Null]);
    }

    proptest! {
        #[test]
        fn any_bytes_give_as_many_values_as_there_are_parameters(bytes: Vec<u8>, params in 0..9u16, types: Vec<u8>, flag: bool) {
            let caps = if flag { QUERY_ATTRIBUTES } else { Capabilities::NONE };
            for code in [0x17, STMT_BULK_EXECUTE] {
                let payload = [&[code][..], &bytes].concat();
                let execution = Execution { payload: &payload, params, types: &types, caps, long: &[] };
                prop_assert_eq!(execution.values().len(), usize::from(params));
            }
        }
    }
}
