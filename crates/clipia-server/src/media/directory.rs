//! Media in a directory of a file system, which several servers may mount.
//!
//! Files are staged in another directory, and moved to their address once they are complete and on the disk: either all files of an
//! output are at their address, or none.
//!
//! A file that a program left on the disk is copied, also where a rename would do: a program that still has it open, as a warm one
//! may, could go on writing to a file that was renamed, and a file at its address never changes. The system copies it: its bytes
//! take no memory of this process, and no time where the file system shares them between copies. A file that this server wrote
//! itself is linked, where the file system can.

use super::staging::{Staged, Staging};
use super::upload_directory;
use super::walk::Found;
use crate::executors::{Content, MediaFile};
use crate::{failpoints, private};
use clipia_queue::RequestId;
use clipia_queue::uploads::{DIRECTORY, KEPT, UploadId};
use clipia_worker::regular;
use std::fs::{self, File, ReadDir};
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// The directory of files that are not complete yet.
const STAGING: &str = ".new";

/// How often files are moved again, after another server removed the directory for them since it was empty.
const MOVES_MAX: usize = 100;

/// The directory of media.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    staging: Arc<Staging>,
    /// Held while a request's directory gets its first file or loses its last.
    moving: Mutex<()>,
}

/// Why files were not written.
#[derive(Debug)]
pub(super) enum Unwritten {
    /// A file on the disk is not the one that the executor made.
    Changed(String),
    Io(io::Error),
}

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Directory {
    /// The directory at `path`, of a server with the data directory `data`.
    ///
    /// # Errors
    /// If it cannot be created, or holds the data directory: whoever may read media could then read the data.
    pub(super) fn open(path: &Path, data: &Path) -> io::Result<Self> {
        private::directory(path)?;
        private::directory(data)?;
        if fs::canonicalize(data)?.starts_with(fs::canonicalize(path)?) {
            let message =
                "it holds the data directory, which callers must not read: name a directory of its own";
            return Err(io::Error::new(ErrorKind::InvalidInput, message));
        }
        if let Err(error) = private::tighten(path) {
            tracing::warn!(%error, "other users may look into the directory of media");
        }
        let staging = Staging::shared(path.join(STAGING), data)?;
        Ok(Self { path: path.to_owned(), staging, moving: Mutex::default() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn staging(&self) -> &Arc<Staging> {
        &self.staging
    }

    /// The path of the file `name`; none where a part of the name would lead out of the directory.
    pub(super) fn file(&self, name: &str) -> Option<PathBuf> {
        let plain = |part: &str| {
            let mut components = Path::new(part).components();
            matches!((components.next(), components.next()), (Some(Component::Normal(only)), None) if only == part)
        };
        name.split('/').all(plain).then(|| self.path.join(name))
    }

    /// Writes files to the directory `below`, and replaces files of the same name there. They are on the disk when this returns.
    pub(super) fn write(&self, files: &[MediaFile], below: &str) -> Result<(), Unwritten> {
        let staged = self.stage(files)?;
        Ok(self.move_to(&staged, &self.path.join(below))?)
    }

    /// Moves a staged file to the address of an upload. It is on the disk when this returns.
    pub(super) fn place(&self, staged: &Staged, id: UploadId) -> io::Result<()> {
        private::sync_directory(staged.path())?;
        self.move_to(staged, &self.path.join(upload_directory(id)))
    }

    /// Writes files to a new staged directory, and flushes them to the disk.
    fn stage(&self, files: &[MediaFile]) -> Result<Staged, Unwritten> {
        let staged = self.staging.begin()?;
        for MediaFile { name, content } in files {
            let path = staged.path().join(name);
            if let Content::Sealed { path: from, bytes } = content
                && link(from, *bytes, &path)
            {
                continue;
            }
            let mut to = private::create_new(&path)?;
            match content {
                Content::Bytes(bytes) => failpoints::write(&mut to, bytes)?,
                Content::File { path, bytes } => {
                    copy(regular::open(path), *bytes, &mut to)?
                        .ok_or_else(|| Unwritten::Changed(name.clone()))?;
                }
                Content::Sealed { path, bytes } => {
                    copy(File::open(path), *bytes, &mut to)?
                        .ok_or_else(|| Unwritten::Changed(name.clone()))?;
                }
            }
            to.sync_all()?;
        }
        private::sync_directory(staged.path())?;
        Ok(staged)
    }

    /// Moves staged files to their address, and flushes the directories to the disk.
    fn move_to(&self, staged: &Staged, to: &Path) -> io::Result<()> {
        let above = to.parent().unwrap_or(&self.path);
        let mut moves = 1;
        loop {
            match self.try_move_to(staged.path(), above, to) {
                // Another server has removed the directory above since it was empty.
                Err(error)
                    if error.kind() == ErrorKind::NotFound && moves < MOVES_MAX && staged.path().exists() =>
                {
                    moves += 1;
                }
                moved => {
                    moved?;
                    private::sync_directory(above)?;
                    return private::sync_directory(&self.path);
                }
            }
        }
    }

    fn try_move_to(&self, staged: &Path, above: &Path, to: &Path) -> io::Result<()> {
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        private::directory(above)?;
        if !to.try_exists()? {
            return fs::rename(staged, to);
        }
        for file in fs::read_dir(staged)? {
            let file = file?;
            fs::rename(file.path(), to.join(file.file_name()))?;
        }
        private::sync_directory(to)
    }

    /// Removes a directory of files, and the request's directory above if that is empty then.
    pub(super) fn remove(&self, below: &str) {
        let directory = self.path.join(below);
        if let Err(error) = self.try_remove(&directory) {
            tracing::warn!(%error, path = %directory.display(), "cannot remove files that no output names");
        }
    }

    fn try_remove(&self, directory: &Path) -> io::Result<()> {
        not_found_is_done(fs::remove_dir_all(directory))?;
        if let Some(above) = directory.parent().filter(|above| *above != self.path) {
            self.remove_if_empty(above);
        }
        Ok(())
    }

    /// Removes all files of a request.
    pub(super) fn remove_request(&self, id: RequestId) -> io::Result<()> {
        not_found_is_done(fs::remove_dir_all(self.path.join(id.to_string())))
    }

    /// Removes the directory of a request if it is empty.
    pub(super) fn remove_empty(&self, id: RequestId) {
        self.remove_if_empty(&self.path.join(id.to_string()));
    }

    fn remove_if_empty(&self, directory: &Path) {
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = fs::remove_dir(directory);
    }

    /// Removes the files of all attempts at a request, except those at `kept`.
    pub(super) fn remove_others(&self, id: RequestId, kept: Option<&str>) {
        let of_attempt = directories(&self.path.join(id.to_string())).unwrap_or_default();
        for below in of_attempt.into_iter().map(|name| format!("{id}/{name}")) {
            if Some(&*below) != kept {
                self.remove(&below);
            }
        }
    }

    /// The uploads that are as old at `now` as one gets.
    pub(super) fn old_uploads(&self, now: SystemTime) -> io::Result<Vec<UploadId>> {
        let uploads = self.path.join(DIRECTORY);
        let is_old = |name: &String| {
            let modified = fs::metadata(uploads.join(name)).and_then(|found| found.modified());
            modified.is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age >= KEPT))
        };
        let names = directories(&uploads)?.into_iter().filter(is_old);
        Ok(names.filter_map(|name| name.parse().ok()).collect())
    }

    /// All that is in the directory, for [`next_step`].
    pub(super) fn entries(&self) -> io::Result<ReadDir> {
        fs::read_dir(&self.path)
    }
}

/// The next requests with files; none at the end. `tighten` restricts the permissions of all that is found to the owner.
pub(super) fn next_step(entries: &mut ReadDir, most: usize, tighten: bool) -> io::Result<Option<Vec<Found>>> {
    let (mut found, mut seen) = (Vec::new(), 0);
    for entry in entries.by_ref().take(most) {
        let entry = entry?;
        seen += 1;
        if tighten {
            tighten_all(&entry.path());
        }
        if let Some(id) = entry.file_name().to_str().and_then(super::walk::request) {
            found.push(Found { id, directories: directories(&entry.path())? });
        }
    }
    // A step without any request is not the end.
    Ok((seen > 0).then_some(found))
}

/// The directories of files in a request's directory. Others, with names that this server does not make, are left out.
fn directories(of_request: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(of_request) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| super::walk::is_secret(name)).collect())
}

