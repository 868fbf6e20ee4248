//! Workers on other machines: the calls of `spec/workers.yaml`, on the listener of the API.
//!
//! A session claims requests, beats, fetches the files of inputs, sends the files of outputs in pieces, and reports the end of each
//! attempt. Each call stands in a file of its own. The store decides what is in force; this process keeps only what it may lose.
//! The files of an attempt are at `remote/{request}-{epoch}` below the data directory until the attempt ends.

mod attempts;
mod authorization;
mod beat;
mod claim;
mod ends;
mod files;
mod inputs;
mod order;
mod piece;
mod sessions;
mod staging;
mod sweeper;

pub(crate) use sweeper::AttemptSweeper;

use crate::api_error::{ApiError, no_such_method, no_such_path};
use crate::blocking;
use crate::executors::Inputs;
use crate::media::MediaStore;
use crate::metrics::Metrics;
use crate::refused_tokens::RefusedTokens;
use crate::served_models::ServedModels;
use crate::store::{AccountId, NodeId, Store};
use crate::store_line::StoreLine;
use attempts::Attempts;
use authorization::Caller;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, any, get, post, put};
use clipia_api::RequestId;
use clipia_api::error_code::ErrorCode;
use clipia_queue::Failure;
use clipia_queue::lifecycle::Epoch;
use clipia_queue::logs::{BYTES_MAX, LINES_MAX, LogLines, bytes_of};
use clipia_remote::Operation;
use clipia_remote::types::LoggedLines;
use clipia_worker::work::{AttemptId, SharedSlots};
use sessions::Sessions;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The directory of the attempts' files, below the data directory.
const DIRECTORY: &str = "remote";

/// The claims that are held open at once: a quarter of the connections of the API.
const OPEN_CLAIMS: usize = 1_024;

/// The files of inputs that are fetched at once for sessions.
const FETCHES: usize = 32;

/// The path of what is no call.
const NO_CALL: &str = "/worker/v1/{*call}";

/// A queue whose requests sessions claim.
pub(crate) struct Queue {
    pub(crate) line: Arc<StoreLine>,
    /// The most bytes of all files of one output.
    pub(crate) output_bytes_max: u64,
}

/// What the calls of sessions need.
pub(crate) struct Remote {
    store: Arc<dyn Store>,
    node: NodeId,
    catalogue: Arc<ServedModels>,
    /// The queues by the names of their executors.
    queues: BTreeMap<String, Queue>,
    media: MediaStore,
    metrics: Arc<Metrics>,
    refused_tokens: Arc<RefusedTokens>,
    inputs: Arc<dyn Inputs>,
    /// The directory of the attempts' files.
    staging: PathBuf,
    /// Canceled when the server takes no more work.
    drain: CancellationToken,
    /// What outlives a call.
    tasks: TaskTracker,
    sessions: Sessions,
    attempts: Attempts,
    open_claims: Semaphore,
    /// The slots of pieces that are being received.
    pieces: Semaphore,
    /// The slots of files that are being fetched.
    fetches: Arc<SharedSlots<AccountId>>,
}

