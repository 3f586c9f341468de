//! One command's life: read, sent, its reply passed on (`reply`), its record made (`record`).

use std::cell::RefCell;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::net::buffer::{Buffer, LARGE};
use crate::proxy::client::{End, Session, fill_now};
use crate::proxy::error::{Fault, out_of_order};
use crate::proxy::exchange::{Exchange, Prelude};
use crate::proxy::kill;
use crate::proxy::leaving::Leaving;
use crate::proxy::packets::Packets;
use crate::proxy::settings::Mode;
use crate::session::outcome::Announced;
use crate::session::reason::Pin;
use crate::sql::digest::digest;
use crate::sql::familiar::{Familiar, Said};
use crate::sql::outlives::{is_xa, moves_connection};
use crate::stats::record::Outcome;
use crate::stats::timer::QueryTimer;
use crate::wire::command::{self, Shape};
use crate::wire::execute::{CURSORS, FLAGS};
use crate::wire::frame::{HEADER, Header, MAX_PAYLOAD, put_packet};
use crate::wire::query_text::query_text;
use crate::wire::reply::Reply;

/// A command of up to this many bytes is read whole before it is sent on; a longer one streams through.
const MAX_WHOLE: usize = LARGE;

/// The same where the statement must be read: up to what one packet holds.
const MAX_READ: usize = HEADER + MAX_PAYLOAD - 1;

thread_local! {
    static FAMILIAR: RefCell<Familiar> = RefCell::default();
}

/// A command whose beginning is there.
#[derive(Clone, Copy)]
struct Command {
    code: u8,
    header: Header,
    is_whole: bool,
    started: Instant,
}

impl Session {
    /// Serves the command at the start of `buffer` and consumes it. `Some`: the session is over.
    pub(super) async fn command(&mut self, buffer: &mut Buffer, started: Instant) -> Result<Option<End>, Fault> {
        let Some(header) = self.header(buffer).await? else { return Ok(Some(End::Quit)) };
        if header.seq != 0 {
            self.say(0, &out_of_order()).await;
            return Err(Fault::client(format!("command with sequence id {}", header.seq), None));
        }
        // Who shares its backend has its statements read.
        let most = if self.is_shared() { MAX_READ } else { MAX_WHOLE };
        let is_whole = header.packet_len() <= most;
        if is_whole && !self.fill_to(buffer, header.packet_len()).await? {
            return Ok(Some(End::Quit));
        }
        let code = if header.len == 0 { command::SLEEP } else { buffer.filled()[HEADER] };
        let command = Command { code, header, is_whole, started };
        match command::shape(code) {
            Shape::End => Ok(Some(End::Quit)),
            Shape::Login | Shape::Stream => Box::pin(self.special(command, buffer)).await,
            _ => self.exchange(command, buffer).await.map(|()| None),
        }
    }

    /// The command's header and its first byte; `None`: the client went before it was whole.
    async fn header(&mut self, buffer: &mut Buffer) -> Result<Option<Header>, Fault> {
        loop {
            match Header::read(buffer.filled()) {
                Some(header) if header.len == 0 || buffer.filled().len() > HEADER => return Ok(Some(header)),
                _ if !self.fill_more(buffer).await? => return Ok(None),
                _ => {}
            }
        }
    }

