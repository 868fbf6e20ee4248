//! `DownloadProgress`.

use pyo3::prelude::*;
use std::path::PathBuf;

/// How far one file of a download is.
#[pyclass(frozen, get_all, eq, module = "clipia_queue")]
#[derive(PartialEq, Eq)]
pub(crate) struct DownloadProgress {
    /// Which file, from 0, in the order of the paths that the download returns.
    file: usize,
    /// Where it is once it is whole.
    path: PathBuf,
    /// How much of it is here, what earlier downloads left included.
    bytes: u64,
    /// Its size, if the host tells.
    total_bytes: Option<u64>,
    /// How many files are whole.
    files_done: usize,
    /// How many files there are.
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
