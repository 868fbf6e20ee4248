//! Who left the places of new requests, for the nodes that have them in memory.

use crate::connection::Connection;
use crate::values::values;
use clipia_queue::position::{Lane, Place};
use clipia_store::StoreError;
use std::time::Duration;

/// How long it is kept who left. A node whose places are older reads all of them again.
pub(super) const KEPT: Duration = Duration::from_secs(10 * 60);

/// How old the bounds of a node that only claims may be.
pub(super) const BOUNDS_AGE_MAX: Duration = Duration::from_secs(5);

/// Requests leave their places, each of an account. Lane 0 is small and read as a whole.
pub(crate) fn leave(c: &Connection, queue: &str, places: &[(&str, Place)]) {
    let new = places.iter().filter(|(_, place)| place.lane == Lane::New);
    let (accounts, tickets): (Vec<_>, Vec<_>) =
        new.map(|(account, place)| ((*account).to_owned(), place.ticket.0)).unzip();
    if !accounts.is_empty() {
        c.later(
            "INSERT INTO queue_left (queue, account, tickets)
             SELECT $1, account, array_agg(ticket) FROM unnest($2::text[], $3::int8[]) AS left_ (account, ticket) GROUP BY account",
            values![queue, accounts, tickets],
        );
    }
}

/// Forgets who left so long ago that nobody asks any more.
pub(crate) async fn forget(c: &Connection) -> Result<(), StoreError> {
    let micros = i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX);
    c.execute(
        "DELETE FROM queue_left WHERE at < (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - $1",
        values![micros],
    )
    .await
    .map(drop)
}
