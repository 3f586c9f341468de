//! Who gets what: the matching of connections and permits with waiters.

use std::time::{Duration, Instant};

use super::core::{Core, Facts, GroupId, Lane, Notice, PoolKey, Progress, SlotId, Taken, Use, WaiterId, Want};
use super::fate::RetireReason;
use super::pins::NO_PIN;
use super::queue::Grant;
use super::table::{Hold, Status};

/// How many idle connections of a key a checkout looks at for one whose state fits.
const MAX_LOOKED_AT: usize = 64;

/// Where a waiter's need can be met from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    /// This idle connection, as it is.
    Idle(SlotId),
    /// A permit that nobody has.
    Free,
    /// The permit of this idle connection, which must be closed.
    Evict(SlotId),
}

/// Who gets a connection that came back.
enum Heir {
    /// A waiter of its key, as it is.
    Connection(u32),
    /// A waiter of another key: its permit.
    Permit(u32),
}

impl<K: PoolKey, C> Core<K, C> {
    /// The idle connection that fits best: the client's own last, then equal state, then the same worker's, then the warmest.
    /// One past its deadline fits nobody.
    pub(super) fn fitting(&self, want: &Want, now: Instant) -> Option<SlotId> {
        let own = want.last.filter(|&slot| self.is_own(slot, want) && !self.is_overdue(slot, now));
        own.or_else(|| self.best_idle(want, now))
    }

    fn best_idle(&self, want: &Want, now: Instant) -> Option<SlotId> {
        let mut best = None;
        for slot in self.table.idle_of(want.group).filter(|&slot| !self.is_overdue(slot, now)).take(MAX_LOOKED_AT) {
            let entry = &self.table.slots[slot.0 as usize];
            let fit = 2 * u8::from(entry.state == want.state) + u8::from(entry.home == want.home);
            if best.is_none_or(|(most, _)| fit > most) {
                best = Some((fit, slot));
            }
            if fit == 3 {
                break;
            }
        }
        best.map(|(_, slot)| slot)
    }

    fn is_own(&self, slot: SlotId, want: &Want) -> bool {
        let entry = &self.table.slots[slot.0 as usize];
        entry.status == Status::Idle && entry.client == want.client && entry.group == want.group
    }

    fn is_overdue(&self, slot: SlotId, now: Instant) -> bool {
        self.table.slots[slot.0 as usize].retires_at() <= now
    }

    /// Hands a slot's connection to a client.
    pub(super) fn take(&mut self, slot: SlotId, want: &Want, now: Instant) -> Option<Taken<C>> {
        let entry = self.table.slot(slot);
        let conn = entry.conn.take()?;
        let own = entry.client == want.client;
        let (state, silent_since, dies_at) = (entry.state, entry.since, entry.dies_at);
        self.lease_to(slot, want, now);
        self.counters.checkout(own, state == want.state);
        Some(Taken { conn, slot, own, state, silent_since, dies_at })
    }

    pub(super) fn lease_to(&mut self, slot: SlotId, want: &Want, now: Instant) {
        self.stamp += 1;
        self.table.group_mut(want.group).used = self.stamp;
        let entry = self.table.slot(slot);
        entry.status = Status::Leased(Hold::Firm);
        entry.client = want.client;
        // Whoever takes it has its socket wake the own worker.
        entry.home = want.home;
        entry.since = now;
        entry.label = NO_PIN;
        entry.labelled = now;
    }

    /// Ends a lease's bookkeeping; `false` if there was none.
    pub(super) fn end_lease(&mut self, slot: SlotId, now: Instant) -> bool {
        self.end_label(slot, now);
        match self.table.slot(slot).status {
            Status::Leased(Hold::Firm) => true,
            Status::Leased(hold) => {
                self.table.end_hold(slot, hold);
                true
            }
            _ => false,
        }
    }

    pub(super) fn note_birth(&mut self, slot: SlotId, facts: Facts, random: u64, now: Instant) {
        let idle_limit = self.settings.idle_limit(facts.wait_timeout, random);
        let dies_at = now + self.settings.lifetime(random.rotate_left(32));
        let entry = self.table.slot(slot);
        entry.born = now;
        entry.dies_at = dies_at;
        entry.idle_limit = idle_limit;
        entry.random = random;
        entry.since = now;
        entry.state = facts.state;
        entry.home = facts.home;
        entry.client = 0;
    }

