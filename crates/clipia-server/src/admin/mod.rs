//! What an operator does to a running server: accounts, credits, keys, requests, queues, workers on other machines, deliveries, its
//! store.
//!
//! One file a resource. The orders, queries and responses are those of `clipia-admin`, generated from
//! `spec/administration.yaml`; the records of the store become responses here and nowhere else. The administration listens on
//! the loopback interface by default, and accepts one token. Address and token stand in `admin.json` of the data
//! directory, which only the server's user can read: who can read it runs the server anyway. No response holds a secret,
//! except the one that the call has just made.

pub(crate) mod access;
pub(crate) mod accounts;
mod audit;
pub(crate) mod deliveries;
pub(crate) mod keys;
mod log_level;
mod logs;
pub(crate) mod queues;
pub(crate) mod requests;
mod secrets;
mod tickets;
pub(crate) mod upkeep;
pub(crate) mod workers;

pub(crate) use accounts::GRANT_MAX;

use crate::api_error::{ApiError, no_such_method, no_such_path};
use crate::credentials;
use crate::dashboard::Gate;
use crate::log::LogWriter;
use crate::queues::Queues;
use crate::refused_tokens::RefusedTokens;
use crate::store::Store;
use axum::extract::{FromRequest, FromRequestParts, Query, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use axum::{Json, Router};
use clipia_admin::{Access, Operation};
use clipia_api::error_code::ErrorCode;
use clipia_worker::work::Pause;
use http::request::Parts;
use serde::de::DeserializeOwned;
use std::num::NonZeroU32;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// What the calls need. The dashboard does what they do by the same functions.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) queues: Queues,
    refusals: Arc<RefusedTokens>,
    token: Arc<str>,
    /// The pauses of the executors.
    pub(crate) pauses: Arc<[Arc<Pause>]>,
    /// Who may look at the dashboard; none where there is no dashboard.
    gate: Option<Arc<Gate>>,
    /// The log, whose level a call changes; none where the program keeps it to itself.
    log: Option<LogWriter>,
}

impl Admin {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        queues: Queues,
        refusals: Arc<RefusedTokens>,
        access: &Access,
        pauses: Vec<Arc<Pause>>,
        gate: Option<Arc<Gate>>,
        log: Option<LogWriter>,
    ) -> Self {
        let (token, pauses) = (access.token.reveal().into(), pauses.into());
        Self { store, queues, refusals, token, pauses, gate, log }
    }
}

/// The administration over HTTP.
pub(crate) fn router(admin: Admin) -> Router {
    let route =
        |router: Router<Admin>, operation: &Operation| router.route(operation.path(), handler(*operation));
    Operation::ALL
        .iter()
        .fold(Router::new(), route)
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(admin.clone(), authorize))
        .with_state(admin)
}

/// What answers a call. There is a route for each call of the document and for no other.
fn handler(operation: Operation) -> MethodRouter<Admin> {
    match operation {
        Operation::ListAccounts => get(accounts::list),
        Operation::CreateAccount => post(accounts::create),
        Operation::GrantCredits => post(accounts::grant),
        Operation::WithdrawCredits => post(accounts::withdraw),
        Operation::ListWebhookSecrets => get(secrets::list),
        Operation::RotateWebhookSecret => post(secrets::rotate),
        Operation::ReplanRotation => patch(secrets::replan),
        Operation::ListKeys => get(keys::list),
        Operation::CreateKey => post(keys::create),
        Operation::RevokeKey => delete(keys::revoke),
        Operation::ListRequests => get(requests::list),
        Operation::GetRequest => get(requests::show),
        Operation::ListLogLines => get(logs::list),
        Operation::CancelRequest => post(requests::cancel),
        Operation::ListQueues => get(queues::list),
        Operation::PauseQueue => post(queues::pause),
        Operation::ResumeQueue => post(queues::resume),
        Operation::ListWorkers => get(workers::list),
        Operation::CreateWorker => post(workers::create),
        Operation::RevokeWorker => delete(workers::revoke),
        Operation::QuietWorker => post(workers::quiet),
        Operation::ResumeWorker => post(workers::resume),
        Operation::ListDeliveries => get(deliveries::list),
        Operation::GetDelivery => get(deliveries::show),
        Operation::ReplayDelivery => post(deliveries::replay),
        Operation::ReplayFailedDeliveries => post(deliveries::replay_failed),
        Operation::ResumeDeliveries => post(deliveries::resume),
        Operation::AbandonDeliveries => post(deliveries::abandon),
        Operation::CreateTicket => post(tickets::create),
        Operation::ListAudit => get(audit::list),
        Operation::SetLogLevel => put(log_level::set),
        Operation::Examine => get(upkeep::examine),
        Operation::BackUp => post(upkeep::back_up),
    }
}

async fn authorize(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let token = credentials::of_headers(request.headers()).unwrap_or_default();
    if bool::from(token.as_bytes().ct_eq(admin.token.as_bytes())) {
        return next.run(request).await;
    }
    admin.refusals.administration();
    ApiError::new(ErrorCode::InvalidApiKey, "the administration's token is needed").into_response()
}

/// The most accounts, keys or requests in one response.
const LISTED_MAX: u32 = 1_000;

/// How many accounts or keys a page has at most.
fn page_limit(asked: Option<NonZeroU32>) -> usize {
    usize::try_from(asked.map_or(LISTED_MAX, |limit| limit.get().min(LISTED_MAX))).unwrap_or(usize::MAX)
}

/// The body of a call, in JSON. What is no such order is refused in the form of every refusal.
pub(crate) struct Order<T>(pub(crate) T);

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
