//! The leases of workers on requests, and how attempts ended.

use super::rows::{attempt_name, key, moment};
use crate::store::{Holder, StoreError};
use clipia_queue::leases::{Lease, LeaseEnd};
use clipia_queue::{Moment, RequestId};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::time::Duration;
use uuid::Uuid;

pub(crate) fn give(c: &Connection, id: RequestId, holder: &Holder, lease: &Lease) -> Result<(), StoreError> {
    c.prepare_cached(
        "INSERT INTO lease (request, node, worker, session, claimed_at, deadline_at, until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        key(id),
        holder.node.0,
        holder.session.as_ref().map(|of| &of.worker),
        holder.session.as_ref().map(|of| of.session),
        lease.claimed_at.as_micros(),
        lease.deadline_at.as_micros(),
        lease.until.as_micros()
    ])?;
    Ok(())
}

/// The columns `claimed_at`, `deadline_at`, `until`.
pub(crate) fn lease(row: &Row<'_>) -> rusqlite::Result<Lease> {
    Ok(Lease {
        claimed_at: moment(row.get("claimed_at")?),
        deadline_at: moment(row.get("deadline_at")?),
        until: moment(row.get("until")?),
    })
}

/// The lease of a request, if a worker has it.
pub(crate) fn of(c: &Connection, id: RequestId) -> rusqlite::Result<Option<Lease>> {
    c.prepare_cached("SELECT claimed_at, deadline_at, until FROM lease WHERE request = ?1")?
        .query_row([key(id)], lease)
        .optional()
}

/// Writes a lease that was prolonged.
pub(crate) fn prolong(c: &Connection, id: RequestId, lease: &Lease) -> Result<(), StoreError> {
    c.prepare_cached("UPDATE lease SET deadline_at = ?2, until = ?3 WHERE request = ?1")?
        .execute(params![key(id), lease.deadline_at.as_micros(), lease.until.as_micros()])?;
    Ok(())
}

/// Prolongs the leases of workers on other machines, which could not beat while the store was closed. Returns how many there are.
pub(crate) fn reopen(c: &Connection, now: Moment) -> Result<u64, StoreError> {
    let leases: Vec<(RequestId, Lease, Duration)> = c
        .prepare(
            "SELECT l.request, l.claimed_at, l.deadline_at, l.until, r.attempt_max
             FROM lease l JOIN request r ON r.id = l.request WHERE l.session IS NOT NULL",
        )?
        .query_map([], |row| {
            let attempt_max = Duration::from_micros(row.get::<_, i64>("attempt_max")?.unsigned_abs());
            Ok((RequestId(row.get("request")?), lease(row)?, attempt_max))
        })?
        .collect::<Result<_, _>>()?;
    for (id, lease, attempt_max) in &leases {
        prolong(c, *id, &lease.reopened(now, *attempt_max))?;
    }
    Ok(leases.len() as u64)
}

/// Ends the lease of a request, if it has one, and keeps how its attempt ended. Returns how long that took.
pub(crate) fn end(c: &Connection, id: RequestId, end: &LeaseEnd) -> Result<Duration, StoreError> {
    let ended: Option<(i64, Option<String>, Option<Uuid>)> = c
        .prepare_cached("DELETE FROM lease WHERE request = ?1 RETURNING claimed_at, worker, session")?
        .query_row([key(id)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((claimed_at, worker, session)) = ended else { return Ok(Duration::ZERO) };
    let claimed_at = moment(claimed_at);
    let ended_at = end.ended_at(claimed_at);
    c.prepare_cached(
        "INSERT INTO attempt (request, epoch, claimed_at, ended_at, ending, worker, session)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        key(id),
        end.epoch.0,
        claimed_at.as_micros(),
        ended_at.as_micros(),
        attempt_name(end.how),
        worker,
        session
    ])?;
    Ok(ended_at.since(claimed_at))
}
