//! Mode `transaction`: one command's life on a backend that others use too.
//!
//! ```text
//! read the text -> acquire (queue, restore) -> in the backend's words -> send, pass the reply -> note -> settle
//! ```

use std::time::{Duration, Instant};

use tracing::warn;

use crate::net::buffer::Buffer;
use crate::pool::fate::RetireReason;
use crate::proxy::acquire::Refused;
use crate::proxy::client::{Session, shutting_down};
use crate::proxy::error::{Fault, printable};
use crate::proxy::exchange::Exchange;
use crate::proxy::kill_client::only;
use crate::proxy::prepared::TOO_MANY;
use crate::proxy::setup;
use crate::session::last::{Diagnostics, Ran};
use crate::session::outcome::Outcome;
use crate::session::reason::Pin;
use crate::sql::dialect::Dialect;
use crate::sql::effects::{Summary, summary};
use crate::sql::flags::Flags;
use crate::sql::verb::Verb;
use crate::wire::command;
use crate::wire::frame::Header;

/// A backend that goes later than this was there when the statement came. A statement that its server died of must not
/// be what the next one dies of.
const SOON: Duration = Duration::from_millis(10);

/// What a text was read with.
struct Before {
    dialect: Dialect,
    schema: Option<Box<[u8]>>,
}

/// What triggers follow.
const WRITES: [Verb; 6] = [Verb::Insert, Verb::Replace, Verb::Update, Verb::Delete, Verb::With, Verb::LoadData];

impl Session {
    /// Comes by a backend, runs the command there, notes what it did, and gives the backend back if nothing keeps it.
    pub(super) async fn run_shared(
        &mut self,
        exchange: &mut Exchange,
        header: Header,
        whole: bool,
        buffer: &mut Buffer,
    ) -> Result<(), Fault> {
        if exchange.code == command::STMT_CLOSE {
            return self.close_statement(exchange.statement.unwrap_or_default()).await;
        }
        if std::mem::take(&mut self.lost_transaction) {
            return self.refuse(exchange, &Box::new(shutting_down())).await;
        }
        let before = self.read_statement(exchange, buffer);
        if let Some(order) = self.kill_order(exchange, buffer.filled())
            && Box::pin(self.kill_client(exchange, order)).await?
        {
            return Ok(());
        }
        if let Some(order) = self.kills_user(exchange, buffer.filled()) {
            return Box::pin(self.kill_user(exchange, order)).await;
        }
        if let Err(refused) = self.acquire(exchange, buffer).await? {
            return self.refuse(exchange, &refused).await;
        }
        let was_free = whole && self.shared.as_ref().is_some_and(|shared| shared.is_free());
        match self.make_ready(exchange, header, whole, buffer).await {
            Ok(Ok(())) => {}
            Ok(Err(refused)) => {
                self.settle(Instant::now());
                return self.refuse(exchange, &refused).await;
            }
            Err(fault) => return Box::pin(self.backend_lost(exchange, fault, was_free)).await,
        }
        let concerns_trackers = exchange.code == command::QUERY && {
            let sql = buffer.filled().get(exchange.text.clone()).unwrap_or_default();
            self.concerns_trackers(sql, exchange.summary)
        };
        if concerns_trackers {
            Box::pin(self.put_own_trackers()).await?;
        }
        if let Err(fault) = self.read_prepared_text(exchange, buffer.filled()).await {
            return Box::pin(self.backend_lost(exchange, fault, was_free)).await;
        }
        let sent = Instant::now();
        match self.run_exchange(exchange, header, whole, buffer).await {
            Ok(()) => {}
            // A read that no byte of a reply came to may be asked again where the backend was dead already.
            Err(fault) if was_free && sent.elapsed() < SOON && exchange.may_run_again(&fault) && !concerns_trackers => {
                return Box::pin(self.run_again(exchange, header, buffer, &before)).await;
            }
            Err(fault) => return Box::pin(self.backend_lost(exchange, fault, was_free)).await,
        }
        if self.wants_room(exchange) {
            Box::pin(self.make_room_for_statements()).await?;
            exchange.start_again(self.capabilities);
            exchange.holds_reply = true;
            self.run_exchange(exchange, header, whole, buffer).await?;
        }
        if exchange.discards {
            return Box::pin(self.run_again(exchange, header, buffer, &before)).await;
        }
        if let Some(meant) = exchange.meant.take() {
            self.note(exchange, whole, buffer.filled(), &before).await?;
            Box::pin(self.kill_meant(exchange, *meant, header, buffer)).await?;
            if self.killed_itself(exchange, buffer.filled()) {
                self.admission.set_killed();
            }
            self.settle(Instant::now());
            return Ok(());
        }
        if self.killed_itself(exchange, buffer.filled()) || self.has_left(exchange) {
            self.admission.set_killed();
        }
        self.note(exchange, whole, buffer.filled(), &before).await?;
        if exchange.summary.flags.any(Flags::USER_LOCK.with(Flags::USER_UNLOCK)) {
            let sql = self.text_of(exchange, buffer.filled());
            Box::pin(self.ask_for_locks(&sql, before.dialect, exchange.summary.flags)).await?;
        }
        if concerns_trackers {
            Box::pin(self.put_trackers_again(exchange.summary.flags.has(Flags::SETS_TRACKERS))).await?;
        }
        self.settle(Instant::now());
        Ok(())
    }

