//! The files of a result.

use crate::download_progress::DownloadProgress;
use crate::events::Events;
use crate::exceptions::raise;
use crate::handle::Handle;
use crate::watch::{self, Listeners};
use crate::{blocking, coroutine};
use clipia::{Error, Generation, Outcome, ResultResponse};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::mpsc::Sender;

/// How the files of a result are got at.
#[derive(Clone)]
pub(crate) struct Files {
    /// How it ended, where that is known; otherwise its result is asked for again.
    outcome: Option<Box<Outcome>>,
    pub(crate) handle: Handle,
}

impl Files {
    /// Asks for the result again.
    pub(crate) fn asked(handle: Handle) -> Self {
        Self { outcome: None, handle }
    }

    fn source(&self, py: Python<'_>) -> PyResult<Source> {
        match &self.outcome {
            Some(outcome) => Ok(Source::Of(outcome.clone())),
            None => Ok(Source::Asked(self.handle.generation(py)?)),
        }
    }
}

/// The result of a generation, ended or not.
pub(crate) async fn of_result(generation: Generation) -> Result<(ResultResponse, Files), Error> {
    Ok((generation.result().await?, Files::asked(Handle::Live(generation))))
}

/// The result of a generation that ended.
pub(crate) fn of_outcome(handle: Handle, outcome: Outcome) -> (ResultResponse, Files) {
    (outcome.response().clone(), Files { outcome: Some(Box::new(outcome)), handle })
}

/// What the SDK saves files of.
enum Source {
    Of(Box<Outcome>),
    Asked(Generation),
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
        Source::Of(outcome) => outcome.completed()?.in_this_process()?.download(dir),
        Source::Asked(generation) => generation.download(dir),
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
        if listeners.nobody() {
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
        if listeners.nobody() {
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
