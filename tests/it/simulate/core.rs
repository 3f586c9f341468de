//! The simulation is the pool's core and no formula: what only the core knows is in what comes out. A core that was replaced
//! by M/M/c, or by a plain first-come-first-served list of connections, fails each of these.

use std::sync::Arc;
use std::time::Duration;

use tidegate::commands::simulate::{
    Costs, Hold, Key, Latencies, Load, Mode, Outcome, Script, Setting, Step, percentile, recorded, simulate,
};
use tidegate::pool::RetireReason;
use tidegate::pool::core::PATIENCE;
use tidegate::pool::duty::OVERFLOW_LINGER;
use tidegate::stats::trace::{Ending, Origin, PoolFacts, Summary};

const MS: u64 = 1_000_000;
/// What a dial costs in these loads.
const DIAL: u64 = 20 * MS;
/// What it costs to bring a state to a connection that was just dialed, or was another's.
const RESTORE: u64 = 5 * MS;
const CLOSE: u64 = 2 * MS;

fn facts() -> PoolFacts {
    PoolFacts {
        size: 2,
        max_overflow: 0,
        min_idle: 0,
        checkout_timeout: Duration::from_secs(10),
        max_lifetime: Duration::from_secs(100_000),
        idle_timeout: None,
        ping_after: None,
        reset_on_return: "auto".into(),
        caps: Vec::new(),
    }
}

fn step(think: u64, takes: u64, hold: Hold, state: u32) -> Step {
    Step { think, server: takes, rest: 0, hold, state, is_local: false }
}

/// A client of this user that comes then, and stays.
fn client(key: usize, comes: u64, steps: Vec<Step>) -> Script {
    Script { key, comes, login: None, login_backend: 0, is_own: false, steps, leaves: None }
}

fn load(users: usize, scripts: Vec<Script>) -> Load {
    let mut costs = Costs::default();
    costs.assume(DIAL, RESTORE, CLOSE, MS);
    let origin = Origin {
        version: String::new(),
        recording: 1,
        part: 1,
        began: Duration::ZERO,
        mode: "transaction".into(),
        pool: facts(),
        server: None,
        literals: false,
    };
    Load {
        summary: Summary { origin, events: 0, lost: 0, ending: Ending::Whole, files: 1 },
        keys: (0..users).map(|n| Key { user: Arc::from(format!("user{n}")), capabilities: 0 }).collect(),
        scripts,
        costs,
        recorded: Latencies::default(),
        unserved: 0,
        span: Duration::from_secs(1),
    }
}

fn run(load: &Load, size: usize, overflow: usize) -> Outcome {
    let mut pool = recorded(&load.summary.origin.pool);
    (pool.size, pool.max_overflow) = (size, overflow);
    simulate(load, &Setting { mode: Mode::Transaction, pool }, None)
}

fn queue_max(outcome: &Outcome) -> u64 {
    outcome.latencies.queue.max()
}

/// About so much; histograms have three digits.
fn is_about(value: u64, expected: u64) -> bool {
    value.abs_diff(expected) <= expected / 500 + MS / 10
}

/// Each client gets its own connection back, and so restores nothing, though all have states of their own and the warmest
/// connection is another's.
#[test]
fn affinity_is_in_it() {
    // All at once, then one after the other, in an order of their own.
    let steps = |n: u64| {
        let rounds = (0..50).map(move |_| step(395 * MS, 5 * MS, Hold::Free, n as u32));
        [step(0, 50 * MS, Hold::Free, n as u32), step(300 * MS + n * 100 * MS, 5 * MS, Hold::Free, n as u32)]
            .into_iter()
            .chain(rounds)
            .collect()
    };
    let scripts: Vec<Script> = (0..4).map(|n| client(0, 0, steps(n))).collect();
    let outcome = run(&load(1, scripts.clone()), 4, 0);
    let counted = outcome.counters;
    assert_eq!((counted.own, counted.dialed), (4 * 51, 4), "{counted:?}");
    let median = percentile(&outcome.latencies.total, 0.5);
    assert!(is_about(median, 5 * MS), "nothing to restore: {median}");
    // With one connection for all, each brings its state.
    let outcome = run(&load(1, scripts), 1, 0);
    assert!(outcome.counters.different > 190, "{:?}", outcome.counters);
    let median = percentile(&outcome.latencies.total, 0.5);
    assert!(is_about(median, 5 * MS + RESTORE), "{median}");
}

