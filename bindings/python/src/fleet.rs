//! Waiting for many generations at once, in one future: no thread and no task for each.

use crate::arguments::{Id, Seconds};
use crate::async_generation::AsyncGeneration;
use crate::async_generation_result::AsyncGenerationResult;
use crate::async_submitted::AsyncSubmitted;
use crate::coroutine;
use crate::exceptions::{ClipiaTimeoutError, interrupted_fleet, left_behind};
use crate::generation::Generation;
use crate::generation_result::GenerationResult;
use crate::handle::Handle;
use crate::interruption::Interrupted;
use crate::iteration::Iteration;
use crate::session::Session;
use crate::submitted::Submitted;
use crate::waiting::Patience;
use crate::{blocking, files};
use clipia::{Error, Outcome, RequestId};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use pyo3::exceptions::{PyStopAsyncIteration, PyTypeError};
use pyo3::prelude::*;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The generations to wait for, in the order that they were passed in.
pub(crate) struct Fleet {
    generations: Vec<clipia::Generation>,
    patience: Patience,
}

/// One of them, by its place, and how its wait ended.
type Ended = (usize, Result<Outcome, Error>);

impl Fleet {
    /// Of handles of either client and of ids, which are those of `session`.
    pub(crate) fn new(
        session: &Session,
        handles: &Bound<'_, PyAny>,
        timeout: Option<Seconds>,
    ) -> PyResult<Self> {
        let patience = Patience::begin(timeout, None);
        let handles = handles.try_iter()?;
        let generations = handles.map(|handle| generation(session, &handle?)).collect::<PyResult<_>>()?;
        Ok(Self { generations, patience })
    }

    fn ids(&self) -> BTreeMap<usize, RequestId> {
        self.generations.iter().map(|generation| generation.id().clone()).enumerate().collect()
    }

    /// The waits, each of which ends in its time.
    fn waits(&self) -> FuturesUnordered<impl Future<Output = Ended> + Send + use<>> {
        let wait = |(place, generation): (usize, &clipia::Generation)| {
            let (generation, patience) = (generation.clone(), self.patience);
            async move { (place, patience.wait(&generation).await) }
        };
        self.generations.iter().enumerate().map(wait).collect()
    }

    /// Waits for all on the calling thread.
    pub(crate) fn block(self, py: Python<'_>) -> PyResult<Vec<Py<GenerationResult>>> {
        let mut roll = Roll::of(&self);
        let (mut waits, mut results) = (self.waits(), BTreeMap::new());
        while let Some((place, ended)) =
            blocking::run(py, waits.next()).map_err(|exception| roll.interrupted(py, exception))?
        {
            results.insert(place, roll.outcome(py, place, ended)?);
        }
        results.into_values().map(|ended| GenerationResult::new(py, ended)).collect()
    }

    /// A coroutine that waits for all. The timeout counts from when it is first awaited.
    pub(crate) fn coroutine(mut self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let roll = Arc::new(Mutex::new(Roll::of(&self)));
        let interrupted = Interrupted::new({
            let roll = roll.clone();
            move |py, exception| locked(&roll).interrupted(py, exception)
        });
        let all = async move {
            self.patience = self.patience.anew();
            let (mut waits, mut results) = (self.waits(), BTreeMap::new());
            while let Some((place, ended)) = waits.next().await {
                match ended {
                    Ok(outcome) => _ = results.insert(place, outcome),
                    // The others are not waited for any more.
                    Err(error) => return (roll, Err(error)),
                }
                locked(&roll).missing.remove(&place);
            }
            let generations = self.generations.into_iter().map(Handle::Live);
            (roll, Ok(generations.zip(results.into_values()).collect::<Vec<_>>()))
        };
        coroutine::new(py, all, Some(interrupted), |py, (roll, ended)| match ended {
            Ok(results) => results
                .into_iter()
                .map(|(handle, outcome)| AsyncGenerationResult::new(py, files::of_outcome(handle, outcome)))
                .collect::<PyResult<Vec<_>>>(),
            Err(error) => Err(locked(&roll).raise(py, error)),
        })
    }
}

/// The generation of a handle or an id.
fn generation(session: &Session, handle: &Bound<'_, PyAny>) -> PyResult<clipia::Generation> {
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

/// Which of a fleet have not ended.
struct Roll {
    all: usize,
    missing: BTreeMap<usize, RequestId>,
    generations: Vec<clipia::Generation>,
    patience: Patience,
}

impl Roll {
    fn of(fleet: &Fleet) -> Self {
        let generations = fleet.generations.clone();
        Self { all: generations.len(), missing: fleet.ids(), generations, patience: fleet.patience }
    }

    /// What came out of one, as results are made of it.
    fn outcome(
        &mut self,
        py: Python<'_>,
        place: usize,
        ended: Result<Outcome, Error>,
    ) -> PyResult<(clipia::ResultResponse, files::Files)> {
        let outcome = ended.map_err(|error| self.raise(py, error))?;
        self.missing.remove(&place);
        Ok(files::of_outcome(Handle::Live(self.generations[place].clone()), outcome))
    }

    /// The exception of a wait that ended without an outcome. After the deadline there is nothing to go on with.
    fn raise(&self, py: Python<'_>, error: Error) -> PyErr {
        let ids: Vec<String> = self.missing.values().map(RequestId::to_string).collect();
        let exception = match (&error, self.patience.timeout()) {
            (Error::Deadline { .. }, Some(timeout)) if self.all > 1 => {
                let timeout = timeout.as_secs_f64();
                let message = format!(
                    "gave up waiting for {} of {} generations after {timeout} s; they go on: `request_ids` has \
                     their ids, to wait for again",
                    ids.len(),
                    self.all,
                );
                ClipiaTimeoutError::new_err((ids.first().cloned(), timeout, message))
            }
            _ => self.patience.raise(py, error),
        };
        left_behind(py, &exception, ids);
        exception
    }

    fn interrupted(&self, py: Python<'_>, exception: PyErr) -> PyErr {
        interrupted_fleet(py, exception, self.missing.values().map(RequestId::to_string).collect())
    }
}

fn locked(roll: &Mutex<Roll>) -> MutexGuard<'_, Roll> {
    roll.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The results of a fleet as they come.
struct Results {
    waits: Arc<Iteration<Ended>>,
    roll: Mutex<Roll>,
}

impl Results {
    fn of(fleet: &Fleet) -> Self {
        Self { waits: Iteration::new(fleet.waits()), roll: Mutex::new(Roll::of(fleet)) }
    }

    fn take(
        &self,
        py: Python<'_>,
        ended: Option<Ended>,
    ) -> PyResult<Option<(clipia::ResultResponse, files::Files)>> {
        let Some((place, ended)) = ended else { return Ok(None) };
        let mut roll = locked(&self.roll);
        if roll.missing.is_empty() {
            return Ok(None);
        }
        let past_deadline = matches!(ended, Err(Error::Deadline { .. }));
        let result = roll.outcome(py, place, ended);
        if past_deadline {
            roll.missing.clear();
        } else {
            roll.missing.remove(&place);
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
            .map_err(|exception| locked(&self.0.roll).interrupted(py, exception))?;
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
        let interrupted = Interrupted::new(move |py, exception| locked(&of.roll).interrupted(py, exception));
        coroutine::new(py, self.0.waits.next(), Some(interrupted), move |py, ended| {
            match results.take(py, ended.take())? {
                Some(result) => AsyncGenerationResult::new(py, result),
                None => Err(PyStopAsyncIteration::new_err(())),
            }
        })
    }
}
