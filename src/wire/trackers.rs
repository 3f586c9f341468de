//! Session trackers: what an OK packet says has changed in the session, where `SESSION_TRACK` was agreed on.
//!
//! ```text
//!  OK head | info: length, text | all trackers: length, then of each: kind, length, content
//!                                 SYSTEM_VARIABLES  name, value (once; old MariaDB several times)
//!                                 SCHEMA            name          TRANSACTION_CHARACTERISTICS  statements
//!                                 STATE_CHANGE      "0" or "1"    TRANSACTION_STATE            8 characters
//!                                 GTIDS             encoding, text
//! ```
//!
//! Seen on MariaDB 10.11 and 11.8 and on MySQL 9.7: one entry per variable. MySQL's come in the order of their names,
//! MariaDB's in the order of a hash. Both write `SET timestamp = DEFAULT` with the value that was in force before.

use crate::wire::frame::Fields;
use crate::wire::ok::Ok;
use crate::wire::status::SESSION_STATE_CHANGED;

/// SESSION_TRACK_SYSTEM_VARIABLES
pub const SYSTEM_VARIABLES: u8 = 0;
/// SESSION_TRACK_SCHEMA
pub const SCHEMA: u8 = 1;
/// SESSION_TRACK_STATE_CHANGE
pub const STATE_CHANGE: u8 = 2;
/// SESSION_TRACK_GTIDS
pub const GTIDS: u8 = 3;
/// SESSION_TRACK_TRANSACTION_CHARACTERISTICS
pub const TRANSACTION_CHARACTERISTICS: u8 = 4;
/// SESSION_TRACK_TRANSACTION_STATE
pub const TRANSACTION_STATE: u8 = 5;

/// One thing that has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracker<'a> {
    /// A system variable of the session has been set. NULL comes as an empty value.
    Variable {
        /// Its name, in small letters.
        name: &'a [u8],
        /// Its value as text.
        value: &'a [u8],
    },
    /// The schema is this one now; empty: none, it was dropped.
    Schema(&'a [u8]),
    /// Something in the session's state has changed.
    StateChange,
    /// GTIDs of what was committed.
    Gtids(&'a [u8]),
    /// The statements that would begin a transaction like the present or the next one; empty: nothing special.
    Characteristics(&'a [u8]),
    /// The transaction's state.
    Transaction(Transaction<'a>),
    /// A kind that is not known here.
    Unknown(u8),
}

/// A transaction's state: eight characters, `_` where something is not so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transaction<'a>(pub &'a [u8]);

impl Transaction<'_> {
    /// Begun by a statement (`T`) or by itself, with autocommit off (`I`).
    pub fn is_open(self) -> bool {
        matches!(self.0.first(), Some(b'T' | b'I'))
    }

    /// LOCK TABLES is in force.
    pub fn locks_tables(self) -> bool {
        self.0.get(7) == Some(&b'L')
    }
}

/// An OK payload taken apart, for a connection where `SESSION_TRACK` was agreed on.
#[derive(Debug, Clone, Copy)]
pub struct Tracked<'a> {
    /// The fixed part.
    pub ok: Ok,
    /// The fixed part's bytes, with the header byte.
    pub head: &'a [u8],
    /// The info text, without its length.
    pub info: &'a [u8],
    /// What has changed.
    pub trackers: Trackers<'a>,
}

impl<'a> Tracked<'a> {
    /// Reads a payload that begins with 0x00 or 0xFE. `None` if any part of it is malformed: what is returned can be
    /// iterated without errors.
    pub fn parse(payload: &'a [u8]) -> Option<Self> {
        let ok = Ok::parse(payload)?;
        let mut fields = Fields::new(payload);
        fields.u8()?;
        fields.lenenc()?;
        fields.lenenc()?;
        fields.bytes(4)?;
        let head = &payload[..payload.len() - fields.rest().len()];
        let info = if fields.rest().is_empty() { &[][..] } else { fields.lenenc_bytes()? };
        let has_trackers = ok.status & SESSION_STATE_CHANGED != 0 && !fields.rest().is_empty();
        let trackers = if has_trackers { block(fields.rest())? } else { &[] };
        let whole = (has_trackers || fields.rest().is_empty())
            && entries(trackers).all(|entry| entry.is_some_and(Entry::is_whole));
        whole.then_some(Tracked { ok, head, info, trackers: Trackers { entries: trackers, variables: &[] } })
    }
}

/// The trackers behind their length. Where the schema's character set has characters of two or four bytes, MariaDB pads the length
/// with zeros to that size (seen on 10.11 and 11.8: `USE` of a schema in utf16 or utf32).
fn block(padded: &[u8]) -> Option<&[u8]> {
    const MOST: usize = 3;
    let is_zero = |byte: &&u8| **byte == 0;
    let zeros = padded.iter().take(MOST).take_while(is_zero).count();
    (0..=zeros).find_map(|skipped| {
        let mut fields = Fields::new(&padded[skipped..]);
        let block = fields.lenenc_bytes()?;
        fields.rest().is_empty().then_some(block)
    })
}

/// What an OK packet announces, in order. No allocation.
#[derive(Debug, Clone, Copy)]
pub struct Trackers<'a> {
    entries: &'a [u8],
    /// The rest of an entry with several variables.
    variables: &'a [u8],
}

