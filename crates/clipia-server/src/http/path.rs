//! The variable segment of a path.

use crate::api_error::ApiError;
use axum::extract::{FromRequestParts, Path};
use clipia_queue::RequestId;
use http::request::Parts;

/// The variable segment of a path that has one.
pub(crate) struct Segment(pub(crate) String);

impl Segment {
    /// The request id in the segment. A text that is no id names no request.
    ///
    /// # Errors
    /// `not_found`.
    pub(super) fn request_id(&self) -> Result<RequestId, ApiError> {
        self.0.parse().map_err(|_| ApiError::no_such_request())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let segment = Path::<String>::from_request_parts(parts, state).await;
        segment.map(|Path(text)| Self(text)).map_err(|_| ApiError::invalid("the path is not UTF-8"))
    }
}