/// Two users on one connection: whoever came less than [`PATIENCE`] later is served first if the connection is its own.
#[test]
fn patience_across_users_is_in_it() {
    let one = |key, at: u64, takes: u64| client(key, 0, vec![step(at, takes, Hold::Free, 0)]);
    // While the first holds it, one of another user comes, then one of its own.
    let patience = u64::try_from(PATIENCE.as_nanos()).unwrap();
    let closes_and_dials = CLOSE + DIAL;
    for (later, own_first) in [(patience / 2, true), (patience * 3, false)] {
        let scripts = vec![one(0, 0, 100 * MS), one(1, 40 * MS, 10 * MS), one(0, 40 * MS + later, 10 * MS)];
        let outcome = run(&load(2, scripts), 1, 0);
        let free_at = DIAL + RESTORE + 100 * MS;
        // The other user's wait: until the connection is free (and the own one is done), then a close and a dial.
        let others = free_at - 40 * MS + closes_and_dials + if own_first { 10 * MS } else { 0 };
        let owns = free_at - 40 * MS - later + if own_first { 0 } else { 2 * closes_and_dials + RESTORE + 10 * MS };
        let expected = others.max(owns);
        assert!(is_about(queue_max(&outcome), expected), "{own_first}: {} {expected}", queue_max(&outcome));
        assert_eq!(outcome.counters.retired_for(RetireReason::Evicted), if own_first { 1 } else { 2 });
        assert_eq!(outcome.peak, 1);
    }
}

/// Waiters of one user are served in the order in which they came.
#[test]
fn the_order_of_arrival_is_in_it() {
    let scripts = (0..10).map(|n| client(0, n * MS, vec![step(0, 50 * MS, Hold::Free, 0)])).collect();
    let outcome = run(&load(1, scripts), 1, 0);
    // Served last come, first served, the second client would wait for nearly all others.
    let median = percentile(&outcome.latencies.queue, 0.5);
    assert!(is_about(median, DIAL + RESTORE + 4 * 49 * MS), "{median}");
    assert!(is_about(queue_max(&outcome), DIAL + RESTORE + 9 * 49 * MS));
}

/// A peak dials beyond `size`, at the cost of a dial; who is idle for long enough there is closed, and the next peak dials again.
#[test]
fn overflow_is_in_it() {
    let linger = u64::try_from(OVERFLOW_LINGER.as_nanos()).unwrap();
    let peaks = |pause: u64| {
        (0..3).map(|_| client(0, 0, (0..4).map(|_| step(pause, 50 * MS, Hold::Free, 0)).collect())).collect()
    };
    let seldom = run(&load(1, peaks(2 * linger)), 1, 2);
    assert_eq!((seldom.peak, seldom.counters.dialed), (3, 3 + 3 * 2));
    assert_eq!(seldom.counters.retired_for(RetireReason::Overflow), 2 * 3);
    assert!(is_about(queue_max(&seldom), DIAL), "{}", queue_max(&seldom));
    let often = run(&load(1, peaks(linger / 10)), 1, 2);
    assert_eq!((often.counters.dialed, often.counters.retired_for(RetireReason::Overflow)), (3, 0));
    let bounded = run(&load(1, peaks(2 * linger)), 1, 0);
    assert!((bounded.peak, bounded.counters.dialed) == (1, 1) && queue_max(&bounded) > 99 * MS);
}

