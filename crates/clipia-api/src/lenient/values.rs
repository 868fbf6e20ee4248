//! Lenient reading of single values: numbers, words, times, ids.

use super::{Fields, Lenient};
use crate::{Credits, ModelType, Progress, RequestId, Status, WebhookStatus};
use jiff::Timestamp;
use serde_json::{Number, Value};

impl Lenient for Value {
    fn read(value: Value) -> Result<Self, Value> {
        Ok(value)
    }
}

/// A number is read as text, because some servers send accounts and codes as numbers.
impl Lenient for String {
    fn read(value: Value) -> Result<Self, Value> {
        match value {
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            other => Err(other),
        }
    }
}

impl Lenient for bool {
    fn read(value: Value) -> Result<Self, Value> {
        value.as_bool().ok_or(value)
    }
}

impl Lenient for f64 {
    fn read(value: Value) -> Result<Self, Value> {
        number(&value).and_then(|number| number.as_f64()).ok_or(value)
    }
}

impl Lenient for u64 {
    fn read(value: Value) -> Result<Self, Value> {
        number(&value).and_then(|number| whole(&number)).ok_or(value)
    }
}

impl Lenient for u32 {
    fn read(value: Value) -> Result<Self, Value> {
        number(&value).and_then(|number| whole(&number)?.try_into().ok()).ok_or(value)
    }
}

impl Lenient for Credits {
    fn read(value: Value) -> Result<Self, Value> {
        number(&value).and_then(|number| Self::of(&number)).ok_or(value)
    }
}

/// A text such as `"45%"` is read as a number.
impl Lenient for Progress {
    fn read(value: Value) -> Result<Self, Value> {
        let percent = match &value {
            Value::String(text) => {
                text.trim().strip_suffix('%').and_then(|digits| digits.trim_end().parse().ok())
            }
            _ => None,
        };
        percent.or_else(|| number(&value)?.as_f64()).map(Self::of).ok_or(value)
    }
}

impl Lenient for Timestamp {
    fn read(value: Value) -> Result<Self, Value> {
        value.as_str().and_then(|text| text.parse().ok()).ok_or(value)
    }
}

/// The number in a value, which may be written as text.
fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The largest whole number below which floats are exact.
pub(crate) const FLOAT_EXACT_MAX: f64 = (1_u64 << 53) as f64;

/// The number, if it is whole and not negative. `3.0` is whole.
fn whole(number: &Number) -> Option<u64> {
    let is_whole = |float: &f64| float.fract() == 0.0 && (0.0..=FLOAT_EXACT_MAX).contains(float);
    let float = || number.as_f64().filter(is_whole);
    number.as_u64().or_else(|| float().map(|float| float as u64))
}

/// Bytes of the longest text that is accepted as an id. A UUID has 36.
const ID_MAX: usize = 256;

/// An id is a text that is not empty, or a whole number. If the field is missing, the id is taken from `status_url` or
/// `response_url`.
impl Lenient for RequestId {
    fn read(value: Value) -> Result<Self, Value> {
        match value {
            Value::String(text) if is_id(&text) => Ok(text.into()),
            Value::Number(number) if number.is_u64() => Ok(number.to_string().into()),
            other => Err(other),
        }
    }

    fn take(fields: &mut Fields, name: &str) -> Option<Self> {
        if let Some(Ok(id)) = fields.remove(name).map(Self::read) {
            return Some(id);
        }
        let url = |name: &&str| fields.get(*name)?.as_str();
        ["status_url", "response_url"].iter().filter_map(url).find_map(|url| Some(Self::from(id_of(url)?)))
    }
}

/// Whether a text may be an id: it is not blank, not `.` or `..`, and not too long.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() <= ID_MAX && !matches!(text.trim(), "" | "." | "..")
}

/// The request id in a URL of the API.
pub(crate) fn id_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("/v1/requests/")?;
    rest.split(['/', '?', '#']).next().filter(|id| is_id(id))
}

/// The word in a field. A value of another type becomes a word that this version does not know.
fn word(fields: &mut Fields, name: &str) -> Option<String> {
    match fields.remove(name)? {
        Value::Null => None,
        Value::String(word) => Some(word),
        other => Some(other.to_string()),
    }
}

macro_rules! words {
    ($($type:ident)*) => {$(
        impl Lenient for $type {
            fn read(value: Value) -> Result<Self, Value> {
                String::read(value).map(Self::from)
            }

            fn take(fields: &mut Fields, name: &str) -> Option<Self> {
                Some(word(fields, name).unwrap_or_default().into())
            }
        }
    )*};
}

words! { ModelType WebhookStatus }

impl Lenient for Status {
    fn read(value: Value) -> Result<Self, Value> {
        String::read(value).map(Self::from)
    }

    /// Takes the status. If no word says it, the other fields do: an output, or an error beside other fields of a
    /// result, exists only once a generation has ended. A value that is not a word stays in `fields` as well.
    fn take(fields: &mut Fields, name: &str) -> Option<Self> {
        match fields.get(name) {
            Some(Value::String(word)) => {
                let status = Self::from(word.as_str());
                let is_blank = word.trim().is_empty();
                fields.remove(name);
                if !is_blank {
                    return Some(status);
                }
            }
            Some(Value::Null) => drop(fields.remove(name)),
            _ => {}
        }
        let has = |name: &str| matches!(fields.get(name), Some(Value::Object(object)) if !object.is_empty());
        // An error without other fields of a result is an error envelope, and no failed generation.
        let is_of_result = RESULT_FIELDS.iter().any(|name| fields.contains_key(*name));
        Some(match (has("output"), has("error")) {
            (true, false) => Self::Completed,
            (false, true) if is_of_result => Self::Failed,
            _ => Self::Unknown(fields.get(name).map(Value::to_string).unwrap_or_default()),
        })
    }
}

/// Fields of a result that are neither in a status nor in an error envelope.
const RESULT_FIELDS: [&str; 4] = ["model", "cost", "created_at", "completed_at"];

/// Whether a response says the status of its generation in a word.
#[cfg(feature = "client")]
pub(crate) fn has_status(status: &Status, extra: &Fields) -> bool {
    match status {
        Status::Unknown(word) => !word.is_empty() && !extra.contains_key("status"),
        _ => true,
    }
}
