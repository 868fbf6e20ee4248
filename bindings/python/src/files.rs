//! Downloads of the files of a result.

use crate::download_progress::DownloadProgress;
use crate::events::Events;
use crate::exceptions::raise;
use crate::handle::Handle;
use crate::live::Live;
use crate::watch::{self, Listeners};
use crate::{blocking, coroutine};
use clipia::{CallOptions, Error, Outcome, ResultResponse};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::mpsc::Sender;

/// The files of a result.
#[derive(Clone)]
pub(crate) struct Files {
    /// The outcome, if it is known, on the client of `handle`. Otherwise, and in a forked process, a download asks for the result again.
    outcome: Option<Box<Outcome>>,
    pub(crate) handle: Handle,
}

impl Files {
    /// Files whose result a download asks for again.
    pub(crate) fn of_handle(handle: Handle) -> Self {
        Self { outcome: None, handle }
    }

    fn source(&self, py: Python<'_>) -> PyResult<Source> {
        match &self.outcome {
            Some(outcome) if self.handle.is_of_this_process() => Ok(Source::Outcome(outcome.clone())),
            _ => Ok(Source::Generation(self.handle.generation(py)?)),
        }
    }
}

/// The result of a generation, which may not have ended.
pub(crate) async fn of_result(
    generation: Live,
    options: CallOptions,
) -> Result<(ResultResponse, Files), Error> {
    let result = generation.result_with(options).await?;
    Ok((result, Files::of_handle(Handle::Live(generation))))
}

/// The result of a generation that has ended.
pub(crate) fn of_outcome(handle: Handle, outcome: Outcome) -> (ResultResponse, Files) {
    (outcome.response().clone(), Files { outcome: Some(Box::new(outcome)), handle })
}

/// The files of a result, to be fetched into memory.
pub(crate) fn media_files(
    py: Python<'_>,
    files: &Files,
    renditions: bool,
) -> PyResult<impl Future<Output = Result<Vec<clipia::MediaFile>, Error>> + Send + use<>> {
    let source = files.source(py)?;
    Ok(async move {
        let outcome = match source {
            Source::Outcome(outcome) => *outcome,
            Source::Generation(generation) => generation.outcome().await?,
        };
        let completed = outcome.completed()?;
        Ok(if renditions { completed.renditions() } else { completed.files() })
    })
}

/// What the SDK downloads.
enum Source {
    Outcome(Box<Outcome>),
    Generation(Live),
}

/// The arguments of a download.
pub(crate) struct Download<'py> {
    pub(crate) dir: PathBuf,
    pub(crate) renditions: bool,
    pub(crate) overwrite: bool,
    pub(crate) on_progress: Option<Bound<'py, PyAny>>,
}

async fn save(
    source: Source,
    dir: PathBuf,
    renditions: bool,
    overwrite: bool,
    sender: Option<Sender<clipia::DownloadProgress>>,
) -> Result<Vec<PathBuf>, Error> {
    let mut download = match source {
        Source::Outcome(outcome) => outcome.completed()?.download(dir),
        Source::Generation(generation) => generation.download(dir),
    }
    .overwrite(overwrite);
    if renditions {
        download = download.renditions();
    }
    if let Some(sender) = sender {
        // The receiver lives as long as the download.
        download = download.on_progress(move |progress| drop(sender.send(progress.clone())));
    }
    download.await
}

impl Download<'_> {
    /// Saves the files on the calling thread.
    pub(crate) fn block(self, py: Python<'_>, files: &Files) -> PyResult<Vec<PathBuf>> {
        let (source, renditions, overwrite) = (files.source(py)?, self.renditions, self.overwrite);
        let listeners = Listeners::new(py, self.on_progress, false)?;
        if listeners.is_empty() {
            return blocking::call(py, save(source, self.dir, renditions, overwrite, None));
        }
        let events = Events::of(|sender| save(source, self.dir, renditions, overwrite, Some(sender)));
        watch::block(py, events, &listeners, DownloadProgress::from)?.map_err(|error| raise(py, error))
    }
}

impl<'py> Download<'py> {
    /// A coroutine that saves the files.
    pub(crate) fn coroutine(self, py: Python<'py>, files: &Files) -> PyResult<Bound<'py, PyAny>> {
        let (source, renditions, overwrite) = (files.source(py)?, self.renditions, self.overwrite);
        let listeners = Listeners::new(py, self.on_progress, false)?;
        if listeners.is_empty() {
            return coroutine::call(py, save(source, self.dir, renditions, overwrite, None), |_, paths| {
                Ok(paths)
            });
        }
        let events = Events::of(|sender| save(source, self.dir, renditions, overwrite, Some(sender)));
        watch::coroutine(py, events, listeners, None, DownloadProgress::from, |py, saved| {
            saved.map_err(|error| raise(py, error))?.into_py_any(py)
        })
    }
}
