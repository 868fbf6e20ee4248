//! The two styles of the package: a call of `Clipia` waits on the calling thread, one of `AsyncClipia` is a coroutine.
//!
//! The two classes of a pair are written once, by a macro in their file that takes the names and the style.

use crate::exceptions::raise;
use crate::files::{Download, Files};
use crate::fleet::Fleet;
use crate::generation_result::{AsyncGenerationResult, GenerationResult};
use crate::handle::Handle;
use crate::interruption::ResumePoint;
use crate::live::Live;
use crate::process_client::ProcessClient;
use crate::waiting::{self, WaitOptions};
use crate::watch::Listeners;
use crate::{blocking, coroutine};
use clipia::{Error, Submit, Submitted};
use pyo3::prelude::*;
use std::future::{Future, ready};
use std::path::PathBuf;
use std::sync::Arc;

/// What a method of a style returns to Python where it has a `T`.
pub(crate) type Answer<'py, S, T> = <S as Style>::Answer<'py, T>;

/// How the calls of the SDK reach Python.
pub(crate) trait Style {
    /// What a method returns where it has a `T`.
    type Answer<'py, T>;

    /// The class of a result.
    type GenerationResult;

    /// Makes a call of the SDK, whose error becomes an exception, and converts the response.
    fn call<'py, T, R>(
        py: Python<'py>,
        call: impl Future<Output = Result<T, Error>> + Send + 'static,
        convert: impl FnOnce(Python<'_>, T) -> PyResult<R> + Send + 'static,
    ) -> PyResult<Self::Answer<'py, R>>
    where
        T: Send + 'static,
        R: for<'a> IntoPyObject<'a>;

    /// Submits. An exception that interrupts the submit gets its idempotency key.
    fn submit<'py, R>(
        py: Python<'py>,
        submit: Submit,
        convert: impl FnOnce(Python<'_>, Submitted) -> PyResult<R> + Send + 'static,
    ) -> PyResult<Self::Answer<'py, R>>
    where
        R: for<'a> IntoPyObject<'a>;

    /// Submits with a client, and waits for the end.
    fn subscribe<'py>(
        py: Python<'py>,
        submit: Submit,
        client: Arc<ProcessClient>,
        options: WaitOptions,
        listeners: Listeners<'py>,
    ) -> PyResult<Self::Answer<'py, Py<Self::GenerationResult>>>;

    /// Waits for the end of a generation.
    fn wait<'py>(
        py: Python<'py>,
        handle: &Handle,
        options: WaitOptions,
        listeners: Listeners<'py>,
    ) -> PyResult<Self::Answer<'py, Py<Self::GenerationResult>>>;

    /// Waits for the ends of many generations.
    fn wait_all(py: Python<'_>, fleet: Fleet) -> PyResult<Self::Answer<'_, Vec<Py<Self::GenerationResult>>>>;

    /// Saves the files of a result.
    fn download<'py>(
        py: Python<'py>,
        download: Download<'py>,
        files: &Files,
    ) -> PyResult<Self::Answer<'py, Vec<PathBuf>>>;
}

/// The style of `Clipia`: the value itself, after a wait on the calling thread.
pub(crate) struct Blocking;

impl Style for Blocking {
    type Answer<'py, T> = T;
    type GenerationResult = GenerationResult;

    fn call<'py, T, R>(
        py: Python<'py>,
        call: impl Future<Output = Result<T, Error>> + Send + 'static,
        convert: impl FnOnce(Python<'_>, T) -> PyResult<R> + Send + 'static,
    ) -> PyResult<R>
    where
        T: Send + 'static,
        R: for<'a> IntoPyObject<'a>,
    {
        convert(py, blocking::call(py, call)?)
    }

    fn submit<'py, R>(
        py: Python<'py>,
        submit: Submit,
        convert: impl FnOnce(Python<'_>, Submitted) -> PyResult<R> + Send + 'static,
    ) -> PyResult<R>
    where
        R: for<'a> IntoPyObject<'a>,
    {
        convert(py, blocking::submit(py, submit)?)
    }

    fn subscribe<'py>(
        py: Python<'py>,
        submit: Submit,
        client: Arc<ProcessClient>,
        options: WaitOptions,
        listeners: Listeners<'py>,
    ) -> PyResult<Py<GenerationResult>> {
        let generation = blocking::submit(py, submit)?.into_generation();
        waiting::block(py, Live::new(client, generation), options, &listeners)
    }

    fn wait<'py>(
        py: Python<'py>,
        handle: &Handle,
        options: WaitOptions,
        listeners: Listeners<'py>,
    ) -> PyResult<Py<GenerationResult>> {
        waiting::block(py, handle.generation(py)?, options, &listeners)
    }

    fn wait_all(py: Python<'_>, fleet: Fleet) -> PyResult<Vec<Py<GenerationResult>>> {
        fleet.block(py)
    }

    fn download<'py>(py: Python<'py>, download: Download<'py>, files: &Files) -> PyResult<Vec<PathBuf>> {
        download.block(py, files)
    }
}

/// The style of `AsyncClipia`: a coroutine.
pub(crate) struct Asyncio;

impl Style for Asyncio {
    type Answer<'py, T> = Bound<'py, PyAny>;
    type GenerationResult = AsyncGenerationResult;

    fn call<'py, T, R>(
        py: Python<'py>,
        call: impl Future<Output = Result<T, Error>> + Send + 'static,
        convert: impl FnOnce(Python<'_>, T) -> PyResult<R> + Send + 'static,
    ) -> PyResult<Bound<'py, PyAny>>
    where
        T: Send + 'static,
        R: for<'a> IntoPyObject<'a>,
    {
        coroutine::call(py, call, convert)
    }

    fn submit<'py, R>(
        py: Python<'py>,
        submit: Submit,
        convert: impl FnOnce(Python<'_>, Submitted) -> PyResult<R> + Send + 'static,
    ) -> PyResult<Bound<'py, PyAny>>
    where
        R: for<'a> IntoPyObject<'a>,
    {
        let resume = ResumePoint::submit(&submit);
        let submit = coroutine::accepting(submit, resume.clone());
        coroutine::new(py, submit, Some(resume.into()), |py, submitted| {
            convert(py, submitted.map_err(|error| raise(py, error))?)
        })
    }

    fn subscribe<'py>(
        py: Python<'py>,
        submit: Submit,
        client: Arc<ProcessClient>,
        options: WaitOptions,
        listeners: Listeners<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let resume = ResumePoint::submit(&submit);
        let submitting = coroutine::accepting(submit, resume.clone());
        let begin = async move { Ok(Live::new(client, submitting.await?.into_generation())) };
        waiting::coroutine(py, begin, resume, options, listeners)
    }

    fn wait<'py>(
        py: Python<'py>,
        handle: &Handle,
        options: WaitOptions,
        listeners: Listeners<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let begin = ready(Ok(handle.generation(py)?));
        waiting::coroutine(py, begin, ResumePoint::wait(handle.id()), options, listeners)
    }

    fn wait_all(py: Python<'_>, fleet: Fleet) -> PyResult<Bound<'_, PyAny>> {
        fleet.coroutine(py)
    }

    fn download<'py>(py: Python<'py>, download: Download<'py>, files: &Files) -> PyResult<Bound<'py, PyAny>> {
        download.coroutine(py, files)
    }
}
