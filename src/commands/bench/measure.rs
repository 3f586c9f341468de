//! What one run of one cell has shown.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::gate::GateSeen;
use super::load::Seen;
use super::tally::Failures;
use crate::stats::hlog::Span;

/// A run. Phases are nanoseconds; a run without tidegate has none of tidegate's.
#[derive(Debug, Clone)]
pub(super) struct Measure {
    /// When it was measured.
    pub span: Span,
    /// How long; what counts by the second counts by this.
    pub seconds: f64,
    pub requests: u64,
    pub statements: u64,
    pub unserved: u64,
    pub errors: BTreeMap<String, Failures>,
    /// Clients that never got a connection.
    pub without_connection: usize,
    /// In the order of [`PHASES`]; only those that there were.
    pub phases: Vec<(&'static str, Histogram<u64>)>,
    /// The most server connections at once: the pool's own count, or the clients' without a pool.
    pub connections: usize,
    /// .. by the server's count, in samples; other users of the same account are in it.
    pub server_saw: Option<u64>,
    /// Clients that waited for a connection in vain.
    pub timeouts: u64,
    /// CPU time over the measured time.
    pub cpu: Cpu,
    /// By how much the load generator was late, at the 99th percentile; `None`: a closed loop.
    pub late: Option<u64>,
}

/// CPU time; `None`: it cannot be seen.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Cpu {
    pub server: Option<Duration>,
    pub tidegate: Option<Duration>,
    pub clients: Option<Duration>,
}

/// Where the time goes: first as clients see it, then as tidegate does, statement by statement.
pub(super) const PHASES: [(&str, &str); 9] = [
    ("response", "from when a request was to begin to its last byte"),
    ("wait", "open loop: from when a request was to begin until a client was free for it"),
    ("connect", "workload connect, a trace: connecting and logging in"),
    ("statement", "tidegate: one statement, from its first byte to its reply's last"),
    ("queue", "tidegate: waiting for a server connection"),
    ("restore", "tidegate: bringing the session's state to it"),
    ("server", "tidegate: from the statement sent to the reply's first byte"),
    ("transfer", "tidegate: from the first to the last byte of the reply"),
    ("client", "tidegate: blocked because the client did not read"),
];

impl Measure {
    /// Puts together what clients, tidegate and the server have shown.
    pub fn of(seen: Seen, gate: Option<GateSeen>, span: Span, server_saw: Option<u64>, cpu: Cpu) -> Measure {
        let tally = seen.tally;
        let late = (!tally.late.is_empty()).then(|| tally.late.value_at_quantile(0.99));
        let mut phases = vec![("response", tally.response)];
        if late.is_some() {
            phases.push(("wait", tally.wait));
        }
        if !tally.connect.is_empty() {
            phases.push(("connect", tally.connect));
        }
        let connections = gate.as_ref().map_or(seen.most_connections, |gate| gate.most_connections);
        let timeouts = gate.as_ref().map_or(0, |gate| gate.timeouts);
        if let Some(gate) = gate {
            let name = |phase: &'static str| if phase == "total" { "statement" } else { phase };
            phases.extend(gate.phases.iter().map(|(phase, histogram)| (name(phase), histogram.clone())));
        }
        Measure {
            span,
            seconds: span.length.as_secs_f64(),
            requests: tally.requests,
            statements: tally.statements,
            unserved: tally.unserved,
            errors: tally.errors,
            without_connection: seen.without_connection,
            phases,
            connections,
            server_saw,
            timeouts,
            cpu,
            late,
        }
    }

    /// Failed requests and logins.
    pub fn error_count(&self) -> u64 {
        self.errors.values().map(|failures| failures.count).sum()
    }

    /// Requests a second.
    pub fn throughput(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// A phase's histogram; `None`: there was no such phase.
    pub fn phase(&self, name: &str) -> Option<&Histogram<u64>> {
        self.phases.iter().find(|(phase, _)| *phase == name).map(|(_, histogram)| histogram)
    }

    /// A phase's percentile in nanoseconds.
    pub fn at(&self, phase: &str, quantile: f64) -> Option<u64> {
        let histogram = self.phase(phase).filter(|histogram| !histogram.is_empty())?;
        Some(histogram.value_at_quantile(quantile).min(histogram.max()))
    }
}
