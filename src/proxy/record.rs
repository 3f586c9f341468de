//! The record of a command that is over: to the worker's recorder, and to the slow log where it was slow.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::proxy::client::Session;
use crate::proxy::exchange::Exchange;
use crate::stats::record::{Outcome, QueryRecord};
use crate::wire::command;
use crate::wire::frame::HEADER;

impl Session {
    /// Puts the command on record; `commands` begins with it, or is empty where it was a login.
    pub(super) fn record(&mut self, exchange: &Exchange, commands: &[u8], outcome: Outcome) {
        let payload = commands.get(HEADER..exchange.kept).unwrap_or_default();
        self.note_parameters(exchange, payload);
        let facts = &exchange.reply.facts;
        let prepared = exchange.statement.and_then(|id| self.statements.get(id));
        let is_sql = matches!(exchange.code, command::QUERY | command::STMT_PREPARE);
        let (sql, sql_len, digest) = match prepared {
            Some(statement) => (&statement.text[..], statement.len, statement.digest),
            None if is_sql => {
                (commands.get(exchange.text.clone()).unwrap_or_default(), exchange.text_len, exchange.digest)
            }
            None => (&[][..], 0, 0),
        };
        let execution = match exchange.code {
            command::STMT_EXECUTE | command::STMT_BULK_EXECUTE => {
                prepared.and_then(|statement| statement.execution(payload, self.capabilities))
            }
            _ => None,
        };
        let record = QueryRecord {
            identity: &self.identity,
            schema: &self.schema,
            command: exchange.code,
            sql,
            sql_len,
            digest,
            phases: exchange.timer.finish(Instant::now()),
            ended_at: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            rows_sent: facts.rows,
            rows_affected: facts.affected,
            last_insert_id: facts.insert_id,
            bytes_in: exchange.bytes_in,
            bytes_out: exchange.bytes_out,
            status: facts.status_seen,
            warnings: facts.warnings,
            outcome,
            backend_id: self.record_backend(),
            pin_reason: exchange.pin_reason,
            execution,
        };
        self.worker.recorder.record(&record);
        if let Some(slow_log) = &self.proxy.slow_log {
            slow_log.offer(&record);
        }
    }

    /// What of a statement's parameters comes with other commands than the execution that they are for.
    fn note_parameters(&mut self, exchange: &Exchange, payload: &[u8]) {
        let Some(id) = exchange.statement else { return };
        match exchange.code {
            command::STMT_EXECUTE | command::STMT_BULK_EXECUTE => {
                self.statements.executed(id, payload, self.capabilities);
            }
            command::STMT_SEND_LONG_DATA => {
                /// Command, id, number of the parameter.
                const HEAD: u64 = 1 + 4 + 2;
                let value = exchange.bytes_in.saturating_sub(HEADER as u64 + HEAD);
                self.statements.long_data(payload, value);
            }
            command::STMT_RESET => self.statements.was_reset(id),
            _ => {}
        }
    }
}
