//! The leases of workers on requests, and how attempts ended.

use super::connection::Connection;
use super::rows::{Row, attempt_name};
use super::values::values;
use super::writing::Writing;
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
pub(crate) fn end(w: &Writing, id: RequestId, lease: Option<Lease>, end: &LeaseEnd) {
    end_all(w, &[(id, lease, end)]);
}

/// The same for several requests.
pub(crate) fn end_all(w: &Writing, ends: &[(RequestId, Option<Lease>, &LeaseEnd)]) {
    let ends: Vec<_> = ends.iter().filter_map(|(id, lease, end)| Some((id, (*lease)?, end))).collect();
    if ends.is_empty() {
        return;
    }
    let ids: Vec<_> = ends.iter().map(|(id, ..)| id.0).collect();
    let of = w.memory.months.of(&ids);
    w.later(
        format!(
            "WITH ended AS (
                DELETE FROM lease l
                USING unnest($1::uuid[], $2::int8[], $3::int8[], $4::int8[], $5::text[]) AS e (request, epoch, claimed_at, ended_at, ending)
                WHERE l.request = e.request
                RETURNING l.request, e.epoch, e.claimed_at, e.ended_at, e.ending, l.worker, l.session)
             INSERT INTO attempt{of} (request, epoch, claimed_at, ended_at, ending, worker, session) SELECT * FROM ended"
        ),
        values![
            ids,
            ends.iter().map(|(.., end)| end.epoch.0).collect::<Vec<_>>(),
            ends.iter().map(|(_, lease, _)| lease.claimed_at.as_micros()).collect::<Vec<_>>(),
            ends.iter().map(|(_, lease, end)| end.ended_at(lease.claimed_at).as_micros()).collect::<Vec<_>>(),
            ends.iter().map(|(.., end)| attempt_name(end.how).to_owned()).collect::<Vec<_>>(),
        ],
    );
}
