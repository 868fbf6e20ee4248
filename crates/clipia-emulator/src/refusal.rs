//! A refusal of a call: an error code of the contract, or a status.

use clipia_api::error_code::ErrorCode;
use std::fmt;
use std::str::FromStr;

/// The refusal of a call, by name or by number.
///
/// ```
/// use clipia_api::error_code::ErrorCode;
/// use clipia_emulator::Refusal;
///
/// let refusal: Refusal = "429".parse()?;
/// assert_eq!((refusal.status(), refusal.code()), (429, ErrorCode::RateLimitExceeded));
/// let refusal: Refusal = "insufficient_credits".parse()?;
/// assert_eq!((refusal.status(), refusal.code()), (402, ErrorCode::InsufficientCredits));
/// # Ok::<(), clipia_emulator::NoRefusal>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A code, with its status.
    Code(ErrorCode),
    /// A status from 400 to 599, with the code that fits it best.
    Status(u16),
}

/// A text that is neither an error code nor a status of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is neither an error code of the API, such as `insufficient_credits`, nor a status from 400 to 599{}", .meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default())]
pub struct NoRefusal {
    /// The code that was most likely meant.
    pub meant: Option<&'static str>,
}

impl Refusal {
    /// The status of the response.
    pub fn status(self) -> u16 {
        match self {
            Self::Code(code) => code.http_status(),
            Self::Status(status) => status,
        }
    }

    /// The code in the response.
    pub fn code(self) -> ErrorCode {
        let status = match self {
            Self::Code(code) => return code,
            Self::Status(status) => status,
        };
        // The first code of a status is the one that its number alone says.
        let exact = ErrorCode::ALL.iter().find(|code| code.http_status() == status);
        exact.copied().unwrap_or(match status {
            // The contract names these with 503: a proxy did not reach the server.
            502 | 504 => ErrorCode::ServiceUnavailable,
            500.. => ErrorCode::InternalError,
            _ => ErrorCode::InvalidRequest,
        })
    }
}

impl FromStr for Refusal {
    type Err = NoRefusal;

    fn from_str(text: &str) -> Result<Self, NoRefusal> {
        if let Some(code) = ErrorCode::from_code(text) {
            return Ok(Self::Code(code));
        }
        let is_number = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        let status = text.parse().ok().filter(|status| is_number && (400..=599).contains(status));
        status.map(Self::Status).ok_or_else(|| {
            let codes = ErrorCode::ALL.iter().map(|code| code.code());
            NoRefusal { meant: clipia_queue::suggestion::nearest(codes, text) }
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => f.write_str(code.code()),
            Self::Status(status) => status.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_the_code_that_fits_it_best() {
        for (status, code) in [
            ("400", ErrorCode::InvalidRequest),
            ("402", ErrorCode::InsufficientCredits),
            ("418", ErrorCode::InvalidRequest),
            ("422", ErrorCode::ModelInputInvalid),
            ("429", ErrorCode::RateLimitExceeded),
            ("500", ErrorCode::InternalError),
            ("502", ErrorCode::ServiceUnavailable),
            ("503", ErrorCode::ServiceUnavailable),
            ("504", ErrorCode::ServiceUnavailable),
            ("599", ErrorCode::InternalError),
        ] {
            let refusal: Refusal = status.parse().unwrap();
            assert_eq!((refusal.code(), refusal.to_string()), (code, status.to_owned()));
        }
    }

    #[test]
    fn what_is_no_refusal_is_refused_with_a_suggestion() {
        for (text, meant) in [
            ("200", None),
            ("0429", None),
            ("+42", None),
            ("insuficient_credits", Some("insufficient_credits")),
        ] {
            assert_eq!(text.parse::<Refusal>(), Err(NoRefusal { meant }), "{text}");
        }
    }
}
