//! The files of `out/`, in natural order.

use super::{CollectError, DEPTH_MAX, FILES_MAX};
use crate::regular::{self, Identity};
use std::cmp::Ordering;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A regular file of `out/`.
pub(super) struct Found {
    /// The path below `out/`, with `/`. What is not UTF-8 in it is replaced.
    pub(super) name: String,
    /// The path of the file.
    pub(super) path: PathBuf,
    /// The length in bytes.
    pub(super) bytes: u64,
    identity: Identity,
}

impl Found {
    /// Opens the file that was found, and no other.
    ///
    /// # Errors
    /// [`CollectError::Changed`] if the path leads to another file now, or the file has another length.
    pub(super) fn open(&self) -> Result<File, CollectError> {
        let changed = || CollectError::Changed(self.name.clone());
        let file = regular::open(&self.path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidInput => changed(),
            _ => error.into(),
        })?;
        let now = file.metadata()?;
        match Identity::of(&now) == self.identity && now.len() == self.bytes {
            true => Ok(file),
            false => Err(changed()),
        }
    }
}

/// The files of the directory `out`, which have at most `bytes_max` bytes together. No link is followed, and reading stops at the
/// first entry that is refused.
pub(super) fn list(out: &Path, bytes_max: u64) -> Result<Vec<Found>, CollectError> {
    if !fs::symlink_metadata(out)?.is_dir() {
        return Err(CollectError::NoDirectory);
    }
    let mut listing = Listing { files: Vec::new(), entries: 0, bytes: 0, bytes_max };
    listing.add_directory(out, "", 1)?;
    listing.files.sort_by(|one, other| natural(&one.name, &other.name));
    Ok(listing.files)
}

struct Listing {
    files: Vec<Found>,
    /// The entries so far, hidden ones and directories included.
    entries: usize,
    /// The bytes of the files so far.
    bytes: u64,
    bytes_max: u64,
}

impl Listing {
    /// Adds the files of a directory, whose name below `out/` is `above`.
    fn add_directory(&mut self, directory: &Path, above: &str, depth: usize) -> Result<(), CollectError> {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            self.entries += 1;
            if self.entries > FILES_MAX {
                return Err(CollectError::TooMany);
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            let name = format!("{above}{name}");
            // Of the entry itself, not of what a link leads to.
            let metadata = entry.metadata()?;
            let kind = metadata.file_type();
            if kind.is_symlink() {
                return Err(CollectError::Link(name));
            }
            if kind.is_dir() {
                if depth == DEPTH_MAX {
                    return Err(CollectError::Deep(name));
                }
                self.add_directory(&entry.path(), &format!("{name}/"), depth + 1)?;
                continue;
            }
            if !kind.is_file() {
                return Err(CollectError::Special(name));
            }
            if !regular::has_one_name(&metadata) {
                return Err(CollectError::HardLink(name));
            }
            self.bytes = self.bytes.saturating_add(metadata.len());
            if self.bytes > self.bytes_max {
                return Err(CollectError::TooLarge { max: self.bytes_max });
            }
            let (path, bytes, identity) = (entry.path(), metadata.len(), Identity::of(&metadata));
            self.files.push(Found { name, path, bytes, identity });
        }
        Ok(())
    }
}

/// Natural order: numbers in names count as numbers. Of two names that differ in leading zeros only, the shorter one is first.
fn natural(one: &str, other: &str) -> Ordering {
    alphanumeric_sort::compare_str(one, other).then_with(|| one.cmp(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names =
            ["image-10.png", "image-2.png", "b/1.png", "image-02.png", "a.png", "image.png", "10", "9"];
        names.sort_by(|one, other| natural(one, other));
        assert_eq!(
            names,
            ["9", "10", "a.png", "b/1.png", "image-2.png", "image-02.png", "image-10.png", "image.png"]
        );
    }
}
