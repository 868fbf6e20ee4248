//! When the events of a program are read: when the system says that the file has grown, and from time to time.
//!
//! The system does not say so everywhere: not of a file that another machine or a virtual one writes to, and on Linux alone. So the
//! pauses between two reads are short at first and grow with the job, whatever the system says.

use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// The shortest time between two reads of a job that has run for as long: a program that writes without a pause costs no more.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// The longest time between two reads.
const INTERVAL_MAX: Duration = Duration::from_millis(100);

/// So much of the time that a job has run so far passes until its events are read again.
const PART: u32 = 10;

/// The pace at which the events of one job are read.
pub(super) struct Pace<'g> {
    began: Instant,
    read: Instant,
    growth: Option<&'g Growth>,
}

impl<'g> Pace<'g> {
    /// The pace of a job that begins now.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { began: now, read: now, growth: None }
    }

    /// The pace of a job whose file `growth` watches.
    pub(super) fn of(growth: &'g Growth) -> Self {
        Self { growth: Some(growth), ..Self::new() }
    }

    /// Waits until the events should be read.
    pub(super) async fn next(&mut self) {
        let elapsed = self.began.elapsed();
        let interval = (elapsed / PART).clamp(INTERVAL_MIN, INTERVAL_MAX);
        let grown = async {
            if elapsed >= INTERVAL_MIN {
                sleep_until(self.read + INTERVAL_MIN).await;
            }
            match self.growth {
                Some(growth) => growth.grown().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = grown => {}
            () = sleep(interval) => {}
        }
        self.read = Instant::now();
    }
}

#[cfg(target_os = "linux")]
pub(super) use linux::Growth;

#[cfg(target_os = "linux")]
mod linux {
    use super::Path;
    use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
    use rustix::io::{Errno, read};
    use std::os::fd::OwnedFd;
    use tokio::io::unix::AsyncFd;

    /// The bytes of notices that are taken at once. What they say does not matter: the file is read after each.
    const NOTICES_BYTES: usize = 1024;

    /// Watches the files of events of one process after the other's job.
    pub(in super::super) struct Growth(Option<AsyncFd<OwnedFd>>);

    impl Growth {
        /// Watches no file yet. Where this process may watch no more, nothing is ever told.
        pub(in super::super) fn new() -> Self {
            let notices = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC);
            // Deprecated for types that change their descriptor, which this one does not. The other call is `unsafe`.
            #[allow(deprecated)]
            let watched = notices.ok().and_then(|notices| AsyncFd::new(notices).ok());
            Self(watched)
        }

        /// Watches a file until it is removed. What is written to it from here on is told.
        pub(in super::super) fn watch(&self, file: &Path) {
            if let Some(notices) = &self.0 {
                // A file that cannot be watched is read at its pace.
                let _ = inotify::add_watch(notices, file, WatchFlags::MODIFY);
            }
        }

        /// Waits until a file has grown that is or was watched. Cancel safe.
        pub(in super::super) async fn grown(&self) {
            let Some(notices) = &self.0 else { return std::future::pending().await };
            let mut buffer = [0; NOTICES_BYTES];
            while let Ok(mut ready) = notices.readable().await {
                // There may be more of them. Then the next call returns at once.
                match ready.try_io(|notices| read(notices, &mut buffer).map_err(Errno::into)) {
                    Ok(Ok(_)) => return,
                    Ok(Err(_)) => break,
                    // There was none.
                    Err(_) => {}
                }
            }
            std::future::pending().await
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::Growth;

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::Path;

    /// Watches nothing: the events are read at their pace.
    pub(in super::super) struct Growth;

    impl Growth {
        pub(in super::super) fn new() -> Self {
            Self
        }

        pub(in super::super) fn watch(&self, _: &Path) {}

        pub(in super::super) async fn grown(&self) {
            std::future::pending().await
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::io::Write;

    fn append(file: &Path) {
        OpenOptions::new().append(true).create(true).open(file).unwrap().write_all(b"{}\n").unwrap();
    }

    #[tokio::test]
    async fn a_file_that_grows_is_told_once_it_is_watched() {
        let directory = tempfile::tempdir().unwrap();
        let growth = Growth::new();
        for job in 0..200 {
            let file = directory.path().join(job.to_string());
            std::fs::write(&file, "").unwrap();
            growth.watch(&file);
            let writer = std::thread::spawn({
                let file = file.clone();
                move || append(&file)
            });
            // The notice that an earlier file is gone counts as well, so that there may be more than one.
            let told = async {
                while std::fs::metadata(&file).unwrap().len() == 0 {
                    growth.grown().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), told).await.unwrap();
            writer.join().unwrap();
            std::fs::remove_file(&file).unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn events_are_read_from_time_to_time_where_nothing_is_told() {
        let began = Instant::now();
        let mut pace = Pace::new();
        let mut reads = Vec::new();
        while began.elapsed() < Duration::from_secs(3) {
            pace.next().await;
            reads.push(began.elapsed());
        }
        assert!(reads[0] <= Duration::from_millis(2), "{reads:?}");
        assert!(reads.len() < 120, "{}", reads.len());
        let longest = reads.windows(2).map(|two| two[1] - two[0]).max().unwrap();
        assert!(longest <= INTERVAL_MAX + Duration::from_millis(2), "{longest:?}");
    }

    #[tokio::test]
    async fn a_program_that_writes_without_a_pause_is_not_read_without_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let growth = Growth::new();
        growth.watch(file.path());
        let mut pace = Pace::of(&growth);
        sleep(2 * INTERVAL_MIN).await;
        let (began, mut reads) = (Instant::now(), 0);
        while began.elapsed() < Duration::from_millis(50) {
            append(file.path());
            pace.next().await;
            reads += 1;
        }
        assert!(reads <= 55, "{reads}");
    }
}
