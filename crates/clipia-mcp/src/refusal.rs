//! Why a tool did not do what it was called for, in words that a model can act on.

use clipia::{Error, ErrorCode};
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock};

/// A sentence that says what was wrong, where, and what to do. It becomes a result with `isError`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) String);

impl Refusal {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// The result that tells it.
    pub(crate) fn result(self) -> CallToolResult {
        CallToolResult::error(vec![ContentBlock::text(self.0)])
    }
}

impl From<Refusal> for CallToolResponse {
    fn from(refusal: Refusal) -> Self {
        refusal.result().into()
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let message = match &error {
            // The messages of these name calls of the SDK.
            Error::KeyMissing => "there is no API key".to_owned(),
            Error::SubmitUnanswered { cause, .. } => {
                format!("{cause}; nobody knows whether this submit was accepted")
            }
            Error::Deadline { request_id, .. } => format!("generation {request_id} goes on"),
            error => error.to_string(),
        };
        let message = message.trim_end_matches('.');
        Self(match remedy(&error) {
            Some(remedy) => format!("{message}. {remedy}"),
            None => format!("{message}."),
        })
    }
}

/// What a model can do about an error, where its message does not say it.
fn remedy(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::KeyMissing => "Set `CLIPIA_KEY` in the environment of the server of these tools.",
        Error::ModelNotFound(_) => "list_models lists the models.",
        Error::Input(_) if error.error_code() == Some(ErrorCode::ModelInputInvalid) => {
            "Nothing was submitted. get_model says what the model takes."
        }
        Error::SubmitUnanswered { .. } => {
            "Look at get_balance before you call this again: a second submit may be charged too."
        }
        Error::Deadline { .. } => "Call wait_generation with this request_id.",
        Error::Unreachable { .. } => "Nothing was submitted. The address of the API is `CLIPIA_BASE_URL`.",
        Error::UploadFile { .. } => "Nothing was submitted.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clipia::Clipia;
    use std::time::Duration;

    #[tokio::test]
    async fn an_error_has_a_remedy_and_names_no_function() {
        let missing = Refusal::from(Clipia::builder().key("").build().unwrap_err());
        assert_eq!(
            missing.0,
            "there is no API key. Set `CLIPIA_KEY` in the environment of the server of these tools."
        );
        let nowhere = Clipia::builder()
            .key("clipia_live_0123456789")
            .base_url("http://127.0.0.1:1")
            .retry_within(Duration::ZERO);
        let nowhere = Refusal::from(nowhere.build().unwrap().account().await.unwrap_err());
        assert!(nowhere.0.starts_with("no connection to the server at http://127.0.0.1:1"), "{nowhere:?}");
        assert!(nowhere.0.ends_with("The address of the API is `CLIPIA_BASE_URL`."), "{nowhere:?}");
        for refusal in [missing, nowhere] {
            assert!(!refusal.0.contains("::") && !refusal.0.contains("()"), "{refusal:?}");
        }
    }
}
