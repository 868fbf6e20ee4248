//! A stream of the SDK as a Python iterator.

use crate::driven::Driven;
use futures_util::{Stream, StreamExt};
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use tokio::sync::Mutex;

/// A stream that Python iterates over. Dropping it ends the stream.
pub(crate) struct Iteration<T> {
    stream: Mutex<Driven<dyn Stream<Item = T> + Send>>,
    /// Items whose step was cancelled. The next steps get them.
    returned: std::sync::Mutex<VecDeque<T>>,
}

impl<T: Send + 'static> Iteration<T> {
    pub(crate) fn new(stream: impl Stream<Item = T> + Send + 'static) -> Arc<Self> {
        Arc::new(Self { stream: Mutex::new(Driven::new(Box::pin(stream))), returned: Default::default() })
    }

    /// The next item. Several steps may wait at once.
    pub(crate) fn next(self: &Arc<Self>) -> impl Future<Output = PendingItem<T>> + Send + use<T> {
        let iteration = self.clone();
        async move {
            let mut stream = iteration.stream.lock().await;
            let returned = iteration.returned.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let item = match returned {
                Some(item) => Some(item),
                None => stream.next().await,
            };
            drop(stream);
            PendingItem { item, iteration }
        }
    }
}

/// An item that its step has not taken yet. If it is dropped, the item returns to the iteration.
pub(crate) struct PendingItem<T> {
    item: Option<T>,
    iteration: Arc<Iteration<T>>,
}

impl<T> PendingItem<T> {
    /// Takes the item; `None` at the end of the stream.
    pub(crate) fn take(mut self) -> Option<T> {
        self.item.take()
    }
}

impl<T> Drop for PendingItem<T> {
    fn drop(&mut self) {
        if let Some(item) = self.item.take() {
            self.iteration.returned.lock().unwrap_or_else(PoisonError::into_inner).push_back(item);
        }
    }
}
