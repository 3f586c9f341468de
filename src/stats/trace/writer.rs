//! The writer thread of a recording: encodes the events, and alone meets the disk.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::encode::Encoder;
use super::event::{Came, Event};
use super::file::TraceFile;
use super::recording::{Counts, MAX_TEXT};
use crate::stats::ring::{LastWord, Ring};

/// A block is written when it has so many bytes, unpacked ..
const BLOCK: usize = 64 << 10;
/// .. or when its first event is so old.
const MAX_AGE: Duration = Duration::from_secs(1);
/// The most bytes of a block with its head, packed or not, and of a file's end: its last event may have a text.
const MAX_BLOCK: u64 = (BLOCK + MAX_TEXT + 8192) as u64;
/// Of so many clients at most a new file says who they are.
const MAX_PRESENT: usize = 100_000;

pub(super) struct Writer {
    ring: Arc<Ring<Event>>,
    counts: Arc<Counts>,
    file: TraceFile,
    max_size: Option<u64>,
    encoder: Encoder,
    block: Vec<u8>,
    in_block: u64,
    block_began: Instant,
    /// Who is here: a file that begins in the middle tells it first.
    present: BTreeMap<u32, Came>,
    /// Of the lost events, how many the trace has told of.
    told_lost: u64,
    /// The disk failed and nothing was written since: said once.
    failing: bool,
}

impl Writer {
    pub fn new(ring: Arc<Ring<Event>>, counts: Arc<Counts>, file: TraceFile, max_size: Option<u64>) -> Self {
        Writer {
            ring,
            counts,
            file,
            max_size,
            encoder: Encoder::new(),
            block: Vec::new(),
            in_block: 0,
            block_began: Instant::now(),
            present: BTreeMap::new(),
            told_lost: 0,
            failing: false,
        }
    }

    /// Works until the ring is closed.
    pub fn run(mut self) {
        let _last_word = LastWord(Arc::clone(&self.ring));
        let mut used = Vec::new();
        while let Some(work) = self.ring.take(used) {
            used = work.entries;
            used.drain(..).for_each(|event| self.add(event));
            self.tell_lost();
            if self.block_began.elapsed() >= MAX_AGE {
                self.flush();
            }
        }
        self.tell_lost();
        self.write_block();
        if !self.failing {
            let ended = self.file.end();
            self.note(ended, 0);
        }
    }

    fn add(&mut self, event: Event) {
        self.begin_block();
        self.encoder.put(&mut self.block, &event);
        self.in_block += 1;
        match event {
            Event::Came(came) if self.present.len() < MAX_PRESENT => {
                self.present.insert(came.client, came);
            }
            Event::Left { client, .. } => drop(self.present.remove(&client)),
            _ => {}
        }
        if self.block.len() >= BLOCK {
            self.flush();
        }
    }

    fn begin_block(&mut self) {
        if self.block.is_empty() {
            self.block_began = Instant::now();
        }
    }

    fn tell_lost(&mut self) {
        let lost = self.counts.lost.load(Relaxed);
        let count = lost - std::mem::replace(&mut self.told_lost, lost);
        if count > 0 {
            self.begin_block();
            self.encoder.put(&mut self.block, &Event::Lost { count });
        }
    }

    /// Writes the block, and begins the next file where the next block might be too much for this one.
    fn flush(&mut self) {
        self.write_block();
        let is_full = self.max_size.is_some_and(|max| self.file.len() + MAX_BLOCK > max);
        if is_full || self.failing {
            self.begin_file();
        }
    }

    fn write_block(&mut self) {
        if self.block.is_empty() {
            return;
        }
        let (block, events) = (std::mem::take(&mut self.block), std::mem::take(&mut self.in_block));
        let written = self.write(&block);
        self.note(written, events);
        self.block = block;
        self.block.clear();
    }

    /// While the disk fails there is no file that the block's names are known in.
    fn write(&mut self, block: &[u8]) -> io::Result<()> {
        match self.failing {
            true => Err(io::Error::other("no file was begun")),
            false => self.file.put(block),
        }
    }

    /// The next file knows no names, and who is here.
    fn begin_file(&mut self) {
        if let Err(error) = self.file.next() {
            return self.note(Err(error), 0);
        }
        self.failing = false;
        self.encoder = Encoder::new();
        for came in self.present.values_mut() {
            came.login = None;
            self.encoder.put(&mut self.block, &Event::Came(came.clone()));
            if self.block.len() >= BLOCK {
                let written = self.file.put(&self.block);
                self.block.clear();
                if written.is_err() {
                    self.failing = true;
                    return;
                }
            }
        }
    }

    fn note(&mut self, result: io::Result<()>, events: u64) {
        self.counts.bytes.store(self.file.len(), Relaxed);
        match result {
            Ok(()) => drop(self.counts.written.fetch_add(events, Relaxed)),
            Err(error) => {
                self.counts.lost.fetch_add(events, Relaxed);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(%error, "the trace cannot be written; its events are lost until it can");
                }
            }
        }
    }
}
