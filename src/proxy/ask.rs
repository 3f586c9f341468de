//! Mode `transaction`: questions about the last statement and the connection, which the backend at hand would answer for
//! another client.

use crate::proxy::client::Session;
use crate::proxy::error::Fault;
use crate::proxy::exchange::Exchange;
use crate::proxy::statement;
use crate::session::answer::{ASKS, Known, Plan, plan};
use crate::sql::dialect::Dialect;
use crate::sql::flags::Flags;
use crate::sql::verb::Verb;
use crate::wire::command;
use crate::wire::frame::{HEADER, put_packet};

/// What may look at LAST_INSERT_ID(), as far as a text tells.
pub(super) const LOOKS_AT_INSERT_ID: Flags = Flags::READS_LAST_INSERT_ID
    .with(Flags::CALLS)
    .with(Flags::UNKNOWN_FUNCTION)
    .with(Flags::EXECUTES)
    .with(Flags::EXECUTE_IMMEDIATE)
    .with(Flags::COMPOUND)
    .with(Flags::UNEXPLAINED);

/// What may change LAST_INSERT_ID(), or leave it as it was: read later, it must have been the client's before. That it is still
/// another client's would not tell, for it may have been set to the same.
const MAY_SET_INSERT_ID: Flags = Flags::SETS_LAST_INSERT_ID.with(Flags::SETS_FROZEN);

impl Session {
    /// Whether nothing is to be done about LAST_INSERT_ID() before the statement. Else it may look at it, and the backend
    /// has another one.
    ///
    /// Before an INSERT it goes on the way, for an INSERT with an explicit id reports that and leaves LAST_INSERT_ID() as it
    /// was. Where the backend has none yet, what is read later tells by itself whether there is a new one.
    pub(super) fn insert_id_is_there(&mut self, exchange: &mut Exchange) -> bool {
        let Session { lease, shared, .. } = self;
        let Some(shared) = shared else { return true };
        let backend = lease.backend_mut();
        let unlike = backend.kept.last_insert_id != shared.last.last_insert_id;
        let (id, unsure) = (shared.last.last_insert_id.filter(|_| unlike), shared.insert_id_is_unsure());
        if id.is_none() && !unsure {
            return true;
        }
        let summary = exchange.summary;
        let may_set = summary.flags.any(MAY_SET_INSERT_ID);
        let inserts = matches!(summary.verb, Verb::Insert | Verb::Replace | Verb::LoadData | Verb::With);
        let looks = summary.flags.any(LOOKS_AT_INSERT_ID)
            || shared.state.variable(b"sql_auto_is_null").is_some()
            || summary.statements > 1 && !summary.is_read_only()
            || may_set && (!inserts || backend.kept.last_insert_id.is_none());
        let id = id.filter(|_| looks || inserts);
        if id.is_none() && !(looks && unsure) {
            return true;
        }
        if !looks && !may_set && backend.kept.last_insert_id == Some(0) {
            return true;
        }
        if let Some(id) = id.filter(|_| !looks && shared.last.unread().is_empty()) {
            let sql = format!("SET last_insert_id={id}");
            exchange.prelude.payloads.push(statement::payload(backend.capabilities, &sql));
            backend.kept.last_insert_id = Some(id);
            backend.kept.spoiled = true;
            return true;
        }
        false
    }

    /// Brings LAST_INSERT_ID() to the backend.
    pub(super) async fn bring_insert_id(&mut self) -> Result<(), Fault> {
        self.before_own().await?;
        let id = self.shared.as_ref().and_then(|shared| shared.last.last_insert_id);
        let sql = format!("SET last_insert_id={}", id.unwrap_or_default());
        self.run_own(&sql).await?.map_err(Fault::of_question)?;
        self.lease.backend_mut().kept.last_insert_id = id;
        Ok(())
    }

    /// Whether the statement may have taken the `insert_id` that keeps the backend.
    pub(super) fn may_have_used_insert_id(&self, exchange: &Exchange) -> bool {
        let summary = &exchange.summary;
        self.shared.as_ref().is_some_and(|shared| shared.ledger.waits_for_insert())
            && !summary.is_read_only()
            && !summary.flags.has(Flags::SETS_FROZEN)
    }

