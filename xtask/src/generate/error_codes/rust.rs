//! The generated code in Rust that depends on the error codes: the enum of `clipia-api`, and the errors of the SDK.

use super::ErrorCode;
use crate::generate::document::QUEUE_SPEC;
use crate::generate::region::Region;
use crate::generate::{Generated, header};

const ENUM: &str = "crates/clipia-api/src/generated_error_code.rs";
const ERROR: &str = "crates/clipia/src/error.rs";
const ERROR_OF_CODE: &str = "crates/clipia/src/error/generated_of_code.rs";

pub(super) fn generate(codes: &[ErrorCode]) -> Vec<Generated> {
    vec![
        Generated::whole(ENUM, code_enum(codes)),
        Generated::regions(ERROR, vec![Region::new("errors by code", variants(codes))]),
        Generated::whole(ERROR_OF_CODE, error_of_code(codes)),
    ]
}

/// The text of `line` for each code.
fn lines(codes: &[ErrorCode], line: impl Fn(&ErrorCode) -> String) -> String {
    codes.iter().map(line).collect()
}

/// `ErrorCode` of `clipia-api`.
fn code_enum(codes: &[ErrorCode]) -> String {
    let variants = lines(codes, |code| {
        format!("    /// {}\n    /// {}\n    {},\n", code.summary(), code.remedy, code.variant())
    });
    let all = lines(codes, |code| format!("        Self::{},\n", code.variant()));
    let words = lines(codes, |code| format!("            Self::{} => {:?},\n", code.variant(), code.code));
    let statuses = lines(codes, |code| format!("            Self::{} => {},\n", code.variant(), code.status));
    let families =
        lines(codes, |code| format!("            Self::{} => {:?},\n", code.variant(), code.family));
    let known = lines(codes, |code| format!("            {:?} => Self::{},\n", code.code, code.variant()));
    let retries = codes.iter().filter(|code| code.retry).map(|code| format!("Self::{}", code.variant()));
    let retries = retries.collect::<Vec<_>>().join("\n                | ");
    let header = header("//", QUEUE_SPEC);
    format!(
        "{header}\
/// A cause of a refusal or a failure that the API names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {{
{variants}}}

impl ErrorCode {{
    /// Every code.
    pub const ALL: &'static [Self] = &[
{all}    ];

    /// The value of `code` on the wire.
    pub const fn code(self) -> &'static str {{
        match self {{
{words}        }}
    }}

    /// The HTTP status that a server sends the code with.
    pub const fn http_status(self) -> u16 {{
        match self {{
{statuses}        }}
    }}

    /// The value of `type` on the wire.
    pub const fn family(self) -> &'static str {{
        match self {{
{families}        }}
    }}

    /// Whether the same call can succeed later.
    pub const fn is_retryable(self) -> bool {{
        matches!(
            self,
            {retries}
        )
    }}

    /// The cause of a code; `None` of a code that this version does not know.
    pub fn from_code(code: &str) -> Option<Self> {{
        Some(match code {{
{known}            _ => return None,
        }})
    }}
}}
"
    )
}

/// The codes that have a variant of their own in the SDK's `Error`.
fn with_variant(codes: &[ErrorCode]) -> impl Iterator<Item = &ErrorCode> {
    codes.iter().filter(|code| !code.input)
}

/// The variants of the SDK's `Error`.
fn variants(codes: &[ErrorCode]) -> String {
    let variant = |code: &ErrorCode| {
        let (summary, remedy, variant) = (code.summary(), &code.remedy, code.variant());
        format!(
            "    /// {summary}\n    /// {remedy}\n    #[error(\"{{0}}\")]\n    {variant}(Box<ApiError>),\n"
        )
    };
    with_variant(codes).map(variant).collect()
}

/// The functions between a code, its variant, and the API's error in the variant.
fn error_of_code(codes: &[ErrorCode]) -> String {
    let constructor =
        |code: &ErrorCode| format!("            Some(ErrorCode::{0}) => Self::{0}(api),\n", code.variant());
    let constructors: String = with_variant(codes).map(constructor).collect();
    let variants = with_variant(codes).map(|code| format!("Self::{}(api)", code.variant()));
    let variants = variants.collect::<Vec<_>>().join("\n            | ");
    let header = header("//", QUEUE_SPEC);
    format!(
        "{header}\
use super::{{ApiError, Error}};
use clipia_api::error_code::ErrorCode;

impl Error {{
    /// The error with this code, which is none of an input. A code that this version does not know gives [`Error::Api`].
    pub(super) fn of_code(code: Option<ErrorCode>, api: Box<ApiError>) -> Self {{
        match code {{
{constructors}            _ => Self::Api(api),
        }}
    }}

    /// The API's error, of a variant that stands for a code.
    pub(super) fn api_of_code(&self) -> Option<&ApiError> {{
        match self {{
            {variants} => Some(api),
            _ => None,
        }}
    }}

    /// The same, to be changed.
    pub(super) fn api_of_code_mut(&mut self) -> Option<&mut ApiError> {{
        match self {{
            {variants} => Some(api),
            _ => None,
        }}
    }}
}}
"
    )
}
