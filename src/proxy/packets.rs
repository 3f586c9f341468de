//! Packets from a client that pass without being held: where a long command or a file ends, and whether ids follow.

use crate::wire::frame::{HEADER, Header};

/// The count of one command's, or one file's, packets.
#[derive(Debug, Default)]
pub(super) struct Packets {
    /// Bytes of the current packet that were not passed yet.
    left: usize,
    /// The current packet's payload goes on in the next one.
    continued: bool,
    /// Packets begun, as sequence ids count.
    pub count: u8,
    /// The first sequence id that did not follow: what it was, and what it should have been.
    pub out_of_order: Option<(u8, u8)>,
    /// Ids that do not follow are mended. Under compression nobody looks at the packets' own ids, and some clients
    /// count them as they like; the backend's link is not compressed.
    renumbers: bool,
}

impl Packets {
    /// Of a command that begins with this packet.
    pub fn of_command(header: Header, renumbers: bool) -> Packets {
        Packets {
            left: header.packet_len(),
            continued: header.is_continued(),
            count: 1,
            renumbers,
            ..Packets::default()
        }
    }

    /// Of a file.
    pub fn of_file(renumbers: bool) -> Packets {
        Packets { renumbers, ..Packets::default() }
    }

    /// How many of `bytes` belong to one (perhaps continued) payload.
    pub fn pass(&mut self, bytes: &mut [u8]) -> usize {
        let mut at = 0;
        loop {
            let now = self.left.min(bytes.len() - at);
            at += now;
            self.left -= now;
            if self.left > 0 || !self.continued {
                return at;
            }
            let Some(header) = Header::read(&bytes[at..]) else { return at };
            if !self.follows(header, self.count, &mut bytes[at..]) {
                return at;
            }
            self.left = header.packet_len();
            self.continued = header.is_continued();
            self.count = self.count.wrapping_add(1);
        }
    }

    fn follows(&mut self, header: Header, expected: u8, packet: &mut [u8]) -> bool {
        if self.renumbers {
            packet[HEADER - 1] = expected;
        } else if header.seq != expected {
            self.out_of_order = Some((header.seq, expected));
        }
        self.out_of_order.is_none()
    }

    /// Whether the last packet has passed.
    pub fn are_over(&self) -> bool {
        self.left == 0 && !self.continued
    }

    /// How many of `bytes` belong to a file, and whether its empty last packet is among them; `seq` follows the ids.
    pub fn pass_file(&mut self, bytes: &mut [u8], seq: &mut u8) -> (usize, bool) {
        let mut at = 0;
        loop {
            let now = self.left.min(bytes.len() - at);
            at += now;
            self.left -= now;
            if self.left > 0 {
                return (at, false);
            }
            let Some(header) = Header::read(&bytes[at..]) else { return (at, false) };
            if !self.follows(header, *seq, &mut bytes[at..]) {
                return (at, false);
            }
            *seq = seq.wrapping_add(1);
            if header.len == 0 && !self.continued {
                return (at + HEADER, true);
            }
            self.left = header.packet_len();
            self.continued = header.is_continued();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::{MAX_PAYLOAD, put_packet};

    #[test]
    fn a_file_ends_with_its_empty_packet_in_any_split() {
        let mut bytes = Vec::new();
        for (seq, payload) in [(2, &b"1,2\n"[..]), (3, &b"3,4\n"[..]), (4, &b""[..])] {
            put_packet(&mut bytes, seq, payload);
        }
        for split in 1..bytes.len() {
            let (mut packets, mut seq, mut passed, mut ended) = (Packets::default(), 2, 0, false);
            for shown in [split, bytes.len()] {
                let (now, end) = packets.pass_file(&mut bytes[passed..shown], &mut seq);
                passed += now;
                ended = end;
            }
            assert_eq!((passed, ended, seq), (bytes.len(), true, 5), "split at {split}");
        }
    }

    #[test]
    fn a_packet_that_does_not_follow_is_found() {
        let mut bytes = Vec::new();
        put_packet(&mut bytes, 2, b"1,2\n");
        put_packet(&mut bytes, 7, b"3,4\n");
        let (mut packets, mut seq) = (Packets::default(), 2);
        assert_eq!(packets.pass_file(&mut bytes, &mut seq), (8, false));
        assert_eq!(packets.out_of_order, Some((7, 3)));
    }

    #[test]
    fn an_empty_packet_that_continues_a_full_one_ends_no_file() {
        let mut bytes = Vec::new();
        put_packet(&mut bytes, 2, &vec![b'x'; MAX_PAYLOAD]);
        let continued = bytes.len();
        put_packet(&mut bytes, 4, b"");
        let (mut packets, mut seq) = (Packets::default(), 2);
        assert_eq!(packets.pass_file(&mut bytes[..continued], &mut seq), (continued, false));
        assert_eq!(packets.pass_file(&mut bytes[continued..], &mut seq), (4, true));
    }

    #[test]
    fn a_continued_command_is_one() {
        let mut bytes = Vec::new();
        put_packet(&mut bytes, 0, &vec![3; MAX_PAYLOAD + 5]);
        let header = Header::read(&bytes).expect("header");
        let mut packets = Packets::of_command(header, false);
        let first = packets.pass(&mut bytes[..1000]);
        assert_eq!((first, packets.are_over()), (1000, false));
        let second = packets.pass(&mut bytes[1000..]);
        assert_eq!((first + second, packets.are_over(), packets.count), (bytes.len(), true, 2));
    }

    #[test]
    fn under_compression_ids_are_mended() {
        let mut bytes = Vec::new();
        put_packet(&mut bytes, 2, b"1,2\n");
        put_packet(&mut bytes, 7, b"");
        let (mut packets, mut seq) = (Packets::of_file(true), 2);
        assert_eq!(packets.pass_file(&mut bytes, &mut seq), (bytes.len(), true));
        assert_eq!((bytes[11], seq, packets.out_of_order), (3, 4, None));
    }
}
