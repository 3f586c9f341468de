//! The pool itself, as a state machine: no clock, no socket, no thread. Each method is one event; what follows for others
//! comes out as grants (taken with [`Core::poll`]) and [`Notice`]s.
//!
//! Invariants, all tested by simulation:
//! - a permit is a slot, and no more than `size + max_overflow` slots are ever in use;
//! - a connection is in one place: idle, granted, or with its holder;
//! - while somebody waits, nothing lies idle or free that the waiter could use, so a newcomer finds nothing to barge in on;
//! - within a key waiters are served in order of arrival; across keys nobody is overtaken by one who came more than
//!   [`PATIENCE`] later. Without that tolerance two busy users would close and dial at nearly every release.

use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::fate::{Fate, RetireReason};
use super::pins::PinSums;
use super::policy::PoolSettings;
use super::queue::{Grant, Queue};
use super::snapshot::Counters;
use super::table::{Hold, Status, Table};

/// How much later than a waiter of another key one of the connection's own key may have come and still get it:
/// about what closing and dialing cost.
pub const PATIENCE: Duration = Duration::from_millis(10);

/// What decides whether a connection can be used for a client at all: its user, and what is fixed at login.
pub trait PoolKey: Clone + Eq + Hash + Send + Sync + 'static {
    /// The user; all its keys share one cap.
    fn account(&self) -> &str;
}

/// A permit's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId(pub(super) u32);

/// A key's number while it is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GroupId(pub(super) u32);

/// Names one idle period of one connection; it means nothing once the connection was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdleId {
    pub(super) slot: u32,
    pub(super) period: u64,
}

/// Names one waiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WaiterId(pub(super) u32);

/// A place in the queue that was not used up: a waiter whose connection proved dead waits on from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    number: u64,
    arrived: Instant,
}

/// Which of a key's two queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// For pooled connections.
    Pooled,
    /// For permits alone.
    Permits,
}

/// What a permit without a pooled connection is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Use {
    /// A dial for a waiter.
    Dial,
    /// A dial for `min_idle`.
    Warm,
    /// An idle connection that is being pinged or looked at.
    Check,
    /// A client's own connection, whose login was relayed.
    Relayed,
    /// A replication stream.
    Replication,
    /// A login that verifies a password.
    Verification,
    /// A connection that is being closed.
    Closing,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Want {
    /// The key.
    pub group: GroupId,
    /// Who asks; 0 is nobody.
    pub client: u64,
    /// The fingerprint of the state that the client needs.
    pub state: u64,
    /// The asking worker: of two connections that fit equally, the one whose socket lives there is taken.
    pub home: u16,
    /// The slot that the client had last.
    pub last: Option<SlotId>,
    /// `None`: a pooled connection; else a permit for this.
    pub permit: Option<Use>,
}

/// What a dial learned of its connection.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// The connection's own `@@wait_timeout`; `None`: unknown.
    pub wait_timeout: Option<Duration>,
    /// The fingerprint of the state it is in.
    pub state: u64,
    /// The worker that its socket belongs to.
    pub home: u16,
}

/// A connection that was checked out.
#[derive(Debug)]
pub struct Taken<C> {
    /// The connection.
    pub conn: C,
    /// Its permit.
    pub slot: SlotId,
    /// Nobody else had it since this client: with an equal `state`, nothing is to be restored.
    pub own: bool,
    /// The fingerprint of the state it was left in.
    pub state: u64,
    /// Since when its server has been silent.
    pub silent_since: Instant,
    /// When its lifetime ends.
    pub dies_at: Instant,
}

/// A waiter's news.
#[derive(Debug)]
pub enum Progress<C> {
    /// None.
    Pending,
    /// Its connection. The wait is over.
    Ready(Taken<C>),
    /// A permit to dial with, once the connection that had it is closed. The wait goes on: whatever connection
    /// comes first serves it, and the dialed one is delivered to the pool.
    Dial(SlotId, Option<C>),
    /// Its permit, once the connection that had it is closed. The wait is over.
    Permit(SlotId, Option<C>),
    /// The pool is closing. The wait is over.
    Closed,
    /// `checkout_timeout` is over. Whoever waits gives up, by [`Core::cancel`].
    Late,
}

