//! How long a thread has run on a processor, as any thread of the process may ask.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// A thread's CPU clock. Waiting for a processor that others use does not count.
#[derive(Debug)]
pub struct ThreadClock(File);

impl ThreadClock {
    /// The calling thread's; it may be read by others, and stands still when the thread has ended.
    ///
    /// # Errors
    /// The system is not Linux, or `/proc` is not there.
    pub fn of_this_thread() -> io::Result<ThreadClock> {
        File::open("/proc/thread-self/schedstat").map(ThreadClock)
    }

    /// The time so far: one system call, about 1 us. `None`: the kernel keeps no such account.
    pub fn read(&self) -> Option<Duration> {
        let mut text = [0; 64];
        let n = self.0.read_at(&mut text, 0).ok()?;
        parse(&text[..n])
    }
}

/// Nanoseconds on a processor, nanoseconds of waiting for one, how often. Without an account all are 0.
fn parse(schedstat: &[u8]) -> Option<Duration> {
    let nanos = std::str::from_utf8(schedstat).ok()?.split_ascii_whitespace().next()?.parse().ok()?;
    (nanos > 0).then(|| Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_account_that_is_kept_counts() {
        assert_eq!(parse(b"129597922 521458414 69\n"), Some(Duration::from_nanos(129_597_922)));
        assert_eq!(parse(b"0 0 0\n"), None);
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"x"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn another_threads_clock_goes_only_while_it_works() {
        let (give, take) = std::sync::mpsc::channel();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let began = std::time::Instant::now();
            while began.elapsed() < Duration::from_millis(30) {
                std::hint::spin_loop();
            }
            give.send(ThreadClock::of_this_thread()).expect("somebody reads");
            let _ = stopped.recv();
        });
        let Ok(clock) = take.recv().expect("sent") else { return };
        std::thread::sleep(Duration::from_millis(20));
        let first = clock.read();
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(clock.read(), first);
        drop(stop);
        thread.join().expect("ended");
    }
}
