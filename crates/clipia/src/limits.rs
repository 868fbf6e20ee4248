//! The two limits of a key, and what a 429 for each of them does.
//!
//! | 429 | limit | what it closes | what waits |
//! |---|---|---|---|
//! | `concurrency_limit_exceeded` | generations in flight | the submit gate (`submit_gate`) | submits |
//! | any other code | requests a minute | the token bucket (`budget`) | every call and poll |
//!
//! The call that got the 429 is itself sent again: `retry` decides when. Every attempt needs a token
//! (`wait::token`), and a submit also needs to pass the gate. So the limit holds the others back too, and a fleet does not spend its budget on
//! refusals.

use crate::error::Error;

/// A limit of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Requests a minute.
    Rate,
    /// Generations in flight.
    Concurrency,
}

impl Limit {
    /// The limit that an error tells of, if it is a 429.
    pub(crate) fn of(error: &Error) -> Option<Self> {
        match error {
            Error::ConcurrencyLimitExceeded(_) => Some(Self::Concurrency),
            other => (other.http_status() == Some(429)).then_some(Self::Rate),
        }
    }

    /// The name for people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rate => "the rate limit",
            Self::Concurrency => "the concurrency limit",
        }
    }
}
