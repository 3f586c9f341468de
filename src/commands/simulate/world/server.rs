//! What the server does, and the keeper.

use super::{Conn, Event, World, nanos};
use crate::pool::core::{Facts, SlotId};
use crate::pool::duty::Chore;

impl World<'_> {
    /// A permit to dial with: first whoever had it is closed.
    pub(super) fn vacate(&mut self, slot: SlotId, has_victim: bool, client: usize, is_own: bool) {
        if !has_victim {
            return self.dial(slot, client, is_own);
        }
        let random = self.random();
        self.after(self.load.costs.close.pick(random), Event::Vacated { slot, client, is_own });
    }

    pub(super) fn vacated(&mut self, slot: SlotId, client: usize, is_own: bool) {
        self.core.vacated(slot, self.instant());
        self.dial(slot, client, is_own);
    }

    fn dial(&mut self, slot: SlotId, client: usize, is_own: bool) {
        let random = self.random();
        let event = if is_own { Event::OwnDialed(slot, client) } else { Event::Dialed(slot) };
        self.after(self.load.costs.dial.pick(random), event);
    }

    pub(super) fn dialed(&mut self, slot: SlotId) {
        let facts = Facts { wait_timeout: Some(self.load.costs.wait_timeout), state: u64::MAX, home: 0 };
        let random = self.random();
        self.core.connected(slot, Conn, facts, random, self.instant());
    }

    /// The keeper does what is due.
    pub(super) fn keeper(&mut self) {
        self.keeper_turn += 1;
        let (chores, next) = self.core.chores(self.instant(), |_| None::<()>);
        for chore in chores {
            let random = self.random();
            let costs = &self.load.costs;
            match chore {
                Chore::Close(slot, ..) => self.after(costs.close.pick(random), Event::Closed(slot)),
                Chore::Ping(slot, _) => self.after(costs.way, Event::Pinged(slot)),
                // In mode session each connection begins as a client's login: the dial fails as it does there.
                Chore::Warm(slot, _) if self.is_session() => {
                    self.core.dial_failed(slot, false, random, self.instant());
                }
                Chore::Warm(slot, _) => self.after(costs.dial.pick(random), Event::Dialed(slot)),
                Chore::Watch(..) => {}
            }
        }
        if let Some(next) = next {
            let turn = self.keeper_turn;
            self.at(nanos(next.saturating_duration_since(self.base)), Event::Keeper(turn));
        }
    }
}
