//! What workers and operators do to requests: the facts are read here and the decisions are written here. The commands of
//! `clipia-queue` decide.

use super::settlement::settle;
use super::stored::{Facts, Locked, request};
use super::values::values;
use super::writing::Writing;
use super::{leases, logs, set_aside};
use clipia_queue::RequestId;
use clipia_queue::commands::end::{self, Books};
use clipia_queue::commands::requeue::{self, Lost, Requeued, Worker, is_lost};
use clipia_queue::commands::{Now, lease};
use clipia_queue::lifecycle::{Epoch, Lifecycle};
use clipia_queue::logs::LogLines;
use clipia_store::counters::Happened;
use clipia_store::living::LivingAttempts;
use clipia_store::{Beat, Failure, StoreError, StoreEvent, WorkRefused};

/// How many leases that have expired are looked at a time.
pub(crate) const RESCUED_AT_ONCE: usize = 500;

/// Prolongs leases, records progress and keeps log lines. Each beat decides before it changes anything: one that is refused leaves
/// the others as they are.
pub(crate) async fn beat_many(
    w: &Writing,
    beats: Vec<Beat>,
) -> Result<Vec<Result<(), WorkRefused>>, StoreError> {
    let now = w.now().await?;
    // All requests are locked before one is changed, in the order of their ids.
    let mut ids: Vec<_> = beats.iter().map(|beat| beat.id.0).collect();
    ids.sort_unstable();
    ids.dedup();
    let of = w.memory.months.of(&ids);
    w.later(
        format!("SELECT 1 FROM request{of} WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE"),
        values![ids],
    );
    let mut answers = Vec::with_capacity(beats.len());
    for beat in beats {
        answers.push(match self::beat(w, beat, now).await {
            Err(WorkRefused::Store(error)) => return Err(error),
            answer => answer,
        });
    }
    Ok(answers)
}

async fn beat(w: &Writing, Beat { id, epoch, progress, logs }: Beat, now: Now) -> Result<(), WorkRefused> {
    let Locked { request, lease } = request(w, id).await?;
    let beat = lease::beat(&request, lease, epoch, progress, now)?;
    leases::prolong(w, id, &beat.lease);
    if beat.progress != request.progress {
        let of = w.memory.months.of(&[id.0]);
        w.later(
            format!("UPDATE request{of} SET progress = $2 WHERE id = $1"),
            values![id, beat.progress.percent()],
        );
    }
    Ok(logs::append(w, id, epoch, logs, now).await?)
}

pub(crate) async fn log(
    w: &Writing,
    id: RequestId,
    epoch: Epoch,
    lines: LogLines,
) -> Result<(), WorkRefused> {
    lease::log(&request(w, id).await?.request, epoch)?;
    let now = w.now().await?;
    Ok(logs::append(w, id, epoch, lines, now).await?)
}

pub(crate) async fn hold(w: &Writing, id: RequestId, epoch: Epoch) -> Result<(), WorkRefused> {
    let Locked { request, lease } = request(w, id).await?;
    let now = w.now().await?;
    leases::prolong(w, id, &lease::hold(&request, lease, epoch, now)?);
    Ok(())
}

/// A request whose end may come, with its books, and the time.
async fn with_books(w: &Writing, id: RequestId) -> Result<(Locked, Books, Now), WorkRefused> {
    let mut facts = Facts::lock(w, vec![id.0]).await?;
    let locked = facts.requests.remove(&id).ok_or(WorkRefused::Unknown)?;
    let books = facts.books(&locked.request);
    Ok((locked, books, w.now().await?))
}

pub(crate) async fn cancel(w: &Writing, id: RequestId) -> Result<(), WorkRefused> {
    let (locked, books, now) = with_books(w, id).await?;
    settle(w, &locked, end::cancel(&locked.request)?, books, now)?;
    w.event(StoreEvent::RequestCanceled { id });
    Ok(())
}

pub(crate) async fn release(w: &Writing, id: RequestId, epoch: Epoch) -> Result<(), WorkRefused> {
    let locked = request(w, id).await?;
    let now = w.now().await?;
    let requeued = requeue::release(&locked.request, epoch, now)?;
    requeue(w, &locked, &requeued);
    Ok(())
}

/// Writes a lifecycle that has not ended.
fn set(w: &Writing, id: RequestId, life: Lifecycle, progress: u8) {
    let of = w.memory.months.of(&[id.0]);
    w.later(
        format!("UPDATE request{of} SET phase = $2, epoch = $3, rescues = $4, progress = $5 WHERE id = $1"),
        values![id, life.phase.name(), life.epoch.0, life.rescues, progress],
    );
}

