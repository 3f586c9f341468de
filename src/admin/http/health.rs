//! Is it alive, is it ready, and how does the pool fare.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{Reply, json as as_json};
use crate::admin::views::{pins, stats};
use crate::proxy::running::{Mode, Running};

/// The answer itself is the news.
pub fn alive(running: &Running) -> Reply {
    let value = json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": running.uptime().as_secs(),
    });
    as_json(StatusCode::OK, &value)
}

/// 200 while the server can be reached and new clients are welcome; else 503 and the reason.
pub async fn ready(running: &Running) -> Reply {
    let why = match running.is_draining() {
        true => Some("draining".to_owned()),
        false => running.reach().await.err(),
    };
    match why {
        None => as_json(StatusCode::OK, &json!({ "status": "ready" })),
        Some(why) => as_json(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "not ready", "reason": why })),
    }
}

/// The pool in SQLAlchemy's words, and what else an incident asks for first.
pub fn db(running: &Running) -> Reply {
    as_json(StatusCode::OK, &db_value(running))
}

fn db_value(running: &Running) -> Value {
    let pool = running.pool();
    let used = &pool.occupancy;
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    let checked_out = used.leased + used.relayed + used.replication;
    let status = match () {
        () if running.is_draining() => "draining",
        () if pool.paused => "paused",
        () if pool.failed_rounds > 0 => "backend unreachable",
        () if used.waiting > 0 => "exhausted",
        () => "ok",
    };
    json!({
        "status": status,
        "mode": stats::mode(running.mode()),
        "backend": running.backend(),
        "server_version": running.server_version(),
        "pool_size": pool.size,
        "max_overflow": pool.max_overflow,
        "checkedout": checked_out,
        "checkedin": used.idle,
        "overflow": used.open.saturating_sub(pool.size),
        "usage_rate": usage_rate(checked_out, used.bound),
        "queue": used.waiting,
        "server_connections": server_connections(running, used.open),
        "clients": running.client_count(),
        "max_clients": running.max_clients(),
        "pins": pins::by_reason(running),
        "wait_timeout": running.wait_timeout().map(|time| time.as_secs()),
        "longest_idle_seconds": seconds(pool.longest_idle),
        "oldest_connection_seconds": seconds(pool.oldest_connection),
        "checkout_timeouts": pool.counters.timeouts,
        "stale_prevented": pool.counters.stale_prevented,
        "dial_failures": pool.counters.dial_failures,
    })
}

/// In mode `observe` there is no pool, and each client has a connection of its own.
fn server_connections(running: &Running, pooled: usize) -> usize {
    match running.mode() {
        Mode::Observe => running.clients().iter().filter(|client| client.backend != 0).count(),
        Mode::Transaction | Mode::Session => pooled,
    }
}

/// The share of `size + max_overflow` that clients have, with four digits.
fn usage_rate(used: usize, bound: usize) -> f64 {
    (used as f64 / bound.max(1) as f64 * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usage_is_a_share() {
        assert_eq!((usage_rate(0, 75), usage_rate(25, 75), usage_rate(75, 75)), (0.0, 0.3333, 1.0));
    }
}
