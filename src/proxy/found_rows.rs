//! Mode `transaction`: FOUND_ROWS() before a statement that may leave it as it is, on a backend where another client's stands.

use crate::proxy::client::Session;
use crate::proxy::error::Fault;
use crate::proxy::exchange::Exchange;
use crate::session::last::found_rows::{may_keep, plant};
use crate::session::reason::Pin;
use crate::sql::flags::Flags;

impl Session {
    /// Whether nothing is to be done about FOUND_ROWS() before the statement.
    pub(super) fn found_rows_are_there(&self, exchange: &Exchange) -> bool {
        let Some(shared) = &self.shared else { return true };
        let summary = &exchange.summary;
        if shared.found_rows_are_unsure() {
            return !summary.flags.has(Flags::READS_FOUND_ROWS) && !may_keep(summary);
        }
        let is_there = |own| self.lease.backend().kept.found_rows == Some(own);
        // A SELECT would be the next transaction that was spoken of.
        !may_keep(summary)
            || shared.last.found_rows.is_none_or(is_there)
            || shared.ledger.pins().has(Pin::NextTransaction)
    }

    /// Reads the client's where that is still to be done, and puts it there where the statement may keep it.
    pub(super) async fn bring_found_rows(&mut self, exchange: &Exchange) -> Result<(), Fault> {
        self.before_own().await?;
        let own = self.shared.as_ref().and_then(|shared| shared.last.found_rows);
        let Some(own) = own.filter(|_| may_keep(&exchange.summary)) else { return Ok(()) };
        let (sql, rows) = plant(own);
        // Refused, there is no state in which anybody's rows could be found.
        if self.run_own(&sql).await?.is_ok() {
            self.note_conditions(false);
            self.lease.backend_mut().kept.found_rows = Some(rows);
        }
        Ok(())
    }
}
