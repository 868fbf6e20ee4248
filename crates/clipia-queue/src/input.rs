//! An input as it is submitted: with its defaults, in the catalogue's spelling. [`clipia_api::input`] checks it.

use clipia_api::input::{faults, option_of, parameters, warnings};
use clipia_api::types::{InputParameter, InputWarning, Model};
use serde_json::{Map, Value};

pub use clipia_api::input::{FILE_TYPES, TYPES};

/// An input that may be submitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The input with the defaults of what it lacks, and without what the model does not know.
    pub input: Map<String, Value>,
    /// What it does not know, within bounds: at most [`WARNINGS_MAX`](clipia_api::input::WARNINGS_MAX) names and one count.
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
    let faults: Vec<String> = faults(model, input).into_iter().map(|fault| fault.message).collect();
    if !faults.is_empty() {
        return Err(Invalid { faults });
    }
    let mut checked = defaults(model);
    for parameter in parameters(model) {
        let Some(value) = input.get(&parameter.name).filter(|value| !value.is_null()) else { continue };
        // The catalogue's own spelling: prices and executors know no other.
        let value = option_of(parameter, value).unwrap_or(value);
        checked.insert(parameter.name.clone(), value.clone());
    }
    Ok(Checked { input: checked, warnings: warnings(model, input, members) })
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

/// The files that an input names: each parameter of a [file type](FILE_TYPES) that has a value, with its URL.
pub fn files<'a>(
    model: &'a Model,
    input: &'a Map<String, Value>,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let of_files =
        parameters(model).iter().filter(|parameter| FILE_TYPES.contains(&parameter.type_.as_str()));
    of_files.filter_map(|parameter| Some((parameter.name.as_str(), input.get(&parameter.name)?.as_str()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
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
