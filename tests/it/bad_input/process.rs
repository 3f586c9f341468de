//! What tidegate's process holds, as the kernel tells it.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::tidegate::Tidegate;

/// Open file descriptors.
pub fn descriptors(tidegate: &Tidegate) -> usize {
    fs::read_dir(format!("/proc/{}/fd", tidegate.pid())).expect("/proc").count()
}

/// Resident memory in KiB.
pub fn resident_kib(tidegate: &Tidegate) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", tidegate.pid())).expect("/proc");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
}

/// Clock ticks (of 10 ms) spent so far, in user code and in the kernel.
pub fn cpu_ticks(tidegate: &Tidegate) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", tidegate.pid())).expect("/proc");
    let fields: Vec<&str> = stat[stat.rfind(')').expect("a name") + 2..].split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<u64>().expect("a number");
    ticks(11) + ticks(12)
}

/// Waits until this holds.
pub fn eventually(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let limit = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < limit, "{what}");
        sleep(Duration::from_millis(20));
    }
}
