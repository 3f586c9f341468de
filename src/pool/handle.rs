//! The pool as tasks see it: one pool for all workers, behind one short lock.
//!
//! ```text
//! Pool --member(key, client)--> Member --checkout(state)--> Lease --release / retire / drop-->  back
//!                                     \--permit(use)-----> Permit --adopt--> Lease, or drop --> free
//! ```
//!
//! Nothing is lost by dropping: a `checkout` future that is dropped passes on what it was granted, a dropped
//! [`Lease`](super::lease::Lease) leaves its connection to the keeper to close (its state is unknown), a dropped
//! [`Permit`](super::lease::Permit) is free.

use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Instant;

use tokio::sync::Notify;

use super::connections::ConnectionUse;
use super::core::{Core, Facts, IdleId, Notice, PoolKey, SlotId, WaiterId};
use super::fate::RetireReason;
use super::lease::Checked;
use super::member::Member;
use super::policy::PoolSettings;
use super::snapshot::{Exhausted, Occupancy, Snapshot};

/// How connections are made, tried and closed. Cloned into each task that does one of these.
pub trait Connect<K, C>: Clone + Send + Sync + 'static {
    /// Why a dial failed.
    type Error: Send + 'static;

    /// Dials and logs in, within a time limit of its own. Runs in a task of its own: it is not dropped when the client that
    /// needed it goes.
    fn dial(&self, key: &K) -> impl Future<Output = Result<(C, Facts), DialError<Self::Error>>> + Send;

    /// Whether the server answers on this connection, within a time limit of its own.
    fn ping(&self, conn: &mut C) -> impl Future<Output = bool> + Send;

    /// Closes, and returns when the server has closed (or cannot be asked any more): only then is the permit free.
    fn close(&self, conn: C, reason: RetireReason) -> impl Future<Output = ()> + Send;

    /// What ends when the socket of this idle connection can be read: the server has closed it, or says goodbye.
    /// Called under the pool's lock: make the future, do nothing. `None`: not watched.
    fn watch(&self, conn: &C) -> Option<Watch>;
}

/// What ends when a socket can be read.
pub type Watch = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Why a dial failed.
#[derive(Debug)]
pub enum DialError<E> {
    /// Nobody would have reached the server now (refused, timed out, "Too many connections"): the client waits on, and one dial at a
    /// time tries again.
    Unreachable(E),
    /// The server refused this login: the client gets the error.
    Refused(E),
    /// The server has as many connections of this account as it may have: the client waits for one of the pool's, if there is any.
    Full(E),
}

/// Why there is no connection.
#[derive(Debug)]
pub enum CheckoutError<E> {
    /// None came in time. With the last error of an own dial that did not reach the server.
    Timeout(Box<Exhausted>, Option<E>),
    /// The server refused the login.
    Refused(E),
    /// The pool is closing.
    Closed,
}

