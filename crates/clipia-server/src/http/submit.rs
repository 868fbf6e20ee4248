//! `POST /v1/models/{model}`.

use super::answer::{Segment, input_of, response_url};
use super::base_url::BaseUrl;
use super::body::{self, Checked};
use super::caller::Caller;
use super::{ApiError, App, json, observe};
use crate::clock::now;
use crate::ids;
use crate::store::{Submission, Submitted};
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use clipia_api::error_code::ErrorCode;
use clipia_api::types::{InputWarning, Model, SubmitRequest, SubmitResponse};
use clipia_queue::catalogue::Entry;
use clipia_queue::idempotency::{Fingerprint, KEY_BYTES_MAX};
use clipia_queue::pricing::Unpriced;
use clipia_queue::{Credits, RequestId, input, pricing};
use http::HeaderMap;
use serde_json::{Map, Value};

/// Accepts a generation: authenticated already, then checked, priced, and stored in one transaction.
pub(super) async fn submit(
    State(app): State<App>,
    Extension(Caller(key)): Extension<Caller>,
    base: BaseUrl,
    Segment(model): Segment,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SubmitResponse>, ApiError> {
    if !key.scopes.generate {
        return Err(ApiError::new(
            ErrorCode::InsufficientScope,
            format!("the key {} lacks the scope `generate`", key.hint),
        ));
    }
    let idempotency_key = idempotency_key(&headers)?;
    let arrived = body::arrive(&app, &key.account, body).await?;
    let (checking, named) = (app.clone(), idempotency_key.is_some());
    let checked = arrived.check(&app, move |body| order(&checking, model, body, named)).await?;
    let Checked { read: order, room: _room } = checked;
    let entry = model_of(&app, &order.model)?;
    let sample = match key.sandbox {
        true => Some(app.samples.of(&entry.model.type_).await?),
        false => None,
    };
    let share = app.admission.share(&key.account);
    let submission = Submission {
        id: RequestId(ids::new(now())),
        key,
        idempotency: idempotency_key.zip(order.fingerprint),
        queue: entry.executor.clone(),
        attempt_max: entry.attempt_max(),
        model: order.model,
        input: order.input,
        warnings: order.warnings,
        cost: order.cost,
        webhook_url: order.webhook_url,
        base_url: base.0.clone(),
        sample,
    };
    let place = share.commit().await?;
    let submitted = app.store.submit(submission).await?;
    drop(place);
    observe::request(submitted.id);
    tracing::info!(model = entry.model.slug, cost = submitted.cost.get(), "generation submitted");
    Ok(Json(answer(submitted, &base)))
}

/// What the body of a submit asks for, checked and priced.
struct Order {
    model: String,
    input: Map<String, Value>,
    warnings: Vec<InputWarning>,
    cost: Credits,
    webhook_url: Option<String>,
    /// Of a submit with an idempotency key.
    fingerprint: Option<Fingerprint>,
}

fn order(app: &App, model: String, body: &[u8], named: bool) -> Result<Order, ApiError> {
    let mut members = json::object(body)?;
    let request = read(&mut members)?;
    let entry = model_of(app, &model)?;
    let webhook_url = webhook_url(app, request.webhook_url.as_deref())?;
    let checked = check_input(&entry.model, &request.input, &members)?;
    let cost = price(&entry.model, &checked.input)?;
    let fingerprint = named.then(|| Fingerprint::of(&model, &request));
    Ok(Order { model, input: checked.input, warnings: checked.warnings, cost, webhook_url, fingerprint })
}

/// The input as the model takes it. `members` stand beside it in the body, and nothing knows them.
pub(super) fn check_input(
    model: &Model,
    input: &Map<String, Value>,
    members: &Map<String, Value>,
) -> Result<input::Checked, ApiError> {
    input::check_body(model, input, members.keys().map(String::as_str))
        .map_err(|invalid| ApiError::new(ErrorCode::ModelInputInvalid, invalid.to_string()))
}

/// The price of an input that was checked.
pub(super) fn price(model: &Model, input: &Map<String, Value>) -> Result<Credits, ApiError> {
    pricing::price(model, input).map_err(|error| match error {
        // The catalogue's own numbers are in range, or the server had not started.
        Unpriced::Range => ApiError::new(
            ErrorCode::ModelInputInvalid,
            "a number that the price of this input depends on is out of range",
        ),
        other => ApiError::internal(&other),
    })
}

fn answer(submitted: Submitted, base: &BaseUrl) -> SubmitResponse {
    let response_url = response_url(base, submitted.id);
    SubmitResponse {
        request_id: submitted.id.into(),
        status: submitted.phase.status(),
        queue_position: Some(submitted.position),
        status_url: Some(format!("{response_url}/status")),
        response_url: Some(response_url),
        cost: Some(submitted.cost.into()),
        warnings: submitted.warnings,
        extra: Default::default(),
    }
}

/// The known members of a body. The others stay.
pub(super) fn read(members: &mut Map<String, Value>) -> Result<SubmitRequest, ApiError> {
    let input = input_of(members)?;
    let webhook_url = match members.remove("webhook_url") {
        None | Some(Value::Null) => None,
        Some(Value::String(url)) => Some(url),
        Some(_) => return Err(ApiError::new(ErrorCode::WebhookUrlInvalid, "`webhook_url` must be a string")),
    };
    Ok(SubmitRequest { input, webhook_url })
}

/// The model of this slug.
pub(super) fn model_of<'a>(app: &'a App, slug: &str) -> Result<&'a Entry, ApiError> {
    app.catalogue.get(slug).ok_or_else(|| {
        let shown: String = slug.chars().take(100).collect();
        ApiError::new(
            ErrorCode::ModelNotFound,
            format!("there is no model `{shown}`: `GET /v1/models` lists them"),
        )
    })
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
