//! The end of a request, as it is written: its row, its credits, its lease and its delivery together.

use super::position::QueuePlace;
use super::requests::dequeue;
use super::rows::{amount, key, to_json};
use super::writing::Writing;
use super::{audit, leases, ledger};
use crate::ids;
use crate::store::{AccountId, StoreError, WorkRefused};
use clipia_queue::commands::delivery::NewDelivery;
use clipia_queue::commands::end::{Books, Ended, Ending};
use clipia_queue::commands::{Now, StoredRequest};
use clipia_queue::{Moment, RequestId};
use clipia_store::QueueEnd;
use clipia_store::counters::Happened;
use rusqlite::params;

/// Settles a request that may end.
pub(crate) fn settle(
    w: &Writing<'_>,
    request: &StoredRequest,
    ending: Ending<'_>,
    now: Now,
) -> Result<(), WorkRefused> {
    let books =
        Books { balance: ledger::balance(w, &request.account)?, used: ledger::used(w, &request.key_id)? };
    let ended = ending.settle(books, now)?;
    if let Some(place) = ended.place {
        let (queue, account) = (request.queue.clone(), request.account.clone());
        dequeue(w, QueuePlace { queue, account, place })?;
    }
    write(w, request, &ended, now)?;
    Ok(())
}

fn write(w: &Writing<'_>, request: &StoredRequest, ended: &Ended<'_>, now: Now) -> Result<(), StoreError> {
    w.status_changed(request.id);
    ledger::enter(w, &request.account, ended.entry, Some(request.id), now.steady)?;
    if let Some(usage) = ended.usage {
        ledger::use_up(w, &request.account, usage)?;
    }
    if let Some(output) = ended.output {
        w.prepare_cached("UPDATE request_content SET output = ?2 WHERE request = ?1")?
            .execute(params![key(request.id), to_json(output)?])?;
    }
    w.prepare_cached(
        "UPDATE request SET phase = ?2, epoch = ?3, rescues = ?4, charged = ?5, error_code = ?6, error_message = ?7,
                            completed_at = ?8
         WHERE id = ?1",
    )?
    .execute(params![
        key(request.id),
        ended.life.phase.name(),
        ended.life.epoch.0,
        ended.life.rescues,
        amount(ended.charged)?,
        ended.failure.as_ref().map(|failure| &failure.code),
        ended.failure.as_ref().map(|failure| &failure.message),
        ended.completed_at.as_micros()
    ])?;
    w.write_back.set_used(&request.key_id, ended.used);
    let ran = leases::end(w, request.id, &ended.lease)?;
    if let Some(delivery) = &ended.delivery {
        announce(w, request.id, &request.account, request.sandbox, delivery, now.steady)?;
    }
    if let Some(act) = &ended.act {
        audit::record(w, act, now.steady)?;
    }
    if ended.failure.is_some() {
        w.text_changed(request.id);
    }
    w.happened(Happened::Ended(QueueEnd {
        queue: request.queue.as_str().into(),
        at: ended.completed_at,
        phase: ended.life.phase,
        charged: ended.charged,
        ran,
    }));
    Ok(())
}

/// Writes the delivery of a request that has ended.
pub(crate) fn announce(
    w: &Writing<'_>,
    request: RequestId,
    account: &AccountId,
    sandbox: bool,
    delivery: &NewDelivery<'_>,
    now: Moment,
) -> Result<(), StoreError> {
    let stored = &delivery.stored;
    w.prepare_cached(
        "INSERT INTO delivery (id, request, account, sandbox, host, url, body, created_at, state, attempts, due_at,
                               replay_at, next_at, claimed_until, postponed, settled_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?
    .execute(params![
        ids::new(now),
        key(request),
        account.0,
        sandbox,
        delivery.host,
        delivery.url,
        to_json(&delivery.body)?.into_bytes(),
        delivery.created_at.as_micros(),
        stored.state.name(),
        stored.attempts,
        stored.due_at.as_micros(),
        stored.replay_at.map(Moment::as_micros),
        stored.next_at().map(Moment::as_micros),
        stored.claimed_until.map(Moment::as_micros),
        stored.postponed,
        stored.settled_at.map(Moment::as_micros),
    ])?;
    w.outbox_changed();
    Ok(())
}
