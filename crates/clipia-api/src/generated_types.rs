// Generated from spec/openapi.yaml by `cargo xtask generate`. Do not edit.

///The account behind a key.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
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
///One sound.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
pub struct Audio {
    ///The container, such as `wav` or `mp3`.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub format: ::std::option::Option<::std::string::String>,
    ///The file.
    pub url: ::std::string::String,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///What can be spent now; reserved credits are not in it.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
pub struct Balance {
    pub credits: crate::Credits,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///What was wrong.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
pub struct ErrorBody {
    pub code: ::std::string::String,
    ///A sentence for people; it reveals nothing of the server's inside.
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
///Every refusal and failure has this form.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[serde(remote = "Self")]
pub struct ErrorEnvelope {
    pub error: ErrorBody,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///The input whose price is asked.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct EstimateRequest {
    ///As in a submit.
    pub input: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///The price of an input.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[serde(remote = "Self")]
pub struct EstimateResponse {
    pub credits: crate::Credits,
    ///Input keys that the model will not apply.
    #[serde(default, skip_serializing_if = "::std::vec::Vec::is_empty")]
    pub warnings: ::std::vec::Vec<InputWarning>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///Why a generation failed. Its credits were returned.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
pub struct GenerationError {
    ///A word for programs, such as `GENERATION_FAILED`.
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
pub struct Image {
    ///Pixels of the original.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub height: ::std::option::Option<u32>,
    ///The file in full quality, for download.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub original_url: ::std::option::Option<::std::string::String>,
    ///The optimised rendition, for display.
    pub url: ::std::string::String,
    ///Pixels of the original.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub width: ::std::option::Option<u32>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///One key of a model's `input`.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
pub struct InputParameter {
    ///The value used when the input lacks it.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub default: ::std::option::Option<::serde_json::Value>,
    ///A sentence for people.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub hint: ::std::option::Option<::std::string::String>,
    ///A short name for people.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub label: ::std::option::Option<::std::string::String>,
    ///The greatest number.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub max: ::std::option::Option<f64>,
    ///The greatest number of characters.
    #[serde(
        rename = "maxLength",
        skip_serializing_if = "::std::option::Option::is_none"
    )]
    pub max_length: ::std::option::Option<u64>,
    ///The least number.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub min: ::std::option::Option<f64>,
    ///The least number of characters.
    #[serde(
        rename = "minLength",
        skip_serializing_if = "::std::option::Option::is_none"
    )]
    pub min_length: ::std::option::Option<u64>,
    ///The key.
    pub name: ::std::string::String,
    /**The values it takes, each plain (`"16:9"`) or as `{"value": …, "label": …}`. The case of
letters does not count: `4k` is `4K`.
*/
    #[serde(default, skip_serializing_if = "::std::vec::Vec::is_empty")]
    pub options: ::std::vec::Vec<::serde_json::Value>,
    ///The input must have it; false if absent.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub required: ::std::option::Option<bool>,
    ///The number is `min` (or 0) plus a multiple of this.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub step: ::std::option::Option<f64>,
    ///`string`, `integer`, `number`, `boolean`, `select` (one of `options`), `image` (the URL of one: `https:`, or `data:image/png;base64,…` with the image in it) or another.
    #[serde(rename = "type")]
    pub type_: ::std::string::String,
    ///Further rules, in a form of the model's own.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub validation: ::std::option::Option<::serde_json::Value>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///What a model takes.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
pub struct InputSchema {
    pub parameters: ::std::vec::Vec<InputParameter>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///An input key that the model will not apply.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
pub struct InputWarning {
    ///`unknown_parameter` (often a typing error) or `unsupported_parameter`.
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
pub struct Model {
    ///Such as `text-to-image` or `image-to-video`.
    #[serde(default, skip_serializing_if = "::std::vec::Vec::is_empty")]
    pub capabilities: ::std::vec::Vec<::std::string::String>,
    ///What it is good for, in a sentence.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub description: ::std::option::Option<::std::string::String>,
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub input_schema: ::std::option::Option<InputSchema>,
    ///The name for people.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub name: ::std::option::Option<::std::string::String>,
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub pricing: ::std::option::Option<Pricing>,
    ///The name in paths.
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
#[serde(remote = "Self")]
pub struct ModelList {
    pub data: ::std::vec::Vec<Model>,
    ///`list`, if present.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub object: ::std::option::Option<::std::string::String>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
/**What a generation made. An image model fills `images`, a video model `video`, an audio
model `audio` or `audios`; other keys are possible.
*/
#[derive(::serde::Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Output {
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub audio: ::std::option::Option<Audio>,
    #[serde(default, skip_serializing_if = "::std::vec::Vec::is_empty")]
    pub audios: ::std::vec::Vec<Audio>,
    #[serde(default, skip_serializing_if = "::std::vec::Vec::is_empty")]
    pub images: ::std::vec::Vec<Image>,
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub video: ::std::option::Option<Video>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
/**How an input is priced. With `credits` the price is flat. Otherwise it is `credits_base` times
the factor of each parameter named in `multipliers` for its value, times the billing units
begun, rounded up to whole credits, and never under `minimum_credits`.
*/
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
pub struct Pricing {
    /**What is counted: `generation` (always one), `image` (`num_images`), `second` (`duration`)
or `character` (of `prompt`, else of `text`).
*/
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub billing_unit: ::std::option::Option<::std::string::String>,
    ///The flat price, in credits.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub credits: ::std::option::Option<f64>,
    ///Credits for one billing unit before multipliers.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub credits_base: ::std::option::Option<f64>,
    ///The price depends on more than is said here; ask for an estimate.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub estimate_required: ::std::option::Option<bool>,
    ///The least that a generation costs.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub minimum_credits: ::std::option::Option<crate::Credits>,
    /**Factors by parameter and value, for instance `{"resolution": {"480p": 0.5, "720p": 1}}`.
A value without a factor counts once.
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
    ///How many of `billing_unit` are one unit; 1 if absent.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub unit_size: ::std::option::Option<f64>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
/**The outcome of a request, or while it still waits or runs what is known of it by then.
*/
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[serde(remote = "Self")]
pub struct ResultResponse {
    ///When it ended.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub completed_at: ::std::option::Option<jiff::Timestamp>,
    /**Credits: the reserve while it runs, what was really charged once it has ended (0 when
FAILED or CANCELED).
*/
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub cost: ::std::option::Option<crate::Credits>,
    ///When it was accepted.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub created_at: ::std::option::Option<jiff::Timestamp>,
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub error: ::std::option::Option<GenerationError>,
    /**When the files of the output were removed; their URLs answer 404 since. A server keeps them for a time that its
operator chooses.
*/
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub expired_at: ::std::option::Option<jiff::Timestamp>,
    ///The slug of the model.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub model: ::std::option::Option<::std::string::String>,
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub output: ::std::option::Option<Output>,
    ///Percent done, while the status is IN_PROGRESS.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub progress: ::std::option::Option<crate::Progress>,
    ///How many requests are ahead in the queue, while the status is IN_QUEUE; 0 is next.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub queue_position: ::std::option::Option<u64>,
    pub request_id: crate::RequestId,
    pub status: crate::Status,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///Where a request stands.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[serde(remote = "Self")]
pub struct StatusResponse {
    ///Lines or records that the model wrote while it ran, if it writes any.
    #[serde(default, skip_serializing_if = "::std::vec::Vec::is_empty")]
    pub logs: ::std::vec::Vec<::serde_json::Value>,
    ///Percent done, while the status is IN_PROGRESS.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub progress: ::std::option::Option<crate::Progress>,
    ///How many requests are ahead in the queue, while the status is IN_QUEUE; 0 is next.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub queue_position: ::std::option::Option<u64>,
    pub request_id: crate::RequestId,
    pub status: crate::Status,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///What to generate.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct SubmitRequest {
    /**The model's parameters by name, as its `input_schema` lists them, for instance
`{"prompt": "a red fox in snow", "aspect_ratio": "16:9"}`. An image is an https URL, or a
`data:` URL such as `data:image/png;base64,…` with the image itself.
*/
    pub input: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
    /**Where to post the outcome. Must be https, at an address the server may reach;
otherwise the submit is refused with `webhook_url_invalid`.
*/
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub webhook_url: ::std::option::Option<::std::string::String>,
}
///The accepted request.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
#[serde(remote = "Self")]
pub struct SubmitResponse {
    ///Credits reserved; for a sandbox key, what a live key would have paid.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub cost: ::std::option::Option<crate::Credits>,
    ///How many requests are ahead in the queue; 0 is next.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub queue_position: ::std::option::Option<u64>,
    pub request_id: crate::RequestId,
    ///Where to ask for the result.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub response_url: ::std::option::Option<::std::string::String>,
    pub status: crate::Status,
    ///Where to ask for the status.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub status_url: ::std::option::Option<::std::string::String>,
    ///Input keys that the model will not apply. The request is accepted all the same.
    #[serde(default, skip_serializing_if = "::std::vec::Vec::is_empty")]
    pub warnings: ::std::vec::Vec<InputWarning>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///How long the text may be that a speech model reads, its `prompt`.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
pub struct TextLimits {
    ///The greatest number of characters.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub max_chars: ::std::option::Option<u64>,
    ///The least number of characters.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub min_chars: ::std::option::Option<u64>,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///What the last 30 days used.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
pub struct Usage {
    ///Credits charged for those that completed.
    pub credits_spent: crate::Credits,
    ///Generations submitted with live keys.
    pub requests: u64,
    #[serde(flatten)]
    pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
}
///One clip.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
pub struct Video {
    ///Seconds.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub duration: ::std::option::Option<f64>,
    ///Pixels of the original.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub height: ::std::option::Option<u32>,
    ///The file in full quality, for download.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub original_url: ::std::option::Option<::std::string::String>,
    ///The optimised rendition, for display.
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
///What a completed generation made.
#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]
pub struct WebhookPayload {
    ///Credits charged.
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
        images = "images",
        video = "video",
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
