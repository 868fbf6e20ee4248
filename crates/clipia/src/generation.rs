//! The handle on one generation.

use crate::call::call;
use crate::call_options::CallOptions;
use crate::client::Clipia;
use crate::error::Error;
use crate::outcome::Outcome;
use crate::path_segment::check_id;
use crate::request::Operation;
use crate::saved::SavedGeneration;
use crate::update::Update;
use crate::wait::{Goal, Hint, WaitEnd, WaitEvent, WaitHandle};
use clipia_api::per_call::around;
use clipia_api::types::{RequestId, ResultResponse, StatusResponse};
use futures_util::Stream;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tracing::Span;
use tracing::field::display;

/// The callback of a caller for every change.
pub(crate) type OnUpdate = Box<dyn FnMut(&Update) + Send>;

impl Clipia {
    /// A handle on a generation by its id. Any process can make one at any time. Nothing is sent.
    pub fn generation(&self, id: impl Into<RequestId>) -> Generation {
        Generation::new(self.clone(), id.into(), Hint::default())
    }

    /// A handle on a [saved](Generation::saved) generation, of this process or another. Nothing is sent.
    pub fn resume(&self, saved: SavedGeneration) -> Generation {
        Generation::new(self.clone(), saved.request_id, Hint::saved(saved.model, saved.submitted_at))
    }

    /// The status of a generation.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the account has no such request.
    pub async fn status(&self, id: impl Into<RequestId>) -> Result<StatusResponse, Error> {
        self.status_with(id, CallOptions::new()).await
    }

    /// The status of a generation, by a call with options of its own.
    ///
    /// # Errors
    /// As [`status`](Self::status), and [`Error::Input`] for a header that cannot be sent.
    pub async fn status_with(
        &self,
        id: impl Into<RequestId>,
        options: CallOptions,
    ) -> Result<StatusResponse, Error> {
        let (request_id, options) = (id.into(), options.read()?);
        let id = check_id(&request_id)?;
        let operation = Operation::about("status", id);
        let mut status =
            call(&self.0.scheduler, operation, |api| around(options.clone(), api.get_status(id))).await?;
        self.0.connection.pending.seen(id, &status.status);
        status.request_id = request_id;
        Ok(status)
    }

    /// The result of a generation. Before its end there are only the fields of a status, so look at `status` first.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the account has no such request.
    pub async fn result(&self, id: impl Into<RequestId>) -> Result<ResultResponse, Error> {
        self.result_with(id, CallOptions::new()).await
    }

    /// The result of a generation, by a call with options of its own.
    ///
    /// # Errors
    /// As [`result`](Self::result), and [`Error::Input`] for a header that cannot be sent.
    pub async fn result_with(
        &self,
        id: impl Into<RequestId>,
        options: CallOptions,
    ) -> Result<ResultResponse, Error> {
        let (request_id, options) = (id.into(), options.read()?);
        let id = check_id(&request_id)?;
        let operation = Operation::about("result", id);
        let mut result =
            call(&self.0.scheduler, operation, |api| around(options.clone(), api.get_result(id))).await?;
        self.0.connection.pending.seen(id, &result.status);
        result.request_id = request_id;
        Ok(result)
    }
}

/// A handle on one generation. It is cheap to clone, and can be made from the id alone with [`Clipia::generation`].
#[derive(Clone)]
pub struct Generation {
    clipia: Clipia,
    id: RequestId,
    hint: Hint,
}

impl Generation {
    pub(crate) fn new(clipia: Clipia, id: RequestId, hint: Hint) -> Self {
        Self { clipia, id, hint }
    }

    /// The id. Keep it: with the id any process can resume.
    pub fn id(&self) -> &RequestId {
        &self.id
    }

    /// The client of this handle.
    pub fn client(&self) -> &Clipia {
        &self.clipia
    }

    /// The handle as data for serde. Store it beyond the process, and [resume](Clipia::resume) from it in another.
    pub fn saved(&self) -> SavedGeneration {
        SavedGeneration {
            request_id: self.id.clone(),
            model: self.hint.model.as_deref().map(str::to_owned),
            submitted_at: self.hint.submitted_at,
        }
    }

    /// The status of the generation.
    ///
    /// # Errors
    /// As [`Clipia::status`].
    pub async fn status(&self) -> Result<StatusResponse, Error> {
        self.status_with(CallOptions::new()).await
    }

    /// The status of the generation, by a call with options of its own.
    ///
    /// # Errors
    /// As [`Clipia::status_with`].
    pub async fn status_with(&self, options: CallOptions) -> Result<StatusResponse, Error> {
        self.clipia.status_with(&self.id, options).await
    }

    /// The result. Before the end there are only the fields of a status, so look at `status` first.
    ///
    /// # Errors
    /// As [`Clipia::result`].
    pub async fn result(&self) -> Result<ResultResponse, Error> {
        self.result_with(CallOptions::new()).await
    }

    /// The result, by a call with options of its own.
    ///
    /// # Errors
    /// As [`Clipia::result_with`].
    pub async fn result_with(&self, options: CallOptions) -> Result<ResultResponse, Error> {
        self.clipia.result_with(&self.id, options).await
    }

