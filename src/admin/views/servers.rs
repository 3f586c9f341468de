//! The connections to the server, one by one.

use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::admin::table::{Cell, Kind, Table};
use crate::pool::connections::ConnectionUse;
use crate::proxy::running::{ClientView, Key, Mode, Running};

/// One row a connection. In mode `observe`, where there is no pool, one a client.
pub fn table(running: &Running) -> Table {
    let mut table = Table::new(&[
        ("id", Kind::Count),
        ("user", Kind::Text),
        ("state", Kind::Text),
        ("client", Kind::Count),
        ("held_for", Kind::Text),
        ("state_seconds", Kind::Real),
        ("age_seconds", Kind::Real),
        ("retires_in_seconds", Kind::Real),
    ])
    .named_by("user");
    let clients = running.clients();
    if running.mode() == Mode::Observe {
        for client in clients.iter().filter(|client| client.backend != 0) {
            let (id, user) = (client.backend.into(), client.user.as_str().into());
            let age = Cell::seconds(client.connected);
            table.push(vec![id, user, "leased".into(), client.id.into(), "".into(), age.clone(), age, Cell::Null]);
        }
        return table;
    }
    let serving: FxHashMap<u64, &ClientView> = clients.iter().map(|client| (client.id.into(), client)).collect();
    for connection in running.connections() {
        table.push(row(&connection, &serving));
    }
    table
}

fn row(connection: &ConnectionUse<Key>, serving: &FxHashMap<u64, &ClientView>) -> Vec<Cell> {
    // Who holds it knows its id and whose it is; the pool knows those of the others.
    let is_held = matches!(connection.state, "leased" | "offered" | "relayed" | "replication");
    let client = serving.get(&connection.client).filter(|_| is_held);
    let id = client.map_or(connection.id, |client| client.backend);
    let of_key = || connection.key.as_ref().map(|key| String::from_utf8_lossy(key.user()).into_owned());
    let seconds = |time: Option<Duration>| time.map_or(Cell::Null, Cell::seconds);
    vec![
        Some(id).filter(|&id| id != 0).into(),
        client.map(|client| client.user.clone()).or_else(of_key).into(),
        connection.state.into(),
        Some(connection.client).filter(|&client| client != 0 && is_held).into(),
        connection.label.into(),
        Cell::seconds(connection.since),
        seconds(connection.age),
        seconds(connection.retires_in),
    ]
}
