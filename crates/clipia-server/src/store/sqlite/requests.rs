//! Submitting and reading requests.

use super::accounts::count_usage;
use super::rows::{amount, count, credits, from_json, key, lifecycle, moment, phase_name, to_json};
use super::settlement::{End, Ending, announce, transfer};
use crate::store::{AccountId, Failure, Request, StoreError, Submission, SubmitRefused, Submitted};
use clipia_api::types::RequestId;
use clipia_api::{Credits, Progress};
use clipia_queue::idempotency::{self, Decision, Fingerprint, Record};
use clipia_queue::ledger::Movement;
use clipia_queue::lifecycle::{Lifecycle, Phase};
use clipia_queue::{Moment, limits};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

/// The lane of requests that wait for their first turn.
const FIRST_TURN: i64 = 1;

pub(crate) fn submit(
    c: &Connection,
    submission: Submission,
    now: Moment,
) -> Result<Submitted, SubmitRefused> {
    let account = &submission.key.account;
    if let Some((name, fingerprint)) = &submission.idempotency {
        match idempotency::decide(recorded(c, account, name, now)?, *fingerprint) {
            Decision::First => {}
            Decision::Reused => return Err(SubmitRefused::IdempotencyKeyReuse),
            Decision::Repeated(id) => return repeated(c, account, id),
        }
    }
    let start = if submission.sample.is_some() { Lifecycle::sandbox() } else { Lifecycle::submitted() };
    let ticket = if start.phase == Phase::Queued { in_line(c, &submission)? } else { 0 };
    insert(c, &submission, start, ticket, now)?;
    if let Some(output) = &submission.sample {
        let ending = Ending {
            id: submission.id,
            account: account.clone(),
            model: submission.model.clone(),
            cost: submission.cost,
            webhook_url: submission.webhook_url.clone(),
            base_url: submission.base_url.clone(),
        };
        announce(c, &ending, submission.cost, &End::Output(output), now)?;
    } else {
        transfer::<SubmitRefused>(c, account, Movement::Reserve(submission.cost), submission.id, now)?;
        count_usage(c, account, 1, Credits::ZERO, now)?;
    }
    if let Some((name, fingerprint)) = &submission.idempotency {
        record(c, account, name, *fingerprint, submission.id, now)?;
    }
    let position = match start.phase {
        Phase::Queued => ahead(c, &submission.queue, FIRST_TURN, ticket)?,
        _ => 0,
    };
    Ok(Submitted {
        id: submission.id,
        phase: start.phase,
        position,
        cost: submission.cost,
        warnings: submission.warnings,
    })
}

