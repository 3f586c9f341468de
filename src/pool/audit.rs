//! The pool's invariants, checked by walking over everything: for tests under simulated time.

use std::time::Instant;

use super::core::{Core, GroupId, PoolKey, SlotId, Use, WaiterId};
use super::table::{Hold, Status};

impl<K: PoolKey, C> Core<K, C> {
    /// Checks every invariant that does not depend on history.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn audit(&self, now: Instant) -> Result<(), String> {
        self.audit_slots()?;
        self.audit_groups()?;
        self.audit_waiters()?;
        let keeper_comes = self.armed.is_some_and(|at| at <= now);
        match self.next_servable(now) {
            Some((at, source)) if !self.closing && !keeper_comes => {
                Err(format!("waiter {at} could be served from {source:?}"))
            }
            _ => Ok(()),
        }
    }

    /// Whether a permit would serve this waiter: it has no dial under way, its user is below its cap, the backend is well.
    pub fn could_dial(&self, id: WaiterId, now: Instant) -> bool {
        let waiter = self.queue.get(id.0).filter(|waiter| waiter.queued && !waiter.dialing);
        waiter.is_some_and(|waiter| !self.is_capped(waiter.want.group)) && self.backoff.allows(now)
    }

    fn audit_slots(&self) -> Result<(), String> {
        let slots = &self.table.slots;
        let count = |wanted: fn(&Status) -> bool| slots.iter().filter(|slot| wanted(&slot.status)).count();
        let free = count(|status| *status == Status::Free);
        equal("open", self.table.open(), slots.len() - free)?;
        equal("idle", self.table.idle().count(), count(|status| *status == Status::Idle))?;
        equal("offered", self.table.offered().count(), count(|status| *status == Status::Leased(Hold::Offered)))?;
        equal("asked", self.table.asked, count(|status| *status == Status::Leased(Hold::Asked)))?;
        equal("warming", self.warming, count(|status| *status == Status::Held(Use::Warm)))?;
        let misplaced =
            slots.iter().position(|slot| slot.conn.is_some() != matches!(slot.status, Status::Idle | Status::Granted));
        misplaced.map_or(Ok(()), |at| Err(format!("slot {at}: {:?} with its connection misplaced", slots[at].status)))
    }

    fn audit_groups(&self) -> Result<(), String> {
        let mut in_accounts = vec![0; self.table.accounts.len()];
        for (at, group) in self.table.groups.iter().enumerate().filter(|(_, group)| group.key.is_some()) {
            let id = GroupId(at as u32);
            let slots = self.table.slots.iter().filter(|slot| slot.status != Status::Free && slot.group == id);
            equal("slots of a group", group.slots, slots.count())?;
            let here = |slot: SlotId| self.table.slots[slot.0 as usize].group == id;
            equal("idle of a group", group.idle.len(), self.table.idle().filter(|&slot| here(slot)).count())?;
            in_accounts[group.account as usize] += group.slots;
        }
        let leaving = self.table.accounts.iter().map(|account| account.leaving).sum();
        let vacating = self.table.slots.iter().filter(|slot| slot.vacating.is_some()).count();
        equal("leaving", leaving, vacating)?;
        for (account, slots) in self.table.accounts.iter().zip(in_accounts) {
            equal("slots of an account", account.slots, slots)?;
        }
        Ok(())
    }

    fn audit_waiters(&self) -> Result<(), String> {
        let (mut waiting, mut dialing, mut heads) = (0, 0, 0);
        for at in 0..self.table.groups.len() {
            let group = GroupId(at as u32);
            heads += usize::from(self.queue.first(&self.table, group).is_some());
            let mut last = 0;
            for waiter in self.queue.of(&self.table, group).filter_map(|at| self.queue.get(at)) {
                if waiter.number <= last {
                    return Err(format!("number {} waits behind {last}", waiter.number));
                }
                (last, waiting, dialing) = (waiter.number, waiting + 1, dialing + usize::from(waiter.dialing));
            }
        }
        equal("waiting", self.queue.waiting(), waiting)?;
        equal("undialed", self.queue.undialed(), waiting - dialing)?;
        equal("heads", self.queue.heads().count(), heads)?;
        let dials = self.table.slots.iter().filter(|slot| slot.dial_for.is_some());
        equal("dials under way for waiters", dials.count(), dialing)
    }
}

fn equal(what: &str, noted: usize, counted: usize) -> Result<(), String> {
    if noted == counted { Ok(()) } else { Err(format!("{what}: noted {noted}, counted {counted}")) }
}
