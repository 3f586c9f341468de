//! Mode `transaction`: a backend is lost in the middle of a command, or behind it.

use tracing::warn;

use crate::pool::fate::RetireReason;
use crate::proxy::client::{Session, shutting_down};
use crate::proxy::error::{Fault, Whose, printable};
use crate::proxy::exchange::Exchange;
use crate::proxy::kill_client::only;
use crate::session::last::Diagnostics;
use crate::session::reason::Pin;

impl Session {
    /// A command has ended half-way. Where nothing of the client's was on a backend that died, it hears so in a server's words
    /// and goes on; else nothing is known of what the command did, and nobody else may find it.
    pub(super) async fn backend_lost(
        &mut self,
        exchange: &mut Exchange,
        fault: Fault,
        was_free: bool,
    ) -> Result<(), Fault> {
        // Whoever is being killed is to go with its backend.
        let killed = self.admission.is_killed() || self.admission.is_being_killed();
        if killed || !(was_free || self.is_in_transaction_only()) || !exchange.is_unanswered(&fault) {
            if let Some(shared) = &mut self.shared {
                shared.ledger.pin(Pin::UnexplainedState);
            }
            return Err(fault);
        }
        self.log_lost(&fault);
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

    /// The backend was lost behind a command that was answered. The client hears of it where that costs it something: in a
    /// transaction with its next command, and else by its end.
    pub(super) fn lost_behind(&mut self, fault: Fault) -> Result<(), Fault> {
        let (may_change, in_transaction) = (self.can_change_backend(), self.is_in_transaction_only());
        if fault.whose != Whose::Backend || !may_change && !in_transaction {
            return Err(fault);
        }
        self.log_lost(&fault);
        self.lost_transaction = in_transaction;
        self.forget();
        self.drop_backend(RetireReason::Broken);
        Ok(())
    }

    pub(super) fn log_lost(&self, fault: &Fault) {
        let (client, backend) = (self.admission.id, self.record_backend());
        let user = printable(&self.identity.user);
        warn!(client, user, backend, fault = "backend", "{}", printable(&fault.why));
    }
}
