//! What the server does, and the keeper.

use super::*;

impl World {
    pub(super) fn vacate(&mut self, slot: SlotId, victim: Option<Conn>, client: usize, turn: u64, permit: bool) {
        let Some(victim) = victim else {
            return self.vacated(slot, 0, client, turn, permit);
        };
        self.entered(victim.0, false);
        let wait = self.random.span(Duration::from_millis(1));
        self.after(wait, Event::Vacated { slot, victim: victim.0, client, turn, permit });
    }

    pub(super) fn vacated(&mut self, slot: SlotId, victim: u64, client: usize, _turn: u64, permit: bool) {
        if victim != 0 {
            self.gone(victim);
            self.core.vacated(slot, self.now);
        }
        let key = self.clients[client].key;
        let conn = self.dial(key);
        let wait = self.random.span(Duration::from_millis(5));
        match permit {
            false => self.after(wait, Event::Dialed { slot, key, conn, warm: false }),
            true => {
                let stay = self.random.span(Duration::from_secs(2));
                self.after(wait + stay, Event::PermitEnds { client, slot, conn });
            }
        }
    }

    pub(super) fn dial(&mut self, key: usize) -> u64 {
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

    pub(super) fn dialed(&mut self, slot: SlotId, key: usize, conn: u64, warm: bool) {
        let random = self.random.next();
        let fails = !self.up || !warm && self.random.one_in(60);
        if fails || self.random.one_in(100) {
            self.gone(conn);
            return match fails {
                true => self.core.dial_failed(slot, !self.up, random, self.now),
                false => self.core.free(slot, self.now),
            };
        }
        if key / 2 == ALLOWED.0 && self.open[key / 2] > ALLOWED.1 {
            self.full += 1;
            self.gone(conn);
            self.core.is_at_most(slot, self.now);
            return self.core.dial_failed(slot, false, random, self.now);
        }
        let backend = self.backends.get_mut(&conn).expect("known");
        (backend.last, backend.pooled) = (self.now, true);
        let facts = Facts { wait_timeout: Some(backend.wait_timeout), state: 0, home: (key % 2) as u16 };
        self.core.connected(slot, Conn(conn), facts, random, self.now);
    }

    pub(super) fn closed(&mut self, slot: SlotId, conn: u64) {
        self.gone(conn);
        self.core.free(slot, self.now);
    }

    pub(super) fn pinged(&mut self, slot: SlotId, conn: Conn) {
        let backend = self.backends.get_mut(&conn.0).expect("known");
        if backend.alive {
            backend.last = self.now;
            self.entered(conn.0, true);
            return self.core.put_back(slot, conn, Some(self.now), self.now);
        }
        self.core.discard(slot, RetireReason::PingFailed, self.now);
        self.after(Duration::from_millis(1), Event::Closed(slot, conn.0));
    }

    pub(super) fn entered(&mut self, conn: u64, pooled: bool) {
        let backend = self.backends.get_mut(&conn).expect("known");
        (backend.pooled, backend.watch) = (pooled, None);
    }

    /// The server has it no more.
    pub(super) fn gone(&mut self, conn: u64) {
        if let Some(backend) = self.backends.remove(&conn)
            && backend.alive
        {
            self.open[backend.user] -= 1;
        }
    }

    pub(super) fn keeper(&mut self) {
        self.keeper_turn += 1;
        self.keeper_at = None;
        let (chores, next) = self.core.chores(self.now, |conn| Some(conn.0));
        for chore in chores {
            self.chore(chore);
        }
        if let Some(at) = next {
            assert!(at > self.now, "seed {}: the keeper would spin", self.plan.seed);
            self.keeper_at = Some(at);
            self.after(at - self.now, Event::Keeper(self.keeper_turn));
        }
    }

    pub(super) fn chore(&mut self, chore: Chore<Key, Conn, u64>) {
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
                let key = self.keys.iter().position(|(known, _)| *known == key).expect("a known key");
                let conn = self.dial(key);
                self.after(Duration::from_millis(3), Event::Dialed { slot, key, conn, warm: true });
            }
            Chore::Watch(id, conn) => self.watch(id, conn),
        }
    }

    pub(super) fn watch(&mut self, id: IdleId, conn: u64) {
        let backend = self.backends.get_mut(&conn).expect("known");
        assert!(backend.pooled, "watched although it is in use");
        backend.watch = Some(id);
        if !backend.alive {
            self.noticed_closed(id);
        }
    }

    pub(super) fn noticed_closed(&mut self, id: IdleId) {
        if let Some((slot, conn)) = self.core.remove_idle(id) {
            self.core.discard(slot, RetireReason::ServerClosed, self.now);
            self.entered(conn.0, false);
            self.after(Duration::from_millis(1), Event::Closed(slot, conn.0));
        }
    }

    /// The server closes one connection.
    pub(super) fn killer(&mut self) {
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

    pub(super) fn kill(&mut self, conn: u64) {
        let backend = self.backends.get_mut(&conn).expect("known");
        if !std::mem::replace(&mut backend.alive, false) {
            return;
        }
        self.open[backend.user] -= 1;
        if let Some(id) = backend.watch {
            self.noticed_closed(id);
        }
    }

    pub(super) fn outage(&mut self, down: bool) {
        self.up = !down || self.stopping;
        let mut ids: Vec<u64> = self.backends.keys().copied().collect();
        ids.sort_unstable();
        if down {
            ids.into_iter().for_each(|conn| self.kill(conn));
        }
        let wait = self.random.span(Duration::from_secs(if down { 4 } else { 30 }));
        if !self.stopping {
            self.after(wait, Event::Outage(!down));
        }
    }

    pub(super) fn grants(&mut self) {
        let user = self.random.below(USERS as u64);
        self.core.retire_account(&format!("user{user}"), self.now);
        if !self.stopping {
            self.after(Duration::from_secs(40), Event::Grants);
        }
    }

    pub(super) fn change_settings(&mut self) {
        if self.stopping {
            return;
        }
        let mut settings = self.plan.settings.clone();
        settings.size = settings.size.saturating_sub(self.random.below(3) as usize).max(1);
        self.bound_before = self.core.settings().bound().max(self.bound_before);
        self.core.reconfigure(settings, self.now);
        self.after(Duration::from_secs(60), Event::Settings);
    }
}
