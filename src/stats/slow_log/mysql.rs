//! The server's own slow-log form, as pt-query-digest and MariaDB's mysqldumpslow read it.
//!
//! ```text
//! # Time: 261122 14:58:31                                          the END, UTC
//! # User@Host: app[app] @  [10.0.0.7]  Id: 1073741825
//! # Query_time: 1.5  Lock_time: 0  Rows_sent: 1  Rows_examined: 0
//! # Rows_affected: 0  Bytes_sent: 9  Tidegate_queue_time: ..       everything else on this one line
//! use shop;
//! SET timestamp=1795359510;                                        the beginning
//! SELECT ..;
//! ```
//!
//! mysqldumpslow takes header lines off only where they stand as above, one by one, and everything below them for the
//! statement. That fixes the date's old form (it does not know ISO dates), and that all attributes share the
//! `Rows_affected` line. Both tools end a record at `;`, newline, `#`: so such a line of a statement is indented.
//! The digest has its `0x` because pt-query-digest takes an attribute whose first value is all digits for a number,
//! and stops at the next one that is none.

use std::fmt::Write;
use std::time::Duration;

use super::entry::Entry;
use crate::stats::commands;
use crate::stats::record::Outcome;
use crate::stats::utc::Utc;

/// Appends one record; `text` is the statement as it is to be shown.
pub(super) fn write(out: &mut Vec<u8>, entry: &Entry, text: &[u8]) {
    let statement = text.trim_ascii_end();
    let statement = statement.strip_suffix(b";").unwrap_or(statement).trim_ascii();
    out.extend_from_slice(header(entry).as_bytes());
    if statement.is_empty() {
        // Without `use` and `SET timestamp`: a line `#` behind them would be taken for the next record.
        out.extend_from_slice(format!("# administrator command: {};\n", commands::name(entry.command)).as_bytes());
        return;
    }
    out.extend_from_slice(context(entry).as_bytes());
    write_statement(out, statement);
    if entry.bytes_cut() > 0 {
        out.extend_from_slice(format!(" /*... {} bytes cut ...*/", entry.bytes_cut()).as_bytes());
    }
    out.extend_from_slice(b";\n");
}

fn header(entry: &Entry) -> String {
    let mut lines = String::with_capacity(768);
    // Writing to a String cannot fail.
    let _ = writeln!(lines, "# Time: {}", Utc::from_unix(entry.ended_at).six_digits());
    let _ = writeln!(lines, "# User@Host: {}  Id: {}", account(entry), entry.identity.client_id);
    let _ = writeln!(
        lines,
        "# Query_time: {}  Lock_time: 0.000000  Rows_sent: {}  Rows_examined: 0",
        seconds(entry.phases.total),
        entry.rows_sent
    );
    let _ = write!(
        lines,
        "# Rows_affected: {}  Bytes_sent: {}  Bytes_received: {}  Last_errno: {}  Warnings: {}  No_index_used: {}  No_good_index_used: {}",
        entry.rows_affected,
        entry.bytes_out,
        entry.bytes_in,
        entry.error().unwrap_or(0),
        entry.warnings,
        yes_no(entry.no_index_used()),
        yes_no(entry.no_good_index_used()),
    );
    lines.push_str(&attributes(entry));
    lines.push('\n');
    lines
}

fn attributes(entry: &Entry) -> String {
    let phases = &entry.phases;
    let mut line = format!(
        "  Tidegate_queue_time: {}  Tidegate_restore_time: {}  Tidegate_server_time: {}  Tidegate_transfer_time: {}  Tidegate_client_time: {}",
        seconds(phases.queue),
        seconds(phases.restore),
        seconds(phases.server),
        seconds(phases.transfer),
        seconds(phases.client),
    );
    let pin_reason = if entry.pin_reason.is_empty() { "none" } else { entry.pin_reason };
    let _ = write!(
        line,
        "  Tidegate_pin_reason: {pin_reason}  Tidegate_backend_id: {}  Tidegate_digest: 0x{:016x}",
        entry.backend_id, entry.digest
    );
    if matches!(entry.outcome, Outcome::ClientGone | Outcome::BackendGone) {
        let _ = write!(line, "  Tidegate_outcome: {}", entry.outcome_name());
    }
    if let Some(plan) = &entry.plan {
        let _ = write!(line, "  Tidegate_plan: {}", plan.word());
    }
    line
}

fn context(entry: &Entry) -> String {
    let timestamp = format!("SET timestamp={};\n", entry.started_at().as_secs());
    match entry.schema.as_str() {
        "" => timestamp,
        schema => format!("use {};\n{timestamp}", schema.replace(|c: char| c == ';' || c.is_control(), "?")),
    }
}

/// `app[app] @  [10.0.0.7]`, or `app[app] @ localhost []` for a Unix socket. No blank or bracket may be within the parts.
fn account(entry: &Entry) -> String {
    let plain = |text: &str| text.replace(|c: char| c.is_whitespace() || c.is_control() || "[]@".contains(c), "_");
    let user = match entry.identity.user.as_str() {
        "" => "[anonymous]".to_owned(),
        user => format!("{0}[{0}]", plain(user)),
    };
    match entry.identity.host.as_str() {
        "" => format!("{user} @ localhost []"),
        host => format!("{user} @  [{}]", plain(host)),
    }
}

/// The statement, its lines indented by a blank where a parser would take them for the log's own.
fn write_statement(out: &mut Vec<u8>, statement: &[u8]) {
    for (number, line) in statement.split_inclusive(|b| *b == b'\n').enumerate() {
        if looks_like_the_logs_own(line, number == 0) {
            out.push(b' ');
        }
        out.extend_from_slice(line);
    }
}

fn looks_like_the_logs_own(line: &[u8], first: bool) -> bool {
    let starts = |prefix: &[u8]| line.get(..prefix.len()).is_some_and(|l| l.eq_ignore_ascii_case(prefix));
    let context = first && (starts(b"use ") || starts(b"set "));
    // The lines that a server writes into its log when it starts.
    let banner = starts(b"tcp port") || starts(b"time") || memchr::memmem::find(line, b"Version").is_some();
    line.first() == Some(&b'#') || context || banner
}

fn seconds(time: Duration) -> String {
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}

fn yes_no(flag: bool) -> &'static str {
    if flag { "Yes" } else { "No" }
}
