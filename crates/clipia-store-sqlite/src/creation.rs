//! Making a new store.

use super::{OpenError, backup, schema};
use crate::private;
use rusqlite::Connection;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

/// Makes the store at `path` where there is none: under another name until it is whole and on the disk, so that a crash
/// leaves all of it or nothing, for two flushes instead of one for each step.
pub(crate) fn ensure(path: &Path) -> Result<(), OpenError> {
    let fault = |source| OpenError::File { path: path.to_owned(), source };
    if path.try_exists().map_err(fault)? {
        return Ok(());
    }
    let part = path.with_extension("db.new");
    // Of an attempt that was cut short.
    for left in ["db.new", "db.new-wal", "db.new-shm"] {
        match std::fs::remove_file(path.with_extension(left)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(fault(error)),
            _ => {}
        }
    }
    // The log and its index get the mode of the file.
    private::create_new(&part).map_err(fault)?;
    let mut connection = Connection::open(&part)?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    // Space that is let go can be given back, a little at a time. Only an empty database takes this.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    schema::create(&mut connection)?;
    // Leaves one file.
    connection.close().map_err(|(_, error)| error)?;
    File::open(&part).and_then(|file| file.sync_all()).map_err(fault)?;
    std::fs::rename(&part, path).map_err(fault)?;
    backup::sync_directory_of(path).map_err(fault)
}
