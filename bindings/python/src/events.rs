//! A call of the SDK as a series of events: its changes, then its end.

use crate::driven::Driven;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Poll};

/// An event of a call.
pub(crate) enum Event<T, O> {
    /// Something changed.
    Changed(T),
    /// The call has ended with this output.
    Ended(O),
}

/// A call, and its changes that were not read yet. These are bounded by the changes of one poll, because the call is
/// only polled again once all were read.
pub(crate) struct Events<T, O> {
    call: Driven<dyn Future<Output = O> + Send>,
    changes: Receiver<T>,
    ended: Option<O>,
}

impl<T, O> Events<T, O> {
    /// Makes the call with a sender for its changes.
    pub(crate) fn of<F>(call: impl FnOnce(Sender<T>) -> F) -> Self
    where
        F: Future<Output = O> + Send + 'static,
    {
        let (sender, changes) = mpsc::channel();
        Self { call: Driven::new(Box::pin(call(sender))), changes, ended: None }
    }

    /// The next event. Changes come before the end.
    pub(crate) async fn next(&mut self) -> Event<T, O> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Event<T, O>> {
        if let Ok(change) = self.changes.try_recv() {
            return Poll::Ready(Event::Changed(change));
        }
        if self.ended.is_none()
            && let Poll::Ready(ended) = Pin::new(&mut self.call).poll(context)
        {
            self.ended = Some(ended);
        }
        match self.changes.try_recv() {
            Ok(change) => Poll::Ready(Event::Changed(change)),
            Err(_) => self.ended.take().map_or(Poll::Pending, |ended| Poll::Ready(Event::Ended(ended))),
        }
    }
}
