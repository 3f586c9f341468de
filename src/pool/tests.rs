//! The core's rules one by one; `tests/it/pool_simulation` has them all at once.

use std::time::{Duration, Instant};

use super::allowance::BELIEVED;
use super::core::{Core, Facts, IdleId, Lane, PoolKey, Progress, SlotId, Taken, Want};
use super::duty::{Chore, OVERFLOW_LINGER, WATCH_AFTER};
use super::fate::RetireReason;
use super::policy::tests::settings;

impl PoolKey for &'static str {
    fn account(&self) -> &str {
        self
    }
}

type Pool = Core<&'static str, u32>;

fn pool(size: usize, max_overflow: usize) -> (Pool, Instant) {
    (Core::new(settings(size, max_overflow)), Instant::now())
}

fn want(core: &mut Pool, key: &'static str, client: u64, now: Instant) -> Want {
    let group = core.join(&key, Lane::Pooled, None, now);
    Want { group, client, state: client, home: 0, last: None, permit: None }
}

fn facts(wait_timeout: u64) -> Facts {
    Facts { wait_timeout: Some(Duration::from_secs(wait_timeout)), state: 0, home: 0 }
}

/// Waits for a connection that has to be dialed, dials it, and takes it.
fn dialed(core: &mut Pool, want: Want, conn: u32, wait_timeout: u64, now: Instant) -> Taken<u32> {
    let id = core.wait(want, None, now);
    let Progress::Dial(slot, _) = core.poll(id, now) else { panic!("no permit") };
    core.connected(slot, conn, facts(wait_timeout), 0, now);
    let Progress::Ready(taken) = core.poll(id, now) else { panic!("no connection") };
    taken
}

fn release(core: &mut Pool, taken: Taken<u32>, now: Instant) {
    core.release(taken.slot, taken.conn, 0, now, now);
}

/// What the keeper closes now.
fn closes(core: &mut Pool, now: Instant) -> Vec<(u32, RetireReason)> {
    let (chores, _) = core.chores(now, |_| None::<()>);
    let close = |chore| match chore {
        Chore::Close(slot, conn, reason) => Some((slot, conn, reason)),
        _ => None,
    };
    let closed: Vec<(SlotId, u32, RetireReason)> = chores.into_iter().filter_map(close).collect();
    closed.iter().for_each(|&(slot, ..)| core.free(slot, now));
    closed.into_iter().map(|(_, conn, reason)| (conn, reason)).collect()
}

#[test]
fn an_overdue_connection_is_not_handed_out_although_the_keeper_is_late() {
    let (mut core, now) = pool(2, 0);
    let want = want(&mut core, "app", 1, now);
    let taken = dialed(&mut core, want, 7, 10, now);
    release(&mut core, taken, now);
    assert!(core.try_take(&want, now + Duration::from_secs(9)).is_none(), "a second before the server closes it");
    let fresh = dialed(&mut core, want, 8, 10, now + Duration::from_secs(9));
    assert_eq!(fresh.conn, 8);
    assert_eq!(closes(&mut core, now + Duration::from_secs(9)), [(7, RetireReason::IdleTimeout)]);
}

#[test]
fn a_timeout_counts_from_the_servers_last_answer_not_from_the_release() {
    let (mut core, now) = pool(1, 0);
    let want = want(&mut core, "app", 1, now);
    let taken = dialed(&mut core, want, 7, 10, now);
    let late = now + Duration::from_secs(9);
    core.release(taken.slot, taken.conn, 0, now, late);
    assert!(core.try_take(&want, late).is_none());
    assert_eq!(closes(&mut core, late), [(7, RetireReason::IdleTimeout)]);
}

#[test]
fn overflow_lingers_then_the_coldest_goes_and_size_is_kept() {
    let (mut core, now) = pool(2, 2);
    let want = want(&mut core, "app", 1, now);
    let taken: Vec<_> = (0..4).map(|conn| dialed(&mut core, want, conn, 28_800, now)).collect();
    taken.into_iter().for_each(|taken| release(&mut core, taken, now));
    let almost = now + OVERFLOW_LINGER - Duration::from_millis(1);
    assert_eq!(closes(&mut core, almost), [], "a burst may come back");
    let due = now + OVERFLOW_LINGER;
    assert_eq!(closes(&mut core, due), [(0, RetireReason::Overflow), (1, RetireReason::Overflow)]);
    assert_eq!(closes(&mut core, due + OVERFLOW_LINGER * 10), [], "size is kept");
    assert_eq!(core.open(), 2);
}

