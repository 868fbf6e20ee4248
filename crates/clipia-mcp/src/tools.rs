//! The tools as a client sees them: names, descriptions, parameters, results, hints.

use crate::balance::Balance;
use crate::catalogue::{ModelDetails, Models};
use crate::parameters::{
    AudioParameters, GenerationParameters, ImageParameters, ModelParameters, ModelsParameters,
    MusicParameters, NoParameters, VideoParameters, WaitParameters,
};
use crate::result::Generation;
use crate::settings::{Kind, Settings};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};
use std::sync::Arc;

/// A tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToolName {
    Generate(Kind),
    WaitGeneration,
    GetGeneration,
    ListModels,
    GetModel,
    GetBalance,
}

impl ToolName {
    /// The tools that submit nothing.
    const READING: [Self; 5] =
        [Self::WaitGeneration, Self::GetGeneration, Self::ListModels, Self::GetModel, Self::GetBalance];

    /// The tools of a server with these settings.
    pub(crate) fn of(settings: &Settings) -> Vec<Self> {
        let kinds = Kind::ALL.into_iter().filter(|kind| !settings.read_only && settings.kinds.contains(kind));
        kinds.map(Self::Generate).chain(Self::READING).collect()
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Generate(Kind::Image) => "generate_image",
            Self::Generate(Kind::Video) => "generate_video",
            Self::Generate(Kind::Audio) => "generate_audio",
            Self::Generate(Kind::Music) => "generate_music",
            Self::WaitGeneration => "wait_generation",
            Self::GetGeneration => "get_generation",
            Self::ListModels => "list_models",
            Self::GetModel => "get_model",
            Self::GetBalance => "get_balance",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Generate(Kind::Image) => "Generate images",
            Self::Generate(Kind::Video) => "Generate a video",
            Self::Generate(Kind::Audio) => "Generate speech",
            Self::Generate(Kind::Music) => "Generate music",
            Self::WaitGeneration => "Wait for generations",
            Self::GetGeneration => "Get a generation",
            Self::ListModels => "List models",
            Self::GetModel => "Get a model",
            Self::GetBalance => "Get the balance",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Generate(Kind::Image) => {
                "Makes images from words, or from other images. Waits up to 25 s, and returns the images with a small picture. Costs credits."
            }
            Self::Generate(Kind::Video) => {
                "Makes a clip from words, or from an image. Returns a request_id at once: the clip takes minutes, so call wait_generation. Costs credits."
            }
            Self::Generate(Kind::Audio) => "Makes speech of a text. Waits up to 25 s. Costs credits.",
            Self::Generate(Kind::Music) => {
                "Makes music of a description. Waits up to 25 s; if it has not ended, call wait_generation. Costs credits."
            }
            Self::WaitGeneration => {
                "Waits until generations have ended, or until wait_seconds have passed. Call it again until each is COMPLETED, FAILED or CANCELED."
            }
            Self::GetGeneration => {
                "Returns what is known of a generation now, and saves its files if asked to."
            }
            Self::ListModels => "Lists models with their prices, at most 30.",
            Self::GetModel => "Returns a model: the JSON Schema of its input, and what a few inputs cost.",
            Self::GetBalance => "Returns the credits of the account, and its usage of 30 days.",
        }
    }

    fn parameters(self) -> JsonObject {
        match self {
            Self::Generate(Kind::Image) => schema::<ImageParameters>(),
            Self::Generate(Kind::Video) => schema::<VideoParameters>(),
            Self::Generate(Kind::Audio) => schema::<AudioParameters>(),
            Self::Generate(Kind::Music) => schema::<MusicParameters>(),
            Self::WaitGeneration => schema::<WaitParameters>(),
            Self::GetGeneration => schema::<GenerationParameters>(),
            Self::ListModels => schema::<ModelsParameters>(),
            Self::GetModel => schema::<ModelParameters>(),
            Self::GetBalance => schema::<NoParameters>(),
        }
    }

    fn result(self) -> JsonObject {
        match self {
            Self::Generate(_) | Self::GetGeneration => schema::<Generation>(),
            Self::WaitGeneration => one_or_many(),
            Self::ListModels => schema::<Models>(),
            Self::GetModel => schema::<ModelDetails>(),
            Self::GetBalance => schema::<Balance>(),
        }
    }

    fn hints(self) -> ToolAnnotations {
        let hints = ToolAnnotations::with_title(self.title()).open_world(true);
        match self {
            Self::Generate(_) => hints.read_only(false).destructive(false).idempotent(false),
            _ => hints.read_only(true),
        }
    }

    /// The tool. Only a server on the caller's machine saves files.
    pub(crate) fn tool(self, saves_files: bool) -> Tool {
        let mut parameters = self.parameters();
        if !saves_files
            && let Some(properties) = parameters.get_mut("properties").and_then(Value::as_object_mut)
        {
            properties.remove("save_to");
        }
        Tool::new(self.as_str(), self.description(), Arc::new(parameters))
            .with_title(self.title())
            .with_raw_output_schema(Arc::new(self.result()))
            .with_annotations(self.hints())
    }
}

