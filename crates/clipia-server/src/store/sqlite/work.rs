//! What workers do to requests. Everything a worker says carries its epoch, and the lifecycle decides.

use super::requests::stand;
use super::rows::{credits, from_json, key, lifecycle, moment, phase_name};
use super::settlement::{End, Ending, end};
use crate::store::{AccountId, Claim, Failure, Rescued, StoreError, WorkRefused};
use clipia_api::Progress;
use clipia_api::types::{Output, RequestId};
use clipia_queue::lifecycle::{Epoch, Event, Lifecycle, Phase, Refused};
use clipia_queue::{Moment, leases};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

/// The lane of requests that had their turn and lost it.
const ANOTHER_TURN: i64 = 0;

/// What a change of a request needs of its row.
struct Row {
    life: Lifecycle,
    api_key: String,
    created_at: Moment,
    queue: String,
    ticket: i64,
    ending: Ending,
}

fn row(c: &Connection, id: RequestId) -> Result<Row, WorkRefused> {
    let mut statement = c.prepare_cached("SELECT * FROM request WHERE id = ?1")?;
    let mut rows = statement.query([key(id)])?;
    let row = rows.next()?.ok_or(WorkRefused::Unknown)?;
    Ok(Row {
        life: lifecycle(row)?,
        api_key: row.get("api_key")?,
        created_at: moment(row.get("created_at")?),
        queue: row.get("queue")?,
        ticket: row.get("ticket")?,
        ending: Ending {
            id,
            account: AccountId(row.get("account")?),
            model: row.get("model")?,
            cost: credits(row.get("cost")?)?,
            webhook_url: row.get("webhook_url")?,
            base_url: row.get("base_url")?,
        },
    })
}

pub(crate) fn claim(c: &Connection, queue: &str, now: Moment) -> Result<Option<Claim>, StoreError> {
    let first: Option<Uuid> = c
        .prepare_cached(
            "DELETE FROM queue_item WHERE (queue, lane, ticket) =
                (SELECT queue, lane, ticket FROM queue_item WHERE queue = ?1 ORDER BY lane, ticket LIMIT 1)
             RETURNING request",
        )?
        .query_row([queue], |row| row.get(0))
        .optional()?;
    let Some(id) = first.map(RequestId) else {
        return Ok(None);
    };
    let unreadable = |refused: WorkRefused| match refused {
        WorkRefused::Store(error) => error,
        other => StoreError::Unreadable(format!("request {id} in line: {other}")),
    };
    let row = row(c, id).map_err(unreadable)?;
    let next = row.life.apply(Event::Claim).map_err(|refused| unreadable(refused.into()))?.next;
    set(c, id, next)?;
    c.prepare_cached("INSERT INTO lease (request, claimed_at, until) VALUES (?1, ?2, ?3)")?
        .execute(params![key(id), now.as_micros(), leases::lease_until(now, now).as_micros()])?;
    let input: String = c
        .prepare_cached("SELECT input FROM request_content WHERE request = ?1")?
        .query_row([key(id)], |row| row.get(0))?;
    Ok(Some(Claim {
        id,
        key_id: row.api_key,
        submitted_at: row.created_at,
        epoch: next.epoch,
        model: row.ending.model,
        input: from_json(&input)?,
        base_url: row.ending.base_url,
    }))
}

/// Stores a lifecycle that has not ended. Another attempt starts at no progress.
fn set(c: &Connection, id: RequestId, life: Lifecycle) -> Result<(), StoreError> {
    c.prepare_cached("UPDATE request SET phase = ?2, epoch = ?3, rescues = ?4, progress = 0 WHERE id = ?1")?
        .execute(params![key(id), phase_name(life.phase), life.epoch.0, life.rescues])?;
    Ok(())
}

pub(crate) fn beat(
    c: &Connection,
    id: RequestId,
    epoch: Epoch,
    progress: Progress,
    now: Moment,
) -> Result<(), WorkRefused> {
    let life = row(c, id)?.life;
    if life.phase != Phase::Running || life.epoch != epoch {
        return Err(Refused::Stale { said: epoch, latest: life.epoch }.into());
    }
    let claimed_at: i64 = c
        .prepare_cached("SELECT claimed_at FROM lease WHERE request = ?1")?
        .query_row([key(id)], |row| row.get(0))?;
    c.prepare_cached("UPDATE lease SET until = ?2 WHERE request = ?1")?
        .execute(params![key(id), leases::lease_until(moment(claimed_at), now).as_micros()])?;
    c.prepare_cached("UPDATE request SET progress = max(progress, ?2) WHERE id = ?1")?
        .execute(params![key(id), progress.percent()])?;
    Ok(())
}

pub(crate) fn complete(
    c: &Connection,
    id: RequestId,
    epoch: Epoch,
    output: &Output,
    now: Moment,
) -> Result<(), WorkRefused> {
    let row = row(c, id)?;
    end(c, &row.ending, row.life.apply(Event::Complete(epoch))?, &End::Output(output), now)
}

pub(crate) fn fail(
    c: &Connection,
    id: RequestId,
    epoch: Epoch,
    why: &Failure,
    now: Moment,
) -> Result<(), WorkRefused> {
    let row = row(c, id)?;
    end(c, &row.ending, row.life.apply(Event::Fail(epoch))?, &End::Failure(why), now)
}

pub(crate) fn release(c: &Connection, id: RequestId, epoch: Epoch) -> Result<(), WorkRefused> {
    let row = row(c, id)?;
    let next = row.life.apply(Event::Release(epoch))?.next;
    requeue(c, &row, next)?;
    Ok(())
}

/// Puts a request in line again, by its old ticket and ahead of those that never ran.
fn requeue(c: &Connection, row: &Row, next: Lifecycle) -> Result<(), StoreError> {
    let id = row.ending.id;
    set(c, id, next)?;
    c.prepare_cached("DELETE FROM lease WHERE request = ?1")?.execute([key(id)])?;
    stand(c, &row.queue, ANOTHER_TURN, row.ticket, id)
}

pub(crate) fn rescue(c: &Connection, orphaned: bool, now: Moment) -> Result<Rescued, StoreError> {
    let due = if orphaned { i64::MAX } else { now.as_micros() };
    let mut statement = c.prepare_cached("SELECT request FROM lease WHERE until <= ?1")?;
    let lost: Vec<Uuid> = statement.query_map([due], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut rescued = Rescued::default();
    for id in lost.into_iter().map(RequestId) {
        match lose(c, id, now) {
            Ok(Phase::Queued) => rescued.requeued += 1,
            Ok(_) => rescued.failed += 1,
            Err(WorkRefused::Store(error)) => return Err(error),
            Err(other) => return Err(StoreError::Unreadable(format!("request {id} with a lease: {other}"))),
        }
    }
    Ok(rescued)
}

/// A lease was lost: another turn, or the end where there were too many.
fn lose(c: &Connection, id: RequestId, now: Moment) -> Result<Phase, WorkRefused> {
    let row = row(c, id)?;
    let transition = row.life.apply(Event::Lose(row.life.epoch))?;
    if transition.next.phase == Phase::Queued {
        requeue(c, &row, transition.next)?;
    } else {
        let why = Failure::generation("the generation was interrupted too often; its credits were returned");
        end(c, &row.ending, transition, &End::Failure(&why), now)?;
    }
    Ok(transition.next.phase)
}
