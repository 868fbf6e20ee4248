//! Submits that are accepted, as they are written: one statement a table for all of them.

use super::prepared::Prepared;
use super::tails::keep_floors;
use crate::idempotency::{self, Name};
use crate::ledger;
use crate::months;
use crate::rows::{amount, lane_number};
use crate::turns;
use crate::values::values;
use crate::writing::Writing;
use clipia_queue::commands::Now;
use clipia_queue::commands::submit::{Accepted as Decided, NewRecord, NewRequest};
use clipia_queue::ledger::{Balance, Entry};
use clipia_queue::limits::KeyUse;
use clipia_queue::usage::Usage;
use clipia_queue::{AccountId, Moment, RequestId};
use clipia_store::counters::Happened;
use clipia_store::{StoreError, Submission};
use std::collections::HashMap;
use uuid::Uuid;

/// The rows of accepted submits.
pub(crate) struct Accepted {
    now: Now,
    requests: Requests,
    items: Items,
    entries: Vec<(AccountId, Entry, Option<RequestId>)>,
    usage: Vec<(AccountId, Usage)>,
    /// The balances that are left.
    balances: HashMap<AccountId, Balance>,
    /// What the keys have used of their limits.
    used: HashMap<String, KeyUse>,
    records: Vec<(Name, NewRecord)>,
    /// Uploads, and the requests that name them.
    uses: (Vec<Uuid>, Vec<Uuid>),
    /// The queue and the time of each.
    submitted: Vec<(Box<str>, Moment)>,
}

/// The columns of requests and of their contents.
#[derive(Default)]
struct Requests {
    ids: Vec<Uuid>,
    accounts: Vec<String>,
    keys: Vec<String>,
    sandbox: Vec<bool>,
    models: Vec<String>,
    queues: Vec<String>,
    phases: Vec<String>,
    epochs: Vec<i64>,
    rescues: Vec<i64>,
    tickets: Vec<i64>,
    attempt_max: Vec<i64>,
    elsewhere: Vec<bool>,
    progress: Vec<i64>,
    costs: Vec<i64>,
    charged: Vec<Option<i64>>,
    webhook_urls: Vec<Option<String>>,
    base_urls: Vec<String>,
    created_at: Vec<i64>,
    completed_at: Vec<Option<i64>>,
    named: Vec<bool>,
    inputs: Vec<String>,
    warnings: Vec<String>,
    outputs: Vec<Option<String>>,
}

/// The columns of places.
#[derive(Default)]
struct Items {
    queues: Vec<String>,
    lanes: Vec<i64>,
    tickets: Vec<i64>,
    accounts: Vec<String>,
    requests: Vec<Uuid>,
}

impl Accepted {
    pub(crate) fn new(now: Now) -> Self {
        Self {
            now,
            requests: Requests::default(),
            items: Items::default(),
            entries: Vec::new(),
            usage: Vec::new(),
            balances: HashMap::new(),
            used: HashMap::new(),
            records: Vec::new(),
            uses: Default::default(),
            submitted: Vec::new(),
        }
    }

    /// A request, live or of the sandbox.
    pub(crate) fn request(&mut self, prepared: &Prepared, request: &NewRequest) -> Result<(), StoreError> {
        let (submission, rows) = (&prepared.submission, &mut self.requests);
        let NewRequest { life, ticket, progress, created_at, completed_at, charged, named } = *request;
        rows.ids.push(submission.id.0);
        rows.accounts.push(submission.key.account.0.clone());
        rows.keys.push(submission.key.id.clone());
        rows.sandbox.push(submission.sample.is_some());
        rows.models.push(submission.model.clone());
        rows.queues.push(submission.queue.clone());
        rows.phases.push(life.phase.name().to_owned());
        rows.epochs.push(life.epoch.0);
        rows.rescues.push(i64::from(life.rescues));
        rows.tickets.push(ticket.0);
        rows.attempt_max.push(i64::try_from(submission.attempt_max.as_micros()).unwrap_or(i64::MAX));
        rows.elsewhere.push(submission.elsewhere);
        rows.progress.push(i64::from(progress.percent()));
        rows.costs.push(amount(submission.cost)?);
        rows.charged.push(charged.map(amount).transpose()?);
        rows.webhook_urls.push(submission.webhook_url.clone());
        rows.base_urls.push(submission.base_url.clone());
        rows.created_at.push(created_at.as_micros());
        rows.completed_at.push(completed_at.map(Moment::as_micros));
        rows.named.push(named);
        rows.inputs.push(prepared.input.clone());
        rows.warnings.push(prepared.warnings.clone());
        rows.outputs.push(prepared.output.clone());
        Ok(())
    }

    /// What a live request has beside its row.
    pub(crate) fn live(&mut self, submission: &Submission, decided: &Decided) {
        let account = &submission.key.account;
        self.submitted.push((submission.queue.as_str().into(), decided.request.created_at));
        self.items.queues.push(submission.queue.clone());
        self.items.lanes.push(lane_number(decided.place.lane));
        self.items.tickets.push(decided.place.ticket.0);
        self.items.accounts.push(account.0.clone());
        self.items.requests.push(submission.id.0);
        self.entries.push((account.clone(), decided.entry, Some(submission.id)));
        self.usage.push((account.clone(), decided.usage));
        self.balances.insert(account.clone(), decided.entry.balance);
        self.used.insert(submission.key.id.clone(), decided.used);
        for named in &submission.uploads {
            self.uses.0.push(named.id.0);
            self.uses.1.push(submission.id.0);
        }
    }

