//! The pool's parts: one for each user and set of capabilities.

use serde_json::{Value, json};

use crate::admin::table::{Cell, Kind, Table};
use crate::pool::Snapshot;
use crate::proxy::running::{Key, Running};

/// One row a part.
pub fn table(pool: &Snapshot<Key>) -> Table {
    let mut table = Table::new(&[
        ("user", Kind::Text),
        ("capabilities", Kind::Text),
        ("clients", Kind::Count),
        ("connections", Kind::Count),
        ("idle", Kind::Count),
        ("waiting", Kind::Count),
        ("cap", Kind::Count),
    ]);
    for part in &pool.keys {
        let capabilities = part.key.capabilities();
        table.push(vec![
            String::from_utf8_lossy(part.key.user()).into_owned().into(),
            format!("{:#x}", u64::from(capabilities.low()) | u64::from(capabilities.extended()) << 32).into(),
            part.clients.into(),
            part.open.into(),
            part.idle.into(),
            part.waiting.into(),
            part.cap.map_or(Cell::Null, Cell::from),
        ]);
    }
    table
}

/// The whole pool, for `/pools`.
pub fn json(running: &Running) -> Value {
    let pool = running.pool();
    let used = &pool.occupancy;
    json!({
        "mode": super::stats::mode(running.mode()),
        "size": pool.size,
        "max_overflow": pool.max_overflow,
        "paused": pool.paused,
        "connections": {
            "open": used.open, "idle": used.idle, "leased": used.leased, "offered": used.revocable,
            "dialing": used.dialing, "relayed": used.relayed, "replication": used.replication,
            "verification": used.verification, "checking": used.checking, "closing": used.closing,
        },
        "held_for": used.by_label,
        "waiting": used.waiting,
        "pools": table(&pool).json(),
    })
}
