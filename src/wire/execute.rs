//! COM_STMT_EXECUTE and COM_STMT_BULK_EXECUTE: which statement, and the types of its parameters.
//!
//! ```text
//! EXECUTE: 17 | id 4 | flags 1 | iterations 4 | [count] | NULLs | types follow 1 | [types] | values
//! BULK:    fa | id 4 | flags 2 | [types] | rows
//! ```
//! A server remembers a statement's types; a client sends them once and leaves them out from then on.

use std::borrow::Cow;
use std::ops::Range;

use crate::wire::capabilities::{Capabilities, QUERY_ATTRIBUTES};
use crate::wire::command::STMT_BULK_EXECUTE;
use crate::wire::frame::Fields;

/// EXECUTE's flag: the number of parameters stands in the packet (with `QUERY_ATTRIBUTES`).
const COUNT_FOLLOWS: u8 = 0x08;
/// BULK's flag: types follow.
const TYPES_FOLLOW: u16 = 128;
/// Where the statement's id stands in the payload.
pub const ID: Range<usize> = 1..5;

/// Where a COM_STMT_EXECUTE's flags stand in its payload.
pub const FLAGS: usize = 5;

/// Those of the flags that ask for a cursor: read only, for update, scrollable.
pub const CURSORS: u8 = 7;

/// Where the types stand in a payload, or would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Types {
    /// Their place; empty where they were left out.
    pub at: Range<usize>,
    /// The byte that says whether they are there, and what it is then.
    flag: (usize, u8),
    /// A name stands behind each: query attributes may follow the parameters.
    named: bool,
    /// Of how many, attributes among them.
    count: usize,
    params: usize,
}

impl Types {
    /// Of an execution with so many parameters. `None`: it has none, or is malformed.
    pub fn of(payload: &[u8], params: u16, caps: Capabilities) -> Option<Types> {
        match payload.first() {
            Some(&STMT_BULK_EXECUTE) => Types::of_bulk(payload, params),
            _ => Types::of_one(payload, params, caps),
        }
    }

    /// Whether the client sent them.
    pub fn are_there(&self) -> bool {
        !self.at.is_empty()
    }

    /// Those of the statement's parameters, two bytes each, as they stand in the payload; what else is there is about this
    /// execution alone.
    pub fn sent<'a>(&self, payload: &'a [u8]) -> Cow<'a, [u8]> {
        let types = &payload[self.at.clone()];
        if !self.named {
            return types.into();
        }
        let mut fields = Fields::new(types);
        let one = |_| fields.bytes(2).zip(fields.lenenc_bytes()).map(|(kind, _)| kind.to_vec());
        (0..self.params.min(self.count)).map_while(one).flatten().collect::<Vec<_>>().into()
    }

    /// The payload with these types of its parameters, which were left out. Where it has attributes, whose types nobody knows, it
    /// stays as it is.
    pub fn put(&self, payload: &[u8], types: &[u8]) -> Vec<u8> {
        if self.count != self.params {
            return payload.to_vec();
        }
        let mut out = Vec::with_capacity(payload.len() + 2 * types.len());
        out.extend_from_slice(&payload[..self.at.start]);
        match self.named {
            // No name is one of no bytes.
            true => types.chunks(2).for_each(|kind| out.extend([kind, &[0]].concat())),
            false => out.extend_from_slice(types),
        }
        out.extend_from_slice(&payload[self.at.end..]);
        out[self.flag.0] |= self.flag.1;
        out
    }

    fn of_one(payload: &[u8], params: u16, caps: Capabilities) -> Option<Types> {
        let mut fields = Fields::new(payload);
        fields.bytes(5)?;
        let flags = fields.u8()?;
        fields.bytes(4)?;
        let named = caps.has(QUERY_ATTRIBUTES);
        let counted = named && flags & COUNT_FOLLOWS != 0;
        let count = if counted { usize::try_from(fields.lenenc()?).ok()? } else { usize::from(params) };
        if count == 0 {
            return None;
        }
        fields.bytes(count.checked_add(7)? / 8)?;
        let flag = payload.len() - fields.rest().len();
        let there = fields.u8()? != 0;
        let start = payload.len() - fields.rest().len();
        if there {
            for _ in 0..count {
                fields.u16()?;
                if counted {
                    fields.lenenc_bytes()?;
                }
            }
        }
        let at = start..payload.len() - fields.rest().len();
        Some(Types { at, flag: (flag, 1), named: counted, count, params: usize::from(params) })
    }

    fn of_bulk(payload: &[u8], params: u16) -> Option<Types> {
        let mut fields = Fields::new(payload);
        fields.bytes(5)?;
        let there = fields.u16()? & TYPES_FOLLOW != 0;
        let params = usize::from(params);
        let len = if there { 2 * params } else { 0 };
        fields.bytes(len)?;
        let flag = (5, TYPES_FOLLOW as u8);
        (params > 0).then_some(Types { at: 7..7 + len, flag, named: false, count: params, params })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(with: &[u8], without: &[u8], params: u16, caps: Capabilities, types: &[u8]) {
        let there = Types::of(with, params, caps).expect("types");
        assert_eq!((there.are_there(), &*there.sent(with)), (true, types));
        let left_out = Types::of(without, params, caps).expect("a place for types");
        assert!(!left_out.are_there());
        assert_eq!(left_out.put(without, types), with);
    }

    #[test]
    fn types_are_found_and_put_where_they_were_left_out() {
        let none = Capabilities::NONE;
        check(
            b"\x17\x01\0\0\0\0\x01\0\0\0\0\x01\x03\0\xfe\0xyz",
            b"\x17\x01\0\0\0\0\x01\0\0\0\0\0xyz",
            2,
            none,
            b"\x03\0\xfe\0",
        );
        check(b"\xfa\x01\0\0\0\x80\0\x03\0xyz", b"\xfa\x01\0\0\0\0\0xyz", 1, none, b"\x03\0");
        check(
            b"\x17\x01\0\0\0\x08\x01\0\0\0\x01\0\x01\x03\0\0xyz",
            b"\x17\x01\0\0\0\x08\x01\0\0\0\x01\0\0xyz",
            1,
            QUERY_ATTRIBUTES,
            b"\x03\0",
        );
        // An attribute is none of the statement's parameters.
        let attribute = b"\x17\x01\0\0\0\x08\x01\0\0\0\x02\0\x01\x03\0\x01p\xfe\0\x01axyz";
        let types = Types::of(attribute, 1, QUERY_ATTRIBUTES).expect("types");
        assert_eq!(*types.sent(attribute), *b"\x03\0");
        let without = b"\x17\x01\0\0\0\x08\x01\0\0\0\x02\0\0xyz";
        let types = Types::of(without, 1, QUERY_ATTRIBUTES).expect("a place for types");
        assert_eq!(types.put(without, b"\x03\0"), without);
        assert_eq!(Types::of(b"\x17\x01\0\0\0\0\x01\0\0\0", 0, none), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>, params in 0..9u16, caps: bool) {
            let caps = if caps { QUERY_ATTRIBUTES } else { Capabilities::NONE };
            for code in [0x17, STMT_BULK_EXECUTE] {
                let payload = [&[code][..], &bytes].concat();
                if let Some(types) = Types::of(&payload, params, caps) {
                    prop_assert!(types.sent(&payload).len() <= types.at.len());
                    let put = types.put(&payload, b"").len();
                    prop_assert!(put == payload.len() || put + types.at.len() == payload.len());
                }
            }
        }
    }
}
