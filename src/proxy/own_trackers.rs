//! Mode `transaction`: a client's own `session_track_*`. tidegate's are in force on every backend, so that it hears of every
//! change; where a statement shows or sets these variables, the client's are put there for its time.

use crate::proxy::client::Session;
use crate::proxy::error::Fault;
use crate::proxy::exchange::Exchange;
use crate::session::restore::client_trackers;
use crate::sql::flags::Flags;
use crate::sql::verb::Verb;
use crate::wire::command;

impl Session {
    /// Whether the statement shows or sets `session_track_*`.
    pub(super) fn concerns_trackers(&self, exchange: &Exchange, commands: &[u8]) -> bool {
        let Some(shared) = self.shared.as_ref().filter(|_| exchange.code == command::QUERY) else { return false };
        let summary = exchange.summary;
        let sql = || commands.get(exchange.text.clone()).unwrap_or_default();
        let names_any = summary.flags.any(Flags::SETS_TRACKERS.with(Flags::USES_SYSTEM_VARIABLE));
        shared.announcing.trackers
            && names_any
            && (summary.flags.has(Flags::SETS_TRACKERS) || summary.verb == Verb::Show || names_trackers(sql()))
    }

    /// The client's settings instead of tidegate's.
    pub(super) async fn put_own_trackers(&mut self) -> Result<(), Fault> {
        let Some(shared) = &self.shared else { return Ok(()) };
        let sql = client_trackers(&shared.asked);
        self.run_own(&sql).await?.map(drop).map_err(Fault::refused)
    }

    /// tidegate's settings again. `were_set`: the statement may have changed the client's, and other settings unheard.
    pub(super) async fn put_trackers_again(&mut self, were_set: bool) -> Result<(), Fault> {
        let room = self.lease.backend().kept.room;
        if were_set && let Some(questions) = self.shared.as_ref().map(|shared| shared.questions(room)) {
            let answers = self.run_all(&questions).await?;
            if let Some(shared) = &mut self.shared {
                shared.read(answers, true);
            }
        }
        if let Some(sql) = self.shared.as_ref().and_then(|shared| shared.trackers(room)).map(str::to_owned) {
            self.run_own(&sql).await?.map_err(Fault::refused)?;
        }
        if let Some(shared) = &mut self.shared {
            shared.ledger.sees_again();
        }
        Ok(())
    }
}

fn names_trackers(sql: &[u8]) -> bool {
    const WORD: &[u8] = b"session_track";
    sql.windows(WORD.len()).any(|window| window.eq_ignore_ascii_case(WORD))
}
