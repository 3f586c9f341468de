//! A pause: the server is about to be restarted or replaced, and nobody shall notice more than a wait. Pure.

use std::time::Instant;

use super::core::{Core, PoolKey};
use super::fate::RetireReason;

impl<K: PoolKey, C> Core<K, C> {
    /// From now on nobody gets a connection. Idle ones are closed, leased ones when they come back.
    pub fn pause(&mut self, now: Instant) {
        self.paused = true;
        self.ask_holders(now);
        while let Some(slot) = self.table.coldest() {
            self.retire_wherever(slot, RetireReason::Draining, now);
        }
    }

    /// Who waits is served again. Whether there was a pause.
    pub fn resume(&mut self, now: Instant) -> bool {
        let was_paused = std::mem::take(&mut self.paused);
        self.settle(now);
        self.hurry_warming(now);
        was_paused
    }
}
