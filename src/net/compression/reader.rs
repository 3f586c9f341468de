//! Frames in, bytes out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use super::codec::{self, Algorithm};
use super::{HEADER_LEN, invalid};

/// How much a frame's buffer grows at a time: memory follows what has arrived, not what was announced.
const GROWTH: usize = 64 * 1024;

/// The most that is read before its turn.
const MAX_AHEAD: usize = 16 * 1024;

/// The way in: where in a frame we are, and what of it has been read.
#[derive(Debug)]
pub(super) struct Reader {
    /// Bytes that were read from the stream before this layer existed.
    early: Vec<u8>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Some bytes of a header.
    Header { bytes: [u8; HEADER_LEN], filled: usize },
    /// So many bytes of a frame that is not compressed are to come.
    Stored { left: usize },
    /// A compressed frame is being collected.
    Packed { bytes: Vec<u8>, len: usize, plain_len: usize },
    /// A frame's contents, given out from `at` on.
    Plain { bytes: Vec<u8>, at: usize },
    /// After an error nothing is believed any more.
    Broken,
}

const BETWEEN_FRAMES: State = State::Header { bytes: [0; HEADER_LEN], filled: 0 };

impl Reader {
    pub(super) fn new(early: &[u8]) -> Reader {
        Reader { early: early.to_vec(), state: BETWEEN_FRAMES }
    }

    pub(super) fn has_buffered(&self) -> bool {
        !self.early.is_empty() || matches!(self.state, State::Plain { .. })
    }

    /// The frame that was read ahead, if it is the only thing that was, is whole, and is not compressed: its contents.
    pub(super) fn stored_ahead(&self) -> Option<&[u8]> {
        let State::Header { filled: 0, .. } = self.state else { return None };
        let (header, contents) = self.early.split_first_chunk::<HEADER_LEN>()?;
        let [l0, l1, l2, _, p0, p1, p2] = *header;
        let is_whole = u32::from_le_bytes([l0, l1, l2, 0]) as usize == contents.len();
        (is_whole && [p0, p1, p2] == [0; 3]).then_some(contents)
    }

    /// Reads from the stream without a look into the frames, whose turn has not come yet. 0 bytes: the peer has closed.
    /// With [`MAX_AHEAD`] bytes here it waits for ever.
    pub(super) fn poll_ahead<S: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut S,
    ) -> Poll<io::Result<usize>> {
        let mut chunk = [0; 1024];
        let room = MAX_AHEAD.saturating_sub(self.early.len()).min(chunk.len());
        if room == 0 {
            return Poll::Pending;
        }
        let mut part = ReadBuf::new(&mut chunk[..room]);
        ready!(Pin::new(stream).poll_read(cx, &mut part))?;
        self.early.extend_from_slice(part.filled());
        Poll::Ready(Ok(part.filled().len()))
    }

    /// Gives bytes of at most one frame; none at the end of the stream.
    pub(super) fn poll_read<S: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut S,
        algorithm: Algorithm,
        sequence: &mut u8,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        while out.remaining() > 0 && out.filled().len() == before {
            match ready!(self.poll_step(cx, stream, algorithm, sequence, out)) {
                Ok(Step::Again) => {}
                Ok(Step::End) => break,
                Err(error) => {
                    self.state = State::Broken;
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_step<S: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut S,
        algorithm: Algorithm,
        sequence: &mut u8,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<Step>> {
        let mut source = Source { early: &mut self.early, stream };
        let next = match &mut self.state {
            State::Header { bytes, filled } => {
                let mut buf = ReadBuf::new(&mut bytes[*filled..]);
                ready!(source.poll_read(cx, &mut buf))?;
                match buf.filled().len() {
                    0 if *filled == 0 => return Poll::Ready(Ok(Step::End)),
                    0 => return Poll::Ready(Err(cut_off())),
                    read => *filled += read,
                }
                match *filled == HEADER_LEN {
                    true => Some(enter_frame(*bytes, sequence)?),
                    false => None,
                }
            }
            State::Stored { left } => {
                *left -= ready!(source.poll_stored(cx, *left, out))?;
                (*left == 0).then_some(BETWEEN_FRAMES)
            }
            State::Packed { bytes, len, plain_len } => {
                ready!(source.poll_collect(cx, bytes, *len))?;
                match bytes.len() == *len {
                    true => Some(State::Plain { bytes: codec::decompress(algorithm, bytes, *plain_len)?, at: 0 }),
                    false => None,
                }
            }
            State::Plain { bytes, at } => {
                *at += copy(&bytes[*at..], out);
                (*at == bytes.len()).then_some(BETWEEN_FRAMES)
            }
            State::Broken => {
                let error = "the compressed stream is broken".to_owned();
                return Poll::Ready(Err(invalid(error)));
            }
        };
        if let Some(next) = next {
            self.state = next;
        }
        Poll::Ready(Ok(Step::Again))
    }
}

enum Step {
    Again,
    End,
}

/// The stream, behind what was read from it earlier.
struct Source<'a, S> {
    early: &'a mut Vec<u8>,
    stream: &'a mut S,
}

impl<S: AsyncRead + Unpin> Source<'_, S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut *self.stream).poll_read(cx, out);
        }
        let taken = copy(self.early, out);
        self.early.drain(..taken);
        if self.early.is_empty() {
            *self.early = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Reads at most `left` bytes straight into `out`.
    fn poll_stored(&mut self, cx: &mut Context<'_>, left: usize, out: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let mut part = ReadBuf::new(out.initialize_unfilled_to(left.min(out.remaining())));
        ready!(self.poll_read(cx, &mut part))?;
        let read = part.filled().len();
        out.advance(read);
        match read {
            0 => Poll::Ready(Err(cut_off())),
            read => Poll::Ready(Ok(read)),
        }
    }

    /// Reads once, towards `len` bytes in all.
    fn poll_collect(&mut self, cx: &mut Context<'_>, bytes: &mut Vec<u8>, len: usize) -> Poll<io::Result<()>> {
        let start = bytes.len();
        bytes.resize(len.min(start + GROWTH), 0);
        let mut part = ReadBuf::new(&mut bytes[start..]);
        let outcome = self.poll_read(cx, &mut part);
        let read = part.filled().len();
        bytes.truncate(start + read);
        match ready!(outcome) {
            Ok(()) if read == 0 => Poll::Ready(Err(cut_off())),
            outcome => Poll::Ready(outcome),
        }
    }
}

/// Checks a header and tells what follows it. A frame with id 0 begins a command, whatever was expected.
fn enter_frame(header: [u8; HEADER_LEN], sequence: &mut u8) -> io::Result<State> {
    let [l0, l1, l2, id, p0, p1, p2] = header;
    let len = u32::from_le_bytes([l0, l1, l2, 0]) as usize;
    let plain_len = u32::from_le_bytes([p0, p1, p2, 0]) as usize;
    if id != 0 && id != *sequence {
        let expected = *sequence;
        return Err(invalid(format!("compressed frames out of order: frame {id} came, {expected} was expected")));
    }
    if len == 0 {
        return Err(invalid("compressed frame without contents".to_owned()));
    }
    *sequence = id.wrapping_add(1);
    Ok(match plain_len {
        0 => State::Stored { left: len },
        _ => State::Packed { bytes: Vec::new(), len, plain_len },
    })
}

fn copy(from: &[u8], out: &mut ReadBuf<'_>) -> usize {
    let len = from.len().min(out.remaining());
    out.put_slice(&from[..len]);
    len
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended in the middle of a compressed frame")
}
