//! What an operator does to a running server: accounts, credits, keys, requests, deliveries, its store.
//!
//! One file a resource, with what it takes and answers; [`Administration`] calls them. It listens on the loopback
//! interface only unless told, and takes one token. Address and token stand in `admin.json` of the data directory,
//! which only the server's user can read: who can read it runs the server anyway. No answer holds a secret, except
//! the one that the call has just made.

mod access;
mod accounts;
mod audit;
mod client;
mod deliveries;
mod keys;
mod requests;
mod secrets;
mod upkeep;

pub use access::Access;
pub use accounts::{AccountMade, AccountOrder, GRANT_MAX, GrantMade, GrantOrder};
pub use audit::AuditQuery;
pub use client::{Administration, AdministrationError};
pub use deliveries::{DeliveryQuery, HeldSettled, ReplayOrder};
pub use keys::{KeyMade, KeyOrder};
pub use requests::{Happening, Occurrence, RequestCanceled, RequestDetails, RequestQuery};
pub use secrets::{RotationOrder, SecretMade, SecretTimes, SecretsListing};
pub use upkeep::{BackupMade, BackupOrder};

use crate::api_error::{ApiError, no_such_method, no_such_path};
use crate::credentials;
use crate::refused_tokens::RefusedTokens;
use crate::store::Store;
use axum::extract::{FromRequest, FromRequestParts, Query, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use clipia_api::error_code::ErrorCode;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use std::sync::Arc;
use subtle::ConstantTimeEq;

#[derive(Clone)]
struct Admin {
    store: Arc<dyn Store>,
    refusals: Arc<RefusedTokens>,
    token: Arc<str>,
}

/// The administration over HTTP.
pub(crate) fn router(store: Arc<dyn Store>, refusals: Arc<RefusedTokens>, access: &Access) -> Router {
    let admin = Admin { store, refusals, token: access.token.as_str().into() };
    Router::new()
        .route("/accounts", get(accounts::list).post(accounts::create))
        .route("/accounts/{id}/grants", post(accounts::grant))
        .route(
            "/accounts/{id}/webhook-secrets",
            get(secrets::list).post(secrets::rotate).patch(secrets::replan),
        )
        .route("/keys", get(keys::list).post(keys::create))
        .route("/keys/{id}", delete(keys::revoke))
        .route("/requests", get(requests::list))
        .route("/requests/{id}", get(requests::show))
        .route("/requests/{id}/cancel", post(requests::cancel))
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/replay", post(deliveries::replay_failed))
        .route("/deliveries/resume", post(deliveries::resume))
        .route("/deliveries/abandon", post(deliveries::abandon))
        .route("/deliveries/{id}", get(deliveries::show))
        .route("/deliveries/{id}/replay", post(deliveries::replay))
        .route("/audit", get(audit::list))
        .route("/examination", get(upkeep::examine))
        .route("/backups", post(upkeep::back_up))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(admin.clone(), authorize))
        .with_state(admin)
}

async fn authorize(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let token = credentials::of_headers(request.headers()).unwrap_or_default();
    if bool::from(token.as_bytes().ct_eq(admin.token.as_bytes())) {
        return next.run(request).await;
    }
    admin.refusals.administration();
    ApiError::new(ErrorCode::InvalidApiKey, "the administration's token is needed").into_response()
}

/// The most accounts, keys or requests in one answer.
const LISTED_MAX: u32 = 1_000;

/// Which page of a list to answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PageQuery {
    /// The last of the page before; nothing for the first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// How many at least 1; of more than a thousand, and where nothing is said, a thousand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<NonZeroU32>,
}

impl PageQuery {
    fn limit(&self) -> usize {
        usize::try_from(self.limit.map_or(LISTED_MAX, |limit| limit.get().min(LISTED_MAX)))
            .unwrap_or(usize::MAX)
    }
}

/// The body of a call, in JSON. What is no such order is refused in the form of every refusal.
struct Order<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Order<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Json::from_request(request, state).await {
            Ok(Json(order)) => Ok(Self(order)),
            Err(rejection) => Err(ApiError::invalid(rejection.body_text())),
        }
    }
}

/// The query of a call. What is no such query is refused in the form of every refusal.
struct Asked<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(rejection) => Err(ApiError::invalid(rejection.body_text())),
        }
    }
}