impl<'a> Trackers<'a> {
    /// The entries as they stand on the wire.
    pub(super) fn entries(self) -> impl Iterator<Item = Entry<'a>> {
        entries(self.entries).flatten()
    }
}

impl<'a> Iterator for Trackers<'a> {
    type Item = Tracker<'a>;

    fn next(&mut self) -> Option<Tracker<'a>> {
        while self.variables.is_empty() {
            let entry = Entry::read(&mut self.entries)?;
            match entry.kind {
                SYSTEM_VARIABLES => self.variables = entry.content,
                _ => return entry.tracker(),
            }
        }
        let (name, value) = variable(&mut self.variables)?;
        Some(Tracker::Variable { name, value })
    }
}

/// One entry: its kind and its content.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub kind: u8,
    pub content: &'a [u8],
}

impl<'a> Entry<'a> {
    fn read(rest: &mut &'a [u8]) -> Option<Self> {
        let mut fields = Fields::new(rest);
        let entry = Entry { kind: fields.u8()?, content: fields.lenenc_bytes()? };
        *rest = fields.rest();
        Some(entry)
    }

    fn is_whole(self) -> bool {
        match self.kind {
            SYSTEM_VARIABLES => !self.content.is_empty() && self.variables().all(|pair| pair.is_some()),
            _ => self.tracker().is_some(),
        }
    }

    /// The names and values of a [`SYSTEM_VARIABLES`] entry; `None` and the end where it is malformed.
    pub fn variables(self) -> impl Iterator<Item = Option<(&'a [u8], &'a [u8])>> {
        let mut rest = self.content;
        std::iter::from_fn(move || (!rest.is_empty()).then(|| variable(&mut rest).or_else(|| none(&mut rest))))
    }

    fn tracker(self) -> Option<Tracker<'a>> {
        let mut fields = Fields::new(self.content);
        Some(match self.kind {
            SCHEMA => Tracker::Schema(fields.lenenc_bytes()?),
            STATE_CHANGE => Tracker::StateChange,
            GTIDS => {
                fields.u8()?;
                Tracker::Gtids(fields.lenenc_bytes()?)
            }
            TRANSACTION_CHARACTERISTICS => Tracker::Characteristics(fields.lenenc_bytes()?),
            TRANSACTION_STATE => Tracker::Transaction(Transaction(fields.lenenc_bytes()?)),
            kind => Tracker::Unknown(kind),
        })
    }
}

/// Entry by entry; `None` and the end where they are malformed.
fn entries(mut rest: &[u8]) -> impl Iterator<Item = Option<Entry<'_>>> {
    std::iter::from_fn(move || (!rest.is_empty()).then(|| Entry::read(&mut rest).or_else(|| none(&mut rest))))
}

fn none<T>(rest: &mut &[u8]) -> Option<T> {
    *rest = &[];
    None
}

