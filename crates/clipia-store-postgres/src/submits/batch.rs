//! The transaction of submits: the facts of all of them are read together, then each is decided, one after the other, by what
//! those before it have left, and then all is written together.

use super::accepted::Accepted;
use super::prepared::Prepared;
use super::tails;
use crate::idempotency::{self, Name};
use crate::ledger::{self, Locked, LockedKey};
use crate::position::QueuePlace;
use crate::rows::{Row, from_json};
use crate::settlement::{Announced, announce};
use crate::values::values;
use crate::writing::Writing;
use crate::{sandbox, uploads};
use clipia_queue::commands::Now;
use clipia_queue::commands::submit::{self, Asked, Checked, New, NewRequest, Submit};
use clipia_queue::idempotency::Record;
use clipia_queue::position::{Place, Ticket};
use clipia_queue::uploads::UploadId;
use clipia_queue::{Moment, RequestId};
use clipia_store::{StoreError, SubmitRefused, Submitted};
use std::collections::{BTreeSet, HashMap};

/// A submit that was accepted, or the one that it repeats.
pub(crate) struct Outcome {
    /// Its position is not known yet.
    pub(crate) submitted: Submitted,
    /// Where it waits.
    pub(crate) at: Option<QueuePlace>,
}

/// What the submits of a transaction have left so far.
struct Facts {
    now: Now,
    accounts: HashMap<String, Locked>,
    keys: HashMap<String, LockedKey>,
    records: HashMap<Name, Record>,
    uploads: HashMap<UploadId, Moment>,
    tails: HashMap<String, i64>,
    /// Requests that are repeated.
    repeated: HashMap<RequestId, Repeated>,
}

/// Decides submits, and writes those that are accepted.
pub(crate) async fn run(
    w: &Writing,
    submits: &[Prepared],
) -> Result<Vec<Result<Outcome, SubmitRefused>>, StoreError> {
    let mut facts = Facts::read(w, submits).await?;
    let (mut outcomes, mut accepted) = (Vec::with_capacity(submits.len()), Accepted::new(facts.now));
    for prepared in submits {
        let outcome = facts.decide(w, prepared, &mut accepted).await;
        outcomes.push(match outcome {
            Err(SubmitRefused::Store(error)) => return Err(error),
            outcome => outcome,
        });
    }
    accepted.write(w)?;
    Ok(outcomes)
}

impl Facts {
    async fn read(w: &Writing, submits: &[Prepared]) -> Result<Self, StoreError> {
        let all = |of: fn(&Prepared) -> &String| submits.iter().map(of).cloned().collect::<BTreeSet<_>>();
        let accounts = all(|of| &of.submission.key.account.0);
        let keys = all(|of| &of.submission.key.id);
        let names: Vec<Name> =
            submits.iter().filter_map(|of| of.idempotency.as_ref().map(|(name, _)| name.clone())).collect();
        let named: Vec<UploadId> =
            submits.iter().flat_map(|of| of.submission.uploads.iter().map(|named| named.id)).collect();
        let live = submits.iter().filter(|of| of.submission.sample.is_none());
        let queues: BTreeSet<&String> = live.map(|of| &of.submission.queue).collect();
        // One round trip: others wait for the locks. Each statement sees what was committed before it began: the records and the tails
        // are read under the locks.
        let (now, accounts, keys, records, uploads, tails) = tokio::try_join!(
            biased;
            w.now(),
            ledger::lock(w, accounts.into_iter().collect()),
            ledger::lock_keys(w, keys.into_iter().collect()),
            idempotency::find(w, &names),
            uploads::expiries(w, &named),
            tails::lock(w, queues),
        )?;
        let records = idempotency::in_force(records, now.steady);
        let repeated = of_repeated(w, records.values().map(|record| record.request_id).collect()).await?;
        Ok(Self { now, accounts, keys, records, uploads, tails, repeated })
    }

