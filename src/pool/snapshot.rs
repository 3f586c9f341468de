//! What can be seen of the pool: counters, who holds what, and why a checkout had to wait in vain.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::core::{Core, Lane, PoolKey, Use};
use super::fate::RetireReason;
use super::pins::PinSum;
use super::table::{Hold, Slot, Status};

/// What has happened since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections handed out.
    pub checkouts: u64,
    /// .. to the client that had it last: nothing to restore.
    pub own: u64,
    /// .. to another client that needs the very state it was left in.
    pub equal: u64,
    /// .. to another client, with a difference to restore.
    pub different: u64,
    /// Requests that were not served at once.
    pub waited: u64,
    /// Requests that timed out.
    pub timeouts: u64,
    /// Leases asked back because somebody waited.
    pub asked: u64,
    /// Connections dialed for the pool.
    pub dialed: u64,
    /// Dials that failed.
    pub dial_failures: u64,
    /// Connections that were found dead before a client met them.
    pub stale_prevented: u64,
    /// Connections that were pinged when they came back.
    pub pinged: u64,
    /// Connections that were reset when they came back.
    pub reset: u64,
    retired: [u64; RetireReason::ALL.len()],
}

impl Counters {
    /// How many connections were closed for this reason.
    pub fn retired_for(&self, reason: RetireReason) -> u64 {
        self.retired[reason as usize]
    }

    pub(super) fn retired(&mut self, reason: RetireReason) {
        self.retired[reason as usize] += 1;
        self.stale_prevented += u64::from(reason.is_stale());
    }

    pub(super) fn checkout(&mut self, own: bool, equal: bool) {
        self.checkouts += 1;
        match (own, equal) {
            (true, _) => self.own += 1,
            (false, true) => self.equal += 1,
            (false, false) => self.different += 1,
        }
    }
}

/// One key's part of the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse<K> {
    /// The key.
    pub key: K,
    /// Clients that are logged in with it.
    pub clients: usize,
    /// Permits in use.
    pub open: usize,
    /// Idle connections.
    pub idle: usize,
    /// Clients that wait.
    pub waiting: usize,
    /// The most permits of its user, over all keys; `None`: as many as the pool has.
    pub cap: Option<usize>,
}

/// Who has held a connection for longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The client.
    pub client: u64,
    /// What for.
    pub label: &'static str,
    /// How long.
    pub held: Duration,
}

/// How the permits are used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// `size + max_overflow`.
    pub bound: usize,
    /// Permits in use: never above the bound, but after the bound was made smaller.
    pub open: usize,
    /// Idle connections.
    pub idle: usize,
    /// Connections with a client.
    pub leased: usize,
    /// .. by what they are held for.
    pub by_label: BTreeMap<&'static str, usize>,
    /// .. that are given up when another client waits.
    pub revocable: usize,
    /// Dials under way.
    pub dialing: usize,
    /// Clients' own connections, whose login was relayed.
    pub relayed: usize,
    /// Replication streams.
    pub replication: usize,
    /// Logins that verify a password.
    pub verification: usize,
    /// Connections that are being checked.
    pub checking: usize,
    /// Connections that are being closed.
    pub closing: usize,
    /// Clients that wait.
    pub waiting: usize,
    /// The oldest lease.
    pub oldest: Option<Holder>,
}

/// The pool at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot<K> {
    /// Connections that are kept.
    pub size: usize,
    /// Connections on top, for peaks.
    pub max_overflow: usize,
    /// How the permits are used.
    pub occupancy: Occupancy,
    /// The most permits that were in use at once, since the start.
    pub most_open: usize,
    /// Each key's part.
    pub keys: Vec<KeyUse<K>>,
    /// What has happened.
    pub counters: Counters,
    /// The age of the oldest connection.
    pub oldest_connection: Option<Duration>,
    /// The longest time that an idle connection's server has been silent.
    pub longest_idle: Option<Duration>,
    /// The shortest time that an idle connection's server has been silent: so fresh is the proof that it is well.
    pub last_heard: Option<Duration>,
    /// Rounds of dials that failed in a row; 0: the backend is well.
    pub failed_rounds: u32,
    /// Nobody gets a connection.
    pub paused: bool,
    /// What connections have been kept for, since the start.
    pub pins: Vec<PinSum>,
}

/// Why a checkout timed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exhausted {
    /// How long it waited.
    pub waited: Duration,
    /// How the permits were used.
    pub occupancy: Occupancy,
    /// The user's own cap, if that was what it waited for.
    pub cap: Option<usize>,
    /// The backend could not be reached.
    pub backend_down: bool,
    /// The pool is paused.
    pub paused: bool,
}

