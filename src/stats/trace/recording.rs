//! The workers' side of a recording, and how it is begun and ended.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use super::event::{Command, Event, Held};
use super::file::TraceFile;
use super::origin::Origin;
use super::writer::Writer;
use crate::stats::filled::fill;
use crate::stats::record::{Outcome, QueryRecord};
use crate::stats::ring::{Bounds, Pace, Ring};
use crate::stats::secrets::may_hold_password;

/// What may wait for the writer, who looks by itself: to wake it for each command would cost more than all the rest.
const WAITING: Bounds =
    Bounds { max_entries: 1 << 16, max_bytes: 32 << 20, pace: Pace::Every(Duration::from_millis(200)) };
/// A longer statement's text is left out, in bytes.
pub(super) const MAX_TEXT: usize = 64 << 10;
/// A smaller file would have room for hardly more than one block.
pub(super) const MIN_SIZE: u64 = 512 << 10;

/// What is to be recorded, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceSettings {
    /// The file.
    pub path: PathBuf,
    /// Statements are recorded with their literals.
    pub literals: bool,
    /// A file that grew to so many bytes is set aside (512 KiB at least); `None`: never.
    pub max_size: Option<u64>,
    /// How many files set aside are kept.
    pub keep: usize,
}

impl TraceSettings {
    /// To this file, without literals: at most five files of 256 MiB.
    pub fn to(path: &Path) -> Self {
        TraceSettings { path: path.to_owned(), literals: false, max_size: Some(256 << 20), keep: 4 }
    }
}

/// What became of a recording's events so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TraceCounts {
    /// Written.
    pub written: u64,
    /// Lost, because the disk was too slow or refused them.
    pub lost: u64,
    /// Bytes in the present file.
    pub bytes: u64,
}

/// The counts as they are shared.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub written: AtomicU64,
    pub lost: AtomicU64,
    pub bytes: AtomicU64,
}

/// What a command leaves behind, which its record does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Behind {
    /// What keeps its backend.
    pub held: Held,
    /// The fingerprint of its session's state.
    pub state: u64,
}

/// A recording under way.
#[derive(Debug)]
pub struct Recording {
    settings: TraceSettings,
    /// Differs from recording to recording; never 0.
    number: u32,
    began: Instant,
    ring: Arc<Ring<Event>>,
    counts: Arc<Counts>,
}

impl Recording {
    /// Differs from recording to recording of this process; never 0.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// What is recorded, and where.
    pub fn settings(&self) -> &TraceSettings {
        &self.settings
    }

    /// A point in time as events have it; zero for what was before the beginning.
    pub fn time(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.began)
    }

    /// Has a command written.
    pub fn command(&self, record: &QueryRecord<'_>, began: Instant, behind: Behind) {
        self.offer(Event::Command(Command {
            at: self.time(began),
            client: record.identity.client_id,
            code: record.command,
            digest: record.digest,
            phases: record.phases,
            held: behind.held,
            state: behind.state,
            error: match record.outcome {
                Outcome::Error(code) => Some(code),
                _ => None,
            },
            text: if self.settings.literals { text(record) } else { None },
        }));
    }

    /// Has the event written. Never waits for the disk.
    pub fn offer(&self, event: Event) {
        let size = event.size();
        if !self.ring.push(event, size) {
            let lost = self.counts.lost.fetch_add(1, Relaxed) + 1;
            if lost.is_power_of_two() {
                tracing::warn!(lost, "the disk is too slow: events of the trace were lost");
            }
        }
    }

    /// What became of the events so far.
    pub fn counts(&self) -> TraceCounts {
        let Counts { written, lost, bytes } = &*self.counts;
        TraceCounts { written: written.load(Relaxed), lost: lost.load(Relaxed), bytes: bytes.load(Relaxed) }
    }

    fn begin(settings: TraceSettings, number: u32, origin: Origin) -> io::Result<Self> {
        let file = TraceFile::begin(&settings.path, settings.keep, origin)?;
        let (ring, counts) = (Arc::new(Ring::new(WAITING)), Arc::new(Counts::default()));
        let max_size = settings.max_size.map(|max| max.max(MIN_SIZE));
        let writer = Writer::new(Arc::clone(&ring), Arc::clone(&counts), file, max_size);
        let began = Instant::now();
        std::thread::Builder::new().name("trace".into()).spawn(move || writer.run())?;
        Ok(Recording { settings, number, began, ring, counts })
    }
}

/// The statement as it can be run again: whole, with its parameters in it, and no password.
fn text(record: &QueryRecord<'_>) -> Option<Box<[u8]>> {
    let is_whole = !record.sql.is_empty() && record.sql_len == record.sql.len() as u64;
    if !is_whole || record.sql.len() > MAX_TEXT || may_hold_password(record.sql) {
        return None;
    }
    let Some(execution) = &record.execution else { return Some(record.sql.into()) };
    let filled = fill(record.sql, execution);
    (filled.is_exact && filled.text.len() <= MAX_TEXT).then(|| filled.text.into_boxed_slice())
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.ring.close();
    }
}

/// Whether there is a recording, and which.
#[derive(Debug, Default)]
pub struct Traces {
    is_on: AtomicBool,
    current: ArcSwapOption<Recording>,
    /// Held while one is begun or ended.
    changing: Mutex<()>,
    count: AtomicU32,
}

impl Traces {
    /// The recording under way. Without one this is one load and one branch.
    #[inline]
    pub fn current(&self) -> Option<Arc<Recording>> {
        if self.is_on.load(Relaxed) { self.current.load_full() } else { None }
    }

    /// Begins a recording. Meets the disk.
    ///
    /// # Errors
    /// There is one already, or its file cannot be made.
    pub fn start(&self, settings: TraceSettings, origin: Origin) -> io::Result<()> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = &*self.current.load() {
            let why = format!("a recording to {} is under way", current.settings.path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        let number = self.count.fetch_add(1, Relaxed) + 1;
        let recording = Recording::begin(settings, number, origin)?;
        self.current.store(Some(Arc::new(recording)));
        self.is_on.store(true, Release);
        Ok(())
    }

    /// Ends the recording, if there is one, and waits until all of it is written, but no longer than `timeout`. Blocks the thread.
    /// What it was, and whether it is all written.
    pub fn stop(&self, timeout: Duration) -> Option<(TraceSettings, TraceCounts, bool)> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_on.store(false, Release);
        let recording = self.current.swap(None)?;
        recording.ring.close();
        let is_written = recording.ring.wait_ended(timeout);
        Some((recording.settings.clone(), recording.counts(), is_written))
    }

    /// Whether there is one.
    pub fn is_on(&self) -> bool {
        self.is_on.load(Acquire)
    }
}
