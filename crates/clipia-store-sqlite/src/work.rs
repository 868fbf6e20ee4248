//! What workers and operators do to requests: the facts are read here and the decisions are written here. The commands of
//! `clipia-queue` decide.

use super::position::{QueuePlace, lane_number};
use super::requests::enqueue;
use super::rows::{from_json, key};
use super::settlement::settle;
use super::stored::request;
use super::writing::Writing;
use super::{leases, logs, set_aside, workers};
use crate::clock::both;
use crate::store::living::LivingAttempts;
use crate::store::{AccountId, Beat, Claim, ClaimPast, Failure, Holder, Rescued, StoreError, WorkRefused};
use clipia_api::Progress;
use clipia_api::types::Output;
use clipia_queue::commands::claim::{First, first};
use clipia_queue::commands::requeue::{self, Lost, Requeued, Worker, is_lost};
use clipia_queue::commands::{Now, StoredRequest, end, lease};
use clipia_queue::lifecycle::{Epoch, Lifecycle};
use clipia_queue::logs::LogLines;
use clipia_queue::position::Change;
use clipia_queue::{Moment, RequestId};
use clipia_store::counters::Happened;
use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

/// How many lost leases are taken back in one transaction: other commands do not wait for all of them.
pub(crate) const RESCUED_AT_ONCE: usize = 500;

/// How many requests one claim sets aside at most: other commands do not wait for more.
const SET_ASIDE_AT_ONCE: usize = 200;

pub(crate) fn claim(
    w: &Writing<'_>,
    queue: &str,
    holder: &Holder,
    limit: usize,
    full: &[AccountId],
    now: Moment,
) -> Result<ClaimPast, StoreError> {
    let (mut past, mut set_aside) = (ClaimPast::default(), 0);
    if let Some(of) = &holder.session
        && !workers::may_claim(w, &of.worker)?
    {
        return Ok(past);
    }
    while past.claims.len() < limit {
        match take_first(w, queue, holder, full, both(now))? {
            Taken::Nothing => return Ok(past),
            Taken::Claim(claim) => past.claims.push(*claim),
            Taken::Aside(account) => {
                if !past.aside.contains(&account) {
                    past.aside.push(account);
                }
                set_aside += 1;
                if set_aside == SET_ASIDE_AT_ONCE {
                    past.more = true;
                    return Ok(past);
                }
            }
        }
    }
    Ok(past)
}

/// What became of the first request of a queue.
enum Taken {
    Nothing,
    Claim(Box<Claim>),
    Aside(AccountId),
}

fn take_first(
    w: &Writing<'_>,
    queue: &str,
    holder: &Holder,
    full: &[AccountId],
    now: Now,
) -> Result<Taken, StoreError> {
    let Some(place) = w.first(queue) else {
        return Ok(Taken::Nothing);
    };
    let found: Option<Uuid> = w
        .prepare_cached(
            "DELETE FROM queue_item WHERE queue = ?1 AND lane = ?2 AND ticket = ?3 RETURNING request",
        )?
        .query_row(params![queue, lane_number(place.lane), place.ticket.0], |row| row.get(0))
        .optional()?;
    let id =
        found.ok_or_else(|| StoreError::Unreadable(format!("nothing in queue `{queue}` at {place:?}")))?;
    let id = RequestId(id);
    let unreadable = |refused: WorkRefused| match refused {
        WorkRefused::Store(error) => error,
        other => StoreError::Unreadable(format!("request {id} in the queue: {other}")),
    };
    let request = request(w, id).map_err(unreadable)?;
    let at = QueuePlace { queue: queue.to_owned(), account: request.account.clone(), place };
    let claimed = match first(&request, full, now).map_err(|refused| unreadable(refused.into()))? {
        First::Aside => {
            set_aside::set(w, at, id)?;
            return Ok(Taken::Aside(request.account));
        }
        First::Claimed(claimed) => claimed,
    };
    w.change_place(at, Change::Claim)?;
    set(w, id, claimed.life, claimed.progress)?;
    leases::give(w, id, holder, &claimed.lease)?;
    if let Some(waited) = claimed.waited {
        w.happened(Happened::Waited(waited));
    }
    let input: String = w
        .prepare_cached("SELECT input FROM request_content WHERE request = ?1")?
        .query_row([key(id)], |row| row.get(0))?;
    Ok(Taken::Claim(Box::new(Claim {
        id,
        account: request.account,
        key_id: request.key_id,
        epoch: claimed.life.epoch,
        model: request.model,
        input: from_json(&input)?,
        base_url: request.base_url,
    })))
}

