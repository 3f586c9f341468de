//! Mode `transaction`: prepared statements, which clients know by ids of tidegate's own and backends by theirs.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::net::channel::Channel;
use crate::proxy::acquire::{Refused, is_about_schema};
use crate::proxy::backend::Backend;
use crate::proxy::client::Session;
use crate::proxy::error::Fault;
use crate::proxy::exchange::Exchange;
use crate::proxy::server::Proxy;
use crate::proxy::setup::lock;
use crate::proxy::shared::Shared;
use crate::proxy::statement;
use crate::session::answer::Plan;
use crate::session::pins;
use crate::session::restore::{Standing, steps};
use crate::session::state::State;
use crate::session::statements::{Key, Need, Prepared, Shape, Told};
use crate::sql::effects::summary;
use crate::sql::flags::Flags;
use crate::sql::verb::Verb;
use crate::wire::command;
use crate::wire::execute::{ID, Types};
use crate::wire::fault::ErrPacket;
use crate::wire::frame::{Fields, HEADER, Header, put_packet};
use crate::wire::status::METADATA_CHANGED;

/// How many statements one client may have open: the servers' usual `max_prepared_stmt_count`.
const MAX_PER_CLIENT: usize = 16_382;
/// No server gives such an id: what is sent by it is refused as unknown.
const NOBODYS: u32 = 0x7FFF_FFF0;
/// ER_MAX_PREPARED_STMT_COUNT_REACHED
pub(super) const TOO_MANY: u16 = 1461;
/// ER_NEED_REPREPARE
const NEEDS_PREPARE: u16 = 1615;

impl Session {
    /// A COM_STMT_PREPARE was answered: its reply with the id that the client will use.
    pub(super) async fn note_prepared(
        &mut self,
        exchange: &mut Exchange,
        text: &[u8],
        reply: &mut [u8],
    ) -> Result<(), Fault> {
        let Some((backend_id, params)) = exchange.reply.facts.prepared else { return Ok(()) };
        let shape = Shape { params, columns: exchange.reply.facts.prepared_columns };
        let Session { shared, proxy, lease, params: login, .. } = self;
        let Some(shared) = shared else { return Ok(()) };
        let template = lock(&proxy.registry).intern(shared.statements.another(key(shared, text, &login.user)));
        let prepared = Prepared {
            template: Arc::clone(&template),
            shape,
            state: shared.state.clone(),
            dialect: shared.dialect,
            summary: summary(text, shared.dialect),
            types: None,
            history: None,
            cursor_of: None,
        };
        let added = shared.statements.add(prepared, MAX_PER_CLIENT);
        let backend = lease.backend_mut();
        let most = proxy.max_statements.load(Ordering::Relaxed);
        let close = backend.kept.statements.prepared(template, backend_id, shape, most);
        close_all(backend, &close).await?;
        let Ok(id) = added else { return Err(Fault::client("more prepared statements than a server has", None)) };
        if let Some(place) = reply.get_mut(HEADER + ID.start..HEADER + ID.end) {
            place.copy_from_slice(&id.to_le_bytes());
        }
        shared.ledger.prepared(id, text, shared.dialect);
        exchange.reply.facts.prepared = Some((id, params));
        Ok(())
    }

    /// Whether the text asks more of user variables than their values, and the backend may have others than a connection of the
    /// client's own: variables of other clients, which are NULL there, but are there.
    pub(super) fn wants_fresh_variables(&self, exchange: &Exchange, packet: &[u8]) -> bool {
        let Some(shared) = &self.shared else { return false };
        if !self.lease.backend().kept.had_variables || self.lease.secret.is_none() || !self.can_change_backend() {
            return false;
        }
        let text = packet.get(exchange.text.clone()).unwrap_or_default();
        match exchange.code {
            command::STMT_PREPARE => pins::types_variables(text, shared.dialect),
            command::QUERY if exchange.summary.flags.has(Flags::SETS_USER_OTHER) => {
                pins::sets_new_variables(text, shared.dialect, &shared.state)
            }
            _ => false,
        }
    }

