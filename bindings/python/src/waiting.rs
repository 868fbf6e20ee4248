//! Waits for one generation.

use crate::arguments::Seconds;
use crate::events::Events;
use crate::exceptions::{interrupted, raise_after};
use crate::generation_result::{AsyncGenerationResult, GenerationResult};
use crate::handle::Handle;
use crate::interruption::ResumePoint;
use crate::live::Live;
use crate::status_response::StatusResponse;
use crate::watch::{self, Listeners};
use crate::{blocking, coroutine, files};
use clipia::{Error, Generation, Outcome, Update, Wait};
use pyo3::prelude::*;
use std::future::Future;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// The timeout of a wait, which counts from `begun`, and the shortest time between two polls.
#[derive(Clone, Copy)]
pub(crate) struct WaitOptions {
    timeout: Option<Duration>,
    poll_interval: Option<Duration>,
    begun: Instant,
}

impl WaitOptions {
    pub(crate) fn begin(timeout: Option<Seconds>, poll_interval: Option<Seconds>) -> Self {
        let duration = |seconds: Option<Seconds>| seconds.map(|Seconds(duration)| duration);
        Self { timeout: duration(timeout), poll_interval: duration(poll_interval), begun: Instant::now() }
    }

    /// The same options, with the timeout from now on.
    pub(crate) fn restarted(self) -> Self {
        Self { begun: Instant::now(), ..self }
    }

    pub(crate) fn timeout(self) -> Option<Duration> {
        self.timeout
    }

    /// The wait for the end of `generation`, for the rest of the timeout.
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

    /// The exception of a wait that ended with an error. It names the whole timeout, not the rest.
    pub(crate) fn raise(self, py: Python<'_>, error: Error) -> PyErr {
        raise_after(py, error, self.timeout)
    }
}

/// Sends each change to `sender`.
fn reporting_to(wait: Wait, sender: Sender<Update>) -> Wait {
    // The receiver lives as long as the wait.
    wait.on_update(move |update| drop(sender.send(update.clone())))
}

/// Waits on the calling thread.
pub(crate) fn block<'py>(
    py: Python<'py>,
    generation: Live,
    options: WaitOptions,
    listeners: &Listeners<'py>,
) -> PyResult<Py<GenerationResult>> {
    let wait = options.wait(&generation);
    let ended = if listeners.is_empty() {
        blocking::run(py, wait)
    } else {
        let events = Events::of(|sender| reporting_to(wait, sender));
        watch::block(py, events, listeners, StatusResponse::of)
    };
    let ended = ended.map_err(|error| interrupted(py, error, generation.id()))?;
    let outcome = ended.map_err(|error| options.raise(py, error))?;
    GenerationResult::new(py, files::of_outcome(Handle::Live(generation), outcome))
}

/// How a wait ended, and its options.
type Ended = (WaitOptions, Result<(Live, Outcome), Error>);

/// A coroutine that waits for the generation that `begin` returns, and returns its result. An exception that interrupts
/// the coroutine gets `resume`. The timeout counts from when the coroutine is first awaited.
pub(crate) fn coroutine<'py, F>(
    py: Python<'py>,
    begin: F,
    resume: ResumePoint,
    options: WaitOptions,
    listeners: Listeners<'py>,
) -> PyResult<Bound<'py, PyAny>>
where
    F: Future<Output = Result<Live, Error>> + Send + 'static,
{
    if listeners.is_empty() {
        return coroutine::new(py, follow(begin, options, None), Some(resume.into()), result);
    }
    let events = Events::of(|sender| follow(begin, options, Some(sender)));
    watch::coroutine(py, events, listeners, Some(resume.into()), StatusResponse::of, result)
}

async fn follow<F>(begin: F, options: WaitOptions, sender: Option<Sender<Update>>) -> Ended
where
    F: Future<Output = Result<Live, Error>>,
{
    let options = options.restarted();
    let follow = async {
        let generation = begin.await?;
        let wait = options.wait(&generation);
        let wait = match sender {
            Some(sender) => reporting_to(wait, sender),
            None => wait,
        };
        let outcome = wait.await?;
        Ok((generation, outcome))
    };
    (options, follow.await)
}

fn result(py: Python<'_>, (options, ended): Ended) -> PyResult<Py<PyAny>> {
    let (generation, outcome) = ended.map_err(|error| options.raise(py, error))?;
    AsyncGenerationResult::new(py, files::of_outcome(Handle::Live(generation), outcome)).map(Py::into_any)
}
