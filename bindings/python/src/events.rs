//! A call of the SDK that tells of its progress, as events that Python is told of where it waits.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Poll};

/// What a call has to tell.
pub(crate) enum Event<T, O> {
    /// That something changed.
    Told(T),
    /// What it came to.
    Ended(O),
}

/// A call, and what it has told that nobody has heard yet. There is never more of that than the call tells in one go,
/// since it only goes on once all of it was heard.
pub(crate) struct Events<T, O> {
    call: Pin<Box<dyn Future<Output = O> + Send>>,
    told: Receiver<T>,
    ended: Option<O>,
}

impl<T, O> Events<T, O> {
    /// Of the call that `call` makes of what it has to tell to.
    pub(crate) fn of<F>(call: impl FnOnce(Sender<T>) -> F) -> Self
    where
        F: Future<Output = O> + Send + 'static,
    {
        let (sender, told) = mpsc::channel();
        Self { call: Box::pin(call(sender)), told, ended: None }
    }

    /// Everything that it tells first, then how it ended.
    pub(crate) async fn next(&mut self) -> Event<T, O> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Event<T, O>> {
        if let Ok(told) = self.told.try_recv() {
            return Poll::Ready(Event::Told(told));
        }
        if self.ended.is_none()
            && let Poll::Ready(ended) = self.call.as_mut().poll(context)
        {
            self.ended = Some(ended);
        }
        match self.told.try_recv() {
            Ok(told) => Poll::Ready(Event::Told(told)),
            Err(_) => self.ended.take().map_or(Poll::Pending, |ended| Poll::Ready(Event::Ended(ended))),
        }
    }
}