    /// The record of an idempotency key.
    pub(crate) fn record(&mut self, name: Name, record: NewRecord) {
        self.records.push((name, record));
    }

    /// Writes all of them.
    pub(crate) fn write(&mut self, w: &Writing) -> Result<(), StoreError> {
        self.write_requests(w);
        self.write_places(w);
        for (queue, at) in self.submitted.drain(..) {
            w.happened(Happened::Submitted { queue, at });
        }
        if !self.uses.0.is_empty() {
            // Two parameters may name one upload.
            w.later(
                "INSERT INTO upload_use (upload, request) SELECT * FROM unnest($1::uuid[], $2::uuid[]) ON CONFLICT DO NOTHING",
                values![std::mem::take(&mut self.uses.0), std::mem::take(&mut self.uses.1)],
            );
        }
        if !self.entries.is_empty() {
            ledger::enter_all(w, self.entries.clone(), self.now);
        }
        ledger::set_balances(w, &self.balances)?;
        ledger::set_used(w, &self.used)?;
        ledger::use_up(w, &self.usage)?;
        if !self.records.is_empty() {
            idempotency::record(w, std::mem::take(&mut self.records));
        }
        Ok(())
    }

    fn write_requests(&mut self, w: &Writing) {
        let rows = std::mem::take(&mut self.requests);
        if rows.ids.is_empty() {
            return;
        }
        let of = w.memory.months.of(&rows.ids);
        w.later(
            format!(
                "INSERT INTO request_content{of} (request, input, warnings, output)
                 SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])"
            ),
            values![rows.ids.clone(), rows.inputs, rows.warnings, rows.outputs],
        );
        w.later(
            format!(
                "INSERT INTO request{of} (id, account, api_key, sandbox, model, queue, phase, epoch, rescues, ticket, attempt_max,
                    elsewhere, progress, cost, charged, webhook_url, base_url, created_at, completed_at, named)
                 SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bool[], $5::text[], $6::text[], $7::text[],
                    $8::int8[], $9::int8[], $10::int8[], $11::int8[], $12::bool[], $13::int8[], $14::int8[], $15::int8[],
                    $16::text[], $17::text[], $18::int8[], $19::int8[], $20::bool[])"
            ),
            values![
                rows.ids,
                rows.accounts,
                rows.keys,
                rows.sandbox,
                rows.models,
                rows.queues,
                rows.phases,
                rows.epochs,
                rows.rescues,
                rows.tickets,
                rows.attempt_max,
                rows.elsewhere,
                rows.progress,
                rows.costs,
                rows.charged,
                rows.webhook_urls,
                rows.base_urls,
                rows.created_at,
                rows.completed_at,
                rows.named,
            ],
        );
    }

    /// An account of which no request waits joins at the end, in the order of the submits. The tail of each queue is locked: nobody
    /// else makes an account wait meanwhile.
    fn write_places(&mut self, w: &Writing) {
        let rows = std::mem::take(&mut self.items);
        if rows.queues.is_empty() {
            return;
        }
        let (mut queues, mut joins): (Vec<String>, Vec<(String, String)>) = (Vec::new(), Vec::new());
        for (queue, account) in rows.queues.iter().zip(&rows.accounts) {
            if !joins.iter().any(|(of, joins)| (of, joins) == (queue, account)) {
                joins.push((queue.clone(), account.clone()));
            }
            if !queues.contains(queue) {
                queues.push(queue.clone());
                w.moved(queue);
            }
        }
        w.later(
            "INSERT INTO queue (name) SELECT name FROM unnest($1::text[]) AS new (name)
             WHERE NOT EXISTS (SELECT FROM queue q WHERE q.name = new.name) ON CONFLICT DO NOTHING",
            values![queues],
        );
        let positions = &w.memory.positions;
        // Those of an account that were claimed before are not looked at.
        let before: Vec<i64> =
            joins.iter().map(|(queue, account)| positions.before_first(queue, account)).collect();
        turns::lock(w, joins.clone());
        let (of, joining): (Vec<_>, Vec<_>) = joins.into_iter().unzip();
        w.later(
            "WITH joining AS MATERIALIZED (
                SELECT queue, account, nextval('turn') AS turn
                FROM unnest($1::text[], $2::text[], $3::int8[]) AS a (queue, account, before)
                WHERE (SELECT TRUE FROM queue_item i
                       WHERE i.queue = a.queue AND i.account = a.account AND i.lane = 1 AND i.ticket > a.before LIMIT 1) IS NULL
             ), placed AS MATERIALIZED (
                SELECT joining.*, (SELECT ctid FROM queue_turn t WHERE t.queue = joining.queue AND t.account >= joining.account
                                        AND t.account <= joining.account ORDER BY t.account DESC LIMIT 1) AS place
                FROM joining
             ), again AS (UPDATE queue_turn t SET turn = placed.turn FROM placed WHERE t.ctid = placed.place)
             INSERT INTO queue_turn (queue, account, turn) SELECT queue, account, turn FROM placed WHERE place IS NULL",
            values![of, joining, before],
        );
        let places = rows.requests.iter().zip(rows.queues.iter().zip(&rows.tickets));
        let others = places.filter(|(id, _)| !months::is_of_its_time(**id, self.now.steady));
        keep_floors(w, others.map(|(_, (queue, ticket))| (queue.clone(), *ticket)));
        w.later(
            "INSERT INTO queue_item (queue, lane, ticket, account, request)
             SELECT * FROM unnest($1::text[], $2::int8[], $3::int8[], $4::text[], $5::uuid[])",
            values![rows.queues, rows.lanes, rows.tickets, rows.accounts, rows.requests],
        );
    }
}
