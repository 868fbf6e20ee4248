//! The catalogue, and what an input costs.

use super::answer::{Segment, input_of, json_object};
use super::submit::model_of;
use super::{ApiError, App};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use clipia_api::error_code::ErrorCode;
use clipia_api::types::{EstimateResponse, Model, ModelList};
use clipia_queue::{input, pricing};

pub(super) async fn list(State(app): State<App>) -> Json<ModelList> {
    let data = app.catalogue.iter().map(|entry| entry.model.clone()).collect();
    Json(ModelList { object: Some("list".to_owned()), data, extra: Default::default() })
}

pub(super) async fn one(State(app): State<App>, Segment(model): Segment) -> Result<Json<Model>, ApiError> {
    Ok(Json(model_of(&app, &model)?.model.clone()))
}

pub(super) async fn estimate(
    State(app): State<App>,
    Segment(model): Segment,
    body: Body,
) -> Result<Json<EstimateResponse>, ApiError> {
    let given = input_of(&mut json_object(body).await?)?;
    let model = &model_of(&app, &model)?.model;
    let checked = input::check(model, &given)
        .map_err(|invalid| ApiError::new(ErrorCode::ModelInputInvalid, invalid.to_string()))?;
    let credits = pricing::price(model, &checked.input).map_err(|error| ApiError::internal(&error))?;
    Ok(Json(EstimateResponse {
        credits: credits.into(),
        warnings: checked.warnings,
        extra: Default::default(),
    }))
}
