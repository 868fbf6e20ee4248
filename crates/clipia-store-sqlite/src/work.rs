//! What workers, and operators, do to requests. Everything a worker says carries its epoch, and the lifecycle decides.

use super::aside;
use super::audit;
use super::counters::Happened;
use super::leases;
use super::position::{PlaceInLine, lane_after};
use super::requests::{leave, stand};
use super::rows::{credits, from_json, key, lifecycle, phase_name};
use super::settlement::{End, Ending, end};
use super::writer::Writing;
use crate::ids;
use crate::store::living::LivingAttempts;
use crate::store::{
    AccountId, AttemptEnd, Beat, Claim, ClaimPast, Failure, NodeId, Rescued, StoreError, WorkRefused,
};
use clipia_api::types::Output;
use clipia_queue::lifecycle::{Epoch, Event, Lifecycle, Phase};
use clipia_queue::position::Place;
use clipia_queue::{Moment, RequestId};
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;
use uuid::Uuid;

/// How many lost leases are taken back in one transaction, so that a crash of many holds nobody up.
pub(crate) const RESCUED_AT_ONCE: usize = 500;

/// How many requests one claim sets aside at most, so that it holds nobody up.
const SET_ASIDE_AT_ONCE: usize = 200;

/// What a change of a request needs of its row.
struct Row {
    life: Lifecycle,
    /// Where it stands, or would if it waited.
    at: PlaceInLine,
    attempt_max: Duration,
    /// Whether it starts from an image that has to be fetched.
    elsewhere: bool,
    ending: Ending,
}

fn row(c: &Connection, id: RequestId) -> Result<Row, WorkRefused> {
    let mut statement = c.prepare_cached("SELECT * FROM request WHERE id = ?1")?;
    let mut rows = statement.query([key(id)])?;
    let row = rows.next()?.ok_or(WorkRefused::Unknown)?;
    Ok(Row {
        life: lifecycle(row)?,
        at: PlaceInLine::of_request(row)?,
        attempt_max: Duration::from_micros(row.get::<_, i64>("attempt_max")?.unsigned_abs()),
        elsewhere: row.get("elsewhere")?,
        ending: Ending {
            id,
            account: AccountId(row.get("account")?),
            key_id: row.get("api_key")?,
            sandbox: row.get("sandbox")?,
            model: row.get("model")?,
            cost: credits(row.get("cost")?)?,
            webhook_url: row.get("webhook_url")?,
            base_url: row.get("base_url")?,
        },
    })
}

