//! The open loop's clock: what becomes due in its time. Requests do by chance at a given rate, and wait for a client where none
//! is free.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::sync::Notify;

/// When requests begin, since the start: a Poisson process, the same for the same seed. Pure; without an end.
pub(super) struct Schedule {
    random: Rng,
    per_second: f64,
    at: f64,
}

impl Schedule {
    pub fn new(per_second: u32, seed: u64) -> Schedule {
        Schedule { random: Rng::with_seed(seed), per_second: f64::from(per_second), at: 0.0 }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.at -= (1.0 - self.random.f64()).ln() / self.per_second;
        Some(Duration::from_secs_f64(self.at))
    }
}

/// Requests that are due, and those who wait for them.
#[derive(Default)]
pub(super) struct Backlog {
    due: Mutex<VecDeque<Instant>>,
    arrived: Notify,
}

impl Backlog {
    /// The request that has been due for longest. Cancel safe.
    pub async fn next(&self) -> Instant {
        loop {
            if let Some(due) = self.lock().pop_front() {
                return due;
            }
            self.arrived.notified().await;
        }
    }

    /// Those that nobody has taken.
    pub fn drain(&self) -> Vec<Instant> {
        self.lock().drain(..).collect()
    }

    /// One more is due.
    pub fn add(&self, due: Instant) {
        self.lock().push_back(due);
        self.arrived.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Instant>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives what is scheduled, each in its time since `began`, until `end`; `late` is told by how much each one was late.
///
/// # Errors
/// There is no timer.
pub(super) async fn pace<T>(
    schedule: impl IntoIterator<Item = (Duration, T)>,
    began: Instant,
    end: Instant,
    mut late: impl FnMut(Duration),
    mut give: impl FnMut(Instant, T),
) -> std::io::Result<()> {
    let mut timer = timer::Timer::new()?;
    let scheduled = schedule.into_iter().map(|(at, what)| (began + at, what));
    for (due, what) in scheduled.take_while(|(due, _)| *due < end) {
        if due > Instant::now() {
            timer.until(due).await?;
        }
        late(due.elapsed());
        give(due, what);
    }
    Ok(())
}

/// The runtime's own timers ring a millisecond late, which is longer than most statements take.
#[cfg(target_os = "linux")]
mod timer {
    use std::fs::File;
    use std::io;
    use std::time::{Duration, Instant};

    use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
    use rustix::time::{timerfd_create, timerfd_settime};
    use tokio::io::AsyncReadExt;
    use tokio::net::unix::pipe::Receiver;

    /// A timer is read as a pipe is: eight bytes when it has rung.
    pub(super) struct Timer(Receiver);

    impl Timer {
        pub fn new() -> io::Result<Timer> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = File::from(timerfd_create(TimerfdClockId::Monotonic, flags)?);
            Ok(Timer(Receiver::from_file_unchecked(timer)?))
        }

        pub async fn until(&mut self, at: Instant) -> io::Result<()> {
            // Zero would stop the timer.
            let left = at.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
            let never = Timespec { tv_sec: 0, tv_nsec: 0 };
            let once = Timespec::try_from(left).map_err(io::Error::other)?;
            let setting = Itimerspec { it_interval: never, it_value: once };
            timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &setting)?;
            self.0.read_exact(&mut [0; 8]).await.map(drop)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod timer {
    use std::io;
    use std::time::Instant;

    pub(super) struct Timer;

    impl Timer {
        pub fn new() -> io::Result<Timer> {
            Ok(Timer)
        }

        pub async fn until(&mut self, at: Instant) -> io::Result<()> {
            tokio::time::sleep_until(at.into()).await;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn so_many_come_in_a_second_and_by_chance() {
        let times: Vec<f64> = Schedule::new(1_000, 3).map(|at| at.as_secs_f64()).take_while(|at| *at < 20.0).collect();
        assert!((19_400..20_600).contains(&times.len()), "{}", times.len());
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // Of an exponential distribution's gaps a share of 1/e is longer than the mean.
        let longer = gaps.iter().filter(|gap| **gap > 0.001).count() as f64 / gaps.len() as f64;
        assert!((0.35..0.39).contains(&longer), "{longer}");
    }

    #[test]
    fn the_same_seed_is_the_same_schedule() {
        let of = |seed| Schedule::new(100, seed).take(5).collect::<Vec<_>>();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[tokio::test]
    async fn nobody_is_forgotten_and_the_oldest_is_first() {
        let backlog = Arc::new(Backlog::default());
        let now = Instant::now();
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let backlog = Arc::clone(&backlog);
                tokio::spawn(async move { backlog.next().await })
            })
            .collect();
        tokio::task::yield_now().await;
        (0..4).for_each(|n| backlog.add(now + Duration::from_secs(n)));
        let mut got = Vec::new();
        for task in waiting {
            got.push(task.await.expect("served"));
        }
        got.push(backlog.next().await);
        let expected: Vec<_> = (0..3).map(|n| now + Duration::from_secs(n)).collect();
        got.sort();
        assert_eq!(got, expected);
        assert_eq!(backlog.drain(), [now + Duration::from_secs(3)]);
    }

    #[tokio::test]
    async fn requests_become_due_in_their_time() {
        let backlog = Backlog::default();
        let began = Instant::now();
        let mut told = 0;
        let end = began + Duration::from_millis(50);
        let schedule = Schedule::new(1_000, 5).zip(0..);
        pace(schedule, began, end, |_| told += 1, |due, _| backlog.add(due)).await.expect("a timer");
        let due = backlog.drain();
        let planned = Schedule::new(1_000, 5).map(|at| began + at).take_while(|due| *due < end);
        assert!(due.iter().copied().eq(planned) && told == due.len());
        assert!(Instant::now() >= *due.last().expect("some"));
    }
}
