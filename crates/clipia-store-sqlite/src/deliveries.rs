//! The outbox of deliveries: taking them, and recording what became of them.

use super::rows::moment;
use super::{stored, webhook_secrets};
use crate::clock::{both, wall_at};
use crate::store::{
    AccountId, ClaimedDeliveries, DELIVERIES_MAX, DeliveryAttempt, DeliveryClaim, DeliveryHost,
    DeliveryOwner, DueDelivery, NodeId, StoreError,
};
use clipia_queue::commands::attempt::{self, Made};
use clipia_queue::commands::outbox::{self, Sender};
use clipia_queue::commands::take::{self, Decision, Left, Round, Taking};
use clipia_queue::deliveries::StoredDelivery;
use clipia_queue::{Moment, RequestId};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

/// How many deliveries one claim looks at. One that is due and has no room is looked at once, then postponed.
const LOOKED_AT_MAX: usize = 512;

/// How many deliveries are read at a time.
const CHUNK: usize = 32;

/// Frees every delivery: the nodes that had taken some are gone.
pub(crate) fn free_all(c: &Connection, now: Moment) -> Result<(), StoreError> {
    for (id, delivery) in stored::deliveries(c, "WHERE claimed_until IS NOT NULL", [])? {
        free(c, id, delivery, Sender::Gone, now)?;
    }
    Ok(())
}

fn free(
    c: &Connection,
    id: Uuid,
    delivery: StoredDelivery,
    sender: Sender,
    now: Moment,
) -> Result<(), StoreError> {
    match outbox::free(delivery, sender, now) {
        Some(freed) => Ok(stored::write(c, id, &freed)?),
        None => Ok(()),
    }
}

pub(crate) fn postponed_hosts(c: &Connection) -> Result<Vec<DeliveryHost>, StoreError> {
    let mut statement =
        c.prepare("SELECT DISTINCT account, sandbox, host FROM delivery WHERE postponed = 1")?;
    let hosts = statement.query_map([], host)?;
    Ok(hosts.collect::<Result<_, _>>()?)
}

/// The columns `account`, `sandbox`, `host`.
fn host(row: &Row<'_>) -> rusqlite::Result<DeliveryHost> {
    let owner = DeliveryOwner { account: AccountId(row.get("account")?), sandbox: row.get("sandbox")? };
    Ok(DeliveryHost { owner, host: row.get("host")? })
}

pub(crate) fn claim(
    c: &Connection,
    claim: &DeliveryClaim,
    now: Moment,
) -> Result<ClaimedDeliveries, StoreError> {
    free_expired(c, claim, now)?;
    let taking = Taking::new(claim.most, claim.most_of_host, &claim.hosts, claim.shares.clone());
    let mut claiming = Claiming { c, claim, now, taking, due: Vec::new(), more: false };
    for round in claiming.taking.rounds() {
        match round {
            Round::Postponed(most) => claiming.take_postponed(most)?,
            Round::Due(most) => claiming.take_due(most)?,
        }
    }
    let Left { postponed, cleared } = claiming.taking.left();
    Ok(ClaimedDeliveries { due: claiming.due, postponed, cleared, more: claiming.more })
}

/// Frees the deliveries of senders that have not recorded their attempt in time and are gone.
fn free_expired(c: &Connection, claim: &DeliveryClaim, now: Moment) -> Result<(), StoreError> {
    let expired: Vec<(Uuid, StoredDelivery, NodeId)> = c
        .prepare_cached(&format!(
            "SELECT {}, claimed_by FROM delivery WHERE claimed_until <= ?1",
            stored::DELIVERY
        ))?
        .query_map([now.as_micros()], |row| {
            let (id, delivery) = stored::delivery_of(row)?;
            Ok((id, delivery, NodeId(row.get("claimed_by")?)))
        })?
        .collect::<Result<_, _>>()?;
    for (id, delivery, node) in expired {
        free(c, id, delivery, claim.sender(node, id), now)?;
    }
    Ok(())
}

