//! Submitting and reading requests.

use super::aside;
use super::idempotency::Name;
use super::known::Stood;
use super::position::{PlaceInLine, Positions, lane_number};
use super::rows::{amount, cost, credits, from_json, key, lifecycle, moment, phase_name, to_json};
use super::settlement::announce;
use super::writing::Writing;
use super::{ledger, sandbox};
use crate::clock::both;
use crate::ids;
use crate::media;
use crate::store::{
    AccountId, Failure, QueueStatistics, Request, StoreError, Submission, SubmitRefused, Submitted,
};
use clipia_api::Progress;
use clipia_queue::commands::submit::{self, Asked, Checked, NewRequest, Submit};
use clipia_queue::idempotency::Fingerprint;
use clipia_queue::position::Ticket;
use clipia_queue::{Moment, RequestId};
use rusqlite::{Connection, Row, params};
use std::collections::HashMap;
use uuid::Uuid;

/// A submit as the transaction leaves it. Its position is only known once that is committed.
pub(crate) struct Accepted {
    pub(crate) submitted: Submitted,
    pub(crate) place: Option<PlaceInLine>,
}

/// A submit as it is stored: what can be done before, the one thread that writes is not kept by.
pub(crate) struct Prepared {
    submission: Submission,
    idempotency: Option<(Name, Fingerprint)>,
    input: String,
    warnings: String,
    output: Option<String>,
    elsewhere: bool,
}

/// From this many bytes of text on an input is not written as JSON beside calls that wait.
const LARGE_BYTES: usize = 64 * 1024;

/// Whether preparing a submit takes its time. Inputs are flat: only their texts can be long.
pub(crate) fn is_large(submission: &Submission) -> bool {
    let texts = submission.input.values().filter_map(serde_json::Value::as_str);
    texts.map(str::len).sum::<usize>() > LARGE_BYTES
}

impl Prepared {
    /// How much of it is stored.
    pub(crate) fn bytes(&self) -> usize {
        self.input.len() + self.warnings.len()
    }
}

pub(crate) fn prepare(mut submission: Submission) -> Result<Prepared, StoreError> {
    let account = &submission.key.account;
    let named = submission.idempotency.take();
    // Freed here: some MiB would hold up the thread that writes.
    let input = std::mem::take(&mut submission.input);
    Ok(Prepared {
        elsewhere: media::source_elsewhere(&input, &submission.base_url).is_some(),
        idempotency: named
            .map(|(name, fingerprint)| (Name::new(account, submission.key.sandbox, name), fingerprint)),
        input: match submit::keeps_input(submission.sample.is_some()) {
            true => to_json(&input)?,
            false => "{}".to_owned(),
        },
        warnings: to_json(&submission.warnings)?,
        output: submission.sample.as_ref().map(to_json).transpose()?,
        submission,
    })
}

