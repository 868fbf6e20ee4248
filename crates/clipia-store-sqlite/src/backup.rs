//! Copies a store while it is in use.

use super::faults::fault;
use super::read_pool;
use crate::clock::wall_at;
use crate::private;
use crate::store::{BackupError, Fault, StoreError};
use clipia_queue::Moment;
use rusqlite::Connection;
use std::fs::{self, File};
use std::io::{self, Error, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Copies the store at `from`, as it is now, to a new file at `to`: under another name until it is whole. The copy is not in WAL
/// mode, by which a server knows a copy.
pub(crate) fn copy(from: &Path, to: &Path, now: Moment) -> Result<(), BackupError> {
    let unwritten = |source: Error| match source.kind() {
        ErrorKind::AlreadyExists => BackupError::Exists(to.to_owned()),
        _ => BackupError::File { path: to.to_owned(), source },
    };
    if to.try_exists().map_err(unwritten)? {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let part = Part::create(to).map_err(unwritten)?;
    write(from, &part.0, now)?.map_err(unwritten)?;
    publish(&part, to).map_err(unwritten)
}

/// Gives a file its name, once it is on the disk.
pub(crate) fn publish(part: &Part, to: &Path) -> Result<(), Error> {
    File::open(&part.0)?.sync_all()?;
    // Unlike a rename, a link never replaces what has come there meanwhile.
    fs::hard_link(&part.0, to)?;
    sync_directory_of(to)
}

/// Writes the copy. The outer error is one of the store, the inner one of the copy's file.
fn write(from: &Path, to: &Path, now: Moment) -> Result<Result<(), Error>, StoreError> {
    let source = read_pool::open(from)?;
    let name = to.to_str().ok_or_else(|| StoreError::Unreadable(format!("path `{}`", to.display())))?;
    let written = source.execute("VACUUM INTO ?1", [name]).and_then(|_| mark(to, now));
    let Err(error) = written else { return Ok(Ok(())) };
    let fault = fault(&error);
    if !matches!(fault, Fault::Full | Fault::Disk | Fault::ReadOnly) {
        return Err(error.into());
    }
    // SQLite does not report the reason of the system. Writing as many bytes shows it.
    match fill(to, from) {
        Err(reason) => Ok(Err(reason)),
        Ok(()) if fault == Fault::Full => Ok(Err(ErrorKind::StorageFull.into())),
        Ok(()) => Err(error.into()),
    }
}

/// Notes in the copy when it was made.
fn mark(copy: &Path, now: Moment) -> rusqlite::Result<()> {
    let copy = Connection::open(copy)?;
    // An incomplete copy is thrown away.
    copy.pragma_update(None, "journal_mode", "MEMORY")?;
    copy.execute("UPDATE store SET backup_at = ?1", [wall_at(now).as_micros()])?;
    Ok(())
}

/// Writes as many bytes to `file` as `like` has.
fn fill(file: &Path, like: &Path) -> Result<(), Error> {
    let bytes = fs::metadata(like)?.len();
    let mut file = File::create(file)?;
    io::copy(&mut io::repeat(0).take(bytes), &mut file)?;
    file.sync_all()
}

/// A file that is removed when it is no longer needed.
pub(crate) struct Part(PathBuf);

impl Part {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// An empty file beside `to`, for its owner alone: a store holds secrets.
    pub(crate) fn create(to: &Path) -> Result<Self, Error> {
        let name = to.file_name().ok_or_else(|| Error::from(ErrorKind::InvalidInput))?;
        let path = to.with_file_name(format!("{}.part-{}", name.display(), std::process::id()));
        private::create_new(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Makes the new name durable.
pub(crate) fn sync_directory_of(path: &Path) -> Result<(), Error> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    private::sync_directory(directory.unwrap_or(Path::new(".")))
}
