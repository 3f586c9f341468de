//! What becomes of a returned connection: one function decides, with a reason that is counted.

use std::time::Instant;

use super::policy::ResetOnReturn;

/// Why a connection is closed. Each close has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetireReason {
    /// It reached `max_lifetime`.
    Lifetime,
    /// It was idle for as long as its server or `idle_timeout` allows.
    IdleTimeout,
    /// It was beyond `size` and nobody needed it.
    Overflow,
    /// It made room for a connection of another user.
    Evicted,
    /// Its server closed it while it was idle.
    ServerClosed,
    /// It did not answer a ping.
    PingFailed,
    /// It could not be reset.
    ResetFailed,
    /// Reading or writing failed, or a reply was cut short.
    Broken,
    /// Its state cannot be brought back to clean (a prepared XA transaction, replication, ..).
    Unclean,
    /// Its account was changed or dropped.
    AccountChanged,
    /// Its holder went without returning it.
    Abandoned,
    /// The pool is closing.
    Draining,
}

impl RetireReason {
    /// All reasons, in the order of their counters.
    pub const ALL: [RetireReason; 12] = [
        RetireReason::Lifetime,
        RetireReason::IdleTimeout,
        RetireReason::Overflow,
        RetireReason::Evicted,
        RetireReason::ServerClosed,
        RetireReason::PingFailed,
        RetireReason::ResetFailed,
        RetireReason::Broken,
        RetireReason::Unclean,
        RetireReason::AccountChanged,
        RetireReason::Abandoned,
        RetireReason::Draining,
    ];

    /// The label in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            RetireReason::Lifetime => "lifetime",
            RetireReason::IdleTimeout => "idle_timeout",
            RetireReason::Overflow => "overflow",
            RetireReason::Evicted => "evicted",
            RetireReason::ServerClosed => "server_closed",
            RetireReason::PingFailed => "ping_failed",
            RetireReason::ResetFailed => "reset_failed",
            RetireReason::Broken => "broken",
            RetireReason::Unclean => "unclean",
            RetireReason::AccountChanged => "account_changed",
            RetireReason::Abandoned => "abandoned",
            RetireReason::Draining => "draining",
        }
    }

    /// Whether a client would have met a dead connection, had the pool not noticed first.
    pub fn is_stale(self) -> bool {
        matches!(self, RetireReason::ServerClosed | RetireReason::PingFailed)
    }
}

/// In which condition a connection comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Between commands, outside a transaction, with a state that another client may meet: it is known, or there is none.
    Clean,
    /// As `Clean`, but in a transaction.
    InTransaction,
    /// Between commands, with a state that no other client may meet.
    Dirty,
    /// Between commands, but what the last one left is unknown (it ended in an ERR).
    Unsure,
    /// Not fit for anybody.
    Unfit(RetireReason),
}

/// How a connection is made clean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// COM_RESET_CONNECTION, or COM_CHANGE_USER where the server has none.
    Whole,
    /// ROLLBACK alone.
    Rollback,
}

/// What is to be done with a returned connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Release it as it is.
    Keep,
    /// Reset it, then release it.
    Reset(Reset),
    /// Ping it to learn its flags, then ask again.
    Ping,
    /// Close it.
    Retire(RetireReason),
}

/// What the pool knows of a connection when it comes back.
#[derive(Debug, Clone, Copy)]
pub struct Outlook {
    /// The time of the return.
    pub now: Instant,
    /// When its lifetime ends.
    pub dies_at: Instant,
    /// Why it must go whatever its condition, if so.
    pub doomed: Option<RetireReason>,
}

/// Decides. A connection that is to be closed anyway is neither pinged nor reset: closing rolls back too.
pub fn fate(condition: Condition, outlook: Outlook, reset_on_return: ResetOnReturn) -> Fate {
    match (condition, outlook.doomed) {
        (Condition::Unfit(reason), _) | (_, Some(reason)) => Fate::Retire(reason),
        _ if outlook.now >= outlook.dies_at => Fate::Retire(RetireReason::Lifetime),
        (Condition::Unsure, None) => Fate::Ping,
        (condition, None) => cleaning(condition, reset_on_return),
    }
}

fn cleaning(condition: Condition, reset_on_return: ResetOnReturn) -> Fate {
    match (condition, reset_on_return) {
        (Condition::Clean, ResetOnReturn::Auto | ResetOnReturn::Rollback) => Fate::Keep,
        (Condition::InTransaction, ResetOnReturn::Auto) | (_, ResetOnReturn::Rollback) => Fate::Reset(Reset::Rollback),
        (_, ResetOnReturn::Reset) | (_, ResetOnReturn::Auto) => Fate::Reset(Reset::Whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn decide(condition: Condition, reset_on_return: ResetOnReturn) -> Fate {
        let now = Instant::now();
        let outlook = Outlook { now, dies_at: now + Duration::from_secs(1), doomed: None };
        fate(condition, outlook, reset_on_return)
    }

    #[test]
    fn each_condition_gets_the_least_that_makes_it_clean() {
        use ResetOnReturn::{Auto, Reset as Always, Rollback};
        assert_eq!(decide(Condition::Clean, Auto), Fate::Keep);
        assert_eq!(decide(Condition::Clean, Always), Fate::Reset(Reset::Whole));
        assert_eq!(decide(Condition::Clean, Rollback), Fate::Keep);
        assert_eq!(decide(Condition::InTransaction, Auto), Fate::Reset(Reset::Rollback));
        assert_eq!(decide(Condition::InTransaction, Always), Fate::Reset(Reset::Whole));
        assert_eq!(decide(Condition::Dirty, Auto), Fate::Reset(Reset::Whole));
        assert_eq!(decide(Condition::Dirty, Rollback), Fate::Reset(Reset::Rollback));
        assert_eq!(decide(Condition::Unsure, Auto), Fate::Ping);
    }

    #[test]
    fn what_must_go_goes_for_its_own_reason() {
        let now = Instant::now();
        let old = Outlook { now, dies_at: now, doomed: None };
        let doomed = Outlook { doomed: Some(RetireReason::Draining), ..old };
        let broken = Condition::Unfit(RetireReason::Broken);
        assert_eq!(fate(Condition::Dirty, old, ResetOnReturn::Auto), Fate::Retire(RetireReason::Lifetime));
        assert_eq!(fate(Condition::Unsure, doomed, ResetOnReturn::Auto), Fate::Retire(RetireReason::Draining));
        assert_eq!(fate(broken, doomed, ResetOnReturn::Auto), Fate::Retire(RetireReason::Broken));
    }

    #[test]
    fn reasons_are_listed_in_the_order_of_their_counters() {
        for (at, reason) in RetireReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at, "{}", reason.as_str());
        }
    }
}
