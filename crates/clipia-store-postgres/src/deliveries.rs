//! The outbox of deliveries: taking them, and recording what became of them. Several nodes take at the same time: what another one has
//! locked is passed over.

use super::connection::Connection;
use super::rows::Row;
use super::values::{text, values};
use super::writing::Writing;
use super::{stored, webhook_secrets};
use clipia_queue::commands::attempt::{self, Made};
use clipia_queue::commands::take::{self, Decision, Left, Round, Taking};
use clipia_queue::commands::{Now, outbox};
use clipia_queue::deliveries::StoredDelivery;
use clipia_queue::{AccountId, Moment};
use clipia_store::{
    ClaimedDeliveries, DELIVERIES_MAX, DeliveryAttempt, DeliveryClaim, DeliveryHost, DeliveryOwner,
    DueDelivery, NodeId, StoreError,
};
use std::collections::HashMap;
use std::time::Duration;
use uuid::Uuid;

/// How many deliveries one claim looks at. One that is due and has no room is looked at once, then postponed.
const LOOKED_AT_MAX: usize = 512;

/// How many deliveries are read at a time.
const CHUNK: usize = 64;

pub(crate) async fn postponed_hosts(c: &Connection) -> Result<Vec<DeliveryHost>, StoreError> {
    let rows =
        c.query("SELECT DISTINCT account, sandbox, host FROM delivery WHERE postponed", Vec::new()).await?;
    rows.iter().map(host).collect()
}

/// The columns `account`, `sandbox`, `host`.
fn host(row: &Row) -> Result<DeliveryHost, StoreError> {
    let owner = DeliveryOwner { account: row.account()?, sandbox: row.get("sandbox")? };
    Ok(DeliveryHost { owner, host: row.get("host")? })
}

pub(crate) async fn claim(w: &Writing, claim: &DeliveryClaim) -> Result<ClaimedDeliveries, StoreError> {
    let now = w.now().await?.steady;
    free_expired(w, claim, now).await?;
    let taking = Taking::new(claim.most, claim.most_of_host, &claim.hosts, claim.shares.clone());
    let mut claiming = Claiming { w, claim, now, taking, taken: Vec::new(), more: false };
    for round in claiming.taking.rounds() {
        match round {
            Round::Postponed(most) => claiming.take_postponed(most).await?,
            Round::Due(most) => claiming.take_due(most).await?,
        }
    }
    let due = claiming.due().await?;
    let Left { postponed, cleared } = claiming.taking.left();
    Ok(ClaimedDeliveries { due, postponed, cleared, more: claiming.more })
}

/// Frees the deliveries of senders that have not recorded their attempt in time and are gone.
async fn free_expired(w: &Writing, claim: &DeliveryClaim, now: Moment) -> Result<(), StoreError> {
    let rows = w
        .query(
            &format!(
                "SELECT {}, claimed_by FROM delivery WHERE claimed_until <= $1 ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
                stored::DELIVERY
            ),
            values![now],
        )
        .await?;
    for row in rows {
        let (id, delivery) = stored::delivery_of(&row)?;
        let node = NodeId(row.get("claimed_by")?);
        if let Some(freed) = outbox::free(delivery, claim.sender(node, id), now) {
            stored::write(w, id, &freed);
        }
    }
    Ok(())
}

/// A claim as it goes on.
struct Claiming<'a> {
    w: &'a Writing,
    claim: &'a DeliveryClaim,
    now: Moment,
    taking: Taking<'a>,
    taken: Vec<Candidate>,
    more: bool,
}

/// A delivery that may be taken.
struct Candidate {
    id: Uuid,
    host: DeliveryHost,
    delivery: StoredDelivery,
}

impl Candidate {
    /// The columns of [`host`] and of [`stored::delivery_of`].
    fn of(row: &Row) -> Result<Self, StoreError> {
        let (id, delivery) = stored::delivery_of(row)?;
        Ok(Self { id, host: host(row)?, delivery })
    }

    /// What reads candidates.
    fn select() -> String {
        format!("SELECT {}, account, sandbox, host FROM delivery", stored::DELIVERY)
    }
}

