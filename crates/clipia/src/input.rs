//! The check of an input against the `input_schema` of its model. Pure.
//!
//! Only a certain violation of the schema is a fault. A type, a form of option or a rule (`validation`) that
//! this version does not know is left to the server, because a check before paying must never refuse what the server
//! accepts.

use clipia_api::types::{InputParameter, InputWarning, Model};
use serde_json::{Map, Value};
use std::fmt;

/// Characters of a wrong value, or of an unknown name, in a message.
const SHOWN_MAX: usize = 60;

/// Options in a message. A model may have hundreds of voices.
const LISTED_MAX: usize = 20;

/// Characters of a name that are compared with those of the model's parameters.
const COMPARED_MAX: usize = 100;

/// The similarity (Jaro-Winkler, 1 is the same) from which a name is taken for a misspelling.
const SIMILAR: f64 = 0.85;

/// How far a number may be from a step, in steps, because floats such as multiples of 0.1 are not exact.
const STEP_SLACK: f64 = 1e-9;

/// The parameter that holds the text of a speech model, which `text_limits` bounds.
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

impl fmt::Display for InputFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message.fmt(f)
    }
}

/// The result of a check.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Findings {
    /// Why the model refuses the input, at most one fault for each parameter.
    pub(crate) faults: Vec<InputFault>,
    /// Keys that the model ignores.
    pub(crate) warnings: Vec<InputWarning>,
}

/// Checks `input` against the model's schema. Without a schema there are no findings.
pub(crate) fn check(model: &Model, input: &Map<String, Value>) -> Findings {
    let Some(schema) = &model.input_schema else { return Findings::default() };
    let fault = |parameter: &InputParameter| {
        let message = fault_of(parameter, input.get(&parameter.name))?;
        Some(InputFault { parameter: parameter.name.clone(), message })
    };
    let unknown = input.keys().filter(|name| schema.parameters.iter().all(|known| known.name != **name));
    let mut faults: Vec<InputFault> = schema.parameters.iter().filter_map(fault).collect();
    if faults.iter().all(|fault| fault.parameter != TEXT) {
        let fault = |message| InputFault { parameter: TEXT.to_owned(), message };
        faults.extend(text_fault(model, input).map(fault));
    }
    Findings { faults, warnings: unknown.map(|name| warning(model, &schema.parameters, name)).collect() }
}

fn warning(model: &Model, parameters: &[InputParameter], name: &str) -> InputWarning {
    let hint = nearest(parameters, name).map_or(String::new(), |known| format!("; did you mean `{known}`?"));
    let message = format!("`{}` is not a parameter of {} and is ignored{hint}", cut(name), model.slug);
    InputWarning::new("unknown_parameter", name, message)
}

/// The parameter whose name is most similar to `name`, if it is similar enough.
fn nearest<'a>(parameters: &'a [InputParameter], name: &str) -> Option<&'a str> {
    let plain = |name: &str| -> String {
        let letters = name.chars().filter(|c| c.is_alphanumeric()).take(COMPARED_MAX);
        letters.flat_map(char::to_lowercase).collect()
    };
    let given = plain(name);
    let similarity = |known: &'a InputParameter| {
        let similarity = strsim::jaro_winkler(&plain(&known.name), &given);
        (similarity >= SIMILAR).then_some((similarity, known.name.as_str()))
    };
    let nearest = parameters.iter().filter_map(similarity).max_by(|(a, _), (b, _)| a.total_cmp(b));
    nearest.map(|(_, name)| name)
}

/// The fault of a parameter's value, if any. Null counts as absent.
fn fault_of(parameter: &InputParameter, value: Option<&Value>) -> Option<String> {
    let name = &parameter.name;
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return (parameter.required == Some(true)).then(|| format!("`{name}` is required"));
    };
    let wanted = match parameter.type_.as_str() {
        "string" => match value.as_str() {
            Some(text) => return length_fault(parameter, text),
            None => Some("a string".to_owned()),
        },
        "boolean" => (!value.is_boolean()).then(|| "true or false".to_owned()),
        "integer" => match value.as_f64() {
            Some(number) if number.fract() == 0.0 => number_fault(parameter, number),
            _ => Some("a whole number".to_owned()),
        },
        "number" => match value.as_f64() {
            Some(number) => number_fault(parameter, number),
            None => Some("a number".to_owned()),
        },
        "select" => option_fault(&parameter.options, value),
        "image" | "video" | "audio" => return file_fault(&parameter.type_, name, value),
        _ => None,
    };
    wanted.map(|wanted| format!("`{name}` must be {wanted}; got {}", shown(value)))
}

