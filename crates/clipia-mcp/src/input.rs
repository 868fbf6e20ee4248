//! The model and the input of a generation, from the arguments of a tool.

use crate::call::Call;
use crate::files::is_path;
use crate::parameters::{AudioParameters, ImageParameters, MusicParameters, Own, VideoParameters};
use crate::refusal::Refusal;
use crate::settings::Kind;
use clipia::{InputParameter, Model, ModelType};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The vendor's default models.
const IMAGE: &str = "nano-banana-2";
const VIDEO: &str = "seedance-2-fast-t2v";
const VIDEO_OF_IMAGE: &str = "seedance-2-fast-i2v";

/// What is to be generated.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) model: String,
    /// Paths stand for the files that are not uploaded yet.
    pub(crate) input: Map<String, Value>,
}

/// What the arguments of a generating tool ask for.
pub(crate) async fn wanted(call: &Call<'_>, kind: Kind) -> Result<(Wanted, Own), Refusal> {
    match kind {
        Kind::Image => drop(call.parameters::<ImageParameters>()?),
        Kind::Video => drop(call.parameters::<VideoParameters>()?),
        Kind::Audio => drop(call.parameters::<AudioParameters>()?),
        Kind::Music => drop(call.parameters::<MusicParameters>()?),
    }
    let own: Own = call.parameters()?;
    let mut input = call.arguments();
    input.retain(|name, value| !Own::NAMES.contains(&name.as_str()) && !value.is_null());
    for (name, value) in own.input.iter().flatten() {
        input.entry(name.as_str()).or_insert_with(|| value.clone());
    }
    let slug = match &own.model {
        Some(slug) => slug.clone(),
        None => default_model(kind, input.contains_key("image_url"), &call.clipia().models().await?)?,
    };
    let model = call.clipia().model(&slug).await?;
    fit(&mut input, &model);
    Ok((Wanted { model: slug, input }, own))
}

/// The model of a kind if none is named: the vendor's default, or else the first one of the catalogue.
fn default_model(kind: Kind, from_an_image: bool, models: &[Model]) -> Result<String, Refusal> {
    let usual = match (kind, from_an_image) {
        (Kind::Image, _) => Some(IMAGE),
        (Kind::Video, false) => Some(VIDEO),
        (Kind::Video, true) => Some(VIDEO_OF_IMAGE),
        (Kind::Audio | Kind::Music, _) => None,
    };
    let found = models
        .iter()
        .find(|model| usual == Some(model.slug.as_str()))
        .or_else(|| models.iter().find(|model| is_of(model, kind, from_an_image)));
    match found {
        Some(model) => Ok(model.slug.clone()),
        None => Err(Refusal::new(format!(
            "This server has no model for {kind}. list_models lists those that it has; pass one in `model`."
        ))),
    }
}

fn is_of(model: &Model, kind: Kind, from_an_image: bool) -> bool {
    let is_music = model.capabilities.iter().any(|capability| capability.contains("music"))
        || model.slug.contains("music");
    match kind {
        Kind::Image => model.type_ == ModelType::Image,
        Kind::Video => model.type_ == ModelType::Video && from_an_image == has(model, "image_url"),
        Kind::Audio => model.type_ == ModelType::Audio && !is_music,
        Kind::Music => model.type_ == ModelType::Audio && is_music,
    }
}

/// Renames what the tool calls otherwise than the model: many models take the text of a speech as `prompt`, and one image as `image_url`.
fn fit(input: &mut Map<String, Value>, model: &Model) {
    let mut rename = |name: &str, other: &str, change: fn(Value) -> Option<Value>| {
        if has(model, name) || !has(model, other) || input.contains_key(other) {
            return;
        }
        if let Some(value) = input.get(name).cloned().and_then(change) {
            input.remove(name);
            input.insert(other.to_owned(), value);
        }
    };
    rename("text", "prompt", Some);
    rename("image_urls", "image_url", |urls| match urls.as_array()?.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    });
    rename("image_url", "image_urls", |url| Some(Value::Array(vec![url])));
}

fn has(model: &Model, parameter: &str) -> bool {
    parameters(model).iter().any(|known| known.name == parameter)
}

/// The parameters of a model.
pub(crate) fn parameters(model: &Model) -> &[InputParameter] {
    model.input_schema.as_ref().map_or(&[], |schema| &schema.parameters)
}

