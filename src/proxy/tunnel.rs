//! Replication streams and commands that tidegate does not know: bytes go both ways, as they come.

use std::task::Poll;
use std::time::Instant;

use crate::net::buffer::Buffer;
use crate::net::stream::Stream;
use crate::proxy::client::{End, Session};
use crate::proxy::error::Fault;
use crate::proxy::exchange::Exchange;
use crate::wire::fault::ErrPacket;
use crate::wire::frame::{HEADER, Header};

impl Session {
    /// Passes the command on and then everything in both directions until one side closes. A first answer that is an ERR
    /// ends it: the server refused, and what comes next is an ordinary command.
    pub(super) async fn stream(&mut self, exchange: &mut Exchange, buffer: &mut Buffer) -> Result<Option<End>, Fault> {
        self.in_step = false;
        let n = exchange.header.packet_len().min(buffer.filled().len());
        self.lease.backend_mut().stream.send(&buffer.filled()[..n]).await.map_err(Fault::backend_io)?;
        exchange.timer.sent(Instant::now());
        buffer.consume(n);
        if exchange.is_whole && self.is_refused(exchange, buffer).await? {
            self.in_step = true;
            return Ok(None);
        }
        self.lease.backend_mut().stream.send(buffer.filled()).await.map_err(Fault::backend_io)?;
        buffer.consume(usize::MAX);
        exchange.bytes_out += both_ways(&mut self.client, &mut self.lease.backend_mut().stream).await;
        Ok(Some(End::BackendClosed))
    }

    /// Passes the server's first answer on; whether it is an ERR. A client that speaks before it comes (and did not pipeline
    /// commands) is in the middle of something that tidegate does not know.
    async fn is_refused(&mut self, exchange: &mut Exchange, ahead: &mut Buffer) -> Result<bool, Fault> {
        let pipelined = !ahead.is_empty();
        let mut answer = Buffer::take();
        let refused = loop {
            if !pipelined && !self.backend_is_first(ahead).await? {
                return Ok(false);
            }
            let n = self.lease.backend_mut().stream.fill(&mut answer).await.map_err(Fault::backend_io)?;
            exchange.timer.first_byte(Instant::now());
            match refusal(answer.filled()) {
                Some(refused) => break refused,
                None if n == 0 || answer.is_full() => break false,
                None => {}
            }
        };
        exchange.bytes_out += answer.filled().len() as u64;
        if refused {
            exchange.reply.facts.error = answer.filled().get(HEADER..).and_then(ErrPacket::parse).map(|err| err.code);
        }
        self.client.send(answer.filled()).await.map_err(Fault::client_io)?;
        Ok(refused)
    }

    async fn backend_is_first(&mut self, ahead: &mut Buffer) -> Result<bool, Fault> {
        let Session { client, lease, .. } = self;
        std::future::poll_fn(|cx| {
            if let Poll::Ready(ready) = lease.backend_mut().stream.poll_readable(cx) {
                return Poll::Ready(ready.map(|()| true).map_err(Fault::backend_io));
            }
            client.poll_fill(cx, ahead).map(|read| match read {
                Ok(1..) => Ok(false),
                Ok(0) => Err(Fault::client("the client went before its answer came", None)),
                Err(error) => Err(Fault::client_io(error)),
            })
        })
        .await
    }
}

/// Whether an answer is one whole ERR packet; `None`: not to be told yet.
fn refusal(bytes: &[u8]) -> Option<bool> {
    let header = Header::read(bytes)?;
    match bytes.get(HEADER) {
        None if header.len > 0 => None,
        Some(0xFF) if bytes.len() < header.packet_len() => None,
        Some(0xFF) => Some(bytes.len() == header.packet_len()),
        _ => Some(false),
    }
}

/// Returns how many bytes went to the client.
async fn both_ways(client: &mut Stream, backend: &mut Stream) -> u64 {
    let (mut up, mut down) = (Lane::default(), Lane::default());
    std::future::poll_fn(|cx| {
        let up = up.poll(cx, client, backend);
        let down = down.poll(cx, backend, client);
        if up.is_ready() || down.is_ready() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    down.passed
}

/// One direction.
#[derive(Default)]
struct Lane {
    buffer: Option<Buffer>,
    written: usize,
    passed: u64,
}

impl Lane {
    /// Ready when this direction has ended.
    fn poll(&mut self, cx: &mut std::task::Context<'_>, from: &mut Stream, to: &mut Stream) -> Poll<()> {
        loop {
            let buffer = self.buffer.get_or_insert_with(Buffer::take);
            if !buffer.is_empty() {
                match to.poll_send(cx, buffer.filled(), &mut self.written) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Ready(Ok(())) => {}
                }
                self.passed += buffer.filled().len() as u64;
                buffer.consume(usize::MAX);
                self.written = 0;
            }
            match from.poll_fill(cx, buffer) {
                Poll::Pending => {
                    self.buffer = None;
                    return Poll::Pending;
                }
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_err_is_a_refusal() {
        assert_eq!(refusal(&[3, 0, 0, 1, 0xFF, 1, 2]), Some(true));
        assert_eq!(refusal(&[3, 0, 0, 1, 0xFF, 1]), None);
        assert_eq!(refusal(&[3, 0, 0, 1]), None);
        assert_eq!(refusal(&[1, 0, 0, 1, 0]), Some(false));
    }
}
