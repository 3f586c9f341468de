//! The pool's own core ([`Core`]) under virtual time, with the clients of a load around it: what the proxy would do, without
//! a socket. Nothing here decides who gets a connection; the core does.
//!
//! ```text
//! clients   come, log in, send, hold, let go, leave          \
//! server    dials, closes, resets, pings: each takes its time > one queue of events, one clock
//! keeper    looks when the core says                         /
//! ```

mod clients;
mod server;

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::load::{Key, Load, Script};
use super::outcome::{Latencies, Outcome};
use super::setting::{Mode, Setting, Slow};
use super::what_if::mixed;
use crate::pool::core::{Core, GroupId, Notice, SlotId, WaiterId};

/// A connection, as far as the pool cares.
#[derive(Debug)]
struct Conn;

/// What a client is doing.
#[derive(Debug)]
enum Phase {
    /// Nothing that needs a backend.
    Away,
    /// It waits in the queue.
    Waiting(WaiterId),
    /// It has a permit and dials with it.
    Dialing,
    /// It has a backend; `offered`: until another client wants it.
    Leased { slot: SlotId, offered: bool },
    /// It is gone.
    Gone,
}

/// What a backend is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Login,
    Command,
}

struct Client {
    script: usize,
    /// The next command, by number.
    step: usize,
    group: Option<GroupId>,
    permits: Option<GroupId>,
    last: Option<SlotId>,
    phase: Phase,
    purpose: Purpose,
    /// Which phase this is: an event of an earlier one means nothing.
    turn: u32,
    /// Since when it has been asking for a backend, in nanoseconds.
    asked: u64,
    /// What it waited, once it was served.
    queue: u64,
    /// Numbers the state that its session is in.
    state: u64,
}

#[derive(Debug)]
enum Event {
    /// A client comes.
    Comes(usize),
    /// Its login, or the wait for its next command, is over: it wants a backend.
    Wants(usize),
    /// What it did with its backend is done.
    Done(usize, u32),
    /// Its offered backend was asked for.
    GivesUp(usize, u32),
    /// It leaves.
    Leaves(usize),
    /// Its backend is clean.
    Cleaned(usize),
    /// A permit's former connection is closed, and the dial begins. A dial for the pool, or a client's own.
    Vacated { slot: SlotId, client: usize, is_own: bool },
    /// A dial for the pool is over.
    Dialed(SlotId),
    /// A client's own dial is over.
    OwnDialed(SlotId, usize),
    /// The server has closed.
    Closed(SlotId),
    /// The server has answered the keeper.
    Pinged(SlotId),
    /// The keeper looks.
    Keeper(u32),
}

/// An event at its time, in nanoseconds; of equal times the first that was arranged comes first.
struct Timed(u64, u64, Event);

impl Ord for Timed {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.0, other.1).cmp(&(self.0, self.1))
    }
}

impl PartialOrd for Timed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Timed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Timed {}

struct World<'a> {
    load: &'a Load,
    setting: &'a Setting,
    slow: Option<Slow>,
    core: Core<Key, Conn>,
    /// The instant of zero nanoseconds; nothing depends on which it is.
    base: Instant,
    now: u64,
    events: BinaryHeap<Timed>,
    sequence: u64,
    random: u64,
    clients: Vec<Client>,
    waiters: FxHashMap<WaiterId, usize>,
    holders: FxHashMap<SlotId, usize>,
    caps: Vec<Option<usize>>,
    keeper_turn: u32,
    /// Clients that are yet to end.
    left: usize,
    next_slow: u64,
    used: usize,
    /// Connections times nanoseconds.
    open_time: u128,
    used_time: u128,
    measured: (u64, usize, usize),
    outcome: Outcome,
}

/// What the load would have met with this setting.
pub fn simulate(load: &Load, setting: &Setting, slow: Option<Slow>) -> Outcome {
    let mut world = World::new(load, setting, slow);
    while world.left > 0 && world.step() {}
    world.finish()
}

