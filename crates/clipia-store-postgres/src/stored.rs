//! Requests and deliveries as commands read them, and as they write deliveries back.

use super::connection::Connection;
use super::leases;
use super::rows::Row;
use super::values::{Value, values};
use super::writing::Writing;
use clipia_queue::commands::StoredRequest;
use clipia_queue::commands::end::Books;
use clipia_queue::deliveries::StoredDelivery;
use clipia_queue::leases::Lease;
use clipia_queue::ledger::Balance;
use clipia_queue::limits::KeyUse;
use clipia_queue::position::Ticket;
use clipia_queue::{AccountId, RequestId};
use clipia_store::{DeliveryState, StoreError, WorkRefused};
use std::collections::HashMap;
use std::time::Duration;
use uuid::Uuid;

/// A request of all columns.
pub(crate) fn request_of(row: &Row) -> Result<StoredRequest, StoreError> {
    Ok(StoredRequest {
        id: row.request("id")?,
        account: row.account()?,
        key_id: row.get("api_key")?,
        sandbox: row.get("sandbox")?,
        model: row.get("model")?,
        life: row.lifecycle()?,
        queue: row.get("queue")?,
        ticket: Ticket(row.get("ticket")?),
        attempt_max: Duration::from_micros(row.get::<i64>("attempt_max")?.unsigned_abs()),
        elsewhere: row.get("elsewhere")?,
        progress: row.progress()?,
        cost: row.credits("cost")?,
        webhook_url: row.get("webhook_url")?,
        base_url: row.get("base_url")?,
        created_at: row.moment("created_at")?,
    })
}

/// A request that is locked, with its lease.
pub(crate) struct Locked {
    pub(crate) request: StoredRequest,
    /// The lease of its worker, if one has it.
    pub(crate) lease: Option<Lease>,
}

/// The request of this id, which is locked. It is read by another statement than the one that locks it, in one round trip: what a
/// statement joins was read before it waited.
pub(crate) async fn request(w: &Writing, id: RequestId) -> Result<Locked, WorkRefused> {
    let of = w.memory.months.of(&[id.0]);
    w.later(format!("SELECT 1 FROM request{of} WHERE id = $1 FOR NO KEY UPDATE"), values![id]);
    let row = w
        .optional(
            &format!(
                "SELECT r.*, l.claimed_at, l.deadline_at, l.until FROM request{of} r LEFT JOIN lease l ON l.request = r.id
                 WHERE r.id = $1"
            ),
            values![id],
        )
        .await?;
    let row = row.ok_or(WorkRefused::Unknown)?;
    Ok(Locked { request: request_of(&row)?, lease: leases::lease(&row)? })
}

/// Requests with their leases, and the books that settle them. All of them are locked.
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) requests: HashMap<RequestId, Locked>,
    balances: HashMap<AccountId, Balance>,
    used: HashMap<String, KeyUse>,
}

impl Facts {
    /// Locks requests, and before them the accounts and keys whose books their ends change, in one round trip. Whose a request is
    /// never changes, so that it may be read before.
    pub(crate) async fn lock(w: &Writing, ids: Vec<Uuid>) -> Result<Self, StoreError> {
        let of = w.memory.months.of(&ids);
        let requests = async {
            w.later(
                format!("SELECT 1 FROM request{of} WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE"),
                values![ids.clone()],
            );
            let locked = format!(
                "SELECT r.*, l.claimed_at, l.deadline_at, l.until FROM request{of} r LEFT JOIN lease l ON l.request = r.id
                 WHERE r.id = ANY($1)"
            );
            w.query(&locked, values![ids.clone()]).await
        };
        let lock_accounts = format!(
            "SELECT a.* FROM (SELECT DISTINCT account COLLATE \"C\" AS asked FROM request{of} WHERE id = ANY($1) ORDER BY 1) asked,
                LATERAL (SELECT id, available, held FROM account WHERE id >= asked AND id <= asked
                         ORDER BY id DESC LIMIT 1 FOR NO KEY UPDATE) a"
        );
        let lock_keys = format!(
            "SELECT k.* FROM (SELECT DISTINCT api_key COLLATE \"C\" AS asked FROM request{of} WHERE id = ANY($1) ORDER BY 1) asked,
                LATERAL (SELECT id, in_flight, spent, spent_since, spent_until FROM api_key WHERE id >= asked AND id <= asked
                         ORDER BY id DESC LIMIT 1 FOR NO KEY UPDATE) k"
        );
        let (accounts, keys, requests) = tokio::try_join!(
            biased;
            w.query(&lock_accounts, values![ids.clone()]),
            w.query(&lock_keys, values![ids.clone()]),
            requests,
        )?;
        let mut facts = Self::default();
        for row in accounts {
            let balance = Balance { available: row.credits("available")?, held: row.credits("held")? };
            facts.balances.insert(AccountId(row.get("id")?), balance);
        }
        for row in keys {
            facts.used.insert(row.get("id")?, row.used()?);
        }
        for row in requests {
            let locked = Locked { request: request_of(&row)?, lease: leases::lease(&row)? };
            facts.requests.insert(locked.request.id, locked);
        }
        Ok(facts)
    }

