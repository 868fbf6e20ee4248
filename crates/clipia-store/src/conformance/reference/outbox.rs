//! The deliveries of the store in memory: every list is looked through from its beginning.

use super::{Kept, Reference, now_of};
use crate::deliveries::{DeliveryClaim, DeliveryHost, DeliveryOwner};
use clipia_queue::commands::attempt::{self, AfterAttempt, Made};
use clipia_queue::commands::delivery::NewDelivery;
use clipia_queue::commands::outbox::{self, Sender};
use clipia_queue::commands::take::{self, Decision, Left, Round, Taking};
use clipia_queue::deliveries::StoredDelivery;
use clipia_queue::{Moment, RequestId};
use std::collections::HashSet;

/// A delivery, and the number of its attempts in the log.
pub(super) struct Delivery {
    pub(super) host: String,
    pub(super) stored: StoredDelivery,
    logged: u32,
}

impl Delivery {
    pub(super) fn new(new: &NewDelivery<'_>) -> Self {
        Self { host: new.host.clone(), stored: new.stored, logged: 0 }
    }
}

/// A delivery that a sender has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::conformance) struct Due {
    pub(in crate::conformance) request: RequestId,
    pub(in crate::conformance) number: u32,
    pub(in crate::conformance) attempts: u32,
    pub(in crate::conformance) replay: bool,
}

fn host_of(kept: &Kept, delivery: &Delivery) -> DeliveryHost {
    let owner = DeliveryOwner { account: kept.request.account.clone(), sandbox: kept.request.sandbox };
    DeliveryHost { owner, host: delivery.host.clone() }
}

/// A claim of deliveries as it goes on.
struct Claiming<'a> {
    reference: &'a mut Reference,
    claim: &'a DeliveryClaim,
    taking: Taking<'a>,
    due: Vec<Due>,
    at: Moment,
}

impl Claiming<'_> {
    /// The deliveries that a sender may take, those that are due the longest first.
    fn candidates(
        &self,
        wanted: impl Fn(&DeliveryHost, &StoredDelivery) -> bool,
    ) -> Vec<(RequestId, DeliveryHost)> {
        let mut found = Vec::new();
        for kept in &self.reference.requests {
            let Some(delivery) = &kept.delivery else { continue };
            let host = host_of(kept, delivery);
            if delivery.stored.is_due(self.at) && wanted(&host, &delivery.stored) {
                found.push((delivery.stored.next_at(), kept.request.id, host));
            }
        }
        found.sort_by_key(|(next_at, ..)| *next_at);
        found.into_iter().map(|(_, id, host)| (id, host)).collect()
    }

    fn take_postponed(&mut self, most: u32) {
        for host in self.taking.hosts() {
            let Some(wanted) = self.taking.wanted(host, most).filter(|_| !self.taking.has(most)) else {
                continue;
            };
            let mut found = self.candidates(|of, stored| of == host && wanted.takes(stored, self.at));
            found.truncate(usize::try_from(wanted.most).unwrap());
            self.taking.found(host, wanted, found.len());
            for (id, host) in found {
                self.take(id, &host);
            }
        }
    }

    fn take_due(&mut self, most: u32) {
        for (id, host) in self.candidates(|_, stored| !stored.postponed) {
            if self.taking.has(most) {
                return;
            }
            let stored = &mut self.reference.delivery(id).unwrap().stored;
            match self.taking.decide(&host, stored.is_scheduled(self.at)) {
                Decision::Take => self.take(id, &host),
                Decision::Postpone => {
                    *stored = take::postponed(*stored);
                    self.taking.postpone(&host);
                }
            }
        }
    }

    fn take(&mut self, id: RequestId, host: &DeliveryHost) {
        let delivery = self.reference.delivery(id).unwrap();
        self.due.push(Due {
            request: id,
            number: attempt::number_after(delivery.logged),
            attempts: delivery.stored.attempts,
            replay: !delivery.stored.is_scheduled(self.at),
        });
        delivery.stored = take::taken(delivery.stored, self.claim.lease, self.at);
        self.taking.take(host);
    }
}

