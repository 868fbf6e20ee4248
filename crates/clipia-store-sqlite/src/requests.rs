//! Submitting and reading requests.

use super::cache::CachedStatus;
use super::idempotency::Name;
use super::position::{Positions, QueuePlace, QueueState, lane_number};
use super::rows::{amount, cost, count, credits, from_json, key, lifecycle, moment, to_json};
use super::set_aside;
use super::settlement::announce;
use super::writing::Writing;
use super::{ledger, sandbox, uploads};
use crate::clock::{both, timestamp};
use crate::ids;
use crate::store::{
    AccountId, Failure, QueueStatistics, Request, StoreError, Submission, SubmitRefused, Submitted,
};
use clipia_api::Progress;
use clipia_queue::commands::submit::{self, Asked, Checked, NewRequest, Submit};
use clipia_queue::idempotency::Fingerprint;
use clipia_queue::lifecycle::Epoch;
use clipia_queue::logs::shown_attempt;
use clipia_queue::position::{Change, Ticket};
use clipia_queue::{Moment, RequestId};
use clipia_store::counters::Happened;
use rusqlite::{Connection, Row, params};
use std::collections::HashMap;
use uuid::Uuid;

/// A submit as the transaction leaves it. Its position is known once that is committed.
pub(crate) struct Accepted {
    pub(crate) submitted: Submitted,
    pub(crate) place: Option<QueuePlace>,
}

/// A submit as it is stored, serialized and hashed by the caller: the one thread that writes need not.
pub(crate) struct Prepared {
    submission: Submission,
    idempotency: Option<(Name, Fingerprint)>,
    input: String,
    warnings: String,
    output: Option<String>,
}

/// An input with this many bytes of text is written as JSON on a thread for long computations.
const LARGE_BYTES: usize = 64 * 1024;

/// Whether preparing a submit takes long. Inputs are flat: only their texts can be long.
pub(crate) fn is_large(submission: &Submission) -> bool {
    let texts = submission.input.values().filter_map(serde_json::Value::as_str);
    texts.map(str::len).sum::<usize>() > LARGE_BYTES
}

impl Prepared {
    /// How many bytes are stored.
    pub(crate) fn bytes(&self) -> usize {
        self.input.len() + self.warnings.len()
    }
}

