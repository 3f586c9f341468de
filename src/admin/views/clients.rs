//! Who is connected, what each does now, and why one shares no backends.

use rustc_hash::FxHashMap;

use crate::admin::table::{Cell, Kind, Table};
use crate::pool::connections::ConnectionUse;
use crate::pool::pins::NO_PIN;
use crate::proxy::running::{ClientView, Key, Running, host};

/// One row a client.
pub fn table(running: &Running) -> Table {
    let connections = running.connections();
    let held: FxHashMap<u64, &ConnectionUse<Key>> =
        connections.iter().filter(|c| c.state != "idle" && c.client != 0).map(|c| (c.client, c)).collect();
    let mut table = Table::new(&[
        ("id", Kind::Count),
        ("user", Kind::Text),
        ("host", Kind::Text),
        ("schema", Kind::Text),
        ("state", Kind::Text),
        ("backend", Kind::Count),
        ("pin", Kind::Text),
        ("own_backend", Kind::Text),
        ("connected_seconds", Kind::Real),
        ("idle_seconds", Kind::Real),
        ("tls", Kind::Count),
    ])
    .named_by("user");
    for client in running.clients() {
        table.push(row(&client, held.get(&u64::from(client.id)).copied()));
    }
    table
}

fn row(client: &ClientView, held: Option<&ConnectionUse<Key>>) -> Vec<Cell> {
    let pin = held.map(|held| held.label).filter(|label| !label.is_empty() && *label != NO_PIN);
    vec![
        client.id.into(),
        client.user.as_str().into(),
        client.peer.map(|peer| host(&peer)).into(),
        Some(client.schema.as_str()).filter(|schema| !schema.is_empty()).into(),
        state(client).into(),
        Some(client.backend).filter(|&backend| backend != 0).into(),
        pin.into(),
        client.own_backend.into(),
        Cell::seconds(client.connected),
        client.idle.map_or(Cell::Null, Cell::seconds),
        Cell::Count(client.tls.into()),
    ]
}

fn state(client: &ClientView) -> &'static str {
    match (client.in_login, client.idle.is_some(), client.backend) {
        (true, ..) => "login",
        (_, true, _) => "idle",
        // It has spoken, and no backend serves it yet.
        (_, false, 0) => "waiting",
        (_, false, _) => "active",
    }
}