/// Restricts the permissions of a file, or of a directory and all its content, to the owner.
fn tighten_all(path: &Path) {
    let tightened = private::tighten(path).and_then(|()| {
        if fs::symlink_metadata(path)?.is_dir() {
            for entry in fs::read_dir(path)? {
                tighten_all(&entry?.path());
            }
        }
        Ok(())
    });
    if let Err(error) = tightened
        && error.kind() != ErrorKind::NotFound
    {
        tracing::debug!(%error, path = %path.display(), "other users may read media");
    }
}

/// Gives the file at `path`, which has `bytes` bytes, a second name. Returns whether it has: not between two file systems, and not
/// in one without links.
fn link(path: &Path, bytes: u64, to: &Path) -> bool {
    let is_whole = fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() == bytes);
    is_whole && fs::hard_link(path, to).is_ok()
}

/// Copies an opened file, which has `bytes` bytes. None if another file is there now, or its length is another.
fn copy(opened: io::Result<File>, bytes: u64, to: &mut File) -> io::Result<Option<()>> {
    use ErrorKind::{InvalidInput, NotADirectory, NotFound};
    let mut from = match opened {
        Ok(from) => from,
        Err(error) if matches!(error.kind(), InvalidInput | NotADirectory | NotFound) => return Ok(None),
        Err(error) => return Err(error),
    };
    let whole = from.metadata()?.len() == bytes && failpoints::copy(&mut from, to, bytes)? == bytes;
    Ok(whole.then_some(()))
}

fn not_found_is_done(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_none_that_holds_the_data() {
        let all = tempfile::tempdir().unwrap();
        let data = all.path().join("data");
        for refused in [all.path(), &*data, &data.join("../data")] {
            let error = Directory::open(refused, &data).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{refused:?}");
        }
        Directory::open(&data.join("media"), &data).unwrap();
        Directory::open(&all.path().join("media"), &data).unwrap();
    }

    #[test]
    fn files_are_moved_although_another_server_removes_the_empty_directory_above() {
        let all = tempfile::tempdir().unwrap();
        let media = all.path().join("media");
        let open = |data: &str| Directory::open(&media, &all.path().join(data)).unwrap();
        let (one, other) = (open("one"), open("other"));
        let id = RequestId::generate();
        std::thread::scope(|threads| {
            threads.spawn(|| {
                // Far more often than a sweeper does, and with a pause that lets the writer be faster now and then.
                for _ in 0..500 {
                    other.remove_empty(id);
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
            });
            for round in 0..50 {
                let below = format!("{id}/{round:032x}");
                one.write(&[MediaFile::new("a.png", b"fox".to_vec())], &below).unwrap();
                assert_eq!(fs::read(media.join(&below).join("a.png")).unwrap(), b"fox");
                one.remove(&below);
            }
        });
    }
}
