//! One command's life: read, sent, its reply passed on, its record made.

use std::task::Poll;
use std::time::{Duration, Instant};

use crate::net::buffer::{Buffer, LARGE};
use crate::proxy::client::{End, Session, fill_now};
use crate::proxy::error::{Fault, out_of_order};
use crate::proxy::exchange::{Exchange, Prelude};
use crate::proxy::leaving::{Leaving, ahead};
use crate::proxy::packets::Packets;
use crate::proxy::prepared::with_own_id;
use crate::proxy::processlist::{self, is_processlist};
use crate::proxy::settings::Mode;
use crate::proxy::{kill, kill_meant};
use crate::session::outcome::Announced;
use crate::session::reason::Pin;
use crate::sql::digest::digest;
use crate::sql::effects::Summary;
use crate::sql::flags::Flags;
use crate::sql::xa::is_xa;
use crate::stats::record::Outcome;
use crate::stats::timer::QueryTimer;
use crate::wire::announce;
use crate::wire::command::{self, Shape};
use crate::wire::execute::{CURSORS, FLAGS};
use crate::wire::fault::ErrPacket;
use crate::wire::frame::{HEADER, Header, MAX_PAYLOAD, put_packet};
use crate::wire::query_text::query_text;
use crate::wire::reply::{Reply, Verdict};

/// A command of up to this many bytes is read whole before it is sent on; a longer one streams through.
const MAX_WHOLE: usize = LARGE;

/// Bytes of the shortest OK payload; a legacy EOF is shorter.
const OK_AT_LEAST: usize = 7;