/// The parts of a server that its [`Remote`] is made of.
pub(crate) struct Parts<'p> {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) node: NodeId,
    pub(crate) catalogue: Arc<ServedModels>,
    pub(crate) queues: BTreeMap<String, Queue>,
    pub(crate) media: MediaStore,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) refused_tokens: Arc<RefusedTokens>,
    pub(crate) inputs: Arc<dyn Inputs>,
    /// The data directory.
    pub(crate) data: &'p Path,
    pub(crate) drain: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Remote {
    pub(crate) fn new(parts: Parts<'_>) -> Arc<Self> {
        let Parts { store, node, catalogue, queues, media, metrics, refused_tokens, inputs, .. } = parts;
        let fetches = SharedSlots::new(FETCHES, metrics.fetches.clone(), metrics.fetches_waiting.clone());
        Arc::new(Self {
            store,
            node,
            catalogue,
            queues,
            media,
            metrics,
            refused_tokens,
            inputs,
            staging: parts.data.join(DIRECTORY),
            drain: parts.drain,
            tasks: parts.tasks,
            sessions: Sessions::default(),
            attempts: Attempts::default(),
            open_claims: Semaphore::new(OPEN_CLAIMS),
            pieces: Semaphore::new(files::AT_ONCE),
            fetches,
        })
    }

    /// The queue of an executor that the caller may be.
    ///
    /// # Errors
    /// `not_found` if the server has no such executor, `insufficient_scope` if the worker may not be it.
    fn queue_of(&self, caller: &Caller, executor: &str) -> Result<&Queue, ApiError> {
        let queue = self.queues.get(executor).ok_or_else(|| {
            ApiError::new(ErrorCode::NotFound, format!("the server has no executor `{executor}`"))
        })?;
        if caller.worker.executors.iter().any(|may| may == executor) {
            return Ok(queue);
        }
        let message = format!("the worker `{}` may not be the executor `{executor}`", caller.worker.name);
        Err(ApiError::new(ErrorCode::InsufficientScope, message))
    }

    /// Removes a directory of files in the background.
    fn remove(&self, directory: PathBuf) {
        // Most attempts have none, which is seen sooner than a task begins.
        if fs::symlink_metadata(&directory).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return;
        }
        self.tasks.spawn(async move {
            let removing = blocking::run(move || {
                let removed = match fs::symlink_metadata(&directory) {
                    Ok(found) if found.is_dir() => fs::remove_dir_all(&directory),
                    Ok(_) => fs::remove_file(&directory),
                    Err(error) => Err(error),
                };
                match removed {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        tracing::warn!(%error, path = %directory.display(), "cannot remove the files of an attempt");
                    }
                    _ => {}
                }
            });
            // The sweeper removes what is left.
            let _ = removing.await;
        });
    }
}

/// The routes of all calls of sessions.
pub(crate) fn router(remote: Arc<Remote>) -> Router {
    let route = |router: Router<Arc<Remote>>, operation: &Operation| {
        router.route(operation.path(), handler(*operation))
    };
    Operation::ALL
        .iter()
        .fold(Router::new(), route)
        .route(NO_CALL, any(no_such_path))
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(Arc::clone(&remote), authorization::authorize))
        .with_state(remote)
}

/// What answers a call. There is a route for each call of the document and for no other.
fn handler(operation: Operation) -> MethodRouter<Arc<Remote>> {
    match operation {
        Operation::Claim => post(claim::claim),
        Operation::Beat => post(beat::beat),
        Operation::GetInput => get(inputs::get),
        Operation::PutPiece => put(files::put),
        Operation::Complete => post(ends::complete),
        Operation::Fail => post(ends::fail),
        Operation::Lose => post(ends::lose),
        Operation::Release => post(ends::release),
    }
}

/// The attempt that an order names.
///
/// # Errors
/// `not_found`.
fn attempt_named(request: &RequestId, epoch: i64) -> Result<AttemptId, ApiError> {
    let id = request.as_str().parse().map_err(|_| no_such_attempt())?;
    Ok(AttemptId { id, epoch: Epoch(epoch) })
}

/// The attempt that a path names.
///
/// # Errors
/// `not_found`.
fn attempt_of(request: &str, epoch: &str) -> Result<AttemptId, ApiError> {
    attempt_named(&request.into(), epoch.parse().map_err(|_| no_such_attempt())?)
}

fn no_such_attempt() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "there is no such request, or no such claim")
}

/// The failure of a request whose model is no longer offered.
fn no_longer_offered(model: &str) -> Failure {
    Failure::generation(format!("the model `{model}` is no longer offered"))
}

/// The lines of a report.
///
/// # Errors
/// `invalid_request` if there are too many.
fn lines(logged: Option<LoggedLines>) -> Result<LogLines, ApiError> {
    let Some(LoggedLines { offset, lines }) = logged else { return Ok(LogLines::default()) };
    let bytes: usize = lines.iter().map(|line| bytes_of(line)).sum();
    if lines.len() > LINES_MAX || bytes > BYTES_MAX {
        let most = BYTES_MAX / 1024;
        return Err(ApiError::invalid(format!(
            "a report has {LINES_MAX} log lines and {most} KiB of them at most"
        )));
    }
    Ok(LogLines { offset, lines: lines.into() })
}
