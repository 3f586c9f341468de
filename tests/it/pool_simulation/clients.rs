//! What the clients of the simulated pool do.

use super::*;

impl World {
    pub(super) fn want(&mut self, client: usize, permit: Option<Use>) -> Want {
        let state = self.random.below(3);
        let Client { group, permits, last, .. } = self.clients[client];
        let group = if permit.is_some() { permits } else { group };
        Want { group, client: client as u64 + 1, state, home: (client % 2) as u16, last, permit }
    }

    pub(super) fn act(&mut self, client: usize) {
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

    pub(super) fn wait(&mut self, client: usize, want: Want, place: Option<(Place, u64, Instant)>) {
        let id = self.core.wait(want, place.map(|(place, ..)| place), self.now);
        let (place, order, arrived) = match place {
            Some(place) => place,
            None => (self.core.place(id).expect("it waits"), self.order, self.now),
        };
        assert!(self.waiters.insert(id, client).is_none(), "two waiters of one name");
        let turn = self.turn(
            client,
            Phase::Waiting { id, place, order, arrived, noticed: false, entered: self.batch, group: want.group },
        );
        if self.random.one_in(20) {
            let wait = self.random.span(self.plan.lease);
            self.after(wait, Event::GiveUp(client, turn));
        }
    }

    pub(super) fn turn(&mut self, client: usize, phase: Phase) -> u64 {
        self.clients[client].phase = phase;
        self.clients[client].turn += 1;
        self.clients[client].turn
    }

    pub(super) fn look(&mut self, client: usize) {
        loop {
            let Phase::Waiting { id, place, order, arrived, ref mut noticed, .. } = self.clients[client].phase else {
                return;
            };
            *noticed = false;
            match self.core.poll(id, self.now) {
                Progress::Pending => return,
                Progress::Late => {
                    let waited = self.now - arrived;
                    assert!(waited >= CHECKOUT_TIMEOUT, "seed {}: late after {waited:?}", self.plan.seed);
                    if self.stopping {
                        // From here on nobody gives up: whoever waits must be served.
                        return;
                    }
                    self.late += 1;
                    self.core.exhausted(id, self.now);
                    return self.give_up(client);
                }
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
                    self.core.retire(taken.slot, RetireReason::PingFailed, self.now);
                    self.after(Duration::from_millis(1), Event::Closed(taken.slot, taken.conn.0));
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

    pub(super) fn lease(&mut self, client: usize, taken: Taken<Conn>) {
        let backend = self.backends.get_mut(&taken.conn.0).expect("known");
        let silent = self.now - backend.last;
        assert!(silent < backend.wait_timeout, "handed out after {silent:?} of {:?}", backend.wait_timeout);
        assert!(taken.dies_at + self.plan.lag >= self.now, "handed out past its lifetime");
        assert_eq!(backend.user, self.clients[client].key / 2, "another user's connection");
        assert!(backend.pooled, "connection {} in two hands", taken.conn.0);
        (backend.used, backend.pooled, backend.last) = (true, false, self.now);
        self.served += 1;
        self.clients[client].last = Some(taken.slot);
        let offered = self.random.one_in(6);
        let slot = taken.slot;
        let turn = self.turn(client, Phase::Leased { slot, conn: taken.conn, offered });
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

    pub(super) fn give_back(&mut self, client: usize) {
        let Phase::Leased { slot, conn, offered } = std::mem::replace(&mut self.clients[client].phase, Phase::Away)
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

    pub(super) fn retire(&mut self, slot: SlotId, conn: Conn) {
        self.core.retire(slot, RetireReason::Broken, self.now);
        let wait = self.random.span(Duration::from_millis(2));
        self.after(wait, Event::Closed(slot, conn.0));
    }

    pub(super) fn give_up(&mut self, client: usize) {
        let Phase::Waiting { id, .. } = self.clients[client].phase else {
            return;
        };
        if self.stopping {
            // From here on nobody gives up: whoever waits must be served.
            return;
        }
        self.core.cancel(id, self.now);
        self.waiters.remove(&id);
        self.turn(client, Phase::Away);
        let wait = self.random.span(self.plan.think);
        self.after(wait, Event::Act(client));
    }

    pub(super) fn permit_ends(&mut self, client: usize, slot: SlotId, conn: u64) {
        if self.random.one_in(2) && !self.stopping {
            let wait_timeout = self.backends[&conn].wait_timeout;
            let facts = Facts { wait_timeout: Some(wait_timeout), state: 0, home: 0 };
            let want = self.want(client, None);
            let random = self.random.next();
            self.core.adopt(slot, &want, facts, random, self.now);
            self.entered(conn, true);
            let dies_at = self.core.dies_at(slot);
            self.backends.get_mut(&conn).expect("known").last = self.now;
            let taken = Taken { conn: Conn(conn), slot, own: false, state: 0, silent_since: self.now, dies_at };
            return self.lease(client, taken);
        }
        self.gone(conn);
        self.core.free(slot, self.now);
        self.turn(client, Phase::Away);
        let wait = self.random.span(self.plan.think);
        self.after(wait, Event::Act(client));
    }

    pub(super) fn drain_notices(&mut self) {
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

    pub(super) fn told(&mut self, notice: Notice) {
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
}