    /// Waits for the end of the generation: `.await` begins.
    ///
    /// # Errors
    /// A transient error (the network, 408, 429, 5xx) never ends a wait. These do: its own [deadline](Wait::timeout); a
    /// refusal ([`Error::InvalidApiKey`], [`Error::InsufficientScope`], [`Error::NotFound`]); and a minute of responses
    /// that are not the API's. If the generation was accepted in the last minute, or was found before,
    /// [`Error::NotFound`] ends the wait only after a minute of nothing else, because a replica of the server may lag
    /// behind.
    pub fn wait(&self) -> Wait {
        Wait {
            handle: self.wait_for(Goal::Result),
            clipia: self.clipia.clone(),
            model: self.hint.model.clone(),
            on_update: None,
            warns: false,
            span: None,
        }
    }

    fn wait_for(&self, goal: Goal) -> WaitHandle {
        let scheduler = Arc::clone(&self.clipia.0.scheduler);
        WaitHandle::new(scheduler, self.id.clone(), self.hint.clone(), goal)
    }

    /// Follows the generation: a stream of its changes, the last one terminal.
    ///
    /// # Errors
    /// As [`wait`](Self::wait). An error is the last item; a transient error is no item.
    pub fn updates(&self) -> Updates {
        Updates { handle: self.wait_for(Goal::Updates), ended: false }
    }

    /// The outcome of the generation, by one call: it does not wait.
    ///
    /// # Errors
    /// [`Error::StillRunning`] if the generation has not ended, and those of [`result`](Self::result).
    pub async fn outcome(&self) -> Result<Outcome, Error> {
        Outcome::of(&self.clipia, self.result().await?).map_err(|running| Error::StillRunning {
            request_id: self.id.clone(),
            status: running.status,
            progress: running.progress,
        })
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Generation").field(&format_args!("{}", self.id)).finish()
    }
}

/// The wait for the end of one generation. Dropping it ends the wait, not the generation, and logs the id.
/// Made by [`Generation::wait`].
#[must_use = "nothing is polled until it is awaited"]
pub struct Wait {
    handle: WaitHandle,
    clipia: Clipia,
    model: Option<Arc<str>>,
    on_update: Option<OnUpdate>,
    /// Whether a wait that is cut short logs a warning, because nobody else has the id.
    warns: bool,
    /// The tracing span, from the first poll to the end.
    span: Option<Span>,
}

impl Wait {
    /// Ends the wait with [`Error::Deadline`], which names the id, this long after it was first awaited. Without
    /// a timeout the wait lasts as long as the generation.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.handle.timeout(timeout);
        self
    }

    /// The shortest time between two polls of this generation. By default the schedule decides: at most ten polls a
    /// second, and far fewer while it expects no end. With an interval the end may be found later.
    pub fn min_interval(mut self, interval: Duration) -> Self {
        self.handle.min_interval(interval);
        self
    }

    /// Calls back with every change of position, progress or status, in order, the last one terminal. Watching costs
    /// more requests than waiting.
    pub fn on_update(mut self, callback: impl FnMut(&Update) + Send + 'static) -> Self {
        self.handle.watched();
        self.on_update = Some(Box::new(callback));
        self
    }

    /// Logs a warning if the wait is cut short.
    pub(crate) fn warns(mut self) -> Self {
        self.warns = true;
        self
    }
}

impl Future for Wait {
    type Output = Result<Outcome, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let span = this.span.get_or_insert_with(|| {
            Operation::about("wait", this.handle.request_id()).model(this.model.as_deref()).span()
        });
        let inside = span.enter();
        let end = loop {
            match std::task::ready!(this.handle.poll(context)) {
                WaitEvent::Update(update) => {
                    if let Some(callback) = &mut this.on_update {
                        callback(&update);
                    }
                }
                WaitEvent::Ended(end) => break end,
            }
        };
        drop(inside);
        this.span = None;
        Poll::Ready(match end {
            WaitEnd::Error(error) => Err(*error),
            // The result of a wait is terminal.
            WaitEnd::Result(result) => match Outcome::of(&this.clipia, *result) {
                Ok(outcome) => Ok(outcome),
                Err(_) => unreachable!("a wait ended with a generation that runs"),
            },
            WaitEnd::Updates => unreachable!("a wait ended without a result"),
        })
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let Some(span) = &self.span else { return };
        let request_id = display(self.handle.request_id());
        span.in_scope(|| {
            if self.warns {
                tracing::warn!(request_id, "wait cut short: the generation goes on");
            } else {
                tracing::info!(request_id, "wait cut short: the generation goes on");
            }
        });
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wait").field(&format_args!("{}", self.handle.request_id())).finish()
    }
}

/// The changes of one generation, in order. Made by [`Generation::updates`].
///
/// A slow reader gets the latest change, not every one in between.
#[must_use = "nothing is polled until it is read"]
pub struct Updates {
    handle: WaitHandle,
    ended: bool,
}

impl Updates {
    /// The next change, or `None` after the terminal one. As `StreamExt::next`, without its import.
    pub async fn next(&mut self) -> Option<Result<Update, Error>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for Updates {
    type Item = Result<Update, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let end = match std::task::ready!(self.handle.poll(context)) {
            WaitEvent::Update(update) => return Poll::Ready(Some(Ok(update))),
            WaitEvent::Ended(end) => end,
        };
        self.ended = true;
        match end {
            WaitEnd::Error(error) => Poll::Ready(Some(Err(*error))),
            WaitEnd::Updates | WaitEnd::Result(_) => Poll::Ready(None),
        }
    }
}

impl fmt::Debug for Updates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Updates").field(&format_args!("{}", self.handle.request_id())).finish()
    }
}
