//! Whether an input is what a model takes.

use crate::warnings::Warnings;
use clipia_api::types::{InputParameter, InputWarning, Model};
use serde_json::{Map, Value};

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

/// An input that may be submitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The input with the defaults of what it lacks, and without what the model does not know.
    pub input: Map<String, Value>,
    /// What it does not know, within bounds: at most [`WARNINGS_MAX`](crate::warnings::WARNINGS_MAX) names and one count.
    pub warnings: Vec<InputWarning>,
}

/// Everything that is wrong with an input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .faults.join("; "))]
pub struct Invalid {
    /// One sentence each.
    pub faults: Vec<String>,
}

/// Checks `input` against the model's `input_schema`.
///
/// # Errors
/// [`Invalid`] names every parameter that is missing or wrong.
pub fn check(model: &Model, input: &Map<String, Value>) -> Result<Checked, Invalid> {
    check_body(model, input, [])
}

/// Checks `input`, and warns of `members` too: the names that stand beside `input` in the body and are not known there.
///
/// # Errors
/// [`Invalid`] names every parameter that is missing or wrong.
pub fn check_body<'n>(
    model: &Model,
    input: &Map<String, Value>,
    members: impl IntoIterator<Item = &'n str>,
) -> Result<Checked, Invalid> {
    let parameters = parameters(model);
    let faults = parameters.iter().filter_map(|parameter| fault_of(parameter, input));
    let faults: Vec<String> = faults.chain(text_fault(model, input)).collect();
    if !faults.is_empty() {
        return Err(Invalid { faults });
    }
    let mut checked = defaults(model);
    let mut warnings = Warnings::new(model, parameters);
    members.into_iter().for_each(|name| warnings.member(name));
    for (name, value) in input {
        let Some(parameter) = parameters.iter().find(|parameter| parameter.name == *name) else {
            warnings.key(name);
            continue;
        };
        if !value.is_null() {
            // The catalogue's own spelling: prices and executors know no other.
            let value = option_of(parameter, value).unwrap_or(value);
            checked.insert(name.clone(), value.clone());
        }
    }
    Ok(Checked { input: checked, warnings: warnings.finish() })
}

/// The input that is nothing but defaults.
pub fn defaults(model: &Model) -> Map<String, Value> {
    let default = |parameter: &InputParameter| {
        parameter
            .default
            .clone()
            .filter(|value| !value.is_null())
            .map(|value| (parameter.name.clone(), value))
    };
    parameters(model).iter().filter_map(default).collect()
}

fn parameters(model: &Model) -> &[InputParameter] {
    model.input_schema.as_ref().map_or(&[], |schema| &schema.parameters)
}

/// What is wrong with `parameter` in `input`, as a sentence. A null counts as absent.
pub(crate) fn fault_of(parameter: &InputParameter, input: &Map<String, Value>) -> Option<String> {
    let name = &parameter.name;
    let Some(value) = input.get(name).filter(|value| !value.is_null()) else {
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
            Some(number) if number.fract() == 0.0 => number_fault(parameter, value, number),
            _ => must("a whole number"),
        },
        "number" => match value.as_f64() {
            Some(number) => number_fault(parameter, value, number),
            None => must("a number"),
        },
        "select" if option_of(parameter, value).is_some() => None,
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

/// The files that an input names: each parameter of a [file type](FILE_TYPES) that has a value, with its URL.
pub fn files<'a>(
    model: &'a Model,
    input: &'a Map<String, Value>,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let of_files =
        parameters(model).iter().filter(|parameter| FILE_TYPES.contains(&parameter.type_.as_str()));
    of_files.filter_map(|parameter| Some((parameter.name.as_str(), input.get(&parameter.name)?.as_str()?)))
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

fn number_fault(parameter: &InputParameter, value: &Value, number: f64) -> Option<String> {
    let must = |what: String| Some(format!("`{}` must be {what}; got {}", parameter.name, shown(value)));
    if let Some(min) = parameter.min.filter(|min| number < *min) {
        return must(format!("at least {min}"));
    }
    if let Some(max) = parameter.max.filter(|max| number > *max) {
        return must(format!("at most {max}"));
    }
    let step = parameter.step.filter(|step| *step > 0.0)?;
    let steps = (number - parameter.min.unwrap_or(0.0)) / step;
    if (steps - steps.round()).abs() > STEP_SLACK * steps.abs().max(1.0) {
        return must(format!("{} plus a multiple of {step}", parameter.min.unwrap_or(0.0)));
    }
    None
}

/// The value of an option, plain or with a label.
pub(crate) fn option_value(option: &Value) -> &Value {
    option.get("value").unwrap_or(option)
}

/// The option of a `select` that `value` is, in the catalogue's spelling: `4k` is `4K`, and 5.0 is 5. An option that is
/// spelled just so goes first.
fn option_of<'a>(parameter: &'a InputParameter, value: &Value) -> Option<&'a Value> {
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
pub(crate) fn plain(value: &Value) -> String {
    match (value, value.as_f64()) {
        (Value::String(text), _) => text.clone(),
        (_, Some(number)) => number.to_string(),
        _ => value.to_string(),
    }
}

