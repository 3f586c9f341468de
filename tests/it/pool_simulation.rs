//! The pool's core under virtual time: seeded clients, dials that fail or take long, servers that close, users with caps,
//! clients that time out or give up. Never above the bound, no connection in two hands, order of arrival, nobody forgotten,
//! every connection retired before its server's deadline.

mod checks;
mod clients;
mod server;

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::time::{Duration, Instant};

use tidegate::pool::core::{
    Core, Facts, GroupId, IdleId, Lane, Notice, PATIENCE, Place, PoolKey, Progress, SlotId, Taken, Use, WaiterId, Want,
};
use tidegate::pool::duty::Chore;
use tidegate::pool::fate::RetireReason;
use tidegate::pool::policy::{IdleTimeout, PingAfter, PoolSettings, ResetOnReturn};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    user: String,
    flags: u8,
}

impl PoolKey for Key {
    fn account(&self) -> &str {
        &self.user
    }
}

/// A connection as the pool has it: it cannot be copied, so it is in one place.
#[derive(Debug)]
struct Conn(u64);

/// A connection as its server has it.
struct Backend {
    user: usize,
    last: Instant,
    wait_timeout: Duration,
    alive: bool,
    used: bool,
    pooled: bool,
    /// It came back so late that the pool can only have left it to the keeper to close.
    late: bool,
    watch: Option<IdleId>,
}

#[derive(Debug)]
enum Phase {
    Away,
    Waiting { id: WaiterId, place: Place, order: u64, arrived: Instant, noticed: bool, entered: u64, group: GroupId },
    Leased { slot: SlotId, conn: Conn, offered: bool },
    Permit,
}

struct Client {
    key: usize,
    group: GroupId,
    permits: GroupId,
    last: Option<SlotId>,
    /// Which phase this is: an event of an earlier one means nothing.
    turn: u64,
    phase: Phase,
}

#[derive(Debug)]
enum Event {
    Act(usize),
    Look(usize, u64),
    GiveUp(usize, u64),
    Return(usize, u64),
    Vacated { slot: SlotId, victim: u64, client: usize, turn: u64, permit: bool },
    Dialed { slot: SlotId, key: usize, conn: u64, warm: bool },
    PermitEnds { client: usize, slot: SlotId, conn: u64 },
    Closed(SlotId, u64),
    Pinged(SlotId, Conn),
    Keeper(u64),
    Killer,
    Outage(bool),
    Grants,
    Settings,
}

struct Timed(Instant, u64, Event);

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

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Between nothing and twice `mean`, sometimes ten times that.
    fn span(&mut self, mean: Duration) -> Duration {
        let long = if self.one_in(50) { 10 } else { 1 };
        Duration::from_micros(self.below(2 * mean.as_micros() as u64 + 1)) * long
    }
}

/// One seed's world.
struct Plan {
    seed: u64,
    clients: usize,
    settings: PoolSettings,
    /// How much later than told a client looks; zero: at once, and then the order of service is checked exactly.
    lag: Duration,
    think: Duration,
    lease: Duration,
    outages: bool,
    steps: usize,
}

struct World {
    plan: Plan,
    random: Random,
    core: Core<Key, Conn>,
    now: Instant,
    events: BinaryHeap<Timed>,
    sequence: u64,
    order: u64,
    /// How many batches of notices were read; who entered the queue since the last one cannot have been overtaken by it.
    batch: u64,
    keys: Vec<(Key, Option<usize>)>,
    clients: Vec<Client>,
    /// Which client waits by which id.
    waiters: HashMap<WaiterId, usize>,
    backends: HashMap<u64, Backend>,
    next_conn: u64,
    /// Connections that the server has, those in login included, by user.
    open: Vec<usize>,
    bound_before: usize,
    up: bool,
    stopping: bool,
    keeper_turn: u64,
    keeper_at: Option<Instant>,
    served: u64,
    late: u64,
    /// Logins that were refused because the account has as many connections as it may have.
    full: u64,
    steps: usize,
}

