//! Files that are not complete yet.
//!
//! Several servers may share a directory of media. Each stages its files in a directory of its own, whose name it keeps in its data
//! directory. So after `kill -9` the next start removes at once what the process has left, and nothing of another server. What
//! another server has left goes once nothing of it was written for [`UNTOUCHED_MAX`]: no file is staged for so long, so that server
//! is gone. If it was only stopped and goes on, its write fails and is repeated.

use crate::{failpoints, private};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// The file of the data directory that holds the name of the server's directory.
pub(crate) const NAME: &str = "node";

/// For how long another server's file may be staged without a write. An upload, the slowest, is refused in less than half an hour;
/// the rest is for clocks that differ.
const UNTOUCHED_MAX: Duration = Duration::from_secs(2 * 60 * 60);

/// Where a server stages files.
#[derive(Debug)]
pub(super) struct Staging {
    /// The directory of this server.
    own: PathBuf,
    /// The directory with those of all servers; none where no other server stages.
    all: Option<PathBuf>,
    /// The staged directories of writes in progress.
    in_use: Mutex<BTreeSet<PathBuf>>,
}

/// A directory of staged files. Dropping this removes what was not moved elsewhere.
#[derive(Debug)]
pub(super) struct Staged {
    staging: Arc<Staging>,
    path: PathBuf,
}

impl Staging {
    /// The staging of the server with the data directory `data`, below a directory that servers may share.
    ///
    /// # Errors
    /// If the server's name cannot be read or kept.
    pub(super) fn shared(all: PathBuf, data: &Path) -> io::Result<Arc<Self>> {
        let own = all.join(name(data)?);
        Ok(Arc::new(Self { own, all: Some(all), in_use: Mutex::default() }))
    }

    /// The staging of a server in a directory of its own.
    pub(super) fn alone(own: PathBuf) -> Arc<Self> {
        Arc::new(Self { own, all: None, in_use: Mutex::default() })
    }

    /// The directory of this server.
    #[cfg(test)]
    pub(super) fn own(&self) -> &Path {
        &self.own
    }

    fn in_use(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new staged directory.
    pub(super) fn begin(self: &Arc<Self>) -> io::Result<Staged> {
        let path = self.free();
        self.in_use().insert(path.clone());
        let staged = Staged { staging: Arc::clone(self), path };
        private::directory(&staged.path)?;
        Ok(staged)
    }

    /// A path that nothing has.
    fn free(&self) -> PathBuf {
        self.own.join(hex::encode(rand::random::<[u8; 16]>()))
    }

    /// Writes so many bytes, and removes them.
    pub(super) fn probe(self: &Arc<Self>, bytes: u64) -> io::Result<()> {
        /// The bytes that are written at once.
        static PIECE: [u8; 64 * 1024] = [0; 64 * 1024];
        let mut left = bytes;
        let staged = self.begin()?;
        let mut probe = private::create_new(&staged.path.join("probe"))?;
        while left > 0 {
            let piece = usize::try_from(left).map_or(PIECE.len(), |left| left.min(PIECE.len()));
            failpoints::write(&mut probe, &PIECE[..piece])?;
            left -= piece as u64;
        }
        probe.sync_all()?;
        private::sync_directory(&staged.path)
    }

    /// Removes what no write uses. Returns how many it removed.
    pub(super) fn sweep(&self, now: SystemTime) -> io::Result<u64> {
        let mut removed = 0;
        for path in entries(&self.own)? {
            if !self.in_use().contains(&path) {
                remove(&path);
                removed += 1;
            }
        }
        let Some(all) = &self.all else { return Ok(removed) };
        for other in entries(all)?.into_iter().filter(|path| *path != self.own) {
            for path in entries(&other)?.into_iter().filter(|path| is_untouched(path, now)) {
                // The move is one step: a server that goes on finds all of its files or none.
                let taken = self.free();
                private::directory(&self.own)?;
                if fs::rename(&path, &taken).is_ok() {
                    remove(&taken);
                    removed += 1;
                }
            }
            if is_untouched(&other, now) {
                // It is in the way where it is not empty or no directory.
                let _ = fs::remove_dir(&other);
            }
        }
        Ok(removed)
    }
}

impl Staged {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // A moved directory is gone already. The media sweeper removes one that cannot be removed now.
        let _ = fs::remove_dir_all(&self.path);
        self.staging.in_use().remove(&self.path);
    }
}

