//! What this machine is and what its processes cost, as `/proc` shows it. Where there is none, nothing is said.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The machine in one line: `2 cores (Intel ..), Linux 6.1.0`.
pub(super) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cores = if cores == 1 { "1 core".to_owned() } else { format!("{cores} cores") };
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim()));
    let model = model.map(|model| format!(" ({model})")).unwrap_or_default();
    let system = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores}{model}, {} {}", std::env::consts::OS, system.trim()).trim_end().to_owned()
}

/// A process's CPU time so far, all threads; `None`: it is not there, or not ours to see.
pub(super) fn process_time(pid: u32) -> Option<Duration> {
    let tasks = threads(&PathBuf::from(format!("/proc/{pid}/task")))?;
    Some(tasks.into_iter().filter_map(|task| thread_time(&task)).sum())
}

/// The CPU time of tidegate's worker threads in this process so far, and that of the thread which called first: the clients'.
pub(super) fn own_times() -> Option<(Duration, Duration)> {
    let (mut workers, mut clients) = (Duration::ZERO, Duration::ZERO);
    let own = fs::read_link("/proc/thread-self").ok()?;
    for task in threads(Path::new("/proc/self/task"))? {
        let time = thread_time(&task).unwrap_or_default();
        if task.file_name() == own.file_name() {
            clients += time;
        } else if fs::read_to_string(task.join("comm")).is_ok_and(|name| name.starts_with("worker-")) {
            workers += time;
        }
    }
    Some((workers, clients))
}

/// Whether this is the process of a MySQL or MariaDB server.
pub(super) fn is_server(pid: u32) -> bool {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.starts_with("mysqld") || name.starts_with("mariadbd")
}

fn threads(folder: &Path) -> Option<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).ok()?;
    Some(entries.flatten().map(|entry| entry.path()).collect())
}

/// The kernel's own account, in nanoseconds.
fn thread_time(task: &Path) -> Option<Duration> {
    let text = fs::read_to_string(task.join("schedstat")).ok()?;
    text.split_ascii_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
