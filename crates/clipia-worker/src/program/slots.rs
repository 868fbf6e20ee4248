//! The slots of a program that is started for each job.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The slots. Each has a number, which chooses its device.
pub(super) struct Slots {
    permits: Arc<Semaphore>,
    free: Mutex<BTreeSet<usize>>,
}

/// A slot that is taken. It is free again once this is dropped: when its process and all that it started are gone.
pub(super) struct Slot {
    number: usize,
    slots: Arc<Slots>,
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    pub(super) fn new(slots: usize) -> Arc<Self> {
        Arc::new(Self { permits: Arc::new(Semaphore::new(slots)), free: Mutex::new((0..slots).collect()) })
    }

    /// Waits until a slot is free.
    pub(super) async fn free(&self) {
        // The semaphore is never closed.
        let _ = self.permits.acquire().await;
    }

    /// Waits for a slot, and takes it.
    pub(super) async fn take(self: &Arc<Self>) -> Option<Slot> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        let number = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop_first()?;
        Some(Slot { number, slots: Arc::clone(self), _permit: permit })
    }
}

impl Slot {
    pub(super) fn number(&self) -> usize {
        self.number
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.free.lock().unwrap_or_else(PoisonError::into_inner).insert(self.number);
    }
}
