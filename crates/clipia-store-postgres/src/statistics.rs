//! How much waits in each queue.

use super::Database;
use super::values::values;
use clipia_queue::ids;
use clipia_store::{QueueStatistics, StoreError};
use std::collections::HashMap;
use uuid::Uuid;

/// How each queue is, and since when the older of the two requests waits that came first to its lanes. How many wait is known of the
/// places in memory: nothing is counted, however many there are.
pub(crate) async fn queues(database: &Database) -> Result<Vec<QueueStatistics>, StoreError> {
    let orders = database.memory.positions.orders();
    let told: Vec<String> = orders.keys().cloned().collect();
    let named = "SELECT name FROM queue UNION SELECT * FROM unnest($1::text[])";
    let names = database.connection().await?.query(named, values![told.clone()]).await?;
    let mut lines = HashMap::new();
    let (mut queues, mut firsts) = (Vec::new(), Vec::new());
    for row in names {
        let queue: String = row.get("name")?;
        let line = database.line(&queue).await?;
        let first = line.known().places().least().map(|(_, ticket)| ticket.0).min();
        queues.push(queue.clone());
        firsts.push(first.unwrap_or(i64::MAX));
        lines.insert(queue, line);
    }
    let c = database.connection().await?;
    let rows = c
        .query(
            "SELECT q.name, q.paused_at,
                (SELECT count(*) FROM lease l JOIN request r ON r.id = l.request WHERE r.queue = q.name) AS running,
                (SELECT request FROM queue_item i WHERE i.queue = q.name AND i.lane = 0 ORDER BY ticket LIMIT 1) AS requeued,
                (SELECT request FROM queue_item i WHERE i.queue = q.name AND i.lane = 1 AND i.ticket >= q.first ORDER BY ticket LIMIT 1) AS new
             FROM (SELECT known.name, stored.paused_at, known.first FROM unnest($1::text[], $2::int8[]) AS known (name, first)
                   LEFT JOIN queue stored ON stored.name = known.name) q
             ORDER BY q.name COLLATE \"C\"",
            values![queues, firsts],
        )
        .await?;
    let queues = rows.iter().map(|row| {
        let queue: String = row.get("name")?;
        let (requeued, new): (Option<Uuid>, Option<Uuid>) = (row.get("requeued")?, row.get("new")?);
        let (waiting, accounts) = lines.get(&queue).map_or((0, 0), |line| {
            let known = line.known();
            (known.places().waiting(), known.places().accounts() as u64)
        });
        Ok(QueueStatistics {
            order: orders.get(&queue).copied().unwrap_or_default(),
            waiting,
            accounts,
            running: row.count("running")?,
            oldest: requeued.into_iter().chain(new).min().and_then(ids::made),
            paused_at: row.optional_time("paused_at")?,
            queue,
        })
    });
    queues.collect()
}
