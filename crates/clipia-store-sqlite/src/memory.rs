//! What a commit changes beside the database.

use super::cache::{KeyCache, StatusCache};
use super::overview::Noted;
use super::position::Positions;
use super::workers::WorkersInForce;
use crate::store::StoreEvent;
use clipia_store::counters::Counters;
use tokio::sync::broadcast;

/// What a commit changes beside the database.
pub(crate) struct Memory {
    pub(crate) keys: KeyCache,
    pub(crate) statuses: StatusCache,
    pub(crate) positions: Positions,
    pub(crate) counters: Counters,
    pub(crate) noted: Noted,
    pub(crate) workers: WorkersInForce,
    pub(crate) events: broadcast::Sender<StoreEvent>,
}
