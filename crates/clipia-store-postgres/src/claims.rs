//! Claims: a node takes the first requests of a queue.
//!
//! The head of the queue is locked, so that turns go round as if there were one node. [`QueuePlaces`] decides who comes next, from as
//! many of the first places as the claim can need. Submits go on meanwhile: they lock the tail.

mod heads;
mod shared;

pub(crate) use heads::Heads;
pub(crate) use shared::Claims;

use super::leases;
use super::pausing::paused_at;
use super::position::{self, Bounds};
use super::rows::{from_json, lane_number};
use super::set_aside;
use super::stored::request_of;
use super::turns;
use super::values::values;
use super::workers;
use super::writing::Writing;
use clipia_queue::commands::claim::{Claimed, First, first};
use clipia_queue::commands::{Now, StoredRequest};
use clipia_queue::position::{Change, Lane, Order, Place, QueuePlaces, Turn};
use clipia_queue::{AccountId, RequestId};
use clipia_store::counters::Happened;
use clipia_store::{Claim, ClaimPast, Holder, StoreError};
use std::collections::HashMap;
use uuid::Uuid;

/// How many requests one claim sets aside at most: other commands do not wait for more.
const SET_ASIDE_AT_ONCE: usize = 200;

/// How many requests one claim takes at most. As many accounts are looked at, and of each as many requests.
const CLAIMED_AT_ONCE: usize = 100;

/// Where a request waits that may be claimed.
struct Waiting {
    id: RequestId,
    account: AccountId,
    place: Place,
}

/// The first places of a queue.
struct Candidates {
    places: QueuePlaces,
    waiting: Vec<Waiting>,
}

/// A claim as it goes on.
struct Claiming<'a> {
    w: &'a Writing,
    queue: &'a str,
    order: Order,
    full: &'a [AccountId],
    now: Now,
    past: ClaimPast,
    set_aside: usize,
    /// Requests that another command has locked, such as a cancel.
    skipped: Vec<Uuid>,
    /// The tickets before which nothing is looked for.
    heads: Bounds,
}

/// Claims the first requests of a queue.
pub(crate) async fn claim(
    w: &Writing,
    queue: &str,
    holder: &Holder,
    limit: usize,
    full: &[AccountId],
) -> Result<ClaimPast, StoreError> {
    let (asked, limit) = (limit, limit.min(CLAIMED_AT_ONCE));
    if let Some(of) = &holder.session
        && !workers::may_claim(w, &of.worker).await?
    {
        return Ok(ClaimPast::default());
    }
    w.lock_head(queue);
    if paused_at(w, queue).await?.is_some() {
        return Ok(ClaimPast::default());
    }
    let (order, now) = (w.memory.positions.order(queue), w.now().await?);
    let mut claiming = Claiming {
        w,
        queue,
        order,
        full,
        now,
        past: ClaimPast::default(),
        set_aside: 0,
        skipped: Vec::new(),
        heads: w.memory.heads.of(queue, order, w.memory.positions.bounds(queue)),
    };
    loop {
        let before = (claiming.past.claims.len(), claiming.set_aside, claiming.skipped.len());
        let candidates = claiming.candidates(limit - before.0).await?;
        let more = claiming.take(candidates, limit - before.0, holder).await?;
        let after = (claiming.past.claims.len(), claiming.set_aside, claiming.skipped.len());
        if after.0 >= limit || after == before || !more || claiming.past.more {
            break;
        }
    }
    // Another claim may get the rest.
    claiming.past.more |= asked > limit && claiming.past.claims.len() == limit;
    Ok(claiming.past)
}

