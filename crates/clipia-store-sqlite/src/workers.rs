//! Workers on other machines: their tokens, and what an operator does to them.

use super::rows::{from_json, moment, to_json};
use super::writing::Writing;
use super::{audit, work, worker_sessions};
use crate::clock::{both, timestamp, wall_at};
use crate::store::{KeyHash, NewWorker, RemoteWorker, StoreError, WorkRefused, WorkerListing, WorkerRefused};
use clipia_queue::audit::Act;
use clipia_queue::{Moment, RequestId, workers as rules};
use rusqlite::{Connection, Row, params};
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// The workers whose tokens are in force, in memory: each call of a worker asks for one. An operator makes each, so that they are few.
pub(crate) struct WorkersInForce(RwLock<Known>);

struct Known {
    /// By the hashes of their tokens.
    by_hash: HashMap<[u8; 32], RemoteWorker>,
    /// Whether there is or was any worker.
    any: bool,
}

/// What a commit changes of the workers in force.
pub(crate) enum WorkerChange {
    /// A worker is in force, as it is now.
    InForce(KeyHash, RemoteWorker),
    /// A worker was revoked.
    Revoked(KeyHash),
}

impl WorkersInForce {
    /// The workers of a store.
    pub(crate) fn load(c: &Connection) -> Result<Self, StoreError> {
        let mut statement = c.prepare("SELECT * FROM worker")?;
        let mut rows = statement.query([])?;
        let mut known = Known { by_hash: HashMap::new(), any: false };
        while let Some(row) = rows.next()? {
            known.any = true;
            if row.get::<_, Option<i64>>("revoked_at")?.is_none() {
                known.by_hash.insert(row.get("hash")?, worker(row)?);
            }
        }
        Ok(Self(RwLock::new(known)))
    }

    /// The worker of a token.
    pub(crate) fn find(&self, KeyHash(token): &KeyHash) -> Option<RemoteWorker> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).by_hash.get(token).cloned()
    }

    /// Whether there is or was any worker.
    pub(crate) fn any(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).any
    }

    /// Changes what a commit has changed.
    pub(crate) fn apply(&self, changes: Vec<WorkerChange>) {
        if changes.is_empty() {
            return;
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.any = true;
        for change in changes {
            match change {
                WorkerChange::InForce(KeyHash(hash), worker) => drop(known.by_hash.insert(hash, worker)),
                WorkerChange::Revoked(KeyHash(hash)) => drop(known.by_hash.remove(&hash)),
            }
        }
    }
}

/// The columns `name`, `executors`, `quiet`.
fn worker(row: &Row<'_>) -> Result<RemoteWorker, StoreError> {
    let executors = row.get_ref("executors")?.as_str().map_err(rusqlite::Error::from)?;
    Ok(RemoteWorker { name: row.get("name")?, executors: from_json(executors)?, quiet: row.get("quiet")? })
}

pub(crate) fn create(w: &Writing<'_>, new: NewWorker, now: Moment) -> Result<(), WorkerRefused> {
    let NewWorker { name, hash, hint, executors } = new;
    let created = w
        .prepare_cached(
            "INSERT INTO worker (name, hash, hint, executors, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (name) DO NOTHING",
        )
        .map_err(StoreError::from)?
        .execute(params![name, hash.0, hint, to_json(&executors)?, wall_at(now).as_micros()])
        .map_err(StoreError::from)?;
    if created == 0 {
        return Err(WorkerRefused::NameTaken(name));
    }
    audit::record(w, &Act::worker_created(&name, &executors), now).map_err(StoreError::from)?;
    w.worker_changed(WorkerChange::InForce(hash, RemoteWorker { name, executors, quiet: false }));
    Ok(())
}

/// The worker of this name whose token is in force, and the hash of the token.
fn in_force(w: &Writing<'_>, name: &str) -> Result<Option<(KeyHash, RemoteWorker)>, StoreError> {
    let mut statement = w.prepare_cached("SELECT * FROM worker WHERE name = ?1 AND revoked_at IS NULL")?;
    let mut rows = statement.query([name])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some((KeyHash(row.get("hash")?), worker(row)?)))
}

/// Whether a worker may claim. The call was admitted before; an operator may have revoked the worker or made it quiet meanwhile.
pub(crate) fn may_claim(c: &Connection, name: &str) -> Result<bool, StoreError> {
    let mut statement =
        c.prepare_cached("SELECT 1 FROM worker WHERE name = ?1 AND revoked_at IS NULL AND quiet = 0")?;
    Ok(statement.exists([name])?)
}

/// Makes a worker quiet, or has it claim again. False where no worker of this name is in force.
pub(crate) fn set_quiet(w: &Writing<'_>, name: &str, quiet: bool, now: Moment) -> Result<bool, StoreError> {
    let Some((hash, worker)) = in_force(w, name)? else { return Ok(false) };
    let Some(act) = rules::set_quiet(name, worker.quiet, quiet) else { return Ok(true) };
    w.prepare_cached("UPDATE worker SET quiet = ?2 WHERE name = ?1")?.execute(params![name, quiet])?;
    audit::record(w, &act, now)?;
    if !quiet {
        worker.executors.iter().for_each(|queue| w.work_submitted(queue));
    }
    w.worker_changed(WorkerChange::InForce(hash, RemoteWorker { quiet, ..worker }));
    Ok(true)
}

/// Revokes a worker, and takes its requests back. Returns how many it had; nothing where no worker of this name is in force.
pub(crate) fn revoke(w: &Writing<'_>, name: &str, now: Moment) -> Result<Option<u64>, StoreError> {
    let Some((hash, _)) = in_force(w, name)? else { return Ok(None) };
    w.prepare_cached("UPDATE worker SET revoked_at = ?2 WHERE name = ?1")?
        .execute(params![name, wall_at(now).as_micros()])?;
    w.worker_changed(WorkerChange::Revoked(hash));
    let leases: Vec<RequestId> = w
        .prepare_cached(
            "SELECT request FROM lease WHERE worker = ?1 AND session IS NOT NULL ORDER BY request",
        )?
        .query_map([name], |row| row.get(0).map(RequestId))?
        .collect::<Result<_, _>>()?;
    for id in &leases {
        work::lease_lost(w, *id, both(now)).map_err(|refused| match refused {
            WorkRefused::Store(error) => error,
            other => StoreError::Unreadable(format!("request {id} with a lease: {other}")),
        })?;
    }
    let leases = leases.len() as u64;
    audit::record(w, &Act::worker_revoked(name, leases), now)?;
    Ok(Some(leases))
}

/// Every worker with its sessions, in the order of their names.
pub(crate) fn list(c: &Connection) -> Result<Vec<WorkerListing>, StoreError> {
    let mut statement = c.prepare_cached("SELECT * FROM worker ORDER BY name")?;
    let mut rows = statement.query([])?;
    let mut listed = Vec::new();
    while let Some(row) = rows.next()? {
        let RemoteWorker { name, executors, quiet } = worker(row)?;
        let revoked_at: Option<i64> = row.get("revoked_at")?;
        listed.push(WorkerListing {
            hint: row.get("hint")?,
            executors,
            quiet,
            created_at: timestamp(moment(row.get("created_at")?)),
            revoked_at: revoked_at.map(moment).map(timestamp),
            sessions: worker_sessions::list(c, &name)?,
            name,
        });
    }
    Ok(listed)
}
