//! A wait of the SDK whose changes Python is told of.

use crate::arguments::Seconds;
use crate::async_generation_result::AsyncGenerationResult;
use crate::exceptions::{interrupted, raise_after};
use crate::status_response::StatusResponse;
use crate::{blocking, coroutine, files};
use clipia::{Error, Generation, Outcome, Update, Wait};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3_async_runtimes::into_future_with_locals;
use pyo3_async_runtimes::tokio::get_current_locals;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::mpsc::{self, Receiver};
use std::task::{Context, Poll};
use std::time::Instant;

/// How long the caller is ready to wait, from when it asked.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    timeout: Option<Seconds>,
    begun: Instant,
}

impl Patience {
    pub(crate) fn begin(timeout: Option<Seconds>) -> Self {
        Self { timeout, begun: Instant::now() }
    }

    /// What came of the wait. Its exception tells the timeout that was asked for, not what was left of it.
    fn outcome(self, py: Python<'_>, ended: Result<Outcome, Error>) -> PyResult<Outcome> {
        ended.map_err(|error| raise_after(py, error, self.timeout.map(|Seconds(timeout)| timeout)))
    }
}

/// What a wait has to tell.
enum Event {
    Update(Update),
    Ended(Box<Result<Outcome, Error>>),
}

/// A wait, and the changes it has seen that nobody was told of yet.
struct Waiting {
    wait: Wait,
    updates: Option<Receiver<Update>>,
    ended: Option<Result<Outcome, Error>>,
}

impl Waiting {
    fn new(generation: &Generation, patience: Patience, watched: bool) -> Self {
        let mut wait = generation.wait();
        if let Some(Seconds(timeout)) = patience.timeout {
            wait = wait.timeout(timeout.saturating_sub(patience.begun.elapsed()));
        }
        if !watched {
            return Self { wait, updates: None, ended: None };
        }
        let (sender, updates) = mpsc::channel();
        // The receiver lives as long as the wait.
        let wait = wait.on_update(move |update| drop(sender.send(update.clone())));
        Self { wait, updates: Some(updates), ended: None }
    }

    /// Every change first, then how it ended.
    async fn next(&mut self) -> Event {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        if self.ended.is_none()
            && let Poll::Ready(ended) = Pin::new(&mut self.wait).poll(context)
        {
            self.ended = Some(ended);
        }
        // The wait has just been polled, so it wakes this task for whatever comes after these.
        if let Some(update) = self.updates.as_ref().and_then(|updates| updates.try_recv().ok()) {
            return Poll::Ready(Event::Update(update));
        }
        self.ended.take().map_or(Poll::Pending, |ended| Poll::Ready(Event::Ended(Box::new(ended))))
    }
}

/// Waits on the calling thread, which also is where `on_update` is called. What that raises ends the wait.
pub(crate) fn block(
    py: Python<'_>,
    generation: &Generation,
    patience: Patience,
    on_update: Option<&Bound<'_, PyAny>>,
) -> PyResult<Outcome> {
    let mut waiting = Waiting::new(generation, patience, on_update.is_some());
    loop {
        let event =
            blocking::run(py, waiting.next()).map_err(|error| interrupted(py, error, generation.id()))?;
        match (event, on_update) {
            (Event::Update(update), Some(on_update)) => {
                on_update.call1((StatusResponse::of(&update),))?;
            }
            (Event::Update(_), None) => {}
            (Event::Ended(ended), _) => return patience.outcome(py, *ended),
        }
    }
}

/// Waits in asyncio. `on_update` is called in the event loop and, where it is a coroutine function, awaited; what it
/// raises ends the wait.
async fn watch(
    generation: Generation,
    patience: Patience,
    on_update: Option<Py<PyAny>>,
) -> PyResult<Result<Outcome, Error>> {
    let mut waiting = Waiting::new(&generation, patience, on_update.is_some());
    loop {
        match (waiting.next().await, &on_update) {
            (Event::Update(update), Some(on_update)) => tell(on_update, &update)?.await?,
            (Event::Update(_), None) => continue,
            (Event::Ended(ended), _) => return Ok(*ended),
        };
    }
}

/// Calls `on_update` in the event loop that awaits this.
fn tell(
    on_update: &Py<PyAny>,
    update: &Update,
) -> PyResult<impl Future<Output = PyResult<Py<PyAny>>> + Send + use<>> {
    static TELL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    Python::attach(|py| {
        let tell = TELL.import(py, "clipia_queue._coroutines", "tell")?;
        let told = tell.call1((on_update, StatusResponse::of(update)))?;
        into_future_with_locals(&get_current_locals(py)?, told)
    })
}

/// A coroutine that waits for the generation that `begin` comes to, and returns its result. The timeout counts from when
/// it is first awaited.
pub(crate) fn coroutine<'py, F>(
    py: Python<'py>,
    begin: F,
    timeout: Option<Seconds>,
    on_update: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>>
where
    F: Future<Output = Result<Generation, Error>> + Send + 'static,
{
    let wait = async move {
        let patience = Patience::begin(timeout);
        let ended = match begin.await {
            Ok(generation) => watch(generation, patience, on_update).await,
            Err(error) => Ok(Err(error)),
        };
        (patience, ended)
    };
    coroutine::new(py, wait, |py, (patience, ended)| {
        let outcome = patience.outcome(py, ended?)?;
        AsyncGenerationResult::new(py, files::of_outcome(outcome))
    })
}
