//! Workers on other machines, in random sequences.

use super::super::{NODE, workers};
use super::Both;
use crate::{Holder, WorkerSession};
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Epoch;
use std::sync::Arc;

impl Both<'_> {
    /// A session of the worker in force.
    fn session(&self, number: usize) -> WorkerSession {
        workers::session(&format!("worker-{}", self.workers), number as u128)
    }

    /// The process itself, or one of two sessions.
    pub(super) fn holder(&mut self) -> Holder {
        let session = match self.below(3) {
            0 => None,
            number => Some(self.session(number)),
        };
        Holder { node: NODE, session }
    }

    /// The worker of the next number comes into force.
    pub(super) async fn another_worker(&mut self) {
        self.workers += 1;
        let name = format!("worker-{}", self.workers);
        let mut worker = workers::worker(&name, 0);
        worker.hash.0[..4].copy_from_slice(&self.workers.to_be_bytes());
        self.fixture.store.create_worker(worker).await.unwrap();
        self.reference.create_worker(&name);
    }

    /// An operator makes the worker quiet, has it claim again, or revokes it and makes another one.
    pub(super) async fn administer_worker(&mut self) -> String {
        let (at, store) = (self.now(), Arc::clone(&self.fixture.store));
        let name = format!("worker-{}", self.workers);
        match self.below(4) {
            0 => {
                let leases = store.revoke_worker(&name).await.unwrap();
                assert_eq!(leases, self.reference.revoke_worker(&name, at));
                assert_eq!(store.revoke_worker(&name).await.unwrap(), None);
                self.another_worker().await;
                format!("revoke {name} with {leases:?} leases")
            }
            number => {
                let quiet = number == 1;
                let is_known = store.set_quiet(&name, quiet).await.unwrap();
                assert_eq!(is_known, self.reference.set_quiet(&name, quiet));
                format!("{name} is quiet: {quiet}")
            }
        }
    }

    /// Both know the same of the sessions, and of the latest `most` claims.
    pub(super) async fn attempts_agree(&mut self, most: usize, when: &str) {
        let store = Arc::clone(&self.fixture.store);
        for session in [self.session(1), self.session(2)] {
            let stored = store.claims_of(&session).await.unwrap();
            let stored: Vec<_> = stored.iter().map(|claim| (claim.id, claim.epoch)).collect();
            assert_eq!(stored, self.reference.claims_of(&session), "{when}");
        }
        let latest: Vec<(RequestId, Epoch)> = self.claims.iter().rev().take(most).copied().collect();
        for (id, epoch) in latest {
            let stored = store.attempt_of_session(id, epoch).await.unwrap();
            assert!(
                stored.as_ref().is_none_or(|attempt| attempt.ended.is_none() == attempt.claim.is_some()),
                "{when}"
            );
            let stored = stored.map(|attempt| (attempt.session, attempt.ended));
            assert_eq!(stored, self.reference.attempt_of_session(id, epoch), "{when}");
        }
    }
}
