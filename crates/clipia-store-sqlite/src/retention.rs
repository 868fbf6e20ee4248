//! Letting go of what has had its time: media, inputs, attempts and whole requests, and the space that they took.

use super::rows::{key, moment, phase};
use super::writer::Writing;
use super::{ledger, stored};
use crate::clock::told;
use crate::ids;
use crate::store::{AccountId, DueOf, DuePage, GivenBack, StoreError};
use clipia_queue::ledger::Entries;
use clipia_queue::retention::{Delivery, Facts, Horizon, Part, carry_forward, pages_to_give_back};
use clipia_queue::{Moment, RequestId};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

/// Pages that are given back by one commit, so that none waits for long.
const PAGES_AT_ONCE: u64 = 256;

/// What [`Candidate::of`] reads. A delivery's own columns are those of [`stored::delivery_of`].
const CANDIDATE: &str = "SELECT r.id AS request, r.account, r.sandbox, r.phase, r.completed_at, r.named,
        d.id, d.state, d.attempts, d.due_at, d.replay_at, d.claimed_until, d.postponed, d.settled_at
     FROM request r LEFT JOIN delivery d ON d.request = r.id";

struct Candidate {
    id: RequestId,
    account: AccountId,
    sandbox: bool,
    delivery: Option<Uuid>,
    facts: Facts,
}

impl Candidate {
    fn of(row: &Row<'_>) -> Result<Self, StoreError> {
        let id: Uuid = row.get("request")?;
        let delivery = match row.get::<_, Option<Uuid>>("id")? {
            Some(_) => Some(stored::delivery_of(row)?),
            None => None,
        };
        let ended: Option<i64> = row.get("completed_at")?;
        let has_ended = phase(row.get_ref("phase")?.as_str().map_err(rusqlite::Error::from)?)?.is_terminal();
        Ok(Self {
            id: RequestId(id),
            account: AccountId(row.get("account")?),
            sandbox: row.get("sandbox")?,
            delivery: delivery.map(|(id, _)| id),
            facts: Facts {
                submitted: ids::made(id).unwrap_or_default(),
                ended: ended.filter(|_| has_ended).map(moment),
                named: row.get("named")?,
                delivery: Delivery::of(delivery.as_ref().map(|(_, delivery)| delivery)),
            },
        })
    }
}

/// The requests that have a part still. No file is a request's own in the sandbox.
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
    let mut note = |candidate: Candidate| match horizon.admits(&candidate.facts) {
        true => page.due.push(candidate.id),
        false => page.late.push(candidate.id),
    };
    let has = has(part);
    match of {
        DueOf::After { after, limit } => {
            let mut statement = c.prepare_cached(&format!(
                "{CANDIDATE} WHERE r.id > ?1 AND r.id <= ?2 AND {has} ORDER BY r.id LIMIT ?3"
            ))?;
            let after = after.map_or(Uuid::nil(), key);
            let limit_rows = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut rows = statement.query(params![after, ids::last_before(horizon.ended), limit_rows])?;
            let (mut found, mut last) = (0, None);
            while let Some(row) = rows.next()? {
                let candidate = Candidate::of(row)?;
                (found, last) = (found + 1, Some(candidate.id));
                note(candidate);
            }
            page.next = last.filter(|_| found == limit);
        }
        DueOf::These(ids) => {
            for id in ids {
                if let Some(candidate) = candidate(c, part, id)? {
                    note(candidate);
                }
            }
        }
    }
    Ok(page)
}

fn candidate(c: &Connection, part: Part, id: RequestId) -> Result<Option<Candidate>, StoreError> {
    let mut statement = c.prepare_cached(&format!("{CANDIDATE} WHERE r.id = ?1 AND {}", has(part)))?;
    let mut rows = statement.query([key(id)])?;
    rows.next()?.map(Candidate::of).transpose()
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
        let Some(candidate) = candidate(w, part, *id)?.filter(|found| horizon.admits(&found.facts)) else {
            continue;
        };
        match part {
            Part::Media => {
                let expired_at = told(now).as_micros();
                w.prepare_cached("UPDATE request SET expired_at = ?2 WHERE id = ?1")?
                    .execute(params![key(*id), expired_at])?;
            }
            Part::Input => {
                w.prepare_cached("UPDATE request_content SET input = '' WHERE request = ?1")?
                    .execute([key(*id)])?;
                w.prepare_cached("UPDATE request SET input_gone = 1 WHERE id = ?1")?.execute([key(*id)])?;
            }
            Part::Attempts => {
                attempts(w, &candidate)?;
                w.prepare_cached("UPDATE request SET attempts_gone = 1 WHERE id = ?1")?
                    .execute([key(*id)])?;
            }
            Part::Request => whole(w, &candidate, now)?,
        }
        gone.push(*id);
    }
    Ok(gone)
}

fn attempts(c: &Connection, of: &Candidate) -> Result<(), StoreError> {
    c.prepare_cached("DELETE FROM attempt WHERE request = ?1")?.execute([key(of.id)])?;
    if let Some(delivery) = of.delivery {
        c.prepare_cached("DELETE FROM delivery_attempt WHERE delivery = ?1")?.execute([delivery])?;
    }
    Ok(())
}

fn whole(w: &Writing<'_>, of: &Candidate, now: Moment) -> Result<(), StoreError> {
    attempts(w, of)?;
    condense(w, of, now)?;
    for part in [
        "DELETE FROM delivery WHERE request = ?1",
        "DELETE FROM request_content WHERE request = ?1",
        "DELETE FROM request WHERE id = ?1",
    ] {
        w.prepare_cached(part)?.execute([key(of.id)])?;
    }
    if of.sandbox {
        let kept = w.tallies.sandbox_kept(w, &of.account)?;
        w.tallies.set_sandbox_kept(&of.account, kept - 1);
    }
    w.standing_changed(of.id);
    Ok(())
}

/// Carries the movements of a request forward in the opening movement of its account.
fn condense(w: &Writing<'_>, of: &Candidate, now: Moment) -> Result<(), StoreError> {
    let condensed: Vec<Entries> = w
        .prepare_cached("DELETE FROM movement WHERE id = ?1 RETURNING available, held, issuance, revenue")?
        .query_map([key(of.id)], entries)?
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

fn entries(row: &Row<'_>) -> rusqlite::Result<Entries> {
    Ok(Entries {
        available: row.get("available")?,
        held: row.get("held")?,
        issuance: row.get("issuance")?,
        revenue: row.get("revenue")?,
    })
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
