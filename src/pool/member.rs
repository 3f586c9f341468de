//! A logged-in client of the pool: how it gets a connection or a permit.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::sync::oneshot;

use super::core::{Facts, GroupId, Lane, Place, PoolKey, Progress, SlotId, Taken, Use, WaiterId, Want};
use super::fate::RetireReason;
use super::handle::{CheckoutError, Connect, DialError, Shared, note_waker, now};
use super::lease::{Lease, Permit};
use super::policy::PoolSettings;
use super::snapshot::Exhausted;

/// A logged-in client of the pool.
pub struct Member<K: PoolKey, C> {
    shared: Arc<Shared<K, C>>,
    key: K,
    group: GroupId,
    client: u64,
    cap: Option<usize>,
    home: u16,
    last: Option<SlotId>,
    settings: Arc<PoolSettings>,
}

impl<K: PoolKey, C: Send + 'static> Member<K, C> {
    pub(super) fn join(shared: &Arc<Shared<K, C>>, key: K, client: u64, cap: Option<usize>, home: u16) -> Self {
        let (group, settings) =
            shared.with(|core| (core.join(&key, Lane::Pooled, cap, now()), Arc::clone(core.settings())));
        Member { shared: Arc::clone(shared), key, group, client, cap, home, last: None, settings }
    }

    /// Another client with the same key, cap and worker.
    pub fn alike(&self, client: u64) -> Self {
        Member::join(&self.shared, self.key.clone(), client, self.cap, self.home)
    }

    /// The client lives on this worker from now on.
    pub fn move_to(&mut self, home: u16) {
        self.home = home;
    }

    /// The key.
    pub fn key(&self) -> &K {
        &self.key
    }

    /// A connection that lies ready; `None`: use [`Member::checkout`], which waits or dials. The hot path: one short lock.
    /// It may be due for a ping ([`Lease::ping_due`]). `state`: the fingerprint of the state that the client needs.
    pub fn try_checkout(&mut self, state: u64, now: Instant) -> Option<Lease<K, C>> {
        let want = self.want(state, None);
        let Member { shared, settings, .. } = self;
        let taken = shared.with(|core| {
            // The settings may have been changed since; all who want something of the pool come by here.
            if !Arc::ptr_eq(settings, core.settings()) {
                *settings = Arc::clone(core.settings());
            }
            core.try_take(&want, now)
        })?;
        Some(self.lease(taken, now))
    }

    /// A connection: one that lies ready, or that is released or dialed while this waits in the queue, pinged if that is due.
    ///
    /// Cancel safe: dropped, it loses its place and nothing else.
    ///
    /// # Errors
    /// [`CheckoutError`]: none came within `checkout_timeout`, the server refused the login, or the pool is closing.
    pub async fn checkout<B: Connect<K, C>>(
        &mut self,
        state: u64,
        connect: &B,
    ) -> Result<Lease<K, C>, CheckoutError<B::Error>> {
        let begun = now();
        let place = match self.try_checkout(state, begun) {
            None => None,
            Some(lease) if !lease.ping_due() => return Ok(lease),
            Some(lease) => {
                let place = self.shared.with(|core| core.new_place(begun));
                match Box::pin(self.proven(lease, connect)).await {
                    Some(lease) => return Ok(lease),
                    None => Some(place),
                }
            }
        };
        self.wait(state, place, begun, connect).await
    }

    /// As [`Member::checkout`], for one whom [`Member::try_checkout`] has just given nothing: who queues up is served at once
    /// where something came back meanwhile. `begun`: now. Cancel safe.
    ///
    /// # Errors
    /// As [`Member::checkout`].
    pub async fn queue_up<B: Connect<K, C>>(
        &mut self,
        state: u64,
        begun: Instant,
        connect: &B,
    ) -> Result<Lease<K, C>, CheckoutError<B::Error>> {
        self.wait(state, None, begun, connect).await
    }

    /// A permit for a connection of the client's own, that the pool does not hand out. Waits in the same order as all others.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`CheckoutError::Timeout`] and [`CheckoutError::Closed`].
    pub async fn permit<B: Connect<K, C>>(
        &mut self,
        used_for: Use,
        connect: &B,
    ) -> Result<Permit<K, C>, CheckoutError<B::Error>> {
        let begun = now();
        let lane = PermitLane::join(self, begun);
        let want = Want { group: lane.group, ..self.want(0, Some(used_for)) };
        let mut waiting = Waiting::new(&self.shared, want, None, begun);
        match poll_fn(|cx| waiting.poll(cx)).await {
            Progress::Late => Err(CheckoutError::Timeout(waiting.exhausted(), None)),
            Progress::Permit(slot, victim) => {
                let permit = Permit::new(&self.shared, slot);
                self.vacated(permit, victim, connect).await.ok_or(CheckoutError::Closed)
            }
            _ => Err(CheckoutError::Closed),
        }
    }

    /// The permit, when the server has closed the connection that had it; in a task of its own, which goes on if this is dropped.
    async fn vacated<B: Connect<K, C>>(
        &self,
        permit: Permit<K, C>,
        victim: Option<C>,
        connect: &B,
    ) -> Option<Permit<K, C>> {
        let Some(victim) = victim else {
            return Some(permit);
        };
        let connect = connect.clone();
        let closing = tokio::spawn(async move {
            connect.close(victim, RetireReason::Evicted).await;
            permit.vacated();
            permit
        });
        closing.await.ok()
    }

    /// A permit's connection becomes this client's lease, and then one of the pool's.
    pub fn adopt(&mut self, permit: Permit<K, C>, conn: C, facts: Facts) -> Lease<K, C> {
        let now = now();
        let slot = permit.keep();
        let want = self.want(facts.state, None);
        let random = self.shared.random();
        let dies_at = self.shared.with(|core| {
            core.adopt(slot, &want, facts, random, now);
            core.dies_at(slot)
        });
        self.lease(Taken { conn, slot, own: false, state: facts.state, silent_since: now, dies_at }, now)
    }

    async fn wait<B: Connect<K, C>>(
        &mut self,
        state: u64,
        mut place: Option<Place>,
        mut begun: Instant,
        connect: &B,
    ) -> Result<Lease<K, C>, CheckoutError<B::Error>> {
        loop {
            let mut waiting = Waiting::new(&self.shared, self.want(state, None), place, begun);
            let taken = waiting.served(&self.key, connect).await?;
            let seen = waiting.seen;
            place = waiting.place;
            drop(waiting);
            let lease = self.lease(taken, seen);
            if !lease.ping_due() {
                return Ok(lease);
            }
            if let Some(lease) = Box::pin(self.proven(lease, connect)).await {
                return Ok(lease);
            }
            begun = now();
        }
    }

    /// The lease, if its server answers; else it is closed in the background.
    async fn proven<B: Connect<K, C>>(&self, mut lease: Lease<K, C>, connect: &B) -> Option<Lease<K, C>> {
        if connect.ping(&mut lease).await {
            lease.note_ping();
            return Some(lease);
        }
        let (conn, permit) = lease.retire(RetireReason::PingFailed);
        let connect = connect.clone();
        tokio::spawn(async move {
            connect.close(conn, RetireReason::PingFailed).await;
            drop(permit);
        });
        None
    }

    fn lease(&mut self, taken: Taken<C>, now: Instant) -> Lease<K, C> {
        self.last = Some(taken.slot);
        let silent = now.saturating_duration_since(taken.silent_since);
        let ping_due = self.settings.ping_due(silent);
        Lease::new(&self.shared, taken, now, ping_due, self.settings.reset_on_return)
    }

    fn want(&self, state: u64, permit: Option<Use>) -> Want {
        Want { group: self.group, client: self.client, state, home: self.home, last: self.last, permit }
    }
}