impl Reference {
    fn delivery(&mut self, id: RequestId) -> Option<&mut Delivery> {
        self.find(id)?.delivery.as_mut()
    }

    /// Changes every delivery of which `change` makes another; says how many there were.
    fn change(&mut self, change: impl Fn(StoredDelivery) -> Option<StoredDelivery>) -> u64 {
        let mut changed = 0;
        for delivery in self.requests.iter_mut().filter_map(|kept| kept.delivery.as_mut()) {
            if let Some(after) = change(delivery.stored) {
                delivery.stored = after;
                changed += 1;
            }
        }
        changed
    }

    /// Takes deliveries that are due. No sender of a claim lives that has expired.
    pub(in crate::conformance) fn claim_deliveries(
        &mut self,
        claim: &DeliveryClaim,
        at: Moment,
    ) -> (Vec<Due>, Left) {
        self.change(|delivery| outbox::free(delivery, Sender::Unknown, at));
        let taking = Taking::new(claim.most, claim.most_of_host, &claim.hosts, claim.shares.clone());
        let mut claiming = Claiming { reference: self, claim, taking, due: Vec::new(), at };
        for round in claiming.taking.rounds() {
            match round {
                Round::Postponed(most) => claiming.take_postponed(most),
                Round::Due(most) => claiming.take_due(most),
            }
        }
        (claiming.due, claiming.taking.left())
    }

    /// Records an attempt at a delivery that was taken.
    pub(in crate::conformance) fn record(
        &mut self,
        due: Due,
        started: Moment,
        next: AfterAttempt,
        at: Moment,
    ) {
        let Some(delivery) = self.delivery(due.request) else { return };
        let of_schedule = (!due.replay).then_some(due.attempts + 1);
        let made = Made { of_schedule, started, next };
        if let Some(recorded) =
            attempt::record(delivery.stored, due.number <= delivery.logged, made, now_of(at))
        {
            delivery.logged += u32::from(recorded.logs);
            delivery.stored = recorded.delivery;
        }
    }

    /// An operator has the delivery of a request attempted; false where there is none.
    pub(in crate::conformance) fn replay(&mut self, id: RequestId, at: Moment) -> bool {
        let Some(delivery) = self.delivery(id) else { return false };
        delivery.stored = outbox::replay(delivery.stored, now_of(at));
        true
    }

    /// An operator has those attempted that were given up; says how many.
    pub(in crate::conformance) fn replay_failed(&mut self, since: Moment, at: Moment) -> u64 {
        self.change(|delivery| {
            outbox::is_replayed(&delivery, since).then(|| outbox::replay(delivery, now_of(at)))
        })
    }

    /// Gives up those that were postponed and have been due since before `since`; says how many.
    pub(in crate::conformance) fn give_up(&mut self, since: Moment, at: Moment) -> u64 {
        self.change(|delivery| outbox::give_up(delivery, since, now_of(at)))
    }

    /// An operator resumes held deliveries, or abandons them; says how many.
    pub(in crate::conformance) fn end_hold(&mut self, resumes: bool, at: Moment) -> u64 {
        self.change(|delivery| match resumes {
            true => outbox::resume(delivery, now_of(at)),
            false => outbox::abandon(delivery, now_of(at)),
        })
    }

    /// When the next delivery is due that is neither taken nor postponed.
    pub(in crate::conformance) fn next_delivery(&self) -> Option<Moment> {
        let deliveries = self.requests.iter().filter_map(|kept| kept.delivery.as_ref());
        let waiting = deliveries.map(|delivery| delivery.stored);
        let waiting = waiting.filter(|stored| stored.claimed_until.is_none() && !stored.postponed);
        waiting.filter_map(|stored| stored.next_at()).min()
    }

    /// The hosts of which deliveries are postponed.
    pub(in crate::conformance) fn postponed_hosts(&self) -> HashSet<DeliveryHost> {
        let deliveries = self.requests.iter().filter_map(|kept| Some((kept, kept.delivery.as_ref()?)));
        let postponed = deliveries.filter(|(_, delivery)| delivery.stored.postponed);
        postponed.map(|(kept, delivery)| host_of(kept, delivery)).collect()
    }
}
