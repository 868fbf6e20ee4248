//! Requests and deliveries as commands read them, and as they write deliveries back.

use super::rows::{credits, key, lifecycle, moment};
use crate::store::{AccountId, DeliveryState, StoreError, WorkRefused};
use clipia_api::Progress;
use clipia_queue::RequestId;
use clipia_queue::commands::StoredRequest;
use clipia_queue::deliveries::StoredDelivery;
use clipia_queue::position::Ticket;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::time::Duration;
use uuid::Uuid;

/// The request of this id.
pub(crate) fn request(c: &Connection, id: RequestId) -> Result<StoredRequest, WorkRefused> {
    let mut statement = c.prepare_cached("SELECT * FROM request WHERE id = ?1")?;
    let mut rows = statement.query([key(id)])?;
    let row = rows.next()?.ok_or(WorkRefused::Unknown)?;
    Ok(StoredRequest {
        id,
        account: AccountId(row.get("account")?),
        key_id: row.get("api_key")?,
        sandbox: row.get("sandbox")?,
        model: row.get("model")?,
        life: lifecycle(row)?,
        queue: row.get("queue")?,
        ticket: Ticket(row.get("ticket")?),
        attempt_max: Duration::from_micros(row.get::<_, i64>("attempt_max")?.unsigned_abs()),
        elsewhere: row.get("elsewhere")?,
        progress: Progress::new(row.get("progress")?),
        cost: credits(row.get("cost")?)?,
        webhook_url: row.get("webhook_url")?,
        base_url: row.get("base_url")?,
        created_at: moment(row.get("created_at")?),
    })
}

/// The columns that [`delivery_of`] reads.
pub(crate) const DELIVERY: &str =
    "id, state, attempts, due_at, replay_at, claimed_until, postponed, settled_at";

/// A delivery's id and its state, from the columns [`DELIVERY`].
pub(crate) fn delivery_of(row: &Row<'_>) -> rusqlite::Result<(Uuid, StoredDelivery)> {
    let moment_of = |name| row.get::<_, Option<i64>>(name).map(|at| at.map(moment));
    let delivery = StoredDelivery {
        state: state(row)?,
        attempts: row.get("attempts")?,
        due_at: moment(row.get("due_at")?),
        replay_at: moment_of("replay_at")?,
        claimed_until: moment_of("claimed_until")?,
        postponed: row.get("postponed")?,
        settled_at: moment_of("settled_at")?,
    };
    Ok((row.get("id")?, delivery))
}

/// The column `state` of a delivery.
pub(crate) fn state(row: &Row<'_>) -> rusqlite::Result<DeliveryState> {
    let name = row.get_ref("state")?.as_str()?;
    DeliveryState::named(name).ok_or(rusqlite::Error::InvalidQuery)
}

/// The delivery of this id.
pub(crate) fn delivery(c: &Connection, id: Uuid) -> Result<Option<StoredDelivery>, StoreError> {
    let found = c
        .prepare_cached(&format!("SELECT {DELIVERY} FROM delivery WHERE id = ?1"))?
        .query_row([id], delivery_of)
        .optional()?;
    Ok(found.map(|(_, delivery)| delivery))
}

/// Deliveries of this condition.
pub(crate) fn deliveries(
    c: &Connection,
    condition: &str,
    values: impl rusqlite::Params,
) -> rusqlite::Result<Vec<(Uuid, StoredDelivery)>> {
    let mut statement = c.prepare_cached(&format!("SELECT {DELIVERY} FROM delivery {condition}"))?;
    statement.query_map(values, delivery_of)?.collect()
}

/// Writes what a command made of a delivery. Its sender is forgotten once it is not claimed any more.
pub(crate) fn write(c: &Connection, id: Uuid, delivery: &StoredDelivery) -> rusqlite::Result<()> {
    let micros = |at: Option<clipia_queue::Moment>| at.map(clipia_queue::Moment::as_micros);
    c.prepare_cached(
        "UPDATE delivery SET state = ?2, attempts = ?3, due_at = ?4, replay_at = ?5, claimed_until = ?6,
                             claimed_by = iif(?6 IS NULL, NULL, claimed_by), postponed = ?7, settled_at = ?8, next_at = ?9
         WHERE id = ?1",
    )?
    .execute(params![
        id,
        delivery.state.name(),
        delivery.attempts,
        delivery.due_at.as_micros(),
        micros(delivery.replay_at),
        micros(delivery.claimed_until),
        delivery.postponed,
        micros(delivery.settled_at),
        micros(delivery.next_at()),
    ])?;
    Ok(())
}