/// Whom to wake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// This waiter has news.
    Waiter(WaiterId),
    /// This lease is wanted by another client.
    Asked(SlotId),
    /// The keeper has work before the time it sleeps to.
    Keeper,
}

/// The pool's state. `C` should be small to move (a `Box`).
#[derive(Debug)]
pub struct Core<K, C> {
    pub(super) settings: Arc<PoolSettings>,
    pub(super) table: Table<K, C>,
    pub(super) queue: Queue<C>,
    pub(super) backoff: Backoff,
    pub(super) counters: Counters,
    pub(super) orphans: Vec<(SlotId, C, RetireReason)>,
    pub(super) notices: Vec<Notice>,
    /// When the keeper will look again by itself.
    pub(super) armed: Option<Instant>,
    pub(super) closing: bool,
    pub(super) paused: bool,
    pub(super) pins: PinSums,
    pub(super) warming: usize,
    /// `min_idle` cannot be met before a key comes or a dial succeeds.
    pub(super) nothing_to_warm: bool,
    /// Of the connection that was closed last, where nobody has its key any more: `min_idle` is kept with it.
    pub(super) last_key: Option<K>,
    pub(super) patience: Duration,
    pub(super) stamp: u64,
}

impl<K: PoolKey, C> Core<K, C> {
    /// An empty pool.
    pub fn new(settings: PoolSettings) -> Self {
        Core {
            settings: Arc::new(settings),
            table: Table::new(),
            queue: Queue::new(),
            backoff: Backoff::default(),
            counters: Counters::default(),
            orphans: Vec::new(),
            notices: Vec::new(),
            armed: None,
            closing: false,
            paused: false,
            pins: PinSums::default(),
            warming: 0,
            nothing_to_warm: false,
            last_key: None,
            patience: PATIENCE,
            stamp: 0,
        }
    }

    /// Changes the tolerance across keys; zero: strict order of arrival for all.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// A client of this key is there. `cap`: the most connections its user may have; the latest word counts.
    pub fn join(&mut self, key: &K, lane: Lane, cap: Option<usize>, now: Instant) -> GroupId {
        let group = self.table.intern(key, lane);
        self.table.group_mut(group).members += 1;
        self.nothing_to_warm = false;
        let account = self.table.group(group).account as usize;
        let before = std::mem::replace(&mut self.table.accounts[account].cap, cap.unwrap_or(usize::MAX));
        if before < self.table.accounts[account].cap {
            self.settle(now);
        }
        self.hurry_warming(now);
        group
    }

    /// One that joined is gone.
    pub fn leave(&mut self, group: GroupId) {
        self.table.group_mut(group).members -= 1;
        self.table.forget_unused(group);
    }

    /// A connection that lies ready, unless somebody waits: then one must queue up.
    pub fn try_take(&mut self, want: &Want, now: Instant) -> Option<Taken<C>> {
        if self.queue.waiting() > 0 || self.closing || self.paused {
            return None;
        }
        let slot = self.fitting(want, now)?;
        self.table.pick_up(slot);
        self.hurry_warming(now);
        self.take(slot, want, now)
    }

    /// Queues up, at the end or at an earlier place of one's own. [`Core::poll`] tells whether it was served at once.
    pub fn wait(&mut self, want: Want, place: Option<Place>, now: Instant) -> WaiterId {
        let place = place.map(|place| (place.number, place.arrived));
        let at = self.queue.enter(&mut self.table, want, place, now);
        if self.closing {
            self.end(at, Grant::Closed);
        }
        self.settle(now);
        if let Some(waiter) = self.queue.get(at).filter(|waiter| waiter.grant.is_none()) {
            let late = waiter.arrived + self.settings.checkout_timeout;
            self.counters.waited += 1;
            self.arm_for(late);
        }
        WaiterId(at)
    }

