//! Reading a trace: the files of one recording, one after the other, an event at a time.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::block::{self, Block, MAGIC};
use super::decode::Decoder;
use super::event::Event;
use super::origin::Origin;
use super::varint::Bytes;
use crate::stats::rotating_file::numbered;

/// How many files of one recording are looked for.
const MAX_PARTS: usize = 1000;

/// Why a file is not read.
#[derive(Debug, Error)]
pub enum TraceError {
    /// It cannot be opened or read.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is something else.
    #[error("{}: not a trace of tidegate", .0.display())]
    Foreign(PathBuf),
    /// It ends before it says where it comes from.
    #[error("{}: a trace that is cut off within its head", .0.display())]
    NoHead(PathBuf),
    /// A part of it was changed.
    #[error("{}: a damaged trace ({events} events before the damage)", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How many events of this file came before.
        events: u64,
    },
}

/// How a trace ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As its recording did.
    Whole,
    /// Cut off, or still being recorded: what is there was used.
    Cut,
}

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Where it comes from, as its first file says it.
    pub origin: Origin,
    /// Events.
    pub events: u64,
    /// Events that were lost in recording.
    pub lost: u64,
    /// How the last file ends.
    pub ending: Ending,
    /// How many files it has.
    pub files: usize,
}

/// Reads the trace at `path`, with those of its files that were set aside (`path.1` the latest of them), and gives each event
/// to `each` in the order in which they ended.
///
/// # Errors
/// One line about the first file that cannot be used. Events before a damage were given all the same.
pub fn read(path: &Path, mut each: impl FnMut(Event)) -> Result<Summary, TraceError> {
    let mut files = parts(path)?;
    let mut summary = Summary { origin: files[0].origin.clone(), events: 0, lost: 0, ending: Ending::Whole, files: 0 };
    let mut state = 0;
    for file in &mut files {
        file.decoder = Decoder::new(state);
        while let Some(event) = file.next()? {
            match event {
                Event::Lost { count } => summary.lost += count,
                // Where the recording began before the server was seen.
                Event::Server { ref version } if summary.origin.server.is_none() => {
                    summary.origin.server = Some(version.clone());
                    summary.events += 1;
                }
                _ => summary.events += 1,
            }
            each(event);
        }
        state = file.decoder.next_state();
        summary.ending = file.ending;
        summary.files += 1;
    }
    Ok(summary)
}

/// The same with all events at once: 200 bytes and more in memory for each.
///
/// # Errors
/// As [`read`].
pub fn load(path: &Path) -> Result<(Summary, Vec<Event>), TraceError> {
    let mut events = Vec::new();
    let summary = read(path, |event| events.push(event))?;
    Ok((summary, events))
}

/// Whether the file is a trace, by its first bytes.
pub(super) fn is_trace(path: &Path) -> io::Result<bool> {
    let mut magic = Vec::new();
    File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut magic)?;
    Ok(magic == MAGIC)
}

/// The recording's files, the first one first. A file set aside that is of another recording, or no trace, ends the search.
fn parts(path: &Path) -> Result<Vec<PartReader>, TraceError> {
    let mut files = vec![PartReader::open(path)?];
    for n in 1..MAX_PARTS {
        let Ok(earlier) = PartReader::open(&numbered(path, n)) else { break };
        let later = &files[files.len() - 1].origin;
        if earlier.origin.recording != later.recording || earlier.origin.part + 1 != later.part {
            break;
        }
        files.push(earlier);
    }
    files.reverse();
    Ok(files)
}

struct PartReader {
    path: PathBuf,
    file: BufReader<File>,
    origin: Origin,
    decoder: Decoder,
    block: Vec<u8>,
    at: usize,
    events: u64,
    ending: Ending,
    is_over: bool,
}

impl PartReader {
    fn open(path: &Path) -> Result<Self, TraceError> {
        let failed = |error| TraceError::Io { path: path.to_owned(), error };
        let mut file = BufReader::new(File::open(path).map_err(failed)?);
        let mut magic = Vec::new();
        file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut magic).map_err(failed)?;
        if !MAGIC.starts_with(&magic) {
            return Err(TraceError::Foreign(path.to_owned()));
        }
        let head = match block::next(&mut file).map_err(failed)? {
            Block::Bytes(head) => head,
            Block::Cut => return Err(TraceError::NoHead(path.to_owned())),
            Block::End | Block::Damaged => return Err(TraceError::Damaged { path: path.to_owned(), events: 0 }),
        };
        let origin = serde_json::from_slice(&head);
        let origin = origin.map_err(|_| TraceError::Damaged { path: path.to_owned(), events: 0 })?;
        Ok(PartReader {
            path: path.to_owned(),
            file,
            origin,
            decoder: Decoder::new(0),
            block: Vec::new(),
            at: 0,
            events: 0,
            ending: Ending::Cut,
            is_over: false,
        })
    }

    fn next(&mut self) -> Result<Option<Event>, TraceError> {
        while self.at >= self.block.len() {
            if self.is_over || !self.next_block()? {
                return Ok(None);
            }
        }
        let mut bytes = Bytes(&self.block[self.at..]);
        let event = self.decoder.event(&mut bytes);
        self.at = self.block.len() - bytes.0.len();
        match event {
            Some(event) => {
                self.events += 1;
                Ok(Some(event))
            }
            None => Err(self.damaged()),
        }
    }

    /// Whether there is one.
    fn next_block(&mut self) -> Result<bool, TraceError> {
        let next = block::next(&mut self.file);
        match next.map_err(|error| TraceError::Io { path: self.path.clone(), error })? {
            Block::Bytes(bytes) => {
                (self.block, self.at) = (bytes, 0);
                return Ok(true);
            }
            Block::Damaged => return Err(self.damaged()),
            Block::End => self.ending = Ending::Whole,
            Block::Cut => {}
        }
        self.is_over = true;
        Ok(false)
    }

    fn damaged(&self) -> TraceError {
        TraceError::Damaged { path: self.path.clone(), events: self.events }
    }
}
