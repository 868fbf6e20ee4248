//! The terms of nodes that lead a task.

use super::values::values;
use super::writing::Writing;
use clipia_store::{NodeId, StoreError};
use std::time::Duration;

/// Takes or prolongs the term of a task, unless another node has it. The clock is read before the row is locked: a node that waited for
/// another finds the term of that one longer than it is, never shorter.
pub(crate) async fn lead(w: &Writing, task: &str, node: NodeId, term: Duration) -> Result<bool, StoreError> {
    let now = w.now().await?.steady;
    let taken = w
        .execute(
            "INSERT INTO term AS t (task, node, until) VALUES ($1, $2, $4)
             ON CONFLICT (task) DO UPDATE SET node = excluded.node, until = excluded.until
             WHERE t.node = excluded.node OR t.until <= $3",
            values![task, node.0, now, now + term],
        )
        .await?;
    Ok(taken > 0)
}
