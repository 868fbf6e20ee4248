//! The outbox of deliveries: taking them, and recording what became of them.

use super::rows::{count, moment};
use super::webhook_secrets;
use crate::clock::told;
use crate::store::{
    AccountId, AfterAttempt, ClaimedDeliveries, DELIVERIES_MAX, DeliveryAttempt, DeliveryClaim, DeliveryHost,
    DeliveryOwner, DueDelivery, HostRoom, StoreError,
};
use clipia_queue::shares::Shares;
use clipia_queue::{Moment, RequestId};
use rusqlite::{Connection, Row, params};
use std::collections::HashMap;
use uuid::Uuid;

/// Deliveries that one claim looks at. Those that are due and have no room are each looked at once, then postponed.
const LOOKED_AT_MAX: usize = 512;

/// How many of them are read at a time.
const CHUNK: usize = 32;

/// What [`Candidate::of`] reads.
const CANDIDATE: &str =
    "SELECT id, account, sandbox, host, state = 'pending' AND due_at <= ?1 AS scheduled FROM delivery";

/// Frees every delivery: the nodes that had taken some are gone.
pub(crate) fn free_all(c: &Connection) -> Result<(), StoreError> {
    c.execute(
        "UPDATE delivery SET claimed_until = NULL, claimed_by = NULL WHERE claimed_until IS NOT NULL",
        [],
    )?;
    Ok(())
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
    free(c, claim, now)?;
    let mut taking = Taking::new(c, claim, now);
    // Half the places are for those that waited, so that those that are new cannot keep them waiting for ever; and
    // the other way about.
    taking.take_postponed(claim.most.div_ceil(2))?;
    taking.take_due(claim.most)?;
    taking.take_postponed(claim.most)?;
    Ok(taking.claimed)
}

/// Frees the deliveries of senders that have not recorded their attempt in time and are gone.
fn free(c: &Connection, claim: &DeliveryClaim, now: Moment) -> Result<(), StoreError> {
    let silent: Vec<(Uuid, Uuid)> = c
        .prepare_cached("SELECT id, claimed_by FROM delivery WHERE claimed_until <= ?1")?
        .query_map([now.as_micros()], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let is_living = |id, node| node == claim.node.0 && claim.under_way.holds(id);
    for (id, _) in silent.iter().filter(|(id, node)| !is_living(id, *node)) {
        c.prepare_cached("UPDATE delivery SET claimed_until = NULL, claimed_by = NULL WHERE id = ?1")?
            .execute([id])?;
    }
    Ok(())
}

/// A claim as it goes on.
struct Taking<'a> {
    c: &'a Connection,
    claim: &'a DeliveryClaim,
    now: Moment,
    rooms: HashMap<DeliveryHost, HostRoom>,
    shares: Shares<DeliveryOwner>,
    taken: u32,
    claimed: ClaimedDeliveries,
}

/// A delivery that may be taken.
struct Candidate {
    id: Uuid,
    host: DeliveryHost,
    scheduled: bool,
}

impl Candidate {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { id: row.get("id")?, host: host(row)?, scheduled: row.get("scheduled")? })
    }
}

impl<'a> Taking<'a> {
    fn new(c: &'a Connection, claim: &'a DeliveryClaim, now: Moment) -> Self {
        let rooms = claim.hosts.iter().map(|room| (room.host.clone(), room.clone())).collect();
        let shares = claim.shares.clone();
        Self { c, claim, now, rooms, shares, taken: 0, claimed: ClaimedDeliveries::default() }
    }

