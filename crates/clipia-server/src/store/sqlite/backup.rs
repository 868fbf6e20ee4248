//! Copies a store while it is in use.

use super::points;
use crate::store::{BackupError, StoreError};
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

/// Copies the store at `from`, as it stands now, to a new file at `to`: under another name until it is whole.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    let fault = |source: Error| match source.kind() {
        ErrorKind::AlreadyExists => BackupError::Exists(to.to_owned()),
        _ => BackupError::File { path: to.to_owned(), source },
    };
    if to.try_exists().map_err(fault)? {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let part = Part::create(to).map_err(fault)?;
    vacuum(from, &part.0)?;
    File::open(&part.0).and_then(|file| file.sync_all()).map_err(fault)?;
    // Unlike a rename, a link never replaces what has come there meanwhile.
    std::fs::hard_link(&part.0, to).map_err(fault)?;
    sync_directory_of(to).map_err(fault)
}

fn vacuum(from: &Path, to: &Path) -> Result<(), StoreError> {
    let connection = points::open(from)?;
    let name = to.to_str().ok_or_else(|| StoreError::Unreadable(format!("path `{}`", to.display())))?;
    connection.execute("VACUUM INTO ?1", [name])?;
    Ok(())
}

/// A file that is removed when it is no longer needed.
struct Part(PathBuf);

impl Part {
    /// An empty file beside `to`, for its owner alone: a store holds secrets.
    fn create(to: &Path) -> Result<Self, Error> {
        let name = to.file_name().ok_or_else(|| Error::from(ErrorKind::InvalidInput))?;
        let path = to.with_file_name(format!("{}.part-{}", name.display(), std::process::id()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Makes the new name durable.
pub(crate) fn sync_directory_of(path: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}
