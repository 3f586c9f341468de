//! OK packets (header 0x00, or 0xFE at the end of a result) and legacy EOF packets.

use crate::wire::frame::{Fields, put_lenenc, put_packet};

/// The fixed part of an OK packet. The trackers behind it are not read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ok {
    /// Rows changed (or found, see `FOUND_ROWS`).
    pub affected: u64,
    /// The insert id that the statement reports; not always LAST_INSERT_ID().
    pub insert_id: u64,
    /// Status flags.
    pub status: u16,
    /// Number of warnings.
    pub warnings: u16,
}

/// The most bytes of a payload that [`Ok::parse`] looks at.
pub const OK_HEAD: usize = 1 + 9 + 9 + 2 + 2;

/// Bytes of the shortest OK payload; a legacy EOF is shorter.
pub const OK_AT_LEAST: usize = 1 + 1 + 1 + 2 + 2;

impl Ok {
    /// Reads the head of a payload that begins with 0x00 or 0xFE; the rest may be cut off.
    #[inline]
    pub fn parse(payload: &[u8]) -> Option<Ok> {
        let mut fields = Fields::new(payload);
        fields.u8()?;
        Some(Ok {
            affected: fields.lenenc()?,
            insert_id: fields.lenenc()?,
            status: fields.u16()?,
            warnings: fields.u16()?,
        })
    }

    /// Reads a legacy EOF payload (0xFE, warnings, status).
    #[inline]
    pub fn parse_eof(payload: &[u8]) -> Option<Ok> {
        let mut fields = Fields::new(payload);
        fields.u8()?;
        let warnings = fields.u16()?;
        Some(Ok { status: fields.u16()?, warnings, ..Ok::default() })
    }

    /// A whole OK packet with this sequence id.
    pub fn packet(&self, seq: u8) -> Vec<u8> {
        let mut out = Vec::new();
        put_packet(&mut out, seq, &self.payload());
        out
    }

    /// The payload, with the header 0x00 and nothing behind the head.
    pub fn payload(&self) -> Vec<u8> {
        let mut payload = vec![0];
        put_lenenc(&mut payload, self.affected);
        put_lenenc(&mut payload, self.insert_id);
        payload.extend_from_slice(&self.status.to_le_bytes());
        payload.extend_from_slice(&self.warnings.to_le_bytes());
        payload
    }
}

/// An OK payload as of a fresh login: with no status flags but these, and no warnings. `None` if `payload` is no OK.
pub fn of_login(payload: &[u8], mask: u16) -> Option<Vec<u8>> {
    let mut fields = Fields::new(payload);
    fields.u8()?;
    fields.lenenc()?;
    fields.lenenc()?;
    let at = payload.len() - fields.rest().len();
    let status = fields.u16()? & mask;
    fields.u16()?;
    let mut out = payload.to_vec();
    out[at..at + 2].copy_from_slice(&status.to_le_bytes());
    out[at + 2..at + 4].fill(0);
    Some(out)
}

/// Whether the text of an OK says 0 first: `Rows matched: 0  Changed: 0 ..` of an UPDATE that has found no row, in any language.
pub fn says_none(payload: &[u8]) -> bool {
    if payload.len() <= OK_AT_LEAST {
        return false;
    }
    let mut fields = Fields::new(payload);
    let head = (fields.u8(), fields.lenenc(), fields.lenenc(), fields.u16(), fields.u16());
    let info = matches!(head, (Some(0), .., Some(_))).then(|| fields.lenenc_bytes()).flatten().unwrap_or_default();
    let digits = info.iter().position(u8::is_ascii_digit).map(|at| &info[at..]);
    digits.is_some_and(|digits| digits[0] == b'0' && !digits.get(1).is_some_and(u8::is_ascii_digit))
}

/// An OK payload with another info text; trackers behind it stay (`session_track`: the capability was agreed on).
/// `None` if `payload` is no OK. MariaDB 11.4+ puts a proof for *its* certificate there at login, which is no proof of ours.
pub fn with_info(payload: &[u8], session_track: bool, info: &[u8]) -> Option<Vec<u8>> {
    let mut fields = Fields::new(payload);
    fields.u8()?;
    fields.lenenc()?;
    fields.lenenc()?;
    let status = fields.u16()?;
    fields.u16()?;
    let head = &payload[..payload.len() - fields.rest().len()];
    let mut out = head.to_vec();
    if !session_track {
        // Servers write the length here too, whatever the documentation says.
        if !info.is_empty() {
            crate::wire::frame::put_lenenc_bytes(&mut out, info);
        }
        return Some(out);
    }
    if !fields.rest().is_empty() {
        fields.lenenc_bytes()?;
    }
    let trackers = fields.rest();
    if !info.is_empty() || status & crate::wire::status::SESSION_STATE_CHANGED != 0 || !trackers.is_empty() {
        crate::wire::frame::put_lenenc_bytes(&mut out, info);
        out.extend_from_slice(trackers);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_that_finds_no_row_says_so() {
        let says = |info: &[u8]| says_none(&with_info(&[0, 0, 0, 2, 0, 0, 0], false, info).expect("an OK"));
        assert!(says(b"Rows matched: 0  Changed: 0  Warnings: 0"));
        assert!(says("Datens\u{e4}tze gefunden: 0  ge\u{e4}ndert: 0  Warnungen: 0".as_bytes()));
        for other in [&b"Rows matched: 1  Changed: 0  Warnings: 0"[..], b"Rows matched: 05", b"", b"no count"] {
            assert!(!says(other), "{other:?}");
        }
        // Cut off, or the length of a text that is not there: no digit of it.
        assert!(!says_none(&[0, 0, 0, 2, 0, 0, 0, b'0']) && !says_none(&[0, 0, 0, 2, 0, 0, 0, 9, b'0']));
    }

    #[test]
    fn the_info_is_replaced_and_the_trackers_stay() {
        let plain = [0, 0, 0, 2, 0, 0, 0, b'h', b'i'];
        assert_eq!(with_info(&plain, false, b""), Some(plain[..7].to_vec()));
        let tracked = [0, 0, 0, 2, 0x40, 0, 0, 2, b'h', b'i', 3, 1, 2, 3];
        assert_eq!(with_info(&tracked, true, b"x"), Some(vec![0, 0, 0, 2, 0x40, 0, 0, 1, b'x', 3, 1, 2, 3]));
        assert_eq!(with_info(&plain[..7], true, b""), Some(plain[..7].to_vec()));
        assert_eq!(with_info(&[0, 0], true, b""), None);
    }
}