impl<'a> World<'a> {
    fn new(load: &'a Load, setting: &'a Setting, slow: Option<Slow>) -> Self {
        let cap = |key: &Key| {
            let caps = &load.summary.origin.pool.caps;
            caps.iter().find(|(user, _)| **user == *key.user).map(|(_, cap)| *cap)
        };
        let mut world = World {
            load,
            setting,
            slow,
            core: Core::new(setting.pool.clone()),
            base: Instant::now(),
            now: 0,
            events: BinaryHeap::new(),
            sequence: 0,
            random: 0,
            clients: Vec::with_capacity(load.scripts.len()),
            waiters: FxHashMap::default(),
            holders: FxHashMap::default(),
            caps: load.keys.iter().map(cap).collect(),
            keeper_turn: 0,
            left: load.scripts.len(),
            next_slow: slow.map_or(u64::MAX, |slow| nanos(slow.every)),
            used: 0,
            open_time: 0,
            used_time: 0,
            measured: (0, 0, 0),
            outcome: Outcome {
                setting: setting.clone(),
                latencies: Latencies::default(),
                waited: 0,
                timeouts: 0,
                refused: 0,
                peak: 0,
                mean: 0.0,
                peak_used: 0,
                mean_used: 0.0,
                counters: Default::default(),
                lasted: Duration::ZERO,
            },
        };
        for (number, script) in load.scripts.iter().enumerate() {
            world.clients.push(Client::new(number, script));
            world.at(script.comes, Event::Comes(number));
        }
        world
    }

    fn finish(mut self) -> Outcome {
        self.measure();
        let lasted = self.now.max(1) as f64;
        self.outcome.mean = self.open_time as f64 / lasted;
        self.outcome.mean_used = self.used_time as f64 / lasted;
        self.outcome.counters = self.core.snapshot(self.instant()).counters;
        self.outcome.lasted = Duration::from_nanos(self.now);
        self.outcome
    }

    fn step(&mut self) -> bool {
        let Some(Timed(at, _, event)) = self.events.pop() else { return false };
        self.now = self.now.max(at);
        self.happen(event);
        while self.core.has_notices() {
            self.hear();
        }
        self.measure();
        true
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Comes(client) => self.comes(client),
            Event::Wants(client) => self.wants(client),
            Event::Done(client, turn) if self.clients[client].turn == turn => self.done(client),
            Event::GivesUp(client, turn) if self.clients[client].turn == turn => self.give_back(client),
            Event::Done(..) | Event::GivesUp(..) => {}
            Event::Leaves(client) => self.leaves(client),
            Event::Cleaned(client) => self.cleaned(client),
            Event::Vacated { slot, client, is_own } => self.vacated(slot, client, is_own),
            Event::Dialed(slot) => self.dialed(slot),
            Event::OwnDialed(slot, client) => self.own_dialed(slot, client),
            Event::Closed(slot) => self.core.free(slot, self.instant()),
            Event::Pinged(slot) => self.core.put_back(slot, Conn, Some(self.instant()), self.instant()),
            Event::Keeper(turn) if turn == self.keeper_turn => self.keeper(),
            Event::Keeper(_) => {}
        }
    }

    /// Whom the core tells something.
    fn hear(&mut self) {
        let notices: Vec<Notice> = self.core.notices().collect();
        for notice in notices {
            match notice {
                Notice::Keeper => self.keeper(),
                Notice::Waiter(id) => {
                    if let Some(&client) = self.waiters.get(&id) {
                        self.look(client);
                    }
                }
                Notice::Asked(slot) => {
                    if let Some(&client) = self.holders.get(&slot) {
                        // What it protects is read first.
                        self.after(self.load.costs.way, Event::GivesUp(client, self.clients[client].turn));
                    }
                }
            }
        }
    }

    fn at(&mut self, time: u64, event: Event) {
        self.sequence += 1;
        self.events.push(Timed(time.max(self.now), self.sequence, event));
    }

    fn after(&mut self, wait: u64, event: Event) {
        self.at(self.now.saturating_add(wait), event);
    }

    fn instant(&self) -> Instant {
        self.base + Duration::from_nanos(self.now)
    }

    fn script(&self, client: usize) -> &'a Script {
        &self.load.scripts[self.clients[client].script]
    }

    fn is_session(&self) -> bool {
        self.setting.mode == Mode::Session
    }

    /// The same numbers in each run.
    fn random(&mut self) -> u64 {
        self.random += 1;
        mixed(self.random, 1)
    }

    /// Connections since the last look.
    fn measure(&mut self) {
        let (since, open, used) = self.measured;
        let passed = u128::from(self.now - since);
        self.open_time += passed * open as u128;
        self.used_time += passed * used as u128;
        self.measured = (self.now, self.core.open(), self.used);
        self.outcome.peak = self.outcome.peak.max(self.core.open());
        self.outcome.peak_used = self.outcome.peak_used.max(self.used);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
