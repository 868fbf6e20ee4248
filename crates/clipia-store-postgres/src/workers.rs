//! Workers on other machines: their tokens, and what an operator does to them.
//!
//! They are read from the database at each call, by an index: another node may have revoked one just now.

use super::connection::Connection;
use super::rows::{Row, from_json, to_json};
use super::values::values;
use super::writing::Writing;
use super::{audit, work, worker_sessions};
use clipia_queue::audit::Act;
use clipia_queue::{RequestId, workers as rules};
use clipia_store::{KeyHash, NewWorker, RemoteWorker, StoreError, WorkRefused, WorkerListing, WorkerRefused};
use subtle::ConstantTimeEq;

/// The columns `name`, `executors`, `quiet`.
fn worker(row: &Row) -> Result<RemoteWorker, StoreError> {
    Ok(RemoteWorker {
        name: row.get("name")?,
        executors: from_json(row.get("executors")?)?,
        quiet: row.get("quiet")?,
    })
}

/// The worker of a token in force.
pub(crate) async fn find(c: &Connection, token: &KeyHash) -> Result<Option<RemoteWorker>, StoreError> {
    let found = c
        .optional("SELECT * FROM worker WHERE hash = $1 AND revoked_at IS NULL", values![token.0.to_vec()])
        .await?;
    let Some(row) = found else { return Ok(None) };
    // The index found it by its hash; the comparison that decides takes the same time whatever differs.
    let is_it = bool::from(row.get::<&[u8]>("hash")?.ct_eq(&token.0));
    is_it.then(|| worker(&row)).transpose()
}

/// Whether there is or was any worker.
pub(crate) async fn any(c: &Connection) -> Result<bool, StoreError> {
    c.one("SELECT EXISTS (SELECT 1 FROM worker) AS found", Vec::new()).await?.get("found")
}

pub(crate) async fn create(w: &Writing, new: NewWorker) -> Result<(), WorkerRefused> {
    let now = w.now().await?;
    let NewWorker { name, hash, hint, executors } = new;
    let created = w
        .execute(
            "INSERT INTO worker (name, hash, hint, executors, created_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (name) DO NOTHING",
            values![&name, hash.0.to_vec(), hint, to_json(&executors)?, now.wall],
        )
        .await?;
    if created == 0 {
        return Err(WorkerRefused::NameTaken(name));
    }
    audit::record(w, &Act::worker_created(&name, &executors), now);
    Ok(())
}

/// The worker of this name whose token is in force. Nobody else changes it, and it claims nothing, until this transaction ends.
async fn locked(w: &Writing, name: &str) -> Result<Option<RemoteWorker>, StoreError> {
    let row = w
        .optional("SELECT * FROM worker WHERE name = $1 AND revoked_at IS NULL FOR UPDATE", values![name])
        .await?;
    row.as_ref().map(worker).transpose()
}

/// Whether a worker may claim. The call was admitted before; an operator may have revoked the worker or made it quiet meanwhile. No
/// operator does so until this transaction ends.
pub(crate) async fn may_claim(w: &Writing, name: &str) -> Result<bool, StoreError> {
    let found = w
        .optional(
            "SELECT 1 FROM worker WHERE name = $1 AND revoked_at IS NULL AND NOT quiet FOR SHARE",
            values![name],
        )
        .await?;
    Ok(found.is_some())
}

/// Makes a worker quiet, or has it claim again. False where no worker of this name is in force.
pub(crate) async fn set_quiet(w: &Writing, name: &str, quiet: bool) -> Result<bool, StoreError> {
    let now = w.now().await?;
    let Some(worker) = locked(w, name).await? else { return Ok(false) };
    let Some(act) = rules::set_quiet(name, worker.quiet, quiet) else { return Ok(true) };
    w.later("UPDATE worker SET quiet = $2 WHERE name = $1", values![name, quiet]);
    audit::record(w, &act, now);
    if !quiet {
        worker.executors.iter().for_each(|queue| w.work_submitted(queue));
    }
    Ok(true)
}

/// Revokes a worker, and takes its requests back. Returns how many it had; nothing where no worker of this name is in force.
pub(crate) async fn revoke(w: &Writing, name: &str) -> Result<Option<u64>, StoreError> {
    let now = w.now().await?;
    if locked(w, name).await?.is_none() {
        return Ok(None);
    }
    w.later("UPDATE worker SET revoked_at = $2 WHERE name = $1", values![name, now.wall]);
    let rows = w
        .query(
            "SELECT request FROM lease WHERE worker = $1 AND session IS NOT NULL ORDER BY request",
            values![name],
        )
        .await?;
    let leases: Vec<RequestId> = rows.iter().map(|row| row.request("request")).collect::<Result<_, _>>()?;
    let taken = work::take_back(w, leases).await.map_err(|refused| match refused {
        WorkRefused::Store(error) => error,
        other => StoreError::Unreadable(format!("a request with a lease of `{name}`: {other}")),
    })?;
    audit::record(w, &Act::worker_revoked(name, taken), now);
    Ok(Some(taken))
}

/// Every worker with its sessions, in the order of their names.
pub(crate) async fn list(c: &Connection) -> Result<Vec<WorkerListing>, StoreError> {
    let rows = c.query("SELECT * FROM worker ORDER BY name", Vec::new()).await?;
    let mut sessions = worker_sessions::list(c).await?;
    let listed = rows.iter().map(|row| {
        let RemoteWorker { name, executors, quiet } = worker(row)?;
        Ok(WorkerListing {
            hint: row.get("hint")?,
            executors,
            quiet,
            created_at: row.time("created_at")?,
            revoked_at: row.optional_time("revoked_at")?,
            sessions: sessions.remove(&name).unwrap_or_default(),
            name,
        })
    });
    listed.collect()
}
