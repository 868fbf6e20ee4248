//! The progress of a download, and its reports to the caller.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

pub(super) type OnProgress = Box<dyn FnMut(&DownloadProgress) + Send>;

/// The progress of one file of a download.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DownloadProgress {
    /// The index of the file, from 0, in the order of the paths that the download returns.
    pub file: usize,
    /// The path of the file once it is whole.
    pub path: PathBuf,
    /// Bytes that were received, including those of earlier downloads. Falls to 0 if the file has to start again.
    pub bytes: u64,
    /// The size of the file, if the host announces it.
    pub total_bytes: Option<u64>,
    /// The number of files that are whole.
    pub files_done: usize,
    /// The number of all files.
    pub files: usize,
}

/// Reports progress to the caller.
pub(super) struct Reporter {
    pub(super) files: usize,
    done: AtomicUsize,
    callback: Option<Mutex<OnProgress>>,
}

impl Reporter {
    pub(super) fn new(files: usize, callback: Option<OnProgress>) -> Self {
        Self { files, done: AtomicUsize::new(0), callback: callback.map(Mutex::new) }
    }

    pub(super) fn report(&self, progress: &mut DownloadProgress) {
        let Some(callback) = &self.callback else { return };
        progress.files_done = self.done.load(Ordering::Relaxed);
        // A callback that panicked has ended its download, so its state after the panic is the caller's business.
        callback.lock().unwrap_or_else(PoisonError::into_inner)(progress);
    }

    pub(super) fn report_whole(&self, progress: &mut DownloadProgress) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.report(progress);
    }
}
