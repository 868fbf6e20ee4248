//! Hands on what the store tells of its commits: each event wakes whoever waits for it.

use crate::lines::Lines;
use crate::store::{Store, StoreEvent};
use clipia_queue::RequestId;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

/// How many canceled requests are remembered for workers that are slow to hear of them. One that has missed some asks the
/// store.
pub(crate) const CANCELED_KEPT: usize = 64;

/// Which request was canceled; nothing where events were missed, so that it may have been any.
pub(crate) type Canceled = Option<RequestId>;

/// Whom the store's events wake.
#[derive(Clone)]
pub(crate) struct Wakers {
    /// The workers of each queue.
    pub(crate) lines: Lines,
    /// The dispatcher of deliveries.
    pub(crate) outbox_changed: Arc<Notify>,
    /// The workers whose request was canceled.
    pub(crate) canceled: broadcast::Sender<Canceled>,
}

impl Wakers {
    pub(crate) fn new(lines: Lines) -> Self {
        Self { lines, outbox_changed: Arc::default(), canceled: broadcast::Sender::new(CANCELED_KEPT) }
    }

    fn wake(&self, event: &StoreEvent) {
        match event {
            StoreEvent::WorkSubmitted { queue } => self.lines.wake(queue),
            StoreEvent::OutboxChanged => self.outbox_changed.notify_one(),
            StoreEvent::RequestCanceled { id } => drop(self.canceled.send(Some(*id))),
            // The store forgets the key by itself, and nothing here remembers keys.
            _ => {}
        }
    }

    /// Has everybody look again: nobody knows what was missed.
    fn wake_all(&self) {
        self.lines.wake_all();
        self.outbox_changed.notify_one();
        let _ = self.canceled.send(None);
    }
}

/// Hands on the store's events until `stop`. It may be run again after a panic.
pub(crate) async fn hand_on(store: Arc<dyn Store>, wakers: Wakers, stop: CancellationToken) {
    let events = store.events();
    // What was told before.
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
            // The store is gone.
            Err(RecvError::Closed) => return stop.cancelled().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use uuid::Uuid;

    #[tokio::test]
    async fn each_event_wakes_whom_it_concerns_and_missed_events_wake_all() {
        let (wakers, stop) = (Wakers::new(Lines::new(["a", "b"])), CancellationToken::new());
        let (a, b) = (wakers.lines.notices("a"), wakers.lines.notices("b"));
        let mut canceled = wakers.canceled.subscribe();
        let (events, receiver) = broadcast::channel(2);
        let is_woken =
            async |who: &Notify| tokio::time::timeout(Duration::from_millis(1), who.notified()).await.is_ok();

        let id = RequestId(Uuid::from_u128(7));
        events.send(StoreEvent::WorkSubmitted { queue: "b".into() }).unwrap();
        events.send(StoreEvent::RequestCanceled { id }).unwrap();
        let following = follow(receiver, &wakers, &stop);
        tokio::pin!(following);
        let told = tokio::select! {
            () = &mut following => None,
            told = canceled.recv() => told.unwrap(),
        };
        assert_eq!(told, Some(id));
        let woken = (is_woken(&a).await, is_woken(&b).await, is_woken(&wakers.outbox_changed).await);
        assert_eq!(woken, (false, true, false));

        for _ in 0..3 {
            events.send(StoreEvent::WorkSubmitted { queue: "b".into() }).unwrap();
        }
        let told = tokio::select! {
            () = &mut following => Some(id),
            told = canceled.recv() => told.unwrap(),
        };
        assert_eq!(told, None, "it may have been any");
        assert!(is_woken(&a).await && is_woken(&b).await && is_woken(&wakers.outbox_changed).await);

        stop.cancel();
        following.await;
    }
}