/// The result of `wait_generation`: a generation, or several.
fn one_or_many() -> JsonObject {
    let mut one = schema::<Generation>();
    let many = json!({ "type": "array", "items": one, "description": "The generations of `request_ids`, in that order." });
    one.remove("required");
    if let Some(properties) = one.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("generations".to_owned(), many);
    }
    one
}

/// The JSON Schema of a type, without what tells a model nothing.
fn schema<T: JsonSchema>() -> JsonObject {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        settings.inline_subschemas = true;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    simplify(&mut schema);
    match schema {
        Value::Object(mut schema) => {
            // Some clients refuse a schema without any.
            schema.entry("properties").or_insert_with(|| json!({}));
            schema
        }
        _ => JsonObject::new(),
    }
}

fn simplify(schema: &mut Value) {
    match schema {
        Value::Object(entries) => {
            // An optional parameter is left out, and never null.
            if let Some(Value::Array(types)) = entries.get_mut("type") {
                types.retain(|name| name != "null");
                if let [one] = types.as_slice() {
                    let one = one.clone();
                    entries.insert("type".to_owned(), one);
                }
            }
            if entries.get("title").is_some_and(Value::is_string) {
                entries.remove("title");
            }
            if entries
                .get("format")
                .and_then(Value::as_str)
                .is_some_and(|format| ["uint64", "double", "uint"].contains(&format))
            {
                entries.remove("format");
            }
            entries.values_mut().for_each(simplify);
        }
        Value::Array(values) => values.iter_mut().for_each(simplify),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(settings: &Settings) -> Vec<&'static str> {
        ToolName::of(settings).into_iter().map(ToolName::as_str).collect()
    }

    #[test]
    fn the_settings_choose_the_tools() {
        let reading = ["wait_generation", "get_generation", "list_models", "get_model", "get_balance"];
        let all = names(&Settings::default());
        assert_eq!(all.len(), 9);
        assert_eq!(names(&Settings { read_only: true, ..Settings::default() }), reading);
        let images = names(&Settings { kinds: vec![Kind::Image], ..Settings::default() });
        assert_eq!(images[0], "generate_image");
        assert_eq!(images[1..], reading);
    }

    #[test]
    fn the_schemas_are_as_agreed() {
        let tools: Vec<Tool> =
            ToolName::of(&Settings::default()).into_iter().map(|name| name.tool(true)).collect();
        insta::assert_json_snapshot!(tools);
    }

    #[test]
    fn a_server_elsewhere_saves_no_files() {
        for name in ToolName::of(&Settings::default()) {
            let properties = |saves_files| name.tool(saves_files).input_schema["properties"].clone();
            assert!(properties(false).get("save_to").is_none());
            let saves = matches!(name, ToolName::Generate(_) | ToolName::GetGeneration);
            assert_eq!(properties(true).get("save_to").is_some(), saves, "{name:?}");
        }
    }

    #[test]
    fn the_tools_take_little_of_a_models_context() {
        let tools: Vec<Tool> =
            ToolName::of(&Settings::default()).into_iter().map(|name| name.tool(true)).collect();
        let bytes = serde_json::to_string(&tools).unwrap().len();
        assert!(bytes < 20_000, "{bytes} bytes");
    }
}
