//! What one worker thread has seen: counters, histograms, labels, digests, the slowest statements.
//!
//! Each worker has a [`Recorder`] of its own, so its lock is free but for the moment in which a reader copies it.

use std::hash::Hasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustc_hash::FxHasher;

use super::commands;
use super::counters::Counters;
use super::filled::fill;
use super::histogram::{PhaseHistograms, PhaseNanos, nanos};
use super::record::QueryRecord;
use super::secrets::may_hold_password;
use super::slowest::{MAX_TEXT_BYTES, Slowest, bounded_text};
use super::snapshot::Snapshot;
use super::top::Top;

/// Makes a statement's fingerprint: its text without its literals.
pub type Fingerprint = fn(&[u8]) -> String;

/// What the recorders of one process may keep.
#[derive(Debug, Clone, Copy)]
pub struct RecorderSettings {
    /// How a digest's text is made.
    pub fingerprint: Fingerprint,
    /// Fingerprints are kept instead of statements' texts; for those that may hold a password they always are.
    pub redact: bool,
    /// The most digests per recorder.
    pub max_digests: usize,
    /// The most labels (user and schema) per recorder.
    pub max_labels: usize,
    /// The most slow statements per recorder and per snapshot.
    pub max_slowest: usize,
}

impl RecorderSettings {
    /// Bounds that keep `workers` recorders, one baseline and one snapshot below 64 MiB for up to 8 workers; each further
    /// worker costs 2.5 MiB.
    pub fn for_workers(workers: usize, fingerprint: Fingerprint) -> Self {
        let workers = workers.max(1);
        RecorderSettings {
            fingerprint,
            redact: false,
            max_digests: (512 / workers).clamp(32, 256),
            max_labels: (256 / workers).clamp(16, 128),
            max_slowest: 20,
        }
    }
}

/// The name of a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label {
    /// The account's name.
    pub user: Arc<str>,
    /// The schema; empty for none.
    pub schema: Arc<str>,
}

/// What a digest stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestText {
    /// Its fingerprint, at most 1 KiB.
    pub fingerprint: Arc<str>,
    /// The text of its slowest statement, or the fingerprint (see [`RecorderSettings::redact`]); at most 1 KiB.
    pub slowest: Arc<str>,
    /// How long that one took.
    pub slowest_total: Duration,
}

/// Everything one recorder holds.
#[derive(Debug, Clone)]
pub(crate) struct Contents {
    /// Raised by each reset, so that an earlier copy is not taken for a former state.
    pub generation: u64,
    pub counters: Counters,
    pub phases: PhaseHistograms,
    pub labels: Top<Label>,
    pub digests: Top<DigestText>,
    pub slowest: Slowest,
}

/// One worker's recorder. `record` is called by that worker only; readers come seldom.
#[derive(Debug)]
pub struct Recorder {
    settings: RecorderSettings,
    contents: Mutex<Contents>,
}

impl Recorder {
    /// An empty one.
    pub fn new(settings: RecorderSettings) -> Self {
        Recorder { settings, contents: Mutex::new(Contents::new(&settings, 0)) }
    }

    /// Counts one command. Never blocks but for a reader's copy; allocates only for labels, digests and slow statements
    /// that are new.
    pub fn record(&self, record: &QueryRecord<'_>) {
        self.lock().record(record, &self.settings);
    }

    /// Forgets everything.
    pub fn reset(&self) {
        let mut contents = self.lock();
        *contents = Contents::new(&self.settings, contents.generation + 1);
    }

