//! Generations that ended without an output.

use clipia_api::types::{RequestId, ResultResponse};

/// A generation without an output. Its credits were returned.
#[derive(Clone, Debug)]
pub struct Failed {
    pub(crate) response: ResultResponse,
}

impl Failed {
    /// The id of the generation.
    pub fn id(&self) -> &RequestId {
        &self.response.request_id
    }

    /// The cause, a word for programs.
    pub fn code(&self) -> &str {
        why_failed(&self.response).0
    }

    /// The cause, a sentence for people.
    pub fn message(&self) -> &str {
        why_failed(&self.response).1
    }

    /// The API's response.
    pub fn response(&self) -> &ResultResponse {
        &self.response
    }
}

/// The cause in the result of a failed generation: a word for programs, and a sentence for people. For a result that
/// was not returned by a wait; [`Failed`] has both.
pub fn why_failed(response: &ResultResponse) -> (&str, &str) {
    let error = response.error.as_ref();
    let code = error.and_then(|error| error.code.as_deref());
    let message = error.and_then(|error| error.message.as_deref());
    // Some servers send only a sentence.
    let sentence = || response.extra.get("error")?.as_str();
    (code.unwrap_or("GENERATION_FAILED"), message.or_else(sentence).unwrap_or("the server gave no reason"))
}

/// A generation that was ended outside the public API, for instance in the dashboard. Its credits were returned.
#[derive(Clone, Debug)]
pub struct Canceled {
    pub(crate) response: ResultResponse,
}

impl Canceled {
    /// The id of the generation.
    pub fn id(&self) -> &RequestId {
        &self.response.request_id
    }

    /// The API's response.
    pub fn response(&self) -> &ResultResponse {
        &self.response
    }
}