/// The entries of an input that hold files of a caller: those of the tools, and those that the model declares as files.
fn holds_files(name: &str, model: &Model) -> bool {
    let declared = parameters(model).iter().find(|known| known.name == name);
    let declared = declared.is_some_and(|known| ["image", "video", "audio"].contains(&known.type_.as_str()));
    declared || ["image_url", "image_urls"].contains(&name)
}

/// Uploads the files that the input names by their paths, and puts their URLs in the place of the paths. `uploaded` has the URLs of
/// paths that were uploaded before. Returns the URLs of all.
pub(crate) async fn upload(
    call: &Call<'_>,
    wanted: &mut Wanted,
    uploaded: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Refusal> {
    let model = call.clipia().model(&wanted.model).await?;
    let named: Vec<&mut Value> = wanted
        .input
        .iter_mut()
        .filter(|(name, _)| holds_files(name, &model))
        .flat_map(|(_, value)| match value {
            Value::Array(values) => values.iter_mut().collect(),
            one => vec![one],
        })
        .filter(|value| value.as_str().is_some_and(is_path))
        .collect();
    // All paths are checked before the first file is sent.
    let mut paths: Vec<(String, Option<PathBuf>, &mut Value)> = Vec::new();
    for value in named {
        let text = value.as_str().unwrap_or_default().to_owned();
        let path = match (uploaded.get(&text), call.files) {
            (Some(_), _) => None,
            (None, Some(files)) => Some(files.readable(&text)?),
            (None, None) => {
                return Err(Refusal::new(format!(
                    "`{text}` is no URL. Over HTTP, files are https URLs or `data:` URLs. Nothing was submitted."
                )));
            }
        };
        paths.push((text, path, value));
    }
    let mut urls = uploaded.clone();
    for (text, path, value) in paths {
        let url = match (urls.get(&text), path) {
            (None, Some(path)) => call.clipia().upload(path).await?.url,
            (Some(url), _) => url.clone(),
            (None, None) => continue,
        };
        *value = Value::from(url.as_str());
        urls.insert(text, url);
    }
    Ok(urls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn model(slug: &str, kind: &str, capability: &str, parameters: &[&str]) -> Model {
        let parameters: Vec<Value> =
            parameters.iter().map(|name| json!({ "name": name, "type": "string" })).collect();
        serde_json::from_value(json!({
            "slug": slug, "type": kind, "capabilities": [capability], "input_schema": { "parameters": parameters },
        }))
        .unwrap()
    }

    fn catalogue() -> Vec<Model> {
        vec![
            model("other", "image", "text-to-image", &["prompt"]),
            model("nano-banana-2", "image", "text-to-image", &["prompt"]),
            model("clips", "video", "text-to-video", &["prompt"]),
            model("moves", "video", "image-to-video", &["prompt", "image_url"]),
            model("suno-music", "audio", "text-to-music", &["prompt"]),
            model("speech", "audio", "text-to-speech", &["prompt", "voice"]),
        ]
    }

    #[test]
    fn the_vendors_default_or_the_first_model_of_the_kind_is_taken() {
        let default = |kind, from_an_image| default_model(kind, from_an_image, &catalogue()).unwrap();
        assert_eq!(default(Kind::Image, false), "nano-banana-2");
        assert_eq!(default(Kind::Video, false), "clips");
        assert_eq!(default(Kind::Video, true), "moves");
        assert_eq!(default(Kind::Audio, false), "speech");
        assert_eq!(default(Kind::Music, false), "suno-music");
        let none = default_model(Kind::Music, false, &catalogue()[..4]).unwrap_err();
        assert!(none.0.contains("no model for music") && none.0.contains("list_models"), "{none:?}");
    }

    #[test]
    fn an_input_has_the_names_of_its_model() {
        let fitted = |input: Value, parameters: &[&str]| {
            let Value::Object(mut input) = input else { panic!() };
            fit(&mut input, &model("m", "image", "", parameters));
            Value::Object(input)
        };
        assert_eq!(fitted(json!({ "text": "hi" }), &["prompt"]), json!({ "prompt": "hi" }));
        assert_eq!(fitted(json!({ "text": "hi" }), &["text"]), json!({ "text": "hi" }));
        let url = "https://a/b.png";
        assert_eq!(fitted(json!({ "image_urls": [url] }), &["image_url"]), json!({ "image_url": url }));
        assert_eq!(fitted(json!({ "image_url": url }), &["image_urls"]), json!({ "image_urls": [url] }));
        // What the model does not take is sent as it is: the server warns of it.
        let two = json!({ "image_urls": [url, url] });
        assert_eq!(fitted(two.clone(), &["image_url"]), two);
    }
}