    /// The books that settle a request of this account and key, after those that were settled before.
    pub(crate) fn books(&self, request: &StoredRequest) -> Books {
        Books {
            balance: self.balances.get(&request.account).copied().unwrap_or_default(),
            used: self.used.get(&request.key_id).copied().unwrap_or_default(),
        }
    }

    /// A request of this account and key was settled, which left these books.
    pub(crate) fn settled(&mut self, account: &AccountId, key: &str, Books { balance, used }: Books) {
        self.balances.insert(account.clone(), balance);
        self.used.insert(key.to_owned(), used);
    }
}

/// The columns that [`delivery_of`] reads.
pub(crate) const DELIVERY: &str =
    "id, state, attempts, due_at, replay_at, claimed_until, postponed, settled_at";

/// A delivery's id and its state, from the columns [`DELIVERY`].
pub(crate) fn delivery_of(row: &Row) -> Result<(Uuid, StoredDelivery), StoreError> {
    let delivery = StoredDelivery {
        state: state(row)?,
        attempts: row.small("attempts")?,
        due_at: row.moment("due_at")?,
        replay_at: row.optional_moment("replay_at")?,
        claimed_until: row.optional_moment("claimed_until")?,
        postponed: row.get("postponed")?,
        settled_at: row.optional_moment("settled_at")?,
    };
    Ok((row.get("id")?, delivery))
}

/// The column `state` of a delivery.
pub(crate) fn state(row: &Row) -> Result<DeliveryState, StoreError> {
    let name = row.get("state")?;
    DeliveryState::named(name).ok_or_else(|| StoreError::Unreadable(format!("a delivery that is `{name}`")))
}

/// The delivery of this id, which is locked.
pub(crate) async fn delivery(c: &Connection, id: Uuid) -> Result<Option<StoredDelivery>, StoreError> {
    let found = deliveries(c, "WHERE id = $1 FOR NO KEY UPDATE", values![id]).await?;
    Ok(found.into_iter().next().map(|(_, delivery)| delivery))
}

/// Deliveries of this condition.
pub(crate) async fn deliveries(
    c: &Connection,
    condition: &str,
    values: Vec<Value>,
) -> Result<Vec<(Uuid, StoredDelivery)>, StoreError> {
    let rows = c.query(&format!("SELECT {DELIVERY} FROM delivery {condition}"), values).await?;
    rows.iter().map(delivery_of).collect()
}

/// Writes what a command made of a delivery. Its sender is forgotten once it is not claimed any more.
pub(crate) fn write(c: &Connection, id: Uuid, delivery: &StoredDelivery) {
    c.later(
        "UPDATE delivery SET state = $2, attempts = $3, due_at = $4, replay_at = $5, claimed_until = $6,
                             claimed_by = CASE WHEN $6::bigint IS NULL THEN NULL ELSE claimed_by END, postponed = $7,
                             settled_at = $8, next_at = $9
         WHERE id = $1",
        values![
            id,
            delivery.state.name(),
            delivery.attempts,
            delivery.due_at,
            delivery.replay_at,
            delivery.claimed_until,
            delivery.postponed,
            delivery.settled_at,
            delivery.next_at(),
        ],
    );
}
