//! The leases of workers on requests, and how attempts ended.

use super::connection::Connection;
use super::rows::{Row, attempt_name};
use super::values::values;
use clipia_queue::RequestId;
use clipia_queue::leases::{Lease, LeaseEnd};
use clipia_store::{Holder, StoreError};

/// Gives leases on requests.
pub(crate) fn give(c: &Connection, holder: &Holder, leases: &[(RequestId, Lease)]) {
    let column = |of: fn(&Lease) -> i64| leases.iter().map(|(_, lease)| of(lease)).collect::<Vec<_>>();
    c.later(
        "INSERT INTO lease (request, node, worker, session, claimed_at, deadline_at, until)
         SELECT request, $2, $6, $7, claimed_at, deadline_at, until
         FROM unnest($1::uuid[], $3::int8[], $4::int8[], $5::int8[]) AS new (request, claimed_at, deadline_at, until)",
        values![
            leases.iter().map(|(id, _)| id.0).collect::<Vec<_>>(),
            holder.node.0,
            column(|lease| lease.claimed_at.as_micros()),
            column(|lease| lease.deadline_at.as_micros()),
            column(|lease| lease.until.as_micros()),
            holder.session.as_ref().map(|of| &of.worker),
            holder.session.as_ref().map(|of| of.session),
        ],
    );
}

/// The columns `claimed_at`, `deadline_at`, `until`; nothing where they are of no lease.
pub(crate) fn lease(row: &Row) -> Result<Option<Lease>, StoreError> {
    let Some(claimed_at) = row.optional_moment("claimed_at")? else { return Ok(None) };
    Ok(Some(Lease { claimed_at, deadline_at: row.moment("deadline_at")?, until: row.moment("until")? }))
}

/// Writes a lease that was prolonged.
pub(crate) fn prolong(c: &Connection, id: RequestId, lease: &Lease) {
    c.later(
        "UPDATE lease SET deadline_at = $2, until = $3 WHERE request = $1",
        values![id, lease.deadline_at, lease.until],
    );
}

/// Ends the lease of a request, if it has one, and keeps how its attempt ended.
pub(crate) fn end(c: &Connection, id: RequestId, lease: Option<Lease>, end: &LeaseEnd) {
    let Some(Lease { claimed_at, .. }) = lease else { return };
    c.later(
        "WITH ended AS (DELETE FROM lease WHERE request = $1 RETURNING worker, session)
         INSERT INTO attempt (request, epoch, claimed_at, ended_at, ending, worker, session)
         SELECT $1, $2, $3, $4, $5, worker, session FROM ended",
        values![id, end.epoch.0, claimed_at, end.ended_at(claimed_at), attempt_name(end.how)],
    );
}
