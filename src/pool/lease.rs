//! What a client or a task holds of the pool, as values whose drop gives it back.

use std::future::poll_fn;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::core::{Facts, PoolKey, SlotId, Taken};
use super::fate::{Condition, Fate, Outlook, RetireReason, fate};
use super::handle::{Shared, note_waker, now};
use super::member::Member;
use super::policy::ResetOnReturn;

/// The right to have one connection to the server. It travels with the connection; drop it when the server has closed.
pub struct Permit<K: PoolKey, C> {
    shared: Arc<Shared<K, C>>,
    slot: Option<SlotId>,
}

impl<K: PoolKey, C> Permit<K, C> {
    pub(super) fn new(shared: &Arc<Shared<K, C>>, slot: SlotId) -> Self {
        Permit { shared: Arc::clone(shared), slot: Some(slot) }
    }

    pub(super) fn vacated(&self) {
        if let Some(slot) = self.slot {
            self.shared.with(|core| core.vacated(slot, now()));
        }
    }

    /// The dial that this permit was taken for reached the server: ends any back-off.
    pub fn reached(&self) {
        self.shared.with(|core| core.reached(now()));
    }

    /// As [`Core::is_at_most`](super::core::Core::is_at_most), for the dial that this permit was taken for.
    pub(super) fn is_at_most(&self) -> bool {
        self.slot.is_some_and(|slot| self.shared.with(|core| core.is_at_most(slot, now())))
    }

    /// The dial that this permit was taken for failed. `unreachable` as in
    /// [`DialError::Unreachable`](super::handle::DialError::Unreachable).
    pub fn dial_failed(mut self, unreachable: bool) {
        if let Some(slot) = self.slot.take() {
            let random = self.shared.random();
            self.shared.with(|core| core.dial_failed(slot, unreachable, random, now()));
        }
    }

    pub(super) fn deliver(mut self, conn: C, facts: Facts) {
        if let Some(slot) = self.slot.take() {
            let random = self.shared.random();
            self.shared.with(|core| core.connected(slot, conn, facts, random, now()));
        }
    }

    pub(super) fn keep(mut self) -> SlotId {
        self.slot.take().unwrap_or(SlotId(u32::MAX))
    }
}

impl<K: PoolKey, C> Drop for Permit<K, C> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            self.shared.with(|core| core.free(slot, now()));
        }
    }
}

/// An idle connection that was taken out to be looked at.
pub struct Checked<K: PoolKey, C> {
    permit: Permit<K, C>,
    conn: C,
}

impl<K: PoolKey, C> Checked<K, C> {
    pub(super) fn new(shared: &Arc<Shared<K, C>>, slot: SlotId, conn: C) -> Self {
        Checked { permit: Permit::new(shared, slot), conn }
    }

    /// The connection.
    pub fn conn(&mut self) -> &mut C {
        &mut self.conn
    }

    /// It is fit. `used_at`: when its server answered, if it was asked.
    pub fn put_back(self, used_at: Option<Instant>) {
        let shared = Arc::clone(&self.permit.shared);
        let slot = self.permit.keep();
        shared.with(|core| core.put_back(slot, self.conn, used_at, now()));
    }

    /// It is to be closed; the permit is dropped when the server has closed.
    pub fn retire(self, reason: RetireReason) -> (C, Permit<K, C>) {
        if let Some(slot) = self.permit.slot {
            self.permit.shared.with(|core| core.discard(slot, reason, now()));
        }
        (self.conn, self.permit)
    }
}

/// A connection that a client has for a while. Dropped without a word, it is closed by the keeper.
pub struct Lease<K: PoolKey, C> {
    shared: Arc<Shared<K, C>>,
    conn: Option<C>,
    slot: SlotId,
    own: bool,
    state: u64,
    silent_since: Instant,
    dies_at: Instant,
    taken_at: Instant,
    ping_due: bool,
    reset_on_return: ResetOnReturn,
}

impl<K: PoolKey, C> Lease<K, C> {
    pub(super) fn new(
        shared: &Arc<Shared<K, C>>,
        taken: Taken<C>,
        taken_at: Instant,
        ping_due: bool,
        reset_on_return: ResetOnReturn,
    ) -> Self {
        Lease {
            shared: Arc::clone(shared),
            conn: Some(taken.conn),
            slot: taken.slot,
            own: taken.own,
            state: taken.state,
            silent_since: taken.silent_since,
            dies_at: taken.dies_at,
            taken_at,
            ping_due,
            reset_on_return,
        }
    }

    pub(super) fn note_ping(&mut self) {
        self.ping_due = false;
        self.taken_at = now();
    }