    /// Asks the server whether it has. Not cancel safe.
    pub(super) async fn ask_for_used_insert_id(&mut self) -> Result<(), Fault> {
        let rows = self.run_own("SELECT @@insert_id=0 LIMIT 1").await?.map_err(Fault::of_question)?;
        let is_used = rows == [[Some(b"1".to_vec())]];
        if let Some(shared) = self.shared.as_mut().filter(|_| is_used) {
            shared.ledger.insert_id_is_used();
        }
        Ok(())
    }

    /// What is to be asked instead, and what is to be replaced in the reply.
    /// `has_rows`: the reply holds the rows.
    pub(super) fn plan(&self, sql: &[u8], dialect: Dialect, flags: Flags, has_rows: bool) -> Option<Plan> {
        let shared = self.shared.as_ref().filter(|_| flags.any(ASKS))?;
        let is_here = self.is_here();
        let clients = match flags.has(Flags::SHOWS_CONNECTIONS) {
            true => self.proxy.clients.by_backend(),
            false => Default::default(),
        };
        let last = &shared.last;
        let known = Known {
            connection_id: Some(self.admission.id),
            row_count: last.row_count.filter(|_| !is_here),
            found_rows: last.found_rows,
            diagnostics: last.saved(),
            clients: &clients,
            has_rows,
        };
        Some(plan(sql, dialect, &known)).filter(|plan| *plan != Plan::AsItIs)
    }

    /// Whether the backend at hand has run the client's last statement, and nothing since.
    fn is_here(&self) -> bool {
        let is_here = self.shared.as_ref().is_some_and(|shared| shared.is_here);
        // MariaDB and MySQL 5.6 keep another's warnings over statements that use no table.
        is_here && !self.lease.backend().kept.spoiled && !self.others_stand()
    }

    /// Whether the backend at hand would be asked for errors and warnings, in a form that only a server understands, and would
    /// answer with another client's.
    pub(super) fn asks_for_others(&self, exchange: &Exchange, packet: &[u8]) -> bool {
        let flags = exchange.summary.flags;
        let Some(shared) = self.shared.as_ref().filter(|_| flags.has(Flags::READS_DIAGNOSTICS)) else { return false };
        if self.is_here() || shared.last.saved().is_none() {
            return false;
        }
        let plan = match (exchange.code, exchange.statement.and_then(|id| shared.statements.get(id))) {
            (command::STMT_EXECUTE | command::STMT_BULK_EXECUTE, Some(prepared)) => {
                self.plan(&prepared.template.key.text, prepared.dialect, flags, true)
            }
            (command::QUERY, _) => {
                self.plan(packet.get(exchange.text.clone()).unwrap_or_default(), shared.dialect, flags, true)
            }
            _ => None,
        };
        matches!(plan, Some(Plan::Cannot(_)))
    }

    /// Plans a query, whose packet stands in `packet`.
    pub(super) fn plan_query(&mut self, exchange: &mut Exchange, packet: &[u8], dialect: Dialect) {
        let sql = packet.get(exchange.text.clone()).unwrap_or_default();
        match self.plan(sql, dialect, exchange.summary.flags, true) {
            Some(Plan::Run { text, patch }) => {
                exchange.sets_instead = text.is_some() && exchange.summary.verb == Verb::Diagnostics;
                exchange.instead = text.map(|text| {
                    let payload = [&packet[HEADER..exchange.text.start], &text[..]].concat();
                    let mut packet = Vec::with_capacity(payload.len() + HEADER);
                    put_packet(&mut packet, 0, &payload);
                    packet
                });
                exchange.holds_reply |= patch.is_some();
                exchange.patch = patch.map(Box::new);
            }
            Some(Plan::Cannot(why)) => {
                tracing::debug!(client = self.admission.id, "answered by the backend at hand: {why}");
                if let Some(shared) = &mut self.shared {
                    shared.asks_for_diagnostics = true;
                }
            }
            _ => {}
        }
    }
}
