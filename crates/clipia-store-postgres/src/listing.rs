//! Requests as an operator sees them.

use super::connection::Connection;
use super::position;
use super::rows::{Row, attempt_end, from_json};
use super::values::values;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Epoch;
use clipia_store::{
    Attempt, RequestFilter, RequestHistory, RequestListing, RequestMovement, RequestPage, StoreError,
};
use uuid::Uuid;

/// How many requests are looked at for one page, however few are found.
const LOOKED_AT_MAX: usize = 10_000;

/// Requests, the newest first. The filter is applied to those that are looked at: an index for each filter would cost every submit.
pub(crate) async fn list(
    c: &Connection,
    filter: &RequestFilter,
    after: Option<RequestId>,
    limit: usize,
    fifo: Vec<String>,
) -> Result<RequestPage, StoreError> {
    // Ids rise with time: by id is by age.
    let rows = c
        .query(
            &format!(
                "WITH looked_at AS (
                    SELECT * FROM request WHERE id < $1 AND ($2::text IS NULL OR account = $2) ORDER BY id DESC LIMIT $3
                 ), bounds AS (
                    SELECT (SELECT count(*) FROM looked_at) AS looked_at, (SELECT id FROM looked_at ORDER BY id LIMIT 1) AS last)
                 SELECT r.*, b.looked_at, b.last AS last_looked_at, {}
                 FROM bounds b LEFT JOIN LATERAL (
                    SELECT * FROM looked_at l WHERE ($4::text IS NULL OR l.phase = $4) AND ($5::text IS NULL OR l.model = $5)
                    ORDER BY l.id DESC LIMIT $6
                 ) r ON TRUE ORDER BY r.id DESC",
                position::column(7)
            ),
            values![
                after.map_or(Uuid::max(), |after| after.0),
                filter.account.as_ref().map(|account| &account.0),
                LOOKED_AT_MAX + 1,
                filter.phase.map(clipia_queue::lifecycle::Phase::name),
                filter.model.as_ref(),
                limit.saturating_add(1),
                fifo,
            ],
        )
        .await?;
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
        page.requests.push(listing(row)?);
    }
    if let Some(row) = rows.first()
        && row.count("looked_at")? > LOOKED_AT_MAX as u64
    {
        page.next = Some(row.request("last_looked_at")?);
    }
    Ok(page)
}

/// A request and what happened to it.
pub(crate) async fn history(
    c: &Connection,
    id: RequestId,
    fifo: Vec<String>,
) -> Result<Option<RequestHistory>, StoreError> {
    let found = c
        .optional(
            &format!(
                "SELECT r.*, o.input, {} FROM request r JOIN request_content o ON o.request = r.id WHERE r.id = $1",
                position::column(2)
            ),
            values![id, fifo],
        )
        .await?;
    let Some(row) = found else { return Ok(None) };
    let request = listing(&row)?;
    let input: &str = row.get("input")?;
    Ok(Some(RequestHistory {
        input: (!input.is_empty()).then(|| from_json(input)).transpose()?,
        attempts: attempts(c, &request).await?,
        movements: movements(c, id).await?,
        request,
    }))
}

fn listing(row: &Row) -> Result<RequestListing, StoreError> {
    let life = row.lifecycle()?;
    Ok(RequestListing {
        id: row.request("id")?,
        account: row.account()?,
        key: row.get("api_key")?,
        sandbox: row.get("sandbox")?,
        model: row.get("model")?,
        queue: row.get("queue")?,
        phase: life.phase,
        position: row.get::<Option<i64>>("position")?.map(i64::unsigned_abs),
        progress: life.phase.progress(row.progress()?),
        epoch: life.epoch,
        cost: row.cost()?,
        error: row.get("error_message")?,
        created_at: row.time("created_at")?,
        completed_at: row.optional_time("completed_at")?,
    })
}

async fn attempts(c: &Connection, request: &RequestListing) -> Result<Vec<Attempt>, StoreError> {
    let rows = c
        .query(
            "SELECT epoch, claimed_at, ended_at, ending FROM attempt WHERE request = $1
             UNION ALL SELECT $2, claimed_at, NULL, NULL FROM lease WHERE request = $1
             ORDER BY epoch",
            values![request.id, request.epoch.0],
        )
        .await?;
    let attempts = rows.iter().map(|row| {
        let ended = match row.get::<Option<&str>>("ending")? {
            Some(ending) => Some((row.time("ended_at")?, attempt_end(ending)?)),
            None => None,
        };
        Ok(Attempt { epoch: Epoch(row.get("epoch")?), claimed_at: row.time("claimed_at")?, ended })
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