/// The name of the server with the data directory `data`: made at its first start, and kept.
fn name(data: &Path) -> io::Result<String> {
    const DIGITS: usize = 32;
    let path = data.join(NAME);
    let is_name = |name: &str| name.len() == DIGITS && name.bytes().all(|b| b.is_ascii_hexdigit());
    match fs::read_to_string(&path) {
        Ok(name) if is_name(&name) => return Ok(name),
        // A process that was killed wrote a part of it.
        Ok(_) => fs::remove_file(&path)?,
        Err(error) if error.kind() == ErrorKind::NotFound => private::directory(data)?,
        Err(error) => return Err(error),
    }
    let name = hex::encode(rand::random::<[u8; DIGITS / 2]>());
    let mut file = private::create_new(&path)?;
    io::Write::write_all(&mut file, name.as_bytes())?;
    file.sync_all()?;
    Ok(name)
}

/// What is in a directory; nothing where it is none.
fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

/// Whether neither a directory nor a file in it was written for [`UNTOUCHED_MAX`].
fn is_untouched(path: &Path, now: SystemTime) -> bool {
    let is_old = |path: &Path| {
        let modified = fs::symlink_metadata(path).and_then(|found| found.modified());
        modified.is_ok_and(|at| now.duration_since(at).is_ok_and(|since| since > UNTOUCHED_MAX))
    };
    is_old(path) && entries(path).is_ok_and(|files| files.iter().all(|file| is_old(file)))
}

fn remove(path: &Path) {
    let removed = match path.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    if let Err(error) = removed
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "cannot remove staged files");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_leaves_what_another_one_writes() {
        let shared = tempfile::tempdir().unwrap();
        let [one, other] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let open =
            |data: &tempfile::TempDir| Staging::shared(shared.path().join(".new"), data.path()).unwrap();
        let (first, second) = (open(&one), open(&other));
        assert_ne!(first.own, second.own);
        let stage = |staging: &Arc<Staging>| {
            let staged = staging.begin().unwrap();
            fs::write(staged.path().join("a.png"), "fox").unwrap();
            staged
        };
        let (uses, left, leaves) = (stage(&first), stage(&first), stage(&second));
        let (used, left) = (uses.path().to_owned(), std::mem::ManuallyDrop::new(left).path().to_owned());
        let now = SystemTime::now();
        assert_eq!(second.sweep(now).unwrap(), 0);
        assert!(used.exists() && left.exists() && leaves.path().exists());
        // The next start of the first server removes what it has left, and nothing of the second.
        let again = open(&one);
        assert_eq!(again.own, first.own);
        drop(uses);
        assert_eq!(again.sweep(now).unwrap(), 1);
        assert!(!left.exists() && leaves.path().exists());
        // Once the second is gone for good, what it has left goes, and its directory.
        let late = now + UNTOUCHED_MAX + Duration::from_secs(60);
        assert_eq!(again.sweep(late).unwrap(), 1);
        assert!(!leaves.path().exists() && !second.own.exists());
        assert_eq!(fs::read_dir(shared.path().join(".new")).unwrap().count(), 1);
    }

    #[test]
    fn the_name_of_a_server_is_made_again_where_it_is_torn() {
        let data = tempfile::tempdir().unwrap();
        let first = name(data.path()).unwrap();
        assert_eq!(name(data.path()).unwrap(), first);
        fs::write(data.path().join(NAME), &first[..7]).unwrap();
        let second = name(data.path()).unwrap();
        assert_eq!((second.len(), name(data.path()).unwrap()), (32, second));
    }
}
