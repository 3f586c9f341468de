//! Who holds which slot, and what lies idle: slots, keys, accounts, and the lists through them.

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::allowance::Allowance;
use super::backoff::Round;
use super::chain::{Chain, Links};
use super::core::{GroupId, IdleId, Lane, PoolKey, SlotId, Use};
use super::fate::RetireReason;

/// What a slot is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Nobody has this permit.
    Free,
    /// Its connection lies in the pool.
    Idle,
    /// Its connection was handed to a waiter that has not taken it yet.
    Granted,
    /// A client has its connection.
    Leased(Hold),
    /// A permit without a pooled connection.
    Held(Use),
}

/// Whether a lease may be asked back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// No.
    Firm,
    /// Yes: it is in the list of those.
    Offered,
    /// It was asked back.
    Asked,
}

/// One permit, with its connection's history.
#[derive(Debug)]
pub(super) struct Slot<C> {
    pub(super) status: Status,
    /// The connection, while the pool has it (`Idle`, `Granted`).
    pub(super) conn: Option<C>,
    pub(super) group: GroupId,
    /// Who has it, or had it last.
    pub(super) client: u64,
    /// The fingerprint of the state that it was left in.
    pub(super) state: u64,
    /// The worker that its socket belongs to.
    pub(super) home: u16,
    /// Names one idle period of this slot.
    pub(super) period: u64,
    /// Since when it is what it is; for an idle one: since its server last answered.
    pub(super) since: Instant,
    pub(super) label: &'static str,
    pub(super) labelled: Instant,
    pub(super) born: Instant,
    pub(super) dies_at: Instant,
    pub(super) idle_limit: Duration,
    pub(super) random: u64,
    pub(super) watched: bool,
    pub(super) doomed: Option<RetireReason>,
    pub(super) round: Round,
    /// The waiter that this dial is for: its index and number.
    pub(super) dial_for: Option<(u32, u64)>,
    /// The account whose connection must be closed before this permit's dial begins.
    pub(super) vacating: Option<u32>,
}

impl<C> Slot<C> {
    fn new(now: Instant) -> Slot<C> {
        Slot {
            status: Status::Free,
            conn: None,
            group: GroupId(0),
            client: 0,
            state: 0,
            home: 0,
            period: 0,
            since: now,
            label: "",
            labelled: now,
            born: now,
            dies_at: now,
            idle_limit: Duration::ZERO,
            random: 0,
            watched: false,
            doomed: None,
            round: Round::default(),
            dial_for: None,
            vacating: None,
        }
    }

    /// When it is retired if it stays idle.
    pub(super) fn retires_at(&self) -> Instant {
        self.dies_at.min(self.since + self.idle_limit)
    }
}

/// All that shares one pool key and lane.
#[derive(Debug)]
pub(super) struct Group<K> {
    /// `None`: this entry is unused.
    pub(super) key: Option<K>,
    pub(super) lane: Lane,
    pub(super) account: u32,
    pub(super) members: usize,
    pub(super) slots: usize,
    pub(super) idle: Chain,
    pub(super) queue: Chain,
    /// The stamp of its last checkout, for choosing what to warm.
    pub(super) used: u64,
    /// Its last background dial was refused: it is not warmed again before a client's dial succeeds.
    pub(super) refused: bool,
}

/// All keys of one user.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) name: Box<str>,
    pub(super) groups: usize,
    pub(super) slots: usize,
    pub(super) cap: usize,
    /// What the server allows it, as far as a refused login tells.
    pub(super) allowance: Option<Allowance>,
    /// Connections that are being closed under permits that have passed to other users.
    pub(super) leaving: usize,
}

impl Account {
    /// The most connections that it may have.
    pub(super) fn most(&self) -> usize {
        self.allowance.map_or(self.cap, |allowance| self.cap.min(allowance.most))
    }
}

/// The slots and everything that names them.
#[derive(Debug)]
pub(super) struct Table<K, C> {
    pub(super) slots: Vec<Slot<C>>,
    free: Vec<u32>,
    pub(super) groups: Vec<Group<K>>,
    free_groups: Vec<u32>,
    by_key: FxHashMap<(K, Lane), u32>,
    pub(super) accounts: Vec<Account>,
    free_accounts: Vec<u32>,
    by_name: FxHashMap<Box<str>, u32>,
    idle_links: Links,
    lru_links: Links,
    pub(super) lru: Chain,
    hold_links: Links,
    pub(super) holds: Chain,
    pub(super) asked: usize,
}

