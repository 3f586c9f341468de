//! Between the workers and a writer thread: bounded in number and in bytes, and never waited for by a worker.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What may wait, and when the writer looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// The most entries that wait.
    pub max_entries: usize,
    /// The most bytes that wait.
    pub max_bytes: usize,
    /// How the writer comes to know of them.
    pub pace: Pace,
}

/// When the writer looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// An idle writer is woken by the entry: for what is rare. It costs the worker a system call.
    AtOnce,
    /// The writer looks by itself after so long, and is woken where half of the room is taken: for what is frequent.
    Every(Duration),
}

/// What the writer is to do next.
#[derive(Debug)]
pub(crate) struct Work<T> {
    /// To be written, in order.
    pub entries: Vec<T>,
    /// The file is to be opened anew before anything is written.
    pub reopen: bool,
}

#[derive(Debug)]
struct State<T> {
    work: Work<T>,
    bytes: usize,
    /// The writer waits for work.
    idle: bool,
    closed: bool,
    /// The writer is gone.
    ended: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Ring<T> {
    bounds: Bounds,
    state: Mutex<State<T>>,
    to_writer: Condvar,
    from_writer: Condvar,
}

impl<T> Ring<T> {
    /// An empty one.
    pub fn new(bounds: Bounds) -> Self {
        let work = Work { entries: Vec::new(), reopen: false };
        Ring {
            bounds,
            state: Mutex::new(State { work, bytes: 0, idle: false, closed: false, ended: false }),
            to_writer: Condvar::new(),
            from_writer: Condvar::new(),
        }
    }

    /// Puts an entry of this many bytes in; `false` if there is no room or no writer.
    pub fn push(&self, entry: T, size: usize) -> bool {
        let Bounds { max_entries, max_bytes, .. } = self.bounds;
        let mut state = self.lock();
        if state.closed || state.work.entries.len() >= max_entries || state.bytes + size > max_bytes {
            return false;
        }
        state.bytes += size;
        state.work.entries.push(entry);
        if self.is_due(&state) {
            self.wake_writer(&state);
        }
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

    /// The writer's side: waits for work, or for its time ([`Pace::Every`]; then there may be none); `None` when the ring is
    /// closed and empty. `used`: an empty list whose memory serves the next entries.
    pub fn take(&self, used: Vec<T>) -> Option<Work<T>> {
        let began = Instant::now();
        let mut state = self.lock();
        while !self.is_due(&state) {
            if state.closed {
                break;
            }
            state.idle = true;
            self.from_writer.notify_all();
            state = match self.bounds.pace {
                Pace::AtOnce => self.to_writer.wait(state).unwrap_or_else(PoisonError::into_inner),
                Pace::Every(pause) => {
                    let left = pause.saturating_sub(began.elapsed());
                    if left.is_zero() {
                        break;
                    }
                    self.to_writer.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        if state.closed && state.work.is_empty() {
            return None;
        }
        state.idle = false;
        state.bytes = 0;
        Some(std::mem::replace(&mut state.work, Work { entries: used, reopen: false }))
    }

    /// The writer's last word.
    pub fn ended(&self) {
        self.lock().ended = true;
        self.from_writer.notify_all();
    }

    fn is_due(&self, state: &State<T>) -> bool {
        match self.bounds.pace {
            Pace::AtOnce => !state.work.is_empty(),
            Pace::Every(_) => {
                let half = |taken: usize, most: usize| taken >= most / 2;
                state.work.reopen
                    || half(state.work.entries.len(), self.bounds.max_entries)
                    || half(state.bytes, self.bounds.max_bytes)
            }
        }
    }

    fn wait_for(&self, timeout: Duration, done: impl Fn(&State<T>) -> bool) -> bool {
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
    fn wake_writer(&self, state: &State<T>) {
        if state.idle {
            self.to_writer.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Work<T> {
    fn is_empty(&self) -> bool {
        self.entries.is_empty() && !self.reopen
    }
}

/// Whoever waits for the writer learns that it is gone, even if it panicked.
pub(crate) struct LastWord<T>(pub std::sync::Arc<Ring<T>>);

impl<T> Drop for LastWord<T> {
    fn drop(&mut self) {
        self.0.ended();
    }
}