impl<K: PoolKey, C> Core<K, C> {
    /// The pool now.
    pub fn snapshot(&self, now: Instant) -> Snapshot<K> {
        let pooled = self.table.slots.iter().filter(|slot| matches!(slot.status, Status::Idle | Status::Leased(_)));
        let idle = self.table.slots.iter().filter(|slot| slot.status == Status::Idle);
        Snapshot {
            size: self.settings.size,
            max_overflow: self.settings.max_overflow,
            occupancy: self.occupancy(now),
            most_open: self.table.most_open(),
            keys: self.keys(),
            counters: self.counters,
            oldest_connection: pooled.map(|slot| Self::age(now, slot.born)).max(),
            longest_idle: idle.clone().map(|slot| Self::age(now, slot.since)).max(),
            last_heard: idle.map(|slot| Self::age(now, slot.since)).min(),
            failed_rounds: self.backoff.failures(),
            paused: self.paused,
            pins: self.pins.all().to_vec(),
        }
    }

    /// A waiter's time is over: counts it and says why it was not served.
    pub fn exhausted(&mut self, id: super::core::WaiterId, now: Instant) -> Exhausted {
        self.counters.timeouts += 1;
        let waiter = self.queue.get(id.0);
        let account = waiter.map(|waiter| self.table.account_of(waiter.want.group));
        Exhausted {
            waited: waiter.map_or(Duration::ZERO, |waiter| Self::age(now, waiter.arrived)),
            occupancy: self.occupancy(now),
            cap: account
                .filter(|account| account.slots + account.leaving >= account.most())
                .map(|account| account.most()),
            backend_down: self.backoff.failures() > 0,
            paused: self.paused,
        }
    }

    /// How the permits are used now.
    pub fn occupancy(&self, now: Instant) -> Occupancy {
        let mut occupancy = Occupancy {
            bound: self.settings.bound(),
            open: self.table.open(),
            waiting: self.queue.waiting(),
            ..Occupancy::default()
        };
        for slot in &self.table.slots {
            occupancy.add(slot, now);
        }
        occupancy
    }

    fn keys(&self) -> Vec<KeyUse<K>> {
        let pooled = self.table.groups.iter().filter(|group| group.lane == Lane::Pooled);
        let part = |group: &super::table::Group<K>| {
            Some(KeyUse {
                key: group.key.clone()?,
                clients: group.members,
                open: group.slots,
                idle: group.idle.len(),
                waiting: group.queue.len(),
                cap: Some(self.table.accounts[group.account as usize].cap).filter(|&cap| cap != usize::MAX),
            })
        };
        pooled.filter_map(part).collect()
    }
}

impl Occupancy {
    fn add<C>(&mut self, slot: &Slot<C>, now: Instant) {
        match slot.status {
            Status::Free => {}
            Status::Idle => self.idle += 1,
            Status::Granted => self.checking += 1,
            Status::Leased(hold) => self.add_lease(slot, hold, now),
            Status::Held(Use::Dial | Use::Warm) => self.dialing += 1,
            Status::Held(Use::Check) => self.checking += 1,
            Status::Held(Use::Relayed) => self.relayed += 1,
            Status::Held(Use::Replication) => self.replication += 1,
            Status::Held(Use::Verification) => self.verification += 1,
            Status::Held(Use::Closing) => self.closing += 1,
        }
    }

    fn add_lease<C>(&mut self, slot: &Slot<C>, hold: Hold, now: Instant) {
        self.leased += 1;
        self.revocable += usize::from(hold != Hold::Firm);
        *self.by_label.entry(slot.label).or_default() += 1;
        let held = now.saturating_duration_since(slot.since);
        if self.oldest.is_none_or(|oldest| held > oldest.held) {
            self.oldest = Some(Holder { client: slot.client, label: slot.label, held });
        }
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "waited {:.1} s for a backend connection: ", self.waited.as_secs_f64())?;
        match self.cap {
            _ if self.paused => f.write_str("tidegate is paused; ")?,
            _ if self.backend_down => f.write_str("the backend cannot be reached; ")?,
            Some(cap) => write!(f, "the user has its {cap}; ")?,
            None => {}
        }
        self.occupancy.fmt(f)
    }
}

impl fmt::Display for Occupancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} connections in use ({} leased", self.open, self.bound, self.leased)?;
        for (at, (label, count)) in self.by_label.iter().enumerate() {
            write!(f, "{}{label} {count}", if at == 0 { ": " } else { ", " })?;
        }
        let others = [
            ("idle", self.idle),
            ("dialing", self.dialing),
            ("relayed", self.relayed),
            ("replication", self.replication),
            ("verification", self.verification),
            ("checking", self.checking),
            ("closing", self.closing),
        ];
        for (name, count) in others.into_iter().filter(|&(_, count)| count > 0) {
            write!(f, "; {count} {name}")?;
        }
        write!(f, "), {} waiting", self.waiting)?;
        if let Some(oldest) = self.oldest {
            write!(
                f,
                "; client {} has held one for {:.1} s ({})",
                oldest.client,
                oldest.held.as_secs_f64(),
                oldest.label
            )?;
        }
        Ok(())
    }
}
