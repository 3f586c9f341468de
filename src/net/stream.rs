//! One byte stream, whatever carries it: TCP, a Unix socket, TLS over either, compression over any of these.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::{Handle, Id};
use tokio::task::coop::has_budget_remaining;
use tokio_rustls::TlsStream;

use crate::net::buffer::Buffer;
use crate::net::compression::Compressed;

/// A connected socket.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
    /// Given up: no runtime would take it.
    Closed,
}

impl Socket {
    /// Registers it with the current runtime instead of the one before: two system calls. After an error it is closed.
    fn rehome(&mut self) -> io::Result<()> {
        *self = match std::mem::replace(self, Socket::Closed) {
            Socket::Tcp(tcp) => Socket::Tcp(TcpStream::from_std(tcp.into_std()?)?),
            Socket::Unix(unix) => Socket::Unix(UnixStream::from_std(unix.into_std()?)?),
            Socket::Closed => return closed(),
        };
        Ok(())
    }

    /// Whether the runtime has heard that a read is worth a try. Asks no kernel and wakes nobody.
    #[inline]
    fn may_be_readable(&self) -> bool {
        match self {
            Socket::Tcp(tcp) => tcp.try_io(Interest::READABLE, || Ok(())).is_ok(),
            Socket::Unix(unix) => unix.try_io(Interest::READABLE, || Ok(())).is_ok(),
            Socket::Closed => true,
        }
    }

    /// Writes what the kernel takes now; `None`: not all of it.
    #[inline]
    fn send_now(&self, buf: &[u8], written: &mut usize) -> Option<io::Result<()>> {
        let rest = &buf[*written..];
        let sent = match self {
            _ if rest.is_empty() => return Some(Ok(())),
            Socket::Tcp(tcp) => tcp.try_write(rest),
            Socket::Unix(unix) => unix.try_write(rest),
            Socket::Closed => return Some(closed()),
        };
        match sent {
            Ok(n) => {
                *written += n;
                (n == rest.len()).then_some(Ok(()))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// Ready when a read would not wait, as far as is known without asking the kernel.
    #[inline]
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(tcp) => tcp.poll_read_ready(cx),
            Socket::Unix(unix) => unix.poll_read_ready(cx),
            Socket::Closed => Poll::Ready(closed()),
        }
    }
}

impl AsyncRead for Socket {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Socket::Unix(unix) => Pin::new(unix).poll_read(cx, buf),
            Socket::Closed => Poll::Ready(closed()),
        }
    }
}

impl AsyncWrite for Socket {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Tcp(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Socket::Unix(unix) => Pin::new(unix).poll_write(cx, buf),
            Socket::Closed => Poll::Ready(closed().map(|()| 0)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Socket::Unix(unix) => Pin::new(unix).poll_shutdown(cx),
            Socket::Closed => Poll::Ready(Ok(())),
        }
    }
}

enum Layer {
    /// Taken away, for a layer to be put over it or for good.
    Closed,
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
    Compressed(Box<Compressed<Stream>>),
}

/// A client's or a backend's byte stream.
pub struct Stream {
    layer: Layer,
    /// The last read of a layered stream found nothing: no decoded byte is waiting inside the layers.
    drained: bool,
    /// The runtime that its socket is registered with; `None`: none yet.
    home: Option<Id>,
    /// Whom the bare socket wakes when it can be read: the address of a task that the runtime holds for as long as this says so.
    wakes: Option<usize>,
}

impl Stream {
    /// No stream: what is left while the real one is elsewhere. Every use of it is an error.
    pub fn closed() -> Stream {
        Stream { layer: Layer::Closed, drained: true, home: None, wakes: None }
    }

    /// A bare socket.
    pub fn plain(socket: Socket) -> Stream {
        Stream { layer: Layer::Plain(socket), drained: true, home: here(), wakes: None }
    }

    /// TLS over a socket, either side.
    pub fn tls(stream: TlsStream<Socket>) -> Stream {
        Stream { layer: Layer::Tls(Box::new(stream)), drained: false, home: here(), wakes: None }
    }

    /// Compression over another stream.
    pub fn compressed(stream: Compressed<Stream>) -> Stream {
        Stream { layer: Layer::Compressed(Box::new(stream)), drained: false, home: here(), wakes: None }
    }