#[test]
fn min_idle_is_kept_alive_by_ping() {
    let mut few = settings(3, 0);
    few.min_idle = 1;
    let (mut core, now): (Pool, _) = (Core::new(few), Instant::now());
    let want = want(&mut core, "app", 1, now);
    let both: Vec<_> = (1..=2).map(|conn| dialed(&mut core, want, conn, 10, now)).collect();
    both.into_iter().for_each(|taken| release(&mut core, taken, now));
    let due = now + Duration::from_secs(9);
    let (chores, _) = core.chores(due, |_| None::<()>);
    let [Chore::Close(_, 1, RetireReason::IdleTimeout), Chore::Ping(slot, 2)] = chores[..] else {
        panic!("{chores:?}")
    };
    core.put_back(slot, 2, Some(due), due);
    assert_eq!(core.try_take(&want, due + Duration::from_secs(8)).map(|taken| taken.conn), Some(2));
}

#[test]
fn an_idle_connection_is_watched_once_and_the_name_of_its_period_ends_with_it() {
    let (mut core, now) = pool(1, 0);
    let want = want(&mut core, "app", 1, now);
    let taken = dialed(&mut core, want, 7, 300, now);
    release(&mut core, taken, now);
    let quiet = now + WATCH_AFTER;
    let watched = |core: &mut Pool, at| -> Vec<IdleId> {
        let (chores, _) = core.chores(at, |_| Some(()));
        chores.into_iter().filter_map(|chore| if let Chore::Watch(id, ()) = chore { Some(id) } else { None }).collect()
    };
    assert_eq!(watched(&mut core, now), []);
    let ids = watched(&mut core, quiet);
    assert_eq!((ids.len(), watched(&mut core, quiet).len()), (1, 0));

    let taken = core.try_take(&want, quiet).expect("it lies ready");
    assert!(core.remove_idle(ids[0]).is_none(), "its client has it");
    release(&mut core, taken, quiet);
    assert!(core.remove_idle(ids[0]).is_none(), "that was another period");
}