pub(crate) fn claim(
    w: &Writing<'_>,
    queue: &str,
    node: NodeId,
    limit: usize,
    full: &[AccountId],
    now: Moment,
) -> Result<ClaimPast, StoreError> {
    let (mut past, mut set_aside) = (ClaimPast::default(), 0);
    while past.claims.len() < limit {
        match take_first(w, queue, node, full, now)? {
            First::Nobody => return Ok(past),
            First::Claimed(claim) => past.claims.push(*claim),
            First::Aside(account) => {
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

/// What became of the first in line.
enum First {
    Nobody,
    Claimed(Box<Claim>),
    Aside(AccountId),
}

fn take_first(
    w: &Writing<'_>,
    queue: &str,
    node: NodeId,
    full: &[AccountId],
    now: Moment,
) -> Result<First, StoreError> {
    let first: Option<(Uuid, PlaceInLine)> = w
        .prepare_cached(
            "DELETE FROM queue_item WHERE (queue, lane, ticket) =
                (SELECT queue, lane, ticket FROM queue_item WHERE queue = ?1 ORDER BY lane, ticket LIMIT 1)
             RETURNING request, queue, lane, ticket",
        )?
        .query_row([queue], |row| Ok((row.get("request")?, PlaceInLine::of(row)?)))
        .optional()?;
    let Some((id, at)) = first else {
        return Ok(First::Nobody);
    };
    let id = RequestId(id);
    let unreadable = |refused: WorkRefused| match refused {
        WorkRefused::Store(error) => error,
        other => StoreError::Unreadable(format!("request {id} in line: {other}")),
    };
    let row = row(w, id).map_err(unreadable)?;
    if row.elsewhere && full.contains(&row.ending.account) {
        aside::set(w, &row.ending.account, &at, id)?;
        return Ok(First::Aside(row.ending.account));
    }
    w.leaves(at);
    let next = row.life.apply(Event::Claim).map_err(|refused| unreadable(refused.into()))?.next;
    set(w, id, next)?;
    leases::give(w, id, node, row.attempt_max, now)?;
    if row.life.epoch == Epoch::default() {
        // By the steady clock: what is told of it is by one that may be set.
        let waited = ids::made(id.0).map_or(Duration::ZERO, |submitted| now.since(submitted));
        w.happened(Happened::Waited(waited));
    }
    let input: String = w
        .prepare_cached("SELECT input FROM request_content WHERE request = ?1")?
        .query_row([key(id)], |row| row.get(0))?;
    Ok(First::Claimed(Box::new(Claim {
        id,
        account: row.ending.account,
        key_id: row.ending.key_id,
        epoch: next.epoch,
        model: row.ending.model,
        input: from_json(&input)?,
        base_url: row.ending.base_url,
    })))
}

/// Stores a lifecycle that has not ended. Another attempt starts at no progress.
fn set(w: &Writing<'_>, id: RequestId, life: Lifecycle) -> Result<(), StoreError> {
    w.standing_changed(id);
    w.prepare_cached("UPDATE request SET phase = ?2, epoch = ?3, rescues = ?4, progress = 0 WHERE id = ?1")?
        .execute(params![key(id), phase_name(life.phase), life.epoch.0, life.rescues])?;
    Ok(())
}

/// Prolongs leases and records progress. Each beat decides before it changes anything, so that one that is refused leaves the
/// others as they are.
pub(crate) fn beat_many(
    w: &Writing<'_>,
    beats: &[Beat],
    now: Moment,
) -> Result<Vec<Result<(), WorkRefused>>, StoreError> {
    let answers = beats.iter().map(|beat| match self::beat(w, *beat, now) {
        Err(WorkRefused::Store(error)) => Err(error),
        answer => Ok(answer),
    });
    answers.collect()
}

fn beat(w: &Writing<'_>, Beat { id, epoch, progress }: Beat, now: Moment) -> Result<(), WorkRefused> {
    row(w, id)?.life.apply(Event::Beat(epoch))?;
    leases::prolong(w, id, now)?;
    w.standing_changed(id);
    w.prepare_cached("UPDATE request SET progress = max(progress, ?2) WHERE id = ?1")?
        .execute(params![key(id), progress.percent()])?;
    Ok(())
}

pub(crate) fn hold(w: &Writing<'_>, id: RequestId, epoch: Epoch, now: Moment) -> Result<(), WorkRefused> {
    let row = row(w, id)?;
    row.life.apply(Event::Beat(epoch))?;
    leases::hold(w, id, row.attempt_max, now)?;
    Ok(())
}

pub(crate) fn complete(
    w: &Writing<'_>,
    id: RequestId,
    epoch: Epoch,
    output: &Output,
    now: Moment,
) -> Result<(), WorkRefused> {
    let row = row(w, id)?;
    let transition = row.life.apply(Event::Complete(epoch))?;
    end(w, &row.ending, transition, &End::Output(output), AttemptEnd::Completed, now)
}

pub(crate) fn fail(
    w: &Writing<'_>,
    id: RequestId,
    epoch: Epoch,
    why: &Failure,
    now: Moment,
) -> Result<(), WorkRefused> {
    let row = row(w, id)?;
    let transition = row.life.apply(Event::Fail(epoch))?;
    end(w, &row.ending, transition, &End::Failure(why), AttemptEnd::Failed, now)
}

pub(crate) fn cancel(w: &Writing<'_>, id: RequestId, now: Moment) -> Result<(), WorkRefused> {
    let row = row(w, id)?;
    let transition = row.life.apply(Event::Cancel)?;
    if row.life.phase == Phase::Queued {
        leave(w, row.at.clone())?;
    }
    end(w, &row.ending, transition, &End::Canceled, AttemptEnd::Canceled, now)?;
    audit::record(w, "request canceled", &id.to_string(), "", now)?;
    Ok(())
}

pub(crate) fn release(w: &Writing<'_>, id: RequestId, epoch: Epoch, now: Moment) -> Result<(), WorkRefused> {
    let row = row(w, id)?;
    let next = row.life.apply(Event::Release(epoch))?.next;
    requeue(w, &row, next, AttemptEnd::Released, now)?;
    Ok(())
}

/// Puts a request in line again, by its old ticket and ahead of those that never ran.
fn requeue(
    w: &Writing<'_>,
    row: &Row,
    next: Lifecycle,
    how: AttemptEnd,
    now: Moment,
) -> Result<(), StoreError> {
    let id = row.ending.id;
    set(w, id, next)?;
    leases::end(w, id, next.epoch, how, now)?;
    let place = Place { lane: lane_after(next.epoch), ..row.at.place };
    stand(w, PlaceInLine { queue: row.at.queue.clone(), place }, id)
}

/// Which leases are taken back.
#[derive(Clone, Copy)]
pub(crate) enum Leases<'l> {
    /// Every one: the nodes that have them are gone.
    All,
    /// Those that have expired, but of the living attempts only those that are overdue.
    Expired(&'l LivingAttempts),
}

/// Takes back some of the requests whose worker is gone.
pub(crate) fn rescue(w: &Writing<'_>, which: Leases<'_>, now: Moment) -> Result<Rescued, StoreError> {
    let over = match which {
        Leases::All => i64::MAX,
        Leases::Expired(_) => now.as_micros(),
    };
    let mut statement = w.prepare_cached(
        "SELECT request.id, request.epoch, lease.deadline_at FROM lease JOIN request ON request.id = lease.request
         WHERE lease.until <= ?1 ORDER BY lease.until",
    )?;
    let mut rows = statement.query([over])?;
    let mut lost = Vec::new();
    while lost.len() < RESCUED_AT_ONCE
        && let Some(row) = rows.next()?
    {
        let (id, epoch) = (RequestId(row.get(0)?), Epoch(row.get(1)?));
        let is_living = match which {
            Leases::All => false,
            Leases::Expired(living) => row.get::<_, i64>(2)? > over && living.holds(&(id, epoch)),
        };
        if !is_living {
            lost.push(id);
        }
    }
    drop(rows);
    let mut rescued = Rescued::default();
    for id in lost {
        match lose(w, id, now) {
            Ok(Phase::Queued) => rescued.requeued += 1,
            Ok(_) => rescued.failed += 1,
            Err(WorkRefused::Store(error)) => return Err(error),
            Err(other) => return Err(StoreError::Unreadable(format!("request {id} with a lease: {other}"))),
        }
    }
    Ok(rescued)
}

/// A lease was lost: another turn, or the end where there were too many.
fn lose(w: &Writing<'_>, id: RequestId, now: Moment) -> Result<Phase, WorkRefused> {
    let row = row(w, id)?;
    let transition = row.life.apply(Event::Lose(row.life.epoch))?;
    w.happened(Happened::LeaseLost);
    if transition.next.phase == Phase::Queued {
        requeue(w, &row, transition.next, AttemptEnd::Lost, now)?;
        w.work_submitted(&row.at.queue);
    } else {
        let why = Failure::generation("the generation was interrupted too often; its credits were returned");
        end(w, &row.ending, transition, &End::Failure(&why), AttemptEnd::Lost, now)?;
    }
    Ok(transition.next.phase)
}
