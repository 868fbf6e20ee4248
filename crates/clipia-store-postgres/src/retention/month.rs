//! Drops a month of which all requests have had their time.
//!
//! Its tables are set apart first, in a short transaction: from its commit on the requests are gone for whoever looks. What names them is
//! in tables that are not kept by month, the movements of credits and the deliveries. It is removed afterwards in small steps, so that
//! no account is locked for long. Then the tables are dropped. A node that is gone in the middle leaves the row of the month, by which the
//! next one goes on.

use super::carry;
use crate::ledger;
use crate::months::READ_EVERY;
use crate::rows::Row;
use crate::sandbox;
use crate::submits::keep_floors;
use crate::values::values;
use crate::writing::Writing;
use crate::{Database, months};
use clipia_queue::AccountId;
use clipia_queue::commands::sandbox::without_one;
use clipia_queue::ledger::Entries;
use clipia_queue::retention::Horizon;
use clipia_store::{Month, StoreError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// The tables that are kept by month.
const TABLES: [&str; 5] = ["request", "request_content", "attempt", "request_log", "request_text"];

/// How many movements are removed in one step.
const STEP: usize = 1_000;

/// How long tables stay that are apart: by then every node has read that they are, and names them no more.
const APART_FOR: Duration = READ_EVERY.saturating_mul(6);

/// Why a month is not dropped now.
enum Undropped {
    /// A request of it stays, or its delivery may be sent again.
    Stays,
    Store(StoreError),
}

impl From<StoreError> for Undropped {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Drops a month. Returns how many requests it had; nothing where it stays for now.
pub(crate) async fn drop_month(
    database: &Arc<Database>,
    month: Month,
    horizon: Horizon,
) -> Result<Option<u64>, StoreError> {
    match database.write(move |w| async move { set_apart(&w, month, horizon).await }).await {
        Ok(requests) => {
            months::keep_up(database).await?;
            Ok(Some(requests))
        }
        Err(Undropped::Stays) => Ok(None),
        // Something holds its tables, such as a dump of the database. The next round tries again.
        Err(Undropped::Store(error)) if error.is_transient() => {
            tracing::debug!(%error, "a month is not dropped yet");
            Ok(None)
        }
        Err(Undropped::Store(error)) => Err(error),
    }
}

async fn set_apart(w: &Writing, month: Month, horizon: Horizon) -> Result<u64, Undropped> {
    // All requests of the month are read.
    w.plan_anew();
    let now = w.now().await?;
    if month.last > horizon.last() {
        return Err(Undropped::Stays);
    }
    let named = "SELECT name FROM month WHERE first > $1 AND after > $2 AND leaving_at IS NULL ORDER BY first LIMIT 1 FOR UPDATE";
    let Some(row) = w.optional(named, values![month.before, month.last]).await? else {
        return Err(Undropped::Stays);
    };
    let name: &str = row.get("name")?;
    // The requests have ended, and nothing is submitted into a month that is as old. So they are read before anybody has to wait.
    let queues = w
        .query(
            &format!(
                "SELECT queue, count(*) AS requests, max(ticket) AS latest,
                    count(*) FILTER (WHERE completed_at IS NULL OR completed_at > $1) AS late
                 FROM request_{name} GROUP BY queue"
            ),
            values![horizon.ended.min(horizon.named)],
        )
        .await?;
    let (mut requests, mut latest) = (0, Vec::new());
    for row in &queues {
        if row.count("late")? > 0 {
            return Err(Undropped::Stays);
        }
        requests += row.count("requests")?;
        latest.push((row.get("queue")?, row.get("latest")?));
    }
    // Commands that begin now wait for the tables, and this waits for those under way: for a moment only.
    w.plain("SET LOCAL lock_timeout = '200ms'");
    forget_samples(w, name).await?;
    for table in TABLES {
        w.plain(format!("ALTER TABLE {table} DETACH PARTITION {table}_{name}"));
    }
    w.flush().await?;
    // Whoever has a delivery sent again has looked for its request, and so has a lock on the tables until it is committed.
    let open = w
        .one(
            "SELECT EXISTS (SELECT FROM delivery WHERE next_at IS NOT NULL AND claimed_until IS NULL AND NOT postponed AND request > $1 AND request <= $2)
                 OR EXISTS (SELECT FROM delivery WHERE claimed_until IS NOT NULL AND request > $1 AND request <= $2)
                 OR EXISTS (SELECT FROM delivery WHERE postponed AND request > $1 AND request <= $2)
                 OR EXISTS (SELECT FROM delivery WHERE state = 'held' AND request > $1 AND request <= $2) AS any",
            values![month.before, month.last],
        )
        .await?;
    if open.get("any")? {
        return Err(Undropped::Stays);
    }
    keep_floors(w, latest.into_iter());
    w.later("UPDATE month SET leaving_at = $2 WHERE name = $1", values![name, now.steady]);
    Ok(requests)
}

/// The requests of the sandbox are not counted any more.
async fn forget_samples(w: &Writing, name: &str) -> Result<(), StoreError> {
    let samples =
        format!("SELECT account, count(*) AS samples FROM request_{name} WHERE sandbox GROUP BY account");
    let accounts = w.query(&samples, Vec::new()).await?;
    let accounts = accounts.iter().map(|row| row.get("account")).collect::<Result<Vec<String>, _>>()?;
    if accounts.is_empty() {
        return Ok(());
    }
    // A submit to the sandbox may have forgotten one meanwhile: they are counted under the locks of their accounts.
    let locked = ledger::lock(w, accounts).await?;
    for row in w.query(&samples, Vec::new()).await? {
        let account = row.account()?;
        let Some(of) = locked.get(&account.0) else { continue };
        let mut kept = of.sandbox_kept;
        for _ in 0..row.count("samples")? {
            kept = without_one(&account, kept)?;
        }
        sandbox::set_kept(w, &account, kept);
    }
    Ok(())
}

/// Removes some of what names the requests of a month whose tables are apart, and at last the tables. Returns whether there is more to
/// remove at once.
pub(super) async fn remove_rest(w: &Writing) -> Result<bool, StoreError> {
    let now = w.now().await?;
    let leaving = "SELECT name, rest, after, leaving_at FROM month WHERE leaving_at IS NOT NULL ORDER BY rest = after, first LIMIT 1 FOR UPDATE";
    let Some(row) = w.optional(leaving, Vec::new()).await? else { return Ok(false) };
    let (name, rest, after): (&str, Uuid, Uuid) = (row.get("name")?, row.get("rest")?, row.get("after")?);
    if rest == after {
        if row.moment("leaving_at")? + APART_FOR > now.steady {
            return Ok(false);
        }
        for table in TABLES {
            w.plain(format!("DROP TABLE {table}_{name}"));
        }
        w.later("DELETE FROM month WHERE name = $1", values![name]);
        return Ok(true);
    }
    let next = next_step(w, rest, after).await?;
    let condensed = "id >= $1 AND id < $2 AND kind NOT IN ('grant', 'opening')";
    let accounts = w
        .query(&format!("SELECT DISTINCT account FROM movement WHERE {condensed}"), values![rest, next])
        .await?;
    let accounts = accounts.iter().map(|row| row.get("account")).collect::<Result<Vec<String>, _>>()?;
    ledger::lock(w, accounts).await?;
    let removed = w
        .query(
            &format!(
                "DELETE FROM movement WHERE {condensed} RETURNING account, available, held, issuance, revenue"
            ),
            values![rest, next],
        )
        .await?;
    let mut entries: BTreeMap<String, Vec<Entries>> = BTreeMap::new();
    for row in &removed {
        entries.entry(row.get("account")?).or_default().push(Row::entries(row)?);
    }
    for (account, entries) in entries {
        carry(w, &AccountId(account), &entries, now).await?;
    }
    w.later(
        "DELETE FROM delivery_attempt a USING delivery d WHERE a.delivery = d.id AND d.request >= $1 AND d.request < $2",
        values![rest, next],
    );
    w.later("DELETE FROM delivery WHERE request >= $1 AND request < $2", values![rest, next]);
    w.later("UPDATE month SET rest = $2 WHERE name = $1", values![name, next]);
    Ok(true)
}

/// The first request that is left to the next step. The movements of one request go together.
async fn next_step(w: &Writing, rest: Uuid, after: Uuid) -> Result<Uuid, StoreError> {
    let next = w
        .optional(
            "SELECT id FROM movement WHERE id >= $1 AND id < $2 AND kind NOT IN ('grant', 'opening')
             ORDER BY id OFFSET $3 LIMIT 1",
            values![rest, after, STEP],
        )
        .await?;
    next.map_or(Ok(after), |row| row.get("id"))
}
