//! Where the statement's text begins in a COM_QUERY: behind the query attributes, where those were agreed on.

use std::ops::Range;

use crate::wire::capabilities::{Capabilities, QUERY_ATTRIBUTES};
use crate::wire::frame::Fields;

/// The text's place in the payload (command byte included); `None` if the attributes are malformed.
pub fn query_text(payload: &[u8], caps: Capabilities) -> Option<Range<usize>> {
    let mut fields = Fields::new(payload.get(1..)?);
    if caps.has(QUERY_ATTRIBUTES) {
        let count = usize::try_from(fields.lenenc()?).ok()?;
        fields.lenenc()?;
        if count > 0 {
            skip_attributes(&mut fields, count)?;
        }
    }
    Some(payload.len() - fields.rest().len()..payload.len())
}

fn skip_attributes(fields: &mut Fields<'_>, count: usize) -> Option<()> {
    let nulls = fields.bytes(count.checked_add(7)? / 8)?.to_vec();
    // The types always come with the attributes: they are not a prepared statement's.
    (fields.u8()? == 1).then_some(())?;
    let mut kinds = Vec::new();
    for _ in 0..count {
        kinds.push(fields.u16()? as u8);
        fields.lenenc_bytes()?;
    }
    for (i, kind) in kinds.into_iter().enumerate() {
        if nulls[i / 8] >> (i % 8) & 1 == 0 {
            skip_value(fields, kind)?;
        }
    }
    Some(())
}

/// One value in the binary protocol, by its type's number.
fn skip_value(fields: &mut Fields<'_>, kind: u8) -> Option<()> {
    let fixed = match kind {
        0x06 => 0,
        0x01 => 1,
        0x02 | 0x0d => 2,
        0x03 | 0x04 | 0x09 => 4,
        0x05 | 0x08 => 8,
        0x07 | 0x0a..=0x0c => usize::from(fields.u8()?),
        _ => return fields.lenenc_bytes().map(drop),
    };
    fields.bytes(fixed).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_stands_behind_the_attributes() {
        assert_eq!(query_text(b"\x03SELECT 1", Capabilities::NONE), Some(1..9));
        assert_eq!(query_text(b"\x03\x00\x01SELECT 1", QUERY_ATTRIBUTES), Some(3..11));
        // Two attributes: a NULL and a string.
        let packet = b"\x03\x02\x01\x01\x01\x06\x00\x01a\xfe\x00\x01b\x03xyzDO 1";
        assert_eq!(query_text(packet, QUERY_ATTRIBUTES).map(|at| &packet[at]), Some(&b"DO 1"[..]));
        assert_eq!(query_text(b"\x03\x01\x01", QUERY_ATTRIBUTES), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            if let Some(at) = query_text(&bytes, QUERY_ATTRIBUTES) {
                prop_assert!(at.end == bytes.len());
            }
        }
    }
}
