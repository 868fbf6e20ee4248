//! The catalogue, and what an input costs.

use super::answer::{Segment, input_of};
use super::body::{self, Checked};
use super::caller::Caller;
use super::submit::{check_input, model_of, price};
use super::{ApiError, App, json};
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use clipia_api::types::{EstimateResponse, Model, ModelList};

pub(super) async fn list(State(app): State<App>) -> Json<ModelList> {
    let data = app.catalogue.iter().map(|entry| entry.model.clone()).collect();
    Json(ModelList { object: Some("list".to_owned()), data, extra: Default::default() })
}

pub(super) async fn one(State(app): State<App>, Segment(model): Segment) -> Result<Json<Model>, ApiError> {
    Ok(Json(model_of(&app, &model)?.model.clone()))
}

pub(super) async fn estimate(
    State(app): State<App>,
    Extension(Caller(key)): Extension<Caller>,
    Segment(model): Segment,
    body: Body,
) -> Result<Json<EstimateResponse>, ApiError> {
    let arrived = body::arrive(&app, &key.account, body).await?;
    let checking = app.clone();
    let Checked { read, room: _room } =
        arrived.check(&app, move |body| estimated(&checking, &model, body)).await?;
    Ok(Json(read))
}

fn estimated(app: &App, model: &str, body: &[u8]) -> Result<EstimateResponse, ApiError> {
    let mut members = json::object(body)?;
    let input = input_of(&mut members)?;
    // Clients ask for the price of the very body that they go on to submit.
    members.remove("webhook_url");
    let model = &model_of(app, model)?.model;
    let checked = check_input(model, &input, &members)?;
    let credits = price(model, &checked.input)?;
    Ok(EstimateResponse { credits: credits.into(), warnings: checked.warnings, extra: Default::default() })
}
