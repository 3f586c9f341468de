//! A well-behaved client that queries all the time: whatever happens beside it, it must not notice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use super::raw::Raw;

/// No answer may take longer, on a machine that does much else.
const MAX_LATENCY: Duration = Duration::from_secs(5);

/// The client; [`Neighbour::assert_undisturbed`] ends it.
pub struct Neighbour {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(usize, Duration)>,
}

impl Neighbour {
    /// Logs in as `app` and begins.
    pub fn start(address: SocketAddr) -> Neighbour {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let mut client = Raw::enter(address, "app");
        let thread = spawn(move || {
            let (mut answers, mut slowest) = (0, Duration::ZERO);
            while answers < 3 || !told.load(Ordering::Relaxed) {
                let began = Instant::now();
                let reply = client.query(&format!("SELECT {answers}")).expect("the neighbour was disconnected");
                let row = answers.to_string();
                assert_eq!(reply[3], [&[row.len() as u8], row.as_bytes()].concat(), "the neighbour's row");
                slowest = slowest.max(began.elapsed());
                answers += 1;
                sleep(Duration::from_millis(2));
            }
            client.send(0, b"\x01");
            (answers, slowest)
        });
        Neighbour { stop, thread }
    }

    /// It was answered all the time, and rightly.
    pub fn assert_undisturbed(self) {
        self.stop.store(true, Ordering::Relaxed);
        let (answers, slowest) = self.thread.join().expect("the neighbour was disturbed");
        assert!(slowest < MAX_LATENCY, "of {answers} answers the slowest took {slowest:?}");
    }
}
