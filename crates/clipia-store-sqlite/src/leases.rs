//! The leases of workers on requests, and how attempts ended.

use super::rows::{attempt_name, key, moment};
use crate::store::{NodeId, StoreError};
use clipia_queue::RequestId;
use clipia_queue::leases::{Lease, LeaseEnd};
use rusqlite::{Connection, OptionalExtension, Row, params};

pub(crate) fn give(c: &Connection, id: RequestId, node: NodeId, lease: &Lease) -> Result<(), StoreError> {
    c.prepare_cached(
        "INSERT INTO lease (request, node, claimed_at, deadline_at, until) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        key(id),
        node.0,
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

/// Ends the lease of a request, if it has one, and keeps how its attempt ended.
pub(crate) fn end(c: &Connection, id: RequestId, end: &LeaseEnd) -> Result<(), StoreError> {
    let claimed_at: Option<i64> = c
        .prepare_cached("DELETE FROM lease WHERE request = ?1 RETURNING claimed_at")?
        .query_row([key(id)], |row| row.get(0))
        .optional()?;
    if let Some(claimed_at) = claimed_at {
        c.prepare_cached(
            "INSERT INTO attempt (request, epoch, claimed_at, ended_at, ending) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            key(id),
            end.epoch.0,
            claimed_at,
            end.ended_at(moment(claimed_at)).as_micros(),
            attempt_name(end.how)
        ])?;
    }
    Ok(())
}
