//! Deliveries that a store brought along from its backup: they wait for a word of the operator, since receivers may have
//! had them long ago, or something later.

use super::audit;
use super::rows::count;
use crate::clock::told;
use crate::store::StoreError;
use clipia_queue::Moment;
use rusqlite::{Connection, params};

/// Has every pending delivery wait, in a store that comes from a backup. What an operator had asked for is asked for no
/// more.
pub(crate) fn hold(c: &Connection, now: Moment) -> rusqlite::Result<()> {
    c.execute_batch(
        "UPDATE delivery SET claimed_until = NULL, claimed_by = NULL, replay_at = NULL, postponed = 0
         WHERE replay_at IS NOT NULL OR claimed_until IS NOT NULL OR postponed = 1;
         UPDATE delivery SET state = 'held' WHERE state = 'pending'",
    )?;
    c.execute("UPDATE store SET restored_at = ?1", [told(now).as_micros()])?;
    audit::record(c, "store restored", "", "from a backup", now)
}

/// Has at most `most` of them attempted, the oldest first; tells how many.
pub(crate) fn resume(c: &Connection, now: Moment, most: u32) -> Result<u64, StoreError> {
    // As one that an operator asked for, which is not given up for its age.
    let resumed = c.execute(
        "UPDATE delivery SET state = 'pending', due_at = ?1, replay_at = ?1
         WHERE id IN (SELECT id FROM delivery WHERE state = 'held' ORDER BY id LIMIT ?2)",
        params![now.as_micros(), most],
    )?;
    if resumed > 0 {
        audit::record(c, "held deliveries resumed", "", &resumed.to_string(), now)?;
    }
    Ok(count(i64::try_from(resumed).unwrap_or(i64::MAX)))
}

/// Gives at most `most` of them up; tells how many.
pub(crate) fn abandon(c: &Connection, now: Moment, most: u32) -> Result<u64, StoreError> {
    let abandoned = c.execute(
        "UPDATE delivery SET state = 'abandoned', settled_at = ?1
         WHERE id IN (SELECT id FROM delivery WHERE state = 'held' ORDER BY id LIMIT ?2)",
        params![told(now).as_micros(), most],
    )?;
    if abandoned > 0 {
        audit::record(c, "held deliveries abandoned", "", &abandoned.to_string(), now)?;
    }
    Ok(count(i64::try_from(abandoned).unwrap_or(i64::MAX)))
}

/// How many there are. Each is looked at: there are none but after a restore.
pub(crate) fn waiting(c: &Connection) -> rusqlite::Result<u64> {
    let held = c
        .prepare_cached("SELECT count(*) FROM delivery WHERE state = 'held'")?
        .query_row([], |row| row.get(0))?;
    Ok(count(held))
}