/// Writes a lifecycle that has not ended.
fn set(w: &Writing<'_>, id: RequestId, life: Lifecycle, progress: Progress) -> Result<(), StoreError> {
    w.status_changed(id);
    w.prepare_cached("UPDATE request SET phase = ?2, epoch = ?3, rescues = ?4, progress = ?5 WHERE id = ?1")?
        .execute(params![key(id), life.phase.name(), life.epoch.0, life.rescues, progress.percent()])?;
    Ok(())
}

/// Prolongs leases, records progress and keeps log lines. Each beat decides before it changes anything: one that is refused leaves the others
/// as they are.
pub(crate) fn beat_many(
    w: &Writing<'_>,
    beats: Vec<Beat>,
    now: Moment,
) -> Result<Vec<Result<(), WorkRefused>>, StoreError> {
    let answers = beats.into_iter().map(|beat| match self::beat(w, beat, both(now)) {
        Err(WorkRefused::Store(error)) => Err(error),
        answer => Ok(answer),
    });
    answers.collect()
}

fn beat(w: &Writing<'_>, Beat { id, epoch, progress, logs }: Beat, now: Now) -> Result<(), WorkRefused> {
    let request = request(w, id)?;
    let beat = lease::beat(&request, leases::of(w, id)?, epoch, progress, now)?;
    leases::prolong(w, id, &beat.lease)?;
    w.status_changed(id);
    w.prepare_cached("UPDATE request SET progress = ?2 WHERE id = ?1")?
        .execute(params![key(id), beat.progress.percent()])?;
    Ok(logs::append(w, id, epoch, logs, now)?)
}

pub(crate) fn log(
    w: &Writing<'_>,
    id: RequestId,
    epoch: Epoch,
    lines: LogLines,
    now: Moment,
) -> Result<(), WorkRefused> {
    lease::log(&request(w, id)?, epoch)?;
    Ok(logs::append(w, id, epoch, lines, both(now))?)
}

pub(crate) fn hold(w: &Writing<'_>, id: RequestId, epoch: Epoch, now: Moment) -> Result<(), WorkRefused> {
    let lease = lease::hold(&request(w, id)?, leases::of(w, id)?, epoch, both(now))?;
    Ok(leases::prolong(w, id, &lease)?)
}

pub(crate) fn complete(
    w: &Writing<'_>,
    id: RequestId,
    epoch: Epoch,
    output: &Output,
    now: Moment,
) -> Result<(), WorkRefused> {
    let request = request(w, id)?;
    settle(w, &request, end::complete(&request, epoch, output)?, both(now))
}

pub(crate) fn fail(
    w: &Writing<'_>,
    id: RequestId,
    epoch: Epoch,
    why: &Failure,
    now: Moment,
) -> Result<(), WorkRefused> {
    let request = request(w, id)?;
    settle(w, &request, end::fail(&request, epoch, why)?, both(now))
}

pub(crate) fn cancel(w: &Writing<'_>, id: RequestId, now: Moment) -> Result<(), WorkRefused> {
    let request = request(w, id)?;
    settle(w, &request, end::cancel(&request)?, both(now))
}

