//! A store in memory, as naive as can be: a list of requests, looked through from its beginning each time. It calls the same
//! commands as every store does. What differs between the two is therefore how facts are gathered and decisions are written.

mod outbox;
mod workers;

pub(super) use outbox::Due;

use super::ATTEMPT_MAX;
use crate::{AccountId, Beat, DeliveryState, Submission, SubmitRefused, WorkRefused, WorkerSession};
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
use clipia_queue::limits::KeyUse;
use clipia_queue::logs::{Block, LogFigures, LogLines, SHOWN_LINES_MAX, append};
use clipia_queue::position::{Lane, Order, Place, Ticket};
use clipia_queue::{Credits, Failure, Moment, RequestId};
use outbox::Delivery;
use std::collections::HashMap;

/// Accounts with their keys, one of them with a key of its sandbox, and one queue.
#[derive(Default)]
pub(super) struct Reference {
    balances: HashMap<AccountId, Balance>,
    used: HashMap<String, KeyUse>,
    sandbox_kept: u32,
    tail: i64,
    /// The accounts of which new requests wait, the next one first.
    ring: Vec<AccountId>,
    order: Order,
    is_paused: bool,
    pub(super) requests: Vec<Kept>,
    records: Vec<(AccountId, bool, String, NewRecord)>,
    /// The workers in force, and which of them are quiet.
    workers: HashMap<String, bool>,
}

/// A request with all that hangs on it.
pub(super) struct Kept {
    pub(super) request: StoredRequest,
    lease: Option<Lease>,
    /// Its claims, in order.
    claims: Vec<workers::Held>,
    charged: Option<Credits>,
    delivery: Option<Delivery>,
    /// What its attempts logged, in order.
    logs: Vec<(Epoch, Block)>,
    /// The figures of the running attempt's log.
    log: LogFigures,
}

/// A request as its caller sees it.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) id: RequestId,
    pub(super) account: AccountId,
    pub(super) phase: Phase,
    pub(super) position: u64,
    pub(super) progress: u8,
    pub(super) cost: Credits,
    /// Its delivery: its state and the attempts of the schedule.
    pub(super) delivery: Option<(DeliveryState, u32)>,
}

impl Kept {
    fn append(&mut self, epoch: Epoch, report: LogLines) {
        let appended = append(epoch, self.log, report);
        let forgotten = appended.forgotten.unwrap_or_default();
        self.logs.retain(|(epoch, _)| *epoch > forgotten);
        self.logs.extend(appended.blocks.into_iter().map(|block| (epoch, block)));
        self.log = appended.figures;
        while self.log.is_over() {
            let oldest = self.logs.iter().position(|(of, _)| *of == epoch).unwrap();
            let (_, block) = self.logs.remove(oldest);
            self.log = self.log.without(block.lines.len() as u64, block.bytes() as u64);
        }
    }
}

fn now_of(steady: Moment) -> Now {
    Now { steady, wall: steady }
}

impl Reference {
    pub(super) fn available(&self, account: &AccountId) -> Credits {
        self.balance(account).available
    }

    pub(super) fn grant(&mut self, account: &AccountId, credits: Credits) {
        let balance = grant::grant(self.balance(account), credits).unwrap().balance;
        self.balances.insert(account.clone(), balance);
    }

    pub(super) fn set_order(&mut self, order: Order) {
        self.order = order;
    }

    /// Pauses or resumes the queue. False where it is so already.
    pub(super) fn pause(&mut self, is_paused: bool) -> bool {
        std::mem::replace(&mut self.is_paused, is_paused) != is_paused
    }

    fn balance(&self, account: &AccountId) -> Balance {
        self.balances.get(account).copied().unwrap_or_default()
    }

    pub(super) fn used(&self, key: &str) -> KeyUse {
        self.used.get(key).copied().unwrap_or_default()
    }