impl<E: fmt::Display> fmt::Display for CheckoutError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CheckoutError::Timeout(exhausted, None) => exhausted.fmt(f),
            CheckoutError::Timeout(exhausted, Some(error)) => {
                write!(f, "{exhausted}; last dial: {error}")
            }
            CheckoutError::Refused(error) => error.fmt(f),
            CheckoutError::Closed => f.write_str("the pool is closing"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for CheckoutError<E> {}

/// The pool, shared by all workers; a clone is the same pool.
pub struct Pool<K: PoolKey, C> {
    shared: Arc<Shared<K, C>>,
}

impl<K: PoolKey, C> Clone for Pool<K, C> {
    fn clone(&self) -> Self {
        Pool { shared: Arc::clone(&self.shared) }
    }
}

pub(super) struct Shared<K: PoolKey, C> {
    inner: Mutex<Inner<K, C>>,
    waiting: AtomicUsize,
    random: AtomicU64,
    /// Wakes the keeper.
    pub(super) keeper: Notify,
    drained: Notify,
}

pub(super) struct Inner<K, C> {
    pub(super) core: Core<K, C>,
    /// By waiter.
    pub(super) waiters: Vec<Option<Waker>>,
    /// By slot: who is told that the lease is wanted.
    pub(super) holders: Vec<Option<Waker>>,
}

impl<K: PoolKey, C: Send + 'static> Pool<K, C> {
    /// An empty pool. Something must run [`keep`](super::keeper::keep) for it.
    pub fn new(settings: PoolSettings) -> Self {
        let inner = Inner { core: Core::new(settings), waiters: Vec::new(), holders: Vec::new() };
        let shared = Shared {
            inner: Mutex::new(inner),
            waiting: AtomicUsize::new(0),
            random: AtomicU64::new(RandomState::new().hash_one(0)),
            keeper: Notify::new(),
            drained: Notify::new(),
        };
        Pool { shared: Arc::new(shared) }
    }

    /// A client of this key. `client`: its id, not 0. `cap`: the most connections that its user may have (`None`: no cap of its own);
    /// the latest word counts. `home`: the worker it lives on.
    pub fn member(&self, key: K, client: u64, cap: Option<usize>, home: u16) -> Member<K, C> {
        Member::join(&self.shared, key, client, cap, home)
    }

    /// Whether somebody waits now. One relaxed load.
    pub fn wanted(&self) -> bool {
        self.shared.waiting.load(Ordering::Relaxed) > 0
    }

    /// The pool now. Walks over all slots and keys under the lock.
    pub fn snapshot(&self) -> Snapshot<K> {
        self.shared.with(|core| core.snapshot(now()))
    }

    /// How the permits are used now.
    pub fn occupancy(&self) -> Occupancy {
        self.shared.with(|core| core.occupancy(now()))
    }

    /// Takes an idle connection out by the name of its idle period. `None`: it was taken meanwhile, and whoever has it
    /// will notice by itself what there is to notice.
    pub fn remove_idle(&self, id: IdleId) -> Option<Checked<K, C>> {
        let (slot, conn) = self.shared.with(|core| core.remove_idle(id))?;
        Some(Checked::new(&self.shared, slot, conn))
    }

    /// All connections of a user are dialed anew (its password or rights changed).
    pub fn retire_account(&self, name: &str) {
        self.shared.with(|core| core.retire_account(name, now()));
    }

    /// All connections are dialed anew (rights changed, nobody knows whose).
    pub fn retire_all(&self) {
        self.shared.with(|core| core.retire_all(now()));
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<PoolSettings> {
        self.shared.with(|core| Arc::clone(core.settings()))
    }

    /// New settings, for members of before too. A smaller bound is reached as permits come back.
    pub fn reconfigure(&self, settings: PoolSettings) {
        self.shared.with(|core| core.reconfigure(settings, now()));
    }

    /// From now on nobody gets a connection: who needs one waits, for no longer than `checkout_timeout`. Idle connections are
    /// closed, leased ones when they come back; those that may be asked back are asked.
    pub fn pause(&self) {
        self.shared.with(|core| core.pause(now()));
    }

    /// Ends a pause: who waits is served. Whether there was one.
    pub fn resume(&self) -> bool {
        self.shared.with(|core| core.resume(now()))
    }

    /// Every permit in use, with `id_of` for the connections that the pool itself has. Walks over all slots under the lock.
    pub fn connections(&self, id_of: impl Fn(&C) -> u32) -> Vec<ConnectionUse<K>> {
        self.shared.with(|core| core.connections(now(), id_of))
    }

    /// Changes the most connections that a user may have, for its clients of now too.
    pub fn set_cap(&self, account: &str, cap: Option<usize>) {
        self.shared.with(|core| core.set_cap(account, cap, now()));
    }

    /// Ends all waits, closes what is idle now and what comes back later.
    pub fn close(&self) {
        self.shared.with(|core| core.close(now()));
    }

    /// Returns when the pool was closed and every permit is back. Cancel safe.
    pub async fn drained(&self) {
        let notified = self.shared.drained.notified();
        let mut notified = std::pin::pin!(notified);
        notified.as_mut().enable();
        while !self.is_drained() {
            notified.as_mut().await;
            notified.set(self.shared.drained.notified());
            notified.as_mut().enable();
        }
    }

    pub(super) fn is_drained(&self) -> bool {
        self.shared.with(|core| core.is_drained())
    }

    pub(super) fn shared(&self) -> &Arc<Shared<K, C>> {
        &self.shared
    }
}

impl<K: PoolKey, C> Shared<K, C> {
    /// One event. Those it concerns are woken after the lock is free.
    pub(super) fn with<R>(&self, event: impl FnOnce(&mut Core<K, C>) -> R) -> R {
        self.with_inner(|inner| event(&mut inner.core))
    }

    pub(super) fn with_inner<R>(&self, event: impl FnOnce(&mut Inner<K, C>) -> R) -> R {
        let mut inner = self.lock();
        let result = event(&mut inner);
        let waiting = inner.core.waiting();
        if waiting != self.waiting.load(Ordering::Relaxed) {
            self.waiting.store(waiting, Ordering::Relaxed);
        }
        if inner.core.has_notices() {
            self.wake(inner);
        }
        result
    }

    fn wake(&self, mut inner: MutexGuard<'_, Inner<K, C>>) {
        let Inner { core, waiters, holders } = &mut *inner;
        let drained = core.is_drained();
        let (mut first, mut others, mut keeper) = (None::<Waker>, Vec::new(), false);
        for notice in core.notices() {
            let waker = match notice {
                Notice::Waiter(WaiterId(at)) => waiters.get_mut(at as usize).and_then(Option::take),
                Notice::Asked(SlotId(at)) => holders.get_mut(at as usize).and_then(Option::take),
                Notice::Keeper => {
                    keeper = true;
                    None
                }
            };
            match first {
                // A hand-off wakes one: no allocation for that.
                None => first = waker,
                Some(_) => others.extend(waker),
            }
        }
        drop(inner);
        first.into_iter().chain(others).for_each(Waker::wake);
        if keeper {
            self.keeper.notify_one();
        }
        if drained {
            self.drained.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K, C>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next number of a splitmix64 sequence: for jitter, where nothing depends on its being hard to guess.
    pub(super) fn random(&self) -> u64 {
        let mut number = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }
}

pub(super) fn note_waker(wakers: &mut Vec<Option<Waker>>, at: u32, cx: &Context<'_>) {
    let at = at as usize;
    if wakers.len() <= at {
        wakers.resize(at + 1, None);
    }
    match &mut wakers[at] {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        entry => *entry = Some(cx.waker().clone()),
    }
}

/// The time, as tokio sees it: its tests may stop the clock.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
