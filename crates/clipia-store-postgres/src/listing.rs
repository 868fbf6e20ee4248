//! Requests as an operator sees them.

use super::Database;
use super::connection::Connection;
use super::position::QueuePlace;
use super::rows::{Row, attempt_end, from_json};
use super::values::values;
use super::writing::Writing;
use clipia_queue::lifecycle::Epoch;
use clipia_queue::{Moment, RequestId, ids};
use clipia_store::{
    Attempt, RequestFilter, RequestHistory, RequestListing, RequestMovement, RequestPage, StoreError,
};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// How many requests are looked at for one page, however few are found.
const LOOKED_AT_MAX: usize = 10_000;

/// How long before its request is accepted an id is made, at the most: the clocks of nodes may differ.
const MADE_BEFORE_MAX: Duration = Duration::from_secs(60 * 60);

/// Requests, the newest first. The filter is applied to those that are looked at: an index for each filter would cost every submit.
pub(crate) async fn list(
    database: &Database,
    filter: &RequestFilter,
    after: Option<RequestId>,
    limit: usize,
) -> Result<RequestPage, StoreError> {
    // Ids rise with time: by id is by age.
    let c = database.connection().await?;
    let account = match (&filter.account, &filter.key) {
        (Some(account), _) => Some(account.0.clone()),
        // The requests of a key are among those of its account, which an index has.
        (None, Some(key)) => match account_of(&c, key).await? {
            Some(account) => Some(account),
            None => return Ok(RequestPage::default()),
        },
        (None, None) => None,
    };
    let rows = c
        .query(
                "WITH looked_at AS (
                    SELECT * FROM request WHERE id < $1 AND id >= $7 AND ($2::text IS NULL OR account = $2) ORDER BY id DESC LIMIT $3
                 ), bounds AS (
                    SELECT (SELECT count(*) FROM looked_at) AS looked_at, (SELECT id FROM looked_at ORDER BY id LIMIT 1) AS last)
                 SELECT r.*, b.looked_at, b.last AS last_looked_at
                 FROM bounds b LEFT JOIN LATERAL (
                    SELECT * FROM looked_at l WHERE ($4::text IS NULL OR l.phase = $4) AND ($5::text IS NULL OR l.model = $5)
                        AND ($8::text IS NULL OR l.api_key = $8) AND ($9::int8 IS NULL OR l.created_at >= $9)
                    ORDER BY l.id DESC LIMIT $6
                 ) r ON TRUE ORDER BY r.id DESC",
            values![
                after.map_or(Uuid::max(), |after| after.0),
                account,
                LOOKED_AT_MAX + 1,
                filter.phase.map(clipia_queue::lifecycle::Phase::name),
                filter.model.as_ref(),
                limit.saturating_add(1),
                oldest(filter),
                filter.key.as_ref(),
                filter.since.map(jiff::Timestamp::as_microsecond),
            ],
        )
        .await?;
    // Given back first: what reads positions takes one, too.
    drop(c);
    let mut page = RequestPage::default();
    for row in &rows {
        // The row of the bounds alone, where nothing was found.
        if row.get::<Option<Uuid>>("id")?.is_none() {
            continue;
        }
        if page.requests.len() >= limit {
            page.next = page.requests.last().map(|last| last.id);
            return Ok(page);
        }
        page.requests.push(listing(database, row).await?);
    }
    if let Some(row) = rows.first()
        && row.count("looked_at")? > LOOKED_AT_MAX as u64
    {
        page.next = Some(row.request("last_looked_at")?);
    }
    Ok(page)
}

async fn account_of(c: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    let row = c.optional("SELECT account FROM api_key WHERE id = $1", values![key]).await?;
    row.map(|row| row.get("account")).transpose()
}

/// The lowest id that a request may have that was accepted since the filter says: it was made before its request was accepted, and not
/// long before. Requests with lower ids are not looked at.
pub(crate) fn oldest(filter: &RequestFilter) -> Uuid {
    let made = |since: jiff::Timestamp| Moment::from_micros(since.as_microsecond()) - MADE_BEFORE_MAX;
    filter.since.map_or(Uuid::nil(), |since| ids::last_before(made(since)))
}

/// A request and what happened to it.
pub(crate) async fn history(
    database: &Database,
    id: RequestId,
) -> Result<Option<RequestHistory>, StoreError> {
    let memory = Arc::clone(&database.memory);
    let snapshot = Writing::begin_reading(database.connection().await?, memory);
    let found = gather(&snapshot, id).await;
    snapshot.roll_back().await;
    let Some((row, attempts, movements)) = found? else { return Ok(None) };
    let input: &str = row.get("input")?;
    Ok(Some(RequestHistory {
        input: (!input.is_empty()).then(|| from_json(input)).transpose()?,
        attempts,
        movements,
        request: listing(database, &row).await?,
    }))
}

/// The row of a request with its input, its attempts and its movements.
async fn gather(
    c: &Connection,
    id: RequestId,
) -> Result<Option<(Row, Vec<Attempt>, Vec<RequestMovement>)>, StoreError> {
    let found = c
        .optional(
            "SELECT r.*, o.input FROM request r JOIN request_content o ON o.request = r.id WHERE r.id = $1",
            values![id],
        )
        .await?;
    let Some(row) = found else { return Ok(None) };
    let attempts = attempts(c, id, row.get("epoch")?).await?;
    Ok(Some((row, attempts, movements(c, id).await?)))
}

pub(crate) async fn listing(database: &Database, row: &Row) -> Result<RequestListing, StoreError> {
    let life = row.lifecycle()?;
    let position = match QueuePlace::of_row(row, life)? {
        Some(at) => Some(database.ahead(&at).await?),
        None => None,
    };
    Ok(RequestListing {
        id: row.request("id")?,
        account: row.account()?,
        key: row.get("api_key")?,
        sandbox: row.get("sandbox")?,
        model: row.get("model")?,
        queue: row.get("queue")?,
        phase: life.phase,
        position,
        progress: life.phase.progress(row.progress()?),
        epoch: life.epoch,
        cost: row.cost()?,
        error: row.get("error_message")?,
        created_at: row.time("created_at")?,
        completed_at: row.optional_time("completed_at")?,
    })
}

async fn attempts(c: &Connection, id: RequestId, latest: i64) -> Result<Vec<Attempt>, StoreError> {
    let rows = c
        .query(
            "SELECT epoch, worker, claimed_at, ended_at, ending FROM attempt WHERE request = $1
             UNION ALL SELECT $2, worker, claimed_at, NULL, NULL FROM lease WHERE request = $1
             ORDER BY epoch",
            values![id, latest],
        )
        .await?;
    let attempts = rows.iter().map(|row| {
        let ended = match row.get::<Option<&str>>("ending")? {
            Some(ending) => Some((row.time("ended_at")?, attempt_end(ending)?)),
            None => None,
        };
        Ok(Attempt {
            epoch: Epoch(row.get("epoch")?),
            worker: row.get("worker")?,
            claimed_at: row.time("claimed_at")?,
            ended,
        })
    });
    attempts.collect()
}

async fn movements(c: &Connection, id: RequestId) -> Result<Vec<RequestMovement>, StoreError> {
    let rows = c
        .query("SELECT kind, at, available FROM movement WHERE id = $1 ORDER BY settles", values![id])
        .await?;
    let movements = rows.iter().map(|row| {
        Ok(RequestMovement { kind: row.get("kind")?, available: row.get("available")?, at: row.time("at")? })
    });
    movements.collect()
}