impl<K: PoolKey, C> Member<K, C> {
    pub(super) fn group(&self) -> GroupId {
        self.group
    }
}

impl<K: PoolKey, C> Drop for Member<K, C> {
    fn drop(&mut self) {
        self.shared.with(|core| core.leave(self.group));
    }
}

/// Membership in the queue for permits, while one waits there.
struct PermitLane<K: PoolKey, C> {
    shared: Arc<Shared<K, C>>,
    group: GroupId,
}

impl<K: PoolKey, C> PermitLane<K, C> {
    fn join(member: &Member<K, C>, now: Instant) -> Self {
        let group = member.shared.with(|core| core.join(&member.key, Lane::Permits, member.cap, now));
        PermitLane { shared: Arc::clone(&member.shared), group }
    }
}

impl<K: PoolKey, C> Drop for PermitLane<K, C> {
    fn drop(&mut self) {
        self.shared.with(|core| core.leave(self.group));
    }
}

/// A place in the queue, taken when it is polled first; dropped, it is given up.
struct Waiting<'a, K: PoolKey, C> {
    shared: &'a Arc<Shared<K, C>>,
    want: Want,
    stage: Stage,
    place: Option<Place>,
    /// When it was looked at last.
    seen: Instant,
}

#[derive(Clone, Copy)]
enum Stage {
    New,
    Queued(WaiterId),
    Over,
}

