//! What a checkout and its release cost: alone, with another thread at it too, and when every release is a hand-off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use tidegate::pool::core::{Core, Facts, Lane, PoolKey, Progress, Use, Want};
use tidegate::pool::fate::{Condition, Fate, RetireReason};
use tidegate::pool::handle::{Connect, DialError, Pool, Watch};
use tidegate::pool::member::Member;
use tidegate::pool::policy::{IdleTimeout, PingAfter, PoolSettings, ResetOnReturn};

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key(Arc<str>, u32);

impl PoolKey for Key {
    fn account(&self) -> &str {
        &self.0
    }
}

type Conn = Box<u64>;

/// Connections that cost nothing.
#[derive(Clone)]
struct Free;

impl Connect<Key, Conn> for Free {
    type Error = ();

    async fn dial(&self, _key: &Key) -> Result<(Conn, Facts), DialError<()>> {
        Ok((Box::new(0), Facts { wait_timeout: Some(Duration::from_secs(28_800)), state: 0, home: 0 }))
    }

    async fn ping(&self, _conn: &mut Conn) -> bool {
        true
    }

    async fn close(&self, _conn: Conn, _reason: RetireReason) {}

    fn watch(&self, _conn: &Conn) -> Option<Watch> {
        None
    }
}

fn settings() -> PoolSettings {
    PoolSettings {
        size: 25,
        max_overflow: 50,
        min_idle: 0,
        checkout_timeout: Duration::from_secs(60),
        max_lifetime: Duration::from_secs(100_000),
        idle_timeout: IdleTimeout::Auto,
        ping_after: PingAfter::Off,
        reset_on_return: ResetOnReturn::Auto,
    }
}

fn key() -> Key {
    Key("app".into(), 7)
}

/// A pool in which each of these members has had a connection of its own.
fn members(count: u64) -> Vec<Member<Key, Conn>> {
    let pool = Pool::new(settings());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut members: Vec<_> = (1..=count).map(|client| pool.member(key(), client, None, 0)).collect();
        let mut leases = Vec::new();
        for member in &mut members {
            leases.push(member.checkout(0, &Free).await.expect("a connection"));
        }
        leases.into_iter().for_each(|lease| lease.release(0, Instant::now(), Instant::now()));
        members
    })
}

fn once(member: &mut Member<Key, Conn>, now: Instant) {
    let lease = member.try_checkout(0, now).expect("a connection");
    assert_eq!(lease.fate(Condition::Clean, now), Fate::Keep);
    lease.release(0, now, now);
}

fn handle(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("checkout_and_release");
    let mut two = members(8);
    let mut first = two.remove(0);
    let now = Instant::now();
    group.bench_function("own last", |bencher| bencher.iter(|| once(&mut first, now)));
    group.bench_function("own last, and two readings of the clock", |bencher| {
        bencher.iter(|| {
            let lease = first.try_checkout(0, Instant::now()).expect("a connection");
            let now = Instant::now();
            lease.release(0, now, now);
        })
    });
    group.bench_function("another's, equal state, twice", |bencher| {
        let mut one_connection = members(1);
        let mut first = one_connection.remove(0);
        let mut other = first.alike(2);
        bencher.iter(|| {
            once(&mut other, now);
            once(&mut first, now);
        });
    });
    group.finish();
    contended(criterion);
}

/// The same while another thread does nothing else.
fn contended(criterion: &mut Criterion) {
    let mut two = members(2);
    let (mut first, mut second) = (two.remove(0), two.remove(0));
    let (stop, now) = (AtomicBool::new(false), Instant::now());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                once(&mut second, now);
            }
        });
        criterion.bench_function("checkout_and_release/own last, two threads", |bencher| {
            bencher.iter(|| once(&mut first, now))
        });
        stop.store(true, Ordering::Relaxed);
    });
}

/// 800 wait for one connection: each release hands it to the first, who queues up again afterwards.
fn hand_off(criterion: &mut Criterion) {
    let now = Instant::now();
    let mut core: Core<Key, Conn> = Core::new(PoolSettings { size: 1, max_overflow: 0, ..settings() });
    let group = core.join(&key(), Lane::Pooled, None, now);
    let want = |client| Want { group, client, state: 0, home: 0, last: None, permit: None::<Use> };
    let first = core.wait(want(1), None, now);
    let Progress::Dial(slot, None) = core.poll(first, now) else { panic!("a permit") };
    let facts = Facts { wait_timeout: None, state: 0, home: 0 };
    core.connected(slot, Box::new(0), facts, 0, now);
    let Progress::Ready(taken) = core.poll(first, now) else { panic!("a connection") };
    let mut held = Some(taken);
    let mut queue: std::collections::VecDeque<_> = (2..800).map(|client| core.wait(want(client), None, now)).collect();
    criterion.bench_function("core/hand-off with 800 waiting", |bencher| {
        bencher.iter(|| {
            let taken = held.take().expect("a lease");
            core.release(taken.slot, taken.conn, 0, now, now);
            core.notices().for_each(drop);
            let next = queue.pop_front().expect("a waiter");
            let Progress::Ready(next) = core.poll(next, now) else { panic!("a hand-off") };
            held = Some(next);
            queue.push_back(core.wait(want(1), None, now));
        })
    });
}

criterion_group!(benches, handle, hand_off);
criterion_main!(benches);
