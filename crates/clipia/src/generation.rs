//! The handle on one generation.

use crate::client::Clipia;
use crate::download::Download;
use crate::error::Error;
use crate::outcome::Outcome;
use crate::request::Operation;
use crate::saved::SavedGeneration;
use crate::wait::{Ending, Event, Goal, Hint, Update, Watch};
use clipia_api::types::{RequestId, ResultResponse, StatusResponse};
use futures_util::Stream;
use std::fmt;
use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tracing::Span;
use tracing::field::display;

/// What is called with every change.
pub(crate) type OnUpdate = Box<dyn FnMut(&Update) + Send>;

/// A handle on one generation: cheap to clone, and made anew from the id alone with [`Clipia::generation`].
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

    /// Its id. Keep it: with it any process can go on from here.
    pub fn id(&self) -> &RequestId {
        &self.id
    }

    /// The client that asks for it.
    pub fn client(&self) -> &Clipia {
        &self.clipia
    }

    /// The same as data, which serde writes: keep it where it outlives the process, and
    /// [resume](Clipia::resume) there.
    pub fn saved(&self) -> SavedGeneration {
        SavedGeneration {
            request_id: self.id.clone(),
            model: self.hint.model.as_deref().map(str::to_owned),
            submitted_at: self.hint.submitted_at,
        }
    }

    /// The same handle on the client that [`Clipia::in_this_process`] gives.
    ///
    /// # Errors
    /// As that.
    pub fn in_this_process(&self) -> Result<Self, Error> {
        Ok(Self { clipia: self.clipia.in_this_process()?, ..self.clone() })
    }

    /// Where it stands now.
    ///
    /// # Errors
    /// As [`Clipia::status`].
    pub async fn status(&self) -> Result<StatusResponse, Error> {
        self.clipia.status(&self.id).await
    }

    /// What came out of it; while it runs only its lifecycle fields, so look at `status` first.
    ///
    /// # Errors
    /// As [`Clipia::result`].
    pub async fn result(&self) -> Result<ResultResponse, Error> {
        self.clipia.result(&self.id).await
    }

    /// Waits for its end: `.await` begins.
    ///
    /// # Errors
    /// What fails for the moment (the network, 408, 429, 5xx) never ends a wait. What does: its own
    /// [deadline](Wait::timeout), a refusal ([`Error::InvalidApiKey`], [`Error::InsufficientScope`],
    /// [`Error::NotFound`]), and answers that for a minute on end are not the API's. [`Error::NotFound`] of a
    /// generation that was accepted in the last minute, or that an answer has told of, ends it after a minute of
    /// nothing else: a replica of the server may lag behind.
    pub fn wait(&self) -> Wait {
        Wait {
            watch: Watch::new(self.clipia.clone(), self.id.clone(), self.hint.clone(), Goal::Outcome),
            model: self.hint.model.clone(),
            on_update: None,
            warns: false,
            span: None,
        }
    }

    /// Follows it: a stream of its changes, the last one terminal.
    ///
    /// # Errors
    /// As [`wait`](Self::wait): an error is the last item, and what passes is none.
    pub fn updates(&self) -> Updates {
        Updates {
            watch: Watch::new(self.clipia.clone(), self.id.clone(), self.hint.clone(), Goal::Updates),
            ended: false,
        }
    }

    /// Asks for its result and saves every file of it in `dir`, as
    /// [`Completed::download`](crate::Completed::download). Waits for nothing.
    ///
    /// # Errors
    /// [`Error::StillRunning`] where it has not ended, [`Error::Failed`] and [`Error::Canceled`] where it made
    /// nothing, and those of the download.
    pub fn download(&self, dir: impl AsRef<Path>) -> Download {
        Download::of_generation(self.clone(), dir.as_ref())
    }

    /// How it ended, if it has.
    pub(crate) async fn outcome(&self) -> Result<Outcome, Error> {
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

/// The wait for the end of one generation. Dropping it ends it; the generation goes on, and the log is told its id.
/// Made by [`Generation::wait`].
#[must_use = "nothing is asked until it is awaited"]
pub struct Wait {
    watch: Watch,
    model: Option<Arc<str>>,
    on_update: Option<OnUpdate>,
    /// Whether it is a warning that the wait was cut short, since nobody else has the id.
    warns: bool,
    /// From the first poll to the end.
    span: Option<Span>,
}

impl Wait {
    /// Ends the wait with [`Error::Deadline`], which names the id, this long after it was first awaited. Without
    /// it the wait lasts as long as the generation.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.watch.timeout(timeout);
        self
    }

    /// Asks for it no more often than once in so long. Without it the schedule alone decides, which asks ten times a
    /// second at most, and far more rarely where it expects no end; with it only the end may be found later.
    pub fn min_interval(mut self, interval: Duration) -> Self {
        self.watch.min_interval(interval);
        self
    }

    /// Called with every change of position, progress or status, in order, the last one terminal. Watching costs
    /// more requests than waiting.
    pub fn on_update(mut self, callback: impl FnMut(&Update) + Send + 'static) -> Self {
        self.watch.watched();
        self.on_update = Some(Box::new(callback));
        self
    }

    /// It warns if it is cut short.
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
            Operation::about("wait", this.watch.request_id()).model(this.model.as_deref()).span()
        });
        let inside = span.enter();
        let ending = loop {
            match std::task::ready!(this.watch.poll(context)) {
                Event::Update(update) => {
                    if let Some(callback) = &mut this.on_update {
                        callback(&update);
                    }
                }
                Event::Ended(ending) => break ending,
            }
        };
        drop(inside);
        this.span = None;
        Poll::Ready(match ending {
            Ending::Outcome(outcome) => Ok(*outcome),
            Ending::Error(error) => Err(*error),
            // A wait asks on until there is an outcome.
            Ending::Watched => unreachable!("a wait ended without an outcome"),
        })
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let Some(span) = &self.span else { return };
        let request_id = display(self.watch.request_id());
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
        f.debug_tuple("Wait").field(&format_args!("{}", self.watch.request_id())).finish()
    }
}

/// The changes of one generation, in order. Made by [`Generation::updates`].
///
/// One who reads slowly gets the latest, not every one in between.
#[must_use = "nothing is asked until it is read"]
pub struct Updates {
    watch: Watch,
    ended: bool,
}

impl Updates {
    /// The next change, or `None` after the terminal one. The same as `StreamExt::next`, without the import.
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
        let ending = match std::task::ready!(self.watch.poll(context)) {
            Event::Update(update) => return Poll::Ready(Some(Ok(update))),
            Event::Ended(ending) => ending,
        };
        self.ended = true;
        match ending {
            Ending::Error(error) => Poll::Ready(Some(Err(*error))),
            Ending::Watched | Ending::Outcome(_) => Poll::Ready(None),
        }
    }
}

impl fmt::Debug for Updates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Updates").field(&format_args!("{}", self.watch.request_id())).finish()
    }
}
