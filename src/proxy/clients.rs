//! Who is connected: ids that no server gives, and what others may ask of a client's task.

pub mod about;
mod clock;
mod per_user;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use rustc_hash::FxHashMap;

use self::about::About;
use self::clock::{Clock, NEVER};
use self::per_user::PerUser;

use crate::login::greet::FIRST_CLIENT_ID;

/// Ids are given from here up to twice this number, then again from the start.
const ID_MASK: u32 = FIRST_CLIENT_ID - 1;

/// A client that is not waited for.
const BUSY: u64 = 0;
/// A client that was waited for too long.
const OVERDUE: u64 = u64::MAX;

/// The alarm's time has come.
const RUNG: u64 = 0;

/// One connected client, as others see it.
#[derive(Debug)]
pub struct Entry {
    /// Its id for life.
    pub id: u32,
    /// The backend's own id of the connection that serves it now; 0: none.
    backend: AtomicU32,
    /// The task is asked to end its client at the next command boundary.
    leaving: AtomicBool,
    /// Since when the task waits for its client ([`Clients::note_time`]), or [`BUSY`], or [`OVERDUE`].
    waiting: AtomicU64,
    waker: Mutex<Option<Waker>>,
    /// When the task is to be woken ([`Clients::note_time`]), or [`NEVER`], or [`RUNG`].
    alarm: AtomicU64,
    /// Since when it is here ([`Clients::note_time`]).
    since: u64,
    /// What it said at its login, and what it did last.
    about: Mutex<About>,
    /// KILLs of it under way: its backend must not become another's until they were answered.
    kills: AtomicU32,
    /// It was killed: its task ends it.
    killed: AtomicBool,
    /// KILL QUERY came while it waited for a backend.
    interrupted: AtomicBool,
}

impl Entry {
    /// Says which backend connection serves this client now; 0: none.
    pub fn set_backend(&self, id: u32) {
        self.backend.store(id, Ordering::SeqCst);
    }

    /// Takes the backend away from it, unless somebody is killing it there: then it keeps it, and is woken.
    pub fn leave_backend(&self) -> bool {
        let backend = self.backend.swap(0, Ordering::SeqCst);
        let is_free = self.kills.load(Ordering::SeqCst) == 0;
        if !is_free {
            self.backend.store(backend, Ordering::SeqCst);
        }
        is_free
    }

    /// Waits until nobody is killing it any more: only then may another have its backend.
    pub async fn until_not_being_killed(&self) {
        std::future::poll_fn(|cx| {
            self.set_waker(cx.waker());
            if self.is_being_killed() { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    /// Whether somebody is killing it just now.
    pub fn is_being_killed(&self) -> bool {
        self.kills.load(Ordering::SeqCst) > 0
    }

    /// It has killed itself.
    pub fn set_killed(&self) {
        self.killed.store(true, Ordering::Relaxed);
    }

    /// Whether it was killed.
    #[inline]
    pub fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Relaxed)
    }

    /// Whether KILL QUERY came while it waited for a backend; asked once.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.swap(false, Ordering::Relaxed)
    }

    /// Whether the client's task shall end at the next command boundary.
    #[inline]
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    /// Who is to be woken when somebody asks something of this client's task.
    pub fn set_waker(&self, waker: &Waker) {
        *lock(&self.waker) = Some(waker.clone());
    }

    /// The client has spoken or taken what was sent.
    #[inline]
    pub fn client_moved(&self) {
        self.waiting.store(BUSY, Ordering::Relaxed);
    }

    /// Whether the client was waited for longer than `listen.idle_timeout`.
    #[inline]
    pub fn is_overdue(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) == OVERDUE
    }

    /// It is not to be woken.
    #[inline]
    pub fn stop_alarm(&self) {
        self.alarm.store(NEVER, Ordering::Relaxed);
    }

    /// Whether the alarm's time has come.
    #[inline]
    pub fn has_rung(&self) -> bool {
        self.alarm.load(Ordering::Relaxed) == RUNG
    }

