//! The clock of one command: told what happened and when, it says where the time went.
//!
//! ```text
//! start   queue  restore          sent        first_byte              finish
//!   |------|=======|=====|----------|==server=====|==transfer===client==|
//! ```
//!
//! Time comes in as an argument; nothing here asks for it.

use std::time::{Duration, Instant};

use super::record::Phases;

/// What the command waits for between `sent` and `finish`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leg {
    /// Nothing was sent yet, or the last round trip is over.
    Idle,
    /// Sent, no reply byte yet.
    Server,
    /// The reply is on its way.
    Transfer,
}

/// The clock of one command. Each wait may come several times (a LOCAL INFILE goes to the server twice), in any order,
/// or never (COM_STMT_CLOSE has no reply); instants that run backwards count as no time.
#[derive(Debug, Clone, Copy)]
pub struct QueryTimer {
    start: Instant,
    leg: Leg,
    leg_since: Instant,
    /// Nanoseconds blocked on the client within the present leg, so that they are not counted twice.
    blocked_in_leg: u64,
    // Numbers are half as long as durations, and cost a third to add.
    queue: u64,
    restore: u64,
    server: u64,
    transfer: u64,
    client: u64,
}

impl QueryTimer {
    /// Begins at the command's first byte.
    pub fn start(at: Instant) -> Self {
        QueryTimer {
            start: at,
            leg: Leg::Idle,
            leg_since: at,
            blocked_in_leg: 0,
            queue: 0,
            restore: 0,
            server: 0,
            transfer: 0,
            client: 0,
        }
    }

    /// When the command began.
    pub fn started_at(&self) -> Instant {
        self.start
    }

    /// Since when the server has been silent on what was sent to it; `None`: nothing is under way there.
    pub fn silent_since(&self) -> Option<Instant> {
        (self.leg == Leg::Server).then_some(self.leg_since)
    }

    /// Whether a reply has begun to come.
    pub fn has_first_byte(&self) -> bool {
        self.leg == Leg::Transfer
    }

    /// The command waited for a backend.
    pub fn queued(&mut self, begin: Instant, end: Instant) {
        self.queue += nanos_between(begin, end);
    }

    /// The session's state was brought to the backend.
    pub fn restored(&mut self, begin: Instant, end: Instant) {
        self.restore += nanos_between(begin, end);
    }

    /// The command (or one more part of it: the file of a LOCAL INFILE) went to the server.
    pub fn sent(&mut self, at: Instant) {
        self.enter(Leg::Server, at);
    }

    /// The reply's first byte came; calls for its later bytes change nothing.
    pub fn first_byte(&mut self, at: Instant) {
        if self.leg == Leg::Server {
            self.enter(Leg::Transfer, at);
        }
    }

    /// tidegate waited for the client: for its reading of the reply, or for its next part.
    pub fn client_blocked(&mut self, begin: Instant, end: Instant) {
        self.client += nanos_between(begin, end);
        if self.leg != Leg::Idle {
            self.blocked_in_leg += nanos_between(begin.max(self.leg_since), end);
        }
    }

    /// The reply's last byte was written, or the command ended early. The timer is a value: a copy goes on.
    pub fn finish(mut self, at: Instant) -> Phases {
        self.enter(Leg::Idle, at);
        let QueryTimer { queue, restore, server, transfer, client, .. } = self;
        let total = nanos_between(self.start, at);
        let [queue, restore, server, transfer, client, total] =
            [queue, restore, server, transfer, client, total].map(Duration::from_nanos);
        Phases { queue, restore, server, transfer, client, total }
    }

    fn enter(&mut self, next: Leg, at: Instant) {
        let passed = nanos_between(self.leg_since, at).saturating_sub(self.blocked_in_leg);
        match self.leg {
            Leg::Idle => {}
            Leg::Server => self.server += passed,
            Leg::Transfer => self.transfer += passed,
        }
        self.leg = next;
        self.leg_since = at;
        self.blocked_in_leg = 0;
    }
}

/// 0 where they run backwards.
fn nanos_between(begin: Instant, end: Instant) -> u64 {
    u64::try_from(end.saturating_duration_since(begin).as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn every_wait_is_attributed_to_its_cause() {
        let t = Instant::now();
        let mut timer = QueryTimer::start(t);
        timer.queued(t + ms(1), t + ms(4));
        timer.restored(t + ms(4), t + ms(5));
        timer.sent(t + ms(5));
        timer.first_byte(t + ms(15));
        timer.client_blocked(t + ms(16), t + ms(20));
        let phases = timer.finish(t + ms(25));
        let expected =
            Phases { queue: ms(3), restore: ms(1), server: ms(10), transfer: ms(6), client: ms(4), total: ms(25) };
        assert_eq!(phases, expected);
    }

    #[test]
    fn a_command_without_reply_has_only_a_total() {
        let t = Instant::now();
        assert_eq!(QueryTimer::start(t).finish(t + ms(2)), Phases { total: ms(2), ..Phases::default() });
    }

    #[test]
    fn a_backend_that_never_answers_is_the_servers_time() {
        let t = Instant::now();
        let mut timer = QueryTimer::start(t);
        timer.sent(t + ms(1));
        let phases = timer.finish(t + ms(9));
        assert_eq!((phases.server, phases.transfer, phases.total), (ms(8), ms(0), ms(9)));
    }

    #[test]
    fn round_trips_add_up() {
        let t = Instant::now();
        let mut timer = QueryTimer::start(t);
        timer.sent(t);
        timer.first_byte(t + ms(3));
        timer.client_blocked(t + ms(4), t + ms(10));
        timer.sent(t + ms(10));
        timer.first_byte(t + ms(30));
        timer.first_byte(t + ms(31));
        let phases = timer.finish(t + ms(32));
        assert_eq!((phases.server, phases.transfer, phases.client), (ms(23), ms(3), ms(6)));
        assert_eq!(phases.total, phases.server + phases.transfer + phases.client);
    }

    #[test]
    fn time_blocked_before_a_leg_is_not_taken_from_it() {
        let t = Instant::now();
        let mut timer = QueryTimer::start(t);
        timer.client_blocked(t, t + ms(5));
        timer.sent(t + ms(5));
        timer.first_byte(t + ms(6));
        timer.client_blocked(t + ms(2), t + ms(7));
        let phases = timer.finish(t + ms(9));
        assert_eq!((phases.server, phases.transfer, phases.client), (ms(1), ms(2), ms(10)));
    }

    #[test]
    fn instants_that_run_backwards_count_as_no_time() {
        let t = Instant::now() + ms(100);
        let mut timer = QueryTimer::start(t);
        timer.queued(t, t - ms(5));
        timer.restored(t, t - ms(5));
        timer.sent(t - ms(1));
        timer.first_byte(t - ms(2));
        timer.client_blocked(t, t - ms(3));
        assert_eq!(timer.finish(t - ms(50)), Phases::default());
    }

    #[test]
    fn it_stays_small() {
        assert!(std::mem::size_of::<QueryTimer>() <= 96);
    }
}