    async fn decide(
        &mut self,
        w: &Writing,
        prepared: &Prepared,
        accepted: &mut Accepted,
    ) -> Result<Outcome, SubmitRefused> {
        let submission = &prepared.submission;
        let (key, named) = (&submission.key, prepared.idempotency.as_ref());
        let asked = Asked {
            key_in_force: self.keys.get(&key.id).is_some_and(|key| key.in_force),
            sandbox: key.sandbox,
            fingerprint: named.map(|(_, fingerprint)| *fingerprint),
            recorded: named.and_then(|(name, _)| self.records.get(name).copied()),
        };
        let new = match submit::check(asked)? {
            Checked::New(new) => new,
            Checked::Repeated(repeats) => match self.repeated.get(&repeats.id) {
                Some((submitted, at)) => {
                    at.iter().for_each(|at| w.work_submitted(at.queue()));
                    return Ok(Outcome { submitted: submitted.clone(), at: at.clone() });
                }
                None => repeats.forgotten().map_err(StoreError::from)?,
            },
        };
        for named in &submission.uploads {
            named.check(self.uploads.get(&named.id).copied(), self.now.steady)?;
        }
        let request = self.accept(w, prepared, new, accepted).await?;
        let at = Place::of(request.life, request.ticket);
        let at = at.map(|place| QueuePlace::new(&submission.queue, &key.account, place));
        let submitted = Submitted {
            id: submission.id,
            phase: request.life.phase,
            position: 0,
            cost: submission.cost,
            warnings: submission.warnings.clone(),
        };
        self.repeated.insert(submission.id, (submitted.clone(), at.clone()));
        Ok(Outcome { submitted, at })
    }

    async fn accept(
        &mut self,
        w: &Writing,
        prepared: &Prepared,
        new: New,
        accepted: &mut Accepted,
    ) -> Result<NewRequest, SubmitRefused> {
        let submission = &prepared.submission;
        let (key, now) = (&submission.key, self.now);
        let missing = |what: &str, id: &str| StoreError::Unreadable(format!("no {what} `{id}`"));
        let account =
            self.accounts.get_mut(&key.account.0).ok_or_else(|| missing("account", &key.account.0))?;
        let submit = Submit {
            id: submission.id,
            model: &submission.model,
            cost: submission.cost,
            limits: key.limits,
            webhook_url: submission.webhook_url.as_deref(),
            base_url: &submission.base_url,
        };
        let (request, record) = match &submission.sample {
            Some(output) => {
                let sampled = new.sample(submit, output, account.sandbox_kept, now);
                if let submit::Sampled { room: clipia_queue::commands::sandbox::Room::Free(kept), .. } =
                    &sampled
                {
                    account.sandbox_kept = *kept;
                }
                sandbox::make_room(w, &key.account, sampled.room).await?;
                if let Some(delivery) = &sampled.delivery {
                    let (request, account) = (submission.id, &key.account);
                    announce(w, &[Announced { request, account, sandbox: true, delivery }], now)?;
                }
                (sampled.request, sampled.record)
            }
            None => {
                let of_key = self.keys.get_mut(&key.id).ok_or_else(|| missing("key", &key.id))?;
                let tail = self
                    .tails
                    .get_mut(&submission.queue)
                    .ok_or_else(|| missing("queue", &submission.queue))?;
                let facts =
                    submit::Account { balance: account.balance, used: of_key.used, tail: Ticket(*tail) };
                let decided = new.accept(submit, facts, now)?;
                account.balance = decided.entry.balance;
                of_key.used = decided.used;
                *tail = decided.request.ticket.0;
                accepted.live(submission, &decided);
                w.work_submitted(&submission.queue);
                (decided.request, decided.record)
            }
        };
        accepted.request(prepared, &request)?;
        if let (Some((name, _)), Some(new)) = (&prepared.idempotency, record) {
            self.records.insert(name.clone(), new.record);
            accepted.record(name.clone(), new);
        }
        Ok(request)
    }
}

/// A request that is repeated, as it is now, and where it waits.
type Repeated = (Submitted, Option<QueuePlace>);

/// Requests that submits repeat.
async fn of_repeated(w: &Writing, ids: Vec<RequestId>) -> Result<HashMap<RequestId, Repeated>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<_> = ids.into_iter().map(|id| id.0).collect();
    let of = w.memory.months.of(&ids);
    let rows = w
        .query(
            &format!(
                "SELECT r.*, o.warnings FROM request{of} r JOIN request_content{of} o ON o.request = r.id
                 WHERE r.id = ANY($1)"
            ),
            values![ids],
        )
        .await?;
    let submitted = |row: &Row| {
        let (id, life) = (row.request("id")?, row.lifecycle()?);
        let submitted = Submitted {
            id,
            phase: life.phase,
            position: 0,
            cost: row.credits("cost")?,
            warnings: from_json(row.get("warnings")?)?,
        };
        Ok((id, (submitted, QueuePlace::of_row(row, life)?)))
    };
    rows.iter().map(submitted).collect()
}