    /// The packet of a command about a prepared statement as the backend must have it, which has it prepared then.
    pub(super) async fn for_backend(
        &mut self,
        exchange: &mut Exchange,
        packet: &[u8],
    ) -> Result<Result<Vec<u8>, Refused>, Fault> {
        let id = exchange.statement.unwrap_or_default();
        let mut found = self.shared.as_ref().and_then(|shared| shared.statements.get(id)).cloned();
        if let Some(prepared) = &mut found {
            self.plan_execution(exchange, id, prepared);
        }
        let mut payload = packet.get(HEADER..).unwrap_or_default().to_vec();
        if let Some(prepared) = &found {
            self.forget_cursor(exchange, id, prepared).await?;
            self.forget_types(exchange, id, prepared, &payload).await?;
        }
        let backend_id = match &found {
            None => NOBODYS,
            Some(prepared) => match self.id_on_backend(prepared).await? {
                Ok(backend_id) => backend_id,
                Err(refused) => return Ok(Err(refused)),
            },
        };
        if let Some(prepared) = &found
            && matches!(exchange.code, command::STMT_EXECUTE | command::STMT_BULK_EXECUTE)
        {
            if exchange.reply.asks_for_cursor() {
                self.lease.backend_mut().kept.statements.note_cursor(&prepared.template);
            }
            payload = self.with_types(id, prepared, payload);
            let there = self.lease.backend().kept.statements.shape(&prepared.template);
            exchange.has_new_columns =
                exchange.is_whole && there.is_some_and(|there| Told::of(prepared.shape, there) == Told::Columns);
            exchange.holds_reply |= exchange.has_new_columns;
        }
        if let Some(place) = payload.get_mut(ID) {
            place.copy_from_slice(&backend_id.to_le_bytes());
        }
        exchange.mapped = Some((backend_id, id));
        let mut out = Vec::with_capacity(payload.len() + HEADER);
        put_packet(&mut out, 0, &payload);
        Ok(Ok(out))
    }

    /// An execution has told the client of the statement's columns, as they are now.
    pub(super) fn note_columns(&mut self, exchange: &Exchange) {
        let facts = &exchange.reply.facts;
        let is_told = exchange.has_new_columns || facts.status_seen & METADATA_CHANGED != 0;
        let Session { lease, shared, .. } = self;
        let (Some(shared), Some(id)) = (shared.as_mut().filter(|_| is_told), exchange.statement) else { return };
        let Some(prepared) = shared.statements.get(id) else { return };
        let (template, shape) = (Arc::clone(&prepared.template), Shape { columns: facts.columns, ..prepared.shape });
        shared.statements.set_shape(id, shape);
        lease.backend_mut().kept.statements.set_shape(&template, shape);
    }

    /// Where a statement had a cursor, anybody's, MySQL sends no rows any more without one: it is prepared anew.
    async fn forget_cursor(&mut self, exchange: &Exchange, id: u32, prepared: &Prepared) -> Result<(), Fault> {
        let Session { lease, shared, .. } = self;
        let Some(shared) = shared.as_ref().filter(|shared| pins::keeps_cursors(shared.dialect)) else { return Ok(()) };
        let backend = lease.backend_mut();
        let (ledger, id) = (&shared.ledger, shared.statements.resolve(id));
        let ends = match exchange.code {
            command::STMT_EXECUTE => !exchange.reply.asks_for_cursor() && !ledger.has_long_data(id),
            // The execution will find it there.
            command::STMT_SEND_LONG_DATA => !ledger.uses(id),
            _ => false,
        };
        if ends && backend.kept.statements.had_cursor(&prepared.template) {
            let gone: Vec<u32> = backend.kept.statements.forget(&prepared.template).into_iter().collect();
            close_all(backend, &gone).await?;
        }
        Ok(())
    }

