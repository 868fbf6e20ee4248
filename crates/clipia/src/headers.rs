//! Headers that a caller adds to calls.

use crate::error::Error;
use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
    USER_AGENT,
};

/// Headers of the SDK itself, and of HTTP: they say what is sent, and to whom.
const OWN_HEADERS: [HeaderName; 7] = [
    AUTHORIZATION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    HOST,
    HeaderName::from_static("idempotency-key"),
    TRANSFER_ENCODING,
    USER_AGENT,
];

/// What to do about a text that cannot be sent in a header.
pub(crate) const VISIBLE: &str = "use visible ASCII characters and spaces";

/// The headers of a caller, of which a later one replaces an earlier one of the same name.
///
/// # Errors
/// [`Error::Input`] for a header that the client sets itself, or that cannot be sent.
pub(crate) fn read(named: &[(String, String)]) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in named {
        let refuse = |reason: &str, remedy| {
            Error::argument("header", format!("cannot send the header {name:?}: {reason}"), remedy)
        };
        let named = HeaderName::try_from(name)
            .map_err(|_| refuse("that is not the name of one", "use letters, digits and hyphens"))?;
        if OWN_HEADERS.contains(&named) {
            return Err(refuse("the client sets it itself", "leave it out"));
        }
        let mut value =
            HeaderValue::try_from(value).map_err(|_| refuse("its value cannot be sent", VISIBLE))?;
        value.set_sensitive(true);
        headers.insert(named, value);
    }
    Ok(headers)
}
