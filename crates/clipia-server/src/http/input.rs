//! The model and the input of a submit or an estimate: the model looked up, the input checked and priced.

use super::App;
use crate::api_error::ApiError;
use clipia_api::error_code::ErrorCode;
use clipia_api::types::{InputWarning, Model};
use clipia_queue::catalogue::Entry;
use clipia_queue::pricing::Unpriced;
use clipia_queue::warnings::with_those_of_executor;
use clipia_queue::{Credits, input, pricing};
use serde_json::{Map, Value};
use std::sync::Arc;

/// An input that the model takes, and its price.
pub(crate) struct PricedInput {
    /// The input with its defaults.
    pub(crate) input: Map<String, Value>,
    pub(crate) warnings: Vec<InputWarning>,
    pub(crate) cost: Credits,
}

/// The catalogue's entry of the model `slug`.
///
/// # Errors
/// `model_not_found`.
pub(super) fn find_model(app: &App, slug: &str) -> Result<Arc<Entry>, ApiError> {
    app.catalogue.get(slug).ok_or_else(|| {
        let shown: String = slug.chars().take(100).collect();
        ApiError::new(
            ErrorCode::ModelNotFound,
            format!("there is no model `{shown}`: `GET /v1/models` lists them"),
        )
    })
}

/// Removes the member `input` from a body. It must be an object.
///
/// # Errors
/// `invalid_request` says what is wrong with the member.
pub(super) fn take_input(body: &mut Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    match body.remove("input") {
        Some(Value::Object(input)) => Ok(input),
        Some(_) => Err(ApiError::invalid("`input` must be an object such as {\"prompt\": \"a red fox\"}")),
        None => Err(ApiError::invalid("`input` is missing: send {\"input\": {…}}")),
    }
}

/// Checks and prices an input of a model, with the warnings of its executor.
///
/// # Errors
/// As [`check_and_price`].
pub(crate) fn check_price_and_warn(
    app: &App,
    entry: &Entry,
    input: &Map<String, Value>,
    unknown: &Map<String, Value>,
) -> Result<PricedInput, ApiError> {
    let mut priced = check_and_price(&entry.model, input, unknown)?;
    if let Some(executor) = app.executors.get(&entry.executor) {
        let of_executor = executor.warnings(&entry.model, &priced.input);
        priced.warnings = with_those_of_executor(priced.warnings, of_executor);
    }
    Ok(priced)
}

/// Checks and prices an input. `unknown` holds the members of the body that the API does not know: they become warnings.
///
/// # Errors
/// `model_input_invalid` says which parameter the model does not take.
pub(super) fn check_and_price(
    model: &Model,
    input: &Map<String, Value>,
    unknown: &Map<String, Value>,
) -> Result<PricedInput, ApiError> {
    let checked = input::check_body(model, input, unknown.keys().map(String::as_str))
        .map_err(|invalid| ApiError::new(ErrorCode::ModelInputInvalid, invalid.to_string()))?;
    let cost = price(model, &checked.input)?;
    Ok(PricedInput { input: checked.input, warnings: checked.warnings, cost })
}

/// The price of a checked input.
fn price(model: &Model, input: &Map<String, Value>) -> Result<Credits, ApiError> {
    pricing::price(model, input).map_err(|error| match error {
        // The input's number is to blame: the server checks the catalogue's own numbers when it starts.
        Unpriced::Range => ApiError::new(
            ErrorCode::ModelInputInvalid,
            "a number that the price of this input depends on is out of range",
        ),
        other => ApiError::internal(&other),
    })
}
