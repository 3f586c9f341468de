//! Who waits, for what, since when: one queue per key, and the order of arrival across all keys.

use std::time::Instant;

use super::chain::Links;
use super::core::{GroupId, PoolKey, SlotId, Want};
use super::table::Table;

/// What a waiter was given and has not taken yet.
#[derive(Debug)]
pub(super) enum Grant<C> {
    /// The connection in this slot.
    Connection(SlotId),
    /// This permit, once the connection that had it is closed.
    Permit(SlotId, Option<C>),
    /// The pool is closing.
    Closed,
}

/// One that waits, or that was granted and has not come for it.
#[derive(Debug)]
pub(super) struct Waiter<C> {
    pub(super) want: Want,
    /// Its place in the order of arrival; unique.
    pub(super) number: u64,
    pub(super) arrived: Instant,
    pub(super) queued: bool,
    /// A dial for it is under way (or on offer): it waits for a connection, and needs no permit.
    pub(super) dialing: bool,
    /// What ends its wait.
    pub(super) grant: Option<Grant<C>>,
    /// A permit to dial with, while it waits on.
    pub(super) offer: Option<(SlotId, Option<C>)>,
}

/// All waiters.
#[derive(Debug)]
pub(super) struct Queue<C> {
    waiters: Vec<Option<Waiter<C>>>,
    free: Vec<u32>,
    links: Links,
    /// The first waiter of each key, in order of arrival. Few keys are waited for at once.
    heads: Vec<(u64, GroupId)>,
    next_number: u64,
    waiting: usize,
    dialing: usize,
}

impl<C> Queue<C> {
    pub(super) fn new() -> Self {
        Queue {
            waiters: Vec::new(),
            free: Vec::new(),
            links: Links::default(),
            heads: Vec::new(),
            next_number: 0,
            waiting: 0,
            dialing: 0,
        }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many wait without a dial under way for them.
    pub(super) fn undialed(&self) -> usize {
        self.waiting - self.dialing
    }

    pub(super) fn get(&self, at: u32) -> Option<&Waiter<C>> {
        self.waiters.get(at as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut Waiter<C>> {
        self.waiters.get_mut(at as usize)?.as_mut()
    }

    /// The keys that are waited for, the first arrival first.
    pub(super) fn heads(&self) -> impl Iterator<Item = GroupId> + '_ {
        self.heads.iter().map(|&(_, group)| group)
    }

    /// The waiters of one key in order of arrival.
    pub(super) fn of<'a, K: PoolKey>(
        &'a self,
        table: &'a Table<K, C>,
        group: GroupId,
    ) -> impl Iterator<Item = u32> + 'a {
        self.links.iter(&table.group(group).queue)
    }

    /// The first waiter of one key.
    pub(super) fn first<K: PoolKey>(&self, table: &Table<K, C>, group: GroupId) -> Option<u32> {
        table.group(group).queue.first()
    }

    /// The first waiter of one key that has no dial under way.
    pub(super) fn first_undialed<K: PoolKey>(&self, table: &Table<K, C>, group: GroupId) -> Option<u32> {
        self.of(table, group).find(|&at| self.get(at).is_some_and(|waiter| !waiter.dialing))
    }

    /// Enqueues. `place` is an earlier place that was not used up: its holder does not queue up again from the end.
    pub(super) fn enter<K: PoolKey>(
        &mut self,
        table: &mut Table<K, C>,
        want: Want,
        place: Option<(u64, Instant)>,
        now: Instant,
    ) -> u32 {
        let (number, arrived) = place.unwrap_or_else(|| (self.take_number(), now));
        let group = want.group;
        let waiter = Waiter { want, number, arrived, queued: true, dialing: false, grant: None, offer: None };
        let at = self.store(waiter);
        self.link(table, group, at, number);
        self.waiting += 1;
        at
    }

    /// Ends a waiter's wait, without forgetting it.
    pub(super) fn leave<K: PoolKey>(&mut self, table: &mut Table<K, C>, at: u32) {
        let Some(waiter) = self.get(at).filter(|waiter| waiter.queued) else {
            return;
        };
        let group = waiter.want.group;
        self.set_dialing(at, false);
        self.forget_head(table, group);
        self.links.remove(&mut table.group_mut(group).queue, at);
        self.note_head(table, group);
        self.waiting -= 1;
        if let Some(waiter) = self.get_mut(at) {
            waiter.queued = false;
        }
    }

    /// Forgets a waiter that has left.
    pub(super) fn forget(&mut self, at: u32) -> Option<Waiter<C>> {
        let waiter = self.waiters.get_mut(at as usize)?.take();
        if waiter.is_some() {
            self.free.push(at);
        }
        waiter
    }

    /// Notes whether a dial is under way for a waiter that is in the queue.
    pub(super) fn set_dialing(&mut self, at: u32, dialing: bool) {
        let Some(waiter) = self.get_mut(at).filter(|waiter| waiter.queued) else {
            return;
        };
        let before = std::mem::replace(&mut waiter.dialing, dialing);
        self.dialing = self.dialing + usize::from(dialing) - usize::from(before);
    }

    /// A number never given before.
    pub(super) fn take_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn link<K: PoolKey>(&mut self, table: &mut Table<K, C>, group: GroupId, at: u32, number: u64) {
        self.forget_head(table, group);
        let before = self.place_of(table, group, number);
        let queue = &mut table.group_mut(group).queue;
        match before {
            Place::Last => self.links.push_back(queue, at),
            Place::Behind(before) => self.links.insert(queue, before, at),
        }
        self.note_head(table, group);
    }

    /// Newcomers go to the end at once; a returning one looks for its place from the front.
    fn place_of<K: PoolKey>(&self, table: &Table<K, C>, group: GroupId, number: u64) -> Place {
        if number == self.next_number {
            return Place::Last;
        }
        let earlier = self.of(table, group).take_while(|&at| self.get(at).is_some_and(|waiter| waiter.number < number));
        Place::Behind(earlier.last().unwrap_or(super::chain::NONE))
    }

    fn forget_head<K: PoolKey>(&mut self, table: &Table<K, C>, group: GroupId) {
        let number = self.head_number(table, group);
        if let Some(at) = number.and_then(|number| self.heads.binary_search_by_key(&number, |&(own, _)| own).ok()) {
            self.heads.remove(at);
        }
    }

    fn note_head<K: PoolKey>(&mut self, table: &Table<K, C>, group: GroupId) {
        if let Some(number) = self.head_number(table, group) {
            let at = self.heads.partition_point(|&(own, _)| own < number);
            self.heads.insert(at, (number, group));
        }
    }

    fn head_number<K: PoolKey>(&self, table: &Table<K, C>, group: GroupId) -> Option<u64> {
        self.get(self.first(table, group)?).map(|waiter| waiter.number)
    }

    fn store(&mut self, waiter: Waiter<C>) -> u32 {
        let at = self.free.pop().unwrap_or(self.waiters.len() as u32);
        if at as usize == self.waiters.len() {
            self.waiters.push(None);
            self.links.grow(at as usize + 1);
        }
        self.waiters[at as usize] = Some(waiter);
        at
    }
}

enum Place {
    Last,
    Behind(u32),
}
