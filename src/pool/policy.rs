//! What the pool is allowed and what it must do: the resolved form of `[pool]`.

use std::time::Duration;

/// `pool.idle_timeout`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdleTimeout {
    /// From each connection's own `@@wait_timeout`, less a margin (default).
    Auto,
    /// This long, or less where the connection's own `@@wait_timeout` asks for it.
    After(Duration),
}

/// `pool.ping_after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PingAfter {
    /// A connection idle for at least this long is pinged before use; zero: always.
    Idle(Duration),
    /// Never.
    Off,
}

/// `pool.reset_on_return`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetOnReturn {
    /// What the connection's state asks for (default).
    Auto,
    /// Always a whole reset.
    Reset,
    /// Only a ROLLBACK.
    Rollback,
}

/// The resolved `[pool]`.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// Connections that are kept.
    pub size: usize,
    /// Connections on top of `size` for peaks; the sum is a hard bound.
    pub max_overflow: usize,
    /// Connections that are kept ready even when idle.
    pub min_idle: usize,
    /// How long a client may wait in the queue.
    pub checkout_timeout: Duration,
    /// How old a connection may grow; jitter is taken off.
    pub max_lifetime: Duration,
    /// How long a connection may be idle.
    pub idle_timeout: IdleTimeout,
    /// When an idle connection is pinged before use.
    pub ping_after: PingAfter,
    /// What is done to a connection that comes back.
    pub reset_on_return: ResetOnReturn,
}

/// The least time between a connection's retirement and its server's own timeout.
const LEAST_MARGIN: Duration = Duration::from_millis(500);
/// The most: a long timeout needs no longer margin than a slow network does.
const MOST_MARGIN: Duration = Duration::from_secs(30);
/// The jitter's share: up to one part in this many is taken off a deadline, so that connections of one age do not all go at once.
const JITTER_PART: u32 = 10;
/// The most that jitter takes off an idle deadline.
const MOST_IDLE_JITTER: Duration = Duration::from_secs(120);

impl PoolSettings {
    /// `size + max_overflow`: the hard bound on server connections.
    pub fn bound(&self) -> usize {
        self.size.saturating_add(self.max_overflow)
    }

    /// How old one connection may grow: `max_lifetime`, less up to a tenth by `random`.
    pub fn lifetime(&self, random: u64) -> Duration {
        self.max_lifetime - share(self.max_lifetime / JITTER_PART, random)
    }

    /// How long one connection may be idle, counted from its server's last answer.
    ///
    /// The server's own timeout (`@@wait_timeout` of this very connection; `None`: unknown, then only the setting counts)
    /// less a margin of a tenth (0.5 s to 30 s, never more than half), less jitter; an explicit `idle_timeout` that is shorter wins.
    pub fn idle_limit(&self, wait_timeout: Option<Duration>, random: u64) -> Duration {
        let server = wait_timeout.map_or(self.max_lifetime, within);
        let limit = match self.idle_timeout {
            IdleTimeout::Auto => server,
            IdleTimeout::After(own) => own.min(server),
        };
        limit - share(MOST_IDLE_JITTER.min(limit / JITTER_PART), random)
    }

    /// Whether a connection that was idle for this long is to be pinged before use.
    pub fn ping_due(&self, idle: Duration) -> bool {
        match self.ping_after {
            PingAfter::Idle(after) => idle >= after,
            PingAfter::Off => false,
        }
    }
}

/// A part of `span` that `random` picks: 0 takes nothing, `u64::MAX` (nearly) all.
pub(super) fn share(span: Duration, random: u64) -> Duration {
    let nanos = (span.as_nanos() * u128::from(random)) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn within(wait_timeout: Duration) -> Duration {
    let margin = (wait_timeout / 10).clamp(LEAST_MARGIN, MOST_MARGIN);
    wait_timeout - margin.min(wait_timeout / 2)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The sample file's values.
    pub(in crate::pool) fn settings(size: usize, max_overflow: usize) -> PoolSettings {
        PoolSettings {
            size,
            max_overflow,
            min_idle: 0,
            checkout_timeout: Duration::from_secs(60),
            max_lifetime: Duration::from_secs(1800),
            idle_timeout: IdleTimeout::Auto,
            ping_after: PingAfter::Idle(Duration::from_secs(30)),
            reset_on_return: ResetOnReturn::Auto,
        }
    }

    #[test]
    fn the_idle_limit_stays_before_every_wait_timeout() {
        let settings = settings(1, 0);
        for seconds in 1..=28_800 {
            let timeout = Duration::from_secs(seconds);
            for random in [0, u64::MAX / 2, u64::MAX] {
                let limit = settings.idle_limit(Some(timeout), random);
                assert!(limit + LEAST_MARGIN <= timeout, "{seconds} s: {limit:?}");
                assert!(limit * 100 >= timeout * 45, "{seconds} s: {limit:?} is needlessly short");
            }
        }
        assert_eq!(settings.idle_limit(Some(Duration::from_secs(300)), 0), Duration::from_secs(270));
    }

    #[test]
    fn a_shorter_idle_timeout_wins_and_a_longer_one_does_not() {
        let mut settings = settings(1, 0);
        settings.idle_timeout = IdleTimeout::After(Duration::from_secs(280));
        let limit = |wait| settings.idle_limit(Some(Duration::from_secs(wait)), 0);
        assert_eq!(limit(28_800), Duration::from_secs(280));
        assert_eq!(limit(60), Duration::from_secs(54));
        assert_eq!(settings.idle_limit(None, 0), Duration::from_secs(280));
    }

    #[test]
    fn lifetimes_spread_over_a_tenth() {
        let settings = settings(1, 0);
        assert_eq!(settings.lifetime(0), Duration::from_secs(1800));
        let least = settings.lifetime(u64::MAX);
        assert!(least >= Duration::from_secs(1620) && least < Duration::from_secs(1621));
    }

    #[test]
    fn a_ping_is_due_after_its_time_or_always_or_never() {
        let mut settings = settings(1, 0);
        assert!(!settings.ping_due(Duration::from_secs(29)) && settings.ping_due(Duration::from_secs(30)));
        settings.ping_after = PingAfter::Idle(Duration::ZERO);
        assert!(settings.ping_due(Duration::ZERO));
        settings.ping_after = PingAfter::Off;
        assert!(!settings.ping_due(Duration::MAX));
    }
}
