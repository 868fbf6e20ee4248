//! `POST /v1/models/{model}`.

use super::answer::{Segment, input_of, json_object, response_url};
use super::caller::{BaseUrl, Caller};
use super::{ApiError, App, observe};
use crate::clock::now;
use crate::ids;
use crate::store::{Submission, Submitted};
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use clipia_api::error_code::ErrorCode;
use clipia_api::types::{SubmitRequest, SubmitResponse};
use clipia_queue::catalogue::Entry;
use clipia_queue::idempotency::{Fingerprint, KEY_BYTES_MAX};
use clipia_queue::{RequestId, input, pricing};
use http::HeaderMap;
use serde_json::Value;

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
    let body = read(body).await?;
    let entry = model_of(&app, &model)?;
    let webhook_url = webhook_url(&app, body.webhook_url.as_deref())?;
    let checked = input::check(&entry.model, &body.input)
        .map_err(|invalid| ApiError::new(ErrorCode::ModelInputInvalid, invalid.to_string()))?;
    let cost = pricing::price(&entry.model, &checked.input).map_err(|error| ApiError::internal(&error))?;
    let sample = match key.sandbox {
        true => Some(app.samples.of(&entry.model.type_).await?),
        false => None,
    };
    let submission = Submission {
        id: RequestId(ids::new(now())),
        key,
        idempotency: idempotency_key.map(|name| (name, Fingerprint::of(&model, &body))),
        queue: entry.executor.clone(),
        attempt_max: entry.attempt_max(),
        model,
        input: checked.input,
        warnings: checked.warnings,
        cost,
        webhook_url,
        base_url: base.0.clone(),
        sample,
    };
    let submitted = app.store.submit(submission, now()).await?;
    observe::request(submitted.id);
    tracing::info!(model = entry.model.slug, cost = submitted.cost.get(), "generation submitted");
    if submitted.phase.is_terminal() {
        app.ended.notify_one();
    } else {
        app.lines.wake(&entry.executor);
    }
    Ok(Json(answer(submitted, &base)))
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

pub(super) async fn read(body: Body) -> Result<SubmitRequest, ApiError> {
    let mut body = json_object(body).await?;
    let input = input_of(&mut body)?;
    let webhook_url = match body.remove("webhook_url") {
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
