//! Mode `transaction`: one command's life on a backend that others use too.
//!
//! ```text
//! read the text -> acquire (queue, restore) -> in the backend's words -> send, pass the reply -> note -> settle
//! ```

use std::time::Instant;

use crate::net::buffer::Buffer;
use crate::pool::fate::RetireReason;
use crate::proxy::acquire::{Refused, Trouble};
use crate::proxy::client::Session;
use crate::proxy::error::{Fault, Whose};
use crate::proxy::exchange::Exchange;
use crate::proxy::note::Before;
use crate::proxy::preparation::TOO_MANY;
use crate::session::state::State;
use crate::sql::dialect::Dialect;
use crate::sql::effects::{Summary, summary};
use crate::sql::flags::Flags;
use crate::wire::command;

impl Session {
    /// Comes by a backend, runs the command there, notes what it did, and gives the backend back if nothing keeps it.
    pub(super) async fn run_shared(&mut self, exchange: &mut Exchange, buffer: &mut Buffer) -> Result<(), Fault> {
        if exchange.code == command::STMT_CLOSE {
            return self.close_statement(exchange.statement.unwrap_or_default()).await;
        }
        if let Some(shared) = self.shared.as_mut().filter(|_| exchange.code == command::STMT_PREPARE) {
            shared.statements.forget_latest();
        }
        if self.lost_transaction {
            match exchange.code {
                // It has no reply: what needs it hears of the loss, and does not find it.
                command::STMT_SEND_LONG_DATA => return Ok(()),
                // Nothing of it would be left anyway.
                command::RESET_CONNECTION => self.lost_transaction = false,
                _ => {
                    self.lost_transaction = false;
                    return self.tell_of_lost_transaction(exchange, buffer).await;
                }
            }
        }
        if let Some(shared) = &mut self.shared {
            shared.begin();
        }
        let before = self.read_statement(exchange, buffer);
        self.assert_not_lost(exchange)?;
        if !exchange.is_plain && Box::pin(self.carry_out_kill(exchange, buffer)).await? {
            return Ok(());
        }
        if let Err(refused) = self.acquire(exchange, buffer).await? {
            return self.refuse(exchange, &refused).await;
        }
        let was_free = exchange.is_whole && self.shared.as_ref().is_some_and(|shared| shared.is_free());
        let swaps_trackers = self.concerns_trackers(exchange, buffer.filled());
        match self.make_ready(exchange, buffer, swaps_trackers).await {
            Ok(Ok(())) => {}
            Ok(Err(refused)) => {
                self.withdraw_prelude(exchange);
                self.settle(Instant::now());
                return self.refuse(exchange, &refused).await;
            }
            // Nothing of the client's was sent yet.
            Err(fault) if was_free && !swaps_trackers && fault.whose == Whose::Backend && !self.is_to_go() => {
                return Box::pin(self.run_again(exchange, buffer, &before)).await;
            }
            Err(fault) => return Box::pin(self.backend_lost(exchange, buffer, fault, was_free)).await,
        }
        match self.run_there(exchange, buffer).await {
            Ok(()) => {}
            // A read that no byte of a reply came to may be asked again where the backend was dead already.
            Err(fault) if was_free && !swaps_trackers && self.may_run_again(exchange, &fault) => {
                return Box::pin(self.run_again(exchange, buffer, &before)).await;
            }
            Err(fault) => return Box::pin(self.backend_lost(exchange, buffer, fault, was_free)).await,
        }
        if exchange.discards {
            return Box::pin(self.run_again(exchange, buffer, &before)).await;
        }
        if self.has_left(exchange, buffer.filled()) {
            self.admission.set_killed();
        }
        self.note(exchange, buffer.filled(), &before).await?;
        self.renew_lost(exchange);
        if exchange.among.is_some() {
            Box::pin(self.carry_out_kills(exchange)).await;
        }
        if let Some(meant) = exchange.meant.take() {
            Box::pin(self.kill_meant(exchange, *meant, buffer)).await?;
            exchange.done_at = None;
        }
        if self.killed_itself(exchange, buffer.filled()) {
            self.admission.set_killed();
        }
        // Its backend closes, too.
        if self.admission.is_killed() {
            return Ok(());
        }
        if let Some(words) = exchange.goodbye.take() {
            return Box::pin(self.said_goodbye(&words)).await;
        }
        self.tidy(exchange, buffer.filled(), &before, swaps_trackers).await?;
        if self.has_added() {
            Box::pin(self.read_added()).await?;
            exchange.done_at = None;
        }
        self.settle(exchange.done_at.unwrap_or_else(Instant::now));
        Ok(())
    }