/// A claim as it goes on.
struct Claiming<'a> {
    c: &'a Connection,
    claim: &'a DeliveryClaim,
    now: Moment,
    taking: Taking<'a>,
    due: Vec<DueDelivery>,
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
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
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
    fn take_postponed(&mut self, most: u32) -> Result<(), StoreError> {
        for host in self.taking.hosts() {
            if self.taking.has(most) {
                return Ok(());
            }
            let Some(wanted) = self.taking.wanted(host, most) else { continue };
            let (index, condition) = match wanted.replays_only {
                true => ("delivery_postponed_replay", "AND replay_at IS NOT NULL"),
                false => ("delivery_postponed", ""),
            };
            let found: Vec<Candidate> = self
                .c
                .prepare_cached(&format!(
                    "{} INDEXED BY {index}
                     WHERE postponed = 1 AND account = ?2 AND sandbox = ?3 AND host = ?4 AND next_at <= ?1 {condition}
                     ORDER BY next_at LIMIT ?5",
                    Candidate::select()
                ))?
                .query_map(
                    params![
                        self.now.as_micros(),
                        host.owner.account.0,
                        host.owner.sandbox,
                        host.host,
                        wanted.most
                    ],
                    Candidate::of,
                )?
                .collect::<Result<_, _>>()?;
            self.taking.found(host, wanted, found.len());
            let now = self.now;
            for candidate in found.into_iter().filter(|found| wanted.takes(&found.delivery, now)) {
                self.take(candidate)?;
            }
        }
        Ok(())
    }

    /// Takes deliveries that are due, until `most` are taken in all, and postpones those whose host has no room.
    fn take_due(&mut self, most: u32) -> Result<(), StoreError> {
        for _ in 0..LOOKED_AT_MAX / CHUNK {
            // A delivery that was taken or postponed is not found again.
            let found: Vec<Candidate> = self
                .c
                .prepare_cached(&format!(
                    "{} WHERE next_at <= ?1 AND next_at IS NOT NULL AND claimed_until IS NULL AND postponed = 0
                     ORDER BY next_at LIMIT {CHUNK}",
                    Candidate::select()
                ))?
                .query_map([self.now.as_micros()], Candidate::of)?
                .collect::<Result<_, _>>()?;
            let all = found.len() < CHUNK;
            for candidate in found {
                if self.taking.has(most) {
                    self.more = true;
                    return Ok(());
                }
                match self.taking.decide(&candidate.host, candidate.delivery.is_scheduled(self.now)) {
                    Decision::Take => self.take(candidate)?,
                    Decision::Postpone => self.postpone(candidate)?,
                }
            }
            if all {
                return Ok(());
            }
        }
        self.more = true;
        Ok(())
    }

    fn postpone(&mut self, candidate: Candidate) -> Result<(), StoreError> {
        let postponed = take::postponed(candidate.delivery).postponed;
        self.c
            .prepare_cached("UPDATE delivery SET postponed = ?2 WHERE id = ?1")?
            .execute(params![candidate.id, postponed])?;
        self.taking.postpone(&candidate.host);
        Ok(())
    }

    fn take(&mut self, candidate: Candidate) -> Result<(), StoreError> {
        let Candidate { id, host, delivery } = candidate;
        self.taking.take(&host);
        let taken = take::taken(delivery, self.claim.lease, self.now);
        let due = self
            .c
            .prepare_cached(
                "UPDATE delivery SET claimed_until = ?2, claimed_by = ?3, postponed = ?4 WHERE id = ?1
                 RETURNING request, (SELECT api_key FROM request WHERE id = delivery.request) AS key_id, url, body,
                    (SELECT coalesce(max(number), 0) FROM delivery_attempt WHERE delivery = ?1) AS last_number",
            )?
            .query_row(
                params![
                    id,
                    taken.claimed_until.map(Moment::as_micros),
                    self.claim.node.0,
                    taken.postponed
                ],
                |row| {
                Ok(DueDelivery {
                    id,
                    request: RequestId(row.get("request")?),
                    key_id: row.get("key_id")?,
                    url: row.get("url")?,
                    body: row.get("body")?,
                    attempts: delivery.attempts,
                    number: attempt::number_after(row.get("last_number")?),
                    replay: !delivery.is_scheduled(self.now),
                    due_at: delivery.due_at,
                    secrets: Vec::new(),
                    host,
                })
            })?;
        let secrets = webhook_secrets::signing(self.c, &due.host.owner.account, self.now)?;
        self.due.push(DueDelivery { secrets, ..due });
        Ok(())
    }
}

pub(crate) fn next(c: &Connection) -> Result<Option<Moment>, StoreError> {
    let due: Option<i64> = c
        .prepare_cached(
            "SELECT min(next_at) FROM delivery
             WHERE next_at IS NOT NULL AND claimed_until IS NULL AND postponed = 0",
        )?
        .query_row([], |row| row.get(0))?;
    Ok(due.map(moment))
}

pub(crate) fn record(c: &Connection, attempt: &DeliveryAttempt, now: Moment) -> Result<(), StoreError> {
    // The sandbox may have forgotten the delivery meanwhile: there is nothing to record then.
    let Some(delivery) = stored::delivery(c, attempt.delivery)? else {
        return Ok(());
    };
    let is_logged: bool = c
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM delivery_attempt WHERE delivery = ?1 AND number = ?2)")?
        .query_row(params![attempt.delivery, attempt.number], |row| row.get(0))?;
    let made = Made { of_schedule: attempt.of_schedule, started: attempt.started, next: attempt.next };
    let Some(recorded) = attempt::record(delivery, is_logged, made, both(now)) else {
        return Ok(());
    };
    if recorded.logs {
        c.prepare_cached(
            "INSERT INTO delivery_attempt (delivery, number, replay, at, status, duration_ms, class, error, reply)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            attempt.delivery,
            attempt.number,
            attempt.of_schedule.is_none(),
            wall_at(attempt.started).as_micros(),
            attempt.status,
            i64::try_from(attempt.duration.as_millis()).unwrap_or(i64::MAX),
            attempt.class.name(),
            attempt.error,
            attempt.reply,
        ])?;
    }
    Ok(stored::write(c, attempt.delivery, &recorded.delivery)?)
}

pub(crate) fn give_up(c: &Connection, since: Moment, now: Moment) -> Result<u64, StoreError> {
    let old = "WHERE postponed = 1 AND due_at < ?1 AND coalesce(replay_at, 0) < ?1 LIMIT ?2";
    let mut given_up = 0;
    for (id, delivery) in stored::deliveries(c, old, params![since.as_micros(), DELIVERIES_MAX])? {
        if let Some(delivery) = outbox::give_up(delivery, since, both(now)) {
            stored::write(c, id, &delivery)?;
            given_up += 1;
        }
    }
    Ok(given_up)
}