    /// Takes those that were postponed of hosts that have room, until there are `most` in all.
    fn take_postponed(&mut self, most: u32) -> Result<(), StoreError> {
        let claim = self.claim;
        for host in claim.hosts.iter().map(|room| &room.host) {
            let free = most.saturating_sub(self.taken);
            if free == 0 {
                return Ok(());
            }
            let Some(room) = self.rooms.get(host).filter(|room| room.waiting) else { continue };
            // Where the host is taken for down, only those may go that an operator asked for.
            let (index, condition, room) = match room.room {
                0 => ("delivery_postponed_replay", "AND replay_at IS NOT NULL", room.room_for_replays),
                room => ("delivery_postponed", "", room),
            };
            let share = self.shares.room(&host.owner, host.owner.share());
            let wanted = room.min(free).min(u32::try_from(share).unwrap_or(u32::MAX));
            if wanted == 0 {
                continue;
            }
            let found: Vec<Candidate> = self
                .c
                .prepare_cached(&format!(
                    "{CANDIDATE} INDEXED BY {index}
                     WHERE postponed = 1 AND account = ?2 AND sandbox = ?3 AND host = ?4 AND next_at <= ?1 {condition}
                     ORDER BY next_at LIMIT ?5"
                ))?
                .query_map(
                    params![self.now.as_micros(), host.owner.account.0, host.owner.sandbox, host.host, wanted],
                    Candidate::of,
                )?
                .collect::<Result<_, _>>()?;
            if found.len() < usize::try_from(wanted).unwrap_or(usize::MAX) && condition.is_empty() {
                self.clear(host);
            }
            for candidate in found {
                self.take(candidate)?;
            }
        }
        Ok(())
    }

    /// None of the host's deliveries is postponed any more.
    fn clear(&mut self, host: &DeliveryHost) {
        if let Some(room) = self.rooms.get_mut(host) {
            room.waiting = false;
        }
        self.claimed.postponed.retain(|other| other != host);
        self.claimed.cleared.push(host.clone());
    }

    /// Takes those that are due until there are `most` in all, and postpones those whose host has no room.
    fn take_due(&mut self, most: u32) -> Result<(), StoreError> {
        for _ in 0..LOOKED_AT_MAX / CHUNK {
            // What was taken or postponed is not found again.
            let found: Vec<Candidate> = self
                .c
                .prepare_cached(&format!(
                    "{CANDIDATE} WHERE next_at <= ?1 AND next_at IS NOT NULL AND claimed_until IS NULL AND postponed = 0
                     ORDER BY next_at LIMIT {CHUNK}"
                ))?
                .query_map([self.now.as_micros()], Candidate::of)?
                .collect::<Result<_, _>>()?;
            let all = found.len() < CHUNK;
            for candidate in found {
                if self.taken >= most {
                    self.claimed.more = true;
                    return Ok(());
                }
                if self.is_free_for(&candidate) { self.take(candidate) } else { self.postpone(candidate) }?;
            }
            if all {
                return Ok(());
            }
        }
        self.claimed.more = true;
        Ok(())
    }

    fn is_free_for(&self, candidate: &Candidate) -> bool {
        let owner = &candidate.host.owner;
        if !self.shares.has_room(owner, owner.share()) {
            return false;
        }
        match self.rooms.get(&candidate.host) {
            None => true,
            // Whoever waits at the same host has waited for longer.
            Some(room) if room.waiting && room.room > 0 => false,
            Some(room) if candidate.scheduled => room.room > 0,
            Some(room) => room.room_for_replays > 0,
        }
    }

    fn postpone(&mut self, candidate: Candidate) -> Result<(), StoreError> {
        self.c.prepare_cached("UPDATE delivery SET postponed = 1 WHERE id = ?1")?.execute([candidate.id])?;
        let room = self.room(&candidate.host);
        if !std::mem::replace(&mut room.waiting, true) {
            self.claimed.cleared.retain(|other| *other != candidate.host);
            self.claimed.postponed.push(candidate.host);
        }
        Ok(())
    }

    /// The room of a host: as the claim said it, or else as of one that nothing is known of.
    fn room(&mut self, host: &DeliveryHost) -> &mut HostRoom {
        let most = self.claim.most_of_host;
        self.rooms.entry(host.clone()).or_insert_with(|| HostRoom {
            host: host.clone(),
            room: most,
            room_for_replays: most,
            waiting: false,
        })
    }

