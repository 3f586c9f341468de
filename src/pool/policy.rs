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