pub(crate) fn submit(w: &Writing<'_>, prepared: Prepared, now: Moment) -> Result<Accepted, SubmitRefused> {
    let submission = &prepared.submission;
    let (key, account, named) = (&submission.key, &submission.key.account, prepared.idempotency.as_ref());
    let recorded = named.map(|(name, _)| w.keys.borrow().find(w, account, name, now)).transpose()?;
    let asked = Asked {
        key_in_force: w.is_in_force(&key.id)?,
        sandbox: key.sandbox,
        fingerprint: named.map(|(_, fingerprint)| *fingerprint),
        recorded: recorded.flatten(),
    };
    let new = match submit::check(asked)? {
        Checked::New(new) => new,
        Checked::Repeated(repeats) => match repeated(w, repeats.id)? {
            Some(accepted) => return Ok(accepted),
            None => repeats.forgotten().map_err(StoreError::from)?,
        },
    };
    let accepted = Submit {
        id: submission.id,
        model: &submission.model,
        cost: submission.cost,
        limits: key.limits,
        webhook_url: submission.webhook_url.as_deref(),
        base_url: &submission.base_url,
    };
    let (request, place, record) = match &submission.sample {
        Some(output) => {
            let sampled = new.sample(accepted, output, sandbox::kept(w, account)?, both(now));
            sandbox::make_room(w, account, sampled.room)?;
            insert(w, &prepared, &sampled.request)?;
            if let Some(delivery) = &sampled.delivery {
                announce(w, submission.id, account, true, delivery, now)?;
            }
            (sampled.request, None, sampled.record)
        }
        None => {
            let facts = submit::Account {
                balance: ledger::balance(w, account)?,
                in_flight: ledger::in_flight(w, &key.id)?,
                tail: Ticket(w.tallies.tail(w, &submission.queue)?),
            };
            let accepted = new.accept(accepted, facts, both(now))?;
            let at = PlaceInLine { queue: submission.queue.clone(), place: accepted.place };
            w.tallies.set_tail(&submission.queue, accepted.request.ticket.0);
            w.tallies.set_in_flight(&key.id, i64::from(accepted.in_flight));
            stand(w, at.clone(), submission.id)?;
            insert(w, &prepared, &accepted.request)?;
            ledger::enter(w, account, accepted.entry, Some(submission.id), now)?;
            ledger::use_up(w, account, accepted.usage)?;
            (accepted.request, Some(at), accepted.record)
        }
    };
    if let (Some((name, _)), Some(record)) = (named, record) {
        w.keys.borrow_mut().record(w, account, name, record, now)?;
    }
    let submitted = Submitted {
        id: submission.id,
        phase: request.life.phase,
        position: 0,
        cost: submission.cost,
        warnings: prepared.submission.warnings,
    };
    Ok(Accepted { submitted, place })
}

/// The answer to a submit that was accepted before, as things stand now, if its request is still kept.
fn repeated(c: &Connection, id: RequestId) -> Result<Option<Accepted>, SubmitRefused> {
    let mut statement =
        c.prepare_cached("SELECT * FROM request JOIN request_content ON request = id WHERE id = ?1")?;
    let mut rows = statement.query([key(id)])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let life = lifecycle(row)?;
    let place = PlaceInLine::of_request(row, life)?;
    let submitted = Submitted {
        id,
        phase: life.phase,
        position: 0,
        cost: credits(row.get("cost")?)?,
        warnings: from_json(&row.get::<_, String>("warnings")?)?,
    };
    Ok(Some(Accepted { submitted, place }))
}

/// Puts a request in line.
pub(crate) fn stand(w: &Writing<'_>, at: PlaceInLine, id: RequestId) -> Result<(), StoreError> {
    w.execute_often(
        "INSERT INTO queue_item (queue, lane, ticket, request) VALUES (?1, ?2, ?3, ?4)",
        params![at.queue, lane_number(at.place.lane), at.place.ticket.0, key(id)],
    )?;
    w.stands(at);
    Ok(())
}

/// Takes a request out of line, wherever it stands there.
pub(crate) fn leave(w: &Writing<'_>, at: PlaceInLine) -> Result<(), StoreError> {
    let left = w
        .prepare_cached("DELETE FROM queue_item WHERE queue = ?1 AND lane = ?2 AND ticket = ?3")?
        .execute(params![at.queue, lane_number(at.place.lane), at.place.ticket.0])?;
    if left != 1 && !aside::leave(w, &at)? {
        return Err(StoreError::Unreadable(format!("nobody stands in line at {at:?}")));
    }
    w.leaves(at);
    Ok(())
}

