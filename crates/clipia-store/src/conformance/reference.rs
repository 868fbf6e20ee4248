//! A store in memory, as naive as can be: a list of requests, looked through from its beginning each time. It calls the same
//! commands as every store does. What differs between the two is therefore how facts are gathered and decisions are written.

use super::{ATTEMPT_MAX, account};
use crate::{DeliveryState, Submission, SubmitRefused, WorkRefused};
use clipia_api::Progress;
use clipia_api::types::Output;
use clipia_queue::commands::attempt::{self, AfterAttempt, Made};
use clipia_queue::commands::claim::{First, first};
use clipia_queue::commands::end::{self, Books, Ending};
use clipia_queue::commands::outbox::is_abandoned_by_sender;
use clipia_queue::commands::requeue::{self, Lost, Requeued, Worker, is_lost};
use clipia_queue::commands::submit::{self, Asked, Checked, NewRecord, Submit};
use clipia_queue::commands::{Now, StoredRequest, grant, lease};
use clipia_queue::deliveries::{StoredDelivery, is_scheduled};
use clipia_queue::leases::Lease;
use clipia_queue::ledger::Balance;
use clipia_queue::lifecycle::{Epoch, Phase};
use clipia_queue::position::Ticket;
use clipia_queue::{Credits, Failure, Moment, RequestId};
use std::time::Duration;

/// One account with its key, and a key of its sandbox.
#[derive(Default)]
pub(super) struct Reference {
    balance: Balance,
    in_flight: u32,
    sandbox_kept: u32,
    tail: i64,
    pub(super) requests: Vec<Kept>,
    records: Vec<(bool, String, NewRecord)>,
}

/// A request with all that hangs on it.
pub(super) struct Kept {
    pub(super) request: StoredRequest,
    lease: Option<Lease>,
    charged: Option<Credits>,
    delivery: Option<(StoredDelivery, u32)>,
}

/// A request as its caller sees it.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) id: RequestId,
    pub(super) phase: Phase,
    pub(super) position: u64,
    pub(super) progress: u8,
    pub(super) cost: Credits,
    /// Its delivery: its state and the attempts of the schedule.
    pub(super) delivery: Option<(DeliveryState, u32)>,
}

/// A delivery that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub(super) request: RequestId,
    pub(super) number: u32,
    pub(super) replay: bool,
}

fn now_of(steady: Moment) -> Now {
    Now { steady, wall: steady }
}

impl Reference {
    pub(super) fn available(&self) -> Credits {
        self.balance.available
    }

    pub(super) fn grant(&mut self, credits: Credits) {
        self.balance = grant::grant(self.balance, credits).unwrap().balance;
    }

    pub(super) fn submit(
        &mut self,
        submission: &Submission,
        at: Moment,
    ) -> Result<(RequestId, Phase), SubmitRefused> {
        let (key, now) = (&submission.key, now_of(at));
        let named = |(sandbox, name, record): &(bool, String, NewRecord)| {
            let asked = submission.idempotency.as_ref().is_some_and(|(asked, _)| asked == name);
            *sandbox == key.sandbox && asked && record.expires_at > at
        };
        let recorded = self.records.iter().find(|record| named(record)).map(|(_, _, record)| record.record);
        let fingerprint = submission.idempotency.as_ref().map(|(_, fingerprint)| *fingerprint);
        let asked = Asked { key_in_force: true, sandbox: key.sandbox, fingerprint, recorded };
        let new = match submit::check(asked)? {
            Checked::New(new) => new,
            Checked::Repeated(repeats) => {
                let kept = self.find(repeats.id).unwrap();
                return Ok((repeats.id, kept.request.life.phase));
            }
        };
        let accepted = Submit {
            id: submission.id,
            model: &submission.model,
            cost: submission.cost,
            limits: key.limits,
            webhook_url: submission.webhook_url.as_deref(),
            base_url: &submission.base_url,
        };
        let (life, ticket, charged, delivered, record) = match &submission.sample {
            Some(output) => {
                let sampled = new.sample(accepted, output, self.sandbox_kept, now);
                self.sandbox_kept += 1;
                let delivered = sampled.delivery.is_some();
                (sampled.life, Ticket(0), Some(sampled.charged), delivered, sampled.record)
            }
            None => {
                let facts = submit::Account {
                    balance: self.balance,
                    in_flight: self.in_flight,
                    tail: Ticket(self.tail),
                };
                let accepted = new.accept(accepted, facts, now)?;
                self.balance = accepted.entry.balance;
                self.in_flight = accepted.in_flight;
                self.tail = accepted.place.ticket.0;
                (accepted.life, accepted.place.ticket, None, false, accepted.record)
            }
        };
        let name = submission.idempotency.as_ref().map(|(name, _)| name.clone());
        self.records.extend(name.zip(record).map(|(name, record)| (key.sandbox, name, record)));
        let request = StoredRequest {
            id: submission.id,
            account: account(),
            key_id: key.id.clone(),
            sandbox: key.sandbox,
            model: submission.model.clone(),
            life,
            queue: submission.queue.clone(),
            ticket,
            attempt_max: ATTEMPT_MAX,
            elsewhere: false,
            progress: Progress::new(0),
            cost: submission.cost,
            webhook_url: submission.webhook_url.clone(),
            base_url: submission.base_url.clone(),
            created_at: at,
        };
        let delivery = delivered.then(|| (new_delivery(at), 0));
        self.requests.push(Kept { request, lease: None, charged, delivery });
        Ok((submission.id, life.phase))
    }

