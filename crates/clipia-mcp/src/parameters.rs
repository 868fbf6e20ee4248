//! The parameters of the tools. Their doc comments are the descriptions that a model reads, so each is one short sentence.
//!
//! The parameters of the vendor's own tools have the vendor's names: prompts that were written for those tools work with these.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

// Each field but the few that `Own` reads is an entry of the model's input. It is parsed for its type, and taken from the arguments.
macro_rules! of_an_input {
    ($(#[$of_struct:meta])* $Name:ident { $($(#[$of_field:meta])* $field:ident: $Type:ty,)+ }) => {
        $(#[$of_struct])*
        #[derive(Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "parsed for the types of the fields")]
        pub(crate) struct $Name {
            $($(#[$of_field])* $field: $Type,)+
            /// Slug of the model, from list_models. A default fits most prompts.
            model: Option<String>,
            /// Any other entry of the model's input, by the schema that get_model returns.
            input: Option<Map<String, Value>>,
            /// Most credits that the person agreed to. It submits without asking again if the price is not higher.
            max_cost: Option<f64>,
            /// Directory in which the files are saved.
            save_to: Option<String>,
            /// Seconds to wait for the end.
            #[schemars(range(min = 0, max = 25))]
            wait_seconds: Option<u64>,
            /// Whether the result has a small picture. Default true.
            include_preview: Option<bool>,
        }
    };
}

of_an_input! {
    ImageParameters {
        /// What to draw.
        prompt: String,
        /// Such as 1:1, 16:9 or 9:16.
        aspect_ratio: Option<String>,
        /// 1k, 2k or 4k.
        resolution: Option<String>,
        /// How many images.
        #[schemars(range(min = 1, max = 4))]
        num_images: Option<u64>,
        /// Images to start from: https URLs, or paths of files in an allowed directory.
        #[schemars(length(max = 4))]
        image_urls: Option<Vec<String>>,
        /// The same seed and input give the same image, where the model has seeds.
        seed: Option<u64>,
    }
}

of_an_input! {
    VideoParameters {
        /// What happens in the clip.
        prompt: Option<String>,
        /// Seconds.
        duration: Option<f64>,
        /// Such as 16:9 or 9:16.
        aspect_ratio: Option<String>,
        /// Such as 480p, 720p or 1080p.
        resolution: Option<String>,
        /// First image of the clip: an https URL, or the path of a file in an allowed directory.
        image_url: Option<String>,
        /// Whether the clip has sound, where the model makes it.
        generate_audio: Option<bool>,
        /// The same seed and input give the same clip, where the model has seeds.
        seed: Option<u64>,
    }
}

of_an_input! {
    AudioParameters {
        /// What is said.
        text: String,
        /// Name of the voice.
        voice: Option<String>,
        /// Language of the text, such as en.
        language: Option<String>,
    }
}

of_an_input! {
    MusicParameters {
        /// Mood, genre and tempo.
        prompt: String,
        /// Whether nobody sings.
        instrumental: Option<bool>,
        /// Seconds, where the model takes them.
        duration: Option<f64>,
    }
}

/// What a generating tool itself reads of its arguments. The rest is the model's input.
#[derive(Deserialize)]
pub(crate) struct Own {
    pub(crate) model: Option<String>,
    pub(crate) input: Option<Map<String, Value>>,
    pub(crate) max_cost: Option<f64>,
    pub(crate) save_to: Option<String>,
    pub(crate) wait_seconds: Option<u64>,
    pub(crate) include_preview: Option<bool>,
}

impl Own {
    /// The names of these parameters.
    pub(crate) const NAMES: [&str; 6] =
        ["model", "input", "max_cost", "save_to", "wait_seconds", "include_preview"];
}

/// The parameters of `wait_generation`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaitParameters {
    /// Id of a generation.
    pub(crate) request_id: Option<String>,
    /// Ids of several generations.
    #[schemars(length(max = 20))]
    pub(crate) request_ids: Option<Vec<String>>,
    /// Seconds to wait for the end of all. Default 25.
    #[schemars(range(min = 0, max = 30))]
    pub(crate) wait_seconds: Option<u64>,
    /// Whether the result has a small picture. Default true.
    pub(crate) include_preview: Option<bool>,
}

/// The parameters of `get_generation`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GenerationParameters {
    /// Id of the generation.
    pub(crate) request_id: String,
    /// Whether the result has a small picture. Default true.
    pub(crate) include_preview: Option<bool>,
    /// Directory in which the files are saved.
    pub(crate) save_to: Option<String>,
}

/// The parameters of `list_models`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelsParameters {
    /// text, image, video or audio.
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    /// Words of the name, the description or the capabilities.
    pub(crate) search: Option<String>,
}

/// The parameters of `get_model`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelParameters {
    /// Slug of the model, from list_models.
    pub(crate) model: String,
}

/// The parameters of a tool without any.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParameters {}
