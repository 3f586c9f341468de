//! Whole packets over a stream, for logins and for tidegate's own few statements: never on the data path.

use std::io;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt, ReadBuf};
use tokio::time::{Instant, timeout};

use crate::net::buffer::Buffer;
use crate::net::stream::Stream;
use crate::wire::frame::{HEADER, Header, put_packet};

/// The longest payload that is read, in bytes. In a login connect attributes are at most 64 KiB, names and tokens are short; what
/// tidegate asks for itself is no longer.
pub const MAX_PACKET: usize = 1 << 20;

/// Why no packet came or went.
#[derive(Debug, Error)]
pub enum ChannelError {
    /// The peer closed, before or in the middle of a packet.
    #[error("the connection was closed")]
    Closed,
    /// The peer closed before it had said anything in this exchange.
    #[error("the connection was closed without a word")]
    Silent,
    /// The peer's sequence id does not follow.
    #[error("packet out of order: sequence id {found} instead of {expected}")]
    OutOfOrder {
        /// What the packet said.
        found: u8,
        /// What it should have said.
        expected: u8,
    },
    /// The peer used up all the time that it was given.
    #[error("the peer was too slow")]
    TimedOut,
    /// The peer has said nothing for as long as it may be silent.
    #[error("it was silent for {0:?}")]
    Silence(Duration),
    /// The packet is longer than such a packet can be.
    #[error("packet of {0} bytes where {MAX_PACKET} are the most")]
    TooLong(usize),
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A stream with the sequence id of its current exchange, and what was read ahead.
pub struct Channel {
    /// The bytes' way.
    pub stream: Stream,
    /// Read, and not consumed yet.
    pub buffer: Buffer,
    /// The id of the next packet, whoever sends it.
    pub seq: u8,
    /// How long the peer may still be waited for, over all reads and writes; `None`: for ever. Time that is spent on
    /// anything else does not count.
    pub patience: Option<Duration>,
    /// How long the peer may be silent at a time; `None`: for ever.
    pub silence: Option<Duration>,
}

impl Channel {
    /// At the start of an exchange.
    pub fn new(stream: Stream) -> Channel {
        Channel { stream, buffer: Buffer::take(), seq: 0, patience: None, silence: None }
    }

    /// The next packet's payload. Cancel safe: what was read stays in the buffer.
    pub async fn read(&mut self) -> Result<Vec<u8>, ChannelError> {
        let Some(left) = self.patience else { return self.read_packet().await };
        let began = Instant::now();
        let read = timeout(left, self.read_packet()).await;
        self.waited(began);
        read.unwrap_or(Err(ChannelError::TimedOut))
    }

    /// The same of an answer's rows, which may be as long as their values: `None` for one of more than [`MAX_PACKET`] bytes, which
    /// is passed over. Not cancel safe.
    pub async fn read_unless_long(&mut self) -> Result<Option<Vec<u8>>, ChannelError> {
        let Some(left) = self.patience else { return self.read_or_skip().await };
        let began = Instant::now();
        let read = timeout(left, self.read_or_skip()).await;
        self.waited(began);
        read.unwrap_or(Err(ChannelError::TimedOut))
    }

    /// As [`Channel::read`] from a server in a login: it may refuse a host (MariaDB, once it has read a PROXY header) before it has
    /// read the packet that it should answer, and its ERR then has that packet's own id. Cancel safe.
    pub async fn read_answer(&mut self) -> Result<Vec<u8>, ChannelError> {
        let (found, expected) = match self.read().await {
            Err(ChannelError::OutOfOrder { found, expected }) if found.wrapping_add(1) == expected => (found, expected),
            read => return read,
        };
        self.seq = found;
        let payload = self.read().await?;
        if payload.first() == Some(&0xFF) { Ok(payload) } else { Err(ChannelError::OutOfOrder { found, expected }) }
    }

    /// The next packet's payload, reading not a byte further: what follows belongs to another layer (TLS).
    /// Not cancel safe.
    pub async fn read_exactly_one(&mut self) -> Result<Vec<u8>, ChannelError> {
        let Some(left) = self.patience else { return self.read_packet_alone().await };
        let began = Instant::now();
        let read = timeout(left, self.read_packet_alone()).await;
        self.waited(began);
        read.unwrap_or(Err(ChannelError::TimedOut))
    }

    /// Sends one packet. Not cancel safe.
    pub async fn write(&mut self, payload: &[u8]) -> Result<(), ChannelError> {
        let mut packet = Vec::with_capacity(payload.len() + HEADER);
        self.seq = put_packet(&mut packet, self.seq, payload);
        let Some(left) = self.patience else { return Ok(self.stream.send(&packet).await?) };
        let began = Instant::now();
        let sent = timeout(left, self.stream.send(&packet)).await;
        self.waited(began);
        Ok(sent.map_err(|_| ChannelError::TimedOut)??)
    }

