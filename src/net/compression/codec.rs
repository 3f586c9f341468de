//! One frame's contents, compressed and back. Each frame stands alone, so the codecs belong to the thread, not to the
//! connection: an idle client costs nothing.

use std::cell::RefCell;
use std::io;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::invalid;

/// The highest zstd level that is written, whatever a client asks for: its reader cannot tell, and its frames are made where other
/// clients wait. A frame of 64 KiB takes half a millisecond at this one; at the highest fifty times as long, and is hardly shorter.
pub(super) const MAX_ZSTD_LEVEL: u8 = 3;

/// What both sides agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// `CLIENT_COMPRESS`.
    Zlib,
    /// `CLIENT_ZSTD_COMPRESSION_ALGORITHM`, with the level of the client's handshake.
    Zstd {
        /// 1 to 22; what is written has a level of up to [`MAX_ZSTD_LEVEL`].
        level: u8,
    },
}

thread_local! {
    static DEFLATE: RefCell<Compress> = RefCell::new(Compress::new(Compression::default(), true));
    static INFLATE: RefCell<Decompress> = RefCell::new(Decompress::new(true));
    static ZSTD: RefCell<Option<(u8, zstd::bulk::Compressor<'static>)>> = const { RefCell::new(None) };
    static UNZSTD: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Appends `plain`, compressed, to `out`; `false` (and `out` as before) if that would not be shorter.
pub(super) fn compress(algorithm: Algorithm, plain: &[u8], out: &mut Vec<u8>) -> io::Result<bool> {
    let start = out.len();
    let shorter = match algorithm {
        Algorithm::Zlib => deflate(plain, out)?,
        Algorithm::Zstd { level } => zstd_compress(level.clamp(1, MAX_ZSTD_LEVEL), plain, out),
    };
    if !shorter {
        out.truncate(start);
    }
    Ok(shorter)
}

/// The contents of a compressed frame, which must be exactly `plain_len` bytes: no more are ever made.
pub(super) fn decompress(algorithm: Algorithm, packed: &[u8], plain_len: usize) -> io::Result<Vec<u8>> {
    let plain = match algorithm {
        Algorithm::Zlib => inflate(packed, plain_len)?,
        Algorithm::Zstd { .. } => zstd_decompress(packed, plain_len)?,
    };
    match plain.len() == plain_len {
        true => Ok(plain),
        false => Err(invalid(format!("compressed frame: {plain_len} bytes were announced, {} came out", plain.len()))),
    }
}

fn deflate(plain: &[u8], out: &mut Vec<u8>) -> io::Result<bool> {
    out.reserve_exact(plain.len());
    let limit = out.len() + plain.len();
    let status = DEFLATE.with_borrow_mut(|codec| {
        codec.reset();
        codec.compress_vec(plain, out, FlushCompress::Finish)
    });
    match status {
        Ok(Status::StreamEnd) => Ok(out.len() < limit),
        Ok(_) => Ok(false),
        Err(error) => Err(io::Error::other(error)),
    }
}

fn inflate(packed: &[u8], plain_len: usize) -> io::Result<Vec<u8>> {
    // One byte more than announced, to see whether more would come.
    let mut plain = Vec::with_capacity(plain_len + 1);
    let (status, consumed) = INFLATE.with_borrow_mut(|codec| {
        codec.reset(true);
        let status = codec.decompress_vec(packed, &mut plain, FlushDecompress::Finish);
        (status, codec.total_in())
    });
    match status {
        Ok(Status::StreamEnd) if consumed == packed.len() as u64 => Ok(plain),
        Ok(Status::StreamEnd) => Err(invalid("compressed frame: bytes behind its end".to_owned())),
        Ok(_) => Err(invalid(format!(
            "compressed frame: its contents are cut short, or longer than the announced {plain_len} bytes"
        ))),
        Err(error) => Err(invalid(format!("compressed frame: zlib: {error}"))),
    }
}

/// Failing here means "does not fit into less": the frame is then sent as it is.
fn zstd_compress(level: u8, plain: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    out.resize(start + plain.len(), 0);
    let written = ZSTD.with_borrow_mut(|slot| {
        if slot.as_ref().is_none_or(|(cached, _)| *cached != level) {
            *slot = Some((level, zstd::bulk::Compressor::new(i32::from(level)).ok()?));
        }
        let (_, codec) = slot.as_mut()?;
        codec.compress_to_buffer(plain, &mut out[start..]).ok()
    });
    match written {
        Some(written) if written < plain.len() => {
            out.truncate(start + written);
            true
        }
        _ => false,
    }
}

fn zstd_decompress(packed: &[u8], plain_len: usize) -> io::Result<Vec<u8>> {
    UNZSTD.with_borrow_mut(|slot| {
        let codec = match slot {
            Some(codec) => codec,
            None => slot.insert(zstd::bulk::Decompressor::new()?),
        };
        codec.decompress(packed, plain_len).map_err(|error| invalid(format!("compressed frame: zstd: {error}")))
    })
}