    /// The request of the least place leaves the queue.
    pub(super) fn claim(&mut self, at: Moment) -> Option<(RequestId, Epoch)> {
        let waits = |kept: &&mut Kept| kept.request.life.phase == Phase::Queued;
        let kept = self.requests.iter_mut().filter(waits).min_by_key(|kept| kept.request.place())?;
        let First::Claimed(claimed) = first(&kept.request, &[], now_of(at)).unwrap() else {
            return None;
        };
        kept.request.life = claimed.life;
        kept.request.progress = Progress::new(0);
        kept.lease = Some(claimed.lease);
        Some((kept.request.id, claimed.life.epoch))
    }

    pub(super) fn beat(
        &mut self,
        id: RequestId,
        epoch: Epoch,
        progress: Progress,
        at: Moment,
    ) -> Result<(), WorkRefused> {
        let kept = self.find(id).ok_or(WorkRefused::Unknown)?;
        let beat = lease::beat(&kept.request, kept.lease, epoch, progress, now_of(at))?;
        (kept.lease, kept.request.progress) = (Some(beat.lease), beat.progress);
        Ok(())
    }

    pub(super) fn hold(&mut self, id: RequestId, epoch: Epoch, at: Moment) -> Result<(), WorkRefused> {
        let kept = self.find(id).ok_or(WorkRefused::Unknown)?;
        kept.lease = Some(lease::hold(&kept.request, kept.lease, epoch, now_of(at))?);
        Ok(())
    }

    pub(super) fn complete(&mut self, id: RequestId, epoch: Epoch, at: Moment) -> Result<(), WorkRefused> {
        let (request, output) = (self.request(id)?, Output::default());
        self.settle(&request, end::complete(&request, epoch, &output)?, at)
    }

    pub(super) fn fail(&mut self, id: RequestId, epoch: Epoch, at: Moment) -> Result<(), WorkRefused> {
        let (request, why) = (self.request(id)?, Failure::generation("no fox"));
        self.settle(&request, end::fail(&request, epoch, &why)?, at)
    }

    pub(super) fn cancel(&mut self, id: RequestId, at: Moment) -> Result<(), WorkRefused> {
        let request = self.request(id)?;
        self.settle(&request, end::cancel(&request)?, at)
    }

    pub(super) fn release(&mut self, id: RequestId, epoch: Epoch, at: Moment) -> Result<(), WorkRefused> {
        let requeued = requeue::release(&self.request(id)?, epoch, now_of(at))?;
        self.requeue(id, &requeued);
        Ok(())
    }

    /// Takes back what no worker has any more; how many requests wait again, and how many failed.
    pub(super) fn rescue(&mut self, at: Moment) -> (u64, u64) {
        let lost = |kept: &&Kept| {
            kept.lease.as_ref().is_some_and(|lease| is_lost(lease, Worker::Unknown, now_of(at)))
        };
        let mut lost: Vec<&Kept> = self.requests.iter().filter(lost).collect();
        lost.sort_by_key(|kept| kept.lease.map(|lease| lease.until));
        let (mut requeued, mut failed) = (0, 0);
        for request in lost.into_iter().map(|kept| kept.request.clone()).collect::<Vec<_>>() {
            match requeue::lose(&request, now_of(at)).unwrap() {
                Lost::Requeued(decided) => {
                    self.requeue(request.id, &decided);
                    requeued += 1;
                }
                Lost::Ends(ending) => {
                    self.settle(&request, ending, at).unwrap();
                    failed += 1;
                }
            }
        }
        (requeued, failed)
    }

