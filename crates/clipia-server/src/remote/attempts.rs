//! The attempts of sessions, as this process has heard of them.
//!
//! The store decides whether a lease is in force. What is here only spares it questions: the session of a claim never changes, so
//! it is asked for it once, and the reports of the session are fenced by the epoch.

use super::authorization::Caller;
use super::inputs::FetchedInputs;
use super::staging::StagedFiles;
use super::{Remote, no_longer_offered};
use crate::api_error::ApiError;
use crate::store::{Claim, Failure, HeldAttempt, WorkerSession};
use crate::store_line::StoreLine;
use clipia_api::error_code::ErrorCode;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Epoch;
use clipia_worker::work::{AttemptId, End, Line};
use std::any::Any;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// For how long a lease counts as in force after the store said so, for calls that change nothing of the request. The end of the
/// attempt is decided by the store alone.
const IN_FORCE: Duration = Duration::from_secs(2);

/// An attempt of a session.
pub(super) struct Attempt {
    pub(super) id: AttemptId,
    pub(super) session: WorkerSession,
    pub(super) claim: Claim,
    /// The line of its queue.
    pub(super) line: Arc<StoreLine>,
    /// Canceled when it has ended, or its lease was lost.
    pub(super) ended: CancellationToken,
    /// The directory of its files.
    pub(super) directory: PathBuf,
    /// The most bytes of its output.
    bytes_max: u64,
    files: OnceCell<StagedFiles>,
    pub(super) inputs: FetchedInputs,
    /// Held while an end of it is reported.
    pub(super) ending: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

struct State {
    /// When the store said last that the lease is in force.
    in_force: Instant,
    /// When the attempt began.
    began: Instant,
    /// What counts it as running; none while its inputs are being fetched.
    running: Option<Box<dyn Any + Send + Sync>>,
}

impl Attempt {
    /// The files of its output.
    ///
    /// # Errors
    /// If their directory cannot be made.
    pub(super) async fn files(&self) -> io::Result<&StagedFiles> {
        self.files.get_or_try_init(|| StagedFiles::open(self.directory.clone(), self.bytes_max)).await
    }

    /// Whether the lease was in force a moment ago, and this process has not heard that it is not any more.
    pub(super) fn seems_in_force(&self) -> bool {
        !self.ended.is_cancelled() && self.state().in_force.elapsed() < IN_FORCE
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the store has prolonged the lease, of an attempt that has begun or is being prepared.
    pub(super) fn prolonged(&self, preparing: bool) {
        let mut state = self.state();
        state.in_force = Instant::now();
        if preparing {
            state.running = None;
            state.began = state.in_force;
        } else if state.running.is_none() {
            state.running = Some(self.line.began());
        }
    }

    /// Counts its end, which the store has recorded.
    pub(super) fn counted(&self, end: &End) -> Duration {
        let mut state = self.state();
        state.running = None;
        let after = state.began.elapsed();
        self.line.ended(&self.claim.model, end, after);
        after
    }

    /// The error of a report for this attempt whose lease is not in force.
    pub(super) fn lost(&self) -> ApiError {
        not_in_force(self.id)
    }
}

/// The error of a report whose lease is not in force.
pub(super) fn not_in_force(AttemptId { id, epoch }: AttemptId) -> ApiError {
    let message = format!("claim {} of request {id} is not in force, or is another session's", epoch.0);
    ApiError::new(ErrorCode::RequestInProgress, message)
}

/// The attempts of sessions that this process has heard of.
#[derive(Default)]
pub(super) struct Attempts(Mutex<HashMap<AttemptId, Arc<Attempt>>>);

impl Attempts {
    fn known(&self) -> MutexGuard<'_, HashMap<AttemptId, Arc<Attempt>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, id: AttemptId) -> Option<Arc<Attempt>> {
        self.known().get(&id).cloned()
    }

