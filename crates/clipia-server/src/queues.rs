//! The queues of a server: the wake-ups of those who claim from them, and what was set aside. Each executor has one queue, under the
//! executor's name.

use crate::aside::Aside;
use prometheus_client::metrics::gauge::Gauge;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Notify;

/// The queues by their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queues(Arc<BTreeMap<String, Queue>>);

/// What all who claim from a queue share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    /// Notified when a request was submitted.
    pub(crate) submitted: Arc<Notify>,
    /// The accounts with requests that were set aside.
    pub(crate) aside: Arc<Aside>,
}

impl Queues {
    /// Queues with these names. Accounts with requests that were set aside are counted in `accounts_aside`.
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = &'a str>, accounts_aside: &Gauge) -> Self {
        let queue =
            || Queue { submitted: Arc::default(), aside: Arc::new(Aside::new(accounts_aside.clone())) };
        Self(Arc::new(names.into_iter().map(|name| (name.to_owned(), queue())).collect()))
    }

    /// The names of the queues.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The queue `name`. An unknown one is never notified.
    pub(crate) fn get(&self, name: &str) -> Queue {
        self.0.get(name).cloned().unwrap_or_default()
    }

    /// Wakes a worker of the queue `name`.
    pub(crate) fn wake(&self, name: &str) {
        if let Some(queue) = self.0.get(name) {
            queue.submitted.notify_one();
        }
    }

    /// Wakes a worker of each queue.
    pub(crate) fn wake_all(&self) {
        self.0.values().for_each(|queue| queue.submitted.notify_one());
    }
}
