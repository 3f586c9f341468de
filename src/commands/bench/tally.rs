//! What the clients of one run have seen, request by request. Pure: times come in as arguments.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::stats::histogram::whole_range;

/// The most different errors that are told apart.
const MAX_ERRORS: usize = 20;
const DIGITS: u8 = 3;

/// One request, when it is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done {
    /// When it was to begin.
    pub due: Instant,
    /// How long that client's connecting took, where it connected for it.
    pub connecting: Option<Duration>,
    /// When its last byte had come.
    pub ended: Instant,
    /// How many statements it had.
    pub statements: u64,
}

/// Failures of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Failures {
    pub count: u64,
    /// What the first one said.
    pub example: String,
}

/// The sums over the measured time.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    from: Instant,
    until: Instant,
    /// From when a request was to begin to its end: of those that were to begin in the measured time.
    pub response: Histogram<u64>,
    /// From when a request was to begin to when a client had time for it.
    pub wait: Histogram<u64>,
    /// Connecting, of clients that connect for each request.
    pub connect: Histogram<u64>,
    /// By how much the load generator itself was late to make a request due.
    pub late: Histogram<u64>,
    /// Requests that ended well within the measured time.
    pub requests: u64,
    /// Their statements.
    pub statements: u64,
    /// Requests that were to begin in the measured time and were not over in the time that they were given; they count in
    /// `response` with the time that they had waited by then.
    pub unserved: u64,
    /// Failures by their kind.
    pub errors: BTreeMap<String, Failures>,
    /// What each client is busy with: when it was to begin.
    under_way: Vec<Option<Instant>>,
}

impl Tally {
    /// Counts what begins from `from` until `until`.
    pub fn new(clients: usize, from: Instant, until: Instant) -> Tally {
        Tally {
            from,
            until,
            response: whole_range(DIGITS),
            wait: whole_range(DIGITS),
            connect: whole_range(DIGITS),
            late: whole_range(DIGITS),
            requests: 0,
            statements: 0,
            unserved: 0,
            errors: BTreeMap::new(),
            under_way: vec![None; clients],
        }
    }

    /// A client has taken a request.
    pub fn begin(&mut self, client: usize, due: Instant, taken: Instant) {
        self.under_way[client] = Some(due);
        if self.is_measured(due) {
            record(&mut self.wait, taken.saturating_duration_since(due));
        }
    }

    /// .. and has its reply.
    pub fn end(&mut self, client: usize, done: &Done) {
        self.under_way[client] = None;
        if self.is_measured(done.ended) {
            self.requests += 1;
            self.statements += done.statements;
        }
        if self.is_measured(done.due) {
            record(&mut self.response, done.ended.saturating_duration_since(done.due));
            if let Some(connecting) = done.connecting {
                record(&mut self.connect, connecting);
            }
        }
    }

    /// .. or an error, of this kind and text.
    pub fn fail(&mut self, client: usize, at: Instant, kind: &str, text: &str) {
        self.under_way[client] = None;
        if at >= self.from {
            self.count_error(kind, text);
        }
    }

    /// A request has become due so late.
    pub fn late(&mut self, by: Duration) {
        record(&mut self.late, by);
    }

    /// How many requests are with a client.
    pub fn under_way(&self) -> usize {
        self.under_way.iter().flatten().count()
    }

    /// The run is over: what is still under way, and what nobody took, has waited until `now` in vain.
    pub fn close(&mut self, now: Instant, backlog: Vec<Instant>) {
        let begun = std::mem::take(&mut self.under_way).into_iter().flatten().map(|due| (due, true));
        let waiting = backlog.into_iter().map(|due| (due, false));
        for (due, is_begun) in begun.chain(waiting).filter(|(due, _)| self.from <= *due && *due < self.until) {
            self.unserved += 1;
            record(&mut self.response, now.saturating_duration_since(due));
            if !is_begun {
                record(&mut self.wait, now.saturating_duration_since(due));
            }
        }
    }

    fn is_measured(&self, at: Instant) -> bool {
        self.from <= at && at < self.until
    }

    fn count_error(&mut self, kind: &str, text: &str) {
        const OTHERS: &str = "other errors";
        let is_known = self.errors.len() < MAX_ERRORS || self.errors.contains_key(kind);
        let failures = self.errors.entry(if is_known { kind } else { OTHERS }.to_owned()).or_default();
        failures.count += 1;
        if failures.count == 1 {
            failures.example = text.to_owned();
        }
    }
}

fn record(histogram: &mut Histogram<u64>, duration: Duration) {
    crate::stats::histogram::record(histogram, u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A tally of the second that begins a second from the returned time, of two clients.
    fn tally() -> (Instant, Tally) {
        let now = Instant::now();
        (now, Tally::new(2, now + 1_000 * MS, now + 2_000 * MS))
    }

    fn done(due: Instant, took: Duration) -> Done {
        Done { due, connecting: None, ended: due + took, statements: 2 }
    }

    fn max_ms(histogram: &Histogram<u64>) -> u64 {
        histogram.max() / 1_000_000
    }

    #[test]
    fn time_counts_from_when_a_request_was_to_begin() {
        let (start, mut tally) = tally();
        let due = start + 1_500 * MS;
        tally.begin(0, due, due + 300 * MS);
        tally.end(0, &done(due, 310 * MS));
        assert_eq!((max_ms(&tally.response), max_ms(&tally.wait)), (310, 300));
        assert_eq!((tally.requests, tally.statements, tally.connect.len()), (1, 2, 0));
    }

    #[test]
    fn only_the_measured_time_counts() {
        let (start, mut tally) = tally();
        for (due, took) in [(500 * MS, 100 * MS), (900 * MS, 200 * MS), (1_900 * MS, 200 * MS), (2_100 * MS, MS)] {
            tally.begin(0, start + due, start + due);
            tally.end(0, &done(start + due, took));
        }
        // One ended in the measured time, another one was to begin in it.
        assert_eq!((tally.requests, tally.response.len(), max_ms(&tally.response)), (1, 1, 200));
    }

    #[test]
    fn who_is_never_served_is_not_forgotten() {
        let (start, mut tally) = tally();
        tally.begin(1, start + 1_200 * MS, start + 1_300 * MS);
        assert_eq!(tally.under_way(), 1);
        tally.close(start + 3_000 * MS, vec![start + 1_000 * MS, start + 500 * MS, start + 2_000 * MS]);
        assert_eq!((tally.unserved, tally.response.len(), tally.requests), (2, 2, 0));
        assert_eq!((max_ms(&tally.response), tally.response.min() / 1_000_000), (2_000, 1_799));
        assert_eq!((tally.wait.len(), max_ms(&tally.wait), tally.wait.min() / 1_000_000), (2, 2_000, 99));
    }

    #[test]
    fn errors_are_counted_by_their_kind_and_bounded() {
        let (start, mut tally) = tally();
        tally.fail(0, start, "1040", "in the warm-up");
        (0..3).for_each(|n| tally.fail(0, start + 1_100 * MS, "1040", &format!("text {n}")));
        tally.fail(0, start + 2_500 * MS, "1040", "late");
        let failures = Failures { count: 4, example: "text 0".to_owned() };
        assert_eq!(tally.errors, BTreeMap::from([("1040".to_owned(), failures)]));
        (0..100).for_each(|n| tally.fail(0, start + 1_100 * MS, &n.to_string(), ""));
        let sum: u64 = tally.errors.values().map(|failures| failures.count).sum();
        assert_eq!((tally.errors.len(), sum), (MAX_ERRORS + 1, 104));
    }
}