impl<'a, K: PoolKey, C: Send + 'static> Waiting<'a, K, C> {
    fn new(shared: &'a Arc<Shared<K, C>>, want: Want, place: Option<Place>, begun: Instant) -> Self {
        Waiting { shared, want, stage: Stage::New, place, seen: begun }
    }

    /// Waits for a connection, and dials when told to.
    async fn served<B: Connect<K, C>>(&mut self, key: &K, connect: &B) -> Result<Taken<C>, CheckoutError<B::Error>> {
        let mut dial = Dial { result: None, last: None };
        loop {
            let step = poll_fn(|cx| match dial.poll(cx) {
                Poll::Ready(error) => Poll::Ready(Err(error)),
                Poll::Pending => self.poll(cx).map(Ok),
            });
            match step.await {
                Err(refused) => return Err(CheckoutError::Refused(refused)),
                Ok(Progress::Late) => return Err(CheckoutError::Timeout(self.exhausted(), dial.last)),
                Ok(Progress::Ready(taken)) => return Ok(taken),
                Ok(Progress::Dial(slot, victim)) => {
                    dial.result = Some(spawn_dial(self.shared, slot, victim, key, connect))
                }
                Ok(_) => return Err(CheckoutError::Closed),
            }
        }
    }

    /// One lock for queueing up and a first look: mostly there is nothing yet.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Progress<C>> {
        let Waiting { shared, want, stage, place, seen } = self;
        match stage {
            Stage::New => {}
            Stage::Queued(_) => *seen = now(),
            Stage::Over => return Poll::Ready(Progress::Closed),
        }
        let progress = shared.with_inner(|inner| {
            let id = match *stage {
                Stage::Queued(id) => id,
                _ => {
                    let id = inner.core.wait(*want, *place, *seen);
                    *place = inner.core.place(id);
                    id
                }
            };
            *stage = Stage::Queued(id);
            let progress = inner.core.poll(id, *seen);
            if let Progress::Pending = progress {
                note_waker(&mut inner.waiters, id.0, cx);
            }
            progress
        });
        match progress {
            Progress::Pending => Poll::Pending,
            goes_on @ (Progress::Dial(..) | Progress::Late) => Poll::Ready(goes_on),
            end => {
                *stage = Stage::Over;
                Poll::Ready(end)
            }
        }
    }

    fn exhausted(&mut self) -> Box<Exhausted> {
        let id = self.queued().unwrap_or(WaiterId(u32::MAX));
        Box::new(self.shared.with(|core| core.exhausted(id, now())))
    }
}

impl<K: PoolKey, C> Waiting<'_, K, C> {
    fn queued(&self) -> Option<WaiterId> {
        match self.stage {
            Stage::Queued(id) => Some(id),
            Stage::New | Stage::Over => None,
        }
    }
}

impl<K: PoolKey, C> Drop for Waiting<'_, K, C> {
    fn drop(&mut self) {
        if let Some(id) = self.queued() {
            self.shared.with(|core| core.cancel(id, now()));
        }
    }
}

/// The dial that was begun for a waiter, as far as the waiter cares.
struct Dial<E> {
    result: Option<oneshot::Receiver<DialError<E>>>,
    /// The last error of a dial that did not reach the server.
    last: Option<E>,
}

impl<E> Dial<E> {
    /// Ready with the error that ends the wait.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<E> {
        let Some(result) = &mut self.result else {
            return Poll::Pending;
        };
        let Poll::Ready(result) = std::pin::Pin::new(result).poll(cx) else {
            return Poll::Pending;
        };
        self.result = None;
        match result {
            Ok(DialError::Refused(error)) => return Poll::Ready(error),
            Ok(DialError::Unreachable(error) | DialError::Full(error)) => self.last = Some(error),
            Err(_delivered) => {}
        }
        Poll::Pending
    }
}

fn spawn_dial<K: PoolKey, C: Send + 'static, B: Connect<K, C>>(
    shared: &Arc<Shared<K, C>>,
    slot: SlotId,
    victim: Option<C>,
    key: &K,
    connect: &B,
) -> oneshot::Receiver<DialError<B::Error>> {
    let (report, result) = oneshot::channel();
    let (permit, key, connect) = (Permit::new(shared, slot), key.clone(), connect.clone());
    tokio::spawn(async move {
        if let Some(victim) = victim {
            connect.close(victim, RetireReason::Evicted).await;
            permit.vacated();
        }
        if let Err((error, failed)) = deliver(permit, &key, &connect).await {
            // The error first: what follows from the failure may wake the waiter for another dial.
            let _ = report.send(error);
            drop(failed);
        }
    });
    result
}

/// Dials and gives the connection to the pool. The second part of an error, dropped, tells the pool of the failure.
pub(super) async fn deliver<K: PoolKey, C: Send + 'static, B: Connect<K, C>>(
    permit: Permit<K, C>,
    key: &K,
    connect: &B,
) -> Result<(), (DialError<B::Error>, FailedDial<K, C>)> {
    match connect.dial(key).await {
        Ok((conn, facts)) => {
            permit.deliver(conn, facts);
            Ok(())
        }
        Err(error) => {
            let error = match error {
                DialError::Full(error) if !permit.is_at_most() => DialError::Refused(error),
                error => error,
            };
            let unreachable = matches!(error, DialError::Unreachable(_));
            Err((error, FailedDial { permit: Some(permit), unreachable }))
        }
    }
}

/// A failure that the pool learns of when this is dropped.
pub(super) struct FailedDial<K: PoolKey, C> {
    permit: Option<Permit<K, C>>,
    unreachable: bool,
}

impl<K: PoolKey, C> Drop for FailedDial<K, C> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.dial_failed(self.unreachable);
        }
    }
}
