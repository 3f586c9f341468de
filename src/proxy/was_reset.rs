//! Mode `transaction`: COM_RESET_CONNECTION has made the session another one. What it is now, the backend says; where that
//! one is lost behind its OK, the next one is reset in its place.

use crate::pool::fate::RetireReason;
use crate::proxy::acquire::Trouble;
use crate::proxy::client::Session;
use crate::proxy::error::{Fault, Whose};
use crate::proxy::reset::left_texts;
use crate::proxy::{setup, statement};
use crate::session::last::Last;
use crate::session::reason::Pin;
use crate::wire::command;

impl Session {
    /// The session is as after a login without its words, but for the schema.
    pub(super) async fn was_reset(&mut self) -> Result<(), Fault> {
        let Some(shared) = &mut self.shared else { return Ok(()) };
        let schema = shared.state.schema().map(<[u8]>::to_vec);
        let was_unexplained = shared.ledger.pins().has(Pin::UnexplainedState);
        shared.last = Last { found_rows: shared.last.found_rows, ..Last::fresh() };
        let read = match self.read_what_is_left(schema).await {
            Ok(()) if was_unexplained => self.keep_texts().await,
            read => read,
        };
        match read {
            // Who changed to a user that only its own backend is does not go on without it.
            Err(fault) if fault.whose == Whose::Backend && !self.lease.foreign => {
                self.lose_reset(&fault);
                Ok(())
            }
            done => done,
        }
    }

    /// Reads what the reset made of the session. `schema`: the one that the backend has.
    async fn read_what_is_left(&mut self, schema: Option<Vec<u8>>) -> Result<(), Fault> {
        self.before_own().await?;
        let Session { lease, shared, proxy, .. } = self;
        let Some(shared) = shared else { return Ok(()) };
        let backend = lease.backend_mut();
        let (mut channel, facts) = backend.borrow();
        let fresh = setup::fresh(proxy, &mut channel, facts, schema.as_deref()).await;
        backend.restore(channel);
        let mut fresh = fresh?;
        backend.kept.settle(&fresh);
        backend.kept.has_reset_schema = schema.is_some();
        fresh.state.set_multi_statements(shared.state.multi_statements());
        shared.restart(&fresh);
        if lease.foreign {
            shared.ledger.pin(Pin::OwnLogin);
        }
        shared.has_reset_schema = schema.is_some();
        // MariaDB goes back to the character sets of the connection's own login, which was not this client's.
        if shared.is_mariadb() {
            shared.put_login_charsets();
        }
        match self.bring_state().await {
            Ok(()) => Ok(()),
            Err(_) => Err(Fault::backend("the session cannot be restored behind a reset")),
        }
    }

    /// A connection that can still tell the session's statements is kept for it.
    pub(super) async fn keep_texts(&mut self) -> Result<(), Fault> {
        let (mut channel, facts) = self.lease.backend_mut().borrow();
        let left = left_texts(&mut channel, facts).await;
        self.lease.backend_mut().restore(channel);
        if let Some(shared) = &mut self.shared
            && left?
        {
            shared.ledger.pin(Pin::UnexplainedState);
        }
        Ok(())
    }

    /// The client has its OK, and nothing is left of what it had: the session goes on.
    fn lose_reset(&mut self, fault: &Fault) {
        self.log_lost(fault);
        self.forget();
        self.drop_backend(RetireReason::Broken);
        if let Some(shared) = &mut self.shared {
            shared.reset_unread();
        }
    }

    /// Resets the backend at hand, if the one that was reset is lost.
    pub(super) async fn reset_again(&mut self) -> Result<(), Trouble> {
        if !self.shared.as_ref().is_some_and(|shared| shared.is_to_be_reset) {
            return Ok(());
        }
        self.bring_state().await?;
        let backend = self.lease.backend_mut();
        let schema = backend.kept.state.schema().map(<[u8]>::to_vec);
        let (mut channel, _) = backend.borrow();
        let answer = statement::simple(&mut channel, &[command::RESET_CONNECTION]).await;
        backend.restore(channel);
        answer.map_err(|_| Trouble::Broken)?.map_err(|refused| Trouble::Refused(Box::new(refused)))?;
        self.read_what_is_left(schema).await.map_err(|_| Trouble::Broken)
    }
}
