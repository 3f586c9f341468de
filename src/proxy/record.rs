//! The record of a command that is over: to the worker's recorder, and to the slow log where it was slow.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracing::{Level, Span, debug, enabled, field, warn};

use crate::proxy::client::Session;
use crate::proxy::error::printable;
use crate::proxy::exchange::Exchange;
use crate::stats::commands;
use crate::stats::record::{Outcome, QueryRecord};
use crate::wire::command;
use crate::wire::frame::HEADER;
use crate::wire::parameters::Execution;

/// A command's statement; nothing for other commands.
#[derive(Default)]
struct Ran<'a> {
    sql: &'a [u8],
    sql_len: u64,
    digest: u64,
    execution: Option<Execution<'a>>,
}

thread_local! {
    /// The wall clock when it was looked at last.
    static WALL: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
}

/// The time of day at `at`, since 1970. The wall clock is asked once a second, for it may be set.
fn wall_clock(at: Instant) -> Duration {
    const LOOK_AFTER: Duration = Duration::from_secs(1);
    if let Some((seen, time)) = WALL.get()
        && let Some(passed) = at.checked_duration_since(seen)
        && passed < LOOK_AFTER
    {
        return time + passed;
    }
    let (seen, time) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
    WALL.set(Some((seen, time)));
    time.saturating_sub(seen.saturating_duration_since(at))
}

/// Says on the log what became of a command, without its text, which may hold what is nobody's business.
fn trace(record: &QueryRecord<'_>) {
    let span = Span::current();
    span.record("command", commands::name(record.command));
    span.record("digest", field::display(format_args!("{:016x}", record.digest)));
    span.record("backend", record.backend_id);
    let QueryRecord { phases, rows_sent: rows, bytes_out: bytes, outcome, .. } = record;
    debug!(total = ?phases.total, server = ?phases.server, queue = ?phases.queue, rows, bytes, ?outcome, "done");
}

impl Session {
    /// Puts the command on record; `commands` begins with it, or is empty where it was a login.
    pub(super) fn record(&mut self, exchange: &Exchange, commands: &[u8], outcome: Outcome) {
        let payload = commands.get(HEADER..exchange.kept).unwrap_or_default();
        self.note_parameters(exchange, payload);
        let recording = self.proxy.traces.current();
        let behind = recording.as_deref().map(|recording| {
            self.introduce(recording, exchange.timer.started_at());
            self.left_behind(exchange)
        });
        let facts = &exchange.reply.facts;
        let Ran { sql, sql_len, digest, execution } = self.ran(exchange, commands);
        let done_at = exchange.done_at.unwrap_or_else(Instant::now);
        let record = QueryRecord {
            identity: &self.identity,
            schema: &self.schema,
            command: exchange.code,
            sql,
            sql_len,
            digest,
            phases: exchange.timer.finish(done_at),
            ended_at: wall_clock(done_at),
            rows_sent: facts.rows,
            rows_affected: facts.affected,
            last_insert_id: facts.insert_id,
            bytes_in: exchange.bytes_in,
            bytes_out: exchange.bytes_out,
            status: facts.status_seen,
            warnings: facts.warnings,
            outcome,
            // A shared one may be another's by now.
            backend_id: if self.ran_on == 0 { self.record_backend() } else { self.ran_on },
            pin_reason: exchange.pin_reason,
            execution,
        };
        self.worker.recorder.record(&record);
        if let (Some(recording), Some(behind)) = (recording, behind) {
            recording.command(&record, exchange.timer.started_at(), behind);
        }
        if enabled!(Level::DEBUG) {
            trace(&record);
        }
        if let Some(slow) = self.proxy.slow_log.as_ref().and_then(|slow_log| slow_log.admit(&record)) {
            self.put_slow(slow);
        }
        self.ran_on = 0;
    }

    /// It runs for long: it is named, once, while nobody knows yet how long it will take.
    pub(super) fn name_running(&self, exchange: &Exchange, commands: &[u8]) {
        let Some(slow_log) = &self.proxy.slow_log else { return };
        let Ran { sql, digest, execution, .. } = self.ran(exchange, commands);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if let Some(text) = slow_log.name_running(sql, execution.as_ref(), now.as_secs()) {
            warn!(
                client = self.admission.id,
                user = printable(&self.identity.user),
                backend = self.ran_on,
                digest = %format_args!("{digest:016x}"),
                "still running after {:.1} s: {}",
                exchange.timer.started_at().elapsed().as_secs_f64(),
                printable(&text)
            );
        }
    }

    /// What the command runs.
    fn ran<'a>(&'a self, exchange: &Exchange, commands: &'a [u8]) -> Ran<'a> {
        let prepared = exchange.statement.and_then(|id| self.statements.get(id));
        let is_execution = matches!(exchange.code, command::STMT_EXECUTE | command::STMT_BULK_EXECUTE);
        match (prepared, exchange.code) {
            (Some(statement), _) => Ran {
                sql: &statement.text,
                sql_len: statement.len,
                digest: statement.digest,
                execution: statement
                    .execution(commands.get(HEADER..exchange.kept).unwrap_or_default(), self.capabilities)
                    .filter(|_| is_execution),
            },
            (None, command::QUERY | command::STMT_PREPARE) => Ran {
                sql: commands.get(exchange.text.clone()).unwrap_or_default(),
                sql_len: exchange.text_len,
                digest: exchange.digest,
                execution: None,
            },
            _ => Ran::default(),
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
