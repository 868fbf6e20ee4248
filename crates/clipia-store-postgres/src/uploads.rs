//! Uploads, and the requests that name them.

use super::connection::Connection;
use super::values::values;
use super::writing::Writing;
use super::{ledger, rows::Row};
use clipia_queue::Moment;
use clipia_queue::uploads::{StoredUpload, UploadId, Usage, keep as decide};
use clipia_store::{AccountId, KeepRefused, NewUpload, StoreError, UploadsGone};
use std::collections::HashMap;

/// What an account keeps.
pub(crate) async fn usage(c: &Connection, account: &AccountId) -> Result<Usage, StoreError> {
    let row = c
        .one(
            "SELECT count(*) AS count, coalesce(sum(bytes), 0)::bigint AS bytes FROM upload WHERE account = $1",
            values![account],
        )
        .await?;
    Ok(Usage { count: row.count("count")?, bytes: row.count("bytes")? })
}

/// Keeps an upload, if its account has room for it. The account is locked: another upload of it would take the same room.
pub(crate) async fn keep(w: &Writing, upload: &NewUpload) -> Result<Moment, KeepRefused> {
    let NewUpload { id, account, bytes } = upload;
    let now = w.now().await?.steady;
    ledger::lock_one(w, account).await?;
    let expires_at = decide(usage(w, account).await?, *bytes, now)?;
    w.later(
        "INSERT INTO upload (id, account, bytes, expires_at) VALUES ($1, $2, $3, $4)",
        values![*id, account, *bytes, expires_at],
    );
    Ok(expires_at)
}

/// Until when new requests may name these uploads, which stay until this transaction ends.
pub(crate) async fn expiries(
    c: &Connection,
    ids: &[UploadId],
) -> Result<HashMap<UploadId, Moment>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = c
        .query(
            "SELECT id, expires_at FROM upload WHERE id = ANY($1) ORDER BY id FOR SHARE",
            values![ids.iter().map(|id| id.0).collect::<Vec<_>>()],
        )
        .await?;
    rows.iter().map(|row| Ok((UploadId(row.get("id")?), row.moment("expires_at")?))).collect()
}

/// Those of `ids` that are stored.
pub(crate) async fn stored(c: &Connection, ids: &[UploadId]) -> Result<Vec<UploadId>, StoreError> {
    let rows = c
        .query(
            "SELECT asked.id FROM unnest($1::uuid[]) WITH ORDINALITY AS asked (id, n) JOIN upload u USING (id) ORDER BY asked.n",
            values![ids.iter().map(|id| id.0).collect::<Vec<_>>()],
        )
        .await?;
    rows.iter().map(|row| row.get("id").map(UploadId)).collect()
}

/// Lets go of uploads that are due, among the first `limit` after `after`. One that a submit names just now is left to another time.
pub(crate) async fn let_go(
    w: &Writing,
    after: Option<UploadId>,
    limit: usize,
) -> Result<UploadsGone, StoreError> {
    let now = w.now().await?.steady;
    let after = after.map_or(uuid::Uuid::nil(), |id| id.0);
    let rows = w
        .query("SELECT id, expires_at FROM upload WHERE id > $1 ORDER BY id LIMIT $2", values![after, limit])
        .await?;
    let next = match rows.last() {
        Some(last) if rows.len() == limit => Some(UploadId(last.get("id")?)),
        _ => None,
    };
    let unused = |row: &Row| {
        Ok::<_, StoreError>(StoredUpload { expires_at: row.moment("expires_at")?, in_use: false })
    };
    let mut due = Vec::new();
    for row in &rows {
        if unused(row)?.is_due(now) {
            due.push(row.get::<uuid::Uuid>("id")?);
        }
    }
    if due.is_empty() {
        return Ok(UploadsGone { gone: Vec::new(), next });
    }
    // Locked first: what names them is read by the next statement.
    let locked = w
        .query("SELECT id FROM upload WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED", values![due])
        .await?;
    let locked: Vec<uuid::Uuid> = locked.iter().map(|row| row.get("id")).collect::<Result<_, _>>()?;
    let rows = w
        .query(
            "SELECT u.id, u.expires_at, array_agg(DISTINCT r.phase) FILTER (WHERE r.phase IS NOT NULL) AS phases
             FROM upload u LEFT JOIN upload_use n ON n.upload = u.id LEFT JOIN request r ON r.id = n.request
             WHERE u.id = ANY($1) GROUP BY u.id, u.expires_at ORDER BY u.id",
            values![locked],
        )
        .await?;
    let mut gone = Vec::new();
    for row in rows {
        let phases: Option<Vec<String>> = row.get("phases")?;
        // A request that is not stored any more has ended.
        let runs = |name: &String| {
            clipia_queue::lifecycle::Phase::named(name).is_none_or(|phase| !phase.is_terminal())
        };
        let in_use = phases.is_some_and(|phases| phases.iter().any(runs));
        if (StoredUpload { in_use, ..unused(&row)? }).is_due(now) {
            gone.push(row.get::<uuid::Uuid>("id")?);
        }
    }
    w.later("DELETE FROM upload_use WHERE upload = ANY($1)", values![gone.clone()]);
    w.later("DELETE FROM upload WHERE id = ANY($1)", values![gone.clone()]);
    Ok(UploadsGone { gone: gone.into_iter().map(UploadId).collect(), next })
}