fn length_fault(parameter: &InputParameter, text: &str) -> Option<String> {
    bounds_fault(&parameter.name, text, parameter.min_length, parameter.max_length)
}

/// The fault in the length of a speech model's text.
fn text_fault(model: &Model, input: &Map<String, Value>) -> Option<String> {
    let limits = model.text_limits.as_ref()?;
    bounds_fault(TEXT, input.get(TEXT)?.as_str()?, limits.min_chars, limits.max_chars)
}

fn bounds_fault(name: &str, text: &str, least: Option<u64>, most: Option<u64>) -> Option<String> {
    let length = text.chars().count() as u64;
    let characters =
        |count: u64| if count == 1 { "1 character".to_owned() } else { format!("{count} characters") };
    match (least, most) {
        (Some(least), _) if length < least && length == 0 => Some(format!("`{name}` must not be empty")),
        (Some(least), _) if length < least => {
            Some(format!("`{name}` must have at least {}; got {length}", characters(least)))
        }
        (_, Some(most)) if length > most => {
            Some(format!("`{name}` must have at most {}; got {length}", characters(most)))
        }
        _ => None,
    }
}

/// The requirement that the number violates.
fn number_fault(parameter: &InputParameter, number: f64) -> Option<String> {
    if let Some(min) = parameter.min.filter(|min| number < *min) {
        return Some(format!("at least {min}"));
    }
    if let Some(max) = parameter.max.filter(|max| number > *max) {
        return Some(format!("at most {max}"));
    }
    let (start, step) = (parameter.min.unwrap_or(0.0), parameter.step.filter(|step| *step > 0.0)?);
    let steps = (number - start) / step;
    if (steps - steps.round()).abs() <= STEP_SLACK * steps.abs().max(1.0) || !steps.is_finite() {
        return None;
    }
    Some(if start == 0.0 {
        format!("a multiple of {step}")
    } else {
        format!("{start} plus a multiple of {step}")
    })
}

/// The requirement that the value violates. An option is a plain value, or an object with a `value` and a label.
fn option_fault(options: &[Value], value: &Value) -> Option<String> {
    let plain: Option<Vec<&Value>> = options
        .iter()
        .map(|option| if option.is_object() { option.get("value") } else { Some(option) })
        .collect();
    let options = plain.filter(|options| !options.is_empty())?;
    if options.iter().any(|option| same(option, value)) {
        return None;
    }
    let text = |option: &&Value| option.as_str().map_or_else(|| option.to_string(), str::to_owned);
    let mut listed: Vec<String> = options.iter().take(LISTED_MAX).map(text).collect();
    if options.len() > LISTED_MAX {
        listed.push(format!("… ({} in all)", options.len()));
    }
    Some(format!("one of {}", listed.join(", ")))
}

/// Whether two values are equal. 5 equals 5.0, and `4K` equals `4k`, because the API writes both.
fn same(a: &Value, b: &Value) -> bool {
    a == b
        || a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| a == b)
        || a.as_str().zip(b.as_str()).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
}

/// The fault of a parameter of the type `kind`, whose value is the URL of a file of that type.
fn file_fault(kind: &str, name: &str, value: &Value) -> Option<String> {
    let data = format!("data:{kind}/");
    let starts = ["https://", "http://", &data];
    let begins = |text: &str, start: &str| {
        text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
    };
    let got = match value.as_str() {
        Some(text) if starts.iter().any(|start| begins(text, start)) => return None,
        // Of another URL only the scheme is shown: the rest may be a secret, or the file itself.
        Some(text) => match text.split_once("://").or_else(|| text.split_once(',')) {
            Some((kind, _)) => format!("\"{}…\"", cut(kind)),
            None => shown(value),
        },
        None => shown(value),
    };
    let (a, it) = match kind {
        "image" => ("an", "image"),
        "video" => ("a", "video"),
        _ => ("an", "audio file"),
    };
    Some(format!(
        "`{name}` must be the URL of {a} {it} (`https:`, or `{data}` with the {it} in it); got {got}"
    ))
}

