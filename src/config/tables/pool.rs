//! `[pool]`: the mode, the counts and times, the limits on statements.

use std::time::Duration;

use crate::config::problem::Fault;
use crate::config::section::{Reader, Section};
use crate::config::value::{count, duration, off_or, one_of, some_duration, word_or};
use crate::pool::policy::{IdleTimeout, PingAfter, PoolSettings, ResetOnReturn};
use crate::proxy::settings::{Limits, Mode};

/// As many as a server ever takes: its `max_connections` ends here.
const MAX_CONNECTIONS: usize = 100_000;

const SIZE: usize = 25;
const MAX_OVERFLOW: usize = 50;
const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 60);
const PING_AFTER: PingAfter = PingAfter::Idle(Duration::from_secs(30));

/// Reads `[pool]`.
pub fn read(reader: &mut Reader<'_>) -> (Mode, PoolSettings, Limits) {
    let s = &mut reader.section("pool");
    (mode(s), pool(s), limits(s))
}

fn mode(s: &mut Section<'_, '_>) -> Mode {
    s.get("mode", Mode::Transaction, one_of(MODES))
}

const MODES: &[(&str, Mode)] =
    &[("transaction", Mode::Transaction), ("session", Mode::Session), ("observe", Mode::Observe)];

fn pool(s: &mut Section<'_, '_>) -> PoolSettings {
    let pool = PoolSettings {
        size: s.get("size", SIZE, count(1..=MAX_CONNECTIONS)),
        max_overflow: s.get("max_overflow", MAX_OVERFLOW, count(0..=MAX_CONNECTIONS)),
        min_idle: s.get("min_idle", 0, count(0..=MAX_CONNECTIONS)),
        checkout_timeout: s.get("checkout_timeout", CHECKOUT_TIMEOUT, duration),
        max_lifetime: s.get("max_lifetime", MAX_LIFETIME, some_duration),
        idle_timeout: s.get("idle_timeout", IdleTimeout::Auto, idle_timeout()),
        ping_after: s.get("ping_after", PING_AFTER, ping_after()),
        reset_on_return: s.get("reset_on_return", ResetOnReturn::Auto, one_of(RESETS)),
    };
    check_min_idle(s, &pool);
    pool
}

const RESETS: &[(&str, ResetOnReturn)] =
    &[("auto", ResetOnReturn::Auto), ("reset", ResetOnReturn::Reset), ("rollback", ResetOnReturn::Rollback)];

fn idle_timeout() -> impl Fn(&toml::de::DeValue<'_>) -> Result<IdleTimeout, Fault> {
    word_or("auto", IdleTimeout::Auto, |value| some_duration(value).map(IdleTimeout::After))
}

fn ping_after() -> impl Fn(&toml::de::DeValue<'_>) -> Result<PingAfter, Fault> {
    word_or("off", PingAfter::Off, |value| duration(value).map(PingAfter::Idle))
}

fn check_min_idle(s: &mut Section<'_, '_>, pool: &PoolSettings) {
    let sound = s.is_sound("size") && s.is_sound("min_idle");
    if sound && pool.min_idle > pool.size {
        let fault = Fault::new(
            format!("{} is more than pool.size ({})", pool.min_idle, pool.size),
            format!("write at most {}, or a larger size", pool.size),
        );
        s.error("min_idle", fault);
    }
}

fn limits(s: &mut Section<'_, '_>) -> Limits {
    let mut limit = |key| s.get(key, None, off_or(some_duration));
    Limits {
        query_timeout: limit("query_timeout"),
        transaction_timeout: limit("transaction_timeout"),
        idle_transaction_timeout: limit("idle_transaction_timeout"),
    }
}
