//! Packet headers and the integers inside packets.
//!
//! Every packet is `length: 3 bytes, sequence id: 1 byte, payload`. A payload of exactly 0xFFFFFF bytes is
//! continued by the next packet, if need be by an empty one.

/// Bytes of a packet's header.
pub const HEADER: usize = 4;

/// The longest payload of one packet; a payload this long is continued by the next packet.
pub const MAX_PAYLOAD: usize = 0xFF_FFFF;

/// A packet's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Payload length in bytes.
    pub len: usize,
    /// Sequence id.
    pub seq: u8,
}

impl Header {
    /// Reads the header at the start of `buf`; `None` if fewer than four bytes are there.
    #[inline]
    pub fn read(buf: &[u8]) -> Option<Header> {
        let &[a, b, c, seq, ..] = buf else { return None };
        Some(Header { len: usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16, seq })
    }

    /// Header and payload in bytes.
    #[inline]
    pub fn packet_len(self) -> usize {
        HEADER + self.len
    }

    /// Whether the next packet continues this payload.
    #[inline]
    pub fn is_continued(self) -> bool {
        self.len == MAX_PAYLOAD
    }

    /// The four bytes on the wire.
    pub fn bytes(self) -> [u8; HEADER] {
        let [a, b, c, _] = (self.len as u32).to_le_bytes();
        [a, b, c, self.seq]
    }
}

/// Appends `payload` as one packet (or several, where it is 0xFFFFFF bytes or longer); returns the next sequence id.
pub fn put_packet(out: &mut Vec<u8>, seq: u8, payload: &[u8]) -> u8 {
    let mut seq = seq;
    let mut rest = payload;
    loop {
        let (now, later) = rest.split_at(rest.len().min(MAX_PAYLOAD));
        out.extend_from_slice(&Header { len: now.len(), seq }.bytes());
        out.extend_from_slice(now);
        seq = seq.wrapping_add(1);
        if now.len() < MAX_PAYLOAD {
            return seq;
        }
        rest = later;
    }
}

/// Reads the fields of a payload one after the other; every read is checked.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Begins at the first byte of `payload`.
    pub fn new(payload: &'a [u8]) -> Self {
        Fields { rest: payload }
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `n` bytes.
    pub fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (now, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        Some(now)
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// Two bytes, little endian.
    #[inline]
    pub fn u16(&mut self) -> Option<u16> {
        let (now, rest) = self.rest.split_first_chunk::<2>()?;
        self.rest = rest;
        Some(u16::from_le_bytes(*now))
    }

    /// Four bytes, little endian.
    pub fn u32(&mut self) -> Option<u32> {
        let (now, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        Some(u32::from_le_bytes(*now))
    }

    /// A length-encoded integer; `None` for the markers 0xFB (NULL) and 0xFF too.
    #[inline]
    pub fn lenenc(&mut self) -> Option<u64> {
        match self.u8()? {
            n @ 0..=0xFA => Some(u64::from(n)),
            0xFC => self.u16().map(u64::from),
            0xFD => self.bytes(3).map(|b| u64::from(b[0]) | u64::from(b[1]) << 8 | u64::from(b[2]) << 16),
            0xFE => {
                let (now, rest) = self.rest.split_first_chunk::<8>()?;
                self.rest = rest;
                Some(u64::from_le_bytes(*now))
            }
            _ => None,
        }
    }

    /// A string that begins with its length-encoded length.
    pub fn lenenc_bytes(&mut self) -> Option<&'a [u8]> {
        let n = usize::try_from(self.lenenc()?).ok()?;
        self.bytes(n)
    }

    /// A string up to a NUL byte, which is skipped.
    pub fn nul_bytes(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(0, self.rest)?;
        let text = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(text)
    }

    /// A string up to a NUL byte, or the whole rest where there is none (some clients leave the last NUL out).
    pub fn nul_or_rest(&mut self) -> &'a [u8] {
        match self.nul_bytes() {
            Some(text) => text,
            None => std::mem::take(&mut self.rest),
        }
    }
}

/// Appends a length-encoded integer.
pub fn put_lenenc(out: &mut Vec<u8>, n: u64) {
    match n {
        0..=0xFA => out.push(n as u8),
        0xFB..=0xFFFF => {
            out.push(0xFC);
            out.extend_from_slice(&(n as u16).to_le_bytes());
        }
        0x1_0000..=0xFF_FFFF => {
            out.push(0xFD);
            out.extend_from_slice(&(n as u32).to_le_bytes()[..3]);
        }
        _ => {
            out.push(0xFE);
            out.extend_from_slice(&n.to_le_bytes());
        }
    }
}

/// Appends a string with its length-encoded length before it.
pub fn put_lenenc_bytes(out: &mut Vec<u8>, text: &[u8]) {
    put_lenenc(out, text.len() as u64);
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_payload_of_exactly_the_limit_is_ended_by_an_empty_packet() {
        let mut out = Vec::new();
        let next = put_packet(&mut out, 254, &vec![7u8; MAX_PAYLOAD]);
        assert_eq!(next, 0);
        assert_eq!(Header::read(&out), Some(Header { len: MAX_PAYLOAD, seq: 254 }));
        assert_eq!(&out[HEADER + MAX_PAYLOAD..], &[0, 0, 0, 255]);
    }

    #[test]
    fn short_headers_are_not_read() {
        assert_eq!(Header::read(&[1, 0, 0]), None);
        assert_eq!(Header::read(&[1, 2, 3, 4]), Some(Header { len: 0x03_02_01, seq: 4 }));
    }

    proptest! {
        #[test]
        fn lenenc_reads_back(n: u64, tail: Vec<u8>) {
            let mut out = Vec::new();
            put_lenenc(&mut out, n);
            out.extend_from_slice(&tail);
            let mut fields = Fields::new(&out);
            prop_assert_eq!(fields.lenenc(), Some(n));
            prop_assert_eq!(fields.rest(), &tail[..]);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let mut fields = Fields::new(&bytes);
            while fields.lenenc_bytes().is_some() || fields.nul_bytes().is_some() {}
            fields.nul_or_rest();
            prop_assert!(fields.u8().is_none());
        }
    }
}
