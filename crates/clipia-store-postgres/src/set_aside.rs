//! Places in queues: they are taken, left, set aside and put back.
//!
//! A request is set aside because its account fetches files for as many of them as it may. It keeps its place, and its position. A
//! node that set it aside may be gone before it puts it back: it comes back by itself after a while.

use super::position;
use super::rows::lane_number;
use super::values::values;
use super::writing::Writing;
use clipia_queue::leases::SILENCE_MAX;
use clipia_queue::position::Place;
use clipia_queue::{Moment, RequestId};
use clipia_store::{AccountId, StoreError};

/// Until when requests are set aside: as long as a worker may be silent.
pub(crate) fn until(now: Moment) -> Moment {
    now + SILENCE_MAX
}

/// Takes a place for a request.
pub(crate) fn take(w: &Writing, queue: &str, place: Place, account: &AccountId, id: RequestId) {
    w.later(
        "INSERT INTO queue_item (queue, lane, ticket, account, request) VALUES ($1, $2, $3, $4, $5)",
        values![queue, lane_number(place.lane), place.ticket.0, account, id],
    );
    w.moved(queue);
}

/// Leaves a place.
pub(crate) fn leave(w: &Writing, queue: &str, place: Place, account: &AccountId) {
    w.later(
        "DELETE FROM queue_item WHERE queue = $1 AND lane = $2 AND ticket = $3",
        values![queue, lane_number(place.lane), place.ticket.0],
    );
    position::leave(w, queue, &[(&account.0, place)]);
    w.moved(queue);
}

/// Puts the first requests of an account back, `most` at most. Returns how many.
pub(crate) async fn put_back(
    w: &Writing,
    queue: &str,
    account: &AccountId,
    most: u32,
) -> Result<u32, StoreError> {
    w.lock_head(queue);
    let put_back = w
        .execute(
            "UPDATE queue_item SET aside_until = NULL WHERE (queue, lane, ticket) IN (
                SELECT queue, lane, ticket FROM queue_item
                WHERE queue = $1 AND account = $2 AND aside_until IS NOT NULL ORDER BY lane, ticket LIMIT $3)",
            values![queue, account, most],
        )
        .await?;
    w.memory.heads.forget(queue);
    Ok(u32::try_from(put_back).unwrap_or(u32::MAX))
}
