//! Held deliveries: those that a store has from its backup. They wait until an operator resumes or abandons them, since their
//! receivers may have had them long ago, or something later.

use super::connection::Connection;
use super::values::values;
use super::writing::Writing;
use super::{audit, stored};
use clipia_queue::audit::Act;
use clipia_queue::commands::{Now, outbox};
use clipia_queue::deliveries::StoredDelivery;
use clipia_store::StoreError;

/// Resumes held deliveries, `most` at most and the oldest first. Returns how many.
pub(crate) async fn resume(w: &Writing, most: u32) -> Result<u64, StoreError> {
    let now = w.now().await?;
    let resumed = each(w, most, now, outbox::resume).await?;
    if let Some(act) = Act::held_resumed(resumed) {
        audit::record(w, &act, now);
    }
    Ok(resumed)
}

/// Abandons held deliveries, `most` at most and the oldest first. Returns how many.
pub(crate) async fn abandon(w: &Writing, most: u32) -> Result<u64, StoreError> {
    let now = w.now().await?;
    let abandoned = each(w, most, now, outbox::abandon).await?;
    if let Some(act) = Act::held_abandoned(abandoned) {
        audit::record(w, &act, now);
    }
    Ok(abandoned)
}

async fn each(
    w: &Writing,
    most: u32,
    now: Now,
    decide: fn(StoredDelivery, Now) -> Option<StoredDelivery>,
) -> Result<u64, StoreError> {
    let held = "WHERE state = 'held' ORDER BY id LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED";
    let mut changed = 0;
    for (id, delivery) in stored::deliveries(w, held, values![most]).await? {
        if let Some(delivery) = decide(delivery, now) {
            stored::write(w, id, &delivery);
            changed += 1;
        }
    }
    Ok(changed)
}

/// How many deliveries are held. The query counts row by row: there are none but after a restore.
pub(crate) async fn waiting(c: &Connection) -> Result<u64, StoreError> {
    c.one("SELECT count(*) AS held FROM delivery WHERE state = 'held'", Vec::new()).await?.count("held")
}
