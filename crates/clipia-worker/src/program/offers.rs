//! Warm processes that wait for a job.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{oneshot, watch};

/// Offers to take a job of type `J`. The longest waiting process gets the next job.
pub(super) struct Offers<J> {
    waiting: Mutex<VecDeque<oneshot::Sender<J>>>,
    changed: watch::Sender<()>,
}

impl<J> Offers<J> {
    pub(super) fn new() -> Self {
        Self { waiting: Mutex::default(), changed: watch::Sender::new(()) }
    }

    /// Offers to take a job. The offer ends when the receiver is closed or dropped.
    pub(super) fn offer(&self) -> oneshot::Receiver<J> {
        let (sender, job) = oneshot::channel();
        self.lock().push_back(sender);
        self.changed.send_replace(());
        job
    }

    /// Gives `job` to a process, once one offers to take it.
    pub(super) async fn give(&self, mut job: J) {
        let mut changed = self.changed.subscribe();
        loop {
            while let Some(offer) = self.next() {
                match offer.send(job) {
                    Ok(()) => return,
                    Err(refused) => job = refused,
                }
            }
            // `self` owns the sender, so this does not fail.
            let _ = changed.changed().await;
        }
    }

    /// Waits until a process offers to take a job.
    pub(super) async fn any(&self) {
        let mut changed = self.changed.subscribe();
        loop {
            if self.is_any() {
                return;
            }
            let _ = changed.changed().await;
        }
    }

    fn is_any(&self) -> bool {
        let mut waiting = self.lock();
        waiting.retain(|offer| !offer.is_closed());
        !waiting.is_empty()
    }

    fn next(&self) -> Option<oneshot::Sender<J>> {
        self.lock().pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<oneshot::Sender<J>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn a_job_goes_to_a_process_that_still_offers() {
        let offers = Arc::new(Offers::new());
        drop(offers.offer());
        let waiting = Arc::clone(&offers);
        let given = tokio::spawn(async move {
            waiting.any().await;
            waiting.give(7).await;
        });
        tokio::task::yield_now().await;
        assert!(!given.is_finished());
        let mut gone = offers.offer();
        gone.close();
        assert_eq!(offers.offer().await, Ok(7));
        given.await.unwrap();
    }
}
