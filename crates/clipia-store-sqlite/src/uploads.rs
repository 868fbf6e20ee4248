//! Uploads, and the requests that name them.

use super::rows::{count, key, moment, phase};
use crate::store::{AccountId, KeepRefused, NewUpload, StoreError, SubmitRefused, UploadsGone};
use clipia_queue::uploads::{Named, StoredUpload, UploadId, Usage, keep as decide};
use clipia_queue::{Moment, RequestId};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

/// What an account keeps.
pub(crate) fn usage(c: &Connection, account: &AccountId) -> Result<Usage, StoreError> {
    let usage = c
        .prepare_cached("SELECT count(*), coalesce(sum(bytes), 0) FROM upload WHERE account = ?1")?
        .query_row([&account.0], |row| Ok(Usage { count: count(row.get(0)?), bytes: count(row.get(1)?) }))?;
    Ok(usage)
}

/// Keeps an upload, if its account has room for it.
pub(crate) fn keep(c: &Connection, upload: &NewUpload, now: Moment) -> Result<Moment, KeepRefused> {
    let NewUpload { id, account, bytes } = upload;
    let expires_at = decide(usage(c, account)?, *bytes, now)?;
    let bytes = i64::try_from(*bytes).unwrap_or(i64::MAX);
    c.prepare_cached("INSERT INTO upload (id, account, bytes, expires_at) VALUES (?1, ?2, ?3, ?4)")
        .and_then(|mut insert| insert.execute(params![id.0, account.0, bytes, expires_at.as_micros()]))
        .map_err(StoreError::from)?;
    Ok(expires_at)
}

/// Checks that a new request may name these uploads.
pub(crate) fn check(c: &Connection, named: &[Named], now: Moment) -> Result<(), SubmitRefused> {
    for named in named {
        let expires_at: Option<i64> = c
            .prepare_cached("SELECT expires_at FROM upload WHERE id = ?1")?
            .query_row([named.id.0], |row| row.get(0))
            .optional()?;
        named.check(expires_at.map(moment), now)?;
    }
    Ok(())
}

/// Notes that a request names these uploads: they stay until it has ended.
pub(crate) fn name(c: &Connection, named: &[Named], request: RequestId) -> Result<(), StoreError> {
    for named in named {
        // Two parameters may name one upload.
        c.prepare_cached("INSERT OR IGNORE INTO upload_use (upload, request) VALUES (?1, ?2)")?
            .execute(params![named.id.0, key(request)])?;
    }
    Ok(())
}

/// Those of `ids` that are stored.
pub(crate) fn stored(c: &Connection, ids: &[UploadId]) -> Result<Vec<UploadId>, StoreError> {
    let mut exists = c.prepare_cached("SELECT 1 FROM upload WHERE id = ?1")?;
    let mut stored = Vec::new();
    for id in ids {
        if exists.exists([id.0])? {
            stored.push(*id);
        }
    }
    Ok(stored)
}

/// Lets go of uploads that are due, among the first `limit` after `after`.
pub(crate) fn let_go(
    c: &Connection,
    after: Option<UploadId>,
    limit: usize,
    now: Moment,
) -> Result<UploadsGone, StoreError> {
    let page: Vec<(Uuid, i64)> = c
        .prepare_cached("SELECT id, expires_at FROM upload WHERE id > ?1 ORDER BY id LIMIT ?2")?
        .query_map(
            params![after.map_or(Uuid::nil(), |id| id.0), i64::try_from(limit).unwrap_or(i64::MAX)],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?
        .collect::<Result<_, _>>()?;
    let next = page.last().filter(|_| page.len() == limit).map(|(id, _)| UploadId(*id));
    let mut gone = Vec::new();
    for (id, expires_at) in page {
        // Whether a request needs it is looked up only where it may be due.
        let unused = StoredUpload { expires_at: moment(expires_at), in_use: false };
        if !unused.is_due(now) || !(StoredUpload { in_use: in_use(c, id)?, ..unused }).is_due(now) {
            continue;
        }
        for rows in ["DELETE FROM upload_use WHERE upload = ?1", "DELETE FROM upload WHERE id = ?1"] {
            c.prepare_cached(rows)?.execute([id])?;
        }
        gone.push(UploadId(id));
    }
    Ok(UploadsGone { gone, next })
}

/// Whether a request names an upload that has not ended. One that is not stored any more has ended.
fn in_use(c: &Connection, upload: Uuid) -> Result<bool, StoreError> {
    let mut phases = c.prepare_cached(
        "SELECT DISTINCT phase FROM upload_use JOIN request ON request.id = upload_use.request WHERE upload = ?1",
    )?;
    let mut rows = phases.query([upload])?;
    while let Some(row) = rows.next()? {
        if !phase(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?.is_terminal() {
            return Ok(true);
        }
    }
    Ok(false)
}
