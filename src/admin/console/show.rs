//! The tables that the console shows, by name, and what is left of them after LIKE, ORDER BY and LIMIT.

use std::time::{Duration, UNIX_EPOCH};

use super::statement::Show;
use super::variables;
use crate::admin::Admin;
use crate::admin::reload;
use crate::admin::table::{Cell, Kind, NoSuchColumn, Table};
use crate::admin::views::{clients, digests, histogram, memory, pins, pools, recording, servers, stats};
use crate::proxy::running::Running;

/// Each statement, and what it does.
pub const HELP: &[(&str, &str)] = &[
    ("SHOW CLIENTS", "who is connected, what each does, and why one shares no backends"),
    ("SHOW POOLS", "the pool's parts: one for each user and set of capabilities"),
    ("SHOW SERVERS", "the connections to the server"),
    ("SHOW PINS", "backends that are kept for a client: why, since when, and for what statement"),
    ("SHOW PIN CAUSES", "the same summed up by reason, now and since the start"),
    ("SHOW DIGESTS", "what statements cost, most time first"),
    ("SHOW STATS", "all counters"),
    ("SHOW HISTOGRAM", "percentiles by phase, and by user and schema"),
    ("SHOW MEMORY", "what the process has in memory"),
    ("SHOW RECORDING", "the trace that is being recorded"),
    ("SHOW CONFIG", "the configuration in force"),
    ("SHOW VERSION", "tidegate's version, the server's, since when it runs"),
    ("SHOW HELP", "this list"),
    (".. LIKE 'pattern'", "rows whose name (CLIENTS, SERVERS: user, DIGESTS: statement) is like that"),
    (".. ORDER BY column [DESC] LIMIT [offset,] n", "sorted by a column's name or number, and cut"),
    ("SELECT * FROM clients ..", "the same as SHOW CLIENTS"),
    ("KILL id", "end a client's connection"),
    ("KILL QUERY id", "end a client's statement"),
    ("PAUSE", "nobody gets a backend until RESUME; who needs one waits, for pool.checkout_timeout at most"),
    ("RESUME", "end the pause"),
    ("RELOAD", "read the configuration file again, as SIGHUP does; shows what changed"),
    (
        "RECORD START 'file' [LITERALS]",
        "put the traffic on record, for `tidegate simulate`; LITERALS: with the statements' texts",
    ),
    ("RECORD STOP", "end that"),
    ("RESET STATS", "forget counters, histograms and digests (what the pool counts goes on)"),
    ("DRAIN", "end tidegate as SIGTERM does: no new clients, running statements end"),
];

/// Why there is no such table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotShown {
    /// The console does not know its name.
    Unknown,
    /// The condition cannot be held against this table.
    Where,
    /// It has no such column.
    Column(String),
}

impl From<NoSuchColumn> for NotShown {
    fn from(NoSuchColumn(name): NoSuchColumn) -> NotShown {
        NotShown::Column(name)
    }
}

/// The table that was asked for.
///
/// # Errors
/// There is none like that.
pub fn table(admin: &Admin, show: &Show) -> Result<Table, NotShown> {
    let mut table = named(admin, &show.what).ok_or(NotShown::Unknown)?;
    if let Some(pattern) = &show.like {
        table.like(pattern);
    }
    if let Some(names) = &show.among {
        choose(&mut table, &show.what, names)?;
    }
    // The last column counts least.
    for (column, descending) in show.order.iter().rev() {
        table.order_by(column, *descending)?;
    }
    if let Some((offset, count)) = show.limit {
        table.limit(offset, count);
    }
    Ok(table)
}

/// Only the server's own lists are asked for by name, by drivers that know their columns.
fn choose(table: &mut Table, what: &str, names: &[String]) -> Result<(), NotShown> {
    if !matches!(what, "VARIABLES" | "STATUS" | "COLLATION" | "DATABASES" | "TABLES") {
        return Err(NotShown::Where);
    }
    let is_among = |cell: Option<String>| cell.is_some_and(|cell| names.iter().any(|n| n.eq_ignore_ascii_case(&cell)));
    table.rows.retain(|row| is_among(row.first().and_then(Cell::shown)));
    Ok(())
}