    /// The backend is as the command needs it, and the command as the backend needs it.
    async fn make_ready(
        &mut self,
        exchange: &mut Exchange,
        header: Header,
        whole: bool,
        buffer: &mut Buffer,
    ) -> Result<Result<(), Refused>, Fault> {
        if !self.insert_id_is_there(exchange) {
            Box::pin(self.bring_insert_id()).await?;
        }
        self.translate(exchange, header, whole, buffer).await
    }

    /// A command has ended half-way. Where nothing of the client's was on a backend that died, it hears so in a server's words
    /// and goes on; else nothing is known of what the command did, and nobody else may find it.
    async fn backend_lost(&mut self, exchange: &mut Exchange, fault: Fault, was_free: bool) -> Result<(), Fault> {
        // Whoever is being killed is to go with its backend.
        let killed = self.admission.is_killed() || self.admission.is_being_killed();
        if killed || !(was_free || self.is_in_transaction_only()) || !exchange.is_unanswered(&fault) {
            if let Some(shared) = &mut self.shared {
                shared.ledger.pin(Pin::UnexplainedState);
            }
            return Err(fault);
        }
        warn!(
            client = self.admission.id,
            user = printable(&self.identity.user),
            backend = self.lease.backend().id,
            fault = "backend",
            "{}",
            printable(&fault.why)
        );
        // A transaction is gone as after a deadlock; what else was there would have kept it from coming here.
        self.forget();
        self.drop_backend(RetireReason::Broken);
        self.in_step = true;
        let answer = Box::new(shutting_down());
        if let Some(shared) = &mut self.shared {
            shared.is_here = false;
            shared.last.row_count = Some(-1);
            shared.last.diagnostics = Diagnostics::Saved(Box::new(only(&answer)));
        }
        self.refuse(exchange, &answer).await
    }

    /// The statement's text, of a query or an execution.
    fn text_of(&self, exchange: &Exchange, commands: &[u8]) -> Vec<u8> {
        let prepared = exchange.statement.and_then(|id| self.shared.as_ref()?.statements.get(id));
        match prepared {
            Some(prepared) => prepared.template.key.text.to_vec(),
            None => commands.get(exchange.text.clone()).unwrap_or_default().to_vec(),
        }
    }

    async fn run_again(
        &mut self,
        exchange: &mut Exchange,
        header: Header,
        buffer: &mut Buffer,
        before: &Before,
    ) -> Result<(), Fault> {
        let reason = if exchange.discards { RetireReason::ResetFailed } else { RetireReason::ServerClosed };
        self.drop_backend(reason);
        exchange.start_again(self.capabilities);
        if let Err(refused) = self.acquire(exchange, buffer).await? {
            self.in_step = true;
            return self.refuse(exchange, &refused).await;
        }
        if let Err(refused) = self.translate(exchange, header, true, buffer).await? {
            self.in_step = true;
            self.settle(Instant::now());
            return self.refuse(exchange, &refused).await;
        }
        if let Err(fault) = self.run_exchange(exchange, header, true, buffer).await {
            return self.backend_lost(exchange, fault, true).await;
        }
        self.note(exchange, true, buffer.filled(), before).await?;
        self.settle(Instant::now());
        Ok(())
    }

    /// Whether a COM_STMT_PREPARE failed because of statements that tidegate keeps for others.
    pub(super) fn wants_room(&self, exchange: &Exchange) -> bool {
        exchange.code == command::STMT_PREPARE
            && exchange.reply.facts.error == Some(TOO_MANY)
            && !self.lease.backend().kept.statements.is_empty()
    }

    async fn refuse(&mut self, exchange: &mut Exchange, refused: &Refused) -> Result<(), Fault> {
        if command::shape(exchange.code) != command::Shape::None {
            self.say(1, refused).await;
        }
        exchange.reply.facts.error = Some(refused.code);
        Ok(())
    }

