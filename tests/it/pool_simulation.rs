//! The pool's core under virtual time: seeded clients, dials that fail or take long, servers that close, users with caps,
//! clients that time out or give up. Never above the bound, no connection in two hands, order of arrival, nobody forgotten,
//! every connection retired before its server's deadline.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::time::{Duration, Instant};

use tidegate::pool::core::{
    Core, Facts, GroupId, IdleId, Lane, Notice, PATIENCE, Place, PoolKey, Progress, SlotId, Taken,
    Use, WaiterId, Want,
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
    Waiting {
        id: WaiterId,
        place: Place,
        order: u64,
        arrived: Instant,
        noticed: bool,
        entered: u64,
        group: GroupId,
    },
    Leased {
        slot: SlotId,
        conn: Conn,
        offered: bool,
    },
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
    GiveUp(usize, u64, bool),
    Return(usize, u64),
    Vacated {
        slot: SlotId,
        victim: u64,
        client: usize,
        turn: u64,
        permit: bool,
    },
    Dialed {
        slot: SlotId,
        key: usize,
        conn: u64,
        warm: bool,
    },
    PermitEnds {
        client: usize,
        slot: SlotId,
        conn: u64,
    },
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
    steps: usize,
}

const USERS: usize = 6;

fn keys() -> Vec<(Key, Option<usize>)> {
    let key = |at: usize| {
        let cap = match at / 2 {
            1 => Some(2),
            2 => Some(5),
            _ => None,
        };
        (
            Key {
                user: format!("user{}", at / 2),
                flags: (at % 2) as u8,
            },
            cap,
        )
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
            self.clients.push(Client {
                key: skewed,
                group,
                permits,
                last: None,
                turn: 0,
                phase: Phase::Away,
            });
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
        self.events
            .push(Timed(self.now + wait, self.sequence, event));
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
        assert!(
            self.waiters.is_empty(),
            "seed {}: forgotten: {:?}",
            self.plan.seed,
            self.waiters.len()
        );
        assert_eq!(self.core.waiting(), 0);
        let occupancy = self.core.occupancy(self.now);
        let PoolSettings { size, min_idle, .. } = self.plan.settings;
        let kept = size.max(occupancy.leased);
        assert!(
            occupancy.open <= kept,
            "seed {}: {occupancy}",
            self.plan.seed
        );
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
        assert!(
            self.core.is_drained(),
            "seed {}: {}",
            self.plan.seed,
            self.core.occupancy(self.now)
        );
        assert_eq!(self.open.iter().sum::<usize>(), 0);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Act(client) => self.act(client),
            Event::Look(client, turn) if self.clients[client].turn == turn => self.look(client),
            Event::GiveUp(client, turn, late) if self.clients[client].turn == turn => {
                self.give_up(client, late)
            }
            Event::Return(client, turn) if self.clients[client].turn == turn => {
                self.give_back(client)
            }
            Event::Look(..) | Event::GiveUp(..) | Event::Return(..) => {}
            Event::Vacated {
                slot,
                victim,
                client,
                turn,
                permit,
            } => self.vacated(slot, victim, client, turn, permit),
            Event::Dialed {
                slot,
                key,
                conn,
                warm,
            } => self.dialed(slot, key, conn, warm),
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

    fn want(&mut self, client: usize, permit: Option<Use>) -> Want {
        let state = self.random.below(3);
        let Client {
            group,
            permits,
            last,
            ..
        } = self.clients[client];
        let group = if permit.is_some() { permits } else { group };
        Want {
            group,
            client: client as u64 + 1,
            state,
            home: (client % 2) as u16,
            last,
            permit,
        }
    }

    fn act(&mut self, client: usize) {
        if self.stopping || !matches!(self.clients[client].phase, Phase::Away) {
            return;
        }
        let permit = self.random.one_in(100).then_some(Use::Relayed);
        let want = self.want(client, permit);
        if permit.is_none()
            && let Some(taken) = self.core.try_take(&want, self.now)
        {
            return self.lease(client, taken);
        }
        self.order += 1;
        self.wait(client, want, None);
    }

    fn wait(&mut self, client: usize, want: Want, place: Option<(Place, u64, Instant)>) {
        let id = self
            .core
            .wait(want, place.map(|(place, ..)| place), self.now);
        let (place, order, arrived) = match place {
            Some(place) => place,
            None => (self.core.place(id).expect("it waits"), self.order, self.now),
        };
        assert!(
            self.waiters.insert(id, client).is_none(),
            "two waiters of one name"
        );
        let turn = self.turn(
            client,
            Phase::Waiting {
                id,
                place,
                order,
                arrived,
                noticed: false,
                entered: self.batch,
                group: want.group,
            },
        );
        if self.random.one_in(20) {
            let wait = self.random.span(self.plan.lease);
            self.after(wait, Event::GiveUp(client, turn, false));
        }
        self.after(Duration::from_secs(30), Event::GiveUp(client, turn, true));
    }

    fn turn(&mut self, client: usize, phase: Phase) -> u64 {
        self.clients[client].phase = phase;
        self.clients[client].turn += 1;
        self.clients[client].turn
    }

    fn look(&mut self, client: usize) {
        loop {
            let Phase::Waiting {
                id,
                place,
                order,
                arrived,
                ref mut noticed,
                ..
            } = self.clients[client].phase
            else {
                return;
            };
            *noticed = false;
            match self.core.poll(id, self.now) {
                Progress::Pending => return,
                Progress::Dial(slot, victim) => {
                    self.check_dial_order(client, order, arrived);
                    let turn = self.clients[client].turn;
                    self.vacate(slot, victim, client, turn, false);
                }
                Progress::Permit(slot, victim) => {
                    self.check_dial_order(client, order, arrived);
                    self.waiters.remove(&id);
                    let turn = self.turn(client, Phase::Permit);
                    return self.vacate(slot, victim, client, turn, true);
                }
                Progress::Ready(taken) => {
                    self.check_order(client, order, arrived, &taken);
                    self.waiters.remove(&id);
                    if self.backends[&taken.conn.0].alive {
                        return self.lease(client, taken);
                    }
                    self.core
                        .retire(taken.slot, RetireReason::PingFailed, self.now);
                    self.after(
                        Duration::from_millis(1),
                        Event::Closed(taken.slot, taken.conn.0),
                    );
                    self.entered(taken.conn.0, false);
                    let want = self.want(client, None);
                    return self.wait(client, want, Some((place, order, arrived)));
                }
                Progress::Closed => {
                    self.waiters.remove(&id);
                    self.turn(client, Phase::Away);
                    return;
                }
            }
        }
    }

    fn lease(&mut self, client: usize, taken: Taken<Conn>) {
        let backend = self.backends.get_mut(&taken.conn.0).expect("known");
        let silent = self.now - backend.last;
        assert!(
            silent < backend.wait_timeout,
            "handed out after {silent:?} of {:?}",
            backend.wait_timeout
        );
        assert!(
            taken.dies_at + self.plan.lag >= self.now,
            "handed out past its lifetime"
        );
        assert_eq!(
            backend.user,
            self.clients[client].key / 2,
            "another user's connection"
        );
        assert!(backend.pooled, "connection {} in two hands", taken.conn.0);
        (backend.used, backend.pooled, backend.last) = (true, false, self.now);
        self.served += 1;
        self.clients[client].last = Some(taken.slot);
        let offered = self.random.one_in(6);
        let slot = taken.slot;
        let turn = self.turn(
            client,
            Phase::Leased {
                slot,
                conn: taken.conn,
                offered,
            },
        );
        if offered {
            self.core.offer(slot, self.now);
        }
        if !(offered && (self.stopping || self.random.one_in(2))) {
            let wait = self.random.span(self.plan.lease);
            self.after(wait, Event::Return(client, turn));
        } else {
            self.after(Duration::from_secs(300), Event::Return(client, turn));
        }
    }

    fn give_back(&mut self, client: usize) {
        let Phase::Leased {
            slot,
            conn,
            offered,
        } = std::mem::replace(&mut self.clients[client].phase, Phase::Away)
        else {
            return;
        };
        self.clients[client].turn += 1;
        if offered && self.random.one_in(4) {
            self.core.keep(slot, self.now);
        }
        let backend = self.backends.get_mut(&conn.0).expect("known");
        if backend.alive && !self.random.one_in(8) {
            backend.last = self.now;
        }
        backend.late = self.now - backend.last + Duration::from_millis(200) >= backend.wait_timeout;
        let (alive, last, state) = (backend.alive, backend.last, self.random.below(3));
        match self.random.below(200) {
            0 => self.core.abandon(slot, conn, self.now),
            1 => self.retire(slot, conn),
            _ if !alive => self.retire(slot, conn),
            _ => {
                self.entered(conn.0, true);
                self.core.release(slot, conn, state, last, self.now);
            }
        }
        let wait = self.random.span(self.plan.think);
        self.after(wait, Event::Act(client));
    }

    fn retire(&mut self, slot: SlotId, conn: Conn) {
        self.core.retire(slot, RetireReason::Broken, self.now);
        let wait = self.random.span(Duration::from_millis(2));
        self.after(wait, Event::Closed(slot, conn.0));
    }

    fn give_up(&mut self, client: usize, late: bool) {
        let Phase::Waiting { id, .. } = self.clients[client].phase else {
            return;
        };
        if self.stopping {
            // From here on nobody gives up: whoever waits must be served.
            return;
        }
        if late {
            self.core.exhausted(id, self.now);
        }
        self.core.cancel(id, self.now);
        self.waiters.remove(&id);
        self.turn(client, Phase::Away);
        let wait = self.random.span(self.plan.think);
        self.after(wait, Event::Act(client));
    }

    fn vacate(
        &mut self,
        slot: SlotId,
        victim: Option<Conn>,
        client: usize,
        turn: u64,
        permit: bool,
    ) {
        let Some(victim) = victim else {
            return self.vacated(slot, 0, client, turn, permit);
        };
        self.entered(victim.0, false);
        let wait = self.random.span(Duration::from_millis(1));
        self.after(
            wait,
            Event::Vacated {
                slot,
                victim: victim.0,
                client,
                turn,
                permit,
            },
        );
    }

    fn vacated(&mut self, slot: SlotId, victim: u64, client: usize, _turn: u64, permit: bool) {
        if victim != 0 {
            self.gone(victim);
            self.core.vacated(slot, self.now);
        }
        let key = self.clients[client].key;
        let conn = self.dial(key);
        let wait = self.random.span(Duration::from_millis(5));
        match permit {
            false => self.after(
                wait,
                Event::Dialed {
                    slot,
                    key,
                    conn,
                    warm: false,
                },
            ),
            true => {
                let stay = self.random.span(Duration::from_secs(2));
                self.after(wait + stay, Event::PermitEnds { client, slot, conn });
            }
        }
    }

    fn dial(&mut self, key: usize) -> u64 {
        self.next_conn += 1;
        let wait_timeout = Duration::from_secs([2, 5, 30, 300][self.random.below(4) as usize]);
        let backend = Backend {
            user: key / 2,
            last: self.now,
            wait_timeout,
            alive: true,
            used: false,
            pooled: false,
            late: false,
            watch: None,
        };
        self.backends.insert(self.next_conn, backend);
        self.open[key / 2] += 1;
        self.next_conn
    }

    fn dialed(&mut self, slot: SlotId, key: usize, conn: u64, warm: bool) {
        let random = self.random.next();
        let fails = !self.up || !warm && self.random.one_in(60);
        if fails || self.random.one_in(100) {
            self.gone(conn);
            return match fails {
                true => self.core.dial_failed(slot, !self.up, random, self.now),
                false => self.core.free(slot, self.now),
            };
        }
        let backend = self.backends.get_mut(&conn).expect("known");
        (backend.last, backend.pooled) = (self.now, true);
        let facts = Facts {
            wait_timeout: Some(backend.wait_timeout),
            state: 0,
            home: (key % 2) as u16,
        };
        self.core
            .connected(slot, Conn(conn), facts, random, self.now);
    }

    fn permit_ends(&mut self, client: usize, slot: SlotId, conn: u64) {
        if self.random.one_in(2) && !self.stopping {
            let wait_timeout = self.backends[&conn].wait_timeout;
            let facts = Facts {
                wait_timeout: Some(wait_timeout),
                state: 0,
                home: 0,
            };
            let want = self.want(client, None);
            let random = self.random.next();
            self.core.adopt(slot, &want, facts, random, self.now);
            self.entered(conn, true);
            let dies_at = self.core.dies_at(slot);
            self.backends.get_mut(&conn).expect("known").last = self.now;
            let taken = Taken {
                conn: Conn(conn),
                slot,
                own: false,
                state: 0,
                silent_since: self.now,
                dies_at,
            };
            return self.lease(client, taken);
        }
        self.gone(conn);
        self.core.free(slot, self.now);
        self.turn(client, Phase::Away);
        let wait = self.random.span(self.plan.think);
        self.after(wait, Event::Act(client));
    }

    fn closed(&mut self, slot: SlotId, conn: u64) {
        self.gone(conn);
        self.core.free(slot, self.now);
    }

    fn pinged(&mut self, slot: SlotId, conn: Conn) {
        let backend = self.backends.get_mut(&conn.0).expect("known");
        if backend.alive {
            backend.last = self.now;
            self.entered(conn.0, true);
            return self.core.put_back(slot, conn, Some(self.now), self.now);
        }
        self.core.discard(slot, RetireReason::PingFailed, self.now);
        self.after(Duration::from_millis(1), Event::Closed(slot, conn.0));
    }

    fn entered(&mut self, conn: u64, pooled: bool) {
        let backend = self.backends.get_mut(&conn).expect("known");
        (backend.pooled, backend.watch) = (pooled, None);
    }

    /// The server has it no more.
    fn gone(&mut self, conn: u64) {
        if let Some(backend) = self.backends.remove(&conn)
            && backend.alive
        {
            self.open[backend.user] -= 1;
        }
    }

    fn keeper(&mut self) {
        self.keeper_turn += 1;
        self.keeper_at = None;
        let (chores, next) = self.core.chores(self.now, |conn| Some(conn.0));
        for chore in chores {
            self.chore(chore);
        }
        if let Some(at) = next {
            assert!(
                at > self.now,
                "seed {}: the keeper would spin",
                self.plan.seed
            );
            self.keeper_at = Some(at);
            self.after(at - self.now, Event::Keeper(self.keeper_turn));
        }
    }

    fn chore(&mut self, chore: Chore<Key, Conn, u64>) {
        match chore {
            Chore::Close(slot, conn, _) => {
                self.entered(conn.0, false);
                let wait = self.random.span(Duration::from_millis(2));
                self.after(wait, Event::Closed(slot, conn.0));
            }
            Chore::Ping(slot, conn) => {
                self.entered(conn.0, false);
                self.after(Duration::from_millis(1), Event::Pinged(slot, conn));
            }
            Chore::Warm(slot, key) => {
                let key = self
                    .keys
                    .iter()
                    .position(|(known, _)| *known == key)
                    .expect("a known key");
                let conn = self.dial(key);
                self.after(
                    Duration::from_millis(3),
                    Event::Dialed {
                        slot,
                        key,
                        conn,
                        warm: true,
                    },
                );
            }
            Chore::Watch(id, conn) => self.watch(id, conn),
        }
    }

    fn watch(&mut self, id: IdleId, conn: u64) {
        let backend = self.backends.get_mut(&conn).expect("known");
        assert!(backend.pooled, "watched although it is in use");
        backend.watch = Some(id);
        if !backend.alive {
            self.noticed_closed(id);
        }
    }

    fn noticed_closed(&mut self, id: IdleId) {
        if let Some((slot, conn)) = self.core.remove_idle(id) {
            self.core
                .discard(slot, RetireReason::ServerClosed, self.now);
            self.entered(conn.0, false);
            self.after(Duration::from_millis(1), Event::Closed(slot, conn.0));
        }
    }

    /// The server closes one connection.
    fn killer(&mut self) {
        let count = self.backends.len() as u64;
        let unlucky = (count > 0).then(|| self.random.below(count) as usize);
        let mut ids: Vec<u64> = self.backends.keys().copied().collect();
        ids.sort_unstable();
        if let Some(&conn) = unlucky.and_then(|at| ids.get(at)) {
            self.kill(conn);
        }
        if !self.stopping {
            let wait = self.random.span(Duration::from_secs(2));
            self.after(wait, Event::Killer);
        }
    }

    fn kill(&mut self, conn: u64) {
        let backend = self.backends.get_mut(&conn).expect("known");
        if !std::mem::replace(&mut backend.alive, false) {
            return;
        }
        self.open[backend.user] -= 1;
        if let Some(id) = backend.watch {
            self.noticed_closed(id);
        }
    }

    fn outage(&mut self, down: bool) {
        self.up = !down || self.stopping;
        let mut ids: Vec<u64> = self.backends.keys().copied().collect();
        ids.sort_unstable();
        if down {
            ids.into_iter().for_each(|conn| self.kill(conn));
        }
        let wait = self
            .random
            .span(Duration::from_secs(if down { 4 } else { 30 }));
        if !self.stopping {
            self.after(wait, Event::Outage(!down));
        }
    }

    fn grants(&mut self) {
        let user = self.random.below(USERS as u64);
        self.core.retire_account(&format!("user{user}"), self.now);
        if !self.stopping {
            self.after(Duration::from_secs(40), Event::Grants);
        }
    }

    fn change_settings(&mut self) {
        if self.stopping {
            return;
        }
        let mut settings = self.plan.settings.clone();
        settings.size = settings
            .size
            .saturating_sub(self.random.below(3) as usize)
            .max(1);
        self.bound_before = self.core.settings().bound().max(self.bound_before);
        self.core.reconfigure(settings, self.now);
        self.after(Duration::from_secs(60), Event::Settings);
    }

    fn drain_notices(&mut self) {
        loop {
            let notices: Vec<Notice> = self.core.notices().collect();
            if notices.is_empty() {
                return;
            }
            self.batch += 1;
            for notice in notices {
                self.told(notice);
            }
        }
    }

    fn told(&mut self, notice: Notice) {
        match notice {
            Notice::Keeper => {
                let at = self.now + self.plan.lag;
                if self.keeper_at.is_none_or(|armed| at < armed) {
                    self.keeper_turn += 1;
                    self.keeper_at = Some(at);
                    self.after(self.plan.lag, Event::Keeper(self.keeper_turn));
                }
            }
            Notice::Waiter(id) => {
                let Some(&client) = self.waiters.get(&id) else {
                    return;
                };
                if let Phase::Waiting { noticed, .. } = &mut self.clients[client].phase {
                    *noticed = true;
                }
                if self.plan.lag.is_zero() {
                    return self.look(client);
                }
                let wait = self.random.span(self.plan.lag);
                let turn = self.clients[client].turn;
                self.after(wait, Event::Look(client, turn));
            }
            Notice::Asked(slot) => {
                let holder = |client: &Client| matches!(client.phase, Phase::Leased { slot: held, .. } if held == slot);
                let Some(client) = self.clients.iter().position(holder) else {
                    return;
                };
                let turn = self.clients[client].turn;
                self.after(Duration::from_millis(1), Event::Return(client, turn));
            }
        }
    }

    fn check(&mut self) {
        let bound = self.bound_before.max(self.core.settings().bound());
        assert!(self.core.open() <= bound, "above the bound");
        assert!(
            self.open.iter().sum::<usize>() <= self.core.open(),
            "a server connection without a permit"
        );
        for (user, cap) in [(1, 2), (2, 5)] {
            assert!(
                self.open[user] <= cap,
                "seed {}: user{user} has {}",
                self.plan.seed,
                self.open[user]
            );
        }
        if self.steps.is_multiple_of(64) {
            self.core.audit(self.now).unwrap_or_else(|fault| {
                panic!("seed {}, step {}: {fault}", self.plan.seed, self.steps)
            });
            self.check_waiters();
            self.check_deadlines();
        }
    }

    /// Whoever waits is in the queue, or has been told that it no longer needs to be.
    fn check_waiters(&self) {
        let untold =
            |client: &&Client| matches!(client.phase, Phase::Waiting { noticed: false, .. });
        let untold = self.clients.iter().filter(untold).count();
        assert!(
            untold <= self.core.waiting(),
            "{untold} wait in vain, {} are known",
            self.core.waiting()
        );
    }

    fn check_deadlines(&self) {
        for (id, backend) in self
            .backends
            .iter()
            .filter(|(_, backend)| backend.pooled && backend.alive && !backend.late)
        {
            let silent = self.now - backend.last;
            assert!(
                silent < backend.wait_timeout,
                "connection {id} silent for {silent:?} of {:?}",
                backend.wait_timeout
            );
        }
    }

    /// Nobody of the same key came earlier, nobody of another key much earlier.
    fn check_order(&self, client: usize, order: u64, arrived: Instant, taken: &Taken<Conn>) {
        if !self.plan.lag.is_zero() {
            return;
        }
        let fresh = !self.backends[&taken.conn.0].used;
        for other in self.others(client, order) {
            let Phase::Waiting {
                id,
                arrived: before,
                group,
                ..
            } = other.phase
            else {
                continue;
            };
            assert!(
                group != self.clients[client].group,
                "seed {}: overtaken within a key",
                self.plan.seed
            );
            let overtaken =
                before + PATIENCE < arrived && !fresh && self.core.could_dial(id, self.now);
            assert!(
                !overtaken,
                "seed {}: overtaken by {:?}",
                self.plan.seed,
                arrived - before
            );
        }
    }

    fn check_dial_order(&self, client: usize, order: u64, _arrived: Instant) {
        if !self.plan.lag.is_zero() {
            return;
        }
        for other in self.others(client, order) {
            let Phase::Waiting { id, .. } = other.phase else {
                continue;
            };
            assert!(
                !self.core.could_dial(id, self.now),
                "seed {}: a dial for a later one",
                self.plan.seed
            );
        }
    }

    /// Those who came before, in the same lane, and have not been told of anything.
    fn others(&self, client: usize, order: u64) -> impl Iterator<Item = &Client> {
        let batch = self.batch;
        let earlier = move |other: &&Client| match other.phase {
            Phase::Waiting {
                order: before,
                noticed,
                entered,
                ..
            } => before < order && !noticed && entered < batch,
            _ => false,
        };
        self.clients
            .iter()
            .enumerate()
            .filter(move |(at, _)| *at != client)
            .map(|(_, other)| other)
            .filter(earlier)
    }
}

fn settings(size: usize, max_overflow: usize, min_idle: usize) -> PoolSettings {
    PoolSettings {
        size,
        max_overflow,
        min_idle,
        checkout_timeout: Duration::from_secs(30),
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
        settings: settings(
            size,
            random.below(12) as usize,
            random.below(4).min(size as u64 - 1) as usize,
        ),
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
    let (mut steps, mut served, worlds) = (0, 0, seeds.end - seeds.start);
    for seed in seeds {
        let mut world = World::new(plan(seed, 50_000));
        world.run();
        (steps, served) = (steps + world.steps, served + world.served);
    }
    assert!(steps as u64 >= worlds * 50_000, "{steps}");
    assert!(
        served >= worlds * 5_000,
        "only {served} of {steps} events were leases"
    );
}

fn seeds() -> std::ops::Range<u64> {
    let asked = std::env::var("POOL_SEEDS").unwrap_or_default();
    let (from, to) = asked.split_once("..").unwrap_or(("0", "40"));
    from.parse().expect("a number")..to.parse().expect("a number")
}
