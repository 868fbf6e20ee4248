//! Pausing and resuming queues. The head of the queue is locked meanwhile: once a pause is committed nothing more is claimed.

use super::audit;
use super::connection::Connection;
use super::values::values;
use super::writing::Writing;
use clipia_queue::Moment;
use clipia_queue::commands::Now;
use clipia_queue::commands::pause::{self, Changed};
use clipia_store::StoreError;

/// Pauses a queue. False where it is paused already.
pub(crate) async fn pause(w: &Writing, queue: &str) -> Result<bool, StoreError> {
    let (paused_at, now) = (locked(w, queue).await?, w.now().await?);
    Ok(write(w, queue, pause::pause(queue, paused_at, now), now))
}

/// Resumes a queue. False where it is not paused.
pub(crate) async fn resume(w: &Writing, queue: &str) -> Result<bool, StoreError> {
    let (paused_at, now) = (locked(w, queue).await?, w.now().await?);
    let is_resumed = write(w, queue, pause::resume(queue, paused_at), now);
    if is_resumed {
        w.work_submitted(queue);
    }
    Ok(is_resumed)
}

/// When a queue was paused, if it is. Nobody changes it until this transaction ends.
async fn locked(w: &Writing, queue: &str) -> Result<Option<Moment>, StoreError> {
    w.lock_head(queue);
    paused_at(w, queue).await
}

/// When a queue was paused, if it is.
pub(crate) async fn paused_at(c: &Connection, queue: &str) -> Result<Option<Moment>, StoreError> {
    let row = c.optional("SELECT paused_at FROM queue WHERE name = $1", values![queue]).await?;
    row.map_or(Ok(None), |row| row.optional_moment("paused_at"))
}

fn write(w: &Writing, queue: &str, changed: Option<Changed>, now: Now) -> bool {
    let Some(Changed { paused_at, act }) = changed else {
        return false;
    };
    // Nothing was submitted to a queue without a row.
    w.later(
        "INSERT INTO queue (name, paused_at) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET paused_at = excluded.paused_at",
        values![queue, paused_at],
    );
    audit::record(w, &act, now);
    true
}

/// The names of the queues that are paused, in their order.
pub(crate) async fn list(c: &Connection) -> Result<Vec<String>, StoreError> {
    let rows = c
        .query("SELECT name FROM queue WHERE paused_at IS NOT NULL ORDER BY name COLLATE \"C\"", Vec::new())
        .await?;
    rows.iter().map(|row| row.get("name")).collect()
}
