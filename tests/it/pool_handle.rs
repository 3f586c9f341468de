//! The pool's handle on real threads: checkouts, cancellations, timeouts, dead backends and a keeper, all at once.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tidegate::pool::core::{Facts, PoolKey, Use};
use tidegate::pool::fate::{Condition, Fate, RetireReason};
use tidegate::pool::handle::{CheckoutError, Connect, DialError, Pool, Watch};
use tidegate::pool::keeper::keep;
use tidegate::pool::policy::{IdleTimeout, PingAfter, PoolSettings, ResetOnReturn};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key(&'static str);

impl PoolKey for Key {
    fn account(&self) -> &str {
        self.0
    }
}

/// A connection whose server notes when it is gone.
#[derive(Debug)]
struct Conn {
    id: usize,
    closed: Arc<tokio::sync::Notify>,
    server: Arc<Server>,
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.server.open.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Debug, Default)]
struct Server {
    open: AtomicUsize,
    most: AtomicUsize,
    dialed: AtomicUsize,
    down: AtomicBool,
    refuses: AtomicBool,
    dead: Mutex<HashSet<usize>>,
    reasons: Mutex<Vec<RetireReason>>,
}

#[derive(Debug, Clone, Default)]
struct Dialer(Arc<Server>);

impl Connect<Key, Conn> for Dialer {
    type Error = String;

    async fn dial(&self, _key: &Key) -> Result<(Conn, Facts), DialError<String>> {
        let open = self.0.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(open, Ordering::SeqCst);
        let id = self.0.dialed.fetch_add(1, Ordering::SeqCst);
        let conn = Conn { id, closed: Arc::default(), server: Arc::clone(&self.0) };
        tokio::time::sleep(Duration::from_micros(300)).await;
        if self.0.down.load(Ordering::SeqCst) {
            return Err(DialError::Unreachable("connection refused".into()));
        }
        if self.0.refuses.load(Ordering::SeqCst) {
            return Err(DialError::Refused("access denied".into()));
        }
        Ok((conn, Facts { wait_timeout: Some(Duration::from_secs(300)), state: 0, home: 0 }))
    }

    async fn ping(&self, conn: &mut Conn) -> bool {
        tokio::task::yield_now().await;
        !self.0.dead.lock().unwrap().contains(&conn.id)
    }

    async fn close(&self, conn: Conn, reason: RetireReason) {
        tokio::time::sleep(Duration::from_micros(100)).await;
        self.0.reasons.lock().unwrap().push(reason);
        drop(conn);
    }

    fn watch(&self, conn: &Conn) -> Option<Watch> {
        let closed = Arc::clone(&conn.closed);
        Some(Box::pin(async move { closed.notified().await }))
    }
}

fn settings(size: usize, max_overflow: usize) -> PoolSettings {
    PoolSettings {
        size,
        max_overflow,
        min_idle: 0,
        checkout_timeout: Duration::from_secs(20),
        max_lifetime: Duration::from_secs(1800),
        idle_timeout: IdleTimeout::Auto,
        ping_after: PingAfter::Idle(Duration::from_secs(30)),
        reset_on_return: ResetOnReturn::Auto,
    }
}

fn pool(size: usize, max_overflow: usize) -> (Pool<Key, Conn>, Dialer) {
    kept(settings(size, max_overflow))
}

fn kept(settings: PoolSettings) -> (Pool<Key, Conn>, Dialer) {
    let (pool, dialer) = (Pool::new(settings), Dialer::default());
    tokio::spawn(keep(pool.clone(), dialer.clone()));
    (pool, dialer)
}

/// Closes the pool and waits until every permit is back.
async fn drain(pool: Pool<Key, Conn>, dialer: &Dialer) {
    pool.close();
    tokio::time::timeout(Duration::from_secs(10), pool.drained()).await.expect("every permit comes back");
    assert_eq!(dialer.0.open.load(Ordering::SeqCst), 0, "every connection is closed");
}

#[test]
fn threads_that_hammer_the_pool_lose_nothing() {
    let (pool, dialer) = (Pool::new(settings(3, 2)), Dialer::default());
    let served = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let keeper = (pool.clone(), dialer.clone());
        let keeping = scope.spawn(move || runtime().block_on(keep(keeper.0, keeper.1)));
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let (pool, dialer, served) = (&pool, &dialer, &served);
                scope.spawn(move || runtime().block_on(hammer(worker, pool, dialer, served)))
            })
            .collect();
        workers.into_iter().for_each(|worker| worker.join().expect("a worker's end"));
        runtime().block_on(drain(pool.clone(), &dialer));
        keeping.join().expect("the keeper's end");
    });
    let most = dialer.0.most.load(Ordering::SeqCst);
    assert!(most <= 5, "{most} connections at once");
    assert!(served.load(Ordering::SeqCst) > 4_000);
    assert_eq!(pool.snapshot().occupancy.waiting, 0);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

