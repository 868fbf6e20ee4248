//! The authentication and the rate limit of a call.

use super::{App, observe, uploads};
use crate::api_error::{ApiError, whole_seconds};
use crate::credentials;
use crate::store::Key;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use clipia_api::error_code::ErrorCode;
use clipia_queue::limits::Budget;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;
use std::time::Duration;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// The longest time of a call: one minute for the body, and the rest for the store. The store finishes a command that it
/// has begun, also after the call was given up.
const CALL_TIMEOUT: Duration = Duration::from_secs(75);

/// The longest time of the call at a path.
fn timeout_of(path: &str) -> Duration {
    if path == uploads::PATH { uploads::CALL_TIMEOUT } else { CALL_TIMEOUT }
}

/// The key of an authenticated call.
#[derive(Clone)]
pub(crate) struct Caller(pub(crate) Arc<Key>);

/// Runs a call whose key is in force and has budget left. Every response carries the budget.
pub(crate) async fn admit(app: &App, mut request: Request, next: Next) -> Response {
    let mut budget = app.budgets.whole();
    let mut response = match authenticate(app, request.headers()).await {
        Err(error) => error.into_response(),
        Ok(key) => {
            let decision = app.budgets.spend(&key, app.store.clock().real());
            budget = decision.budget;
            observe::key(&key.id);
            match decision.refused_for {
                Some(wait) => {
                    app.metrics.rate_limited.inc();
                    ApiError::new(
                        ErrorCode::RateLimitExceeded,
                        format!(
                            "rate limit reached: {} requests a minute on key {}; next request in {} s",
                            budget.limit,
                            key.hint,
                            whole_seconds(wait)
                        ),
                    )
                    .after(wait)
                    .into_response()
                }
                None => {
                    request.extensions_mut().insert(Caller(key));
                    let time = timeout_of(request.uri().path());
                    let response = tokio::time::timeout(time, next.run(request)).await;
                    response.unwrap_or_else(|_| ApiError::too_slow().into_response())
                }
            }
        }
    };
    insert_budget(response.headers_mut(), budget);
    response
}

/// Checks that a key has the scope `generate`.
///
/// # Errors
/// `insufficient_scope`.
pub(super) fn may_generate(key: &Key) -> Result<(), ApiError> {
    if key.scopes.generate {
        return Ok(());
    }
    let message = format!("the key {} lacks the scope `generate`", key.hint);
    Err(ApiError::new(ErrorCode::InsufficientScope, message))
}

async fn authenticate(app: &App, headers: &HeaderMap) -> Result<Arc<Key>, ApiError> {
    let key = credentials::of_headers(headers).ok_or_else(|| {
        let message = "an API key is needed: send `Authorization: Bearer <key>`";
        ApiError::new(ErrorCode::InvalidApiKey, message)
    })?;
    let found = app.store.key(credentials::hash(key)).await?;
    found.ok_or_else(|| {
        app.refused_tokens.key();
        ApiError::key_refused()
    })
}

fn insert_budget(headers: &mut HeaderMap, budget: Budget) {
    headers.insert(LIMIT, HeaderValue::from(budget.limit));
    headers.insert(REMAINING, HeaderValue::from(budget.remaining));
    headers.insert(RESET, HeaderValue::from(whole_seconds(budget.reset)));
}
