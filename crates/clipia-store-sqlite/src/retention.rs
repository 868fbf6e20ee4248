//! Lets go of what has had its time: media, inputs, attempts and whole requests, and the space that they took.

use super::rows::{entries, key, moment, phase};
use super::writing::Writing;
use super::{ledger, logs, sandbox, stored};
use crate::clock::wall_at;
use crate::store::{AccountId, DueOf, DuePage, GivenBack, StoreError};
use clipia_queue::commands::sandbox::without_one;
use clipia_queue::ledger::Entries;
use clipia_queue::retention::{Candidate, Horizon, Look, Part, carry_forward, look, pages_to_give_back};
use clipia_queue::{Moment, RequestId};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

/// Pages that one commit gives back: other commands do not wait for more.
const PAGES_AT_ONCE: u64 = 256;

/// What [`Found::of`] reads. A delivery's own columns are those of [`stored::delivery_of`].
const CANDIDATE: &str = "SELECT r.id AS request, r.account, r.sandbox, r.phase, r.completed_at, r.named,
        r.expired_at, r.input_gone, r.attempts_gone, d.id, d.state, d.attempts, d.due_at, d.replay_at, d.claimed_until, d.postponed, d.settled_at
     FROM request r LEFT JOIN delivery d ON d.request = r.id";

struct Found {
    account: AccountId,
    delivery: Option<Uuid>,
    candidate: Candidate,
}

impl Found {
    fn of(row: &Row<'_>) -> Result<Self, StoreError> {
        let delivery = match row.get::<_, Option<Uuid>>("id")? {
            Some(_) => Some(stored::delivery_of(row)?),
            None => None,
        };
        let candidate = Candidate {
            id: RequestId(row.get("request")?),
            sandbox: row.get("sandbox")?,
            phase: phase(row.get_ref("phase")?.as_str().map_err(rusqlite::Error::from)?)?,
            completed_at: row.get::<_, Option<i64>>("completed_at")?.map(moment),
            named: row.get("named")?,
            media_gone: row.get::<_, Option<i64>>("expired_at")?.is_some(),
            input_gone: row.get("input_gone")?,
            attempts_gone: row.get("attempts_gone")?,
            delivery: delivery.map(|(_, delivery)| delivery),
        };
        let (account, delivery) = (AccountId(row.get("account")?), delivery.map(|(id, _)| id));
        Ok(Self { account, delivery, candidate })
    }
}

/// Narrows down the requests that [have](Candidate::has) a part still, so that a page is not spent on those that have none.
fn has(part: Part) -> &'static str {
    match part {
        Part::Media => {
            "r.sandbox = 0 AND r.expired_at IS NULL AND (r.phase = 'completed' OR r.completed_at IS NULL)"
        }
        Part::Input => "r.sandbox = 0 AND r.input_gone = 0",
        Part::Attempts => "r.attempts_gone = 0",
        Part::Request => "1",
    }
}

pub(crate) fn due(c: &Connection, part: Part, horizon: Horizon, of: DueOf) -> Result<DuePage, StoreError> {
    let mut page = DuePage::default();
    let mut note = |found: &Found| match look(part, &horizon, &found.candidate) {
        Look::Nothing => {}
        Look::Due => page.due.push(found.candidate.id),
        Look::Late => page.late.push(found.candidate.id),
    };
    let has = has(part);
    match of {
        DueOf::After { after, through, limit } => {
            let mut statement = c.prepare_cached(&format!(
                "{CANDIDATE} WHERE r.id > ?1 AND r.id <= ?2 AND {has} ORDER BY r.id LIMIT ?3"
            ))?;
            let after = after.map_or(Uuid::nil(), key);
            let limit_rows = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut rows = statement.query(params![after, key(through), limit_rows])?;
            let (mut found, mut last) = (0, None);
            while let Some(row) = rows.next()? {
                let next = Found::of(row)?;
                (found, last) = (found + 1, Some(next.candidate.id));
                note(&next);
            }
            page.next = last.filter(|_| found == limit);
        }
        DueOf::These(ids) => {
            for id in ids {
                find(c, part, id)?.iter().for_each(&mut note);
            }
        }
    }
    Ok(page)
}

fn find(c: &Connection, part: Part, id: RequestId) -> Result<Option<Found>, StoreError> {
    let mut statement = c.prepare_cached(&format!("{CANDIDATE} WHERE r.id = ?1 AND {}", has(part)))?;
    let mut rows = statement.query([key(id)])?;
    rows.next()?.map(Found::of).transpose()
}

