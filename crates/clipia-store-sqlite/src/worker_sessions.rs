//! The sessions of workers on other machines, and their attempts.

use super::rows::{attempt_end, count, from_json, key, moment};
use crate::clock::{timestamp, wall_at};
use crate::store::{
    AboutSession, AccountId, Claim, HeldAttempt, SessionListing, SessionSeen, StoreError, WorkerSession,
};
use clipia_queue::lifecycle::Epoch;
use clipia_queue::workers::{SESSION_KEPT, SESSIONS_MAX};
use clipia_queue::{Moment, RequestId};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Narrows sessions down to those without a lease.
const IDLE: &str = "NOT EXISTS (SELECT 1 FROM lease WHERE lease.worker = worker_session.worker
                                AND lease.session = worker_session.session AND lease.session IS NOT NULL)";

/// Notes that a session was heard of, unless its worker was revoked, and forgets those that were not heard of for long.
pub(crate) fn seen(c: &Connection, seen: &SessionSeen, now: Moment) -> Result<(), StoreError> {
    let SessionSeen { session: WorkerSession { worker, session }, about } = seen;
    let AboutSession { executor, host, gpu, version, slots } = about;
    c.prepare_cached(
        "INSERT INTO worker_session (worker, session, executor, host, gpu, version, slots, since, seen_at)
         SELECT name, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM worker WHERE name = ?1 AND revoked_at IS NULL
         ON CONFLICT (worker, session) DO UPDATE SET executor = ?3, host = ?4, gpu = ?5, version = ?6, slots = ?7,
                                                     seen_at = ?9",
    )?
    .execute(params![
        worker,
        session,
        executor,
        host,
        gpu,
        version,
        slots,
        wall_at(now).as_micros(),
        now.as_micros()
    ])?;
    let kept_since = now - SESSION_KEPT;
    c.prepare_cached(&format!("DELETE FROM worker_session WHERE seen_at <= ?1 AND {IDLE}"))?
        .execute([kept_since.as_micros()])?;
    let oldest = "DELETE FROM worker_session WHERE worker = ?1 AND session IN (
                      SELECT session FROM worker_session WHERE worker = ?1 ORDER BY seen_at DESC, since DESC LIMIT -1 OFFSET ?2)";
    c.prepare_cached(&format!("{oldest} AND {IDLE}"))?.execute(params![worker, SESSIONS_MAX])?;
    Ok(())
}

/// The sessions of a worker, the latest first.
pub(crate) fn list(c: &Connection, worker: &str) -> Result<Vec<SessionListing>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT *, (SELECT count(*) FROM lease WHERE lease.worker = worker_session.worker
                    AND lease.session = worker_session.session AND lease.session IS NOT NULL) AS running
         FROM worker_session WHERE worker = ?1 ORDER BY since DESC, session",
    )?;
    let sessions = statement.query_map([worker], |row| {
        Ok(SessionListing {
            session: row.get("session")?,
            about: AboutSession {
                executor: row.get("executor")?,
                host: row.get("host")?,
                gpu: row.get("gpu")?,
                version: row.get("version")?,
                slots: row.get("slots")?,
            },
            since: timestamp(moment(row.get("since")?)),
            seen_at: timestamp(wall_at(moment(row.get("seen_at")?))),
            running: count(row.get("running")?),
        })
    })?;
    Ok(sessions.collect::<Result<_, _>>()?)
}

/// A lease of a session with what a claim tells of its request.
const CLAIM: &str =
    "SELECT r.id, r.account, r.api_key, r.epoch, r.model, o.input, r.base_url, l.worker, l.session
     FROM lease l JOIN request r ON r.id = l.request JOIN request_content o ON o.request = l.request
     WHERE l.session IS NOT NULL";

fn claim(row: &Row<'_>) -> Result<Claim, StoreError> {
    Ok(Claim {
        id: RequestId(row.get("id")?),
        account: AccountId(row.get("account")?),
        key_id: row.get("api_key")?,
        epoch: Epoch(row.get("epoch")?),
        model: row.get("model")?,
        input: from_json(row.get_ref("input")?.as_str().map_err(rusqlite::Error::from)?)?,
        base_url: row.get("base_url")?,
    })
}

/// The claims of the leases of a session, in the order of their requests.
pub(crate) fn claims(c: &Connection, of: &WorkerSession) -> Result<Vec<Claim>, StoreError> {
    let mut statement =
        c.prepare_cached(&format!("{CLAIM} AND l.worker = ?1 AND l.session = ?2 ORDER BY l.request"))?;
    let mut rows = statement.query(params![of.worker, of.session])?;
    let mut claims = Vec::new();
    while let Some(row) = rows.next()? {
        claims.push(claim(row)?);
    }
    Ok(claims)
}

/// An attempt of a session, in force or ended.
pub(crate) fn attempt(
    c: &Connection,
    id: RequestId,
    epoch: Epoch,
) -> Result<Option<HeldAttempt>, StoreError> {
    let session_of = |row: &Row<'_>| -> rusqlite::Result<WorkerSession> {
        Ok(WorkerSession { worker: row.get("worker")?, session: row.get("session")? })
    };
    let mut running = c.prepare_cached(&format!("{CLAIM} AND l.request = ?1 AND r.epoch = ?2"))?;
    let mut rows = running.query(params![key(id), epoch.0])?;
    if let Some(row) = rows.next()? {
        return Ok(Some(HeldAttempt { session: session_of(row)?, ended: None, claim: Some(claim(row)?) }));
    }
    let ended: Option<(WorkerSession, String)> = c
        .prepare_cached(
            "SELECT worker, session, ending FROM attempt WHERE request = ?1 AND epoch = ?2 AND session IS NOT NULL",
        )?
        .query_row(params![key(id), epoch.0], |row| Ok((session_of(row)?, row.get("ending")?)))
        .optional()?;
    ended
        .map(|(session, ending)| Ok(HeldAttempt { session, ended: Some(attempt_end(&ending)?), claim: None }))
        .transpose()
}
