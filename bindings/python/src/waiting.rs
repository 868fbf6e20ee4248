//! A wait of the SDK whose changes Python is told of.

use crate::arguments::Seconds;
use crate::async_generation_result::AsyncGenerationResult;
use crate::coroutine::{self, Awaitable};
use crate::exceptions::{interrupted, raise_after};
use crate::status_response::StatusResponse;
use crate::{blocking, files};
use clipia::{Error, Generation, Outcome, Update, Wait};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::sync::Mutex;

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

/// A coroutine that waits for the generation that `begin` comes to, and returns its result. `on_update` is called in the
/// task that awaits it, and awaited where it is a coroutine function; what it raises ends the wait. The timeout counts
/// from when the coroutine is first awaited.
pub(crate) fn coroutine<'py, F>(
    py: Python<'py>,
    begin: F,
    timeout: Option<Seconds>,
    on_update: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>>
where
    F: Future<Output = Result<Generation, Error>> + Send + 'static,
{
    static FOLLOW: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let watched = on_update.is_some();
    let begin = async move {
        let patience = Patience::begin(timeout);
        (patience, begin.await.map(|generation| Waiting::new(&generation, patience, watched)))
    };
    let watch = Watch(Arc::new(Mutex::new(Stage { begin: Box::pin(begin), waiting: None })));
    match on_update {
        Some(on_update) => FOLLOW.import(py, "clipia_queue._coroutines", "follow")?.call1((watch, on_update)),
        None => coroutine::new(py, watch.event(), convert),
    }
}

/// A wait whose events Python asks for one by one.
#[pyclass(frozen, module = "clipia_queue")]
struct Watch(Arc<Mutex<Stage>>);

/// How far it is.
struct Stage {
    begin: Pin<Box<dyn Future<Output = Begun> + Send>>,
    waiting: Option<(Patience, Waiting)>,
}

type Begun = (Patience, Result<Waiting, Error>);

impl Watch {
    fn event(&self) -> impl Future<Output = (Patience, Event)> + Send + use<> {
        let stage = self.0.clone();
        async move {
            let Stage { begin, waiting } = &mut *stage.lock().await;
            let (patience, waiting) = match waiting {
                Some(waiting) => waiting,
                None => match begin.await {
                    (patience, Ok(begun)) => waiting.insert((patience, begun)),
                    (patience, Err(error)) => return (patience, Event::Ended(Box::new(Err(error)))),
                },
            };
            (*patience, waiting.next().await)
        }
    }
}

#[pymethods]
impl Watch {
    /// A `StatusResponse` at each change, and the result at the end.
    fn next(&self) -> Awaitable {
        Awaitable::new(self.event(), convert)
    }
}

fn convert(py: Python<'_>, (patience, event): (Patience, Event)) -> PyResult<Py<PyAny>> {
    match event {
        Event::Update(update) => StatusResponse::of(&update).into_py_any(py),
        Event::Ended(ended) => {
            let outcome = patience.outcome(py, *ended)?;
            AsyncGenerationResult::new(py, files::of_outcome(outcome)).map(Py::into_any)
        }
    }
}
