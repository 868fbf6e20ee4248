//! The words of requests in the index, and the searches in it.
//!
//! A text is never written by the command that changes it. One node takes texts in for all, the oldest first, in small steps. Requests
//! that were committed late, with a lower id than the last one, are looked for among those of the last minutes. One that fails is noted in
//! a table by the command that ends it, since any node may do so.

use super::Database;
use super::connection::Connection;
use super::listing::{listing, oldest};
use super::rows::{Row, from_json};
use super::values::values;
use super::writing::Writing;
use clipia_queue::lifecycle::Phase;
use clipia_queue::{Moment, RequestId, ids};
use clipia_store::texts::{Asked, Subject, words};
use clipia_store::{RequestFilter, RequestPage, StoreError};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

/// How many texts are taken in or out in a step.
const CHANGED_MAX: usize = 500;

/// How many bytes of inputs are read in a step, but for the first one.
const READ_MAX: u64 = 4 * 1024 * 1024;

/// How late a request is committed at most whose id was made before. A transaction does not wait for as long.
const LATE_MAX: Duration = Duration::from_secs(5 * 60);

/// How often requests that came late are looked for.
const LOOK_BACK_EVERY: Duration = Duration::from_secs(10);

/// Retention removes no text of a request that is younger. The row of an older one that has ended is locked while its text is taken in,
/// so that this does not come after the removal.
const YOUNG: Duration = Duration::from_secs(1);

/// How many of the newest requests are looked at one by one before the index is asked.
const NEWEST_MAX: usize = 2_000;

/// How many requests that have the words are looked at for one page, however few fit the filter.
const LOOKED_AT_MAX: usize = 2_000;

/// Takes texts into the index. Returns whether there may be more. It does no harm where two nodes do so.
pub(crate) async fn index(w: &Writing) -> Result<bool, StoreError> {
    let now = w.now().await?.steady;
    let at = w.one("SELECT through, looked_back_at FROM text_index", Vec::new()).await?;
    let (through, looked_back_at): (Uuid, Moment) = (at.get("through")?, at.moment("looked_back_at")?);
    let mut wanted: BTreeSet<Uuid> =
        ids_of(w, "SELECT request AS id FROM failed_text ORDER BY request LIMIT $1", values![CHANGED_MAX])
            .await?;
    let failed: Vec<Uuid> = wanted.iter().copied().collect();
    let looks_back = looked_back_at + LOOK_BACK_EVERY <= now;
    if looks_back {
        let late = "SELECT id FROM request r WHERE id > $1 AND id <= $2 AND NOT sandbox AND NOT input_gone
                        AND NOT EXISTS (SELECT FROM request_text t WHERE t.request = r.id) ORDER BY id LIMIT $3";
        wanted
            .extend(ids_of(w, late, values![ids::last_before(now - LATE_MAX), through, CHANGED_MAX]).await?);
    }
    let on = "SELECT id FROM request WHERE id > $1 ORDER BY id LIMIT $2";
    let on: BTreeSet<Uuid> = ids_of(w, on, values![through, CHANGED_MAX]).await?;
    let mut more = on.len() == CHANGED_MAX || failed.len() == CHANGED_MAX;
    wanted.extend(&on);
    let (taken, left) = take(w, wanted, now).await?;
    more |= left.is_some();
    // What is left comes in the next step, and so does what is behind it.
    let before = |id: &Uuid| left.is_none_or(|left| *id < left);
    let done: Vec<Uuid> = failed.into_iter().filter(before).collect();
    let last = on.into_iter().rfind(before).unwrap_or(through);
    if taken == 0 && done.is_empty() && last == through && !looks_back {
        return Ok(false);
    }
    w.later("DELETE FROM failed_text WHERE request = ANY($1)", values![done]);
    let looked_back_at = if looks_back && left.is_none() { now } else { looked_back_at };
    w.later("UPDATE text_index SET through = $1, looked_back_at = $2", values![last, looked_back_at]);
    Ok(more)
}

async fn ids_of(
    c: &Connection,
    query: &str,
    values: Vec<super::values::Value>,
) -> Result<BTreeSet<Uuid>, StoreError> {
    c.query(query, values).await?.iter().map(|row| row.get("id")).collect()
}

/// Takes the texts of these requests in, as far as their inputs are not too long together. Returns how many, and the first that is left.
async fn take(w: &Writing, wanted: BTreeSet<Uuid>, now: Moment) -> Result<(usize, Option<Uuid>), StoreError> {
    if wanted.is_empty() {
        return Ok((0, None));
    }
    let sizes = w
        .query(
            "SELECT request, octet_length(input)::int8 AS bytes FROM request_content WHERE request = ANY($1) ORDER BY request",
            values![wanted.iter().copied().collect::<Vec<_>>()],
        )
        .await?;
    let (mut chosen, mut left, mut bytes): (Vec<Uuid>, _, u64) = (Vec::new(), None, 0);
    for row in &sizes {
        let id: Uuid = row.get("request")?;
        bytes = bytes.saturating_add(row.count("bytes")?);
        if !chosen.is_empty() && (bytes > READ_MAX || chosen.len() >= CHANGED_MAX) {
            left = Some(id);
            break;
        }
        chosen.push(id);
    }
    let young = ids::last_before(now - YOUNG);
    let old: Vec<Uuid> = chosen.iter().copied().filter(|id| *id <= young).collect();
    // A claim would skip a request that is locked and waits.
    let ended =
        "SELECT 1 FROM request WHERE id = ANY($1) AND completed_at IS NOT NULL ORDER BY id FOR KEY SHARE";
    w.later(ended, values![old]);
    let rows = w
        .query(
            "SELECT r.id, r.sandbox, r.input_gone, r.phase, r.error_message, c.input
             FROM request r JOIN request_content c ON c.request = r.id WHERE r.id = ANY($1)",
            values![chosen],
        )
        .await?;
    let (mut requests, mut texts) = (Vec::new(), Vec::new());
    for row in &rows {
        if let Some(text) = text(row)? {
            requests.push(row.get::<Uuid>("id")?);
            texts.push(text);
        }
    }
    let taken = requests.len();
    if taken > 0 {
        w.later(
            "INSERT INTO request_text (request, words)
             SELECT n.request, n.words::tsvector FROM unnest($1::uuid[], $2::text[]) AS n (request, words)
             ON CONFLICT (request) DO UPDATE SET words = excluded.words",
            values![requests, texts],
        );
    }
    Ok((taken, left))
}

