//! Bytes in, frames out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use super::codec::{self, Algorithm};
use super::{HEADER_LEN, MAX_WRITE_LEN, MIN_COMPRESS_LEN};

/// The way out: bytes that wait to become a frame, and the frame before them.
#[derive(Debug, Default)]
pub(super) struct Writer {
    plain: Vec<u8>,
    frame: Vec<u8>,
    sent: usize,
}

impl Writer {
    /// Whether a frame must be made before more can be taken.
    pub(super) fn is_full(&self) -> bool {
        self.plain.len() == MAX_WRITE_LEN
    }

    /// Takes as much of `bytes` as there is room for.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        let len = bytes.len().min(MAX_WRITE_LEN - self.plain.len());
        self.plain.extend_from_slice(&bytes[..len]);
        len
    }

    /// Makes a frame of what waits, if anything does. The frame before must be gone.
    pub(super) fn encode(&mut self, algorithm: Algorithm, sequence: &mut u8) -> io::Result<()> {
        if self.plain.is_empty() {
            return Ok(());
        }
        let plain = std::mem::take(&mut self.plain);
        self.frame.resize(HEADER_LEN, 0);
        let packed = plain.len() >= MIN_COMPRESS_LEN && codec::compress(algorithm, &plain, &mut self.frame)?;
        if !packed {
            self.frame.extend_from_slice(&plain);
        }
        let plain_len = if packed { plain.len() } else { 0 };
        let len = self.frame.len() - HEADER_LEN;
        self.frame[..3].copy_from_slice(&(len as u32).to_le_bytes()[..3]);
        self.frame[3] = *sequence;
        self.frame[4..HEADER_LEN].copy_from_slice(&(plain_len as u32).to_le_bytes()[..3]);
        *sequence = sequence.wrapping_add(1);
        Ok(())
    }

    /// Sends what is left of the frame, and gives its memory back.
    pub(super) fn poll_drain<S: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut S,
    ) -> Poll<io::Result<()>> {
        while self.sent < self.frame.len() {
            match ready!(Pin::new(&mut *stream).poll_write(cx, &self.frame[self.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.sent += written,
            }
        }
        self.frame = Vec::new();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }

    /// Bytes of memory held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.plain.capacity() + self.frame.capacity()
    }
}
