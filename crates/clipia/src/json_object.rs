//! Inputs as JSON objects.

use crate::error::Error;
use serde::Serialize;
use serde_json::{Map, Value};

/// The input as a JSON object.
pub(crate) fn object(input: impl Serialize) -> Result<Map<String, Value>, Error> {
    let message = match serde_json::to_value(input) {
        Ok(Value::Object(object)) => return Ok(object),
        Ok(other) => format!("the input must be a JSON object; got {}", kind(&other)),
        Err(error) => format!("the input cannot be written as JSON: {error}"),
    };
    Err(Error::argument("input", message, "pass an object with a key for each parameter"))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
