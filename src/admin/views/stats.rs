//! All counters, as names and values.

use crate::admin::table::{Cell, Kind, Table};
use crate::pool::RetireReason;
use crate::proxy::running::{Mode, Running};
use crate::stats::commands;
use crate::wire::command;

/// The mode's name in the configuration.
pub fn mode(mode: Mode) -> &'static str {
    mode.name()
}

/// `SHOW STATS`
pub fn table(running: &Running) -> Table {
    let mut table = Table::new(&[("name", Kind::Text), ("value", Kind::Text)]);
    for (name, value) in values(running) {
        table.push(vec![name.into(), value.shown().into()]);
    }
    table
}

fn values(running: &Running) -> Vec<(String, Cell)> {
    let (stats, pool) = (running.stats(), running.pool());
    let (counted, used, done) = (&stats.counters, &pool.occupancy, &pool.counters);
    let mut all: Vec<(String, Cell)> = Vec::new();
    let mut add = |name: &str, value: Cell| all.push((name.to_owned(), value));
    add("uptime_seconds", Cell::seconds(running.uptime()));
    add("mode", mode(running.mode()).into());
    add("draining", Cell::Count(running.is_draining().into()));
    add("paused", Cell::Count(pool.paused.into()));
    add("clients", running.client_count().into());
    add("max_clients", running.max_clients().into());
    add("commands", counted.total_commands().into());
    for (code, count) in (0_u8..=255).zip(counted.commands.iter()).filter(|(_, count)| **count > 0) {
        add(&format!("commands_{}", command_name(code)), (*count).into());
    }
    for (name, count) in [
        ("errors", counted.errors),
        ("client_gone", counted.client_gone),
        ("backend_gone", counted.backend_gone),
        ("rows_sent", counted.rows_sent),
        ("rows_affected", counted.rows_affected),
        ("bytes_in", counted.bytes_in),
        ("bytes_out", counted.bytes_out),
        ("warnings", counted.warnings),
        ("no_index_used", counted.no_index_used),
        ("no_good_index_used", counted.no_good_index_used),
        ("pool_checkouts", done.checkouts),
        ("pool_checkouts_own", done.own),
        ("pool_checkouts_equal", done.equal),
        ("pool_checkouts_different", done.different),
        ("pool_waited", done.waited),
        ("pool_timeouts", done.timeouts),
        ("pool_asked", done.asked),
        ("pool_dialed", done.dialed),
        ("pool_dial_failures", done.dial_failures),
        ("pool_stale_prevented", done.stale_prevented),
        ("pool_pinged", done.pinged),
        ("pool_reset", done.reset),
    ] {
        add(name, count.into());
    }
    for reason in RetireReason::ALL {
        add(&format!("pool_retired_{}", reason.as_str()), done.retired_for(reason).into());
    }
    for (name, count) in [
        ("pool_size", pool.size),
        ("pool_max_overflow", pool.max_overflow),
        ("pool_open", used.open),
        ("pool_idle", used.idle),
        ("pool_leased", used.leased),
        ("pool_waiting", used.waiting),
    ] {
        add(name, count.into());
    }
    if let Some(log) = running.slow_log() {
        for (name, count) in [
            ("slow_log_slow", log.slow),
            ("slow_log_written", log.written),
            ("slow_log_not_sampled", log.not_sampled),
            ("slow_log_over_rate", log.over_rate),
            ("slow_log_lost", log.lost),
            ("slow_log_failed", log.failed),
            ("slow_log_named_while_running", log.running),
        ] {
            add(name, count.into());
        }
    }
    if let Some((_, counts)) = running.recording() {
        add("trace_written", counts.written.into());
        add("trace_lost", counts.lost.into());
    }
    all
}

/// A command's name as a part of a longer one: `stmt_execute` is `execute`.
pub fn command_name(code: u8) -> String {
    command::name(code).to_lowercase().replace(' ', "_")
}

/// Whether the command is answered, so that it has a latency.
pub fn is_answered(code: u8) -> bool {
    commands::has_reply(code)
}
