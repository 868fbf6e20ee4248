//! The store itself: its clock, events, examinations and figures, and its end.

use crate::values::values;
use crate::{
    PostgresStore, examination, held_deliveries, minutes, months, pins, retention, statistics, terms,
};
use async_trait::async_trait;
use clipia_queue::retention::{Horizon, Part};
use clipia_queue::{Moment, RequestId};
use clipia_store::clock::Clock;
use clipia_store::{
    BackupError, DueOf, DuePage, Findings, GivenBack, Month, NodeId, QueueMinute, Statistics, StoreError,
    StoreEvent, Upkeep,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

#[async_trait]
impl Upkeep for PostgresStore {
    fn now(&self) -> Moment {
        self.database.memory.time.now()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.database.memory.time) as _
    }

    fn events(&self) -> broadcast::Receiver<StoreEvent> {
        self.database.memory.events.subscribe()
    }

    async fn examine(&self) -> Result<Findings, StoreError> {
        let now = self.now();
        let (checked, violation) =
            self.in_snapshot(|w| async move { examination::examine(&w, now).await }).await?;
        // Read after the snapshot, which would be one itself.
        Ok(Findings { checked, violation, pins: pins::read(&self.connection().await?).await? })
    }

    async fn backup(&self, path: &Path) -> Result<(), BackupError> {
        let source = std::io::Error::new(
            std::io::ErrorKind::Unsupported,
            "a store in PostgreSQL is copied by the database's own means, such as `pg_dump`",
        );
        Err(BackupError::File { path: path.to_owned(), source })
    }

    async fn statistics(&self) -> Result<Statistics, StoreError> {
        let counted = self.database.memory.counters.statistics();
        Ok(Statistics {
            deliveries_held: held_deliveries::waiting(&self.connection().await?).await?,
            // The database keeps its log itself.
            log_bytes: 0,
            queues: statistics::queues(&self.database).await?,
            ..counted
        })
    }

    async fn minutes(&self, since: jiff::Timestamp) -> Result<Vec<QueueMinute>, StoreError> {
        let memory = &self.database.memory;
        let _recording = memory.recording.lock().await;
        let recorded = minutes::recorded(&self.connection().await?, since).await?;
        Ok(memory.counters.minutes.with_recorded(recorded, since))
    }

    async fn record_minutes(&self, node: NodeId) -> Result<(), StoreError> {
        let memory = Arc::clone(&self.database.memory);
        let _recording = memory.recording.lock().await;
        let counted = Arc::new(memory.counters.minutes.take());
        let minutes = Arc::clone(&counted);
        let recorded = self.write(move |w| async move { minutes::record(&w, node, &minutes).await }).await;
        if recorded.is_err() {
            memory.counters.minutes.put_back(counted.to_vec());
        }
        recorded
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let probe = |w: Arc<crate::Writing>| async move {
            w.later("UPDATE clipia_schema SET version = version", values![]);
            Ok(())
        };
        self.write(probe).await
    }

    async fn due(&self, part: Part, horizon: Horizon, of: DueOf) -> Result<DuePage, StoreError> {
        retention::due(&self.connection().await?, part, horizon, of).await
    }

    async fn let_go(
        &self,
        part: Part,
        horizon: Horizon,
        ids: Vec<RequestId>,
    ) -> Result<Vec<RequestId>, StoreError> {
        self.write(move |w| async move { retention::let_go(&w, part, horizon, &ids).await }).await
    }

    async fn months(&self) -> Result<Vec<Month>, StoreError> {
        months::keep_up(&self.database).await?;
        Ok(self.database.memory.months.all())
    }

    async fn drop_month(&self, month: Month, horizon: Horizon) -> Result<Option<u64>, StoreError> {
        retention::drop_month(&self.database, month, horizon).await
    }

    async fn give_back(&self) -> Result<GivenBack, StoreError> {
        self.write(|w| async move { retention::give_back(&w).await }).await
    }

    async fn lead(&self, task: &str, node: NodeId, term: Duration) -> Result<bool, StoreError> {
        let task = task.to_owned();
        self.write(move |w| async move { terms::lead(&w, &task, node, term).await }).await
    }

    async fn close(&self) {
        self.closing.cancel();
        self.database.close().await;
    }
}
