//! Which worker serves which client: few workers that are awake cost less than many that are woken for each packet, so
//! clients stay together until a worker's thread has little time left. Pure: loads in, decisions out.
//!
//! ```text
//!  busy    0 %                     70 %             85 %             100 %
//!           | two together: become one |                | for three windows: gives half of the difference
//!           | new clients come here                     | new clients go elsewhere
//! ```

use std::time::Duration;

/// How long loads are gathered before they are looked at.
pub const WINDOW: Duration = Duration::from_millis(200);

/// The first worker that is less busy than this takes the next client; one that is as busy gives clients away.
const IS_FULL: Share = Share(850);
/// Two workers that are together less busy than this are one too many; as one they cost less than that.
const IS_CALM: Share = Share(700);
/// In how many windows, one after the other, a worker must be full.
const FULL_WINDOWS: i8 = 3;
/// How many windows after a move say nothing yet: clients move when they have done their next command.
const SETTLING_WINDOWS: i8 = 2;
/// How long two workers must be calm.
const CALM_TIME: Duration = Duration::from_secs(5);
/// A window in which little happened can be of any length, and is evidence for no longer than this.
const MAX_EVIDENCE: Duration = Duration::from_secs(1);

/// How much of a core's time a thread took, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Share(pub u16);

impl Share {
    /// Of `elapsed`, `busy` was taken.
    pub fn of(busy: Duration, elapsed: Duration) -> Share {
        let thousandths = busy.as_micros().saturating_mul(1000) / elapsed.as_micros().max(1);
        Share(thousandths.min(1000) as u16)
    }

    fn plus(self, other: Share) -> Share {
        Share(self.0 + other.0)
    }
}

/// What one worker did in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Its thread's share of a core.
    pub busy: Share,
    /// Clients that had a command in it: only these can be moved, and only their moving helps.
    pub active: u32,
}

/// So many of a worker's active clients shall be served by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Who gives.
    pub from: usize,
    /// Who takes.
    pub to: usize,
    /// How many; the first that are between two commands.
    pub clients: u32,
}

/// Who takes a new client.
pub fn place(loads: &[Share]) -> usize {
    let first_with_room = loads.iter().position(|&busy| busy < IS_FULL);
    first_with_room.or_else(|| (0..loads.len()).min_by_key(|&worker| loads[worker])).unwrap_or(0)
}

/// Watches the workers' loads, and moves clients where that pays for long enough.
#[derive(Debug)]
pub struct Balancer {
    /// Per worker: windows in which it was full, one after the other; below 0: it settles.
    full: Vec<i8>,
    /// Per worker: how long it and a lower one have been calm together.
    calm: Vec<Duration>,
}

impl Balancer {
    /// For so many workers.
    pub fn new(workers: usize) -> Balancer {
        Balancer { full: vec![0; workers], calm: vec![Duration::ZERO; workers] }
    }

    /// What is to be done after a window of this length, with one load per worker. A move not done by the next window is void.
    pub fn decide(&mut self, elapsed: Duration, loads: &[Load]) -> Vec<Move> {
        self.note(loads);
        let mut moves = self.spread(loads);
        if moves.is_empty() {
            moves.extend(self.gather(elapsed.min(MAX_EVIDENCE), loads));
        } else {
            self.calm.fill(Duration::ZERO);
        }
        moves
    }

    fn note(&mut self, loads: &[Load]) {
        for (full, load) in self.full.iter_mut().zip(loads) {
            *full = match *full {
                settling @ ..0 => settling + 1,
                windows if load.busy >= IS_FULL => windows.saturating_add(1),
                _ => 0,
            };
        }
    }

    /// Every full worker gives to one that takes from nobody else.
    fn spread(&mut self, loads: &[Load]) -> Vec<Move> {
        let mut full: Vec<usize> = (0..loads.len()).filter(|&worker| self.full[worker] >= FULL_WINDOWS).collect();
        full.sort_by_key(|&worker| std::cmp::Reverse(loads[worker].busy));
        let mut moves: Vec<Move> = Vec::new();
        for from in full {
            let free = |to: &usize| self.full[*to] >= 0 && moves.iter().all(|made| made.to != *to);
            let taker = (0..loads.len()).filter(free).min_by_key(|&to| loads[to].busy);
            if let Some((to, clients)) = taker.and_then(|to| Some((to, surplus(loads[from], loads[to])?))) {
                moves.push(Move { from, to, clients });
            }
        }
        for made in &moves {
            self.full[made.from] = -SETTLING_WINDOWS;
            self.full[made.to] = -SETTLING_WINDOWS;
        }
        moves
    }

    /// The last worker that has clients gives them to the first one that has room for all of them and for more.
    fn gather(&mut self, elapsed: Duration, loads: &[Load]) -> Option<Move> {
        let mut gathered = None;
        for from in (1..loads.len()).rev() {
            let fits = |to: &usize| loads[*to].busy.plus(loads[from].busy) < IS_CALM;
            let taker = (0..from).find(fits).filter(|_| loads[from].active > 0);
            self.calm[from] = if taker.is_some() { self.calm[from] + elapsed } else { Duration::ZERO };
            if let Some(to) = taker.filter(|_| gathered.is_none() && self.calm[from] >= CALM_TIME) {
                gathered = Some(Move { from, to, clients: loads[from].active });
            }
        }
        gathered
    }
}

