//! Who calls: the worker of a token, and the session of a header.

use super::Remote;
use crate::api_error::{ApiError, no_such_path};
use crate::credentials;
use crate::http::{note_worker, watch};
use crate::store::{RemoteWorker, WorkerSession};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use clipia_api::error_code::ErrorCode;
use clipia_remote::SESSION_HEADER;
use clipia_remote::types::Word;
use http::HeaderMap;
use std::sync::Arc;
use uuid::Uuid;

/// The session of a worker that calls.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) worker: RemoteWorker,
    pub(super) session: WorkerSession,
    token: Token,
}

/// The hash of a worker's token.
#[derive(Clone)]
struct Token(crate::store::KeyHash);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Caller {
    /// What the operator says to the worker.
    pub(super) fn word(&self) -> Word {
        if self.worker.quiet { Word::Quiet } else { Word::Work }
    }

    /// Asks again what the token is, in a call that lasts.
    ///
    /// # Errors
    /// `invalid_api_key` if the token was revoked.
    pub(super) async fn look_again(&mut self, remote: &Remote) -> Result<(), ApiError> {
        let worker = remote.store.worker(&self.token.0).await?;
        self.worker = worker.ok_or_else(refused)?;
        Ok(())
    }
}

/// Runs a call of a worker that may call.
pub(super) async fn authorize(
    State(remote): State<Arc<Remote>>,
    mut request: Request,
    next: Next,
) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("none", MatchedPath::as_str).to_owned();
    let metrics = Arc::clone(&remote.metrics);
    let call = |request: Request| async move {
        match caller(&remote, request.headers()).await {
            Ok(caller) => {
                note_worker(&caller.session.worker);
                request_with(request, caller, next).await
            }
            Err(Refused::NoWorkers) => no_such_path().await.into_response(),
            Err(Refused::Call(error)) => error.into_response(),
        }
    };
    request.extensions_mut().remove::<Caller>();
    watch(&metrics, &route, request, call).await
}

async fn request_with(mut request: Request, caller: Caller, next: Next) -> Response {
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// Why a call is not let in.
enum Refused {
    /// There is no worker, and so nothing at this path.
    NoWorkers,
    Call(ApiError),
}

impl<E: Into<ApiError>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Call(error.into())
    }
}

async fn caller(remote: &Remote, headers: &HeaderMap) -> Result<Caller, Refused> {
    if !remote.store.has_workers().await? {
        return Err(Refused::NoWorkers);
    }
    let token = credentials::of_headers(headers).ok_or_else(|| {
        ApiError::new(
            ErrorCode::InvalidApiKey,
            "a worker's token is needed: send `Authorization: Bearer <token>`",
        )
    })?;
    let token = credentials::hash(token);
    let worker = remote.store.worker(&token).await?;
    let worker = worker.ok_or_else(|| {
        remote.refused_tokens.key();
        refused()
    })?;
    let session = headers.get(SESSION_HEADER).and_then(|value| Uuid::try_parse(value.to_str().ok()?).ok());
    let session = session.ok_or_else(|| {
        ApiError::invalid("a call needs `Clipia-Session`, a UUID that the process has chosen when it started")
    })?;
    let session = WorkerSession { worker: worker.name.clone(), session };
    Ok(Caller { worker, session, token: Token(token) })
}

/// The error of a token that is not in force.
fn refused() -> ApiError {
    let message = "this worker's token is not in force: it is wrong or was revoked";
    ApiError::new(ErrorCode::InvalidApiKey, message)
}
