//! Looks at a file before SQLite opens it for writing: whether it is a store, and of which kind.
//!
//! A store that a server has used is in WAL mode; a backup is in rollback mode, as `VACUUM INTO` leaves it. The header of the file
//! has the mode. So a copy is recognized that no server has run on yet. A log beside such a copy belongs to another file: SQLite
//! would apply it all the same.

use super::{NoStore, OpenError, schema};
use rusqlite::Connection;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// What a database file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// How a store came to be where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A server has used it.
    Live,
    /// It is a copy that no server has run on.
    Copy,
}

/// The log of the store at `path`, which SQLite keeps beside it.
pub(crate) fn log_of(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

/// The path with a suffix.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// How large the log of the store at `path` is; 0 where there is none.
pub(crate) fn log_bytes(path: &Path) -> u64 {
    std::fs::metadata(log_of(path)).map_or(0, |log| log.len())
}

/// Reads the first bytes of a file. SQLite has no part in it, so that nothing is changed.
pub(crate) fn kind(path: &Path) -> Result<Kind, NoStore> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(NoStore::NoFile);
    }
    if metadata.len() == 0 {
        return Err(NoStore::Empty);
    }
    let mut header = [0; 100];
    match File::open(path)?.read_exact(&mut header) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(NoStore::Foreign),
        read => read?,
    }
    if !header.starts_with(MAGIC) {
        return Err(NoStore::Foreign);
    }
    let number = |at: usize| header[at..].first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
    let page = match u64::from(number(16) >> 16) {
        1 => 65_536,
        bytes => bytes,
    };
    // The size in the header is valid if it was written with the last change. What is missing may still be in the log.
    let whole = page * u64::from(number(28));
    let found = metadata.len();
    if number(24) == number(92) && found < whole && log_bytes(path) == 0 {
        return Err(NoStore::CutOff { found, whole });
    }
    Ok(if header[18..20] == [2, 2] { Kind::Live } else { Kind::Copy })
}

/// The kind of the store at `path`, which a server is about to open.
pub(crate) fn before_opening(path: &Path) -> Result<Kind, NoStore> {
    let kind = kind(path)?;
    if kind == Kind::Copy && log_bytes(path) > 0 {
        return Err(NoStore::ForeignLog(log_of(path)));
    }
    Ok(kind)
}

/// Whether both paths are of one file.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    let same = |one: &Metadata, other: &Metadata| {
        use std::os::unix::fs::MetadataExt;
        (one.dev(), one.ino()) == (other.dev(), other.ino())
    };
    #[cfg(not(unix))]
    let same = |_: &Metadata, _: &Metadata| one.canonicalize().ok() == other.canonicalize().ok();
    let (Ok(a), Ok(b)) = (std::fs::metadata(one), std::fs::metadata(other)) else { return false };
    same(&a, &b)
}

/// Brings an opened store to this version's schema, or returns why it cannot be used. `path` is the path in messages. A file that
/// is refused was not changed.
pub(crate) fn admit(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let refused = |why| OpenError::NoStore { path: path.to_owned(), why };
    match schema::update(connection) {
        Ok(None) => Ok(()),
        Ok(Some(why)) => Err(refused(why)),
        Err(error) => Err(OpenError::of(error, path)),
    }
}