fn variable<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut fields = Fields::new(rest);
    let pair = (fields.lenenc_bytes()?, fields.lenenc_bytes()?);
    *rest = fields.rest();
    Some(pair)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(payload: &[u8]) -> Vec<Tracker<'_>> {
        Tracked::parse(payload).expect("an OK payload").trackers.collect()
    }

    fn ok_with(info: &[u8], trackers: &[u8]) -> Vec<u8> {
        let mut payload = vec![0, 0, 0, 2, 0x40, 0, 0, info.len() as u8];
        payload.extend_from_slice(info);
        payload.push(trackers.len() as u8);
        payload.extend_from_slice(trackers);
        payload
    }

    #[test]
    fn a_length_in_wide_characters_is_read() {
        for zeros in 0..4 {
            let payload = [b"\0\0\0\x02\x40\0\0\0", &[0; 3][..zeros], b"\x08\x01\x03\x02d1\x02\x011"].concat();
            assert_eq!(all(&payload), [Tracker::Schema(b"d1"), Tracker::StateChange], "{zeros}");
        }
        assert!(Tracked::parse(b"\0\0\0\x02\x40\0\0\0\0\0\0\0\x04\x01\x02\x01d").is_none());
        assert!(Tracked::parse(b"\0\0\0\x02\x40\0\0\0\0\0\x05\x01\x02\x01d").is_none());
    }

    #[test]
    fn every_kind_is_read() {
        let variable = |name, value| Tracker::Variable { name, value };
        let cases: &[(&[u8], &[Tracker<'_>])] = &[
            (b"\x00\x06\x01a\x03xyz", &[variable(b"a", b"xyz")]),
            (b"\x00\x08\x01a\x01x\x01b\x01y", &[variable(b"a", b"x"), variable(b"b", b"y")]),
            (b"\x00\x03\x01a\x00\x02\x011", &[variable(b"a", b""), Tracker::StateChange]),
            (b"\x01\x03\x02db", &[Tracker::Schema(b"db")]),
            (b"\x01\x01\x00", &[Tracker::Schema(b"")]),
            (b"\x03\x05\x00\x03u:1", &[Tracker::Gtids(b"u:1")]),
            (
                b"\x05\x09\x08T_______\x04\x01\x00",
                &[Tracker::Transaction(Transaction(b"T_______")), Tracker::Characteristics(b"")],
            ),
            (b"\x09\x02ab", &[Tracker::Unknown(9)]),
            (b"", &[]),
        ];
        for (trackers, expected) in cases {
            assert_eq!(all(&ok_with(b"info", trackers)), *expected, "{trackers:?}");
        }
    }

    #[test]
    fn info_stands_before_the_trackers() {
        let payload = ok_with(b"Records: 2", b"\x02\x011");
        let tracked = Tracked::parse(&payload).expect("an OK payload");
        assert_eq!((tracked.info, tracked.head), (&b"Records: 2"[..], &payload[..7]));
        assert_eq!(Tracked::parse(&[0, 0, 0, 2, 0, 0, 0]).map(|ok| ok.info.len()), Some(0));
        let untracked = b"\x00\x00\x00\x02\x00\x00\x00\x02hi";
        assert_eq!(Tracked::parse(untracked).map(|ok| ok.info), Some(&b"hi"[..]));
    }

    #[test]
    fn the_state_of_a_transaction_is_told() {
        let cases = [
            (&b"T_R_W_S_"[..], true, false),
            (b"I___W___", true, false),
            (b"_______L", false, true),
            (b"", false, false),
        ];
        for (text, open, locks) in cases {
            let state = Transaction(text);
            assert_eq!((state.is_open(), state.locks_tables()), (open, locks), "{text:?}");
        }
    }

    #[test]
    fn what_is_cut_or_malformed_is_refused() {
        for trackers in
            [&b"\x00"[..], b"\x00\x00", b"\x00\x02\x01a", b"\x00\x03\x01a\x05", b"\x01\x02\x05d", b"\x02\x05"]
        {
            assert!(Tracked::parse(&ok_with(b"", trackers)).is_none(), "{trackers:?}");
        }
        let mut longer = ok_with(b"", b"\x02\x011");
        longer.push(0);
        assert!(Tracked::parse(&longer).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(head in 0..2u8, tail: Vec<u8>) {
            let payload = [&[head * 0xFE, 0, 0, 2, 0x40, 0, 0][..], &tail].concat();
            if let Some(tracked) = Tracked::parse(&payload) {
                prop_assert!(tracked.trackers.count() <= tail.len());
            }
        }
    }
}