    /// Whether this rang its alarm.
    fn ring(&self, now: u64) -> bool {
        let at = self.alarm.load(Ordering::SeqCst);
        let is_due = at != RUNG && at <= now;
        // An alarm that is set anew in this moment is another one.
        is_due && self.alarm.compare_exchange(at, RUNG, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// When its alarm is to ring, or [`NEVER`].
    fn next_alarm(&self) -> u64 {
        match self.alarm.load(Ordering::SeqCst) {
            RUNG => NEVER,
            at => at,
        }
    }

    /// Since when the client is waited for, if it is.
    fn waiting_since(&self) -> Option<u64> {
        match self.waiting.load(Ordering::SeqCst) {
            BUSY | OVERDUE => None,
            since => Some(since),
        }
    }

    /// Whether this made it overdue.
    fn expire(&self, now: u64, limit: u64) -> bool {
        let since = self.waiting.load(Ordering::Relaxed);
        let is_late = since != BUSY && since != OVERDUE && now.saturating_sub(since) >= limit;
        // A client that moves in this moment is not late.
        is_late && self.waiting.compare_exchange(since, OVERDUE, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = lock(&self.waker).as_ref() {
            waker.wake_by_ref();
        }
    }
}

/// All connected clients of one proxy.
#[derive(Debug, Default)]
pub struct Clients {
    clock: Clock,
    next: AtomicU32,
    live: Mutex<FxHashMap<u32, Arc<Entry>>>,
    /// How many of each user are logged in.
    per_user: PerUser,
}

impl Clients {
    /// Gives an id to a new client; `None` if `max` clients are there already.
    pub fn admit(self: &Arc<Self>, max: usize) -> Option<Admission> {
        let mut live = lock(&self.live);
        if live.len() >= max {
            return None;
        }
        let id = loop {
            let id = FIRST_CLIENT_ID | self.next.fetch_add(1, Ordering::Relaxed).wrapping_add(1) & ID_MASK;
            if !live.contains_key(&id) {
                break id;
            }
        };
        let entry = Arc::new(Entry {
            id,
            backend: AtomicU32::new(0),
            leaving: AtomicBool::new(false),
            waiting: AtomicU64::new(BUSY),
            waker: Mutex::new(None),
            alarm: AtomicU64::new(NEVER),
            since: self.clock.exact(),
            about: Mutex::default(),
            kills: AtomicU32::new(0),
            killed: AtomicBool::new(false),
            interrupted: AtomicBool::new(false),
        });
        live.insert(id, Arc::clone(&entry));
        drop(live);
        // Nobody told the time while nobody was there.
        self.clock.arrival();
        Some(Admission { clients: Arc::clone(self), entry })
    }

    /// The backend connection that serves this client now.
    pub fn backend_of(&self, id: u32) -> Option<u32> {
        let backend = lock(&self.live).get(&id)?.backend.load(Ordering::Acquire);
        (backend != 0).then_some(backend)
    }

    /// The client of this id, to be killed; one that was killed is no more. Until what is returned is dropped, its backend serves nobody else.
    pub fn victim(&self, id: u32) -> Option<Victim> {
        let entry = Arc::clone(lock(&self.live).get(&id).filter(|entry| !entry.is_killed())?);
        entry.kills.fetch_add(1, Ordering::SeqCst);
        Some(Victim { entry })
    }

    /// All clients of this account, to be killed, as by [`Clients::victim`].
    pub fn victims_of(&self, user: &[u8]) -> Vec<Victim> {
        let live = lock(&self.live);
        let of_user =
            live.values().filter(|entry| !entry.is_killed() && lock(&entry.about).user.as_deref() == Some(user));
        let victim = |entry: &Arc<Entry>| {
            entry.kills.fetch_add(1, Ordering::SeqCst);
            Victim { entry: Arc::clone(entry) }
        };
        of_user.map(victim).collect()
    }

    /// The clients by the backend connections that serve them now.
    pub fn by_backend(&self) -> FxHashMap<u32, u32> {
        let live = lock(&self.live);
        let serving = live.values().map(|entry| (entry.backend.load(Ordering::Acquire), entry.id));
        serving.filter(|&(backend, _)| backend != 0).collect()
    }

    /// How many are connected.
    pub fn count(&self) -> usize {
        lock(&self.live).len()
    }

    /// Tells the time, and wakes those whose alarm rings or who have waited for their clients since `limit` or longer
    /// (`None`: they may). Tasks note the time that was told last, so that none of them needs a clock or a timer of its own.
    pub fn note_time(&self, now: Duration, limit: Option<Duration>) {
        let (now, limit) = (millis(now).saturating_add(1), limit.map(millis));
        if !self.clock.tell(now) && limit.is_none() {
            return;
        }
        self.clock.forget_alarms();
        let is_overdue = |entry: &Entry| limit.is_some_and(|limit| entry.expire(now, limit));
        let is_late = |entry: &&Arc<Entry>| is_overdue(entry) | entry.ring(now);
        let live = lock(&self.live);
        let late: Vec<_> = live.values().filter(is_late).cloned().collect();
        let next = live.values().map(|entry| entry.next_alarm()).min();
        drop(live);
        self.clock.expect_alarm(next.unwrap_or(NEVER));
        late.iter().for_each(|entry| entry.wake());
    }

    /// When the first of those will be overdue that are waited for now.
    fn next_overdue(&self, limit: Option<Duration>) -> u64 {
        let Some(limit) = limit.map(millis) else { return NEVER };
        let live = lock(&self.live);
        live.values().filter_map(|entry| entry.waiting_since()).min().map_or(NEVER, |since| since.saturating_add(limit))
    }

    /// Tells the time for ever, as long as somebody is there and moves: each pause. `limit` as in [`Clients::note_time`].
    /// Both may be others each time.
    pub async fn tell_time(&self, pause_and_limit: impl Fn() -> (Duration, Option<Duration>)) {
        loop {
            let (pause, limit) = pause_and_limit();
            self.note_time(self.clock.elapsed(), limit);
            match self.count() {
                0 => self.clock.until_arrival().await,
                _ => self.clock.pause(pause, || self.next_overdue(limit)).await,
            }
        }
    }

    /// Asks every client's task to end at its next command boundary; returns how many.
    pub fn ask_all_to_leave(&self) -> usize {
        let all: Vec<_> = lock(&self.live).values().cloned().collect();
        all.iter().for_each(|entry| entry.leave());
        all.len()
    }
}

/// A client's place in the list; dropped, the place is free.
#[derive(Debug)]
pub struct Admission {
    clients: Arc<Clients>,
    entry: Arc<Entry>,
}

impl Admission {
    /// The true time, for what must not end too early.
    pub fn exact(&self) -> u64 {
        self.clients.clock.exact()
    }

    /// Milliseconds as last told; never 0.
    #[inline]
    pub fn now(&self) -> u64 {
        self.clients.clock.now()
    }

    /// The task is to be woken at this time, see [`Admission::now`].
    #[inline]
    pub fn set_alarm(&self, at: u64) {
        if at == NEVER {
            return self.stop_alarm();
        }
        self.entry.alarm.store(at, Ordering::SeqCst);
        self.clients.clock.expect_alarm(at);
    }

    /// The task is to be woken at this time at the latest. An alarm that rings before stays: whoever is woken looks what is due,
    /// which is rare, and a client that is busy need not set an alarm with each command.
    #[inline]
    pub fn ring_by(&self, at: u64) {
        if !self.rings_by(at) {
            self.set_alarm(at);
        }
    }

    /// Whether an alarm will have rung by this time.
    #[inline]
    pub fn rings_by(&self, at: u64) -> bool {
        self.entry.alarm.load(Ordering::Relaxed) <= at
    }

    /// From now on the client is waited for: to speak, or to take what was sent.
    #[inline]
    pub fn await_client(&self) {
        self.entry.waiting.store(self.now(), Ordering::Relaxed);
    }
}

impl std::ops::Deref for Admission {
    type Target = Entry;
    fn deref(&self) -> &Entry {
        &self.entry
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        lock(&self.clients.live).remove(&self.entry.id);
        let user = lock(&self.entry.about).user.take();
        user.iter().for_each(|user| self.clients.per_user.leave(user));
    }
}

/// A client that somebody is killing.
#[derive(Debug)]
pub struct Victim {
    entry: Arc<Entry>,
}

impl Victim {
    /// Its id.
    pub fn id(&self) -> u32 {
        self.entry.id
    }

    /// The backend that serves it as long as this lives; 0: none.
    pub fn backend(&self) -> u32 {
        self.entry.backend.load(Ordering::SeqCst)
    }

    /// Its account's name.
    pub fn user(&self) -> Vec<u8> {
        lock(&self.entry.about).user.clone().unwrap_or_default()
    }

    /// Its connection is to end.
    pub fn kill(&self) {
        self.entry.killed.store(true, Ordering::Relaxed);
    }

    /// Its statement is to end, where that waits for a backend.
    pub fn interrupt(&self) {
        self.entry.interrupted.store(true, Ordering::Relaxed);
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.entry.kills.fetch_sub(1, Ordering::SeqCst);
        self.entry.wake();
    }
}

/// As [`Admission::now`] counts.
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(OVERDUE - 1)
}

/// A panic elsewhere leaves these lists whole: every change is one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
