//! What the clients do.

use super::{Client, Conn, Event, Phase, Purpose, World, nanos};
use crate::commands::simulate::load::{Hold, Script, Step};
use crate::pool::core::{Facts, Lane, Progress, SlotId, Taken, Use, Want};
use crate::pool::fate::{Condition, Fate, Outlook, RetireReason, fate};

/// The state of a connection that was dialed or reset: no client's.
const FRESH: u64 = u64::MAX;

impl Client {
    pub(super) fn new(number: usize, script: &Script) -> Client {
        Client {
            script: number,
            step: 0,
            group: None,
            permits: None,
            last: None,
            phase: Phase::Away,
            purpose: Purpose::Login,
            turn: 0,
            asked: 0,
            queue: 0,
            state: script.steps.first().map_or(0, |step| u64::from(step.state)),
        }
    }
}

impl World<'_> {
    /// A client's backend is its own, or the pool's for as long as it stays.
    fn keeps_one(&self, client: usize) -> bool {
        self.is_session() || self.script(client).is_own
    }

    pub(super) fn comes(&mut self, client: usize) {
        let script = self.script(client);
        let (key, cap) = (&self.load.keys[script.key], self.caps[script.key]);
        let now = self.instant();
        self.clients[client].group = Some(self.core.join(key, Lane::Pooled, cap, now));
        match script.login {
            Some(own) => self.after(own, Event::Wants(client)),
            None if self.keeps_one(client) => self.wants(client),
            // It was there before, with no backend.
            None => self.next(client),
        }
    }

    /// The next command, or the end.
    fn next(&mut self, client: usize) {
        self.next_after(client, 0);
    }

    fn next_after(&mut self, client: usize, wait: u64) {
        let (script, at) = (self.script(client), self.clients[client].step);
        match script.steps.get(at) {
            Some(step) => {
                self.clients[client].purpose = Purpose::Command;
                self.after(wait + step.think, Event::Wants(client));
            }
            None => match script.leaves {
                Some(leaves) => self.after(wait + leaves, Event::Leaves(client)),
                // It stays, with what it has.
                None => self.left -= 1,
            },
        }
    }

    pub(super) fn wants(&mut self, client: usize) {
        self.clients[client].asked = self.now;
        if let Some(step) = self.local_step(client) {
            return self.answered(client, step.rest);
        }
        if let Phase::Leased { slot, offered } = self.clients[client].phase {
            if offered {
                self.clients[client].phase = Phase::Leased { slot, offered: false };
                // An answer to whoever asked for it comes too late.
                self.clients[client].turn += 1;
                self.core.keep(slot, self.instant());
            }
            return self.serve(client, 0);
        }
        let want = self.want(client, false);
        let now = self.instant();
        if !self.script(client).is_own
            && let Some(taken) = self.core.try_take(&want, now)
        {
            return self.taken(client, taken);
        }
        self.wait(client);
    }

    /// The command that comes now, if it needs no backend.
    fn local_step(&self, client: usize) -> Option<Step> {
        let step = self.script(client).steps.get(self.clients[client].step)?;
        (self.clients[client].purpose == Purpose::Command && step.is_local).then_some(*step)
    }

    /// tidegate has answered by itself: the client goes on, with what it has.
    fn answered(&mut self, client: usize, took: u64) {
        self.outcome.latencies.command(0, took);
        self.clients[client].step += 1;
        self.next_after(client, took);
    }

    fn want(&self, client: usize, permit: bool) -> Want {
        let Client { group, permits, last, state, .. } = self.clients[client];
        let group = if permit { permits.or(group) } else { group };
        let Some(group) = group else { unreachable!("a client that wants something has joined") };
        let permit = permit.then_some(Use::Relayed);
        Want { group, client: client as u64 + 1, state, home: 0, last, permit }
    }

    fn wait(&mut self, client: usize) {
        let now = self.instant();
        let permit = self.keeps_one(client);
        if permit {
            let key = self.script(client).key;
            self.clients[client].permits =
                Some(self.core.join(&self.load.keys[key], Lane::Permits, self.caps[key], now));
        }
        let want = self.want(client, permit);
        let id = self.core.wait(want, None, now);
        self.waiters.insert(id, client);
        self.clients[client].phase = Phase::Waiting(id);
        self.look(client);
    }

    /// What became of its wait.
    pub(super) fn look(&mut self, client: usize) {
        loop {
            let Phase::Waiting(id) = self.clients[client].phase else { return };
            match self.core.poll(id, self.instant()) {
                Progress::Pending => return,
                Progress::Dial(slot, victim) => self.vacate(slot, victim.is_some(), client, false),
                Progress::Ready(taken) => {
                    self.waiters.remove(&id);
                    return self.taken(client, taken);
                }
                Progress::Permit(slot, victim) => {
                    self.waiters.remove(&id);
                    self.clients[client].phase = Phase::Dialing;
                    self.clients[client].queue = self.now - self.clients[client].asked;
                    return self.vacate(slot, victim.is_some(), client, true);
                }
                Progress::Late | Progress::Closed => {
                    self.waiters.remove(&id);
                    let _ = self.core.exhausted(id, self.instant());
                    self.core.cancel(id, self.instant());
                    return self.late(client);
                }
            }
        }
    }

    /// It got no backend in time: an error, and it goes on; without a login it cannot.
    fn late(&mut self, client: usize) {
        self.clients[client].phase = Phase::Away;
        let waited = self.now - self.clients[client].asked;
        if self.clients[client].purpose == Purpose::Login {
            self.outcome.latencies.login(waited);
            self.outcome.refused += 1;
            return self.gone(client);
        }
        self.outcome.latencies.command(waited, waited);
        self.outcome.waited += 1;
        self.outcome.timeouts += 1;
        self.clients[client].step += 1;
        self.next(client);
    }

    /// It has one of the pool.
    fn taken(&mut self, client: usize, taken: Taken<Conn>) {
        let now = self.instant();
        let mut brings = 0;
        if self.setting.pool.ping_due(now.saturating_duration_since(taken.silent_since)) {
            brings += self.load.costs.way;
        }
        let random = self.random();
        if self.is_session() {
            // It is made this client's by a change of user.
            brings += self.load.costs.clean.pick(random);
        } else if taken.state != self.clients[client].state {
            brings += self.load.costs.restore.pick(random);
        }
        self.lease(client, taken.slot);
        self.clients[client].queue = self.now - self.clients[client].asked;
        self.serve(client, brings);
    }

    pub(super) fn lease(&mut self, client: usize, slot: SlotId) {
        self.used += 1;
        self.clients[client].last = Some(slot);
        self.clients[client].phase = Phase::Leased { slot, offered: false };
        self.holders.insert(slot, client);
    }

    /// A connection that it dialed itself.
    pub(super) fn own_dialed(&mut self, slot: SlotId, client: usize) {
        let (now, random) = (self.instant(), self.random());
        if let Some(permits) = self.clients[client].permits.take() {
            self.core.leave(permits);
        }
        let facts = Facts { wait_timeout: Some(self.load.costs.wait_timeout), state: FRESH, home: 0 };
        let want = self.want(client, false);
        self.core.adopt(slot, &want, facts, random, now);
        self.lease(client, slot);
        self.serve(client, 0);
    }

    /// It has a backend, and uses it. `brings`: what it takes to bring its state there.
    fn serve(&mut self, client: usize, brings: u64) {
        let script = self.script(client);
        let mut takes = match self.clients[client].purpose {
            // Where it keeps the backend, a login is what brought it.
            Purpose::Login if self.keeps_one(client) => 0,
            Purpose::Login => script.login_backend,
            Purpose::Command => script.steps.get(self.clients[client].step).map_or(0, |step| step.service()),
        };
        if self.now >= self.next_slow
            && self.clients[client].purpose == Purpose::Command
            && let Some(slow) = self.slow
        {
            takes += nanos(slow.longer);
            self.next_slow = self.now + nanos(slow.every);
        }
        self.clients[client].turn += 1;
        let turn = self.clients[client].turn;
        self.after(brings + takes, Event::Done(client, turn));
    }

    pub(super) fn done(&mut self, client: usize) {
        let Client { purpose, queue, asked, step, .. } = self.clients[client];
        self.clients[client].queue = 0;
        let mut hold = Hold::Free;
        match purpose {
            Purpose::Login if self.script(client).login.is_some() => self.outcome.latencies.login(queue),
            Purpose::Login => {}
            Purpose::Command => {
                let done = &self.script(client).steps[step];
                hold = done.hold;
                self.clients[client].state = u64::from(done.state);
                self.clients[client].step += 1;
                self.outcome.latencies.command(queue, self.now - asked);
                self.outcome.waited += u64::from(queue > 0);
            }
        }
        if !self.keeps_one(client) {
            match hold {
                Hold::Free => self.give_back(client),
                Hold::UntilWanted => self.offer(client),
                Hold::Pinned => {}
            }
        }
        self.next(client);
    }

    fn offer(&mut self, client: usize) {
        if let Phase::Leased { slot, .. } = self.clients[client].phase {
            self.clients[client].phase = Phase::Leased { slot, offered: true };
            self.core.offer(slot, self.instant());
        }
    }

    /// Its backend goes to whoever needs it.
    pub(super) fn give_back(&mut self, client: usize) {
        let state = self.clients[client].state;
        self.release(client, state);
    }

    fn release(&mut self, client: usize, state: u64) {
        let Some(slot) = self.let_go(client) else { return };
        let now = self.instant();
        self.core.release(slot, Conn, state, now, now);
    }

    fn let_go(&mut self, client: usize) -> Option<SlotId> {
        let Phase::Leased { slot, .. } = self.clients[client].phase else { return None };
        self.clients[client].phase = Phase::Away;
        self.used -= 1;
        self.holders.remove(&slot);
        Some(slot)
    }

    /// What it leaves open is cleaned up, if the pool has further use for the connection at all.
    pub(super) fn leaves(&mut self, client: usize) {
        let Phase::Leased { slot, offered } = self.clients[client].phase else { return self.gone(client) };
        if offered {
            self.give_back(client);
            return self.gone(client);
        }
        let now = self.instant();
        let outlook = Outlook { now, dies_at: self.core.dies_at(slot), doomed: self.core.doom(slot) };
        let decided = match self.script(client).is_own {
            true => Fate::Retire(RetireReason::Unclean),
            false => fate(Condition::Dirty, outlook, self.setting.pool.reset_on_return),
        };
        self.core.count_fate(decided);
        let random = self.random();
        match decided {
            Fate::Retire(reason) => {
                self.let_go(client);
                self.core.retire(slot, reason, now);
                self.after(self.load.costs.close.pick(random), Event::Closed(slot));
                self.gone(client);
            }
            Fate::Keep | Fate::Ping | Fate::Reset(_) => {
                self.after(self.load.costs.clean.pick(random), Event::Cleaned(client));
            }
        }
    }

    pub(super) fn cleaned(&mut self, client: usize) {
        self.release(client, FRESH);
        self.gone(client);
    }

    fn gone(&mut self, client: usize) {
        self.left -= 1;
        self.clients[client].phase = Phase::Gone;
        let client = &mut self.clients[client];
        for group in [client.group.take(), client.permits.take()].into_iter().flatten() {
            self.core.leave(group);
        }
    }
}
