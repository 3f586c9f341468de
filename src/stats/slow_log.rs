//! The slow log: who is slow is decided by the worker, all else is the writer thread's.
//!
//! ```text
//! worker: gate (threshold, sample, rate) -> copy -> ring (bounded) | writer thread: form -> file (rotated)
//! ```
//!
//! A stuck disk fills the ring, and then costs records, which are counted; it never costs a query.

mod entry;
mod gate;
mod json;
mod mysql;
mod plan;
mod writer;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use self::entry::Entry;
use self::gate::{Gate, Rate, Verdict};
pub use self::plan::Plan;
use self::writer::Writer;
use super::filled::fill;
use super::record::QueryRecord;
use super::recorder::Fingerprint;
use super::ring::{Bounds, Pace, Ring};
use super::rotating_file::RotatingFile;
use super::secrets::may_hold_password;
use super::settings::SlowLogSettings;
use super::slowest::bounded_text;
use crate::sql::explain::explainable;
use crate::wire::parameters::Execution;

/// What became of the slow commands since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SlowLogCounts {
    /// At or above the threshold.
    pub slow: u64,
    /// Left out by `sample`.
    pub not_sampled: u64,
    /// Left out by `rate`.
    pub over_rate: u64,
    /// Lost because the disk was too slow for the ring.
    pub lost: u64,
    /// Lost because the disk refused them.
    pub failed: u64,
    /// Written.
    pub written: u64,
    /// Still running when their threshold (at least a second) had passed.
    pub running: u64,
}

/// The counts as they are shared.
#[derive(Debug, Default)]
struct Counts {
    slow: AtomicU64,
    not_sampled: AtomicU64,
    over_rate: AtomicU64,
    lost: AtomicU64,
    failed: AtomicU64,
    written: AtomicU64,
    running: AtomicU64,
}

/// What may wait for the writer. A slow statement is rare enough to wake it.
const WAITING: Bounds = Bounds { max_entries: 8192, max_bytes: 16 << 20, pace: Pace::AtOnce };
/// A statement that runs for at least so long may be named while it runs, however low the threshold is.
pub const NEVER_NAMED_BEFORE: Duration = Duration::from_secs(1);
/// The most statements that are named in a second: tidegate's own log is for people.
const MAX_NAMED_PER_SECOND: u32 = 10;
/// The most plans that are asked for in a second.
const MAX_EXPLAINED_PER_SECOND: u32 = 1;

/// An open slow log. Shared by all workers; dropping it closes the ring without waiting for the writer.
#[derive(Debug)]
pub struct SlowLog {
    /// Swapped as a whole where its settings change.
    gate: ArcSwap<Gate>,
    /// Nanoseconds below which the gate calls nothing slow: most commands need not ask it.
    least: AtomicU64,
    naming: Rate,
    /// `None`: plans are not asked for.
    explaining: Option<Rate>,
    redact: bool,
    fingerprint: Fingerprint,
    ring: Arc<Ring<Entry>>,
    counts: Arc<Counts>,
}

/// A slow command's record on its way to the log.
#[derive(Debug)]
pub struct Slow(Box<Entry>);

impl Slow {
    /// Adds the server's plan.
    pub fn set_plan(&mut self, plan: Plan) {
        self.0.plan = Some(plan);
    }
}

impl SlowLog {
    /// Opens the file and starts the writer thread; `None` where `path` is absent.
    ///
    /// # Errors
    /// The file cannot be opened or the thread cannot be started.
    pub fn open(settings: &SlowLogSettings, fingerprint: Fingerprint) -> io::Result<Option<Self>> {
        let Some(path) = &settings.path else {
            return Ok(None);
        };
        let file = RotatingFile::open(path, settings.max_size, settings.keep)?;
        let (ring, counts) = (Arc::new(Ring::new(WAITING)), Arc::new(Counts::default()));
        let writer = Writer::new(settings, file, fingerprint, Arc::clone(&ring), Arc::clone(&counts));
        std::thread::Builder::new().name("slow-log".into()).spawn(move || writer.run())?;
        let gate = Gate::new(settings);
        let least = AtomicU64::new(gate.least_nanos());
        let gate = ArcSwap::from_pointee(gate);
        let naming = Rate::new(Some(MAX_NAMED_PER_SECOND));
        let explaining = settings.explain.then(|| Rate::new(Some(MAX_EXPLAINED_PER_SECOND)));
        let redact = settings.redact;
        Ok(Some(SlowLog { gate, least, naming, explaining, redact, fingerprint, ring, counts }))
    }

    /// Has the command written if it is slow. Never waits for the disk.
    pub fn offer(&self, record: &QueryRecord<'_>) {
        if let Some(slow) = self.admit(record) {
            self.put(slow);
        }
    }

