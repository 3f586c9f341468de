//! The ledger of why backends are kept for their clients: each that is kept now, and the causes summed up.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use rustc_hash::FxHashMap;

use crate::admin::table::{Cell, Kind, Table};
use crate::pool::connections::ConnectionUse;
use crate::pool::pins::NO_PIN;
use crate::proxy::running::{ClientView, Key, Running, host};
use crate::session::reason::Pin;

/// The label of a connection whose login was relayed: it is its client's for life.
pub const RELAYED: &str = "relayed_login";

/// One backend that is kept for a client.
pub struct Pinned {
    /// The pin's or the hold's name.
    pub reason: &'static str,
    /// It goes when another client waits.
    pub is_hold: bool,
    /// Since when.
    pub held: Duration,
    /// The client, where it is still here.
    pub client: Option<ClientView>,
}

/// All that are kept now, the longest first. What only serves the statement under way is none.
pub fn pinned(running: &Running) -> Vec<Pinned> {
    let connections = running.connections();
    let mut clients: FxHashMap<u64, ClientView> =
        running.clients().into_iter().map(|client| (client.id.into(), client)).collect();
    let mut all: Vec<Pinned> = connections
        .iter()
        .filter_map(|connection| {
            let (reason, held) = reason(connection)?;
            let is_hold = reason != RELAYED && Pin::ALL.iter().all(|pin| pin.name() != reason);
            Some(Pinned { reason, is_hold, held, client: clients.remove(&connection.client) })
        })
        .collect();
    all.sort_by_key(|pin| std::cmp::Reverse(pin.held));
    all
}

fn reason(connection: &ConnectionUse<Key>) -> Option<(&'static str, Duration)> {
    match connection.state {
        "leased" | "offered" if connection.label != NO_PIN && !connection.label.is_empty() => {
            Some((connection.label, connection.labelled))
        }
        "relayed" => Some((RELAYED, connection.since)),
        _ => None,
    }
}

/// `SHOW PINS`
pub fn table(running: &Running) -> Table {
    let mut table = Table::new(&[
        ("reason", Kind::Text),
        ("kind", Kind::Text),
        ("held_seconds", Kind::Real),
        ("since", Kind::Text),
        ("client", Kind::Count),
        ("user", Kind::Text),
        ("host", Kind::Text),
        ("backend", Kind::Count),
        ("idle_seconds", Kind::Real),
        ("digest", Kind::Text),
        ("last_statement", Kind::Text),
    ]);
    for pin in pinned(running) {
        let client = pin.client.as_ref();
        table.push(vec![
            pin.reason.into(),
            if pin.is_hold { "hold" } else { "pin" }.into(),
            Cell::seconds(pin.held),
            point_of_time(SystemTime::now() - pin.held).into(),
            client.map(|client| client.id).into(),
            client.map(|client| client.user.as_str()).into(),
            client.and_then(|client| client.peer).map(|peer| host(&peer)).into(),
            client.map(|client| client.backend).filter(|&backend| backend != 0).into(),
            client.and_then(|client| client.idle).map_or(Cell::Null, Cell::seconds),
            client.filter(|client| client.digest != 0).map(|client| format!("{:016x}", client.digest)).into(),
            client
                .filter(|client| !client.statement.is_empty())
                .map(|client| running.without_literals(&client.statement))
                .into(),
        ]);
    }
    table
}

/// One reason, now and since the start.
#[derive(Default)]
struct Cause {
    now: u64,
    longest: Duration,
    statement: String,
    begun: u64,
    held: Duration,
}

/// `SHOW PIN CAUSES`: what backends are, and were, kept for; most time first.
pub fn causes(running: &Running) -> Table {
    let mut causes: BTreeMap<&'static str, Cause> = BTreeMap::new();
    for sum in running.pool().pins {
        let cause = causes.entry(sum.reason).or_default();
        (cause.begun, cause.held) = (sum.begun, sum.held);
    }
    for pin in pinned(running) {
        let cause = causes.entry(pin.reason).or_default();
        cause.now += 1;
        cause.held += pin.held;
        if pin.held >= cause.longest {
            cause.longest = pin.held;
            let statement = pin.client.map(|client| client.statement).unwrap_or_default();
            cause.statement = running.without_literals(&statement);
        }
    }
    let mut table = Table::new(&[
        ("reason", Kind::Text),
        ("now", Kind::Count),
        ("longest_now_seconds", Kind::Real),
        ("times", Kind::Count),
        ("held_seconds", Kind::Real),
        ("statement_of_longest", Kind::Text),
    ]);
    for (reason, cause) in causes {
        table.push(vec![
            reason.into(),
            cause.now.into(),
            Cell::seconds(cause.longest),
            cause.begun.into(),
            Cell::seconds(cause.held),
            Some(cause.statement).filter(|statement| !statement.is_empty()).into(),
        ]);
    }
    table.rows.sort_by(|one, two| number(&two[4]).total_cmp(&number(&one[4])));
    table
}

fn number(cell: &Cell) -> f64 {
    if let Cell::Real(real) = cell { *real } else { 0.0 }
}

/// How many are kept now, by reason.
pub fn by_reason(running: &Running) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for pin in pinned(running) {
        *counts.entry(pin.reason).or_default() += 1;
    }
    counts
}

/// `2026-11-26T09:39:26Z`
pub fn point_of_time(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    crate::stats::utc_seconds(since)
}