    /// What became of a waiter. After anything that ends the wait the id means nothing.
    pub fn poll(&mut self, id: WaiterId, now: Instant) -> Progress<C> {
        let Some(waiter) = self.queue.get_mut(id.0) else {
            return Progress::Closed;
        };
        if let Some(grant) = waiter.grant.take() {
            let want = waiter.want;
            self.queue.forget(id.0);
            return self.claim(grant, &want, now);
        }
        match waiter.offer.take() {
            Some((slot, victim)) => Progress::Dial(slot, victim),
            None if now >= waiter.arrived + self.settings.checkout_timeout => Progress::Late,
            None => Progress::Pending,
        }
    }

    /// A waiter gives up. What it was granted goes to the next.
    pub fn cancel(&mut self, id: WaiterId, now: Instant) {
        self.hand_over_dial(id.0);
        self.queue.leave(&mut self.table, id.0);
        if let Some(waiter) = self.queue.forget(id.0) {
            match waiter.grant {
                Some(Grant::Connection(slot)) => self.redispatch(slot, now),
                Some(Grant::Permit(slot, victim)) => self.give_back(slot, victim),
                Some(Grant::Closed) | None => {}
            }
        }
        self.settle(now);
    }

    /// The place of a waiter, to come back to.
    pub fn place(&self, id: WaiterId) -> Option<Place> {
        self.queue.get(id.0).map(|waiter| Place { number: waiter.number, arrived: waiter.arrived })
    }

    /// A lease ends: its connection goes to the first waiter whose need it meets, or lies down.
    /// `used_at`: when its server last answered; its timeout counts from there.
    pub fn release(&mut self, slot: SlotId, conn: C, state: u64, used_at: Instant, now: Instant) {
        if !self.end_lease(slot, now) {
            return;
        }
        let entry = self.table.slot(slot);
        entry.state = state;
        entry.since = used_at;
        self.come_back(slot, conn, false, now);
    }

    /// A lease ends, and its connection is closed by its holder, who keeps the permit until the server has closed.
    pub fn retire(&mut self, slot: SlotId, reason: RetireReason, now: Instant) {
        if self.end_lease(slot, now) {
            self.hold_permit(slot, Use::Closing, now);
            self.counters.retired(reason);
        }
    }

    /// A lease ends without its holder: the keeper closes the connection.
    pub fn abandon(&mut self, slot: SlotId, conn: C, now: Instant) {
        if self.end_lease(slot, now) {
            self.orphan(slot, conn, RetireReason::Abandoned, now);
        }
    }

    /// A permit comes back: the server has closed, or nothing was dialed.
    pub fn free(&mut self, slot: SlotId, now: Instant) {
        let Status::Held(used_for) = self.table.slot(slot).status else {
            return;
        };
        if matches!(used_for, Use::Dial | Use::Warm) {
            let round = self.table.slot(slot).round;
            self.backoff.abandoned(round, now);
        }
        self.end_dial(slot, used_for);
        self.free_slot(slot);
        self.hurry_warming(now);
        if self.closing {
            self.notices.push(Notice::Keeper);
        }
        self.settle(now);
    }

    /// The connection that had this permit before is closed: its user's cap counts it no more, and the dial begins.
    pub fn vacated(&mut self, slot: SlotId, now: Instant) {
        self.table.vacated(slot);
        self.settle(now);
    }

    /// A dial for the pool succeeded.
    pub fn connected(&mut self, slot: SlotId, conn: C, facts: Facts, random: u64, now: Instant) {
        let Status::Held(used_for) = self.table.slot(slot).status else {
            return;
        };
        self.end_dial(slot, used_for);
        self.backoff.succeeded();
        self.counters.dialed += 1;
        self.nothing_to_warm = false;
        let group = self.table.slot(slot).group;
        self.table.group_mut(group).refused = false;
        self.note_birth(slot, facts, random, now);
        self.come_back(slot, conn, true, now);
    }

