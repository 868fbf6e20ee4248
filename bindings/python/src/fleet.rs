//! Waits for many generations at once, in one future: without a thread or a task for each.

use crate::arguments::{Id, Seconds};
use crate::coroutine;
use crate::exceptions::{ClipiaTimeoutError, interrupted_fleet, set_request_ids};
use crate::generation::{AsyncGeneration, Generation};
use crate::generation_result::{AsyncGenerationResult, GenerationResult};
use crate::handle::Handle;
use crate::interruption::OnInterrupt;
use crate::iteration::Iteration;
use crate::live::Live;
use crate::session::Session;
use crate::submitted::{AsyncSubmitted, Submitted};
use crate::waiting::WaitOptions;
use crate::{blocking, files};
use clipia::{Error, Outcome, RequestId};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use pyo3::exceptions::{PyStopAsyncIteration, PyTypeError};
use pyo3::prelude::*;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The generations to wait for, in the order of the arguments.
pub(crate) struct Fleet {
    generations: Vec<Live>,
    options: WaitOptions,
}

/// The index of a generation, and how its wait ended.
type Ended = (usize, Result<Outcome, Error>);

impl Fleet {
    /// A fleet of handles of either client, and of ids, which become handles of `session`.
    pub(crate) fn new(
        session: &Session,
        handles: &Bound<'_, PyAny>,
        timeout: Option<Seconds>,
    ) -> PyResult<Self> {
        let options = WaitOptions::begin(timeout, None);
        let handles = handles.try_iter()?;
        let generations = handles.map(|handle| generation(session, &handle?)).collect::<PyResult<_>>()?;
        Ok(Self { generations, options })
    }

    fn ids(&self) -> BTreeMap<usize, RequestId> {
        self.generations.iter().map(|generation| generation.id().clone()).enumerate().collect()
    }

    /// The waits, each with its own deadline.
    fn waits(&self) -> FuturesUnordered<impl Future<Output = Ended> + Send + use<>> {
        let wait = |(index, generation): (usize, &Live)| {
            let (generation, options) = (generation.clone(), self.options);
            async move { (index, options.wait(&generation).await) }
        };
        self.generations.iter().enumerate().map(wait).collect()
    }

    /// Waits for all on the calling thread.
    pub(crate) fn block(self, py: Python<'_>) -> PyResult<Vec<Py<GenerationResult>>> {
        let mut unfinished = Unfinished::of(&self);
        let (mut waits, mut results) = (self.waits(), BTreeMap::new());
        while let Some((index, ended)) =
            blocking::run(py, waits.next()).map_err(|exception| unfinished.interrupted(py, exception))?
        {
            results.insert(index, unfinished.outcome(py, index, ended)?);
        }
        results.into_values().map(|ended| GenerationResult::new(py, ended)).collect()
    }

    /// A coroutine that waits for all generations. The timeout counts from when the coroutine is first awaited.
    pub(crate) fn coroutine(mut self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let unfinished = Arc::new(Mutex::new(Unfinished::of(&self)));
        let on_interrupt = OnInterrupt::new({
            let unfinished = unfinished.clone();
            move |py, exception| locked(&unfinished).interrupted(py, exception)
        });
        let all = async move {
            self.options = self.options.restarted();
            let (mut waits, mut results) = (self.waits(), BTreeMap::new());
            while let Some((index, ended)) = waits.next().await {
                match ended {
                    Ok(outcome) => _ = results.insert(index, outcome),
                    // The other waits end here.
                    Err(error) => return (unfinished, Err(error)),
                }
                locked(&unfinished).ids.remove(&index);
            }
            let generations = self.generations.into_iter().map(Handle::Live);
            (unfinished, Ok(generations.zip(results.into_values()).collect::<Vec<_>>()))
        };
        coroutine::new(py, all, Some(on_interrupt), |py, (unfinished, ended)| match ended {
            Ok(results) => results
                .into_iter()
                .map(|(handle, outcome)| AsyncGenerationResult::new(py, files::of_outcome(handle, outcome)))
                .collect::<PyResult<Vec<_>>>(),
            Err(error) => Err(locked(&unfinished).raise(py, error)),
        })
    }
}

/// The generation of a handle or an id.
fn generation(session: &Session, handle: &Bound<'_, PyAny>) -> PyResult<Live> {
    let py = handle.py();
    if let Ok(submitted) = handle.cast::<Submitted>() {
        submitted.get().handle().generation(py)
    } else if let Ok(generation) = handle.cast::<Generation>() {
        generation.get().handle().generation(py)
    } else if let Ok(submitted) = handle.cast::<AsyncSubmitted>() {
        submitted.get().handle().generation(py)
    } else if let Ok(generation) = handle.cast::<AsyncGeneration>() {
        generation.get().handle().generation(py)
    } else if let Ok(id) = handle.extract::<&str>() {
        session.generation(Id::parse(id)?)
    } else {
        let class = handle.get_type().name()?;
        Err(PyTypeError::new_err(format!(
            "cannot wait for `{class}`: pass what `submit` or `generation` returned, or a request id"
        )))
    }
}

