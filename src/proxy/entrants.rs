//! Logins under way that hold a connection of the pool before anybody has proved to be who they say: no more than half of the pool,
//! so that those who begin logins and never end them cannot keep out the clients that are in.

use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::proxy::setup::lock;

/// See the module.
#[derive(Debug)]
pub struct Entrants {
    places: Arc<Semaphore>,
    /// How many places there are, free or not.
    size: Mutex<usize>,
}

/// One login under way; dropped, it is over.
#[derive(Debug)]
pub struct Entrant(#[expect(dead_code, reason = "held, not looked at")] OwnedSemaphorePermit);

impl Default for Entrants {
    fn default() -> Entrants {
        Entrants { places: Arc::new(Semaphore::new(0)), size: Mutex::new(0) }
    }
}

impl Entrants {
    /// Waits for its turn, in the order of coming; `None`: never. `bound`: how many connections the pool may have now. Cancel safe.
    pub async fn enter(&self, bound: usize) -> Option<Entrant> {
        // A pool of one has room for a login, too.
        self.resize((bound / 2).max(1));
        Arc::clone(&self.places).acquire_owned().await.ok().map(Entrant)
    }

    /// How many there are.
    pub fn under_way(&self) -> usize {
        lock(&self.size).saturating_sub(self.places.available_permits())
    }

    /// Places that are taken go when they are left, and one more comes in.
    fn resize(&self, most: usize) {
        let mut size = lock(&self.size);
        match most.checked_sub(*size) {
            Some(more) => {
                self.places.add_permits(more);
                *size = most;
            }
            None => *size -= self.places.forget_permits(*size - most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn half_of_the_pool_is_for_those_who_are_in() {
        let entrants = Entrants::default();
        let soon = |bound| tokio::time::timeout(Duration::from_millis(50), entrants.enter(bound));
        let first = soon(5).await.expect("a turn");
        let second = soon(5).await.expect("a turn");
        assert!(soon(5).await.is_err() && soon(1).await.is_err());
        assert_eq!(entrants.under_way(), 2);
        let (third, ()) = tokio::join!(entrants.enter(5), async { drop(first) });
        // A larger pool has room for more.
        let fourth = soon(6).await.expect("a turn");
        drop((second, third, fourth));
        assert!(soon(1).await.is_ok());
        assert_eq!((entrants.under_way(), *lock(&entrants.size)), (0, 1));
    }
}
