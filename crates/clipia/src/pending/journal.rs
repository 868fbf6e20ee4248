//! The file of pending generations: one change a line, as JSON. The file is shortened when most of its lines are of generations that
//! have ended.
//!
//! A line is handed to the operating system before the submit is sent. So it survives the end of the process, and not always that of the
//! machine.

use super::entry::Entry;
use super::list::List;
use same_file::Handle;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Lines beyond which a file may be long.
const LINES: usize = 1_000;

#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    /// Locked, so that no other client writes it.
    file: File,
    lines: usize,
}

impl Journal {
    /// Opens the file, or makes it, and reads its list.
    pub(super) fn open(path: &Path) -> io::Result<(Self, List)> {
        let file = locked(path)?;
        let mut list = List::default();
        let mut lines = BufReader::new(&file).split(b'\n').enumerate().peekable();
        while let Some((number, line)) = lines.next() {
            match serde_json::from_slice(&line?) {
                Ok(entry) => list.take(entry),
                // A process that was killed in the middle of a line has sent nothing of it.
                Err(_) if lines.peek().is_none() => {}
                Err(error) => {
                    let message =
                        format!("line {} is not one of a list of pending generations: {error}", number + 1);
                    return Err(io::Error::new(ErrorKind::InvalidData, message));
                }
            }
        }
        let mut journal = Self { path: path.to_owned(), file, lines: 0 };
        journal.rewrite(&list)?;
        Ok((journal, list))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line.
    pub(super) fn write(&mut self, entry: &Entry) -> io::Result<()> {
        self.file.write_all(&line(entry)?)?;
        self.lines += 1;
        Ok(())
    }

    /// Whether most lines are of generations that are not pending any more.
    pub(super) fn is_long(&self, pending: usize) -> bool {
        self.lines > LINES + pending * 4
    }

    /// Replaces the file by one with nothing but what is pending.
    pub(super) fn rewrite(&mut self, list: &List) -> io::Result<()> {
        let dir = self.path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut new = NamedTempFile::new_in(dir)?;
        let all = list.all();
        let lines: Vec<u8> = all
            .iter()
            .map(|pending| line(&Entry::Begun(pending.clone())))
            .collect::<io::Result<Vec<_>>>()?
            .concat();
        new.write_all(&lines)?;
        // Locked before others can see it.
        lock(new.as_file())?;
        self.file = new.persist(&self.path).map_err(io::Error::from)?;
        self.lines = all.len();
        Ok(())
    }
}

fn line(entry: &Entry) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    Ok(line)
}

/// Opens a file and locks it. Another client may replace it meanwhile.
fn locked(path: &Path) -> io::Result<File> {
    loop {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        lock(&file)?;
        if Handle::from_path(path)? == Handle::from_file(file.try_clone()?)? {
            return Ok(file);
        }
    }
}

fn lock(file: &File) -> io::Result<()> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => {
            io::Error::new(ErrorKind::WouldBlock, "another client uses this file: give each its own")
        }
        TryLockError::Error(error) => error,
    })
}