    /// Takes every delivery that is due.
    pub(super) fn claim_deliveries(&mut self, lease: Duration, at: Moment) -> Vec<Due> {
        let mut taken = Vec::new();
        for kept in &mut self.requests {
            let Some((delivery, logged)) = &mut kept.delivery else { continue };
            delivery.claimed_until =
                delivery.claimed_until.filter(|until| !is_abandoned_by_sender(*until, false, at));
            if delivery.claimed_until.is_none() && delivery.next_at().is_some_and(|next| next <= at) {
                delivery.claimed_until = Some(at + lease);
                let replay = !is_scheduled(delivery.state, delivery.due_at, at);
                taken.push(Due { request: kept.request.id, number: *logged + 1, replay });
            }
        }
        taken
    }

    /// Records an attempt; says how many of the schedule there were before.
    pub(super) fn record(&mut self, due: Due, started: Moment, next: AfterAttempt, at: Moment) {
        let Some((delivery, logged)) = self.find(due.request).and_then(|kept| kept.delivery.as_mut()) else {
            return;
        };
        let of_schedule = (!due.replay).then_some(delivery.attempts + 1);
        let made = Made { of_schedule, started, next };
        if let Some(recorded) = attempt::record(*delivery, due.number <= *logged, made, now_of(at)) {
            *logged += u32::from(recorded.logs);
            *delivery = recorded.delivery;
        }
    }

    /// How many attempts of the schedule the delivery of a request has had.
    pub(super) fn attempts(&self, id: RequestId) -> u32 {
        let kept = self.requests.iter().find(|kept| kept.request.id == id);
        kept.and_then(|kept| kept.delivery).map_or(0, |(delivery, _)| delivery.attempts)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        let waiting = |kept: &&Kept| kept.request.life.phase == Phase::Queued;
        let ahead = |of: &StoredRequest| {
            let before =
                self.requests.iter().filter(waiting).filter(|kept| kept.request.place() < of.place());
            before.count() as u64
        };
        let seen = self.requests.iter().map(|Kept { request, charged, delivery, .. }| Seen {
            id: request.id,
            phase: request.life.phase,
            position: if request.life.phase == Phase::Queued { ahead(request) } else { 0 },
            progress: request.progress.percent(),
            cost: charged.unwrap_or(request.cost),
            delivery: delivery.map(|(delivery, _)| (delivery.state, delivery.attempts)),
        });
        seen.collect()
    }

    fn find(&mut self, id: RequestId) -> Option<&mut Kept> {
        self.requests.iter_mut().find(|kept| kept.request.id == id)
    }

    fn request(&mut self, id: RequestId) -> Result<StoredRequest, WorkRefused> {
        Ok(self.find(id).ok_or(WorkRefused::Unknown)?.request.clone())
    }

    fn settle(&mut self, request: &StoredRequest, ending: Ending<'_>, at: Moment) -> Result<(), WorkRefused> {
        let books = Books { balance: self.balance, in_flight: self.in_flight };
        let ended = ending.settle(books, now_of(at))?;
        (self.balance, self.in_flight) = (ended.entry.balance, ended.in_flight);
        let delivery = ended.delivery.is_some().then(|| (new_delivery(at), 0));
        let kept = self.find(request.id).ok_or(WorkRefused::Unknown)?;
        (kept.request.life, kept.charged, kept.lease) = (ended.life, Some(ended.charged), None);
        kept.delivery = delivery;
        Ok(())
    }

    fn requeue(&mut self, id: RequestId, requeued: &Requeued) {
        if let Some(kept) = self.find(id) {
            kept.request.life = requeued.life;
            kept.request.progress = Progress::new(0);
            kept.lease = None;
        }
    }
}

fn new_delivery(at: Moment) -> StoredDelivery {
    StoredDelivery {
        state: DeliveryState::Pending,
        attempts: 0,
        due_at: at,
        replay_at: None,
        claimed_until: None,
        postponed: false,
        settled_at: None,
    }
}
