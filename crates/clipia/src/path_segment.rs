//! Checks of the parts of a URL's path that a caller brings.

use crate::error::Error;
use clipia_api::types::RequestId;

/// Refuses a slug that would change the path of a URL.
pub(crate) fn check_slug(model: &str) -> Result<&str, Error> {
    if leaves_its_path(model) {
        return Err(Error::argument(
            "model",
            format!("`{model}` is not a model's slug"),
            "the catalogue has the slugs",
        ));
    }
    Ok(model)
}

/// Refuses an id that would change the path of a URL.
pub(crate) fn check_id(id: &RequestId) -> Result<&RequestId, Error> {
    if leaves_its_path(id.as_str()) {
        return Err(Error::argument(
            "request_id",
            format!("`{id}` is not the id of a request"),
            "pass the id in the response to the submit",
        ));
    }
    Ok(id)
}

fn leaves_its_path(segment: &str) -> bool {
    matches!(segment, "" | "." | "..") || segment.contains('\\')
}
