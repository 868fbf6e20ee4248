//! The deliveries of webhooks: those that have come, and whether more are expected.

use crate::recent::Recent;
use clipia_api::types::{RequestId, ResultResponse};
use std::time::{Duration, Instant};

/// Delivered results that are kept for waits that begin later: a fleet of ten thousand, some 20 MB.
const DELIVERED_MAX: usize = 10_000;

/// How long delivered results are kept. The URLs of their files may expire.
const DELIVERED_FOR: Duration = Duration::from_secs(3_600);

/// After this many lost deliveries in a row, none are expected until one arrives. A delivery counts as lost when a poll
/// finds the end instead.
const MISSED_MAX: u32 = 3;

#[derive(Debug, Default)]
pub(super) struct Deliveries {
    /// Delivered results with the time of their arrival, for waits that begin later.
    delivered: Recent<(Instant, ResultResponse), DELIVERED_MAX>,
    /// Receivers of webhooks that are attached to the client.
    receivers: u32,
    /// Lost deliveries in a row.
    missed: u32,
}

impl Deliveries {
    /// The result of a generation, if a delivery has brought it already.
    pub(super) fn get(&self, now: Instant, id: &RequestId) -> Option<&ResultResponse> {
        let (at, result) = self.delivered.get(id)?;
        (now.saturating_duration_since(*at) <= DELIVERED_FOR).then_some(result)
    }

    /// Whether the end of a generation with a webhook is expected by a delivery.
    pub(super) fn are_expected(&self) -> bool {
        self.receivers > 0 && self.missed < MISSED_MAX
    }

    /// Keeps a delivered result.
    pub(super) fn arrived(&mut self, now: Instant, result: ResultResponse) {
        self.delivered.insert(result.request_id.clone(), (now, result));
        self.missed = 0;
    }

    /// Counts a lost delivery.
    pub(super) fn missed(&mut self) {
        self.missed = self.missed.saturating_add(1);
    }

    /// Counts a receiver that was attached to the client.
    pub(super) fn receiver_added(&mut self) {
        self.receivers = self.receivers.saturating_add(1);
    }

    /// Counts a receiver that was detached.
    pub(super) fn receiver_removed(&mut self) {
        self.receivers = self.receivers.saturating_sub(1);
    }
}
