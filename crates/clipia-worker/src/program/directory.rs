//! The directory of a job: its inputs, what it makes, and its events.

use super::spares::Spares;
use clipia_queue::RequestId;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// Makes the names of directories different: a request may have several attempts.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The directory of a job, which only this user may read. With this value it is removed, or emptied for another job, in the
/// background.
#[derive(Debug)]
pub struct JobDirectory {
    path: PathBuf,
    /// The file of events, if it was made with the directory.
    events: Mutex<Option<File>>,
    /// Where the directory goes once it is [done](Self::done).
    spares: Option<Arc<Spares>>,
    done: AtomicBool,
}

impl JobDirectory {
    /// Makes a directory for a job of the request `id` below `jobs`, with its parts.
    ///
    /// # Errors
    /// If this machine has no room, or does not let us.
    pub(super) fn for_job(jobs: &Path, id: RequestId) -> io::Result<Self> {
        let directory = Self::new(jobs, &id.to_string())?;
        for part in [directory.input(), directory.output(), directory.work()] {
            create(&part)?;
        }
        Ok(directory)
    }

    /// A directory for a job of the request `id` that a warm program does, which has a working directory of its own.
    ///
    /// # Errors
    /// If this machine has no room, or does not let us.
    pub(super) fn for_warm_job(spares: &Arc<Spares>, id: RequestId) -> io::Result<Self> {
        let (jobs, name) = (spares.jobs(), id.to_string());
        let path = next(jobs, &name);
        let mut directory = match spares.take(&path) {
            Some(events) => {
                let mut directory = Self::at(path);
                directory.events = Mutex::new(Some(events));
                directory
            }
            None => {
                let directory = Self::new(jobs, &name)?;
                for part in [directory.input(), directory.output()] {
                    create(&part)?;
                }
                directory
            }
        };
        directory.spares = Some(Arc::clone(spares));
        Ok(directory)
    }

    /// Makes a directory for a process, whose name begins with `name`.
    ///
    /// # Errors
    /// If this machine has no room, or does not let us.
    pub(super) fn for_process(jobs: &Path, name: &str) -> io::Result<Self> {
        let directory = Self::new(jobs, name)?;
        create(&directory.work())?;
        Ok(directory)
    }

    /// Makes a directory whose name begins with `name`.
    fn new(jobs: &Path, name: &str) -> io::Result<Self> {
        create(jobs)?;
        let directory = Self::at(next(jobs, name));
        // One that is left from before was not swept: it must not be taken for this job's.
        DirBuilder::new().create(&directory.path)?;
        tighten(&directory.path)?;
        Ok(directory)
    }

    fn at(path: PathBuf) -> Self {
        Self { path, events: Mutex::default(), spares: None, done: AtomicBool::new(false) }
    }

    /// The program has said that it is done with the job, so that it leaves the directory alone: another job may get it.
    pub(super) fn done(&self) {
        self.done.store(true, Ordering::Relaxed);
    }

    /// Makes the file of events, which is empty.
    ///
    /// # Errors
    /// If this machine has no room.
    pub(super) fn new_events(&self) -> io::Result<File> {
        let made = self.events.lock().unwrap_or_else(PoisonError::into_inner).take();
        made.map_or_else(|| new_file(&self.events()), Ok)
    }

    /// The files of its input.
    pub(super) fn input(&self) -> PathBuf {
        self.path.join("in")
    }

    /// Where it leaves what it makes.
    pub(super) fn output(&self) -> PathBuf {
        self.path.join("out")
    }

    /// The working directory.
    pub(super) fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    /// The job as JSON.
    pub(super) fn job(&self) -> PathBuf {
        self.path.join("job.json")
    }

    /// The events.
    pub(super) fn events(&self) -> PathBuf {
        self.path.join("events")
    }

    /// Why the program could not be started, if it could not.
    pub(super) fn unstarted(&self) -> PathBuf {
        self.path.join("unstarted")
    }

    /// Writes the job's JSON.
    ///
    /// # Errors
    /// If this machine has no room.
    pub(super) fn write_job(&self, json: &str) -> io::Result<()> {
        writeln!(new_file(&self.job())?, "{json}")
    }
}

impl Drop for JobDirectory {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.path);
        let spares = self.spares.take().filter(|_| *self.done.get_mut());
        in_background(move || match spares {
            Some(spares) => spares.keep(&path),
            None => remove(&path),
        });
    }
}

/// Does what takes a while, such as the removal of many files.
pub(super) fn in_background(what: impl FnOnce() + Send + 'static) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(what)),
        Err(_) => what(),
    }
}

/// A path below `jobs` that no other directory has had. Its name begins with `name`.
pub(super) fn next(jobs: &Path, name: &str) -> PathBuf {
    jobs.join(format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Removes the directories that a process left which did not end by itself.
pub(super) fn sweep(jobs: &Path) {
    let Ok(entries) = std::fs::read_dir(jobs) else {
        return;
    };
    entries.flatten().for_each(|entry| remove(&entry.path()));
}

/// Makes a new file that only this user may read and write.
pub(super) fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.read(true).write(true).create_new(true).open(path)
}

fn create(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(unix)]
fn tighten(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))
}

/// Whether a directory has the mode that [`tighten`] sets, and no other user's bits.
#[cfg(unix)]
pub(super) fn is_private(directory: &Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&directory.permissions()) & 0o7777 == 0o700
}

#[cfg(not(unix))]
pub(super) fn is_private(_: &Metadata) -> bool {
    true
}

#[cfg(not(unix))]
fn tighten(_: &Path) -> io::Result<()> {
    Ok(())
}

pub(super) fn remove(path: &Path) {
    let mut removed = remove_once(path);
    if removed.as_ref().is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
        // The program closed a directory of its own.
        open_directories(path);
        removed = remove_once(path);
    }
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(%error, path = %path.display(), "the directory of a job is left until the next start");
        }
        _ => {}
    }
}

fn remove_once(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path)?.is_dir() {
        true => std::fs::remove_dir_all(path),
        false => std::fs::remove_file(path),
    }
}

/// Lets this user into each directory below `path`. No link is followed.
fn open_directories(path: &Path) {
    let mut below = vec![path.to_path_buf()];
    while let Some(directory) = below.pop() {
        let _ = tighten(&directory);
        let entries = std::fs::read_dir(&directory).into_iter().flatten().flatten();
        below.extend(
            entries
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path()),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_directory_is_private_and_removed_with_what_is_in_it() {
        use std::os::unix::fs::PermissionsExt;
        let jobs = tempfile::tempdir().unwrap();
        let outside = jobs.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("kept"), "kept").unwrap();
        let below = jobs.path().join("jobs");
        let directory = JobDirectory::for_job(&below, RequestId::generate()).unwrap();
        let path = directory.path.clone();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        std::os::unix::fs::symlink(&outside, directory.output().join("link")).unwrap();
        let closed = directory.work().join("closed");
        std::fs::create_dir(&closed).unwrap();
        std::fs::write(closed.join("file"), "x").unwrap();
        std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o0)).unwrap();
        drop(directory);
        assert!(!path.exists());
        assert!(outside.join("kept").exists(), "a link is removed, and not followed");
    }

    #[test]
    fn what_is_left_is_swept() {
        let jobs = tempfile::tempdir().unwrap();
        let left = JobDirectory::for_job(jobs.path(), RequestId::generate()).unwrap();
        let path = left.path.clone();
        std::mem::forget(left);
        sweep(jobs.path());
        assert!(!path.exists() && jobs.path().exists());
    }
}