    /// A statement is prepared anew where the server would read it by the types of another client's executions: MySQL where they
    /// differ, and each server where the client has never sent any. What a client has sent of its parameters ahead must not be lost.
    async fn forget_types(
        &mut self,
        exchange: &Exchange,
        id: u32,
        prepared: &Prepared,
        payload: &[u8],
    ) -> Result<(), Fault> {
        let Session { lease, shared, .. } = self;
        let Some(shared) = shared.as_ref().filter(|_| prepared.shape.params > 0) else { return Ok(()) };
        let (ledger, id) = (&shared.ledger, shared.statements.resolve(id));
        let sent = match exchange.code {
            command::STMT_EXECUTE | command::STMT_BULK_EXECUTE if !ledger.has_long_data(id) => {
                Types::of(payload, prepared.shape.params, self.capabilities).filter(Types::are_there)
            }
            command::STMT_SEND_LONG_DATA if !ledger.uses(id) => None,
            _ => return Ok(()),
        };
        let now = sent.map(|types| &payload[types.at]).or(prepared.types.as_deref());
        let backend = lease.backend_mut();
        if backend.kept.statements.has_others_types(prepared, now) {
            let gone: Vec<u32> = backend.kept.statements.forget(&prepared.template).into_iter().collect();
            close_all(backend, &gone).await?;
        }
        Ok(())
    }

    /// Another text is prepared in the statement's place where the backend would answer for another client.
    fn plan_execution(&mut self, exchange: &mut Exchange, id: u32, prepared: &mut Prepared) {
        // What was sent ahead lies with the statement that it was sent to.
        let is_ahead = self.shared.as_ref().is_some_and(|shared| {
            let id = shared.statements.resolve(id);
            shared.ledger.has_long_data(id)
        });
        if exchange.code == command::STMT_FETCH || exchange.code == command::STMT_RESET && !is_ahead {
            prepared.template = prepared.cursor_of.take().unwrap_or_else(|| Arc::clone(&prepared.template));
            return;
        }
        self.plan_text(exchange, prepared, is_ahead || !exchange.reply.asks_for_cursor());
        if exchange.code == command::STMT_EXECUTE {
            let cursor = exchange.reply.asks_for_cursor().then(|| Arc::clone(&prepared.template));
            if let Some(shared) = self.shared.as_mut().filter(|_| cursor.is_some() || prepared.cursor_of.is_some()) {
                shared.statements.set_cursor(id, cursor);
            }
        }
    }

    fn plan_text(&self, exchange: &mut Exchange, prepared: &mut Prepared, has_rows: bool) {
        let text = &prepared.template.key.text;
        let Some(Plan::Run { text, patch }) = self.plan(text, prepared.dialect, exchange.summary.flags, has_rows)
        else {
            return;
        };
        if let Some(text) = text {
            exchange.sets_instead = exchange.summary.verb == Verb::Diagnostics;
            let key = Key { text: text.into(), ..prepared.template.key.clone() };
            prepared.template = lock(&self.proxy.registry).intern(key);
        }
        exchange.patch = patch.map(Box::new);
    }

    /// Types that the client has left out, since it has sent them before, and that this backend does not know.
    fn with_types(&mut self, id: u32, prepared: &Prepared, payload: Vec<u8>) -> Vec<u8> {
        let Some(types) = Types::of(&payload, prepared.shape.params, self.capabilities) else { return payload };
        let Some(shared) = &mut self.shared else { return payload };
        let statements = &mut self.lease.backend_mut().kept.statements;
        if types.are_there() {
            let sent = &payload[types.at.clone()];
            let history = shared.statements.set_types(id, sent, pins::keeps_types(shared.dialect));
            statements.must_send_types(&prepared.template, Some(sent));
            statements.set_history(&prepared.template, history);
            return payload;
        }
        statements.set_history(&prepared.template, prepared.history.clone());
        match &prepared.types {
            Some(known) if statements.must_send_types(&prepared.template, Some(known)) => types.put(&payload, known),
            _ => payload,
        }
    }

