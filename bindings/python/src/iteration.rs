//! A stream of the SDK that Python iterates over.

use futures_util::{Stream, StreamExt};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use tokio::sync::Mutex;

/// What is iterated over. Dropping it ends it.
pub(crate) struct Iteration<T> {
    stream: Mutex<Pin<Box<dyn Stream<Item = T> + Send>>>,
    /// What came for a step that was cancelled, for the next one.
    returned: std::sync::Mutex<VecDeque<T>>,
}

impl<T: Send + 'static> Iteration<T> {
    pub(crate) fn new(stream: impl Stream<Item = T> + Send + 'static) -> Arc<Self> {
        Arc::new(Self { stream: Mutex::new(Box::pin(stream)), returned: Default::default() })
    }

    /// The next item. Several may ask at once.
    pub(crate) fn next(self: &Arc<Self>) -> impl Future<Output = Step<T>> + Send + use<T> {
        let iteration = self.clone();
        async move {
            let mut stream = iteration.stream.lock().await;
            let returned = iteration.returned.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let item = match returned {
                Some(item) => Some(item),
                None => stream.next().await,
            };
            drop(stream);
            Step { item, iteration }
        }
    }
}

/// An item on its way to who asked for it. If it never arrives, it goes back.
pub(crate) struct Step<T> {
    item: Option<T>,
    iteration: Arc<Iteration<T>>,
}

impl<T> Step<T> {
    /// It has arrived; `None` at the end.
    pub(crate) fn take(mut self) -> Option<T> {
        self.item.take()
    }
}

impl<T> Drop for Step<T> {
    fn drop(&mut self) {
        if let Some(item) = self.item.take() {
            self.iteration.returned.lock().unwrap_or_else(PoisonError::into_inner).push_back(item);
        }
    }
}
