//! The mark of a data directory whose store was exported: the other store goes on with it. A server on this one would do again what
//! the other does, so none starts until the mark is removed.

use super::OpenError;
use super::backup::sync_directory_of;
use crate::clock::{timestamp, wall};
use crate::private;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// The name of the mark.
pub(crate) const FILE: &str = "clipia.moved";

/// Marks `directory` as exported to `file`.
pub(crate) fn mark(directory: &Path, file: &Path) -> io::Result<()> {
    let path = directory.join(FILE);
    let file = std::path::absolute(file)?;
    // An earlier export, which was not imported, is forgotten.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut mark = private::create_new(&path)?;
    writeln!(mark, "to `{}` at {}", file.display(), timestamp(wall()))?;
    mark.sync_all()?;
    sync_directory_of(&path)
}

/// Refuses a directory that is marked.
pub(crate) fn refuse(directory: &Path) -> Result<(), OpenError> {
    let mark = directory.join(FILE);
    match std::fs::read_to_string(&mark) {
        Ok(to) => Err(OpenError::Moved { mark, to: to.trim().to_owned() }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) => Err(OpenError::File { path: mark, source }),
    }
}