/// A value as an error shows it: short, whatever was sent.
fn shown(value: &Value) -> String {
    const CHARACTERS_MAX: usize = 60;
    match value {
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) if text.chars().count() > CHARACTERS_MAX => {
            format!("\"{}…\"", text.chars().take(CHARACTERS_MAX).collect::<String>())
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::warnings::{NAME_CHARACTERS_MAX, WARNINGS_MAX};
    use proptest::prelude::*;
    use serde_json::json;

    fn check_with(slug: &str, input: Value) -> Result<Checked, Invalid> {
        check(&Catalogue::built_in().get(slug).unwrap().model, input.as_object().unwrap())
    }

    #[test]
    fn each_fault_is_a_sentence() {
        for (slug, input, message) in [
            ("nano-banana-2", json!({}), "`prompt` is required"),
            ("nano-banana-2", json!({"prompt": null}), "`prompt` is required"),
            ("nano-banana-2", json!({"prompt": 7}), "`prompt` must be a string; got 7"),
            ("nano-banana-2", json!({"prompt": ""}), "`prompt` must not be empty"),
            ("nano-banana-2", json!({"prompt": ["a"]}), "`prompt` must be a string; got an array"),
            (
                "nano-banana-2",
                json!({"prompt": "fox", "aspect_ratio": "17:9"}),
                r#"`aspect_ratio` must be one of 1:1, 16:9, 9:16, 4:3, 3:4; got "17:9""#,
            ),
            (
                "nano-banana-2",
                json!({"prompt": "fox", "seed": 1.5}),
                "`seed` must be a whole number; got 1.5",
            ),
            ("nano-banana-2", json!({"prompt": "fox", "seed": -1}), "`seed` must be at least 0; got -1"),
            (
                "seedance-2-fast-t2v",
                json!({"prompt": "fox", "duration": 13}),
                "`duration` must be at most 12; got 13",
            ),
            (
                "seedance-2-fast-i2v",
                json!({"image_url": "fox.png", "duration": 0}),
                r#"`image_url` must be the URL of an image; got "fox.png"; `duration` must be at least 1; got 0"#,
            ),
        ] {
            assert_eq!(check_with(slug, input).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_file_is_named_by_an_address_or_is_in_a_data_url_of_its_type() {
        let parameters: Vec<Value> =
            FILE_TYPES.iter().map(|kind| json!({"name": format!("{kind}_url"), "type": kind})).collect();
        let model = json!({"slug": "m", "type": "video", "input_schema": {"parameters": parameters}});
        let model: Model = serde_json::from_value(model).unwrap();
        for (name, url, fault) in [
            ("image_url", "https://example.com/a", None),
            ("video_url", "http://example.com/a", None),
            ("audio_url", "https://example.com/a", None),
            ("image_url", "data:image/png;base64,AA==", None),
            ("video_url", "data:video/mp4;base64,AA==", None),
            ("audio_url", "data:audio/wav;base64,AA==", None),
            (
                "audio_url",
                "data:video/mp4;base64,AA==",
                Some("`audio_url` must be the URL of an audio file; got "),
            ),
            ("video_url", "data:videos", Some("`video_url` must be the URL of a video; got ")),
            ("video_url", "ftp://example.com/a", Some("`video_url` must be the URL of a video; got ")),
            ("image_url", "", Some("`image_url` must be the URL of an image; got ")),
        ] {
            let input = Map::from_iter([(name.to_owned(), Value::from(url))]);
            let checked = check(&model, &input);
            match fault {
                None => {
                    assert!(checked.is_ok(), "{url}: {checked:?}");
                    assert_eq!(files(&model, &input).collect::<Vec<_>>(), [(name, url)]);
                }
                Some(fault) => assert!(checked.unwrap_err().to_string().starts_with(fault), "{url}"),
            }
        }
    }

    #[test]
    fn what_is_unknown_is_told_and_left_out_and_defaults_are_filled_in() {
        let checked =
            check_with("nano-banana-2", json!({"prompt": "fox", "aspectRatio": "16:9", "mood": "sad"}))
                .unwrap();
        let messages: Vec<&str> = checked.warnings.iter().map(|warning| warning.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "`aspectRatio` is not a parameter of nano-banana-2 and is ignored; did you mean `aspect_ratio`?",
                "`mood` is not a parameter of nano-banana-2 and is ignored",
            ]
        );
        assert_eq!(
            Value::Object(checked.input),
            json!({"prompt": "fox", "aspect_ratio": "1:1", "resolution": "1K"})
        );
    }

    #[test]
    fn warnings_are_bounded_whatever_is_named() {
        let long = "\u{1}\u{10ffff}".repeat(100_000);
        let mut input: Map<String, Value> =
            (0..20_000).map(|n| (format!("{n}{long:.70}"), Value::Null)).collect();
        input.insert("prompt".to_owned(), "fox".into());
        input.insert(long.clone(), Value::Null);
        let catalogue = Catalogue::built_in();
        let model = &catalogue.get("nano-banana-2").unwrap().model;
        let checked = check_body(model, &input, ["webhok_url", "prompt", "trace", &long]).unwrap();
        assert_eq!(checked.warnings.len(), WARNINGS_MAX + 1);
        assert_eq!(checked.warnings[WARNINGS_MAX].message, "19989 more names are not known and are ignored");
        let given = serde_json::to_string(&checked.warnings).unwrap();
        assert!(given.len() < 16 * 1024, "{} bytes", given.len());
        let messages: Vec<&str> = checked.warnings.iter().map(|warning| warning.message.as_str()).collect();
        assert_eq!(
            messages[..3],
            [
                "`webhok_url` is not known beside `input` and is ignored; did you mean `webhook_url`?",
                "`prompt` is not known beside `input` and is ignored; a parameter stands in `input`",
                "`trace` is not known beside `input` and is ignored",
            ]
        );
        assert_eq!(checked.warnings[3].parameter.chars().count(), NAME_CHARACTERS_MAX + 1);
        assert_eq!(checked.input.len(), 3, "{:?}", checked.input);
    }

    #[test]
    fn the_inputs_that_the_vendor_documents_are_taken_as_they_stand() {
        for (slug, input, name, kept) in [
            (
                "gemini-3-1-flash-tts",
                json!({"prompt": "Welcome to Clipia.", "voice": "Zephyr"}),
                "voice",
                json!("Zephyr"),
            ),
            ("gemini-3-1-flash-tts", json!({"prompt": "Welcome.", "voice": "kore"}), "voice", json!("Kore")),
            (
                "suno-music",
                json!({"prompt": "warm lo-fi beat for a product demo", "instrumental": true}),
                "instrumental",
                json!(true),
            ),
            (
                "seedance-2-fast-i2v",
                json!({"image_url": "https://example.com/fox.png", "duration": 4}),
                "duration",
                json!(4),
            ),
            ("nano-banana-pro", json!({"prompt": "fox", "resolution": "4k"}), "resolution", json!("4K")),
        ] {
            let checked = check_with(slug, input.clone()).unwrap();
            assert_eq!((&checked.input[name], checked.warnings), (&kept, vec![]), "{slug} {input}");
        }
    }

    #[test]
    fn the_text_of_a_speech_model_has_its_limits() {
        let model: Model = serde_json::from_value(json!({
            "slug": "m", "type": "audio", "text_limits": {"min_chars": 2, "max_chars": 3},
            "input_schema": {"parameters": [{"name": "prompt", "type": "string"}]},
        }))
        .unwrap();
        for (text, fault) in [
            ("", "`prompt` must not be empty"),
            ("é", "`prompt` must have at least 2 characters; got 1"),
            ("éé", ""),
            ("éééé", "`prompt` must have at most 3 characters; got 4"),
        ] {
            let input = json!({"prompt": text});
            let given = check(&model, input.as_object().unwrap()).err().map(|fault| fault.to_string());
            assert_eq!(given.unwrap_or_default(), fault);
        }
    }

    #[test]
    fn a_whole_float_is_an_integer() {
        assert!(check_with("seedance-2-fast-t2v", json!({"prompt": "fox", "duration": 5.0})).is_ok());
    }

    proptest! {
        #[test]
        fn no_input_panics(name in ".{0,20}", text in ".{0,40}", number in any::<f64>()) {
            let _ = check_with("nano-banana-pro", json!({name: text, "prompt": number, "seed": text}));
        }
    }
}