    /// A dial failed. `unreachable`: nobody would have reached the server (refused, timed out, too many connections).
    pub fn dial_failed(&mut self, slot: SlotId, unreachable: bool, random: u64, now: Instant) {
        let Status::Held(used_for) = self.table.slot(slot).status else {
            return;
        };
        let (round, group) = (self.table.slot(slot).round, self.table.slot(slot).group);
        self.counters.dial_failures += 1;
        match unreachable {
            true => self.backoff.failed(round, now, random),
            false => self.backoff.succeeded(),
        }
        self.table.group_mut(group).refused |= !unreachable && used_for == Use::Warm;
        self.end_dial(slot, used_for);
        self.free_slot(slot);
        self.hurry_warming(now);
        self.settle(now);
    }

    /// A permit's own dial succeeded, and its connection stays out of the pool.
    pub fn reached(&mut self, now: Instant) {
        self.backoff.succeeded();
        self.settle(now);
    }

    /// A permit's connection becomes a lease of `want`'s client.
    pub fn adopt(&mut self, slot: SlotId, want: &Want, facts: Facts, random: u64, now: Instant) {
        let Status::Held(used_for) = self.table.slot(slot).status else {
            return;
        };
        self.end_dial(slot, used_for);
        self.backoff.succeeded();
        self.counters.dialed += 1;
        self.table.reassign(slot, want.group);
        self.note_birth(slot, facts, random, now);
        self.lease_to(slot, want, now);
        self.settle(now);
    }

    /// A lease's connection became one of this group.
    pub fn change_key(&mut self, slot: SlotId, group: GroupId) {
        self.table.reassign(slot, group);
    }

    /// Says what a lease is held for, since now.
    pub fn label(&mut self, slot: SlotId, label: &'static str, now: Instant) {
        self.end_label(slot, now);
        self.pins.begin(label);
        let entry = self.table.slot(slot);
        entry.label = label;
        entry.labelled = now;
    }

    /// The server's timeout changed (`SET wait_timeout` seen).
    pub fn set_wait_timeout(&mut self, slot: SlotId, wait_timeout: Duration) {
        let random = self.table.slot(slot).random;
        let limit = self.settings.idle_limit(Some(wait_timeout), random);
        self.table.slot(slot).idle_limit = limit;
    }

    /// A lease may be asked back from now on: the longest offered is asked first.
    pub fn offer(&mut self, slot: SlotId, now: Instant) {
        self.table.set_hold(slot, Hold::Offered);
        self.ask_holders(now);
    }

    /// A lease may not be asked back any more. If it was asked, another is.
    pub fn keep(&mut self, slot: SlotId, now: Instant) {
        self.table.set_hold(slot, Hold::Firm);
        self.ask_holders(now);
    }

    /// When a connection's lifetime ends.
    pub fn dies_at(&mut self, slot: SlotId) -> Instant {
        self.table.slot(slot).dies_at
    }

    /// Whether an offered lease was asked back.
    pub fn is_asked(&mut self, slot: SlotId) -> bool {
        self.table.slot(slot).status == Status::Leased(Hold::Asked)
    }

    /// Why a lease's connection must go when it comes back, if so.
    pub fn doom(&mut self, slot: SlotId) -> Option<RetireReason> {
        let closing = self.closing.then_some(RetireReason::Draining);
        closing.or(self.table.slot(slot).doomed)
    }

    /// Takes an idle connection out by the name of its idle period, permit and all; `None`: it was taken meanwhile.
    pub fn remove_idle(&mut self, id: IdleId) -> Option<(SlotId, C)> {
        let slot = self.table.idle_slot(id)?;
        let conn = self.remove(slot, Use::Check)?;
        Some((slot, conn))
    }

    /// A connection that was taken out is fit: it goes to a waiter, or lies down as the coldest.
    /// `used_at`: when its server answered, if it was asked.
    pub fn put_back(&mut self, slot: SlotId, conn: C, used_at: Option<Instant>, now: Instant) {
        if self.table.slot(slot).status != Status::Held(Use::Check) {
            return;
        }
        let entry = self.table.slot(slot);
        entry.since = used_at.unwrap_or(entry.since);
        entry.conn = Some(conn);
        match self.unfit(slot, now) {
            Some(reason) => self.orphan_own(slot, reason, now),
            None if self.queue.waiting() > 0 => self.dispatch(slot, false, now),
            None => self.lay_down(slot, true, now),
        }
        self.settle(now);
    }

