//! Queues: what waits in each, and their pauses.

use super::Admin;
use crate::api_error::ApiError;
use crate::http::Segment;
use crate::store::{QueueStatistics, StoreError};
use axum::Json;
use axum::extract::State;
use clipia_admin::types::{QueueList, QueueListing, QueueOrder};
use clipia_api::error_code::ErrorCode;
use clipia_queue::position::Order;
use std::collections::BTreeMap;

pub(crate) async fn list(State(admin): State<Admin>) -> Result<Json<QueueList>, ApiError> {
    Ok(Json(QueueList(queues(&admin).await?.into_values().collect())))
}

pub(crate) async fn pause(
    State(admin): State<Admin>,
    Segment(queue): Segment,
) -> Result<Json<QueueListing>, ApiError> {
    found(&admin, &queue).await?;
    if admin.store.pause_queue(&queue).await? {
        tracing::warn!(queue, "the queue is paused: `clipia queues resume` resumes it");
    }
    found(&admin, &queue).await.map(Json)
}

pub(crate) async fn resume(
    State(admin): State<Admin>,
    Segment(queue): Segment,
) -> Result<Json<QueueListing>, ApiError> {
    found(&admin, &queue).await?;
    if admin.store.resume_queue(&queue).await? {
        tracing::info!(queue, "the queue is resumed");
        // A claim of a worker elsewhere that is held open looks again.
        admin.queues.wake(&queue);
    }
    found(&admin, &queue).await.map(Json)
}

/// The queues of the executors and those that the store knows, by their names.
async fn queues(admin: &Admin) -> Result<BTreeMap<String, QueueListing>, StoreError> {
    let of_executors = admin.queues.names().map(|name| (name.to_owned(), empty(name)));
    let stored = admin.store.statistics().await?.queues.into_iter();
    let stored = stored.map(|queue| (queue.queue.clone(), listing(queue)));
    Ok(of_executors.chain(stored).collect())
}

async fn found(admin: &Admin, queue: &str) -> Result<QueueListing, ApiError> {
    let found = queues(admin).await?.remove(queue);
    found.ok_or_else(|| ApiError::new(ErrorCode::NotFound, format!("there is no queue `{queue}`")))
}

/// A queue that nothing was submitted to.
fn empty(name: &str) -> QueueListing {
    listing(QueueStatistics {
        queue: name.to_owned(),
        order: Order::default(),
        waiting: 0,
        accounts: 0,
        running: 0,
        oldest: None,
        paused_at: None,
    })
}

fn listing(queue: QueueStatistics) -> QueueListing {
    let QueueStatistics { queue, order, waiting, accounts, running, oldest: _, paused_at } = queue;
    let order = match order {
        Order::Turns => QueueOrder::Turns,
        Order::Fifo => QueueOrder::Fifo,
    };
    QueueListing { queue, order, waiting, running, accounts, paused_at }
}
