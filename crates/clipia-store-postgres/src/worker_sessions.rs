//! The sessions of workers on other machines, and their attempts.

use super::connection::Connection;
use super::rows::{Row, attempt_end, from_json};
use super::values::{text, values};
use super::writing::Writing;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Epoch;
use clipia_queue::workers::{SESSION_KEPT, SESSIONS_MAX};
use clipia_store::{
    AboutSession, Claim, HeldAttempt, SessionListing, SessionSeen, StoreError, WorkerSession,
};
use std::collections::HashMap;

/// Narrows sessions `s` down to those without a lease.
const IDLE: &str = "NOT EXISTS (SELECT 1 FROM lease l WHERE l.worker = s.worker AND l.session = s.session)";

/// Notes that a session was heard of, unless its worker was revoked, and forgets those that were not heard of for long.
pub(crate) async fn seen(w: &Writing, seen: &SessionSeen) -> Result<(), StoreError> {
    let now = w.now().await?;
    let SessionSeen { session: WorkerSession { worker, session }, about } = seen;
    let AboutSession { executor, host, gpu, version, slots } = about;
    w.later(
        "INSERT INTO worker_session (worker, session, executor, host, gpu, version, slots, since, seen_at)
         SELECT name, $2, $3, $4, $5, $6, $7, $8, $9 FROM worker WHERE name = $1 AND revoked_at IS NULL
         ON CONFLICT (worker, session) DO UPDATE
            SET executor = excluded.executor, host = excluded.host, gpu = excluded.gpu, version = excluded.version,
                slots = excluded.slots, seen_at = excluded.seen_at",
        values![
            worker,
            *session,
            text(executor),
            text(host),
            gpu.as_deref().map(text),
            text(version),
            *slots,
            now.wall,
            now.steady,
        ],
    );
    w.later(
        format!("DELETE FROM worker_session s WHERE seen_at <= $1 AND {IDLE}"),
        values![now.steady - SESSION_KEPT],
    );
    w.later(
        format!(
            "DELETE FROM worker_session s WHERE worker = $1 AND session IN (
                SELECT session FROM worker_session WHERE worker = $1 ORDER BY seen_at DESC, since DESC OFFSET $2) AND {IDLE}"
        ),
        values![worker, SESSIONS_MAX],
    );
    Ok(())
}

/// The sessions of each worker, the latest first.
pub(crate) async fn list(c: &Connection) -> Result<HashMap<String, Vec<SessionListing>>, StoreError> {
    let rows = c
        .query(
            "SELECT s.*, (SELECT count(*) FROM lease l WHERE l.worker = s.worker AND l.session = s.session) AS running
             FROM worker_session s ORDER BY since DESC, session",
            Vec::new(),
        )
        .await?;
    let mut listed: HashMap<String, Vec<SessionListing>> = HashMap::new();
    for row in rows {
        let session = SessionListing {
            session: row.get("session")?,
            about: AboutSession {
                executor: row.get("executor")?,
                host: row.get("host")?,
                gpu: row.get("gpu")?,
                version: row.get("version")?,
                slots: row.small("slots")?,
            },
            since: row.time("since")?,
            seen_at: row.time("seen_at")?,
            running: row.count("running")?,
        };
        listed.entry(row.get("worker")?).or_default().push(session);
    }
    Ok(listed)
}

/// A lease of a session with what a claim tells of its request.
const CLAIM: &str =
    "SELECT r.id, r.account, r.api_key, r.epoch, r.model, o.input, r.base_url, l.worker, l.session
     FROM lease l JOIN request r ON r.id = l.request JOIN request_content o ON o.request = l.request
     WHERE l.session IS NOT NULL";

fn claim(row: &Row) -> Result<Claim, StoreError> {
    Ok(Claim {
        id: row.request("id")?,
        account: row.account()?,
        key_id: row.get("api_key")?,
        epoch: Epoch(row.get("epoch")?),
        model: row.get("model")?,
        input: from_json(row.get("input")?)?,
        base_url: row.get("base_url")?,
    })
}

/// The claims of the leases of a session, in the order of their requests.
pub(crate) async fn claims(c: &Connection, of: &WorkerSession) -> Result<Vec<Claim>, StoreError> {
    let rows = c
        .query(
            &format!("{CLAIM} AND l.worker = $1 AND l.session = $2 ORDER BY l.request"),
            values![&of.worker, of.session],
        )
        .await?;
    rows.iter().map(claim).collect()
}

/// An attempt of a session, in force or ended. One that ends meanwhile is found as one that has ended.
pub(crate) async fn attempt(
    c: &Connection,
    id: RequestId,
    epoch: Epoch,
) -> Result<Option<HeldAttempt>, StoreError> {
    let session = |row: &Row| {
        Ok::<_, StoreError>(WorkerSession { worker: row.get("worker")?, session: row.get("session")? })
    };
    let running =
        c.optional(&format!("{CLAIM} AND l.request = $1 AND r.epoch = $2"), values![id, epoch.0]).await?;
    if let Some(row) = running {
        return Ok(Some(HeldAttempt { session: session(&row)?, ended: None, claim: Some(claim(&row)?) }));
    }
    let ended = c
        .optional(
            "SELECT worker, session, ending FROM attempt WHERE request = $1 AND epoch = $2 AND session IS NOT NULL",
            values![id, epoch.0],
        )
        .await?;
    let held = |row: Row| {
        let ended = Some(attempt_end(row.get("ending")?)?);
        Ok(HeldAttempt { session: session(&row)?, ended, claim: None })
    };
    ended.map(held).transpose()
}