pub(crate) fn let_go(
    w: &Writing<'_>,
    part: Part,
    horizon: Horizon,
    ids: &[RequestId],
    now: Moment,
) -> Result<Vec<RequestId>, StoreError> {
    let mut gone = Vec::new();
    for id in ids {
        // An operator may have asked for another attempt at its delivery meanwhile.
        let due = |found: &Found| look(part, &horizon, &found.candidate) == Look::Due;
        let Some(found) = find(w, part, *id)?.filter(due) else {
            continue;
        };
        match part {
            Part::Media => {
                let expired_at = wall_at(now).as_micros();
                w.prepare_cached("UPDATE request SET expired_at = ?2 WHERE id = ?1")?
                    .execute(params![key(*id), expired_at])?;
            }
            Part::Input => {
                w.prepare_cached("UPDATE request_content SET input = '' WHERE request = ?1")?
                    .execute([key(*id)])?;
                w.prepare_cached("UPDATE request SET input_gone = 1 WHERE id = ?1")?.execute([key(*id)])?;
            }
            Part::Attempts => {
                attempts(w, &found)?;
                w.prepare_cached("UPDATE request SET attempts_gone = 1, logged = 0 WHERE id = ?1")?
                    .execute([key(*id)])?;
                w.status_changed(*id);
            }
            Part::Request => whole(w, &found, now)?,
        }
        gone.push(*id);
    }
    Ok(gone)
}

fn attempts(c: &Connection, of: &Found) -> Result<(), StoreError> {
    logs::let_go(c, of.candidate.id)?;
    c.prepare_cached("DELETE FROM attempt WHERE request = ?1")?.execute([key(of.candidate.id)])?;
    if let Some(delivery) = of.delivery {
        c.prepare_cached("DELETE FROM delivery_attempt WHERE delivery = ?1")?.execute([delivery])?;
    }
    Ok(())
}

fn whole(w: &Writing<'_>, of: &Found, now: Moment) -> Result<(), StoreError> {
    let id = of.candidate.id;
    attempts(w, of)?;
    condense(w, of, now)?;
    for part in [
        "DELETE FROM delivery WHERE request = ?1",
        "DELETE FROM request_content WHERE request = ?1",
        "DELETE FROM request WHERE id = ?1",
    ] {
        w.prepare_cached(part)?.execute([key(id)])?;
    }
    if of.candidate.sandbox {
        let kept = without_one(&of.account, sandbox::kept(w, &of.account)?)?;
        w.write_back.set_sandbox_kept(&of.account, i64::from(kept));
    }
    w.status_changed(id);
    Ok(())
}

/// Carries the movements of a request forward in the opening movement of its account.
fn condense(w: &Writing<'_>, of: &Found, now: Moment) -> Result<(), StoreError> {
    let condensed: Vec<Entries> = w
        .prepare_cached("DELETE FROM movement WHERE id = ?1 RETURNING available, held, issuance, revenue")?
        .query_map([key(of.candidate.id)], entries)?
        .collect::<Result<_, _>>()?;
    if condensed.is_empty() {
        return Ok(());
    }
    let opening: Option<Entries> = w
        .prepare_cached(
            "SELECT available, held, issuance, revenue FROM movement WHERE account = ?1 AND kind = 'opening'",
        )?
        .query_row([&of.account.0], entries)
        .optional()?;
    let sum = carry_forward(opening.unwrap_or_default(), &condensed)
        .map_err(|unsummed| StoreError::Unreadable(format!("account `{}`: {unsummed}", of.account)))?;
    ledger::open(w, &of.account, sum, opening.is_none(), now)
}

/// Gives unused pages back to the system.
pub(crate) fn give_back(c: &Connection) -> Result<GivenBack, StoreError> {
    let pragma = |name: &str| -> Result<u64, StoreError> {
        let value: i64 = c.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))?;
        Ok(u64::try_from(value).unwrap_or(0))
    };
    let (unused, page_bytes) = (pragma("freelist_count")?, pragma("page_size")?);
    let wanted = pages_to_give_back(pragma("page_count")?, unused);
    let pages = wanted.min(PAGES_AT_ONCE);
    if pages == 0 {
        return Ok(GivenBack::default());
    }
    let mut vacuum = c.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    // Each step frees one page.
    let mut rows = vacuum.query([])?;
    while rows.next()?.is_some() {}
    drop(rows);
    let freed = unused.saturating_sub(pragma("freelist_count")?);
    Ok(GivenBack { bytes: freed * page_bytes, more: freed > 0 && wanted > pages })
}
