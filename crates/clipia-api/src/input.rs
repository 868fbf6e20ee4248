//! The check of an input against the `input_schema` of its model, the same in the SDK and in the server. Pure.
//!
//! Only a certain violation of the schema is a fault. A type, a form of option or a rule (`validation`) that this version does not
//! know is passed over, because the SDK must never refuse what a newer server accepts. A server of this version has none of
//! them: its catalogue refuses them.

mod warnings;

use crate::types::{InputParameter, Model};
use serde_json::{Map, Value};
use std::fmt;

pub use warnings::{NAME_CHARACTERS_MAX, WARNINGS_MAX, cut, is_near, warnings};

/// Characters of a wrong value in a message.
const SHOWN_MAX: usize = 60;

/// Options that a fault lists: a model may have hundreds of voices.
const LISTED_MAX: usize = 20;

/// How far a number may be from a step, in steps: a multiple of 0.1 is seldom one exactly.
const STEP_SLACK: f64 = 1e-9;

/// The parameter types that are checked.
pub const TYPES: [&str; 8] =
    ["string", "integer", "number", "boolean", "select", FILE_TYPES[0], FILE_TYPES[1], FILE_TYPES[2]];

/// The parameter types whose value is the URL of a file of that type.
pub const FILE_TYPES: [&str; 3] = ["image", "video", "audio"];

/// The parameter that holds the text of a speech model, which `text_limits` bounds (`contract.md`, "Endpoints").
const TEXT: &str = "prompt";

/// A fault of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InputFault {
    /// The key of the input.
    pub parameter: String,
    /// A sentence for people: what the model requires, and what the input has.
    pub message: String,
}

impl InputFault {
    /// A fault of this parameter.
    pub fn new(parameter: &str, message: String) -> Self {
        Self { parameter: parameter.to_owned(), message }
    }
}

impl fmt::Display for InputFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message.fmt(f)
    }
}

/// Why the model refuses the input, at most one fault for each parameter. A model without a schema refuses nothing.
///
/// ```
/// use clipia_api::{input, types::Model};
///
/// let model: Model = serde_json::from_str(
///     r#"{"slug": "m", "type": "image", "input_schema": {"parameters": [{"name": "seed", "type": "integer", "min": 0}]}}"#,
/// )?;
/// let given = serde_json::from_str(r#"{"seed": -1}"#)?;
/// assert_eq!(input::faults(&model, &given)[0].message, "`seed` must be at least 0; got -1");
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn faults(model: &Model, input: &Map<String, Value>) -> Vec<InputFault> {
    let fault = |parameter: &InputParameter| {
        Some(InputFault::new(&parameter.name, fault_of(parameter, input.get(&parameter.name))?))
    };
    let of_text = text_fault(model, input).map(|message| InputFault::new(TEXT, message));
    parameters(model).iter().filter_map(fault).chain(of_text).collect()
}

/// The parameters of a model.
pub fn parameters(model: &Model) -> &[InputParameter] {
    model.input_schema.as_ref().map_or(&[], |schema| &schema.parameters)
}

/// What is wrong with the value of a parameter, as a sentence. A null counts as absent.
pub fn fault_of(parameter: &InputParameter, value: Option<&Value>) -> Option<String> {
    let name = &parameter.name;
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return (parameter.required == Some(true)).then(|| format!("`{name}` is required"));
    };
    let must = |what: &str| Some(format!("`{name}` must be {what}; got {}", shown(value)));
    match parameter.type_.as_str() {
        "string" => value.as_str().map_or_else(|| must("a string"), |text| length_fault(parameter, text)),
        kind if FILE_TYPES.contains(&kind) => match value.as_str() {
            Some(url) if is_url_of(kind, url) => None,
            _ => must(match kind {
                "image" => "the URL of an image",
                "video" => "the URL of a video",
                _ => "the URL of an audio file",
            }),
        },
        "boolean" => (!value.is_boolean()).then(|| must("true or false")).flatten(),
        "integer" => match value.as_f64() {
            Some(number) if number.fract() == 0.0 => must(&number_rule(parameter, number)?),
            _ => must("a whole number"),
        },
        "number" => match value.as_f64() {
            Some(number) => must(&number_rule(parameter, number)?),
            None => must("a number"),
        },
        "select" if !has_known_options(parameter) || option_of(parameter, value).is_some() => None,
        "select" => {
            let listed = parameter.options.iter().take(LISTED_MAX);
            let mut listed: Vec<String> = listed.map(|option| plain(option_value(option))).collect();
            if parameter.options.len() > LISTED_MAX {
                listed.push(format!("… ({} in all)", parameter.options.len()));
            }
            must(&format!("one of {}", listed.join(", ")))
        }
        _ => None,
    }
}