/// How many clients make up half of the difference, if their moving leaves the taker clearly less busy than the giver was:
/// where one client is the load, it would only be carried to and fro.
fn surplus(from: Load, to: Load) -> Option<u32> {
    let (mine, theirs) = (u64::from(from.busy.0), u64::from(to.busy.0));
    let (difference, active) = (mine.checked_sub(theirs)?, u64::from(from.active));
    let clients = (difference * active + mine) / (2 * mine.max(1));
    let theirs_then = theirs + mine * clients / active.max(1);
    (clients > 0 && theirs_then * 10 <= mine * 9).then(|| u32::try_from(clients).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loads<const N: usize>(loads: [(u16, u32); N]) -> [Load; N] {
        loads.map(|(busy, active)| Load { busy: Share(busy), active })
    }

    /// Decides on the same loads until something is done; after how many windows, and what.
    fn first_moves(balancer: &mut Balancer, loads: &[Load]) -> Option<(usize, Vec<Move>)> {
        (1..100).map(|n| (n, balancer.decide(WINDOW, loads))).find(|(_, moves)| !moves.is_empty())
    }

    #[test]
    fn new_clients_stay_together_while_there_is_room() {
        let place_in = |loads: &[u16]| place(&loads.iter().copied().map(Share).collect::<Vec<_>>());
        assert_eq!(place_in(&[0, 0, 0]), 0);
        assert_eq!(place_in(&[849, 0, 0]), 0);
        assert_eq!(place_in(&[850, 10, 0]), 1);
        assert_eq!(place_in(&[990, 870, 880]), 1);
        assert_eq!(place_in(&[]), 0);
    }

    #[test]
    fn a_full_worker_gives_half_after_three_windows_and_then_settles() {
        let mut balancer = Balancer::new(3);
        let busy = loads([(1000, 64), (0, 0), (0, 0)]);
        assert_eq!(balancer.decide(WINDOW, &busy), []);
        assert_eq!(balancer.decide(WINDOW, &busy), []);
        assert_eq!(balancer.decide(WINDOW, &busy), [Move { from: 0, to: 1, clients: 32 }]);
        let both = loads([(1000, 32), (1000, 32), (0, 0)]);
        let (windows, moves) = first_moves(&mut balancer, &both).expect("still full");
        assert_eq!((windows, moves), (5, vec![Move { from: 0, to: 2, clients: 16 }]));
    }

    #[test]
    fn several_full_workers_give_at_once_to_several() {
        let mut balancer = Balancer::new(4);
        let busy = loads([(900, 10), (1000, 10), (100, 1), (0, 0)]);
        let (_, moves) = first_moves(&mut balancer, &busy).expect("full");
        assert_eq!(moves, [Move { from: 1, to: 3, clients: 5 }, Move { from: 0, to: 2, clients: 4 }]);
    }

    #[test]
    fn peaks_shorter_than_three_windows_move_nobody() {
        let mut balancer = Balancer::new(2);
        for _ in 0..20 {
            assert_eq!(balancer.decide(WINDOW, &loads([(1000, 64), (500, 9)])), []);
            assert_eq!(balancer.decide(WINDOW, &loads([(1000, 64), (500, 9)])), []);
            assert_eq!(balancer.decide(WINDOW, &loads([(700, 64), (500, 9)])), []);
        }
    }

    #[test]
    fn what_would_only_be_carried_to_and_fro_stays() {
        for stuck in [[(1000, 1), (0, 0)], [(900, 2), (450, 1)], [(950, 30), (900, 30)], [(1000, 0), (0, 0)]] {
            assert_eq!(first_moves(&mut Balancer::new(2), &loads(stuck)), None, "{stuck:?}");
        }
        let (_, moves) = first_moves(&mut Balancer::new(2), &loads([(900, 2), (50, 1)])).expect("one of two");
        assert_eq!(moves, [Move { from: 0, to: 1, clients: 1 }]);
    }

    #[test]
    fn calm_workers_become_one_after_a_while_and_stay_one() {
        let mut balancer = Balancer::new(3);
        let calm = loads([(400, 9), (290, 8), (100, 3)]);
        let (windows, moves) = first_moves(&mut balancer, &calm).expect("one too many");
        assert_eq!((windows, moves), (25, vec![Move { from: 2, to: 0, clients: 3 }]));
        // Those that were idle in that window follow when they speak.
        assert_eq!(balancer.decide(WINDOW, &calm), [Move { from: 2, to: 0, clients: 3 }]);
        let one = loads([(690, 20), (0, 0), (0, 0)]);
        assert_eq!(first_moves(&mut balancer, &one), None);
    }

    #[test]
    fn a_long_silence_is_no_long_calm() {
        let mut balancer = Balancer::new(2);
        let calm = loads([(1, 1), (1, 1)]);
        for _ in 0..4 {
            assert_eq!(balancer.decide(Duration::from_secs(3600), &calm), []);
        }
        assert_eq!(balancer.decide(Duration::from_secs(3600), &calm).len(), 1);
    }

    #[test]
    fn closed_loops_of_any_size_come_to_rest() {
        // Each client wants as much as it gets; a worker has 1000 to give.
        for (demand, clients) in [(10, 64), (40, 64), (300, 8), (1000, 3), (13, 300)] {
            let mut served = [clients, 0, 0, 0];
            let mut balancer = Balancer::new(4);
            let mut changed_at = 0;
            for window in 0..2000 {
                let loads = served.map(|n: u32| Load { busy: Share((n * demand).min(1000) as u16), active: n });
                for made in balancer.decide(WINDOW, &loads) {
                    let clients = made.clients.min(served[made.from]);
                    served[made.from] -= clients;
                    served[made.to] += clients;
                    changed_at = window;
                }
            }
            assert!(changed_at < 200, "{demand} x {clients} still moves: {served:?}");
        }
    }
}
