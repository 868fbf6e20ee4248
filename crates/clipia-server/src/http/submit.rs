//! `POST /v1/models/{model}`.

use super::base_url::BaseUrl;
use super::body::{self, Checked};
use super::caller::{Caller, may_generate};
use super::input::{PricedInput, check_price_and_warn, find_model, take_input};
use super::path::Segment;
use super::responses::submit_response;
use super::{App, json, observe};
use crate::api_error::ApiError;
use crate::store::{Key, Submission, Submitted};
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use clipia_api::error_code::ErrorCode;
use clipia_api::types::{SubmitRequest, SubmitResponse};
use clipia_queue::idempotency::{Fingerprint, KEY_BYTES_MAX};
use clipia_queue::{media_address, uploads};
use http::HeaderMap;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Accepts a submit. The caller is authenticated already. The body is checked and priced here, and stored in one
/// transaction.
pub(super) async fn submit(
    State(app): State<Arc<App>>,
    Extension(Caller(key)): Extension<Caller>,
    base: BaseUrl,
    Segment(model): Segment,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SubmitResponse>, ApiError> {
    may_generate(&key)?;
    let idempotency_key = idempotency_key(&headers)?;
    let arrived = body::arrive(&app, &key.account, body).await?;
    let (checking, has_idempotency_key) = (Arc::clone(&app), idempotency_key.is_some());
    let checked = arrived.check(&app, move |body| check_order(&checking, model, body, has_idempotency_key));
    let Checked { value: order, permits: _permits } = checked.await?;
    let submitted = accept(&app, key, order, idempotency_key, &base.0).await?;
    Ok(Json(submit_response(submitted, &base)))
}

/// Accepts an input as the submit of `key`, with media under `base_url`.
///
/// # Errors
/// As the call.
pub(crate) async fn submit_input(
    app: &App,
    key: Arc<Key>,
    model: &str,
    input: Map<String, Value>,
    base_url: &str,
) -> Result<Submitted, ApiError> {
    may_generate(&key)?;
    let priced = check_price_and_warn(app, &*find_model(app, model)?, &input, &Map::new())?;
    let order = Order { model: model.to_owned(), priced, webhook_url: None, fingerprint: None };
    accept(app, key, order, None, base_url).await
}

/// Stores a submit that was checked and priced.
async fn accept(
    app: &App,
    key: Arc<Key>,
    order: Order,
    idempotency_key: Option<String>,
    base_url: &str,
) -> Result<Submitted, ApiError> {
    let entry = find_model(app, &order.model)?;
    let sample = match key.sandbox {
        true => Some(app.samples.of(&entry.model.type_).await?),
        false => None,
    };
    let share = app.admission.share(&key.account);
    let submission = Submission {
        id: (app.request_ids)(),
        key,
        idempotency: idempotency_key.zip(order.fingerprint),
        queue: entry.executor.clone(),
        attempt_max: entry.attempt_max(),
        model: order.model,
        elsewhere: media_address::names_elsewhere(&entry.model, &order.priced.input, base_url),
        uploads: uploads::named(&order.priced.input, base_url),
        input: order.priced.input,
        warnings: order.priced.warnings,
        cost: order.priced.cost,
        webhook_url: order.webhook_url,
        base_url: base_url.to_owned(),
        sample,
    };
    let commit_permit = share.commit().await?;
    let submitted = app.store.submit(submission).await?;
    drop(commit_permit);
    observe::request(submitted.id);
    tracing::info!(model = entry.model.slug, cost = submitted.cost.get(), "generation submitted");
    Ok(submitted)
}

/// What the body of a submit asks for, checked and priced.
struct Order {
    model: String,
    priced: PricedInput,
    webhook_url: Option<String>,
    /// The fingerprint of the body; only for a submit with an idempotency key.
    fingerprint: Option<Fingerprint>,
}

fn check_order(app: &App, model: String, body: &[u8], has_idempotency_key: bool) -> Result<Order, ApiError> {
    let mut members = json::object(body)?;
    let request = take_request(&mut members)?;
    let entry = find_model(app, &model)?;
    let webhook_url = webhook_url(app, request.webhook_url.as_deref())?;
    let priced = check_price_and_warn(app, &entry, &request.input, &members)?;
    let fingerprint = has_idempotency_key.then(|| Fingerprint::of(&model, &request));
    Ok(Order { model, priced, webhook_url, fingerprint })
}

/// Removes the members that the API knows from a body. Unknown members stay in `members`.
pub(super) fn take_request(members: &mut Map<String, Value>) -> Result<SubmitRequest, ApiError> {
    let input = take_input(members)?;
    let webhook_url = match members.remove("webhook_url") {
        None | Some(Value::Null) => None,
        Some(Value::String(url)) => Some(url),
        Some(_) => return Err(ApiError::new(ErrorCode::WebhookUrlInvalid, "`webhook_url` must be a string")),
    };
    Ok(SubmitRequest { input, webhook_url })
}

fn webhook_url(app: &App, url: Option<&str>) -> Result<Option<String>, ApiError> {
    let Some(url) = url else {
        return Ok(None);
    };
    let allowed = app
        .webhooks
        .parse(url)
        .map_err(|refused| ApiError::new(ErrorCode::WebhookUrlInvalid, format!("`webhook_url` {refused}")))?;
    Ok(Some(allowed.into()))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= KEY_BYTES_MAX => Ok(Some(key.to_owned())),
        _ => Err(ApiError::invalid(format!(
            "`Idempotency-Key` must have 1 to {KEY_BYTES_MAX} printable ASCII characters"
        ))),
    }
}