impl Claiming<'_> {
    /// The first places of the queue: of so many accounts, and of each so many, that `wanted` claims see no others.
    async fn candidates(&self, wanted: usize) -> Result<Candidates, StoreError> {
        let free = "(i.aside_until IS NULL OR i.aside_until <= $3) AND i.request <> ALL($4)";
        let new = match self.order {
            Order::Turns => format!(
                "SELECT i.lane, i.ticket, i.account, i.request, t.turn
                 FROM (
                    SELECT t.account, t.turn, coalesce(h.ticket, $7) AS head
                    FROM t LEFT JOIN unnest($5::text[], $6::int8[]) AS h (account, ticket) ON h.account = t.account,
                        LATERAL (
                            SELECT 1 FROM queue_item i WHERE i.queue = $1 AND i.account = t.account AND i.lane = 1
                                AND i.ticket > coalesce(h.ticket, $7) AND {free}
                            ORDER BY i.ticket LIMIT 1
                        ) waits
                    ORDER BY t.turn LIMIT $2
                 ) t, LATERAL (
                    SELECT * FROM queue_item i
                    WHERE i.queue = $1 AND i.account = t.account AND i.lane = 1 AND i.ticket > t.head AND {free}
                    ORDER BY ticket LIMIT $2
                 ) i"
            ),
            Order::Fifo => format!(
                "SELECT i.lane, i.ticket, i.account, i.request, t.turn
                 FROM (
                    SELECT * FROM queue_item i
                    WHERE i.queue = $1 AND i.lane = 1 AND i.ticket > $7 AND {free}
                    ORDER BY ticket LIMIT $2
                 ) i LEFT JOIN LATERAL ({}) t ON TRUE",
                turns::newest("i.account")
            ),
        };
        let (accounts, heads): (Vec<String>, Vec<i64>) =
            self.heads.accounts.iter().map(|(account, ticket)| (account.clone(), *ticket)).unzip();
        let rows = self
            .w
            .query(
                &format!(
                    "WITH RECURSIVE t AS ({})
                     (SELECT i.lane, i.ticket, i.account, i.request, NULL::bigint AS turn
                      FROM queue_item i WHERE i.queue = $1 AND i.lane = 0 AND {free} ORDER BY ticket LIMIT $2)
                     UNION ALL ({new}) ORDER BY lane, ticket",
                    turns::ALL
                ),
                values![
                    self.queue,
                    wanted.saturating_add(1),
                    self.now.steady,
                    self.skipped.clone(),
                    accounts,
                    heads,
                    self.heads.others,
                ],
            )
            .await?;
        let (mut places, mut waiting) = (QueuePlaces::default(), Vec::with_capacity(rows.len()));
        places.set_order(self.order);
        for row in &rows {
            let (account, place) = (row.account()?, row.place()?);
            places.restore(&account, place, row.get::<Option<i64>>("turn")?.map(Turn));
            waiting.push(Waiting { id: row.request("request")?, account, place });
        }
        Ok(Candidates { places, waiting })
    }

    /// Takes the first of the candidates, `wanted` at most. Returns whether another look may find more.
    async fn take(
        &mut self,
        candidates: Candidates,
        wanted: usize,
        holder: &Holder,
    ) -> Result<bool, StoreError> {
        let Candidates { mut places, waiting } = candidates;
        let by_place: HashMap<(i64, i64), &Waiting> =
            waiting.iter().map(|of| ((lane_number(of.place.lane), of.place.ticket.0), of)).collect();
        let at = |place: Place| by_place.get(&(lane_number(place.lane), place.ticket.0)).copied();
        let mut simulated = places.clone();
        let mut ids = Vec::new();
        while ids.len() < wanted
            && let Some(of) = simulated.first().and_then(at)
        {
            simulated.apply(&of.account, of.place, Change::Claim);
            ids.push(of.id.0);
        }
        if ids.is_empty() || wanted == 0 {
            return Ok(false);
        }
        let mut requests = self.requests(&ids).await?;
        let (mut taken, mut aside, mut turned) = (Vec::new(), Vec::new(), Vec::new());
        let mut looks_again = false;
        while taken.len() < wanted
            && let Some(of) = places.first().and_then(at)
        {
            if !ids.contains(&of.id.0) {
                // Others were passed over: the ones that come instead are not locked yet.
                looks_again = true;
                break;
            }
            let Some((request, input)) = requests.remove(&of.id) else {
                self.skipped.push(of.id.0);
                places.apply(&of.account, of.place, Change::SetAside);
                looks_again = true;
                continue;
            };
            let unreadable =
                |refused| StoreError::Unreadable(format!("request {} in the queue: {refused}", of.id));
            match first(&request, self.full, self.now).map_err(unreadable)? {
                First::Aside => {
                    aside.push(of.place);
                    places.apply(&of.account, of.place, Change::SetAside);
                    self.passed_over(&of.account);
                    looks_again = true;
                    if self.past.more {
                        break;
                    }
                }
                First::Claimed(claimed) => {
                    let undo = places.apply(&of.account, of.place, Change::Claim);
                    let stays = undo.is_some_and(|undo| undo.after.is_some() && undo.after == undo.before);
                    if of.place.lane == Lane::New && !(self.order == Order::Turns && stays) {
                        turned.retain(|account| *account != of.account.0);
                        turned.push(of.account.0.clone());
                    }
                    taken.push((of, claimed));
                    self.past.claims.push(claim_of(request, &claimed, &input)?);
                }
            }
        }
        self.write(&taken, holder);
        self.set_aside(&aside);
        self.turn(turned);
        Ok(looks_again)
    }

    /// The requests of these ids with their inputs, locked. Those that another command has locked are left out.
    async fn requests(
        &self,
        ids: &[Uuid],
    ) -> Result<HashMap<RequestId, (StoredRequest, String)>, StoreError> {
        let of = self.w.memory.months.of(ids);
        let rows = self
            .w
            .query(
                &format!(
                    "SELECT r.*, o.input FROM request{of} r JOIN request_content{of} o ON o.request = r.id
                     WHERE r.id = ANY($1) AND r.phase = 'queued' ORDER BY r.id FOR NO KEY UPDATE OF r SKIP LOCKED"
                ),
                values![ids.to_vec()],
            )
            .await?;
        let request = |row: &super::rows::Row| {
            let request = request_of(row)?;
            Ok((request.id, (request, row.get("input")?)))
        };
        rows.iter().map(request).collect()
    }

    fn passed_over(&mut self, account: &AccountId) {
        if !self.past.aside.contains(account) {
            self.past.aside.push(account.clone());
        }
        self.set_aside += 1;
        self.past.more = self.set_aside >= SET_ASIDE_AT_ONCE;
    }

    /// Writes what was claimed: the requests leave their places and get leases.
    fn write(&self, taken: &[(&Waiting, Claimed)], holder: &Holder) {
        if taken.is_empty() {
            return;
        }
        let w = self.w;
        self.leave(taken.iter().map(|(of, _)| (of.account.0.as_str(), of.place)).collect());
        let column =
            |of: fn(&Claimed) -> i64| taken.iter().map(|(_, claimed)| of(claimed)).collect::<Vec<_>>();
        let ids: Vec<Uuid> = taken.iter().map(|(of, _)| of.id.0).collect();
        let of = w.memory.months.of(&ids);
        w.later(
            format!(
                "UPDATE request{of} r SET phase = new.phase, epoch = new.epoch, rescues = new.rescues, progress = new.progress
                 FROM unnest($1::uuid[], $2::text[], $3::int8[], $4::int8[], $5::int8[]) AS new (id, phase, epoch, rescues, progress)
                 WHERE r.id = new.id"
            ),
            values![
                ids,
                taken.iter().map(|(_, claimed)| claimed.life.phase.name().to_owned()).collect::<Vec<_>>(),
                column(|claimed| claimed.life.epoch.0),
                column(|claimed| i64::from(claimed.life.rescues)),
                column(|claimed| i64::from(claimed.progress.percent())),
            ],
        );
        let new = taken.iter().filter(|(of, _)| of.place.lane == Lane::New);
        let new = new.map(|(of, _)| (of.account.0.clone(), of.place.ticket.0)).collect();
        w.claimed(self.queue, self.order, new);
        let leases: Vec<_> = taken.iter().map(|(of, claimed)| (of.id, claimed.lease)).collect();
        leases::give(w, holder, &leases);
        for waited in taken.iter().filter_map(|(_, claimed)| claimed.waited) {
            w.happened(Happened::Waited(waited));
        }
    }

    /// Places are free.
    fn leave(&self, places: Vec<(&str, Place)>) {
        position::leave(self.w, self.queue, &places);
        let (lanes, tickets): (Vec<_>, Vec<_>) =
            places.iter().map(|(_, place)| (lane_number(place.lane), place.ticket.0)).unzip();
        self.w.later(
            "DELETE FROM queue_item i USING unnest($2::int8[], $3::int8[]) AS gone (lane, ticket)
             WHERE i.queue = $1 AND i.lane = gone.lane AND i.ticket = gone.ticket",
            values![self.queue, lanes, tickets],
        );
        self.w.moved(self.queue);
    }

    fn set_aside(&self, places: &[Place]) {
        if places.is_empty() {
            return;
        }
        let (lanes, tickets): (Vec<_>, Vec<_>) =
            places.iter().map(|place| (lane_number(place.lane), place.ticket.0)).unzip();
        self.w.later(
            "UPDATE queue_item i SET aside_until = $4 FROM unnest($2::int8[], $3::int8[]) AS passed (lane, ticket)
             WHERE i.queue = $1 AND i.lane = passed.lane AND i.ticket = passed.ticket",
            values![self.queue, lanes, tickets, set_aside::until(self.now.steady)],
        );
    }

    /// These accounts go to the end, in this order. An account that waits no more goes, too: a submit of it that still sees its last
    /// request waiting keeps its turn.
    fn turn(&self, accounts: Vec<String>) {
        if accounts.is_empty() {
            return;
        }
        turns::lock(
            self.w,
            accounts.iter().map(|account| (self.queue.to_owned(), account.clone())).collect(),
        );
        self.w.later(
            "WITH turned AS MATERIALIZED (SELECT account, nextval('turn') AS turn FROM unnest($2::text[]) AS a (account))
             UPDATE queue_turn t SET turn = turned.turn FROM turned
             WHERE t.ctid = (SELECT ctid FROM queue_turn n WHERE n.queue = $1 AND n.account >= turned.account
                                AND n.account <= turned.account ORDER BY n.account DESC LIMIT 1)",
            values![self.queue, accounts],
        );
    }
}

fn claim_of(request: StoredRequest, claimed: &Claimed, input: &str) -> Result<Claim, StoreError> {
    Ok(Claim {
        id: request.id,
        account: request.account,
        key_id: request.key_id,
        epoch: claimed.life.epoch,
        model: request.model,
        input: from_json(input)?,
        base_url: request.base_url,
    })
}