    /// True: it was a KILL of clients, and its client has the answer.
    async fn carry_out_kill(&mut self, exchange: &mut Exchange, buffer: &Buffer) -> Result<bool, Fault> {
        if let Some(order) = self.kill_order(exchange, buffer.filled())
            && self.kill_client(exchange, order).await?
        {
            return Ok(true);
        }
        match self.kills_user(exchange, buffer.filled()) {
            Some(order) => self.kill_user(exchange, order).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// All that the backend must have before the command goes there.
    async fn make_ready(
        &mut self,
        exchange: &mut Exchange,
        buffer: &mut Buffer,
        swaps_trackers: bool,
    ) -> Result<Result<(), Refused>, Fault> {
        if !self.insert_id_is_there(exchange) {
            Box::pin(self.bring_insert_id()).await?;
        }
        if self.wants_fresh_variables(exchange, buffer.filled()) && Box::pin(self.save()).await? {
            match Box::pin(self.begin_anew()).await {
                Ok(()) => {}
                Err(Trouble::Refused(refused)) => return Ok(Err(refused)),
                Err(Trouble::Broken) => return Err(Fault::backend("the session cannot be begun anew")),
            }
        }
        if !self.found_rows_are_there(exchange) {
            Box::pin(self.bring_found_rows(exchange)).await?;
        }
        if self.may_keep_others(exchange) || self.asks_for_others(exchange, buffer.filled()) {
            Box::pin(self.plant_conditions(exchange)).await?;
        }
        if let Err(refused) = self.translate(exchange, buffer).await? {
            return Ok(Err(refused));
        }
        if swaps_trackers {
            Box::pin(self.put_own_trackers()).await?;
        }
        if exchange.is_whole && !exchange.is_plain && self.may_hold_kills(exchange, buffer.filled()) {
            Box::pin(self.plan_kills(exchange, &buffer.filled()[..exchange.kept])).await?;
        }
        self.read_prepared_text(exchange, buffer.filled()).await?;
        Ok(Ok(()))
    }

    /// To the backend and back; once more where it had no room for a statement.
    async fn run_there(&mut self, exchange: &mut Exchange, buffer: &mut Buffer) -> Result<(), Fault> {
        self.run_exchange(exchange, buffer).await?;
        if self.wants_room(exchange) {
            Box::pin(self.make_room_for_statements()).await?;
            exchange.start_again(self.capabilities);
            exchange.holds_reply = true;
            self.run_exchange(exchange, buffer).await?;
        }
        Ok(())
    }

    /// What is to be asked or put right behind the command. The client has its answer: where nothing of its own was on a
    /// backend that died now, it need not hear of it.
    async fn tidy(
        &mut self,
        exchange: &mut Exchange,
        commands: &[u8],
        before: &Before,
        swaps_trackers: bool,
    ) -> Result<(), Fault> {
        let flags = exchange.summary.flags;
        let asks = flags.any(Flags::USER_LOCK.with(Flags::USER_UNLOCK));
        let may_insert = self.may_have_used_insert_id(exchange);
        if asks || may_insert || swaps_trackers {
            exchange.done_at = None;
        }
        if may_insert {
            Box::pin(self.ask_for_used_insert_id()).await?;
        }
        if asks {
            let sql = self.text_of(exchange, commands);
            Box::pin(self.ask_for_locks(&sql, before.dialect, flags)).await?;
        }
        if self.must_read_doubted() {
            exchange.done_at = None;
            Box::pin(self.read_doubted()).await?;
        }
        if self.must_read_settings(flags) {
            exchange.done_at = None;
            Box::pin(self.read_settings()).await?;
        }
        if !swaps_trackers {
            return Ok(());
        }
        let were_set = flags.has(Flags::SETS_TRACKERS);
        match Box::pin(self.put_trackers_again(were_set)).await {
            // What the client has set is known to that backend alone.
            Err(fault) if !were_set => self.lost_behind(fault),
            done => done,
        }
    }

    /// The command is not sent, nor what was to go before it, which its backend was noted to have.
    fn withdraw_prelude(&mut self, exchange: &mut Exchange) {
        let prelude = std::mem::take(&mut exchange.prelude);
        if prelude.payloads.is_empty() || !self.lease.is_held() {
            return;
        }
        let kept = &mut self.lease.backend_mut().kept;
        kept.last_insert_id = None;
        if prelude.matters {
            kept.state = State::unknown();
        }
    }

    /// A statement that may be sent twice, on another backend.
    async fn run_again(&mut self, exchange: &mut Exchange, buffer: &mut Buffer, before: &Before) -> Result<(), Fault> {
        let reason = if exchange.discards { RetireReason::ResetFailed } else { RetireReason::ServerClosed };
        self.drop_backend(reason);
        exchange.start_again(self.capabilities);
        // Nothing was said on the next one yet.
        self.in_step = true;
        if let Err(refused) = self.acquire(exchange, buffer).await? {
            return self.refuse(exchange, &refused).await;
        }
        match self.make_ready(exchange, buffer, false).await {
            Ok(Ok(())) => {}
            Ok(Err(refused)) => {
                self.withdraw_prelude(exchange);
                self.settle(Instant::now());
                return self.refuse(exchange, &refused).await;
            }
            Err(fault) => return self.backend_lost(exchange, buffer, fault, true).await,
        }
        if let Err(fault) = self.run_exchange(exchange, buffer).await {
            return self.backend_lost(exchange, buffer, fault, true).await;
        }
        self.note(exchange, buffer.filled(), before).await?;
        if let Some(words) = exchange.goodbye.take() {
            return self.said_goodbye(&words).await;
        }
        if self.has_added() {
            self.read_added().await?;
        }
        self.settle(Instant::now());
        Ok(())
    }

    /// Whether a statement whose backend has gone may be sent to another one. Whose client is being killed may not: that is
    /// what the backend has gone of.
    fn may_run_again(&self, exchange: &Exchange, fault: &Fault) -> bool {
        !self.is_to_go() && (exchange.was_not_read || exchange.is_young()) && exchange.may_run_again(fault)
    }

    /// Whether the client was killed, or is being killed just now.
    fn is_to_go(&self) -> bool {
        self.admission.is_killed() || self.admission.is_being_killed()
    }

    /// Whether a COM_STMT_PREPARE failed because of statements that tidegate keeps for others.
    pub(super) fn wants_room(&self, exchange: &Exchange) -> bool {
        exchange.code == command::STMT_PREPARE
            && exchange.reply.facts.error == Some(TOO_MANY)
            && !self.lease.backend().kept.statements.is_empty()
    }

    pub(super) async fn refuse(&mut self, exchange: &mut Exchange, refused: &Refused) -> Result<(), Fault> {
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
            (command::QUERY, _) if exchange.is_plain => exchange.summary,
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
    async fn translate(&mut self, exchange: &mut Exchange, buffer: &mut Buffer) -> Result<Result<(), Refused>, Fault> {
        exchange.holds_reply =
            matches!(exchange.code, command::STMT_PREPARE | command::PING | command::INIT_DB | command::SET_OPTION)
                || self.shared.as_ref().is_some_and(|shared| shared.lacks_schema.is_some());
        let packet = &buffer.filled()[..exchange.kept];
        if exchange.statement.is_none() {
            if exchange.code == command::QUERY && exchange.is_whole {
                let dialect = self.shared.as_ref().map(|shared| shared.dialect).unwrap_or_default();
                self.plan_query(exchange, packet, dialect);
            }
            return Ok(Ok(()));
        }
        match Box::pin(self.for_backend(exchange, packet)).await? {
            Ok(packet) if exchange.is_whole => exchange.instead = Some(packet),
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
}