    async fn fill_to(&mut self, buffer: &mut Buffer, len: usize) -> Result<bool, Fault> {
        while buffer.filled().len() < len {
            buffer.grow(len);
            if !self.fill_more(buffer).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads more of what the client is in the middle of. A backend that loses patience meanwhile ends the session: a
    /// client that never goes on must not hold what is dead.
    pub(super) async fn fill_more(&mut self, buffer: &mut Buffer) -> Result<bool, Fault> {
        loop {
            let Session { client, lease, admission, .. } = &mut *self;
            let mut backend = lease.is_held().then(|| &mut lease.backend_mut().stream);
            admission.await_client();
            let filled = std::future::poll_fn(|cx| match client.poll_fill(cx, buffer) {
                Poll::Ready(filled) => Poll::Ready(Some(filled)),
                Poll::Pending if admission.is_overdue() => Poll::Ready(Some(Err(too_slow()))),
                Poll::Pending if admission.is_killed() => {
                    Poll::Ready(Some(Err(std::io::Error::other("killed by another client"))))
                }
                Poll::Pending => match &mut backend {
                    Some(backend) => backend.poll_readable(cx).map(|_| None),
                    None => Poll::Pending,
                },
            })
            .await;
            admission.client_moved();
            match filled {
                Some(filled) => return filled.map(|n| n > 0).map_err(Fault::client_io),
                None if self.backend_spoke().await? => {
                    return Err(Fault::backend("the server closed while the client was in the middle of a command"));
                }
                None => {}
            }
        }
    }

    /// A login in mid-session, or a stream: no reply of a known shape, but a record all the same.
    async fn special(&mut self, command: Command, buffer: &mut Buffer) -> Result<Option<End>, Fault> {
        let mut exchange = self.begin(command, buffer);
        if self.is_shared()
            && let Err(refused) = self.acquire(&mut exchange, buffer).await?
        {
            self.say(1, &refused).await;
            exchange.reply.facts.error = Some(refused.code);
            self.record(&exchange, &[], Outcome::Error(refused.code));
            buffer.consume(exchange.kept);
            return Ok(None);
        }
        if let (Shape::Stream, Some(shared)) = (command::shape(exchange.code), &mut self.shared) {
            let replicates =
                matches!(exchange.code, command::BINLOG_DUMP | command::BINLOG_DUMP_GTID | command::TABLE_DUMP);
            shared.ledger.pin(if replicates { Pin::Replication } else { Pin::UnknownCommand });
        }
        // Nothing of a transaction is left behind either.
        self.lost_transaction = false;
        let done = match command::shape(exchange.code) {
            Shape::Login => self.change_user(&mut exchange, buffer).await.map(|()| None),
            _ => self.stream(&mut exchange, buffer).await,
        };
        // The record is about the backend that it had, and tells a trace what became of it.
        self.ran_on = self.record_backend();
        if self.in_step {
            Box::pin(self.note_refused(&exchange)).await?;
            self.settle(Instant::now());
        }
        self.record(&exchange, &[], exchange.outcome(done.as_ref().err()));
        done
    }

    /// Command and reply. Whatever happens, the record is made.
    async fn exchange(&mut self, command: Command, buffer: &mut Buffer) -> Result<(), Fault> {
        let mut exchange = self.begin(command, buffer);
        let done = match self.is_shared() {
            false => self.run_unshared(&mut exchange, buffer).await,
            true => self.run_shared(&mut exchange, buffer).await,
        };
        let outcome = exchange.outcome(done.as_ref().err());
        if !exchange.is_plain {
            self.note_what_stays(&exchange, buffer.filled());
            self.note_prepared_kills(&mut exchange, buffer.filled());
        }
        if outcome == Outcome::Ok {
            self.note_effects(&exchange, buffer.filled());
        }
        if done.is_ok() {
            self.note_transaction(&exchange, buffer.filled());
        }
        self.record(&exchange, buffer.filled(), outcome);
        buffer.consume(exchange.kept);
        done
    }

    /// What no reset undoes, whether or not its client has heard of it.
    fn note_what_stays(&mut self, exchange: &Exchange, commands: &[u8]) {
        let text = match exchange.code {
            command::QUERY => commands.get(exchange.text.clone()),
            command::STMT_EXECUTE => exchange.statement.and_then(|id| Some(&self.statements.get(id)?.text[..])),
            _ => None,
        };
        let moves = text.is_some_and(moves_connection);
        // Servers differ in whether a change of user undoes COM_SET_OPTION.
        let is_own = self.shared.is_none() && (exchange.code == command::SET_OPTION || text.is_some_and(is_xa));
        self.left_what_stays |= moves || is_own;
        if moves && self.lease.is_held() {
            self.lease.backend_mut().kept.tired = true;
        }
    }

    /// What a text that is not plain may kill is found out before it runs.
    async fn foresee_kills(&mut self, exchange: &mut Exchange, buffer: &Buffer) -> Result<(), Fault> {
        if exchange.is_whole && self.may_hold_kills(exchange, buffer.filled()) {
            self.plan_kills(exchange, &buffer.filled()[..exchange.kept]).await?;
        }
        if self.proxy.settings.mode == Mode::Session {
            self.read_prepared_text(exchange, buffer.filled()).await?;
        }
        Ok(())
    }

    /// On a backend that is the client's own.
    async fn run_unshared(&mut self, exchange: &mut Exchange, buffer: &mut Buffer) -> Result<(), Fault> {
        if exchange.code == command::QUERY && !exchange.is_plain {
            Box::pin(self.foresee_kills(exchange, buffer)).await?;
        }
        self.run_exchange(exchange, buffer).await?;
        if exchange.among.is_some() {
            Box::pin(self.carry_out_kills(exchange)).await;
        }
        match exchange.meant.take() {
            Some(meant) => Box::pin(self.kill_meant(exchange, *meant, buffer)).await,
            None => Ok(()),
        }
    }

    fn begin(&self, command: Command, buffer: &Buffer) -> Exchange {
        let Command { code, header, is_whole, started } = command;
        let packet = &buffer.filled()[..header.packet_len().min(buffer.filled().len())];
        let payload = packet.get(HEADER..).unwrap_or_default();
        let text = match code {
            command::QUERY => query_text(payload, self.capabilities).unwrap_or(payload.len()..payload.len()),
            command::STMT_PREPARE | command::INIT_DB => 1.min(payload.len())..payload.len(),
            _ => 0..0,
        };
        let statement = match code {
            command::STMT_EXECUTE
            | command::STMT_FETCH
            | command::STMT_RESET
            | command::STMT_CLOSE
            | command::STMT_BULK_EXECUTE
            | command::STMT_SEND_LONG_DATA => {
                payload.get(1..5).and_then(|id| id.try_into().ok()).map(u32::from_le_bytes)
            }
            _ => None,
        };
        let is_sql = matches!(code, command::QUERY | command::STMT_PREPARE);
        let cursor = code == command::STMT_EXECUTE && payload.get(FLAGS).is_some_and(|flags| flags & CURSORS != 0);
        let sql = if is_sql { &payload[text.clone()] } else { &[] };
        let said = if is_sql { self.familiar(sql) } else { None };
        let summary = said.filter(|_| self.is_shared()).map(|said| said.summary);
        Exchange {
            code,
            header,
            is_whole,
            timer: QueryTimer::start(started),
            done_at: None,
            digest: said.map_or_else(|| if is_sql { digest(sql) } else { 0 }, |said| said.digest),
            is_plain: said.is_some(),
            text_len: (header.len.saturating_sub(text.start)) as u64 * u64::from(!text.is_empty()),
            text: text.start + HEADER..text.end + HEADER,
            statement,
            kept: packet.len(),
            bytes_in: header.packet_len() as u64,
            bytes_out: 0,
            reply: Reply::new(command::shape(code), self.capabilities, 1).with_cursor(cursor),
            client_ended: false,
            client_gone: false,
            announced: Announced::default(),
            changed_at_eof: false,
            summary: summary.unwrap_or_default(),
            patch: None,
            pin_reason: self.held_for,
            mapped: None,
            own_words: None,
            was_not_read: false,
            goodbye: None,
            has_new_columns: false,
            sets_instead: false,
            instead: None,
            holds_reply: false,
            held_from: 0,
            prelude: Prelude::default(),
            discards: false,
            ahead: None,
            leaving: Leaving::default(),
            prepares: None,
            meant: None,
            killing: None,
            among: None,
        }
    }

    /// What the text says, where it is a plain statement whose shape this thread knows.
    fn familiar(&self, sql: &[u8]) -> Option<Said> {
        let dialect = self.shared.as_ref().map(|shared| shared.dialect).unwrap_or_default();
        FAMILIAR.with_borrow_mut(|familiar| familiar.read(sql, dialect))
    }

    pub(super) async fn run_exchange(&mut self, exchange: &mut Exchange, buffer: &mut Buffer) -> Result<(), Fault> {
        self.in_step = false;
        self.ran_on = self.lease.backend().id;
        self.limit_statement();
        if exchange.is_whole {
            self.send_whole(exchange, &buffer.filled()[..exchange.kept]).await?;
        } else {
            Box::pin(self.send_streaming(exchange, buffer)).await?;
        }
        if self.is_shared() {
            exchange.reply.watch();
        }
        exchange.timer.sent(Instant::now());
        if !exchange.prelude.payloads.is_empty() {
            Box::pin(self.hear_prelude(exchange, buffer)).await?;
        }
        if command::shape(exchange.code) != Shape::None {
            self.pass_reply(exchange, buffer).await?;
            exchange.leaving.finish().await;
        }
        exchange.done_at = Some(Instant::now());
        self.in_step = true;
        match exchange.client_gone {
            true => Err(Fault::client("the client went before its reply was complete", None)),
            false => Ok(()),
        }
    }

    async fn send_whole(&mut self, exchange: &mut Exchange, packet: &[u8]) -> Result<(), Fault> {
        let may_kill = match exchange.code {
            command::QUERY => !exchange.is_plain,
            code => code == command::PROCESS_KILL,
        };
        if may_kill || exchange.instead.is_some() || !exchange.prelude.payloads.is_empty() {
            return Box::pin(self.send_otherwise(exchange, packet)).await;
        }
        self.send_backend(packet).await
    }

    /// Not as it came, or perhaps not: another packet, one behind a prelude, a KILL.
    async fn send_otherwise(&mut self, exchange: &mut Exchange, packet: &[u8]) -> Result<(), Fault> {
        if let Some(instead) = exchange.instead.take() {
            return self.send_behind(exchange, &instead).await;
        }
        if !exchange.prelude.payloads.is_empty() {
            return self.send_behind(exchange, packet).await;
        }
        let mapped = match exchange.code {
            command::QUERY if !exchange.is_plain => {
                kill::mapped_query(&self.proxy.clients, packet, exchange.text.clone(), self.lease.backend().mariadb)
            }
            command::PROCESS_KILL => kill::mapped_command(&self.proxy.clients, packet),
            _ => None,
        };
        let (mapped, mut killing) = mapped.unzip();
        // Oneself stays all the same.
        if let Some(own) = killing.as_mut().filter(|killing| killing.id == self.admission.id) {
            own.victim = None;
        }
        exchange.holds_reply |= killing.is_some();
        exchange.killing = killing.map(Box::new);
        self.send_backend(mapped.as_deref().unwrap_or(packet)).await
    }

    /// Sends the prelude, where there is one, and the packet in one go.
    async fn send_behind(&mut self, exchange: &Exchange, packet: &[u8]) -> Result<(), Fault> {
        if exchange.prelude.payloads.is_empty() {
            return self.send_backend(packet).await;
        }
        let mut bytes = Vec::new();
        for payload in &exchange.prelude.payloads {
            put_packet(&mut bytes, 0, payload);
        }
        bytes.extend_from_slice(packet);
        self.send_backend(&bytes).await
    }

    /// The answers to the prelude. Where one that matters is an error, the client gets nothing of what follows.
    async fn hear_prelude(&mut self, exchange: &mut Exchange, commands: &mut Buffer) -> Result<(), Fault> {
        let mut buffer = Buffer::take();
        let mut left = exchange.prelude.payloads.len();
        loop {
            while left > 0
                && let Some(header) = Header::read(buffer.filled())
                && buffer.filled().len() >= header.packet_len()
            {
                exchange.prelude.failed |= buffer.filled().get(HEADER) == Some(&0xFF);
                buffer.consume(header.packet_len());
                left -= 1;
            }
            if left == 0 {
                break;
            }
            self.await_backend(exchange, commands).await?;
            match fill_now(&mut self.lease.backend_mut().stream, &mut buffer).await.map_err(Fault::backend_io)? {
                Some(0) => return Err(Fault::backend("the server closed in the middle of a restore")),
                Some(_) if buffer.is_full() => buffer.grow(LARGE),
                _ => {}
            }
        }
        exchange.discards = exchange.prelude.failed && exchange.prelude.matters;
        exchange.ahead = (!buffer.is_empty()).then(|| Box::new(buffer));
        Ok(())
    }

    pub(super) async fn send_backend(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let stream = &mut self.lease.backend_mut().stream;
        let sent = match self.proxy.settings.backend.write_timeout {
            None => stream.send(bytes).await,
            Some(limit) => Box::pin(within(limit, stream.send(bytes), "backend.write_timeout")).await?,
        };
        match sent {
            Ok(()) => Ok(()),
            Err(error) => Err(Box::pin(self.heard_of(error)).await),
        }
    }

    /// A command too long to be held: what was read goes on, then the rest as it comes. A copy of its beginning stays
    /// in `buffer` for the record.
    async fn send_streaming(&mut self, exchange: &mut Exchange, buffer: &mut Buffer) -> Result<(), Fault> {
        let mut packets = Packets::of_command(exchange.header, self.client.is_compressed());
        let mut more = buffer.split_beyond(0);
        exchange.bytes_in = 0;
        buffer.keep_beginning(more.filled());
        exchange.kept = buffer.filled().len();
        loop {
            let now = packets.pass(more.filled_mut());
            self.in_order(&packets).await?;
            exchange.bytes_in += now as u64;
            self.send_backend(&more.filled()[..now]).await?;
            more.consume(now);
            if packets.are_over() {
                break;
            }
            more.grow(LARGE);
            if !self.fill_more(&mut more).await? {
                return Err(Fault::client("the client went in the middle of a command", None));
            }
        }
        let cursor = exchange.reply.asks_for_cursor();
        exchange.reply =
            Reply::new(command::shape(exchange.code), self.capabilities, packets.count).with_cursor(cursor);
        // What the client sent ahead waits for its turn.
        buffer.append(more.filled());
        Ok(())
    }

    /// Says so where a packet of several does not follow the one before.
    pub(super) async fn in_order(&mut self, packets: &Packets) -> Result<(), Fault> {
        let Some((found, expected)) = packets.out_of_order else { return Ok(()) };
        self.say(expected, &out_of_order()).await;
        Err(Fault::client(format!("packet out of order: sequence id {found} instead of {expected}"), None))
    }

    /// What a successful command changed in what tidegate knows of the session.
    fn note_effects(&mut self, exchange: &Exchange, buffer: &[u8]) {
        let text = buffer.get(exchange.text.clone()).unwrap_or_default();
        match exchange.code {
            command::STMT_PREPARE => {
                if let Some((id, params)) = exchange.reply.facts.prepared {
                    self.statements.prepared(id, params, text, exchange.text_len, exchange.digest);
                }
            }
            command::STMT_CLOSE => self.statements.closed(exchange.statement.unwrap_or_default()),
            command::RESET_CONNECTION => self.statements.clear(),
            command::INIT_DB => self.schema = String::from_utf8_lossy(text).into_owned(),
            command::QUERY if !exchange.is_plain => {
                if let Some(schema) = crate::sql::schema::used(text) {
                    self.schema = String::from_utf8_lossy(&schema).into_owned();
                }
            }
            _ => {}
        }
    }
}

pub(super) fn too_slow() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "idle for longer than listen.idle_timeout")
}

/// Bounds a wait. Boxed by its callers: a timer's room is for those alone who set a limit.
pub(super) async fn within<T>(limit: Duration, work: impl Future<Output = T>, key: &str) -> Result<T, Fault> {
    tokio::time::timeout(limit, work).await.map_err(|_| Fault::silent_backend(limit, key))
}
