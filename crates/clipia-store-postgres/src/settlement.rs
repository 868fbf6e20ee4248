//! The ends of requests, as they are written: their rows, their credits, their leases and their deliveries together. One statement a
//! table, however many end.

use super::rows::{amount, to_json};
use super::stored::Locked;
use super::values::{text, values};
use super::writing::Writing;
use super::{audit, leases, ledger, set_aside, texts};
use clipia_queue::commands::Now;
use clipia_queue::commands::delivery::NewDelivery;
use clipia_queue::commands::end::{Books, Ended, Ending};
use clipia_queue::deliveries::StoredDelivery;
use clipia_queue::{Moment, RequestId, ids};
use clipia_store::counters::Happened;
use clipia_store::{AccountId, QueueEnd, StoreError, WorkRefused};

/// Settles a request that may end. Returns the books that are left.
pub(crate) fn settle(
    w: &Writing,
    locked: &Locked,
    ending: Ending<'_>,
    books: Books,
    now: Now,
) -> Result<Books, WorkRefused> {
    let ended = ending.settle(books, now)?;
    let left = left(&ended);
    write(w, &[(locked, ended)], now)?;
    Ok(left)
}

/// The books that the end of a request leaves.
pub(crate) fn left(ended: &Ended<'_>) -> Books {
    Books { balance: ended.entry.balance, used: ended.used }
}

