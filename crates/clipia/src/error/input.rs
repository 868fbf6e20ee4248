//! Arguments of a caller that cannot be taken.

use super::api::ApiError;
use crate::printable::printable;
use clipia_api::error_code::ErrorCode;
use clipia_api::input::InputFault;
use clipia_api::types::InputWarning;
use std::fmt;

/// Who found what is wrong with an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FoundBy {
    /// The SDK, before the call. Nothing was sent.
    Client,
    /// The server. Nothing was submitted.
    Server,
}

/// What is wrong with an argument of the caller, where, and what to do.
///
/// ```
/// use clipia::{Clipia, Error, FoundBy};
///
/// let refused = Clipia::builder().key("clipia_test_0123456789abk3Qz").header("Host", "a").build();
/// let Err(Error::Input(input)) = refused else { panic!() };
/// assert_eq!((input.argument(), input.found_by()), (Some("header"), FoundBy::Client));
/// assert_eq!(input.message(), "cannot send the header \"Host\": the client sets it itself");
/// assert_eq!(input.remedy(), "leave it out");
/// ```
#[derive(Clone, Debug)]
pub struct InputError {
    argument: Option<&'static str>,
    message: String,
    remedy: &'static str,
    model: Option<String>,
    faults: Vec<InputFault>,
    warnings: Vec<InputWarning>,
    api: Option<ApiError>,
}

impl InputError {
    /// An argument that the SDK cannot send.
    pub(crate) fn of_argument(argument: &'static str, message: String, remedy: &'static str) -> Self {
        Self {
            argument: Some(argument),
            message,
            remedy,
            model: None,
            faults: Vec::new(),
            warnings: Vec::new(),
            api: None,
        }
    }

    /// An input that its model does not accept, by the catalogue.
    pub(crate) fn of_model(model: String, faults: Vec<InputFault>, warnings: Vec<InputWarning>) -> Self {
        let found = faults.iter().map(|fault| fault.message.as_str());
        let found: Vec<&str> = found.chain(warnings.iter().map(|warning| warning.message.as_str())).collect();
        let message = found.join("; ");
        let remedy = remedy_of(ErrorCode::ModelInputInvalid);
        Self { argument: Some("input"), message, remedy, model: Some(model), faults, warnings, api: None }
    }

    /// A refusal of the server, if it is one of what the caller passed.
    pub(super) fn of_server(api: ApiError) -> Result<Self, Box<ApiError>> {
        let argument = match ErrorCode::from_code(api.code()) {
            Some(ErrorCode::InvalidRequest) => None,
            Some(ErrorCode::ModelInputInvalid) => Some("input"),
            Some(ErrorCode::WebhookUrlInvalid) => Some("webhook_url"),
            _ => return Err(Box::new(api)),
        };
        let remedy = ErrorCode::from_code(api.code()).map_or("", remedy_of);
        let message = api.message().to_owned();
        let (model, faults, warnings) = (None, Vec::new(), Vec::new());
        Ok(Self { argument, message, remedy, model, faults, warnings, api: Some(api) })
    }

    /// The argument: `"input"`, `"model"`, `"webhook_url"`, `"header"` and the like. `None` if the server does not say which one
    /// it is.
    pub fn argument(&self) -> Option<&'static str> {
        self.argument
    }

    /// What is wrong, a sentence for people. The server's own words if it found it.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do, a clause for people.
    pub fn remedy(&self) -> &'static str {
        self.remedy
    }

    /// Who found it.
    pub fn found_by(&self) -> FoundBy {
        if self.api.is_some() { FoundBy::Server } else { FoundBy::Client }
    }

    /// The slug of the model whose parameters the input was checked against.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// What the model refuses, a sentence for each parameter, as [`Clipia::check`](crate::Clipia::check) finds. The server names
    /// parameters only in its [`message`](Self::message).
    pub fn faults(&self) -> &[InputFault] {
        &self.faults
    }

    /// What the model would ignore, often the misspelt name of a missing parameter, as [`Clipia::check`](crate::Clipia::check) finds.
    pub fn warnings(&self) -> &[InputWarning] {
        &self.warnings
    }

    /// The server's refusal, with its code, its HTTP status and the request id if there is one. `None` if the SDK found it.
    pub fn api(&self) -> Option<&ApiError> {
        self.api.as_ref()
    }

    /// The code of the cause: the server's, or that of the model's refusal.
    pub(super) fn code(&self) -> Option<&str> {
        let of_model = self.model.as_ref().map(|_| ErrorCode::ModelInputInvalid.code());
        self.api.as_ref().map(ApiError::code).or(of_model)
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(api) = &self.api {
            return api.fmt(f);
        }
        f.write_str(&printable(&self.message))?;
        match self.code() {
            // The sentences about parameters say what to do.
            Some(code) => write!(f, " ({code})"),
            None => write!(f, "; {}", self.remedy),
        }
    }
}

fn remedy_of(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::ModelInputInvalid => "correct the input as the message says",
        ErrorCode::WebhookUrlInvalid => "pass an https URL with a public address",
        _ => "correct the call as the message says",
    }
}
