//! Replication streams and commands that tidegate does not know: bytes go both ways, as they come.

use std::task::Poll;
use std::time::Instant;

use crate::net::buffer::{Buffer, SMALL};
use crate::net::stream::Stream;
use crate::proxy::client::{End, Session};
use crate::proxy::error::Fault;
use crate::wire::frame::{HEADER, Header};

impl Session {
    /// Passes the command on and then everything in both directions until one side closes. A first answer that is an ERR
    /// ends it: the server refused, and what comes next is an ordinary command.
    pub(super) async fn stream(
        &mut self,
        code: u8,
        header: Header,
        whole: bool,
        buffer: &mut Buffer,
        started: Instant,
    ) -> Result<Option<End>, Fault> {
        self.in_step = false;
        if whole {
            self.send_backend(&buffer.filled()[..header.packet_len()]).await?;
            buffer.consume(header.packet_len());
        } else {
            let mut exchange = self.begin(code, header, buffer, started);
            self.send_streaming(&mut exchange, header, buffer).await?;
            buffer.consume(usize::MAX);
        }
        let mut answer = Buffer::take();
        let refused = loop {
            if let Some(refused) = refusal(answer.filled()) {
                break refused;
            }
            if !self.first_words(buffer, &mut answer).await? {
                return Ok(Some(End::Quit));
            }
        };
        self.client.send(answer.filled()).await.map_err(Fault::client_io)?;
        if refused {
            self.in_step = true;
            return Ok(None);
        }
        drop(answer);
        let up = Lane { buffer: Some(std::mem::replace(buffer, Buffer::take())), written: 0 };
        both_ways(&mut self.client, &mut self.lease.backend_mut().stream, up).await;
        Ok(Some(End::BackendClosed))
    }

    /// More of the backend's answer; what the client says meanwhile is kept. `false`: the client went.
    async fn first_words(&mut self, commands: &mut Buffer, answer: &mut Buffer) -> Result<bool, Fault> {
        let (client, backend) = (&mut self.client, &mut self.lease.backend_mut().stream);
        let read = std::future::poll_fn(|cx| {
            if let Poll::Ready(read) = backend.poll_fill(cx, answer) {
                return Poll::Ready(Some(read));
            }
            while !commands.is_full() {
                match client.poll_fill(cx, commands) {
                    Poll::Pending => break,
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(None),
                }
            }
            Poll::Pending
        });
        match read.await {
            None => Ok(false),
            Some(Ok(0)) => Err(Fault::backend("the server closed in the middle of a reply")),
            Some(read) => read.map(|_| true).map_err(Fault::backend_io),
        }
    }
}

/// Whether an answer is one whole ERR packet; `None`: not to be told yet.
fn refusal(bytes: &[u8]) -> Option<bool> {
    let header = Header::read(bytes)?;
    match bytes.get(HEADER) {
        None if header.len > 0 => None,
        // No server's error is as long as that.
        Some(0xFF) if header.packet_len() > SMALL => Some(false),
        Some(0xFF) if bytes.len() < header.packet_len() => None,
        Some(0xFF) => Some(bytes.len() == header.packet_len()),
        _ => Some(false),
    }
}

async fn both_ways(client: &mut Stream, backend: &mut Stream, mut up: Lane) {
    let mut down = Lane::default();
    std::future::poll_fn(|cx| {
        let up = up.poll(cx, client, backend);
        let down = down.poll(cx, backend, client);
        if up.is_ready() || down.is_ready() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// One direction.
#[derive(Default)]
struct Lane {
    buffer: Option<Buffer>,
    written: usize,
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
