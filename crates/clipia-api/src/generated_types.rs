// Generated from spec/openapi.yaml by `cargo xtask generate`. Do not edit.

///The account behind a key.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
#[serde(remote = "Self")]
pub struct Account {
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub account_id: ::std::option::Option<::std::string::String>,
    pub balance: Balance,
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub usage_30d: ::std::option::Option<Usage>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///One audio file.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
pub struct Audio {
    ///The container, such as `wav` or `mp3`.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub format: ::std::option::Option<::std::string::String>,
    ///The URL of the file.
    pub url: ::std::string::String,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///The available credits, without the reserved ones.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
pub struct Balance {
    pub credits: crate::Credits,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///The error.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
pub struct ErrorBody {
    pub code: ::std::string::String,
    ///A sentence for people. It reveals no internals of the server.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub message: ::std::option::Option<::std::string::String>,
    /**The family: `invalid_request_error`, `authentication_error`, `permission_error`,
`billing_error`, `rate_limit_error` or `api_error`.
*/
    #[serde(rename = "type", skip_serializing_if = "::std::option::Option::is_none")]
    pub type_: ::std::option::Option<::std::string::String>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///The body of every refusal and failure.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
#[serde(remote = "Self")]
pub struct ErrorEnvelope {
    pub error: ErrorBody,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///The input to estimate.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct EstimateRequest {
    ///As in a submit.
    pub input: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///The price of an input.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
#[serde(remote = "Self")]
pub struct EstimateResponse {
    pub credits: crate::Credits,
    ///As in the response to a submit.
    #[serde(default, skip_serializing_if = "::std::vec::Vec::is_empty")]
    pub warnings: ::std::vec::Vec<InputWarning>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///The reason that a generation failed. Its credits were returned.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
pub struct GenerationError {
    ///The code for programs, such as `GENERATION_FAILED`.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub code: ::std::option::Option<::std::string::String>,
    ///A sentence for people.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub message: ::std::option::Option<::std::string::String>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///One image.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
pub struct Image {
    ///Pixels of the original.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub height: ::std::option::Option<u32>,
    ///The URL of the file in full quality, for download.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub original_url: ::std::option::Option<::std::string::String>,
    /**Extension of Clipia Queue: the seed of this image. The same input with this seed gives this image
first.
*/
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub seed: ::std::option::Option<u64>,
    ///The URL of a smaller rendition, for display.
    pub url: ::std::string::String,
    ///Pixels of the original.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub width: ::std::option::Option<u32>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///One key of a model's `input`.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
pub struct InputParameter {
    ///The value that is used if the input lacks the key.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub default: ::std::option::Option<::serde_json::Value>,
    ///A sentence for people.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub hint: ::std::option::Option<::std::string::String>,
    ///A short name for people.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub label: ::std::option::Option<::std::string::String>,
    ///The largest number.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub max: ::std::option::Option<f64>,
    ///The largest number of characters.
    #[serde(
        rename = "maxLength",
        skip_serializing_if = "::std::option::Option::is_none"
    )]
    pub max_length: ::std::option::Option<u64>,
    ///The smallest number.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub min: ::std::option::Option<f64>,
    ///The smallest number of characters.
    #[serde(
        rename = "minLength",
        skip_serializing_if = "::std::option::Option::is_none"
    )]
    pub min_length: ::std::option::Option<u64>,
    ///The key.
    pub name: ::std::string::String,
    /**The values that the key takes, each plain (`"16:9"`) or as `{"value": …, "label": …}`. The
case of letters does not count: `4k` is `4K`.
*/
    #[serde(default, skip_serializing_if = "::std::vec::Vec::is_empty")]
    pub options: ::std::vec::Vec<::serde_json::Value>,
    ///Whether the input must have the key; false if absent.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub required: ::std::option::Option<bool>,
    ///The step between numbers. A number is `min` (or 0) plus a multiple of it.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub step: ::std::option::Option<f64>,
    ///`string`, `integer`, `number`, `boolean`, `select` (one of `options`), `image`, `video` or `audio` (the URL of a file: `https:`, that of an upload, or `data:image/png;base64,…` with the file itself) or another.
    #[serde(rename = "type")]
    pub type_: ::std::string::String,
    ///Further rules, in the model's own form.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub validation: ::std::option::Option<::serde_json::Value>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///The input that a model takes.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
pub struct InputSchema {
    pub parameters: ::std::vec::Vec<InputParameter>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///An input key that the model does not apply, or not in full.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
pub struct InputWarning {
    /**`unknown_parameter` (often a typing error) or `unsupported_parameter`. Extension of Clipia Queue:
`not_drawn`, for words and characters of a prompt that a procedural model does not draw; `message`
names them.
*/
    pub code: ::std::string::String,
    ///A sentence for people.
    pub message: ::std::string::String,
    ///The key of `input`.
    pub parameter: ::std::string::String,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///One model of the catalogue.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
pub struct Model {
    ///What the model can do, such as `text-to-image` or `image-to-video`.
    #[serde(default, skip_serializing_if = "::std::vec::Vec::is_empty")]
    pub capabilities: ::std::vec::Vec<::std::string::String>,
    ///The use of the model, in a sentence.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub description: ::std::option::Option<::std::string::String>,
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub input_schema: ::std::option::Option<InputSchema>,
    ///The name of the model for people.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub name: ::std::option::Option<::std::string::String>,
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub pricing: ::std::option::Option<Pricing>,
    /**Extension of Clipia Queue: true if a program makes the outputs from the words of the input, without a
trained model, whatever model usually has this slug. Other models do not have the field.
*/
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub procedural: ::std::option::Option<bool>,
    ///The name of the model in paths.
    pub slug: ::std::string::String,
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub text_limits: ::std::option::Option<TextLimits>,
    #[serde(rename = "type")]
    pub type_: crate::ModelType,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///The catalogue.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
#[serde(remote = "Self")]
pub struct ModelList {
    pub data: ::std::vec::Vec<Model>,
    ///`list`, if present.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub object: ::std::option::Option<::std::string::String>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
/**The output of a generation. An image model fills `images`, a video model `video`, an audio
model `audio` or `audios`. Other keys are possible. `files` is an extension of this server: files
of any other type, as a program makes them, and every video after the first.
*/
#[derive(::serde::Deserialize, Clone, Debug, Default, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
pub struct Output {
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub audio: ::std::option::Option<Audio>,
    #[serde(default, skip_serializing_if = "::std::vec::Vec::is_empty")]
    pub audios: ::std::vec::Vec<Audio>,
    #[serde(default, skip_serializing_if = "::std::vec::Vec::is_empty")]
    pub files: ::std::vec::Vec<OutputFile>,
    #[serde(default, skip_serializing_if = "::std::vec::Vec::is_empty")]
    pub images: ::std::vec::Vec<Image>,
    /**Extension of Clipia Queue: true if a program made the output from the words of the input, without a
trained model. The other outputs do not have the field.
*/
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub procedural: ::std::option::Option<bool>,
    /**Extension of Clipia Queue: the seed of the output, or of the first image; the one that was drawn if
the input has none. The same input with this seed gives the same output.
*/
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub seed: ::std::option::Option<u64>,
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub video: ::std::option::Option<Video>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///One file of any type.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
pub struct OutputFile {
    ///The media type, such as `application/zip`.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub content_type: ::std::option::Option<::std::string::String>,
    ///The name of the file, with its extension.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub file_name: ::std::option::Option<::std::string::String>,
    ///The length in bytes.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub file_size: ::std::option::Option<u64>,
    ///The URL of the file.
    pub url: ::std::string::String,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
/**The price of a model's inputs. With `credits` the price is flat. Otherwise it is `credits_base`,
times the factor of each parameter in `multipliers` for its value, times the billing units
begun. The product is rounded up to whole credits, and is at least `minimum_credits`.
*/
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
pub struct Pricing {
    /**The unit that is billed: `generation` (always one), `image` (`num_images`), `second`
(`duration`) or `character` (of `prompt`, or else of `text`).
*/
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub billing_unit: ::std::option::Option<::std::string::String>,
    ///The flat price, in credits.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub credits: ::std::option::Option<f64>,
    ///Credits for one billing unit before multipliers.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub credits_base: ::std::option::Option<f64>,
    ///Whether the price depends on more than these fields; then ask for an estimate.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub estimate_required: ::std::option::Option<bool>,
    ///The lowest price of a generation.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub minimum_credits: ::std::option::Option<crate::Credits>,
    /**Factors by parameter and value, for instance `{"resolution": {"480p": 0.5, "720p": 1}}`.
A value without a factor has the factor 1.
*/
    #[serde(
        default,
        skip_serializing_if = ":: std :: collections :: BTreeMap::is_empty"
    )]
    pub multipliers: ::std::collections::BTreeMap<
        ::std::string::String,
        ::std::collections::BTreeMap<::std::string::String, f64>,
    >,
    ///A sentence for people.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub note: ::std::option::Option<::std::string::String>,
    ///The number of `billing_unit` that one unit has; 1 if absent.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub unit_size: ::std::option::Option<f64>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
/**The outcome of a request; while it is queued or running, its status so far.
*/
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
#[serde(remote = "Self")]
pub struct ResultResponse {
    ///When the request ended.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub completed_at: ::std::option::Option<jiff::Timestamp>,
    /**The credits reserved, until the request has ended; then the credits charged (0 if FAILED or
CANCELED).
*/
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub cost: ::std::option::Option<crate::Credits>,
    ///When the request was accepted.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub created_at: ::std::option::Option<jiff::Timestamp>,
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub error: ::std::option::Option<GenerationError>,
    /**When the files of the output were removed; since then their URLs return 404. The operator of a
server chooses how long it keeps files.
*/
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub expired_at: ::std::option::Option<jiff::Timestamp>,
    ///The slug of the model.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub model: ::std::option::Option<::std::string::String>,
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub output: ::std::option::Option<Output>,
    ///The progress in percent, while the status is IN_PROGRESS.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub progress: ::std::option::Option<crate::Progress>,
    ///The number of requests ahead in the queue, while the status is IN_QUEUE; 0 is next.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub queue_position: ::std::option::Option<u64>,
    pub request_id: crate::RequestId,
    pub status: crate::Status,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///The status of a request.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
#[serde(remote = "Self")]
pub struct StatusResponse {
    /**Log lines or records that the model wrote while it ran, if it writes any. A self-hosted server gives the last 50 lines of
the current or latest attempt, as strings, and fewer if they have more than 16 KiB.
*/
    #[serde(default, skip_serializing_if = "::std::vec::Vec::is_empty")]
    pub logs: ::std::vec::Vec<::serde_json::Value>,
    ///The progress in percent, while the status is IN_PROGRESS.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub progress: ::std::option::Option<crate::Progress>,
    ///The number of requests ahead in the queue, while the status is IN_QUEUE; 0 is next.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub queue_position: ::std::option::Option<u64>,
    pub request_id: crate::RequestId,
    pub status: crate::Status,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///The generation to submit.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct SubmitRequest {
    /**The model's parameters by name, as its `input_schema` lists them, for instance
`{"prompt": "a red fox in snow", "aspect_ratio": "16:9"}`. An image, a video or a sound is an
https URL, the URL of an upload, or a `data:` URL such as `data:image/png;base64,…` that contains
the file. A body has at most 6 MiB, so a `data:` URL holds a file of some 4 MiB.
*/
    pub input: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
    /**The URL that the outcome is posted to. It must be https, at an address that the server
may call; otherwise the submit is refused with `webhook_url_invalid`.
*/
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub webhook_url: ::std::option::Option<::std::string::String>,
}
///The accepted request.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
#[serde(remote = "Self")]
pub struct SubmitResponse {
    ///The credits reserved; for a sandbox key, those that a live key would reserve.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub cost: ::std::option::Option<crate::Credits>,
    ///The number of requests ahead in the queue; 0 is next.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub queue_position: ::std::option::Option<u64>,
    pub request_id: crate::RequestId,
    ///The URL of the result.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub response_url: ::std::option::Option<::std::string::String>,
    pub status: crate::Status,
    ///The URL of the status.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub status_url: ::std::option::Option<::std::string::String>,
    /**Input keys that the model does not apply. The request is accepted anyway. A Clipia Queue server
also lists what of the input the model cannot make.
*/
    #[serde(default, skip_serializing_if = "::std::vec::Vec::is_empty")]
    pub warnings: ::std::vec::Vec<InputWarning>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///The bounds on the text that a speech model reads, its `prompt`.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
pub struct TextLimits {
    ///The largest number of characters.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub max_chars: ::std::option::Option<u64>,
    ///The smallest number of characters.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub min_chars: ::std::option::Option<u64>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///A file that the server keeps for inputs. An extension of a self-hosted server.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
pub struct Upload {
    ///The media type, such as `image/png`, as the extension of the name tells it.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub content_type: ::std::option::Option<::std::string::String>,
    ///Until when a new request may name it.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub expires_at: ::std::option::Option<jiff::Timestamp>,
    ///The name in the URL.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub file_name: ::std::option::Option<::std::string::String>,
    ///The length in bytes.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub file_size: ::std::option::Option<u64>,
    ///The URL of the file, for inputs.
    pub url: ::std::string::String,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///The usage of the last 30 days.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
pub struct Usage {
    ///The credits charged for completed generations.
    pub credits_spent: crate::Credits,
    ///The number of generations submitted with live keys.
    pub requests: u64,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///One video.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
pub struct Video {
    ///The duration in seconds.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub duration: ::std::option::Option<f64>,
    ///Pixels of the original.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub height: ::std::option::Option<u32>,
    ///The URL of the file in full quality, for download.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub original_url: ::std::option::Option<::std::string::String>,
    ///The URL of a smaller rendition, for display.
    pub url: ::std::string::String,
    ///Pixels of the original.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub width: ::std::option::Option<u32>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
/**The outcome of a request, as posted to its `webhook_url`: `payload` when the status is OK,
`error` when it is ERROR.
*/
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
#[serde(remote = "Self")]
pub struct WebhookDelivery {
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub error: ::std::option::Option<GenerationError>,
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub payload: ::std::option::Option<WebhookPayload>,
    pub request_id: crate::RequestId,
    pub status: crate::WebhookStatus,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///The output of a completed generation.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "literals"), non_exhaustive)]
pub struct WebhookPayload {
    ///The credits charged.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub cost: ::std::option::Option<crate::Credits>,
    ///The slug of the model.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub model: ::std::option::Option<::std::string::String>,
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub output: ::std::option::Option<Output>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
/// Error types.
pub mod error {
    /// Error from a `TryFrom` or `FromStr` implementation.
    pub struct ConversionError(::std::borrow::Cow<'static, str>);
    impl ::std::error::Error for ConversionError {}
    impl ::std::fmt::Display for ConversionError {
        fn fmt(
            &self,
            f: &mut ::std::fmt::Formatter<'_>,
        ) -> Result<(), ::std::fmt::Error> {
            ::std::fmt::Display::fmt(&self.0, f)
        }
    }
    impl ::std::fmt::Debug for ConversionError {
        fn fmt(
            &self,
            f: &mut ::std::fmt::Formatter<'_>,
        ) -> Result<(), ::std::fmt::Error> {
            ::std::fmt::Debug::fmt(&self.0, f)
        }
    }
    impl From<&'static str> for ConversionError {
        fn from(value: &'static str) -> Self {
            Self(value.into())
        }
    }
    impl From<String> for ConversionError {
        fn from(value: String) -> Self {
            Self(value.into())
        }
    }
}

crate::lenient::object!(Account {
    regular: crate::types::Account::deserialize,
    essential: [
        balance = "balance",
    ],
    other: [
        account_id = "account_id",
        usage_30d = "usage_30d",
    ],
});
crate::lenient::response!(Account);

crate::lenient::object!(Audio {
    essential: [
        url = "url",
    ],
    other: [
        format = "format",
    ],
});

crate::lenient::object!(Balance {
    essential: [
        credits = "credits",
    ],
    other: [],
});

crate::lenient::object!(ErrorBody {
    essential: [
        code = "code",
    ],
    other: [
        message = "message",
        type_ = "type",
    ],
});

crate::lenient::object!(ErrorEnvelope {
    regular: crate::types::ErrorEnvelope::deserialize,
    essential: [
        error = "error",
    ],
    other: [],
});
crate::lenient::response!(ErrorEnvelope);

crate::lenient::object!(EstimateResponse {
    regular: crate::types::EstimateResponse::deserialize,
    essential: [
        credits = "credits",
    ],
    other: [
        warnings = "warnings",
    ],
});
crate::lenient::response!(EstimateResponse);

crate::lenient::object!(GenerationError {
    essential: [],
    other: [
        code = "code",
        message = "message",
    ],
});

crate::lenient::object!(Image {
    essential: [
        url = "url",
    ],
    other: [
        height = "height",
        original_url = "original_url",
        seed = "seed",
        width = "width",
    ],
});

crate::lenient::object!(InputParameter {
    essential: [
        name = "name",
        type_ = "type",
    ],
    other: [
        default = "default",
        hint = "hint",
        label = "label",
        max = "max",
        max_length = "maxLength",
        min = "min",
        min_length = "minLength",
        options = "options",
        required = "required",
        step = "step",
        validation = "validation",
    ],
});

crate::lenient::object!(InputSchema {
    essential: [
        parameters = "parameters",
    ],
    other: [],
});

crate::lenient::object!(InputWarning {
    essential: [
        code = "code",
        message = "message",
        parameter = "parameter",
    ],
    other: [],
});

crate::lenient::object!(Model {
    fill: crate::model_names::fill,
    essential: [
        slug = "slug",
        type_ = "type",
    ],
    other: [
        capabilities = "capabilities",
        description = "description",
        input_schema = "input_schema",
        name = "name",
        pricing = "pricing",
        procedural = "procedural",
        text_limits = "text_limits",
    ],
});

crate::lenient::object!(ModelList {
    regular: crate::types::ModelList::deserialize,
    essential: [
        data = "data",
    ],
    other: [
        object = "object",
    ],
});
crate::lenient::response!(ModelList);

crate::lenient::object!(Output {
    essential: [],
    other: [
        audio = "audio",
        audios = "audios",
        files = "files",
        images = "images",
        procedural = "procedural",
        seed = "seed",
        video = "video",
    ],
});

crate::lenient::object!(OutputFile {
    essential: [
        url = "url",
    ],
    other: [
        content_type = "content_type",
        file_name = "file_name",
        file_size = "file_size",
    ],
});

crate::lenient::object!(Pricing {
    essential: [],
    other: [
        billing_unit = "billing_unit",
        credits = "credits",
        credits_base = "credits_base",
        estimate_required = "estimate_required",
        minimum_credits = "minimum_credits",
        multipliers = "multipliers",
        note = "note",
        unit_size = "unit_size",
    ],
});

crate::lenient::object!(ResultResponse {
    regular: crate::types::ResultResponse::deserialize,
    essential: [
        request_id = "request_id",
        status = "status",
    ],
    other: [
        completed_at = "completed_at",
        cost = "cost",
        created_at = "created_at",
        error = "error",
        expired_at = "expired_at",
        model = "model",
        output = "output",
        progress = "progress",
        queue_position = "queue_position",
    ],
});
crate::lenient::response!(ResultResponse);

crate::lenient::object!(StatusResponse {
    regular: crate::types::StatusResponse::deserialize,
    essential: [
        request_id = "request_id",
        status = "status",
    ],
    other: [
        logs = "logs",
        progress = "progress",
        queue_position = "queue_position",
    ],
});
crate::lenient::response!(StatusResponse);

crate::lenient::object!(SubmitResponse {
    regular: crate::types::SubmitResponse::deserialize,
    essential: [
        request_id = "request_id",
        status = "status",
    ],
    other: [
        cost = "cost",
        queue_position = "queue_position",
        response_url = "response_url",
        status_url = "status_url",
        warnings = "warnings",
    ],
});
crate::lenient::response!(SubmitResponse);

crate::lenient::object!(TextLimits {
    essential: [],
    other: [
        max_chars = "max_chars",
        min_chars = "min_chars",
    ],
});

crate::lenient::object!(Upload {
    essential: [
        url = "url",
    ],
    other: [
        content_type = "content_type",
        expires_at = "expires_at",
        file_name = "file_name",
        file_size = "file_size",
    ],
});

crate::lenient::object!(Usage {
    essential: [
        credits_spent = "credits_spent",
        requests = "requests",
    ],
    other: [],
});

crate::lenient::object!(Video {
    essential: [
        url = "url",
    ],
    other: [
        duration = "duration",
        height = "height",
        original_url = "original_url",
        width = "width",
    ],
});

crate::lenient::object!(WebhookDelivery {
    regular: crate::types::WebhookDelivery::deserialize,
    essential: [
        request_id = "request_id",
        status = "status",
    ],
    other: [
        error = "error",
        payload = "payload",
    ],
});
crate::lenient::response!(WebhookDelivery);

crate::lenient::object!(WebhookPayload {
    essential: [],
    other: [
        cost = "cost",
        model = "model",
        output = "output",
    ],
});