    /// Sends a command, which begins a new exchange. Not cancel safe.
    pub async fn command(&mut self, payload: &[u8]) -> Result<(), ChannelError> {
        self.seq = 0;
        self.write(payload).await
    }

    /// Returns when the peer has closed, while nothing is expected of it. What it says meanwhile is kept. Cancel safe.
    pub async fn gone(&mut self) -> ChannelError {
        while !self.buffer.is_full() {
            match self.stream.fill(&mut self.buffer).await {
                Ok(0) => return ChannelError::Closed,
                Ok(_) => {}
                Err(error) => return error.into(),
            }
        }
        std::future::pending().await
    }

    /// The peer was waited for since `began`.
    pub fn waited(&mut self, began: Instant) {
        self.patience = self.patience.map(|left| left.saturating_sub(began.elapsed()));
    }

    async fn read_packet(&mut self) -> Result<Vec<u8>, ChannelError> {
        let header = self.header().await?;
        self.check(header)?;
        while self.buffer.filled().len() < header.packet_len() {
            self.more(header.packet_len()).await?;
        }
        let payload = self.buffer.filled()[HEADER..header.packet_len()].to_vec();
        self.buffer.consume(header.packet_len());
        self.seq = header.seq.wrapping_add(1);
        Ok(payload)
    }

    /// The next packet's, which stays in the buffer.
    async fn header(&mut self) -> Result<Header, ChannelError> {
        loop {
            match Header::read(self.buffer.filled()) {
                Some(header) => return Ok(header),
                None => self.more(HEADER).await?,
            }
        }
    }

    async fn read_or_skip(&mut self) -> Result<Option<Vec<u8>>, ChannelError> {
        if self.header().await?.len <= MAX_PACKET {
            return self.read_packet().await.map(Some);
        }
        while self.skip_packet().await?.is_continued() {}
        Ok(None)
    }

    async fn skip_packet(&mut self) -> Result<Header, ChannelError> {
        let header = self.header().await?;
        self.check_order(header)?;
        let mut left = header.packet_len();
        while left > self.buffer.filled().len() {
            left -= self.buffer.filled().len();
            self.buffer.consume(self.buffer.filled().len());
            self.fill().await?;
        }
        self.buffer.consume(left);
        self.seq = header.seq.wrapping_add(1);
        Ok(header)
    }

    async fn read_packet_alone(&mut self) -> Result<Vec<u8>, ChannelError> {
        let mut head = [0; HEADER];
        self.read_exact(&mut head[..1]).await.map_err(silent)?;
        self.read_exact(&mut head[1..]).await?;
        let header = Header { len: Header::read(&head).map_or(0, |header| header.len), seq: head[3] };
        self.check(header)?;
        let mut payload = vec![0; header.len];
        self.read_exact(&mut payload).await?;
        self.seq = header.seq.wrapping_add(1);
        Ok(payload)
    }

    fn check(&self, header: Header) -> Result<(), ChannelError> {
        self.check_order(header)?;
        if header.len > MAX_PACKET { Err(ChannelError::TooLong(header.len)) } else { Ok(()) }
    }

    fn check_order(&self, header: Header) -> Result<(), ChannelError> {
        match header.seq == self.seq {
            true => Ok(()),
            false => Err(ChannelError::OutOfOrder { found: header.seq, expected: self.seq }),
        }
    }

    async fn more(&mut self, capacity: usize) -> Result<(), ChannelError> {
        self.buffer.grow(capacity);
        self.fill().await
    }

    /// More of what the peer says, as far as there is room for it. Cancel safe.
    pub async fn fill(&mut self) -> Result<(), ChannelError> {
        let filled = self.stream.fill(&mut self.buffer);
        let n = match self.silence {
            None => filled.await?,
            Some(limit) => timeout(limit, filled).await.map_err(|_| ChannelError::Silence(limit))??,
        };
        if n == 0 { Err(ChannelError::Closed) } else { Ok(()) }
    }

    /// Takes from what was read ahead first.
    async fn read_exact(&mut self, into: &mut [u8]) -> Result<(), ChannelError> {
        let mut into = ReadBuf::new(into);
        let ahead = self.buffer.filled().len().min(into.remaining());
        into.put_slice(&self.buffer.filled()[..ahead]);
        self.buffer.consume(ahead);
        while into.remaining() > 0 {
            let n = self.stream.read(into.initialize_unfilled()).await?;
            if n == 0 {
                return Err(ChannelError::Closed);
            }
            into.advance(n);
        }
        Ok(())
    }
}

/// What a peer's going means where it has not said anything yet.
pub fn silent(error: ChannelError) -> ChannelError {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
    match error {
        ChannelError::Closed => ChannelError::Silent,
        ChannelError::Io(error) if matches!(error.kind(), BrokenPipe | ConnectionReset | NotConnected) => {
            ChannelError::Silent
        }
        other => other,
    }
}
