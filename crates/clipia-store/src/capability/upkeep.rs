//! The store itself: its clock, events, copies, examinations and figures, and its end.

use crate::clock::Clock;
use crate::{
    BackupError, DueOf, DuePage, Findings, GivenBack, Month, NodeId, QueueMinute, Statistics, StoreError,
    StoreEvent,
};
use async_trait::async_trait;
use clipia_queue::retention::{Horizon, Part};
use clipia_queue::{Moment, RequestId};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

/// The store itself: its clock, events, copies, examinations and figures, and its end.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// The present by the store's clock. The moments that a store takes and gives are by this clock.
    fn now(&self) -> Moment;
    /// The store's clock, by which its server waits.
    fn clock(&self) -> Arc<dyn Clock>;
    /// What commits change from now on. A receiver that [lags](broadcast::error::RecvError::Lagged) must look at everything
    /// again.
    fn events(&self) -> broadcast::Receiver<StoreEvent>;

    /// Looks for the first rule that is broken, in one snapshot, while the store is in use.
    async fn examine(&self) -> Result<Findings, StoreError>;
    /// Copies the store to a new file, as it is at one moment, while it is in use. Deliveries that are pending in the
    /// copy are held once a server runs on it.
    async fn backup(&self, path: &Path) -> Result<(), BackupError>;
    /// What the store did since it was opened, and how much waits.
    async fn statistics(&self) -> Result<Statistics, StoreError>;
    /// What each queue did in each minute that had not ended at `since`, the oldest minute first. It is the sum of all nodes, and has
    /// what this process counted and did not record yet. A minute in which a queue did nothing is left out.
    async fn minutes(&self, since: jiff::Timestamp) -> Result<Vec<QueueMinute>, StoreError>;
    /// Records what this process counted since the last call, as that of `node`, and removes what was recorded
    /// [`MINUTES_KEPT`](crate::MINUTES_KEPT) ago.
    async fn record_minutes(&self, node: NodeId) -> Result<(), StoreError>;
    /// Writes something that changes nothing: an error where the store cannot be written to.
    async fn probe(&self) -> Result<(), StoreError>;

    /// Looks for requests of which a part may be let go, up to `horizon`.
    async fn due(&self, part: Part, horizon: Horizon, of: DueOf) -> Result<DuePage, StoreError>;
    /// Lets a part of these requests go, as far as it may be let go by now. Returns the requests of which it was. The caller
    /// removes the files of media. Credits that moved for a request are carried forward in its account's books.
    async fn let_go(
        &self,
        part: Part,
        horizon: Horizon,
        ids: Vec<RequestId>,
    ) -> Result<Vec<RequestId>, StoreError>;
    /// The months of the history, the oldest first, where the store can drop each as a whole. Otherwise there are none.
    async fn months(&self) -> Result<Vec<Month>, StoreError> {
        Ok(Vec::new())
    }
    /// Drops a month with all its requests. The caller has found all of them to have had their time, and has removed the files of
    /// their media. Returns how many requests there were; nothing where the month stays for now, because a delivery may be sent again
    /// or commands are at it. Credits that moved for the requests are carried forward in the books of their accounts by
    /// [`give_back`](Self::give_back).
    async fn drop_month(&self, month: Month, horizon: Horizon) -> Result<Option<u64>, StoreError> {
        let _ = (month, horizon);
        Ok(None)
    }
    /// Gives some unused space back to the system.
    async fn give_back(&self) -> Result<GivenBack, StoreError>;

    /// Whether `node` leads `task` until `term` from now has passed: no other node does until then. A node that asks again while it
    /// leads has a new term, and one that asks for none gives the task to whoever asks next. Where one process has the store, it leads
    /// everything.
    ///
    /// The term bounds how long a task rests whose node is gone. It is no lock: a node that was suspended may go on for a while after
    /// its term, so a task must do no harm where two nodes are at it.
    async fn lead(&self, task: &str, node: NodeId, term: Duration) -> Result<bool, StoreError>;

    /// Writes everything down and closes. Later calls fail with [`StoreError::Closed`].
    async fn close(&self);
}