/// Writes that a request waits again.
fn requeue(w: &Writing, locked: &Locked, requeued: &Requeued) {
    let request = &locked.request;
    set(w, request.id, requeued.life, requeued.progress.percent());
    leases::end(w, request.id, locked.lease, &requeued.lease);
    set_aside::take(w, &request.queue, requeued.place, &request.account, request.id);
}

/// The requests whose worker may be gone, those whose leases expired first before the others.
pub(crate) async fn expired(w: &Writing, living: &LivingAttempts) -> Result<Vec<RequestId>, StoreError> {
    let now = w.now().await?;
    let rows = w
        .query(
            "SELECT r.id, r.epoch, l.claimed_at, l.deadline_at, l.until
             FROM lease l JOIN request r ON r.id = l.request WHERE l.until <= $1 ORDER BY l.until, l.request",
            values![now.steady],
        )
        .await?;
    let mut lost = Vec::new();
    for row in rows {
        let (id, epoch) = (row.request("id")?, Epoch(row.get("epoch")?));
        let worker = if living.holds(&(id, epoch)) { Worker::Living } else { Worker::Unknown };
        if leases::lease(&row)?.is_some_and(|lease| is_lost(&lease, worker, now)) {
            lost.push(id);
        }
        if lost.len() >= RESCUED_AT_ONCE {
            break;
        }
    }
    Ok(lost)
}

/// Takes a request back whose lease has expired, unless its worker beat meanwhile. Nothing where it was left alone.
pub(crate) async fn rescue(
    w: &Writing,
    id: RequestId,
    living: &LivingAttempts,
) -> Result<Option<Taken>, WorkRefused> {
    let (locked, books, now) = match with_books(w, id).await {
        Err(WorkRefused::Unknown) => return Ok(None),
        found => found?,
    };
    let worker = match living.holds(&(id, locked.request.life.epoch)) {
        true => Worker::Living,
        false => Worker::Unknown,
    };
    if !locked.lease.is_some_and(|lease| is_lost(&lease, worker, now)) {
        return Ok(None);
    }
    lease_lost(w, &locked, books, now).map(Some)
}

/// Takes requests back that a session has whose worker was revoked. All that is concerned is locked first, in its order. Returns
/// how many there are.
pub(crate) async fn take_back(w: &Writing, ids: Vec<RequestId>) -> Result<u64, WorkRefused> {
    let mut facts = Facts::lock(w, ids.iter().map(|id| id.0).collect()).await?;
    let (now, mut taken) = (w.now().await?, 0);
    for id in ids {
        let Some(locked) = facts.requests.remove(&id) else { continue };
        // Its worker may have reported an end meanwhile.
        if locked.lease.is_none() {
            continue;
        }
        if let Taken::Ended(left) = lease_lost(w, &locked, facts.books(&locked.request), now)? {
            facts.settled(&locked.request.account, &locked.request.key_id, left);
        }
        taken += 1;
    }
    Ok(taken)
}

/// What became of a request that was taken back.
pub(crate) enum Taken {
    /// It waits again.
    Requeued,
    /// It failed, and left these books.
    Ended(Books),
}

/// Writes that a lease was lost.
fn lease_lost(w: &Writing, locked: &Locked, books: Books, now: Now) -> Result<Taken, WorkRefused> {
    let lost = requeue::lose(&locked.request, now)?;
    w.happened(Happened::LeaseLost);
    write_lost(w, locked, lost, books, now)
}

pub(crate) async fn lose(w: &Writing, id: RequestId, epoch: Epoch, why: &Failure) -> Result<(), WorkRefused> {
    let (locked, books, now) = with_books(w, id).await?;
    let lost = requeue::report_lost(&locked.request, epoch, why, now)?;
    write_lost(w, &locked, lost, books, now).map(drop)
}

/// Writes what becomes of a request whose attempt was lost.
fn write_lost(
    w: &Writing,
    locked: &Locked,
    lost: Lost<'_>,
    books: Books,
    now: Now,
) -> Result<Taken, WorkRefused> {
    match lost {
        Lost::Requeued(requeued) => {
            requeue(w, locked, &requeued);
            w.work_submitted(&locked.request.queue);
            Ok(Taken::Requeued)
        }
        Lost::Ends(ending) => settle(w, locked, ending, books, now).map(Taken::Ended),
    }
}