    /// The statement's id on the backend, where it is prepared first if need be.
    async fn id_on_backend(&mut self, prepared: &Prepared) -> Result<Result<u32, Refused>, Fault> {
        let Session { lease, shared, proxy, .. } = self;
        let Some(shared) = shared else { return Ok(Ok(NOBODYS)) };
        let backend = lease.backend_mut();
        if let Need::Ready(id) = backend.kept.statements.need(&prepared.template) {
            return Ok(Ok(id));
        }
        let there = as_prepared(&shared.state, &prepared.state);
        match walk(backend, shared.standing(), Standing { state: &there, baseline: &shared.baseline }).await? {
            Ok(()) => {}
            // The schema that it was prepared in is no more. All else was set, and is set back.
            Err(refused) if is_about_schema(&refused) => {
                let mut reached = there;
                reached.set_schema(shared.state.schema());
                let reached = Standing { state: &reached, baseline: &shared.baseline };
                walk(backend, reached, shared.standing()).await?.map_err(not_its_own)?;
                return Ok(Err(Box::new(refused)));
            }
            Err(refused) => return Err(not_its_own(refused)),
        }
        let mut done = prepare(backend, &prepared.template.key.text).await?;
        if done.as_ref().is_err_and(|refused| refused.code == TOO_MANY) {
            close_unused(proxy, backend).await?;
            done = prepare(backend, &prepared.template.key.text).await?;
        }
        let there = Standing { state: &there, baseline: &shared.baseline };
        walk(backend, there, shared.standing()).await?.map_err(not_its_own)?;
        let (id, shape) = match done {
            Ok(done) => done,
            Err(refused) => return Ok(Err(Box::new(refused))),
        };
        let most = proxy.max_statements.load(Ordering::Relaxed);
        let close = backend.kept.statements.prepared(Arc::clone(&prepared.template), id, shape, most);
        close_all(backend, &close).await?;
        match Told::of(prepared.shape, shape) {
            Told::Params => {
                Ok(Err(Box::new(ErrPacket::new(NEEDS_PREPARE, b"HY000", "Prepared statement needs to be re-prepared"))))
            }
            Told::Same | Told::Columns => Ok(Ok(id)),
        }
    }

    /// The server has no room for another statement: those that are kept for nobody in particular make some.
    pub(super) async fn make_room_for_statements(&mut self) -> Result<(), Fault> {
        let Session { lease, proxy, .. } = self;
        close_unused(proxy, lease.backend_mut()).await
    }

    /// COM_STMT_CLOSE: the client's id is free; the backend keeps the statement for others, unless it is in the middle of it.
    pub(super) async fn close_statement(&mut self, id: u32) -> Result<(), Fault> {
        let Session { lease, shared, .. } = self;
        let Some(shared) = shared else { return Ok(()) };
        let id = shared.statements.resolve(id);
        let Some(closed) = shared.statements.close(id) else { return Ok(()) };
        let was_in_use = shared.ledger.uses(id) || shared.ledger.is_typed(id);
        shared.ledger.forgotten(id);
        if was_in_use && lease.is_held() {
            let backend = lease.backend_mut();
            let all = [Some(closed.template), closed.cursor_of];
            let gone: Vec<u32> =
                all.iter().flatten().filter_map(|template| backend.kept.statements.forget(template)).collect();
            close_all(backend, &gone).await?;
        }
        Ok(())
    }
}

/// The state in which the statement was prepared, as far as its meaning depends on it; the rest is as it is now.
fn as_prepared(now: &State, then: &State) -> State {
    let mut there = now.clone();
    // No way but a login leads back to having no schema.
    if then.schema().is_some() && now.schema().is_some() {
        there.set_schema(then.schema());
    }
    for name in [&b"sql_mode"[..], b"character_set_client", b"character_set_connection", b"collation_connection"] {
        let value = then.variable(name).map(<[u8]>::to_vec);
        if there.variable(name).map(<[u8]>::to_vec) != value {
            let _ = match value {
                Some(value) => there.set(name, &value).map(drop),
                None => there.unset(name),
            };
        }
    }
    there
}

