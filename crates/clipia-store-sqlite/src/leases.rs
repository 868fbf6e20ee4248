//! The hold of workers on requests, and what became of it.

use super::rows::{attempt_name, key, moment};
use crate::clock::told;
use crate::store::{AttemptEnd, NodeId, StoreError, WorkRefused};
use clipia_queue::leases::Lease;
use clipia_queue::lifecycle::Epoch;
use clipia_queue::{Moment, RequestId};
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;

pub(crate) fn give(
    c: &Connection,
    id: RequestId,
    node: NodeId,
    attempt_max: Duration,
    now: Moment,
) -> Result<(), StoreError> {
    let lease = Lease::claimed(now, attempt_max);
    c.prepare_cached(
        "INSERT INTO lease (request, node, claimed_at, deadline_at, until) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        key(id),
        node.0,
        told(lease.claimed_at).as_micros(),
        lease.deadline_at.as_micros(),
        lease.until.as_micros()
    ])?;
    Ok(())
}

fn of(c: &Connection, id: RequestId) -> Result<Lease, rusqlite::Error> {
    c.prepare_cached("SELECT claimed_at, deadline_at, until FROM lease WHERE request = ?1")?.query_row(
        [key(id)],
        |row| {
            Ok(Lease {
                claimed_at: moment(row.get(0)?),
                deadline_at: moment(row.get(1)?),
                until: moment(row.get(2)?),
            })
        },
    )
}

/// Prolongs the lease of a request whose attempt has not begun: its time starts now.
pub(crate) fn hold(
    c: &Connection,
    id: RequestId,
    attempt_max: Duration,
    now: Moment,
) -> Result<(), StoreError> {
    let lease = of(c, id)?.held(now, attempt_max);
    c.prepare_cached("UPDATE lease SET deadline_at = ?2, until = ?3 WHERE request = ?1")?
        .execute(params![key(id), lease.deadline_at.as_micros(), lease.until.as_micros()])?;
    Ok(())
}

/// Prolongs the lease of a request that runs, as far as its deadline allows.
pub(crate) fn prolong(c: &Connection, id: RequestId, now: Moment) -> Result<(), WorkRefused> {
    let prolonged = of(c, id)?.prolonged(now).ok_or(WorkRefused::Overdue)?;
    c.prepare_cached("UPDATE lease SET until = ?2 WHERE request = ?1")?
        .execute(params![key(id), prolonged.until.as_micros()])?;
    Ok(())
}

/// Ends the lease of a request, if it has one, and keeps what became of it.
pub(crate) fn end(
    c: &Connection,
    id: RequestId,
    epoch: Epoch,
    how: AttemptEnd,
    now: Moment,
) -> Result<(), StoreError> {
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
            epoch.0,
            claimed_at,
            told(now).as_micros().max(claimed_at),
            attempt_name(how)
        ])?;
    }
    Ok(())
}
