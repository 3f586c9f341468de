//! The compressed protocol (`CLIENT_COMPRESS`, `CLIENT_ZSTD_COMPRESSION_ALGORITHM`) as a layer under the ordinary one.
//!
//! From the first byte after the OK that ends the login, both sides send frames:
//!
//! ```text
//! 3 bytes  length of what follows the header
//! 1 byte   sequence id of the frame
//! 3 bytes  length before compression; 0: what follows is not compressed
//! ```
//! What comes out is the ordinary byte stream: packets begin and end anywhere in a frame, and have sequence ids of their
//! own. The frames' ids count on through a command and its reply, and begin again with 0 at the next command's first
//! frame: a server takes them from the last frame header it read (`net_serv.cc`), not from the packets.

mod codec;
mod reader;
mod writer;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub use codec::Algorithm;

/// Bytes of a frame's header.
pub const HEADER_LEN: usize = 7;
/// The most bytes in a frame, before and after compression.
pub const MAX_FRAME_LEN: usize = 0xff_ffff;
/// Shorter contents are sent as they are, as servers do.
pub const MIN_COMPRESS_LEN: usize = 50;
/// The most bytes that a frame written here holds: enough to compress well, little enough to hold for each client.
pub const MAX_WRITE_LEN: usize = 64 * 1024;

/// A stream whose bytes travel in frames. Reads and writes of it are those of the ordinary protocol.
///
/// Holds at most one frame per direction (on the way out [`MAX_WRITE_LEN`] plain and the same encoded; on the way in what
/// the peer put into one frame, at most 16 MiB twice) and nothing while idle. What was written goes out at a flush, or
/// when [`MAX_WRITE_LEN`] bytes have come together. Reads and writes are cancel safe.
///
/// A malformed frame is an error of kind `InvalidData`, an end in the middle of a frame one of kind `UnexpectedEof`;
/// nothing can be read after either.
#[derive(Debug)]
pub struct Compressed<S> {
    stream: S,
    algorithm: Algorithm,
    sequence: u8,
    reader: reader::Reader,
    writer: writer::Writer,
}

impl<S> Compressed<S> {
    /// Frames over `stream`, from its next byte on.
    pub fn new(stream: S, algorithm: Algorithm) -> Compressed<S> {
        Compressed::with_buffered(stream, algorithm, &[])
    }

    /// As [`Compressed::new`], where `already_read` bytes of the first frames were read from `stream` before.
    pub fn with_buffered(stream: S, algorithm: Algorithm, already_read: &[u8]) -> Compressed<S> {
        Compressed {
            stream,
            algorithm,
            sequence: 0,
            reader: reader::Reader::new(already_read),
            writer: writer::Writer::default(),
        }
    }

    /// The id that the next frame of a reply will have, as told by the frames read so far.
    ///
    /// Who reads a further command before the last one was answered keeps this value with each command, and gives it to
    /// [`Compressed::set_sequence`] when the command's turn to be answered comes. Who reads none, or reads ahead by
    /// [`Compressed::poll_ahead`], needs neither.
    pub fn sequence(&self) -> u8 {
        self.sequence
    }

    /// Sets the next frame's id; a client does so with 0 before each command. To be called when everything before was
    /// flushed.
    pub fn set_sequence(&mut self, sequence: u8) {
        self.sequence = sequence;
    }

    /// The stream beneath.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream beneath, to be changed but neither read nor written.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Reads what comes before its turn, so that an end is noticed; what was read is given out later, and until then frames'
    /// ids are as they were. 0 bytes: the peer has closed. Holds at most 16 KiB, and waits for ever with these. Cancel safe.
    pub fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>>
    where
        S: AsyncRead + Unpin,
    {
        self.reader.poll_ahead(cx, &mut self.stream)
    }

    /// What stands in the one frame that was read ahead, if it is one, and not compressed.
    pub fn stored_ahead(&self) -> Option<&[u8]> {
        self.reader.stored_ahead()
    }

    /// Whether bytes wait here that a read would give without touching the stream.
    pub fn has_buffered(&self) -> bool {
        self.reader.has_buffered()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Compressed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.reader.poll_read(cx, &mut this.stream, this.algorithm, &mut this.sequence, out)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Compressed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.writer.is_full() {
            ready!(this.poll_emit(cx))?;
        }
        Poll::Ready(Ok(this.writer.take(bytes)))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_emit(cx))?;
        ready!(this.writer.poll_drain(cx, &mut this.stream))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<S: AsyncWrite + Unpin> Compressed<S> {
    /// Turns what was collected into a frame, once the frame before is gone.
    fn poll_emit(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.writer.poll_drain(cx, &mut self.stream))?;
        Poll::Ready(self.writer.encode(self.algorithm, &mut self.sequence))
    }
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests;
