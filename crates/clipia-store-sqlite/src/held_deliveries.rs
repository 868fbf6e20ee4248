//! Held deliveries: those that a store has from its backup. They wait until an operator resumes or abandons them, since their
//! receivers may have had them long ago, or something later.

use super::rows::count;
use super::{audit, stored};
use crate::clock::{both, wall_at};
use crate::store::StoreError;
use clipia_queue::Moment;
use clipia_queue::audit::Act;
use clipia_queue::commands::outbox;
use clipia_queue::deliveries::StoredDelivery;
use rusqlite::Connection;

/// Holds the pending deliveries of a store that comes from a backup.
pub(crate) fn hold(c: &Connection, now: Moment) -> rusqlite::Result<()> {
    let concerned =
        "WHERE state = 'pending' OR replay_at IS NOT NULL OR claimed_until IS NOT NULL OR postponed = 1";
    for (id, delivery) in stored::deliveries(c, concerned, [])? {
        stored::write(c, id, &outbox::hold(delivery))?;
    }
    c.execute("UPDATE store SET restored_at = ?1", [wall_at(now).as_micros()])?;
    audit::record(c, &Act::store_restored(), now)
}

/// Resumes held deliveries, `most` at most and the oldest first. Returns how many.
pub(crate) fn resume(c: &Connection, now: Moment, most: u32) -> Result<u64, StoreError> {
    let resumed = each(c, most, |delivery| outbox::resume(delivery, both(now)))?;
    if let Some(act) = Act::held_resumed(resumed) {
        audit::record(c, &act, now)?;
    }
    Ok(resumed)
}

/// Abandons held deliveries, `most` at most and the oldest first. Returns how many.
pub(crate) fn abandon(c: &Connection, now: Moment, most: u32) -> Result<u64, StoreError> {
    let abandoned = each(c, most, |delivery| outbox::abandon(delivery, both(now)))?;
    if let Some(act) = Act::held_abandoned(abandoned) {
        audit::record(c, &act, now)?;
    }
    Ok(abandoned)
}

fn each(
    c: &Connection,
    most: u32,
    decide: impl Fn(StoredDelivery) -> Option<StoredDelivery>,
) -> Result<u64, StoreError> {
    let mut changed = 0;
    for (id, delivery) in stored::deliveries(c, "WHERE state = 'held' ORDER BY id LIMIT ?1", [most])? {
        if let Some(delivery) = decide(delivery) {
            stored::write(c, id, &delivery)?;
            changed += 1;
        }
    }
    Ok(changed)
}

/// How many deliveries are held. The query counts row by row: there are none but after a restore.
pub(crate) fn waiting(c: &Connection) -> rusqlite::Result<u64> {
    let held = c
        .prepare_cached("SELECT count(*) FROM delivery WHERE state = 'held'")?
        .query_row([], |row| row.get(0))?;
    Ok(count(held))
}
