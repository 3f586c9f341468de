//! The writer thread: forms the records and puts them into the file. It alone meets the disk.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::entry::Entry;
use super::{Counts, json, mysql};
use crate::stats::recorder::Fingerprint;
use crate::stats::ring::{LastWord, Ring, Work};
use crate::stats::rotating_file::RotatingFile;
use crate::stats::settings::{SlowLogFormat, SlowLogSettings};

/// Records are put together up to this many bytes per call to the system.
const MAX_BATCH_BYTES: usize = 256 << 10;

pub(super) struct Writer {
    ring: Arc<Ring<Entry>>,
    counts: Arc<Counts>,
    file: RotatingFile,
    format: SlowLogFormat,
    redact: bool,
    fingerprint: Fingerprint,
    /// Bytes; no more than a file may have, so that rotation keeps its bound.
    max_batch: usize,
    batch: Vec<u8>,
    batch_records: u64,
    /// The disk failed and nothing was written since: said once, not per record.
    failing: bool,
}

impl Writer {
    pub fn new(
        settings: &SlowLogSettings,
        file: RotatingFile,
        fingerprint: Fingerprint,
        ring: Arc<Ring<Entry>>,
        counts: Arc<Counts>,
    ) -> Self {
        Writer {
            ring,
            counts,
            file,
            format: settings.format,
            redact: settings.redact,
            fingerprint,
            max_batch: settings.max_size.map_or(MAX_BATCH_BYTES, |max| max.min(MAX_BATCH_BYTES as u64) as usize),
            batch: Vec::new(),
            batch_records: 0,
            failing: false,
        }
    }

    /// Works until the ring is closed.
    pub fn run(mut self) {
        let _last_word = LastWord(Arc::clone(&self.ring));
        while let Some(work) = self.ring.take(Vec::new()) {
            self.write(work);
        }
    }

    fn write(&mut self, work: Work<Entry>) {
        if work.reopen {
            let reopened = self.file.reopen();
            self.note(reopened, 0);
        }
        for entry in &work.entries {
            self.add(entry);
        }
        self.flush();
    }

    fn add(&mut self, entry: &Entry) {
        let text = entry.text(self.redact, self.fingerprint);
        let before = self.batch.len();
        match self.format {
            SlowLogFormat::Mysql => mysql::write(&mut self.batch, entry, &text),
            SlowLogFormat::Json => json::write(&mut self.batch, entry, &text),
        }
        if before > 0 && self.batch.len() > self.max_batch {
            self.append(before);
        }
        self.batch_records += 1;
    }

    fn flush(&mut self) {
        if self.batch_records > 0 {
            self.append(self.batch.len());
        }
        self.batch.shrink_to(self.max_batch);
    }

    /// Writes the batch's first `length` bytes, which are all records that are counted so far.
    fn append(&mut self, length: usize) {
        let appended = self.file.append(&self.batch[..length]);
        self.note(appended, self.batch_records);
        self.batch.drain(..length);
        self.batch_records = 0;
    }

    fn note(&mut self, result: io::Result<()>, records: u64) {
        match result {
            Ok(()) => {
                self.counts.written.fetch_add(records, Ordering::Relaxed);
                self.failing = false;
            }
            Err(error) => {
                self.counts.failed.fetch_add(records, Ordering::Relaxed);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(%error, "the slow log cannot be written; its records are lost until it can");
                }
            }
        }
    }
}