    /// The bare socket, for a layer to be put over it; the stream itself where it has a layer already.
    #[allow(clippy::result_large_err, reason = "the error is the stream itself, given back")]
    pub fn into_socket(self) -> Result<Socket, Stream> {
        match self.layer {
            Layer::Plain(socket) => Ok(socket),
            layer => Err(Stream { layer, ..self }),
        }
    }

    /// Registers the socket with the current thread's runtime, wherever it was registered before; whether it was elsewhere.
    /// Nothing that was read, written or encrypted is lost; a task that waits for the stream on the runtime before is not
    /// woken any more. What costs nothing but a look where the stream is at home may be called always.
    ///
    /// # Errors
    /// There is no current runtime, and the stream is as it was; or the kernel refuses (no memory, too many watches), and
    /// the stream is closed.
    pub fn rehome(&mut self) -> io::Result<bool> {
        let here = here();
        if self.home == here {
            return Ok(false);
        }
        if here.is_none() {
            return Err(io::Error::other("no runtime here to register a socket with"));
        }
        match &mut self.layer {
            Layer::Closed => return Ok(false),
            Layer::Plain(socket) => socket.rehome()?,
            Layer::Tls(tls) => tls.get_mut().0.rehome()?,
            Layer::Compressed(inner) => drop(inner.get_mut().rehome()?),
        }
        (self.home, self.wakes) = (here, None);
        Ok(true)
    }

    /// The socket at the bottom.
    pub fn socket(&self) -> Option<&Socket> {
        match &self.layer {
            Layer::Closed => None,
            Layer::Plain(socket) => Some(socket),
            Layer::Tls(tls) => Some(tls.get_ref().0),
            Layer::Compressed(inner) => inner.get_ref().socket(),
        }
    }

    /// The TLS connection, if there is one.
    pub fn tls_info(&self) -> Option<TlsInfo> {
        match &self.layer {
            Layer::Plain(_) | Layer::Closed => None,
            Layer::Tls(tls) => {
                let (_, connection) = tls.get_ref();
                Some(TlsInfo {
                    has_peer_certificate: connection.peer_certificates().is_some_and(|chain| !chain.is_empty()),
                })
            }
            Layer::Compressed(inner) => inner.get_ref().tls_info(),
        }
    }

    /// Whether the compressed protocol is spoken on it.
    pub fn is_compressed(&self) -> bool {
        matches!(self.layer, Layer::Compressed(_))
    }

    /// Whether nobody between the two ends can read along: TLS or a Unix socket.
    pub fn is_secure(&self) -> bool {
        self.tls_info().is_some() || matches!(self.socket(), Some(Socket::Unix(_)))
    }