fn recorded(
    c: &Connection,
    account: &AccountId,
    name: &str,
    now: Moment,
) -> Result<Option<Record>, StoreError> {
    let row: Option<([u8; 32], Uuid)> = c
        .prepare_cached(
            "SELECT fingerprint, request FROM idempotency WHERE account = ?1 AND key = ?2 AND expires_at > ?3",
        )?
        .query_row(params![account.0, name, now.as_micros()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(row.map(|(hash, request)| Record { fingerprint: Fingerprint(hash), request_id: RequestId(request) }))
}

fn record(
    c: &Connection,
    account: &AccountId,
    name: &str,
    fingerprint: Fingerprint,
    id: RequestId,
    now: Moment,
) -> Result<(), StoreError> {
    c.prepare_cached("DELETE FROM idempotency WHERE expires_at <= ?1")?.execute([now.as_micros()])?;
    c.prepare_cached(
        "INSERT INTO idempotency (account, key, fingerprint, request, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![account.0, name, fingerprint.0, key(id), (now + idempotency::KEPT).as_micros()])?;
    Ok(())
}

/// The answer to a submit that was accepted before, as things stand now.
fn repeated(c: &Connection, account: &AccountId, id: RequestId) -> Result<Submitted, SubmitRefused> {
    let request = read(c, account, id)?.ok_or_else(|| StoreError::Unreadable(format!("no request {id}")))?;
    let (cost, warnings): (i64, String) = c
        .prepare_cached(
            "SELECT cost, warnings FROM request JOIN request_content ON request = id WHERE id = ?1",
        )?
        .query_row([key(id)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Submitted {
        id,
        phase: request.phase,
        position: request.position,
        cost: credits(cost)?,
        warnings: from_json(&warnings)?,
    })
}

/// Takes the next ticket of the queue and stands in line, if the key may have one more in flight.
fn in_line(c: &Connection, submission: &Submission) -> Result<i64, SubmitRefused> {
    let in_flight: i64 = c
        .prepare_cached("SELECT count(*) FROM request WHERE api_key = ?1 AND phase IN ('queued', 'running')")?
        .query_row([&submission.key.id], |row| row.get(0))?;
    if count(in_flight) >= u64::from(limits::IN_FLIGHT_MAX) {
        return Err(SubmitRefused::InFlight(limits::IN_FLIGHT_MAX));
    }
    let ticket: i64 = c
        .prepare_cached(
            "INSERT INTO queue (name, tail) VALUES (?1, 1) ON CONFLICT (name) DO UPDATE SET tail = tail + 1 RETURNING tail",
        )?
        .query_row([&submission.queue], |row| row.get(0))?;
    stand(c, &submission.queue, FIRST_TURN, ticket, submission.id)?;
    Ok(ticket)
}

/// Puts a request in line.
pub(crate) fn stand(
    c: &Connection,
    queue: &str,
    lane: i64,
    ticket: i64,
    id: RequestId,
) -> Result<(), StoreError> {
    c.prepare_cached("INSERT INTO queue_item (queue, lane, ticket, request) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![queue, lane, ticket, key(id)])?;
    Ok(())
}

fn insert(
    c: &Connection,
    submission: &Submission,
    start: Lifecycle,
    ticket: i64,
    now: Moment,
) -> Result<(), StoreError> {
    let ended = start.phase.is_terminal().then(|| now.as_micros());
    c.prepare_cached(
        "INSERT INTO request (id, account, api_key, sandbox, model, queue, phase, epoch, rescues, ticket, progress, cost,
                              charged, webhook_url, base_url, created_at, completed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?
    .execute(params![
        key(submission.id),
        submission.key.account.0,
        submission.key.id,
        submission.sample.is_some(),
        submission.model,
        submission.queue,
        phase_name(start.phase),
        start.epoch.0,
        start.rescues,
        ticket,
        amount(submission.cost)?,
        // What the sandbox tells as its cost; no credits have moved.
        ended.map(|_| amount(submission.cost)).transpose()?,
        submission.webhook_url,
        submission.base_url,
        now.as_micros(),
        ended,
    ])?;
    c.prepare_cached(
        "INSERT INTO request_content (request, input, warnings, output) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        key(submission.id),
        to_json(&submission.input)?,
        to_json(&submission.warnings)?,
        submission.sample.as_ref().map(to_json).transpose()?,
    ])?;
    Ok(())
}

pub(crate) fn read(
    c: &Connection,
    account: &AccountId,
    id: RequestId,
) -> Result<Option<Request>, StoreError> {
    let mut statement = c.prepare_cached("SELECT * FROM request WHERE id = ?1 AND account = ?2")?;
    let mut rows = statement.query(params![key(id), account.0])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let phase = lifecycle(row)?.phase;
    let (cost, charged): (i64, Option<i64>) = (row.get("cost")?, row.get("charged")?);
    let position = match phase {
        Phase::Queued => position(c, id)?,
        _ => 0,
    };
    let output: Option<String> = match phase {
        Phase::Completed => c
            .prepare_cached("SELECT output FROM request_content WHERE request = ?1")?
            .query_row([key(id)], |row| row.get(0))?,
        _ => None,
    };
    let failure = row
        .get::<_, Option<String>>("error_code")?
        .map(|code| Ok::<_, rusqlite::Error>(Failure { code, message: row.get("error_message")? }))
        .transpose()?;
    Ok(Some(Request {
        id,
        model: row.get("model")?,
        phase,
        position,
        progress: Progress::new(row.get("progress")?),
        cost: credits(charged.unwrap_or(cost))?,
        created_at: moment(row.get("created_at")?),
        completed_at: row.get::<_, Option<i64>>("completed_at")?.map(moment),
        output: output.as_deref().map(from_json).transpose()?,
        failure,
    }))
}

/// How many are ahead of a request in line.
fn position(c: &Connection, id: RequestId) -> Result<u64, StoreError> {
    let place: Option<(String, i64, i64)> = c
        .prepare_cached("SELECT queue, lane, ticket FROM queue_item WHERE request = ?1")?
        .query_row([key(id)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    place.map_or(Ok(0), |(queue, lane, ticket)| ahead(c, &queue, lane, ticket))
}

fn ahead(c: &Connection, queue: &str, lane: i64, ticket: i64) -> Result<u64, StoreError> {
    let ahead: i64 = c
        .prepare_cached("SELECT count(*) FROM queue_item WHERE queue = ?1 AND (lane, ticket) < (?2, ?3)")?
        .query_row(params![queue, lane, ticket], |row| row.get(0))?;
    Ok(count(ahead))
}
