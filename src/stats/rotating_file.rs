//! A file that grows at its end, in whole records, and is set aside when it is large.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file at `path`; older ones are `path.1` (the latest) to `path.<keep>`.
#[derive(Debug)]
pub(crate) struct RotatingFile {
    path: PathBuf,
    max_size: Option<u64>,
    keep: usize,
    file: File,
}

impl RotatingFile {
    /// Opens or creates the file, readable by its owner and group only. A half line that a crash left at its end is ended.
    pub fn open(path: &Path, max_size: Option<u64>, keep: usize) -> io::Result<Self> {
        let file = open_at_end(path)?;
        Ok(RotatingFile { path: path.to_owned(), max_size, keep, file })
    }

    /// Writes whole records by one call to the system; when that fails, what was written of them is cut off again. The
    /// file is rotated before it would grow above its bound.
    pub fn append(&mut self, records: &[u8]) -> io::Result<()> {
        let mut length = self.length()?;
        if length > 0 && self.max_size.is_some_and(|max| length + records.len() as u64 > max) {
            self.rotate()?;
            length = self.length()?;
        }
        self.file.write_all(records).inspect_err(|_| {
            // Not every kind of file can be cut; then a reader meets half a record.
            let _ = self.file.set_len(length);
        })
    }

    /// Whether these many bytes more stand at a file's beginning. A full file is rotated now, so that a header may come first.
    pub fn begins_anew_with(&mut self, bytes: usize) -> io::Result<bool> {
        let length = self.length()?;
        if length > 0 && self.exceeds(length, bytes) {
            self.rotate()?;
        }
        Ok(self.length()? == 0)
    }

    /// Opens the path anew: somebody else moved the file away.
    pub fn reopen(&mut self) -> io::Result<()> {
        self.file = open_at_end(&self.path)?;
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn exceeds(&self, length: u64, more: usize) -> bool {
        self.max_size.is_some_and(|max| length + more as u64 > max)
    }

    fn rotate(&mut self) -> io::Result<()> {
        set_aside(&self.path, self.keep)?;
        self.reopen()
    }
}

/// The file at `path` becomes `path.1`, and so on up to `path.<keep>`; what was there goes.
pub(crate) fn set_aside(path: &Path, keep: usize) -> io::Result<()> {
    for n in (1..keep).rev() {
        rename_if_there(&numbered(path, n), &numbered(path, n + 1))?;
    }
    match keep {
        0 => std::fs::remove_file(path),
        _ => std::fs::rename(path, numbered(path, 1)),
    }
}

/// `path.<n>`
pub(crate) fn numbered(path: &Path, n: usize) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(format!(".{n}"));
    name.into()
}

fn open_at_end(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().append(true).read(true).create(true).mode(0o640).open(path)?;
    if ends_in_half_a_line(&file)? {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

fn ends_in_half_a_line(file: &File) -> io::Result<bool> {
    let mut last = [b'\n'];
    if let Some(at) = file.metadata()?.len().checked_sub(1) {
        file.read_at(&mut last, at)?;
    }
    Ok(last != *b"\n")
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn only_the_last_files_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut file = RotatingFile::open(&path, Some(8), 2).unwrap();
        ["one\n", "two\n", "three\n", "four\n", "five\n", "six\n"]
            .iter()
            .for_each(|line| file.append(line.as_bytes()).unwrap());
        assert_eq!(read(&path), "six\n");
        assert_eq!(read(&dir.path().join("log.1")), "five\n");
        assert_eq!(read(&dir.path().join("log.2")), "four\n");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
    }

    #[test]
    fn with_none_kept_it_begins_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut file = RotatingFile::open(&path, Some(4), 0).unwrap();
        file.append(b"one\n").unwrap();
        file.append(b"two\n").unwrap();
        assert_eq!(read(&path), "two\n");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn half_a_line_is_ended_and_a_moved_file_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "hal").unwrap();
        let mut file = RotatingFile::open(&path, None, 1).unwrap();
        file.append(b"one\n").unwrap();
        std::fs::rename(&path, dir.path().join("moved")).unwrap();
        file.reopen().unwrap();
        file.append(b"two\n").unwrap();
        assert_eq!(read(&dir.path().join("moved")), "hal\none\n");
        assert_eq!(read(&path), "two\n");
    }
}