    pub(crate) fn copy(&self) -> Contents {
        let mut contents = self.lock();
        contents.phases.settle();
        contents.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        // Counters stay usable whatever happened to a thread that held them.
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All recorders of a process, for those who read them.
#[derive(Debug, Clone)]
pub struct Recorders {
    recorders: Vec<Arc<Recorder>>,
    max_slowest: usize,
}

impl Recorders {
    /// One recorder per worker (at least one).
    pub fn new(workers: usize, settings: RecorderSettings) -> Self {
        let recorders = (0..workers.max(1)).map(|_| Arc::new(Recorder::new(settings))).collect();
        Recorders { recorders, max_slowest: settings.max_slowest }
    }

    /// The recorder of a worker; numbers beyond the last begin again.
    pub fn of_worker(&self, worker: usize) -> Arc<Recorder> {
        Arc::clone(&self.recorders[worker % self.recorders.len()])
    }

    /// Everything since the start, merged. Costs milliseconds: for readers, not for the data path.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::merged(self.copies(), self.max_slowest)
    }

    /// Forgets everything that was recorded.
    pub fn reset(&self) {
        self.recorders.iter().for_each(|recorder| recorder.reset());
    }

    pub(crate) fn copies(&self) -> Vec<Contents> {
        self.recorders.iter().map(|recorder| recorder.copy()).collect()
    }

    pub(crate) fn max_slowest(&self) -> usize {
        self.max_slowest
    }
}

impl Contents {
    fn new(settings: &RecorderSettings, generation: u64) -> Self {
        Contents {
            generation,
            counters: Counters::default(),
            phases: PhaseHistograms::new(),
            labels: Top::new(settings.max_labels),
            digests: Top::new(settings.max_digests),
            slowest: Slowest::new(settings.max_slowest),
        }
    }

    /// What came after `earlier`, a former state of the same recorder; all of it if the recorder was reset in between.
    pub(crate) fn since(mut self, earlier: &Contents) -> Contents {
        if self.generation != earlier.generation {
            return self;
        }
        self.counters.subtract(&earlier.counters);
        self.phases.subtract(&earlier.phases);
        self.labels = self.labels.since(&earlier.labels);
        self.digests = self.digests.since(&earlier.digests);
        self
    }

    fn record(&mut self, record: &QueryRecord<'_>, settings: &RecorderSettings) {
        self.counters.record(record);
        let answered = commands::has_reply(record.command);
        let nanos = nanos(&record.phases);
        if answered {
            self.phases.record(&nanos);
        }
        self.record_label(record, &nanos, answered);
        if record.digest != 0 {
            self.record_digest(record, &nanos, answered, settings);
        }
        self.slowest.offer(record, || shown_text(record, settings));
    }

    fn record_label(&mut self, record: &QueryRecord<'_>, nanos: &PhaseNanos, answered: bool) {
        let (user, schema) = (record.identity.user.as_str(), record.schema);
        let name = || Label { user: user.into(), schema: schema.into() };
        match self.labels.touch(label_key(user, schema), name) {
            // Two labels with one hash: the later one belongs to `other`.
            Some(group) if *group.name.user == *user && *group.name.schema == *schema => {
                group.tally.record(record, nanos, answered);
            }
            _ => self.labels.other_mut().record(record, nanos, answered),
        }
    }

