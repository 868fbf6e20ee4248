//! The routes below `/_emulator`, by which a test drives the emulator. Bodies and responses are JSON.
//!
//! | call | what it does |
//! |---|---|
//! | `GET /_emulator/journal?operation=&key=&since=&form=steady` | `{"calls": […]}`: what callers called, and what they got ([`ListedCall`](crate::journal::ListedCall)). `key` is a whole key; `since` a number |
//! | `DELETE /_emulator/journal` | forgets the calls |
//! | `GET /_emulator/findings` | `{"findings": […]}`: what callers and receivers did wrong ([`Finding`](crate::Finding)) |
//! | `GET /_emulator/faults` | `{"faults": […]}`: the rules, each with `number`, `seen` and `applied` |
//! | `POST /_emulator/faults` | adds a rule: `{"fault": "status 503 x5"}`, or `{"operation": "status", "what": "503", "times": 5}`. Returns `{"number": 1}` |
//! | `DELETE /_emulator/faults`, `DELETE /_emulator/faults/{number}` | removes the rules that were added, or one |
//! | `GET /_emulator/scripts` | `{"scripts": […]}`: the rules, each with `number` and `used` |
//! | `POST /_emulator/scripts` | adds a rule: `{"model": "nano-banana-2", "prompt": "^a red", "times": 2, "words": "@fail"}`. Returns `{"number": 1}` |
//! | `DELETE /_emulator/scripts/{number}` | removes a rule |
//! | `POST /_emulator/reset` | all is as at the start |
//! | `GET /_emulator/clock` | the clock ([`Control::clock`]) |
//! | `POST /_emulator/clock` | `{"advance": "10m"}`: the clock goes on; returns once all that fell due is done ([`Control::advance`]) |
//! | `POST /_emulator/accounts/{key}` | `{"credits": 5}`: the account of the key has so many credits |
//! | `POST /_emulator/requests/{request_id}` | `{"finish": "failed"}`, or `completed` or `canceled`: the request ends now |
//! | `GET /_emulator/deliveries` | `{"deliveries": […]}` ([`Control::deliveries`]) |
//! | `POST /_emulator/deliveries/{id}` | `{"send": "again"}`, or `forged` or `stale`: the delivery is sent once more |
//!
//! A mistake is 400, and what is not there 404, with `{"error": {"type", "code", "message"}}` as in the API.

mod extract;
#[cfg(test)]
mod tests;

use crate::emulation::Emulation;
use crate::journal::{Filter, Form};
use crate::scenario::CREDITS_MAX;
use crate::{CallerKey, FaultRule, Operation, ScriptRule, duration};
use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use clipia_api::error_code::ErrorCode;
use clipia_queue::RequestId;
use clipia_server::ApiError;
use extract::{FromPath, Sent};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// What the control drives beside the layer: the clock, the accounts, the requests and the deliveries.
///
/// Values are returned to the caller as they are.
#[async_trait]
pub trait Control: Send + Sync {
    /// The clock: how it runs, and its time.
    async fn clock(&self) -> Value;

    /// Moves the clock, and returns once all that fell due meanwhile is done: what happened, in its order.
    ///
    /// # Errors
    /// Where the clock cannot be moved.
    async fn advance(&self, by: Duration) -> Result<Value, ControlError>;

    /// Sets the credits of the account of a key.
    ///
    /// # Errors
    /// Where there can be no such account.
    async fn set_credits(&self, key: &CallerKey, credits: u64) -> Result<(), ControlError>;

    /// Ends a request.
    ///
    /// # Errors
    /// Where there is no such request, or it has ended.
    async fn finish(&self, request: RequestId, finish: Finish) -> Result<(), ControlError>;

    /// The deliveries, each with its `id`.
    ///
    /// # Errors
    /// Where they cannot be read.
    async fn deliveries(&self) -> Result<Vec<Value>, ControlError>;

    /// Sends a delivery once more, and returns the response of its receiver.
    ///
    /// # Errors
    /// Where there is no such delivery.
    async fn send(&self, delivery: &str, send: Resend) -> Result<Value, ControlError>;

    /// Sets what it drives to what it was at the start.
    ///
    /// # Errors
    /// Where that is not possible.
    async fn reset(&self) -> Result<(), ControlError>;
}

/// How a request is ended by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// COMPLETED.
    Completed,
    /// FAILED.
    Failed,
    /// CANCELED.
    Canceled,
}

/// How a delivery is sent once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resend {
    /// As it was.
    Again,
    /// With another secret.
    Forged,
    /// Signed ten minutes ago.
    Stale,
}

/// Why something could not be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// What was named is not there.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It cannot be done, with the reason and what to do.
    #[error("{0}")]
    Impossible(String),
    /// The emulator failed.
    #[error("the emulator failed: {0}")]
    Failed(String),
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let code = match self {
            Self::NotFound(_) => ErrorCode::NotFound,
            Self::Impossible(_) => ErrorCode::InvalidRequest,
            Self::Failed(_) => ErrorCode::InternalError,
        };
        ApiError::new(code, self.to_string()).into_response()
    }
}

/// What the routes need.
#[derive(Clone)]
struct Driven {
    emulation: Arc<Emulation>,
    control: Arc<dyn Control>,
}

