//! A reply's way from the backend to the client: looked at packet by packet, passed on as it came where nothing is to be changed.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::{Sleep, sleep};

use crate::net::buffer::{Buffer, LARGE};
use crate::proxy::client::{Session, fill_now};
use crate::proxy::error::Fault;
use crate::proxy::exchange::Exchange;
use crate::proxy::kill_among::in_client_ids;
use crate::proxy::kill_meant;
use crate::proxy::leaving::ahead;
use crate::proxy::packets::Packets;
use crate::proxy::processlist::{self, is_processlist};
use crate::proxy::query::{too_slow, within};
use crate::proxy::settings::Mode;
use crate::proxy::shared::Shared;
use crate::proxy::told::{say_new_columns, with_own_id};
use crate::session::answer::Patch;
use crate::sql::flags::Flags;
use crate::sql::verb::Verb;
use crate::wire::announce;
use crate::wire::capabilities::DEPRECATE_EOF;
use crate::wire::command;
use crate::wire::fault::{ErrPacket, NO_DATABASE};
use crate::wire::frame::{HEADER, Header, put_packet};
use crate::wire::ok::OK_AT_LEAST;
use crate::wire::reply::Verdict;

impl Session {
    /// Passes the reply on as it comes. A client that goes meanwhile costs its reply, not the backend: the rest is read
    /// and thrown away, so that what the statement did is whole.
    pub(super) async fn pass_reply(&mut self, exchange: &mut Exchange, commands: &mut Buffer) -> Result<(), Fault> {
        let mut buffer = exchange.ahead.take().map(|ahead| *ahead);
        let mut is_there = buffer.is_some();
        exchange.holds_reply |= !exchange.is_plain && self.proxy.settings.mode != Mode::Observe && {
            lists_clients(exchange, commands.filled()) || self.may_mean_a_client(exchange, commands.filled())
        };
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
            if exchange.timer.silent_since().is_some() {
                exchange.timer.first_byte(Instant::now());
            }
            // Who logs in when the client has heard of it must find it so.
            self.proxy.note_effects(exchange.summary.flags);
            if self.is_shared() && crosses(exchange, buffer.filled(), held.as_deref()) {
                exchange.was_not_read = true;
                return Err(Fault::backend("the server had closed before the command came"));
            }
            let verdict = self.pass_filled(exchange, buffer, &mut held).await?;
            match verdict {
                Verdict::More if buffer.is_full() => buffer.grow(LARGE),
                Verdict::More => {}
                Verdict::NeedWhole(packet) => buffer.grow(packet),
                Verdict::LocalInfile => {
                    // The client sends its file when it has been asked for it.
                    Box::pin(self.ask_for_file(exchange, &mut held)).await;
                    Box::pin(self.pass_file(exchange, commands)).await?;
                }
                Verdict::Done => {
                    if let Some(held) = held {
                        Box::pin(self.send_held(exchange, held, commands.filled())).await?;
                    }
                    return if buffer.is_empty() {
                        Ok(())
                    } else {
                        Box::pin(self.take_goodbye(exchange, buffer.filled())).await
                    };
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
            match held {
                None => self.send_client(exchange, &buffer.filled()[..pass]).await,
                Some(_) => Box::pin(self.hold(exchange, &buffer.filled()[..pass], held)).await,
            }
            buffer.consume(pass);
            match verdict {
                Verdict::NeedWhole(packet) if buffer.filled().len() >= packet => {
                    let ended = Box::pin(self.pass_heard(exchange, &buffer.filled()[..packet], held)).await;
                    buffer.consume(packet);
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
        // A prepared statement looks into the schema of its birth; with DEPRECATE_EOF every statement tells its own.
        let is_late = exchange.code == command::QUERY && !self.capabilities.has(DEPRECATE_EOF);
        let keeps_schema = is_late && keeps_schema(exchange.summary.verb);
        if is_ok && shared.hear(payload, keeps_schema, &mut exchange.announced, &mut heard).is_none() {
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

    /// The same, and what the client is told of it goes to the client.
    async fn pass_heard(&mut self, exchange: &mut Exchange, packet: &[u8], held: &mut Option<Vec<u8>>) -> Verdict {
        let mut told = Vec::new();
        let ended = self.hear(exchange, packet, &mut told);
        match held {
            None => self.send_client(exchange, &told).await,
            Some(_) => self.hold(exchange, &told, held).await,
        }
        ended
    }

    /// To what is held of the reply until it is whole, and to the client where that would be too much.
    async fn hold(&mut self, exchange: &mut Exchange, bytes: &[u8], held: &mut Option<Vec<u8>>) {
        match held {
            // A statement's definitions are few, and its id must be the client's.
            Some(all) if exchange.code == command::STMT_PREPARE || all.len() + bytes.len() <= processlist::MAX_LIST => {
                all.extend_from_slice(bytes);
            }
            _ => {
                if let Some(all) = held.take() {
                    self.send_client(exchange, &all).await;
                }
                self.send_client(exchange, bytes).await;
            }
        }
    }

    /// What is held asks the client for its file.
    async fn ask_for_file(&mut self, exchange: &mut Exchange, held: &mut Option<Vec<u8>>) {
        if let Some(all) = held.as_mut() {
            let asked = self.patched(exchange, std::mem::take(all));
            self.send_client(exchange, &asked).await;
            exchange.held_from = exchange.reply.facts.results;
        }
    }

    /// MySQL counts in the answer to COM_PING, COM_INIT_DB and COM_SET_OPTION the warnings of the last statement: it must be
    /// this client's. MariaDB counts none.
    fn count_own_warnings(&self, reply: &mut [u8]) {
        let shared = self.shared.as_deref();
        let Some(count) = shared.and_then(Shared::counted).map(u16::to_le_bytes) else { return };
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
        let from = exchange.held_from as usize;
        let apply = |patch: &Patch| patch.apply_from(from, &reply, self.capabilities, binary, &clients);
        exchange.patch.as_deref().and_then(apply).unwrap_or(reply)
    }

    /// What was held of the reply, in the client's words.
    async fn send_held(&mut self, exchange: &mut Exchange, mut reply: Vec<u8>, commands: &[u8]) -> Result<(), Fault> {
        if let Some(killing) = &exchange.killing {
            kill_meant::with_client_id(&mut reply, killing);
        } else if let Some(meant) = self.meant_by(exchange, &reply, commands) {
            exchange.meant = Some(meant);
            return Ok(());
        }
        if let Some((told, refused)) = exchange.among.as_ref().and_then(|among| in_client_ids(&reply, among)) {
            (reply, exchange.own_words) = (told, Some(Box::new(refused)));
        }
        self.name_lacking_schema(exchange, &mut reply);
        if exchange.has_new_columns {
            say_new_columns(&mut reply);
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
            command::QUERY | command::PROCESS_INFO
                if self.proxy.settings.mode != Mode::Observe && lists_clients(exchange, commands) =>
            {
                let list = processlist::mapped(&reply, self.capabilities, &self.proxy.clients.by_backend());
                reply = list.unwrap_or(reply);
            }
            _ => {
                if let Some(mapped) = exchange.mapped {
                    with_own_id(&mut reply, mapped);
                    exchange.own_words = reply.get(HEADER..).and_then(ErrPacket::parse).map(Box::new);
                }
            }
        }
        self.send_client(exchange, &reply).await;
        Ok(())
    }

    /// Who has chosen a schema hears what became of it, not that none was chosen.
    fn name_lacking_schema(&self, exchange: &mut Exchange, reply: &mut Vec<u8>) {
        let lacks = self.shared.as_ref().and_then(|shared| shared.lacks_schema.as_ref());
        let refused = reply.get(HEADER..).and_then(ErrPacket::parse).filter(|refused| refused.code == NO_DATABASE);
        if let (Some(lacks), Some(_), Some(header)) = (lacks, refused, Header::read(reply)) {
            reply.clear();
            put_packet(reply, header.seq, &lacks.refused.payload());
            exchange.reply.facts.error = Some(lacks.refused.code);
            exchange.own_words = Some(Box::new(lacks.refused.clone()));
        }
    }

    /// What stands right behind a reply can only be the ERR by which the server ends the connection. Where the client may go on
    /// with another one it would be taken for the reply to its next command: [`Session::said_goodbye`].
    async fn take_goodbye(&mut self, exchange: &mut Exchange, bytes: &[u8]) -> Result<(), Fault> {
        if bytes.get(HEADER).is_some_and(|&first| first != 0xFF) {
            return Err(Fault::backend("the server sent more than a reply"));
        }
        if self.is_shared() {
            exchange.goodbye = Some(bytes.into());
            return Ok(());
        }
        self.client.send(bytes).await.map_err(Fault::client_io)
    }

    /// Waits for the backend's next bytes, and notices a client that goes or sends ahead meanwhile.
    pub(super) async fn await_backend(&mut self, exchange: &mut Exchange, commands: &mut Buffer) -> Result<(), Fault> {
        let spoke = match self.proxy.settings.backend.read_timeout {
            None => std::future::poll_fn(|cx| self.poll_backend(cx, exchange, commands)).await,
            Some(limit) => {
                let spoke = std::future::poll_fn(|cx| self.poll_backend(cx, exchange, commands));
                Box::pin(within(limit, spoke, "backend.read_timeout")).await?
            }
        };
        if !spoke.map_err(Fault::backend_io)? {
            match self.admission.has_rung() {
                true => self.statement_is_late(exchange, commands.filled()),
                false => self.abandon(exchange, commands.filled()),
            }
        }
        Ok(())
    }

    /// Whether it was the backend that has something to say; else something of the client is due.
    fn poll_backend(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &mut Exchange,
        commands: &mut Buffer,
    ) -> Poll<io::Result<bool>> {
        let Session { client, lease, admission, .. } = self;
        if let Poll::Ready(ready) = lease.backend_mut().stream.poll_readable(cx) {
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
        match leaving.is_due(cx, *client_ended, *client_gone, ahead) || admission.has_rung() {
            true => Poll::Ready(Ok(false)),
            false => Poll::Pending,
        }
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
        let Session { client, admission, shared, .. } = self;
        let mut patience = None;
        let sent = std::future::poll_fn(|cx| {
            let sent = client.poll_send(cx, bytes, &mut written);
            if sent.is_pending() {
                if blocked.is_none() || written > taken {
                    admission.await_client();
                    taken = written;
                    patience = shared.as_deref().and_then(unread_for);
                } else if admission.is_overdue() {
                    return Poll::Ready(Err(too_slow()));
                }
                if admission.is_killed() {
                    return Poll::Ready(Err(io::Error::other("killed by another client")));
                }
                if patience.as_mut().is_some_and(|patience| patience.as_mut().poll(cx).is_ready()) {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "unread for net_write_timeout")));
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
}

/// When the server gives a client up that takes nothing of its reply: nobody hears of that behind what is not read.
fn unread_for(shared: &Shared) -> Option<Pin<Box<Sleep>>> {
    shared.net_write_timeout().map(|limit| Box::pin(sleep(limit)))
}

/// Whether the reply is a process list, whose ids are to be tidegate's (but in `observe`, where the server's are the clients').
/// Whether a statement chooses no schema, nor runs what may choose one.
fn keeps_schema(verb: Verb) -> bool {
    use Verb::{Begin, Commit, Delete, Do, Insert, Replace, Rollback, Savepoint, Select, Set, Show, Update};
    matches!(
        verb,
        Begin | Commit | Delete | Do | Insert | Replace | Rollback | Savepoint | Select | Set | Show | Update
    )
}

fn lists_clients(exchange: &Exchange, commands: &[u8]) -> bool {
    match exchange.code {
        command::PROCESS_INFO => true,
        command::QUERY => is_processlist(commands.get(exchange.text.clone()).unwrap_or_default()),
        _ => false,
    }
}

/// Whether the first that comes back is an ERR with number 0: by it the server ends a connection on which it waits for a command,
/// and it crossed this one, which it has not read. The error of a command has number 1.
fn crosses(exchange: &Exchange, bytes: &[u8], held: Option<&[u8]>) -> bool {
    let is_first = exchange.bytes_out == 0 && exchange.reply.at_boundary() && held.is_none_or(<[u8]>::is_empty);
    is_first && Header::read(bytes).is_some_and(|header| header.seq == 0) && bytes.get(HEADER) == Some(&0xFF)
}
