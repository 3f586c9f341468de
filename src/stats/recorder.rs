//! What one worker thread has seen: counters, histograms, labels, digests, the slowest statements.
//!
//! Each worker has a [`Recorder`] of its own, so its lock is free but for the moment in which a reader copies it.

use std::hash::Hasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustc_hash::FxHasher;

use super::commands;
use super::counters::Counters;
use super::histogram::{PhaseHistograms, nanos};
use super::record::QueryRecord;
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
    /// Fingerprints are kept instead of statements' texts.
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
    /// The text of its slowest statement (the fingerprint where texts are redacted), at most 1 KiB.
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
        Recorder {
            settings,
            contents: Mutex::new(Contents::new(&settings, 0)),
        }
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
        self.lock().clone()
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
        let recorders = (0..workers.max(1))
            .map(|_| Arc::new(Recorder::new(settings)))
            .collect();
        Recorders {
            recorders,
            max_slowest: settings.max_slowest,
        }
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
        self.recorders
            .iter()
            .map(|recorder| recorder.copy())
            .collect()
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
        let total_ns = answered.then_some(nanos[0]);
        self.record_label(record, total_ns);
        if record.digest != 0 {
            self.record_digest(record, total_ns, settings);
        }
        self.slowest.offer(record, || shown_text(record, settings));
    }

    fn record_label(&mut self, record: &QueryRecord<'_>, total_ns: Option<u64>) {
        let (user, schema) = (record.identity.user.as_str(), record.schema);
        let name = || Label {
            user: user.into(),
            schema: schema.into(),
        };
        match self.labels.touch(label_key(user, schema), name) {
            // Two labels with one hash: the later one belongs to `other`.
            Some(group) if *group.name.user == *user && *group.name.schema == *schema => {
                group.tally.record(record, total_ns);
            }
            _ => self.labels.other_mut().record(record, total_ns),
        }
    }

    fn record_digest(
        &mut self,
        record: &QueryRecord<'_>,
        total_ns: Option<u64>,
        settings: &RecorderSettings,
    ) {
        let Some(group) = self
            .digests
            .touch(record.digest, || digest_text(record, settings))
        else {
            return self.digests.other_mut().record(record, total_ns);
        };
        group.tally.record(record, total_ns);
        if record.phases.total > group.name.slowest_total {
            group.name.slowest_total = record.phases.total;
            group.name.slowest = match settings.redact {
                true => Arc::clone(&group.name.fingerprint),
                false => bounded_text(record.sql).into(),
            };
        }
    }
}

fn digest_text(record: &QueryRecord<'_>, settings: &RecorderSettings) -> DigestText {
    let fingerprint = bounded_fingerprint(record, settings);
    DigestText {
        fingerprint: fingerprint.into(),
        slowest: "".into(),
        slowest_total: Duration::ZERO,
    }
}

fn shown_text(record: &QueryRecord<'_>, settings: &RecorderSettings) -> String {
    match settings.redact {
        true => bounded_fingerprint(record, settings),
        false => bounded_text(record.sql),
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
