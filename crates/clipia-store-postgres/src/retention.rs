//! Lets go of what has had its time: media, inputs, attempts and whole requests; [`month`] drops whole months.

mod month;

pub(crate) use month::drop_month;
use month::remove_rest;

use super::connection::Connection;
use super::rows::Row;
use super::submits::keep_floors;
use super::values::values;
use super::writing::Writing;
use super::{idempotency, ledger, logs, position, sandbox, stored, texts};
use clipia_queue::commands::Now;
use clipia_queue::commands::sandbox::without_one;
use clipia_queue::ledger::Entries;
use clipia_queue::retention::{Candidate, Horizon, Look, Part, carry_forward, look};
use clipia_queue::{AccountId, RequestId};
use clipia_store::{DueOf, DuePage, GivenBack, StoreError};
use std::collections::BTreeSet;
use uuid::Uuid;

/// What [`Found::of`] reads. A delivery's own columns are those of [`stored::delivery_of`].
const CANDIDATE: &str = "SELECT r.id AS request, r.account, r.sandbox, r.phase, r.completed_at, r.named, r.queue, r.ticket,
        r.expired_at, r.input_gone, r.attempts_gone, d.id, d.state, d.attempts, d.due_at, d.replay_at, d.claimed_until, d.postponed, d.settled_at
     FROM request r LEFT JOIN delivery d ON d.request = r.id";

struct Found {
    account: AccountId,
    queue: String,
    ticket: i64,
    delivery: Option<Uuid>,
    candidate: Candidate,
}

impl Found {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let delivery = match row.get::<Option<Uuid>>("id")? {
            Some(_) => Some(stored::delivery_of(row)?),
            None => None,
        };
        let candidate = Candidate {
            id: row.request("request")?,
            sandbox: row.get("sandbox")?,
            phase: row.phase("phase")?,
            completed_at: row.optional_moment("completed_at")?,
            named: row.get("named")?,
            media_gone: row.optional_moment("expired_at")?.is_some(),
            input_gone: row.get("input_gone")?,
            attempts_gone: row.get("attempts_gone")?,
            delivery: delivery.map(|(_, delivery)| delivery),
        };
        Ok(Self {
            account: row.account()?,
            queue: row.get("queue")?,
            ticket: row.get("ticket")?,
            delivery: delivery.map(|(id, _)| id),
            candidate,
        })
    }
}

/// Narrows down the requests that [have](Candidate::has) a part still, so that a page is not spent on those that have none.
fn has(part: Part) -> &'static str {
    match part {
        Part::Media => {
            "NOT r.sandbox AND r.expired_at IS NULL AND (r.phase = 'completed' OR r.completed_at IS NULL)"
        }
        Part::Input => "NOT r.sandbox AND NOT r.input_gone",
        Part::Attempts => "NOT r.attempts_gone",
        Part::Request => "TRUE",
    }
}

pub(crate) async fn due(
    c: &Connection,
    part: Part,
    horizon: Horizon,
    of: DueOf,
) -> Result<DuePage, StoreError> {
    let mut page = DuePage::default();
    let found = match of {
        DueOf::After { after, through, limit } => {
            let rows = c
                .query(
                    &format!(
                        "{CANDIDATE} WHERE r.id > $1 AND r.id <= $2 AND {} ORDER BY r.id LIMIT $3",
                        has(part)
                    ),
                    values![after.map_or(Uuid::nil(), |after| after.0), through, limit],
                )
                .await?;
            let found = rows.iter().map(Found::of).collect::<Result<Vec<_>, _>>()?;
            page.next = found.last().filter(|_| found.len() == limit).map(|last| last.candidate.id);
            found
        }
        DueOf::These(ids) => find(c, part, &ids).await?,
    };
    for found in found {
        match look(part, &horizon, &found.candidate) {
            Look::Nothing => {}
            Look::Due => page.due.push(found.candidate.id),
            Look::Late => page.late.push(found.candidate.id),
        }
    }
    Ok(page)
}

/// Those of these requests that have the part still, in this order.
async fn find(c: &Connection, part: Part, ids: &[RequestId]) -> Result<Vec<Found>, StoreError> {
    let rows = c
        .query(
            &format!(
                "{CANDIDATE} JOIN unnest($1::uuid[]) WITH ORDINALITY AS asked (asked_id, n) ON asked_id = r.id
                 WHERE {} ORDER BY n",
                has(part)
            ),
            values![ids.iter().map(|id| id.0).collect::<Vec<_>>()],
        )
        .await?;
    rows.iter().map(Found::of).collect()
}

