//! The file that already has the name of a downloaded file. Only `overwrite` replaces a file with other content.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// First bytes that are compared with those of the host. An existing file with the same name (request and number), the
/// same size and the same first bytes counts as the same file, and is not fetched again.
pub(super) const COMPARED: usize = 1 << 16;

/// What has a name.
#[derive(Debug, PartialEq)]
pub(super) enum Existing {
    Nothing,
    /// A file with these first bytes and this size.
    File {
        beginning: Vec<u8>,
        size: u64,
    },
    /// A link, a directory, a device.
    Other,
}

/// Looks up a name. Follows no link.
pub(super) fn look(path: &Path) -> io::Result<Existing> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Existing::Nothing),
        Err(error) => Err(error),
        Ok(there) if there.is_file() => {
            let mut beginning = Vec::new();
            File::open(path)?.take(COMPARED as u64).read_to_end(&mut beginning)?;
            Ok(Existing::File { beginning, size: there.len() })
        }
        Ok(_) => Ok(Existing::Other),
    }
}

/// Whether two files have the same content. A link never does.
pub(super) fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let size = |path| fs::symlink_metadata(path).map(|there| there.is_file().then_some(there.len()));
    let (size_one, size_other) = (size(one)?, size(other)?);
    if size_one.is_none() || size_one != size_other {
        return Ok(false);
    }
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let (mut buffer_one, mut buffer_other) = (Vec::new(), Vec::new());
    loop {
        for (file, buffer) in [(&mut one, &mut buffer_one), (&mut other, &mut buffer_other)] {
            buffer.clear();
            file.take(COMPARED as u64).read_to_end(buffer)?;
        }
        if buffer_one != buffer_other || buffer_one.is_empty() {
            return Ok(buffer_one == buffer_other);
        }
    }
}

/// The error for a name that is taken.
pub(super) fn name_taken() -> io::Error {
    io::Error::new(
        io::ErrorKind::AlreadyExists,
        "a file with other content has this name, and is replaced only if `overwrite` is set",
    )
}
