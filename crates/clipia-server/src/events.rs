//! The forwarding of the store's events: each event wakes the tasks that wait for it.

use crate::queues::Queues;
use crate::store::{Store, StoreEvent};
use clipia_worker::work::Canceled;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

/// The cancels that the channel to the workers holds. A worker that is slower misses some, and then asks the store.
pub(crate) const CANCELED_KEPT: usize = 64;

/// The tasks that the store's events wake.
#[derive(Clone)]
pub(crate) struct Wakers {
    /// The workers of each queue.
    pub(crate) queues: Queues,
    /// The dispatcher of deliveries.
    pub(crate) outbox_changed: Arc<Notify>,
    /// The workers whose request was canceled.
    pub(crate) canceled: broadcast::Sender<Canceled>,
}

impl Wakers {
    pub(crate) fn new(queues: Queues) -> Self {
        Self { queues, outbox_changed: Arc::default(), canceled: broadcast::Sender::new(CANCELED_KEPT) }
    }

    fn wake(&self, event: &StoreEvent) {
        match event {
            StoreEvent::WorkSubmitted { queue } => self.queues.wake(queue),
            StoreEvent::OutboxChanged => self.outbox_changed.notify_one(),
            StoreEvent::RequestCanceled { id } => drop(self.canceled.send(Some(*id))),
            // A revoked key: the store drops it from its cache, and this crate caches no keys.
            _ => {}
        }
    }

    /// Wakes every task, since the missed events are unknown.
    fn wake_all(&self) {
        self.queues.wake_all();
        self.outbox_changed.notify_one();
        let _ = self.canceled.send(None);
    }
}

/// Forwards the store's events until `stop`. It may be run again after a panic.
pub(crate) async fn forward(store: Arc<dyn Store>, wakers: Wakers, stop: CancellationToken) {
    let events = store.events();
    // Events before this subscription were missed.
    wakers.wake_all();
    follow(events, &wakers, &stop).await;
}

async fn follow(mut events: broadcast::Receiver<StoreEvent>, wakers: &Wakers, stop: &CancellationToken) {
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return,
            event = events.recv() => event,
        };
        match event {
            Ok(event) => wakers.wake(&event),
            Err(RecvError::Lagged(_)) => wakers.wake_all(),
            // The store is closed.
            Err(RecvError::Closed) => return stop.cancelled().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clipia_queue::RequestId;
    use prometheus_client::metrics::gauge::Gauge;
    use std::time::Duration;
    use uuid::Uuid;

    #[tokio::test]
    async fn an_event_wakes_the_tasks_it_concerns_and_missed_events_wake_all() {
        let (wakers, stop) =
            (Wakers::new(Queues::new(["a", "b"], &Gauge::default())), CancellationToken::new());
        let (a, b) = (wakers.queues.get("a").submitted, wakers.queues.get("b").submitted);
        let mut canceled = wakers.canceled.subscribe();
        let (events, receiver) = broadcast::channel(2);
        let is_woken =
            async |who: &Notify| tokio::time::timeout(Duration::from_millis(1), who.notified()).await.is_ok();

        let id = RequestId(Uuid::from_u128(7));
        events.send(StoreEvent::WorkSubmitted { queue: "b".into() }).unwrap();
        events.send(StoreEvent::RequestCanceled { id }).unwrap();
        let following = follow(receiver, &wakers, &stop);
        tokio::pin!(following);
        let received = tokio::select! {
            () = &mut following => None,
            received = canceled.recv() => received.unwrap(),
        };
        assert_eq!(received, Some(id));
        let woken = (is_woken(&a).await, is_woken(&b).await, is_woken(&wakers.outbox_changed).await);
        assert_eq!(woken, (false, true, false));

        for _ in 0..3 {
            events.send(StoreEvent::WorkSubmitted { queue: "b".into() }).unwrap();
        }
        let received = tokio::select! {
            () = &mut following => Some(id),
            received = canceled.recv() => received.unwrap(),
        };
        assert_eq!(received, None, "any request may be canceled");
        assert!(is_woken(&a).await && is_woken(&b).await && is_woken(&wakers.outbox_changed).await);

        stop.cancel();
        following.await;
    }
}
