//! Workers on other machines, in the naive store.

use super::{Kept, Reference, now_of};
use crate::WorkerSession;
use clipia_queue::commands::requeue;
use clipia_queue::leases::AttemptEnd;
use clipia_queue::lifecycle::Epoch;
use clipia_queue::{Moment, RequestId};

/// A claim, and who made it.
pub(super) struct Held {
    epoch: Epoch,
    /// Nothing where a worker of the process made it.
    session: Option<WorkerSession>,
    ended: Option<AttemptEnd>,
}

impl Held {
    pub(super) fn new(epoch: Epoch, by: Option<&WorkerSession>) -> Self {
        Self { epoch, session: by.cloned(), ended: None }
    }
}

impl Kept {
    /// The lease ends, if there is one.
    pub(super) fn lease_ends(&mut self, how: AttemptEnd) {
        if let (Some(_), Some(latest)) = (self.lease.take(), self.claims.last_mut()) {
            latest.ended = Some(how);
        }
    }
}

impl Reference {
    pub(in super::super) fn create_worker(&mut self, name: &str) {
        self.workers.insert(name.to_owned(), false);
    }

    pub(in super::super) fn set_quiet(&mut self, name: &str, quiet: bool) -> bool {
        self.workers.get_mut(name).map(|is_quiet| *is_quiet = quiet).is_some()
    }

    pub(super) fn may_claim(&self, name: &str) -> bool {
        self.workers.get(name) == Some(&false)
    }

    /// Revokes a worker; how many leases it had, if it is in force.
    pub(in super::super) fn revoke_worker(&mut self, name: &str, at: Moment) -> Option<u64> {
        self.workers.remove(name)?;
        let is_of_worker = |held: &Held| held.session.as_ref().is_some_and(|of| of.worker == name);
        let has = |kept: &&Kept| kept.lease.is_some() && kept.claims.last().is_some_and(is_of_worker);
        // Ids rise: the first request is taken back first.
        let mut lost: Vec<_> = self.requests.iter().filter(has).map(|kept| kept.request.clone()).collect();
        lost.sort_by_key(|request| request.id.0);
        for request in &lost {
            let lost = requeue::lose(request, now_of(at)).unwrap();
            self.lost(request, lost, at).unwrap();
        }
        Some(lost.len() as u64)
    }

    /// The claims of the leases of a session.
    pub(in super::super) fn claims_of(&self, session: &WorkerSession) -> Vec<(RequestId, Epoch)> {
        let of = |kept: &Kept| {
            let held = kept.claims.last().filter(|held| held.ended.is_none())?;
            (held.session.as_ref() == Some(session)).then_some((kept.request.id, held.epoch))
        };
        let mut claims: Vec<_> = self.requests.iter().filter_map(of).collect();
        claims.sort_by_key(|(id, _)| id.0);
        claims
    }

    /// Whose attempt it is, if it is a session's, and how it ended.
    pub(in super::super) fn attempt_of_session(
        &mut self,
        id: RequestId,
        epoch: Epoch,
    ) -> Option<(WorkerSession, Option<AttemptEnd>)> {
        let held = self.find(id)?.claims.iter().find(|held| held.epoch == epoch)?;
        held.session.clone().map(|session| (session, held.ended))
    }
}
