//! Mode `transaction`: a statement is prepared on a backend as it was at first: in the state that it was prepared in.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::proxy::acquire::{Refused, is_about_schema};
use crate::proxy::backend::Backend;
use crate::proxy::client::Session;
use crate::proxy::error::Fault;
use crate::proxy::prepared::close_all;
use crate::proxy::server::Proxy;
use crate::proxy::statement;
use crate::session::restore::{Standing, steps};
use crate::session::state::State;
use crate::session::statements::{Need, Prepared, READ_BY, Shape, Told};
use crate::wire::fault::{ErrPacket, is_of_connection};

/// No server gives such an id: what is sent by it is refused as unknown.
pub(super) const NOBODYS: u32 = 0x7FFF_FFF0;
/// ER_MAX_PREPARED_STMT_COUNT_REACHED
pub(super) const TOO_MANY: u16 = 1461;
/// ER_NEED_REPREPARE
const NEEDS_PREPARE: u16 = 1615;

impl Session {
    /// The statement's id on the backend, where it is prepared first if need be.
    pub(super) async fn id_on_backend(&mut self, prepared: &Prepared) -> Result<Result<u32, Refused>, Fault> {
        if self.shared.is_none() {
            return Ok(Ok(NOBODYS));
        }
        if let Need::Ready(id) = self.lease.backend_mut().kept.statements.need(&prepared.template) {
            return Ok(Ok(id));
        }
        if !self.shared.as_ref().is_some_and(|shared| shared.settings_are_known()) {
            // There is no way back to settings that nobody knows.
            Box::pin(self.read_doubted()).await?;
            Box::pin(self.read_settings()).await?;
        }
        let Session { lease, shared, proxy, .. } = self;
        let Some(shared) = shared else { return Ok(Ok(NOBODYS)) };
        let backend = lease.backend_mut();
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
}

/// The state in which the statement was prepared, as far as its meaning depends on it; the rest is as it is now.
fn as_prepared(now: &State, then: &State) -> State {
    let mut there = now.clone();
    // No way but a login leads back to having no schema.
    if then.schema().is_some() && now.schema().is_some() {
        there.set_schema(then.schema());
    }
    let texts = ["sql_mode", "character_set_client", "character_set_connection", "collation_connection"];
    for name in texts.iter().chain(&READ_BY).map(|name| name.as_bytes()) {
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
    backend.kept.has_reset_schema &= from.state.schema() == to.state.schema();
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
    match done? {
        Err(hit) if is_of_connection(hit.code) => Err(Fault::of_question(hit)),
        done => Ok(done),
    }
}

/// Closes all that is prepared there, and has all backends keep less from now on.
async fn close_unused(proxy: &Proxy, backend: &mut Backend) -> Result<(), Fault> {
    let most = proxy.max_statements.load(Ordering::Relaxed);
    proxy.max_statements.store((most / 4).max(1), Ordering::Relaxed);
    let all = backend.kept.statements.take_all();
    close_all(backend, &all).await
}