    pub(super) fn submit(
        &mut self,
        submission: &Submission,
        at: Moment,
    ) -> Result<(RequestId, Phase), SubmitRefused> {
        let (key, now) = (&submission.key, now_of(at));
        let named = |(account, sandbox, name, record): &(AccountId, bool, String, NewRecord)| {
            let asked = submission.idempotency.as_ref().is_some_and(|(asked, _)| asked == name);
            *account == key.account && *sandbox == key.sandbox && asked && is_kept(record.expires_at, at)
        };
        let recorded = self.records.iter().find(|record| named(record)).map(|(.., record)| record.record);
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
                    balance: self.balance(&key.account),
                    used: self.used(&key.id),
                    tail: Ticket(self.tail),
                };
                let accepted = new.accept(accepted, facts, now)?;
                self.balances.insert(key.account.clone(), accepted.entry.balance);
                self.used.insert(key.id.clone(), accepted.used);
                self.tail = accepted.request.ticket.0;
                (accepted.request, None, accepted.record)
            }
        };
        let name = submission.idempotency.as_ref().map(|(name, _)| name.clone());
        let record = name.zip(record).map(|(name, record)| (key.account.clone(), key.sandbox, name, record));
        self.records.extend(record);
        let request = StoredRequest {
            id: submission.id,
            account: key.account.clone(),
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
        self.requests.push(Kept {
            request,
            lease: None,
            claims: Vec::new(),
            charged: row.charged,
            delivery,
            logs: Vec::new(),
            log: LogFigures::default(),
        });
        if row.life.phase == Phase::Queued && !self.ring.contains(&key.account) {
            self.ring.push(key.account.clone());
        }
        Ok((submission.id, row.life.phase))
    }

    /// The first request leaves the queue. Its account goes to the end, if it was a new one.
    pub(super) fn claim(&mut self, by: Option<&WorkerSession>, at: Moment) -> Option<(RequestId, Epoch)> {
        if self.is_paused || by.is_some_and(|by| !self.may_claim(&by.worker)) {
            return None;
        }
        let (id, place) = *self.waiting().first()?;
        let kept = self.find(id)?;
        let First::Claimed(claimed) = first(&kept.request, &[], now_of(at)).unwrap() else {
            return None;
        };
        (kept.request.life, kept.request.progress) = (claimed.life, claimed.progress);
        (kept.lease, kept.log) = (Some(claimed.lease), LogFigures::default());
        kept.claims.push(workers::Held::new(claimed.life.epoch, by));
        let account = kept.request.account.clone();
        if place.lane == Lane::New {
            self.ring.retain(|of| *of != account);
            self.ring.push(account);
        }
        self.forget_who_waits_no_more();
        Some((id, claimed.life.epoch))
    }

    /// All requests that wait, in the order of their claims, which is simulated to its end.
    fn waiting(&self) -> Vec<(RequestId, Place)> {
        let of = |lane: Lane| {
            let requests = self.requests.iter().map(|kept| &kept.request);
            let placed = requests.filter_map(|request| Some((request, request.place()?)));
            let mut placed: Vec<_> = placed.filter(|(_, place)| place.lane == lane).collect();
            placed.sort_by_key(|(_, place)| *place);
            placed
        };
        let mut all = of(Lane::Requeued);
        let mut new = of(Lane::New);
        if self.order == Order::Fifo {
            all.append(&mut new);
        }
        let mut ring = self.ring.clone();
        while !new.is_empty() {
            let account = ring.remove(0);
            if let Some(nth) = new.iter().position(|(request, _)| request.account == account) {
                all.push(new.remove(nth));
                ring.push(account);
            }
        }
        all.into_iter().map(|(request, place)| (request.id, place)).collect()
    }

    /// Accounts without a new request that waits leave the ring.
    fn forget_who_waits_no_more(&mut self) {
        let waits = |account: &AccountId, kept: &Kept| {
            let place = kept.request.place();
            kept.request.account == *account && place.is_some_and(|place| place.lane == Lane::New)
        };
        self.ring.retain(|account| self.requests.iter().any(|kept| waits(account, kept)));
    }

    pub(super) fn beat(&mut self, beat: Beat, at: Moment) -> Result<(), WorkRefused> {
        let kept = self.find(beat.id).ok_or(WorkRefused::Unknown)?;
        let decided = lease::beat(&kept.request, kept.lease, beat.epoch, beat.progress, now_of(at))?;
        (kept.lease, kept.request.progress) = (Some(decided.lease), decided.progress);
        kept.append(beat.epoch, beat.logs);
        Ok(())
    }

    pub(super) fn log(&mut self, id: RequestId, epoch: Epoch, logs: LogLines) -> Result<(), WorkRefused> {
        let kept = self.find(id).ok_or(WorkRefused::Unknown)?;
        lease::log(&kept.request, epoch)?;
        kept.append(epoch, logs);
        Ok(())
    }

    /// Each line that is kept of a request's log, with its attempt and its number.
    pub(super) fn logged(&mut self, id: RequestId) -> Vec<(Epoch, u64, String)> {
        let blocks = self.find(id).map(|kept| kept.logs.clone()).unwrap_or_default();
        let numbered = |(epoch, block): (Epoch, Block)| {
            (block.offset + 1..).zip(block.lines).map(move |(number, line)| (epoch, number, line))
        };
        blocks.into_iter().flat_map(numbered).collect()
    }

    /// The log lines in a request's status: all those of its latest attempt, cut to the last.
    pub(super) fn shown(&mut self, id: RequestId) -> Vec<String> {
        let Some(epoch) = self.find(id).map(|kept| kept.request.life.epoch) else { return Vec::new() };
        let lines = self.logged(id).into_iter().filter(|(of, _, _)| *of == epoch);
        let mut lines: Vec<String> = lines.map(|(_, _, line)| line).collect();
        lines.split_off(lines.len().saturating_sub(SHOWN_LINES_MAX))
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
        let waiting = self.waiting();
        let ahead = |of: RequestId| waiting.iter().position(|(id, _)| *id == of).unwrap_or(0) as u64;
        let seen = self.requests.iter().map(|Kept { request, charged, delivery, .. }| Seen {
            id: request.id,
            account: request.account.clone(),
            phase: request.life.phase,
            position: ahead(request.id),
            progress: request.progress.percent(),
            cost: cost(request.cost, *charged),
            delivery: delivery.as_ref().map(|delivery| (delivery.stored.state, delivery.stored.attempts)),
        });
        seen.collect()
    }

    /// The account of a request.
    pub(super) fn account_of(&mut self, id: RequestId) -> Option<AccountId> {
        Some(self.find(id)?.request.account.clone())
    }

    fn find(&mut self, id: RequestId) -> Option<&mut Kept> {
        self.requests.iter_mut().find(|kept| kept.request.id == id)
    }

    fn request(&mut self, id: RequestId) -> Result<StoredRequest, WorkRefused> {
        Ok(self.find(id).ok_or(WorkRefused::Unknown)?.request.clone())
    }

    fn settle(&mut self, request: &StoredRequest, ending: Ending<'_>, at: Moment) -> Result<(), WorkRefused> {
        let (balance, used) = (self.balance(&request.account), self.used(&request.key_id));
        let ended = ending.settle(Books { balance, used }, now_of(at))?;
        self.balances.insert(request.account.clone(), ended.entry.balance);
        self.used.insert(request.key_id.clone(), ended.used);
        let delivery = ended.delivery.as_ref().map(Delivery::new);
        let kept = self.find(request.id).ok_or(WorkRefused::Unknown)?;
        kept.lease_ends(ended.lease.how);
        (kept.request.life, kept.charged) = (ended.life, Some(ended.charged));
        kept.delivery = delivery;
        self.forget_who_waits_no_more();
        Ok(())
    }

    fn requeue(&mut self, id: RequestId, requeued: &Requeued) {
        if let Some(kept) = self.find(id) {
            (kept.request.life, kept.request.progress) = (requeued.life, requeued.progress);
            kept.lease_ends(requeued.lease.how);
        }
    }
}