pub(crate) fn prepare(mut submission: Submission) -> Result<Prepared, StoreError> {
    let account = &submission.key.account;
    let named = submission.idempotency.take();
    // Freed here: freeing some MiB would take the thread that writes too long.
    let input = std::mem::take(&mut submission.input);
    Ok(Prepared {
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
    uploads::check(w, &submission.uploads, now)?;
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
                used: ledger::used(w, &key.id)?,
                tail: Ticket(w.write_back.tail(w, &submission.queue)?),
            };
            let accepted = new.accept(accepted, facts, both(now))?;
            let (queue, place) = (submission.queue.clone(), accepted.place);
            let at = QueuePlace { queue, account: account.clone(), place };
            w.write_back.set_tail(&submission.queue, accepted.request.ticket.0);
            w.write_back.set_used(&key.id, accepted.used);
            enqueue(w, at.clone(), submission.id)?;
            insert(w, &prepared, &accepted.request)?;
            w.text_changed(submission.id);
            w.happened(Happened::Submitted {
                queue: submission.queue.as_str().into(),
                at: accepted.request.created_at,
            });
            uploads::name(w, &submission.uploads, submission.id)?;
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

/// The request of a submit that was accepted before, as it is now, if it is still stored.
fn repeated(c: &Connection, id: RequestId) -> Result<Option<Accepted>, SubmitRefused> {
    let mut statement =
        c.prepare_cached("SELECT * FROM request JOIN request_content ON request = id WHERE id = ?1")?;
    let mut rows = statement.query([key(id)])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let life = lifecycle(row)?;
    let place = QueuePlace::of_request(row, life)?;
    let submitted = Submitted {
        id,
        phase: life.phase,
        position: 0,
        cost: credits(row.get("cost")?)?,
        warnings: from_json(&row.get::<_, String>("warnings")?)?,
    };
    Ok(Some(Accepted { submitted, place }))
}

/// Gives a request its place in the queue.
pub(crate) fn enqueue(w: &Writing<'_>, at: QueuePlace, id: RequestId) -> Result<(), StoreError> {
    w.execute_often(
        "INSERT INTO queue_item (queue, lane, ticket, request) VALUES (?1, ?2, ?3, ?4)",
        params![at.queue, lane_number(at.place.lane), at.place.ticket.0, key(id)],
    )?;
    w.change_place(at, Change::Take)
}

/// Takes a request out of its queue.
pub(crate) fn dequeue(w: &Writing<'_>, at: QueuePlace) -> Result<(), StoreError> {
    let left = w
        .prepare_cached("DELETE FROM queue_item WHERE queue = ?1 AND lane = ?2 AND ticket = ?3")?
        .execute(params![at.queue, lane_number(at.place.lane), at.place.ticket.0])?;
    if left != 1 && !set_aside::leave(w, &at)? {
        return Err(StoreError::Unreadable(format!("no request has the place {at:?}")));
    }
    w.change_place(at, Change::Leave)
}

fn insert(
    w: &Writing<'_>,
    Prepared { submission, input, warnings, output, .. }: &Prepared,
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
            life.phase.name(),
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
            submission.elsewhere,
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

pub(crate) fn cached_status(c: &Connection, id: RequestId) -> Result<Option<CachedStatus>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT account, sandbox, phase, epoch, rescues, queue, ticket, progress, logged FROM request WHERE id = ?1",
    )?;
    let mut rows = statement.query([key(id)])?;
    rows.next()?.map(status_of).transpose()
}

/// The columns `account`, `sandbox`, `phase`, `epoch`, `rescues`, `queue`, `ticket`, `progress`, `logged`.
fn status_of(row: &Row<'_>) -> Result<CachedStatus, StoreError> {
    let life = lifecycle(row)?;
    Ok(CachedStatus {
        account: AccountId(row.get("account")?),
        sandbox: row.get("sandbox")?,
        phase: life.phase,
        progress: Progress::new(row.get("progress")?),
        at: QueuePlace::of_request(row, life)?,
        logs_of: shown_attempt(life, Epoch(row.get("logged")?)),
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
    let CachedStatus { sandbox, phase, progress, at, .. } = status_of(row)?;
    // An output never changes, so that it may be read after its request.
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

/// How each queue is, and since when the older of the two requests waits that came first to its lanes.
pub(crate) fn queues(
    c: &Connection,
    states: HashMap<String, QueueState>,
) -> Result<Vec<QueueStatistics>, StoreError> {
    // CROSS: the leases first, which are few. SQLite would look through all requests.
    let mut running = c.prepare_cached(
        "SELECT count(*) FROM lease CROSS JOIN request ON id = lease.request WHERE queue = ?1",
    )?;
    let mut oldest = c.prepare_cached(
        "SELECT min(request) FROM (
            SELECT * FROM (SELECT request FROM queue_item WHERE queue = ?1 AND lane = 0 ORDER BY ticket LIMIT 1)
            UNION ALL
            SELECT * FROM (SELECT request FROM queue_item WHERE queue = ?1 AND lane = 1 ORDER BY ticket LIMIT 1))",
    )?;
    let mut queues = Vec::new();
    for (queue, state) in states {
        let QueueState { order, waiting, accounts, paused_at } = state;
        let oldest: Option<Uuid> = oldest.query_row([&queue], |row| row.get(0))?;
        let running = count(running.query_row([&queue], |row| row.get(0))?);
        let oldest = oldest.and_then(ids::made);
        let paused_at = paused_at.map(timestamp);
        queues.push(QueueStatistics { queue, order, waiting, accounts, running, oldest, paused_at });
    }
    queues.sort_by(|a, b| a.queue.cmp(&b.queue));
    Ok(queues)
}
