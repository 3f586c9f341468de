//! Logins under way that hold a connection of the pool before anybody has proved to be who they say: no more than half of the pool,
//! so that those who begin logins and never end them cannot keep out the clients that are in.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::proxy::setup::lock;

/// See the module.
#[derive(Debug, Default)]
pub struct Entrants(Arc<Door>);

#[derive(Debug, Default)]
struct Door {
    under_way: Mutex<usize>,
    left: Notify,
}

/// One login under way; dropped, it is over.
#[derive(Debug)]
pub struct Entrant(Arc<Door>);

impl Entrants {
    /// Waits for its turn. `bound`: how many connections the pool may have now. Cancel safe.
    pub async fn enter(&self, bound: usize) -> Entrant {
        let most = (bound / 2).max(1);
        loop {
            let left = self.0.left.notified();
            if let Some(entrant) = self.try_enter(most) {
                return entrant;
            }
            left.await;
        }
    }

    fn try_enter(&self, most: usize) -> Option<Entrant> {
        let mut under_way = lock(&self.0.under_way);
        if *under_way >= most {
            return None;
        }
        *under_way += 1;
        Some(Entrant(Arc::clone(&self.0)))
    }

    /// How many there are.
    pub fn under_way(&self) -> usize {
        *lock(&self.0.under_way)
    }
}

impl Drop for Entrant {
    fn drop(&mut self) {
        *lock(&self.0.under_way) -= 1;
        self.0.left.notify_one();
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
        drop((second, third));
        // A pool of one has room for a login, too.
        assert!(soon(1).await.is_ok());
        assert_eq!(entrants.under_way(), 0);
    }
}
