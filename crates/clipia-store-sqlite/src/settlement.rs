//! Credits that move, and the end of a request: each in the transaction of the command that causes it.

use super::accounts::count_usage;
use super::counters::Happened;
use super::leases;
use super::rows::{amount, key, phase_name, to_json};
use super::writer::Writing;
use crate::clock::told;
use crate::ids;
use crate::store::{AccountId, AttemptEnd, Failure, StoreError, WorkRefused};
use clipia_api::types::Output;
use clipia_queue::delivery_body as body;
use clipia_queue::delivery_host::host_of;
use clipia_queue::ledger::{Balance, Entries, Movement, Refused};
use clipia_queue::lifecycle::{Settlement, Transition};
use clipia_queue::{Credits, Moment, RequestId};
use rusqlite::{Connection, params};

/// Enters `movement` in the books and stores the `balance` that it leaves.
pub(crate) fn enter(
    w: &Writing<'_>,
    account: &AccountId,
    movement: Movement,
    balance: Balance,
    request: Option<RequestId>,
    now: Moment,
) -> Result<(), StoreError> {
    let Entries { available, held, issuance, revenue } = movement.entries();
    w.execute_often(
        "INSERT INTO movement (id, settles, account, kind, available, held, issuance, revenue, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            request.map_or_else(|| ids::new(now), key),
            movement.settles(),
            account.0,
            movement.kind(),
            available,
            held,
            issuance,
            revenue,
            told(now).as_micros()
        ],
    )?;
    w.tallies.set_balance(account, balance);
    Ok(())
}

/// Moves credits of an account, as far as its balance allows.
pub(crate) fn transfer<E: From<Refused> + From<StoreError>>(
    w: &Writing<'_>,
    account: &AccountId,
    movement: Movement,
    request: RequestId,
    now: Moment,
) -> Result<(), E> {
    let after = left::<E>(w, account, movement)?;
    enter(w, account, movement, after, Some(request), now)?;
    Ok(())
}

/// What a movement would leave in the books of an account.
pub(crate) fn left<E: From<Refused> + From<StoreError>>(
    w: &Writing<'_>,
    account: &AccountId,
    movement: Movement,
) -> Result<Balance, E> {
    let before = w.tallies.balance(w, account)?;
    let before = before.ok_or_else(|| StoreError::Unreadable(format!("no account `{account}`")))?;
    Ok(before.after(movement)?)
}

/// How a request ended.
pub(crate) enum End<'a> {
    Output(&'a Output),
    Failure(&'a Failure),
    Canceled,
}

/// What of a request its end needs.
pub(crate) struct Ending {
    pub(crate) id: RequestId,
    pub(crate) account: AccountId,
    pub(crate) key_id: String,
    pub(crate) sandbox: bool,
    pub(crate) model: String,
    pub(crate) cost: Credits,
    pub(crate) webhook_url: Option<String>,
    pub(crate) base_url: String,
}

/// Ends a request: its row, its credits and its delivery together.
pub(crate) fn end(
    w: &Writing<'_>,
    request: &Ending,
    transition: Transition,
    end: &End<'_>,
    attempt: AttemptEnd,
    now: Moment,
) -> Result<(), WorkRefused> {
    let c: &Connection = w;
    w.standing_changed(request.id);
    let (movement, charged) = match transition.settlement {
        Some(Settlement::Capture) => {
            (Movement::Capture { reserved: request.cost, charged: request.cost }, request.cost)
        }
        _ => (Movement::Release(request.cost), Credits::ZERO),
    };
    transfer::<WorkRefused>(w, &request.account, movement, request.id, now)?;
    if charged > Credits::ZERO {
        count_usage(w, &request.account, 0, charged, now)?;
    }
    let failure = match end {
        End::Failure(failure) => Some(failure),
        End::Output(output) => {
            c.prepare_cached("UPDATE request_content SET output = ?2 WHERE request = ?1")?
                .execute(params![key(request.id), to_json(output)?])?;
            None
        }
        End::Canceled => None,
    };
    c.prepare_cached(
        "UPDATE request SET phase = ?2, epoch = ?3, rescues = ?4, charged = ?5, error_code = ?6, error_message = ?7,
                            completed_at = max(created_at, ?8)
         WHERE id = ?1",
    )?
    .execute(params![
        key(request.id),
        phase_name(transition.next.phase),
        transition.next.epoch.0,
        transition.next.rescues,
        amount(charged)?,
        failure.map(|failure| &failure.code),
        failure.map(|failure| &failure.message),
        told(now).as_micros()
    ])?;
    let in_flight = w.tallies.in_flight(w, &request.key_id)?.filter(|in_flight| *in_flight > 0);
    let in_flight = in_flight
        .ok_or_else(|| StoreError::Unreadable(format!("nothing is in flight for {}", request.key_id)))?;
    w.tallies.set_in_flight(&request.key_id, in_flight - 1);
    leases::end(c, request.id, transition.next.epoch, attempt, now)?;
    announce(w, request, charged, end, now)?;
    w.happened(Happened::Ended(transition.next.phase));
    Ok(())
}

/// Writes the delivery that tells of a request's end, if one was asked for.
pub(crate) fn announce(
    w: &Writing<'_>,
    request: &Ending,
    charged: Credits,
    end: &End<'_>,
    now: Moment,
) -> Result<(), StoreError> {
    let Some(url) = &request.webhook_url else {
        return Ok(());
    };
    let body = match end {
        End::Output(output) => {
            body::completed(request.id, &request.model, output, charged, &request.base_url)
        }
        End::Failure(failure) => body::failed(request.id, failure),
        // The contract has one word for all that made nothing; the request's status tells them apart.
        End::Canceled => body::failed(
            request.id,
            &Failure::generation("the generation was canceled; its credits were returned"),
        ),
    };
    w.prepare_cached(
        "INSERT INTO delivery (id, request, account, sandbox, host, url, body, state, attempts, created_at, due_at,
                               postponed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'pending', 0, ?8, ?9, 0)",
    )?
    .execute(params![
        ids::new(now),
        key(request.id),
        request.account.0,
        request.sandbox,
        host_of(url),
        url,
        to_json(&body)?.into_bytes(),
        told(now).as_micros(),
        now.as_micros()
    ])?;
    w.outbox_changed();
    Ok(())
}
