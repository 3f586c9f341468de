//! Each permit in use as others see it: whose it is, what it does, since when. Pure.

use std::time::{Duration, Instant};

use super::core::{Core, PoolKey, Use};
use super::table::{Hold, Slot, Status};

/// One permit in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionUse<K> {
    /// Whose connection it is; `None`: nobody's any more.
    pub key: Option<K>,
    /// What it does: `idle`, `leased`, `offered` (given up when another client waits), `dialing`, `checking`, `relayed`,
    /// `replication`, `verification`, `closing`.
    pub state: &'static str,
    /// Who has it, or had it last; 0: nobody.
    pub client: u64,
    /// What a leased one is held for.
    pub label: &'static str,
    /// How long it has been held for that.
    pub labelled: Duration,
    /// How long it has been what it is; an idle one: since its server last answered.
    pub since: Duration,
    /// Since its login; `None`: it is not, or not of, the pool's.
    pub age: Option<Duration>,
    /// When it retires at the latest, if it stays idle.
    pub retires_in: Option<Duration>,
    /// What `id_of` said; 0: somebody else has the connection.
    pub id: u32,
}

impl<K: PoolKey, C> Core<K, C> {
    /// All permits in use.
    pub fn connections(&self, now: Instant, id_of: impl Fn(&C) -> u32) -> Vec<ConnectionUse<K>> {
        let used = self.table.slots.iter().filter(|slot| slot.status != Status::Free);
        used.map(|slot| self.connection(slot, now, &id_of)).collect()
    }

    fn connection(&self, slot: &Slot<C>, now: Instant, id_of: impl Fn(&C) -> u32) -> ConnectionUse<K> {
        let is_pooled = matches!(slot.status, Status::Idle | Status::Granted | Status::Leased(_));
        let is_idle = slot.status == Status::Idle;
        ConnectionUse {
            key: self.table.group(slot.group).key.clone(),
            state: state(slot.status),
            client: slot.client,
            label: if matches!(slot.status, Status::Leased(_)) { slot.label } else { "" },
            labelled: Self::age(now, slot.labelled),
            since: Self::age(now, slot.since),
            age: is_pooled.then(|| Self::age(now, slot.born)),
            retires_in: is_idle.then(|| slot.retires_at().saturating_duration_since(now)),
            id: slot.conn.as_ref().map_or(0, id_of),
        }
    }
}

fn state(status: Status) -> &'static str {
    match status {
        Status::Free => "free",
        Status::Idle => "idle",
        Status::Granted | Status::Held(Use::Check) => "checking",
        Status::Leased(Hold::Firm) => "leased",
        Status::Leased(Hold::Offered | Hold::Asked) => "offered",
        Status::Held(Use::Dial | Use::Warm) => "dialing",
        Status::Held(Use::Relayed) => "relayed",
        Status::Held(Use::Replication) => "replication",
        Status::Held(Use::Verification) => "verification",
        Status::Held(Use::Closing) => "closing",
    }
}