    /// What the command's text does to its session.
    fn read_statement(&mut self, exchange: &mut Exchange, buffer: &Buffer) -> Before {
        let Some(shared) = &self.shared else { return Before { dialect: Dialect::default(), schema: None } };
        exchange.summary = match (exchange.code, exchange.statement) {
            (command::QUERY, _) => {
                let sql = buffer.filled().get(exchange.text.clone()).unwrap_or_default();
                summary(sql, shared.dialect)
            }
            (command::STMT_EXECUTE | command::STMT_BULK_EXECUTE, Some(id)) => {
                shared.statements.get(id).map_or(Summary::default(), |prepared| prepared.summary)
            }
            _ => Summary::default(),
        };
        let is_loud = !exchange.summary.is_read_only();
        Before { dialect: shared.dialect, schema: shared.state.schema().filter(|_| is_loud).map(Box::from) }
    }

    /// The command in the words of the backend that will run it.
    async fn translate(
        &mut self,
        exchange: &mut Exchange,
        header: Header,
        whole: bool,
        buffer: &mut Buffer,
    ) -> Result<Result<(), Refused>, Fault> {
        exchange.holds_reply =
            matches!(exchange.code, command::STMT_PREPARE | command::PING | command::INIT_DB | command::SET_OPTION);
        let packet = &buffer.filled()[..header.packet_len().min(buffer.filled().len())];
        if exchange.statement.is_none() {
            if exchange.code == command::QUERY && whole {
                let dialect = self.shared.as_ref().map(|shared| shared.dialect).unwrap_or_default();
                self.plan_query(exchange, packet, dialect);
            }
            return Ok(Ok(()));
        }
        match Box::pin(self.for_backend(exchange, packet)).await? {
            Ok(packet) if whole => exchange.instead = Some(packet),
            // Of a command that streams through, only the id is put right.
            Ok(packet) => {
                let id = crate::wire::execute::ID;
                let at = crate::wire::frame::HEADER + id.start..crate::wire::frame::HEADER + id.end;
                buffer.filled_mut()[at.clone()].copy_from_slice(&packet[at]);
            }
            Err(refused) => return Ok(Err(refused)),
        }
        // An error names the statement by its id.
        let is_known = exchange.statement.is_some_and(|id| self.statement_is_known(id));
        let may_name_it = !is_known || matches!(exchange.code, command::STMT_FETCH) && !self.has_cursor(exchange);
        exchange.holds_reply |= may_name_it || exchange.patch.is_some();
        Ok(Ok(()))
    }

