//! The janitor: retires connections before their deadline, watches the idle ones, keeps `min_idle` ready. It sleeps until
//! something is due or the pool tells it otherwise.

use super::core::{IdleId, PoolKey, SlotId};
use super::duty::Chore;
use super::fate::RetireReason;
use super::handle::{Connect, Pool, Watch, now};
use super::lease::{Checked, Permit};
use super::member::deliver;

/// Keeps the pool until it is closed and drained. One task per pool, on a worker that stays. Each thing it does is a task of its own.
///
/// Not cancel safe: a chore taken from the pool and not begun closes its connection abruptly.
pub async fn keep<K: PoolKey, C: Send + 'static, B: Connect<K, C>>(pool: Pool<K, C>, connect: B) {
    loop {
        let (chores, next) = pool.shared().with(|core| core.chores(now(), |conn| connect.watch(conn)));
        for chore in chores {
            begin(&pool, &connect, chore);
        }
        if pool.is_drained() {
            return;
        }
        let told = pool.shared().keeper.notified();
        match next {
            Some(at) => drop(tokio::time::timeout_at(at.into(), told).await),
            None => told.await,
        }
    }
}

fn begin<K: PoolKey, C: Send + 'static, B: Connect<K, C>>(pool: &Pool<K, C>, connect: &B, chore: Chore<K, C, Watch>) {
    let (pool, connect) = (pool.clone(), connect.clone());
    match chore {
        Chore::Close(slot, conn, reason) => drop(tokio::spawn(close(pool, connect, slot, conn, reason))),
        Chore::Ping(slot, conn) => drop(tokio::spawn(ping(pool, connect, slot, conn))),
        Chore::Warm(slot, key) => drop(tokio::spawn(warm(pool, connect, slot, key))),
        Chore::Watch(id, readable) => drop(tokio::spawn(watch(pool, connect, id, readable))),
    }
}

async fn close<K: PoolKey, C: Send + 'static, B: Connect<K, C>>(
    pool: Pool<K, C>,
    connect: B,
    slot: SlotId,
    conn: C,
    reason: RetireReason,
) {
    let permit = Permit::new(pool.shared(), slot);
    connect.close(conn, reason).await;
    drop(permit);
}

async fn ping<K: PoolKey, C: Send + 'static, B: Connect<K, C>>(pool: Pool<K, C>, connect: B, slot: SlotId, conn: C) {
    let checked = Checked::new(pool.shared(), slot, conn);
    prove(checked, connect, RetireReason::PingFailed).await;
}

async fn warm<K: PoolKey, C: Send + 'static, B: Connect<K, C>>(pool: Pool<K, C>, connect: B, slot: SlotId, key: K) {
    let permit = Permit::new(pool.shared(), slot);
    drop(deliver(permit, &key, &connect).await);
}

/// A socket that can be read although nothing was asked: the server has closed it, as a ping will tell.
async fn watch<K: PoolKey, C: Send + 'static, B: Connect<K, C>>(
    pool: Pool<K, C>,
    connect: B,
    id: IdleId,
    readable: Watch,
) {
    readable.await;
    if let Some(checked) = pool.remove_idle(id) {
        prove(checked, connect, RetireReason::ServerClosed).await;
    }
}

async fn prove<K: PoolKey, C: Send + 'static, B: Connect<K, C>>(
    mut checked: Checked<K, C>,
    connect: B,
    reason: RetireReason,
) {
    if connect.ping(checked.conn()).await {
        return checked.put_back(Some(now()));
    }
    let (conn, permit) = checked.retire(reason);
    connect.close(conn, reason).await;
    drop(permit);
}
