//! The time as all clients' tasks know it: told now and then by one task, so that none of them needs a clock or a timer of its
//! own. While nobody moves nobody is told: the teller sleeps until the first alarm.
//!
//! ```text
//!  a task asks: now() --- the first since the last telling ---> stir(): the true time, and the teller is woken if it sleeps
//!  the teller:  tell, pause, tell, pause ... nobody asked in a whole pause -> asleep until the next alarm, or a stir
//! ```

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::millis;

/// No alarm is set.
pub(super) const NEVER: u64 = u64::MAX;

/// How long the teller may sleep: what it goes by may be configured anew.
const MOST_REST: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Clock {
    began: Instant,
    /// Milliseconds, as last told.
    now: AtomicU64,
    /// No alarm is to ring before: until then nobody needs to be looked at.
    next_alarm: AtomicU64,
    /// Somebody has asked for the time since it was told last.
    stirred: AtomicBool,
    asleep: AtomicBool,
    /// Wakes the teller.
    news: Notify,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock {
            began: Instant::now(),
            now: AtomicU64::new(1),
            next_alarm: AtomicU64::new(NEVER),
            stirred: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            news: Notify::new(),
        }
    }
}

impl Clock {
    /// Since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The true time.
    pub(super) fn exact(&self) -> u64 {
        millis(self.elapsed()).saturating_add(1)
    }

    /// Milliseconds as last told; never 0.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        if !self.stirred.load(Ordering::Acquire) {
            self.stir();
        }
        self.now.load(Ordering::Relaxed)
    }

    /// Nobody may see that somebody moves before the time is true again.
    #[cold]
    pub(super) fn stir(&self) {
        self.now.fetch_max(self.exact(), Ordering::SeqCst);
        self.stirred.store(true, Ordering::SeqCst);
        self.wake_teller();
    }

    /// Somebody came.
    pub(super) fn arrival(&self) {
        self.stir();
        self.news.notify_one();
    }

    /// It is this time. True: an alarm may be due.
    pub(super) fn tell(&self, now: u64) -> bool {
        self.now.fetch_max(now, Ordering::SeqCst);
        now >= self.next_alarm.load(Ordering::SeqCst)
    }

    /// Before all alarms are looked at: one that is set meanwhile is either seen or sets this.
    pub(super) fn forget_alarms(&self) {
        self.next_alarm.store(NEVER, Ordering::SeqCst);
    }

    /// An alarm is to ring at this time.
    #[inline]
    pub(super) fn expect_alarm(&self, at: u64) {
        if at < self.next_alarm.load(Ordering::SeqCst) {
            self.next_alarm.fetch_min(at, Ordering::SeqCst);
            self.wake_teller();
        }
    }

    fn wake_teller(&self) {
        if self.asleep.load(Ordering::SeqCst) {
            self.news.notify_one();
        }
    }

    /// Returns when the time is to be told again. `due`: what else than an alarm somebody is to be looked at for, and when.
    pub(super) async fn pause(&self, pause: Duration, due: impl FnOnce() -> u64) {
        if self.stirred.swap(false, Ordering::SeqCst) {
            return tokio::time::sleep(pause).await;
        }
        self.asleep.store(true, Ordering::SeqCst);
        // Who stirs or sets an alarm from here on sees that the teller sleeps; who did before is seen here.
        if !self.stirred.load(Ordering::SeqCst) {
            let next = self.next_alarm.load(Ordering::SeqCst).min(due());
            let rest = Duration::from_millis(next.saturating_sub(self.exact())).min(MOST_REST).max(pause);
            let _ = tokio::time::timeout(rest, self.news.notified()).await;
        }
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// Returns when somebody comes.
    pub(super) async fn until_arrival(&self) {
        self.news.notified().await;
    }

    #[cfg(test)]
    pub(super) fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::SeqCst)
    }
}
