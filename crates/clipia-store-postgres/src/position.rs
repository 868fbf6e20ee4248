//! Queue positions: how many requests are ahead of one, as [`clipia_queue::position`] describes it, in the statement that reads the
//! request.
//!
//! Ahead of a request in lane 1 are those of lane 0, those of its own account before it, and of every other account that waits
//! as many as it has, but no more than its turn allows. Of each account no more rows are looked at than count.

use super::connection::Connection;
use super::values::values;
use clipia_queue::RequestId;
use clipia_queue::position::Order;
use clipia_store::StoreError;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// The position of a request `r`, as a column `position`: none unless it waits. `$FIFO` is the parameter that names the queues in which
/// the first comes first.
const POSITION: &str = "
    CASE WHEN r.phase <> 'queued' THEN NULL
    WHEN r.epoch > 0 THEN (SELECT count(*) FROM queue_item i WHERE i.queue = r.queue AND i.lane = 0 AND i.ticket < r.ticket)
    ELSE (SELECT count(*) FROM queue_item i WHERE i.queue = r.queue AND i.lane = 0) + CASE
        WHEN r.queue = ANY($FIFO) THEN (SELECT count(*) FROM queue_item i WHERE i.queue = r.queue AND i.lane = 1 AND i.ticket < r.ticket)
        ELSE (
            SELECT own.ahead + coalesce((
                SELECT sum(other.ahead) FROM queue_turn t, LATERAL (
                    SELECT count(*) AS ahead FROM (
                        SELECT FROM queue_item i WHERE i.queue = t.queue AND i.account = t.account AND i.lane = 1
                        LIMIT own.ahead + (t.turn < own.turn)::int
                    ) counted
                ) other
                WHERE t.queue = r.queue AND t.account <> r.account
            ), 0)
            FROM (
                SELECT (SELECT count(*) FROM queue_item i
                        WHERE i.queue = r.queue AND i.account = r.account AND i.lane = 1 AND i.ticket < r.ticket) AS ahead,
                    coalesce((SELECT turn FROM queue_turn WHERE queue = r.queue AND account = r.account), 9223372036854775807) AS turn
            ) own
        ) END
    END::bigint AS position";

/// The expression for the position of a request `r`, where the names of queues are the parameter of this number.
pub(crate) fn column(fifo: usize) -> String {
    POSITION.replace("$FIFO", &format!("${fifo}"))
}

/// The positions of requests.
pub(crate) async fn of(
    c: &Connection,
    ids: Vec<RequestId>,
    fifo: Vec<String>,
) -> Result<HashMap<RequestId, u64>, StoreError> {
    let rows = c
        .query(
            &format!("SELECT r.id, {} FROM request r WHERE r.id = ANY($1)", column(2)),
            values![ids.into_iter().map(|id| id.0).collect::<Vec<_>>(), fifo],
        )
        .await?;
    let mut positions = HashMap::new();
    for row in rows {
        if let Some(position) = row.get::<Option<i64>>("position")? {
            positions.insert(row.request("id")?, u64::try_from(position).unwrap_or(0));
        }
    }
    Ok(positions)
}

/// What this node knows of its queues.
#[derive(Default)]
pub(crate) struct Positions {
    /// The orders that its configuration says.
    orders: RwLock<HashMap<String, Order>>,
}

impl Positions {
    /// Requests of a queue have taken or left places.
    pub(crate) fn changed(&self, _queue: &str) {}

    /// Requests of some queue have taken or left places.
    pub(crate) fn all_changed(&self) {}

    /// Sets the order of a queue.
    pub(crate) fn set_order(&self, queue: &str, order: Order) {
        self.orders.write().unwrap_or_else(PoisonError::into_inner).insert(queue.to_owned(), order);
    }

    /// The order of a queue.
    pub(crate) fn order(&self, queue: &str) -> Order {
        self.orders.read().unwrap_or_else(PoisonError::into_inner).get(queue).copied().unwrap_or_default()
    }

    /// The orders that were set.
    pub(crate) fn orders(&self) -> HashMap<String, Order> {
        self.orders.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The queues in which the first comes first.
    pub(crate) fn fifo(&self) -> Vec<String> {
        let orders = self.orders.read().unwrap_or_else(PoisonError::into_inner);
        orders.iter().filter(|(_, order)| **order == Order::Fifo).map(|(queue, _)| queue.clone()).collect()
    }
}
