//! The packets of a reply that is held whole.

use crate::wire::frame::{HEADER, Header};

/// Goes from packet to packet; ends at the bytes' end, and before a packet that is cut or goes on in the next one.
#[derive(Debug, Clone)]
pub struct WholePackets<'a>(&'a [u8]);

impl<'a> WholePackets<'a> {
    /// The packets in `bytes`, which begin with a header.
    pub fn new(bytes: &'a [u8]) -> WholePackets<'a> {
        WholePackets(bytes)
    }

    /// Whether every byte was in a packet that came whole.
    pub fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Iterator for WholePackets<'a> {
    type Item = (Header, &'a [u8]);

    fn next(&mut self) -> Option<(Header, &'a [u8])> {
        let header = Header::read(self.0).filter(|header| !header.is_continued())?;
        let payload = self.0.get(HEADER..header.packet_len())?;
        self.0 = &self.0[header.packet_len()..];
        Some((header, payload))
    }
}
