//! Histograms on disk: HdrHistogram's interval log (compressed V2), values in nanoseconds.
//!
//! The untagged line is the total; tags name the rest ([`tag`]). A dump replaces its file as a whole; an interval is
//! appended by one call to the system, and taken back if that fails. What a crash leaves of a line is ended by the next
//! start, and a last line without its end is left out by [`read`].

pub mod read;
pub mod table;
pub mod tag;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriter, IntervalLogWriterBuilder, Tag};
use rustc_hash::FxHashSet;

use super::histogram::{self, LABEL_DIGITS, LabelHistogram};
use super::recorder::Recorders;
use super::rotating_file::RotatingFile;
use super::snapshot::{Baseline, DigestStats, LabelStats, Snapshot};

/// The maxima within the log, for human eyes, are in milliseconds as HdrHistogram's own logs have them.
const NANOS_PER_MAX_UNIT: f64 = 1e6;
/// How many digests are remembered as named in the file; beyond, they are named again.
const MAX_NAMED: usize = 10_000;

/// The stretch of time that a histogram covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its beginning, since 1970.
    pub start: Duration,
    /// Its length.
    pub length: Duration,
}

impl Span {
    /// From one point to another, since 1970; backward clocks give an empty span.
    pub fn between(start: Duration, end: Duration) -> Self {
        Span { start, length: end.saturating_sub(start) }
    }
}

/// A whole log of this snapshot: header, names of digests, one line per histogram that is not empty (the total always).
pub fn encode(snapshot: &Snapshot, span: Span) -> Vec<u8> {
    let mut encoder = Encoder::new(span);
    snapshot.digests.iter().for_each(|stats| encoder.name_digest(stats));
    encoder.snapshot(snapshot);
    encoder.finish()
}

/// Writes a whole log to `path` by way of a temporary file beside it: readers see the old one or the new one.
///
/// # Errors
/// The folder cannot be written.
pub fn dump(path: &Path, snapshot: &Snapshot, span: Span) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(temporary);
    std::fs::write(&temporary, encode(snapshot, span))
        .and_then(|()| std::fs::rename(&temporary, path))
        .inspect_err(|_| drop(std::fs::remove_file(&temporary)))
}

/// The log that grows by one interval at a time: `histogram.path`, every `histogram.interval`.
#[derive(Debug)]
pub struct IntervalLog {
    file: RotatingFile,
    baseline: Baseline,
    /// The end of the last interval, since 1970.
    until: Duration,
    /// Digests whose text is in the file.
    named: FxHashSet<u64>,
}

impl IntervalLog {
    /// Opens (and goes on with) the log at `path`, which is rotated above `max_size` bytes; `keep` rotated ones stay. `now` is
    /// the first interval's beginning, since 1970. What was recorded before this call belongs to the first interval.
    ///
    /// # Errors
    /// The file cannot be opened or written.
    pub fn open(path: &Path, max_size: Option<u64>, keep: usize, now: Duration) -> io::Result<Self> {
        let file = RotatingFile::open(path, max_size, keep)?;
        Ok(IntervalLog { file, baseline: Baseline::new(), until: now, named: FxHashSet::default() })
    }

    /// Appends what came since the last call, and returns it: at each interval's end, and out of turn when somebody wants
    /// the file to be complete (SIGUSR1, the exit). With nothing recorded one line (an empty total) shows that tidegate
    /// was there.
    ///
    /// # Errors
    /// The file cannot be written; the next interval then begins where this one did, so nothing is lost.
    pub fn write_interval(&mut self, recorders: &Recorders, now: Duration) -> io::Result<Snapshot> {
        let (snapshot, next) = self.baseline.look(recorders);
        let span = Span::between(self.until, now);
        self.append(&snapshot, span).inspect_err(|_| self.named.clear())?;
        self.baseline = next;
        self.until = now.max(self.until);
        Ok(snapshot)
    }

    /// Opens the path anew: for SIGHUP after logrotate moved it.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn reopen(&mut self) -> io::Result<()> {
        self.named.clear();
        self.file.reopen()
    }

    fn append(&mut self, snapshot: &Snapshot, span: Span) -> io::Result<()> {
        let mut body = Encoder::going_on(span);
        body.snapshot(snapshot);
        if self.file.begins_anew_with(body.out.len())? {
            self.named.clear();
            self.file.append(&Encoder::new(span).finish())?;
        }
        let names = self.new_names(&snapshot.digests, span);
        self.file.append(&[names, body.finish()].concat())
    }

    fn new_names(&mut self, digests: &[DigestStats], span: Span) -> Vec<u8> {
        if self.named.len() > MAX_NAMED {
            self.named.clear();
        }
        let mut names = Encoder::going_on(span);
        for stats in digests {
            if self.named.insert(stats.digest) {
                names.name_digest(stats);
            }
        }
        names.finish()
    }
}