#[test]
fn another_keys_waiter_goes_first_only_if_it_came_much_earlier() {
    for (earlier, served) in [(Duration::from_millis(5), "app"), (Duration::from_millis(50), "other")] {
        let (mut core, now) = pool(1, 0);
        let app = want(&mut core, "app", 1, now);
        let other = want(&mut core, "other", 2, now);
        let taken = dialed(&mut core, app, 7, 300, now);
        let first = core.wait(other, None, now);
        let second = core.wait(app, None, now + earlier);
        release(&mut core, taken, now + earlier);
        let progress = (core.poll(first, now + earlier), core.poll(second, now + earlier));
        match progress {
            (Progress::Pending, Progress::Ready(taken)) => {
                assert_eq!((served, taken.conn), ("app", 7))
            }
            (Progress::Dial(_, Some(7)), Progress::Pending) => assert_eq!(served, "other"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_first_of_a_key_is_served_by_whatever_comes_first_and_its_dial_serves_the_next() {
    let (mut core, now) = pool(2, 0);
    let app = want(&mut core, "app", 1, now);
    let taken = dialed(&mut core, app, 7, 300, now);
    let first = core.wait(app, None, now);
    let Progress::Dial(slot, None) = core.poll(first, now) else { panic!("no permit") };
    let second = core.wait(app, None, now);
    release(&mut core, taken, now);
    assert!(matches!(core.poll(first, now), Progress::Ready(Taken { conn: 7, .. })));
    core.connected(slot, 8, facts(300), 0, now);
    assert!(matches!(core.poll(second, now), Progress::Ready(Taken { conn: 8, .. })));
}

#[test]
fn unused_keys_and_users_are_forgotten() {
    let (mut core, now) = pool(1, 0);
    for key in ["a", "b", "c"] {
        let want = want(&mut core, key, 1, now);
        let taken = dialed(&mut core, want, 1, 300, now);
        release(&mut core, taken, now);
        core.leave(want.group);
    }
    let keys = core.snapshot(now).keys;
    assert_eq!(keys.iter().map(|part| (part.key, part.clients, part.idle)).collect::<Vec<_>>(), [("c", 0, 1)]);
}

#[test]
fn in_a_pause_nobody_is_served_and_what_comes_back_is_closed() {
    let (mut core, now) = pool(2, 0);
    let (one, two) = (want(&mut core, "app", 1, now), want(&mut core, "app", 2, now));
    let held = dialed(&mut core, one, 7, 100, now);
    let idle = dialed(&mut core, two, 8, 100, now);
    release(&mut core, idle, now);
    core.pause(now);
    assert_eq!(closes(&mut core, now), [(8, RetireReason::Draining)]);
    assert!(core.try_take(&two, now).is_none());
    let waiter = core.wait(two, None, now);
    assert!(matches!(core.poll(waiter, now), Progress::Pending));
    release(&mut core, held, now);
    assert_eq!(closes(&mut core, now), [(7, RetireReason::Draining)]);
    assert!(matches!(core.poll(waiter, now), Progress::Pending) && core.audit(now).is_ok());
    assert!(core.resume(now) && !core.resume(now));
    assert!(matches!(core.poll(waiter, now), Progress::Dial(..)));
}

#[test]
fn a_pause_asks_for_what_is_offered() {
    let (mut core, now) = pool(2, 0);
    let one = want(&mut core, "app", 1, now);
    let held = dialed(&mut core, one, 7, 100, now);
    core.offer(held.slot, now);
    assert!(!core.is_asked(held.slot), "nobody waits");
    core.pause(now);
    assert!(core.is_asked(held.slot));
}

#[test]
fn a_user_whose_cap_is_raised_gets_what_it_waits_for() {
    let (mut core, now) = pool(2, 0);
    let one = want(&mut core, "app", 1, now);
    core.set_cap("app", Some(1), now);
    let _held = dialed(&mut core, one, 7, 100, now);
    let two = Want { client: 2, ..one };
    let waiter = core.wait(two, None, now);
    assert!(matches!(core.poll(waiter, now), Progress::Pending));
    core.set_cap("app", Some(2), now);
    assert!(matches!(core.poll(waiter, now), Progress::Dial(..)));
}

#[test]
fn what_a_connection_is_kept_for_is_seen_and_summed_up() {
    let (mut core, now) = pool(2, 0);
    let one = want(&mut core, "app", 1, now);
    let held = dialed(&mut core, one, 7, 100, now);
    core.label(held.slot, "transaction", now);
    let later = now + Duration::from_secs(3);
    let seen = core.connections(later, |&conn| conn);
    let told: Vec<_> = seen.iter().map(|c| (c.state, c.client, c.label, c.labelled.as_secs(), c.id)).collect();
    assert_eq!(told, [("leased", 1, "transaction", 3, 0)]);
    release(&mut core, held, later);
    let idle = core.connections(later, |&conn| conn);
    assert_eq!((idle[0].state, idle[0].label, idle[0].id), ("idle", "", 7));
    let pins = core.snapshot(later).pins;
    assert_eq!((pins[0].reason, pins[0].begun, pins[0].held.as_secs(), pins.len()), ("transaction", 1, 3, 1));
}

#[test]
fn what_is_beyond_a_lowered_bound_goes_as_it_comes_back() {
    let (mut core, now) = pool(3, 0);
    let want = want(&mut core, "app", 1, now);
    let mut taken: Vec<_> = (0..3).map(|conn| dialed(&mut core, want, conn, 300, now)).collect();
    core.reconfigure(settings(1, 0), now);
    let last = taken.pop().expect("three");
    taken.into_iter().for_each(|taken| release(&mut core, taken, now));
    release(&mut core, last, now);
    assert_eq!(closes(&mut core, now), [(0, RetireReason::Overflow), (1, RetireReason::Overflow)]);
    assert_eq!((core.open(), core.try_take(&want, now).map(|taken| taken.conn)), (1, Some(2)));
}

#[test]
fn min_idle_is_kept_with_the_last_clients_key() {
    let mut one = settings(1, 0);
    (one.min_idle, one.max_lifetime) = (1, Duration::from_secs(5));
    let (mut core, now): (Pool, _) = (Core::new(one), Instant::now());
    let want = want(&mut core, "app", 1, now);
    let taken = dialed(&mut core, want, 1, 300, now);
    release(&mut core, taken, now);
    core.leave(want.group);
    let old = now + Duration::from_secs(5);
    assert_eq!(closes(&mut core, old), [(1, RetireReason::Lifetime)]);
    let (chores, _) = core.chores(old, |_| None::<()>);
    let [Chore::Warm(slot, "app")] = chores[..] else { panic!("{chores:?}") };
    // An account that is no more is not tried again.
    core.dial_failed(slot, false, 0, old);
    assert!(core.chores(old + Duration::from_secs(60), |_| None::<()>).0.is_empty());
}

#[test]
fn who_waits_for_its_own_accounts_connection_dials_no_more_than_the_server_allows() {
    let (mut core, now) = pool(4, 0);
    let want = want(&mut core, "app", 1, now);
    let held = dialed(&mut core, want, 7, 300, now);
    let waiter = core.wait(Want { client: 2, ..want }, None, now);
    let refused = |core: &mut Pool, waiter, now| {
        let Progress::Dial(slot, None) = core.poll(waiter, now) else { panic!("no permit") };
        let waits = core.is_at_most(slot, now);
        core.dial_failed(slot, false, 0, now);
        waits
    };
    assert!(refused(&mut core, waiter, now));
    assert!(matches!(core.poll(waiter, now), Progress::Pending), "it dials no more");
    // After a while one more is tried.
    let later = now + BELIEVED;
    let (_, again) = core.chores(now, |_| None::<()>);
    assert!(again.is_some_and(|again| again <= later));
    let _ = core.chores(later, |_| None::<()>);
    assert!(refused(&mut core, waiter, later));
    release(&mut core, held, later);
    let Progress::Ready(held) = core.poll(waiter, later) else { panic!("it came back") };
    assert_eq!(held.conn, 7);
    // Who has none hears of it at once.
    core.retire(held.slot, RetireReason::Broken, later);
    core.free(held.slot, later);
    let waiter = core.wait(want, None, later);
    assert!(!refused(&mut core, waiter, later));
}