    /// Ready when a read is worth a try: bytes, the end, or an error. Takes no buffer and asks no kernel.
    #[inline]
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.layer {
            Layer::Plain(socket) => {
                let task = cx.waker().data().addr();
                // A task that has used its turn up is not promised anything: it is only told to come again.
                let asks = has_budget_remaining();
                match socket.may_be_readable() {
                    // The read that follows takes its share of the turn.
                    true if asks => return Poll::Ready(Ok(())),
                    // Nothing has come since this task asked to be woken: to ask once more would cost a lock.
                    false if self.wakes == Some(task) => return Poll::Pending,
                    _ => {}
                }
                let ready = socket.poll_read_ready(cx);
                self.wakes = (asks && ready.is_pending()).then_some(task);
                ready
            }
            _ if !self.drained => Poll::Ready(Ok(())),
            Layer::Closed => Poll::Ready(closed()),
            Layer::Tls(tls) => tls.get_ref().0.poll_read_ready(cx),
            Layer::Compressed(inner) => inner.get_mut().poll_readable(cx),
        }
    }

    /// Reads what is there into `buffer`; 0 bytes: the peer has closed. The buffer must have space.
    #[inline]
    pub fn poll_fill(&mut self, cx: &mut Context<'_>, buffer: &mut Buffer) -> Poll<io::Result<usize>> {
        let mut space = ReadBuf::new(buffer.space());
        let read = Pin::new(&mut *self).poll_read(cx, &mut space);
        let n = space.filled().len();
        buffer.received(n);
        read.map(|read| match read {
            Ok(()) => Ok(n),
            // Many clients close TLS without its goodbye.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            Err(error) => Err(error),
        })
    }

    /// As [`Stream::poll_fill`], for what comes before its turn: compressed frames stay in the stream, for the next one's id says
    /// which id the reply's frames have.
    pub fn poll_fill_ahead(&mut self, cx: &mut Context<'_>, buffer: &mut Buffer) -> Poll<io::Result<usize>> {
        let Layer::Compressed(inner) = &mut self.layer else {
            ready!(self.poll_readable(cx))?;
            return self.poll_fill(cx, buffer);
        };
        ready!(inner.get_mut().poll_readable(cx))?;
        let read = ready!(inner.poll_ahead(cx));
        self.drained = false;
        Poll::Ready(match read {
            // Many clients close TLS without its goodbye.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            read => read,
        })
    }

    /// What [`Stream::poll_fill_ahead`] has left in the stream, if it is one short frame.
    pub fn frame_ahead(&self) -> Option<&[u8]> {
        match &self.layer {
            Layer::Compressed(inner) => inner.stored_ahead(),
            _ => None,
        }
    }

    /// Reads at least one byte into `buffer`; 0: the peer has closed. Cancel safe.
    pub async fn fill(&mut self, buffer: &mut Buffer) -> io::Result<usize> {
        std::future::poll_fn(|cx| self.poll_fill(cx, buffer)).await
    }

    /// Waits until a read is worth a try. Cancel safe.
    pub async fn readable(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_readable(cx)).await
    }

    /// Writes from `buf[*written..]`, counting on, and pushes it through all layers. Cancel safe: `written` is the truth.
    pub fn poll_send(&mut self, cx: &mut Context<'_>, buf: &[u8], written: &mut usize) -> Poll<io::Result<()>> {
        // Most sockets take all of it at once: then nothing is to be asked of the runtime.
        if let Layer::Plain(socket) = &self.layer
            && let Some(done) = socket.send_now(buf, written)
        {
            return Poll::Ready(done);
        }
        while *written < buf.len() {
            match ready!(Pin::new(&mut *self).poll_write(cx, &buf[*written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => *written += n,
            }
        }
        match self.layer {
            Layer::Plain(_) => Poll::Ready(Ok(())),
            _ => Pin::new(self).poll_flush(cx),
        }
    }

    /// Writes all of `buf` and pushes it through all layers. Not cancel safe: a part may have been sent.
    pub async fn send(&mut self, buf: &[u8]) -> io::Result<()> {
        let mut written = 0;
        std::future::poll_fn(|cx| self.poll_send(cx, buf, &mut written)).await
    }
}

/// The runtime that sockets made here are registered with.
fn here() -> Option<Id> {
    Handle::try_current().ok().map(|runtime| runtime.id())
}

fn closed() -> io::Result<()> {
    Err(io::ErrorKind::NotConnected.into())
}

/// What is known of a TLS connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsInfo {
    /// The peer showed a certificate (which was checked, where tidegate was told to).
    pub has_peer_certificate: bool,
}

impl AsyncRead for Stream {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let read = match &mut this.layer {
            // A read takes away what has come, and with it whoever was woken for it.
            Layer::Plain(socket) => {
                this.wakes = None;
                return Pin::new(socket).poll_read(cx, buf);
            }
            Layer::Closed => return Poll::Ready(closed()),
            Layer::Tls(tls) => Pin::new(&mut **tls).poll_read(cx, buf),
            Layer::Compressed(inner) => Pin::new(&mut **inner).poll_read(cx, buf),
        };
        // Whoever reads, another layer too, finds out whether the layer holds more.
        this.drained = read.is_pending();
        read
    }
}

impl AsyncWrite for Stream {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().layer {
            Layer::Closed => Poll::Ready(closed().map(|()| 0)),
            Layer::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            Layer::Tls(tls) => Pin::new(&mut **tls).poll_write(cx, buf),
            Layer::Compressed(inner) => Pin::new(&mut **inner).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().layer {
            Layer::Plain(_) | Layer::Closed => Poll::Ready(Ok(())),
            Layer::Tls(tls) => Pin::new(&mut **tls).poll_flush(cx),
            Layer::Compressed(inner) => Pin::new(&mut **inner).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().layer {
            Layer::Closed => Poll::Ready(Ok(())),
            Layer::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Layer::Tls(tls) => Pin::new(&mut **tls).poll_shutdown(cx),
            Layer::Compressed(inner) => Pin::new(&mut **inner).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests;