    fn take(&mut self, candidate: Candidate) -> Result<(), StoreError> {
        let Candidate { id, host, scheduled } = candidate;
        let room = self.room(&host);
        // An attempt takes up room of both kinds.
        room.room = room.room.saturating_sub(1);
        room.room_for_replays = room.room_for_replays.saturating_sub(1);
        self.shares.take(host.owner.clone());
        self.taken += 1;
        let until = (self.now + self.claim.lease).as_micros();
        let due = self
            .c
            .prepare_cached(
                "UPDATE delivery SET claimed_until = ?2, claimed_by = ?3, postponed = 0 WHERE id = ?1
                 RETURNING request, (SELECT api_key FROM request WHERE id = delivery.request) AS key_id, url, body, attempts, due_at,
                    (SELECT coalesce(max(number), 0) + 1 FROM delivery_attempt WHERE delivery = ?1) AS number",
            )?
            .query_row(params![id, until, self.claim.node.0], |row| {
                Ok(DueDelivery {
                    id,
                    request: RequestId(row.get("request")?),
                    key_id: row.get("key_id")?,
                    url: row.get("url")?,
                    body: row.get("body")?,
                    attempts: row.get("attempts")?,
                    number: row.get("number")?,
                    replay: !scheduled,
                    due_at: moment(row.get("due_at")?),
                    secrets: Vec::new(),
                    host,
                })
            })?;
        let secrets = webhook_secrets::in_force(self.c, &due.host.owner.account.0, self.now)?;
        self.claimed.due.push(DueDelivery { secrets, ..due });
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
    // A sender that was overtaken reports an attempt that is recorded already: the first report stands. The sandbox may have
    // forgotten the delivery meanwhile: there is nothing to record then.
    let recorded = c
        .prepare_cached(
            "INSERT INTO delivery_attempt (delivery, number, replay, at, status, duration_ms, class, error, reply)
             SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM delivery WHERE id = ?1 ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            attempt.delivery,
            attempt.number,
            attempt.of_schedule.is_none(),
            told(attempt.started).as_micros(),
            attempt.status,
            i64::try_from(attempt.duration.as_millis()).unwrap_or(i64::MAX),
            attempt.class.name(),
            attempt.error,
            attempt.reply,
        ])?;
    if recorded == 0 && attempt.next != AfterAttempt::Delivered {
        return Ok(());
    }
    // A replay that was asked for before the attempt began has had it; one that was asked for since still comes.
    c.prepare_cached(
        "UPDATE delivery SET claimed_until = NULL, claimed_by = NULL, attempts = max(attempts, ?2),
                             replay_at = CASE WHEN replay_at > ?3 THEN replay_at END
         WHERE id = ?1",
    )?
    .execute(params![
        attempt.delivery,
        attempt.of_schedule.unwrap_or(0),
        attempt.started.as_micros()
    ])?;
    let settle = "UPDATE delivery SET state = ?2, settled_at = ?3, postponed = 0 WHERE id = ?1";
    match attempt.next {
        AfterAttempt::Delivered => c
            .prepare_cached(&format!("{settle} AND state <> 'delivered'"))?
            .execute(params![attempt.delivery, "delivered", told(now).as_micros()])?,
        AfterAttempt::GiveUp => c
            .prepare_cached(&format!("{settle} AND state = 'pending'"))?
            .execute(params![attempt.delivery, "abandoned", told(now).as_micros()])?,
        AfterAttempt::Retry(at) => c
            .prepare_cached("UPDATE delivery SET due_at = ?2 WHERE id = ?1 AND state = 'pending'")?
            .execute(params![attempt.delivery, at.as_micros()])?,
        AfterAttempt::AsScheduled => 0,
    };
    Ok(())
}

pub(crate) fn give_up(c: &Connection, since: Moment, now: Moment) -> Result<u64, StoreError> {
    let given_up = c
        .prepare_cached(
            "UPDATE delivery SET postponed = 0, replay_at = NULL,
                    state = CASE state WHEN 'pending' THEN 'abandoned' ELSE state END,
                    settled_at = CASE state WHEN 'held' THEN NULL ELSE coalesce(settled_at, ?2) END
             WHERE id IN (SELECT id FROM delivery
                          WHERE postponed = 1 AND due_at < ?1 AND coalesce(replay_at, 0) < ?1 LIMIT ?3)",
        )?
        .execute(params![since.as_micros(), told(now).as_micros(), DELIVERIES_MAX])?;
    Ok(count(i64::try_from(given_up).unwrap_or(i64::MAX)))
}