fn insert(
    w: &Writing<'_>,
    Prepared { submission, input, warnings, output, elsewhere, .. }: &Prepared,
    request: &NewRequest,
) -> Result<(), StoreError> {
    let NewRequest { life, ticket, progress, created_at, completed_at, charged, named } = request;
    w.execute_often(
        "INSERT INTO request (id, account, api_key, sandbox, model, queue, phase, epoch, rescues, ticket, attempt_max,
                              elsewhere, progress, cost, charged, webhook_url, base_url, created_at, completed_at, named)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?18, ?20, ?12, ?13, ?14, ?15, ?16, ?17, ?19)",
        params![
            key(submission.id),
            submission.key.account.0,
            submission.key.id,
            submission.sample.is_some(),
            submission.model,
            submission.queue,
            phase_name(life.phase),
            life.epoch.0,
            life.rescues,
            ticket.0,
            i64::try_from(submission.attempt_max.as_micros()).unwrap_or(i64::MAX),
            amount(submission.cost)?,
            charged.map(amount).transpose()?,
            submission.webhook_url,
            submission.base_url,
            created_at.as_micros(),
            completed_at.map(Moment::as_micros),
            elsewhere,
            named,
            progress.percent(),
        ],
    )?;
    w.execute_often(
        "INSERT INTO request_content (request, input, warnings, output) VALUES (?1, ?2, ?3, ?4)",
        params![key(submission.id), input, warnings, output],
    )?;
    Ok(())
}

pub(crate) fn stood(c: &Connection, id: RequestId) -> Result<Option<Stood>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT account, sandbox, phase, epoch, rescues, queue, ticket, progress FROM request WHERE id = ?1",
    )?;
    let mut rows = statement.query([key(id)])?;
    rows.next()?.map(stood_of).transpose()
}

/// The columns `account`, `sandbox`, `phase`, `epoch`, `rescues`, `queue`, `ticket`, `progress`.
fn stood_of(row: &Row<'_>) -> Result<Stood, StoreError> {
    let life = lifecycle(row)?;
    Ok(Stood {
        account: AccountId(row.get("account")?),
        sandbox: row.get("sandbox")?,
        phase: life.phase,
        progress: Progress::new(row.get("progress")?),
        at: PlaceInLine::of_request(row, life)?,
    })
}

pub(crate) fn read(
    c: &Connection,
    positions: &Positions,
    account: &AccountId,
    id: RequestId,
) -> Result<Option<Request>, StoreError> {
    let mut statement = c.prepare_cached("SELECT * FROM request WHERE id = ?1 AND account = ?2")?;
    let mut rows = statement.query(params![key(id), account.0])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let Stood { sandbox, phase, progress, at, .. } = stood_of(row)?;
    // What completed stays as it is, so that this may be read after it.
    let output: Option<String> = match phase.has_output() {
        true => c
            .prepare_cached("SELECT output FROM request_content WHERE request = ?1")?
            .query_row([key(id)], |row| row.get(0))?,
        false => None,
    };
    let failure = row
        .get::<_, Option<String>>("error_code")?
        .map(|code| Ok::<_, rusqlite::Error>(Failure { code, message: row.get("error_message")? }))
        .transpose()?;
    Ok(Some(Request {
        id,
        sandbox,
        model: row.get("model")?,
        phase,
        position: at.map_or(0, |at| positions.ahead(&at)),
        progress,
        cost: cost(row)?,
        created_at: moment(row.get("created_at")?),
        completed_at: row.get::<_, Option<i64>>("completed_at")?.map(moment),
        expired_at: row.get::<_, Option<i64>>("expired_at")?.map(moment),
        output: output.as_deref().map(from_json).transpose()?,
        failure,
    }))
}

/// How much waits in each line, and since when the oldest of those that are next in their lanes does.
pub(crate) fn queues(
    c: &Connection,
    waiting: HashMap<String, u64>,
) -> Result<Vec<QueueStatistics>, StoreError> {
    let mut oldest = c.prepare_cached(
        "SELECT min(request) FROM (
            SELECT * FROM (SELECT request FROM queue_item WHERE queue = ?1 AND lane = 0 ORDER BY ticket LIMIT 1)
            UNION ALL
            SELECT * FROM (SELECT request FROM queue_item WHERE queue = ?1 AND lane = 1 ORDER BY ticket LIMIT 1))",
    )?;
    let mut queues = Vec::new();
    for (queue, waiting) in waiting {
        let oldest: Option<Uuid> = oldest.query_row([&queue], |row| row.get(0))?;
        queues.push(QueueStatistics { queue, waiting, oldest: oldest.and_then(ids::made) });
    }
    queues.sort_by(|a, b| a.queue.cmp(&b.queue));
    Ok(queues)
}
