//! `DownloadProgress`.

use pyo3::prelude::*;
use std::path::PathBuf;

/// The progress of one file of a download.
#[pyclass(frozen, get_all, eq, module = "clipia_queue")]
#[derive(PartialEq, Eq)]
pub(crate) struct DownloadProgress {
    /// The index of the file, from 0, in the order of the paths that the download returns.
    file: usize,
    /// The path of the file once it is whole.
    path: PathBuf,
    /// Bytes that were received, including those of earlier downloads.
    bytes: u64,
    /// The size of the file, if the host announces it.
    total_bytes: Option<u64>,
    /// The number of files that are whole.
    files_done: usize,
    /// The number of all files.
    files: usize,
}

impl From<clipia::DownloadProgress> for DownloadProgress {
    fn from(progress: clipia::DownloadProgress) -> Self {
        let clipia::DownloadProgress { file, path, bytes, total_bytes, files_done, files, .. } = progress;
        Self { file, path, bytes, total_bytes, files_done, files }
    }
}

#[pymethods]
impl DownloadProgress {
    fn __repr__(&self) -> String {
        let total = self.total_bytes.map_or("None".to_owned(), |total| total.to_string());
        let Self { file, bytes, files_done, files, .. } = self;
        format!(
            "DownloadProgress(file={file}, bytes={bytes}, total_bytes={total}, files_done={files_done}, files={files})"
        )
    }
}
