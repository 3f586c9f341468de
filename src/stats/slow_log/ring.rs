//! Between the workers and the writer: bounded in number and in bytes, and never waited for by a worker.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::entry::Entry;

/// The most entries that wait.
const MAX_ENTRIES: usize = 8192;
/// The most bytes that wait.
const MAX_BYTES: usize = 16 << 20;

/// What the writer is to do next.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// To be written, in order.
    pub entries: Vec<Entry>,
    /// The file is to be opened anew before anything is written.
    pub reopen: bool,
}

#[derive(Debug, Default)]
struct State {
    work: Work,
    bytes: usize,
    /// The writer waits for work.
    idle: bool,
    closed: bool,
    /// The writer is gone.
    ended: bool,
}

#[derive(Debug, Default)]
pub(super) struct Ring {
    state: Mutex<State>,
    to_writer: Condvar,
    from_writer: Condvar,
}

impl Ring {
    /// Puts an entry in; `false` if there is no room or no writer.
    pub fn push(&self, entry: Entry) -> bool {
        let size = entry.size();
        let mut state = self.lock();
        if state.closed || state.work.entries.len() >= MAX_ENTRIES || state.bytes + size > MAX_BYTES {
            return false;
        }
        state.bytes += size;
        state.work.entries.push(entry);
        self.wake_writer(&state);
        true
    }

    /// Has the file opened anew.
    pub fn reopen(&self) {
        let mut state = self.lock();
        state.work.reopen = true;
        self.wake_writer(&state);
    }

    /// No more entries; the writer ends when it has written what there is.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.wake_writer(&state);
    }

    /// Waits until everything is written; `false` if that took longer than `timeout`.
    pub fn wait_written(&self, timeout: Duration) -> bool {
        self.wait_for(timeout, |state| state.ended || (state.idle && state.work.is_empty()))
    }

    /// Waits until the writer is gone; `false` if that took longer than `timeout`.
    pub fn wait_ended(&self, timeout: Duration) -> bool {
        self.wait_for(timeout, |state| state.ended)
    }

    /// The writer's side: waits for work; `None` when the ring is closed and empty.
    pub fn take(&self) -> Option<Work> {
        let mut state = self.lock();
        while state.work.is_empty() {
            if state.closed {
                return None;
            }
            state.idle = true;
            self.from_writer.notify_all();
            state = self.to_writer.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.idle = false;
        state.bytes = 0;
        Some(std::mem::take(&mut state.work))
    }

    /// The writer's last word.
    pub fn ended(&self) {
        self.lock().ended = true;
        self.from_writer.notify_all();
    }

    fn wait_for(&self, timeout: Duration, done: impl Fn(&State) -> bool) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.lock();
        while !done(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.from_writer.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// A busy writer looks again by itself: waking it would cost the worker a system call.
    fn wake_writer(&self, state: &State) {
        if state.idle {
            self.to_writer.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Work {
    fn is_empty(&self) -> bool {
        self.entries.is_empty() && !self.reopen
    }
}
