//! The moves of a clock that stands: to the next moment at which something is due, once nothing is under way.

use crate::clock::EmulatedClock;
use clipia_queue::{Moment, RequestId};
use clipia_store::clock::{Clock, timestamp};
use clipia_store::{Store, StoreError};
use serde::Serialize;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::sleep;

/// How long nothing must have been under way before a clock jumps by itself.
const QUIET: Duration = Duration::from_millis(5);

/// The pause between two looks whether something is under way: the first, and the longest.
const LOOK: Duration = Duration::from_micros(300);
const LOOK_MAX: Duration = Duration::from_millis(5);

/// How many occurrences are kept.
const KEPT: usize = 100_000;

/// Something that happened to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Occurrence {
    /// When, by the clock of the emulator.
    pub at: jiff::Timestamp,
    /// The request.
    pub request_id: String,
    /// What, such as `attempt 1 started`, `completed` or `delivery attempt 2: 500`.
    pub what: String,
}

/// What happened since the start, in order.
#[derive(Debug, Default)]
pub(crate) struct Occurrences(Mutex<Vec<Occurrence>>);

impl Occurrences {
    /// Notes what happened to a request at this moment.
    pub(crate) fn note(&self, at: Moment, request: RequestId, what: impl fmt::Display) {
        let mut all = self.all();
        if all.len() < KEPT {
            all.push(Occurrence {
                at: timestamp(at),
                request_id: request.to_string(),
                what: what.to_string(),
            });
        }
    }

    /// What happened from this number on.
    pub(crate) fn since(&self, number: usize) -> Vec<Occurrence> {
        self.all().get(number..).unwrap_or_default().to_vec()
    }

    /// How much happened.
    pub(crate) fn count(&self) -> usize {
        self.all().len()
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.all().clear();
    }

    fn all(&self) -> MutexGuard<'_, Vec<Occurrence>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the clock was not advanced.
#[derive(Debug, thiserror::Error)]
pub enum AdvanceRefused {
    /// The clock does not stand.
    #[error("the clock passes by itself: only one that stands can be advanced (`--clock manual`)")]
    Passes,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Moves the clock of one emulator.
pub(crate) struct Advance {
    clock: Arc<EmulatedClock>,
    store: Arc<dyn Store>,
    /// How many attempts run at once in a queue.
    slots: u64,
    occurrences: Arc<Occurrences>,
    /// Whether no delivery is being attempted.
    deliveries_are_idle: Box<dyn Fn() -> bool + Send + Sync>,
    /// Held by whoever moves the clock.
    moving: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Advance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Advance").field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl Advance {
    /// The moves of `clock`, which is that of `store`.
    pub(crate) fn new(
        clock: Arc<EmulatedClock>,
        store: Arc<dyn Store>,
        slots: usize,
        occurrences: Arc<Occurrences>,
        deliveries_are_idle: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            clock,
            store,
            slots: slots as u64,
            occurrences,
            deliveries_are_idle: Box::new(deliveries_are_idle),
            moving: tokio::sync::Mutex::default(),
        }
    }

    /// Moves the clock on by `time`. Everything that falls due meanwhile happens, in order, each at its moment. Returns what happened
    /// once nothing is under way.
    ///
    /// # Errors
    /// [`AdvanceRefused`] if the clock does not stand, or if the store fails.
    pub(crate) async fn advance(&self, time: Duration) -> Result<Vec<Occurrence>, AdvanceRefused> {
        if !self.clock.pace().stands() {
            return Err(AdvanceRefused::Passes);
        }
        let _moving = self.moving.lock().await;
        self.settled().await?;
        let (from, end) = (self.occurrences.count(), self.clock.now() + time);
        while let Some(at) = self.clock.next_due().filter(|at| *at <= end) {
            self.clock.move_to(at);
            self.settled().await?;
        }
        self.clock.move_to(end);
        self.settled().await?;
        Ok(self.occurrences.since(from))
    }

    /// Moves a clock of the pace `auto`, for good.
    pub(crate) async fn run(&self) {
        loop {
            self.clock.something_waits().await;
            let moved = async {
                let _moving = self.moving.lock().await;
                self.settled().await?;
                sleep(QUIET).await;
                if self.is_settled().await?
                    && let Some(at) = self.clock.next_due()
                {
                    self.clock.move_to(at);
                }
                Ok::<_, StoreError>(())
            };
            if let Err(error) = moved.await {
                tracing::error!(%error, "the clock of the emulator cannot look at the store");
                sleep(LOOK_MAX).await;
            }
        }
    }

    /// Waits until nothing is under way.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn settled(&self) -> Result<(), StoreError> {
        let (mut look, mut quiet) = (LOOK, false);
        loop {
            let is_settled = self.is_settled().await?;
            // What has just been committed may not have woken up its worker: two looks say so.
            if is_settled && quiet {
                return Ok(());
            }
            quiet = is_settled;
            sleep(look).await;
            look = if is_settled { LOOK } else { (look * 2).min(LOOK_MAX) };
        }
    }

    /// Whether nothing is under way: each attempt that runs waits for something, no worker is free for a request that waits, and no
    /// delivery is due or being attempted.
    async fn is_settled(&self) -> Result<bool, StoreError> {
        let queues = self.store.statistics().await?.queues;
        let running: u64 = queues.iter().map(|queue| queue.running).sum();
        let claimable = queues
            .iter()
            .any(|queue| queue.paused_at.is_none() && queue.waiting > 0 && queue.running < self.slots);
        if claimable || running > self.clock.attempts_at_rest() as u64 {
            return Ok(false);
        }
        let due = self.store.next_delivery().await?;
        Ok(due.is_none_or(|at| at > self.clock.now()) && (self.deliveries_are_idle)())
    }
}
