//! Pausing and resuming queues.

use super::audit;
use super::writing::Writing;
use crate::clock::both;
use crate::store::StoreError;
use clipia_queue::Moment;
use clipia_queue::commands::pause::{self, Changed};
use clipia_queue::position::QueuePlaces;
use rusqlite::params;

/// Pauses a queue. False where it is paused already.
pub(crate) fn pause(w: &Writing<'_>, queue: &str, now: Moment) -> Result<bool, StoreError> {
    write(w, queue, pause::pause(queue, paused_at(w, queue), both(now)), now)
}

/// Resumes a queue. False where it is not paused.
pub(crate) fn resume(w: &Writing<'_>, queue: &str, now: Moment) -> Result<bool, StoreError> {
    let is_resumed = write(w, queue, pause::resume(queue, paused_at(w, queue)), now)?;
    if is_resumed {
        w.work_submitted(queue);
    }
    Ok(is_resumed)
}

fn paused_at(w: &Writing<'_>, queue: &str) -> Option<Moment> {
    w.queues.borrow().get(queue).and_then(QueuePlaces::paused_at)
}

fn write(w: &Writing<'_>, queue: &str, changed: Option<Changed>, now: Moment) -> Result<bool, StoreError> {
    let Some(Changed { paused_at, act }) = changed else {
        return Ok(false);
    };
    // Nothing was submitted to a queue without a row.
    w.prepare_cached(
        "INSERT INTO queue (name, tail, paused_at) VALUES (?1, 0, ?2) ON CONFLICT (name) DO UPDATE SET paused_at = ?2",
    )?
    .execute(params![queue, paused_at.map(Moment::as_micros)])?;
    w.set_paused_at(queue, paused_at);
    audit::record(w, &act, now)?;
    Ok(true)
}