fn named(admin: &Admin, what: &str) -> Option<Table> {
    let running = &admin.running;
    Some(match what {
        "CLIENTS" | "PROCESSLIST" => clients::table(running),
        "POOLS" => pools::table(&running.pool()),
        "SERVERS" => servers::table(running),
        "PINS" => pins::table(running),
        "PIN CAUSES" => pins::causes(running),
        "DIGESTS" => digests::table(&running.stats()),
        "STATS" => stats::table(running),
        "HISTOGRAM" | "HISTOGRAMS" => histogram::table(&running.stats()),
        "MEMORY" => memory::table(running),
        "RECORDING" => {
            let recording = running.recording();
            recording::table(if recording.is_some() { "on" } else { "off" }, recording)
        }
        "CONFIG" => reload::config(&*admin.configured),
        "VERSION" => version(running),
        "HELP" => pairs(&["statement", "what it does"], HELP),
        "VARIABLES" => variables::table(),
        "STATUS" => renamed(stats::table(running)),
        "DATABASES" | "SCHEMAS" => pairs(&["Database"], &[("tidegate", "")]),
        "TABLES" => tables(),
        other => empty(other)?,
    })
}

/// Of each pair as many as there are names.
fn pairs(names: &[&str], pairs: &[(&str, &str)]) -> Table {
    let columns: Vec<_> = names.iter().map(|name| (*name, Kind::Text)).collect();
    let mut table = Table::new(&columns);
    for (one, two) in pairs {
        let row: Vec<Cell> = [*one, *two].into_iter().take(names.len()).map(Cell::from).collect();
        table.push(row);
    }
    table
}

fn version(running: &Running) -> Table {
    let started = UNIX_EPOCH + running.started();
    let uptime = Duration::from_secs(running.uptime().as_secs());
    let rows = [
        ("tidegate", env!("CARGO_PKG_VERSION").to_owned()),
        ("mode", stats::mode(running.mode()).to_owned()),
        ("backend", running.backend()),
        ("server", running.server_version().unwrap_or_else(|| "not seen yet".into())),
        ("started", pins::point_of_time(started)),
        ("uptime_seconds", uptime.as_secs().to_string()),
    ];
    let rows: Vec<_> = rows.iter().map(|(name, value)| (*name, value.as_str())).collect();
    pairs(&["name", "value"], &rows)
}

/// As `SHOW STATUS` names its columns.
fn renamed(mut table: Table) -> Table {
    for (column, name) in table.columns.iter_mut().zip(["Variable_name", "Value"]) {
        column.name = name.into();
    }
    table
}

fn tables() -> Table {
    let names: Vec<String> = HELP
        .iter()
        .filter_map(|(statement, _)| statement.strip_prefix("SHOW "))
        .map(|name| name.to_lowercase().replace(' ', "_"))
        .collect();
    let rows: Vec<_> = names.iter().map(|name| (name.as_str(), "VIEW")).collect();
    pairs(&["Tables_in_tidegate", "Table_type"], &rows)
}

/// What a server has and the console has not, with the columns that drivers look for.
fn empty(what: &str) -> Option<Table> {
    let columns: &[&str] = match what {
        "WARNINGS" | "ERRORS" => &["Level", "Code", "Message"],
        "COLLATION" => &["Collation", "Charset", "Id", "Default", "Compiled", "Sortlen"],
        "CHARACTER SET" | "CHARSET" => &["Charset", "Description", "Default collation", "Maxlen"],
        "ENGINES" | "STORAGE ENGINES" => &["Engine", "Support", "Comment", "Transactions", "XA", "Savepoints"],
        "PLUGINS" => &["Name", "Status", "Type", "Library", "License"],
        "TRIGGERS" => &["Trigger", "Event", "Table", "Statement", "Timing"],
        "EVENTS" | "FUNCTION STATUS" | "PROCEDURE STATUS" => &["Db", "Name", "Type", "Definer"],
        "TABLE STATUS" => &["Name", "Engine", "Version", "Row_format", "Rows", "Comment"],
        _ => return None,
    };
    Some(pairs(columns, &[]))
}