    fn statement_is_known(&self, id: u32) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.statements.get(id).is_some())
    }

    fn has_cursor(&self, exchange: &Exchange) -> bool {
        let id = exchange.statement.unwrap_or_default();
        self.shared.as_ref().is_some_and(|shared| shared.ledger.uses(shared.statements.resolve(id)))
    }

    /// The server closes behind its answer: COMMIT RELEASE.
    fn has_left(&self, exchange: &Exchange) -> bool {
        let flags = exchange.summary.flags;
        let by_itself = flags.has(Flags::ENDS)
            && self.shared.as_ref().is_some_and(|shared| {
                shared.state.variable(b"completion_type").is_some_and(|kind| matches!(kind, b"RELEASE" | b"2"))
            });
        exchange.reply.facts.error.is_none() && (flags.has(Flags::DISCONNECTS) || by_itself)
    }

    /// What the command did to the session, by its reply and its text.
    async fn note(&mut self, exchange: &Exchange, whole: bool, commands: &[u8], before: &Before) -> Result<(), Fault> {
        let Some(shared) = &mut self.shared else { return Ok(()) };
        let insert_id = shared.last.last_insert_id;
        let facts = &exchange.reply.facts;
        let outcome = Outcome::new(&exchange.reply.facts, exchange.announced, exchange.changed_at_eof);
        let text = commands.get(exchange.text.clone()).unwrap_or_default();
        let id = shared.statements.resolve(exchange.statement.unwrap_or_default());
        let schema = before.schema.as_deref();
        match exchange.code {
            command::QUERY => {
                let ran = Ran { sql: text, dialect: before.dialect, summary: exchange.summary, facts };
                shared.ran(&ran, schema, &outcome);
                if !whole {
                    shared.ledger.pin(Pin::UnexplainedState);
                }
            }
            command::STMT_EXECUTE | command::STMT_BULK_EXECUTE => match shared.statements.get(id).cloned() {
                Some(prepared) => {
                    let sql = &prepared.template.key.text;
                    let ran = Ran { sql, dialect: prepared.dialect, summary: prepared.summary, facts };
                    shared.ran(&ran, schema, &outcome);
                    shared.ledger.executed(id, &outcome);
                }
                None => {
                    shared.last.after_command(exchange.code, facts, before.dialect);
                    shared.ledger.command(&outcome);
                }
            },
            command::STMT_FETCH => shared.ledger.fetched(id, &outcome),
            command::STMT_RESET => {
                if !outcome.failed {
                    shared.ledger.closed(id);
                }
                shared.ledger.command(&outcome);
            }
            command::STMT_SEND_LONG_DATA => {
                if shared.statements.get(id).is_some() {
                    shared.ledger.long_data(id);
                }
            }
            command::INIT_DB => {
                if !outcome.failed && !shared.announcing.trackers {
                    shared.state.set_schema(Some(text));
                }
                shared.ledger.command(&outcome);
            }
            command::SET_OPTION => {
                let on = commands.get(crate::wire::frame::HEADER + 1) == Some(&0);
                if !outcome.failed {
                    shared.state.set_multi_statements(on);
                }
                shared.ledger.command(&outcome);
            }
            command::RESET_CONNECTION if !outcome.failed => return Box::pin(self.was_reset()).await,
            command::REGISTER_SLAVE => shared.ledger.pin(Pin::Replication),
            // Their replies have no status flags.
            command::STMT_PREPARE | command::STATISTICS if !outcome.failed => {}
            _ => shared.ledger.command(&outcome),
        }
        if !matches!(exchange.code, command::QUERY | command::STMT_EXECUTE | command::STMT_BULK_EXECUTE) {
            shared.last.after_command(exchange.code, facts, before.dialect);
        }
        self.proxy.note_effects(exchange.summary.flags);
        let is_write = exchange.summary.statements > 1 || WRITES.contains(&exchange.summary.verb);
        let is_program = exchange.summary.flags.has(Flags::STORED_PROGRAM);
        let mut by_trigger = false;
        if !self.shared.as_ref().is_some_and(|shared| shared.announcing.trackers) && (is_write || is_program) {
            let sql = self.text_of(exchange, commands);
            by_trigger = is_write && self.proxy.unseen_triggers.concern(&sql, before.dialect);
            if is_program {
                self.proxy.unseen_triggers.note_program(&sql, before.dialect);
            }
        }
        let Some(shared) = &mut self.shared else { return Ok(()) };
        if by_trigger {
            shared.ledger.pin(Pin::UnexplainedState);
        }
        // The backend keeps it with another id.
        if let Some(told) = &exchange.own_words {
            shared.last.diagnostics = Diagnostics::Saved(Box::new(only(told)));
        }
        shared.note_status(outcome.status);
        // These leave warnings as they are, and count those of the backend at hand.
        let keeps_warnings =
            matches!(exchange.code, command::PING | command::STATISTICS | command::SET_OPTION | command::INIT_DB);
        if !keeps_warnings || exchange.reply.facts.error.is_some() {
            shared.warnings = exchange.reply.facts.error.is_none().then_some(exchange.reply.facts.warnings);
        }
        shared.is_here = true;
        let kept = &mut self.lease.backend_mut().kept;
        kept.spoiled = false;
        if shared.last.last_insert_id != insert_id {
            shared.note_insert_id(insert_id, kept.last_insert_id);
            kept.last_insert_id = shared.last.last_insert_id;
        }
        Ok(())
    }

    /// COM_RESET_CONNECTION: the session is as after a login without its words, but for the schema.
    async fn was_reset(&mut self) -> Result<(), Fault> {
        let Session { lease, shared, proxy, .. } = self;
        let Some(shared) = shared else { return Ok(()) };
        let backend = lease.backend_mut();
        let (mut channel, facts) = backend.borrow();
        let schema = shared.state.schema().map(<[u8]>::to_vec);
        let fresh = setup::fresh(proxy, &mut channel, facts, schema.as_deref()).await;
        backend.restore(channel);
        let mut fresh = fresh?;
        backend.kept.settle(&fresh);
        fresh.state.set_multi_statements(shared.state.multi_statements());
        shared.restart(&fresh);
        // MariaDB goes back to the character sets of the connection's own login, which was not this client's.
        if shared.is_mariadb() {
            shared.put_login_charsets();
        }
        match self.bring_state().await {
            Ok(_) => Ok(()),
            Err(_) => Err(Fault::backend("the session cannot be restored behind a reset")),
        }
    }
}
