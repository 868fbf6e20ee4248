//! Regular files that a program made.
//!
//! A program may replace its files by links, FIFOs and devices at any time, also while they are read. So whoever reads them
//! opens them here, and trusts only what the open file says of itself.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Opens a regular file for reading. Follows no link, and waits for no writer.
///
/// # Errors
/// `InvalidInput` if the path leads to something else than a regular file with one name.
pub fn open(path: &Path) -> io::Result<File> {
    open_with(path, OpenOptions::new().read(true))
}

/// Opens a regular file that is there for writing, as [`open`].
///
/// # Errors
/// As [`open`].
pub fn open_to_write(path: &Path) -> io::Result<File> {
    open_with(path, OpenOptions::new().write(true))
}

fn open_with(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        // Without NONBLOCK, the open of a FIFO waits for a writer.
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    }
    #[cfg(not(unix))]
    if std::fs::symlink_metadata(path)?.is_symlink() {
        return Err(ErrorKind::InvalidInput.into());
    }
    // Systems report a link by different errors.
    let is_link = || std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    let file =
        options.open(path).map_err(|error| if is_link() { ErrorKind::InvalidInput.into() } else { error })?;
    let metadata = file.metadata()?;
    match metadata.is_file() && has_one_name(&metadata) {
        true => Ok(file),
        false => Err(ErrorKind::InvalidInput.into()),
    }
}

/// Whether a file has one name. Elsewhere than on Unix this is not known.
pub(crate) fn has_one_name(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::nlink(metadata) == 1;
    #[cfg(not(unix))]
    {
        let _ = metadata;
        true
    }
}

/// What tells two files apart that had the same path. Elsewhere than on Unix nothing does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Identity(Option<(u64, u64)>);

impl Identity {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            Self(Some((metadata.dev(), metadata.ino())))
        }
        #[cfg(not(unix))]
        {
            let _ = metadata;
            Self(None)
        }
    }
}
