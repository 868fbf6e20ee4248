//! What a node keeps in memory beside the database.

use super::claims::Heads;
use super::months::Months;
use super::notices::Notices;
use super::position::Positions;
use super::submits::Tails;
use super::time::Time;
use clipia_store::StoreEvent;
use clipia_store::counters::Counters;
use std::sync::Arc;
use tokio::sync::broadcast;

/// What a node keeps in memory.
pub(crate) struct Memory {
    pub(crate) time: Arc<Time>,
    pub(crate) counters: Counters,
    pub(crate) positions: Positions,
    pub(crate) heads: Heads,
    pub(crate) months: Months,
    pub(crate) tails: Tails,
    pub(crate) notices: Notices,
    /// Held while what is counted by minutes is recorded or read, so that nothing of it is seen twice or not at all.
    pub(crate) recording: tokio::sync::Mutex<()>,
    pub(crate) events: broadcast::Sender<StoreEvent>,
}