impl<K: PoolKey, C> Table<K, C> {
    pub(super) fn new() -> Self {
        Table {
            slots: Vec::new(),
            free: Vec::new(),
            groups: Vec::new(),
            free_groups: Vec::new(),
            by_key: FxHashMap::default(),
            accounts: Vec::new(),
            free_accounts: Vec::new(),
            by_name: FxHashMap::default(),
            idle_links: Links::default(),
            lru_links: Links::default(),
            lru: Chain::EMPTY,
            hold_links: Links::default(),
            holds: Chain::EMPTY,
            asked: 0,
        }
    }

    /// Permits in use.
    pub(super) fn open(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The most permits that were ever in use at once: a slot is made only where none is free.
    pub(super) fn most_open(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn slot(&mut self, id: SlotId) -> &mut Slot<C> {
        &mut self.slots[id.0 as usize]
    }

    pub(super) fn group(&self, id: GroupId) -> &Group<K> {
        &self.groups[id.0 as usize]
    }

    pub(super) fn group_mut(&mut self, id: GroupId) -> &mut Group<K> {
        &mut self.groups[id.0 as usize]
    }

    pub(super) fn account_of(&self, group: GroupId) -> &Account {
        &self.accounts[self.group(group).account as usize]
    }

    /// The group of `key`, new or known.
    pub(super) fn intern(&mut self, key: &K, lane: Lane) -> GroupId {
        let name = (key.clone(), lane);
        if let Some(&at) = self.by_key.get(&name) {
            return GroupId(at);
        }
        let account = self.intern_account(key.account());
        let group = Group {
            key: Some(key.clone()),
            lane,
            account,
            members: 0,
            slots: 0,
            idle: Chain::EMPTY,
            queue: Chain::EMPTY,
            used: 0,
            refused: false,
        };
        let at = place(&mut self.groups, &mut self.free_groups, group);
        self.by_key.insert(name, at);
        GroupId(at)
    }

    /// Forgets a group that nothing names any more.
    pub(super) fn forget_unused(&mut self, id: GroupId) {
        let group = &mut self.groups[id.0 as usize];
        if group.members + group.slots + group.queue.len() > 0 {
            return;
        }
        let account = group.account;
        if let Some(key) = group.key.take() {
            self.by_key.remove(&(key, group.lane));
            self.free_groups.push(id.0);
            self.accounts[account as usize].groups -= 1;
            self.forget_account(account);
        }
    }

    /// Takes a free permit for `group`; the caller has checked the bound.
    pub(super) fn allocate(&mut self, group: GroupId, now: Instant) -> SlotId {
        let at = self.free.pop().unwrap_or_else(|| self.grow(now));
        self.assign(SlotId(at), group);
        SlotId(at)
    }

    /// Gives a permit back.
    pub(super) fn free(&mut self, id: SlotId) {
        self.vacated(id);
        self.unassign(id);
        let slot = self.slot(id);
        slot.status = Status::Free;
        slot.conn = None;
        slot.doomed = None;
        slot.dial_for = None;
        slot.client = 0;
        self.free.push(id.0);
    }

    /// Moves a permit to another group.
    pub(super) fn reassign(&mut self, id: SlotId, group: GroupId) {
        self.unassign(id);
        self.assign(id, group);
    }

    /// Moves the permit of a connection that is still to be closed: until then it counts for its own user too.
    pub(super) fn evict(&mut self, id: SlotId, group: GroupId) {
        let account = self.group(self.slots[id.0 as usize].group).account;
        if account != self.group(group).account {
            self.accounts[account as usize].leaving += 1;
            self.slot(id).vacating = Some(account);
        }
        self.reassign(id, group);
    }

    /// The connection that had this permit before is closed.
    pub(super) fn vacated(&mut self, id: SlotId) {
        if let Some(account) = self.slot(id).vacating.take() {
            self.accounts[account as usize].leaving -= 1;
            self.forget_account(account);
        }
    }

    /// Lays a slot's connection down; `cold`: as the least recently used.
    pub(super) fn lay_down(&mut self, id: SlotId, cold: bool) {
        let slot = &mut self.slots[id.0 as usize];
        slot.status = Status::Idle;
        slot.period += 1;
        slot.watched = false;
        let idle = &mut self.groups[slot.group.0 as usize].idle;
        if cold {
            self.idle_links.push_back(idle, id.0);
            self.lru_links.push_front(&mut self.lru, id.0);
        } else {
            self.idle_links.push_front(idle, id.0);
            self.lru_links.push_back(&mut self.lru, id.0);
        }
    }

    /// Takes an idle slot off the lists; its status is the caller's to set.
    pub(super) fn pick_up(&mut self, id: SlotId) {
        let group = self.slots[id.0 as usize].group;
        self.idle_links.remove(&mut self.groups[group.0 as usize].idle, id.0);
        self.lru_links.remove(&mut self.lru, id.0);
    }

    /// The idle slots of a group, the warmest first.
    pub(super) fn idle_of(&self, group: GroupId) -> impl Iterator<Item = SlotId> + '_ {
        self.idle_links.iter(&self.group(group).idle).map(SlotId)
    }

    /// All idle slots, the coldest first.
    pub(super) fn idle(&self) -> impl Iterator<Item = SlotId> + '_ {
        self.lru_links.iter(&self.lru).map(SlotId)
    }