async fn hammer(worker: u64, pool: &Pool<Key, Conn>, dialer: &Dialer, served: &AtomicUsize) {
    let mut clients = tokio::task::JoinSet::new();
    let done = Arc::new(AtomicUsize::new(0));
    for client in 0..16 {
        let key = Key(["app", "report", "batch"][client as usize % 3]);
        let member = pool.member(key, 1 + worker * 100 + client, (client % 3 == 2).then_some(2), worker as u16);
        clients.spawn(one_client(member, dialer.clone(), client, Arc::clone(&done)));
    }
    clients.join_all().await;
    served.fetch_add(done.load(Ordering::SeqCst), Ordering::SeqCst);
}

async fn one_client(
    mut member: tidegate::pool::member::Member<Key, Conn>,
    dialer: Dialer,
    client: u64,
    done: Arc<AtomicUsize>,
) {
    for round in 0..120 {
        let patience =
            if (round + client).is_multiple_of(7) { Duration::from_micros(200) } else { Duration::from_secs(30) };
        // A checkout that is dropped half-way must not take anything with it.
        let Ok(lease) = tokio::time::timeout(patience, member.checkout(client, &dialer)).await else {
            continue;
        };
        let lease = lease.expect("nobody waits for so long");
        done.fetch_add(1, Ordering::SeqCst);
        if round % 5 == 0 {
            tokio::time::sleep(Duration::from_micros(200)).await;
        } else if round % 3 == 0 {
            tokio::task::yield_now().await;
        }
        match round % 40 {
            0 => drop(lease),
            1 => {
                let (conn, permit) = lease.retire(RetireReason::Broken);
                dialer.close(conn, RetireReason::Broken).await;
                drop(permit);
            }
            _ => lease.release(client, Instant::now(), Instant::now()),
        }
    }
}

#[tokio::test]
async fn two_hundred_holders_on_four_connections_never_make_anybody_wait_long() {
    let (pool, dialer) = pool(4, 0);
    let mut clients = tokio::task::JoinSet::new();
    for client in 1..=200 {
        let (mut member, dialer) = (pool.member(Key("app"), client, None, 0), dialer.clone());
        clients.spawn(async move {
            let begun = Instant::now();
            let lease = member.checkout(client, &dialer).await.expect("a connection");
            let waited = begun.elapsed();
            // Its last statement warned: kept until somebody else needs it.
            lease.label("warnings", Instant::now());
            lease.offer();
            let _ = tokio::time::timeout(Duration::from_secs(2), lease.asked()).await;
            lease.release(client, Instant::now(), Instant::now());
            waited
        });
    }
    let longest = clients.join_all().await.into_iter().max().expect("200 waits");
    assert!(longest < Duration::from_secs(1), "{longest:?}");
    drain(pool, &dialer).await;
}

#[tokio::test]
async fn a_timeout_says_who_has_the_connections() {
    let (pool, dialer) = kept(PoolSettings { checkout_timeout: Duration::from_millis(50), ..settings(2, 0) });
    let mut members: Vec<_> = (1..=3).map(|client| pool.member(Key("app"), client, None, 0)).collect();
    let first = members[0].checkout(0, &dialer).await.expect("a connection");
    let second = members[1].checkout(0, &dialer).await.expect("a connection");
    first.label("transaction", Instant::now());
    second.label("user_lock", Instant::now());
    let error = members[2].checkout(0, &dialer).await.map(drop).expect_err("none is left");
    let text = error.to_string();
    assert!(text.contains("2 of 2 connections in use (2 leased: transaction 1, user_lock 1)"), "{text}");
    assert!(text.contains("client 1 has held one for 0.") && text.contains("(transaction)"), "{text}");
    assert!(!pool.wanted(), "whoever timed out waits no more");
    assert_eq!(pool.snapshot().counters.timeouts, 1);
    drop((first, second));
    drain(pool, &dialer).await;
}

#[tokio::test]
async fn clients_of_a_backend_that_is_down_wait_and_recover_by_themselves() {
    let (pool, dialer) = pool(5, 0);
    dialer.0.down.store(true, Ordering::SeqCst);
    let mut clients = tokio::task::JoinSet::new();
    for client in 1..=30 {
        let (mut member, dialer) = (pool.member(Key("app"), client, None, 0), dialer.clone());
        clients.spawn(async move {
            let lease = member.checkout(client, &dialer).await.expect("it recovers");
            lease.release(client, Instant::now(), Instant::now());
        });
    }
    tokio::time::sleep(Duration::from_millis(600)).await;
    let dials = dialer.0.dialed.load(Ordering::SeqCst);
    assert!(dials <= 5 + 6, "{dials} dials to a dead backend: one probes, not all");
    dialer.0.down.store(false, Ordering::SeqCst);
    tokio::time::timeout(Duration::from_secs(10), clients.join_all()).await.expect("all are served");
    drain(pool, &dialer).await;
}

#[tokio::test]
async fn a_refused_login_ends_the_wait_at_once_and_disturbs_nobody() {
    let (pool, dialer) = pool(2, 0);
    dialer.0.refuses.store(true, Ordering::SeqCst);
    let mut member = pool.member(Key("app"), 1, None, 0);
    let error = member.checkout(0, &dialer).await.map(drop).expect_err("refused");
    assert!(matches!(error, CheckoutError::Refused(ref why) if why == "access denied"), "{error:?}");
    dialer.0.refuses.store(false, Ordering::SeqCst);
    let lease = member.checkout(0, &dialer).await.expect("a connection");
    lease.release(0, Instant::now(), Instant::now());
    drain(pool, &dialer).await;
}