const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(30);

/// How late the keeper may come.
const KEEPER_LAG: Duration = Duration::from_millis(10);

const USERS: usize = 6;

/// Whom the server allows so many connections, which its pool does not know.
const ALLOWED: (usize, usize) = (3, 3);

fn keys() -> Vec<(Key, Option<usize>)> {
    let key = |at: usize| {
        let cap = match at / 2 {
            1 => Some(2),
            2 => Some(5),
            _ => None,
        };
        (Key { user: format!("user{}", at / 2), flags: (at % 2) as u8 }, cap)
    };
    (0..2 * USERS).map(key).collect()
}

impl World {
    fn new(plan: Plan) -> World {
        let now = Instant::now();
        let mut world = World {
            random: Random(plan.seed),
            core: Core::new(plan.settings.clone()),
            now,
            events: BinaryHeap::new(),
            sequence: 0,
            order: 0,
            batch: 0,
            keys: keys(),
            clients: Vec::new(),
            waiters: HashMap::new(),
            backends: HashMap::new(),
            next_conn: 0,
            open: vec![0; USERS],
            bound_before: plan.settings.bound(),
            up: true,
            stopping: false,
            keeper_turn: 0,
            keeper_at: None,
            served: 0,
            late: 0,
            full: 0,
            steps: 0,
            plan,
        };
        world.populate();
        world
    }

    fn populate(&mut self) {
        for client in 0..self.plan.clients {
            let skewed = self.random.below(12).min(self.random.below(12)) as usize;
            let (key, cap) = self.keys[skewed].clone();
            let group = self.core.join(&key, Lane::Pooled, cap, self.now);
            let permits = self.core.join(&key, Lane::Permits, cap, self.now);
            self.clients.push(Client { key: skewed, group, permits, last: None, turn: 0, phase: Phase::Away });
            let wait = self.random.span(self.plan.think);
            self.after(wait, Event::Act(client));
        }
        self.after(Duration::from_secs(3), Event::Killer);
        self.after(Duration::from_secs(40), Event::Grants);
        self.after(Duration::from_secs(60), Event::Settings);
        if self.plan.outages {
            self.after(Duration::from_secs(20), Event::Outage(true));
        }
        self.drain_notices();
    }

    fn after(&mut self, wait: Duration, event: Event) {
        self.sequence += 1;
        self.events.push(Timed(self.now + wait, self.sequence, event));
    }

    fn run(&mut self) {
        while self.steps < self.plan.steps {
            self.step();
        }
        self.stopping = true;
        self.up = true;
        self.core.reconfigure(self.plan.settings.clone(), self.now);
        self.quieten();
        self.close();
    }

    fn step(&mut self) -> bool {
        let Some(Timed(at, _, event)) = self.events.pop() else {
            return false;
        };
        self.now = self.now.max(at);
        self.steps += 1;
        self.happen(event);
        self.drain_notices();
        self.check();
        true
    }

    /// No new requests: all that wait are served although nobody gives up, and the pool shrinks to its size.
    fn quieten(&mut self) {
        let end = self.now + Duration::from_secs(120);
        while self.events.peek().is_some_and(|next| next.0 < end) {
            self.step();
        }
        self.now = end;
        assert!(self.waiters.is_empty(), "seed {}: forgotten: {:?}", self.plan.seed, self.waiters.len());
        assert_eq!(self.core.waiting(), 0);
        let occupancy = self.core.occupancy(self.now);
        let PoolSettings { size, min_idle, .. } = self.plan.settings;
        let kept = size.max(occupancy.leased);
        assert!(occupancy.open <= kept, "seed {}: {occupancy}", self.plan.seed);
        let ready = occupancy.idle + occupancy.checking + occupancy.dialing;
        let possible = min_idle.min(size.saturating_sub(occupancy.leased));
        assert!(ready >= possible, "seed {}: {occupancy}", self.plan.seed);
    }

