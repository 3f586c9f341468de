//! Mode `transaction`: a client's own `session_track_*`. tidegate's are in force on every backend, so that it hears of every
//! change; where a statement shows or sets these variables, the client's are put there for its time.

use crate::net::channel::Channel;
use crate::proxy::client::Session;
use crate::proxy::error::Fault;
use crate::proxy::release::read_last;
use crate::proxy::statement;
use crate::session::restore::client_trackers;
use crate::sql::effects::Summary;
use crate::sql::flags::Flags;
use crate::sql::verb::Verb;
use crate::wire::capabilities::Capabilities;

impl Session {
    /// Whether the statement shows or sets `session_track_*`.
    pub(super) fn concerns_trackers(&self, sql: &[u8], summary: Summary) -> bool {
        let Some(shared) = &self.shared else { return false };
        let names_any = summary.flags.any(Flags::SETS_TRACKERS.with(Flags::USES_SYSTEM_VARIABLE));
        shared.announcing.trackers
            && names_any
            && (summary.flags.has(Flags::SETS_TRACKERS) || summary.verb == Verb::Show || names_trackers(sql))
    }

    /// The client's settings instead of tidegate's.
    pub(super) async fn put_own_trackers(&mut self) -> Result<(), Fault> {
        let Session { lease, shared, .. } = self;
        let Some(shared) = shared else { return Ok(()) };
        let sql = client_trackers(&shared.asked);
        let backend = lease.backend_mut();
        let mut insert_id = None;
        let (mut channel, facts) = backend.borrow();
        let read = read_last(&mut channel, facts.capabilities, shared).await;
        if let Ok(Some(id)) = &read {
            insert_id = Some(*id);
        }
        let mut done = read.map(drop);
        if done.is_ok() {
            done = must(&mut channel, facts.capabilities, &sql).await;
        }
        backend.restore(channel);
        backend.kept.spoiled = true;
        backend.kept.last_insert_id = insert_id.or(backend.kept.last_insert_id);
        done
    }

    /// tidegate's settings again. `were_set`: the statement may have changed the client's, and other settings unheard.
    pub(super) async fn put_trackers_again(&mut self, were_set: bool) -> Result<(), Fault> {
        let Session { lease, shared, .. } = self;
        let Some(shared) = shared else { return Ok(()) };
        let backend = lease.backend_mut();
        let mut insert_id = None;
        let (mut channel, facts) = backend.borrow();
        let read = read_last(&mut channel, facts.capabilities, shared).await;
        if let Ok(Some(id)) = &read {
            insert_id = Some(*id);
        }
        let mut done = read.map(drop);
        if were_set && done.is_ok() {
            let read = statement::query(&mut channel, facts.capabilities, shared.question()).await;
            done = match read {
                Ok(Ok(rows)) => {
                    shared.read(rows, true);
                    Ok(())
                }
                Ok(Err(refused)) => Err(Fault::refused(refused)),
                Err(fault) => Err(fault),
            };
        }
        if let (Ok(()), Some(sql)) = (&done, shared.trackers()) {
            done = must(&mut channel, facts.capabilities, sql).await;
        }
        backend.restore(channel);
        backend.kept.spoiled = true;
        backend.kept.last_insert_id = insert_id.or(backend.kept.last_insert_id);
        done?;
        shared.ledger.sees_again();
        Ok(())
    }
}

async fn must(channel: &mut Channel, caps: Capabilities, sql: &str) -> Result<(), Fault> {
    statement::query(channel, caps, sql).await?.map(drop).map_err(Fault::refused)
}

fn names_trackers(sql: &[u8]) -> bool {
    const WORD: &[u8] = b"session_track";
    sql.windows(WORD.len()).any(|window| window.eq_ignore_ascii_case(WORD))
}
