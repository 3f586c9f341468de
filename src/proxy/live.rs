//! The settings that may change while the proxy runs and are looked at on the way of a command or a login: each a word that is
//! read without a lock. `[[user]]` has a lock of its own, which logins alone take.

use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::proxy::settings::{Limits, ProxySettings};

/// No limit.
const OFF: u64 = u64::MAX;

/// See the module.
#[derive(Debug, Default)]
pub struct Live {
    max_clients: AtomicUsize,
    /// Milliseconds, as all below.
    login_timeout: AtomicU64,
    idle_timeout: AtomicU64,
    query_timeout: AtomicU64,
    transaction_timeout: AtomicU64,
    idle_transaction_timeout: AtomicU64,
    users: RwLock<FxHashMap<Vec<u8>, Bounds>>,
}

/// One user's own bounds.
#[derive(Debug, Clone, Copy, Default)]
struct Bounds {
    pool_size: Option<usize>,
    max_clients: Option<usize>,
}

impl Live {
    /// From the start's settings.
    pub fn new(settings: &ProxySettings) -> Live {
        let live = Live::default();
        live.apply(settings);
        live
    }

    /// From new ones.
    pub fn apply(&self, settings: &ProxySettings) {
        self.max_clients.store(settings.listen.max_clients, Relaxed);
        let Limits { query_timeout, transaction_timeout, idle_transaction_timeout } = settings.limits;
        let limits = [
            (&self.login_timeout, Some(settings.listen.login_timeout)),
            (&self.idle_timeout, settings.listen.idle_timeout),
            (&self.query_timeout, query_timeout),
            (&self.transaction_timeout, transaction_timeout),
            (&self.idle_transaction_timeout, idle_transaction_timeout),
        ];
        limits.into_iter().for_each(|(word, limit)| word.store(millis(limit), Relaxed));
        let bounds = settings.auth.users.iter().map(|user| {
            let bounds = Bounds { pool_size: user.pool_size, max_clients: user.max_clients };
            (user.name.as_bytes().to_vec(), bounds)
        });
        // A panic elsewhere leaves the map whole: it is changed by one call.
        *self.users.write().unwrap_or_else(std::sync::PoisonError::into_inner) = bounds.collect();
    }

    /// `listen.max_clients`
    pub fn max_clients(&self) -> usize {
        self.max_clients.load(Relaxed)
    }

    /// `listen.login_timeout`
    pub fn login_timeout(&self) -> Duration {
        limit(&self.login_timeout).unwrap_or(Duration::MAX)
    }

    /// `listen.idle_timeout`
    pub fn idle_timeout(&self) -> Option<Duration> {
        limit(&self.idle_timeout)
    }

    /// `pool.query_timeout` and its like.
    #[inline]
    pub fn limits(&self) -> Limits {
        Limits {
            query_timeout: limit(&self.query_timeout),
            transaction_timeout: limit(&self.transaction_timeout),
            idle_transaction_timeout: limit(&self.idle_transaction_timeout),
        }
    }

    /// A `[[user]]`'s `pool_size`.
    pub fn pool_size_of(&self, user: &[u8]) -> Option<usize> {
        self.bounds_of(user).pool_size
    }

    /// A `[[user]]`'s `max_clients`.
    pub fn max_clients_of(&self, user: &[u8]) -> Option<usize> {
        self.bounds_of(user).max_clients
    }

    /// Who has a `pool_size` of its own.
    pub fn capped_users(&self) -> Vec<String> {
        let users = self.users.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let capped = users.iter().filter(|(_, bounds)| bounds.pool_size.is_some());
        capped.map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect()
    }

    /// Each user's `pool_size`, where there is one.
    pub fn caps(&self) -> Vec<(String, usize)> {
        let users = self.users.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let caps = users.iter().filter_map(|(name, bounds)| Some((name, bounds.pool_size?)));
        caps.map(|(name, size)| (String::from_utf8_lossy(name).into_owned(), size)).collect()
    }

    fn bounds_of(&self, user: &[u8]) -> Bounds {
        let users = self.users.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        users.get(user).copied().unwrap_or_default()
    }
}

fn limit(word: &AtomicU64) -> Option<Duration> {
    match word.load(Relaxed) {
        OFF => None,
        millis => Some(Duration::from_millis(millis)),
    }
}

/// Rounded up: a limit of some microseconds is not none at all.
fn millis(limit: Option<Duration>) -> u64 {
    let rounded = |limit: Duration| u64::try_from(limit.as_micros().div_ceil(1000)).unwrap_or(OFF - 1);
    limit.map_or(OFF, rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_is_told_from_a_short_one() {
        let word = AtomicU64::new(millis(None));
        assert_eq!(limit(&word), None);
        word.store(millis(Some(Duration::from_micros(5))), Relaxed);
        assert_eq!(limit(&word), Some(Duration::from_millis(1)));
    }
}
