//! What the keeper has to do, and when it must look again.

use std::time::{Duration, Instant};

use super::core::{Core, IdleId, Notice, PoolKey, SlotId, Use, WaiterId};
use super::fate::RetireReason;
use super::table::Status;

/// How long a connection beyond `size` stays idle before it is closed. SQLAlchemy closes it at its return as soon as `size`
/// others lie idle; a proxy sees a return per transaction, and a load that swings about `size` would dial at every swing.
/// As the warmest is reused first, the ones that a load does not need are cold, and only those reach this age.
pub const OVERFLOW_LINGER: Duration = Duration::from_secs(5);

/// How long a connection is idle before its socket is watched: under load it is taken again long before.
pub const WATCH_AFTER: Duration = Duration::from_secs(1);

/// One thing for the keeper to do.
#[derive(Debug)]
pub enum Chore<K, C, W> {
    /// Close this connection, then free the permit.
    Close(SlotId, C, RetireReason),
    /// Ping this connection, which is among the `min_idle` that are kept, then put it back.
    Ping(SlotId, C),
    /// Dial for this key.
    Warm(SlotId, K),
    /// Watch this idle connection.
    Watch(IdleId, W),
}

impl<K: PoolKey, C> Core<K, C> {
    /// All that is due, and when to look again (`None`: only when told). `watch` makes what watches a connection.
    pub fn chores<W>(
        &mut self,
        now: Instant,
        mut watch: impl FnMut(&C) -> Option<W>,
    ) -> (Vec<Chore<K, C, W>>, Option<Instant>) {
        let mut chores: Vec<_> =
            self.orphans.drain(..).map(|(slot, conn, reason)| Chore::Close(slot, conn, reason)).collect();
        self.raise_allowances(now);
        self.settle(now);
        self.wake_late(now);
        self.retire_due(&mut chores, now);
        self.watch_due(&mut chores, now, &mut watch);
        self.warm_due(&mut chores, now);
        self.armed = self.next_chore(now);
        (chores, self.armed)
    }

    /// Whoever has waited for too long is told. One timer here instead of one for each wait: setting a timer that is the next to
    /// ring costs a system call.
    fn wake_late(&mut self, now: Instant) {
        let late =
            |at: &u32| self.queue.get(*at).is_some_and(|waiter| waiter.arrived + self.settings.checkout_timeout <= now);
        let of_key = |group| self.queue.of(&self.table, group).take_while(late);
        self.notices.extend(self.queue.heads().flat_map(of_key).map(|at| Notice::Waiter(WaiterId(at))));
    }

    /// When the next waiter has waited for too long; those who were told already give up by themselves.
    fn next_late(&self, now: Instant) -> Option<Instant> {
        let of_key = |group| {
            let lates =
                self.queue.of(&self.table, group).filter_map(|at| self.queue.get(at)).map(|waiter| waiter.arrived);
            lates.map(|arrived| arrived + self.settings.checkout_timeout).find(|&late| late > now)
        };
        self.queue.heads().filter_map(of_key).min()
    }

    fn retire_due<W>(&mut self, chores: &mut Vec<Chore<K, C, W>>, now: Instant) {
        let idle: Vec<SlotId> = self.table.idle().collect();
        for slot in idle {
            let Some(reason) = self.due(slot, now) else {
                continue;
            };
            let keep = reason == RetireReason::IdleTimeout && self.table.lru.len() <= self.settings.min_idle;
            let used_for = if keep { Use::Check } else { Use::Closing };
            let Some(conn) = self.remove(slot, used_for) else {
                continue;
            };
            if keep {
                chores.push(Chore::Ping(slot, conn));
            } else {
                self.counters.retired(reason);
                chores.push(Chore::Close(slot, conn, reason));
            }
        }
    }

    fn due(&self, slot: SlotId, now: Instant) -> Option<RetireReason> {
        let entry = &self.table.slots[slot.0 as usize];
        if now >= entry.dies_at {
            Some(RetireReason::Lifetime)
        } else if now >= entry.retires_at() {
            Some(RetireReason::IdleTimeout)
        } else {
            (self.surplus() > 0 && now >= entry.since + OVERFLOW_LINGER).then_some(RetireReason::Overflow)
        }
    }

    /// How many more connections are open than are kept; those that are being closed count as gone.
    fn surplus(&self) -> usize {
        (self.table.open() - self.closing_ones()).saturating_sub(self.settings.size)
    }

    /// How many connections are being closed.
    pub(super) fn closing_ones(&self) -> usize {
        self.table.slots.iter().filter(|slot| slot.status == Status::Held(Use::Closing)).count()
    }

    fn watch_due<W>(
        &mut self,
        chores: &mut Vec<Chore<K, C, W>>,
        now: Instant,
        watch: &mut impl FnMut(&C) -> Option<W>,
    ) {
        let idle: Vec<SlotId> = self.table.idle().collect();
        for slot in idle {
            let entry = self.table.slot(slot);
            if entry.watched || now < entry.since + WATCH_AFTER {
                continue;
            }
            entry.watched = true;
            let id = IdleId { slot: slot.0, period: entry.period };
            chores.extend(entry.conn.as_ref().and_then(&mut *watch).map(|watch| Chore::Watch(id, watch)));
        }
    }

    fn warm_due<W>(&mut self, chores: &mut Vec<Chore<K, C, W>>, now: Instant) {
        while self.can_warm(now) {
            let Some(group) = self.group_to_warm() else {
                self.nothing_to_warm = true;
                return;
            };
            let Some(key) = self.table.group(group).key.clone() else {
                return;
            };
            let slot = self.table.allocate(group, now);
            self.hold_permit(slot, Use::Warm, now);
            self.table.slot(slot).round = self.backoff.started(now);
            self.warming += 1;
            chores.push(Chore::Warm(slot, key));
        }
    }

    fn next_chore(&self, now: Instant) -> Option<Instant> {
        let idle = self.table.idle().map(|slot| self.next_look(slot)).filter(|&at| at > now);
        let ends = self.table.idle().map(|slot| self.table.slots[slot.0 as usize].retires_at());
        let retry =
            self.backoff.until().filter(|&until| until > now && (self.queue.undialed() > 0 || self.lacks_idle()));
        idle.chain(ends).chain(retry).chain(self.next_late(now)).chain(self.next_allowance()).min()
    }

    /// When the keeper must look at an idle slot.
    pub(super) fn next_look(&self, slot: SlotId) -> Instant {
        let entry = &self.table.slots[slot.0 as usize];
        let mut at = entry.retires_at();
        if !entry.watched {
            at = at.min(entry.since + WATCH_AFTER);
        }
        if self.table.open() > self.settings.size {
            at = at.min(entry.since + OVERFLOW_LINGER);
        }
        at
    }
}
