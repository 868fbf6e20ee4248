//! The queues of a server, and the wake-ups of their workers. Each executor has one queue, under the executor's name.

use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Notify;

/// The queues, each with the [`Notify`] that wakes its workers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queues(Arc<BTreeMap<String, Arc<Notify>>>);

impl Queues {
    /// Queues with these names.
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(Arc::new(names.into_iter().map(|name| (name.to_owned(), Arc::default())).collect()))
    }

    /// The names of the queues.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Notified when a request was submitted to the queue `name`. For an unknown queue, it is never notified.
    pub(crate) fn submitted(&self, name: &str) -> Arc<Notify> {
        self.0.get(name).cloned().unwrap_or_default()
    }

    /// Wakes a worker of the queue `name`.
    pub(crate) fn wake(&self, name: &str) {
        if let Some(submitted) = self.0.get(name) {
            submitted.notify_one();
        }
    }

    /// Wakes a worker of each queue.
    pub(crate) fn wake_all(&self) {
        self.0.values().for_each(|submitted| submitted.notify_one());
    }
}
