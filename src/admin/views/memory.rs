//! What the process has, as the kernel says it, and what of tidegate's own takes room in it.

use crate::admin::table::{Cell, Kind, Table};
use crate::proxy::running::Running;

/// `SHOW MEMORY`
pub fn table(running: &Running) -> Table {
    let mut table = Table::new(&[("name", Kind::Text), ("value", Kind::Count), ("unit", Kind::Text)]);
    let process = process();
    let stats = running.stats();
    let used = running.pool().occupancy;
    for (name, value, unit) in [
        ("resident", process.resident, "bytes"),
        ("resident_peak", process.peak, "bytes"),
        ("threads", process.threads, "count"),
        ("open_files", process.open_files, "count"),
        ("clients", Some(running.client_count() as u64), "count"),
        ("server_connections", Some(used.open as u64), "count"),
        ("prepared_statements", Some(running.prepared_statements() as u64), "count"),
        ("digests", Some(stats.digests.len() as u64), "count"),
        ("labels", Some(stats.labels.len() as u64), "count"),
        ("slowest_statements", Some(stats.slowest.len() as u64), "count"),
    ] {
        table.push(vec![name.into(), value.map_or(Cell::Null, Cell::Count), unit.into()]);
    }
    table
}

/// What the kernel tells of this process; `None` where it does not.
#[derive(Debug, Default, Clone, Copy)]
pub struct Process {
    /// Bytes in memory.
    pub resident: Option<u64>,
    /// The most that there ever were.
    pub peak: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open file descriptors.
    pub open_files: Option<u64>,
}

/// This process now. Reads `/proc`.
pub fn process() -> Process {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let open_files = std::fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64);
    Process {
        resident: field(&status, "VmRSS:").map(|kib| kib << 10),
        peak: field(&status, "VmHWM:").map(|kib| kib << 10),
        threads: field(&status, "Threads:"),
        // Reading the list takes one itself.
        open_files: open_files.map(|count| count.saturating_sub(1)),
    }
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_read() {
        assert_eq!(field("Name:\tx\nVmRSS:\t  1234 kB\nThreads:\t7\n", "VmRSS:"), Some(1234));
        assert_eq!(field("Threads:\t7\n", "VmRSS:"), None);
        let own = process();
        assert!(own.resident.is_some_and(|bytes| bytes > 1 << 20) && own.open_files.is_some_and(|files| files > 2));
    }
}
