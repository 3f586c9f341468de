//! Who is connected: ids that no server gives, and what others may ask of a client's task.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use rustc_hash::FxHashMap;

use crate::login::greet::FIRST_CLIENT_ID;

/// Ids are given from here up to twice this number, then again from the start.
const ID_MASK: u32 = FIRST_CLIENT_ID - 1;

/// One connected client, as others see it.
#[derive(Debug)]
pub struct Entry {
    /// Its id for life.
    pub id: u32,
    /// The backend's own id of the connection that serves it now; 0: none.
    backend: AtomicU32,
    /// The task is asked to end its client at the next command boundary.
    leaving: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Entry {
    /// Says which backend connection serves this client now; 0: none.
    pub fn set_backend(&self, id: u32) {
        self.backend.store(id, Ordering::Release);
    }

    /// Whether the client's task shall end at the next command boundary.
    #[inline]
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    /// Who is to be woken when somebody asks something of this client's task.
    pub fn set_waker(&self, waker: &Waker) {
        *lock(&self.waker) = Some(waker.clone());
    }

    fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
        if let Some(waker) = lock(&self.waker).as_ref() {
            waker.wake_by_ref();
        }
    }
}

/// All connected clients of one proxy.
#[derive(Debug, Default)]
pub struct Clients {
    next: AtomicU32,
    live: Mutex<FxHashMap<u32, Arc<Entry>>>,
}

impl Clients {
    /// Gives an id to a new client; `None` if `max` clients are there already.
    pub fn admit(self: &Arc<Self>, max: usize) -> Option<Admission> {
        let mut live = lock(&self.live);
        if live.len() >= max {
            return None;
        }
        let id = loop {
            let id = FIRST_CLIENT_ID | self.next.fetch_add(1, Ordering::Relaxed).wrapping_add(1) & ID_MASK;
            if !live.contains_key(&id) {
                break id;
            }
        };
        let entry = Arc::new(Entry {
            id,
            backend: AtomicU32::new(0),
            leaving: AtomicBool::new(false),
            waker: Mutex::new(None),
        });
        live.insert(id, Arc::clone(&entry));
        Some(Admission { clients: Arc::clone(self), entry })
    }

    /// The backend connection that serves this client now.
    pub fn backend_of(&self, id: u32) -> Option<u32> {
        let backend = lock(&self.live).get(&id)?.backend.load(Ordering::Acquire);
        (backend != 0).then_some(backend)
    }

    /// The clients by the backend connections that serve them now.
    pub fn by_backend(&self) -> FxHashMap<u32, u32> {
        let live = lock(&self.live);
        let serving = live.values().map(|entry| (entry.backend.load(Ordering::Acquire), entry.id));
        serving.filter(|&(backend, _)| backend != 0).collect()
    }

    /// How many are connected.
    pub fn count(&self) -> usize {
        lock(&self.live).len()
    }

    /// Asks every client's task to end at its next command boundary; returns how many.
    pub fn ask_all_to_leave(&self) -> usize {
        let all: Vec<_> = lock(&self.live).values().cloned().collect();
        all.iter().for_each(|entry| entry.leave());
        all.len()
    }
}

/// A client's place in the list; dropped, the place is free.
#[derive(Debug)]
pub struct Admission {
    clients: Arc<Clients>,
    entry: Arc<Entry>,
}

impl std::ops::Deref for Admission {
    type Target = Entry;
    fn deref(&self) -> &Entry {
        &self.entry
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        lock(&self.clients.live).remove(&self.entry.id);
    }
}

/// A panic elsewhere leaves these lists whole: every change is one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_bounded_and_free_again() {
        let clients = Arc::new(Clients::default());
        let first = clients.admit(2).expect("room");
        let second = clients.admit(2).expect("room");
        assert!(first.id >= FIRST_CLIENT_ID && first.id != second.id);
        assert!(clients.admit(2).is_none());
        first.set_backend(7);
        assert_eq!((clients.backend_of(first.id), clients.backend_of(second.id)), (Some(7), None));
        let gone = first.id;
        drop(first);
        assert_eq!((clients.backend_of(gone), clients.count()), (None, 1));
        assert_eq!(clients.ask_all_to_leave(), 1);
        assert!(second.is_leaving());
    }
}
