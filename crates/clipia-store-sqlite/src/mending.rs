//! Mends moments that are further ahead than any schedule, because the system's clock was wrong when they were written.

use super::stored;
use crate::clock::Clock;
use crate::ids;
use clipia_queue::commands::outbox;
use clipia_queue::{Moment, idempotency};
use rusqlite::{Connection, OptionalExtension};
use std::time::Duration;
use uuid::Uuid;

/// How far behind the store the clock must be to be logged.
const NOTABLE: Duration = Duration::from_secs(1);

/// Moves the clock on to the store's latest request, and mends what is too far ahead of it all the same.
pub(crate) fn run(c: &mut Connection, clock: &dyn Clock) -> Result<(), rusqlite::Error> {
    let latest: Option<Uuid> = c.query_row("SELECT max(id) FROM request", [], |row| row.get(0))?;
    if let Some(latest) = latest.and_then(ids::after) {
        let behind = clock.not_before(latest);
        if behind > NOTABLE {
            tracing::warn!(
                seconds = behind.as_secs(),
                "the system's clock is behind the store's latest request: durations are measured from that one on"
            );
        }
    }
    let mended = mend(c, clock.now())?;
    if mended > 0 {
        tracing::warn!(
            mended,
            "deliveries and idempotency keys were further ahead than any schedule: they are due as usual"
        );
    }
    Ok(())
}

/// Mends moments that are too far ahead of `now`. Returns how many.
fn mend(c: &mut Connection, now: Moment) -> Result<usize, rusqlite::Error> {
    let transaction = c.transaction()?;
    let mended = deliveries(&transaction, now)? + idempotency_keys(&transaction, now)?;
    transaction.commit()?;
    Ok(mended)
}

/// Deliveries that are claimed or postponed were due before: they are not too far ahead.
fn deliveries(c: &Connection, now: Moment) -> Result<usize, rusqlite::Error> {
    let ahead = "WHERE next_at > ?1 AND next_at IS NOT NULL AND claimed_until IS NULL AND postponed = 0";
    let mut mended = 0;
    for (id, delivery) in stored::deliveries(c, ahead, [now.as_micros()])? {
        let after = outbox::mend(delivery, now);
        if after != delivery {
            stored::write(c, id, &after)?;
            mended += 1;
        }
    }
    Ok(mended)
}

/// The records are in the order of their submits: the last one shows whether any is too far ahead.
fn idempotency_keys(c: &Connection, now: Moment) -> Result<usize, rusqlite::Error> {
    let latest = idempotency::expires_at(now).as_micros();
    let last: Option<i64> = c
        .query_row("SELECT expires_at FROM idempotency ORDER BY number DESC LIMIT 1", [], |row| row.get(0))
        .optional()?;
    if last.is_none_or(|last| last <= latest) {
        return Ok(0);
    }
    c.execute("UPDATE idempotency SET expires_at = ?1 WHERE expires_at > ?1", [latest])
}