    fn close(&mut self) {
        self.core.close(self.now);
        self.drain_notices();
        self.plan.settings.min_idle = 0;
        let end = self.now + Duration::from_secs(60);
        while !self.core.is_drained() && self.now < end && self.step() {}
        assert!(self.core.is_drained(), "seed {}: {}", self.plan.seed, self.core.occupancy(self.now));
        assert_eq!(self.open.iter().sum::<usize>(), 0);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Act(client) => self.act(client),
            Event::Look(client, turn) if self.clients[client].turn == turn => self.look(client),
            Event::GiveUp(client, turn) if self.clients[client].turn == turn => self.give_up(client),
            Event::Return(client, turn) if self.clients[client].turn == turn => self.give_back(client),
            Event::Look(..) | Event::GiveUp(..) | Event::Return(..) => {}
            Event::Vacated { slot, victim, client, turn, permit } => self.vacated(slot, victim, client, turn, permit),
            Event::Dialed { slot, key, conn, warm } => self.dialed(slot, key, conn, warm),
            Event::PermitEnds { client, slot, conn } => self.permit_ends(client, slot, conn),
            Event::Closed(slot, conn) => self.closed(slot, conn),
            Event::Pinged(slot, conn) => self.pinged(slot, conn),
            Event::Keeper(turn) if turn == self.keeper_turn => self.keeper(),
            Event::Keeper(_) => {}
            Event::Killer => self.killer(),
            Event::Outage(down) => self.outage(down),
            Event::Grants => self.grants(),
            Event::Settings => self.change_settings(),
        }
    }
}

fn settings(size: usize, max_overflow: usize, min_idle: usize) -> PoolSettings {
    PoolSettings {
        size,
        max_overflow,
        min_idle,
        checkout_timeout: CHECKOUT_TIMEOUT,
        max_lifetime: Duration::from_secs(120),
        idle_timeout: IdleTimeout::Auto,
        ping_after: PingAfter::Idle(Duration::from_secs(30)),
        reset_on_return: ResetOnReturn::Auto,
    }
}

fn plan(seed: u64, steps: usize) -> Plan {
    let mut random = Random(seed ^ 0x7469_6465);
    let size = 1 + random.below(20) as usize;
    let busy = random.one_in(2);
    Plan {
        seed,
        clients: 20 + random.below(100) as usize,
        settings: settings(size, random.below(12) as usize, random.below(4).min(size as u64 - 1) as usize),
        lag: Duration::from_millis(random.below(3) * 2),
        think: Duration::from_millis(if busy { 20 } else { 2_000 }),
        lease: Duration::from_millis(if busy { 10 } else { 100 }),
        outages: random.one_in(2),
        steps,
    }
}

/// 40 worlds, 2 million events in all; `POOL_SEEDS=from..to` runs others.
#[test]
fn the_pool_keeps_its_invariants_over_two_million_events() {
    let seeds = seeds();
    let (mut steps, mut served, mut late, mut full, worlds) = (0, 0, 0, 0, seeds.end - seeds.start);
    for seed in seeds {
        let mut world = World::new(plan(seed, 50_000));
        world.run();
        (steps, served) = (steps + world.steps, served + world.served);
        (late, full) = (late + world.late, full + world.full);
    }
    assert!(steps as u64 >= worlds * 50_000, "{steps}");
    assert!(served >= worlds * 5_000, "only {served} of {steps} events were leases");
    assert!(late >= worlds / 8, "only {late} waited for too long");
    assert!(full >= worlds, "only {full} logins were one too many");
}

fn seeds() -> std::ops::Range<u64> {
    let asked = std::env::var("POOL_SEEDS").unwrap_or_default();
    let (from, to) = asked.split_once("..").unwrap_or(("0", "40"));
    from.parse().expect("a number")..to.parse().expect("a number")
}
