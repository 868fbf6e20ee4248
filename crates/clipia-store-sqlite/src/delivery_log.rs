//! Deliveries and their attempts as an operator sees them, and replays.

use super::rows::{count, moment};
use super::{audit, stored};
use crate::clock::{both, timestamp, wall_at};
use crate::store::{
    AccountId, AttemptListing, DELIVERIES_MAX, DeliveryDetails, DeliveryFilter, DeliveryListing,
    DeliveryState, Replayed, StoreError,
};
use clipia_queue::audit::Act;
use clipia_queue::commands::outbox;
use clipia_queue::{Moment, RequestId, delivery_host};
use rusqlite::{Connection, Row, ToSql, params};
use uuid::Uuid;

const LISTING: &str =
    "SELECT id, account, request, url, state, attempts, postponed, created_at, next_at, settled_at
                       FROM delivery";

pub(crate) fn list(
    c: &Connection,
    filter: &DeliveryFilter,
    before: Option<Uuid>,
    most: u32,
) -> Result<Vec<DeliveryListing>, StoreError> {
    let account = filter.account.as_ref().map(|account| &account.0);
    let request = filter.request.map(|request| request.0);
    let state = filter.state.map(DeliveryState::name);
    // Ids are of version 7, so that their order is that of time.
    let mut query = format!("{LISTING} WHERE id < ?1");
    let before = before.unwrap_or(Uuid::max());
    let mut values: Vec<&dyn ToSql> = vec![&before];
    let conditions: [(&str, Option<&dyn ToSql>); 3] = [
        ("account", account.as_ref().map(|account| account as &dyn ToSql)),
        ("request", request.as_ref().map(|request| request as &dyn ToSql)),
        ("state", state.as_ref().map(|state| state as &dyn ToSql)),
    ];
    for (column, value) in conditions {
        if let Some(value) = value {
            values.push(value);
            query.push_str(&format!(" AND {column} = ?{}", values.len()));
        }
    }
    let most = most.min(DELIVERIES_MAX);
    values.push(&most);
    query.push_str(&format!(" ORDER BY id DESC LIMIT ?{}", values.len()));
    let mut statement = c.prepare_cached(&query)?;
    let mut rows = statement.query(values.as_slice())?;
    let mut listed = Vec::new();
    while let Some(row) = rows.next()? {
        listed.push(listing(row)?);
    }
    Ok(listed)
}

fn listing(row: &Row<'_>) -> Result<DeliveryListing, StoreError> {
    let at = |column: &str| -> rusqlite::Result<Option<jiff::Timestamp>> {
        Ok(row.get::<_, Option<i64>>(column)?.map(moment).map(timestamp))
    };
    let url = row.get_ref("url")?.as_str().map_err(rusqlite::Error::from)?;
    Ok(DeliveryListing {
        id: row.get("id")?,
        account_id: AccountId(row.get("account")?),
        request_id: RequestId(row.get("request")?),
        url: delivery_host::shown(url).to_owned(),
        state: stored::state(row)?,
        attempts: row.get("attempts")?,
        postponed: row.get("postponed")?,
        created_at: timestamp(moment(row.get("created_at")?)),
        next_at: row.get::<_, Option<i64>>("next_at")?.map(|at| timestamp(wall_at(moment(at)))),
        settled_at: at("settled_at")?,
    })
}

pub(crate) fn details(c: &Connection, id: Uuid) -> Result<Option<DeliveryDetails>, StoreError> {
    let mut statement = c.prepare_cached(&format!("{LISTING} WHERE id = ?1"))?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let delivery = listing(row)?;
    let mut statement =
        c.prepare_cached("SELECT * FROM delivery_attempt WHERE delivery = ?1 ORDER BY number")?;
    let log = statement.query_map([id], |row| {
        Ok(AttemptListing {
            number: row.get("number")?,
            replay: row.get("replay")?,
            at: timestamp(moment(row.get("at")?)),
            status: row.get("status")?,
            duration_ms: count(row.get("duration_ms")?),
            class: row.get("class")?,
            error: row.get("error")?,
            reply: row.get("reply")?,
        })
    })?;
    Ok(Some(DeliveryDetails { delivery, log: log.collect::<Result<_, _>>()? }))
}

pub(crate) fn replay(c: &Connection, id: Uuid, now: Moment) -> Result<bool, StoreError> {
    let Some(delivery) = stored::delivery(c, id)? else {
        return Ok(false);
    };
    stored::write(c, id, &outbox::replay(delivery, both(now)))?;
    audit::record(c, &Act::delivery_replayed(id), now)?;
    Ok(true)
}

pub(crate) fn replay_failed(
    c: &Connection,
    since: Moment,
    now: Moment,
    most: u32,
) -> Result<Replayed, StoreError> {
    // The index finds candidates. The command decides.
    let failed = "INDEXED BY delivery_abandoned
                  WHERE state = 'abandoned' AND settled_at >= ?1 AND replay_at IS NULL AND claimed_until IS NULL
                  ORDER BY settled_at LIMIT ?2";
    let found = stored::deliveries(c, failed, params![since.as_micros(), most.min(DELIVERIES_MAX)])?;
    let (mut count, mut last) = (0, since);
    for (id, delivery) in found {
        if outbox::is_replayed(&delivery, since) {
            stored::write(c, id, &outbox::replay(delivery, both(now)))?;
            count += 1;
            last = last.max(delivery.settled_at.unwrap_or(last));
        }
    }
    // Those of the same moment as the last that were left out are found again from that moment on.
    let next = stored::deliveries(c, failed, params![last.as_micros(), 1])?;
    let next = next.first().and_then(|(_, delivery)| delivery.settled_at);
    audit::record(c, &Act::deliveries_replayed(count, timestamp(since)), now)?;
    Ok(Replayed { count, next: next.map(timestamp) })
}
