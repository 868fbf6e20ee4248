//! What queues did in each minute, as nodes record it.

use super::connection::Connection;
use super::rows::Row;
use super::values::values;
use super::writing::Writing;
use clipia_store::clock::timestamp;
use clipia_store::{MINUTES_KEPT, NodeId, QueueMinute, StoreError, first_minute};
use jiff::Timestamp;

/// What was recorded, all nodes together.
pub(crate) async fn recorded(c: &Connection, since: Timestamp) -> Result<Vec<QueueMinute>, StoreError> {
    let rows = c
        .query(
            "SELECT minute, queue, sum(submitted)::int8 AS submitted, sum(completed)::int8 AS completed, sum(failed)::int8 AS failed,
                sum(canceled)::int8 AS canceled, sum(credits)::int8 AS credits, sum(run_micros)::int8 AS run_micros
             FROM queue_minute WHERE minute >= $1 GROUP BY minute, queue ORDER BY minute, queue",
            values![first_minute(since)],
        )
        .await?;
    rows.iter().map(minute).collect()
}

fn minute(row: &Row) -> Result<QueueMinute, StoreError> {
    Ok(QueueMinute {
        queue: row.get("queue")?,
        minute: row.time("minute")?,
        submitted: row.count("submitted")?,
        completed: row.count("completed")?,
        failed: row.count("failed")?,
        canceled: row.count("canceled")?,
        credits: row.count("credits")?,
        run_micros: row.count("run_micros")?,
    })
}

/// Records what a node counted, and removes what is older than it is kept.
pub(crate) async fn record(w: &Writing, node: NodeId, minutes: &[QueueMinute]) -> Result<(), StoreError> {
    let now = w.now().await?.wall;
    if !minutes.is_empty() {
        let column = |of: fn(&QueueMinute) -> u64| -> Vec<i64> {
            minutes.iter().map(|minute| i64::try_from(of(minute)).unwrap_or(i64::MAX)).collect()
        };
        w.later(
            "INSERT INTO queue_minute AS q (minute, queue, node, submitted, completed, failed, canceled, credits, run_micros)
             SELECT minute, queue, $3, submitted, completed, failed, canceled, credits, run_micros
             FROM unnest($1::int8[], $2::text[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[], $9::int8[])
                AS n (minute, queue, submitted, completed, failed, canceled, credits, run_micros)
             ON CONFLICT (minute, queue, node) DO UPDATE SET submitted = q.submitted + excluded.submitted,
                completed = q.completed + excluded.completed, failed = q.failed + excluded.failed,
                canceled = q.canceled + excluded.canceled, credits = q.credits + excluded.credits,
                run_micros = q.run_micros + excluded.run_micros",
            values![
                minutes.iter().map(|minute| minute.minute.as_microsecond()).collect::<Vec<_>>(),
                minutes.iter().map(|minute| minute.queue.clone()).collect::<Vec<_>>(),
                node.0,
                column(|minute| minute.submitted),
                column(|minute| minute.completed),
                column(|minute| minute.failed),
                column(|minute| minute.canceled),
                column(|minute| minute.credits),
                column(|minute| minute.run_micros),
            ],
        );
    }
    w.later(
        "DELETE FROM queue_minute WHERE minute < $1",
        values![first_minute(timestamp(now - MINUTES_KEPT))],
    );
    Ok(())
}
