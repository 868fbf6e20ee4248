//! Directories of jobs that a warm program has done, emptied for its next jobs: to make and remove one takes longer than a short
//! job does.

use super::directory::{in_background, is_private, new_file, next, remove};
use std::fs::{self, DirEntry, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The directories that no job has.
#[derive(Debug)]
pub(super) struct Spares {
    /// The directory of the jobs' directories.
    jobs: PathBuf,
    /// How many are kept at most.
    most: usize,
    spares: Mutex<Vec<Spare>>,
}

/// A directory with nothing but the empty directories of a job, and the empty file of its events.
#[derive(Debug)]
struct Spare {
    path: PathBuf,
    events: File,
}

impl Spares {
    pub(super) fn new(jobs: PathBuf, most: usize) -> Self {
        Self { jobs, most, spares: Mutex::default() }
    }

    pub(super) fn jobs(&self) -> &Path {
        &self.jobs
    }

    /// Moves a directory to `path`. Returns its file of events; none if there is no directory.
    pub(super) fn take(&self, path: &Path) -> Option<File> {
        let Spare { path: spare, events } = self.spares().pop()?;
        match fs::rename(&spare, path) {
            Ok(()) => Some(events),
            Err(_) => {
                remove(&spare);
                None
            }
        }
    }

    /// Keeps the directory of a job, or removes it.
    pub(super) fn keep(&self, path: &Path) {
        if self.spares().len() >= self.most {
            return remove(path);
        }
        // The program does not know the path from here on, so that it writes nothing more to it by its name.
        let spare = next(&self.jobs, "spare");
        if fs::rename(path, &spare).is_err() {
            return remove(path);
        }
        match emptied(&spare) {
            Ok(events) => self.spares().push(Spare { path: spare, events }),
            // It has what a job has not, or the program closed it.
            Err(_) => remove(&spare),
        }
    }

    fn spares(&self) -> MutexGuard<'_, Vec<Spare>> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        let spares = std::mem::take(&mut *self.spares());
        in_background(move || spares.iter().for_each(|spare| remove(&spare.path)));
    }
}

/// Removes the files of a job's directory. Returns its new file of events, which no program has open.
///
/// # Errors
/// If it has more than the files and the two directories of a job, or these are not as they were made.
fn emptied(directory: &Path) -> io::Result<File> {
    let mut parts = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if !is_part(&entry)? {
            // This does not remove a directory.
            fs::remove_file(entry.path())?;
            continue;
        }
        parts += 1;
        for file in fs::read_dir(entry.path())? {
            fs::remove_file(file?.path())?;
        }
    }
    match parts {
        2 => new_file(&directory.join("events")),
        _ => Err(io::Error::other("a directory of the job is gone")),
    }
}

/// Whether an entry is one of the two directories of a job, as it was made.
fn is_part(entry: &DirEntry) -> io::Result<bool> {
    let name = entry.file_name();
    // Not of what a link leads to.
    let metadata = entry.metadata()?;
    Ok((name == "in" || name == "out") && metadata.is_dir() && is_private(&metadata))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::super::directory::JobDirectory;
    use super::*;
    use clipia_queue::RequestId;
    use std::io::Write;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::sync::Arc;

    /// A directory of jobs, and the spare ones in it.
    struct Jobs {
        directory: tempfile::TempDir,
        spares: Arc<Spares>,
    }

    impl Jobs {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let spares = Arc::new(Spares::new(directory.path().to_owned(), 1));
            Self { directory, spares }
        }

        fn directory(&self) -> JobDirectory {
            JobDirectory::for_warm_job(&self.spares, RequestId::generate()).unwrap()
        }

        /// The names of all directories.
        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(self.directory.path()).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    fn inode(path: &Path) -> u64 {
        fs::metadata(path).unwrap().ino()
    }

    #[test]
    fn a_directory_that_was_left_is_as_new_for_the_next_job() {
        let jobs = Jobs::new();
        let first = jobs.directory();
        let mut events = first.new_events().unwrap();
        for file in [first.input().join("image.png"), first.output().join("a.png"), first.job()] {
            fs::write(file, "x").unwrap();
        }
        let (out, inode_of_first) = (first.output(), inode(&first.output()));
        first.done();
        drop(first);
        // A program that has not closed its file.
        events.write_all(b"{\"done\": true}\n").unwrap();
        assert!(fs::write(out.join("late.png"), "x").is_err(), "the path is not valid any more");
        let second = jobs.directory();
        assert_eq!(inode(&second.output()), inode_of_first);
        assert_eq!(second.new_events().unwrap().metadata().unwrap().len(), 0);
        for part in [second.input(), second.output()] {
            assert_eq!(fs::read_dir(part).unwrap().count(), 0);
        }
        assert!(!second.job().exists());
        drop(second);
        assert!(jobs.names().is_empty(), "one that was not done is removed");
    }

    #[test]
    fn a_directory_that_is_not_as_it_was_made_is_removed() {
        type Spoil = fn(&JobDirectory);
        let spoils: [Spoil; 5] = [
            |job| fs::create_dir(job.output().join("below")).unwrap(),
            |job| fs::set_permissions(job.output(), fs::Permissions::from_mode(0o500)).unwrap(),
            |job| fs::remove_dir(job.input()).unwrap(),
            |job| {
                fs::remove_dir(job.output()).unwrap();
                symlink("/", job.output()).unwrap();
            },
            |job| fs::create_dir(job.work()).unwrap(),
        ];
        for spoil in spoils {
            let jobs = Jobs::new();
            let job = jobs.directory();
            spoil(&job);
            job.done();
            drop(job);
            assert!(jobs.names().is_empty(), "{:?}", jobs.names());
        }
    }

    #[test]
    fn few_are_kept_and_none_once_the_program_is_gone() {
        let jobs = Jobs::new();
        let (first, second) = (jobs.directory(), jobs.directory());
        for job in [first, second] {
            job.done();
            drop(job);
        }
        assert!(matches!(&jobs.names()[..], [name] if name.starts_with("spare-")), "{:?}", jobs.names());
        let Jobs { directory, spares } = jobs;
        drop(spares);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