    /// A connection enters the pool. `fresh`: it was dialed for its key, and its key's waiters come first.
    pub(super) fn come_back(&mut self, slot: SlotId, conn: C, fresh: bool, now: Instant) {
        self.table.slot(slot).conn = Some(conn);
        if let Some(reason) = self.unfit(slot, now) {
            self.orphan_own(slot, reason, now);
            self.settle(now);
        } else if self.queue.waiting() == 0 {
            self.lay_down(slot, false, now);
        } else {
            self.dispatch(slot, fresh, now);
            self.settle(now);
        }
    }

    pub(super) fn unfit(&self, slot: SlotId, now: Instant) -> Option<RetireReason> {
        let entry = &self.table.slots[slot.0 as usize];
        match entry.doomed {
            _ if self.closing || self.paused => Some(RetireReason::Draining),
            None if now >= entry.dies_at => Some(RetireReason::Lifetime),
            None if now >= entry.retires_at() => Some(RetireReason::IdleTimeout),
            None if self.is_beyond_bound() => Some(RetireReason::Overflow),
            doomed => doomed,
        }
    }

    /// More connections are open than may be, since the bound was lowered; those that are being closed count as gone.
    fn is_beyond_bound(&self) -> bool {
        let (open, bound) = (self.table.open(), self.settings.bound());
        open > bound && open - self.closing_ones() > bound
    }

    pub(super) fn lay_down(&mut self, slot: SlotId, cold: bool, now: Instant) {
        self.table.lay_down(slot, cold);
        self.arm_for(self.next_look(slot).max(now));
    }

    /// Gives a connection that is in its slot, on no list, to whom it is due.
    pub(super) fn dispatch(&mut self, slot: SlotId, fresh: bool, now: Instant) {
        self.table.slot(slot).status = Status::Granted;
        match self.heir(slot, fresh, now) {
            Some(Heir::Connection(at)) => self.grant_connection(at, slot),
            Some(Heir::Permit(at)) => self.grant_evicted(at, slot, now),
            None => self.lay_down(slot, false, now),
        }
    }

    /// As `dispatch`, for one whose heir did not come for it.
    pub(super) fn redispatch(&mut self, slot: SlotId, now: Instant) {
        match self.unfit(slot, now) {
            Some(reason) => self.orphan_own(slot, reason, now),
            None => self.dispatch(slot, false, now),
        }
    }

    fn heir(&self, slot: SlotId, fresh: bool, now: Instant) -> Option<Heir> {
        let group = self.table.slots[slot.0 as usize].group;
        let own = self.queue.first(&self.table, group).and_then(|at| Some((at, self.queue.get(at)?.arrived)));
        match own {
            Some((at, _)) if fresh => Some(Heir::Connection(at)),
            Some((at, arrived)) => {
                let limit = arrived.checked_sub(self.patience);
                let other = limit.and_then(|limit| self.other_heir(group, limit, now));
                Some(other.map_or(Heir::Connection(at), Heir::Permit))
            }
            None => self.other_heir(group, now + self.patience, now).map(Heir::Permit),
        }
    }

    /// The first waiter of another key that came before `limit` and may use this key's permit.
    fn other_heir(&self, group: GroupId, limit: Instant, now: Instant) -> Option<u32> {
        if !self.backoff.allows(now) {
            return None;
        }
        let account = self.table.group(group).account;
        let early = |at: u32| self.queue.get(at).is_some_and(|waiter| waiter.arrived < limit);
        let heads = self.queue.heads().take_while(|&head| self.queue.first(&self.table, head).is_some_and(early));
        heads
            .filter(|&head| head != group && self.may_inherit(head, account))
            .filter_map(|head| self.queue.first_undialed(&self.table, head))
            .filter(|&at| early(at))
            .min_by_key(|&at| self.queue.get(at).map(|waiter| waiter.number))
    }

    /// Whether a permit of `account` may pass to this group.
    fn may_inherit(&self, group: GroupId, account: u32) -> bool {
        self.table.group(group).account == account || !self.is_capped(group)
    }

    pub(super) fn is_capped(&self, group: GroupId) -> bool {
        let account = self.table.account_of(group);
        account.slots + account.leaving >= account.most()
    }