/// Writes the ends of requests, in the order in which they were decided.
pub(crate) fn write(w: &Writing, all: &[(&Locked, Ended<'_>)], now: Now) -> Result<(), StoreError> {
    if all.is_empty() {
        return Ok(());
    }
    books(w, all, now)?;
    requests(w, all)?;
    let ends: Vec<_> = all.iter().map(|(of, ended)| (of.request.id, of.lease, &ended.lease)).collect();
    leases::end_all(w, &ends);
    let deliveries = all.iter().filter_map(|(of, ended)| {
        let delivery = ended.delivery.as_ref()?;
        Some(Announced {
            request: of.request.id,
            account: &of.request.account,
            sandbox: of.request.sandbox,
            delivery,
        })
    });
    announce(w, &deliveries.collect::<Vec<_>>(), now)?;
    for (of, ended) in all {
        if let Some(place) = ended.place {
            set_aside::leave(w, &of.request.queue, place, &of.request.account);
        }
        if let Some(act) = &ended.act {
            audit::record(w, act, now);
        }
        let ran = of.lease.map(|lease| ended.lease.ended_at(lease.claimed_at).since(lease.claimed_at));
        w.happened(Happened::Ended(QueueEnd {
            queue: of.request.queue.as_str().into(),
            at: ended.completed_at,
            phase: ended.life.phase,
            charged: ended.charged,
            ran: ran.unwrap_or_default(),
        }));
    }
    Ok(())
}

/// Credits, usage, and what keys have used of their limits.
fn books(w: &Writing, all: &[(&Locked, Ended<'_>)], now: Now) -> Result<(), StoreError> {
    let account = |of: &Locked| of.request.account.clone();
    let entries = all.iter().map(|(of, ended)| (account(of), ended.entry, Some(of.request.id))).collect();
    ledger::enter_all(w, entries, now);
    // Of several ends of one account the last one leaves its balance.
    ledger::set_balances(w, &all.iter().map(|(of, ended)| (account(of), ended.entry.balance)).collect())?;
    ledger::set_used(w, &all.iter().map(|(of, ended)| (of.request.key_id.clone(), ended.used)).collect())?;
    let used: Vec<_> = all.iter().filter_map(|(of, ended)| Some((account(of), ended.usage?))).collect();
    ledger::use_up(w, &used)
}

/// The rows of the requests, and their outputs.
fn requests(w: &Writing, all: &[(&Locked, Ended<'_>)]) -> Result<(), StoreError> {
    let mut outputs = (Vec::new(), Vec::new());
    for (of, ended) in all {
        if let Some(output) = ended.output {
            outputs.0.push(of.request.id.0);
            outputs.1.push(to_json(output)?);
        }
    }
    if !outputs.0.is_empty() {
        let of = w.memory.months.of(&outputs.0);
        w.later(
            format!(
                "UPDATE request_content{of} c SET output = n.output FROM unnest($1::uuid[], $2::text[]) AS n (request, output)
                 WHERE c.request = n.request"
            ),
            values![outputs.0, outputs.1],
        );
    }
    let failed = all.iter().filter(|(_, ended)| ended.failure.is_some());
    texts::note_failed(w, failed.map(|(of, _)| of.request.id.0).collect());
    let ended = || all.iter().map(|(_, ended)| ended);
    let charged = ended().map(|ended| amount(ended.charged)).collect::<Result<Vec<_>, _>>()?;
    let ids: Vec<_> = all.iter().map(|(of, _)| of.request.id.0).collect();
    let of = w.memory.months.of(&ids);
    w.later(
        format!(
            "UPDATE request{of} r SET phase = n.phase, epoch = n.epoch, rescues = n.rescues, charged = n.charged,
                error_code = n.error_code, error_message = n.error_message, completed_at = n.completed_at
             FROM unnest($1::uuid[], $2::text[], $3::int8[], $4::int8[], $5::int8[], $6::text[], $7::text[], $8::int8[])
                AS n (id, phase, epoch, rescues, charged, error_code, error_message, completed_at)
             WHERE r.id = n.id"
        ),
        values![
            ids,
            ended().map(|ended| ended.life.phase.name().to_owned()).collect::<Vec<_>>(),
            ended().map(|ended| ended.life.epoch.0).collect::<Vec<_>>(),
            ended().map(|ended| i64::from(ended.life.rescues)).collect::<Vec<_>>(),
            charged,
            ended().map(|ended| ended.failure.as_ref().map(|why| text(&why.code))).collect::<Vec<_>>(),
            ended().map(|ended| ended.failure.as_ref().map(|why| text(&why.message))).collect::<Vec<_>>(),
            ended().map(|ended| ended.completed_at.as_micros()).collect::<Vec<_>>(),
        ],
    );
    Ok(())
}

/// The delivery of a request that has ended.
pub(crate) struct Announced<'a> {
    pub(crate) request: RequestId,
    pub(crate) account: &'a AccountId,
    pub(crate) sandbox: bool,
    pub(crate) delivery: &'a NewDelivery<'a>,
}

/// Writes the deliveries of requests that have ended.
pub(crate) fn announce(w: &Writing, all: &[Announced<'_>], now: Now) -> Result<(), StoreError> {
    if all.is_empty() {
        return Ok(());
    }
    let bodies = all.iter().map(|of| Ok(to_json(&of.delivery.body)?.into_bytes()));
    let bodies = bodies.collect::<Result<Vec<_>, StoreError>>()?;
    let stored = || all.iter().map(|of| &of.delivery.stored);
    let moments = |of: fn(&StoredDelivery) -> Option<Moment>| {
        stored().map(|stored| of(stored).map(Moment::as_micros)).collect::<Vec<_>>()
    };
    w.later(
        "INSERT INTO delivery (id, request, account, sandbox, host, url, body, created_at, state, attempts, due_at,
                               replay_at, next_at, claimed_until, postponed, settled_at)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bool[], $5::text[], $6::text[], $7::bytea[], $8::int8[],
            $9::text[], $10::int8[], $11::int8[], $12::int8[], $13::int8[], $14::int8[], $15::bool[], $16::int8[])",
        values![
            all.iter().map(|_| ids::new(now.steady)).collect::<Vec<_>>(),
            all.iter().map(|of| of.request.0).collect::<Vec<_>>(),
            all.iter().map(|of| of.account.0.clone()).collect::<Vec<_>>(),
            all.iter().map(|of| of.sandbox).collect::<Vec<_>>(),
            all.iter().map(|of| of.delivery.host.clone()).collect::<Vec<_>>(),
            all.iter().map(|of| of.delivery.url.to_owned()).collect::<Vec<_>>(),
            bodies,
            all.iter().map(|of| of.delivery.created_at.as_micros()).collect::<Vec<_>>(),
            stored().map(|stored| stored.state.name().to_owned()).collect::<Vec<_>>(),
            stored().map(|stored| i64::from(stored.attempts)).collect::<Vec<_>>(),
            stored().map(|stored| stored.due_at.as_micros()).collect::<Vec<_>>(),
            moments(|stored| stored.replay_at),
            moments(StoredDelivery::next_at),
            moments(|stored| stored.claimed_until),
            stored().map(|stored| stored.postponed).collect::<Vec<_>>(),
            moments(|stored| stored.settled_at),
        ],
    );
    w.outbox_changed();
    Ok(())
}