/// A log in the making, all its lines over one span.
#[derive(Debug)]
pub struct Encoder {
    out: Vec<u8>,
    span: Span,
}

impl Encoder {
    /// Begins with the header.
    pub fn new(span: Span) -> Self {
        Encoder { out: header(span.start), span }
    }

    /// Goes on, over another span, behind what another encoder began.
    pub fn going_on(span: Span) -> Self {
        Encoder { out: Vec::new(), span }
    }

    /// Says what a digest (16 hexadecimal digits) stands for, in a comment.
    pub fn name(&mut self, digest: &str, text: &str) {
        let text = text.replace(char::is_control, " ");
        self.out.extend_from_slice(format!("#[digest {digest}: {text}]\n").as_bytes());
    }

    /// Adds a histogram (`tag` as in [`tag`]; `None`: the total). `false`, and nothing is added, if the tag holds what a
    /// tag cannot hold or the histogram cannot be written.
    pub fn histogram(&mut self, histogram: &Histogram<u64>, tag: Option<&str>) -> bool {
        let before = self.out.len();
        let legal = tag.map(Tag::new);
        let mut serializer = V2DeflateSerializer::new();
        let Span { start, length } = self.span;
        let written = match legal {
            Some(None) => false,
            tag => writer(&mut self.out, &mut serializer)
                .is_ok_and(|mut w| w.write_histogram(histogram, start, length, tag.flatten()).is_ok()),
        };
        if !written {
            self.out.truncate(before);
        }
        written
    }

    /// The log's bytes.
    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    fn name_digest(&mut self, stats: &DigestStats) {
        self.name(&format!("{:016x}", stats.digest), &stats.text.fingerprint);
    }

    fn snapshot(&mut self, snapshot: &Snapshot) {
        self.histogram(snapshot.phases.total(), None);
        for (phase, histogram) in snapshot.phases.iter().skip(1).filter(|(_, h)| !h.is_empty()) {
            self.histogram(histogram, Some(&tag::phase(phase)));
        }
        for pool in snapshot.labels.chunk_by(|a, b| a.label.user == b.label.user) {
            self.pool(pool);
        }
        for stats in &snapshot.labels {
            self.label(&stats.tally.histogram, &tag::label(&stats.label.user, &stats.label.schema));
        }
        self.label(&snapshot.labels_other.histogram, tag::OTHER_LABELS);
        for stats in &snapshot.digests {
            self.label(&stats.tally.histogram, &tag::digest(stats.digest));
        }
        self.label(&snapshot.digests_other.histogram, tag::OTHER_DIGESTS);
    }

    /// The connections of an account are its pool, whichever schema they are used with.
    fn pool(&mut self, labels: &[LabelStats]) {
        let mut sum = histogram::whole_range(LABEL_DIGITS);
        labels.iter().for_each(|stats| histogram::add(&mut sum, &stats.tally.histogram));
        if let Some(first) = labels.first().filter(|_| !sum.is_empty()) {
            self.histogram(&sum, Some(&tag::pool(&first.label.user)));
        }
    }

    /// All labels get the same range, whatever they have grown to: not every reader adds up different ones.
    fn label(&mut self, grown: &LabelHistogram, tag: &str) {
        if !grown.is_empty() {
            let mut whole = histogram::whole_range(LABEL_DIGITS);
            histogram::add(&mut whole, grown);
            self.histogram(&whole, Some(tag));
        }
    }
}

fn header(start: Duration) -> Vec<u8> {
    let mut out = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    // Writing to memory cannot fail.
    let _ = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment("[tidegate: values are nanoseconds; untagged: total; blanks and commas in tags are %20 and %2C]")
        .with_start_time(SystemTime::UNIX_EPOCH + start)
        .with_max_value_divisor(NANOS_PER_MAX_UNIT)
        .begin_log_with(&mut out, &mut serializer)
        .map(drop);
    out
}

/// A writer that goes on where a header was written.
fn writer<'a>(
    out: &'a mut Vec<u8>,
    serializer: &'a mut V2DeflateSerializer,
) -> io::Result<IntervalLogWriter<'a, 'a, Vec<u8>, V2DeflateSerializer>> {
    IntervalLogWriterBuilder::new().begin_log_with(out, serializer)
}