/// From one state to another; inside, the first refusal: all else was done.
async fn walk(backend: &mut Backend, from: Standing<'_>, to: Standing<'_>) -> Result<Result<(), ErrPacket>, Fault> {
    let found = steps(from, to).map_err(|error| Fault::backend(error.to_string()))?;
    if found.is_empty() {
        return Ok(Ok(()));
    }
    let payloads: Vec<_> = found.iter().map(|step| crate::proxy::acquire::payload(backend, step)).collect();
    let (mut channel, _) = backend.borrow();
    let answers = statement::commands(&mut channel, &payloads).await;
    backend.restore(channel);
    Ok(answers?.into_iter().find_map(Result::err).map_or(Ok(()), Err))
}

fn not_its_own(refused: ErrPacket) -> Fault {
    Fault::backend(format!("a prepared statement's own session is refused: {}", refused.text()))
}

async fn prepare(backend: &mut Backend, text: &[u8]) -> Result<Result<(u32, Shape), ErrPacket>, Fault> {
    let (mut channel, facts) = backend.borrow();
    let done = statement::prepare(&mut channel, facts.capabilities, text).await;
    backend.restore(channel);
    done
}

/// Closes all that is prepared there, and has all backends keep less from now on.
async fn close_unused(proxy: &Proxy, backend: &mut Backend) -> Result<(), Fault> {
    let most = proxy.max_statements.load(Ordering::Relaxed);
    proxy.max_statements.store((most / 4).max(1), Ordering::Relaxed);
    let all = backend.kept.statements.take_all();
    close_all(backend, &all).await
}

/// No reply comes to these.
async fn close_all(backend: &mut Backend, ids: &[u32]) -> Result<(), Fault> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut bytes = Vec::new();
    for id in ids {
        put_packet(&mut bytes, 0, &[&[command::STMT_CLOSE][..], &id.to_le_bytes()].concat());
    }
    let (mut channel, _): (Channel, _) = backend.borrow();
    let sent = channel.stream.send(&bytes).await;
    backend.restore(channel);
    sent.map_err(Fault::backend_io)
}

fn key(shared: &Shared, text: &[u8], user: &[u8]) -> Key {
    let value = |name: &[u8]| shared.state.variable(name).or_else(|| shared.baseline.get(name)).unwrap_or_default();
    let charset = [value(b"character_set_client"), value(b"character_set_connection"), value(b"collation_connection")];
    Key {
        text: text.into(),
        schema: shared.state.schema().map(Box::from),
        sql_mode: value(b"sql_mode").into(),
        charset: charset.join(&b' ').into(),
        user: user.into(),
        copy: 0,
    }
}

/// What a server says with the result of a statement that has other columns than when it was prepared.
pub(super) fn say_new_columns(reply: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = reply.get(at..).and_then(Header::read) {
        let end = at + header.packet_len();
        let Some(payload) = reply.get_mut(at + HEADER..end) else { return };
        // No column's definition begins so, nor a row.
        if let Some(status) = (payload.first() == Some(&0xFE)).then(|| status_place(payload)).flatten() {
            payload[status + 1] |= (METADATA_CHANGED >> 8) as u8;
        }
        at = end;
    }
}

/// Where the status flags of a legacy EOF or of an OK in its place are.
fn status_place(payload: &[u8]) -> Option<usize> {
    if payload.len() == 5 {
        return Some(3);
    }
    let mut fields = Fields::new(&payload[1..]);
    fields.lenenc()?;
    fields.lenenc()?;
    let place = payload.len() - fields.rest().len();
    (place + 2 <= payload.len()).then_some(place)
}

/// An error about a statement by the backend's id, in the client's words.
pub(super) fn with_own_id(reply: &mut Vec<u8>, (backend_id, id): (u32, u32)) {
    if reply.get(HEADER) != Some(&0xFF) {
        return;
    }
    let (theirs, own) = (format!("({backend_id})"), format!("({id})"));
    let Some(at) = memchr::memmem::find(&reply[HEADER..], theirs.as_bytes()) else { return };
    let (at, seq) = (HEADER + at, reply[HEADER - 1]);
    let payload = [&reply[HEADER..at], own.as_bytes(), &reply[at + theirs.len()..]].concat();
    reply.clear();
    put_packet(reply, seq, &payload);
}