/// The generations of a fleet that have not ended.
struct Unfinished {
    ids: BTreeMap<usize, RequestId>,
    /// All generations of the fleet.
    generations: Vec<Live>,
    options: WaitOptions,
}

impl Unfinished {
    fn of(fleet: &Fleet) -> Self {
        Self { ids: fleet.ids(), generations: fleet.generations.clone(), options: fleet.options }
    }

    /// The outcome of a generation, from which a result is made.
    fn outcome(
        &mut self,
        py: Python<'_>,
        index: usize,
        ended: Result<Outcome, Error>,
    ) -> PyResult<(clipia::ResultResponse, files::Files)> {
        let outcome = ended.map_err(|error| self.raise(py, error))?;
        self.ids.remove(&index);
        Ok(files::of_outcome(Handle::Live(self.generations[index].clone()), outcome))
    }

    /// The exception of a wait that ended without an outcome.
    fn raise(&self, py: Python<'_>, error: Error) -> PyErr {
        let ids: Vec<String> = self.ids.values().map(RequestId::to_string).collect();
        let exception = match (&error, self.options.timeout()) {
            (Error::Deadline { .. }, Some(timeout)) if self.generations.len() > 1 => {
                let timeout = timeout.as_secs_f64();
                let message = format!(
                    "gave up waiting for {} of {} generations after {timeout} s; they go on: `request_ids` has \
                     their ids, to wait for again",
                    ids.len(),
                    self.generations.len(),
                );
                ClipiaTimeoutError::new_err((ids.first().cloned(), timeout, message))
            }
            _ => self.options.raise(py, error),
        };
        set_request_ids(py, &exception, ids);
        exception
    }

    fn interrupted(&self, py: Python<'_>, exception: PyErr) -> PyErr {
        interrupted_fleet(py, exception, self.ids.values().map(RequestId::to_string).collect())
    }
}

fn locked(unfinished: &Mutex<Unfinished>) -> MutexGuard<'_, Unfinished> {
    unfinished.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The results of a fleet in the order of their ends.
struct Results {
    waits: Arc<Iteration<Ended>>,
    unfinished: Mutex<Unfinished>,
}

impl Results {
    fn of(fleet: &Fleet) -> Self {
        Self { waits: Iteration::new(fleet.waits()), unfinished: Mutex::new(Unfinished::of(fleet)) }
    }

    /// The result of a wait that has ended; `None` after the last. After the deadline of the fleet no result follows.
    fn take(
        &self,
        py: Python<'_>,
        ended: Option<Ended>,
    ) -> PyResult<Option<(clipia::ResultResponse, files::Files)>> {
        let Some((index, ended)) = ended else { return Ok(None) };
        let mut unfinished = locked(&self.unfinished);
        if unfinished.ids.is_empty() {
            return Ok(None);
        }
        let past_deadline = matches!(ended, Err(Error::Deadline { .. }));
        let result = unfinished.outcome(py, index, ended);
        if past_deadline {
            unfinished.ids.clear();
        } else {
            unfinished.ids.remove(&index);
        }
        result.map(Some)
    }
}

/// The results of many generations, in the order in which they end.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct AsCompleted(Results);

impl AsCompleted {
    pub(crate) fn of(fleet: &Fleet) -> Self {
        Self(Results::of(fleet))
    }
}

#[pymethods]
impl AsCompleted {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<GenerationResult>>> {
        let ended = blocking::run(py, self.0.waits.next())
            .map_err(|exception| locked(&self.0.unfinished).interrupted(py, exception))?;
        let result = self.0.take(py, ended.take())?;
        result.map(|result| GenerationResult::new(py, result)).transpose()
    }
}

/// The same for asyncio.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct AsyncAsCompleted(Arc<Results>);

impl AsyncAsCompleted {
    pub(crate) fn of(fleet: &Fleet) -> Self {
        Self(Arc::new(Results::of(fleet)))
    }
}

#[pymethods]
impl AsyncAsCompleted {
    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (results, of) = (self.0.clone(), self.0.clone());
        let on_interrupt =
            OnInterrupt::new(move |py, exception| locked(&of.unfinished).interrupted(py, exception));
        coroutine::new(py, self.0.waits.next(), Some(on_interrupt), move |py, ended| {
            match results.take(py, ended.take())? {
                Some(result) => AsyncGenerationResult::new(py, result),
                None => Err(PyStopAsyncIteration::new_err(())),
            }
        })
    }
}