impl Claiming<'_> {
    /// Takes postponed deliveries of hosts that have room, until `most` are taken in all.
    async fn take_postponed(&mut self, most: u32) -> Result<(), StoreError> {
        for host in self.taking.hosts() {
            if self.taking.has(most) {
                return Ok(());
            }
            let Some(wanted) = self.taking.wanted(host, most) else { continue };
            let rows = self
                .w
                .query(
                    &format!(
                        "{} WHERE postponed AND account = $2 AND sandbox = $3 AND host = $4 AND next_at <= $1
                            AND (NOT $5 OR replay_at IS NOT NULL)
                         ORDER BY next_at, id LIMIT $6 FOR NO KEY UPDATE SKIP LOCKED",
                        Candidate::select()
                    ),
                    values![
                        self.now,
                        &host.owner.account,
                        host.owner.sandbox,
                        &host.host,
                        wanted.replays_only,
                        wanted.most
                    ],
                )
                .await?;
            self.taking.found(host, wanted, rows.len());
            for row in &rows {
                let candidate = Candidate::of(row)?;
                if wanted.takes(&candidate.delivery, self.now) {
                    self.take(candidate);
                }
            }
        }
        Ok(())
    }

    /// Takes deliveries that are due, until `most` are taken in all, and postpones those whose host has no room.
    async fn take_due(&mut self, most: u32) -> Result<(), StoreError> {
        for _ in 0..LOOKED_AT_MAX / CHUNK {
            // A delivery that was taken or postponed is not found again.
            let rows = self
                .w
                .query(
                    &format!(
                        "{} WHERE next_at <= $1 AND next_at IS NOT NULL AND claimed_until IS NULL AND NOT postponed
                         ORDER BY next_at, id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED",
                        Candidate::select()
                    ),
                    values![self.now, CHUNK],
                )
                .await?;
            for row in &rows {
                if self.taking.has(most) {
                    self.more = true;
                    return Ok(());
                }
                let candidate = Candidate::of(row)?;
                match self.taking.decide(&candidate.host, candidate.delivery.is_scheduled(self.now)) {
                    Decision::Take => self.take(candidate),
                    Decision::Postpone => self.postpone(&candidate),
                }
            }
            if rows.len() < CHUNK {
                return Ok(());
            }
        }
        self.more = true;
        Ok(())
    }

    fn postpone(&mut self, candidate: &Candidate) {
        let postponed = take::postponed(candidate.delivery).postponed;
        self.w.later("UPDATE delivery SET postponed = $2 WHERE id = $1", values![candidate.id, postponed]);
        self.taking.postpone(&candidate.host);
    }

    fn take(&mut self, candidate: Candidate) {
        self.taking.take(&candidate.host);
        let taken = take::taken(candidate.delivery, self.claim.lease, self.now);
        self.w.later(
            "UPDATE delivery SET claimed_until = $2, claimed_by = $3, postponed = $4 WHERE id = $1",
            values![candidate.id, taken.claimed_until, self.claim.node.0, taken.postponed],
        );
        self.taken.push(candidate);
    }

    /// The deliveries that were taken, as they are sent.
    async fn due(&mut self) -> Result<Vec<DueDelivery>, StoreError> {
        let taken = std::mem::take(&mut self.taken);
        if taken.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self
            .w
            .query(
                "SELECT d.id, d.request, r.api_key, d.url, d.body,
                    (SELECT coalesce(max(number), 0) FROM delivery_attempt a WHERE a.delivery = d.id) AS last_number
                 FROM delivery d JOIN request r ON r.id = d.request WHERE d.id = ANY($1)",
                values![taken.iter().map(|of| of.id).collect::<Vec<_>>()],
            )
            .await?;
        let mut rows: HashMap<Uuid, Row> =
            rows.into_iter().map(|row| Ok((row.get("id")?, row))).collect::<Result<_, StoreError>>()?;
        let mut secrets: HashMap<AccountId, Vec<String>> = HashMap::new();
        let mut due = Vec::with_capacity(taken.len());
        for Candidate { id, host, delivery } in taken {
            let row = rows.remove(&id).ok_or_else(|| {
                StoreError::Unreadable(format!("the request of the delivery {id} is not stored"))
            })?;
            let account = &host.owner.account;
            if !secrets.contains_key(account) {
                let signing = webhook_secrets::signing(self.w, account, self.now).await?;
                secrets.insert(account.clone(), signing);
            }
            due.push(DueDelivery {
                id,
                request: row.request("request")?,
                key_id: row.get("api_key")?,
                url: row.get("url")?,
                body: row.get("body")?,
                attempts: delivery.attempts,
                number: attempt::number_after(row.small("last_number")?),
                replay: !delivery.is_scheduled(self.now),
                due_at: delivery.due_at,
                secrets: secrets.get(account).cloned().unwrap_or_default(),
                host,
            });
        }
        Ok(due)
    }
}

pub(crate) async fn next(c: &Connection) -> Result<Option<Moment>, StoreError> {
    let due = c
        .one(
            "SELECT min(next_at) AS next FROM delivery
             WHERE next_at IS NOT NULL AND claimed_until IS NULL AND NOT postponed",
            Vec::new(),
        )
        .await?;
    due.optional_moment("next")
}

pub(crate) async fn record(w: &Writing, attempt: &DeliveryAttempt) -> Result<(), StoreError> {
    let now: Now = w.now().await?;
    // The sandbox may have forgotten the delivery meanwhile: there is nothing to record then.
    let Some(delivery) = stored::delivery(w, attempt.delivery).await? else {
        return Ok(());
    };
    let logged = w
        .one(
            "SELECT EXISTS (SELECT 1 FROM delivery_attempt WHERE delivery = $1 AND number = $2) AS found",
            values![attempt.delivery, attempt.number],
        )
        .await?;
    let made = Made { of_schedule: attempt.of_schedule, started: attempt.started, next: attempt.next };
    let Some(recorded) = attempt::record(delivery, logged.get("found")?, made, now) else {
        return Ok(());
    };
    if recorded.logs {
        w.later(
            "INSERT INTO delivery_attempt (delivery, number, replay, at, status, duration_ms, class, error, reply)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            values![
                attempt.delivery,
                attempt.number,
                attempt.of_schedule.is_none(),
                attempt.started,
                attempt.status,
                i64::try_from(attempt.duration.as_millis()).unwrap_or(i64::MAX),
                attempt.class.name(),
                attempt.error.as_deref().map(text),
                text(&attempt.reply),
            ],
        );
    }
    stored::write(w, attempt.delivery, &recorded.delivery);
    Ok(())
}

pub(crate) async fn give_up(w: &Writing, age: Duration) -> Result<u64, StoreError> {
    let now = w.now().await?;
    let since = now.steady - age;
    let old = "WHERE postponed AND due_at < $1 AND coalesce(replay_at, 0) < $1 ORDER BY due_at LIMIT $2
               FOR NO KEY UPDATE SKIP LOCKED";
    let mut given_up = 0;
    for (id, delivery) in stored::deliveries(w, old, values![since, DELIVERIES_MAX]).await? {
        if let Some(delivery) = outbox::give_up(delivery, since, now) {
            stored::write(w, id, &delivery);
            given_up += 1;
        }
    }
    Ok(given_up)
}