    /// Serves whom it can, in order of arrival, then asks holders for what is still missing.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.queue.waiting() == 0 {
            return;
        }
        while self.has_anything()
            && let Some((at, source)) = self.next_servable(now)
        {
            self.serve(at, source, now);
        }
        self.ask_holders(now);
        self.arm_for_backoff(now);
    }

    /// Whether anything lies idle or is free at all: mostly nothing is where somebody waits.
    fn has_anything(&self) -> bool {
        !self.table.lru.is_empty() || self.table.open() < self.settings.bound()
    }

    /// The earliest waiter whose need can be met now.
    pub(super) fn next_servable(&self, now: Instant) -> Option<(u32, Source)> {
        if self.paused {
            return None;
        }
        let servable = self.queue.heads().filter_map(|group| self.servable(group, now));
        servable.min_by_key(|&(at, _)| self.queue.get(at).map(|waiter| waiter.number))
    }

    fn servable(&self, group: GroupId, now: Instant) -> Option<(u32, Source)> {
        let first = self.queue.first(&self.table, group)?;
        let want = self.queue.get(first)?.want;
        if let Some(slot) = self.fitting(&want, now) {
            return Some((first, Source::Idle(slot)));
        }
        let source = self.permit_source(group, now)?;
        Some((self.queue.first_undialed(&self.table, group)?, source))
    }

    /// Below `size` a free permit; else that of the coldest idle connection of another key; else one of the overflow.
    fn permit_source(&self, group: GroupId, now: Instant) -> Option<Source> {
        if !self.backoff.allows(now) {
            return None;
        }
        let (open, capped) = (self.table.open(), self.is_capped(group));
        let free = |limit: usize| (!capped && open < limit).then_some(Source::Free);
        free(self.settings.size)
            .or_else(|| self.victim(group, capped, now).map(Source::Evict))
            .or_else(|| free(self.settings.bound()))
    }

    fn victim(&self, group: GroupId, capped: bool, now: Instant) -> Option<SlotId> {
        let account = self.table.group(group).account;
        self.table.idle().find(|&slot| {
            let other = self.table.slots[slot.0 as usize].group;
            (other != group || self.is_overdue(slot, now)) && (!capped || self.table.group(other).account == account)
        })
    }

    fn serve(&mut self, at: u32, source: Source, now: Instant) {
        match source {
            Source::Idle(slot) => {
                self.table.pick_up(slot);
                self.table.slot(slot).status = Status::Granted;
                self.grant_connection(at, slot);
            }
            Source::Free => {
                let Some(group) = self.queue.get(at).map(|waiter| waiter.want.group) else {
                    return;
                };
                let slot = self.table.allocate(group, now);
                self.grant_permit(at, slot, None, now);
            }
            Source::Evict(slot) => {
                self.table.pick_up(slot);
                self.grant_evicted(at, slot, now);
            }
        }
    }

    fn grant_connection(&mut self, at: u32, slot: SlotId) {
        self.end(at, Grant::Connection(slot));
    }

    fn grant_evicted(&mut self, at: u32, slot: SlotId, now: Instant) {
        let Some(group) = self.queue.get(at).map(|waiter| waiter.want.group) else {
            return;
        };
        let victim = self.table.slot(slot).conn.take();
        self.counters.retired(RetireReason::Evicted);
        self.table.evict(slot, group);
        self.grant_permit(at, slot, victim, now);
    }

    fn grant_permit(&mut self, at: u32, slot: SlotId, victim: Option<C>, now: Instant) {
        let Some((want, number)) = self.queue.get(at).map(|waiter| (waiter.want, waiter.number)) else {
            return;
        };
        let round = self.backoff.started(now);
        self.hold_permit(slot, want.permit.unwrap_or(Use::Dial), now);
        let entry = self.table.slot(slot);
        entry.round = round;
        entry.client = want.client;
        if want.permit.is_some() {
            return self.end(at, Grant::Permit(slot, victim));
        }
        entry.dial_for = Some((at, number));
        self.queue.set_dialing(at, true);
        if let Some(waiter) = self.queue.get_mut(at) {
            waiter.offer = Some((slot, victim));
        }
        self.notices.push(Notice::Waiter(WaiterId(at)));
    }

    /// Ends a wait.
    pub(super) fn end(&mut self, at: u32, grant: Grant<C>) {
        self.hand_over_dial(at);
        self.queue.leave(&mut self.table, at);
        if let Some(waiter) = self.queue.get_mut(at) {
            waiter.grant = Some(grant);
        }
        self.notices.push(Notice::Waiter(WaiterId(at)));
    }

    /// What an ended wait brought.
    pub(super) fn claim(&mut self, grant: Grant<C>, want: &Want, now: Instant) -> Progress<C> {
        match grant {
            Grant::Connection(slot) => self.take(slot, want, now).map_or(Progress::Closed, Progress::Ready),
            Grant::Permit(slot, victim) => Progress::Permit(slot, victim),
            Grant::Closed => Progress::Closed,
        }
    }

    pub(super) fn hold_permit(&mut self, slot: SlotId, used_for: Use, now: Instant) {
        let entry = self.table.slot(slot);
        entry.status = Status::Held(used_for);
        entry.since = now;
        entry.doomed = None;
        entry.dial_for = None;
    }

    /// The dial for a waiter that needs it no more serves the next one of its key.
    pub(super) fn hand_over_dial(&mut self, at: u32) {
        let Some(waiter) = self.queue.get_mut(at).filter(|waiter| waiter.queued && waiter.dialing) else {
            return;
        };
        let (group, number, offer) = (waiter.want.group, waiter.number, waiter.offer.take());
        let slot = self.dial_of(at, number);
        let next = self.queue.first_undialed(&self.table, group);
        let place = next.and_then(|next| Some((next, self.queue.get(next)?.number)));
        self.queue.set_dialing(at, false);
        if let Some(slot) = slot {
            self.table.slot(slot).dial_for = place;
        }
        match (place, offer) {
            (Some((next, _)), offer) if slot.is_some() => {
                self.queue.set_dialing(next, true);
                self.hand_over_offer(next, offer);
            }
            (_, Some((slot, victim))) => self.give_back(slot, victim),
            _ => {}
        }
    }

    fn hand_over_offer(&mut self, next: u32, offer: Option<(SlotId, Option<C>)>) {
        if let (Some(waiter), Some(offer)) = (self.queue.get_mut(next), offer) {
            waiter.offer = Some(offer);
            self.notices.push(Notice::Waiter(WaiterId(next)));
        }
    }

    fn dial_of(&self, at: u32, number: u64) -> Option<SlotId> {
        let wanted = Some((at, number));
        let found =
            self.table.slots.iter().position(|slot| slot.status == Status::Held(Use::Dial) && slot.dial_for == wanted);
        found.map(|at| SlotId(at as u32))
    }

    /// A dial ended, whichever way: the waiter it was for has none under way.
    pub(super) fn end_dial(&mut self, slot: SlotId, used_for: Use) {
        if used_for == Use::Warm {
            self.warming -= 1;
        }
        self.table.vacated(slot);
        let Some((at, number)) = self.table.slot(slot).dial_for.take() else {
            return;
        };
        if self.queue.get(at).is_some_and(|waiter| waiter.number == number) {
            self.queue.set_dialing(at, false);
        }
    }

    /// A permit that nobody took: free at once, or once the keeper has closed the connection that had it.
    pub(super) fn give_back(&mut self, slot: SlotId, victim: Option<C>) {
        let entry = self.table.slot(slot);
        entry.dial_for = None;
        let round = entry.round;
        self.backoff.abandoned(round, entry.since);
        match victim {
            None => self.table.free(slot),
            Some(conn) => {
                entry.status = Status::Held(Use::Closing);
                self.orphans.push((slot, conn, RetireReason::Evicted));
                self.notices.push(Notice::Keeper);
            }
        }
    }

    /// Leaves a connection to the keeper to close.
    pub(super) fn orphan(&mut self, slot: SlotId, conn: C, reason: RetireReason, now: Instant) {
        self.hold_permit(slot, Use::Closing, now);
        self.counters.retired(reason);
        self.orphans.push((slot, conn, reason));
        self.notices.push(Notice::Keeper);
    }

    /// As `orphan`, for a connection that is in its slot, on no list.
    pub(super) fn orphan_own(&mut self, slot: SlotId, reason: RetireReason, now: Instant) {
        if let Some(conn) = self.table.slot(slot).conn.take() {
            self.orphan(slot, conn, reason, now);
        }
    }

    /// Takes an idle connection out; its permit is used for something else.
    pub(super) fn remove(&mut self, slot: SlotId, used_for: Use) -> Option<C> {
        self.table.pick_up(slot);
        let entry = self.table.slot(slot);
        entry.status = Status::Held(used_for);
        entry.conn.take()
    }

    /// Closes a slot's connection now if it is idle, else when it comes back.
    pub(super) fn retire_wherever(&mut self, slot: SlotId, reason: RetireReason, now: Instant) {
        match self.table.slot(slot).status {
            Status::Idle => {
                self.table.pick_up(slot);
                self.orphan_own(slot, reason, now);
            }
            Status::Free | Status::Held(Use::Closing) => {}
            _ => self.table.slot(slot).doomed = Some(reason),
        }
    }

    /// Asks as many holders as there are waiters that nothing else is under way for, the longest offered first,
    /// passing over leases that would serve no one.
    pub(super) fn ask_holders(&mut self, now: Instant) {
        while !self.table.holds.is_empty() && (self.closing || self.paused || self.table.asked < self.queue.undialed())
        {
            let Some(slot) = self.table.offered().find(|&slot| self.would_serve(slot, now)) else {
                return;
            };
            self.table.set_hold(slot, Hold::Asked);
            self.counters.asked += 1;
            self.notices.push(Notice::Asked(slot));
        }
    }

    fn would_serve(&self, slot: SlotId, now: Instant) -> bool {
        if self.closing || self.paused {
            return true;
        }
        let group = self.table.slots[slot.0 as usize].group;
        let account = self.table.group(group).account;
        let may_dial = self.backoff.allows(now);
        self.queue.heads().any(|head| {
            let undialed = self.queue.first_undialed(&self.table, head).is_some();
            let usable = head == group || may_dial && self.may_inherit(head, account);
            undialed && usable
        })
    }

    /// The keeper looks again at `at`.
    pub(super) fn arm(&mut self, at: Instant) {
        self.armed = Some(at);
        self.notices.push(Notice::Keeper);
    }

    /// The keeper looks again at `at` at the latest.
    #[inline]
    pub(super) fn arm_for(&mut self, at: Instant) {
        if self.armed.is_none_or(|armed| at < armed) {
            self.arm(at);
        }
    }

    fn arm_for_backoff(&mut self, now: Instant) {
        let until = self.backoff.until().filter(|_| self.queue.undialed() > 0);
        if let Some(until) = until.filter(|&until| until > now) {
            self.arm_for(until);
        }
    }

    /// Wakes the keeper if `min_idle` is not met and could be.
    pub(super) fn hurry_warming(&mut self, now: Instant) {
        if self.settings.min_idle == 0 {
            return;
        }
        let at = self.backoff.until().map_or(now, |until| until.max(now));
        if self.can_warm(at) {
            self.arm_for(at);
        }
    }

    /// Whether a background dial is wanted and possible: never beyond `size`, never before a waiter.
    pub(super) fn can_warm(&self, now: Instant) -> bool {
        !self.nothing_to_warm
            && !self.closing
            && !self.paused
            && self.table.open() < self.settings.size
            && self.queue.undialed() == 0
            && self.lacks_idle()
            && self.backoff.allows(now)
    }

    /// Whether `min_idle` is not met, with what is on its way or being checked counted in.
    pub(super) fn lacks_idle(&self) -> bool {
        let ready = self.table.lru.len() + self.warming;
        let checking = || self.table.slots.iter().filter(|slot| slot.status == Status::Held(Use::Check)).count();
        ready < self.settings.min_idle && ready + checking() < self.settings.min_idle
    }

    /// The key to warm: of those with clients or connections, the one used last that is not refused or capped; else that of the
    /// last connection.
    pub(super) fn group_to_warm(&mut self) -> Option<GroupId> {
        let fit = |(at, group): (usize, &super::table::Group<K>)| {
            let id = GroupId(at as u32);
            let fits = group.key.is_some() && group.lane == Lane::Pooled && !group.refused;
            (fits && !self.is_capped(id)).then_some((group.used, id))
        };
        let used_last = self.table.groups.iter().enumerate().filter_map(fit).max_by_key(|&(used, _)| used);
        let last = self.last_key.take();
        used_last.map(|(_, id)| id).or_else(|| last.map(|key| self.table.intern(&key, Lane::Pooled)))
    }

    /// A connection's permit is free. With its last connection a key without clients is forgotten, but for `min_idle`.
    pub(super) fn free_slot(&mut self, slot: SlotId) {
        if self.settings.min_idle > 0 {
            let group = self.table.group(self.table.slots[slot.0 as usize].group);
            if group.members == 0 && group.slots == 1 && group.lane == Lane::Pooled && !group.refused {
                self.last_key = group.key.clone();
                self.nothing_to_warm = false;
            }
        }
        self.table.free(slot);
    }

    /// How long ago `then` was.
    pub(super) fn age(now: Instant, then: Instant) -> Duration {
        now.saturating_duration_since(then)
    }
}
