//! A recording's files: each begins with its head, and ends with the empty block.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::block::{MAGIC, Packer};
use super::origin::Origin;
use super::read::is_trace;
use crate::stats::rotating_file::set_aside;

/// The file that is written now; older ones are `path.1` (the latest) to `path.<keep>`.
pub(super) struct TraceFile {
    path: PathBuf,
    keep: usize,
    origin: Origin,
    packer: Packer,
    file: File,
    /// Bytes in it.
    len: u64,
}

impl TraceFile {
    /// Begins a recording. A trace of before is set aside; what is no trace is never touched.
    ///
    /// # Errors
    /// There is something else, or the file cannot be made.
    pub fn begin(path: &Path, keep: usize, origin: Origin) -> io::Result<Self> {
        let packer = Packer::new()?;
        let file = make(path, keep)?;
        let mut begun = TraceFile { path: path.to_owned(), keep, origin, packer, file, len: 0 };
        begun.head()?;
        Ok(begun)
    }

    /// Ends this file and begins the next.
    ///
    /// # Errors
    /// As [`TraceFile::begin`]; then there is still this one, without its end perhaps.
    pub fn next(&mut self) -> io::Result<()> {
        self.end()?;
        self.file = make(&self.path, self.keep)?;
        self.len = 0;
        self.origin.part += 1;
        self.head()
    }

    /// Writes a block of events; when that fails, what was written of it is cut off again.
    pub fn put(&mut self, raw: &[u8]) -> io::Result<()> {
        let mut block = Vec::new();
        self.packer.put(&mut block, raw)?;
        self.append(&block)
    }

    /// The file is whole.
    pub fn end(&mut self) -> io::Result<()> {
        self.put(&[])
    }

    /// Bytes in the present file.
    pub fn len(&self) -> u64 {
        self.len
    }

    fn head(&mut self) -> io::Result<()> {
        let mut head = MAGIC.to_vec();
        let origin = serde_json::to_vec(&self.origin).map_err(io::Error::other)?;
        self.packer.put(&mut head, &origin)?;
        self.append(&head)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).inspect_err(|_| {
            // Not every kind of file can be cut; then a reader meets half a block.
            let _ = self.file.set_len(self.len);
        })?;
        self.len += bytes.len() as u64;
        Ok(())
    }
}

/// A new file, readable by its owner and group only.
fn make(path: &Path, keep: usize) -> io::Result<File> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_file() && (found.len() == 0 || is_trace(path)?) => set_aside(path, keep)?,
        Ok(_) => {
            let why = "it is there and is not a trace: choose another name";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    OpenOptions::new().append(true).create_new(true).mode(0o640).open(path)
}