    /// A copy of the command's record if it is slow and to be written: what is returned must be [`SlowLog::put`].
    pub fn admit(&self, record: &QueryRecord<'_>) -> Option<Slow> {
        // No phase is longer than the whole.
        if record.phases.total < Duration::from_nanos(self.least.load(Ordering::Relaxed)) {
            return None;
        }
        let verdict = self.gate.load().judge(record);
        if verdict != Verdict::Fast {
            self.counts.slow.fetch_add(1, Ordering::Relaxed);
        }
        match verdict {
            Verdict::Fast => return None,
            Verdict::NotSampled => add_one(&self.counts.not_sampled),
            Verdict::OverRate => add_one(&self.counts.over_rate),
            Verdict::Write => return Some(Slow(Box::new(Entry::new(record)))),
        }
        None
    }

    /// Has it written.
    pub fn put(&self, slow: Slow) {
        let size = slow.0.size();
        if !self.ring.push(*slow.0, size) {
            self.count_lost();
        }
    }

    /// The SELECT whose plan is to be added: one that provably does nothing else, and not more than one in a second.
    pub fn to_explain(&self, slow: &Slow) -> Option<String> {
        let explaining = self.explaining.as_ref()?;
        let executed = slow.0.executed()?;
        let select = explainable(&executed)?;
        explaining.allows(slow.0.ended_at.as_secs()).then(|| select.to_owned())
    }

    /// Says so at the first, the second, the fourth, the eighth ..: tidegate's own log is not to grow by it.
    fn count_lost(&self) {
        let lost = self.counts.lost.fetch_add(1, Ordering::Relaxed) + 1;
        if lost.is_power_of_two() {
            tracing::warn!(lost, "the disk is too slow: records of the slow log were lost");
        }
    }

    /// After which time a statement of this account that still runs is to be named.
    pub fn named_after(&self, user: &str) -> Duration {
        self.gate.load().threshold_of(user).max(NEVER_NAMED_BEFORE)
    }

    /// A statement still runs after that time: its text for tidegate's own log (not for this file, where it will stand when
    /// it has ended), at most 1 KiB. `None`: too many were named in this second (since 1970).
    pub fn name_running(&self, sql: &[u8], execution: Option<&Execution<'_>>, second: u64) -> Option<String> {
        add_one(&self.counts.running);
        self.naming.allows(second).then(|| {
            bounded_text(&match (self.redact || may_hold_password(sql), execution) {
                (true, _) => (self.fingerprint)(sql).into_bytes(),
                (false, Some(execution)) => fill(sql, execution).text,
                (false, None) => sql.to_owned(),
            })
        })
    }

    /// Has the file opened anew before the next record: for SIGHUP after logrotate moved it.
    pub fn reopen(&self) {
        self.ring.reopen();
    }

    /// Waits until everything offered so far is written; `false` if that took longer than `timeout`. Blocks the thread.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.ring.wait_written(timeout)
    }

    /// Ends the log: no more records are taken, the rest is written, the writer is waited for. `false` if that took
    /// longer than `timeout`; then the writer is left to itself. Blocks the thread.
    pub fn shutdown(&self, timeout: Duration) -> bool {
        self.ring.close();
        self.ring.wait_ended(timeout)
    }

    /// From now on it chooses by these settings: threshold, basis, sample, rate. Its file stays as it is.
    pub fn reconfigure(&self, settings: &SlowLogSettings) {
        let gate = Gate::new(settings);
        // At no time above what the gate at hand says.
        self.least.store(0, Ordering::SeqCst);
        let least = gate.least_nanos();
        self.gate.store(Arc::new(gate));
        self.least.store(least, Ordering::SeqCst);
    }

    /// What became of the slow commands so far.
    pub fn counts(&self) -> SlowLogCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        SlowLogCounts {
            slow: read(&self.counts.slow),
            not_sampled: read(&self.counts.not_sampled),
            over_rate: read(&self.counts.over_rate),
            lost: read(&self.counts.lost),
            failed: read(&self.counts.failed),
            written: read(&self.counts.written),
            running: read(&self.counts.running),
        }
    }
}

impl Drop for SlowLog {
    fn drop(&mut self) {
        self.ring.close();
    }
}

