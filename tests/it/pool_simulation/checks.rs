//! What must be true after every event.

use super::*;

impl World {
    pub(super) fn check(&mut self) {
        let bound = self.bound_before.max(self.core.settings().bound());
        assert!(self.core.open() <= bound, "above the bound");
        assert!(self.open.iter().sum::<usize>() <= self.core.open(), "a server connection without a permit");
        for (user, cap) in [(1, 2), (2, 5)] {
            assert!(self.open[user] <= cap, "seed {}: user{user} has {}", self.plan.seed, self.open[user]);
        }
        if self.steps.is_multiple_of(64) {
            self.core
                .audit(self.now)
                .unwrap_or_else(|fault| panic!("seed {}, step {}: {fault}", self.plan.seed, self.steps));
            self.check_waiters();
            self.check_deadlines();
        }
    }

    /// Whoever waits is in the queue, or has been told that it no longer needs to be.
    pub(super) fn check_waiters(&self) {
        let untold = |client: &&Client| matches!(client.phase, Phase::Waiting { noticed: false, .. });
        let untold = self.clients.iter().filter(untold).count();
        assert!(untold <= self.core.waiting(), "{untold} wait in vain, {} are known", self.core.waiting());
        for client in &self.clients {
            if let Phase::Waiting { noticed: false, arrived, .. } = client.phase {
                let waited = self.now - arrived;
                assert!(
                    waited <= CHECKOUT_TIMEOUT + KEEPER_LAG || self.stopping,
                    "seed {}: waits {waited:?}",
                    self.plan.seed
                );
            }
        }
    }

    pub(super) fn check_deadlines(&self) {
        for (id, backend) in
            self.backends.iter().filter(|(_, backend)| backend.pooled && backend.alive && !backend.late)
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
    pub(super) fn check_order(&self, client: usize, order: u64, arrived: Instant, taken: &Taken<Conn>) {
        if !self.plan.lag.is_zero() {
            return;
        }
        let fresh = !self.backends[&taken.conn.0].used;
        for other in self.others(client, order) {
            let Phase::Waiting { id, arrived: before, group, .. } = other.phase else {
                continue;
            };
            assert!(group != self.clients[client].group, "seed {}: overtaken within a key", self.plan.seed);
            let overtaken = before + PATIENCE < arrived && !fresh && self.core.could_dial(id, self.now);
            assert!(!overtaken, "seed {}: overtaken by {:?}", self.plan.seed, arrived - before);
        }
    }

    pub(super) fn check_dial_order(&self, client: usize, order: u64, _arrived: Instant) {
        if !self.plan.lag.is_zero() {
            return;
        }
        for other in self.others(client, order) {
            let Phase::Waiting { id, .. } = other.phase else {
                continue;
            };
            assert!(!self.core.could_dial(id, self.now), "seed {}: a dial for a later one", self.plan.seed);
        }
    }

    /// Those who came before, in the same lane, and have not been told of anything.
    pub(super) fn others(&self, client: usize, order: u64) -> impl Iterator<Item = &Client> {
        let batch = self.batch;
        let earlier = move |other: &&Client| match other.phase {
            Phase::Waiting { order: before, noticed, entered, .. } => before < order && !noticed && entered < batch,
            _ => false,
        };
        self.clients.iter().enumerate().filter(move |(at, _)| *at != client).map(|(_, other)| other).filter(earlier)
    }
}