/// Whether `url` may name a file of this type: an address, or a `data:` URL whose media type is of it.
fn is_url_of(kind: &str, url: &str) -> bool {
    ["https://", "http://"].iter().any(|start| url.starts_with(start))
        || url
            .strip_prefix("data:")
            .and_then(|rest| rest.strip_prefix(kind))
            .is_some_and(|rest| rest.starts_with('/'))
}

fn length_fault(parameter: &InputParameter, text: &str) -> Option<String> {
    bounds_fault(&parameter.name, text, parameter.min_length, parameter.max_length)
}

/// What is wrong with the length of the text that a speech model reads, where the parameter itself does not say it.
fn text_fault(model: &Model, input: &Map<String, Value>) -> Option<String> {
    let limits = model.text_limits.as_ref()?;
    let parameter = parameters(model).iter().find(|parameter| parameter.name == TEXT)?;
    let text = input.get(TEXT)?.as_str().filter(|text| length_fault(parameter, text).is_none())?;
    bounds_fault(TEXT, text, limits.min_chars, limits.max_chars)
}

fn bounds_fault(name: &str, text: &str, least: Option<u64>, most: Option<u64>) -> Option<String> {
    let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    match (least, most) {
        (Some(least), _) if length < least && length == 0 => Some(format!("`{name}` must not be empty")),
        (Some(least), _) if length < least => {
            Some(format!("`{name}` must have at least {least} characters; got {length}"))
        }
        (_, Some(most)) if length > most => {
            Some(format!("`{name}` must have at most {most} characters; got {length}"))
        }
        _ => None,
    }
}

/// The rule that the number breaks.
fn number_rule(parameter: &InputParameter, number: f64) -> Option<String> {
    if let Some(min) = parameter.min.filter(|min| number < *min) {
        return Some(format!("at least {min}"));
    }
    if let Some(max) = parameter.max.filter(|max| number > *max) {
        return Some(format!("at most {max}"));
    }
    let (start, step) = (parameter.min.unwrap_or(0.0), parameter.step.filter(|step| *step > 0.0)?);
    let steps = (number - start) / step;
    let is_off = (steps - steps.round()).abs() > STEP_SLACK * steps.abs().max(1.0);
    is_off.then(|| format!("{start} plus a multiple of {step}"))
}

/// The value of an option, plain or with a label.
pub fn option_value(option: &Value) -> &Value {
    option.get("value").unwrap_or(option)
}

/// Whether there are options, all in a form that this version knows.
fn has_known_options(parameter: &InputParameter) -> bool {
    let known = |option: &Value| !option_value(option).is_object();
    !parameter.options.is_empty() && parameter.options.iter().all(known)
}

/// The option of a `select` that `value` is, in the catalogue's spelling: `4k` is `4K`, and 5.0 is 5. An option that is
/// spelled just so goes first.
pub fn option_of<'a>(parameter: &'a InputParameter, value: &Value) -> Option<&'a Value> {
    if parameter.type_ != "select" {
        return None;
    }
    let equal = |option: &&Value| {
        *option == value || option.as_f64().zip(value.as_f64()).is_some_and(|(a, b)| a == b)
    };
    let alike = |option: &&Value| {
        option.as_str().zip(value.as_str()).is_some_and(|(option, text)| option.eq_ignore_ascii_case(text))
    };
    let options = || parameter.options.iter().map(option_value);
    options().find(equal).or_else(|| options().find(alike))
}

/// A value as it stands in a list of options and among the multipliers of a price.
pub fn plain(value: &Value) -> String {
    match (value, value.as_f64()) {
        (Value::String(text), _) => text.clone(),
        (_, Some(number)) => number.to_string(),
        _ => value.to_string(),
    }
}

/// A value in a message: short, whatever was sent. Of a URL only its scheme is shown, because the rest may be a secret or a
/// whole file.
fn shown(value: &Value) -> String {
    let Value::String(text) = value else {
        return match value {
            Value::Array(_) => "an array".to_owned(),
            Value::Object(_) => "an object".to_owned(),
            _ => value.to_string(),
        };
    };
    let of_data =
        text.strip_prefix("data:").and_then(|rest| rest.split_once(',')).map(|(kind, _)| kind.len() + 5);
    let end = text.find("://").or(of_data).unwrap_or(text.len());
    let mut short: String = text[..end].chars().take(SHOWN_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    Value::String(short).to_string()
}

#[cfg(test)]
mod tests;
