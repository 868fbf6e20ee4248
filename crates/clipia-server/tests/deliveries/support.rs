//! A store with deliveries, and a running dispatcher on it.

use crate::receiver::DEADLINE;
use clipia_server::clock::SystemClock;
use clipia_server::deliveries::{DeliveryStatistics, Dispatcher};
use clipia_server::outbound::Outbound;
use clipia_server::store::{DeliveryDetails, NodeId, conformance};
use clipia_store_sqlite::SqliteStore;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) use conformance::{SECRET, outbox_account as account};

/// A store with one account whose requests have webhooks.
pub(crate) struct Outbox {
    outbox: conformance::Outbox,
    _directory: TempDir,
}

impl Deref for Outbox {
    type Target = conformance::Outbox;

    fn deref(&self) -> &conformance::Outbox {
        &self.outbox
    }
}

impl Outbox {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(directory.path(), Arc::new(SystemClock)).unwrap());
        Self { outbox: conformance::Outbox::new(store).await, _directory: directory }
    }

    /// The delivery, once it is as `wanted`.
    pub(crate) async fn until(&self, id: Uuid, wanted: impl Fn(&DeliveryDetails) -> bool) -> DeliveryDetails {
        let start = Instant::now();
        loop {
            let details = self.details(id).await;
            if wanted(&details) {
                return details;
            }
            assert!(start.elapsed() < DEADLINE, "{details:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A dispatcher that runs until it is dropped.
    pub(crate) fn dispatch(&self, outbound: Outbound) -> Running {
        let outbox_changed = Arc::new(Notify::new());
        let dispatcher = Arc::new(Dispatcher::new(
            NodeId::random(),
            Arc::clone(&self.store),
            outbound,
            Arc::clone(&outbox_changed),
        ));
        let statistics = dispatcher.statistics();
        let task = tokio::spawn(dispatcher.run(CancellationToken::new()));
        Running { statistics, outbox_changed, task }
    }
}

pub(crate) struct Running {
    pub(crate) statistics: Arc<DeliveryStatistics>,
    outbox_changed: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Running {
    /// Wakes the dispatcher, as the end of a request does.
    pub(crate) fn wake(&self) {
        self.outbox_changed.notify_one();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
