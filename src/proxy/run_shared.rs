//! Mode `transaction`: one command's life on a backend that others use too.

use std::time::Instant;

use crate::net::buffer::Buffer;
use crate::proxy::client::Session;
use crate::proxy::error::Fault;
use crate::proxy::query::Exchange;
use crate::session::outcome::Outcome;
use crate::session::reason::Pin;
use crate::sql::effects::summary;
use crate::sql::flags::Flags;
use crate::wire::command;
use crate::wire::frame::Header;

impl Session {
    /// Comes by a backend, runs the command there, notes what it did, and gives the backend back if nothing keeps it.
    pub(super) async fn run_shared(
        &mut self,
        exchange: &mut Exchange,
        header: Header,
        whole: bool,
        buffer: &mut Buffer,
    ) -> Result<(), Fault> {
        self.read_statement(exchange, buffer);
        if let Err(refused) = self.acquire(&mut exchange.timer, buffer).await? {
            self.say(1, &refused).await;
            exchange.reply.facts.error = Some(refused.code);
            return Ok(());
        }
        let before = self.shared.as_ref().map(|shared| (shared.dialect, shared.state.schema().map(<[u8]>::to_vec)));
        let done = self.run_exchange(exchange, header, whole, buffer).await;
        if done.is_err() {
            return done;
        }
        let (dialect, schema) = before.unwrap_or_default();
        let Some(shared) = &mut self.shared else { return done };
        let outcome = Outcome::new(&exchange.reply.facts, exchange.announced, exchange.changed_at_eof);
        match exchange.code {
            command::QUERY => {
                let sql = buffer.filled().get(exchange.text.clone()).unwrap_or_default();
                shared.ran(sql, dialect, schema.as_deref(), exchange.flags, &outcome);
                if !whole {
                    shared.ledger.pin(Pin::UnexplainedState);
                }
            }
            command::INIT_DB if !outcome.failed => {
                let name = buffer.filled().get(exchange.text.clone()).unwrap_or_default();
                if !shared.announcing.trackers {
                    shared.state.set_schema(Some(name));
                }
                shared.ledger.status(&outcome);
            }
            command::REGISTER_SLAVE => shared.ledger.pin(Pin::Replication),
            _ => shared.ledger.status(&outcome),
        }
        self.settle(Instant::now());
        done
    }

    /// What the command's text does to its session.
    fn read_statement(&mut self, exchange: &mut Exchange, buffer: &Buffer) {
        let Some(shared) = &self.shared else { return };
        exchange.flags = match exchange.code {
            command::QUERY => {
                let sql = buffer.filled().get(exchange.text.clone()).unwrap_or_default();
                summary(sql, shared.dialect).flags
            }
            _ => Flags::NONE,
        };
    }
}
