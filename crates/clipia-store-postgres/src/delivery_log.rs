//! Deliveries and their attempts as an operator sees them, and replays.

use super::connection::Connection;
use super::rows::Row;
use super::values::values;
use super::writing::Writing;
use super::{audit, stored};
use clipia_queue::audit::Act;
use clipia_queue::commands::outbox;
use clipia_queue::{Moment, delivery_host};
use clipia_store::clock::timestamp;
use clipia_store::{
    AttemptListing, DELIVERIES_MAX, DeliveryDetails, DeliveryFilter, DeliveryListing, DeliveryState,
    Replayed, StoreError,
};
use uuid::Uuid;

const LISTING: &str = "SELECT id, account, request, url, state, attempts, postponed, created_at, next_at, settled_at FROM delivery";

/// A delivery that may be sent again. While this transaction goes on, nothing drops the month of its request.
const OF_REQUEST: &str = "AND EXISTS (SELECT FROM request r WHERE r.id = delivery.request)";

pub(crate) async fn list(
    c: &Connection,
    filter: &DeliveryFilter,
    before: Option<Uuid>,
    most: u32,
) -> Result<Vec<DeliveryListing>, StoreError> {
    // Ids are of version 7, so that their order is that of time. Only the conditions that are asked for: each has its index.
    let mut text = format!("{LISTING} WHERE id < $1");
    let mut given = values![before.unwrap_or(Uuid::max())];
    if let Some(account) = &filter.account {
        given.extend(values![account]);
        text.push_str(&format!(" AND account = ${}", given.len()));
    }
    if let Some(request) = filter.request {
        given.extend(values![request]);
        text.push_str(&format!(" AND request = ${}", given.len()));
    }
    if let Some(state) = filter.state {
        given.extend(values![DeliveryState::name(state)]);
        text.push_str(&format!(" AND state = ${}", given.len()));
    }
    given.extend(values![most.min(DELIVERIES_MAX)]);
    text.push_str(&format!(" ORDER BY id DESC LIMIT ${}", given.len()));
    c.query(&text, given).await?.iter().map(listing).collect()
}

fn listing(row: &Row) -> Result<DeliveryListing, StoreError> {
    Ok(DeliveryListing {
        id: row.get("id")?,
        account_id: row.account()?,
        request_id: row.request("request")?,
        url: delivery_host::shown(row.get("url")?).to_owned(),
        state: stored::state(row)?,
        attempts: row.small("attempts")?,
        postponed: row.get("postponed")?,
        created_at: row.time("created_at")?,
        next_at: row.optional_time("next_at")?,
        settled_at: row.optional_time("settled_at")?,
    })
}

pub(crate) async fn details(c: &Connection, id: Uuid) -> Result<Option<DeliveryDetails>, StoreError> {
    let Some(found) = c.optional(&format!("{LISTING} WHERE id = $1"), values![id]).await? else {
        return Ok(None);
    };
    let rows =
        c.query("SELECT * FROM delivery_attempt WHERE delivery = $1 ORDER BY number", values![id]).await?;
    let log = rows.iter().map(|row| {
        Ok(AttemptListing {
            number: row.small("number")?,
            replay: row.get("replay")?,
            at: row.time("at")?,
            status: row.get::<Option<i64>>("status")?.and_then(|status| u16::try_from(status).ok()),
            duration_ms: row.count("duration_ms")?,
            class: row.get("class")?,
            error: row.get("error")?,
            reply: row.get("reply")?,
        })
    });
    Ok(Some(DeliveryDetails { delivery: listing(&found)?, log: log.collect::<Result<_, StoreError>>()? }))
}

pub(crate) async fn replay(w: &Writing, id: Uuid) -> Result<bool, StoreError> {
    let now = w.now().await?;
    let found = format!("WHERE id = $1 {OF_REQUEST} FOR NO KEY UPDATE");
    let Some((_, delivery)) = stored::deliveries(w, &found, values![id]).await?.pop() else {
        return Ok(false);
    };
    stored::write(w, id, &outbox::replay(delivery, now));
    audit::record(w, &Act::delivery_replayed(id), now);
    Ok(true)
}

pub(crate) async fn replay_failed(w: &Writing, since: Moment, most: u32) -> Result<Replayed, StoreError> {
    let now = w.now().await?;
    // The index finds candidates. The command decides.
    let failed = format!(
        "WHERE state = 'abandoned' AND settled_at >= $1 AND replay_at IS NULL AND claimed_until IS NULL {OF_REQUEST}
         ORDER BY settled_at, id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED"
    );
    let found = stored::deliveries(w, &failed, values![since, most.min(DELIVERIES_MAX)]).await?;
    let (mut count, mut last) = (0, since);
    for (id, delivery) in found {
        if outbox::is_replayed(&delivery, since) {
            stored::write(w, id, &outbox::replay(delivery, now));
            count += 1;
            last = last.max(delivery.settled_at.unwrap_or(last));
        }
    }
    // Those of the same moment as the last that were left out are found again from that moment on.
    let next = stored::deliveries(w, &failed, values![last, 1_u32]).await?;
    let next = next.first().and_then(|(_, delivery)| delivery.settled_at);
    audit::record(w, &Act::deliveries_replayed(count, timestamp(since)), now);
    Ok(Replayed { count, next: next.map(timestamp) })
}
