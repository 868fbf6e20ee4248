//! A store in memory, as naive as can be: a list of requests, looked through from its beginning each time. It calls the same
//! commands as every store does. What differs between the two is therefore how facts are gathered and decisions are written.

mod outbox;

pub(super) use outbox::Due;

use super::{ATTEMPT_MAX, account};
use crate::{DeliveryState, Submission, SubmitRefused, WorkRefused};
use clipia_api::Progress;
use clipia_api::types::Output;
use clipia_queue::commands::claim::{First, first};
use clipia_queue::commands::end::{self, Books, Ending};
use clipia_queue::commands::requeue::{self, Lost, Requeued, Worker, is_lost};
use clipia_queue::commands::submit::{self, Asked, Checked, NewRecord, Submit};
use clipia_queue::commands::{Now, StoredRequest, grant, lease};
use clipia_queue::idempotency::is_kept;
use clipia_queue::leases::Lease;
use clipia_queue::ledger::{Balance, cost};
use clipia_queue::lifecycle::{Epoch, Phase};
use clipia_queue::position::{Place, Ticket};
use clipia_queue::{Credits, Failure, Moment, RequestId};
use outbox::Delivery;

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
    delivery: Option<Delivery>,
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
            *sandbox == key.sandbox && asked && is_kept(record.expires_at, at)
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
        let (row, delivery, record) = match &submission.sample {
            Some(output) => {
                let sampled = new.sample(accepted, output, self.sandbox_kept, now);
                self.sandbox_kept += 1;
                (sampled.request, sampled.delivery.as_ref().map(Delivery::new), sampled.record)
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
                self.tail = accepted.request.ticket.0;
                (accepted.request, None, accepted.record)
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
            life: row.life,
            queue: submission.queue.clone(),
            ticket: row.ticket,
            attempt_max: ATTEMPT_MAX,
            elsewhere: submission.elsewhere,
            progress: row.progress,
            cost: submission.cost,
            webhook_url: submission.webhook_url.clone(),
            base_url: submission.base_url.clone(),
            created_at: row.created_at,
        };
        self.requests.push(Kept { request, lease: None, charged: row.charged, delivery });
        Ok((submission.id, row.life.phase))
    }

    /// The request of the least place leaves the queue.
    pub(super) fn claim(&mut self, at: Moment) -> Option<(RequestId, Epoch)> {
        let waits = |kept: &&mut Kept| kept.request.place().is_some();
        let kept = self.requests.iter_mut().filter(waits).min_by_key(|kept| kept.request.place())?;
        let First::Claimed(claimed) = first(&kept.request, &[], now_of(at)).unwrap() else {
            return None;
        };
        (kept.request.life, kept.request.progress) = (claimed.life, claimed.progress);
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

    pub(super) fn lose(&mut self, id: RequestId, epoch: Epoch, at: Moment) -> Result<(), WorkRefused> {
        let (request, why) = (self.request(id)?, Failure::generation("it crashed"));
        let lost = requeue::report_lost(&request, epoch, &why, now_of(at))?;
        self.lost(&request, lost, at).map(drop)
    }

    /// Writes what becomes of a request whose attempt was lost; whether it waits again.
    fn lost(&mut self, request: &StoredRequest, lost: Lost<'_>, at: Moment) -> Result<bool, WorkRefused> {
        match lost {
            Lost::Requeued(decided) => {
                self.requeue(request.id, &decided);
                Ok(true)
            }
            Lost::Ends(ending) => self.settle(request, ending, at).map(|()| false),
        }
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
            let lost = requeue::lose(&request, now_of(at)).unwrap();
            match self.lost(&request, lost, at).unwrap() {
                true => requeued += 1,
                false => failed += 1,
            }
        }
        (requeued, failed)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        let ahead = |of: Place| {
            let places = self.requests.iter().filter_map(|kept| kept.request.place());
            places.filter(|place| *place < of).count() as u64
        };
        let seen = self.requests.iter().map(|Kept { request, charged, delivery, .. }| Seen {
            id: request.id,
            phase: request.life.phase,
            position: request.place().map_or(0, ahead),
            progress: request.progress.percent(),
            cost: cost(request.cost, *charged),
            delivery: delivery.as_ref().map(|delivery| (delivery.stored.state, delivery.stored.attempts)),
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
        let delivery = ended.delivery.as_ref().map(Delivery::new);
        let kept = self.find(request.id).ok_or(WorkRefused::Unknown)?;
        (kept.request.life, kept.charged, kept.lease) = (ended.life, Some(ended.charged), None);
        kept.delivery = delivery;
        Ok(())
    }

    fn requeue(&mut self, id: RequestId, requeued: &Requeued) {
        if let Some(kept) = self.find(id) {
            (kept.request.life, kept.request.progress) = (requeued.life, requeued.progress);
            kept.lease = None;
        }
    }
}