pub(crate) async fn let_go(
    w: &Writing,
    part: Part,
    horizon: Horizon,
    ids: &[RequestId],
) -> Result<Vec<RequestId>, StoreError> {
    let now = w.now().await?;
    // Accounts, requests and deliveries are locked, in this order: an operator may ask for another attempt at a delivery meanwhile.
    let accounts: BTreeSet<String> =
        find(w, part, ids).await?.into_iter().map(|found| found.account.0).collect();
    let asked: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let mut locked = match part {
        Part::Request => ledger::lock(w, accounts.into_iter().collect()).await?,
        Part::Media | Part::Input | Part::Attempts => Default::default(),
    };
    w.later("SELECT 1 FROM request WHERE id = ANY($1) ORDER BY id FOR UPDATE", values![asked.clone()]);
    w.later("SELECT 1 FROM delivery WHERE request = ANY($1) ORDER BY id FOR UPDATE", values![asked]);
    let mut due = find(w, part, ids).await?;
    due.retain(|found| look(part, &horizon, &found.candidate) == Look::Due);
    let gone: Vec<Uuid> = due.iter().map(|found| found.candidate.id.0).collect();
    match part {
        Part::Media => {
            w.later("UPDATE request SET expired_at = $2 WHERE id = ANY($1)", values![gone, now.wall]);
        }
        Part::Input => {
            w.later("UPDATE request_content SET input = '' WHERE request = ANY($1)", values![gone.clone()]);
            texts::forget(w, gone.clone());
            w.later("UPDATE request SET input_gone = TRUE WHERE id = ANY($1)", values![gone]);
        }
        Part::Attempts => {
            due.iter().for_each(|found| attempts(w, found));
            w.later("UPDATE request SET attempts_gone = TRUE, logged = 0 WHERE id = ANY($1)", values![gone]);
        }
        Part::Request => {
            texts::forget(w, gone);
            for found in &due {
                whole(w, found, now).await?;
                if found.candidate.sandbox
                    && let Some(account) = locked.get_mut(&found.account.0)
                {
                    account.sandbox_kept = without_one(&found.account, account.sandbox_kept)?;
                    sandbox::set_kept(w, &found.account, account.sandbox_kept);
                }
            }
            let latest = due.iter().map(|found| (found.queue.clone(), found.ticket));
            keep_floors(w, latest);
        }
    }
    Ok(due.into_iter().map(|found| found.candidate.id).collect())
}

fn attempts(w: &Writing, of: &Found) {
    logs::let_go(w, of.candidate.id);
    let tables = w.memory.months.of(&[of.candidate.id.0]);
    w.later(format!("DELETE FROM attempt{tables} WHERE request = $1"), values![of.candidate.id]);
    if let Some(delivery) = of.delivery {
        w.later("DELETE FROM delivery_attempt WHERE delivery = $1", values![delivery]);
    }
}

async fn whole(w: &Writing, of: &Found, now: Now) -> Result<(), StoreError> {
    attempts(w, of);
    condense(w, of, now).await?;
    let tables = w.memory.months.of(&[of.candidate.id.0]);
    for part in [
        "DELETE FROM delivery WHERE request = $1".to_owned(),
        format!("DELETE FROM request_content{tables} WHERE request = $1"),
        format!("DELETE FROM request{tables} WHERE id = $1"),
    ] {
        w.later(part, values![of.candidate.id]);
    }
    Ok(())
}

/// Carries the movements of a request forward in the opening movement of its account, which is locked.
async fn condense(w: &Writing, of: &Found, now: Now) -> Result<(), StoreError> {
    let condensed = w
        .query(
            "DELETE FROM movement WHERE id = $1 RETURNING available, held, issuance, revenue",
            values![of.candidate.id],
        )
        .await?;
    let condensed: Vec<Entries> = condensed.iter().map(Row::entries).collect::<Result<_, _>>()?;
    carry(w, &of.account, &condensed, now).await
}

/// Carries entries forward in the opening movement of an account, which is locked.
async fn carry(w: &Writing, account: &AccountId, condensed: &[Entries], now: Now) -> Result<(), StoreError> {
    if condensed.is_empty() {
        return Ok(());
    }
    let opening = w
        .optional(
            "SELECT available, held, issuance, revenue FROM movement WHERE account = $1 AND kind = 'opening'",
            values![account],
        )
        .await?;
    let opening = opening.as_ref().map(Row::entries).transpose()?;
    let sum = carry_forward(opening.unwrap_or_default(), condensed)
        .map_err(|unsummed| StoreError::Unreadable(format!("account `{account}`: {unsummed}")))?;
    ledger::open(w, account, sum, opening.is_none(), now);
    Ok(())
}

/// Removes records of idempotency keys that are not in force any more. The space is the database's: autovacuum has it used again.
pub(crate) async fn give_back(w: &Writing) -> Result<GivenBack, StoreError> {
    let now = w.now().await?.steady;
    position::forget(w).await?;
    let more = idempotency::remove_expired(w, now).await?;
    Ok(GivenBack { bytes: 0, more: remove_rest(w).await? || more })
}
