//! A future or a stream that the runtime drives and a thread of Python may drop.

use futures_util::Stream;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle;

/// A future or a stream. It is dropped in the runtime that it was polled in: a connection that goes back to its pool may start a task
/// there.
pub(crate) struct Driven<F: ?Sized> {
    /// Taken out only to be dropped.
    driven: Option<Pin<Box<F>>>,
    runtime: Option<Handle>,
}

impl<F: ?Sized> Driven<F> {
    pub(crate) const fn new(driven: Pin<Box<F>>) -> Self {
        Self { driven: Some(driven), runtime: None }
    }

    fn polled(&mut self) -> Option<Pin<&mut F>> {
        if self.runtime.is_none() {
            self.runtime = Handle::try_current().ok();
        }
        self.driven.as_mut().map(Pin::as_mut)
    }
}

impl<F: Future + ?Sized> Future for Driven<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.polled().map_or(Poll::Pending, |driven| driven.poll(context))
    }
}

impl<F: Stream + ?Sized> Stream for Driven<F> {
    type Item = F::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<F::Item>> {
        self.polled().map_or(Poll::Ready(None), |driven| driven.poll_next(context))
    }
}

impl<F: ?Sized> Drop for Driven<F> {
    fn drop(&mut self) {
        let _entered = self.runtime.as_ref().map(Handle::enter);
        drop(self.driven.take());
    }
}
