//! How much waits in each queue.

use super::connection::Connection;
use super::values::values;
use clipia_queue::ids;
use clipia_queue::position::Order;
use clipia_store::{QueueStatistics, StoreError};
use std::collections::HashMap;
use uuid::Uuid;

/// How each queue is, and since when the older of the two requests waits that came first to its lanes. `orders` are those that this
/// node was told.
pub(crate) async fn queues(
    c: &Connection,
    orders: HashMap<String, Order>,
) -> Result<Vec<QueueStatistics>, StoreError> {
    let rows = c
        .query(
            "SELECT q.name, q.paused_at,
                (SELECT count(*) FROM queue_item i WHERE i.queue = q.name) AS waiting,
                (SELECT count(*) FROM queue_turn t WHERE t.queue = q.name AND
                    (SELECT TRUE FROM queue_item i WHERE i.queue = q.name AND i.account = t.account AND i.lane = 1 LIMIT 1)) AS accounts,
                (SELECT count(*) FROM lease l JOIN request r ON r.id = l.request WHERE r.queue = q.name) AS running,
                (SELECT request FROM queue_item i WHERE i.queue = q.name AND i.lane = 0 ORDER BY ticket LIMIT 1) AS requeued,
                (SELECT request FROM queue_item i WHERE i.queue = q.name AND i.lane = 1 ORDER BY ticket LIMIT 1) AS new
             FROM (SELECT name, paused_at FROM queue UNION ALL
                   SELECT name, NULL FROM unnest($1::text[]) AS told (name)
                   WHERE NOT EXISTS (SELECT FROM queue q WHERE q.name = told.name)) q
             ORDER BY q.name COLLATE \"C\"",
            values![orders.keys().cloned().collect::<Vec<_>>()],
        )
        .await?;
    let queues = rows.iter().map(|row| {
        let queue: String = row.get("name")?;
        let (requeued, new): (Option<Uuid>, Option<Uuid>) = (row.get("requeued")?, row.get("new")?);
        Ok(QueueStatistics {
            order: orders.get(&queue).copied().unwrap_or_default(),
            waiting: row.count("waiting")?,
            accounts: row.count("accounts")?,
            running: row.count("running")?,
            oldest: requeued.into_iter().chain(new).min().and_then(ids::made),
            paused_at: row.optional_time("paused_at")?,
            queue,
        })
    });
    queues.collect()
}
