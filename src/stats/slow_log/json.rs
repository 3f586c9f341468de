//! One JSON object a line: times in seconds, instants in UTC.

use std::time::Duration;

use serde::Serialize;

use super::entry::Entry;
use super::plan::Plan;
use crate::stats::commands;
use crate::stats::utc::Utc;

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    started: String,
    client_id: u32,
    user: &'a str,
    host: &'a str,
    schema: &'a str,
    command: &'static str,
    statement: &'a str,
    statement_bytes: u64,
    digest: String,
    total_time: f64,
    queue_time: f64,
    restore_time: f64,
    server_time: f64,
    transfer_time: f64,
    client_time: f64,
    rows_sent: u64,
    rows_affected: u64,
    last_insert_id: u64,
    bytes_in: u64,
    bytes_out: u64,
    warnings: u16,
    no_index_used: bool,
    no_good_index_used: bool,
    outcome: &'static str,
    error: Option<u16>,
    backend_id: u32,
    pin_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<&'a Plan>,
}

/// Appends one line; `text` is the statement as it is to be shown, invalid UTF-8 replaced.
pub(super) fn write(out: &mut Vec<u8>, entry: &Entry, text: &[u8]) {
    let start = out.len();
    let statement = String::from_utf8_lossy(text);
    // Numbers and strings only, into memory: it cannot fail.
    if serde_json::to_writer(&mut *out, &line(entry, &statement)).is_err() {
        out.truncate(start);
        return;
    }
    out.push(b'\n');
}

fn line<'a>(entry: &'a Entry, statement: &'a str) -> Line<'a> {
    Line {
        time: Utc::from_unix(entry.ended_at).iso().to_string(),
        started: Utc::from_unix(entry.started_at()).iso().to_string(),
        client_id: entry.identity.client_id,
        user: &entry.identity.user,
        host: &entry.identity.host,
        schema: &entry.schema,
        command: commands::name(entry.command),
        statement,
        statement_bytes: entry.sql_len,
        digest: format!("{:016x}", entry.digest),
        total_time: seconds(entry.phases.total),
        queue_time: seconds(entry.phases.queue),
        restore_time: seconds(entry.phases.restore),
        server_time: seconds(entry.phases.server),
        transfer_time: seconds(entry.phases.transfer),
        client_time: seconds(entry.phases.client),
        rows_sent: entry.rows_sent,
        rows_affected: entry.rows_affected,
        last_insert_id: entry.last_insert_id,
        bytes_in: entry.bytes_in,
        bytes_out: entry.bytes_out,
        warnings: entry.warnings,
        no_index_used: entry.no_index_used(),
        no_good_index_used: entry.no_good_index_used(),
        outcome: entry.outcome_name(),
        error: entry.error(),
        backend_id: entry.backend_id,
        pin_reason: Some(entry.pin_reason).filter(|reason| !reason.is_empty()),
        explain: entry.plan.as_ref(),
    }
}

/// Whole microseconds, so that the number is as short as it is exact.
fn seconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e6
}