    pub(super) fn ids(&self) -> Vec<AttemptId> {
        self.known().keys().copied().collect()
    }
}

/// What the store says of an attempt that a session asks for.
pub(super) enum Found {
    /// Its lease is in force.
    InForce(Arc<Attempt>),
    /// It has ended so.
    Ended(clipia_queue::leases::AttemptEnd),
    /// It is another session's, or never was.
    Others,
}

impl Remote {
    /// The attempt of a claim. It is known from here on.
    ///
    /// # Errors
    /// The reason why the model cannot be made here any more, if so.
    pub(super) fn enter(&self, session: &WorkerSession, claim: Claim) -> Result<Arc<Attempt>, Failure> {
        let id = AttemptId { id: claim.id, epoch: claim.epoch };
        let mut known = self.attempts.known();
        if let Some(known) = known.get(&id) {
            return Ok(Arc::clone(known));
        }
        let entry = self.catalogue.get(&claim.model);
        let queue = entry
            .and_then(|entry| self.queues.get(&entry.executor))
            .ok_or_else(|| no_longer_offered(&claim.model))?;
        let now = Instant::now();
        let attempt = Arc::new(Attempt {
            id,
            session: session.clone(),
            claim,
            line: Arc::clone(&queue.line),
            ended: CancellationToken::new(),
            directory: self.staging.join(directory_name(id)),
            bytes_max: queue.output_bytes_max,
            files: OnceCell::new(),
            inputs: FetchedInputs::default(),
            ending: tokio::sync::Mutex::default(),
            state: Mutex::new(State { in_force: now, began: now, running: Some(queue.line.began()) }),
        });
        known.insert(id, Arc::clone(&attempt));
        Ok(attempt)
    }

    /// Forgets an attempt whose lease is not in force any more, and removes its files.
    pub(super) fn forget(&self, id: AttemptId) {
        let known = self.attempts.known().remove(&id);
        let directory = match known {
            Some(attempt) => {
                attempt.ended.cancel();
                attempt.state().running = None;
                attempt.directory.clone()
            }
            None => self.staging.join(directory_name(id)),
        };
        self.remove(directory);
    }

    /// What the store says of the caller's attempt.
    ///
    /// # Errors
    /// If the store fails.
    pub(super) async fn find(&self, caller: &Caller, id: AttemptId) -> Result<Found, ApiError> {
        let Some(held) = self.store.attempt_of_session(id.id, id.epoch).await? else {
            return Ok(Found::Others);
        };
        let HeldAttempt { session, ended, claim } = held;
        if session != caller.session {
            return Ok(Found::Others);
        }
        match (claim, ended) {
            (Some(claim), None) => match self.enter(&session, claim) {
                Ok(attempt) => {
                    attempt.state().in_force = Instant::now();
                    Ok(Found::InForce(attempt))
                }
                Err(failure) => {
                    self.store
                        .fail(id.id, id.epoch, failure)
                        .await
                        .map_err(|error| ApiError::internal(&error))?;
                    Ok(Found::Others)
                }
            },
            (_, Some(end)) => {
                self.forget(id);
                Ok(Found::Ended(end))
            }
            (None, None) => Ok(Found::Others),
        }
    }

    /// The caller's attempt whose lease is in force, as far as was known a moment ago.
    ///
    /// # Errors
    /// `request_in_progress` if it is not in force, or is another session's.
    pub(super) async fn in_force(&self, caller: &Caller, id: AttemptId) -> Result<Arc<Attempt>, ApiError> {
        if let Some(known) = self.attempts.get(id) {
            if known.session != caller.session {
                return Err(not_in_force(id));
            }
            if known.seems_in_force() {
                return Ok(known);
            }
        }
        match self.find(caller, id).await? {
            Found::InForce(attempt) => Ok(attempt),
            Found::Ended(_) | Found::Others => Err(not_in_force(id)),
        }
    }

    /// The caller's attempt, whose lease may have been lost since: for a report that the store fences.
    ///
    /// # Errors
    /// If the store fails.
    pub(super) async fn held(
        &self,
        caller: &Caller,
        id: AttemptId,
    ) -> Result<Option<Arc<Attempt>>, ApiError> {
        if let Some(known) = self.attempts.get(id) {
            return Ok((known.session == caller.session).then_some(known));
        }
        match self.find(caller, id).await? {
            Found::InForce(attempt) => Ok(Some(attempt)),
            Found::Ended(_) | Found::Others => Ok(None),
        }
    }
}

/// The name of an attempt's directory.
pub(super) fn directory_name(AttemptId { id, epoch }: AttemptId) -> String {
    format!("{id}-{}", epoch.0)
}

/// The attempt of a directory; none for a name that no attempt has.
pub(super) fn of_directory(name: &str) -> Option<AttemptId> {
    let (id, epoch) = name.rsplit_once('-')?;
    let found = AttemptId { id: id.parse::<RequestId>().ok()?, epoch: Epoch(epoch.parse().ok()?) };
    (directory_name(found) == name).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_names_its_attempt() {
        let id = AttemptId { id: RequestId::generate(), epoch: Epoch(7) };
        assert_eq!(of_directory(&directory_name(id)), Some(id));
        for name in ["", "-", "x-7", &format!("{}", id.id), &format!("{}-07", id.id), &format!("{}-x", id.id)]
        {
            assert_eq!(of_directory(name), None, "{name}");
        }
    }
}
