//! Requests as an operator sees them.

use super::position::{Positions, QueuePlace};
use super::rows::{attempt_end, cost, from_json, key, lifecycle, moment};
use crate::clock::timestamp;
use crate::store::{
    AccountId, Attempt, RequestFilter, RequestHistory, RequestListing, RequestMovement, RequestPage,
    StoreError,
};
use clipia_api::Progress;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::{Epoch, Phase};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

/// How many requests are looked at for one page, however few are found. It takes some milliseconds.
const LOOKED_AT_MAX: usize = 4_000;

/// The requests of every account, the newest first. Ids rise with time: by id is by age.
const ALL: &str = "SELECT * FROM request WHERE id < ?1 AND ?2 IS NULL ORDER BY id DESC";

/// Those of one account.
const OF_ACCOUNT: &str = "SELECT * FROM request WHERE id < ?1 AND account = ?2 ORDER BY id DESC";

/// Those that run: each has a lease. They may be few among many that wait.
const RUNNING: &str = "SELECT request.* FROM lease CROSS JOIN request ON request.id = lease.request
     WHERE lease.request < ?1 AND (?2 IS NULL OR request.account = ?2) ORDER BY lease.request DESC";

pub(crate) fn list(
    c: &Connection,
    positions: &Positions,
    filter: &RequestFilter,
    after: Option<RequestId>,
    limit: usize,
) -> Result<RequestPage, StoreError> {
    let mut page = RequestPage::default();
    let account = match (&filter.account, &filter.key) {
        (Some(account), _) => Some(account.0.clone()),
        // The requests of a key are among those of its account, which an index has.
        (None, Some(key)) => match account_of(c, key)? {
            Some(account) => Some(account),
            None => return Ok(page),
        },
        (None, None) => None,
    };
    let mut statement = c.prepare_cached(match (filter.phase, &account) {
        (Some(Phase::Running), _) => RUNNING,
        (_, Some(_)) => OF_ACCOUNT,
        (_, None) => ALL,
    })?;
    let mut rows = statement.query(params![after.map_or(Uuid::max(), key), account])?;
    let (mut looked_at, mut last) = (0, after);
    while let Some(row) = rows.next()? {
        if is_older(filter, row)? {
            break;
        }
        if page.requests.len() >= limit || looked_at >= LOOKED_AT_MAX {
            page.next = last;
            break;
        }
        looked_at += 1;
        last = Some(RequestId(row.get("id")?));
        if fits(filter, row)? {
            page.requests.push(listing(positions, row)?);
        }
    }
    Ok(page)
}

fn account_of(c: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    c.prepare_cached("SELECT account FROM api_key WHERE id = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

/// Whether a request was accepted before the list begins.
pub(crate) fn is_older(filter: &RequestFilter, row: &Row<'_>) -> rusqlite::Result<bool> {
    let Some(since) = filter.since else { return Ok(false) };
    Ok(row.get::<_, i64>("created_at")? < since.as_microsecond())
}

/// Whether a request that is not older is one of those that are asked for. Its columns are compared where they are, since most
/// requests may not be.
pub(crate) fn fits(filter: &RequestFilter, row: &Row<'_>) -> rusqlite::Result<bool> {
    let is = |column: &str, wanted: Option<&str>| match wanted {
        None => Ok(true),
        Some(wanted) => Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str()? == wanted),
    };
    Ok(is("phase", filter.phase.map(Phase::name))?
        && is("model", filter.model.as_deref())?
        && is("api_key", filter.key.as_deref())?
        && is("account", filter.account.as_ref().map(|account| account.0.as_str()))?)
}

pub(crate) fn history(
    c: &Connection,
    positions: &Positions,
    id: RequestId,
) -> Result<Option<RequestHistory>, StoreError> {
    let mut statement = c.prepare_cached("SELECT * FROM request WHERE id = ?1")?;
    let mut rows = statement.query([key(id)])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let request = listing(positions, row)?;
    let input: String = c
        .prepare_cached("SELECT input FROM request_content WHERE request = ?1")?
        .query_row([key(id)], |row| row.get(0))?;
    let attempts = attempts(c, &request)?;
    Ok(Some(RequestHistory {
        request,
        input: (!input.is_empty()).then(|| from_json(&input)).transpose()?,
        attempts,
        movements: movements(c, id)?,
    }))
}

pub(crate) fn listing(positions: &Positions, row: &Row<'_>) -> Result<RequestListing, StoreError> {
    let life = lifecycle(row)?;
    let id = RequestId(row.get("id")?);
    let position = QueuePlace::of_request(row, life)?.map(|at| positions.ahead(&at));
    let completed_at: Option<i64> = row.get("completed_at")?;
    Ok(RequestListing {
        id,
        account: AccountId(row.get("account")?),
        key: row.get("api_key")?,
        sandbox: row.get("sandbox")?,
        model: row.get("model")?,
        queue: row.get("queue")?,
        phase: life.phase,
        position,
        progress: life.phase.progress(Progress::new(row.get("progress")?)),
        epoch: life.epoch,
        cost: cost(row)?,
        error: row.get("error_message")?,
        created_at: timestamp(moment(row.get("created_at")?)),
        completed_at: completed_at.map(moment).map(timestamp),
    })
}

fn attempts(c: &Connection, request: &RequestListing) -> Result<Vec<Attempt>, StoreError> {
    let mut attempts = Vec::new();
    let mut statement = c.prepare_cached(
        "SELECT epoch, worker, claimed_at, ended_at, ending FROM attempt WHERE request = ?1 ORDER BY epoch",
    )?;
    let mut rows = statement.query([key(request.id)])?;
    while let Some(row) = rows.next()? {
        let how = attempt_end(row.get_ref("ending")?.as_str().map_err(rusqlite::Error::from)?)?;
        attempts.push(Attempt {
            epoch: Epoch(row.get("epoch")?),
            worker: row.get("worker")?,
            claimed_at: timestamp(moment(row.get("claimed_at")?)),
            ended: Some((timestamp(moment(row.get("ended_at")?)), how)),
        });
    }
    let running: Option<(Option<String>, i64)> = c
        .prepare_cached("SELECT worker, claimed_at FROM lease WHERE request = ?1")?
        .query_row([key(request.id)], |row| Ok((row.get("worker")?, row.get("claimed_at")?)))
        .optional()?;
    attempts.extend(running.map(|(worker, claimed_at)| Attempt {
        epoch: request.epoch,
        worker,
        claimed_at: timestamp(moment(claimed_at)),
        ended: None,
    }));
    Ok(attempts)
}

fn movements(c: &Connection, id: RequestId) -> Result<Vec<RequestMovement>, StoreError> {
    let mut statement =
        c.prepare_cached("SELECT kind, at, available FROM movement WHERE id = ?1 ORDER BY settles")?;
    let movements = statement.query_map([key(id)], |row| {
        Ok(RequestMovement {
            kind: row.get("kind")?,
            available: row.get("available")?,
            at: timestamp(moment(row.get("at")?)),
        })
    })?;
    Ok(movements.collect::<Result<_, _>>()?)
}