    fn record_digest(
        &mut self,
        record: &QueryRecord<'_>,
        nanos: &PhaseNanos,
        answered: bool,
        settings: &RecorderSettings,
    ) {
        let Some(group) = self.digests.touch(record.digest, || digest_text(record, settings)) else {
            return self.digests.other_mut().record(record, nanos, answered);
        };
        group.tally.record(record, nanos, answered);
        if record.phases.total > group.name.slowest_total {
            group.name.slowest_total = record.phases.total;
            group.name.slowest = shown_text(record, settings).into();
        }
    }
}

fn digest_text(record: &QueryRecord<'_>, settings: &RecorderSettings) -> DigestText {
    let fingerprint = bounded_fingerprint(record, settings);
    DigestText { fingerprint: fingerprint.into(), slowest: "".into(), slowest_total: Duration::ZERO }
}

fn shown_text(record: &QueryRecord<'_>, settings: &RecorderSettings) -> String {
    match settings.redact || may_hold_password(record.sql) {
        true => bounded_fingerprint(record, settings),
        false => match &record.execution {
            Some(execution) => bounded_text(&fill(record.sql, execution).text),
            None => bounded_text(record.sql),
        },
    }
}

fn bounded_fingerprint(record: &QueryRecord<'_>, settings: &RecorderSettings) -> String {
    let mut text = (settings.fingerprint)(record.sql);
    text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
    text.shrink_to_fit();
    text
}

fn label_key(user: &str, schema: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(user.as_bytes());
    hasher.write_u8(0xFF);
    hasher.write(schema.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::record::{Identity, Outcome, Phases};
    use crate::stats::snapshot::Baseline;

    fn fingerprint(sql: &[u8]) -> String {
        String::from_utf8_lossy(sql).replace(|c: char| c.is_ascii_digit(), "?")
    }

    fn settings() -> RecorderSettings {
        RecorderSettings::for_workers(2, fingerprint)
    }

    fn identity(user: &str) -> Identity {
        Identity { client_id: 7, user: user.into(), host: String::new() }
    }

    fn record<'a>(identity: &'a Identity, sql: &'a str, ms: u64) -> QueryRecord<'a> {
        let total = Duration::from_millis(ms);
        QueryRecord {
            identity,
            schema: "shop",
            command: 3,
            sql: sql.as_bytes(),
            sql_len: sql.len() as u64,
            digest: 1 + sql.len() as u64,
            phases: Phases { total, server: total, ..Phases::default() },
            ended_at: Duration::from_secs(1_000 + ms),
            rows_sent: 2,
            rows_affected: 1,
            last_insert_id: 0,
            bytes_in: 10,
            bytes_out: 100,
            status: 0x0020,
            warnings: 3,
            outcome: Outcome::Ok,
            backend_id: 1,
            pin_reason: "",
            execution: None,
        }
    }

    #[test]
    fn all_workers_counts_are_in_the_snapshot() {
        let recorders = Recorders::new(2, settings());
        let (ann, bob) = (identity("ann"), identity("bob"));
        recorders.of_worker(0).record(&record(&ann, "SELECT 1", 5));
        recorders.of_worker(1).record(&record(&ann, "SELECT 2", 9));
        recorders.of_worker(1).record(&QueryRecord { outcome: Outcome::Error(1064), ..record(&bob, "SELEC", 1) });
        recorders.of_worker(0).record(&QueryRecord { outcome: Outcome::ClientGone, ..record(&bob, "SELEC", 1) });
        recorders.of_worker(0).record(&QueryRecord { outcome: Outcome::BackendGone, ..record(&bob, "SELEC", 1) });
        let s = recorders.snapshot();
        let c = &s.counters;
        assert_eq!((c.total_commands(), c.commands[3], c.errors, c.client_gone, c.backend_gone), (5, 5, 1, 1, 1));
        assert_eq!((c.rows_sent, c.rows_affected, c.bytes_in, c.bytes_out, c.warnings), (10, 5, 50, 500, 15));
        assert_eq!((c.no_index_used, c.no_good_index_used), (5, 0));
        let labels: Vec<_> = s.labels.iter().map(|l| (&*l.label.user, &*l.label.schema, l.tally.count)).collect();
        assert_eq!(labels, [("ann", "shop", 2), ("bob", "shop", 3)]);
        let digest = &s.digests[0];
        assert_eq!((&*digest.text.fingerprint, &*digest.text.slowest), ("SELECT ?", "SELECT 2"));
        assert_eq!((digest.tally.count, digest.tally.phases().total), (2, Duration::from_millis(14)));
        assert_eq!(digest.tally.first_seen, Duration::from_secs(1_005));
        assert_eq!(digest.tally.last_seen, Duration::from_secs(1_009));
        assert_eq!((s.digests.len(), s.digests_other.count, s.labels_other.count), (2, 0, 0));
        assert_eq!(s.digests[1].tally.errors, 1);
        let slowest: Vec<_> = s.slowest.iter().map(|s| s.text.as_str()).collect();
        assert_eq!(slowest[..2], ["SELECT 2", "SELECT 1"]);
    }

    #[test]
    fn commands_without_reply_are_counted_but_have_no_latency() {
        let recorders = Recorders::new(1, settings());
        let ann = identity("ann");
        recorders.of_worker(0).record(&QueryRecord { command: 0x19, digest: 0, sql: b"", ..record(&ann, "", 0) });
        recorders.of_worker(0).record(&record(&ann, "SELECT 1", 5));
        let s = recorders.snapshot();
        assert_eq!((s.counters.total_commands(), s.phases.total().len()), (2, 1));
        assert_eq!((s.labels[0].tally.count, s.labels[0].tally.histogram.len()), (2, 1));
        assert_eq!(s.slowest.len(), 1);
    }

    #[test]
    fn the_slowest_are_few_and_in_order() {
        let recorders = Recorders::new(2, RecorderSettings { max_slowest: 3, ..settings() });
        let ann = identity("ann");
        for (i, ms) in [4, 90, 7, 55, 12, 1, 60].into_iter().enumerate() {
            recorders.of_worker(i).record(&record(&ann, "SELECT 1", ms));
        }
        let totals: Vec<_> = recorders.snapshot().slowest.iter().map(|s| s.phases.total.as_millis()).collect();
        assert_eq!(totals, [90, 60, 55]);
    }

    #[test]
    fn no_secret_is_kept() {
        let ann = identity("ann");
        for (redact, sql) in [(true, "SELECT 'x1'"), (false, "CREATE USER a IDENTIFIED BY 'x1'")] {
            let recorders = Recorders::new(1, RecorderSettings { redact, ..settings() });
            recorders.of_worker(0).record(&record(&ann, sql, 5));
            let s = recorders.snapshot();
            assert_eq!(s.slowest[0].text, fingerprint(sql.as_bytes()));
            assert_eq!(*s.digests[0].text.slowest, *fingerprint(sql.as_bytes()));
        }
    }

    #[test]
    fn an_interval_after_a_reset_holds_what_came_after_it() {
        let recorders = Recorders::new(1, settings());
        let (ann, mut baseline) = (identity("ann"), Baseline::new());
        (0..5).for_each(|_| recorders.of_worker(0).record(&record(&ann, "SELECT 1", 5)));
        assert_eq!(baseline.advance(&recorders).counters.total_commands(), 5);
        recorders.reset();
        (0..3).for_each(|_| recorders.of_worker(0).record(&record(&ann, "SELECT 1", 5)));
        let s = baseline.advance(&recorders);
        assert_eq!((s.counters.total_commands(), s.phases.total().len(), s.digests[0].tally.count), (3, 3, 3));
        assert_eq!(baseline.advance(&recorders).counters.total_commands(), 0);
    }

    #[test]
    fn intervals_read_while_workers_record_lose_nothing() {
        const EACH: u64 = 20_000;
        let recorders = Recorders::new(2, settings());
        let mut baseline = Baseline::new();
        let mut seen = 0;
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..2)
                .map(|n| {
                    let recorder = recorders.of_worker(n);
                    scope.spawn(move || {
                        let ann = identity("ann");
                        (0..EACH).for_each(|ms| recorder.record(&record(&ann, "SELECT 1", ms)));
                    })
                })
                .collect();
            while workers.iter().any(|worker| !worker.is_finished()) {
                seen += baseline.advance(&recorders).digests.iter().map(|d| d.tally.histogram.len()).sum::<u64>();
            }
        });
        seen += baseline.advance(&recorders).digests.iter().map(|d| d.tally.histogram.len()).sum::<u64>();
        assert_eq!(seen, 2 * EACH);
    }
}