/// The routes below `/_emulator`.
pub fn router(emulation: Arc<Emulation>, control: Arc<dyn Control>) -> Router {
    let routes = Router::new()
        .route("/journal", get(journal).delete(clear_journal))
        .route("/findings", get(findings))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/faults/{number}", delete(remove_fault))
        .route("/scripts", get(scripts).post(add_script))
        .route("/scripts/{number}", delete(remove_script))
        .route("/reset", post(reset))
        .route("/clock", get(clock).post(move_clock))
        .route("/accounts/{key}", post(set_credits))
        .route("/requests/{request_id}", post(finish))
        .route("/deliveries", get(deliveries))
        .route("/deliveries/{id}", post(send))
        .fallback(async || ControlError::NotFound("path of the emulator"))
        .with_state(Driven { emulation, control });
    Router::new().nest("/_emulator", routes)
}

/// The query of the journal.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JournalQuery {
    operation: Option<Operation>,
    key: Option<String>,
    #[serde(default)]
    since: u64,
    #[serde(default)]
    form: Form,
}

async fn journal(
    State(driven): State<Driven>,
    extract::Asked(query): extract::Asked<JournalQuery>,
) -> Result<Response, ControlError> {
    let JournalQuery { operation, key, since, form } = query;
    let key = key.map(|key| key.parse().map_err(impossible)).transpose()?;
    let calls = driven.emulation.journal(&Filter { operation, key, since }, form);
    Ok(member("calls", &calls))
}

async fn clear_journal(State(driven): State<Driven>) {
    driven.emulation.clear_journal();
}

async fn findings(State(driven): State<Driven>) -> Response {
    member("findings", &driven.emulation.findings())
}

async fn faults(State(driven): State<Driven>) -> Response {
    member("faults", &driven.emulation.faults())
}

async fn add_fault(State(driven): State<Driven>, Sent(body): Sent<Value>) -> Result<Response, ControlError> {
    let rule: FaultRule = match body.get("fault").and_then(Value::as_str) {
        Some(text) => text.parse().map_err(impossible)?,
        None => serde_json::from_value(body).map_err(impossible)?,
    };
    Ok(member("number", &driven.emulation.add_fault(rule)))
}

async fn clear_faults(State(driven): State<Driven>) {
    driven.emulation.reset_faults();
}

async fn remove_fault(
    State(driven): State<Driven>,
    FromPath(number): FromPath<u64>,
) -> Result<(), ControlError> {
    let removed = driven.emulation.remove_fault(number);
    removed.then_some(()).ok_or(ControlError::NotFound("fault"))
}

async fn scripts(State(driven): State<Driven>) -> Response {
    member("scripts", &driven.emulation.scripts().rules())
}

async fn add_script(State(driven): State<Driven>, Sent(rule): Sent<ScriptRule>) -> Response {
    member("number", &driven.emulation.scripts().add(rule))
}

async fn remove_script(
    State(driven): State<Driven>,
    FromPath(number): FromPath<u64>,
) -> Result<(), ControlError> {
    let removed = driven.emulation.scripts().remove(number);
    removed.then_some(()).ok_or(ControlError::NotFound("script"))
}

async fn reset(State(driven): State<Driven>) -> Result<(), ControlError> {
    driven.control.reset().await?;
    driven.emulation.reset();
    Ok(())
}

async fn clock(State(driven): State<Driven>) -> Response {
    axum::Json(driven.control.clock().await).into_response()
}

/// The body of a move of the clock.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockMove {
    advance: String,
}

async fn move_clock(
    State(driven): State<Driven>,
    Sent(ClockMove { advance }): Sent<ClockMove>,
) -> Result<Response, ControlError> {
    let by = duration::parse(&advance).ok_or_else(|| {
        impossible(format!("`advance` must be a duration such as \"10m\"; got `{advance}`"))
    })?;
    Ok(axum::Json(driven.control.advance(by).await?).into_response())
}

/// The body of a change of an account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountChange {
    credits: u64,
}

async fn set_credits(
    State(driven): State<Driven>,
    FromPath(key): FromPath<String>,
    Sent(AccountChange { credits }): Sent<AccountChange>,
) -> Result<(), ControlError> {
    let key: CallerKey = key.parse().map_err(impossible)?;
    if credits > CREDITS_MAX {
        return Err(impossible(format!("`credits` must be a number from 0 to {CREDITS_MAX}")));
    }
    driven.control.set_credits(&key, credits).await
}

/// The body of an end by hand.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finishing {
    finish: Finish,
}

async fn finish(
    State(driven): State<Driven>,
    FromPath(request): FromPath<RequestId>,
    Sent(Finishing { finish }): Sent<Finishing>,
) -> Result<(), ControlError> {
    driven.control.finish(request, finish).await
}

async fn deliveries(State(driven): State<Driven>) -> Result<Response, ControlError> {
    Ok(member("deliveries", &driven.control.deliveries().await?))
}

/// The body of a delivery that is sent once more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sending {
    send: Resend,
}

async fn send(
    State(driven): State<Driven>,
    FromPath(delivery): FromPath<String>,
    Sent(Sending { send }): Sent<Sending>,
) -> Result<Response, ControlError> {
    Ok(axum::Json(driven.control.send(&delivery, send).await?).into_response())
}

/// A response with one member.
fn member<T: Serialize>(name: &str, value: &T) -> Response {
    axum::Json(json!({ name: value })).into_response()
}

fn impossible(why: impl ToString) -> ControlError {
    ControlError::Impossible(why.to_string())
}
