//! A trace file's blocks: a head of sixteen bytes, then that many bytes of zstd with a checksum of their own.

use std::io::{self, Read};

/// A trace file's first bytes.
pub(super) const MAGIC: &[u8; 8] = b"tidetrc1";

/// A block's own first bytes.
const MARK: &[u8; 4] = b"tgb1";
const HEAD: usize = 16;
/// The most bytes in a block, unpacked. One event is at most a text and some hundred bytes.
pub(super) const MAX_RAW: usize = 1 << 20;
/// The packed bytes of what cannot be packed are a few more.
const MAX_PACKED: usize = MAX_RAW + (MAX_RAW >> 7) + 512;
/// Fast: a trace is to cost little, and most of what could be packed away is not written to begin with.
const LEVEL: i32 = 1;

/// What the next block is.
pub(super) enum Block {
    /// Its bytes.
    Bytes(Vec<u8>),
    /// The empty block, by which a file ends.
    End,
    /// The file ends before the block does.
    Cut,
    /// This is no block, or it was changed.
    Damaged,
}

/// Makes blocks.
pub(super) struct Packer(zstd::bulk::Compressor<'static>);

impl Packer {
    pub fn new() -> io::Result<Self> {
        let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
        compressor.include_checksum(true)?;
        Ok(Packer(compressor))
    }

    /// Appends a block. At most [`MAX_RAW`] bytes.
    pub fn put(&mut self, out: &mut Vec<u8>, raw: &[u8]) -> io::Result<()> {
        let packed = if raw.is_empty() { Vec::new() } else { self.0.compress(raw)? };
        let (raw_len, packed_len) = (raw.len() as u32, packed.len() as u32);
        out.extend_from_slice(MARK);
        for word in [raw_len, packed_len, check(raw_len, packed_len)] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&packed);
        Ok(())
    }
}

/// Reads the next block.
pub(super) fn next(from: &mut impl Read) -> io::Result<Block> {
    let mut head = [0; HEAD];
    if !is_filled(from, &mut head)? {
        return Ok(Block::Cut);
    }
    let word = |n: usize| u32::from_le_bytes([head[4 * n], head[4 * n + 1], head[4 * n + 2], head[4 * n + 3]]);
    let (raw_len, packed_len) = (word(1), word(2));
    let (raw, packed) = (raw_len as usize, packed_len as usize);
    if head[..4] != MARK[..] || word(3) != check(raw_len, packed_len) || raw > MAX_RAW || packed > MAX_PACKED {
        return Ok(Block::Damaged);
    }
    if raw == 0 {
        return Ok(Block::End);
    }
    let mut bytes = vec![0; packed];
    if !is_filled(from, &mut bytes)? {
        return Ok(Block::Cut);
    }
    Ok(match zstd::bulk::decompress(&bytes, raw) {
        Ok(bytes) if bytes.len() == raw => Block::Bytes(bytes),
        _ => Block::Damaged,
    })
}

/// The lengths are not within the checksum of the content.
fn check(raw: u32, packed: u32) -> u32 {
    (raw ^ packed.rotate_left(16) ^ 0x5EED_5EED).wrapping_mul(0x9E37_79B1)
}

fn is_filled(from: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
