//! The store itself: its clock, events, copies, examinations and figures, and its end.

use crate::{
    SqliteStore, audit, backup, examination, health, held_deliveries, inspection, position, requests,
    retention,
};
use async_trait::async_trait;
use clipia_queue::audit::Act;
use clipia_queue::retention::{Horizon, Part};
use clipia_queue::{Moment, RequestId};
use clipia_store::clock::{Clock, wall_at};
use clipia_store::{
    BackupError, DueOf, DuePage, Findings, GivenBack, NodeId, QueueMinute, Statistics, StoreError,
    StoreEvent, Upkeep, Violation, blocking,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

#[async_trait]
impl Upkeep for SqliteStore {
    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    fn events(&self) -> broadcast::Receiver<StoreEvent> {
        self.memory.events.subscribe()
    }

    async fn examine(&self) -> Result<Findings, StoreError> {
        let now = self.clock.now();
        let (mut checked, mut violation) = self.read(move |c| examination::examine(c, now)).await?;
        if violation.is_none() {
            let memory = Arc::clone(&self.memory);
            let difference = self.writer.write(move |w| position::difference(w, &memory.positions));
            match difference.await? {
                None => checked.rules += 1,
                Some(found) => {
                    let rule = examination::INDEX_RULE.to_owned();
                    violation = Some(Violation { rule, account: None, request: None, found });
                }
            }
        }
        Ok(Findings { checked, violation, pins: Vec::new() })
    }

    async fn backup(&self, path: &Path) -> Result<(), BackupError> {
        let now = self.clock.now();
        let _permit = self.free_readers.acquire().await.map_err(|_| StoreError::Closed)?;
        let (from, to) = (self.path.clone(), path.to_owned());
        blocking::run(move || backup::copy(&from, &to, now)).await.map_err(StoreError::from)??;
        let file = path.display().to_string();
        Ok(self
            .writer
            .write(move |c| Ok::<_, StoreError>(audit::record(c, &Act::store_backed_up(&file), now)?))
            .await?)
    }

    async fn statistics(&self) -> Result<Statistics, StoreError> {
        let counted = self.memory.counters.statistics();
        let queues = self.memory.positions.states();
        Ok(Statistics {
            deliveries_held: self.read(|c| Ok(held_deliveries::waiting(c)?)).await?,
            log_bytes: inspection::log_bytes(&self.path),
            queues: self.read(move |c| requests::queues(c, queues)).await?,
            ..counted
        })
    }

    async fn minutes(&self, since: jiff::Timestamp) -> Result<Vec<QueueMinute>, StoreError> {
        let (overview, memory) = (Arc::clone(&self.overview), Arc::clone(&self.memory));
        blocking::run(move || overview.minutes(&memory.counters.minutes, since)).await?
    }

    // The file has what one process at a time counts.
    async fn record_minutes(&self, _node: NodeId) -> Result<(), StoreError> {
        let (overview, memory, now) =
            (Arc::clone(&self.overview), Arc::clone(&self.memory), self.clock.now());
        blocking::run(move || overview.record_minutes(&memory.counters.minutes, wall_at(now))).await?
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.writer.write(|c| health::probe(c)).await
    }

    async fn due(&self, part: Part, horizon: Horizon, of: DueOf) -> Result<DuePage, StoreError> {
        self.read(move |c| retention::due(c, part, horizon, of)).await
    }

    async fn let_go(
        &self,
        part: Part,
        horizon: Horizon,
        ids: Vec<RequestId>,
    ) -> Result<Vec<RequestId>, StoreError> {
        let now = self.clock.now();
        let gone = self.writer.write(move |w| retention::let_go(w, part, horizon, &ids, now)).await?;
        if matches!(part, Part::Input | Part::Request) {
            self.forget_texts(&gone).await;
        }
        Ok(gone)
    }

    async fn give_back(&self) -> Result<GivenBack, StoreError> {
        self.writer.write(|w| retention::give_back(w)).await
    }

    async fn lead(&self, _task: &str, _node: NodeId, _term: Duration) -> Result<bool, StoreError> {
        // No other process can open the store.
        Ok(true)
    }

    async fn close(&self) {
        self.free_readers.close();
        self.read_pool.close();
        let overview = Arc::clone(&self.overview);
        // It may be in use until it is closed.
        let _ = blocking::run(move || overview.close()).await;
        self.writer.close().await;
    }
}