    /// The least recently used idle slot.
    pub(super) fn coldest(&self) -> Option<SlotId> {
        self.lru.first().map(SlotId)
    }

    /// The leases that may be asked back, the longest offered first.
    pub(super) fn offered(&self) -> impl Iterator<Item = SlotId> + '_ {
        self.hold_links.iter(&self.holds).map(SlotId)
    }

    /// Changes whether a lease may be asked back; nothing for any other slot.
    pub(super) fn set_hold(&mut self, id: SlotId, hold: Hold) {
        let Status::Leased(before) = self.slot(id).status else {
            return;
        };
        self.end_hold(id, before);
        match hold {
            Hold::Firm => {}
            Hold::Offered => self.hold_links.push_back(&mut self.holds, id.0),
            Hold::Asked => self.asked += 1,
        }
        self.slot(id).status = Status::Leased(hold);
    }

    /// Takes back what `set_hold` noted; the status is the caller's to set.
    pub(super) fn end_hold(&mut self, id: SlotId, hold: Hold) {
        match hold {
            Hold::Firm => {}
            Hold::Offered => self.hold_links.remove(&mut self.holds, id.0),
            Hold::Asked => self.asked -= 1,
        }
    }

    /// The slot of one idle period, if it still lasts.
    pub(super) fn idle_slot(&self, id: IdleId) -> Option<SlotId> {
        let slot = self.slots.get(id.slot as usize)?;
        (slot.status == Status::Idle && slot.period == id.period).then_some(SlotId(id.slot))
    }

    /// The account of this name, if any key of it is in use.
    pub(super) fn account_named(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    fn assign(&mut self, id: SlotId, group: GroupId) {
        self.slot(id).group = group;
        self.group_mut(group).slots += 1;
        let account = self.group(group).account;
        self.accounts[account as usize].slots += 1;
    }

    fn unassign(&mut self, id: SlotId) {
        let group = self.slot(id).group;
        let account = self.group(group).account;
        self.accounts[account as usize].slots -= 1;
        self.group_mut(group).slots -= 1;
        self.forget_unused(group);
    }

    fn grow(&mut self, now: Instant) -> u32 {
        let at = self.slots.len();
        self.slots.push(Slot::new(now));
        for links in [&mut self.idle_links, &mut self.lru_links, &mut self.hold_links] {
            links.grow(at + 1);
        }
        at as u32
    }

    fn intern_account(&mut self, name: &str) -> u32 {
        let at = match self.by_name.get(name) {
            Some(&at) => at,
            None => {
                let account =
                    Account { name: name.into(), groups: 0, slots: 0, cap: usize::MAX, allowance: None, leaving: 0 };
                let at = place(&mut self.accounts, &mut self.free_accounts, account);
                self.by_name.insert(name.into(), at);
                at
            }
        };
        self.accounts[at as usize].groups += 1;
        at
    }

    fn forget_account(&mut self, at: u32) {
        let account = &mut self.accounts[at as usize];
        if account.groups + account.leaving == 0 {
            self.by_name.remove(&std::mem::take(&mut account.name));
            self.free_accounts.push(at);
        }
    }
}

/// Stores `entry` in a free place, or at the end.
fn place<T>(entries: &mut Vec<T>, free: &mut Vec<u32>, entry: T) -> u32 {
    match free.pop() {
        Some(at) => {
            entries[at as usize] = entry;
            at
        }
        None => {
            entries.push(entry);
            (entries.len() - 1) as u32
        }
    }
}