/// Old connections go, within a tenth before their time, and are dialed anew.
#[test]
fn lifetimes_are_in_it() {
    let mut load = load(1, vec![client(0, 0, (0..200).map(|_| step(900 * MS, 100 * MS, Hold::Free, 0)).collect())]);
    load.summary.origin.pool.max_lifetime = Duration::from_secs(10);
    let outcome = run(&load, 2, 0);
    let retired = outcome.counters.retired_for(RetireReason::Lifetime);
    // 200 s in lives of 9 to 10 s.
    assert!((18..=23).contains(&retired), "{retired}");
    assert_eq!(outcome.counters.dialed, retired + 1);
    let dials = outcome.latencies.queue.iter_recorded().filter(|v| v.value_iterated_to() > DIAL / 2);
    let dials: u64 = dials.map(|v| v.count_since_last_iteration()).sum();
    assert_eq!(dials, outcome.counters.dialed);
}

/// An idle connection goes before its server's own timeout.
#[test]
fn the_servers_own_timeout_is_in_it() {
    let mut load = load(1, vec![client(0, 0, (0..5).map(|_| step(60_000 * MS, MS, Hold::Free, 0)).collect())]);
    load.costs.wait_timeout = Duration::from_secs(50);
    let outcome = run(&load, 2, 0);
    assert_eq!(outcome.counters.retired_for(RetireReason::IdleTimeout), 4);
    load.costs.wait_timeout = Duration::from_secs(28_800);
    assert_eq!(run(&load, 2, 0).counters.dialed, 1);
}

/// What the last statement left is given up when another client waits, a transaction is not.
#[test]
fn holds_are_asked_back_and_transactions_are_not() {
    let scripts = |hold| {
        vec![
            client(0, 0, vec![step(0, 10 * MS, hold, 0), step(1_000 * MS, 10 * MS, Hold::Free, 0)]),
            client(0, 0, vec![step(200 * MS, 10 * MS, Hold::Free, 0)]),
        ]
    };
    let held = run(&load(1, scripts(Hold::UntilWanted)), 1, 0);
    assert_eq!(held.counters.asked, 1);
    assert!(is_about(queue_max(&held), DIAL), "{}", queue_max(&held));
    let pinned = run(&load(1, scripts(Hold::Pinned)), 1, 0);
    assert_eq!(pinned.counters.asked, 0);
    assert!(is_about(queue_max(&pinned), DIAL + RESTORE + 820 * MS), "{}", queue_max(&pinned));
}

/// What tidegate answers by itself waits for nobody, and takes nothing away.
#[test]
fn what_needs_no_backend_waits_for_none() {
    let local = Step { is_local: true, ..step(50 * MS, 0, Hold::Free, 0) };
    let scripts = vec![
        client(0, 0, vec![step(0, 900 * MS, Hold::Free, 0)]),
        client(0, 0, vec![local; 10]),
        client(0, 0, vec![local, step(0, MS, Hold::Free, 0)]),
    ];
    let outcome = run(&load(1, scripts), 1, 0);
    assert_eq!((outcome.latencies.queue.len(), outcome.waited, outcome.counters.checkouts), (13, 2, 2));
}

/// A user's own bound holds though the pool has room, and who waits for too long is told so.
#[test]
fn caps_and_timeouts_are_in_it() {
    let scripts = (0..4).map(|n| client(0, n * MS, vec![step(0, 4_000 * MS, Hold::Free, 0)])).collect();
    let mut load = load(1, scripts);
    assert_eq!((run(&load, 9, 0).peak, run(&load, 9, 0).timeouts), (4, 0));
    load.summary.origin.pool.caps = vec![("user0".into(), 1)];
    let outcome = run(&load, 9, 0);
    // Four seconds each: the third gets it after eight, the fourth would after twelve.
    assert_eq!((outcome.peak, outcome.timeouts), (1, 1));
    assert!(is_about(queue_max(&outcome), 10_000 * MS));
}
