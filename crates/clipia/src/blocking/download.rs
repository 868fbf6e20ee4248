//! Downloads.

use super::call::call;
use crate::download::DownloadProgress;
use std::path::PathBuf;

call! {
    /// A download of the files of a result; [`run`](Self::run) begins it, and returns their paths in the
    /// output's order. Made by [`Completed::download`](super::Completed::download) and
    /// [`Generation::download`](super::Generation::download).
    Download -> Vec<PathBuf>, |paths, _| paths;
    renditions();
    overwrite(overwrite: bool);
    on_progress(callback: impl FnMut(&DownloadProgress) + Send + 'static);
}