    /// A connection that was taken out is closed by its holder, who keeps the permit until the server has closed.
    pub fn discard(&mut self, slot: SlotId, reason: RetireReason, now: Instant) {
        if self.table.slot(slot).status == Status::Held(Use::Check) {
            self.hold_permit(slot, Use::Closing, now);
            self.counters.retired(reason);
        }
    }

    /// Counts what was decided for a returned connection; a retirement is counted when it happens.
    pub fn count_fate(&mut self, fate: Fate) {
        match fate {
            Fate::Ping => self.counters.pinged += 1,
            Fate::Reset(_) => self.counters.reset += 1,
            Fate::Keep | Fate::Retire(_) => {}
        }
    }

    /// All connections of a user must be dialed anew: the idle ones go now, the others when they come back.
    pub fn retire_account(&mut self, name: &str, now: Instant) {
        let Some(account) = self.table.account_named(name) else {
            return;
        };
        let of_account = |core: &Self, at: usize| {
            let slot = &core.table.slots[at];
            slot.status != Status::Free && core.table.group(slot.group).account == account
        };
        for at in 0..self.table.slots.len() {
            if of_account(self, at) {
                self.retire_wherever(SlotId(at as u32), RetireReason::AccountChanged, now);
            }
        }
        self.settle(now);
    }

    /// All connections must be dialed anew, whosever they are.
    pub fn retire_all(&mut self, now: Instant) {
        for at in 0..self.table.slots.len() {
            if self.table.slots[at].status != Status::Free {
                self.retire_wherever(SlotId(at as u32), RetireReason::AccountChanged, now);
            }
        }
        self.settle(now);
    }

    /// New settings. A smaller bound is reached as permits come back.
    pub fn reconfigure(&mut self, settings: PoolSettings, now: Instant) {
        self.settings = Arc::new(settings);
        self.nothing_to_warm = false;
        self.arm(now);
        self.settle(now);
    }

    /// Another cap for a user whose clients are here.
    pub fn set_cap(&mut self, account: &str, cap: Option<usize>, now: Instant) {
        if let Some(account) = self.table.account_named(account) {
            self.table.accounts[account as usize].cap = cap.unwrap_or(usize::MAX);
            self.settle(now);
        }
    }

    /// Ends all waits, asks for what is offered and closes what lies idle; leased connections are closed when they come back.
    pub fn close(&mut self, now: Instant) {
        self.closing = true;
        self.notices.push(Notice::Keeper);
        let waiting: Vec<u32> = self.queue.heads().flat_map(|group| self.queue.of(&self.table, group)).collect();
        for at in waiting {
            self.end(at, Grant::Closed);
        }
        self.ask_holders(now);
        while let Some(slot) = self.table.coldest() {
            self.retire_wherever(slot, RetireReason::Draining, now);
        }
    }

    /// Closing, and every permit is back.
    pub fn is_drained(&self) -> bool {
        self.closing && self.table.open() == 0
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Permits in use.
    pub fn open(&self) -> usize {
        self.table.open()
    }

    /// What the pool is allowed.
    pub fn settings(&self) -> &Arc<PoolSettings> {
        &self.settings
    }

    /// Whom to wake since the last call.
    pub fn notices(&mut self) -> std::vec::Drain<'_, Notice> {
        self.notices.drain(..)
    }

    /// Whether anybody is to be woken.
    pub fn has_notices(&self) -> bool {
        !self.notices.is_empty()
    }

    /// A place at the end of the queue as of now, for one that has been served without waiting.
    pub fn new_place(&mut self, now: Instant) -> Place {
        Place { number: self.queue.take_number(), arrived: now }
    }
}
