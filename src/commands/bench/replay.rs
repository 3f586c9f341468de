//! A trace as a load: each recorded client with its statements, when it sent them, and when it came and left. Pure.

mod read;

pub(super) use self::read::read;

use std::time::Duration;

/// The most clients of a trace, one after the other.
pub(super) const MAX_PLAYERS: usize = 1_000_000;
/// The most statements of a trace, and the most bytes of their texts: all of them are in memory.
pub(super) const MAX_STATEMENTS: usize = 10_000_000;
pub(super) const MAX_TEXTS: usize = 1 << 30;

/// What is played. Times are since its first event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Replay {
    /// In the order in which they came.
    pub players: Vec<Player>,
    /// What takes from the trust in it, a line each.
    pub doubts: Vec<String>,
}

/// One recorded client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Player {
    /// When it came.
    pub comes: Duration,
    /// It was there before the recording began.
    pub was_there: bool,
    /// In their order.
    pub statements: Vec<Played>,
    /// When it left; `None`: it stayed.
    pub leaves: Option<Duration>,
}

/// One recorded statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Played {
    /// When it was sent; never before the client's one before it.
    pub at: Duration,
    /// Its text.
    pub text: Box<[u8]>,
    /// The error that it met.
    pub error: Option<u16>,
}

/// What happens at a time of its own: a client comes, or is to send its next statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cue {
    /// It comes.
    Comes(usize),
    /// It is to send.
    Sends(usize),
}

impl Replay {
    /// The same so many times as fast.
    pub fn at_speed(mut self, factor: f64) -> Replay {
        let scale = |at: &mut Duration| *at = at.div_f64(factor);
        for player in &mut self.players {
            scale(&mut player.comes);
            player.statements.iter_mut().for_each(|played| scale(&mut played.at));
            player.leaves.iter_mut().for_each(scale);
        }
        self
    }

    /// How many statements it has before this time.
    pub fn statements(&self, until: Duration) -> usize {
        self.players.iter().map(|player| player.statements.partition_point(|played| played.at < until)).sum()
    }

    /// Just behind its last statement's beginning.
    pub fn span(&self) -> Duration {
        let last = self.players.iter().filter_map(|player| player.statements.last()).map(|played| played.at).max();
        last.unwrap_or_default() + Duration::from_nanos(1)
    }

    /// The clients that are there when it begins, by number.
    pub fn present(&self) -> impl Iterator<Item = usize> {
        self.players.iter().enumerate().filter(|(_, player)| player.was_there).map(|(number, _)| number)
    }

    /// All that happens at a time of its own, in order: a client comes before it sends.
    pub fn cues(&self) -> Vec<(Duration, Cue)> {
        let mut cues = Vec::new();
        for (number, player) in self.players.iter().enumerate() {
            if !player.was_there {
                cues.push((player.comes, Cue::Comes(number)));
            }
            cues.extend(player.statements.iter().map(|played| (played.at, Cue::Sends(number))));
        }
        cues.sort_unstable();
        cues
    }

    /// The most clients that were there at once.
    pub fn most_at_once(&self) -> usize {
        let comes = self.players.iter().map(|player| (player.comes, 1_isize));
        let leaves = self.players.iter().filter_map(|player| Some((player.leaves?, -1)));
        let mut changes: Vec<_> = comes.chain(leaves).collect();
        // Who leaves makes room for who comes at the same time.
        changes.sort_unstable();
        let (mut now, mut most) = (0_isize, 0);
        for (_, change) in changes {
            now += change;
            most = most.max(now);
        }
        most.unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn player(comes: u32, sends: &[u32], leaves: Option<u32>) -> Player {
        let played = |at: &u32| Played { at: *at * MS, text: b"SELECT 1"[..].into(), error: None };
        Player {
            comes: comes * MS,
            was_there: false,
            statements: sends.iter().map(played).collect(),
            leaves: leaves.map(|at| at * MS),
        }
    }

    fn replay(players: Vec<Player>) -> Replay {
        Replay { players, doubts: Vec::new() }
    }

    #[test]
    fn cues_come_in_time_and_nobody_sends_before_it_came() {
        let mut replay = replay(vec![player(0, &[3, 3, 9], None), player(3, &[3, 5], Some(6))]);
        let expected = [
            (0, Cue::Comes(0)),
            (3, Cue::Comes(1)),
            (3, Cue::Sends(0)),
            (3, Cue::Sends(0)),
            (3, Cue::Sends(1)),
            (5, Cue::Sends(1)),
            (9, Cue::Sends(0)),
        ];
        assert_eq!(replay.cues(), expected.map(|(at, cue)| (at * MS, cue)));
        replay.players[0].was_there = true;
        assert_eq!(replay.cues(), expected[1..].iter().map(|(at, cue)| (*at * MS, *cue)).collect::<Vec<_>>());
        assert_eq!(replay.present().collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn what_is_sent_within_a_time_is_counted() {
        let replay = replay(vec![player(0, &[3, 3, 9], None), player(3, &[4], None)]);
        let counts = [0, 3, 4, 9, 10].map(|until| replay.statements(until * MS));
        assert_eq!(counts, [0, 0, 2, 3, 4]);
        assert_eq!(replay.statements(replay.span()), 4);
    }

    #[test]
    fn twice_as_fast_is_in_half_the_time() {
        let fast = replay(vec![player(0, &[4, 6], None), player(2, &[8], Some(10))]).at_speed(2.0);
        assert_eq!(fast, replay(vec![player(0, &[2, 3], None), player(1, &[4], Some(5))]));
    }

    #[test]
    fn clients_at_once_are_those_that_have_not_left() {
        let players =
            vec![player(0, &[], Some(5)), player(5, &[], Some(9)), player(6, &[], None), player(7, &[], None)];
        assert_eq!(replay(players).most_at_once(), 3);
        assert_eq!(Replay::default().most_at_once(), 0);
    }
}