/// The same where the statement must be read: up to what one packet holds.
const MAX_READ: usize = HEADER + MAX_PAYLOAD - 1;

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
        let whole = header.packet_len() <= most;
        if whole && !self.fill_to(buffer, header.packet_len()).await? {
            return Ok(Some(End::Quit));
        }
        let code = if header.len == 0 { command::SLEEP } else { buffer.filled()[HEADER] };
        match command::shape(code) {
            Shape::End => Ok(Some(End::Quit)),
            Shape::Login | Shape::Stream => Box::pin(self.special(code, header, whole, buffer, started)).await,
            _ => self.exchange(code, header, whole, buffer, started).await.map(|()| None),
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
    async fn fill_more(&mut self, buffer: &mut Buffer) -> Result<bool, Fault> {
        loop {
            let Session { client, lease, admission, .. } = &mut *self;
            let backend = lease.is_held().then(|| &lease.backend().stream);
            admission.await_client();
            let filled = std::future::poll_fn(|cx| match client.poll_fill(cx, buffer) {
                Poll::Ready(filled) => Poll::Ready(Some(filled)),
                Poll::Pending if admission.is_overdue() => Poll::Ready(Some(Err(too_slow()))),
                Poll::Pending => backend.map_or(Poll::Pending, |backend| backend.poll_readable(cx).map(|_| None)),
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
    async fn special(
        &mut self,
        code: u8,
        header: Header,
        whole: bool,
        buffer: &mut Buffer,
        started: Instant,
    ) -> Result<Option<End>, Fault> {
        let mut exchange = self.begin(code, header, buffer, started);
        if self.is_shared()
            && let Err(refused) = self.acquire(&mut exchange, buffer).await?
        {
            self.say(1, &refused).await;
            exchange.reply.facts.error = Some(refused.code);
            self.record(&exchange, &[], Outcome::Error(refused.code));
            buffer.consume(exchange.kept);
            return Ok(None);
        }
        if let (Shape::Stream, Some(shared)) = (command::shape(code), &mut self.shared) {
            let replicates = matches!(code, command::BINLOG_DUMP | command::BINLOG_DUMP_GTID | command::TABLE_DUMP);
            shared.ledger.pin(if replicates { Pin::Replication } else { Pin::UnknownCommand });
        }
        let done = match command::shape(code) {
            Shape::Login => self.change_user(&mut exchange, header, whole, buffer).await.map(|()| None),
            _ => self.stream(&mut exchange, header, whole, buffer).await,
        };
        self.record(&exchange, &[], exchange.outcome(done.as_ref().err()));
        if self.in_step {
            self.settle(Instant::now());
        }
        done
    }

    /// Command and reply. Whatever happens, the record is made.
    async fn exchange(
        &mut self,
        code: u8,
        header: Header,
        whole: bool,
        buffer: &mut Buffer,
        started: Instant,
    ) -> Result<(), Fault> {
        let mut exchange = self.begin(code, header, buffer, started);
        // Two small boxes cost less than a large one: see the architecture's page.
        let done = match self.is_shared() {
            false => Box::pin(self.run_unshared(&mut exchange, header, whole, buffer)).await,
            true => Box::pin(self.run_shared(&mut exchange, header, whole, buffer)).await,
        };
        let outcome = exchange.outcome(done.as_ref().err());
        // Whether or not its client has heard of it.
        self.used_xa |= self.shared.is_none() && self.is_xa(&exchange, buffer.filled());
        self.note_prepared_kills(&mut exchange, buffer.filled());
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

    fn is_xa(&self, exchange: &Exchange, commands: &[u8]) -> bool {
        let text = match exchange.code {
            command::QUERY => commands.get(exchange.text.clone()),
            command::STMT_EXECUTE => exchange.statement.and_then(|id| Some(&self.statements.get(id)?.text[..])),
            _ => None,
        };
        text.is_some_and(is_xa)
    }

    /// On a backend that is the client's own.
    async fn run_unshared(
        &mut self,
        exchange: &mut Exchange,
        header: Header,
        whole: bool,
        buffer: &mut Buffer,
    ) -> Result<(), Fault> {
        self.run_exchange(exchange, header, whole, buffer).await?;
        match exchange.meant.take() {
            Some(meant) => Box::pin(self.kill_meant(exchange, *meant, header, buffer)).await,
            None => Ok(()),
        }
    }

    fn begin(&self, code: u8, header: Header, buffer: &Buffer, started: Instant) -> Exchange {
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
        Exchange {
            code,
            timer: QueryTimer::start(started),
            digest: if is_sql { digest(&payload[text.clone()]) } else { 0 },
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
            summary: Summary::default(),
            patch: None,
            pin_reason: self.held_for,
            mapped: None,
            own_words: None,
            instead: None,
            holds_reply: false,
            prelude: Prelude::default(),
            discards: false,
            ahead: None,
            leaving: Leaving::default(),
            prepares: None,
            meant: None,
            killing: None,
        }
    }

    pub(super) async fn run_exchange(
        &mut self,
        exchange: &mut Exchange,
        header: Header,
        whole: bool,
        buffer: &mut Buffer,
    ) -> Result<(), Fault> {
        self.in_step = false;
        self.ran_on = self.lease.backend().id;
        self.limit_statement();
        if whole {
            self.send_whole(exchange, &buffer.filled()[..header.packet_len()]).await?;
        } else {
            Box::pin(self.send_streaming(exchange, header, buffer)).await?;
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
        self.in_step = true;
        match exchange.client_gone {
            true => Err(Fault::client("the client went before its reply was complete", None)),
            false => Ok(()),
        }
    }

    async fn send_whole(&mut self, exchange: &mut Exchange, packet: &[u8]) -> Result<(), Fault> {
        if let Some(instead) = exchange.instead.take() {
            return self.send_behind(exchange, &instead).await;
        }
        if !exchange.prelude.payloads.is_empty() {
            return self.send_behind(exchange, packet).await;
        }
        let mapped = match exchange.code {
            command::QUERY => {
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
        exchange.killing = killing;
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
        exchange.ahead = (!buffer.is_empty()).then_some(buffer);
        Ok(())
    }

    pub(super) async fn send_backend(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let limit = self.proxy.settings.backend.write_timeout;
        within(limit, self.lease.backend_mut().stream.send(bytes), "backend.write_timeout")
            .await?
            .map_err(Fault::backend_io)
    }

    /// A command too long to be held: what was read goes on, then the rest as it comes. A copy of its beginning stays
    /// in `buffer` for the record.
    async fn send_streaming(
        &mut self,
        exchange: &mut Exchange,
        header: Header,
        buffer: &mut Buffer,
    ) -> Result<(), Fault> {
        let mut packets = Packets::of_command(header, self.client.is_compressed());
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
    async fn in_order(&mut self, packets: &Packets) -> Result<(), Fault> {
        let Some((found, expected)) = packets.out_of_order else { return Ok(()) };
        self.say(expected, &out_of_order()).await;
        Err(Fault::client(format!("packet out of order: sequence id {found} instead of {expected}"), None))
    }

    /// Passes the reply on as it comes. A client that goes meanwhile costs its reply, not the backend: the rest is read
    /// and thrown away, so that what the statement did is whole.
    pub(super) async fn pass_reply(&mut self, exchange: &mut Exchange, commands: &mut Buffer) -> Result<(), Fault> {
        let mut buffer = exchange.ahead.take();
        let mut is_there = buffer.is_some();
        exchange.holds_reply |= self.lists_clients(exchange, commands.filled())
            || self.proxy.settings.mode != Mode::Observe && self.may_mean_a_client(exchange, commands.filled());
        let mut held = exchange.holds_reply.then(Vec::new);
        loop {
            if !is_there {
                self.await_backend(exchange, commands).await?;
            }
            let buffer = buffer.get_or_insert_with(Buffer::take);
            if !std::mem::take(&mut is_there) {
                match fill_now(&mut self.lease.backend_mut().stream, buffer).await.map_err(Fault::backend_io)? {
                    None => continue,
                    Some(0) => return Err(Fault::backend("the server closed in the middle of a reply")),
                    Some(_) => {}
                }
            }
            exchange.timer.first_byte(Instant::now());
            let verdict = self.pass_filled(exchange, buffer, &mut held).await?;
            match verdict {
                Verdict::More if buffer.is_full() => buffer.grow(LARGE),
                Verdict::More => {}
                Verdict::NeedWhole(packet) => buffer.grow(packet),
                Verdict::LocalInfile => Box::pin(self.pass_file(exchange, commands)).await?,
                Verdict::Done => {
                    if let Some(held) = held {
                        self.send_held(exchange, held, commands.filled()).await?;
                    }
                    return if buffer.is_empty() { Ok(()) } else { self.pass_goodbye(buffer.filled()).await };
                }
                Verdict::Broken(why) => return Err(Fault::backend(why)),
            }
        }
    }

    /// Passes on what of the reply is there, up to where more is needed or the reply ends.
    async fn pass_filled(
        &mut self,
        exchange: &mut Exchange,
        buffer: &mut Buffer,
        held: &mut Option<Vec<u8>>,
    ) -> Result<Verdict, Fault> {
        loop {
            let (pass, verdict) = exchange.reply.scan(buffer.filled());
            let was_full = pass == buffer.capacity();
            self.deliver(exchange, &buffer.filled()[..pass], held).await;
            buffer.consume(pass);
            match verdict {
                Verdict::NeedWhole(packet) if buffer.filled().len() >= packet => {
                    let mut told = Vec::new();
                    let ended = self.hear(exchange, &buffer.filled()[..packet], &mut told);
                    buffer.consume(packet);
                    self.deliver(exchange, &told, held).await;
                    if ended != Verdict::More {
                        return Ok(ended);
                    }
                }
                Verdict::More if was_full => {
                    buffer.grow(LARGE);
                    return Ok(Verdict::More);
                }
                verdict => return Ok(verdict),
            }
        }
    }

    /// A packet that says that the session has changed: `told` is what the client hears of it.
    fn hear(&mut self, exchange: &mut Exchange, packet: &[u8], told: &mut Vec<u8>) -> Verdict {
        let (Some(header), Some(shared)) = (Header::read(packet), &mut self.shared) else {
            return Verdict::Broken("a packet announced more than was asked for");
        };
        let ended = exchange.reply.take(packet);
        let payload = &packet[HEADER..];
        let mut heard = Vec::new();
        let is_ok = payload.first() == Some(&0) || payload.len() >= OK_AT_LEAST;
        if is_ok && shared.hear(payload, &mut exchange.announced, &mut heard).is_none() {
            return Verdict::Broken("malformed OK packet");
        }
        if !is_ok {
            exchange.changed_at_eof = true;
            heard.extend_from_slice(payload);
            announce::clear_eof(&mut heard);
        }
        put_packet(told, header.seq, &heard);
        ended
    }

    /// To the client, or to what is held of the reply until it is whole.
    async fn deliver(&mut self, exchange: &mut Exchange, bytes: &[u8], held: &mut Option<Vec<u8>>) {
        match held {
            // A statement's definitions are few, and its id must be the client's.
            Some(all) if exchange.code == command::STMT_PREPARE || all.len() + bytes.len() <= processlist::MAX_LIST => {
                all.extend_from_slice(bytes);
            }
            Some(_) => {
                if let Some(all) = held.take() {
                    self.send_client(exchange, &all).await;
                }
                self.send_client(exchange, bytes).await;
            }
            None => self.send_client(exchange, bytes).await,
        }
    }

    /// Whether the reply is a process list whose ids are to be tidegate's. In `observe` the server's ids are the clients'.
    fn lists_clients(&self, exchange: &Exchange, commands: &[u8]) -> bool {
        let asks = match exchange.code {
            command::PROCESS_INFO => true,
            command::QUERY => is_processlist(commands.get(exchange.text.clone()).unwrap_or_default()),
            _ => false,
        };
        asks && self.proxy.settings.mode != Mode::Observe
    }

    /// MySQL counts in the answer to COM_PING, COM_INIT_DB and COM_SET_OPTION the warnings of the last statement: it must be
    /// this client's. MariaDB counts none.
    fn count_own_warnings(&self, reply: &mut [u8]) {
        let shared = self.shared.as_ref();
        let count = shared.and_then(|shared| match shared.warnings {
            _ if shared.is_mariadb() => Some(0),
            Some(warnings) => Some(u64::from(warnings)),
            None => shared.last.saved().map(|saved| saved.warnings),
        });
        let Some(count) = count.map(|count| u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes()) else { return };
        // An OK, also as the end of a result, or a legacy EOF.
        if let Some([0 | 0xFE, 0, 0, _, _, low, high, ..] | [0xFE, low, high, _, _]) = reply.get_mut(HEADER..) {
            [*low, *high] = count;
        }
    }

    fn patched(&self, exchange: &Exchange, reply: Vec<u8>) -> Vec<u8> {
        let clients = match exchange.summary.flags.has(Flags::SHOWS_CONNECTIONS) {
            true => self.proxy.clients.by_backend(),
            false => Default::default(),
        };
        let binary = exchange.code != command::QUERY;
        let patched =
            exchange.patch.as_ref().and_then(|patch| patch.apply(&reply, self.capabilities, binary, &clients));
        patched.unwrap_or(reply)
    }

    /// What was held of the reply, in the client's words.
    async fn send_held(&mut self, exchange: &mut Exchange, mut reply: Vec<u8>, commands: &[u8]) -> Result<(), Fault> {
        if let Some(killing) = &exchange.killing {
            kill_meant::with_client_id(&mut reply, killing);
        } else if let Some(meant) = self.meant_by(exchange, &reply, commands) {
            exchange.meant = Some(meant);
            return Ok(());
        }
        match exchange.code {
            // Told to nobody: it is tried again, see `run_shared`.
            command::STMT_PREPARE if self.wants_room(exchange) => return Ok(()),
            command::STMT_PREPARE => {
                let text = commands.get(exchange.text.clone()).unwrap_or_default();
                self.note_prepared(exchange, text, &mut reply).await?;
            }
            command::PING | command::INIT_DB | command::SET_OPTION => self.count_own_warnings(&mut reply),
            _ if exchange.patch.is_some() => reply = self.patched(exchange, reply),
            command::QUERY | command::PROCESS_INFO => {
                let list = processlist::mapped(&reply, self.capabilities, &self.proxy.clients.by_backend());
                reply = list.unwrap_or(reply);
            }
            _ => {
                if let Some(mapped) = exchange.mapped {
                    with_own_id(&mut reply, mapped);
                    exchange.own_words = reply.get(HEADER..).and_then(ErrPacket::parse);
                }
            }
        }
        self.send_client(exchange, &reply).await;
        Ok(())
    }

    /// What stands right behind a reply can only be the ERR by which the server ends the connection.
    async fn pass_goodbye(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if bytes.get(HEADER).is_some_and(|&first| first != 0xFF) {
            return Err(Fault::backend("the server sent more than a reply"));
        }
        self.client.send(bytes).await.map_err(Fault::client_io)
    }

    /// Waits for the backend's next bytes, and notices a client that goes or sends ahead meanwhile.
    async fn await_backend(&mut self, exchange: &mut Exchange, commands: &mut Buffer) -> Result<(), Fault> {
        let limit = self.proxy.settings.backend.read_timeout;
        let Session { client, lease, admission, .. } = &mut *self;
        let backend = &lease.backend().stream;
        let readable = std::future::poll_fn(|cx| {
            if let Poll::Ready(ready) = backend.poll_readable(cx) {
                return Poll::Ready(ready.map(|()| true));
            }
            while !exchange.client_ended && !commands.is_full() {
                match client.poll_fill_ahead(cx, commands) {
                    Poll::Pending => break,
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(Ok(0)) => exchange.client_ended = true,
                    Poll::Ready(Err(_)) => (exchange.client_ended, exchange.client_gone) = (true, true),
                }
            }
            let Exchange { leaving, client_ended, client_gone, kept, .. } = exchange;
            let ahead = client.frame_ahead().unwrap_or_else(|| ahead(commands.filled(), *kept));
            let is_due = leaving.is_due(cx, *client_ended, *client_gone, ahead);
            match is_due || admission.has_rung() {
                true => Poll::Ready(Ok(false)),
                false => Poll::Pending,
            }
        });
        if !within(limit, readable, "backend.read_timeout").await?.map_err(Fault::backend_io)? {
            match self.admission.has_rung() {
                true => self.statement_is_late(exchange, commands.filled()),
                false => self.abandon(exchange, commands.filled()),
            }
        }
        Ok(())
    }

    async fn send_client(&mut self, exchange: &mut Exchange, bytes: &[u8]) {
        if exchange.discards {
            return;
        }
        exchange.bytes_out += bytes.len() as u64;
        if exchange.client_gone || bytes.is_empty() {
            return;
        }
        let (mut written, mut taken, mut blocked) = (0, 0, None);
        let Session { client, admission, .. } = self;
        let sent = std::future::poll_fn(|cx| {
            let sent = client.poll_send(cx, bytes, &mut written);
            if sent.is_pending() {
                if blocked.is_none() || written > taken {
                    admission.await_client();
                    taken = written;
                } else if admission.is_overdue() {
                    return Poll::Ready(Err(too_slow()));
                }
                blocked.get_or_insert_with(Instant::now);
            }
            sent
        })
        .await;
        if let Some(since) = blocked {
            admission.client_moved();
            exchange.timer.client_blocked(since, Instant::now());
        }
        exchange.client_gone = sent.is_err();
    }

    /// The file of a LOAD DATA LOCAL: packets from the client up to an empty one.
    async fn pass_file(&mut self, exchange: &mut Exchange, commands: &mut Buffer) -> Result<(), Fault> {
        let mut file = commands.split_beyond(exchange.kept);
        let mut packets = Packets::of_file(self.client.is_compressed());
        let mut seq = exchange.reply.next_seq();
        loop {
            let began = Instant::now();
            let (now, ended) = packets.pass_file(file.filled_mut(), &mut seq);
            self.in_order(&packets).await?;
            self.send_backend(&file.filled()[..now]).await?;
            exchange.bytes_in += now as u64;
            file.consume(now);
            if ended {
                break;
            }
            file.grow(LARGE);
            if !self.fill_more(&mut file).await? {
                return Err(Fault::client("the client went in the middle of a file", None));
            }
            exchange.timer.client_blocked(began, Instant::now());
        }
        exchange.timer.sent(Instant::now());
        exchange.reply.resume(seq);
        // What the client sent ahead waits for its turn.
        commands.append(file.filled());
        Ok(())
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
            command::QUERY => {
                if let Some(schema) = crate::sql::schema::used(text) {
                    self.schema = String::from_utf8_lossy(&schema).into_owned();
                }
            }
            _ => {}
        }
    }
}

fn too_slow() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "idle for longer than listen.idle_timeout")
}

/// Bounds a wait where the configuration says so; for ever by default.
async fn within<T>(limit: Option<Duration>, work: impl Future<Output = T>, key: &str) -> Result<T, Fault> {
    match limit {
        None => Ok(work.await),
        Some(limit) => tokio::time::timeout(limit, work)
            .await
            .map_err(|_| Fault::backend(format!("the server was silent for {limit:?} ({key})"))),
    }
}