/// A value in a message, cut short.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) => format!("{:?}", cut(text)),
        _ => value.to_string(),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn model(parameters: Value) -> Model {
        let model = json!({"slug": "m", "type": "image", "input_schema": {"parameters": parameters}});
        serde_json::from_value(model).unwrap()
    }

    /// A model with a parameter of each type, with each rule.
    fn every_kind() -> Model {
        model(json!([
            {"name": "prompt", "type": "string", "required": true, "minLength": 2, "maxLength": 5},
            {"name": "aspect_ratio", "type": "select", "options": ["1:1", {"value": "16:9", "label": ""}, 2]},
            {"name": "tier", "type": "select", "options": ["1K", "4K"]},
            {"name": "open", "type": "select"},
            {"name": "newer", "type": "select", "options": [{"id": "a"}]},
            {"name": "seed", "type": "integer", "min": 0, "max": 10},
            {"name": "odd", "type": "integer", "min": 1, "step": 2},
            {"name": "strength", "type": "number", "max": 1, "step": 0.1},
            {"name": "loop", "type": "boolean"},
            {"name": "image_url", "type": "image", "validation": {"media_types": ["image/png"]}},
            {"name": "video_url", "type": "video"},
            {"name": "audio_url", "type": "audio"},
            {"name": "camera", "type": "path of a newer API", "min": 3, "options": ["a"]},
        ]))
    }

    /// The messages about an input with all required parameters and this value.
    fn said(name: &str, value: Value) -> Vec<String> {
        let mut input = Map::from_iter([("prompt".to_owned(), json!("fox"))]);
        input.insert(name.to_owned(), value);
        let findings = check(&every_kind(), &input);
        assert!(findings.warnings.is_empty(), "{findings:?}");
        findings.faults.into_iter().map(|fault| fault.message).collect()
    }

    #[test]
    fn each_fault_is_a_sentence() {
        for (name, value, message) in [
            ("prompt", json!(null), "`prompt` is required"),
            ("prompt", json!(7), "`prompt` must be a string; got 7"),
            ("prompt", json!(["a"]), "`prompt` must be a string; got an array"),
            ("prompt", json!(""), "`prompt` must not be empty"),
            ("prompt", json!("é"), "`prompt` must have at least 2 characters; got 1"),
            ("prompt", json!("ééééée"), "`prompt` must have at most 5 characters; got 6"),
            ("aspect_ratio", json!("17:9"), r#"`aspect_ratio` must be one of 1:1, 16:9, 2; got "17:9""#),
            ("aspect_ratio", json!({}), "`aspect_ratio` must be one of 1:1, 16:9, 2; got an object"),
            ("seed", json!("7"), r#"`seed` must be a whole number; got "7""#),
            ("seed", json!(1.5), "`seed` must be a whole number; got 1.5"),
            ("seed", json!(-1), "`seed` must be at least 0; got -1"),
            ("seed", json!(11), "`seed` must be at most 10; got 11"),
            ("odd", json!(4), "`odd` must be 1 plus a multiple of 2; got 4"),
            ("strength", json!(true), "`strength` must be a number; got true"),
            ("strength", json!(0.25), "`strength` must be a multiple of 0.1; got 0.25"),
            ("loop", json!("yes"), r#"`loop` must be true or false; got "yes""#),
            (
                "image_url",
                json!("fox.png"),
                "`image_url` must be the URL of an image (`https:`, or `data:image/` with the image in it); \
                 got \"fox.png\"",
            ),
            (
                "video_url",
                json!("data:image/png;base64,AAAA"),
                "`video_url` must be the URL of a video (`https:`, or `data:video/` with the video in it); \
                 got \"data:image/png;base64…\"",
            ),
            (
                "audio_url",
                json!(7),
                "`audio_url` must be the URL of an audio file (`https:`, or `data:audio/` with the audio file in it); \
                 got 7",
            ),
        ] {
            assert_eq!(said(name, value.clone()), [message], "{name} {value}");
        }
    }

    #[test]
    fn a_value_that_the_schema_allows_or_says_nothing_about_is_no_fault() {
        for (name, value) in [
            ("prompt", json!("ééééé")),
            ("aspect_ratio", json!("16:9")),
            ("aspect_ratio", json!(2.0)),
            ("tier", json!("4k")),
            ("aspect_ratio", json!(null)),
            ("open", json!("anything")),
            ("newer", json!("b")),
            ("seed", json!(5.0)),
            ("odd", json!(3)),
            ("strength", json!(0.7)),
            ("strength", json!(-1e6)),
            ("image_url", json!("HTTPS://example.com/fox.gif")),
            ("image_url", json!("data:image/gif;base64,AAAA")),
            ("video_url", json!("data:video/mp4;base64,AAAA")),
            ("audio_url", json!("https://example.com/fox.wav")),
            ("camera", json!([1, 2])),
        ] {
            assert_eq!(said(name, value.clone()), [""; 0], "{name} {value}");
        }
        let text = serde_json::from_value(json!({"slug": "t", "type": "text"})).unwrap();
        let input = Map::from_iter([("anything".to_owned(), json!(1))]);
        assert_eq!(check(&text, &input), Findings::default());
    }

    #[test]
    fn the_text_of_a_speech_model_is_checked_against_its_limits() {
        let speech: Model = serde_json::from_value(json!({
            "slug": "m", "type": "audio", "text_limits": {"min_chars": 2, "max_chars": 3},
            "input_schema": {"parameters": [{"name": "prompt", "type": "string", "required": true}]},
        }))
        .unwrap();
        for (input, message) in [
            (json!({}), "`prompt` is required"),
            (json!({"prompt": 7}), "`prompt` must be a string; got 7"),
            (json!({"prompt": "é"}), "`prompt` must have at least 2 characters; got 1"),
            (json!({"prompt": "ééé"}), ""),
            (json!({"prompt": "éééé"}), "`prompt` must have at most 3 characters; got 4"),
        ] {
            let faults = check(&speech, input.as_object().unwrap()).faults;
            let messages: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
            assert_eq!(messages.join("; "), message, "{input}");
        }
    }

    #[test]
    fn an_unknown_key_is_a_warning_that_names_the_nearest() {
        for (name, nearest) in [
            ("promt", Some("prompt")),
            ("Prompt", Some("prompt")),
            ("aspectRatio", Some("aspect_ratio")),
            ("image", Some("image_url")),
            ("sede", Some("seed")),
            ("mood", None),
            ("negative_prompt", None),
            ("", None),
        ] {
            let input = Map::from_iter([("prompt".to_owned(), json!("fox")), (name.to_owned(), json!(1))]);
            let findings = check(&every_kind(), &input);
            let hint = nearest.map_or(String::new(), |nearest| format!("; did you mean `{nearest}`?"));
            let message = format!("`{name}` is not a parameter of m and is ignored{hint}");
            assert_eq!(findings.warnings, [InputWarning::new("unknown_parameter", name, message)]);
            assert!(findings.faults.is_empty());
        }
    }

    #[test]
    fn a_message_is_short_and_keeps_secrets() {
        let long = "x".repeat(10_000);
        let options: Vec<usize> = (0..500).collect();
        let model = model(json!([
            {"name": "voice", "type": "select", "options": options},
            {"name": "image_url", "type": "image"},
        ]));
        let image = "s3://key:secret@bucket/fox.png?token=secret";
        let input = json!({"voice": long, "image_url": image, long.clone(): 1});
        let findings = check(&model, input.as_object().unwrap());
        let messages =
            [&findings.faults[0].message, &findings.faults[1].message, &findings.warnings[0].message];
        assert!(
            messages.iter().all(|message| message.len() < 250 && !message.contains("secret")),
            "{messages:?}"
        );
        assert!(messages[0].contains("18, 19, … (500 in all); got"), "{messages:?}");
        assert!(messages[1].ends_with(r#"got "s3…""#), "{messages:?}");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,80}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 8, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".{0,8}", inner, 0..4)
                    .prop_map(|map| Value::from(Map::from_iter(map))),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_input_and_no_schema_panics(
            kind in "string|integer|number|boolean|select|image|other",
            (min, max, step) in any::<(Option<f64>, Option<f64>, Option<f64>)>(),
            (least, most) in any::<(Option<u64>, Option<u64>)>(),
            options in prop::collection::vec(any_json(), 0..4),
            (name, other) in ("[a-z_]{0,8}", ".{0,8}"),
            (value, more) in (any_json(), any_json()),
        ) {
            let model = model(json!([{
                "name": name, "type": kind, "min": min, "max": max, "step": step, "minLength": least,
                "maxLength": most, "options": options, "required": true,
            }]));
            let findings = check(&model, &Map::from_iter([(name, value), (other, more)]));
            prop_assert!(findings.faults.iter().all(|fault| !fault.message.contains('\n')), "{:?}", findings);
        }
    }
}
