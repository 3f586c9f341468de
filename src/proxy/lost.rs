//! Mode `transaction`: a backend is lost in the middle of a command, or behind it.

use std::time::Duration;

use tracing::warn;

use crate::net::buffer::Buffer;
use crate::pool::fate::RetireReason;
use crate::proxy::client::{Session, shutting_down};
use crate::proxy::error::{Fault, Whose, printable};
use crate::proxy::exchange::Exchange;
use crate::proxy::kill_client::only;
use crate::session::last::Diagnostics;
use crate::session::reason::{Hold, Pin};
use crate::wire::fault::ErrPacket;
use crate::wire::frame::{HEADER, Header};

impl Session {
    /// A command has ended half-way. Where nothing of the client's was on a backend that died, it hears so in a server's words
    /// and goes on; else nothing is known of what the command did, and nobody else may find it.
    pub(super) async fn backend_lost(
        &mut self,
        exchange: &mut Exchange,
        commands: &Buffer,
        fault: Fault,
        was_free: bool,
    ) -> Result<(), Fault> {
        // Whoever is being killed is to go with its backend.
        let killed = self.admission.is_killed() || self.admission.is_being_killed();
        // What was sent ahead was meant for what is no more: behind a BEGIN, half a transaction would be done.
        let is_followed = is_followed(exchange, commands);
        // What is left of a command that was not read to its end is no command.
        if killed
            || is_followed
            || !exchange.is_whole
            || !(was_free || self.is_in_transaction_only() && self.outlives_backend())
            || !exchange.is_unanswered(&fault)
        {
            if let Some(shared) = &mut self.shared {
                shared.ledger.pin(Pin::UnexplainedState);
            }
            return Err(fault);
        }
        self.log_lost(&fault);
        // A transaction is gone as after a deadlock; what else was there would have kept it from coming here.
        self.forget();
        self.drop_backend(RetireReason::Broken);
        self.in_step = true;
        let answer = Box::new(shutting_down());
        if let Some(shared) = &mut self.shared {
            shared.is_here = false;
            shared.lost.set(Hold::RowCount, false);
            shared.lost.set(Hold::Diagnostics, false);
            shared.last.row_count = Some(-1);
            shared.last.diagnostics = Diagnostics::Saved(Box::new(only(&answer)));
        }
        self.refuse(exchange, &answer).await
    }

    /// The transaction went with its backend while its client was idle: the client hears so, with its next command.
    pub(super) async fn tell_of_lost_transaction(
        &mut self,
        exchange: &mut Exchange,
        commands: &Buffer,
    ) -> Result<(), Fault> {
        if is_followed(exchange, commands) {
            let told = Fault::backend("a transaction is lost, and more was sent ahead");
            return Err(Fault { answer: Some(shutting_down()), ..told });
        }
        self.renew_lost(exchange);
        self.refuse(exchange, &Box::new(shutting_down())).await
    }

    /// A client that asks for what was lost with its backend hears that its connection is.
    pub(super) fn assert_not_lost(&self, exchange: &Exchange) -> Result<(), Fault> {
        match &self.shared {
            Some(shared) if !shared.lost.is_empty() && shared.asks_for_lost(&exchange.summary) => Err(Fault {
                answer: Some(shutting_down()),
                ..Fault::backend(format!("the backend that knew it has gone: {:?}", shared.lost))
            }),
            _ => Ok(()),
        }
    }

    /// A command has left something of its own.
    pub(super) fn renew_lost(&mut self, exchange: &Exchange) {
        if let Some(shared) = self.shared.as_mut().filter(|shared| !shared.lost.is_empty()) {
            shared.renew_lost(&exchange.summary);
        }
    }

    /// The backend takes no more of a command. It may have answered and closed: a server that is sent too much says so (1153) in the
    /// middle. The client hears that, and its session ends as the server's has.
    pub(super) async fn heard_of(&mut self, error: std::io::Error) -> Fault {
        const PATIENCE: Duration = Duration::from_secs(1);
        let stream = &mut self.lease.backend_mut().stream;
        let mut buffer = Buffer::take();
        let words = async {
            loop {
                let whole = Header::read(buffer.filled()).map(Header::packet_len);
                if whole.is_some_and(|whole| buffer.filled().len() >= whole) {
                    return true;
                }
                buffer.grow(whole.unwrap_or_default());
                if !matches!(stream.fill(&mut buffer).await, Ok(1..)) {
                    return false;
                }
            }
        };
        let is_heard = tokio::time::timeout(PATIENCE, words).await.unwrap_or_default();
        let answer = Header::read(buffer.filled()).filter(|header| is_heard && header.seq != 0).and_then(|header| {
            let payload = buffer.filled().get(HEADER..header.packet_len())?;
            Some((header.seq, ErrPacket::parse(payload).filter(|_| payload.first() == Some(&0xFF))?))
        });
        match answer {
            Some((seq, refused)) => {
                self.say(seq, &refused).await;
                Fault::client(format!("refused in the middle of a command: {}", refused.text()), None)
            }
            None => Fault::backend_io(error),
        }
    }

    /// The backend was lost behind a command that was answered. The client hears of it where that costs it something: in a
    /// transaction with its next command, and else by its end.
    pub(super) fn lost_behind(&mut self, fault: Fault) -> Result<(), Fault> {
        let in_transaction = self.is_in_transaction_only();
        if fault.whose != Whose::Backend || !self.outlives_backend() {
            return Err(fault);
        }
        self.log_lost(&fault);
        self.lost_transaction = in_transaction;
        self.forget();
        self.drop_backend(RetireReason::Broken);
        Ok(())
    }

    /// The server has ended the connection behind its reply: as [`Session::lost_behind`], but that a client that cannot go on
    /// hears the server's own words.
    pub(super) async fn said_goodbye(&mut self, words: &[u8]) -> Result<(), Fault> {
        let lost = self.lost_behind(Fault::backend("the server closed behind its reply"));
        if lost.is_err() {
            self.in_step = false;
            self.client.send(words).await.map_err(Fault::client_io)?;
        }
        lost.map_err(|fault| Fault { answer: None, ..fault })
    }

    pub(super) fn log_lost(&self, fault: &Fault) {
        let (client, backend) = (self.admission.id, self.record_backend());
        let user = printable(&self.identity.user);
        warn!(client, user, backend, fault = "backend", "{}", printable(&fault.why));
    }
}

/// Whether commands behind this one are here already.
fn is_followed(exchange: &Exchange, commands: &Buffer) -> bool {
    exchange.is_whole && commands.filled().len() > exchange.kept
}
