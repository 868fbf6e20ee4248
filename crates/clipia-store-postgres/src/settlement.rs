//! The end of a request, as it is written: its row, its credits, its lease and its delivery together.

use super::counters::Happened;
use super::rows::{amount, to_json};
use super::stored::Locked;
use super::values::{text, values};
use super::writing::Writing;
use super::{audit, leases, ledger, set_aside};
use clipia_queue::commands::Now;
use clipia_queue::commands::delivery::NewDelivery;
use clipia_queue::commands::end::{Books, Ended, Ending};
use clipia_queue::{RequestId, ids};
use clipia_store::{AccountId, StoreError, WorkRefused};

/// Settles a request that may end.
pub(crate) fn settle(
    w: &Writing,
    locked: &Locked,
    ending: Ending<'_>,
    books: Books,
    now: Now,
) -> Result<(), WorkRefused> {
    let ended = ending.settle(books, now)?;
    if let Some(place) = ended.place {
        set_aside::leave(w, &locked.request.queue, place);
    }
    write(w, locked, &ended, now)?;
    Ok(())
}

fn write(w: &Writing, locked: &Locked, ended: &Ended<'_>, now: Now) -> Result<(), StoreError> {
    let request = &locked.request;
    ledger::enter(w, &request.account, ended.entry, Some(request.id), now);
    ledger::set_balance(w, &request.account, ended.entry.balance)?;
    ledger::set_in_flight(w, &request.key_id, ended.in_flight);
    if let Some(usage) = ended.usage {
        ledger::use_up(w, &request.account, usage)?;
    }
    if let Some(output) = ended.output {
        w.later(
            "UPDATE request_content SET output = $2 WHERE request = $1",
            values![request.id, to_json(output)?],
        );
    }
    w.later(
        "UPDATE request SET phase = $2, epoch = $3, rescues = $4, charged = $5, error_code = $6, error_message = $7,
                            completed_at = $8
         WHERE id = $1",
        values![
            request.id,
            ended.life.phase.name(),
            ended.life.epoch.0,
            ended.life.rescues,
            amount(ended.charged)?,
            ended.failure.as_ref().map(|failure| text(&failure.code)),
            ended.failure.as_ref().map(|failure| text(&failure.message)),
            ended.completed_at,
        ],
    );
    leases::end(w, request.id, locked.lease, &ended.lease);
    if let Some(delivery) = &ended.delivery {
        announce(w, request.id, &request.account, request.sandbox, delivery, now)?;
    }
    if let Some(act) = &ended.act {
        audit::record(w, act, now);
    }
    w.happened(Happened::Ended(ended.life.phase));
    Ok(())
}

/// Writes the delivery of a request that has ended.
pub(crate) fn announce(
    w: &Writing,
    request: RequestId,
    account: &AccountId,
    sandbox: bool,
    delivery: &NewDelivery<'_>,
    now: Now,
) -> Result<(), StoreError> {
    let stored = &delivery.stored;
    w.later(
        "INSERT INTO delivery (id, request, account, sandbox, host, url, body, created_at, state, attempts, due_at,
                               replay_at, next_at, claimed_until, postponed, settled_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        values![
            ids::new(now.steady),
            request,
            account,
            sandbox,
            delivery.host.as_str(),
            delivery.url,
            to_json(&delivery.body)?.into_bytes(),
            delivery.created_at,
            stored.state.name(),
            stored.attempts,
            stored.due_at,
            stored.replay_at,
            stored.next_at(),
            stored.claimed_until,
            stored.postponed,
            stored.settled_at,
        ],
    );
    w.outbox_changed();
    Ok(())
}
