//! Mode `transaction`: prepared statements, which clients know by ids of tidegate's own and backends by theirs.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::net::channel::Channel;
use crate::proxy::backend::Backend;
use crate::proxy::client::Session;
use crate::proxy::error::Fault;
use crate::proxy::exchange::Exchange;
use crate::proxy::setup::lock;
use crate::proxy::shared::Shared;
use crate::session::pins;
use crate::session::statements::{Key, Prepared, READ_BY, Shape};
use crate::sql::effects::summary;
use crate::sql::flags::Flags;
use crate::wire::command;
use crate::wire::execute::ID;
use crate::wire::frame::{HEADER, put_packet};

/// How many statements one client may have open: the servers' usual `max_prepared_stmt_count`.
const MAX_PER_CLIENT: usize = 16_382;

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
        let Session { shared, proxy, lease, params: login, admission, .. } = self;
        let Some(shared) = shared else { return Ok(()) };
        let template =
            lock(&proxy.registry).intern(shared.statements.another(key(shared, text, &login.user, admission.id)));
        let prepared = Prepared {
            template: Arc::clone(&template),
            shape,
            state: shared.state.clone(),
            dialect: shared.dialect,
            summary: summary(text, shared.dialect),
            types: None,
            history: None,
            lies_with: None,
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
            let all = [Some(closed.template), closed.lies_with];
            let gone: Vec<u32> =
                all.iter().flatten().filter_map(|template| backend.kept.statements.forget(template)).collect();
            close_all(backend, &gone).await?;
        }
        Ok(())
    }
}

/// No reply comes to these.
pub(super) async fn close_all(backend: &mut Backend, ids: &[u32]) -> Result<(), Fault> {
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

/// `client`: its id, which tells its statements from those of others where nobody knows by what settings they were read.
fn key(shared: &Shared, text: &[u8], user: &[u8], client: u32) -> Key {
    let value = |name: &[u8]| shared.state.variable(name).or_else(|| shared.baseline.get(name)).unwrap_or_default();
    let charset = [value(b"character_set_client"), value(b"character_set_connection"), value(b"collation_connection")];
    let mut settings = READ_BY.map(|name| value(name.as_bytes())).join(&0);
    if !shared.settings_are_known() {
        settings.extend(client.to_le_bytes());
    }
    Key {
        text: text.into(),
        schema: shared.state.schema().map(Box::from),
        sql_mode: value(b"sql_mode").into(),
        charset: charset.join(&b' ').into(),
        settings: settings.into(),
        user: user.into(),
        copy: 0,
    }
}
