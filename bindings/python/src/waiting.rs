//! Waiting for the end of one generation.

use crate::arguments::Seconds;
use crate::async_generation_result::AsyncGenerationResult;
use crate::events::Events;
use crate::exceptions::{interrupted, raise_after};
use crate::generation_result::GenerationResult;
use crate::handle::Handle;
use crate::interruption::Underway;
use crate::status_response::StatusResponse;
use crate::watch::{self, Listeners};
use crate::{blocking, coroutine, files};
use clipia::{Error, Generation, Outcome, Update, Wait};
use pyo3::prelude::*;
use std::future::Future;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// How long the caller is ready to wait, from when it asked, and how often the API is asked at most.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    timeout: Option<Duration>,
    poll_interval: Option<Duration>,
    begun: Instant,
}

impl Patience {
    pub(crate) fn begin(timeout: Option<Seconds>, poll_interval: Option<Seconds>) -> Self {
        let duration = |seconds: Option<Seconds>| seconds.map(|Seconds(duration)| duration);
        Self { timeout: duration(timeout), poll_interval: duration(poll_interval), begun: Instant::now() }
    }

    /// The same from now on.
    pub(crate) fn anew(self) -> Self {
        Self { begun: Instant::now(), ..self }
    }

    pub(crate) fn timeout(self) -> Option<Duration> {
        self.timeout
    }

    /// The wait for the end of `generation`, for as long as is left.
    pub(crate) fn wait(self, generation: &Generation) -> Wait {
        let mut wait = generation.wait();
        if let Some(timeout) = self.timeout {
            wait = wait.timeout(timeout.saturating_sub(self.begun.elapsed()));
        }
        if let Some(interval) = self.poll_interval {
            wait = wait.min_interval(interval);
        }
        wait
    }

    /// The exception of a wait that ended so. It tells the timeout that was asked for, not what was left of it.
    pub(crate) fn raise(self, py: Python<'_>, error: Error) -> PyErr {
        raise_after(py, error, self.timeout)
    }
}

/// Tells of each change to whom `sender` belongs.
fn telling(wait: Wait, sender: Sender<Update>) -> Wait {
    // The receiver lives as long as the wait.
    wait.on_update(move |update| drop(sender.send(update.clone())))
}

/// Waits on the calling thread.
pub(crate) fn block<'py>(
    py: Python<'py>,
    generation: Generation,
    patience: Patience,
    listeners: &Listeners<'py>,
) -> PyResult<Py<GenerationResult>> {
    let wait = patience.wait(&generation);
    let ended = if listeners.nobody() {
        blocking::run(py, wait)
    } else {
        let events = Events::of(|sender| telling(wait, sender));
        watch::block(py, events, listeners, StatusResponse::of)
    };
    let ended = ended.map_err(|error| interrupted(py, error, generation.id()))?;
    let outcome = ended.map_err(|error| patience.raise(py, error))?;
    GenerationResult::new(py, files::of_outcome(Handle::Live(generation), outcome))
}

/// How a wait ended, and what to raise and to return by.
type Ended = (Patience, Result<(Generation, Outcome), Error>);

/// A coroutine that waits for the generation that `begin` comes to, and returns its result. `underway` is how far the
/// call has come, for the exception that interrupts it. The timeout counts from when the coroutine is first awaited.
pub(crate) fn coroutine<'py, F>(
    py: Python<'py>,
    begin: F,
    underway: Underway,
    patience: Patience,
    listeners: Listeners<'py>,
) -> PyResult<Bound<'py, PyAny>>
where
    F: Future<Output = Result<Generation, Error>> + Send + 'static,
{
    if listeners.nobody() {
        return coroutine::new(py, follow(begin, patience, None), Some(underway.into()), result);
    }
    let events = Events::of(|sender| follow(begin, patience, Some(sender)));
    watch::coroutine(py, events, listeners, Some(underway.into()), StatusResponse::of, result)
}

async fn follow<F>(begin: F, patience: Patience, sender: Option<Sender<Update>>) -> Ended
where
    F: Future<Output = Result<Generation, Error>>,
{
    let patience = patience.anew();
    let follow = async {
        let generation = begin.await?;
        let wait = patience.wait(&generation);
        let wait = match sender {
            Some(sender) => telling(wait, sender),
            None => wait,
        };
        let outcome = wait.await?;
        Ok((generation, outcome))
    };
    (patience, follow.await)
}

fn result(py: Python<'_>, (patience, ended): Ended) -> PyResult<Py<PyAny>> {
    let (generation, outcome) = ended.map_err(|error| patience.raise(py, error))?;
    AsyncGenerationResult::new(py, files::of_outcome(Handle::Live(generation), outcome)).map(Py::into_any)
}