#[tokio::test]
async fn the_last_connection_comes_back_without_any_restore() {
    let (pool, dialer) = pool(3, 0);
    let mut one = pool.member(Key("app"), 1, None, 0);
    let mut other = one.alike(2);
    let (first, second) =
        (one.checkout(7, &dialer).await.expect("one"), other.checkout(9, &dialer).await.expect("two"));
    let (first_id, second_id) = (first.id, second.id);
    first.release(7, Instant::now(), Instant::now());
    second.release(9, Instant::now(), Instant::now());
    let again = one.checkout(8, &dialer).await.expect("its own");
    assert_eq!((again.id, again.is_own(), again.state()), (first_id, true, 7), "its own, although its state changed");
    let equal = one.alike(3).checkout(9, &dialer).await.expect("an equal one");
    assert_eq!((equal.id, equal.is_own(), equal.state()), (second_id, false, 9));
    assert_eq!(again.fate(Condition::Clean, Instant::now()), Fate::Keep);
    drop((again, equal));
    drain(pool, &dialer).await;
}

#[tokio::test]
async fn a_server_that_closes_an_idle_connection_is_noticed_without_a_client() {
    let (pool, dialer) = pool(2, 0);
    let mut member = pool.member(Key("app"), 1, None, 0);
    let lease = member.checkout(0, &dialer).await.expect("a connection");
    let (id, closed) = (lease.id, Arc::clone(&lease.closed));
    lease.release(0, Instant::now(), Instant::now());
    dialer.0.dead.lock().unwrap().insert(id);
    closed.notify_one();
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    assert_eq!(dialer.0.reasons.lock().unwrap().as_slice(), [RetireReason::ServerClosed]);
    assert_eq!(pool.snapshot().counters.stale_prevented, 1);
    let lease = member.checkout(0, &dialer).await.expect("a new one");
    assert_ne!(lease.id, id);
    drop(lease);
    drain(pool, &dialer).await;
}

#[tokio::test]
async fn relayed_connections_count_and_another_users_idle_one_makes_room() {
    let (pool, dialer) = pool(1, 0);
    let mut app = pool.member(Key("app"), 1, None, 0);
    let lease = app.checkout(0, &dialer).await.expect("a connection");
    lease.release(0, Instant::now(), Instant::now());
    let mut other = pool.member(Key("other"), 2, None, 0);
    let permit = other.permit(Use::Relayed, &dialer).await.expect("the idle one makes room");
    assert_eq!(dialer.0.open.load(Ordering::SeqCst), 0, "closed before the permit is given");
    let waiting = tokio::spawn({
        let dialer = dialer.clone();
        async move { app.checkout(0, &dialer).await.map(|lease| lease.release(0, Instant::now(), Instant::now())) }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(pool.wanted() && pool.occupancy().relayed == 1, "{}", pool.occupancy());
    drop(permit);
    waiting.await.expect("no panic").expect("served when the permit is back");
    drain(pool, &dialer).await;
}

#[tokio::test]
async fn min_idle_is_warmed_in_the_background() {
    let (pool, dialer) = kept(PoolSettings { min_idle: 3, ..settings(5, 0) });
    let mut member = pool.member(Key("app"), 1, None, 0);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(pool.occupancy().idle, 3);
    let lease = member.try_checkout(0, Instant::now()).expect("one lies ready");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(pool.occupancy().idle, 3, "replaced");
    drop(lease);
    drain(pool, &dialer).await;
}

#[tokio::test]
async fn an_account_that_changed_is_dialed_anew() {
    let (pool, dialer) = pool(3, 0);
    let mut one = pool.member(Key("app"), 1, None, 0);
    let mut two = one.alike(2);
    let leased = one.checkout(0, &dialer).await.expect("a connection");
    let idle = two.checkout(0, &dialer).await.expect("a connection");
    idle.release(0, Instant::now(), Instant::now());
    pool.retire_account("app");
    leased.release(0, Instant::now(), Instant::now());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(dialer.0.reasons.lock().unwrap().as_slice(), [RetireReason::AccountChanged; 2]);
    drain(pool, &dialer).await;
}

#[tokio::test]
async fn the_keeper_of_an_empty_pool_ends_when_it_is_closed() {
    let (pool, dialer) = (Pool::<Key, Conn>::new(settings(1, 0)), Dialer::default());
    let keeper = tokio::spawn(keep(pool.clone(), dialer.clone()));
    tokio::task::yield_now().await;
    pool.close();
    tokio::time::timeout(Duration::from_secs(5), keeper).await.expect("it ends").expect("without a panic");
    let mut late = pool.member(Key("app"), 1, None, 0);
    let refused = late.checkout(0, &dialer).await.map(drop);
    assert!(matches!(refused, Err(CheckoutError::Closed)), "{refused:?}");
}