    /// Nobody else had it since this client. With an equal [`Lease::state`], nothing is to be restored.
    pub fn is_own(&self) -> bool {
        self.own
    }

    /// When it could be used: when it was checked out, or had answered a ping.
    pub fn taken_at(&self) -> Instant {
        self.taken_at
    }

    /// The fingerprint of the state it was left in.
    pub fn state(&self) -> u64 {
        self.state
    }

    /// Its server has been silent for longer than `ping_after`. After `checkout` never: it has pinged.
    pub fn ping_due(&self) -> bool {
        self.ping_due
    }

    /// For how long its server has been silent when it was taken.
    pub fn silent(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.silent_since)
    }

    /// Gives it back unused, in the state in which it was taken.
    pub fn give_back(self) {
        let (state, since) = (self.state, self.silent_since);
        self.release(state, since, now());
    }

    /// Says what it is held for, since now: a pin's reason, `"transaction"`, ..; at first `"statement"`.
    pub fn label(&self, label: &'static str, now: Instant) {
        self.shared.with(|core| core.label(self.slot, label, now));
    }

    /// The connection was made another user's: it is of this member's key from now on.
    pub fn change_key(&self, member: &Member<K, C>) {
        self.shared.with(|core| core.change_key(self.slot, member.group()));
    }

    /// Its server's timeout changed.
    pub fn set_wait_timeout(&self, wait_timeout: Duration) {
        self.shared.with(|core| core.set_wait_timeout(self.slot, wait_timeout));
    }

    /// From now on it is given up when another client waits: [`Lease::asked`] tells when. The longest offered is asked first.
    pub fn offer(&self) {
        self.shared.with(|core| core.offer(self.slot, now()));
    }

    /// It is needed again, and not given up any more.
    pub fn keep(&self) {
        self.shared.with(|core| core.keep(self.slot, now()));
    }

    /// Returns when an offered lease is wanted: save what it protects, then release it. Cancel safe; one task at a time.
    pub async fn asked(&self) {
        poll_fn(|cx| self.poll_asked(cx)).await;
    }

    /// Ready when an offered lease is wanted, see [`Lease::asked`].
    pub fn poll_asked(&self, cx: &Context<'_>) -> Poll<()> {
        self.shared.with_inner(|inner| match inner.core.is_asked(self.slot) {
            true => Poll::Ready(()),
            false => {
                note_waker(&mut inner.holders, self.slot.0, cx);
                Poll::Pending
            }
        })
    }

    /// What is to be done with it, counted. `Reset` and `Ping`: do it, then ask again; `Keep`: [`Lease::release`];
    /// `Retire`: [`Lease::retire`].
    pub fn fate(&self, condition: Condition, now: Instant) -> Fate {
        if condition == Condition::Clean && self.reset_on_return == ResetOnReturn::Auto && now < self.dies_at {
            // What the pool alone knows (closing, account changed) `release` itself looks at: no second lock on the hot path.
            return Fate::Keep;
        }
        self.shared.with(|core| {
            let outlook = Outlook { now, dies_at: self.dies_at, doomed: core.doom(self.slot) };
            let fate = fate(condition, outlook, self.reset_on_return);
            core.count_fate(fate);
            fate
        })
    }

    /// Gives it back: to the first waiter that needs it, or to lie idle.
    /// `state`: the fingerprint of the state it is left in; `used_at`: when its server last answered, for its timeout counts from there.
    pub fn release(mut self, state: u64, used_at: Instant, now: Instant) {
        if let Some(conn) = self.conn.take() {
            self.shared.with(|core| core.release(self.slot, conn, state, used_at, now));
        }
    }

    /// Takes it out of the pool to be closed; drop the permit when the server has closed.
    pub fn retire(mut self, reason: RetireReason) -> (C, Permit<K, C>) {
        let permit = Permit::new(&self.shared, self.slot);
        self.shared.with(|core| core.retire(self.slot, reason, now()));
        match self.conn.take() {
            Some(conn) => (conn, permit),
            None => unreachable!("a lease has its connection until it is consumed"),
        }
    }
}

impl<K: PoolKey, C> Deref for Lease<K, C> {
    type Target = C;

    fn deref(&self) -> &C {
        match &self.conn {
            Some(conn) => conn,
            None => unreachable!("a lease has its connection until it is consumed"),
        }
    }
}

impl<K: PoolKey, C> DerefMut for Lease<K, C> {
    fn deref_mut(&mut self) -> &mut C {
        match &mut self.conn {
            Some(conn) => conn,
            None => unreachable!("a lease has its connection until it is consumed"),
        }
    }
}

impl<K: PoolKey, C> Drop for Lease<K, C> {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.shared.with(|core| core.abandon(self.slot, conn, now()));
        }
    }
}