fn add_one(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Instant;

    use super::*;
    use crate::stats::record::{Identity, Outcome, Phases};
    use crate::stats::settings::{SlowLogBasis, SlowLogFormat};

    pub(super) fn settings(path: impl AsRef<Path>) -> SlowLogSettings {
        SlowLogSettings {
            threshold: Duration::from_secs(1),
            user_thresholds: Vec::new(),
            path: Some(path.as_ref().to_owned()),
            format: SlowLogFormat::Json,
            basis: SlowLogBasis::Total,
            sample: 1.0,
            rate: None,
            redact: false,
            max_size: None,
            keep: 3,
            explain: false,
        }
    }

    pub(super) fn record(identity: &Identity) -> QueryRecord<'_> {
        QueryRecord {
            identity,
            schema: "shop",
            command: 3,
            sql: b"SELECT 1",
            sql_len: 8,
            digest: 0xABC,
            phases: Phases { total: Duration::from_millis(1_500), ..Phases::default() },
            ended_at: Duration::from_secs(1_795_359_511),
            rows_sent: 1,
            rows_affected: 0,
            last_insert_id: 0,
            bytes_in: 13,
            bytes_out: 56,
            status: 2,
            warnings: 0,
            outcome: Outcome::Ok,
            backend_id: 7,
            pin_reason: "",
            execution: None,
        }
    }

    fn fingerprint(_: &[u8]) -> String {
        "select ?".into()
    }

    const LONG: Duration = Duration::from_secs(20);

    fn lines(path: &Path) -> Vec<serde_json::Value> {
        std::fs::read_to_string(path).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    #[test]
    fn json_holds_the_whole_record() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slow.json");
        let log = SlowLog::open(&settings(&path), fingerprint).unwrap().unwrap();
        let identity = Identity { client_id: 0x4000_0001, user: "app".into(), host: "10.0.0.7".into() };
        log.offer(&QueryRecord { sql: b"SELECT '\xFF\n'", outcome: Outcome::Error(1064), ..record(&identity) });
        log.offer(&QueryRecord { phases: Phases::default(), ..record(&identity) });
        assert!(log.shutdown(LONG));
        let lines = lines(&path);
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!(line["statement"], "SELECT '\u{FFFD}\n'");
        assert_eq!(line["total_time"], 1.5);
        assert_eq!(line["time"], "2026-11-22T14:58:31.000000Z");
        assert_eq!(line["started"], "2026-11-22T14:58:29.500000Z");
        assert_eq!((&line["error"], &line["outcome"]), (&1064.into(), &"error".into()));
        assert_eq!(line["digest"], "0000000000000abc");
        assert_eq!(line["pin_reason"], serde_json::Value::Null);
        assert_eq!(log.counts(), SlowLogCounts { slow: 1, written: 1, ..SlowLogCounts::default() });
    }

    #[test]
    fn what_is_redacted_never_reaches_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slow.json");
        let redacting = SlowLogSettings { redact: true, ..settings(&path) };
        let identity = Identity::default();
        for (settings, sql) in
            [(redacting, "SELECT 'secret'"), (settings(&path), "CREATE USER a IDENTIFIED BY 'secret'")]
        {
            let log = SlowLog::open(&settings, fingerprint).unwrap().unwrap();
            log.offer(&QueryRecord { sql: sql.as_bytes(), ..record(&identity) });
            assert!(log.shutdown(LONG));
        }
        let lines = lines(&path);
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line["statement"] == "select ?"), "{lines:?}");
    }

    #[test]
    fn reopening_follows_logrotate() {
        let dir = tempfile::tempdir().unwrap();
        let (path, moved) = (dir.path().join("slow.json"), dir.path().join("moved"));
        let log = SlowLog::open(&settings(&path), fingerprint).unwrap().unwrap();
        let identity = Identity::default();
        log.offer(&record(&identity));
        assert!(log.flush(LONG));
        std::fs::rename(&path, &moved).unwrap();
        log.reopen();
        log.offer(&record(&identity));
        log.offer(&record(&identity));
        assert!(log.flush(LONG));
        assert_eq!((lines(&moved).len(), lines(&path).len()), (1, 2));
    }

    #[test]
    fn rotation_keeps_whole_records_below_the_bound() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slow.json");
        let settings = SlowLogSettings { max_size: Some(4_000), keep: 2, ..settings(&path) };
        let log = SlowLog::open(&settings, fingerprint).unwrap().unwrap();
        let identity = Identity::default();
        (0..200).for_each(|_| log.offer(&record(&identity)));
        assert!(log.shutdown(LONG));
        assert_eq!(log.counts().written, 200);
        let names = ["slow.json", "slow.json.1", "slow.json.2"].map(|name| dir.path().join(name));
        for name in &names {
            assert!(!lines(name).is_empty());
            assert!(std::fs::metadata(name).unwrap().len() <= 4_000);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), names.len());
    }

    #[test]
    fn a_stuck_disk_costs_records_but_never_a_query() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        // Nobody reads the pipe: the writer is stuck as soon as it is full.
        let _held_open = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let log = SlowLog::open(&settings(&path), fingerprint).unwrap().unwrap();
        let identity = Identity::default();
        let sql = vec![b'x'; 10_000];
        let start = Instant::now();
        (0..5_000).for_each(|_| log.offer(&QueryRecord { sql: &sql, ..record(&identity) }));
        assert!(start.elapsed() < Duration::from_secs(5));
        let counts = log.counts();
        assert!(counts.lost > 1_000 && counts.slow == 5_000, "{counts:?}");
        assert!(!log.shutdown(Duration::from_millis(50)));
    }

    #[test]
    fn a_disk_that_refuses_is_counted() {
        let log = SlowLog::open(&settings("/dev/full"), fingerprint).unwrap().unwrap();
        let identity = Identity::default();
        log.offer(&record(&identity));
        assert!(log.shutdown(LONG));
        assert_eq!(log.counts(), SlowLogCounts { slow: 1, failed: 1, ..SlowLogCounts::default() });
    }

    #[test]
    fn without_a_path_there_is_no_log() {
        let settings = SlowLogSettings { path: None, ..settings("") };
        assert!(SlowLog::open(&settings, fingerprint).unwrap().is_none());
    }
}
