//! Why a delivery was refused.

use std::fmt;

/// Why a delivery was refused. The reason is for the receiver's log; the sender needs only a bare 400.
#[derive(Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// A signature header is missing or malformed.
    Malformed {
        /// The name of the header.
        header: &'static str,
        /// What is wrong with the header.
        reason: &'static str,
    },
    /// The signature was made too long ago, or in the future.
    OutsideTolerance {
        /// The distance between the signed time and now, in seconds.
        seconds: u64,
        /// The longest distance allowed, in seconds.
        tolerance: u64,
    },
    /// No signature matches any secret: the secret is another account's, or the body was changed.
    NoMatch,
    /// The signature is right, but the body is not a delivery.
    Body(serde_json::Error),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { header, reason } => write!(f, "the header `{header}` {reason}"),
            Self::OutsideTolerance { seconds, tolerance } => write!(
                f,
                "the signature was made {seconds} s from now, more than the {tolerance} s allowed: \
                 an old delivery sent again, or a clock that is wrong"
            ),
            Self::NoMatch => f.write_str(
                "no signature matches: check the webhook secret, and verify the raw body before anything parses it",
            ),
            Self::Body(error) => write!(f, "the signature is right, but the body is not a delivery: {error}"),
        }
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Body(error) => Some(error),
            _ => None,
        }
    }
}