/// The words of a request as the text of a vector, if it has a text. They have letters and digits only, so that nothing in them ends the
/// quotes.
fn text(row: &Row) -> Result<Option<String>, StoreError> {
    let subject = Subject {
        sandbox: row.get("sandbox")?,
        input_gone: row.get("input_gone")?,
        phase: row.phase("phase")?,
        error: row.get("error_message")?,
    };
    if !subject.has_text() {
        return Ok(None);
    }
    let input: Map<String, Value> = from_json(row.get("input")?)?;
    Ok(Some(words(&input, subject.error()).iter().map(|word| format!("'{word}' ")).collect()))
}

/// Removes the texts of requests.
pub(crate) fn forget(w: &Writing, requests: Vec<Uuid>) {
    w.later("DELETE FROM request_text WHERE request = ANY($1)", values![requests]);
}

/// Notes requests that failed.
pub(crate) fn note_failed(w: &Writing, requests: Vec<Uuid>) {
    if !requests.is_empty() {
        w.later(
            "INSERT INTO failed_text SELECT * FROM unnest($1::uuid[]) ON CONFLICT DO NOTHING",
            values![requests],
        );
    }
}

/// Requests whose text has the words, the newest first.
///
/// A word that many requests have is soon found among the newest, which are looked at one by one. The index gives all requests that
/// have the words, which are to be sorted: it is asked for a word that few of the newest have.
pub(crate) async fn search(
    database: &Database,
    asked: &Asked,
    filter: &RequestFilter,
    after: Option<RequestId>,
    limit: usize,
) -> Result<RequestPage, StoreError> {
    let (words, lowest) = (expression(asked), oldest(filter));
    let after = after.map_or(Uuid::max(), |after| after.0);
    let c = database.connection().await?;
    let newest = c
        .query(
            "WITH newest AS MATERIALIZED (
                SELECT request, words FROM request_text WHERE request < $1 AND request >= $2 ORDER BY request DESC LIMIT $4)
             SELECT request, words @@ $3::tsquery AS has FROM newest ORDER BY request DESC",
            values![after, lowest, words.clone(), NEWEST_MAX],
        )
        .await?;
    let mut found = Vec::new();
    for row in &newest {
        if row.get("has")? {
            found.push(row.request("request")?);
        }
    }
    let last = newest.last().filter(|_| newest.len() == NEWEST_MAX);
    let mut next = last.map(|row| row.request("request")).transpose()?;
    let mut rows = fitting(&c, filter, &found, limit).await?;
    if let Some(through) = next
        && rows.len() <= limit
    {
        let older = c
            .query(
                "WITH found AS MATERIALIZED (
                    SELECT request FROM request_text WHERE request < $1 AND request >= $2 AND words @@ $3::tsquery)
                 SELECT request FROM found ORDER BY request DESC LIMIT $4",
                values![through, lowest, words, LOOKED_AT_MAX],
            )
            .await?;
        let older = older.iter().map(|row| row.request("request")).collect::<Result<Vec<_>, _>>()?;
        next = older.last().copied().filter(|_| older.len() == LOOKED_AT_MAX);
        rows.extend(fitting(&c, filter, &older, limit + 1 - rows.len().min(limit)).await?);
    }
    drop(c);
    let mut page = RequestPage { requests: Vec::new(), next };
    for row in &rows {
        if page.requests.len() >= limit {
            page.next = page.requests.last().map(|last| last.id);
            break;
        }
        page.requests.push(listing(database, row).await?);
    }
    Ok(page)
}

/// The rows of those of these requests that fit the filter, the newest first, one more than `limit` at most.
async fn fitting(
    c: &Connection,
    filter: &RequestFilter,
    found: &[RequestId],
    limit: usize,
) -> Result<Vec<Row>, StoreError> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    c.query(
        "SELECT * FROM request WHERE id = ANY($1) AND ($2::text IS NULL OR account = $2) AND ($3::text IS NULL OR phase = $3)
            AND ($4::text IS NULL OR model = $4) AND ($5::text IS NULL OR api_key = $5) AND ($6::int8 IS NULL OR created_at >= $6)
         ORDER BY id DESC LIMIT $7",
        values![
            found.iter().map(|id| id.0).collect::<Vec<_>>(),
            filter.account.as_ref().map(|account| &account.0),
            filter.phase.map(Phase::name),
            filter.model.as_ref(),
            filter.key.as_ref(),
            filter.since.map(jiff::Timestamp::as_microsecond),
            limit.saturating_add(1),
        ],
    )
    .await
}

/// The words as an expression of the database.
fn expression(Asked { whole, beginning }: &Asked) -> String {
    let mut expression: String = whole.iter().map(|word| format!("'{word}' & ")).collect();
    expression.push_str(&format!("'{beginning}':*"));
    expression
}
