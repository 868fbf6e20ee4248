//! Queued requests that are set aside, because their account fetches files for as many of them as it may.
//!
//! They keep their places: the queues in memory make no difference between them and the others.

use super::position::{QueuePlace, lane_number};
use crate::store::{AccountId, StoreError};
use clipia_queue::RequestId;
use rusqlite::{Connection, params};

/// Sets a request aside that was the first of its queue, and that `queue_item` has no more.
pub(crate) fn set(
    c: &Connection,
    account: &AccountId,
    at: &QueuePlace,
    id: RequestId,
) -> Result<(), StoreError> {
    c.prepare_cached(
        "INSERT INTO queue_aside (queue, account, lane, ticket, request) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![at.queue, account.0, lane_number(at.place.lane), at.place.ticket.0, id.0])?;
    Ok(())
}

/// Removes a request that is set aside. Returns whether there was one.
pub(crate) fn leave(c: &Connection, at: &QueuePlace) -> Result<bool, StoreError> {
    let left = c
        .prepare_cached("DELETE FROM queue_aside WHERE queue = ?1 AND lane = ?2 AND ticket = ?3")?
        .execute(params![at.queue, lane_number(at.place.lane), at.place.ticket.0])?;
    Ok(left == 1)
}

/// Puts the first requests of an account back, `most` at most. Returns how many.
pub(crate) fn put_back(
    c: &Connection,
    queue: &str,
    account: &AccountId,
    most: u32,
) -> Result<u32, StoreError> {
    let first = "FROM queue_aside WHERE queue = ?1 AND account = ?2 ORDER BY lane, ticket LIMIT ?3";
    let put_back = c
        .prepare_cached(&format!("INSERT INTO queue_item SELECT queue, lane, ticket, request {first}"))?
        .execute(params![queue, account.0, most])?;
    c.prepare_cached(&format!(
        "DELETE FROM queue_aside WHERE (queue, lane, ticket) IN (SELECT queue, lane, ticket {first})"
    ))?
    .execute(params![queue, account.0, most])?;
    Ok(u32::try_from(put_back).unwrap_or(u32::MAX))
}

/// Puts all requests of every queue back: the process that set them aside is gone.
pub(crate) fn put_all_back(c: &Connection) -> Result<(), rusqlite::Error> {
    c.execute_batch(
        "BEGIN;
         INSERT INTO queue_item SELECT queue, lane, ticket, request FROM queue_aside;
         DELETE FROM queue_aside;
         COMMIT;",
    )
}