pub(crate) fn release(w: &Writing<'_>, id: RequestId, epoch: Epoch, now: Moment) -> Result<(), WorkRefused> {
    let request = request(w, id)?;
    requeue(w, &request, &requeue::release(&request, epoch, both(now))?)?;
    Ok(())
}

/// Writes that a request waits again.
fn requeue(w: &Writing<'_>, request: &StoredRequest, requeued: &Requeued) -> Result<(), StoreError> {
    set(w, request.id, requeued.life, requeued.progress)?;
    leases::end(w, request.id, &requeued.lease)?;
    let (queue, account) = (request.queue.clone(), request.account.clone());
    enqueue(w, QueuePlace { queue, account, place: requeued.place }, request.id)
}

/// Which leases are taken back.
#[derive(Clone, Copy)]
pub(crate) enum Leases<'l> {
    /// Every one that a node has for its own workers: the nodes are gone.
    OfNodes,
    /// Those that have expired, but of the living attempts only those that are overdue.
    Expired(&'l LivingAttempts),
}

/// Takes back some of the requests whose worker is gone.
pub(crate) fn rescue(w: &Writing<'_>, which: Leases<'_>, now: Moment) -> Result<Rescued, StoreError> {
    let until = match which {
        Leases::OfNodes => i64::MAX,
        Leases::Expired(_) => now.as_micros(),
    };
    let mut statement = w.prepare_cached(
        "SELECT request.id, request.epoch, lease.claimed_at, lease.deadline_at, lease.until
         FROM lease JOIN request ON request.id = lease.request
         WHERE lease.until <= ?1 AND (?2 OR lease.session IS NULL) ORDER BY lease.until",
    )?;
    let mut rows = statement.query(params![until, matches!(which, Leases::Expired(_))])?;
    let mut lost = Vec::new();
    while lost.len() < RESCUED_AT_ONCE
        && let Some(row) = rows.next()?
    {
        let (id, epoch) = (RequestId(row.get("id")?), Epoch(row.get("epoch")?));
        let worker = match which {
            Leases::OfNodes => Worker::Gone,
            Leases::Expired(living) if living.holds(&(id, epoch)) => Worker::Living,
            Leases::Expired(_) => Worker::Unknown,
        };
        if is_lost(&leases::lease(row)?, worker, both(now)) {
            lost.push(id);
        }
    }
    drop(rows);
    let mut rescued = Rescued::default();
    for id in lost {
        match lease_lost(w, id, both(now)) {
            Ok(true) => rescued.requeued += 1,
            Ok(false) => rescued.failed += 1,
            Err(WorkRefused::Store(error)) => return Err(error),
            Err(other) => return Err(StoreError::Unreadable(format!("request {id} with a lease: {other}"))),
        }
    }
    Ok(rescued)
}

/// Writes that a lease was lost. Returns whether the request waits again.
pub(crate) fn lease_lost(w: &Writing<'_>, id: RequestId, now: Now) -> Result<bool, WorkRefused> {
    let request = request(w, id)?;
    let lost = requeue::lose(&request, now)?;
    w.happened(Happened::LeaseLost);
    write_lost(w, &request, lost, now)
}

pub(crate) fn lose(
    w: &Writing<'_>,
    id: RequestId,
    epoch: Epoch,
    why: &Failure,
    now: Moment,
) -> Result<(), WorkRefused> {
    let (request, now) = (request(w, id)?, both(now));
    let lost = requeue::report_lost(&request, epoch, why, now)?;
    write_lost(w, &request, lost, now).map(drop)
}

/// Writes what becomes of a request whose attempt was lost. Returns whether it waits again.
fn write_lost(
    w: &Writing<'_>,
    request: &StoredRequest,
    lost: Lost<'_>,
    now: Now,
) -> Result<bool, WorkRefused> {
    match lost {
        Lost::Requeued(requeued) => {
            requeue(w, request, &requeued)?;
            w.work_submitted(&request.queue);
            Ok(true)
        }
        Lost::Ends(ending) => settle(w, request, ending, now).map(|()| false),
    }
}
