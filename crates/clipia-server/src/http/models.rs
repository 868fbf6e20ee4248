//! `GET /v1/models`, `GET /v1/models/{model}` and `POST /v1/models/{model}/estimate`.

use super::body::{self, Checked};
use super::caller::Caller;
use super::input::{check_price_and_warn, find_model, take_input};
use super::path::Segment;
use super::{App, json};
use crate::api_error::ApiError;
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use clipia_api::types::{EstimateResponse, Model, ModelList};
use clipia_queue::catalogue::Entry;
use std::sync::Arc;

pub(super) async fn list(State(app): State<Arc<App>>) -> Json<ModelList> {
    let data = app.catalogue.now().iter().map(|entry| shown(&app, entry)).collect();
    Json(ModelList { object: Some("list".to_owned()), data, extra: Default::default() })
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Segment(model): Segment,
) -> Result<Json<Model>, ApiError> {
    Ok(Json(shown(&app, &*find_model(&app, &model)?)))
}

/// A model as clients see it. Its executor says whether it is procedural: the same slug may have another executor.
fn shown(app: &App, entry: &Entry) -> Model {
    let is_procedural = app.executors.get(&entry.executor).is_some_and(|executor| executor.is_procedural());
    Model { procedural: is_procedural.then_some(true), ..entry.model.clone() }
}

pub(super) async fn estimate(
    State(app): State<Arc<App>>,
    Extension(Caller(key)): Extension<Caller>,
    Segment(model): Segment,
    body: Body,
) -> Result<Json<EstimateResponse>, ApiError> {
    let arrived = body::arrive(&app, &key.account, body).await?;
    let checking = Arc::clone(&app);
    let Checked { value, permits: _permits } =
        arrived.check(&app, move |body| estimate_body(&checking, &model, body)).await?;
    Ok(Json(value))
}

fn estimate_body(app: &App, model: &str, body: &[u8]) -> Result<EstimateResponse, ApiError> {
    let mut members = json::object(body)?;
    let input = take_input(&mut members)?;
    // A client may estimate the very body that it submits next, so `webhook_url` is no unknown member.
    members.remove("webhook_url");
    let priced = check_price_and_warn(app, &*find_model(app, model)?, &input, &members)?;
    Ok(EstimateResponse { credits: priced.cost.into(), warnings: priced.warnings, extra: Default::default() })
}
