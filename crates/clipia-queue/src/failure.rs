//! Failures: why a generation made nothing.

use clipia_api::types::GenerationError;

/// The longest sentence of a failure, in characters: it is stored, returned and delivered, and may quote what was submitted.
const FAILURE_CHARACTERS_MAX: usize = 1_000;

/// Why a generation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A code for programs.
    pub code: String,
    /// A sentence for people, which reveals nothing of the server's inside.
    pub message: String,
}

impl Failure {
    /// The failure of a generation, with a sentence for people.
    pub fn generation(message: impl Into<String>) -> Self {
        let message = message.into().chars().take(FAILURE_CHARACTERS_MAX).collect();
        Self { code: "GENERATION_FAILED".to_owned(), message }
    }

    /// The failure of a generation with a code of its executor's own.
    pub fn coded(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), ..Self::generation(message) }
    }

    /// The failure of a request whose workers were lost too often.
    pub fn interrupted() -> Self {
        Self::generation("the generation was interrupted too often; its credits were returned")
    }

    /// The failure in the delivery of a canceled request.
    pub fn canceled() -> Self {
        Self::generation("the generation was canceled; its credits were returned")
    }
}

impl From<Failure> for GenerationError {
    fn from(failure: Failure) -> Self {
        Self { code: Some(failure.code), message: Some(failure.message), extra: Default::default() }
    }
}
